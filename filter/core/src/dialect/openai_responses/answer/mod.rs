//! The items of an answer as they grow, and the events that tell so.
//!
//! The API repeats every text when it is complete, and all of the answer in its last event: so what was said is kept until the end, as
//! nowhere else. A message or a thought ends where something else begins; a call ends when its arguments are a whole object, and what
//! a provider tells meanwhile waits ([`InTurn`](crate::dialect::in_turn)): clients that join pieces by kind, as `LangChain` does, would
//! mix the arguments of two. What is kept and what is open is bounded: a stream that goes beyond ends in an error, because a call that
//! is cut short is one that a client executes.
//!
//! What a provider tells about a text may come behind it: sources, tokens, what proves it. None of that begins a message.

mod call;
mod events;
mod item;

use alloc::{format, string::String, vec::Vec};
use core::mem;

pub(super) use self::events::{Teller, of};
use self::{
    call::{Call, Input},
    events::Place,
    item::{Item, Passage, Said},
};
use super::{
    carried::Carried,
    wire::{Event, WireItem},
};
use crate::{
    chat::{Citation, Source, ToolCall},
    dialect::{arguments::Arguments, call_id, openai_chat::WireLogprob},
    map::NameSet,
};

/// Most calls that are open: those that nothing more came of before the answer ended.
const MAX_OPEN: usize = 64;

/// Most bytes that are kept of a streamed answer, which its last event repeats: clients take no larger event for one.
const MAX_KEPT: usize = 8 * 1024 * 1024;

/// The items, in the order in which they began.
#[derive(Debug)]
pub(super) struct Items {
    exchange: String,
    /// The tools whose arguments are one text.
    custom: NameSet<'static>,
    all: Vec<Item>,
    /// Those that are open, by their places, in order.
    open: Vec<usize>,
    calls: u32,
    /// How many characters of text were told.
    characters: u64,
    /// Tokens that came before their text.
    early: Vec<WireLogprob>,
    /// What proves the text that was told last: an item of its own, behind all that is told about the text.
    proof: Option<String>,
    /// Whether what ends is complete.
    is_whole: bool,
    /// How many bytes of a stream are kept, about.
    kept: usize,
}

impl Items {
    pub(super) fn new(exchange: String, custom: NameSet<'static>) -> Self {
        Self {
            exchange,
            custom,
            all: Vec::new(),
            open: Vec::new(),
            calls: 0,
            characters: 0,
            early: Vec::new(),
            proof: None,
            is_whole: true,
            kept: 0,
        }
    }

