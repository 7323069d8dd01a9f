//! Every way in which a provider fails, through a real Envoy: what the client sees, and that the same worker serves on.
#![cfg(test)]

use dragoman::simulate::{Finish, Options, Piece, Script};
use dragoman_tests::clock::assert_quicker;
use dragoman_tests::http::Response;
use dragoman_tests::scene::{Scene, hello, openai_error, provider};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::net::{SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Bound, not listened on: connections are refused, and nobody else can take the port.
static REFUSING: LazyLock<Socket> = LazyLock::new(|| {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket
});

/// `hasty` waits little; nobody listens at `refused`; `nowhere` has no address.
static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let refused = REFUSING.local_addr().unwrap().as_socket().unwrap();
    Scene::start(Options::default(), |config, base_url| {
        config["providers"]["hasty"] = provider(base_url);
        config["providers"]["hasty"]["timeouts"] = json!({"first_byte": "1s", "idle": "2s"});
        config["providers"]["refused"] = provider(&format!("http://{refused}/v1"));
        config["providers"]["nowhere"] = provider("http://nowhere.invalid/v1");
    })
});

fn asking(model: &str, stream: bool) -> Value {
    let mut body = hello(stream);
    body["model"] = json!(model);
    body
}

/// The answer to a chat whose provider fails so, after which the same worker served another one.
#[track_caller]
fn faulty(faults: &str, stream: bool) -> Response {
    let case = SCENE.case("fault");
    case.survive(&case.chat(&hello(stream)).header("x-simulate", faults).bytes())
}

const UPSTREAM: (&str, Option<&str>) = ("upstream_error", Some("upstream_error"));

#[test]
fn the_providers_errors_are_passed_on_with_what_they_say() {
    for stream in [false, true] {
        for (faults, status) in [
            ("status=400", 400),
            ("status=404", 404),
            ("status=408", 408),
            ("status=422", 422),
            ("status=429", 429),
            ("quota", 429),
            ("context-length", 400),
            ("content-policy", 400),
            ("status=500", 500),
            ("status=503", 503),
            ("status=529", 529),
        ] {
            let answer = faulty(faults, stream);
            assert_eq!(answer.status, status, "{faults}: {}", answer.text());
            assert!(answer.json()["error"]["message"].is_string(), "{faults}: {}", answer.text());
            assert_eq!(answer.headers.text("x-dragoman-provider"), Some("openai"), "{faults}");
            let attempts = format!("openai/gpt-4o={status}");
            assert_eq!(answer.headers.text("x-dragoman-attempts"), Some(attempts.as_str()), "{faults}");
            assert!(answer.headers.get("x-request-id").is_some(), "{faults}");
        }
        let answer = faulty("status=429; retry-after=7", stream);
        assert_eq!((answer.status, answer.headers.text("retry-after")), (429, Some("7")));
        let answer = faulty("status=529; retry-after-ms=250", stream);
        assert_eq!((answer.status, answer.headers.text("retry-after-ms")), (529, Some("250")));
    }
}

#[test]
fn a_refused_credential_is_the_operators_problem() {
    for status in [401, 403] {
        let answer = faulty(&format!("status={status}"), false);
        let message = openai_error(&answer, 502, UPSTREAM.0, UPSTREAM.1);
        assert!(message.contains("`openai`") && message.contains("credential"), "{message}");
        assert_eq!(answer.headers.text("x-dragoman-attempts"), Some(format!("openai/gpt-4o={status}").as_str()));
    }
}

#[test]
fn a_connection_that_is_reset_is_an_error_in_the_dialect() {
    for stream in [false, true] {
        for faults in ["reset", "reset-head", "reset-after=0", "cut-after=0"] {
            let answer = faulty(faults, stream);
            assert!(matches!(answer.status, 502 | 503), "{faults}: {} {}", answer.status, answer.text());
            openai_error(&answer, answer.status, UPSTREAM.0, UPSTREAM.1);
            // What the ingress itself held, as it does for a target that is asked once, Envoy answers without asking it.
            if faults.ends_with("after=0") {
                assert!(answer.text().contains("upstream_reset_after_response_started"), "{}", answer.text());
            } else {
                assert!(answer.headers.get("x-dragoman-attempts").is_some(), "{faults}");
            }
        }
    }
}

