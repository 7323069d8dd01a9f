//! The real filter, both roles, in the fake host: that they fit, and that the host would show it if they did not.

use dragoman_tests::abi::{Gateway, Headers, Outcome, Process, Root, Stream, Vm};
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

/// The head of [`CHAT`], which says how long that is.
fn framed() -> Headers {
    let mut head = head("/v1/chat/completions");
    head.add("content-length", CHAT.len().to_string().as_bytes());
    head
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

/// Time passes, and the filter's clock strikes as often as it has asked for.
fn let_pass(vm: &Vm, root: Root<'_>, time: Duration) {
    let mut left = time;
    while let Some(period) = root.tick_period().filter(|period| *period <= left) {
        vm.advance(period);
        root.tick();
        left = left.saturating_sub(period);
    }
    vm.advance(left);
}

/// Longer than the filter waits for a body that has come.
const PATIENCE: Duration = Duration::from_secs(6);
/// The same, of a body whose length nobody has told.
const LONG_PATIENCE: Duration = Duration::from_secs(31);
const SETTING: &str = "allow_on_headers_stop_iteration";

#[test]
fn loaded_without_headers_stop_iteration_it_answers_each_request_that_hangs_with_the_setting_to_change() {
    let vm = Vm::new();
    let ingress = vm.root(&json!({"role": "ingress", "config": config()}).to_string());
    let (first, rest) = CHAT.split_at(1);
    for _ in 0..2 {
        let [whole, open, partly, headless] = [(); 4].map(|()| ingress.stream().without_headers_stop_iteration());
        assert_eq!(whole.request(framed(), &[CHAT]), Outcome::Held);
        assert_eq!(open.request(head("/v1/chat/completions"), &[CHAT]), Outcome::Held);
        // Their senders are the ones who are late.
        assert_eq!(partly.request_head(framed(), false), Outcome::Held);
        assert_eq!(partly.request_chunk(rest, false), Outcome::Held);
        assert_eq!(headless.request_head(head("/v1/chat/completions"), false), Outcome::Held);

        let_pass(&vm, ingress, PATIENCE);
        let told = |stream: Stream<'_>| {
            let reply = stream.request_outcome().replied();
            assert_eq!(reply.status(), 500);
            assert!(reply.text().contains(SETTING), "{}", reply.text());
            assert_eq!(stream.response_outcome().forwarded().text(), reply.text());
        };
        told(whole);
        // Its sender may have paused.
        let_pass(&vm, ingress, LONG_PATIENCE.saturating_sub(2 * PATIENCE));
        assert_eq!(open.request_outcome(), Outcome::Held);
        let_pass(&vm, ingress, PATIENCE);
        told(open);
        assert_eq!(partly.request_outcome(), Outcome::Held);
        assert_eq!(partly.request_chunk(first, true), Outcome::Held);
        let_pass(&vm, ingress, PATIENCE);
        assert_eq!(partly.request_outcome().replied().status(), 500);
        assert_eq!(headless.request_outcome(), Outcome::Held);
        [whole, open, partly, headless].into_iter().for_each(Stream::finish);
    }
    let_pass(&vm, ingress, PATIENCE);
    assert_eq!(ingress.tick_period(), None);
    assert_eq!(vm.log().iter().filter(|line| line.message.contains(SETTING)).count(), 1, "{:?}", vm.log());
}

#[test]
fn a_filter_before_it_that_holds_bodies_is_not_taken_for_the_missing_setting() {
    let vm = Vm::new();
    let ingress = vm.root(&json!({"role": "ingress", "config": config()}).to_string());
    let held = || ingress.stream().behind_a_filter_that_holds_bodies();
    let send = |stream: Stream<'_>| assert_eq!(stream.request(framed(), &[CHAT]), Outcome::Held);
    let stream = held();
    send(stream);
    let_pass(&vm, ingress, PATIENCE / 2);
    stream.let_body_pass();
    assert!(!stream.request_outcome().forwarded().text().is_empty());

    // Once a body was seen, none is held for too long.
    let slow = held();
    send(slow);
    let_pass(&vm, ingress, PATIENCE);
    slow.let_body_pass();
    assert!(!slow.request_outcome().forwarded().text().is_empty());
}

#[test]
fn a_body_that_is_held_for_too_long_costs_no_other_request() {
    let vm = Vm::new();
    let ingress = vm.root(&json!({"role": "ingress", "config": config()}).to_string());
    let [slow, next] = [(); 2].map(|()| ingress.stream().behind_a_filter_that_holds_bodies());
    assert_eq!(slow.request(framed(), &[CHAT]), Outcome::Held);
    let_pass(&vm, ingress, PATIENCE / 2);
    assert_eq!(next.request(framed(), &[CHAT]), Outcome::Held);
    let_pass(&vm, ingress, PATIENCE / 2);
    assert_eq!(slow.request_outcome().replied().status(), 500);
    next.let_body_pass();
    assert!(!next.request_outcome().forwarded().text().is_empty());
}

#[test]
fn an_attempt_without_headers_stop_iteration_answers_with_the_setting_to_change() {
    let vm = Vm::new();
    let attempt = vm.root(&json!({"role": "attempt"}).to_string());
    let stream = attempt.stream().without_headers_stop_iteration();
    // The ingress has let the body go whole: for Envoy it has been there before the attempt began.
    assert_eq!(stream.request(framed(), &[CHAT]), Outcome::Held);
    let_pass(&vm, attempt, PATIENCE);
    let reply = stream.request_outcome().replied();
    assert!(reply.status() == 500 && reply.text().contains(SETTING), "{}", reply.text());
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
        assert_eq!(reply.headers.text("x-dragoman-attempts"), Some("openai/gpt-4o=503"));
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
