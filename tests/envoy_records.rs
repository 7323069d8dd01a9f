//! What is written down of requests, through a real Envoy: who was not asked and why in the access log, what is under way and what
//! failed in the live metrics.
#![cfg(test)]

use dragoman::simulate::{Gate, Script};
use dragoman_tests::chain::{Chain, chat, held, said, tries, wait_for_providers};
use dragoman_tests::http::Request;
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    Chain::start(|config| {
        wait_for_providers(config);
        config["retry"]["cooldown"] = json!({"default": "1m", "max": "6m"});
        config["retry"]["statuses"] = json!([503]);
        config["models"]["openai/deaf"] = json!({"capabilities": []});
        config["models"]["openai/hasty-a"] = json!({});
        config["aliases"]["able"] = json!(["openai/deaf", "anthropic/able-b"]);
        config["aliases"]["hasty"] = json!(["openai/hasty-a", "anthropic/hasty-b"]);
    })
});

/// The line of a request in the access log, by its id. Envoy writes it when the request is over, and not at once.
fn logged(id: &str) -> Value {
    let begun = Instant::now();
    loop {
        let output = CHAIN.gateway.output();
        let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        if let Some(line) = lines.into_iter().find(|line| line["request_id"] == id) {
            return line;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{id} is not in {output}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// What the log has of who was passed over by this request.
fn passed_over(request: &Request) -> (Vec<(String, u16)>, Value) {
    let answer = CHAIN.send(request);
    let id = answer.headers.text("x-request-id").expect("an id").to_owned();
    (tries(&answer), logged(&id)["passed_over"].clone())
}

/// What live metrics say of a model.
fn live(model: &str) -> Value {
    let metrics: Value =
        CHAIN.send(&Request::get("/v1/router/live-metrics").key(dragoman_tests::chain::CLIENT_KEY)).json();
    let targets = metrics["data"].as_array().expect("a list");
    targets.iter().find(|target| target["model"] == model).cloned().unwrap_or_default()
}

/// Waits until live metrics have so many requests under way at a model.
fn wait_for(model: &str, in_flight: u64) {
    let begun = Instant::now();
    while live(model)["in_flight"] != in_flight {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", live(model));
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_access_log_says_who_was_left_out_and_why() {
    let (tried, reason) = passed_over(&chat("able", "able", false));
    assert_eq!((tried, reason), (vec![("openai/deaf".to_owned(), 200)], Value::Null));
    let tools = json!({"model": "able", "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]});
    let (tried, reason) = passed_over(&dragoman_tests::chain::post("/v1/chat/completions", "able", &tools));
    assert_eq!(tried, [("anthropic/able-b".to_owned(), 200)]);
    assert_eq!(reason, "`openai/deaf`: The model `openai/deaf` does not take tools.");
}

#[test]
fn the_access_log_says_who_stands_behind_others_because_it_failed() {
    CHAIN.answer("openai", "hasty", Script::new(StatusCode::SERVICE_UNAVAILABLE));
    let (tried, reason) = passed_over(&chat("hasty", "hasty", true));
    assert_eq!((tried.len(), reason), (2, Value::Null));
    let (tried, reason) = passed_over(&chat("hasty", "hasty", true));
    assert_eq!(tried, [("anthropic/hasty-b".to_owned(), 200)]);
    let reason = reason.as_str().expect("a reason").to_owned();
    assert!(reason.starts_with("`openai/hasty-a`: It failed lately and comes after the others until "), "{reason}");
}

#[test]
fn an_error_that_others_are_not_asked_for_counts_as_a_failure_and_makes_nothing_cool() {
    CHAIN.answer("openai", "passed", Script::new(StatusCode::INTERNAL_SERVER_ERROR));
    let answer = CHAIN.send(&chat("passed", "openai/passed", false));
    assert_eq!((answer.status, tries(&answer).len()), (500, 1), "{}", answer.text());
    let begun = Instant::now();
    while live("passed")["samples"] != 1 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", live("passed"));
        thread::sleep(Duration::from_millis(50));
    }
    let metrics = live("passed");
    assert_eq!((&metrics["failure_ratio"], &metrics["state"]), (&json!(1.0), &json!("healthy")), "{metrics}");
}

#[test]
fn requests_under_way_are_counted_over_both_workers_for_a_model_that_no_catalogue_has() {
    let gate = Gate::closed();
    for _ in 0..4 {
        CHAIN.answer("openai", "flight", held("done", &gate));
    }
    let mut workers = CHAIN.connect_workers();
    let request = chat("flight", "openai/invented", false);
    // Two on each worker: a connection carries one at a time.
    let mut others = CHAIN.connect_workers();
    for connection in workers.iter_mut().chain(&mut others) {
        connection.send(&request.bytes());
    }
    wait_for("invented", 4);
    // Longer than a worker may be silent about them.
    thread::sleep(Duration::from_secs(7));
    assert_eq!(live("invented")["in_flight"], 4);
    // A client that goes away takes its own with it.
    let [gone, last] = others;
    drop(gone);
    wait_for("invented", 3);
    gate.open();
    for mut connection in workers.into_iter().chain([last]) {
        assert_eq!(said(&connection.response().expect("an answer"), false), "done");
    }
    wait_for("invented", 0);
}
