//! What the audit log has of a request: why it went where it went, each of its tries, and what came of it; and what of its content is
//! kept beside the record.

use std::{rc::Rc, time::Duration};

use dragoman_core::gateway::Gateway;
use serde_json::{Value, json};

use crate::key::hash;
use crate::stage::{self, World, ask_in, post};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

fn gateway(log: &Value) -> Rc<Gateway> {
    let target = |model: &str| json!({"model": model});
    let file = json!({
        "providers": {
            "openai": {"kind": "openai", "credential": {"env": "A"}},
            "eu": {"kind": "openai", "base_url": "http://10.0.0.1/v1", "credential": {"env": "B"}},
            "lacking": {"kind": "anthropic", "credential": {"env": "UNSET"}},
        },
        "models": {
            "openai/m": {}, "openai/small": {"context_window": 10}, "eu/m": {}, "eu/large": {},
            "lacking/m": {}, "openai/deaf": {"capabilities": []},
        },
        "routing": {"safe": {"strategy": "fallback", "targets": [target("openai/m"), target("lacking/m"), target("eu/m")]}},
        "routers": {"web": {"load_balance": {"chat": {"strategy": "cheapest", "targets": [target("eu/m")]}}}},
        "context_fallbacks": {"openai/m": ["eu/large"]},
        "keys": [
            {"id": "k", "sha256": hash("sk-a"), "team": "t", "routing": "safe"},
            {"id": "plain", "sha256": hash("sk-b")},
            {"id": "narrow", "sha256": hash("sk-c"), "models": ["openai/deaf"]},
        ],
        "teams": {"t": {}},
        "limits": [{"name": "few", "of": "requests", "per": "hour", "max": 1, "target": {"provider": "eu"}, "scope": "key"}],
        "log": log,
    });
    stage::gateway(&file.to_string())
}

fn audited() -> Rc<Gateway> {
    gateway(&json!({"audit": {"enabled": true}}))
}

fn body(model: &str, more: &str) -> String {
    format!(r#"{{"model":"{model}",{more}"messages":[{{"role":"user","content":"Hi secret"}}]}}"#)
}

fn ask(world: &Rc<World>, gateway: &Rc<Gateway>, path: &str, key: &str, body: &str) -> stage::Asked {
    let bearer = format!("Bearer {key}");
    let headers = post(path, &[("x-request-id", b"4-2"), ("authorization", bearer.as_bytes())]);
    ask_in(world, gateway, headers, &[body.as_bytes()])
}

fn answer() -> String {
    json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "Hello"}}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}})
    .to_string()
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn a_request_has_a_line_for_the_decision_one_for_each_try_and_one_for_the_answer() {
    let world = World::new();
    let first = ask(&world, &audited(), CHAT, "sk-a", &body("anything", "")).sent();
    world.pass(Duration::from_millis(30));
    let second = first.failed(503).sent();
    world.pass(Duration::from_millis(12));
    let _ = second.answered(200, JSON, &[answer().as_bytes(), b""]);
    let lines = world.audit();
    let target = |provider: &str, model: &str| json!({"provider": provider, "account": "default", "model": model});
    let mut dropped = lines[0]["dropped"].clone();
    let message = dropped[0].as_object_mut().unwrap().remove("message").unwrap();
    assert!(message.as_str().unwrap().contains("not configured"), "{message}");
    assert_eq!(
        lines[0],
        json!({
            "event": "route_decision", "time": "2026-01-01T00:00:00.000Z", "request_id": "4-2", "key": "k", "team": "t",
            "path": CHAT, "gen_ai.request.model": "anything", "decided_by": "key", "configuration": "safe", "strategy": "fallback",
            "resolved_model": "openai/m", "candidates": [target("openai", "m"), target("eu", "m")],
            "on_context": [target("eu", "large")],
            "dropped": [{"candidate": "lacking/m", "reason": "upstream_error", "message": message}],
        })
    );
    let attempt = |number: u32, provider: &str, time: &str, more: Value| {
        let mut line = target(provider, "m");
        let all =
            [json!({"event": "proxy_attempt", "time": time, "request_id": "4-2", "key": "k", "number": number}), more];
        for more in all {
            line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        }
        line
    };
    let failed = json!({"status": 503, "failure": "server_error", "first_byte_ms": 30, "duration_ms": 30});
    assert_eq!(lines[1], attempt(1, "openai", "2026-01-01T00:00:00.000Z", failed));
    let served = json!({"status": 200, "first_byte_ms": 12, "duration_ms": 12});
    assert_eq!(lines[2], attempt(2, "eu", "2026-01-01T00:00:00.030Z", served));
    let mut told = world.record();
    let more = json!({"event": "proxy_response", "time": "2026-01-01T00:00:00.042Z", "status": 200, "duration_ms": 42});
    told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!((&lines[3], lines.len()), (&told, 4));
    assert_eq!(
        (&told["provider"], &told["gen_ai.usage.input_tokens"], &told["key"]),
        (&json!("eu"), &json!(3), &json!("k"))
    );
    for said in ["secret", "Hello", "sk-a"] {
        assert!(!lines.iter().any(|line| line.to_string().contains(said)), "{lines:?}");
    }
}

