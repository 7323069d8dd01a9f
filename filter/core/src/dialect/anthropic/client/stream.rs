//! A streamed answer: `message_start`, blocks one after the other, `message_delta`, `message_stop`.
//!
//! Blocks do not overlap: what is told comes one after the other, as [`InTurn`](crate::dialect::in_turn) sees to.
//!
//! The beginning waits for the first thing that is said, and the end for the tokens, which most providers tell last: by then the
//! id, the model and the tokens are known as far as they ever are.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::mem;
use serde::Serialize;

use super::{
    super::block::{Block, Cited},
    write::{Ending, WireMessage, WireUsage, call_id, hollow, plain, thought, usage},
};
use crate::{
    chat::{Delta, Finish, Text, ToolCall},
    dialect::{Identity, Writer},
    sse::write_event,
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct StreamWriter {
    id: String,
    model: String,
    service_tier: Option<String>,
    has_begun: bool,
    /// How many blocks have begun.
    blocks: u32,
    open: Option<Open>,
    /// How many calls have begun.
    calls: u32,
    refuses: bool,
    finish: Option<Finish>,
    usage: Usage,
}

/// The block that is open.
#[derive(Debug)]
enum Open {
    Text,
    Refusal,
    Thinking,
    Call(u32),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    MessageStart { message: WireMessage<'a> },
    ContentBlockStart { index: u32, content_block: Block<'a> },
    ContentBlockDelta { index: u32, delta: Piece<'a> },
    ContentBlockStop { index: u32 },
    MessageDelta { delta: Ending, usage: WireUsage<'a> },
    MessageStop,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Piece<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
    #[serde(rename = "citations_delta")]
    Citations { citation: Cited<'a> },
}

impl Event<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let name = match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
        };
        write_event(out, Some(name), &serde_json::to_vec(self).unwrap_or_default());
    }
}

impl StreamWriter {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            id: super::message_id(&identity.exchange),
            model: identity.model,
            service_tier: None,
            has_begun: false,
            blocks: 0,
            open: None,
            calls: 0,
            refuses: false,
            finish: None,
            usage: Usage::default(),
        }
    }

    fn open_text(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Some(Open::Text)) {
            self.start(plain(Cow::Borrowed("")), Some(Open::Text), out);
        }
    }

    fn open_thinking(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Some(Open::Thinking)) {
            self.start(thought("", ""), Some(Open::Thinking), out);
        }
    }

    fn call(&mut self, number: u32, begun: &ToolCall<'_>, out: &mut Vec<u8>) {
        let id = call_id(begun, &self.id, self.calls);
        self.calls = self.calls.saturating_add(1);
        self.start(hollow(id, &begun.name), Some(Open::Call(number)), out);
        if !begun.arguments.is_empty() {
            self.piece(Piece::InputJson { partial_json: &begun.arguments }, out);
        }
    }

    /// Begins a block, and ends it where it is whole.
    fn start(&mut self, content_block: Block<'_>, open: Option<Open>, out: &mut Vec<u8>) {
        self.close(out);
        let index = self.blocks;
        self.blocks = index.saturating_add(1);
        Event::ContentBlockStart { index, content_block }.write(out);
        match open {
            None => Event::ContentBlockStop { index }.write(out),
            open => self.open = open,
        }
    }

    fn piece(&mut self, delta: Piece<'_>, out: &mut Vec<u8>) {
        Event::ContentBlockDelta { index: self.blocks.saturating_sub(1), delta }.write(out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            Event::ContentBlockStop { index: self.blocks.saturating_sub(1) }.write(out);
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !mem::replace(&mut self.has_begun, true) {
            let usage = usage(&self.usage, self.service_tier.as_deref());
            Event::MessageStart { message: WireMessage::of(&self.id, &self.model, usage) }.write(out);
        }
    }
}

impl Writer for StreamWriter {
    fn write(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        if delta.choice().is_some_and(|choice| choice != 0) {
            return;
        }
        // Nothing here has a place for them.
        if matches!(delta, Delta::TextSignature { .. } | Delta::Logprobs { .. }) {
            return;
        }
        if !matches!(delta, Delta::Start { .. } | Delta::Usage(_)) {
            self.begin(out);
        }
        match delta {
            Delta::Start { id, model, service_tier } => {
                let set = |known: &mut String, told: Option<Text<'_>>| {
                    if let Some(told) = told {
                        *known = told.into_owned();
                    }
                };
                set(&mut self.id, id);
                set(&mut self.model, model);
                self.service_tier = service_tier.map(Text::into_owned).or_else(|| self.service_tier.take());
            }
            Delta::Usage(usage) => self.usage = usage,
            Delta::Text { text, .. } => {
                self.open_text(out);
                self.piece(Piece::Text { text: &text }, out);
            }
            Delta::Refusal { text, .. } => {
                self.refuses = true;
                if !matches!(self.open, Some(Open::Refusal)) {
                    self.start(plain(Cow::Borrowed("")), Some(Open::Refusal), out);
                }
                self.piece(Piece::Text { text: &text }, out);
            }
            Delta::Image { source, .. } => {
                self.start(plain(Cow::Borrowed("")), Some(Open::Text), out);
                self.piece(Piece::Text { text: &source.markdown() }, out);
                self.close(out);
            }
            Delta::Citation { citation, .. } => {
                self.open_text(out);
                self.piece(Piece::Citations { citation: Cited::of(&citation) }, out);
            }
            Delta::Thinking { text, .. } => {
                self.open_thinking(out);
                self.piece(Piece::Thinking { thinking: &text }, out);
            }
            Delta::Signature { signature, .. } => {
                self.open_thinking(out);
                self.piece(Piece::Signature { signature: &signature }, out);
                self.close(out);
            }
            Delta::RedactedThinking { data, .. } => self.start(Block::RedactedThinking { data: &data }, None, out),
            Delta::ToolCall { call, begun, .. } => self.call(call, &begun, out),
            Delta::Arguments { call, json, .. } => {
                if matches!(self.open, Some(Open::Call(number)) if number == call) {
                    self.piece(Piece::InputJson { partial_json: &json }, out);
                }
            }
            Delta::TextSignature { .. } | Delta::Logprobs { .. } => {}
            Delta::Finish { reason, .. } => {
                self.close(out);
                self.finish = self.finish.or(Some(reason));
            }
            Delta::End => {
                self.close(out);
                let delta = Ending::of(self.finish.unwrap_or(Finish::Stop), self.calls > 0, self.refuses);
                let usage = usage(&self.usage, None);
                Event::MessageDelta { delta, usage }.write(out);
                Event::MessageStop.write(out);
            }
        }
    }

    fn error(&mut self, body: &[u8], out: &mut Vec<u8>) {
        write_event(out, Some("error"), body);
    }
}
