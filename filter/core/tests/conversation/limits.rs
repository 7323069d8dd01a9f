//! Limits as a caller meets them: what lets a request in, what it has cost in the end, and what the answers tell.

mod answers;
mod costs;
mod estimates;
mod targets;
mod told;
mod untold;

use std::{rc::Rc, time::Duration};

use dragoman_core::{gateway::Gateway, step::Reply};
use serde_json::{Value, json};

use crate::stage::{Answer, Asked, Sent, World, ask_in, gateway, post};

const CHAT: &str = "/v1/chat/completions";
const JSON: &[(&str, &str)] = &[(":status", "200"), ("content-type", "application/json")];
const SSE: &[(&str, &str)] = &[(":status", "200"), ("content-type", "text/event-stream")];

/// A gateway with these members beside its providers, and a worker of it.
struct Desk {
    gateway: Rc<Gateway>,
    world: Rc<World>,
}

/// The keys `sk-a` and `sk-b` of one team, and `sk-c` of none.
fn desk(more: &Value) -> Desk {
    let key = |id: &str, sha256: &str, more: Value| {
        let mut key = json!({"id": id, "sha256": sha256});
        key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key
    };
    let mut file = json!({
        "providers": {
            "openai": {"kind": "openai", "credential": {"value": "k"}},
            "claude": {"kind": "anthropic", "credential": {"value": "k"}},
            "gemini": {"kind": "gemini", "credential": {"value": "k"}},
            "llama": {"kind": "ollama", "base_url": "http://127.0.0.1:9", "credential": {"value": "k"}},
        },
        "models": {
            "openai/m": {"price": {"input": 1, "output": 10}, "max_output_tokens": 1000},
            "claude/c": {"price": {"input": 3}},
        },
        "teams": {"ml": {}},
        "keys": [
            key("a", "a4a6d307ad00fa67176e1099fdbc4f4a09bb527a7f24718a5030f2f173d11f7f",
                json!({"team": "ml", "labels": {"app": "shop"}})),
            key("b", "18519d64d0d18b0e84e43301547425933dc0394576666e8da1ef1790fb64ca9f",
                json!({"team": "ml", "labels": {"app": "shop"}})),
            key("c", "923e700d172fdfb7e2d3d189270520d3f716e86cd133bd546c6eae20e158ed47", json!({})),
        ],
    });
    for (name, value) in more.as_object().unwrap() {
        file[name] = value.clone();
    }
    Desk { gateway: gateway(&file.to_string()), world: World::new() }
}

/// One limit.
fn limited(limit: &Value) -> Desk {
    let mut limit = limit.clone();
    if limit.get("name").is_none() {
        limit["name"] = json!("fair");
    }
    desk(&json!({"limits": [limit]}))
}

/// What is taken for the frame around the text.
const FRAME: usize = 100;

/// What a request is taken for.
fn length(body: &str) -> u64 {
    let bytes = body.len();
    u64::try_from(bytes.saturating_sub(FRAME).max(bytes.min(32)).div_ceil(4)).unwrap()
}

/// A chat of so many bytes of text, which are four a token, that lets its answer have so many tokens.
fn chat(bytes: usize, max_tokens: u64) -> String {
    let body = |content: &str| {
        format!(
            r#"{{"model":"openai/m","max_tokens":{max_tokens},"messages":[{{"role":"user","content":"{content}"}}]}}"#
        )
    };
    // Words: what has none may be a picture.
    let content: String = "so. ".chars().cycle().take(FRAME + bytes - body("").len()).collect();
    body(&content)
}

impl Desk {
    fn ask_at(&self, path: &str, key: &str, body: &str) -> Asked {
        self.ask_with(path, key, body, &[])
    }

    fn ask_with(&self, path: &str, key: &str, body: &str, more: &[(&str, &[u8])]) -> Asked {
        let bearer = format!("Bearer {key}");
        let mut headers = vec![("authorization", bearer.as_bytes())];
        headers.extend(more);
        ask_in(&self.world, &self.gateway, post(path, &headers), &[body.as_bytes()])
    }

    fn ask(&self, key: &str, body: &str) -> Asked {
        self.ask_at(CHAT, key, body)
    }

    fn send(&self, key: &str, body: &str) -> Sent {
        self.ask(key, body).sent()
    }

    fn refuse(&self, key: &str, body: &str) -> Reply {
        self.ask(key, body).refused()
    }

    fn pass(&self, seconds: u64) {
        self.world.pass(Duration::from_secs(seconds));
    }