#[test]
fn who_decides_is_told() {
    let gateway = audited();
    for (path, key, model, by, strategy, resolved) in [
        ("/router/web/v1/chat/completions", "sk-b", "x", "router", json!("cheapest"), "eu/m"),
        ("/ai/v1/chat/completions", "sk-a", "openai/m", "model", Value::Null, "openai/m"),
        (CHAT, "sk-b", "openai/m", "model", Value::Null, "openai/m"),
        ("/openai/chat/completions", "sk-b", "m", "provider", Value::Null, "openai/m"),
    ] {
        let world = World::new();
        let _ =
            ask(&world, &gateway, path, key, &body(model, "")).sent().answered(200, JSON, &[answer().as_bytes(), b""]);
        let line = &world.audit()[0];
        let told = [&line["decided_by"], &line["strategy"], &line["resolved_model"], &line["refused"]];
        assert_eq!(told, [&json!(by), &strategy, &json!(resolved), &Value::Null], "{line}");
        assert_eq!(world.audit().len(), 3, "{path}");
    }
}

#[test]
fn who_is_refused_before_anybody_is_asked_has_a_decision_that_says_so() {
    let gateway = audited();
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}],"#;
    for (path, key, text, status, refused, by) in [
        (CHAT, "sk-wrong", body("openai/m", ""), 401, "invalid_api_key", "gateway"),
        (CHAT, "sk-b", "{".into(), 400, "invalid_request_error", "gateway"),
        (CHAT, "sk-b", body("what", ""), 404, "model_not_found", "model"),
        (CHAT, "sk-c", body("openai/deaf", tools), 400, "invalid_request_error", "model"),
        ("/nowhere", "sk-b", String::new(), 404, "not_found", "gateway"),
    ] {
        let world = World::new();
        assert_eq!(ask(&world, &gateway, path, key, &text).refused().status, status);
        let lines = world.audit();
        let [decision, response] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&decision["refused"], &decision["decided_by"]), (&json!(refused), &json!(by)), "{decision}");
        assert_eq!(decision["candidates"], json!([]), "{decision}");
        assert_eq!(decision["dropped"].is_array(), by == "model", "{decision}");
        let told = [&response["event"], &response["status"], &response["error.type"]];
        assert_eq!(told, [&json!("proxy_response"), &json!(status), &json!(refused)], "{response}");
        assert!(!lines.iter().any(|line| line.to_string().contains("sk-")), "{lines:?}");
    }
}

#[test]
fn a_candidate_without_room_says_under_which_limit_and_so_does_a_request() {
    let (world, gateway) = (World::new(), audited());
    let path = "/router/web/v1/chat/completions";
    let _ = ask(&world, &gateway, path, "sk-b", &body("x", "")).sent().answered(200, JSON, &[answer().as_bytes(), b""]);
    assert_eq!(ask(&world, &gateway, path, "sk-b", &body("x", "")).refused().status, 429);
    let lines = world.audit();
    let full = json!([{"candidate": "eu/m", "reason": "limit", "limit": "few"}]);
    assert_eq!((&lines[0]["dropped"], &lines[0]["limit"]), (&full, &json!("few")), "{}", lines[0]);
    assert_eq!((&lines[0]["refused"], lines.len()), (&json!("rate_limit_exceeded"), 2));
    // One that is left over is asked all the same.
    let second = ask(&world, &gateway, CHAT, "sk-a", &body("x", "")).sent().failed(503).sent();
    let _ = second.answered(200, JSON, &[answer().as_bytes(), b""]);
    let _ = ask(&world, &gateway, CHAT, "sk-a", &body("x", "")).sent().answered(503, JSON, &[b"{}", b""]);
    let lines = world.audit();
    assert_eq!(lines[0]["dropped"][1], full[0], "{}", lines[0]);
    assert_eq!(lines[0]["cooling"][0]["provider"], "openai", "{}", lines[0]);
    assert_eq!((&lines[1]["failure"], lines.len()), (&json!("server_error"), 3), "{lines:?}");
}

#[test]
fn a_try_that_is_not_over_says_how_it_was_left() {
    let world = World::new();
    ask(&world, &audited(), CHAT, "sk-b", &body("openai/m", "")).sent().abandoned();
    let lines = world.audit();
    assert_eq!((&lines[1]["failure"], &lines[1]["status"]), (&json!("abandoned"), &Value::Null), "{lines:?}");
    let piece = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"so\"}}]}\n\n";
    world.details.set("stream_idle_timeout");
    let sent = ask(&world, &audited(), CHAT, "sk-b", &body("openai/m", "\"stream\":true,")).sent();
    let _ = sent.left(200, &[("content-type", "text/event-stream")], &[piece.as_bytes()]);
    let lines = world.audit();
    assert_eq!((&lines[1]["failure"], &lines[1]["status"]), (&json!("broken"), &json!(200)), "{lines:?}");
    assert_eq!(lines[2]["outcome"], "broken");
}

#[test]
fn nothing_is_audited_and_nothing_kept_where_the_file_does_not_ask_for_it() {
    let world = World::new();
    let _ = ask(&world, &gateway(&json!({})), CHAT, "sk-b", &body("openai/m", "")).sent().answered(
        200,
        JSON,
        &[b"{}", b""],
    );
    assert_eq!((world.audit(), world.content()), (vec![], None));
}

#[test]
fn what_a_client_has_sent_is_kept_without_what_is_to_be_left_out() {
    let gateway = gateway(&json!({"content": "request", "max_content": 64, "redact": ["content"]}));
    let world = World::new();
    let text = body("openai/m", "");
    let _ = ask(&world, &gateway, CHAT, "sk-b", &text).sent().answered(200, JSON, &[answer().as_bytes(), b""]);
    let kept = text.replace("Hi secret", "[redacted]");
    let cut = kept.get(..64).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&world.content().unwrap()).unwrap(),
        json!({"request": {"text": cut, "cut": true}})
    );
    assert!(!world.record().to_string().contains("redacted"));
}
