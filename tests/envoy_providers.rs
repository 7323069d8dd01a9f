//! Providers and models while the gateway runs, on a real Envoy with two workers: credentials, tests, what Envoy has no cluster for, and
//! what the catalogue says from the next request on.
#![cfg(test)]

use dragoman::simulate::{Finish, Gate, Options, Piece, Script};
use dragoman_tests::http::{Connection, Request, Response};
use dragoman_tests::scene::{Scene, assert_sound, hello, openai_error};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

/// What the provider wants, and what it does not.
const RIGHT: &str = "sk-right-canary";
const WRONG: &str = "sk-wrong-canary";

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options { require_key: Some(RIGHT.into()), ..Options::default() }, |config, base_url| {
        let root = base_url.trim_end_matches("/v1");
        let credential = json!({"value": RIGHT});
        config["providers"]["openai"]["credential"] = credential.clone();
        config["providers"]["late"] = json!({"kind": "openai", "base_url": base_url, "credential": {"env": "NOT_SET"}, "timeouts": {"first_byte": "3s", "idle": "3s"}});
        for (name, kind, base_url) in [
            ("anthropic", "anthropic", format!("{root}/v1")),
            ("gemini", "gemini", format!("{root}/v1beta")),
            ("ollama", "ollama", root.to_owned()),
            ("held", "openai", format!("{root}/held/v1")),
            ("torn", "openai", format!("{root}/torn/v1")),
            ("dead", "openai", "http://127.0.0.1:1/v1".to_owned()),
        ] {
            config["providers"][name] = json!({"kind": kind, "base_url": base_url, "credential": credential});
        }
        config["admin"] = json!({"keys": [{"id": "on-call", "sha256": dragoman::key::hash("sk-operator")}]});
    })
});

fn request(method: &str, path: &str, body: &Value) -> Request {
    let request = Request::new(method, path).key("sk-operator").header("content-type", "application/json");
    request.body(if body.is_null() { String::new() } else { body.to_string() })
}

fn admin(method: &str, path: &str, body: &Value) -> Response {
    let mut answer = request(method, path, body).send(SCENE.gateway.admin);
    // Of the tests of this file, another one may have been faster.
    while answer.text().contains("Somebody else") {
        answer = request(method, path, body).send(SCENE.gateway.admin);
    }
    assert!(!answer.text().contains("canary"), "{path}: {}", answer.text());
    answer
}

#[track_caller]
fn done(method: &str, path: &str, body: &Value) -> Value {
    let answer = admin(method, path, body);
    assert!(matches!(answer.status, 200 | 201), "{method} {path}: {} {}", answer.status, answer.text());
    answer.json()
}

/// What a test of a provider says.
#[track_caller]
fn tested(provider: &str) -> Value {
    done("POST", &format!("/admin/v1/providers/{provider}/test"), &Value::Null)
}

/// What both workers answer.
fn answers(request: &Request) -> Vec<Response> {
    SCENE.gateway.connect_workers().iter_mut().map(|worker| worker.ask(request)).collect()
}

fn statuses(request: &Request) -> Vec<u16> {
    answers(request).iter().map(|answer| answer.status).collect()
}

