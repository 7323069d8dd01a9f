//! Files and forms that pass through a real Envoy as they come: their provider sees the first of them before the client has sent the
//! last, nobody holds them, and what is too large is refused.
#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that cannot count fails")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use dragoman_tests::envoy::{Gateway, Setup};
use dragoman_tests::http::Connection;
use dragoman_tests::scene::assert_sound;
use serde_json::json;

const MIB: usize = 1 << 20;
const BOUNDARY: &str = "multipart/form-data; boundary=x";

/// What the provider tells of a request.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// Its head has come: the request line, and the header that carries the credential.
    Head(String, String),
    /// The first of its body has come.
    First,
    /// So many bytes of a body, which was whole.
    Whole(usize),
}

/// A provider that tells what comes as it comes, and answers `{"text":"hi"}` in the end.
fn provider() -> (SocketAddr, Receiver<Seen>) {
    let (listener, address) = listener();
    (address, serve_all(listener))
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn serve_all(listener: TcpListener) -> Receiver<Seen> {
    let (teller, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let teller = teller.clone();
            thread::spawn(move || serve(stream.unwrap(), &teller));
        }
    });
    told
}

/// Serves the one request of a connection; `None` where it breaks off.
fn serve(stream: TcpStream, teller: &Sender<Seen>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut credential, mut length) = (String::new(), String::new(), None);
    reader.read_line(&mut line).ok()?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        match header.trim_end().split_once(": ") {
            Some(("authorization", value)) => value.clone_into(&mut credential),
            Some(("content-length", value)) => length = value.parse::<usize>().ok(),
            Some(_) => {}
            None => break,
        }
    }
    teller.send(Seen::Head(line.trim_end().to_owned(), credential)).ok()?;
    let mut seen = 0;
    let mut note = |more: usize| {
        if seen == 0 {
            let _ = teller.send(Seen::First);
        }
        seen += more;
        seen
    };
    let mut buffer = vec![0; 64 * 1024];
    let whole = match length {
        Some(0) => 0,
        Some(length) => loop {
            let read = reader.read(&mut buffer).ok().filter(|read| *read > 0)?;
            if note(read) >= length {
                break length;
            }
        },
        None => loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim_end(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break note(0);
            }
            note(size);
        },
    };
    teller.send(Seen::Whole(whole)).ok()?;
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"text\":\"hi\"}";
    reader.get_mut().write_all(answer.as_bytes()).ok()
}

fn gateway(address: SocketAddr, max_upload: &str) -> Gateway {
    let config = json!({
        "providers": {
            "claude": {"kind": "anthropic", "base_url": "http://127.0.0.1:9", "credential": {"value": "k"}},
            "voice": {"kind": "openai", "base_url": format!("http://{address}/v1"), "credential": {"value": "sk-voice"}},
        },
        "max_body": "4MiB",
        "max_upload": max_upload,
    });
    Setup::new(config).start()
}

fn head(path: &str, length: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: gw\r\ncontent-type: {BOUNDARY}\r\n{length}\r\n\r\n").into_bytes()
}

#[test]
fn the_provider_sees_the_beginning_before_the_client_has_sent_the_end() {
    let (address, told) = provider();
    let gateway = gateway(address, "64MiB");
    let next = || told.recv_timeout(Duration::from_secs(20)).expect("the provider hears of it");
    // The router picks who speaks the format; a provider's own path names it.
    for path in ["/v1/audio/transcriptions", "/voice/v1/audio/translations", "/v1/images/edits"] {
        let mut client = Connection::open(gateway.address).unwrap();
        client.send(&head(path, &format!("content-length: {}", 20 * MIB)));
        client.send(&vec![b'a'; MIB]);
        let own = path.trim_start_matches("/voice");
        assert_eq!(next(), Seen::Head(format!("POST {own} HTTP/1.1"), "Bearer sk-voice".into()));
        assert_eq!(next(), Seen::First);
        for _ in 1..20 {
            client.send(&vec![b'a'; MIB]);
        }
        let answer = client.response().unwrap();
        assert_eq!((answer.status, answer.text()), (200, r#"{"text":"hi"}"#.into()));
        assert_eq!(next(), Seen::Whole(20 * MIB));
        assert_eq!(answer.headers.text("x-dragoman-attempts"), Some("voice=200"));
    }
    assert_sound(&gateway);
}

/// Of Envoy's memory only so much can be told that much else is in it. What cannot be explained away: a client comes to a stop
/// while its provider does not read, and what has left it by then is what all between them hold, the kernel included.
#[test]
fn what_passes_is_held_by_nobody() {
    const PIECES: usize = 512;
    let (listener, address) = listener();
    let gateway = gateway(address, "513MiB");
    let mut client = Connection::open(gateway.address).unwrap();
    let sent = AtomicUsize::new(0);
    let answer = thread::scope(|scope| {
        let answer = scope.spawn(|| {
            client.send(&head("/v1/files", "transfer-encoding: chunked"));
            let piece = [b"100000\r\n".to_vec(), vec![b'a'; MIB], b"\r\n".to_vec()].concat();
            for _ in 0..PIECES {
                client.send(&piece);
                sent.fetch_add(1, Ordering::Relaxed);
            }
            client.send(b"0\r\n\r\n");
            client.response().unwrap()
        });
        // Nobody has accepted the connection, which the kernel holds open and fills.
        let mut held = None;
        while held != Some(sent.load(Ordering::Relaxed)) {
            held = Some(sent.load(Ordering::Relaxed));
            thread::sleep(Duration::from_secs(1));
        }
        assert!((1..PIECES / 4).contains(&sent.load(Ordering::Relaxed)), "{held:?} MiB of {PIECES} are on their way");
        let told = serve_all(listener);
        let next = || told.recv_timeout(Duration::from_secs(20)).expect("the provider hears of it");
        assert!(matches!((next(), next()), (Seen::Head(..), Seen::First)));
        assert_eq!(next(), Seen::Whole(PIECES * MIB));
        answer.join().unwrap()
    });
    assert_eq!(answer.status, 200);
    assert_sound(&gateway);
}

#[test]
fn what_passes_is_bounded_by_its_own_limit() {
    let (address, _told) = provider();
    let gateway = gateway(address, "64MiB");
    // One that announces more never begins; one that does not is cut off where it is too much.
    let mut client = Connection::open(gateway.address).unwrap();
    client.send(&head("/v1/files", &format!("content-length: {}", 65 * MIB)));
    assert_eq!(client.response().unwrap().status, 413);
    let mut client = Connection::open(gateway.address).unwrap();
    client.send(&head("/v1/files", "transfer-encoding: chunked"));
    client.send(&[b"4800000\r\n".to_vec(), vec![b'a'; 66 * MIB]].concat());
    assert_eq!(client.response().unwrap().status, 413);
    assert_sound(&gateway);
}

#[test]
fn who_cannot_be_reached_is_said_and_where_nobody_can_be_chosen_too() {
    let (address, _told) = provider();
    let gateway = gateway(address, "64MiB");
    let ask = |path: &str, more: &str| {
        let mut client = Connection::open(gateway.address).unwrap();
        client.send(&head(path, &format!("content-length: 3{more}")));
        client.send(b"abc");
        client.response().unwrap()
    };
    let refused = ask("/v1/files", "\r\nx-dragoman-provider: claude");
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("/claude/"), "{}", refused.text());
    // Its port is closed.
    let lost = ask("/claude/v1/files", "");
    assert_eq!(lost.status, 503, "{}", lost.text());
    assert_eq!(lost.headers.text("x-dragoman-attempts"), Some("claude=503"));
    assert_sound(&gateway);
}
