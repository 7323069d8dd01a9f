//! The steps of an answer for formats whose blocks do not overlap.
//!
//! Where a provider goes on with one call after it has begun the next, what does not belong to the open call waits until that one's
//! arguments are a whole object: providers that tell one call after the other, which is what they do, are told without delay. What
//! waits is bounded in bytes and in number, and beyond that the stream ends in an error: a call cut short would be one that the client
//! executes.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

use super::{Writer, arguments::Arguments};
use crate::{
    chat::{Citation, Delta, Source, Text, TokenLogprob, ToolCall},
    error::{Error, Kind, Shape},
};

/// Most bytes that wait for the end of a call.
const MAX_WAITING_BYTES: usize = 1024 * 1024;

/// Most steps that wait for it. Each piece of a waiting call looks for it among them.
const MAX_WAITING: usize = 512;

/// Writes one thing after the other of the first answer, of those who write only that.
pub(super) struct InTurn {
    writer: Box<dyn Writer>,
    shape: Shape,
    /// The call that was begun last, and how far its arguments have come.
    open: Option<(u32, Arguments)>,
    /// In order; a call with what has come of its arguments.
    waiting: VecDeque<Delta<'static>>,
    bytes: usize,
    /// Whether more came than can wait: the error is written, and nothing follows.
    has_failed: bool,
}

impl InTurn {
    pub(super) fn new(writer: Box<dyn Writer>, shape: Shape) -> Self {
        Self { writer, shape, open: None, waiting: VecDeque::new(), bytes: 0, has_failed: false }
    }

    fn tell(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        match (&delta, &mut self.open) {
            (Delta::ToolCall { call, begun, .. }, open) => {
                let mut arguments = Arguments::default();
                arguments.add(&begun.arguments);
                *open = Some((*call, arguments));
            }
            (Delta::Arguments { call, json, .. }, Some((number, arguments))) if call == number => arguments.add(json),
            _ => {}
        }
        self.writer.write(delta, out);
    }

    /// Whether more must come of the open call.
    fn is_in_call(&self) -> bool {
        self.open.as_ref().is_some_and(|(_, arguments)| !arguments.are_whole)
    }

    fn keep(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        let mut more = text_length(&delta);
        match (delta, self.waiting.back_mut()) {
            (Delta::Arguments { call, json, .. }, _) => {
                let begun = self.waiting.iter_mut().rev().find_map(|waiting| {
                    if let Delta::ToolCall { call: number, begun, .. } = waiting
                        && *number == call
                    {
                        return Some(begun);
                    }
                    None
                });
                match begun {
                    Some(begun) => begun.arguments.to_mut().push_str(&json),
                    None => more = 0,
                }
            }
            (Delta::Text { text: said, .. }, Some(Delta::Text { text, .. }))
            | (Delta::Thinking { text: said, .. }, Some(Delta::Thinking { text, .. })) => text.to_mut().push_str(&said),
            (delta, _) => match owned(delta) {
                Some(delta) => {
                    more = length(&delta);
                    self.waiting.push_back(delta);
                }
                None => more = 0,
            },
        }
        self.bytes = self.bytes.saturating_add(more);
        if self.bytes > MAX_WAITING_BYTES || self.waiting.len() > MAX_WAITING {
            self.has_failed = true;
            self.waiting = VecDeque::new();
            let message = "The provider told more calls at once than can be told one after the other.";
            self.writer.error(&Error::new(Kind::BadUpstream, message).body(self.shape), out);
        }
    }
}

