//! The ingress as it makes the attempt itself, in the fake host: how long it holds an answer, and that nothing of it stays.

use dragoman_tests::abi::{Headers, Outcome, Root, Stream, Vm};
use serde_json::json;
use std::time::Duration;

const CHAT: &str = r#"{"messages":[{"role":"user","content":"Hi"}],"model":"openai/gpt-4o"}"#;
const ANSWER: &str = r#"{"id":"1","object":"chat.completion","model":"gpt-4o","choices":[]}"#;
const FIRST_BYTE: Duration = Duration::from_secs(10);

fn load(vm: &Vm) -> Root<'_> {
    load_trying(vm, 0)
}

/// With so many more tries, and ten seconds for all of them.
fn load_trying(vm: &Vm, attempts: u32) -> Root<'_> {
    let config = json!({
        "retry": {"mode": "dispatch", "attempts": attempts, "deadline": "10s"},
        "providers": {"openai": {
            "kind": "openai",
            "base_url": "http://127.0.0.1:9/v1",
            "credential": {"value": "sk-upstream"},
            "timeouts": {"first_byte": "10s"},
        }},
    });
    vm.root(&json!({"role": "ingress", "config": config}).to_string())
}

/// A chat on its way to the provider.
#[track_caller]
fn ask(ingress: Root<'_>) -> Stream<'_> {
    let head: Headers = [(":method", "POST"), (":scheme", "http"), (":authority", "gateway.test")]
        .into_iter()
        .chain([(":path", "/v1/chat/completions"), ("content-type", "application/json")])
        .collect();
    let stream = ingress.stream();
    let upstream = stream.request(head, &[CHAT]).forwarded();
    assert_eq!(upstream.headers.text("authorization"), Some("Bearer sk-upstream"));
    assert_eq!(upstream.headers.text("x-dragoman-cluster"), Some("dragoman_openai"));
    stream
}

/// The head of the provider's answer, which is held.
#[track_caller]
fn begin(stream: Stream<'_>) {
    stream.set_property(&["response", "code_details"], b"via_upstream");
    let head = [(":status", "200"), ("content-type", "application/json")];
    assert_eq!(stream.response_head(head, false), Outcome::Held);
}

#[track_caller]
fn pass(vm: &Vm, ingress: Root<'_>, by: Duration) {
    vm.advance(by);
    ingress.tick();
}

#[test]
fn an_answer_whose_content_does_not_come_in_time_is_a_504_that_says_who_was_asked() {
    let vm = Vm::new();
    let ingress = load(&vm);
    let stream = ask(ingress);
    // The time runs from the request on, not from the head.
    vm.advance(FIRST_BYTE / 2);
    begin(stream);
    assert!(ingress.tick_period().is_some_and(|period| period <= Duration::from_millis(100)));
    pass(&vm, ingress, Duration::from_millis(4_999));
    assert_eq!(stream.response_outcome(), Outcome::Held);
    pass(&vm, ingress, Duration::from_millis(1));
    let reply = stream.response_outcome().forwarded();
    assert_eq!(reply.status(), 504, "{}", reply.text());
    assert_eq!(reply.headers.text("x-dragoman-attempts"), Some("openai/gpt-4o=504"));
    assert!(reply.text().contains("upstream_error"), "{}", reply.text());
    stream.finish();
    pass(&vm, ingress, Duration::from_secs(1));
    assert_eq!(ingress.tick_period(), None);
}

#[test]
fn an_answer_in_time_is_let_go_and_its_deadline_forgotten() {
    let vm = Vm::new();
    let ingress = load(&vm);
    let stream = ask(ingress);
    begin(stream);
    stream.response_chunk(ANSWER, true);
    let client = stream.response_outcome().forwarded();
    assert_eq!((client.status(), client.text().as_str()), (200, ANSWER));
    pass(&vm, ingress, 2 * FIRST_BYTE);
    assert_eq!(ingress.tick_period(), None);
    assert_eq!(stream.response_outcome().forwarded().text(), ANSWER);
}

#[test]
fn a_client_that_leaves_while_its_answer_is_held_leaves_nothing_behind() {
    let vm = Vm::new();
    let ingress = load(&vm);
    let (gone, waiting) = (ask(ingress), ask(ingress));
    begin(gone);
    begin(waiting);
    gone.finish();
    pass(&vm, ingress, FIRST_BYTE);
    assert_eq!(waiting.response_outcome().forwarded().status(), 504);
    waiting.finish();
    pass(&vm, ingress, FIRST_BYTE);
    assert_eq!(ingress.tick_period(), None);
}

#[test]
fn an_answer_of_envoys_own_is_said_anew_and_never_taken_for_the_providers() {
    let vm = Vm::new();
    let ingress = load(&vm);
    for (status, details, expected) in [
        ("503", "upstream_reset_before_response_started{remote_connection_failure}", 503),
        ("504", "upstream_per_try_timeout", 504),
        ("404", "route_not_found", 503),
    ] {
        let stream = ask(ingress);
        stream.set_property(&["response", "code_details"], details.as_bytes());
        let reply = stream.response([(":status", status)], &["in plain text"]).forwarded();
        assert_eq!(reply.status(), expected, "{details}: {}", reply.text());
        assert!(reply.text().contains("upstream_error"), "{details}: {}", reply.text());
        stream.finish();
    }
}

#[test]
fn an_answer_that_ends_with_its_head_is_an_error_of_the_providers() {
    let vm = Vm::new();
    let ingress = load(&vm);
    let stream = ask(ingress);
    stream.set_property(&["response", "code_details"], b"via_upstream");
    let head = [(":status", "200"), ("content-type", "application/json"), ("content-length", "0")];
    let reply = stream.response_head(head, true).forwarded();
    assert_eq!(reply.status(), 502, "{}", reply.text());
    assert_eq!(reply.headers.text("x-dragoman-attempts"), Some("openai/gpt-4o=502"));
    stream.finish();
}

#[test]
fn a_provider_is_not_asked_where_the_alarm_for_it_rings_when_no_time_is_left() {
    let vm = Vm::new();
    let ingress = load_trying(&vm, 1);
    vm.add_cluster("dragoman_openai");
    for (late, calls) in [(Duration::from_secs(1), 1), (Duration::from_millis(9_960), 0)] {
        let stream = ask(ingress);
        stream.set_property(&["response", "code_details"], b"via_upstream");
        let head = [(":status", "503"), ("content-type", "application/json")];
        assert_eq!(stream.response(head, &[r#"{"error":{"message":"busy"}}"#]), Outcome::Held);
        pass(&vm, ingress, late);
        assert_eq!(vm.callouts().len(), calls, "{late:?}");
        if calls == 0 {
            let reply = stream.response_outcome().forwarded();
            assert_eq!((reply.status(), reply.text().contains("busy")), (503, true), "{}", reply.text());
            assert_eq!(reply.headers.text("x-dragoman-attempts"), Some("openai/gpt-4o=503,openai/gpt-4o=504"));
        }
        vm.callouts().iter().for_each(|call| vm.answer(call, [(":status", "504")], b""));
        stream.finish();
    }
}
