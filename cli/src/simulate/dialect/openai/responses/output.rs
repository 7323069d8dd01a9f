//! A response: what it repeats of its request, and its items.
//!
//! All ids of a response begin alike, and the beginning says whether it was thought about: that is how the simulated
//! API knows, without remembering anything, that a call came with a thought which the client left out.

use serde_json::{Value, json};

use super::{PURPOSE, Stamp, tools};
use crate::simulate::{
    answer::{Answer, Choice, Content, Finish, Usage},
    dialect::{
        field::{is, list, strings},
        signature,
    },
    question::Question,
    script::Random,
};

/// Of the ids of a response that was thought about.
pub(super) const THOUGHT: &str = "0f";
const UNTHOUGHT: &str = "0a";
/// What real ones begin with; a client may look.
pub(super) const ENCRYPTED: &str = "gAAAAAB";

/// What the ids of one response have in common.
struct Ids {
    beginning: String,
    random: Random,
}

impl Ids {
    fn of(question: &Question, stamp: &Stamp) -> Self {
        let mut random = stamp.random.clone();
        let mark = if question.reasoning { THOUGHT } else { UNTHOUGHT };
        let beginning = format!("{mark}{:016x}", random.next());
        Self { beginning, random }
    }

    fn next(&mut self, kind: &str) -> String {
        format!("{kind}_{}{:016x}{:016x}", self.beginning, self.random.next(), self.random.next())
    }
}

/// The finished response.
pub(super) fn response(question: &Question, answer: &Answer, stamp: &Stamp) -> Value {
    let mut ids = Ids::of(question, stamp);
    let id = ids.next("resp");
    let choice = answer.choices.first();
    let output = choice.map(|choice| items(question, choice, &mut ids, stamp)).unwrap_or_default();
    let reason = match choice.map(|choice| choice.finish) {
        Some(Finish::Length) => Some("max_output_tokens"),
        Some(Finish::ContentFilter) => Some("content_filter"),
        Some(Finish::Stop | Finish::ToolCalls) | None => None,
    };
    let asked = &question.asked;
    let or = |name: &str, default: Value| asked.get(name).filter(|value| !value.is_null()).cloned().unwrap_or(default);
    let reasoning =
        |name: &str, default: Value| asked.pointer(&format!("/reasoning/{name}")).cloned().unwrap_or(default);
    let text = |name: &str, default: Value| asked.pointer(&format!("/text/{name}")).cloned().unwrap_or(default);
    let effort = if question.reasoning { json!("medium") } else { Value::Null };
    json!({
        "id": id,
        "object": "response",
        "created_at": stamp.created,
        "status": if reason.is_some() { "incomplete" } else { "completed" },
        "background": or("background", json!(false)),
        "completed_at": if reason.is_some() { Value::Null } else { json!(stamp.created) },
        "error": null,
        "frequency_penalty": 0.0,
        "incomplete_details": reason.map(|reason| json!({"reason": reason})),
        "instructions": or("instructions", Value::Null),
        "max_output_tokens": or("max_output_tokens", Value::Null),
        "max_tool_calls": or("max_tool_calls", Value::Null),
        "model": question.model,
        "output": output,
        "parallel_tool_calls": or("parallel_tool_calls", json!(true)),
        "presence_penalty": 0.0,
        "previous_response_id": or("previous_response_id", Value::Null),
        "prompt_cache_key": or("prompt_cache_key", Value::Null),
        "prompt_cache_retention": or("prompt_cache_retention", Value::Null),
        "reasoning": {"effort": reasoning("effort", effort), "summary": reasoning("summary", Value::Null)},
        "safety_identifier": or("safety_identifier", Value::Null),
        "service_tier": "default",
        "store": or("store", json!(true)),
        "temperature": or("temperature", json!(1.0)),
        "text": {
            "format": text("format", json!({"type": "text"})),
            "verbosity": text("verbosity", json!("medium")),
        },
        "tool_choice": or("tool_choice", json!("auto")),
        "tools": list(asked, "/tools").map(tools::repeat).collect::<Vec<_>>(),
        "top_logprobs": or("top_logprobs", json!(0)),
        "top_p": or("top_p", json!(1.0)),
        "truncation": or("truncation", json!("disabled")),
        "usage": answer.usage.map(usage),
        "user": or("user", Value::Null),
        "metadata": or("metadata", json!({})),
    })
}

/// Makes a response one that has no output yet, or never will.
pub(super) fn reopen(response: &mut Value, status: &str) {
    for (name, value) in
        [("status", json!(status)), ("output", json!([])), ("usage", Value::Null), ("completed_at", Value::Null)]
    {
        if let Some(field) = response.get_mut(name) {
            *field = value;
        }
    }
}

fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": usage.cache.read_tokens},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input.saturating_add(usage.output),
    })
}

fn items(question: &Question, choice: &Choice, ids: &mut Ids, stamp: &Stamp) -> Vec<Value> {
    let mut items = Vec::new();
    if question.reasoning {
        items.push(thought(question, choice, &ids.next("rs"), stamp));
    }
    let status =
        if matches!(choice.finish, Finish::Length | Finish::ContentFilter) { "incomplete" } else { "completed" };
    let mut message = |part: Value| {
        let id = ids.next("msg");
        json!({"id": id, "type": "message", "status": status, "content": [part], "role": "assistant"})
    };
    match &choice.content {
        Content::Text(tokens) => {
            let logprobs: Vec<Value> =
                if wants_logprobs(question) { tokens.iter().map(|token| logprob(token)).collect() } else { Vec::new() };
            let text = tokens.concat();
            items.push(message(json!({"type": "output_text", "annotations": [], "logprobs": logprobs, "text": text})));
        }
        Content::Refusal(tokens) => items.push(message(json!({"type": "refusal", "refusal": tokens.concat()}))),
        Content::Calls(calls) => {
            for call in calls {
                let id = ids.next("fc");
                let call_id = format!("call_{}", ids.random.token(24));
                items.push(json!({
                    "id": id, "type": "function_call", "status": status, "arguments": call.arguments.concat(),
                    "call_id": call_id, "name": call.name,
                }));
            }
        }
    }
    items
}

fn thought(question: &Question, choice: &Choice, id: &str, stamp: &Stamp) -> Value {
    let summary: Vec<Value> = match choice.thoughts.as_slice() {
        [] => Vec::new(),
        tokens => vec![json!({"type": "summary_text", "text": tokens.concat()})],
    };
    let mut item = json!({"id": id, "type": "reasoning", "summary": summary});
    let encrypted = strings(&question.asked, "/include").iter().any(|name| name == "reasoning.encrypted_content");
    if let Some(fields) = item.as_object_mut().filter(|_| encrypted || is(&question.asked, "/store", false)) {
        let sealed = format!("{ENCRYPTED}{}", signature::issue(PURPOSE, "", &mut stamp.clone()));
        fields.insert("encrypted_content".into(), json!(sealed));
    }
    item
}

pub(super) fn wants_logprobs(question: &Question) -> bool {
    strings(&question.asked, "/include").iter().any(|name| name == "message.output_text.logprobs")
}

pub(super) fn logprob(token: &str) -> Value {
    json!({"token": token, "bytes": token.as_bytes(), "logprob": -0.25, "top_logprobs": []})
}