    /// What is left of the key's tokens, after a request that costs nothing in the end.
    fn tokens_left(&self, key: &str) -> u64 {
        let sent = self.send(key, &chat(396, 1));
        let answer = sent.answered(400, JSON, &[br#"{"error":{"message":"no"}}"#]);
        // The request itself is reserved while its answer's head is written.
        answer.header("x-ratelimit-remaining-tokens").unwrap().parse::<u64>().unwrap() + 100
    }
}

/// An answer of so many tokens.
fn whole(sent: Sent, input: u64, output: u64) -> Answer {
    let answer = json!({
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": input, "completion_tokens": output},
    });
    sent.answered(200, JSON, &[answer.to_string().as_bytes()])
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

fn error(reply: &Reply) -> (u16, String, String, String) {
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    (reply.status, text("type"), text("code"), text("message"))
}

#[test]
fn so_many_requests_are_let_in_and_the_next_one_when_there_is_room() {
    let desk = limited(&json!({"of": "requests", "per": "minute", "max": 3}));
    for _ in 0..3 {
        assert_eq!(whole(desk.send("sk-a", &chat(400, 10)), 1, 1).status, 200);
    }
    let reply = desk.refuse("sk-a", &chat(400, 10));
    let message = "The limit `fair` is reached; try again in 20 s.";
    assert_eq!(error(&reply), (429, "rate_limit_error".into(), "rate_limit_exceeded".into(), message.into()));
    assert_eq!(header(&reply, "retry-after"), Some("20"));
    assert_eq!(header(&reply, "x-ratelimit-limit-requests"), Some("3"));
    assert_eq!(header(&reply, "x-ratelimit-remaining-requests"), Some("0"));
    assert_eq!(header(&reply, "x-ratelimit-reset-requests"), Some("1m0s"));
    // Each key has its own.
    desk.send("sk-b", &chat(400, 10));
    desk.pass(20);
    let _held = desk.send("sk-a", &chat(400, 10));
    desk.refuse("sk-a", &chat(400, 10));
}

#[test]
fn a_limit_is_shared_by_those_that_it_is_for() {
    for (scope, same, other) in [
        ("key", None, Some("sk-b")),
        ("team", Some("sk-b"), Some("sk-c")),
        ("label:app", Some("sk-b"), Some("sk-c")),
        ("environment", Some("sk-c"), None),
        ("global", Some("sk-c"), None),
    ] {
        let desk = limited(&json!({"of": "requests", "per": "hour", "max": 1, "scope": scope}));
        let _ = whole(desk.send("sk-a", &chat(400, 1)), 1, 1);
        desk.refuse("sk-a", &chat(400, 1));
        if let Some(same) = same {
            let reply = desk.refuse(same, &chat(400, 1));
            assert_eq!(header(&reply, "x-ratelimit-limit-requests"), None, "{scope}: that of others is not told");
        }
        if let Some(other) = other {
            desk.send(other, &chat(400, 1));
        }
    }
}

#[test]
fn an_environment_has_limits_of_its_own() {
    let own = json!([{"name": "fair", "of": "requests", "per": "hour", "max": 1, "scope": "environment"}]);
    let desk = desk(&json!({
        "limits": [{"name": "fair", "of": "requests", "per": "hour", "max": 2, "scope": "environment"}],
        "environments": {"test": {"limits": own}},
    }));
    let within = |env: &[u8]| desk.ask_with(CHAT, "sk-a", &chat(400, 1), &[("x-dragoman-env", env)]);
    let _ = whole(within(b"test").sent(), 1, 1);
    within(b"test").refused();
    for _ in 0..2 {
        let _ = whole(within(b"").sent(), 1, 1);
    }
    within(b"").refused();
}

#[test]
fn a_routers_rate_is_for_its_own_path() {
    let rate = json!({"per_api_key": {"capacity": 1, "refill_frequency": "10s"}});
    let chain = json!({"chat": {"strategy": "fallback", "targets": ["openai/m"]}});
    let desk = desk(&json!({"routers": {"r": {"load_balance": chain, "rate_limit": rate}}}));
    let at = |path: &str| desk.ask_at(path, "sk-a", &chat(400, 1));
    let _ = whole(at("/router/r/chat/completions").sent(), 1, 1);
    let (_, _, _, message) = error(&at("/router/r/v1/chat/completions").refused());
    assert_eq!(message, "The limit `router r rate_limit` is reached; try again in 10 s.");
    for path in [CHAT, "/ai/chat/completions", "/openai/chat/completions"] {
        at(path).sent();
    }
}

#[test]
fn a_spent_budget_is_spent_on_every_path() {
    let mut keys = json!([{"id": "a", "sha256": "a4a6d307ad00fa67176e1099fdbc4f4a09bb527a7f24718a5030f2f173d11f7f", "budgets": {"daily_tokens": 1000}}]);
    let chain = json!({"r": {"load_balance": {"chat": {"strategy": "fallback", "targets": ["openai/m"]}}}});
    let file = |keys: &Value| json!({"keys": keys, "routers": chain});
    let spent = desk(&file(&keys));
    // More than was expected.
    let _ = whole(spent.send("sk-a", &chat(400, 100)), 900, 900);
    let claude = r#"{"model":"c","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
    for (path, body) in [
        (CHAT, chat(400, 9)),
        ("/chat/completions", chat(400, 9)),
        ("/router/r/chat/completions", chat(400, 9)),
        ("/ai/v1/chat/completions", chat(400, 9)),
        ("/openai/v1/chat/completions", chat(400, 9)),
        ("/openai/embeddings", r#"{"model":"m","input":"Hi"}"#.into()),
        ("/claude/v1/messages", claude.into()),
    ] {
        let reply = spent.ask_at(path, "sk-a", &body).refused();
        let (status, kind, code, message) = error(&reply);
        assert_eq!(status, 429, "{path}");
        if path.starts_with("/claude") {
            assert_eq!(kind, "rate_limit_error");
        } else {
            assert_eq!((kind.as_str(), code.as_str()), ("insufficient_quota", "insufficient_quota"), "{path}");
        }
        assert!(message.contains("`budget daily_tokens`"), "{message}");
        // New Year's day has just begun.
        assert_eq!(header(&reply, "retry-after"), Some("86400"), "{path}");
    }
    let get: &[(&str, &[u8])] = &[(":method", b"GET"), ("authorization", b"Bearer sk-a")];
    let listing = ask_in(&spent.world, &spent.gateway, post("/v1/models", get), &[]).refused();
    assert_eq!(listing.status, 200);
    spent.pass(86_400);
    spent.send("sk-a", &chat(400, 9));

    keys[0]["budgets"] = json!({"daily_tokens": {"max": 1, "enabled": false}});
    desk(&file(&keys)).send("sk-a", &chat(400, 9));
}
