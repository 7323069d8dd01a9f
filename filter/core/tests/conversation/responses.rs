//! Clients of OpenAI's Responses: what passes as it is, what is translated for whom, and recorded traffic, read where
//! `DRAGOMAN_FIXTURES` says.

mod kept;
mod native;
mod recorded;

use std::rc::Rc;

use dragoman_core::gateway::Gateway;
use serde_json::{Value, json};

use crate::stage::{Asked, Sent, ask, gateway, pieces, post};

const EVENTS: (&str, &str) = ("content-type", "text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

/// A provider of each dialect, and one of OpenAI's that has chats only.
fn all() -> Rc<Gateway> {
    gateway(
        r#"{"providers":{
            "o":{"kind":"openai","credential":{"env":"O"}},
            "c":{"kind":"openai","base_url":"https://c.example/v1","credential":{"env":"C"},"responses":false},
            "q":{"kind":"openai","base_url":"https://api.groq.com/openai/v1","credential":{"env":"Q"}},
            "a":{"kind":"anthropic","credential":{"env":"A"}},
            "g":{"kind":"gemini","credential":{"env":"G"}},
            "l":{"kind":"ollama","base_url":"http://127.0.0.1:11434"}},
          "routers":{"r":{"load_balance":{"chat":{"strategy":"fallback","targets":["o/gpt-5","a/claude-sonnet-4-5"]}}},
            "s":{"load_balance":{"chat":{"strategy":"fallback","targets":["a/m","q/m","o/gpt-5"]}}}}}"#,
    )
}

fn asked(body: &str) -> Asked {
    ask(&all(), post("/v1/responses", &[]), &[body.as_bytes()])
}

/// A request to a provider, which matters for its answer only.
fn sent(model: &str, stream: bool) -> Sent {
    asked(&json!({"model": model, "stream": stream, "input": "x"}).to_string()).sent()
}

/// What a gateway makes of an id of a provider's.
fn sealed(gateway: &Rc<Gateway>, model: &str, id: &str) -> String {
    let answer = json!({"id": id, "object": "response", "status": "completed"}).to_string();
    let request = json!({"model": model, "input": "x"}).to_string();
    let sent = ask(gateway, post("/v1/responses", &[]), &[request.as_bytes()]).sent();
    let told = sent.answered(200, &[JSON], &[answer.as_bytes()]);
    json_of(&told.body)["id"].as_str().unwrap().to_owned()
}

/// A text without the seals of the ids in it.
fn unsealed(text: &str) -> String {
    const DIGITS: usize = 24;
    let mut bare = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('_') {
        bare += before;
        let is_seal = after.bytes().take_while(u8::is_ascii_hexdigit).count() == DIGITS;
        if !is_seal {
            bare.push('_');
        }
        rest = if is_seal { after.split_at(DIGITS).1 } else { after };
    }
    bare + rest
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn path(sent: &Sent) -> &str {
    let path = sent.headers.iter().find(|(name, _)| name == ":path");
    path.map(|(_, value)| std::str::from_utf8(value).unwrap()).unwrap()
}
