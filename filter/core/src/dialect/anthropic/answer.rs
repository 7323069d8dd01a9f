//! What an answer says, step by step: a whole one is a stream whose blocks come in one piece, so both are told the same.
//!
//! Constant memory: of what was told only numbers are remembered, and what of the last block cannot be told yet, bounded. Text
//! is told as it comes. Where the answer is the input of [`JSON_TOOL`], what a model says before it calls the tool has
//! therefore been told; what it says or answers after it is left out.

use alloc::{
    borrow::{Cow, ToOwned},
    string::String,
    vec::Vec,
};
use serde_json::value::RawValue;

use super::{
    JSON_TOOL,
    wire::{self, BlockDelta, BlockKind, StopDetails, Tally, WireBlock, WireMessage, WireUsage},
};
use crate::{
    chat::{Citation, Delta, Finish, Text, ToolCall},
    dialect::Broken,
    json::Str,
};

/// Most calls that are open at a time; the API opens one after the other. More are no answer, for their arguments would be
/// lost.
const MAX_OPEN: usize = 1024;
/// Most pages of one block that wait for its end, and most bytes of them; one beyond that is told at once.
const MAX_PAGES: usize = 64;
const MAX_PAGE_BYTES: usize = 256 * 1024;

pub(super) type Each<'e, 'a> = dyn FnMut(Delta<'a>) + 'e;
pub(super) type Told = Result<(), Broken>;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Answer {
    tally: Tally,
    /// Calls of the client's tools so far.
    calls: u32,
    /// Whether [`JSON_TOOL`] was called.
    is_given: bool,
    /// Characters of text so far.
    characters: u64,
    /// How many of them were told when the last block of text began.
    begin: u64,
    /// The pages that it is from, by address and title. They come before the text that they are cited for, but a place in it
    /// needs its end.
    pages: Vec<(String, Option<String>)>,
    /// The input of the last call as it stood in its block's start. Should it come bit by bit as well, the bits win, as they do
    /// in Anthropic's own SDKs.
    input: String,
    open: Vec<Open>,
}

/// A call that may go on.
#[derive(Debug)]
struct Open {
    /// Its block's index.
    block: u64,
    /// Its number; `None` where its input is the answer.
    call: Option<u32>,
    /// Whether nothing of its input was told yet.
    is_empty: bool,
}

impl Answer {
    pub(super) fn start<'a>(&mut self, message: WireMessage<'a>, each: &mut Each<'_, 'a>) {
        let usage: Option<WireUsage<'_>> = wire::optional(message.usage);
        let service_tier = usage.as_ref().and_then(WireUsage::service_tier);
        each(Delta::Start { id: message.id.map(|id| id.0), model: message.model.map(|model| model.0), service_tier });
        self.count(usage.as_ref(), each);
    }

    pub(super) fn start_block<'a>(&mut self, index: u64, block: &'a RawValue, each: &mut Each<'_, 'a>) -> Told {
        self.settle(each);
        let Some((kind, block)) = WireBlock::read(block).map_err(|_| Broken::Malformed)? else { return Ok(()) };
        match kind {
            BlockKind::Text => {
                self.begin = self.characters;
                self.text(block.text, each);
                let citations: Vec<&RawValue> = wire::optional(block.citations).unwrap_or_default();
                for raw in citations {
                    self.cite(raw, each);
                }
            }
            BlockKind::Thinking => {
                say(block.thinking, |text| each(Delta::Thinking { choice: 0, text }));
                say(block.signature, |signature| each(Delta::Signature { choice: 0, signature }));
            }
            BlockKind::RedactedThinking => say(block.data, |data| each(Delta::RedactedThinking { choice: 0, data })),
            BlockKind::ToolUse => self.start_call(index, block, each)?,
        }
        Ok(())
    }

    fn start_call<'a>(&mut self, index: u64, block: WireBlock<'a>, each: &mut Each<'_, 'a>) -> Told {
        let name = block.name.filter(|name| !name.is_empty()).ok_or(Broken::Malformed)?.0;
        self.input = match block.input.map(RawValue::get) {
            None | Some("null") => String::new(),
            Some(input) if is_hollow(input) => String::new(),
            Some(input) if input.starts_with('{') => input.to_owned(),
            Some(_) => return Err(Broken::Malformed),
        };
        let call = (name != JSON_TOOL).then_some(self.calls);
        if let Some(call) = call {
            self.calls = call.saturating_add(1);
            let id = block.id.unwrap_or_default().0;
            let begun = ToolCall { id, name, arguments: Cow::Borrowed(""), signature: None };
            each(Delta::ToolCall { choice: 0, call, begun });
        } else if core::mem::replace(&mut self.is_given, true) {
            // What comes for a block that is not open is passed over.
            self.input.clear();
            return Ok(());
        }
        if self.open.len() >= MAX_OPEN {
            return Err(Broken::Malformed);
        }
        self.open.push(Open { block: index, call, is_empty: true });
        Ok(())
    }

    pub(super) fn grow_block<'a>(&mut self, index: u64, delta: &BlockDelta<'a>, each: &mut Each<'_, 'a>) -> Told {
        match &*delta.kind {
            "text_delta" => self.text(wire::required(delta.text)?, each),
            "thinking_delta" => say(wire::required(delta.thinking)?, |text| each(Delta::Thinking { choice: 0, text })),
            "signature_delta" => {
                say(wire::required(delta.signature)?, |signature| each(Delta::Signature { choice: 0, signature }));
            }
            "citations_delta" => self.cite(delta.citation.ok_or(Broken::Malformed)?, each),
            "input_json_delta" => self.grow_input(index, wire::required(delta.partial_json)?, each)?,
            _ => {}
        }
        Ok(())
    }

    /// The input of a tool that ran on Anthropic's servers is nobody's call, and its block is not open.
    fn grow_input<'a>(&mut self, index: u64, json: Str<'a>, each: &mut Each<'_, 'a>) -> Told {
        let Some(open) = self.open.iter_mut().rfind(|open| open.block == index) else { return Ok(()) };
        let begin = json.trim_start();
        if open.is_empty && !begin.starts_with('{') {
            return if begin.is_empty() { Ok(()) } else { Err(Broken::Malformed) };
        }
        open.is_empty = false;
        let call = open.call;
        if self.open.last().is_some_and(|last| last.block == index) {
            self.input.clear();
        }
        self.take(call, json.0, each);
        Ok(())
    }

    pub(super) fn stop_block(&mut self, index: u64, each: &mut Each<'_, '_>) {
        self.settle(each);
        if let Some(at) = self.open.iter().rposition(|open| open.block == index) {
            let open = self.open.remove(at);
            self.close(&open, each);
        }
    }

    pub(super) fn finish<'a>(
        &mut self,
        reason: Option<&str>,
        details: Option<&'a RawValue>,
        usage: Option<&'a RawValue>,
        each: &mut Each<'_, 'a>,
    ) {
        self.settle(each);
        for open in core::mem::take(&mut self.open) {
            self.close(&open, each);
        }
        self.count(wire::optional(usage).as_ref(), each);
        // What was said before is no part of it: it has been told as the text that it is.
        let details: Option<StopDetails<'_>> = wire::optional(details);
        say(details.and_then(|details| details.explanation), |text| each(Delta::Refusal { choice: 0, text }));
        if let Some(reason) = reason {
            each(Delta::Finish { choice: 0, reason: self.reason(reason) });
        }
    }

    /// Why the answer ended. The tool that is none ends an answer, too.
    fn reason(&self, reason: &str) -> Finish {
        match reason {
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "tool_use" if self.calls > 0 => Finish::ToolCalls,
            "refusal" => Finish::ContentFilter,
            // `end_turn`, `stop_sequence`; after `pause_turn` the model would go on, which no client of OpenAI knows to ask
            // for.
            _ => Finish::Stop,
        }
    }

    /// Tells what is held of the last block, which stops or is followed by another one. A call without arguments so far may go
    /// on beside that.
    fn settle(&mut self, each: &mut Each<'_, '_>) {
        let span = Some((self.begin, self.characters));
        for (url, title) in self.pages.drain(..) {
            let (url, title) = (Cow::Owned(url), title.map(Cow::Owned));
            each(Delta::Citation { choice: 0, citation: Citation::Url { url, title, span } });
        }
        if !self.input.is_empty()
            && let Some(open) = self.open.pop()
        {
            let input = core::mem::take(&mut self.input);
            self.take(open.call, Cow::Owned(input), each);
        }
    }

    /// A call without arguments has an empty input, but clients parse what they get as JSON.
    fn close(&mut self, open: &Open, each: &mut Each<'_, '_>) {
        if open.is_empty {
            self.take(open.call, Cow::Borrowed("{}"), each);
        }
    }

    fn text<'a>(&mut self, text: Option<Str<'a>>, each: &mut Each<'_, 'a>) {
        if !self.is_given {
            say(text, |text| self.tell(text, each));
        }
    }

    /// More of a call's input.
    fn take<'a>(&mut self, call: Option<u32>, json: Text<'a>, each: &mut Each<'_, 'a>) {
        match call {
            Some(call) => each(Delta::Arguments { choice: 0, call, json }),
            None => self.tell(json, each),
        }
    }

    fn tell<'a>(&mut self, text: Text<'a>, each: &mut Each<'_, 'a>) {
        let characters = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        self.characters = self.characters.saturating_add(characters);
        each(Delta::Text { choice: 0, text });
    }

    fn cite<'a>(&mut self, raw: &'a RawValue, each: &mut Each<'_, 'a>) {
        match wire::citation(raw) {
            Citation::Url { url, title, .. } if self.has_room(&url, title.as_deref()) => {
                self.pages.push((url.into_owned(), title.map(Cow::into_owned)));
            }
            Citation::Url { url, title, .. } => {
                let span = Some((self.begin, self.characters));
                each(Delta::Citation { choice: 0, citation: Citation::Url { url, title, span } });
            }
            citation @ Citation::Document(_) => each(Delta::Citation { choice: 0, citation }),
        }
    }

    /// Whether one more page can wait.
    fn has_room(&self, url: &str, title: Option<&str>) -> bool {
        let size = |url: &str, title: Option<&str>| url.len().saturating_add(title.map_or(0, str::len));
        let held = self.pages.iter().map(|(url, title)| size(url, title.as_deref())).fold(0, usize::saturating_add);
        self.pages.len() < MAX_PAGES && held.saturating_add(size(url, title)) <= MAX_PAGE_BYTES
    }

    fn count(&mut self, usage: Option<&WireUsage<'_>>, each: &mut Each<'_, '_>) {
        if usage.is_some_and(|usage| self.tally.update(usage)) {
            each(Delta::Usage(self.tally.usage()));
        }
    }
}

/// Whether an input is an object without members.
fn is_hollow(input: &str) -> bool {
    input.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|members| members.trim().is_empty())
}

/// Gives a text on, unless there is none.
fn say<'a>(text: Option<Str<'a>>, tell: impl FnOnce(Text<'a>)) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        tell(text.0);
    }
}
