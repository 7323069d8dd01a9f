//! The dialect as its users see it: OpenAI's requests in, Anthropic's out, and the answers back.
#![expect(clippy::disallowed_types, reason = "documents are compared by their meaning")]

mod answers;
mod asked;
mod streams;
mod tools;

use alloc::{format, string::ToString, vec};
use serde_json::{Value, json};

use super::*;
use crate::dialect::Habits;
use crate::{
    chat::Reason,
    dialect::{Downstream, Identity, openai_chat::OpenAiChat},
    passage::{Fed, Passage},
    step::Chunk,
    translation::Translation,
};

const PROVIDER: &dyn Upstream = &Anthropic;
const CLIENT: &dyn Downstream = &OpenAiChat;
const OLD: &str = "claude-sonnet-4-5";
const MIDDLE: &str = "claude-opus-4-6";
const NEW: &str = "claude-sonnet-5";
const NEWEST: &str = "claude-fable-5-1";

fn aim(model: &str) -> Aim<'_> {
    Aim { model, max_output_tokens: None, exchange: "x", habits: Habits::default() }
}

fn try_write(model: &str, request: &Value) -> Result<Written, Error> {
    let text = request.to_string();
    PROVIDER.write(&CLIENT.read(&text)?, &aim(model))
}

/// The request as it is sent, and what was left out of it.
fn write(model: &str, request: &Value) -> (Value, Vec<String>) {
    let written = try_write(model, request).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.dropped.names().to_vec())
}

/// A question with these members, as it is sent, without the question.
fn asked(model: &str, members: &Value) -> (Value, Vec<String>) {
    let mut request = json!({"messages": [{"role": "user", "content": "hi"}]});
    request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let (mut body, dropped) = write(model, &request);
    let body_members = body.as_object_mut().unwrap();
    assert_eq!(body_members.remove("model"), Some(json!(model)));
    assert_eq!(body_members.remove("messages"), Some(json!([{"role": "user", "content": "hi"}])));
    (body, dropped)
}

fn identity() -> Identity {
    Identity { exchange: "x".into(), created: 1, model: "m".into(), echo: String::new() }
}

/// A whole answer, as OpenAI's clients get it.
fn told(answer: &Value) -> Value {
    let text = answer.to_string();
    let response = PROVIDER.read(&text).unwrap();
    serde_json::from_slice(&CLIENT.write(&response, &identity())).unwrap()
}
