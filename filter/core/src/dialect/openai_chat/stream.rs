//! A streamed answer, written in OpenAI's chunks.
//!
//! Constant memory: what has been sent is forgotten but for a few numbers. Lists in a delta carry an `index`, without which
//! OpenAI's own SDKs refuse to join them.

use alloc::{boxed::Box, format, string::String, vec::Vec};
use serde::Serialize;
use serde_json::value::RawValue;

use super::write::{
    Extra, WireAnnotation, WireCall, WireFunction, WireImage, WireLogprobs, WireThought, WireUsage, annotation, call,
    completion_id, extra, finish_word, image, logprobs, usage,
};
use crate::{
    chat::{Citation, Delta, MAX_CHOICES},
    dialect::{Identity, Writer},
    sse::write_event,
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct StreamWriter {
    id: String,
    created: u64,
    model: String,
    service_tier: Option<String>,
    wants_usage: bool,
    usage: Option<Usage>,
    /// By choice: what has been sent.
    sent: Vec<Sent>,
}

/// What has been sent of one answer.
#[derive(Debug, Default)]
struct Sent {
    role: bool,
    finish: bool,
    /// Thoughts that are complete.
    thoughts: u32,
    /// Whether a piece of the next one was sent.
    thought_is_open: bool,
    annotations: u32,
    citations: u32,
    images: u32,
    /// Characters of text.
    characters: u64,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    system_fingerprint: Option<&'a str>,
    choices: &'a [WireChoice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<WireUsage>,
}

#[derive(Serialize)]
struct WireChoice<'a> {
    index: u32,
    delta: WireDelta<'a>,
    logprobs: Option<WireLogprobs>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize, Default)]