    pub(super) fn wire(&self) -> Vec<WireItem<'_>> {
        self.all.iter().map(Item::wire).collect()
    }

    /// Whether a stream has said more than can be told.
    pub(super) fn is_too_much(&self) -> bool {
        self.kept > MAX_KEPT || self.open.len() > MAX_OPEN
    }

    /// Lets go of all that is kept.
    pub(super) fn forget(&mut self) {
        (self.all, self.open, self.early, self.kept) = (Vec::new(), Vec::new(), Vec::new(), 0);
    }

    fn keep(&mut self, length: usize) {
        self.kept = self.kept.saturating_add(length);
    }

    pub(super) fn text(&mut self, said: &str, tell: &mut Teller<'_>) {
        if said.is_empty() {
            return;
        }
        self.keep(said.len());
        let index = self.message(tell);
        let Self { all, early, characters, .. } = self;
        let Some(item) = all.get_mut(index) else { return };
        let before = *characters;
        item.text(said, || Passage { before, logprobs: mem::take(early), ..Passage::default() }, tell);
        *characters = before.saturating_add(u64::try_from(said.chars().count()).unwrap_or(u64::MAX));
    }

    pub(super) fn refusal(&mut self, said: &str, tell: &mut Teller<'_>) {
        if said.is_empty() {
            return;
        }
        self.keep(said.len());
        let index = self.message(tell);
        if let Some(item) = self.all.get_mut(index) {
            item.refusal(said, tell);
        }
    }

    pub(super) fn logprobs(&mut self, tokens: Vec<WireLogprob>, tell: &mut Teller<'_>) {
        let tops: usize =
            tokens.iter().map(|token| token.top_logprobs.as_ref().map_or(0, Vec::len).saturating_add(1)).sum();
        self.keep(tops.saturating_mul(size_of::<WireLogprob>()));
        let is_told = tell.is_heard();
        let last = self.all.iter_mut().rev().find_map(|item| item.last_text(is_told));
        let Some((place, content, passage)) = last else { return self.early.extend(tokens) };
        let event = place.of_part("response.output_text.delta", content);
        tell.tell(Event { delta: Some(""), logprobs: Some(&tokens), ..event });
        passage.logprobs.extend(tokens);
    }

    /// A source of no text that could still be told of is nobody's.
    pub(super) fn citation(&mut self, citation: &Citation<'_>, tell: &mut Teller<'_>) {
        self.keep(size_of::<Citation<'_>>().saturating_add(match citation {
            Citation::Url { url, title, .. } => url.len().saturating_add(title.as_ref().map_or(0, |title| title.len())),
            Citation::Document(_) => 0,
        }));
        let is_told = tell.is_heard();
        let last = self.all.iter_mut().rev().find_map(|item| item.last_text(is_told));
        let Some((place, content, passage)) = last else { return };
        let annotation = passage.annotation(citation);
        let event = place.of_part("response.output_text.annotation.added", content);
        let annotation_index = Some(passage.annotations.len());
        tell.tell(Event { annotation_index, annotation: Some(&annotation), ..event });
        passage.annotations.push(annotation);
    }

    /// A picture: one that stands elsewhere is told as text, which clients show as Markdown.
    pub(super) fn image(&mut self, source: &Source<'_>, tell: &mut Teller<'_>) {
        match source {
            Source::Url(url) | Source::File(url) => self.text(&format!("![]({url})"), tell),
            Source::Data { base64, .. } => {
                self.keep(base64.len());
                let index = self.begin("ig", Said::Image((**base64).into()), tell);
                self.close(index, tell);
            }
        }
    }

    pub(super) fn thought(&mut self, said: &str, tell: &mut Teller<'_>) {
        if said.is_empty() {
            return;
        }
        self.keep(said.len());
        let index = self.open_thought(tell);
        if let Some(item) = self.all.get_mut(index) {
            item.think(said, tell);
        }
    }

    /// The thought that was told so far is complete, or one that is not told, or the text.
    pub(super) fn carry(&mut self, carried: &Carried<'_>, tell: &mut Teller<'_>) {
        let proof = carried.write();
        self.keep(proof.len());
        let index = match carried {
            Carried::Signature(_) => self.open_thought(tell),
            Carried::OfText(_) if self.last_open(Item::is_message).is_some() && self.proof.is_none() => {
                self.proof = Some(proof);
                return;
            }
            Carried::Nothing | Carried::Redacted(_) | Carried::OfText(_) => self.begin_thought(tell),
        };
        self.seal(index, proof, tell);
    }

    /// Ends a thought with what proves it.
    fn seal(&mut self, index: usize, proof: String, tell: &mut Teller<'_>) {
        if let Some(Item { said: Said::Thought { carried, .. }, .. }) = self.all.get_mut(index) {
            *carried = proof;
        }
        self.close(index, tell);
    }

    /// What is said next is another thought.
    pub(super) fn end_thought(&mut self, tell: &mut Teller<'_>) {
        if let Some(index) = self.last_open(Item::is_thought) {
            self.close(index, tell);
        }
    }

    pub(super) fn call(&mut self, number: u32, begun: &ToolCall<'_>, tell: &mut Teller<'_>) {
        let unnamed = || call_id::unnamed(&self.exchange, 0, self.calls);
        let own = if begun.id.is_empty() { unnamed() } else { (*begun.id).into() };
        self.calls = self.calls.saturating_add(1);
        let is_custom = self.custom.contains(&begun.name);
        let call = Call {
            number,
            id: call_id::join(&own, begun.signature.as_deref()).into_owned(),
            name: (*begun.name).into(),
            arguments: String::new(),
            progress: Arguments::default(),
            input: is_custom.then(Input::default),
        };
        self.begin(if is_custom { "ctc" } else { "fc" }, Said::Call(call), tell);
        self.arguments(number, &begun.arguments, tell);
    }

    pub(super) fn arguments(&mut self, number: u32, json: &str, tell: &mut Teller<'_>) {
        if json.is_empty() {
            return;
        }
        self.keep(json.len());
        let Self { all, open, .. } = self;
        for &index in open.iter().rev() {
            if let Some(Item { place, said: Said::Call(call), .. }) = all.get_mut(index)
                && call.number == number
            {
                return call.add(json, place, tell);
            }
        }
    }

    /// Nothing more is said; false says that something is missing.
    pub(super) fn complete(&mut self, is_whole: bool, tell: &mut Teller<'_>) {
        self.is_whole = is_whole;
        self.prove(tell);
        for index in mem::take(&mut self.open) {
            self.close(index, tell);
        }
    }

    /// The last item, if it is open and such a one.
    fn last_open(&self, is_so: fn(&Item) -> bool) -> Option<usize> {
        let index = self.all.len().checked_sub(1)?;
        self.all.get(index).filter(|item| item.is_open && is_so(item)).map(|_| index)
    }

    /// A message of which nothing is proved yet.
    fn message(&mut self, tell: &mut Teller<'_>) -> usize {
        self.prove(tell);
        self.last_open(Item::is_message).unwrap_or_else(|| self.begin("msg", Said::Message(Vec::new()), tell))
    }

    fn open_thought(&mut self, tell: &mut Teller<'_>) -> usize {
        self.last_open(Item::is_thought).unwrap_or_else(|| self.begin_thought(tell))
    }

    fn begin_thought(&mut self, tell: &mut Teller<'_>) -> usize {
        self.begin("rs", Said::Thought { text: String::new(), carried: String::new() }, tell)
    }

    /// Tells what proves the last text, which ends there.
    fn prove(&mut self, tell: &mut Teller<'_>) {
        if let Some(proof) = self.proof.take() {
            let index = self.begin_thought(tell);
            self.seal(index, proof, tell);
        }
    }

    /// Begins an item, and ends those that end with that.
    fn begin(&mut self, prefix: &str, said: Said, tell: &mut Teller<'_>) -> usize {
        self.prove(tell);
        self.keep(size_of::<Item>());
        for index in mem::take(&mut self.open) {
            let goes_on =
                |item: &Item| item.is_open && matches!(&item.said, Said::Call(call) if !call.progress.are_whole);
            if self.all.get(index).is_some_and(goes_on) {
                self.open.push(index);
            } else {
                self.close(index, tell);
            }
        }
        let index = self.all.len();
        self.open.push(index);
        let place = Place { id: format!("{prefix}_{}_{index}", self.exchange), index };
        let item = Item { place, is_open: true, is_whole: true, said };
        item.tell("response.output_item.added", tell);
        self.all.push(item);
        index
    }

    fn close(&mut self, index: usize, tell: &mut Teller<'_>) {
        if let Some(item) = self.all.get_mut(index) {
            item.close(self.is_whole, tell);
        }
    }
}

#[cfg(test)]
mod tests;
