//! A stream: `message_start`, blocks that start, grow and stop, `message_delta`, `message_stop`.
//!
//! Constant memory: of the message only the tokens are remembered, and which blocks that are open are tool calls. Events and
//! kinds that are not known are passed over, as the API's versioning policy asks for.

use alloc::{borrow::Cow, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    JSON_TOOL, fault,
    response::{BlockKind, StopDetails, Tally, WireBlock, WireMessage, WireUsage, citation, finish, read_block},
};
use crate::{
    chat::{Delta, ToolCall},
    dialect::{Broken, Reader},
    json::Str,
    sse::Frame,
};

/// Most tool calls that are open at a time; the API opens one after the other.
const MAX_OPEN: usize = 64;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    tally: Tally,
    /// Tool calls so far, those of the client's tools only.
    calls: u32,
    open: Vec<Open>,
}

/// A block that is a tool call.
#[derive(Debug)]
struct Open {
    /// Its block's index.
    block: u64,
    /// Its number; `None` where its input is the answer.
    call: Option<u32>,
    /// Whether nothing of its input has come yet.
    is_empty: bool,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Str<'a>,
    #[serde(borrow, default)]
    index: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

/// What is new of a block, of whatever kind: those that are not known may name their members as they like.
#[derive(Deserialize)]
struct BlockDelta<'a> {
    #[serde(borrow, rename = "type")]
    kind: Str<'a>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    partial_json: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow, default)]
    signature: Option<&'a RawValue>,
    #[serde(borrow, default)]
    citation: Option<&'a RawValue>,
}

/// What is new of the message.
#[derive(Deserialize)]
struct MessageDelta<'a> {
    #[serde(borrow, default)]
    stop_reason: Option<Str<'a>>,
    #[serde(borrow, default)]
    stop_details: Option<StopDetails<'a>>,
}

type Each<'e> = dyn FnMut(Delta<'_>) + 'e;
type Read = Result<(), Broken>;

impl Reader for StreamReader {
    fn read(&mut self, frame: Frame<'_>, each: &mut dyn FnMut(Delta<'_>)) -> Read {
        let Some(data) = frame.data() else { return Ok(()) };
        let text = core::str::from_utf8(&data).map_err(|_| Broken::Malformed)?;
        let event: Event<'_> = parse(text)?;
        match &*event.kind {
            "message_start" => self.start(event.message, each),
            "content_block_start" => self.start_block(required(event.index)?, event.content_block, each),
            "content_block_delta" => self.grow_block(required(event.index)?, event.delta, each),
            "content_block_stop" => {
                self.stop_block(required(event.index)?, each);
                Ok(())
            }
            "message_delta" => self.finish(event.delta, event.usage, each),
            "message_stop" => {
                each(Delta::End);
                Ok(())
            }
            "error" => Err(Broken::Fault(fault::read_event(&data))),
            _ => Ok(()),
        }
    }
}

impl StreamReader {
    fn start(&mut self, message: Option<&RawValue>, each: &mut Each<'_>) -> Read {
        let mut message: WireMessage<'_> = required(message)?;
        let service_tier = message.usage.as_mut().and_then(WireUsage::service_tier);
        each(Delta::Start { id: message.id.map(|id| id.0), model: message.model.map(|model| model.0), service_tier });
        if let Some(usage) = &message.usage {
            self.count(usage, each);
        }
        Ok(())
    }

    fn start_block(&mut self, index: u64, block: Option<&RawValue>, each: &mut Each<'_>) -> Read {
        let read = read_block(block.ok_or(Broken::Malformed)?).map_err(|_| Broken::Malformed)?;
        let Some((kind, block)) = read else { return Ok(()) };
        match kind {
            BlockKind::Text => {
                say(block.text, |text| each(Delta::Text { choice: 0, text }));
                for raw in block.citations.into_iter().flatten() {
                    each(Delta::Citation { choice: 0, citation: citation(raw) });
                }
            }
            BlockKind::Thinking => {
                say(block.thinking, |text| each(Delta::Thinking { choice: 0, text }));
                say(block.signature, |signature| each(Delta::Signature { choice: 0, signature }));
            }
            BlockKind::RedactedThinking => {
                say(block.data, |data| each(Delta::RedactedThinking { choice: 0, data }));
            }
            BlockKind::ToolUse => self.start_call(index, block, each),
        }
        Ok(())
    }

