//! The real filter, both roles, in the fake host: that they fit, and that the host would show it if they did not.

use dragoman_tests::abi::{Gateway, Headers, Outcome, Process, Vm};
use serde_json::{Value, json};
use std::time::Duration;

fn config() -> Value {
    trying(0)
}

/// With so many more tries: with one, a stream has an attempt behind the router.
fn trying(attempts: u32) -> Value {
    json!({
        "providers": {"openai": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "credential": {"value": "sk-upstream"}}},
        "retry": {"attempts": attempts},
    })
}

fn head(path: &str) -> Headers {
    [(":method", "POST"), (":scheme", "http"), (":authority", "gateway.test"), (":path", path)]
        .into_iter()
        .chain([("content-type", "application/json"), ("authorization", "Bearer sk-client")])
        .collect()
}

const CHAT: &str = r#"{"messages":[{"role":"user","content":"Hi"}],"model":"openai/gpt-4o"}"#;
const STREAM: &str = r#"{"messages":[{"role":"user","content":"Hi"}],"model":"openai/gpt-4o","stream":true}"#;

#[test]
fn a_chat_goes_to_the_provider_and_its_answer_comes_back() {
    let vm = Vm::new();
    let mut exchange = Gateway::load(&vm, &config()).exchange();
    let (first, second) = CHAT.split_at(30);
    let upstream = exchange.request(head("/v1/chat/completions"), &[first, second]).forwarded();
    assert_eq!(upstream.headers.text(":path"), Some("/v1/chat/completions"));
    assert_eq!(upstream.headers.text("authorization"), Some("Bearer sk-upstream"));
    assert_eq!(upstream.text(), CHAT.replace("openai/gpt-4o", "gpt-4o"));

    let answer = r#"{"id":"1","object":"chat.completion","model":"gpt-4o","choices":[]}"#;
    let head = [(":status", "200".to_owned()), ("content-type", "application/json".to_owned())];
    let client = exchange.response(head, &[answer]).forwarded();
    assert_eq!((client.status(), client.text().as_str()), (200, answer));
    exchange.finish();
}

#[test]
fn an_answer_that_ends_with_its_head_is_an_error_and_no_panic() {
    let vm = Vm::new();
    let mut exchange = Gateway::load(&vm, &config()).exchange();
    let _ = exchange.request(head("/v1/chat/completions"), &[CHAT]).forwarded();
    let head = [(":status", "200"), ("content-type", "application/json"), ("content-length", "0")];
    let client = exchange.response_head(head, true).forwarded();
    assert_eq!(client.status(), 502, "{}", client.text());
    assert!(client.text().contains("upstream_error"), "{}", client.text());
}

#[test]
fn the_route_is_chosen_after_the_plan_is_known() {
    let vm = Vm::new();
    let mut exchange = Gateway::load(&vm, &config()).exchange();
    let _ = exchange.request(head("/v1/chat/completions"), &[CHAT]).forwarded();
    let next = exchange.client.routed_by("dragoman.next").expect("the router sees the property");
    assert_eq!(exchange.client.filter_state("dragoman.next"), Some(next));
}

#[test]
fn a_reply_of_the_ingress_reaches_no_provider() {
    let vm = Vm::new();
    let mut exchange = Gateway::load(&vm, &config()).exchange();
    let reply = exchange.request(head("/v1/chat/completions"), &["{"]).replied();
    assert_eq!(reply.status(), 400, "{}", reply.text());
    assert_eq!(reply.headers.text("content-type"), Some("application/json"));
    assert!(exchange.attempt.request_outcome() == Outcome::Held);
    exchange.finish();
}

#[test]
fn loaded_without_headers_stop_iteration_it_answers_with_the_setting_to_change() {
    let vm = Vm::new();
    let ingress = vm.root(&json!({"role": "ingress", "config": config()}).to_string());
    let stream = ingress.stream().without_headers_stop_iteration();
    assert_eq!(stream.request(head("/v1/chat/completions"), &[CHAT]), Outcome::Held);
    let period = ingress.tick_period().expect("it watches");
    assert!(period <= Duration::from_millis(100));
    vm.advance(period);
    ingress.tick();
    let reply = stream.request_outcome().replied();
    assert_eq!(reply.status(), 500);
    assert!(reply.text().contains("allow_on_headers_stop_iteration"), "{}", reply.text());

    // Once it is known, at once.
    let next = ingress.stream().without_headers_stop_iteration();
    let reply = next.request(head("/v1/chat/completions"), &[CHAT]).replied();
    assert!(reply.text().contains("allow_on_headers_stop_iteration"), "{}", reply.text());
}