#[test]
fn a_provider_that_does_not_answer_in_time_is_a_504() {
    let case = SCENE.case("hang");
    for stream in [false, true] {
        // Silent at once; after the head; in a stream after an event without content.
        for faults in ["hang", "hang-after=0", "hang-after=1"] {
            let begun = Instant::now();
            let request = case.chat(&asking("hasty/gpt-4o", stream)).header("x-simulate", faults);
            let answer = case.survive(&request.bytes());
            assert_eq!(answer.status, 504, "{faults} {stream}: {}", answer.text());
            let message = openai_error(&answer, 504, UPSTREAM.0, UPSTREAM.1);
            assert!(message.contains("`hasty`") && message.contains("time"), "{message}");
            assert!(begun.elapsed() >= Duration::from_secs(1), "{faults}: {:?}", begun.elapsed());
        }
    }
}

#[test]
fn a_slow_answer_in_time_is_an_answer() {
    let case = SCENE.case("slow");
    let request = case.chat(&asking("hasty/gpt-4o", true)).header("x-simulate", "delay=50; stall=50; slow=200");
    let answer = case.survive(&request.bytes());
    // Longer than the time-out to the first byte in all, event after event.
    assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"), "{}", answer.text());
    assert!(answer.chunks.last().is_some_and(|chunk| chunk.at > Duration::from_millis(1_200)));
}

#[test]
fn an_answer_that_is_none_is_a_502() {
    for (faults, stream) in [
        ("html", false),
        ("html", true),
        ("wrong-type", false),
        ("wrong-type", true),
        ("gzip", false),
        ("gzip", true),
        ("malformed", false),
        ("malformed", true),
        ("stop-after=1", true),
        ("stop-after=1", false),
        ("big-headers=200", false),
        ("big-headers=200", true),
        ("status=302", false),
    ] {
        let answer = faulty(faults, stream);
        assert_eq!(answer.status, 502, "{faults} {stream}: {}", answer.text());
        let message = openai_error(&answer, 502, UPSTREAM.0, UPSTREAM.1);
        assert!(message.contains("`openai`"), "{faults}: {message}");
        assert!(!message.to_lowercase().contains("<html"), "{faults}: {message}");
        assert!(answer.headers.get("x-dragoman-attempts").is_some(), "{faults}");
    }
}

#[test]
fn an_error_as_the_first_event_is_an_error_and_not_a_stream() {
    for faults in ["error-event", "error-after=1", "error-event; comments"] {
        let answer = faulty(faults, true);
        assert!(answer.status >= 400, "{faults}: {}", answer.text());
        assert_eq!(answer.headers.text("content-type"), Some("application/json"), "{faults}");
        assert!(answer.json()["error"]["message"].is_string(), "{faults}: {}", answer.text());
        assert!(answer.complete, "{faults}");
    }
}

#[test]
fn an_error_in_the_middle_of_a_stream_ends_it() {
    for (faults, kept) in [("error-after=3", 3), ("malformed-after=3", 3), ("stop-after=3", 3)] {
        let answer = faulty(faults, true);
        assert_eq!((answer.status, answer.complete), (200, true), "{faults}: {}", answer.text());
        let events = answer.events();
        assert_eq!(events.len(), kept + 1, "{faults}: {events:?}");
        for event in &events {
            let _: Value = serde_json::from_str(event).unwrap_or_else(|error| panic!("{faults}: {error} in {event}"));
        }
        let last: Value = serde_json::from_str(&events[kept]).unwrap();
        assert!(last["error"]["message"].is_string(), "{faults}: {last}");
    }
}

#[test]
fn a_stream_without_its_last_event_gets_it_once_its_answer_is_complete() {
    let answer = faulty("no-end", true);
    assert_eq!((answer.status, answer.complete), (200, true));
    let events = answer.events();
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"), "{events:?}");
    assert!(events[events.len() - 2].contains("\"finish_reason\":\"stop\""), "{events:?}");
    assert_eq!(answer.text().matches("[DONE]").count(), 1);
}

#[test]
fn an_unterminated_last_event_is_completed() {
    let case = SCENE.case("unterminated");
    let content = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
    let stop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}";
    for end in ["", "\n", "\r\n", "\n\n"] {
        case.answer(Script::events([content.to_owned(), format!("{stop}{end}")]));
        let answer = case.survive(&case.chat(&hello(true)).bytes());
        let data = |event: &str| event.trim().trim_start_matches("data: ").to_owned();
        assert_eq!(answer.events(), [data(content), data(stop), "[DONE]".to_owned()]);
        assert!(answer.text().ends_with("\n\ndata: [DONE]\n\n"), "{end:?}: {:?}", answer.text());
    }
}

