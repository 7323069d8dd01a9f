//! An item: how it grows and ends, and what is told of that.

use alloc::{format, string::String, vec::Vec};

use super::{
    super::{
        carried::Carried,
        wire::{Event, WireAnnotation, WireItem, WirePart},
    },
    call::Call,
    events::{Place, Teller, of},
};
use crate::{
    chat::{Citation, Text},
    dialect::{object::Object, openai_chat::WireLogprob},
};

#[derive(Debug)]
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) is_open: bool,
    /// Whether nothing is missing from what was said.
    pub(super) is_whole: bool,
    pub(super) said: Said,
}

#[derive(Debug)]
pub(super) enum Said {
    Message(Vec<Part>),
    Thought { text: String, carried: String },
    Call(Call),
    Image(String),
}

#[derive(Debug)]
pub(super) enum Part {
    Text(Passage),
    Refusal(String),
}

/// A text of a message.
#[derive(Debug, Default)]
pub(super) struct Passage {
    pub(super) text: String,
    /// How many characters of the answer's text stand before it, and in it.
    pub(super) before: u64,
    pub(super) length: u64,
    pub(super) annotations: Vec<WireAnnotation>,
    pub(super) logprobs: Vec<WireLogprob>,
}

impl Part {
    const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refusal(_))
    }

    fn wire(&self) -> WirePart<'_> {
        match self {
            Self::Text(Passage { text, annotations, logprobs, .. }) => {
                WirePart::OutputText { text, annotations, logprobs }
            }
            Self::Refusal(refusal) => WirePart::Refusal { refusal },
        }
    }

    /// The same before anything of it is said.
    const fn hollow(&self) -> WirePart<'static> {
        match self {
            Self::Text(_) => WirePart::OutputText { text: "", annotations: &[], logprobs: &[] },
            Self::Refusal(_) => WirePart::Refusal { refusal: "" },
        }
    }

    /// Says it again, as a whole.
    fn end(&self, place: &Place, content: usize, tell: &mut Teller<'_>) {
        tell.tell(match self {
            Self::Text(Passage { text, logprobs, .. }) => {
                let event = place.of_part("response.output_text.done", content);
                Event { text: Some(text), logprobs: Some(logprobs), ..event }
            }
            Self::Refusal(refusal) => {
                Event { refusal: Some(refusal), ..place.of_part("response.refusal.done", content) }
            }
        });
        tell.tell(Event { part: Some(self.wire()), ..place.of_part("response.content_part.done", content) });
    }
}

