//! A provider's own paths: what is asked of it, what of its answer is read, and what a key may not do there.

mod answers;
mod errors;
mod paths;
mod scope;

use std::rc::Rc;

use dragoman_core::{error::Shape, gateway::Gateway, host::Clock, live::Observer, step::Reply, usage::Usage};
use serde_json::{Value, json};

use crate::stage::{Answer, Asked, NewYear, Pairs, Sent, ask, carried, gateway, pieces, post};

pub(super) const OPEN: &str = r#"{
    "providers": {
        "openai": {"kind": "openai", "credential": {"env": "OPENAI"}},
        "claude": {"kind": "anthropic", "credential": {"env": "CLAUDE"}},
        "rooted": {"kind": "anthropic", "base_url": "http://127.0.0.1:1/x/v1", "credential": {"env": "ROOTED"}},
        "gemini": {"kind": "gemini", "base_url": "https://generativelanguage.googleapis.com", "credential": {"env": "GEMINI"}},
        "ollama": {"kind": "ollama", "base_url": "http://127.0.0.1:11434"},
        "groq": {"kind": "openai", "base_url": "https://api.groq.com/openai/v1", "credential": {"env": "GROQ"}},
        "bare": {"kind": "openai", "base_url": "http://127.0.0.1:1/api", "credential": {"env": "BARE"}},
        "azure": {"kind": "openai", "base_url": "https://x.openai.azure.com/openai", "credential": {"env": "AZURE"}},
        "unset": {"kind": "openai", "credential": {"env": "UNSET_KEY"}},
        "two": {"kind": "openai", "base_url": "http://127.0.0.1:1/v1", "accounts": [
            {"name": "a", "credential": {"env": "UNSET_A"}},
            {"name": "b", "credential": {"env": "B"}, "models": ["small*"]},
            {"name": "c", "credential": {"env": "C"}}]}
    },
    "models": {
        "openai/house": {"id": "gpt-4o-house"}, "claude/house": {"id": "claude-house"}, "gemini/house": {"id": "gemini-house"},
        "openai/o3": {"enabled": false}
    },
    "aliases": {"fast": ["openai/gpt-4o-mini", "claude/claude-haiku-4-5", "gemini/gemini-2.5-flash"]},
    "keys": [
        {"id": "all", "sha256": "a046e4925c1c5162e2a952bf81b903655ab1b77d52aac4b82b9c4ca26ad5f73e"},
        {"id": "claude-only", "sha256": "f4e9c42044d5e68b11f6400bb847ba3619439dd4789681af2e52616295726563", "providers": ["claude"]},
        {"id": "few", "sha256": "3e5b53295ea2b40237b9a345d2fb060ca0590ff1c51de7fc8b819f2a4409e6c6", "models": ["gpt-4o-mini", "claude-haiku-*", "gemini-2.5-flash", "llama3.2*"]}
    ]
}"#;

pub(super) fn open() -> Rc<Gateway> {
    let mut file: Value = serde_json::from_str(OPEN).unwrap();
    file.as_object_mut().unwrap().remove("keys");
    gateway(&file.to_string())
}

/// With the keys `sk-all`, `sk-claude` and `sk-few`.
pub(super) fn keyed() -> Rc<Gateway> {
    gateway(OPEN)
}

pub(super) fn head(method: &str, path: &str, key: &str) -> Pairs {
    let bearer = format!("Bearer {key}");
    let mut head = post(path, &[(":method", method.as_bytes()), ("authorization", bearer.as_bytes())]);
    if method != "POST" {
        head.retain(|(name, _)| name != "content-type");
    }
    head
}

pub(super) fn sent(path: &str, body: &str) -> Sent {
    ask(&open(), post(path, &[]), &pieces(body.as_bytes(), 7)).sent()
}

/// Path, credential and body, as the provider got them.
pub(super) fn got(sent: &Sent) -> (String, String, String) {
    let headers = carried(&sent.headers);
    let headers = headers.headers();
    let secrets = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];
    let secrets: Vec<_> = secrets.iter().filter_map(|name| headers.text(name)).collect();
    let length = headers.text("content-length").map(|length| length.parse::<usize>().unwrap());
    assert!(length.is_none_or(|length| length == sent.body.len()));
    (headers.text(":path").unwrap().into(), secrets.join(" "), String::from_utf8(sent.body.clone()).unwrap())
}

pub(super) fn asked(key: &str, method: &str, path: &str, body: &str) -> Asked {
    let pieces: &[&[u8]] = if body.is_empty() { &[] } else { &[body.as_bytes()] };
    ask(&keyed(), head(method, path, key), pieces)
}

pub(super) fn message(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

/// What the client gets, and the tokens that were counted, for any cut of the answer.
pub(super) fn answered(path: &str, body: &str, content_type: &str, answer: &str) -> (Answer, Option<Usage>) {
    let mut seen = None;
    for seed in [0, 1, 7, 99] {
        let sent = sent(path, body);
        let plan = Rc::clone(&sent.plan);
        let answer = sent.answered(200, &[("content-type", content_type)], &pieces(answer.as_bytes(), seed));
        let found = (answer.body.clone(), plan.usage());
        assert!(seen.as_ref().is_none_or(|(other, usage): &(Answer, _)| (&other.body, *usage) == (&found.0, found.1)));
        seen = Some((answer, found.1));
    }
    seen.unwrap()
}

/// Why the target has failed last, as far as is known of it.
pub(super) fn last_failure(observer: &Observer) -> Value {
    report(observer)["last_failure"].clone()
}

/// What is known of the target that was asked.
pub(super) fn report(observer: &Observer) -> Value {
    let report: Value = serde_json::from_slice(&observer.report(NewYear.epoch_millis(), |_| true)).unwrap();
    report["data"][0].clone()
}
