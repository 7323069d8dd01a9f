//! The simulated provider seen from outside, through bare sockets: a client library would hide half of what is tested.

mod anthropic;
mod gemini;
mod ollama;
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
fn a_whole_answer_has_the_providers_fields_in_the_providers_order() {
    let answered = ask(&start(), "", &hello(false));
    assert_eq!((answered.status(), answered.complete), (200, true));
    assert_eq!(answered.header("content-type"), Some("application/json"));
    let id = answered.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("chatcmpl-") && id.len() == 38, "{id}");
    let expected = r#"{
  "id": "ID",
  "object": "chat.completion",
  "created": 1767225600,
  "model": "gpt-4o",
  "choices": [
    {
      "index": 0,
      "message": {
        "role": "assistant",
        "content": "This is gpt-4o, simulated. You said: hello",
        "refusal": null,
        "annotations": []
      },
      "logprobs": null,
      "finish_reason": "stop"
    }
  ],
  "usage": {
    "prompt_tokens": 5,
    "completion_tokens": 7,
    "total_tokens": 12,
    "prompt_tokens_details": {
      "cached_tokens": 0,
      "audio_tokens": 0
    },
    "completion_tokens_details": {
      "reasoning_tokens": 0,
      "audio_tokens": 0,
      "accepted_prediction_tokens": 0,
      "rejected_prediction_tokens": 0
    }
  },
  "service_tier": "default",
  "system_fingerprint": "fp_51a7ed0000"
}
"#;
    assert_eq!(answered.text(), expected.replace("ID", &id));
}

#[test]
fn a_stream_says_the_same_and_ends_with_usage_only_when_asked() {
    let simulator = start();
    let plain = ask(&simulator, "", &hello(true));
    assert_eq!(plain.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let events = plain.events();
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role": "assistant", "content": "", "refusal": null}));
    assert_eq!(events[8]["choices"][0]["finish_reason"], "stop");
    assert_eq!(events[9..], [json!("[DONE]")]);
    assert!(events[..9].iter().all(|event| event.get("usage").is_none() && event.get("obfuscation").is_some()));
    let said: String = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "This is gpt-4o, simulated. You said: hello");

    let mut body = hello(true);
    body["stream_options"] = json!({"include_usage": true, "include_obfuscation": false});
    let events = ask(&simulator, "", &body).events();
    assert!(events[..9].iter().all(|event| event["usage"].is_null() && event.get("usage").is_some()));
    assert_eq!(events[9]["choices"], json!([]));
    assert_eq!(events[9]["usage"]["total_tokens"], 12);
    assert_eq!(events[9].get("obfuscation"), None);
    assert_eq!(events[10..], [json!("[DONE]")]);
}

#[test]
fn the_choices_of_n_stream_together() {
    let mut body = hello(true);
    body["n"] = json!(2);
    let events = ask(&start(), "", &body).events();
    let indexes: Vec<_> = events.iter().filter_map(|event| event["choices"][0]["index"].as_u64()).take(6).collect();
    assert_eq!(indexes, [0, 1, 0, 1, 0, 1]);
}

#[test]
fn a_tool_round_trip_calls_the_tool_and_then_quotes_its_result() {
    let simulator = start();
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let mut body = hello(false);
    body["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}]);
    let choice = ask(&simulator, "", &body).json()["choices"][0].take();
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], Value::Null);
    assert_eq!(call["function"], json!({"name": "weather", "arguments": "{\"city\":\"city\"}"}));
    assert!(call["id"].as_str().unwrap().starts_with("call_"));

    body["stream"] = json!(true);
    let events = ask(&simulator, "", &body).events();
    let calls: Vec<_> = events.iter().map(|event| &event["choices"][0]["delta"]["tool_calls"][0]["function"]).collect();
    assert_eq!(calls[1], &json!({"name": "weather", "arguments": ""}));
    let arguments: String = calls.iter().filter_map(|call| call["arguments"].as_str()).collect();
    assert_eq!(arguments, "{\"city\":\"city\"}");

    body["stream"] = json!(false);
    let turn = [choice["message"].clone(), json!({"role": "tool", "tool_call_id": call["id"], "content": "sunny"})];
    body["messages"].as_array_mut().unwrap().extend(turn);
    let answered = ask(&simulator, "", &body).json();
    assert_eq!(answered["choices"][0]["message"]["content"], "This is gpt-4o, simulated. The tool answered: sunny");
}

