//! An answer, whole or as a stream: `response.created`, items that begin, grow and end, and the answer again as its last event.
//!
//! The beginning waits for the first thing that the provider says, and the end for the tokens, which most providers tell last. The id
//! is the gateway's own: the provider's names nothing that could be asked for here. One answer is told: this API knows no others.

use alloc::{string::String, vec::Vec};
use core::mem;
use serde_json::value::RawValue;

use super::{
    answer::{Items, Teller, of},
    carried::Carried,
    echo::split,
    wire::{Body, Event, WireReason, WireUsage},
};
use crate::{
    chat::{Delta, Finish, Part, Response, Text},
    dialect::{Identity, Writer, object::Object, openai_chat::token_logprobs},
    error::{Error, Kind, Shape},
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
    /// What is repeated of the request, as an object.
    echo: String,
    has_begun: bool,
    /// Whether more was said than can be told: the error is written, and nothing follows.
    has_failed: bool,
    items: Items,
    /// How many events were told.
    sequence: u64,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

/// Writes a whole answer.
pub(super) fn whole(response: &Response<'_>, identity: &Identity) -> Vec<u8> {
    let mut writer = StreamWriter::new(identity.clone());
    writer.name(response.model.as_ref(), response.service_tier.as_ref());
    writer.usage = response.usage;
    let tell = &mut Teller { sequence: &mut 0, out: None };
    if let Some(choice) = response.choices.first() {
        let mut calls = 0;
        for part in &choice.parts {
            writer.part(part, &mut calls, tell);
        }
        if !choice.logprobs.is_empty() {
            writer.items.logprobs(token_logprobs(&choice.logprobs), tell);
        }
        writer.finish = choice.finish;
    }
    writer.complete(tell);
    writer.body(writer.status())
}

impl StreamWriter {
    pub(super) fn new(identity: Identity) -> Self {
        let Identity { exchange, created, model, echo } = identity;
        let (custom, echo) = split(echo);
        Self {
            id: ["resp_", &exchange].concat(),
            created,
            model,
            service_tier: None,
            echo,
            has_begun: false,
            has_failed: false,
            items: Items::new(exchange, custom),
            sequence: 0,
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

    fn part(&mut self, part: &Part<'_>, calls: &mut u32, tell: &mut Teller<'_>) {
        let items = &mut self.items;
        match part {
            Part::Text(part) => {
                items.text(&part.text, tell);
                part.citations.iter().for_each(|citation| items.citation(citation, tell));
                if let Some(signature) = &part.signature {
                    items.carry(&Carried::OfText(signature.clone()), tell);
                }
            }
            Part::Refusal(text) => items.refusal(text, tell),
            Part::Image { source, .. } => items.image(source, tell),
            Part::Thinking { text, signature } => {
                items.thought(text, tell);
                match signature {
                    Some(signature) => items.carry(&Carried::Signature(signature.clone()), tell),
                    None => items.end_thought(tell),
                }
            }
            Part::RedactedThinking(data) => items.carry(&Carried::Redacted(data.clone()), tell),
            Part::ToolCall(call) => {
                items.call(*calls, call, tell);
                *calls = calls.saturating_add(1);
            }
            // No model answers with these through the formats that are read today.
            Part::Document { .. } | Part::Audio { .. } | Part::ToolResult(_) => {}
        }
    }

    /// Nothing more is said. What was open when the answer was cut is cut, too.
    fn complete(&mut self, tell: &mut Teller<'_>) {
        self.items.complete(self.reason().is_none(), tell);
    }

    /// Why the answer is not whole.
    fn reason(&self) -> Option<&'static str> {
        match self.finish {
            Some(Finish::Length) => Some("max_output_tokens"),
            Some(Finish::ContentFilter) => Some("content_filter"),
            Some(Finish::Stop | Finish::ToolCalls) | None => None,
        }
    }

    fn status(&self) -> &'static str {
        if self.reason().is_some() { "incomplete" } else { "completed" }
    }

    fn body(&self, status: &'static str) -> Vec<u8> {
        let body = Body {
            id: &self.id,
            object: "response",
            created_at: self.created,
            status,
            error: None,
            incomplete_details: self.reason().map(|reason| WireReason { reason }),
            model: &self.model,
            output: self.items.wire(),
            service_tier: self.service_tier.as_deref(),
            usage: self.usage.as_ref().map(WireUsage::of),
        };
        // Strings, numbers and JSON that was read before: nothing here can fail to be written.
        let mut body = serde_json::to_vec(&body).unwrap_or_default();
        if let Some(members) = self.echo.strip_prefix('{').filter(|members| members.starts_with('"')) {
            body.pop();
            body.push(b',');
            body.extend_from_slice(members.as_bytes());
        }
        body
    }
}

impl Writer for StreamWriter {
    fn write(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        if self.has_failed || delta.choice().is_some_and(|choice| choice != 0) {
            return;
        }
        if let Delta::Start { model, service_tier, .. } = &delta {
            self.name(model.as_ref(), service_tier.as_ref());
        }
        if let Delta::Usage(usage) = delta {
            self.usage = Some(usage);
            return;
        }
        let mut sequence = self.sequence;
        let tell = &mut Teller { sequence: &mut sequence, out: Some(out) };
        if !mem::replace(&mut self.has_begun, true) {
            let body = self.body("in_progress");
            tell.repeat("response.created", &body);
            tell.repeat("response.in_progress", &body);
        }
        let items = &mut self.items;
        match delta {
            Delta::Start { .. } | Delta::Usage(_) => {}
            Delta::Text { text, .. } => items.text(&text, tell),
            Delta::TextSignature { signature, .. } => items.carry(&Carried::OfText(signature), tell),
            Delta::Image { source, .. } => items.image(&source, tell),
            Delta::Thinking { text, .. } => items.thought(&text, tell),
            Delta::Signature { signature, .. } => items.carry(&Carried::Signature(signature), tell),
            Delta::RedactedThinking { data, .. } => items.carry(&Carried::Redacted(data), tell),
            Delta::Refusal { text, .. } => items.refusal(&text, tell),
            Delta::ToolCall { call, begun, .. } => items.call(call, &begun, tell),
            Delta::Arguments { call, json, .. } => items.arguments(call, &json, tell),
            Delta::Citation { citation, .. } => items.citation(&citation, tell),
            Delta::Logprobs { tokens, .. } => items.logprobs(token_logprobs(&tokens), tell),
            // Sources may come behind it: the end is the end.
            Delta::Finish { reason, .. } => self.finish = self.finish.or(Some(reason)),
            Delta::End => {
                self.complete(tell);
                let status = self.status();
                let is_whole = status == "completed";
                let kind = if is_whole { "response.completed" } else { "response.incomplete" };
                tell.repeat(kind, &self.body(status));
            }
        }
        self.sequence = sequence;
        if self.items.is_too_much() {
            self.has_failed = true;
            self.items.forget();
            let message = "The provider told more, or more calls at once, than one answer can hold.";
            self.error(&Error::new(Kind::BadUpstream, message).body(Shape::OpenAi), out);
        }
    }

    fn error(&mut self, body: &[u8], out: &mut Vec<u8>) {
        error_event(body, |event| Teller { sequence: &mut self.sequence, out: Some(out) }.tell(event));
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