impl Writer for InTurn {
    fn write(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        if self.has_failed || delta.choice().is_some_and(|choice| choice != 0) {
            return;
        }
        let is_end = matches!(delta, Delta::Finish { .. } | Delta::End);
        if is_end {
            // What waits is as whole as it gets.
            while let Some(delta) = self.waiting.pop_front() {
                self.tell(delta, out);
            }
            (self.open, self.bytes) = (None, 0);
        }
        let is_of_open = match (&delta, &self.open) {
            (Delta::Arguments { call, .. }, Some((number, _))) => call == number,
            _ => false,
        };
        if delta.choice().is_some() && self.is_in_call() && !is_of_open {
            self.keep(delta, out);
            return;
        }
        self.tell(delta, out);
        while !self.is_in_call()
            && let Some(delta) = self.waiting.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(length(&delta));
            self.tell(delta, out);
        }
    }

    fn error(&mut self, body: &[u8], out: &mut Vec<u8>) {
        self.writer.error(body, out);
    }
}

/// How much of memory a step that waits takes, about.
fn length(delta: &Delta<'_>) -> usize {
    text_length(delta).saturating_add(size_of::<Delta<'_>>())
}

/// How much of that is what it says.
fn text_length(delta: &Delta<'_>) -> usize {
    match delta {
        Delta::Text { text, .. }
        | Delta::TextSignature { signature: text, .. }
        | Delta::Thinking { text, .. }
        | Delta::Signature { signature: text, .. }
        | Delta::RedactedThinking { data: text, .. }
        | Delta::Refusal { text, .. }
        | Delta::Arguments { json: text, .. }
        | Delta::Image { source: Source::Url(text) | Source::File(text) | Source::Data { base64: text, .. }, .. }
        | Delta::ToolCall { begun: ToolCall { arguments: text, .. }, .. } => text.len(),
        Delta::Logprobs { tokens, .. } => size_of_val(tokens.as_slice()).saturating_mul(4),
        Delta::Start { .. } | Delta::Citation { .. } | Delta::Finish { .. } | Delta::Usage(_) | Delta::End => 0,
    }
}

/// The same, for when its event is gone; `None` of what is said in a provider's own words, and of what never waits.
fn owned(delta: Delta<'_>) -> Option<Delta<'static>> {
    let own = |text: Text<'_>| Text::Owned(text.into_owned());
    Some(match delta {
        Delta::Text { choice, text } => Delta::Text { choice, text: own(text) },
        Delta::TextSignature { choice, signature } => Delta::TextSignature { choice, signature: own(signature) },
        Delta::Thinking { choice, text } => Delta::Thinking { choice, text: own(text) },
        Delta::Signature { choice, signature } => Delta::Signature { choice, signature: own(signature) },
        Delta::RedactedThinking { choice, data } => Delta::RedactedThinking { choice, data: own(data) },
        Delta::Refusal { choice, text } => Delta::Refusal { choice, text: own(text) },
        Delta::Arguments { choice, call, json } => Delta::Arguments { choice, call, json: own(json) },
        Delta::Image { choice, source } => {
            let source = match source {
                Source::Url(url) => Source::Url(own(url)),
                Source::File(id) => Source::File(own(id)),
                Source::Data { media_type, base64 } => {
                    Source::Data { media_type: own(media_type), base64: own(base64) }
                }
            };
            Delta::Image { choice, source }
        }
        Delta::ToolCall { choice, call, begun: ToolCall { id, name, arguments, signature } } => {
            let (id, name, arguments) = (own(id), own(name), own(arguments));
            Delta::ToolCall { choice, call, begun: ToolCall { id, name, arguments, signature: signature.map(own) } }
        }
        Delta::Citation { choice, citation: Citation::Url { url, title, span } } => {
            Delta::Citation { choice, citation: Citation::Url { url: own(url), title: title.map(own), span } }
        }
        Delta::Logprobs { choice, tokens } => {
            let token = |TokenLogprob { token, logprob, top }: TokenLogprob<'_>| TokenLogprob {
                token: own(token),
                logprob,
                top: top.into_iter().map(|(token, logprob)| (own(token), logprob)).collect(),
            };
            Delta::Logprobs { choice, tokens: tokens.into_iter().map(token).collect() }
        }
        Delta::Citation { citation: Citation::Document(_), .. }
        | Delta::Start { .. }
        | Delta::Finish { .. }
        | Delta::Usage(_)
        | Delta::End => return None,
    })
}
