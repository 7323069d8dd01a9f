//! What is written down of a request, whoever has answered it and however it ended.

use std::{rc::Rc, time::Duration};

use dragoman_core::gateway::Gateway;
use serde_json::{Value, json};

use crate::key::hash;
use crate::stage::{self, World, ask_in, post};

const CHAT: &str = "/v1/chat/completions?key=sk-a";

fn gateway() -> Rc<Gateway> {
    let file = json!({
        "providers": {
            "openai": {"kind": "openai", "credential": {"env": "A"}},
            "eu": {"kind": "anthropic", "accounts": [{"name": "paris", "credential": {"env": "B"}}]},
            "own": {"kind": "openai", "base_url": "http://10.0.0.1/v1", "credential": {"env": "C"}},
        },
        "models": {
            "openai/m": {"price": {"input": 2, "cached_input": 0.5, "output": 8, "reasoning": 10}},
            "openai/pens": {"price": {"image": 0.04}},
            "eu/free": {"price": {"input": 0, "output": 0}},
        },
        "fallbacks": {"openai/m": ["eu/free"]},
        "aliases": {"house": "openai/m"},
        "routers": {"web": {"load_balance": {"chat": {"strategy": "fallback", "targets": ["house"]}}}},
        "keys": [{"id": "k", "name": "A \"key\"", "sha256": hash("sk-a"), "team": "t", "labels": {"app": "x"}, "cost_tags": ["cc"]}],
        "teams": {"t": {}},
    });
    stage::gateway(&file.to_string())
}

fn body(model: &str, more: &str) -> String {
    format!(r#"{{"model":"{model}",{more}"messages":[{{"role":"user","content":"Hi there"}}]}}"#)
}

fn sent(world: &Rc<World>, path: &str, body: &str) -> stage::Sent {
    let headers = post(path, &[("x-request-id", b"4-2")]);
    ask_in(world, &gateway(), headers, &[body.as_bytes()]).sent()
}

const TYPE: &[(&str, &str)] = &[("content-type", "application/json")];
const STREAM: &[(&str, &str)] = &[("content-type", "text/event-stream")];

/// An answer of OpenAI's with this usage.
fn answer(usage: &Value) -> String {
    json!({"id": "c", "object": "chat.completion", "model": "m-2026", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "Hello"}}], "usage": usage})
    .to_string()
}

#[test]
fn a_record_says_who_asked_whom_for_what_and_what_it_cost() {
    let world = World::new();
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 30, "prompt_tokens_details": {"cached_tokens": 40},
        "completion_tokens_details": {"reasoning_tokens": 10}});
    let path = "/router/web/v1/chat/completions?key=sk-a";
    let _ = sent(&world, path, &body("anything", "")).answered(200, TYPE, &[answer(&usage).as_bytes(), b""]);
    let expected = json!({
        "request_id": "4-2",
        "method": "POST",
        "path": "/router/web/v1/chat/completions",
        "key": "k",
        "key_name": "A \"key\"",
        "team": "t",
        "router": "web",
        "labels": {"app": "x"},
        "cost_tags": ["cc"],
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "anything",
        "provider": "openai",
        "account": "default",
        "gen_ai.provider.name": "openai",
        "model": "m",
        "gen_ai.response.model": "m",
        "attempts": "openai/m=200",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.reasoning.output_tokens": 10,
        "cost_nano_usd": 60 * 2_000 + 40 * 500 + 20 * 8_000 + 10 * 10_000,
        "outcome": "answered",
    });
    assert_eq!(world.record(), expected);
}

