//! The items of an answer as they grow, and the events that tell so.
//!
//! The API repeats every text when it is complete, and all of the answer in its last event: so what was said is kept until the end, as
//! nowhere else. A message or a thought ends where something else begins; calls may grow side by side, since each event says of which
//! one it is, and end when their arguments are a whole object.

use alloc::{format, string::String, vec::Vec};
use core::mem;
use serde_json::value::RawValue;

use super::{
    carried::Carried,
    input::custom_input,
    object::Object,
    wire::{Event, WireAnnotation, WireItem, WirePart},
};
use crate::{
    chat::{Citation, Source, Text, ToolCall},
    dialect::{
        call_id,
        openai_chat::{WireLogprob, token_logprobs},
    },
    map::NameSet,
    sse::{Elements, write_event},
};

/// Most calls that grow side by side: beyond that the one that began first is taken for complete.
const MAX_OPEN: usize = 64;

/// What tells events; what of an answer is whole has none.
#[derive(Debug)]
pub(super) struct Teller {
    pub(super) streams: bool,
    sequence: u64,
}

impl Teller {
    pub(super) const fn new(streams: bool) -> Self {
        Self { streams, sequence: 0 }
    }

    pub(super) fn tell(&mut self, event: Event<'_>, out: &mut Vec<u8>) {
        if self.streams {
            let event = Event { sequence_number: self.sequence, ..event };
            self.sequence = self.sequence.saturating_add(1);
            // Strings, numbers and JSON that was read before: nothing here can fail to be written.
            write_event(out, Some(event.kind), &serde_json::to_vec(&event).unwrap_or_default());
        }
    }
}

/// An item.
#[derive(Debug)]
struct Item {
    id: String,
    is_open: bool,
    /// Whether nothing is missing from what was said.
    is_whole: bool,
    body: Said,
}

#[derive(Debug)]
enum Said {
    Message(Vec<Part>),
    Thought { text: String, carried: String },
    Call(Call),
    Image(String),
}

#[derive(Debug)]
enum Part {
    Text { text: String, characters: u64, annotations: Vec<WireAnnotation>, logprobs: Vec<WireLogprob> },
    Refusal(String),
}

#[derive(Debug)]
struct Call {
    number: u32,
    id: String,
    name: String,
    arguments: String,
    /// What a custom tool gets of them, once they are whole.
    input: Option<String>,
    elements: Elements,
    is_whole: bool,
}

impl Part {
    fn wire(&self) -> WirePart<'_> {
        match self {
            Self::Text { text, annotations, logprobs, .. } => WirePart::OutputText { text, annotations, logprobs },
            Self::Refusal(refusal) => WirePart::Refusal { refusal },
        }
    }

    const fn hollow(is_refusal: bool) -> WirePart<'static> {
        if is_refusal {
            WirePart::Refusal { refusal: "" }
        } else {
            WirePart::OutputText { text: "", annotations: &[], logprobs: &[] }
        }
    }
}

impl Item {
    fn wire(&self) -> WireItem<'_> {
        let id = &self.id;
        let status = match (self.is_open, self.is_whole) {
            (true, _) => "in_progress",
            (false, true) => "completed",
            (false, false) => "incomplete",
        };
        match &self.body {
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
                WireItem::CustomToolCall { id, status, call_id, name, input }
            }
            Said::Image(result) => {
                let result = Some(result.as_str()).filter(|_| !self.is_open);
                WireItem::ImageGenerationCall { id, status, result }
            }
        }
    }
}

/// The items, in the order in which they began.
#[derive(Debug)]
pub(super) struct Items {
    all: Vec<Item>,
    /// Those that are open, by their places, in order.
    open: Vec<usize>,
    pub(super) teller: Teller,
    exchange: String,
    /// The tools whose arguments are one text.
    custom: NameSet<'static>,
    calls: u32,
    /// Whether what ends is complete.
    is_whole: bool,
}

impl Items {
    /// `echo` has the tools.
    pub(super) fn new(exchange: &str, echo: &str, streams: bool) -> Self {
        let (all, open, teller) = (Vec::new(), Vec::new(), Teller::new(streams));
        Self { all, open, teller, exchange: exchange.into(), custom: custom_tools(echo), calls: 0, is_whole: true }
    }

