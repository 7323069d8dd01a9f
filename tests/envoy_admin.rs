//! The admin API through a real Envoy: what an operator is told of requests that both workers have served, and who is told nothing.
#![cfg(test)]

use dragoman::simulate::Options;
use dragoman_tests::http::{Request, Response};
use dragoman_tests::scene::{Scene, assert_sound, expected_tokens, hello, openai_error};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

const SECRETS: [&str; 4] = ["sk-red", "sk-blue", "sk-operator", "sk-provider-canary"];

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options::default(), |config, _| {
        config["providers"]["openai"]["credential"] = json!({"value": "sk-provider-canary"});
        config["providers"]["lacking"] = json!({"kind": "anthropic", "credential": {"env": "NOT_SET"}});
        config["teams"] = json!({"paint": {}});
        config["keys"] = json!([
            {"id": "red", "name": "Red", "sha256": dragoman::key::hash("sk-red"), "team": "paint",
                "labels": {"app": "easel"}, "cost_tags": ["cc-7"]},
            {"id": "blue", "sha256": dragoman::key::hash("sk-blue")},
        ]);
        config["models"] = json!({"openai/gpt-4o": {"price": {"input": 2, "output": 8}}});
        config["admin"] = json!({"keys": [{"id": "on-call", "sha256": dragoman::key::hash("sk-operator")}]});
        config["log"] = json!({"ring": 40});
    })
});

fn admin(path: &str) -> Response {
    Request::get(path).key("sk-operator").send(SCENE.gateway.admin)
}

fn told(path: &str) -> Value {
    let answer = admin(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    for secret in SECRETS {
        assert!(!answer.text().contains(secret), "{path} tells {secret}");
    }
    answer.json()
}

/// The sums of one row; zeros where there is none.
fn sums(path: &str, name: &str) -> [u64; 4] {
    let rows = told(path);
    let row = rows["data"].as_array().expect("a list").iter().find(|row| row["name"] == name).cloned();
    let row = row.unwrap_or_default();
    ["requests", "input_tokens", "output_tokens", "cost_nano_usd"].map(|name| row[name].as_u64().unwrap_or(0))
}

/// What a worker has not told yet, it tells within a second.
fn wait_for<T: PartialEq + std::fmt::Debug>(read: impl Fn() -> T, expected: &T) {
    let begun = Instant::now();
    loop {
        let seen = read();
        if seen == *expected {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{seen:?} is not {expected:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_both_workers_have_served_is_summed_up_and_shown_for_each_key() {
    let case = SCENE.case("usage");
    let body = hello(false);
    let (mut input, mut output) = (0, 0);
    for connection in &mut SCENE.gateway.connect_workers() {
        for _ in 0..5 {
            let answer = connection.ask(&case.chat(&body).key("sk-red"));
            assert_eq!(answer.status, 200, "{}", answer.text());
            let usage = answer.json()["usage"].clone();
            input += usage["prompt_tokens"].as_u64().expect("tokens");
            output += usage["completion_tokens"].as_u64().expect("tokens");
        }
    }
    assert!(input > 0 && output >= expected_tokens(&body).min(1));
    let expected = [10, input, output, input * 2_000 + output * 8_000];
    for (path, name) in [
        ("/admin/v1/usage?by=key", "red"),
        ("/admin/v1/usage?by=team", "paint"),
        ("/admin/v1/usage?by=label", "app=easel"),
        ("/admin/v1/usage?by=cost_tag&interval=day", "cc-7"),
        ("/admin/v1/usage?by=key&interval=lifetime", "red"),
    ] {
        wait_for(|| sums(path, name), &expected);
    }
    assert_eq!(sums("/admin/v1/usage?by=key&name=blue", "red"), [0; 4]);
    let csv = admin("/admin/v1/usage?by=key&format=csv");
    assert_eq!(csv.headers.text("content-type"), Some("text/csv; charset=utf-8"));
    assert!(csv.text().lines().any(|line| line.contains(&format!(",red,10,0,{input},"))), "{}", csv.text());
}

#[test]
fn a_request_is_found_by_its_id_and_by_what_it_was() {
    let case = SCENE.case("logs");
    let mut unknown = hello(true);
    unknown["model"] = json!("no-such-model");
    let answer = case.send(&case.chat(&unknown).key("sk-blue"));
    openai_error(&answer, 404, "invalid_request_error", Some("model_not_found"));
    let id = answer.headers.text("x-request-id").expect("an id").to_owned();
    let one = format!("/admin/v1/logs/{id}");
    wait_for(|| admin(&one).status, &200);
    let record = told(&one);
    for (name, value) in [
        ("key", json!("blue")),
        ("status", json!(404)),
        ("gen_ai.request.model", json!("no-such-model")),
        ("error.type", json!("model_not_found")),
        ("outcome", json!("refused")),
        ("path", json!("/v1/chat/completions")),
    ] {
        assert_eq!(record[name], value, "{name}: {record}");
    }
    let list = told("/admin/v1/logs?key=blue&status=4xx&model=no-such-model&limit=1");
    assert_eq!(list["data"][0]["request_id"], id);
    assert_eq!(told("/admin/v1/logs?key=blue&status=200")["data"], json!([]));
}

#[test]
fn the_status_tells_of_providers_and_nobody_else_is_told_anything() {
    let status = told("/admin/v1/status");
    let told: Vec<_> =
        status["providers"].as_array().expect("a list").iter().map(|one| (&one["name"], &one["state"])).collect();
    assert!(told.contains(&(&json!("openai"), &json!("connected"))), "{status}");
    assert!(told.contains(&(&json!("lacking"), &json!("not_configured"))), "{status}");
    for key in ["sk-red", "sk-provider-canary", "nothing"] {
        let answer = Request::get("/admin/v1/logs").key(key).send(SCENE.gateway.admin);
        openai_error(&answer, 401, "invalid_request_error", Some("invalid_api_key"));
    }
    assert_eq!(admin("/v1/models").status, 404);
    assert_eq!(admin("/admin/v1/%6c%6fgs").status, 200, "Envoy decodes a path before the module sees it");
    assert_eq!(Request::post("/admin/v1/usage", &json!({})).key("sk-operator").send(SCENE.gateway.admin).status, 405);
    // The admin API is on its own listener alone.
    assert_eq!(SCENE.gateway.send(&Request::get("/admin/v1/status").key("sk-operator")).status, 404);
    assert_sound(&SCENE.gateway);
}