/// The line of a request in the access log, by its id.
fn logged(answer: &Response) -> Value {
    let id = answer.headers.text("x-request-id").expect("an id");
    let begun = Instant::now();
    loop {
        let output = SCENE.gateway.output();
        let lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        if let Some(line) = lines.into_iter().find(|line| line["request_id"] == id) {
            return line;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{id} is not in {output}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_provider_gets_its_credential_at_run_time_and_serves_on_both_workers_and_nobody_is_told_it() {
    let case = SCENE.case("credential");
    let mut body = hello(false);
    body["model"] = json!("late/gpt-4o");
    let asked = case.chat(&body);
    assert_eq!(statuses(&asked), [503, 503]);
    let told = tested("late");
    assert_eq!((&told["ok"], &told["status"]), (&json!(false), &Value::Null));
    assert_eq!(told["error"], json!("It is not configured: the environment variable NOT_SET is not set."));
    let give = |secret: &str| done("PATCH", "/admin/v1/providers/late", &json!({"credential": {"value": secret}}));
    assert_eq!(give(RIGHT)["status"], json!("connected"));
    assert_eq!(statuses(&asked), [200, 200]);
    let told = tested("late");
    assert_eq!((&told["ok"], &told["status"], &told["account"]), (&json!(true), &json!(200), &json!("default")));
    give(WRONG);
    let told = tested("late");
    assert_eq!((&told["ok"], &told["status"]), (&json!(false), &json!(401)));
    assert_eq!(told["error"], json!("It refuses the credential."));
    assert_eq!(done("GET", "/admin/v1/providers/late", &Value::Null)["cooling"], json!([]), "a test is no traffic");
    for answer in answers(&asked) {
        let message = openai_error(&answer, 502, "upstream_error", Some("upstream_error"));
        assert!(!message.contains("canary"), "{message}");
    }
    give(RIGHT);
    assert_eq!(statuses(&asked), [200, 200]);
    done("PATCH", "/admin/v1/providers/late", &json!({"enabled": false}));
    assert!(statuses(&asked).iter().all(|status| *status >= 400));
    done("PATCH", "/admin/v1/providers/late", &json!({"enabled": true}));
    assert_eq!(statuses(&asked), [200, 200]);
    for path in ["providers", "providers/late", "config", "status", "logs", "models"] {
        done("GET", &format!("/admin/v1/{path}"), &Value::Null);
    }
    let logs = done("GET", "/admin/v1/logs?provider=late&limit=1000", &Value::Null);
    let is_chat = |line: &Value| line["path"] == "/v1/chat/completions";
    assert!(logs["data"].as_array().expect("a list").iter().all(is_chat), "a test leaves no record: {logs}");
    let (dump, metrics) = (SCENE.gateway.ask_envoy("/config_dump"), SCENE.gateway.ask_envoy("/stats"));
    for place in [SCENE.gateway.log(), SCENE.gateway.output(), dump, metrics] {
        let line = place.lines().find(|line| line.contains(RIGHT) || line.contains(WRONG));
        assert_eq!(line, None);
    }
    assert_sound(&SCENE.gateway);
}

#[test]
fn each_kind_is_asked_for_its_list_of_models_and_who_cannot_be_reached_is_told() {
    for (provider, path, header, presented) in [
        ("openai", "/v1/models", "authorization", "Bearer sk-right-canary"),
        ("anthropic", "/v1/models", "x-api-key", RIGHT),
        ("gemini", "/v1beta/models", "x-goog-api-key", RIGHT),
        ("ollama", "/api/tags", "authorization", "Bearer sk-right-canary"),
    ] {
        let told = tested(provider);
        assert_eq!((&told["ok"], &told["object"]), (&json!(true), &json!("provider_test")), "{told}");
        assert!(told["duration_ms"].is_u64() && told.get("error").is_none(), "{told}");
        let asked = SCENE.upstream.requests().into_iter().find(|request| {
            let is_own = request.method == "GET" && request.uri.path() == path;
            is_own && request.header(header) == Some(presented)
        });
        assert!(asked.is_some(), "{provider}");
    }
    let told = tested("dead");
    assert_eq!((&told["ok"], &told["error"]), (&json!(false), &json!("It cannot be reached.")), "{told}");
    let mut torn = Script::new(StatusCode::OK).ending(Finish::Reset);
    torn.body = vec![Piece::new("{\"data\":[")];
    SCENE.upstream.answer_when(|request| request.uri.path() == "/torn/v1/models", torn);
    let told = tested("torn");
    assert_eq!(told["error"], json!("The connection broke before its answer had come whole."), "{told}");
    assert_sound(&SCENE.gateway);
}

#[test]
fn who_leaves_while_a_provider_is_tested_does_no_harm() {
    let is_held = |request: &dragoman::simulate::Request| request.uri.path() == "/held/v1/models";
    let gates: Vec<_> = (0..4).map(|_| Gate::closed()).collect();
    for gate in &gates {
        let mut script = Script::new(StatusCode::OK);
        script.body = vec![Piece::new("{}").behind(gate)];
        SCENE.upstream.answer_when(is_held, script);
    }
    let test = request("POST", "/admin/v1/providers/held/test", &json!({"account": "default"}));
    let mut callers: Vec<_> = gates
        .iter()
        .map(|_| {
            let mut caller = Connection::open(SCENE.gateway.admin).expect("a connection");
            caller.send(&test.bytes());
            caller
        })
        .collect();
    let begun = Instant::now();
    while SCENE.upstream.requests().into_iter().filter(is_held).count() < gates.len() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the calls do not arrive");
        thread::sleep(Duration::from_millis(10));
    }
    let mut patient = callers.pop().expect("a caller");
    drop(callers);
    thread::sleep(Duration::from_millis(200));
    gates.iter().for_each(Gate::open);
    let told = patient.response().expect("an answer").json();
    assert_eq!((&told["ok"], &told["provider"]), (&json!(true), &json!("held")), "{told}");
    assert_eq!(statuses(&SCENE.case("left").chat(&hello(false))), [200, 200]);
    assert_sound(&SCENE.gateway);
}

#[test]
fn what_envoy_has_no_cluster_for_is_refused_with_what_to_write_into_the_file() {
    let elsewhere = json!({"name": "fresh", "kind": "openai", "base_url": "https://fresh.example/v1", "credential": {"value": WRONG}});
    let answer = admin("POST", "/admin/v1/providers", &elsewhere);
    let message = openai_error(&answer, 409, "invalid_request_error", Some("conflict"));
    let (_, stanza) = message.split_once("\nproviders:\n  fresh: ").expect("a stanza");
    let file = format!("{{\"providers\":{{\"fresh\":{stanza}}}}}");
    let parsed = dragoman_core::config::parse(&file).expect("a file");
    assert_eq!(parsed.providers[0].base_url.host, "fresh.example");
    let moved = json!({"base_url": "http://127.0.0.1:2/v1"});
    assert_eq!(admin("PATCH", "/admin/v1/providers/ollama", &moved).status, 409);
    assert_eq!(admin("PATCH", "/admin/v1/providers/ollama", &json!({"timeouts": {"first_byte": "59s"}})).status, 409);
    let told = done("PATCH", "/admin/v1/providers/dead", &json!({"base_url": "http://127.0.0.1:1/other/v1"}));
    let now = (&told["base_url"], &told["source"]);
    assert_eq!(now, (&json!("http://127.0.0.1:1/other/v1"), &json!("changed")), "a path is no matter of Envoy's");
    assert_sound(&SCENE.gateway);
}

#[test]
fn a_model_is_switched_off_and_priced_for_the_next_request_on_both_workers() {
    let case = SCENE.case("models");
    let built_in = done("GET", "/admin/v1/models?provider=anthropic&q=claude-haiku-4-5", &Value::Null);
    let name = built_in["data"][0]["id"].as_str().expect("a model").to_owned();
    assert_eq!(built_in["data"][0]["source"], json!("built-in"));
    let path = format!("/admin/v1/models/{name}");
    let mut body = hello(false);
    body["model"] = json!(name);
    let asked = case.chat(&body);
    assert_eq!(statuses(&asked), [200, 200]);
    assert_eq!(done("PATCH", &path, &json!({"enabled": false}))["enabled"], json!(false));
    for answer in answers(&asked) {
        openai_error(&answer, 404, "invalid_request_error", Some("model_not_found"));
    }
    for answer in answers(&Request::get("/v1/models")) {
        assert!(!answer.text().contains(&format!("\"id\":\"{name}\"")), "{}", answer.text());
    }
    let disabled = done("GET", "/admin/v1/models?enabled=false", &Value::Null);
    assert_eq!(disabled["data"][0]["id"], json!(name));
    done("PATCH", &path, &json!({"enabled": true, "price": {"input": 1000, "output": 0}}));
    for answer in answers(&asked) {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let tokens = answer.json()["usage"]["prompt_tokens"].as_u64().expect("tokens");
        assert_eq!(logged(&answer)["cost_nano_usd"], json!(tokens * 1_000_000), "a thousand USD a million tokens");
    }
    assert_eq!(admin("PATCH", "/admin/v1/models/nobody/m", &json!({"enabled": false})).status, 404);
    assert_sound(&SCENE.gateway);
}