struct WireDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_blocks: Option<[WireThought<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<[WireAnnotation<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    citations: Option<[Box<RawValue>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<[WireImage; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[WireCall<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Extra<'a>>,
}

impl StreamWriter {
    pub(super) fn new(identity: Identity, wants_usage: bool) -> Self {
        Self {
            id: completion_id(&identity.exchange),
            created: identity.created,
            model: identity.model,
            service_tier: None,
            wants_usage,
            usage: None,
            sent: Vec::new(),
        }
    }

    fn sent(&mut self, choice: u32) -> Option<&mut Sent> {
        // A provider that numbers its answers into the sky gets no memory for it.
        let index = usize::try_from(choice).ok().filter(|index| *index < MAX_CHOICES)?;
        if index >= self.sent.len() {
            self.sent.resize_with(index.saturating_add(1), Sent::default);
        }
        self.sent.get_mut(index)
    }

    fn chunk(&self, choices: &[WireChoice<'_>], counted: Option<&Usage>, out: &mut Vec<u8>) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            service_tier: self.service_tier.as_deref(),
            system_fingerprint: None,
            choices,
            usage: counted.map(usage),
        };
        write_event(out, None, &serde_json::to_vec(&chunk).unwrap_or_default());
    }

    fn delta(&mut self, choice: u32, delta: WireDelta<'_>, out: &mut Vec<u8>) {
        self.begin(choice, out);
        self.chunk(&[WireChoice { index: choice, delta, logprobs: None, finish_reason: None }], None, out);
    }

    /// The chunk that says whose turn it is, once.
    fn begin(&mut self, choice: u32, out: &mut Vec<u8>) {
        let Some(sent) = self.sent(choice) else { return };
        if !core::mem::replace(&mut sent.role, true) {
            let delta = WireDelta { role: Some("assistant"), content: Some(""), ..WireDelta::default() };
            self.chunk(&[WireChoice { index: choice, delta, logprobs: None, finish_reason: None }], None, out);
        }
    }

    /// The number of the thought that a piece belongs to.
    fn thought(&mut self, choice: u32, is_end: bool) -> u32 {
        let Some(sent) = self.sent(choice) else { return 0 };
        let index = sent.thoughts;
        sent.thought_is_open = !is_end;
        if is_end {
            sent.thoughts = index.saturating_add(1);
        }
        index
    }

    /// What is thought after something else is another thought, even if the one before it was never signed.
    fn close_thought(&mut self, choice: u32) {
        if self.sent(choice).is_some_and(|sent| sent.thought_is_open) {
            self.thought(choice, true);
        }
    }

    fn thought_delta(&mut self, choice: u32, piece: WireThought<'_>, out: &mut Vec<u8>) {
        let reasoning_content = piece.thinking.filter(|text| !text.is_empty());
        self.delta(
            choice,
            WireDelta { reasoning_content, thinking_blocks: Some([piece]), ..WireDelta::default() },
            out,
        );
    }

    fn citation(&mut self, choice: u32, citation: &Citation<'_>, out: &mut Vec<u8>) {
        let Some(sent) = self.sent(choice) else { return };
        let delta = match annotation(citation, sent.characters) {
            Ok(mut annotation) => {
                annotation.index = Some(sent.annotations);
                sent.annotations = sent.annotations.saturating_add(1);
                WireDelta { annotations: Some([annotation]), ..WireDelta::default() }
            }
            Err(raw) => {
                let Some(piece) = numbered(sent.citations, raw) else { return };
                sent.citations = sent.citations.saturating_add(1);
                WireDelta { citations: Some([piece]), ..WireDelta::default() }
            }
        };
        self.delta(choice, delta, out);
    }
}

impl Writer for StreamWriter {
    fn write(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Start { id, model, service_tier } => {
                if let Some(id) = id {
                    self.id = id.into_owned();
                }
                if let Some(model) = model {
                    self.model = model.into_owned();
                }
                if let Some(tier) = service_tier {
                    self.service_tier = Some(tier.into_owned());
                }
                self.begin(0, out);
            }
            Delta::Text { choice, text } => {
                self.close_thought(choice);
                if let Some(sent) = self.sent(choice) {
                    let characters = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
                    sent.characters = sent.characters.saturating_add(characters);
                }
                self.delta(choice, WireDelta { content: Some(&text), ..WireDelta::default() }, out);
            }
            Delta::Refusal { choice, text } => {
                self.close_thought(choice);
                self.delta(choice, WireDelta { refusal: Some(&text), ..WireDelta::default() }, out);
            }
            Delta::TextSignature { choice, signature } => {
                let extra_content = extra(Some(&signature));
                self.delta(choice, WireDelta { extra_content, ..WireDelta::default() }, out);
            }
            Delta::Image { choice, source } => {
                self.close_thought(choice);
                let Some(sent) = self.sent(choice) else { return };
                let index = Some(sent.images);
                sent.images = sent.images.saturating_add(1);
                let images = Some([image(&source, index)]);
                self.delta(choice, WireDelta { images, ..WireDelta::default() }, out);
            }
            Delta::Thinking { choice, text } => {
                let index = Some(self.thought(choice, false));
                let piece = WireThought { index, kind: "thinking", thinking: Some(&text), signature: None, data: None };
                self.thought_delta(choice, piece, out);
            }
            Delta::Signature { choice, signature } => {
                let index = Some(self.thought(choice, true));
                let (kind, signature) = ("thinking", Some(signature.as_ref()));
                let piece = WireThought { index, kind, thinking: Some(""), signature, data: None };
                self.thought_delta(choice, piece, out);
            }
            Delta::RedactedThinking { choice, data } => {
                // An unsigned thought before it is another one.
                self.close_thought(choice);
                let index = Some(self.thought(choice, true));
                let (kind, data) = ("redacted_thinking", Some(data.as_ref()));
                self.thought_delta(choice, WireThought { index, kind, thinking: None, signature: None, data }, out);
            }
            Delta::ToolCall { choice, call: index, begun } => {
                self.close_thought(choice);
                let wire = call(&begun, Some(index));
                self.delta(choice, WireDelta { tool_calls: Some([wire]), ..WireDelta::default() }, out);
            }
            Delta::Arguments { choice, call: index, json } => {
                let function = WireFunction { name: None, arguments: &json };
                let wire = WireCall { index: Some(index), id: None, kind: None, function, extra_content: None };
                self.delta(choice, WireDelta { tool_calls: Some([wire]), ..WireDelta::default() }, out);
            }
            Delta::Citation { choice, citation } => self.citation(choice, &citation, out),
            Delta::Logprobs { choice, tokens } => {
                self.begin(choice, out);
                let (delta, logprobs) = (WireDelta::default(), logprobs(&tokens));
                self.chunk(&[WireChoice { index: choice, delta, logprobs, finish_reason: None }], None, out);
            }
            Delta::Finish { choice, reason } => {
                self.begin(choice, out);
                // A reason that is said twice is said once.
                if self.sent(choice).is_none_or(|sent| core::mem::replace(&mut sent.finish, true)) {
                    return;
                }
                let finish_reason = Some(finish_word(reason));
                let delta = WireDelta::default();
                self.chunk(&[WireChoice { index: choice, delta, logprobs: None, finish_reason }], None, out);
            }
            Delta::Usage(counted) => self.usage = Some(counted),
            Delta::End => {
                if let Some(counted) = self.usage.take().filter(|_| self.wants_usage) {
                    self.chunk(&[], Some(&counted), out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
        }
    }

    fn error(&mut self, body: &[u8], out: &mut Vec<u8>) {
        write_event(out, None, body);
    }
}

/// A list's piece with its index.
fn numbered(index: u32, raw: &RawValue) -> Option<Box<RawValue>> {
    let members = raw.get().strip_prefix('{')?;
    let comma = if members.trim_start().starts_with('}') { "" } else { "," };
    RawValue::from_string(format!("{{\"index\":{index}{comma}{members}")).ok()
}
