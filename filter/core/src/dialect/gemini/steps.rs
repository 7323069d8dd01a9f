//! What an answer says, step by step: the events of a stream, each with what is new in it, or a whole answer, which is a stream
//! of one event.
//!
//! No event says that nothing follows, and counts or sources may come behind the reason why it ended: the end of the stream is
//! the end. Memory is constant: a few numbers an answer.
//!
//! An answer that the model fails to give ([`Candidate::failure`]) is the provider's failure while nothing has been said, so that
//! it can be tried again; behind something that has been said, it ends, and the reason is told as a refusal.

use alloc::{borrow::Cow, string::String, vec::Vec};

use super::{
    citation::{self, MAX_SOURCES, Ruler},
    fault,
    partial::Document,
    response::{Answer, Blob, Call, Candidate, Part, PromptFeedback, compact},
    usage::{self, Counts},
};
use crate::{
    chat::{Collected, Delta, Fault, Finish, MAX_CHOICES, Response, Text, ToolCall},
    dialect::{Broken, Reader},
    error::Kind,
    json::{self, Str},
    sse::Frame,
};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Steps {
    has_begun: bool,
    has_told_tier: bool,
    has_said_something: bool,
    /// Sources so far.
    sources: usize,
    counts: Counts,
    choices: Vec<Progress>,
}

/// How far one answer is.
#[derive(Debug, Default)]
struct Progress {
    calls: u32,
    /// The arguments of the last call, while they come.
    open: Option<Document>,
    /// Where its text ends.
    ruler: Ruler,
}

type Each<'e, 'a> = &'e mut dyn FnMut(Delta<'a>);

/// Reads a whole answer.
pub(super) fn read(body: &str) -> Result<Response<'_>, Broken> {
    let mut collected = Collected::default();
    Steps::default().take(body.trim(), &mut |delta| collected.take(delta))?;
    Some(collected.into_response()).filter(|response| !response.choices.is_empty()).ok_or(Broken::Malformed)
}

impl Reader for Steps {
    fn read(&mut self, frame: Frame<'_>, each: &mut dyn FnMut(Delta<'_>)) -> Result<(), Broken> {
        let Some(data) = frame.data() else { return Ok(()) };
        let data = core::str::from_utf8(&data).map_err(|_| Broken::Malformed)?.trim();
        // OpenAI's end, which some proxies add.
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        self.take(data, &mut |delta| each(delta))
    }
}

