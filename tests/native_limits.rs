//! Limits in the fake host: what they cost a request, and that a slot is held for as long as a stream runs and no longer.

use dragoman_tests::abi::{Gateway, Headers, Outcome, Process, Root, Stream, Vm};
use serde_json::{Value, json};
use std::{thread, time::Duration};

const STREAM: &str = r#"{"messages":[{"role":"user","content":"Hi"}],"model":"openai/gpt-4o","stream":true}"#;
const CHAT: &str = r#"{"messages":[{"role":"user","content":"Hi"}],"model":"openai/gpt-4o"}"#;
const WORD: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word\"}}]}\n\n";
/// How long a lease holds that is not renewed.
const LEASE: Duration = Duration::from_mins(2);
/// The SHA-256 of `sk-client`.
const SHA256: &str = "9317152c7ce9662afd2deb4078472692a4d84040d09f9c3d2b2d3688f057c7de";

fn config(limits: &Value) -> Value {
    json!({
        "providers": {"openai": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "credential": {"value": "sk-upstream"}}},
        "keys": [{"id": "client", "sha256": SHA256}],
        "limits": limits,
        "retry": {"attempts": 0},
    })
}

fn head() -> Headers {
    [(":method", "POST"), (":scheme", "http"), (":authority", "gateway.test"), (":path", "/v1/chat/completions")]
        .into_iter()
        .chain([("content-type", "application/json"), ("authorization", "Bearer sk-client")])
        .collect()
}

fn load(vm: &Vm) -> Root<'_> {
    let slots = json!([{"name": "slots", "of": "concurrency", "max": 1}]);
    vm.root(&json!({"role": "ingress", "config": config(&slots)}).to_string())
}

/// A stream that has begun.
#[track_caller]
fn begin(ingress: Root<'_>) -> Stream<'_> {
    let stream = ingress.stream();
    let _ = stream.request(head(), &[STREAM]).forwarded();
    stream.set_property(&["response", "code_details"], b"via_upstream");
    let told = [(":status", "200"), ("content-type", "text/event-stream")];
    assert_eq!(stream.response_head(told, false), Outcome::Held);
    assert_eq!(stream.response_chunk(WORD, false).forwarded().text(), WORD);
    stream
}

#[track_caller]
fn assert_full(ingress: Root<'_>) {
    let stream = ingress.stream();
    let reply = stream.request(head(), &[STREAM]).replied();
    assert_eq!(reply.status(), 429, "{}", reply.text());
    assert!(reply.text().contains("The limit `slots` is reached"), "{}", reply.text());
    assert_eq!(reply.headers.text("retry-after"), Some("1"));
    stream.finish();
}

/// Time passes, five seconds at a time.
fn pass(vm: &Vm, ingress: Root<'_>, steps: u32) {
    for _ in 0..steps {
        vm.advance(Duration::from_secs(5));
        if ingress.tick_period().is_some() {
            ingress.tick();
        }
    }
}

#[test]
fn a_stream_keeps_its_slot_for_longer_than_a_lease_until_its_client_leaves() {
    let vm = Vm::new();
    let ingress = load(&vm);
    let stream = begin(ingress);
    for _ in 0..3 {
        assert_full(ingress);
        pass(&vm, ingress, 24);
    }
    assert_full(ingress);
    // It leaves in the middle.
    stream.finish();
    let next = begin(ingress);
    next.finish();
    pass(&vm, ingress, 2);
    assert_eq!(ingress.tick_period(), None);
}

#[test]
fn a_stream_keeps_its_slot_where_the_clock_is_set_back() {
    let vm = Vm::new();
    let ingress = load(&vm);
    let stream = begin(ingress);
    pass(&vm, ingress, 2);
    vm.set_back(Duration::from_hours(1));
    pass(&vm, ingress, 30);
    assert_full(ingress);
    stream.finish();
    begin(ingress).finish();
}

#[test]
fn a_worker_that_renews_nothing_holds_a_slot_for_a_lease() {
    let vm = Vm::new();
    let ingress = load(&vm);
    let _stuck = begin(ingress);
    assert_full(ingress);
    vm.advance(LEASE + Duration::from_secs(1));
    begin(ingress).finish();
}

/// By their clocks they could not be told apart.
#[test]
fn workers_that_begin_at_the_same_time_have_slots_of_their_own() {
    fn fill(process: &Process, slots: u32) {
        let vm = Vm::in_process(process);
        let limits = json!([{"name": "slots", "of": "concurrency", "max": 2}]);
        let ingress = vm.root(&json!({"role": "ingress", "config": config(&limits)}).to_string());
        if slots == 0 {
            return assert_full(ingress);
        }
        let stream = begin(ingress);
        thread::scope(|scope| scope.spawn(|| fill(process, slots - 1)).join()).expect("the rest is as it should be");
        stream.finish();
    }
    fill(&Process::default(), 2);
}

/// Two looks at what is left, and two changes of it: what belongs to one caller stands in one place.
#[test]
fn three_limits_of_a_key_cost_four_hostcalls() {
    let vm = Vm::new();
    let limits = json!([
        {"name": "rpm", "of": "requests", "per": "minute", "max": 1000},
        {"name": "tpd", "of": "tokens", "per": "day", "max": 1_000_000},
        {"name": "money", "of": "spend", "per": "month", "max": 100},
    ]);
    let cost = |limits: &Value| {
        let gateway = Gateway::load(&vm, &config(limits));
        let carry = || {
            let mut exchange = gateway.exchange();
            let _ = exchange.request(head(), &[CHAT]).forwarded();
            let answer =
                r#"{"object":"chat.completion","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9}}"#;
            let told = [(":status", "200"), ("content-type", "application/json")];
            let client = exchange.response(told, &[answer]).forwarded();
            assert_eq!(client.status(), 200, "{}", client.text());
            let is_told = client.headers.text("x-ratelimit-remaining-requests").is_some();
            assert_eq!(is_told, limits != &json!([]));
            exchange.finish();
            vm.hostcalls()
        };
        carry();
        let before = carry();
        carry() - before
    };
    let (without, with) = (cost(&json!([])), cost(&limits));
    // The six headers of the answer are one call each.
    assert_eq!(with - without, 4 + 6);
}