#[test]
fn what_has_no_known_price_has_no_cost_and_what_is_free_costs_nothing() {
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 1});
    for (model, answer, cost) in [
        ("own/llama", answer(&usage), Value::Null),
        ("openai/m", answer(&usage), json!(3 * 2_000 + 8_000)),
        ("openai/m", answer(&json!({"prompt_tokens": 3, "completion_tokens": 2})), json!(3 * 2_000 + 2 * 8_000)),
    ] {
        let world = World::new();
        let _ = sent(&world, CHAT, &body(model, "")).answered(200, TYPE, &[answer.as_bytes(), b""]);
        assert_eq!(world.record().get("cost_nano_usd"), Some(&cost), "{model}: {}", world.record());
    }
    let world = World::new();
    let claude = json!({"id": "m", "type": "message", "role": "assistant", "model": "free", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hi"}], "usage": {"input_tokens": 3, "output_tokens": 1}});
    let _ = sent(&world, CHAT, &body("eu/free", "")).answered(200, TYPE, &[claude.to_string().as_bytes(), b""]);
    let record = world.record();
    let told = ["cost_nano_usd", "account", "gen_ai.provider.name"].map(|name| &record[name]);
    assert_eq!(told, [&json!(0), &json!("paris"), &json!("anthropic")]);
}

#[test]
fn pictures_have_the_price_of_pictures_or_of_their_tokens() {
    let ask = |model: &str, usage: Value| {
        let world = World::new();
        let headers = post("/v1/images/generations?key=sk-a", &[]);
        let body = json!({"model": model, "prompt": "A hat", "n": 2}).to_string();
        let answer = json!({"created": 1, "data": [{"b64_json": "AA=="}, {"b64_json": "AA=="}], "usage": usage});
        let sent = ask_in(&world, &gateway(), headers, &[body.as_bytes()]).sent();
        let _ = sent.answered(200, TYPE, &[answer.to_string().as_bytes(), b""]);
        world.record()
    };
    assert_eq!(ask("openai/pens", Value::Null)["cost_nano_usd"], 80_000_000);
    let record = ask("openai/m", json!({"input_tokens": 5, "output_tokens": 100, "total_tokens": 105}));
    assert_eq!((&record["cost_nano_usd"], &record["images"]), (&json!(5 * 2_000 + 100 * 8_000), &json!(2)), "{record}");
    assert_eq!(record["gen_ai.operation.name"], "generate_content");
}

#[test]
fn a_stream_has_a_first_content_and_one_that_its_client_leaves_costs_what_has_come() {
    let world = World::new();
    let piece = r#"data: {"choices":[{"index":0,"delta":{"content":"so it goes"}}]}"#.to_owned() + "\n\n";
    let waiting = sent(&world, CHAT, &body("house", "\"stream\":true,"));
    world.pass(Duration::from_millis(250));
    let _ = waiting.left(200, STREAM, &[piece.as_bytes(), piece.as_bytes()]);
    let record = world.record();
    for (name, expected) in [
        ("gen_ai.request.stream", json!(true)),
        ("gen_ai.request.model", json!("house")),
        ("gen_ai.response.time_to_first_chunk", json!(0.25)),
        ("gen_ai.usage.output_tokens", json!(2)),
        ("estimated", json!(true)),
        ("details", json!("downstream_remote_disconnect")),
        ("outcome", json!("abandoned")),
    ] {
        assert_eq!(record[name], expected, "{name}: {record}");
    }
    assert!(record["cost_nano_usd"].as_u64() > Some(2 * 8_000), "{record}");
}

/// Once its head has passed, a connection that breaks is told to no filter: only Envoy's reason says whose doing it was.
#[test]
fn a_stream_that_breaks_off_was_not_left_by_its_client() {
    let piece = r#"data: {"choices":[{"index":0,"delta":{"content":"so it goes"}}]}"#.to_owned() + "\n\n";
    for (details, outcome, error) in [
        ("upstream_reset_after_response_started{protocol_error}", "broken", json!("upstream_error")),
        ("stream_idle_timeout", "broken", json!("upstream_error")),
        ("downstream_remote_disconnect", "abandoned", Value::Null),
        ("http2.remote_reset", "abandoned", Value::Null),
    ] {
        let world = World::new();
        world.details.set(details);
        let _ = sent(&world, CHAT, &body("house", "\"stream\":true,")).left(200, STREAM, &[piece.as_bytes()]);
        let record = world.record();
        assert_eq!((&record["outcome"], &record["error.type"]), (&json!(outcome), &error), "{record}");
        assert_eq!((&record["details"], &record["estimated"]), (&json!(details), &json!(true)), "{record}");
    }
}

#[test]
fn a_request_that_nobody_was_asked_for_says_why() {
    let ask = |path: &str, body: &str| {
        let world = World::new();
        let reply = ask_in(&world, &gateway(), post(path, &[]), &[body.as_bytes()]).refused();
        (reply.status, world.record())
    };
    for (path, text, status, error, key) in [
        ("/v1/chat/completions", body("openai/m", ""), 401, "invalid_api_key", Value::Null),
        ("/nowhere?key=sk-a", String::new(), 404, "not_found", json!("k")),
        (CHAT, body("what", ""), 404, "model_not_found", json!("k")),
        (CHAT, "{".into(), 400, "invalid_request_error", json!("k")),
    ] {
        let (seen, record) = ask(path, &text);
        assert_eq!((seen, &record["error.type"]), (status, &json!(error)), "{record}");
        assert_eq!((&record["key"], &record["outcome"]), (&key, &json!("refused")), "{record}");
        assert_eq!(record.get("gen_ai.usage.input_tokens"), None);
        assert!(!record.to_string().contains("sk-a"), "{record}");
    }
    assert_eq!(ask(CHAT, &body("what", "")).1["gen_ai.request.model"], "what");
}

#[test]
fn a_request_that_one_provider_fails_and_another_answers_is_the_other_one_s() {
    let world = World::new();
    let second = sent(&world, CHAT, &body("openai/m", "")).failed(503).sent();
    let claude = json!({"id": "m", "type": "message", "role": "assistant", "model": "free", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hi"}], "usage": {"input_tokens": 3, "output_tokens": 1}});
    let _ = second.answered(200, TYPE, &[claude.to_string().as_bytes(), b""]);
    let record = world.record();
    assert_eq!(
        (&record["provider"], &record["attempts"], &record["outcome"]),
        (&json!("eu"), &json!("openai/m=503,eu/free=200"), &json!("answered")),
        "{record}"
    );
}

#[test]
fn an_error_that_is_passed_on_has_its_status_for_a_name_and_one_behind_content_breaks_the_answer() {
    let world = World::new();
    let error = br#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    let _ = sent(&world, CHAT, &body("own/m", "")).answered(422, TYPE, &[error, b""]);
    let record = world.record();
    assert_eq!((&record["error.type"], &record["outcome"]), (&json!("422"), &json!("refused")), "{record}");
    assert_eq!(record.get("cost_nano_usd"), None);

    let piece = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"so\"}}]}\n\n";
    let fault = "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":500}}\n\n";
    let stream = body("own/m", "\"stream\":true,");
    let _ = sent(&world, CHAT, &stream).answered(200, STREAM, &[piece.as_bytes(), fault.as_bytes(), b""]);
    let record = world.record();
    assert_eq!((&record["error.type"], &record["outcome"]), (&json!("upstream_error"), &json!("broken")), "{record}");
    assert_eq!((&record["estimated"], &record["gen_ai.usage.output_tokens"]), (&json!(true), &json!(1)), "{record}");
}

#[test]
fn a_count_that_cannot_be_is_none_and_a_key_in_a_path_is_not_written_down() {
    let world = World::new();
    let usage = json!({"prompt_tokens": u64::MAX, "completion_tokens": 5});
    let _ = sent(&world, CHAT, &body("openai/m", "")).answered(200, TYPE, &[answer(&usage).as_bytes(), b""]);
    let record = world.record();
    assert_eq!(record["estimated"], true, "{record}");
    assert!(record["gen_ai.usage.input_tokens"].as_u64() < Some(100), "{record}");
    for path in ["/v1/models&key=sk-canary", "/v1/models;key=sk-canary", "/%3fkey=sk-canary"] {
        let world = World::new();
        assert_eq!(ask_in(&world, &gateway(), post(path, &[]), &[]).refused().status, 404);
        assert!(!world.record().to_string().contains("canary"), "{}", world.record());
    }
}