#[test]
fn structured_output_satisfies_its_schema_and_images_are_named() {
    let simulator = start();
    let mut body = hello(false);
    let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]});
    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    assert_eq!(ask(&simulator, "", &body).json()["choices"][0]["message"]["content"], "{\"ok\":true}");

    let parts = json!([
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": parts}]});
    assert_eq!(
        ask(&simulator, "", &body).json()["choices"][0]["message"]["content"],
        "This is m, simulated. You said: look I see 2 images: https://example.com/cat.png, image/png (4 base64 characters)."
    );
}

#[test]
fn bad_requests_are_refused_in_the_providers_shape() {
    let simulator = start();
    let post = |path: &str, body: &str| parse(&exchange(&simulator, &request("POST", path, "", body)).0);
    let chat = |body: &str| post("/v1/chat/completions", body);
    for body in ["", "{", "[]", "{\"messages\":[]}", "\u{feff}{}", &"[".repeat(20_000)] {
        let answered = chat(body);
        assert_eq!((answered.status(), answered.json()["error"]["param"].is_null()), (400, true), "{body:.20}");
    }
    let missing = chat("{\"model\":\"m\"}").json();
    assert_eq!(missing["error"]["code"], "missing_required_parameter");
    assert_eq!(chat("{\"model\":\"m\",\"messages\":[]}").json()["error"]["code"], "empty_array");
    assert_eq!(post("/v1/nowhere", "{}").status(), 404);
    assert_eq!(post("/v1/models", "{}").status(), 405);
    let get = |path: &str| parse(&exchange(&simulator, &request("GET", path, "", "")).0);
    assert_eq!(get("/v1/models").json()["data"][0]["id"], "gpt-4o");
    assert_eq!(get("/v1/models/o3").json()["object"], "model");
    assert_eq!(get("/v1/models/o33").status(), 404);
}

#[test]
fn a_required_key_is_required() {
    let simulator = Simulator::start(Options { require_key: Some("sk-1".into()), ..Options::default() }).unwrap();
    let code = |headers: &str| {
        let answered = ask(&simulator, headers, &hello(false));
        (answered.status(), answered.json()["error"]["code"].clone())
    };
    assert_eq!(code(""), (401, Value::Null));
    assert_eq!(code("authorization: Bearer sk-2\r\n"), (401, json!("invalid_api_key")));
    assert_eq!(code("authorization: Bearer sk-1\r\n"), (200, Value::Null));
}

#[test]
fn a_fault_in_the_models_name_works_as_in_the_header() {
    let body = json!({"model": "gpt-4o-sim-status-429-retry-after-2", "messages": [{"role": "user", "content": "x"}]});
    let by_name = ask(&start(), "", &body);
    for answered in [by_name, simulate("status=429; retry-after=2", true)] {
        assert_eq!((answered.status(), answered.header("retry-after")), (429, Some("2")));
        assert_eq!(answered.json()["error"]["code"], "rate_limit_exceeded");
    }
    assert_eq!(simulate("nonsense", false).status(), 400);
}

#[test]
fn content_faults_do_what_they_say() {
    assert_eq!(simulate("context-length", false).json()["error"]["code"], "context_length_exceeded");
    assert_eq!(simulate("quota", false).json()["error"]["code"], "insufficient_quota");
    let refused = simulate("refusal", false).json();
    assert_eq!(refused["choices"][0]["message"]["content"], Value::Null);
    assert!(refused["choices"][0]["message"]["refusal"].is_string());
    assert_eq!(simulate("no-usage", false).json().get("usage"), None);
    assert_eq!(simulate("error-event", true).events()[0]["error"]["type"], "server_error");
    let late = simulate("error-after=3", true).events();
    assert_eq!((late.len(), late[3]["error"]["type"].as_str()), (4, Some("server_error")));
    assert!(serde_json::from_slice::<Value>(&simulate("malformed", false).body).is_err());
    let broken = simulate("malformed-after=2", true).events();
    assert!(broken[1].is_object() && broken[2].is_string() && broken[3].is_object());
    let page = simulate("html", false);
    assert!(page.complete && page.text().contains("<html>"));
    let empty = simulate("empty", false);
    assert_eq!((empty.status(), empty.complete, empty.body.len()), (200, true, 0));
    assert_eq!(simulate("wrong-type", true).header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(simulate("comments", true).text().matches(": ping\n\n").count(), 10);
    let endless = simulate("no-end", true);
    assert!(endless.complete && !endless.text().contains("[DONE]"));
    let short = simulate("stop-after=3", true);
    assert_eq!((short.complete, short.events().len()), (true, 3));
    assert!(simulate("big-headers=20", false).head.len() > 20 * 1024);
}

#[test]
fn a_gzipped_body_begins_as_gzip_does_and_says_so() {
    for stream in [false, true] {
        let answered = simulate("gzip", stream);
        assert_eq!(answered.header("content-encoding"), Some("gzip"));
        assert!(answered.complete && answered.body.starts_with(&[0x1f, 0x8b, 8]));
    }
}

#[test]
fn cuts_change_no_byte_of_the_body() {
    let body = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "Grüße 🦀🦀🦀"}]});
    for faults in ["chunks=1", "chunks=7", "cuts=1", "cuts=2"] {
        let answered = ask(&start(), &format!("x-simulate: {faults}\r\n"), &body);
        assert!(answered.complete && answered.text().contains("🦀🦀🦀"), "{faults}");
        let raw = exchange(&start(), &chat(&format!("x-simulate: {faults}\r\n"), &body)).0;
        let chunks = String::from_utf8_lossy(&raw).matches("\r\n").count() / 2;
        assert!(chunks > 20, "{faults} made {chunks} chunks");
    }
}

