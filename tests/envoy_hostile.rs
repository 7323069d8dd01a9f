//! What a hostile or broken client sends, through a real Envoy: a clear refusal or nothing of note, and the same worker
//! serves the next request. A crash would end every stream of that worker, so each test asks for crashes as well.
#![cfg(test)]

// A test's root is a file of this folder, and its modules are not to be.
#[path = "envoy_hostile/frames.rs"]
mod frames;

use dragoman::simulate::{Gate, Options, Piece, Script};
use dragoman_tests::clock::wait_until;
use dragoman_tests::http::Request;
use dragoman_tests::scene::{Case, Scene, hello, openai_error};
use serde_json::json;
use std::sync::LazyLock;

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options::default(), |config, _| {
        config["max_body"] = json!("1MiB");
        config["auth"] = json!({"required": false});
        config["keys"] = json!([{"id": "known", "sha256": dragoman::key::hash("sk-known")}]);
    })
});

const INVALID: &str = "invalid_request_error";

#[track_caller]
fn refused(case: Case<'_>, request: &Request) -> String {
    openai_error(&case.survive(&request.bytes()), 400, INVALID, None)
}

#[test]
fn header_values_that_are_no_utf8_harm_nobody() {
    let case = SCENE.case("bytes");
    for name in
        ["authorization", "x-api-key", "x-goog-api-key", "cookie", "user-agent", "x-any", "accept", "x-dragoman-env"]
    {
        for value in [b"\xff\xfe".as_slice(), b"Bearer \xc3\x28", b"\x80", b"Bearer sk-\xf0\x9f"] {
            let answer = case.survive(&case.chat(&hello(false)).header(name, value).bytes());
            // An environment of that name there is not.
            let expected: &[u16] = if name == "x-dragoman-env" { &[404] } else { &[200, 400] };
            assert!(expected.contains(&answer.status), "{name}: {} {}", answer.status, answer.text());
        }
    }
    for name in ["content-type", "content-encoding"] {
        let request = Request::new("POST", "/v1/chat/completions").header(name, b"\xff").body(hello(false).to_string());
        openai_error(&case.survive(&request.bytes()), 415, INVALID, Some("unsupported_media_type"));
    }
    for name in ["host", "content-length", "transfer-encoding", "expect", "te", "connection"] {
        let request = Request::new("POST", "/v1/chat/completions").header(name, b"\xff").body("{}");
        let answer = case.survive(&request.bytes());
        assert!(answer.status >= 400, "{name}: {}", answer.status);
    }
    let path = b"POST /v1/\xff\xfe HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";
    assert!(matches!(case.survive(path).status, 400 | 404));
}

#[test]
fn a_body_that_is_no_json_object_is_400_with_the_place() {
    let case = SCENE.case("json");
    let deep = |open: &str, close: &str| {
        format!("{{\"model\":\"openai/m\",\"x\":{}{}}}", open.repeat(20_000), close.repeat(20_000))
    };
    for body in [
        b"{".to_vec(),
        b"{}x".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"\"model\"".to_vec(),
        b"{\"model\":\"openai/m\"".to_vec(),
        b"{\"model\":\"openai/m\",}".to_vec(),
        b"{\"model\":\"openai/m\" \"x\":1}".to_vec(),
        b"{'model':'openai/m'}".to_vec(),
        b"{\"model\":\"openai/m\",\"x\":01}".to_vec(),
        b"{\"model\":\"openai/m\",\"x\":NaN}".to_vec(),
        b"{\"model\":\"openai/m\",\"x\":\"\x01\"}".to_vec(),
        b"{\"model\":\"openai/m\",\"x\":\"\\ud800\\u00\"}".to_vec(),
        b"{\"model\":\"openai/m\",\"x\":\"\xff\xfe\"}".to_vec(),
        b"{\"model\":\"openai/m\",\"x\":\"\xc0\xaf\"}".to_vec(),
        b"\xef\xbb\xbf{\"model\":\"openai/m\"}".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        b"\x1f\x8b\x08\0\0\0\0\0\0\xff\xab\xae\x05\0".to_vec(),
        b"\0\0\0\0".to_vec(),
        b"   \n\t ".to_vec(),
        b"{} {}".to_vec(),
        deep("[", "]").into_bytes(),
        deep("{\"a\":", "}").replace("}}}", "1}}}").into_bytes(),
        deep("[", "").into_bytes(),
    ] {
        let message = refused(case, &case.raw(body.clone()));
        assert!(!message.is_empty() && message.len() < 300, "{message}");
        assert!(!message.contains("openai/m"), "the message repeats the body: {message}");
    }
    assert!(case.requests().iter().all(|request| request.body.ends_with(b"\"stream\":false}")), "one has got through");
}