    pub(super) fn wire(&self) -> Vec<WireItem<'_>> {
        self.all.iter().map(Item::wire).collect()
    }

    pub(super) fn text(&mut self, said: &str, out: &mut Vec<u8>) {
        let Some((place, id, part)) = self.part(false, out) else { return };
        if let (Part::Text { text, characters, .. }, false) = (part, said.is_empty()) {
            text.push_str(said);
            *characters = characters.saturating_add(u64::try_from(said.chars().count()).unwrap_or(u64::MAX));
            let event =
                Event { delta: Some(said), logprobs: Some(&[]), ..of_part("response.output_text.delta", place) };
            self.teller.tell(Event { item_id: Some(&id), ..event }, out);
        }
    }

    pub(super) fn refusal(&mut self, said: &str, out: &mut Vec<u8>) {
        let Some((place, id, part)) = self.part(true, out) else { return };
        if let Part::Refusal(refusal) = part {
            refusal.push_str(said);
            let event = Event { delta: Some(said), ..of_part("response.refusal.delta", place) };
            self.teller.tell(Event { item_id: Some(&id), ..event }, out);
        }
    }

    /// They come behind the text that they are of.
    pub(super) fn logprobs(&mut self, tokens: Vec<WireLogprob>, out: &mut Vec<u8>) {
        let Some((place, id, part)) = self.part(false, out) else { return };
        if let Part::Text { logprobs, .. } = part {
            let from = logprobs.len();
            logprobs.extend(tokens);
            let event = of_part("response.output_text.delta", place);
            let Self { all: items, teller, .. } = self;
            if let Some(Said::Message(parts)) = items.get(place.0).map(|item| &item.body)
                && let Some(Part::Text { logprobs, .. }) = parts.get(place.1)
            {
                let event = Event { delta: Some(""), logprobs: logprobs.get(from..), ..event };
                teller.tell(Event { item_id: Some(&id), ..event }, out);
            }
        }
    }

    pub(super) fn citation(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        let Some((place, id, part)) = self.part(false, out) else { return };
        if let Part::Text { characters, annotations, .. } = part {
            annotations.push(annotation(citation, *characters));
            let index = annotations.len().saturating_sub(1);
            let event = of_part("response.output_text.annotation.added", place);
            let Self { all: items, teller, .. } = self;
            if let Some(Said::Message(parts)) = items.get(place.0).map(|item| &item.body)
                && let Some(Part::Text { annotations, .. }) = parts.get(place.1)
            {
                let event = Event { annotation_index: Some(index), annotation: annotations.last(), ..event };
                teller.tell(Event { item_id: Some(&id), ..event }, out);
            }
        }
    }

    /// A picture: one that stands elsewhere is told as text, which clients show as Markdown.
    pub(super) fn image(&mut self, source: &Source<'_>, out: &mut Vec<u8>) {
        match source {
            Source::Url(url) | Source::File(url) => self.text(&format!("![]({url})"), out),
            Source::Data { base64, .. } => {
                let index = self.begin("ig", Said::Image((**base64).into()), out);
                self.close(index, out);
            }
        }
    }

    pub(super) fn thought(&mut self, said: &str, out: &mut Vec<u8>) {
        if said.is_empty() {
            return;
        }
        let index = self.open_thought(out);
        let Self { all: items, teller, .. } = self;
        let Some(Item { id, body: Said::Thought { text, .. }, .. }) = items.get_mut(index) else { return };
        if text.is_empty() {
            let part = Some(WirePart::SummaryText { text: "" });
            let event = of_summary("response.reasoning_summary_part.added", index, id);
            teller.tell(Event { part, ..event }, out);
        }
        text.push_str(said);
        let event = of_summary("response.reasoning_summary_text.delta", index, id);
        teller.tell(Event { delta: Some(said), ..event }, out);
    }

    /// The thought that was told so far is complete, or one that is not told.
    pub(super) fn carry(&mut self, carried: &Carried<'_>, out: &mut Vec<u8>) {
        let index = match carried {
            Carried::Signature(_) => self.open_thought(out),
            Carried::Nothing | Carried::Redacted(_) | Carried::OfText(_) => self.begin_thought(out),
        };
        if let Some(Item { body: Said::Thought { carried: proof, .. }, .. }) = self.all.get_mut(index) {
            *proof = carried.write();
        }
        self.close(index, out);
    }

    /// What is said next is another thought.
    pub(super) fn end_thought(&mut self, out: &mut Vec<u8>) {
        if matches!(self.all.last(), Some(Item { body: Said::Thought { .. }, .. })) {
            self.close(self.all.len().saturating_sub(1), out);
        }
    }

    pub(super) fn call(&mut self, number: u32, begun: &ToolCall<'_>, out: &mut Vec<u8>) {
        let unnamed = || call_id::unnamed(&self.exchange, 0, self.calls);
        let own = if begun.id.is_empty() { unnamed() } else { (*begun.id).into() };
        self.calls = self.calls.saturating_add(1);
        let is_custom = self.custom.contains(&begun.name);
        let call = Call {
            number,
            id: call_id::join(&own, begun.signature.as_deref()).into_owned(),
            name: (*begun.name).into(),
            arguments: String::new(),
            input: is_custom.then(String::new),
            elements: Elements::default(),
            is_whole: false,
        };
        self.begin(if is_custom { "ctc" } else { "fc" }, Said::Call(call), out);
        self.arguments(number, &begun.arguments, out);
    }

    pub(super) fn arguments(&mut self, call: u32, json: &str, out: &mut Vec<u8>) {
        if json.is_empty() {
            return;
        }
        let Self { all: items, open: places, teller, .. } = self;
        for &index in places.iter().rev() {
            let Some(Item { id, body: Said::Call(open), .. }) = items.get_mut(index) else { continue };
            if open.number == call {
                open.arguments.push_str(json);
                open.is_whole |= open.elements.end(json.as_bytes()).is_some();
                if open.input.is_none() {
                    let event = of_item("response.function_call_arguments.delta", index, id);
                    teller.tell(Event { delta: Some(json), ..event }, out);
                }
                return;
            }
        }
    }

    /// Nothing more is said; false says that something is missing.
    pub(super) fn complete(&mut self, is_whole: bool, out: &mut Vec<u8>) {
        self.is_whole = is_whole;
        for index in mem::take(&mut self.open) {
            self.close(index, out);
        }
    }

    /// The part of the open message that goes on, with its place and the item's id.
    fn part(&mut self, is_refusal: bool, out: &mut Vec<u8>) -> Option<((usize, usize), String, &mut Part)> {
        let last = self.all.len().saturating_sub(1);
        let is_message = |item: &Item| item.is_open && matches!(item.body, Said::Message(_));
        let index = match self.all.get(last) {
            Some(item) if is_message(item) => last,
            Some(_) | None => self.begin("msg", Said::Message(Vec::new()), out),
        };
        let Self { all: items, teller, .. } = self;
        let Item { id, body: Said::Message(parts), .. } = items.get_mut(index)? else { return None };
        let goes_on = parts.last().is_some_and(|part| matches!(part, Part::Refusal(_)) == is_refusal);
        if !goes_on {
            if let Some(part) = parts.last() {
                end_part(part, ((index, parts.len().saturating_sub(1)), id), teller, out);
            }
            let event = of_part("response.content_part.added", (index, parts.len()));
            teller.tell(Event { item_id: Some(id), part: Some(Part::hollow(is_refusal)), ..event }, out);
            parts.push(if is_refusal {
                Part::Refusal(String::new())
            } else {
                Part::Text { text: String::new(), characters: 0, annotations: Vec::new(), logprobs: Vec::new() }
            });
        }
        let place = (index, parts.len().saturating_sub(1));
        let id = id.clone();
        parts.last_mut().map(|part| (place, id, part))
    }

    fn open_thought(&mut self, out: &mut Vec<u8>) -> usize {
        let is_thought = |item: &Item| item.is_open && matches!(item.body, Said::Thought { .. });
        match self.all.last() {
            Some(item) if is_thought(item) => self.all.len().saturating_sub(1),
            Some(_) | None => self.begin_thought(out),
        }
    }

    fn begin_thought(&mut self, out: &mut Vec<u8>) -> usize {
        self.begin("rs", Said::Thought { text: String::new(), carried: String::new() }, out)
    }

    /// Begins an item, and ends those that end with that.
    fn begin(&mut self, prefix: &str, body: Said, out: &mut Vec<u8>) -> usize {
        let open = mem::take(&mut self.open);
        let surplus = open.len().saturating_sub(MAX_OPEN);
        for (count, index) in open.into_iter().enumerate() {
            let goes_on = |item: &Item| item.is_open && matches!(&item.body, Said::Call(call) if !call.is_whole);
            if count >= surplus && self.all.get(index).is_some_and(goes_on) {
                self.open.push(index);
            } else {
                self.close(index, out);
            }
        }
        let index = self.all.len();
        self.open.push(index);
        let id = format!("{prefix}_{}_{index}", self.exchange);
        let item = Item { id, is_open: true, is_whole: true, body };
        let event = Event { output_index: Some(index), item: Some(item.wire()), ..of("response.output_item.added") };
        self.teller.tell(event, out);
        self.all.push(item);
        index
    }

    fn close(&mut self, index: usize, out: &mut Vec<u8>) {
        let Self { all: items, teller, is_whole, .. } = self;
        let Some(item) = items.get_mut(index).filter(|item| item.is_open) else { return };
        item.is_open = false;
        let Item { id, body, .. } = item;
        match body {
            Said::Message(parts) => {
                item.is_whole = *is_whole;
                if let Some(part) = parts.last() {
                    end_part(part, ((index, parts.len().saturating_sub(1)), id), teller, out);
                }
            }
            Said::Thought { text, carried } => {
                if carried.is_empty() {
                    *carried = Carried::Nothing.write();
                }
                if !text.is_empty() {
                    let event = of_summary("response.reasoning_summary_text.done", index, id);
                    teller.tell(Event { text: Some(text), ..event }, out);
                    let event = of_summary("response.reasoning_summary_part.done", index, id);
                    teller.tell(Event { part: Some(WirePart::SummaryText { text }), ..event }, out);
                }
            }
            Said::Call(call) => {
                item.is_whole = *is_whole || call.is_whole;
                end_call(call, (index, id), teller, out);
            }
            Said::Image(_) => teller.tell(of_item("response.image_generation_call.completed", index, id), out),
        }
        let event = Event { output_index: Some(index), item: Some(item.wire()), ..of("response.output_item.done") };
        teller.tell(event, out);
    }
}

