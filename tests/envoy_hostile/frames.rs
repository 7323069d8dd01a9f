//! Frames of HTTP/2 and trailers, from a client and from a provider.

use super::{INVALID, SCENE};
use bytes::Bytes;
use dragoman::simulate::Options;
use dragoman_tests::http::Response;
use dragoman_tests::scene::{Scene, hello};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

type H2 = http2::SendRequest<Frames>;

async fn connect_http2() -> H2 {
    let socket = tokio::net::TcpStream::connect(SCENE.gateway.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask_http2(sender: &H2, frames: Vec<Frame<Bytes>>, headers: &[(&str, &[u8])]) -> (u16, Bytes) {
    let mut request = http::Request::post("http://gateway.test/v1/chat/completions").header("x-case", "h2");
    for (name, value) in headers {
        request = request.header(*name, http::HeaderValue::from_bytes(value).unwrap());
    }
    let request = request.body(Frames(frames.into())).unwrap();
    let response = sender.clone().send_request(request).await.unwrap();
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

/// A body of these frames.
struct Frames(VecDeque<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}

#[test]
fn http2_with_and_without_trailers_and_empty_frames() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sender = connect_http2().await;
        let text = hello(false).to_string();
        let (start, rest) = text.split_at(30);
        let data = |text: &str| Frame::data(Bytes::copy_from_slice(text.as_bytes()));
        let trailers = || {
            Frame::trailers(http::HeaderMap::from_iter([(
                http::HeaderName::from_static("x-trailer"),
                http::HeaderValue::from_static("1"),
            )]))
        };
        for frames in [
            vec![data(&text)],
            vec![data(&text), trailers()],
            vec![data(start), data(""), data(rest), trailers()],
            vec![data(""), data(start), data(rest), data("")],
        ] {
            let (status, body) = ask_http2(&sender, frames, &[]).await;
            assert_eq!(status, 200, "{body:?}");
        }
        for frames in [vec![], vec![trailers()], vec![data("")], vec![data(start), trailers()]] {
            let (status, body) = ask_http2(&sender, frames, &[]).await;
            assert_eq!(status, 400, "{body:?}");
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error"]["type"], INVALID);
        }
        let odd: [&[(&str, &[u8])]; 4] = [
            &[("authorization", b"Bearer \xff")],
            &[("x-any", b"\xff\xfe")],
            &[("cookie", b"a=\xff"), ("cookie", b"b=c")],
            &[("x-envoy-max-retries", b"9"), ("x-dragoman-retry", b"1")],
        ];
        for headers in odd {
            let (status, body) = ask_http2(&sender, vec![data(&text)], headers).await;
            assert!(matches!(status, 200 | 400), "{headers:?}: {status} {body:?}");
        }
        let (status, _) = ask_http2(&sender, vec![data(&text)], &[]).await;
        assert_eq!(status, 200);
    });
    SCENE.assert_sound();
}

/// An upstream that answers with trailers, which the simulator does not send.
#[test]
fn trailers_of_an_answer_end_it_like_its_last_chunk() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let streamed = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n";
    let chunked = |kind: &str, body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
             {:x}\r\n{body}\r\n0\r\nx-trailer: 1\r\n\r\n",
            body.len()
        )
    };
    let answers = [
        chunked("application/json", "{\"object\":\"chat.completion\"}"),
        chunked("text/event-stream", streamed),
        chunked("text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"),
        chunked("text/html", "<html>"),
    ];
    let server = std::thread::spawn(move || {
        for answer in answers {
            let (mut peer, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"}") {
                let mut piece = [0; 4096];
                let read = std::io::Read::read(&mut peer, &mut piece).unwrap();
                assert!(read > 0);
                seen.extend_from_slice(&piece[..read]);
            }
            std::io::Write::write_all(&mut peer, answer.as_bytes()).unwrap();
        }
    });
    let scene = Scene::start(Options::default(), |config, _| {
        config["providers"]["trailing"] = dragoman_tests::scene::provider(&format!("http://{address}/v1"));
    });
    let case = scene.case("trailing");
    let ask = |stream: bool| -> Response {
        let mut body = hello(stream);
        body["model"] = json!("trailing/m");
        case.survive(&case.chat(&body).bytes())
    };
    assert_eq!(ask(false).json()["object"], "chat.completion");
    assert_eq!(ask(true).text(), streamed);
    let cut = ask(true);
    assert!(cut.complete && cut.text().contains("hi"), "{}", cut.text());
    assert!(cut.text().contains("\"error\""), "a cut before trailers is not told: {}", cut.text());
    assert_eq!(ask(false).status, 502);
    server.join().unwrap();
}