#[test]
fn a_model_that_stands_twice_or_is_none_is_400() {
    let case = SCENE.case("model");
    for body in [
        r#"{"model":"openai/a","model":"openai/b"}"#,
        r#"{"model":"openai/a","mod\u0065l":"openai/b"}"#,
        r#"{"m\u006fdel":"openai/a","x":{},"model":"openai/a"}"#,
        r#"{"model":null}"#,
        r#"{"model":""}"#,
        r#"{"model":7}"#,
        r#"{"model":["openai/a"]}"#,
        r#"{"model":{"a":"openai/a"}}"#,
        r#"{"Model":"openai/a"}"#,
        r#"{"x":{"model":"openai/a"}}"#,
        "{}",
        r#"{"model":"openai/a","stream":true,"stream":false}"#,
        r#"{"model":"openai/a","stream":"yes"}"#,
        r#"{"model":"openai/a","stream":1}"#,
        r#"{"model":"openai/a","stream":true,"stream_options":7}"#,
        r#"{"model":"openai/a","stream":true,"stream_options":{"include_usage":true,"include_usage":false}}"#,
    ] {
        refused(case, &case.raw(body));
    }
    assert!(case.requests().iter().all(|request| request.body.ends_with(b"\"stream\":false}")), "one has got through");
}

#[test]
fn a_request_without_a_body_is_400_or_405() {
    let case = SCENE.case("empty");
    refused(case, &case.raw(""));
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    for rest in ["\r\n", "transfer-encoding: chunked\r\n\r\n0\r\n\r\n", "content-length: 0\r\n\r\n"] {
        let answer = case.survive(format!("{head}{rest}").as_bytes());
        openai_error(&answer, 400, INVALID, None);
    }
    let answer = case.survive(&Request::get("/v1/completions").bytes());
    openai_error(&answer, 405, INVALID, Some("method_not_allowed"));
    // A body where none belongs.
    let answer = case.survive(&Request::get("/health").body("{}").bytes());
    assert_eq!(answer.status, 200);
}

#[test]
fn trailers_of_a_chunked_request_end_it_like_its_last_chunk() {
    let case = SCENE.case("trailers");
    let body = hello(false).to_string();
    let (start, rest) = body.split_at(20);
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-case: trailers\r\ntransfer-encoding: chunked\r\n\r\n\
         {:x}\r\n{start}\r\n{:x};ext=1\r\n{rest}\r\n0\r\nx-trailer: 1\r\nauthorization: Bearer sk-trailer\r\n\r\n",
        start.len(),
        rest.len(),
    );
    assert_eq!(case.survive(request.as_bytes()).status, 200);
    let first = case.requests().remove(0);
    assert_eq!(first.body, body.replace("openai/", ""));
}

