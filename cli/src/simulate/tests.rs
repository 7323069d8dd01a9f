//! The simulated provider seen from outside, through bare sockets: a client library would hide half of what is tested.

mod anthropic;
mod errands;
mod faults;
mod gemini;
mod ollama;
mod openai;
mod responses;
mod secure;

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use http::StatusCode;
use serde_json::{Value, json};

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

fn start() -> Simulator {
    Simulator::start(Options { clock: || 1_767_225_600, ..Options::default() }).unwrap()
}

fn connect(simulator: &Simulator) -> TcpStream {
    let stream = TcpStream::connect(simulator.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: sim\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
}

fn chat(headers: &str, body: &Value) -> String {
    request("POST", "/v1/chat/completions", headers, &body.to_string())
}

fn hello(stream: bool) -> Value {
    json!({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": "hello"}]})
}

/// Everything the connection brings, and the error it ends with.
fn exchange(simulator: &Simulator, request: &str) -> (Vec<u8>, Option<ErrorKind>) {
    let mut stream = connect(simulator);
    stream.write_all(request.as_bytes()).unwrap();
    read_all(&mut stream)
}

fn read_all(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let error = stream.read_to_end(&mut bytes).err().map(|error| error.kind());
    (bytes, error)
}

struct Answered {
    head: String,
    body: Vec<u8>,
    /// Whether the message came to its own end.
    complete: bool,
}

impl Answered {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The data of the events; every one but `[DONE]` is JSON.
    fn events(&self) -> Vec<Value> {
        let data = self.text().split("\n\n").filter_map(|event| event.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect()
    }
}

fn parse(bytes: &[u8]) -> Answered {
    let (head, raw) = split(bytes, b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8(head.to_vec()).unwrap();
    let mut answered = Answered { head, body: raw.to_vec(), complete: false };
    if answered.header("transfer-encoding") == Some("chunked") {
        let (body, complete) = unchunk(raw);
        return Answered { body, complete, ..answered };
    }
    answered.complete = answered.header("content-length").is_some_and(|length| length == raw.len().to_string());
    answered
}

fn unchunk(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some((size, rest)) = split(raw, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(size).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let (chunk, rest) = rest.split_at(size);
        body.extend_from_slice(chunk);
        raw = rest.strip_prefix(b"\r\n").unwrap();
    }
    (body, false)
}

fn split<'b>(bytes: &'b [u8], separator: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(separator.len()).position(|window| window == separator)?;
    let (before, rest) = bytes.split_at(at);
    Some((before, rest.strip_prefix(separator)?))
}

fn ask(simulator: &Simulator, headers: &str, body: &Value) -> Answered {
    let (bytes, error) = exchange(simulator, &chat(headers, body));
    assert_eq!(error, None);
    parse(&bytes)
}

fn simulate(faults: &str, stream: bool) -> Answered {
    ask(&start(), &format!("x-simulate: {faults}\r\n"), &hello(stream))
}

#[test]
fn scripts_come_first_in_their_order_and_only_where_they_match() {
    let simulator = start();
    let text = |text: &'static str| Script::whole(StatusCode::OK, "text/plain", text);
    simulator.answer_when(|request| request.header("x-n") == Some("2"), text("two"));
    simulator.answer(text("one"));
    simulator.always(|request| request.path().ends_with("?x=1"), text("lasting"));
    assert_eq!(ask(&simulator, "", &hello(false)).text(), "one");
    assert_eq!(ask(&simulator, "x-n: 2\r\n", &hello(false)).text(), "two");
    assert!(ask(&simulator, "", &hello(false)).text().contains("simulated"));
    for _ in 0..2 {
        let (bytes, _) = exchange(&simulator, &request("POST", "/any?x=1", "", ""));
        assert_eq!(parse(&bytes).text(), "lasting");
    }
}

#[test]
fn a_closed_gate_holds_the_rest_back_and_lets_the_start_through() {
    let simulator = start();
    let gate = Gate::closed();
    let mut script = Script::events(["data: 1\n\n", "data: 2\n\n"]);
    script.body[1] = script.body[1].clone().behind(&gate);
    simulator.answer(script);
    let mut stream = connect(&simulator);
    stream.write_all(chat("", &hello(true)).as_bytes()).unwrap();
    let mut early = Vec::new();
    while !early.ends_with(b"data: 1\n\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        early.push(byte[0]);
    }
    let fate = simulator.requests().swap_remove(0).fate;
    assert!(!fate.is_settled());
    gate.open();
    let (late, error) = read_all(&mut stream);
    assert_eq!((late.as_slice(), error), (b"9\r\ndata: 2\n\n\r\n0\r\n\r\n".as_slice(), None));
    assert_eq!((fate.is_settled(), fate.pieces()), (true, 2));
}

#[test]
fn requests_are_recorded_as_they_came() {
    let simulator = start();
    let mut stream = connect(&simulator);
    let head =
        b"PUT /a%20b?c=d HTTP/1.1\r\nhost: sim\r\nX-Raw: \xff\xfe\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
    stream.write_all(head).unwrap();
    read_all(&mut stream);
    let requests = simulator.wait_for(1, PATIENCE);
    let request = &requests[0];
    assert_eq!(
        (request.method.as_str(), request.path(), request.body.as_ref()),
        ("PUT", "/a%20b?c=d", b"abc".as_slice())
    );
    assert_eq!(request.headers["x-raw"].as_bytes(), b"\xff\xfe");
    assert_eq!((request.version, request.tls, request.connection), (http::Version::HTTP_11, false, 0));
    assert_eq!(simulator.take_requests().len(), 1);
    assert!(simulator.requests().is_empty());
}

#[test]
fn a_body_that_is_not_kept_leaves_its_length_and_digest() {
    let simulator = Simulator::start(Options { keep: Keep::Digest, remember: 2, ..Options::default() }).unwrap();
    for _ in 0..3 {
        exchange(&simulator, &request("POST", "/x", "", "abc"));
    }
    let requests = simulator.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].body.is_empty());
    assert_eq!(requests[0].body_bytes, 3);
    assert_eq!(requests[0].body_sha256.unwrap()[..4], [0xba, 0x78, 0x16, 0xbf]);
}

#[test]
fn dropping_the_simulator_ends_its_connections_and_frees_its_port() {
    let simulator = start();
    let addr = simulator.addr();
    let mut stream = connect(&simulator);
    stream.write_all(chat("x-simulate: hang\r\n", &hello(false)).as_bytes()).unwrap();
    assert_eq!(simulator.wait_for(1, PATIENCE).len(), 1);
    drop(simulator);
    assert!(read_all(&mut stream).0.is_empty());
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn the_pause_is_read_as_the_configuration_file_writes_durations() {
    assert_eq!(duration("30ms"), Ok(Duration::from_millis(30)));
    assert_eq!(duration("30").unwrap_err(), "it has no unit; expected a duration such as 30ms");
}
