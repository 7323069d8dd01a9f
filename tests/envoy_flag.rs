//! A gateway whose operator brings Envoy: the checked-in bootstrap runs as it is, and one that lacks the setting without
//! which nothing works says so instead of hanging.
#![cfg(test)]

use dragoman::simulate::{Options, Simulator};
use dragoman_tests::envoy::{artefact, root, skips};
use dragoman_tests::http::{Request, Response};
use dragoman_tests::plain::Plain;
use dragoman_tests::scene::{hello, openai_error};
use serde_json::{Value, json};
use std::process::Command;
use std::thread;
use std::time::Duration;

const SETTING: &str = "allow_on_headers_stop_iteration";
const CREDENTIAL: (&str, &str) = ("UPSTREAM_KEY", "sk-upstream");

fn config(simulator: &Simulator) -> Value {
    let base_url = format!("http://{}/v1", simulator.addr());
    json!({"providers": {"openai": {"kind": "openai", "base_url": base_url, "credential": {"env": "UPSTREAM_KEY"}}}})
}

/// Takes the setting from these filters.
fn without_setting(bootstrap: &str, filters: &[&str]) -> String {
    let mut filter = "";
    let mut kept = Vec::new();
    for line in bootstrap.lines() {
        filter = line.trim_start_matches([' ', '-']).strip_prefix("name: dragoman_").unwrap_or(filter);
        if !(line.contains(SETTING) && filters.contains(&filter)) {
            kept.push(line);
        }
    }
    assert!(kept.len() < bootstrap.lines().count(), "{filters:?} had it");
    kept.join("\n")
}

fn chat() -> Request {
    Request::post("/v1/chat/completions", &hello(false))
}

#[test]
fn with_the_setting_a_slow_sender_raises_no_alarm() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let envoy = Plain::start(config(&simulator), |bootstrap| bootstrap, &[CREDENTIAL]);
    let bytes = chat().bytes();
    let head = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap() + 4;
    thread::scope(|scope| {
        // The head alone comes first, several times on each worker.
        for mut connection in (0..4).flat_map(|_| envoy.connect_workers()) {
            let bytes = &bytes;
            scope.spawn(move || {
                connection.send(&bytes[..head]);
                // Longer than the module waits for a body that has come. It is what is tested, not a synchronisation.
                thread::sleep(Duration::from_millis(5_500));
                connection.send(&bytes[head..]);
                let answer = connection.response().unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
            });
        }
    });
    assert_eq!(envoy.send(&chat()).status, 200);
    assert!(!envoy.log().contains(SETTING), "{}", envoy.log());
    let requests = simulator.requests();
    assert!(requests.iter().all(|request| request.header("authorization") == Some("Bearer sk-upstream")));
}

#[test]
fn the_checked_in_bootstrap_is_what_the_tool_renders_and_runs_as_it_is() {
    let test = "the_checked_in_bootstrap_is_what_the_tool_renders_and_runs_as_it_is";
    if skips(test, "it is native") {
        return;
    }
    let tool =
        |arguments: &[&str]| Command::new(artefact("dragoman")).args(arguments).current_dir(root()).output().unwrap();
    let checked = tool(&["render", "envoy", "--config", "config/dragoman.yaml", "--check", "envoy/standalone"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

    let envoy = Plain::start_file("envoy/standalone/envoy.yaml", &[8080, 9902]);
    let health = envoy.send(&Request::get("/health"));
    assert_eq!((health.status, health.text().as_str()), (200, r#"{"status":"ok"}"#));
    // Its provider's key is in nobody's environment here.
    assert_eq!(envoy.send(&Request::get("/ready")).status, 503);
}

/// The first requests of both workers, at the same time, and a later one.
fn assert_told(filters: &[&str]) {
    let simulator = Simulator::start(Options::default()).unwrap();
    let mut config = config(&simulator);
    // A try that may not be the only one runs behind the router.
    config["retry"] = json!({"attempts": 1});
    let envoy = Plain::start(config, |bootstrap| without_setting(&bootstrap, filters), &[CREDENTIAL]);
    let assert_named = |answer: &Response| {
        let message = openai_error(answer, 500, "server_error", Some("misconfigured"));
        assert!(message.contains(SETTING), "{message}");
    };
    thread::scope(|scope| {
        for mut connection in (0..4).flat_map(|_| envoy.connect_workers()) {
            scope.spawn(move || assert_named(&connection.ask(&chat())));
        }
    });
    assert_named(&envoy.send(&chat()));
    assert!(envoy.log().contains(SETTING), "{}", envoy.log());
    assert!(simulator.requests().is_empty());
}

#[test]
fn without_the_setting_every_request_is_answered_with_its_name() {
    assert_told(&["ingress", "attempt"]);
}

#[test]
fn without_the_setting_in_the_providers_cluster_too() {
    if !skips("without_the_setting_in_the_providers_cluster_too", "it is native") {
        assert_told(&["attempt"]);
    }
}