/// Says a part again, as a whole.
fn end_part(part: &Part, (place, id): ((usize, usize), &str), teller: &mut Teller, out: &mut Vec<u8>) {
    let event = match part {
        Part::Text { text, logprobs, .. } => {
            Event { text: Some(text), logprobs: Some(logprobs), ..of_part("response.output_text.done", place) }
        }
        Part::Refusal(refusal) => Event { refusal: Some(refusal), ..of_part("response.refusal.done", place) },
    };
    teller.tell(Event { item_id: Some(id), ..event }, out);
    let event = Event { part: Some(part.wire()), ..of_part("response.content_part.done", place) };
    teller.tell(Event { item_id: Some(id), ..event }, out);
}

fn end_call(call: &mut Call, (index, id): (usize, &str), teller: &mut Teller, out: &mut Vec<u8>) {
    let Call { name, arguments, input, .. } = call;
    if let Some(input) = input {
        *input = custom_input(arguments).into_owned();
        let event = of_item("response.custom_tool_call_input.delta", index, id);
        teller.tell(Event { delta: Some(input), ..event }, out);
        let event = of_item("response.custom_tool_call_input.done", index, id);
        teller.tell(Event { input: Some(input), ..event }, out);
        return;
    }
    if arguments.is_empty() {
        // No arguments are none, and clients parse them.
        arguments.push_str("{}");
    }
    let event = of_item("response.function_call_arguments.done", index, id);
    teller.tell(Event { name: Some(name), arguments: Some(arguments), ..event }, out);
}