#[test]
fn a_connection_that_breaks_in_the_middle_of_a_stream_breaks_the_clients() {
    for faults in ["cut-after=4", "reset-after=4"] {
        let answer = faulty(faults, true);
        assert_eq!(answer.status, 200, "{faults}: {}", answer.text());
        // What came, came; and that it is not all can be seen.
        assert!(!answer.complete || answer.text().contains("\"error\""), "{faults}: {}", answer.text());
        assert!(!answer.text().contains("[DONE]"), "{faults}: {}", answer.text());
    }
    for faults in ["cut-after=1", "reset-after=1"] {
        let answer = faulty(faults, false);
        assert!(!answer.complete || answer.status >= 500, "{faults}: {} {}", answer.status, answer.text());
    }
}

#[test]
fn pings_comments_and_long_headers_are_no_faults() {
    for faults in ["comments", "big-headers=20", "no-usage", "refusal", "content-filter", "comments; cuts=9; slow=1"] {
        for stream in [false, true] {
            let answer = faulty(faults, stream);
            assert_eq!((answer.status, answer.complete), (200, true), "{faults}: {}", answer.text());
            if stream {
                assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"), "{faults}");
                assert_eq!(faults.contains("comments"), answer.text().contains("\n:"), "{faults}");
            } else {
                assert_eq!(answer.json()["object"], "chat.completion", "{faults}");
            }
        }
    }
}

#[test]
fn a_provider_that_cannot_be_reached_is_a_503_at_once() {
    let case = SCENE.case("unreachable");
    for name in ["refused", "nowhere"] {
        for stream in [false, true] {
            assert_quicker(Duration::from_secs(3), |_| {
                let begun = Instant::now();
                let answer = case.survive(&case.chat(&asking(&format!("{name}/gpt-4o"), stream)).bytes());
                let message = openai_error(&answer, 503, UPSTREAM.0, UPSTREAM.1);
                assert!(message.contains(&format!("`{name}`")), "{message}");
                let attempts = format!("{name}/gpt-4o=503");
                assert_eq!(answer.headers.text("x-dragoman-attempts"), Some(attempts.as_str()));
                begun.elapsed()
            });
        }
    }
    assert!(case.requests().iter().all(|request| request.body.ends_with(b"\"stream\":false}")));
}

#[test]
fn a_provider_that_speaks_no_http_is_an_error_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        for greeting in ["SSH-2.0-OpenSSH_9.2\r\n", "\0\0\0", ""] {
            let (mut peer, _) = listener.accept().unwrap();
            let _ = std::io::Read::read(&mut peer, &mut [0; 4096]);
            let _ = std::io::Write::write_all(&mut peer, greeting.as_bytes());
        }
    });
    let scene = Scene::start(Options::default(), |config, _| {
        config["providers"]["odd"] = provider(&format!("http://{address}/v1"));
    });
    let case = scene.case("odd");
    for _ in 0..3 {
        let answer = case.survive(&case.chat(&asking("odd/m", false)).bytes());
        assert!(matches!(answer.status, 502 | 503), "{} {}", answer.status, answer.text());
        openai_error(&answer, answer.status, UPSTREAM.0, UPSTREAM.1);
    }
    server.join().unwrap();
}

#[test]
fn an_answer_without_a_body_is_a_502_too() {
    let case = SCENE.case("bodiless");
    for stream in [false, true] {
        for faults in ["empty", "status=204"] {
            let answer = faulty(faults, stream);
            assert_eq!(answer.status, 502, "{faults} {stream}: {}", answer.text());
            openai_error(&answer, 502, UPSTREAM.0, UPSTREAM.1);
        }
        for status in [401, 404, 429, 500, 503] {
            let script = Script::new(http::StatusCode::from_u16(status).unwrap());
            case.answer(script.with(http::header::CONTENT_LENGTH, http::HeaderValue::from_static("0")));
            let answer = case.survive(&case.chat(&hello(stream)).bytes());
            let expected = if status == 401 { 502 } else { status };
            assert_eq!(answer.status, expected, "{status} {stream}: {}", answer.text());
            assert!(answer.json()["error"]["message"].is_string(), "{}", answer.text());
        }
    }
}

#[test]
fn a_stream_that_falls_silent_is_ended() {
    let case = SCENE.case("silent");
    let mut script =
        Script::events(["data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"]).ending(Finish::Hang);
    script.body.push(Piece::silence(Duration::from_millis(1)));
    case.answer(script);
    let begun = Instant::now();
    let answer = case.survive(&case.chat(&hello(true)).bytes());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(!answer.complete || answer.text().contains("\"error\""), "{}", answer.text());
    assert!(answer.text().contains("hi"));
}
