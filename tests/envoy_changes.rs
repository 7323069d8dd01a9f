//! What an operator changes while the gateway runs, on a real Envoy with two workers: each change holds for the next request on either.
#![cfg(test)]

use dragoman::simulate::{Gate, Options, Piece, Script};
use dragoman_tests::chain::held;
use dragoman_tests::http::{Request, Response};
use dragoman_tests::scene::{Case, Scene, assert_sound, hello, openai_error};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

static SCENE: LazyLock<Scene> = LazyLock::new(|| Scene::start(Options::default(), complete));

fn complete(config: &mut Value, _: &str) {
    config["providers"]["openai"]["credential"] = json!({"value": "sk-provider-canary"});
    config["keys"] = json!([{"id": "filed", "sha256": dragoman::key::hash("sk-filed")}]);
    config["models"] = json!({"openai/gpt-4o": {}, "openai/gpt-4o-mini": {}});
    config["admin"] = json!({"keys": [{"id": "on-call", "sha256": dragoman::key::hash("sk-operator")}]});
}

fn admin(method: &str, path: &str, body: &Value) -> Response {
    admin_of(&SCENE, method, path, body)
}

fn admin_of(scene: &Scene, method: &str, path: &str, body: &Value) -> Response {
    let request = Request::new(method, path).key("sk-operator").header("content-type", "application/json");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = request.body(body).send(scene.gateway.admin);
    assert!(!answer.text().contains("canary"), "{path}: {}", answer.text());
    answer
}

/// Tests of one file run at the same time: who is told to come again does so.
#[track_caller]
fn done(method: &str, path: &str, body: &Value) -> Value {
    loop {
        let answer = admin(method, path, body);
        if answer.status != 409 || !answer.text().contains("Somebody else") {
            assert!(matches!(answer.status, 200 | 201), "{method} {path}: {} {}", answer.status, answer.text());
            return answer.json();
        }
    }
}

/// Issues a key with these attributes; the key.
fn issue(id: &str, attributes: &Value) -> String {
    let mut entry = attributes.clone();
    entry["id"] = json!(id);
    done("POST", "/admin/v1/keys", &entry)["key"].as_str().expect("a key").to_owned()
}

/// What both workers answer: on connections of their own, because who is refused at the head is hung up on.
fn answers(request: &Request) -> Vec<Response> {
    SCENE.gateway.connect_workers().iter_mut().map(|worker| worker.ask(request)).collect()
}

fn statuses(request: &Request) -> Vec<u16> {
    answers(request).iter().map(|answer| answer.status).collect()
}

/// A streamed answer in OpenAI's format: a word at once, another and the end behind the gate.
fn gated(gate: &Gate) -> Script {
    let event = |delta: &Value, finish: &Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk =
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let begin = event(&json!({"role": "assistant", "content": "public"}), &Value::Null);
    let rest = [
        event(&json!({"content": "secret"}), &Value::Null),
        event(&json!({}), &json!("stop")),
        "data: [DONE]\n\n".into(),
    ];
    let mut script = Script::events(Vec::<String>::new());
    script.body = vec![Piece::new(begin), Piece::new(rest.concat()).behind(gate)];
    script
}

#[test]
fn a_key_is_issued_used_limited_and_revoked_and_each_holds_for_the_next_request_on_either_worker() {
    let case = SCENE.case("life");
    let key = issue("life", &json!({"models": ["openai/gpt-4o-mini"]}));
    let mut mini = hello(false);
    mini["model"] = json!("gpt-4o-mini");
    let (asked, mini) = (case.chat(&hello(false)).key(&key), case.chat(&mini).key(&key));
    assert_eq!(statuses(&mini), [200, 200]);
    assert_eq!(statuses(&asked), [403, 403]);
    done("PATCH", "/admin/v1/keys/life", &json!({"models": null}));
    assert_eq!(statuses(&asked), [200, 200]);
    let limit = json!({"name": "life", "of": "requests", "per": "hour", "max": 1, "scope": "key"});
    done("POST", "/admin/v1/limits", &limit);
    let mut told = statuses(&asked);
    told.sort_unstable();
    assert_eq!(told, [200, 429], "one in an hour, whichever worker is asked");
    done("PATCH", "/admin/v1/limits/life", &json!({"enabled": false}));
    assert_eq!(statuses(&asked), [200, 200]);
    done("DELETE", "/admin/v1/limits/life", &Value::Null);
    done("PATCH", "/admin/v1/keys/life", &json!({"enabled": false}));
    assert_eq!(statuses(&asked), [401, 401]);
    done("PATCH", "/admin/v1/keys/life", &json!({"enabled": true}));
    assert_eq!(statuses(&asked), [200, 200]);
    done("DELETE", "/admin/v1/keys/life", &Value::Null);
    for answer in answers(&asked) {
        openai_error(&answer, 401, "invalid_request_error", Some("invalid_api_key"));
        assert!(answer.text().contains("revoked"), "{}", answer.text());
    }
    assert_eq!(admin("POST", "/admin/v1/keys", &json!({"id": "x", "sha256": dragoman::key::hash(&key)})).status, 409);
    assert_sound(&SCENE.gateway);
}

