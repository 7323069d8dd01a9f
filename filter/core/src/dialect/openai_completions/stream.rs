//! A streamed answer. What has been sent is forgotten but for how long it is.

use alloc::{borrow::Cow, string::String, vec::Vec};

use super::write::{Completion, OBJECT, WireChoice, characters, finish, id, logprobs};
use crate::{
    chat::{Delta, MAX_CHOICES},
    dialect::{Identity, Writer, openai_chat::write::usage},
    sse::write_event,
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct StreamWriter {
    id: String,
    created: u64,
    model: String,
    wants_usage: bool,
    usage: Option<Usage>,
    /// By choice.
    sent: Vec<Sent>,
}

/// What has been sent of one answer.
#[derive(Debug, Default, Clone)]
struct Sent {
    /// Characters whose log probabilities have been told.
    told: u64,
    is_over: bool,
}

impl StreamWriter {
    pub(super) fn new(identity: Identity, wants_usage: bool) -> Self {
        let Identity { exchange, created, model, .. } = identity;
        Self { id: id(&exchange), created, model, wants_usage, usage: None, sent: Vec::new() }
    }

    fn sent(&mut self, choice: u32) -> Option<&mut Sent> {
        // A provider that numbers its answers into the sky gets no memory for it.
        let index = usize::try_from(choice).ok().filter(|index| *index < MAX_CHOICES)?;
        if index >= self.sent.len() {
            self.sent.resize(index.saturating_add(1), Sent::default());
        }
        self.sent.get_mut(index)
    }

    fn chunk(&self, choices: &[WireChoice<'_>], counted: Option<&Usage>, out: &mut Vec<u8>) {
        let chunk = Completion {
            id: &self.id,
            object: OBJECT,
            created: self.created,
            model: &self.model,
            choices,
            usage: counted.map(usage),
        };
        // Strings, numbers and maps with string names: nothing here can fail to be written.
        write_event(out, None, &serde_json::to_vec(&chunk).unwrap_or_default());
    }

    fn say(&self, index: u32, text: &str, out: &mut Vec<u8>) {
        self.chunk(&[WireChoice { text: Cow::Borrowed(text), index, logprobs: None, finish_reason: None }], None, out);
    }
}

impl Writer for StreamWriter {
    fn write(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        match delta {
            Delta::Start { id, model, .. } => {
                if let Some(id) = id {
                    self.id = id.into_owned();
                }
                if let Some(model) = model {
                    self.model = model.into_owned();
                }
            }
            Delta::Text { choice, text } | Delta::Refusal { choice, text } => self.say(choice, &text, out),
            Delta::Image { choice, source } => self.say(choice, &source.markdown(), out),
            Delta::Logprobs { choice, tokens } => {
                let Some(sent) = self.sent(choice) else { return };
                let begin = sent.told;
                sent.told = tokens.iter().fold(begin, |told, token| told.saturating_add(characters(&token.token)));
                let logprobs = logprobs(&tokens, begin);
                let text = Cow::Borrowed("");
                self.chunk(&[WireChoice { text, index: choice, logprobs, finish_reason: None }], None, out);
            }
            Delta::Finish { choice, reason } => {
                // A reason that is said twice is said once.
                if self.sent(choice).is_none_or(|sent| core::mem::replace(&mut sent.is_over, true)) {
                    return;
                }
                let (text, finish_reason) = (Cow::Borrowed(""), Some(finish(reason)));
                self.chunk(&[WireChoice { text, index: choice, logprobs: None, finish_reason }], None, out);
            }
            Delta::Usage(counted) => self.usage = Some(counted),
            Delta::End => {
                if let Some(counted) = self.usage.take().filter(|_| self.wants_usage) {
                    self.chunk(&[], Some(&counted), out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            Delta::TextSignature { .. }
            | Delta::Thinking { .. }
            | Delta::Signature { .. }
            | Delta::RedactedThinking { .. }
            | Delta::ToolCall { .. }
            | Delta::Arguments { .. }
            | Delta::Citation { .. } => {}
        }
    }

    fn error(&mut self, body: &[u8], out: &mut Vec<u8>) {
        write_event(out, None, body);
    }
}
