//! A message in one piece.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{PURPOSE, Stamp};
use crate::simulate::{
    answer::{Answer, Choice, Content, Finish, Usage},
    dialect::signature,
    question::Question,
};

pub(super) fn write(question: &Question, answer: &Answer, mut stamp: Stamp) -> Vec<u8> {
    let mut message = Message::open(question, answer, &mut stamp);
    if let Some(choice) = answer.choices.first() {
        message.content = choice.blocks(question, &mut stamp).iter().map(Block::whole).collect();
        let stop = Stop::of(choice);
        (message.stop_reason, message.stop_sequence, message.stop_details) =
            (Some(stop.stop_reason), stop.stop_sequence, stop.stop_details);
    }
    serde_json::to_vec(&message).unwrap_or_default()
}

/// A message; the first event of a stream has one too, still empty.
#[derive(Serialize)]
pub(super) struct Message<'a> {
    model: &'a str,
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    content: Vec<WireBlock>,
    stop_reason: Option<&'static str>,
    stop_sequence: Option<String>,
    stop_details: Option<StopDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<UsageObject>,
}

impl<'a> Message<'a> {
    pub(super) fn open(question: &'a Question, answer: &Answer, stamp: &mut Stamp) -> Self {
        Self {
            model: &question.model,
            id: stamp.message_id(),
            kind: "message",
            role: "assistant",
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            stop_details: None,
            usage: answer.usage.map(UsageObject::of),
        }
    }
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
pub(super) struct Stop {
    pub(super) stop_reason: &'static str,
    pub(super) stop_sequence: Option<String>,
    pub(super) stop_details: Option<StopDetails>,
}

#[derive(Serialize)]
pub(super) struct StopDetails {
    #[serde(rename = "type")]
    kind: &'static str,
    category: &'static str,
    explanation: Option<()>,
}

impl Stop {
    pub(super) fn of(choice: &Choice) -> Self {
        let refused = matches!(choice.content, Content::Refusal(_));
        let stop_reason = match choice.finish {
            Finish::ContentFilter => "refusal",
            Finish::Stop if refused => "refusal",
            Finish::Stop if choice.stop.is_some() => "stop_sequence",
            Finish::Stop => "end_turn",
            Finish::Length => "max_tokens",
            Finish::ToolCalls => "tool_use",
        };
        let stop_details = (stop_reason == "refusal").then_some(StopDetails {
            kind: "refusal",
            category: "general_harms",
            explanation: None,
        });
        Self { stop_reason, stop_sequence: choice.stop.clone(), stop_details }
    }
}

#[derive(Serialize)]
pub(super) struct UsageObject {
    pub(super) input_tokens: usize,
    pub(super) cache_creation_input_tokens: usize,
    pub(super) cache_read_input_tokens: usize,
    cache_creation: CacheCreation,
    pub(super) output_tokens: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_tokens_details: Option<OutputDetails>,
    service_tier: &'static str,
    inference_geo: &'static str,
}

#[derive(Serialize)]
struct CacheCreation {
    ephemeral_5m_input_tokens: usize,
    ephemeral_1h_input_tokens: usize,
}

#[derive(Serialize)]
pub(super) struct OutputDetails {
    thinking_tokens: usize,
}

impl UsageObject {
    /// The cached parts are not in `input_tokens`, the thinking is in `output_tokens`.
    pub(super) fn of(usage: Usage) -> Self {
        let cache = usage.cache;
        Self {
            input_tokens: usage.input.saturating_sub(cache.read_tokens).saturating_sub(cache.written_tokens),
            cache_creation_input_tokens: cache.written_tokens,
            cache_read_input_tokens: cache.read_tokens,
            cache_creation: CacheCreation {
                ephemeral_5m_input_tokens: cache.written_tokens,
                ephemeral_1h_input_tokens: 0,
            },
            output_tokens: usage.output,
            output_tokens_details: Some(OutputDetails { thinking_tokens: usage.reasoning }),
            service_tier: "standard",
            inference_geo: "not_available",
        }
    }
}

/// A content block, with the pieces that a stream sends it in.
pub(super) enum Block {
    Thinking { pieces: Vec<String>, signature: String },
    Text(Vec<String>),
    ToolUse { id: String, name: String, pieces: Vec<String> },
}

impl Choice {
    pub(super) fn blocks(&self, question: &Question, stamp: &mut Stamp) -> Vec<Block> {
        let mut blocks = Vec::new();
        if question.reasoning {
            let signature = signature::issue(PURPOSE, &self.thoughts.concat(), stamp);
            blocks.push(Block::Thinking { pieces: self.thoughts.clone(), signature });
        }
        match &self.content {
            Content::Text(tokens) | Content::Refusal(tokens) => blocks.push(Block::Text(tokens.clone())),
            Content::Calls(calls) => blocks.extend(calls.iter().map(|call| Block::ToolUse {
                id: stamp.tool_use_id(),
                name: call.name.clone(),
                pieces: call.arguments.clone(),
            })),
        }
        blocks
    }
}

/// A block as it is written; that of a stream's start is empty.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WireBlock {
    Thinking { thinking: String, signature: String },
    Text { text: String },
    ToolUse { id: String, name: String, input: Value, caller: Caller },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Caller {
    Direct,
}

impl Block {
    fn whole(&self) -> WireBlock {
        match self {
            Self::Thinking { pieces, signature } => {
                WireBlock::Thinking { thinking: pieces.concat(), signature: signature.clone() }
            }
            Self::Text(pieces) => WireBlock::Text { text: pieces.concat() },
            Self::ToolUse { id, name, pieces } => WireBlock::ToolUse {
                id: id.clone(),
                name: name.clone(),
                input: serde_json::from_str(&pieces.concat()).unwrap_or_default(),
                caller: Caller::Direct,
            },
        }
    }

    pub(super) fn opening(&self) -> WireBlock {
        match self {
            Self::Thinking { .. } => WireBlock::Thinking { thinking: String::new(), signature: String::new() },
            Self::Text(_) => WireBlock::Text { text: String::new() },
            Self::ToolUse { id, name, .. } => WireBlock::ToolUse {
                id: id.clone(),
                name: name.clone(),
                input: Value::Object(Map::new()),
                caller: Caller::Direct,
            },
        }
    }
}
