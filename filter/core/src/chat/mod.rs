//! The canonical chat: what every dialect maps to and from, so that N dialects cost N mappings and not N².
//!
//! It is no dialect of its own and is never serialised. It borrows from the document it was read from: a 10 MiB image is not
//! copied before it is written for its target. It is a superset by meaning, not by field: two spellings of one wish are one
//! field here. What nothing here has a place for stands in [`Request::other`], for the writer to drop, to refuse or, where it speaks the
//! format that it is of, to pass on. Where a
//! client has several spellings of one wish, the one that it used stands beside it, for the list of what was left out.

mod answer;
mod calling;
mod collect;
mod progress;
mod reasoning;
mod turn;

use alloc::{borrow::Cow, vec::Vec};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::json::record;

pub use answer::{Choice, Delta, Fault, Finish, Reason, Response, TokenLogprob};
pub use calling::{CallMode, Calling, ToolChoice};
pub use collect::Collected;
pub use progress::Progress;
pub use reasoning::{Effort, Reasoning, Telling};
pub use turn::{Citation, Input, Message, Part, Role, Source, TextPart, ToolCall, ToolResult};

/// Most choices of an answer that are told apart; `OpenAI`'s API takes no more in one request.
pub const MAX_CHOICES: usize = 128;

/// Text, borrowed where it can be.
pub type Text<'a> = Cow<'a, str>;

/// A request. Its model is the plan's business.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// The conversation, system prompts in their place.
    pub messages: Vec<Message<'a>>,
    /// What the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Whether it may, must or must not.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether it may call several at once.
    pub parallel_tools: Option<bool>,
    /// The shape of the answer's text.
    pub format: Option<Format<'a>>,
    /// Most tokens of the answer.
    pub max_tokens: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<Text<'a>>,
    /// Randomness, 0 to 2.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Sampling from the k likeliest.
    pub top_k: Option<u64>,
    /// Penalty of tokens that stand already.
    pub presence_penalty: Option<f64>,
    /// Penalty of tokens by how often they stand.
    pub frequency_penalty: Option<f64>,
    /// For the same answer again.
    pub seed: Option<i64>,
    /// How many answers.
    pub choices: Option<u32>,
    /// Log probabilities of the answer's tokens, with so many alternatives each.
    pub logprobs: Option<u32>,
    /// How much to think.
    pub reasoning: Reasoning<'a>,
    /// Tokens made likelier or unlikelier; only where there are any.
    pub logit_bias: Option<&'a RawValue>,
    /// What the answer consists of; empty where nothing is said.
    pub modalities: Vec<Modality>,
    /// The web may be searched.
    pub web_search: Option<WebSearch<'a>>,
    /// Whom the application serves.
    pub user: Option<User<'a>>,
    /// Which service tier is asked for.
    pub service_tier: Option<Text<'a>>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Members of `OpenAI`'s chat that have no place here, as they came.
    pub other: Vec<(Text<'a>, &'a RawValue)>,
    /// The members by which the client relies on what a provider keeps of earlier answers, or is to keep of this one.
    pub relies_on: Vec<&'static str>,
    /// What else was said that has no place here, by its name in the client's format: no target gets it.
    pub unplaced: Vec<Text<'a>>,
}

impl<'a> Request<'a> {
    /// More names than are listed need not be told apart: a client may send any number of them.
    const MAX_UNPLACED: usize = 64;

    /// Notes what has no place here.
    pub fn leave(&mut self, name: impl Into<Text<'a>>) {
        let name = name.into();
        if self.unplaced.len() < Self::MAX_UNPLACED && !self.unplaced.contains(&name) {
            self.unplaced.push(name);
        }
    }

    /// Leaves out what models have thought, and what proves it.
    pub fn forget(&mut self) {
        for message in &mut self.messages {
            message.parts.retain(|part| !matches!(part, Part::RedactedThinking(_)));
            for part in &mut message.parts {
                match part {
                    Part::Thinking { signature, .. } => *signature = None,
                    Part::Text(TextPart { signature, .. }) | Part::ToolCall(ToolCall { signature, .. }) => {
                        *signature = None;
                    }
                    Part::Image { .. }
                    | Part::Document { .. }
                    | Part::Audio { .. }
                    | Part::RedactedThinking(_)
                    | Part::Refusal(_)
                    | Part::ToolResult(_) => {}
                }
            }
        }
    }
}

/// What an answer may consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modality {
    /// Text.
    Text,
    /// Sound.
    Audio,
    /// Pictures.
    Image,
}

/// How the web is to be searched.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebSearch<'a> {
    /// How much of it: `low`, `medium`, `high`.
    pub context_size: Option<&'a RawValue>,
    /// Where the user is, roughly.
    pub user_location: Option<Place<'a>>,
}

record! {
    /// Where somebody is, in the members that `OpenAI` and Anthropic have in common.
    #[derive(Debug, Clone, Copy, Default, Serialize)]
    pub struct Place<'a> {
        /// Its name.
        #[serde(skip_serializing_if = "Option::is_none")]
        city: Option<&'a RawValue>,
        /// Its name.
        #[serde(skip_serializing_if = "Option::is_none")]
        region: Option<&'a RawValue>,
        /// Its two letters.
        #[serde(skip_serializing_if = "Option::is_none")]
        country: Option<&'a RawValue>,
        /// Its name in the database of time zones.
        #[serde(skip_serializing_if = "Option::is_none")]
        timezone: Option<&'a RawValue>,
    }
}

/// Whom the application serves.
#[derive(Debug, Clone)]
pub struct User<'a> {
    /// An id, of no meaning to others.
    pub id: Text<'a>,
    /// The member that says it: there are an older and a newer one.
    pub member: &'static str,
}

/// A function that the model may call.
#[derive(Debug, Clone)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// What it does.
    pub description: Option<Text<'a>>,
    /// The JSON Schema of its arguments, an object; absent where it takes none.
    pub parameters: Option<&'a RawValue>,
    /// Whether the arguments must fit the schema.
    pub strict: Option<bool>,
    /// A cache breakpoint behind it.
    pub cache: Option<&'a RawValue>,
}

/// The shape of the answer's text.
#[derive(Debug, Clone)]
pub enum Format<'a> {
    /// Any.
    Text,
    /// A JSON object.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema {
        /// The schema's name.
        name: Text<'a>,
        /// What it is for.
        description: Option<Text<'a>>,
        /// The schema; absent where the client gave none.
        schema: Option<&'a RawValue>,
        /// Whether it must fit.
        strict: Option<bool>,
    },
}