#[test]
fn a_configuration_that_is_no_json_is_refused_with_a_reason() {
    let vm = Vm::new();
    assert!(vm.try_root("{").is_none());
    assert!(vm.log().iter().any(|line| line.message.contains("refused")), "{:?}", vm.log());
}

#[test]
fn a_plan_lives_as_long_as_its_exchange() {
    let vm = Vm::new();
    let gateway = Gateway::load(&vm, &trying(1));
    let mut exchange = gateway.exchange();
    let _ = exchange.request(head("/v1/chat/completions"), &[STREAM]).forwarded();
    let next = exchange.client.filter_state("dragoman.next").expect("the plan has a name");
    // Attempts of other streams that come by the same name.
    let attempt = || {
        let other = gateway.exchange();
        other.attempt.set_property(&["dragoman.next"], &next);
        other.attempt.request(head("/v1/chat/completions"), &[STREAM])
    };
    assert!(attempt() == Outcome::Held, "a second try waits a little");
    exchange.finish();
    let reply = attempt().replied();
    assert_eq!(reply.status(), 503, "{}", reply.text());
}

#[test]
fn nothing_is_sent_where_envoy_has_chosen_another_cluster_than_the_plan() {
    let process = Process::default();
    let vm = Vm::in_process(&process);
    let gateway = Gateway::load(&vm, &trying(1));
    for (told, chosen) in [(Some("dragoman_other"), None), (None, Some("dragoman_other"))] {
        let mut exchange = gateway.exchange();
        let _ = exchange.request(head("/v1/chat/completions"), &[STREAM]).forwarded();
        let next = exchange.client.filter_state("dragoman.next").expect("the plan has a name");
        let next = String::from_utf8(next).expect("text");
        let (cluster, rest) = next.split_once('#').expect("a token");
        let again = gateway.exchange();
        again.attempt.set_property(&["dragoman.next"], [told.unwrap_or(cluster), "#", rest].concat().as_bytes());
        again.attempt.set_property(&["xds", "cluster_name"], chosen.unwrap_or(cluster).as_bytes());
        let abandoned = process.metric("dragoman.plans_abandoned");
        let reply = again.attempt.request(head("/v1/chat/completions"), &[STREAM]).replied();
        assert_eq!(reply.status(), 503, "{}", reply.text());
        assert_eq!(reply.headers.text("x-dragoman-attempts"), Some("openai/gpt-4o=503,openai/gpt-4o=503"));
        assert_eq!(process.metric("dragoman.plans_abandoned"), abandoned + 1);
    }
}

/// A call costs a third of a microsecond, and a whole one where bytes come back. Whoever needs one more says so here.
#[test]
fn a_chat_is_carried_with_few_hostcalls() {
    let vm = Vm::new();
    let gateway = Gateway::load(&vm, &config());
    let carry = || {
        let mut exchange = gateway.exchange();
        let _ = exchange.request(head("/v1/chat/completions"), &[CHAT]).forwarded();
        let answer = r#"{"id":"1","object":"chat.completion","model":"gpt-4o","choices":[]}"#;
        let head = [(":status", "200"), ("content-type", "application/json")];
        let client = exchange.response(head, &[answer]).forwarded();
        assert_eq!((client.status(), client.text().as_str()), (200, answer));
        exchange.finish();
        vm.hostcalls()
    };
    // The first request of a worker also finds out how the filter was loaded; the second asks for the tick that tells what
    // was seen of targets, and those after it leave their samples to it.
    carry();
    let before = carry();
    let calls = carry() - before;
    // Two are looks at the clock, for what is told of targets and for deadlines.
    assert!(calls <= 16, "{calls}");
}
