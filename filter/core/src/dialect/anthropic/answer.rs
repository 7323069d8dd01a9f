//! What an answer says, step by step: a whole one is a stream whose blocks come in one piece, so both are told the same.
//!
//! Constant memory: of what was told only numbers are remembered, and of the blocks that are open what cannot be told yet,
//! bounded. Text is told as it comes. Where the answer is the input of [`JSON_TOOL`], what a model says before it calls the
//! tool has therefore been told; what it says or answers after it is left out.

use alloc::{
    borrow::{Cow, ToOwned},
    format,
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
/// Most pages of one block that wait for its end.
const MAX_CITATIONS: usize = 64;

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
    open: Vec<Open>,
}

/// A block that may go on.
#[derive(Debug)]
struct Open {
    index: u64,
    rest: Rest,
}

/// What is left to tell when a block stops.
#[derive(Debug)]
enum Rest {
    /// Where the text is from: pages are named before the text that they are cited for, but a place in it needs its end.
    Sources { start: u64, pages: Vec<(String, Option<String>)> },
    /// A tool's input as it stood in the block's start, unless it comes bit by bit. Anthropic's own SDKs let the bits win.
    Input { to: To, input: String },
    /// Nothing: the input came bit by bit.
    Told(To),
}

/// What an input is.
#[derive(Debug, Clone, Copy)]
enum To {
    /// The arguments of the call of this number.
    Call(u32),
    /// The answer.
    Text,
}