    fn start_call(&mut self, block_index: u64, block: WireBlock<'_>, each: &mut Each<'_>) {
        // Anthropic tells the input bit by bit; others that speak its format tell it whole, here.
        let input = block.input.map(RawValue::get).filter(|input| !is_hollow(input));
        let is_json = block.name.as_deref() == Some(JSON_TOOL);
        let call = (!is_json).then_some(self.calls);
        if let Some(call) = call {
            self.calls = call.saturating_add(1);
            let (id, name) = (block.id.unwrap_or_default().0, block.name.unwrap_or_default().0);
            let arguments = Cow::Borrowed(input.unwrap_or_default());
            each(Delta::ToolCall { choice: 0, call, begun: ToolCall { id, name, arguments, signature: None } });
        } else if let Some(text) = input {
            each(Delta::Text { choice: 0, text: Cow::Borrowed(text) });
        }
        if self.open.len() < MAX_OPEN {
            self.open.push(Open { block: block_index, call, is_empty: input.is_none() });
        }
    }

    fn grow_block(&mut self, index: u64, delta: Option<&RawValue>, each: &mut Each<'_>) -> Read {
        let delta: BlockDelta<'_> = required(delta)?;
        match &*delta.kind {
            "text_delta" => say(required(delta.text)?, |text| each(Delta::Text { choice: 0, text })),
            "thinking_delta" => say(required(delta.thinking)?, |text| each(Delta::Thinking { choice: 0, text })),
            "signature_delta" => {
                say(required(delta.signature)?, |signature| each(Delta::Signature { choice: 0, signature }));
            }
            "citations_delta" => {
                let raw = delta.citation.ok_or(Broken::Malformed)?;
                each(Delta::Citation { choice: 0, citation: citation(raw) });
            }
            "input_json_delta" => {
                // The input of a tool that ran on Anthropic's servers is nobody's call.
                let Some(open) = self.open.iter_mut().find(|open| open.block == index) else { return Ok(()) };
                say(required(delta.partial_json)?, |json| {
                    open.is_empty = false;
                    each(open.input(json));
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn stop_block(&mut self, index: u64, each: &mut Each<'_>) {
        if let Some(at) = self.open.iter().position(|open| open.block == index) {
            let open = self.open.swap_remove(at);
            // A call without arguments has an empty input, but clients parse what they get as JSON.
            if open.is_empty {
                each(open.input(Cow::Borrowed("{}")));
            }
        }
    }

    fn finish(&mut self, delta: Option<&RawValue>, usage: Option<&RawValue>, each: &mut Each<'_>) -> Read {
        let delta: MessageDelta<'_> = required(delta)?;
        if let Some(usage) = usage {
            self.count(&required(Some(usage))?, each);
        }
        if let Some(explanation) = delta.stop_details.and_then(|details| details.explanation) {
            each(Delta::Refusal { choice: 0, text: explanation.0 });
        }
        if let Some(reason) = delta.stop_reason {
            each(Delta::Finish { choice: 0, reason: finish(&reason, self.calls > 0) });
        }
        Ok(())
    }

    fn count(&mut self, usage: &WireUsage<'_>, each: &mut Each<'_>) {
        self.tally.update(usage);
        each(Delta::Usage(self.tally.usage()));
    }
}

impl Open {
    /// More of the input.
    fn input<'a>(&self, json: Cow<'a, str>) -> Delta<'a> {
        match self.call {
            Some(call) => Delta::Arguments { choice: 0, call, json },
            None => Delta::Text { choice: 0, text: json },
        }
    }
}

/// Whether an input says nothing: it is told bit by bit.
fn is_hollow(input: &str) -> bool {
    input == "null" || input.bytes().all(|byte| byte.is_ascii_whitespace() || matches!(byte, b'{' | b'}'))
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Broken> {
    serde_json::from_str(text).map_err(|_| Broken::Malformed)
}

fn required<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<T, Broken> {
    parse(raw.ok_or(Broken::Malformed)?.get())
}

/// Gives a text on, unless there is none.
fn say<'a>(text: Option<Str<'a>>, each: impl FnOnce(Cow<'a, str>)) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        each(text.0);
    }
}