pub(super) fn of(kind: &'static str) -> Event<'static> {
    Event { kind, ..Event::default() }
}

fn of_item<'a>(kind: &'static str, index: usize, id: &'a str) -> Event<'a> {
    Event { item_id: Some(id), output_index: Some(index), ..of(kind) }
}

fn of_summary<'a>(kind: &'static str, index: usize, id: &'a str) -> Event<'a> {
    Event { summary_index: Some(0), ..of_item(kind, index, id) }
}

fn of_part(kind: &'static str, (index, content): (usize, usize)) -> Event<'static> {
    Event { output_index: Some(index), content_index: Some(content), ..of(kind) }
}

fn annotation(citation: &Citation<'_>, end: u64) -> WireAnnotation {
    let own = |text: &Text<'_>| String::from(&**text);
    match citation {
        Citation::Url { url, title, span } => {
            let (start_index, end_index) = span.unwrap_or((end, end));
            let title = title.as_ref().map(own).unwrap_or_default();
            WireAnnotation::UrlCitation { start_index, end_index, url: own(url), title }
        }
        Citation::Document(raw) => {
            let place = Object::of(raw.get());
            let number = place.find::<u64>("document_index").unwrap_or_default();
            let filename = own(&place.text("document_title"));
            WireAnnotation::FileCitation { index: end, file_id: format!("document_{number}"), filename }
        }
    }
}

/// The names of the tools of a request whose arguments are one text.
fn custom_tools(echo: &str) -> NameSet<'static> {
    if !echo.contains("\"custom\"") {
        return NameSet::default();
    }
    let tools = Object::of(echo).find::<Vec<&RawValue>>("tools").unwrap_or_default();
    let tools = tools.into_iter().map(|tool| Object::of(tool.get()));
    tools.filter(|tool| tool.text("type") == "custom").map(|tool| String::from(&*tool.text("name"))).collect()
}

/// Log probabilities, as this API writes them.
pub(super) fn logprobs(tokens: &[crate::chat::TokenLogprob<'_>]) -> Vec<WireLogprob> {
    token_logprobs(tokens)
}
