//! The real filter in the fake host, on two workers: whom a plan asks first after a target has failed.
#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use dragoman_tests::abi::{Exchange, Gateway, Headers, Process, Vm};
use serde_json::{Value, json};
use std::time::Duration;

const FIRST: &str = "first";
const SECOND: &str = "second";

fn config() -> Value {
    let provider = |port: u16| json!({"kind": "openai", "base_url": format!("http://127.0.0.1:{port}/v1"), "credential": {"value": "sk-upstream"}});
    json!({
        "providers": {FIRST: provider(8), SECOND: provider(9)},
        "retry": {"attempts": 0},
        "routers": {"r": {"load_balance": {"chat": {"strategy": "fallback", "targets": ["first/m", "second/m"]}}}}
    })
}

fn head(method: &str, path: &str) -> Headers {
    [(":method", method), (":scheme", "http"), (":authority", "gateway.test"), (":path", path)]
        .into_iter()
        .chain([("content-type", "application/json")])
        .collect()
}

/// A chat on its way, and the provider that it is on the way to.
fn ask(gateway: Gateway<'_>) -> (Exchange<'_>, &'static str) {
    let mut exchange = gateway.exchange();
    let chat = r#"{"messages":[{"role":"user","content":"Hi"}],"model":"m"}"#;
    let request = exchange.request(head("POST", "/router/r/chat/completions"), &[chat]).forwarded();
    let is_first = request.headers.text(":authority").is_some_and(|authority| authority.ends_with(":8"));
    (exchange, if is_first { FIRST } else { SECOND })
}

fn answer(mut exchange: Exchange<'_>, status: &str) {
    respond(&mut exchange, status);
    exchange.finish();
}

fn respond(exchange: &mut Exchange<'_>, status: &str) {
    let body = if status == "200" { r#"{"id":"1","object":"chat.completion","model":"m","choices":[]}"# } else { "{}" };
    let _ = exchange.response([(":status", status), ("content-type", "application/json")], &[body]);
}

fn metrics(gateway: Gateway<'_>) -> Value {
    let reply = gateway.exchange().request(head("GET", "/v1/router/live-metrics"), &[""; 0]).replied();
    serde_json::from_str(&reply.text()).expect("a document")
}

/// Whom another worker asks at this time. Each VM has its thread; the workers take turns.
fn another_asks(process: &Process, at: Duration) -> &'static str {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let vm = Vm::in_process(process);
            vm.advance(at.saturating_sub(vm.now()));
            let (exchange, provider) = ask(Gateway::load(&vm, &config()));
            exchange.finish();
            provider
        });
        worker.join().expect("the other worker goes on")
    })
}

#[test]
fn a_target_that_failed_is_passed_over_by_all_workers_until_one_request_has_probed_it() {
    let process = Process::default();
    let vm = Vm::in_process(&process);
    let gateway = Gateway::load(&vm, &config());
    let (exchange, provider) = ask(gateway);
    assert_eq!(provider, FIRST);
    answer(exchange, "503");
    assert_eq!(ask(gateway).1, SECOND);
    assert_eq!(another_asks(&process, vm.now()), SECOND);

    vm.advance(Duration::from_secs(31));
    let (probe, provider) = ask(gateway);
    assert_eq!(provider, FIRST);
    assert_eq!(ask(gateway).1, SECOND);
    assert_eq!(another_asks(&process, vm.now()), SECOND);
    answer(probe, "200");
    assert_eq!(ask(gateway).1, FIRST);
    assert_eq!(another_asks(&process, vm.now()), FIRST);
}

#[test]
fn who_was_passed_over_stands_in_the_log_and_nothing_where_nobody_was() {
    let vm = Vm::new();
    let gateway = Gateway::load(&vm, &config());
    let told = |mut exchange: Exchange<'_>, status: &str| {
        respond(&mut exchange, status);
        exchange.client.finish();
        let told = exchange.attempt.filter_state("dragoman.record").expect("a record");
        exchange.attempt.finish();
        let record = format!("{{\"request_id\":\"{}\"}}", String::from_utf8_lossy(&told));
        let record: Value = serde_json::from_str(&record).expect("members of an object");
        record["passed_over"].as_str().map(str::to_owned)
    };
    let (exchange, _) = ask(gateway);
    assert_eq!(told(exchange, "503"), None);
    assert!(vm.log().is_empty(), "{:?}", vm.log());
    let (exchange, provider) = ask(gateway);
    assert_eq!(provider, SECOND);
    let reason = told(exchange, "200").expect("a reason");
    assert!(reason.starts_with("`first/m`: It failed lately and comes after the others until 2026-01-"), "{reason}");
    let lines: Vec<_> = vm.log().into_iter().filter(|line| line.message.contains(&reason)).collect();
    // Debug, as the ABI numbers it.
    assert_eq!(lines.iter().map(|line| line.level).collect::<Vec<_>>(), [1]);
}

#[test]
fn what_a_worker_had_under_way_when_it_died_is_under_way_for_some_seconds_only() {
    let process = Process::default();
    let vm = Vm::in_process(&process);
    let gateway = Gateway::load(&vm, &config());
    let in_flight = || {
        let metrics = metrics(gateway);
        let targets = metrics["data"].as_array().expect("a list");
        targets.iter().find(|target| target["provider"] == FIRST).map(|target| target["in_flight"].clone())
    };
    let (own, provider) = ask(gateway);
    assert_eq!((provider, in_flight()), (FIRST, Some(json!(1))));
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let vm = Vm::in_process(&process);
            let gateway = Gateway::load(&vm, &config());
            let _never_to_end = [ask(gateway), ask(gateway)];
            vm.advance(Duration::from_millis(200));
            answer(ask(gateway).0, "200");
        });
        worker.join().expect("it gets so far");
    });
    vm.advance(Duration::from_millis(200));
    assert_eq!(in_flight(), Some(json!(3)));
    vm.advance(Duration::from_secs(6));
    assert_eq!(in_flight(), Some(json!(1)));
    answer(own, "200");
    assert_eq!(in_flight(), Some(json!(0)));
}

#[test]
fn live_metrics_say_what_a_target_did() {
    let vm = Vm::new();
    let gateway = Gateway::load(&vm, &config());
    let (exchange, _) = ask(gateway);
    vm.advance(Duration::from_millis(250));
    answer(exchange, "200");
    let (exchange, _) = ask(gateway);
    answer(exchange, "429");
    let metrics = metrics(gateway);
    let target = &metrics["data"][0];
    assert_eq!((&target["provider"], &target["model"], &target["samples"]), (&json!(FIRST), &json!("m"), &json!(2)));
    assert_eq!((&target["latency_ms"], &target["ttft_ms"]), (&json!(250.0), &Value::Null));
    assert_eq!((&target["state"], &target["last_failure"]), (&json!("cooling_down"), &json!("rate_limited")));
    assert_eq!(target["failure_ratio"], json!(0.2));
}

#[test]
fn an_outage_takes_no_more_of_envoys_memory_the_longer_it_lasts() {
    let process = Process::default();
    let vm = Vm::in_process(&process);
    let gateway = Gateway::load(&vm, &config());
    // Envoy gives up a plan of two with the first.
    let abandon = || {
        let (mut exchange, _) = ask(gateway);
        let _ = exchange.local_reply(503, "upstream_reset_before_response_started{connection_termination}");
        exchange.finish();
    };
    abandon();
    let handles = vm.metric_handles();
    for _ in 0..9 {
        abandon();
    }
    assert_eq!(process.metric("dragoman.plans_abandoned"), 10);
    assert_eq!(vm.metric_handles(), handles);
}
