//! A streamed answer: each event is an answer of its own, with what is new in it.
//!
//! No event says that nothing follows, and counts or sources may come behind the reason why it ended: the end of the stream is
//! the end. Memory is constant: a few numbers an answer.

use alloc::{borrow::Cow, string::String, vec::Vec};

use super::{
    citation, fault,
    partial::Document,
    response::{Answer, Candidate, Piece, WireCall, call_id, compact, model, refusal},
    usage::{self, Counts},
};
use crate::{
    chat::{Delta, Finish, Text, ToolCall},
    dialect::{Broken, Reader},
    sse::Frame,
};

/// Most answers that are told apart.
const MAX_CHOICES: usize = 128;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    has_begun: bool,
    id: String,
    counts: Counts,
    choices: Vec<Progress>,
}

/// How far one answer is.
#[derive(Debug, Default)]
struct Progress {
    calls: u32,
    /// The arguments of the last call, while they come.
    open: Option<Document>,
    bytes: usize,
    characters: usize,
}

type Each<'e> = &'e mut dyn FnMut(Delta<'_>);

impl Reader for StreamReader {
    fn read(&mut self, frame: Frame<'_>, each: Each<'_>) -> Result<(), Broken> {
        let Some(data) = frame.data() else { return Ok(()) };
        let data = core::str::from_utf8(&data).map_err(|_| Broken::Malformed)?.trim();
        // OpenAI's end, which some proxies add.
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let answer: Answer<'_> =
            serde_json::from_str(data).ok().filter(|_| data.starts_with('{')).ok_or(Broken::Malformed)?;
        if let Some(error) = &answer.error {
            return Err(Broken::Fault(fault::in_stream(error)));
        }
        self.begin(&answer, each);
        let told = answer.usage_metadata;
        let blocked = refusal(answer.prompt_feedback.as_ref());
        let candidates = answer.candidates.unwrap_or_default();
        if let Some(text) = blocked.filter(|_| candidates.is_empty()) {
            each(Delta::Refusal { choice: 0, text: text.into() });
            each(Delta::Finish { choice: 0, reason: Finish::ContentFilter });
        }
        for candidate in candidates {
            self.candidate(candidate, each)?;
        }
        if let Some(told) = &told {
            self.counts.update(told);
            if let Some(usage) = self.counts.usage() {
                each(Delta::Usage(usage));
            }
        }
        Ok(())
    }
}

impl StreamReader {
    fn begin(&mut self, answer: &Answer<'_>, each: Each<'_>) {
        if self.has_begun || (answer.response_id.is_none() && answer.model_version.is_none()) {
            return;
        }
        self.has_begun = true;
        let id = answer.response_id.clone().map(|id| id.0);
        self.id = id.as_deref().unwrap_or_default().into();
        let service_tier = usage::service_tier(answer.usage_metadata.as_ref());
        each(Delta::Start { id, model: model(answer.model_version.clone()), service_tier });
    }

    fn candidate(&mut self, mut candidate: Candidate<'_>, each: Each<'_>) -> Result<(), Broken> {
        let choice = candidate.index.unwrap_or(0);
        let Self { id, choices, .. } = self;
        let index = usize::try_from(choice).ok().filter(|index| *index < MAX_CHOICES).ok_or(Broken::Malformed)?;
        if index >= choices.len() {
            choices.resize_with(index.saturating_add(1), Progress::default);
        }
        let progress = choices.get_mut(index).ok_or(Broken::Malformed)?;
        for piece in candidate.pieces() {
            match piece {
                Piece::Thought(text) => each(Delta::Thinking { choice, text }),
                Piece::Text(text) => {
                    progress.bytes = progress.bytes.saturating_add(text.len());
                    progress.characters = progress.characters.saturating_add(text.chars().count());
                    each(Delta::Text { choice, text });
                }
                Piece::Signature(signature) => each(Delta::TextSignature { choice, signature }),
                Piece::Picture(source) => each(Delta::Image { choice, source }),
                Piece::Call(call, signature) => progress.call(call, signature, choice, id, each)?,
            }
        }
        progress.cite(&candidate, choice, each);
        let tokens = candidate.logprobs();
        if !tokens.is_empty() {
            each(Delta::Logprobs { choice, tokens });
        }
        if let Some(reason) = candidate.finish(progress.calls > 0) {
            progress.close(choice, each);
            each(Delta::Finish { choice, reason });
        }
        Ok(())
    }
}

impl Progress {
    /// A call, whole or its beginning, or more of the last one.
    fn call(
        &mut self,
        call: WireCall<'_>,
        signature: Option<Text<'_>>,
        choice: u32,
        answer: &str,
        each: Each<'_>,
    ) -> Result<(), Broken> {
        let goes_on = call.will_continue == Some(true);
        if let Some(name) = call.name {
            self.close(choice, each);
            let index = self.calls;
            self.calls = index.saturating_add(1);
            let is_partial = goes_on || call.partial_args.is_some();
            let arguments = match call.args {
                Some(args) => compact(args.get()),
                None if is_partial => Cow::Borrowed(""),
                None => Cow::Borrowed("{}"),
            };
            self.open = (is_partial && call.args.is_none()).then(Document::default);
            let id = call_id(call.id, answer, choice, index);
            each(Delta::ToolCall { choice, call: index, begun: ToolCall { id, name: name.0, arguments, signature } });
        }
        if let Some(document) = &mut self.open {
            let mut json = String::new();
            for argument in call.partial_args.iter().flatten() {
                document.add(argument, &mut json).map_err(|_| Broken::Malformed)?;
            }
            self.tell(json, choice, each);
        }
        if !goes_on {
            self.close(choice, each);
        }
        Ok(())
    }

    /// Ends the arguments of the last call.
    fn close(&mut self, choice: u32, each: Each<'_>) {
        if let Some(document) = self.open.take() {
            let mut json = String::new();
            document.finish(&mut json);
            self.tell(json, choice, each);
        }
    }

    fn tell(&self, json: String, choice: u32, each: Each<'_>) {
        if !json.is_empty() {
            each(Delta::Arguments { choice, call: self.calls.saturating_sub(1), json: json.into() });
        }
    }

    fn cite(&self, candidate: &Candidate<'_>, choice: u32, each: Each<'_>) {
        let locate = |bytes: usize| {
            let is_known = self.bytes == self.characters && bytes <= self.bytes;
            u64::try_from(bytes).ok().filter(|_| is_known)
        };
        let mut tell = |citation| each(Delta::Citation { choice, citation });
        if let Some(grounding) = &candidate.grounding_metadata {
            citation::grounding(grounding, &locate, &mut tell);
        }
        if let Some(recitation) = &candidate.citation_metadata {
            citation::recitation(recitation, &locate, &mut tell);
        }
    }
}
