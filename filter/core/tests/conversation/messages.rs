//! Clients of Anthropic's Messages: what passes as it is, what the gateway says in that format, and recorded traffic, read where
//! `DRAGOMAN_FIXTURES` says.

mod native;
mod recorded;

use std::rc::Rc;

use dragoman_core::gateway::Gateway;
use serde_json::{Value, json};

use crate::stage::{Asked, Sent, ask, gateway, pieces, post};

const EVENTS: (&str, &str) = ("content-type", "text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

/// A provider of each dialect.
fn all() -> Rc<Gateway> {
    gateway(
        r#"{"providers":{
            "a":{"kind":"anthropic","credential":{"env":"A"}},
            "o":{"kind":"openai","credential":{"env":"O"}},
            "g":{"kind":"gemini","credential":{"env":"G"}},
            "l":{"kind":"ollama","base_url":"http://127.0.0.1:11434"}}}"#,
    )
}

fn asked(body: &str) -> Asked {
    ask(&all(), post("/v1/messages", &[]), &[body.as_bytes()])
}

/// A request to a provider, which matters for its answer only.
fn sent(model: &str, stream: bool) -> Sent {
    let request =
        json!({"model": model, "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "x"}]});
    asked(&request.to_string()).sent()
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}
