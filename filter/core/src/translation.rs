//! An answer whose format is not the client's: read into the canonical chat, written in the client's format.
//!
//! A stream is translated step by step: nothing waits for a later event, and memory does not grow with the answer.

use alloc::{boxed::Box, string::String, vec::Vec};

use crate::{
    chat::{Delta, Fault, Finish},
    dialect::{Downstream, Identity, Malformed, Reader, Upstream, Writer},
    error::{Error, Shape},
    passage::{Conduit, Failure, Seen},
    sse::Frame,
    usage::Usage,
};

/// A stream being translated.
#[derive(Debug)]
pub(crate) struct Translation {
    reader: Box<dyn Reader>,
    writer: Box<dyn Writer>,
    downstream: &'static dyn Downstream,
    provider: String,
    usage: Option<Usage>,
    /// Why the answer ended, for an end that the provider does not say itself.
    finish: Option<Finish>,
    is_over: bool,
}

impl Translation {
    pub(crate) fn new(
        upstream: &dyn Upstream,
        downstream: &'static dyn Downstream,
        provider: &str,
        identity: Identity,
        wants_usage: bool,
    ) -> Self {
        Self {
            reader: upstream.reader(),
            writer: downstream.writer(identity, wants_usage),
            downstream,
            provider: provider.into(),
            usage: None,
            finish: None,
            is_over: false,
        }
    }
}

/// Whether a step carries something that a client could show, or ends the answer.
fn is_content(delta: &Delta<'_>) -> bool {
    match delta {
        Delta::Start { .. }
        | Delta::Usage(_)
        | Delta::Signature { .. }
        | Delta::TextSignature { .. }
        | Delta::Fault(_)
        | Delta::End => false,
        Delta::Text { text, .. }
        | Delta::Thinking { text, .. }
        | Delta::Refusal { text, .. }
        | Delta::Arguments { json: text, .. } => !text.is_empty(),
        Delta::RedactedThinking { .. }
        | Delta::Image { .. }
        | Delta::ToolCall { .. }
        | Delta::Citation { .. }
        | Delta::Logprobs { .. }
        | Delta::Finish { .. } => true,
    }
}

impl Conduit for Translation {
    fn pass(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Seen {
        if self.is_over {
            return Seen::Preamble;
        }
        let Self { reader, writer, usage, finish, is_over, .. } = self;
        let (mut fault, mut content): (Option<Fault>, bool) = (None, false);
        let read = reader.read(frame, &mut |delta| {
            if fault.is_some() {
                return;
            }
            content |= is_content(&delta);
            match &delta {
                Delta::Usage(counted) => *usage = Some(*counted),
                Delta::Finish { reason, .. } => *finish = Some(*reason),
                // Without a reason it is a cut that looks like an end.
                Delta::End if finish.is_none() => return,
                Delta::End => *is_over = true,
                Delta::Fault(said) => {
                    fault = Some(said.clone());
                    return;
                }
                Delta::Start { .. }
                | Delta::Text { .. }
                | Delta::Thinking { .. }
                | Delta::Signature { .. }
                | Delta::TextSignature { .. }
                | Delta::Image { .. }
                | Delta::RedactedThinking { .. }
                | Delta::Refusal { .. }
                | Delta::ToolCall { .. }
                | Delta::Arguments { .. }
                | Delta::Citation { .. }
                | Delta::Logprobs { .. } => {}
            }
            writer.write(delta, out);
        });
        match (read, fault) {
            (Err(Malformed), _) => Seen::Malformed,
            (Ok(()), Some(fault)) => {
                let (status, body) = self.downstream.fault(&self.provider, &fault);
                Seen::Failure(self.tell(status, body))
            }
            (Ok(()), None) if content => Seen::Content,
            (Ok(()), None) => Seen::Preamble,
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.is_over && self.finish.is_some() {
            self.writer.write(Delta::End, out);
            self.is_over = true;
        }
        self.is_over
    }

    fn failure(&mut self, error: &Error) -> Failure {
        self.tell(error.kind.status(), error.body(Shape::OpenAi))
    }

    fn is_verbatim(&self) -> bool {
        false
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }
}

impl Translation {
    fn tell(&mut self, status: u16, body: Vec<u8>) -> Failure {
        let mut event = Vec::new();
        self.writer.error(&body, &mut event);
        Failure { status, body, event }
    }
}
