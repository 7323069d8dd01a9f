//! A streamed answer: `message_start`, blocks one after the other, `message_delta`, `message_stop`.
//!
//! Blocks do not overlap. Where a provider goes on with one call after it has begun the next, what does not belong to the open call
//! waits until that one's arguments are a whole object: providers that tell one call after the other, which is what they do, are
//! told without delay. What waits is bounded; beyond the bound the open call is taken for complete.
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
    chat::{Citation, Delta, Finish, Text, ToolCall},
    dialect::{Identity, Writer},
    sse::{Elements, write_event},
    usage::Usage,
};

/// Most bytes that wait for the end of a call.
const MAX_WAITING: usize = 1024 * 1024;

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
    waiting: Vec<Said<'static>>,
    waiting_bytes: usize,
    finish: Option<Finish>,
    usage: Usage,
}

/// The block that is open.
#[derive(Debug)]
enum Open {
    Text,
    Refusal,
    Thinking,
    Call { number: u32, arguments: Arguments },
}

/// Something of an answer that stands in a block.
#[derive(Debug)]
enum Said<'a> {
    Text(Text<'a>),
    Refusal(Text<'a>),
    /// A text that stands alone.
    Apart(Text<'a>),
    Citation(Citation<'a>),
    Thinking(Text<'a>),
    Signature(Text<'a>),
    Redacted(Text<'a>),
    Call(u32, ToolCall<'a>),
    Arguments(u32, Text<'a>),
}

impl Said<'_> {
    /// The same, for when its event is gone; `None` of what is said in Anthropic's own words, which Anthropic alone does.
    fn into_owned(self) -> Option<Said<'static>> {
        let own = |text: Text<'_>| Text::Owned(text.into_owned());
        Some(match self {
            Self::Text(text) => Said::Text(own(text)),
            Self::Refusal(text) => Said::Refusal(own(text)),
            Self::Apart(text) => Said::Apart(own(text)),
            Self::Citation(Citation::Url { url, title, span }) => {
                Said::Citation(Citation::Url { url: own(url), title: title.map(own), span })
            }
            Self::Citation(Citation::Document(_)) => return None,
            Self::Thinking(text) => Said::Thinking(own(text)),
            Self::Signature(signature) => Said::Signature(own(signature)),
            Self::Redacted(data) => Said::Redacted(own(data)),
            Self::Call(number, ToolCall { id, name, arguments, signature }) => {
                let (id, name, arguments) = (own(id), own(name), own(arguments));
                Said::Call(number, ToolCall { id, name, arguments, signature: signature.map(own) })
            }
            Self::Arguments(number, json) => Said::Arguments(number, own(json)),
        })
    }

    /// How much of memory it takes, about.
    fn length(&self) -> usize {
        let length = match self {
            Self::Text(text)
            | Self::Refusal(text)
            | Self::Apart(text)
            | Self::Thinking(text)
            | Self::Signature(text)
            | Self::Redacted(text)
            | Self::Arguments(_, text) => text.len(),
            Self::Call(_, call) => call.arguments.len(),
            Self::Citation(_) => 0,
        };
        length.saturating_add(size_of::<Self>())
    }
}

/// How far the arguments of a call have come.
#[derive(Debug, Default)]
struct Arguments {
    elements: Elements,
    are_whole: bool,
}

impl Arguments {
    fn add(&mut self, json: &str) {
        self.are_whole |= self.elements.end(json.as_bytes()).is_some();
    }
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
            waiting: Vec::new(),
            waiting_bytes: 0,
            finish: None,
            usage: Usage::default(),
        }
    }

    /// Tells what is said, or keeps it until the open call is complete.
    fn say(&mut self, said: Said<'_>, out: &mut Vec<u8>) {
        self.begin(out);
        if !self.must_wait(&said) {
            self.tell(said, out);
        } else if let Some(said) = said.into_owned() {
            self.waiting_bytes = self.waiting_bytes.saturating_add(said.length());
            self.waiting.push(said);
            if self.waiting_bytes > MAX_WAITING {
                self.close(out);
            }
        }
        let is_going = matches!(&self.open, Some(Open::Call { arguments, .. }) if !arguments.are_whole);
        if !is_going {
            self.say_what_waits(out);
        }
    }

    fn say_what_waits(&mut self, out: &mut Vec<u8>) {
        self.waiting_bytes = 0;
        for said in mem::take(&mut self.waiting) {
            self.say(said, out);
        }
    }

    fn must_wait(&self, said: &Said<'_>) -> bool {
        match (&self.open, said) {
            (Some(Open::Call { number, .. }), Said::Arguments(call, _)) if call == number => false,
            (Some(Open::Call { arguments, .. }), _) => !arguments.are_whole,
            (Some(Open::Text | Open::Refusal | Open::Thinking) | None, _) => false,
        }
    }

    fn tell(&mut self, said: Said<'_>, out: &mut Vec<u8>) {
        match said {
            Said::Text(text) => {
                self.open_text(out);
                self.piece(Piece::Text { text: &text }, out);
            }
            Said::Refusal(text) => {
                if !matches!(self.open, Some(Open::Refusal)) {
                    self.start(plain(Cow::Borrowed("")), Some(Open::Refusal), out);
                }
                self.piece(Piece::Text { text: &text }, out);
            }
            Said::Apart(text) => {
                self.start(plain(Cow::Borrowed("")), Some(Open::Text), out);
                self.piece(Piece::Text { text: &text }, out);
                self.close(out);
            }
            Said::Citation(citation) => {
                self.open_text(out);
                self.piece(Piece::Citations { citation: Cited::of(&citation) }, out);
            }
            Said::Thinking(text) => {
                self.open_thinking(out);
                self.piece(Piece::Thinking { thinking: &text }, out);
            }
            Said::Signature(signature) => {
                self.open_thinking(out);
                self.piece(Piece::Signature { signature: &signature }, out);
                self.close(out);
            }
            Said::Redacted(data) => self.start(Block::RedactedThinking { data: &data }, None, out),
            Said::Call(call, begun) => self.call(call, &begun, out),
            Said::Arguments(call, json) => {
                if let Some(Open::Call { number, arguments }) = &mut self.open
                    && *number == call
                {
                    arguments.add(&json);
                    self.piece(Piece::InputJson { partial_json: &json }, out);
                }
            }
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
        let mut arguments = Arguments::default();
        arguments.add(&begun.arguments);
        self.start(hollow(id, &begun.name), Some(Open::Call { number, arguments }), out);
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

    /// Nothing more is said.
    fn complete(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.close(out);
        while !self.waiting.is_empty() {
            self.say_what_waits(out);
            self.close(out);
        }
    }
}

impl Writer for StreamWriter {
    fn write(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        if delta.choice().is_some_and(|choice| choice != 0) {
            return;
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
            Delta::Text { text, .. } => self.say(Said::Text(text), out),
            Delta::Refusal { text, .. } => {
                self.refuses = true;
                self.say(Said::Refusal(text), out);
            }
            Delta::Image { source, .. } => self.say(Said::Apart(Cow::Owned(source.markdown())), out),
            Delta::Citation { citation, .. } => self.say(Said::Citation(citation), out),
            Delta::Thinking { text, .. } => self.say(Said::Thinking(text), out),
            Delta::Signature { signature, .. } => self.say(Said::Signature(signature), out),
            Delta::RedactedThinking { data, .. } => self.say(Said::Redacted(data), out),
            Delta::ToolCall { call, begun, .. } => self.say(Said::Call(call, begun), out),
            Delta::Arguments { call, json, .. } => self.say(Said::Arguments(call, json), out),
            // Nothing here has a place for them.
            Delta::TextSignature { .. } | Delta::Logprobs { .. } => {}
            Delta::Finish { reason, .. } => {
                self.complete(out);
                self.finish = self.finish.or(Some(reason));
            }
            Delta::End => {
                self.complete(out);
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
