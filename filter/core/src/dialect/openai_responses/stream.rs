//! An answer, whole or as a stream: `response.created`, items that begin, grow and end, and the answer again as its last event.
//!
//! The beginning waits for the first thing that the provider says, and the end for the tokens, which most providers tell last. The id
//! is the gateway's own: the provider's names nothing that could be asked for here. One answer is told: this API knows no others.

use alloc::{string::String, vec::Vec};
use core::mem;
use serde_json::value::RawValue;

use super::{
    answer::{Items, logprobs, of},
    carried::Carried,
    object::Object,
    wire::{Body, Echo, Event, WireReason, WireUsage},
};
use crate::{
    chat::{Delta, Finish, Part, Response, Text},
    dialect::{Identity, Writer},
    json,
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct StreamWriter {
    id: String,
    created: u64,
    model: String,
    service_tier: Option<String>,
    echo: String,
    has_begun: bool,
    items: Items,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

/// Writes a whole answer.
pub(super) fn whole(response: &Response<'_>, identity: &Identity) -> Vec<u8> {
    let mut writer = StreamWriter::of(identity, false);
    writer.name(response.model.as_ref(), response.service_tier.as_ref());
    writer.usage = response.usage;
    let out = &mut Vec::new();
    if let Some(choice) = response.choices.first() {
        let mut calls = 0;
        for part in &choice.parts {
            writer.part(part, &mut calls, out);
        }
        if !choice.logprobs.is_empty() {
            writer.items.logprobs(logprobs(&choice.logprobs), out);
        }
        writer.finish = choice.finish;
    }
    writer.items.complete(writer.finish != Some(Finish::Length), out);
    // Strings, numbers and JSON that was read before: nothing here can fail to be written.
    serde_json::to_vec(&writer.body(writer.status())).unwrap_or_default()
}

impl StreamWriter {
    pub(super) fn new(identity: &Identity) -> Self {
        Self::of(identity, true)
    }

    fn of(identity: &Identity, streams: bool) -> Self {
        let Identity { exchange, created, model, echo } = identity;
        Self {
            id: ["resp_", exchange].concat(),
            created: *created,
            model: model.clone(),
            service_tier: None,
            echo: echo.clone(),
            has_begun: false,
            items: Items::new(exchange, echo, streams),
            usage: None,
            finish: None,
        }
    }

    fn name(&mut self, model: Option<&Text<'_>>, service_tier: Option<&Text<'_>>) {
        if let Some(model) = model {
            self.model = String::from(&**model);
        }
        if let Some(tier) = service_tier {
            self.service_tier = Some(String::from(&**tier));
        }
    }

    fn part(&mut self, part: &Part<'_>, calls: &mut u32, out: &mut Vec<u8>) {
        let items = &mut self.items;
        match part {
            Part::Text(part) => {
                if !part.text.is_empty() {
                    items.text(&part.text, out);
                }
                part.citations.iter().for_each(|citation| items.citation(citation, out));
                if let Some(signature) = &part.signature {
                    items.carry(&Carried::OfText(signature.clone()), out);
                }
            }
            Part::Refusal(text) => items.refusal(text, out),
            Part::Image { source, .. } => items.image(source, out),
            Part::Thinking { text, signature } => {
                items.thought(text, out);
                match signature {
                    Some(signature) => items.carry(&Carried::Signature(signature.clone()), out),
                    None => items.end_thought(out),
                }
            }
            Part::RedactedThinking(data) => items.carry(&Carried::Redacted(data.clone()), out),
            Part::ToolCall(call) => {
                items.call(*calls, call, out);
                *calls = calls.saturating_add(1);
            }
            // No model answers with these through the formats that are read today.
            Part::Document { .. } | Part::Audio { .. } | Part::ToolResult(_) => {}
        }
    }

    fn status(&self) -> &'static str {
        match self.finish {
            Some(Finish::Length | Finish::ContentFilter) => "incomplete",
            Some(Finish::Stop | Finish::ToolCalls) | None => "completed",
        }
    }

    fn body(&self, status: &'static str) -> Body<'_> {
        let reason = match self.finish {
            Some(Finish::Length) => Some("max_output_tokens"),
            Some(Finish::ContentFilter) => Some("content_filter"),
            Some(Finish::Stop | Finish::ToolCalls) | None => None,
        };
        Body {
            id: &self.id,
            object: "response",
            created_at: self.created,
            status,
            error: None,
            incomplete_details: reason.map(|reason| WireReason { reason }),
            model: &self.model,
            output: self.items.wire(),
            echo: Echo::of(&self.echo),
            service_tier: self.service_tier.as_deref(),
            usage: self.usage.as_ref().map(WireUsage::of),
        }
    }

    /// An event that repeats the answer as it is now.
    fn repeat(&mut self, kind: &'static str, status: &'static str, out: &mut Vec<u8>) {
        let mut teller = mem::replace(&mut self.items.teller, super::answer::Teller::new(false));
        teller.tell(Event { response: Some(self.body(status)), ..of(kind) }, out);
        self.items.teller = teller;
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !mem::replace(&mut self.has_begun, true) {
            self.repeat("response.created", "in_progress", out);
            self.repeat("response.in_progress", "in_progress", out);
        }
    }
}

impl Writer for StreamWriter {
    fn write(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        if delta.choice().is_some_and(|choice| choice != 0) {
            return;
        }
        if let Delta::Start { model, service_tier, .. } = &delta {
            self.name(model.as_ref(), service_tier.as_ref());
        }
        if let Delta::Usage(usage) = delta {
            self.usage = Some(usage);
            return;
        }
        self.begin(out);
        let items = &mut self.items;
        match delta {
            Delta::Start { .. } | Delta::Usage(_) => {}
            Delta::Text { text, .. } => items.text(&text, out),
            Delta::TextSignature { signature, .. } => items.carry(&Carried::OfText(signature), out),
            Delta::Image { source, .. } => items.image(&source, out),
            Delta::Thinking { text, .. } => items.thought(&text, out),
            Delta::Signature { signature, .. } => items.carry(&Carried::Signature(signature), out),
            Delta::RedactedThinking { data, .. } => items.carry(&Carried::Redacted(data), out),
            Delta::Refusal { text, .. } => items.refusal(&text, out),
            Delta::ToolCall { call, begun, .. } => items.call(call, &begun, out),
            Delta::Arguments { call, json, .. } => items.arguments(call, &json, out),
            Delta::Citation { citation, .. } => items.citation(&citation, out),
            Delta::Logprobs { tokens, .. } => items.logprobs(logprobs(&tokens), out),
            Delta::Finish { reason, .. } => {
                items.complete(reason != Finish::Length, out);
                self.finish = self.finish.or(Some(reason));
            }
            Delta::End => {
                items.complete(true, out);
                let status = self.status();
                let is_whole = status == "completed";
                self.repeat(if is_whole { "response.completed" } else { "response.incomplete" }, status, out);
            }
        }
    }

    fn error(&mut self, body: &[u8], out: &mut Vec<u8>) {
        error_event(body, |event| self.items.teller.tell(event, out));
    }
}

/// The event that says what an error's body does: as it is documented, and as it is sent.
pub(super) fn error_event(body: &[u8], tell: impl FnOnce(Event<'_>)) {
    let text = json::text(body);
    let error = Object::of(&text).get("error");
    let inner = Object::of(error.map_or("", RawValue::get));
    let member = |name| inner.get(name).or(Some(RawValue::NULL));
    let (code, message, param) = (member("code"), member("message"), member("param"));
    tell(Event { code, message, param, error, ..of("error") });
}
