//! A chat completion as stream events.
//!
//! `usage` is null on every event but the last when it was asked for, and absent when not; events are padded by
//! `obfuscation` unless told otherwise (since 2025); the choices of `n` advance together.

use serde::Serialize;
use serde_json::{Value, json};

use super::{FINGERPRINT, Stamp, finish_reason, usage::UsageObject};
use crate::simulate::answer::{Answer, Choice, Content};
use crate::simulate::question::{Question, Streaming};

pub(super) fn write(question: &Question, answer: &Answer, stamp: Stamp) -> Vec<Vec<u8>> {
    let mut writer = StreamWriter::new(question, stamp);
    for (index, choice) in (0..).zip(&answer.choices) {
        writer.open(index, choice);
    }
    let mut deltas: Vec<_> = answer.choices.iter().map(|choice| choice.deltas(&mut writer.stamp).into_iter()).collect();
    loop {
        let round: Vec<_> = (0..).zip(&mut deltas).filter_map(|(index, rest)| Some((index, rest.next()?))).collect();
        if round.is_empty() {
            break;
        }
        for (index, delta) in round {
            writer.event(vec![StreamChoice { index, delta, logprobs: None, finish_reason: None }], None);
        }
    }
    for (index, choice) in (0..).zip(&answer.choices) {
        let finish_reason = Some(finish_reason(choice.finish));
        writer.event(vec![StreamChoice { index, delta: json!({}), logprobs: None, finish_reason }], None);
    }
    if writer.streaming.usage
        && let Some(usage) = answer.usage
    {
        writer.event(Vec::new(), Some(UsageObject::of(usage)));
    }
    writer.events.push(b"data: [DONE]\n\n".to_vec());
    writer.events
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    service_tier: &'static str,
    system_fingerprint: &'static str,
    choices: Vec<StreamChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(clippy::option_option, reason = "absent, null and an object are three things on the wire")]
    usage: Option<Option<UsageObject>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    obfuscation: Option<String>,
}

#[derive(Serialize)]
struct StreamChoice {
    index: usize,
    delta: Value,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

struct StreamWriter<'a> {
    model: &'a str,
    streaming: Streaming,
    id: String,
    stamp: Stamp,
    events: Vec<Vec<u8>>,
}

impl<'a> StreamWriter<'a> {
    fn new(question: &'a Question, mut stamp: Stamp) -> Self {
        let streaming = question.stream.unwrap_or_default();
        Self { model: &question.model, streaming, id: stamp.id(), stamp, events: Vec::new() }
    }

    /// The event that only says who speaks.
    fn open(&mut self, index: usize, choice: &Choice) {
        let delta = match &choice.content {
            Content::Text(_) => json!({"role": "assistant", "content": "", "refusal": null}),
            Content::Refusal(_) => json!({"role": "assistant", "content": null, "refusal": ""}),
            Content::Calls(_) => json!({"role": "assistant", "content": null, "refusal": null}),
        };
        self.event(vec![StreamChoice { index, delta, logprobs: None, finish_reason: None }], None);
    }

    fn event(&mut self, choices: Vec<StreamChoice>, usage: Option<UsageObject>) {
        let padding = self.streaming.padding.then(|| {
            let length = self.stamp.random.below(16);
            self.stamp.random.token(length)
        });
        self.events.push(event(&Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.stamp.created,
            model: self.model,
            service_tier: "default",
            system_fingerprint: FINGERPRINT,
            choices,
            usage: self.streaming.usage.then_some(usage),
            obfuscation: padding,
        }));
    }
}

impl Choice {
    /// What the events after the first say.
    fn deltas(&self, stamp: &mut Stamp) -> Vec<Value> {
        match &self.content {
            Content::Text(tokens) => tokens.iter().map(|token| json!({"content": token})).collect(),
            Content::Refusal(tokens) => tokens.iter().map(|token| json!({"refusal": token})).collect(),
            Content::Calls(calls) => {
                let mut deltas = Vec::new();
                for (index, call) in calls.iter().enumerate() {
                    let name = json!({"name": call.name, "arguments": ""});
                    let id = stamp.call_id();
                    deltas.push(
                        json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": name}]}),
                    );
                    for slice in &call.arguments {
                        deltas.push(json!({"tool_calls": [{"index": index, "function": {"arguments": slice}}]}));
                    }
                }
                deltas
            }
        }
    }
}

/// One framed event.
pub(super) fn event(data: &impl Serialize) -> Vec<u8> {
    let mut bytes = b"data: ".to_vec();
    // Writing plain structs to memory cannot fail.
    let _infallible = serde_json::to_writer(&mut bytes, data);
    bytes.extend_from_slice(b"\n\n");
    bytes
}