impl Answer {
    pub(super) fn start<'a>(&mut self, message: WireMessage<'a>, each: &mut Each<'_, 'a>) {
        let usage = WireUsage::read(message.usage);
        let service_tier = usage.as_ref().and_then(WireUsage::service_tier);
        each(Delta::Start { id: message.id.map(|id| id.0), model: message.model.map(|model| model.0), service_tier });
        self.count(usage.as_ref(), each);
    }

    pub(super) fn start_block<'a>(&mut self, index: u64, block: &'a RawValue, each: &mut Each<'_, 'a>) -> Told {
        self.settle(each);
        let Some((kind, block)) = WireBlock::read(block).map_err(|_| Broken::Malformed)? else { return Ok(()) };
        match kind {
            BlockKind::Text => {
                let rest = Rest::Sources { start: self.characters, pages: Vec::new() };
                self.open(Open { index, rest })?;
                self.text(block.text, each);
                for raw in block.citations.into_iter().flatten() {
                    self.cite(index, raw, each);
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
        let input = match block.input.map(RawValue::get) {
            None | Some("null") => String::new(),
            Some(input) if is_empty(input) => String::new(),
            Some(input) if input.starts_with('{') => input.to_owned(),
            Some(_) => return Err(Broken::Malformed),
        };
        let to = if name == JSON_TOOL {
            // What comes for a block that is not open is passed over.
            if core::mem::replace(&mut self.is_given, true) {
                return Ok(());
            }
            To::Text
        } else {
            let call = self.calls;
            self.calls = call.saturating_add(1);
            let id = block.id.filter(|id| !id.is_empty()).map_or_else(|| Cow::Owned(format!("call_{call}")), |id| id.0);
            let begun = ToolCall { id, name, arguments: Cow::Borrowed(""), signature: None };
            each(Delta::ToolCall { choice: 0, call, begun });
            To::Call(call)
        };
        self.open(Open { index, rest: Rest::Input { to, input } })
    }

    pub(super) fn grow_block<'a>(&mut self, index: u64, delta: BlockDelta<'a>, each: &mut Each<'_, 'a>) -> Told {
        match &*delta.kind {
            "text_delta" => self.text(wire::required(delta.text)?, each),
            "thinking_delta" => say(wire::required(delta.thinking)?, |text| each(Delta::Thinking { choice: 0, text })),
            "signature_delta" => {
                say(wire::required(delta.signature)?, |signature| each(Delta::Signature { choice: 0, signature }));
            }
            "citations_delta" => self.cite(index, delta.citation.ok_or(Broken::Malformed)?, each),
            "input_json_delta" => self.grow_input(index, wire::required(delta.partial_json)?, each)?,
            _ => {}
        }
        Ok(())
    }

    /// The input of a tool that ran on Anthropic's servers is nobody's call, and its block is not open.
    fn grow_input<'a>(&mut self, index: u64, json: Str<'a>, each: &mut Each<'_, 'a>) -> Told {
        let begin = json.trim_start();
        match self.open.iter_mut().find(|open| open.index == index) {
            Some(Open { rest: Rest::Told(to), .. }) => {
                let to = *to;
                self.input(to, json.0, each);
            }
            Some(Open { rest: rest @ Rest::Input { .. }, .. }) if begin.starts_with('{') => {
                if let Rest::Input { to, .. } = *rest {
                    *rest = Rest::Told(to);
                    self.input(to, json.0, each);
                }
            }
            Some(Open { rest: Rest::Input { .. }, .. }) if !begin.is_empty() => return Err(Broken::Malformed),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn stop_block(&mut self, index: u64, each: &mut Each<'_, '_>) {
        if let Some(at) = self.open.iter().position(|open| open.index == index) {
            let open = self.open.remove(at);
            self.close(open, each);
        }
    }

    pub(super) fn finish<'a>(
        &mut self,
        reason: Option<&str>,
        details: Option<&'a RawValue>,
        usage: Option<&'a RawValue>,
        each: &mut Each<'_, 'a>,
    ) {
        for open in core::mem::take(&mut self.open) {
            self.close(open, each);
        }
        self.count(WireUsage::read(usage).as_ref(), each);
        // What was said before is no part of it: it has been told as the text that it is.
        say(StopDetails::read(details), |text| each(Delta::Refusal { choice: 0, text }));
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

    fn open(&mut self, open: Open) -> Told {
        if self.open.len() >= MAX_OPEN {
            return Err(Broken::Malformed);
        }
        self.open.push(open);
        Ok(())
    }

    /// Tells what the last block holds, for another one starts. Only calls without arguments so far may go on beside it.
    fn settle(&mut self, each: &mut Each<'_, '_>) {
        let holds = |open: &mut Open| match &open.rest {
            Rest::Sources { .. } => true,
            Rest::Input { input, .. } => !input.is_empty(),
            Rest::Told(_) => false,
        };
        if let Some(open) = self.open.pop_if(holds) {
            self.close(open, each);
        }
    }

    fn close(&mut self, open: Open, each: &mut Each<'_, '_>) {
        match open.rest {
            Rest::Sources { start, pages } => {
                let span = Some((start, self.characters));
                for (url, title) in pages {
                    let (url, title) = (Cow::Owned(url), title.map(Cow::Owned));
                    each(Delta::Citation { choice: 0, citation: Citation::Url { url, title, span } });
                }
            }
            // A call without arguments has an empty input, but clients parse what they get as JSON.
            Rest::Input { to, input } if input.is_empty() => self.input(to, Cow::Borrowed("{}"), each),
            Rest::Input { to, input } => self.input(to, Cow::Owned(input), each),
            Rest::Told(_) => {}
        }
    }

    fn text<'a>(&mut self, text: Option<Str<'a>>, each: &mut Each<'_, 'a>) {
        if !self.is_given {
            say(text, |text| self.tell(text, each));
        }
    }

    fn input<'a>(&mut self, to: To, json: Text<'a>, each: &mut Each<'_, 'a>) {
        match to {
            To::Call(call) => each(Delta::Arguments { choice: 0, call, json }),
            To::Text => self.tell(json, each),
        }
    }

    fn tell<'a>(&mut self, text: Text<'a>, each: &mut Each<'_, 'a>) {
        let characters = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        self.characters = self.characters.saturating_add(characters);
        each(Delta::Text { choice: 0, text });
    }

    fn cite<'a>(&mut self, index: u64, raw: &'a RawValue, each: &mut Each<'_, 'a>) {
        let mut citation = wire::citation(raw);
        if let Citation::Url { url, title, span } = &mut citation
            && let Some(open) = self.open.iter_mut().find(|open| open.index == index)
            && let Rest::Sources { start, pages } = &mut open.rest
        {
            if pages.len() < MAX_CITATIONS {
                return pages.push((url.as_ref().into(), title.as_deref().map(String::from)));
            }
            *span = Some((*start, self.characters));
        }
        each(Delta::Citation { choice: 0, citation });
    }

    fn count(&mut self, usage: Option<&WireUsage<'_>>, each: &mut Each<'_, '_>) {
        if let Some(usage) = usage {
            self.tally.update(usage);
            each(Delta::Usage(self.tally.usage()));
        }
    }
}

/// Whether an input is an object without members.
fn is_empty(input: &str) -> bool {
    input.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|members| members.trim().is_empty())
}

/// Gives a text on, unless there is none.
fn say<'a>(text: Option<Str<'a>>, tell: impl FnOnce(Text<'a>)) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        tell(text.0);
    }
}