impl Steps {
    /// Tells what an answer or an event says.
    pub(super) fn take<'a>(&mut self, json: &'a str, each: Each<'_, 'a>) -> Result<(), Broken> {
        let answer: Answer<'_> = json::read(json).map_err(|_| Broken::Malformed)?;
        if let Some(error) = &answer.error {
            return Err(Broken::Fault(fault::of_answer(error)));
        }
        self.begin(&answer, each);
        let candidates = answer.candidates.unwrap_or_default();
        self.has_said_something |= candidates.iter().any(Candidate::says_something);
        if !self.has_said_something
            && let Some(why) = candidates.iter().find_map(Candidate::failure)
        {
            return Err(Broken::Fault(Fault::new(Kind::BadUpstream.status(), None, &why)));
        }
        if candidates.is_empty()
            && let Some(text) = answer.prompt_feedback.as_ref().and_then(PromptFeedback::refusal)
        {
            each(Delta::Refusal { choice: 0, text: text.into() });
            each(Delta::Finish { choice: 0, reason: Finish::ContentFilter });
        }
        for candidate in candidates {
            self.candidate(candidate, each)?;
        }
        if let Some(told) = &answer.usage_metadata {
            self.counts.update(told);
            if let Some(usage) = self.counts.usage() {
                each(Delta::Usage(usage));
            }
        }
        Ok(())
    }

    /// Every event has the tier in its tokens, as far as was recorded, but they may come later than the rest.
    fn begin<'a>(&mut self, answer: &Answer<'a>, each: Each<'_, 'a>) {
        let is_named = answer.response_id.is_some() || answer.model_version.is_some();
        let service_tier = usage::service_tier(answer.usage_metadata.as_ref()).filter(|_| !self.has_told_tier);
        let has_news = if self.has_begun { service_tier.is_some() } else { is_named };
        if !has_news {
            return;
        }
        self.has_told_tier = service_tier.is_some();
        let (mut id, mut model) = (None, None);
        if !core::mem::replace(&mut self.has_begun, true) {
            let text = |text: &Option<Str<'a>>| text.clone().map(|text| text.0);
            (id, model) = (text(&answer.response_id), text(&answer.model_version));
        }
        each(Delta::Start { id, model, service_tier });
    }

    fn candidate<'a>(&mut self, mut candidate: Candidate<'a>, each: Each<'_, 'a>) -> Result<(), Broken> {
        let choice = candidate.index.0.unwrap_or(0);
        let index = usize::try_from(choice).unwrap_or(MAX_CHOICES);
        let Self { choices, sources, .. } = self;
        if index >= choices.len() {
            choices.resize_with(index.saturating_add(1).min(MAX_CHOICES), Progress::default);
        }
        let Some(progress) = choices.get_mut(index) else { return Ok(()) };
        let parts = candidate.take_parts();
        let has_sources = candidate.grounding_metadata.is_some() || candidate.citation_metadata.is_some();
        for part in parts {
            progress.part(part, choice, each)?;
        }
        if has_sources {
            let mut left = MAX_SOURCES.saturating_sub(*sources);
            citation::sources(&candidate, &progress.ruler, &mut left, &mut |citation| {
                each(Delta::Citation { choice, citation });
            });
            *sources = MAX_SOURCES.saturating_sub(left);
        }
        let tokens = candidate.logprobs();
        if !tokens.is_empty() {
            each(Delta::Logprobs { choice, tokens });
        }
        if let Some((reason, told)) = candidate.end(progress.calls > 0) {
            progress.close(choice, each);
            if let Some(text) = told {
                each(Delta::Refusal { choice, text });
            }
            each(Delta::Finish { choice, reason });
        }
        Ok(())
    }
}

impl Progress {
    fn part<'a>(&mut self, part: Part<'a>, choice: u32, each: Each<'_, 'a>) -> Result<(), Broken> {
        self.ruler.add(part.text());
        let signature = part.thought_signature.map(|signature| signature.0);
        let signs_text = part.text.is_some();
        if let Some(Str(text)) = part.text.filter(|text| !text.is_empty()) {
            let is_thought = part.thought == Some(true);
            each(if is_thought { Delta::Thinking { choice, text } } else { Delta::Text { choice, text } });
        }
        // A model that thinks before it draws shows sketches.
        if let Some(source) = part.inline_data.filter(|_| part.thought != Some(true)).and_then(Blob::picture) {
            each(Delta::Image { choice, source });
        }
        match (part.function_call, signature) {
            (Some(call), signature) => self.call(call, signature, choice, each)?,
            (None, Some(signature)) if signs_text => each(Delta::TextSignature { choice, signature }),
            // What proves a built-in tool's call proves nothing without it.
            (None, _) => {}
        }
        Ok(())
    }

    /// A call, whole or its beginning, or more of the last one.
    fn call<'a>(
        &mut self,
        call: Call<'a>,
        signature: Option<Text<'a>>,
        choice: u32,
        each: Each<'_, 'a>,
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
            let id = call.id.unwrap_or_default().0;
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
    fn close(&mut self, choice: u32, each: Each<'_, '_>) {
        if let Some(document) = self.open.take() {
            let mut json = String::new();
            document.finish(&mut json);
            self.tell(json, choice, each);
        }
    }

    fn tell(&self, json: String, choice: u32, each: Each<'_, '_>) {
        if !json.is_empty() {
            each(Delta::Arguments { choice, call: self.calls.saturating_sub(1), json: json.into() });
        }
    }
}
