//! A message as stream events.
//!
//! Each has its name twice, outside and inside the data; a ping follows the first block's start, whatever is being
//! said; white space before the last brace hides the length of the tokens (since 2025). A tool's input is sent as text
//! that is JSON only when put together, and begins with an empty piece.

use serde::Serialize;

use super::{
    Stamp,
    whole::{Block, Message, OutputDetails, Stop, UsageObject, WireBlock},
};
use crate::simulate::answer::Answer;
use crate::simulate::question::Question;

/// The longest padding.
const PADDING: usize = 16;

pub(super) fn write(question: &Question, answer: &Answer, mut stamp: Stamp) -> Vec<Vec<u8>> {
    let mut opening = Message::open(question, answer, &mut stamp);
    if let Some(usage) = &mut opening.usage {
        // What is known before the answer is; the last event has the sum.
        usage.output_tokens = 1;
        usage.output_tokens_details = None;
    }
    // Before any padding: the ids are those of the whole message.
    let blocks = answer.choices.first().map(|choice| choice.blocks(question, &mut stamp)).unwrap_or_default();
    let mut writer = Writer { stamp, events: Vec::new() };
    writer.event("message_start", &Start { kind: "message_start", message: opening });
    let Some(choice) = answer.choices.first() else { return writer.events };
    for (index, block) in blocks.into_iter().enumerate() {
        let start = Event::at(index).starting(block.opening());
        writer.event("content_block_start", &start);
        if index == 0 {
            writer.events.push(b"event: ping\ndata: {\"type\": \"ping\"}\n\n".to_vec());
        }
        for delta in block.deltas() {
            writer.event("content_block_delta", &Event::at(index).saying(delta));
        }
        writer.event("content_block_stop", &Event { kind: "content_block_stop", ..Event::at(index) });
    }
    let usage = answer.usage.map(UsageObject::of).map(|usage| DeltaUsage {
        input_tokens: usage.input_tokens,
        cache_creation_input_tokens: usage.cache_creation_input_tokens,
        cache_read_input_tokens: usage.cache_read_input_tokens,
        output_tokens: usage.output_tokens,
        output_tokens_details: usage.output_tokens_details,
    });
    writer.event("message_delta", &End { kind: "message_delta", delta: Stop::of(choice), usage });
    writer.event("message_stop", &Last { kind: "message_stop" });
    writer.events
}

#[derive(Serialize)]
struct Start<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: Message<'a>,
}

/// An event of one block.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_block: Option<WireBlock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Delta<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "the names on the wire")]
enum Delta<'a> {
    ThinkingDelta { thinking: &'a str },
    SignatureDelta { signature: &'a str },
    TextDelta { text: &'a str },
    InputJsonDelta { partial_json: &'a str },
}

#[derive(Serialize)]
struct End {
    #[serde(rename = "type")]
    kind: &'static str,
    delta: Stop,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<DeltaUsage>,
}

#[derive(Serialize)]
struct DeltaUsage {
    input_tokens: usize,
    cache_creation_input_tokens: usize,
    cache_read_input_tokens: usize,
    output_tokens: usize,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Serialize)]
struct Last {
    #[serde(rename = "type")]
    kind: &'static str,
}

impl<'a> Event<'a> {
    fn at(index: usize) -> Self {
        Self { kind: "", index, content_block: None, delta: None }
    }

    fn starting(self, block: WireBlock) -> Self {
        Self { kind: "content_block_start", content_block: Some(block), ..self }
    }

    fn saying(self, delta: Delta<'a>) -> Self {
        Self { kind: "content_block_delta", delta: Some(delta), ..self }
    }
}

impl Block {
    fn deltas(&self) -> Vec<Delta<'_>> {
        match self {
            Self::Thinking { pieces, signature } => {
                let thinking = pieces.iter().map(|thinking| Delta::ThinkingDelta { thinking });
                thinking.chain([Delta::SignatureDelta { signature }]).collect()
            }
            Self::Text(pieces) => pieces.iter().map(|text| Delta::TextDelta { text }).collect(),
            Self::ToolUse { pieces, .. } => {
                // An input without arguments stays unsaid.
                let said = if pieces.concat() == "{}" { &[] } else { pieces.as_slice() };
                let all = [""].into_iter().chain(said.iter().map(String::as_str));
                all.map(|partial_json| Delta::InputJsonDelta { partial_json }).collect()
            }
        }
    }
}

struct Writer {
    stamp: Stamp,
    events: Vec<Vec<u8>>,
}

impl Writer {
    fn event(&mut self, name: &str, data: &impl Serialize) {
        let padding = self.stamp.random.below(PADDING);
        self.events.push(event(name, data, padding));
    }
}

/// One framed event, with as many spaces before its last brace.
pub(super) fn event(name: &str, data: &impl Serialize, padding: usize) -> Vec<u8> {
    let mut bytes = format!("event: {name}\ndata: ").into_bytes();
    // Writing plain structs to memory cannot fail.
    let _infallible = serde_json::to_writer(&mut bytes, data);
    let brace = bytes.pop();
    bytes.extend(std::iter::repeat_n(b' ', padding));
    bytes.extend(brace);
    bytes.extend_from_slice(b"\n\n");
    bytes
}