#[test]
fn a_reset_is_a_reset() {
    let reset = |faults: &str| {
        let simulator = start();
        exchange(&simulator, &chat(&format!("x-simulate: {faults}\r\n"), &hello(true)))
    };
    assert_eq!(reset("reset"), (Vec::new(), Some(ErrorKind::ConnectionReset)));
    let (torn, error) = reset("reset-head");
    assert_eq!((torn.as_slice(), error), (b"HTTP/1.1 200 OK\r\ncontent".as_slice(), Some(ErrorKind::ConnectionReset)));
    let (bytes, error) = reset("reset-after=3");
    let answered = parse(&bytes);
    assert_eq!((answered.events().len(), answered.complete), (3, false));
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
    let (bytes, error) = reset("reset-after=0");
    assert_eq!((parse(&bytes).body.len(), error), (0, Some(ErrorKind::ConnectionReset)));
}

#[test]
fn a_cut_is_an_end_of_file_in_the_middle_of_the_message() {
    let stream = simulate("cut-after=3", true);
    assert_eq!((stream.events().len(), stream.complete), (3, false));
    let whole = simulate("cut-after=1", false);
    assert!(!whole.complete && !whole.body.is_empty() && whole.header("content-length").is_some());
}

#[test]
fn a_large_body_is_delivered_before_the_cut() {
    let simulator = start();
    let mut script = Script::new(StatusCode::OK);
    script.body = vec![Piece::new(vec![b'x'; 3_000_000])];
    simulator.answer(script.ending(Finish::Cut));
    let mut stream = connect(&simulator);
    stream.write_all(chat("", &hello(false)).as_bytes()).unwrap();
    // Slow enough for the sockets' buffers to fill.
    std::thread::sleep(Duration::from_millis(100));
    let (bytes, error) = read_all(&mut stream);
    let answered = parse(&bytes);
    assert_eq!((answered.body.len(), answered.complete, error), (3_000_000, false, None));
}

#[test]
fn hanging_keeps_the_connection_open_and_silent() {
    for (faults, events) in [("hang", None), ("hang-after=0", Some(0)), ("hang-after=2", Some(2))] {
        let simulator = start();
        let mut stream = connect(&simulator);
        stream.write_all(chat(&format!("x-simulate: {faults}\r\n"), &hello(true)).as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        let (bytes, error) = read_all(&mut stream);
        assert_eq!(error, Some(ErrorKind::WouldBlock), "{faults}");
        match events {
            None => assert!(bytes.is_empty()),
            Some(events) => assert_eq!(parse(&bytes).events().len(), events),
        }
        assert!(!simulator.requests()[0].fate.is_settled());
    }
}

#[test]
fn delays_and_paces_take_their_time() {
    for (faults, least) in [("delay=80", 80), ("stall=80", 80), ("slow=10", 90)] {
        let begun = Instant::now();
        assert!(simulate(faults, true).complete);
        assert!(begun.elapsed() >= Duration::from_millis(least), "{faults}");
    }
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
    assert!(!simulator.requests()[0].fate.is_settled());
    gate.open();
    let (late, error) = read_all(&mut stream);
    assert_eq!((late.as_slice(), error), (b"9\r\ndata: 2\n\n\r\n0\r\n\r\n".as_slice(), None));
    assert!(simulator.requests()[0].fate.is_settled());
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
