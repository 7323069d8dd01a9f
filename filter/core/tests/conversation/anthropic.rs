//! Recorded traffic of Anthropic, read where `DRAGOMAN_FIXTURES` says: a client of OpenAI must be told what was recorded,
//! however a stream is cut, and what was asked must be asked the same by such a client.

mod answers;
mod requests;

use dragoman_core::gateway::Gateway;
use serde_json::{Value, json};

use crate::recordings::load;
use crate::stage::{Answer, Asked, ask, gateway, pieces, post};

fn recordings(api: &str) -> Vec<(String, Value)> {
    load(&[api])
}

fn claude() -> std::rc::Rc<Gateway> {
    gateway(r#"{"providers":{"a":{"kind":"anthropic","credential":{"env":"A"}}}}"#)
}

fn asked(request: &Value) -> Asked {
    ask(&claude(), post("/v1/chat/completions", &[]), &pieces(request.to_string().as_bytes(), 0))
}