#[test]
fn path_tricks_are_no_path_or_the_plain_one() {
    let case = SCENE.case("paths");
    for (path, statuses) in [
        ("//v1/chat/completions", &[200, 400, 404][..]),
        ("/v1//chat///completions", &[200, 400, 404]),
        ("/v1/chat/../chat/completions", &[200, 400, 404]),
        ("/v1/%2e%2e/v1/chat/completions", &[200, 400, 404]),
        ("/v1/chat%2fcompletions", &[400, 404]),
        ("/v1/chat%2Fcompletions", &[400, 404]),
        ("/v1/chat%5ccompletions", &[400, 404]),
        ("/v1\\chat\\completions", &[200, 400, 404]),
        ("/v1/chat/completions%00", &[400, 404]),
        ("/v1/chat/completions%20", &[404]),
        ("/V1/chat/completions", &[404]),
        ("/v1/Chat/Completions", &[404]),
        ("/v1/chat/completions;a=b", &[404]),
        ("/v1/chat/completions/..", &[404]),
        ("/%76%31/chat/completions", &[200, 404]),
        ("/../../../../etc/passwd", &[400, 404]),
        ("/health/../v1/models", &[405]),
        ("/v1/%2e%2e/%2e%2e/admin/v1/keys", &[400, 404]),
    ] {
        let answer = case.survive(&case.post(path, &hello(false)).bytes());
        let expected: &[u16] = statuses;
        assert!(expected.contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
    }
    let other = case.requests().into_iter().find(|request| request.path() != "/v1/chat/completions");
    assert!(other.is_none(), "{other:?}");
}

#[test]
fn request_lines_and_hosts_that_smuggle_are_refused_or_neutralised() {
    let case = SCENE.case("smuggle");
    let body = hello(false).to_string();
    let length = body.len();
    let common = format!("x-case: smuggle\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
    for (head, statuses) in [
        ("POST http://evil.test/v1/chat/completions HTTP/1.1\r\nhost: gateway.test\r\n", &[200, 400][..]),
        ("POST https://evil.test:1/v1/chat/completions HTTP/1.1\r\nhost: a\r\n", &[200, 400, 403, 404]),
        ("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nhost: evil.test\r\n", &[200, 400]),
        ("POST /v1/chat/completions HTTP/1.1\r\n", &[400]),
        ("POST /v1/chat/completions HTTP/1.0\r\nhost: a\r\n", &[200, 400, 426]),
        ("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n", &[400]),
        ("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n", &[400]),
        ("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-a: 1\r\n  folded: 1\r\n", &[200, 400]),
        ("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx a: 1\r\n", &[400]),
        ("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n", &[400]),
        ("POST /v1/chat/completions HTTP/9.9\r\nhost: a\r\n", &[400, 426, 505]),
        ("CONNECT evil.test:443 HTTP/1.1\r\nhost: evil.test\r\n", &[400, 403, 404, 405]),
        ("\u{16}\u{3}\u{1}\0\u{1}", &[400]),
    ] {
        let answer = case.survive(format!("{head}{common}").as_bytes());
        let expected: &[u16] = statuses;
        assert!(expected.contains(&answer.status), "{head:?}: {} {}", answer.status, answer.text());
    }
    // The beginning of HTTP/2, and then none.
    let mut connection = case.connect();
    connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nPOST / HTTP/1.1\r\n\r\n");
    assert!(connection.response().is_err());
    let provider = SCENE.upstream.addr().to_string();
    assert!(case.requests().iter().all(|request| request.header("host") == Some(&provider)));
}

#[test]
fn headers_without_end_are_refused() {
    let case = SCENE.case("giant");
    let giant = "a".repeat(70_000);
    let answer = case.survive(&case.chat(&hello(false)).header("x-giant", &giant).bytes());
    assert_eq!(answer.status, 431, "{}", answer.text());
    let answer = case.survive(&case.chat(&hello(false)).key(&giant).bytes());
    assert_eq!(answer.status, 431, "{}", answer.text());
    let mut request = case.chat(&hello(false));
    for number in 0..300 {
        request = request.header(&format!("x-{number}"), "1");
    }
    assert!(matches!(case.survive(&request.bytes()).status, 400 | 431));
    let answer = case.survive(&Request::get(&format!("/{giant}")).bytes());
    assert!(matches!(answer.status, 400 | 404 | 414 | 431), "{}", answer.status);
    // Large, and not too large.
    let answer = case.survive(&case.chat(&hello(false)).header("x-large", "a".repeat(30_000)).bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_body_over_the_limit_is_413_even_where_it_is_nothing_but_space() {
    let case = SCENE.case("large");
    let body = " ".repeat(1024 * 1024 + 1);
    openai_error(&case.survive(&case.raw(body).bytes()), 413, INVALID, Some("request_too_large"));
    // A length that lies is believed before anything is read.
    let lie = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\n\r\n{";
    openai_error(&case.survive(lie.as_bytes()), 413, INVALID, Some("request_too_large"));
    for length in ["18446744073709551615", "18446744073709551616", "-1", "1e3", "0x10", ""] {
        let request = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{{");
        let status = case.survive(request.as_bytes()).status;
        assert!(matches!(status, 400 | 413), "{length}: {status}");
    }
}

#[test]
fn clients_that_leave_in_the_middle_leave_nothing_behind() {
    // Of its own, so that what is still active is its own.
    let scene = Scene::start(Options::default(), |_, _| {});
    let case = scene.case("abort");
    let whole = case.chat(&hello(true)).bytes();
    let mut open = Vec::new();
    for end in (1..whole.len()).step_by(7) {
        let mut connection = case.connect();
        connection.send(&whole[..end]);
        open.push(connection);
    }
    drop(open);

    // In the middle of a stream, and while the provider has not answered yet.
    let gate = Gate::closed();
    for round in 0..8 {
        let first = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
        let mut script = Script::events([first, first, "data: [DONE]\n\n"]);
        let held = usize::from(round % 2 == 0);
        script.body[held] = Piece::new(first).behind(&gate);
        case.answer(script);
        let mut connection = case.connect();
        connection.send(&whole);
        if held == 1 {
            assert_eq!(connection.head().unwrap().0, 200);
            assert!(connection.chunk().unwrap().is_some());
        } else {
            wait_until("the provider is asked", || case.requests().len() > round);
        }
    }
    for gauge in [
        "http.ingress.downstream_rq_active",
        "http.ingress.downstream_cx_active",
        "cluster.dragoman_openai.upstream_rq_active",
    ] {
        scene.wait_for_none(gauge);
    }
    gate.open();
    case.assert_serves(&mut case.connect());
    scene.assert_sound();
}

#[test]
fn a_half_closed_connection_still_gets_its_answer() {
    let case = SCENE.case("half");
    let mut connection = case.connect();
    connection.send(&case.chat(&hello(false)).bytes());
    connection.shut();
    // Envoy may take the half-close for the client's leaving; either way nothing breaks.
    if let Ok(answer) = connection.response() {
        assert_eq!(answer.status, 200);
    }
    case.assert_serves(&mut case.connect());
}

#[test]
fn many_bytes_before_their_time_are_no_second_request() {
    let case = SCENE.case("early");
    let mut connection = case.connect();
    let bytes = case.chat(&hello(false)).bytes();
    // One byte a time through the head, then the rest.
    for byte in bytes.iter().take(80) {
        connection.send(std::slice::from_ref(byte));
    }
    connection.send(&bytes[80..]);
    let answer = connection.response().unwrap();
    assert_eq!(answer.status, 200);
    case.assert_serves(&mut connection);
}

#[test]
fn a_client_that_reads_slowly_slows_only_itself() {
    let case = SCENE.case("slow reader");
    let event = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", "x".repeat(1000));
    let events: Vec<String> = std::iter::repeat_n(event, 4000).chain(["data: [DONE]\n\n".to_owned()]).collect();
    let length: usize = events.iter().map(String::len).sum();
    case.answer(Script::events(events));
    let mut slow = case.connect();
    slow.send(&case.chat(&hello(true)).bytes());
    assert_eq!(slow.head().unwrap().0, 200);
    // It does not read, and others are served.
    for _ in 0..20 {
        case.assert_serves(&mut case.connect());
    }
    let mut read = 0;
    while let Some(chunk) = slow.chunk().unwrap() {
        read += chunk.bytes.len();
    }
    assert_eq!(read, length);
}

#[test]
fn a_strange_model_name_goes_nowhere_strange() {
    let case = SCENE.case("names");
    for name in
        ["../../etc/passwd", "a\r\nx-evil: 1", "a\u{0}b", "ü🦀", "#1", "openai#1", "a/b/c/d", &"m".repeat(50_000)]
    {
        let body = json!({"model": format!("openai/{name}"), "messages": [{"role": "user", "content": "hi"}]});
        let answer = case.survive(&case.chat(&body).bytes());
        assert!((200..500).contains(&answer.status), "{name:.20}: {} {}", answer.status, answer.text());
        assert_eq!(answer.headers.get("x-evil"), None);
    }
}