/// Asks on each worker, lets the key be revoked when `is_begun`, and then the provider go on.
fn revoked_meanwhile(case: &Case<'_>, id: &str, stream: bool, script: impl Fn(&Gate) -> Script) -> Vec<Response> {
    let key = issue(id, &json!({}));
    let mut workers = SCENE.gateway.connect_workers();
    let gate = Gate::closed();
    for worker in &mut workers {
        case.answer(script(&gate));
        worker.send(&case.chat(&hello(stream)).key(&key).bytes());
    }
    if stream {
        thread::sleep(Duration::from_millis(300));
    }
    while case.requests().len() < workers.len() {
        thread::sleep(Duration::from_millis(10));
    }
    done("DELETE", &format!("/admin/v1/keys/{id}"), &Value::Null);
    gate.open();
    workers.iter_mut().map(|worker| worker.response().expect("an answer")).collect()
}

#[test]
fn a_stream_whose_key_is_revoked_ends_in_an_error_and_an_answer_that_has_not_begun_is_none() {
    let case = SCENE.case("stream");
    for answer in revoked_meanwhile(&case, "streaming", true, gated) {
        let text = answer.text();
        assert!(text.contains("public") && !text.contains("secret") && !text.contains("[DONE]"), "{text}");
        let last = answer.events().last().cloned().unwrap_or_default();
        assert!(last.contains("authentication_error") && last.contains("invalid_api_key"), "{text}");
    }
    let case = SCENE.case("whole");
    for answer in revoked_meanwhile(&case, "waiting", false, |gate| held("secret", gate)) {
        openai_error(&answer, 401, "invalid_request_error", Some("invalid_api_key"));
        assert!(!answer.text().contains("secret"), "{}", answer.text());
    }
    assert_sound(&SCENE.gateway);
}

#[test]
fn changes_outlive_a_reload_and_what_is_exported_is_a_file() {
    let scene = Scene::start_with(Options::default(), complete, |setup| setup.argument("--reload"));
    let issued = admin_of(&scene, "POST", "/admin/v1/keys", &json!({"id": "lasting", "labels": {"app": "x"}})).json();
    let key = issued["key"].as_str().expect("a key");
    let case = scene.case("lasting");
    let mut file = scene.gateway.config();
    file["teams"] = json!({"reloaded": {}});
    scene.gateway.replace_file(&file.to_string());
    scene.gateway.hang_up();
    let export = || admin_of(&scene, "GET", "/admin/v1/config", &Value::Null).json();
    while export()["teams"]["reloaded"].is_null() {
        assert_eq!(case.send(&case.chat(&hello(false)).key(key)).status, 200);
    }
    assert_eq!(case.send(&case.chat(&hello(false)).key(key)).status, 200);
    let exported = export();
    assert!(dragoman_core::config::parse(&exported.to_string()).is_ok(), "{exported}");
    let keys = exported["keys"].as_array().expect("keys");
    assert!(keys.iter().any(|entry| entry["id"] == "lasting" && entry["labels"]["app"] == "x"), "{exported}");
    assert!(!scene.gateway.log().contains(key) && !exported.to_string().contains(key));
    let status = admin_of(&scene, "GET", "/admin/v1/status", &Value::Null).json();
    assert_eq!(status["changes"]["not_in_effect"], json!([]), "{status}");
    assert_sound(&scene.gateway);
}

#[test]
fn of_many_writers_at_once_each_is_done_whole_or_told_to_come_again() {
    let writers: Vec<_> = (0..8)
        .map(|number| {
            thread::spawn(move || {
                let body = json!({"name": format!("raced-{number}")});
                let mut refused = 0;
                loop {
                    match admin("POST", "/admin/v1/teams", &body).status {
                        201 => return refused,
                        409 => refused += 1,
                        status => panic!("{status}"),
                    }
                }
            })
        })
        .collect();
    let refused: usize = writers.into_iter().map(|writer| writer.join().expect("it ends")).sum();
    let teams = done("GET", "/admin/v1/teams", &Value::Null);
    let raced = |team: &&Value| team["name"].as_str().is_some_and(|name| name.starts_with("raced-"));
    assert_eq!(teams["data"].as_array().expect("teams").iter().filter(raced).count(), 8, "{refused} were refused");
    assert_sound(&SCENE.gateway);
}
