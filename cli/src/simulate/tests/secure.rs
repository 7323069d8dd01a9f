//! The same over TLS and HTTP/2.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, pki_types::ServerName};
use tokio_rustls::TlsConnector;

use super::*;

fn start_secure(protocols: Protocols) -> (Simulator, ClientConfig) {
    let identity = rcgen::generate_simple_self_signed(["sim.test".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(identity.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let key = identity.signing_key.serialize_der().try_into().unwrap();
    let tls = Tls { certificates: vec![identity.cert.der().clone()], key };
    (Simulator::start(Options { tls: Some(tls), protocols, ..Options::default() }).unwrap(), client)
}

fn connect_secure(
    simulator: &Simulator,
    mut client: ClientConfig,
    alpn: &[&[u8]],
) -> StreamOwned<ClientConnection, TcpStream> {
    client.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("sim.test").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(client), name).unwrap(), connect(simulator))
}

async fn http2(simulator: &Simulator, mut client: ClientConfig) -> http2::SendRequest<Full<Bytes>> {
    client.alpn_protocols = vec![b"h2".to_vec()];
    let socket = tokio::net::TcpStream::connect(simulator.addr()).await.unwrap();
    let name = ServerName::try_from("sim.test").unwrap();
    let stream = TlsConnector::from(Arc::new(client)).connect(name, socket).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// The body, or `None` where the answer or its body fails.
async fn ask_http2(sender: &http2::SendRequest<Full<Bytes>>, faults: &str) -> Option<Bytes> {
    let request = http::Request::post("https://sim.test/v1/chat/completions")
        .header("x-simulate", faults)
        .body(Full::new(hello(true).to_string().into()))
        .unwrap();
    let response = sender.clone().send_request(request).await.ok()?;
    Some(response.into_body().collect().await.ok()?.to_bytes())
}

fn on_a_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn http1_over_tls_answers_and_records_itself_as_such() {
    let (simulator, client) = start_secure(Protocols::Both);
    let mut stream = connect_secure(&simulator, client, &[b"http/1.1"]);
    stream.write_all(chat("", &hello(false)).as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(parse(&bytes).status(), 200);
    let request = &simulator.requests()[0];
    assert_eq!((request.version, request.tls), (http::Version::HTTP_11, true));
}

#[test]
fn a_tls_connection_is_reset_and_cut_without_a_farewell() {
    for (faults, kind) in [("reset-after=3", ErrorKind::ConnectionReset), ("cut-after=3", ErrorKind::UnexpectedEof)] {
        let (simulator, client) = start_secure(Protocols::Http1);
        let mut stream = connect_secure(&simulator, client, &[b"h2", b"http/1.1"]);
        stream.write_all(chat(&format!("x-simulate: {faults}\r\n"), &hello(true)).as_bytes()).unwrap();
        let mut bytes = Vec::new();
        let error = stream.read_to_end(&mut bytes).unwrap_err();
        assert_eq!((parse(&bytes).events().len(), error.kind()), (3, kind));
    }
}

#[test]
fn http2_is_negotiated_and_answers() {
    let (simulator, client) = start_secure(Protocols::Both);
    on_a_runtime(async {
        let sender = http2(&simulator, client).await;
        let body = ask_http2(&sender, "cuts=3").await.unwrap();
        assert!(body.ends_with(b"data: [DONE]\n\n"));
    });
    let request = &simulator.requests()[0];
    assert_eq!((request.version, request.tls, request.uri.host()), (http::Version::HTTP_2, true, Some("sim.test")));
}

#[test]
fn an_http2_reset_ends_its_stream_and_a_cut_the_connection() {
    let (simulator, client) = start_secure(Protocols::Http2);
    on_a_runtime(async {
        let sender = http2(&simulator, client.clone()).await;
        let (reset, other) = tokio::join!(ask_http2(&sender, "reset-after=2"), ask_http2(&sender, "slow=5"));
        assert_eq!(reset, None);
        assert!(other.unwrap().ends_with(b"data: [DONE]\n\n"));
        assert_eq!(ask_http2(&sender, "reset").await, None);
        assert!(ask_http2(&sender, "ok").await.is_some());

        let (cut, other) = tokio::join!(ask_http2(&sender, "cut-after=2"), ask_http2(&sender, "slow=50"));
        assert_eq!((cut, other), (None, None));
        assert_eq!(ask_http2(&sender, "ok").await, None);
    });
}

#[test]
fn http2_is_spoken_in_clear_by_prior_knowledge() {
    let simulator = start();
    on_a_runtime(async {
        let socket = tokio::net::TcpStream::connect(simulator.addr()).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        assert!(ask_http2(&sender, "ok").await.is_some());
    });
    assert_eq!(simulator.requests()[0].version, http::Version::HTTP_2);
}