impl Item {
    pub(super) fn wire(&self) -> WireItem<'_> {
        let id = &self.place.id;
        let status = match (self.is_open, self.is_whole) {
            (true, _) => "in_progress",
            (false, true) => "completed",
            (false, false) => "incomplete",
        };
        match &self.said {
            Said::Message(parts) => {
                let content = parts.iter().filter(|_| !self.is_open).map(Part::wire).collect();
                WireItem::Message { id, status, role: "assistant", content }
            }
            Said::Thought { text, carried } => {
                let summary = (!text.is_empty()).then_some(WirePart::SummaryText { text });
                WireItem::Reasoning { id, summary: summary.into_iter().collect(), encrypted_content: carried }
            }
            Said::Call(Call { id: call_id, name, arguments, input: None, .. }) => {
                let arguments = if self.is_open { "" } else { arguments };
                WireItem::FunctionCall { id, status, call_id, name, arguments }
            }
            Said::Call(Call { id: call_id, name, input: Some(input), .. }) => {
                WireItem::CustomToolCall { id, status, call_id, name, input: &input.text }
            }
            Said::Image(result) => {
                let result = Some(result.as_str()).filter(|_| !self.is_open);
                WireItem::ImageGenerationCall { id, status, result }
            }
        }
    }

    pub(super) const fn is_message(&self) -> bool {
        matches!(self.said, Said::Message(_))
    }

    pub(super) const fn is_thought(&self) -> bool {
        matches!(self.said, Said::Thought { .. })
    }

    /// More of a message's text; `next` is the part that it begins, where the last one is none.
    pub(super) fn text(&mut self, said: &str, next: impl FnOnce() -> Passage, tell: &mut Teller<'_>) {
        let Some((place, content, part)) = self.part(false, || Part::Text(next()), tell) else { return };
        if let Part::Text(Passage { text, length, logprobs, .. }) = part {
            // Those that came before the text are of its first piece.
            let early = if text.is_empty() { &**logprobs } else { &[] };
            let event = place.of_part("response.output_text.delta", content);
            tell.tell(Event { delta: Some(said), logprobs: Some(early), ..event });
            text.push_str(said);
            *length = length.saturating_add(u64::try_from(said.chars().count()).unwrap_or(u64::MAX));
        }
    }

    pub(super) fn refusal(&mut self, said: &str, tell: &mut Teller<'_>) {
        let next = || Part::Refusal(String::new());
        let Some((place, content, part)) = self.part(true, next, tell) else { return };
        if let Part::Refusal(refusal) = part {
            refusal.push_str(said);
            tell.tell(Event { delta: Some(said), ..place.of_part("response.refusal.delta", content) });
        }
    }

    /// The part of a message that goes on, or `next`.
    fn part(
        &mut self,
        is_refusal: bool,
        next: impl FnOnce() -> Part,
        tell: &mut Teller<'_>,
    ) -> Option<(&Place, usize, &mut Part)> {
        let Self { place, said: Said::Message(parts), .. } = self else { return None };
        if parts.last().is_none_or(|part| part.is_refusal() != is_refusal) {
            end_last(parts, place, tell);
            let part = next();
            let event = place.of_part("response.content_part.added", parts.len());
            tell.tell(Event { part: Some(part.hollow()), ..event });
            parts.push(part);
        }
        let last = parts.len().saturating_sub(1);
        parts.last_mut().map(|part| (&*place, last, part))
    }

    /// The last text of a message. Of what is told as it comes it can only grow while nothing follows it.
    pub(super) fn last_text(&mut self, is_told: bool) -> Option<(&Place, usize, &mut Passage)> {
        let Self { place, said: Said::Message(parts), is_open, .. } = self else { return None };
        let reach = match (is_told, is_open) {
            (true, false) => 0,
            (true, true) => 1,
            (false, _) => usize::MAX,
        };
        parts.iter_mut().enumerate().rev().take(reach).find_map(|(content, part)| match part {
            Part::Text(passage) => Some((&*place, content, passage)),
            Part::Refusal(_) => None,
        })
    }

    pub(super) fn think(&mut self, said: &str, tell: &mut Teller<'_>) {
        let Self { place, said: Said::Thought { text, .. }, .. } = self else { return };
        if text.is_empty() {
            let part = Some(WirePart::SummaryText { text: "" });
            tell.tell(Event { part, ..place.of_summary("response.reasoning_summary_part.added") });
        }
        text.push_str(said);
        tell.tell(Event { delta: Some(said), ..place.of_summary("response.reasoning_summary_text.delta") });
    }

    /// Nothing follows; `is_whole` says that nothing is missing.
    pub(super) fn close(&mut self, is_whole: bool, tell: &mut Teller<'_>) {
        if !core::mem::replace(&mut self.is_open, false) {
            return;
        }
        let Self { place, said, .. } = self;
        match said {
            Said::Message(parts) => {
                self.is_whole = is_whole;
                end_last(parts, place, tell);
            }
            Said::Thought { text, carried } => {
                if carried.is_empty() {
                    *carried = Carried::Nothing.write();
                }
                if !text.is_empty() {
                    let event = place.of_summary("response.reasoning_summary_text.done");
                    tell.tell(Event { text: Some(text), ..event });
                    let part = Some(WirePart::SummaryText { text });
                    tell.tell(Event { part, ..place.of_summary("response.reasoning_summary_part.done") });
                }
            }
            Said::Call(call) => {
                self.is_whole = is_whole || call.progress.are_whole;
                call.end(place, tell);
            }
            Said::Image(_) => tell.tell(place.event("response.image_generation_call.completed")),
        }
        self.tell("response.output_item.done", tell);
    }

    /// Tells all of it.
    pub(super) fn tell(&self, kind: &'static str, tell: &mut Teller<'_>) {
        tell.tell(Event { output_index: Some(self.place.index), item: Some(self.wire()), ..of(kind) });
    }
}

fn end_last(parts: &[Part], place: &Place, tell: &mut Teller<'_>) {
    if let Some(part) = parts.last() {
        part.end(place, parts.len().saturating_sub(1), tell);
    }
}

impl Passage {
    /// Where it is from. Places are counted in the answer's whole text, and told in this one.
    pub(super) fn annotation(&self, citation: &Citation<'_>) -> WireAnnotation {
        let own = |text: &Text<'_>| String::from(&**text);
        match citation {
            Citation::Url { url, title, span } => {
                let within = |place: u64| place.saturating_sub(self.before);
                let (start_index, end_index) =
                    span.map_or((self.length, self.length), |(start, end)| (within(start), within(end)));
                let title = title.as_ref().map(own).unwrap_or_default();
                WireAnnotation::UrlCitation { start_index, end_index, url: own(url), title }
            }
            Citation::Document(raw) => {
                let place = Object::of(raw.get());
                let number = place.find::<u64>("document_index").unwrap_or_default();
                let filename = own(&place.text("document_title"));
                WireAnnotation::FileCitation { index: self.length, file_id: format!("document_{number}"), filename }
            }
        }
    }
}
