//! A response as events: it opens, each item opens, grows and closes, it closes.

use serde_json::{Map, Value, json};

use super::{Stamp, output};
use crate::simulate::{
    answer::{Answer, Content},
    dialect::field::{list, string},
    question::Question,
};

/// The events that end in `response`.
pub(super) fn events(response: &Value, answer: &Answer, question: &Question, stamp: &Stamp) -> Vec<Value> {
    let mut writer = Writer {
        events: Vec::new(),
        padding: question.stream.is_some_and(|stream| stream.padding),
        stamp: stamp.clone(),
    };
    let mut open = response.clone();
    output::reopen(&mut open, "in_progress");
    if let Some(fields) = open.as_object_mut() {
        fields.insert("incomplete_details".into(), Value::Null);
    }
    writer.event("response.created", json!({"response": open}));
    writer.event("response.in_progress", json!({"response": open}));
    let choice = answer.choices.first();
    let mut calls = match choice.map(|choice| &choice.content) {
        Some(Content::Calls(calls)) => calls.iter(),
        _ => [].iter(),
    };
    for (index, item) in list(response, "/output").enumerate() {
        let place = Place { item, index, id: string(item, "/id").unwrap_or_default() };
        match string(item, "/type") {
            Some("reasoning") => writer.thought(place, choice.map_or(&[], |choice| &choice.thoughts)),
            Some("function_call") => writer.call(place, calls.next().map_or(&[], |call| &call.arguments)),
            _ => match choice.map(|choice| &choice.content) {
                Some(Content::Text(tokens) | Content::Refusal(tokens)) => {
                    writer.message(place, tokens, output::wants_logprobs(question));
                }
                Some(Content::Calls(_)) | None => {}
            },
        }
    }
    let kind = match string(response, "/status") {
        Some("incomplete") => "response.incomplete",
        _ => "response.completed",
    };
    writer.event(kind, json!({"response": response}));
    writer.events
}

#[derive(Clone, Copy)]
struct Place<'r> {
    item: &'r Value,
    index: usize,
    id: &'r str,
}

struct Writer {
    events: Vec<Value>,
    padding: bool,
    stamp: Stamp,
}

impl Writer {
    fn event(&mut self, kind: &str, fields: Value) {
        let Value::Object(mut fields) = fields else { return };
        fields.insert("type".into(), json!(kind));
        fields.insert("sequence_number".into(), json!(self.events.len()));
        self.events.push(Value::Object(fields));
    }

    fn delta(&mut self, kind: &str, fields: Value) {
        let Value::Object(mut fields) = fields else { return };
        if self.padding {
            let length = self.stamp.random.below(16);
            fields.insert("obfuscation".into(), json!(self.stamp.random.token(length)));
        }
        self.event(kind, Value::Object(fields));
    }

    /// An item as it is before it has any content.
    fn open(&mut self, place: Place<'_>, empty: &[(&str, Value)]) {
        let mut item = place.item.clone();
        if let Some(fields) = item.as_object_mut() {
            fields.extend(empty.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            if let Some(status) = fields.get_mut("status") {
                *status = json!("in_progress");
            }
        }
        self.event("response.output_item.added", json!({"output_index": place.index, "item": item}));
    }

    fn close(&mut self, place: Place<'_>) {
        self.event("response.output_item.done", json!({"output_index": place.index, "item": place.item}));
    }

    fn thought(&mut self, place: Place<'_>, tokens: &[String]) {
        self.open(place, &[("summary", json!([]))]);
        let at = json!({"item_id": place.id, "output_index": place.index, "summary_index": 0});
        if !tokens.is_empty() {
            let part = |text: &str| json!({"type": "summary_text", "text": text});
            self.event("response.reasoning_summary_part.added", with(&at, &[("part", part(""))]));
            for token in tokens {
                self.delta("response.reasoning_summary_text.delta", with(&at, &[("delta", json!(token))]));
            }
            let text = tokens.concat();
            self.event("response.reasoning_summary_text.done", with(&at, &[("text", json!(text))]));
            self.event("response.reasoning_summary_part.done", with(&at, &[("part", part(&text))]));
        }
        self.close(place);
    }

    fn call(&mut self, place: Place<'_>, slices: &[String]) {
        self.open(place, &[("arguments", json!(""))]);
        let at = json!({"item_id": place.id, "output_index": place.index});
        for slice in slices {
            self.delta("response.function_call_arguments.delta", with(&at, &[("delta", json!(slice))]));
        }
        let whole = [("arguments", json!(slices.concat()))];
        self.event("response.function_call_arguments.done", with(&at, &whole));
        self.close(place);
    }

    fn message(&mut self, place: Place<'_>, tokens: &[String], logprobs: bool) {
        self.open(place, &[("content", json!([]))]);
        let at = json!({"item_id": place.id, "output_index": place.index, "content_index": 0});
        let part = place.item.pointer("/content/0").cloned().unwrap_or_default();
        let mut empty = part.clone();
        for (name, nothing) in [("text", json!("")), ("refusal", json!("")), ("logprobs", json!([]))] {
            if let Some(field) = empty.get_mut(name) {
                *field = nothing;
            }
        }
        self.event("response.content_part.added", with(&at, &[("part", empty)]));
        let refuses = string(&part, "/type") == Some("refusal");
        for token in tokens {
            let delta = with(&at, &[("delta", json!(token))]);
            if refuses {
                self.delta("response.refusal.delta", delta);
            } else {
                let logprobs = if logprobs { vec![output::logprob(token)] } else { Vec::new() };
                self.delta("response.output_text.delta", with(&delta, &[("logprobs", json!(logprobs))]));
            }
        }
        if refuses {
            self.event("response.refusal.done", with(&at, &[("refusal", json!(tokens.concat()))]));
        } else {
            let logprobs = part.get("logprobs").cloned().unwrap_or_default();
            let whole = [("text", json!(tokens.concat())), ("logprobs", logprobs)];
            self.event("response.output_text.done", with(&at, &whole));
        }
        self.event("response.content_part.done", with(&at, &[("part", part)]));
        self.close(place);
    }
}

/// An object with more fields.
fn with(object: &Value, more: &[(&str, Value)]) -> Value {
    let fields = object.as_object().cloned().unwrap_or_default();
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Value::Object(fields.into_iter().chain(more).collect::<Map<String, Value>>())
}
