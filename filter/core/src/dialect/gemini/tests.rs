//! OpenAI's chat, there and back: a request as Gemini gets it, an answer as the client gets it.
#![expect(clippy::disallowed_types, reason = "documents are compared by their meaning")]

mod answers;
mod asked;
mod streams;
mod tools;

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use serde_json::{Value, json};

use super::Gemini;
use crate::{
    chat::{Delta, Fault, Finish},
    dialect::{Aim, Broken, Downstream, Habits, Identity, Upstream, Written, openai_chat::OpenAiChat},
    error::Error,
    sse::Frame,
};

/// The client's side of a format that has two.
const OPENAI: &dyn Downstream = &OpenAiChat;

fn write(model: &str, request: &Value) -> Result<Written, Error> {
    let text = request.to_string();
    let request = OPENAI.read(&text).unwrap();
    Gemini.write(&request, &Aim { model, max_output_tokens: None, exchange: "x", habits: Habits::default() })
}

/// The body and the fields that were left out.
fn sent(model: &str, request: &Value) -> (Value, Vec<String>) {
    let written = write(model, request).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.dropped.names().to_vec())
}

fn identity() -> Identity {
    Identity { exchange: "x".into(), created: 1, model: "asked".into(), echo: String::new() }
}

fn whole(answer: &Value) -> Value {
    let text = answer.to_string();
    serde_json::from_slice(&OPENAI.write(&Gemini.read(&text).unwrap(), &identity())).unwrap()
}

fn message(answer: &Value) -> Value {
    whole(answer)["choices"][0].clone()
}

/// What the client gets for these events, one chunk a line.
fn streamed(events: &[Value]) -> Result<Vec<Value>, Broken> {
    let (mut reader, mut writer) = (Gemini.reader(), OPENAI.writer(identity(), true));
    let mut out = Vec::new();
    for event in events {
        let raw = alloc::format!("data: {event}\r\n\r\n");
        reader.read(Frame { raw: raw.as_bytes() }, &mut |delta| writer.write(delta, &mut out))?;
    }
    writer.write(Delta::End, &mut out);
    let text = String::from_utf8(out).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    Ok(data.map(|data| serde_json::from_str(data).unwrap()).collect())
}

/// The deltas of the first answer, joined.
fn joined(chunks: &[Value], field: &str) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"][field].as_str()).collect()
}

fn user(content: &Value) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": content}]})
}

fn with(members: &Value) -> Value {
    let mut request = user(&json!("hi"));
    request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    request
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "$defs": {}}}})
}

fn grounded(text: &str) -> Value {
    json!({"candidates": [{
        "content": {"parts": [{"text": text}]},
        "groundingMetadata": {
            "groundingChunks": [
                {"web": {"uri": "https://a.example", "title": "A"}},
                {"retrievedContext": {"text": "t"}},
                {"web": {"uri": "https://b.example"}},
            ],
            "groundingSupports": [
                {"segment": {"startIndex": 3, "endIndex": 5, "text": "cd"}, "groundingChunkIndices": [0, 9]},
            ],
        },
        "finishReason": "STOP"}], "responseId": "r"})
}
