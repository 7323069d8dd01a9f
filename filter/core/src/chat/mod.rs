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

use alloc::{borrow::Cow, string::String, vec::Vec};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use answer::{Choice, Delta, Fault, Finish, Reason, Response, TokenLogprob};
pub use calling::{CallMode, Calling, ToolChoice};
pub use collect::Collected;
pub use progress::Progress;

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

/// Where somebody is, in the members that `OpenAI` and Anthropic have in common.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
pub struct Place<'a> {
    /// Its name.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    city: Option<&'a RawValue>,
    /// Its name.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    region: Option<&'a RawValue>,
    /// Its two letters.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    country: Option<&'a RawValue>,
    /// Its name in the database of time zones.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    timezone: Option<&'a RawValue>,
}

/// Whom the application serves.
#[derive(Debug, Clone)]
pub struct User<'a> {
    /// An id, of no meaning to others.
    pub id: Text<'a>,
    /// The member that says it: there are an older and a newer one.
    pub member: &'static str,
}

/// How much to think.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reasoning<'a> {
    /// In words.
    pub effort: Option<Effort>,
    /// In tokens; `Some(0)` forbids it.
    pub budget: Option<u64>,
    /// Whether and how the thoughts are to be told.
    pub telling: Option<Telling<'a>>,
    /// The members that say it, of which clients know several.
    pub members: Vec<&'static str>,
}

impl Reasoning<'_> {
    /// Whether thought is forbidden.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.budget == Some(0) || self.budget.is_none() && self.effort == Some(Effort::None)
    }

    /// Whether thought is asked for.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.is_forbidden() && (self.budget.is_some() || self.effort.is_some())
    }
}

/// How thoughts are to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling<'a> {
    /// As what kind of summary; `None` asks for silence.
    pub summary: Option<Text<'a>>,
    /// The member that says it.
    pub member: &'static str,
}

impl Telling<'_> {
    /// Whether a summary of whatever kind is what was asked for.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.summary.as_deref() == Some("auto")
    }
}

/// How much to think, in words, from none on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as the model can.
    Minimal,
    /// A little.
    Low,
    /// As usual.
    Medium,
    /// Much.
    High,
    /// As much as the model can.
    Xhigh,
}

/// Budgets in tokens and the efforts that they stand for, after Google's own mapping of the one to the other
/// (<https://ai.google.dev/gemini-api/docs/openai#thinking>), continued. An effort takes the whole of its budget.
const BUDGETS: &[(u64, Effort)] =
    &[(0, Effort::None), (1024, Effort::Low), (8192, Effort::Medium), (24_576, Effort::High), (32_768, Effort::Xhigh)];

impl Effort {
    /// The budget in tokens that it stands for.
    #[must_use]
    pub fn budget(self) -> u64 {
        let effort = if self == Self::Minimal { Self::Low } else { self };
        BUDGETS.iter().find(|(_, known)| *known == effort).map_or(0, |(budget, _)| *budget)
    }

    /// What a budget in tokens stands for.
    #[must_use]
    pub fn of_budget(budget: u64) -> Self {
        BUDGETS.iter().find(|(most, _)| budget <= *most).map_or(Self::Xhigh, |(_, effort)| *effort)
    }
}

/// One turn.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// Whose turn.
    pub role: Role,
    /// The participant's name.
    pub name: Option<Text<'a>>,
    /// What is said, in order; tool calls and thoughts stand among it.
    pub parts: Vec<Part<'a>>,
    /// A cache breakpoint behind all of it.
    pub cache: Option<&'a RawValue>,
    /// Which of the client's messages it is of, for the error that blames it.
    pub place: usize,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The same, as newer models of OpenAI call it.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// The application, with results of tools: [`Part::ToolResult`] only.
    Tool,
}

/// A piece of a turn.
#[derive(Debug, Clone)]
pub enum Part<'a> {
    /// Text.
    Text(TextPart<'a>),
    /// A picture.
    Image {
        /// Where it is.
        source: Source<'a>,
        /// How closely to look: `low`, `high`, `auto`.
        detail: Option<Text<'a>>,
        /// A cache breakpoint behind it.
        cache: Option<&'a RawValue>,
    },
    /// A PDF or another file.
    Document {
        /// Where it is.
        source: Source<'a>,
        /// Its name.
        name: Option<Text<'a>>,
        /// A cache breakpoint behind it.
        cache: Option<&'a RawValue>,
    },
    /// Sound.
    Audio {
        /// `wav`, `mp3` …
        format: Text<'a>,
        /// Base64.
        data: Text<'a>,
    },
    /// What the model thought.
    Thinking {
        /// Its text, perhaps a summary, perhaps empty.
        text: Text<'a>,
        /// What proves to Anthropic that it is the model's own.
        signature: Option<Text<'a>>,
    },
    /// What Anthropic's model thought, encrypted.
    RedactedThinking(Text<'a>),
    /// What the model will not say.
    Refusal(Text<'a>),
    /// The model calls a tool.
    ToolCall(ToolCall<'a>),
    /// What a tool answered.
    ToolResult(ToolResult<'a>),
}

/// Text.
#[derive(Debug, Clone, Default)]
pub struct TextPart<'a> {
    /// The text.
    pub text: Text<'a>,
    /// Where it is from.
    pub citations: Vec<Citation<'a>>,
    /// A cache breakpoint behind it, as Anthropic writes it.
    pub cache: Option<&'a RawValue>,
    /// Gemini's thought signature on a text part.
    pub signature: Option<Text<'a>>,
}

/// Where a text is from.
#[derive(Debug, Clone)]
pub enum Citation<'a> {
    /// A page.
    Url {
        /// Its address.
        url: Text<'a>,
        /// Its title.
        title: Option<Text<'a>>,
        /// The cited characters of the answer's text, from and up to; `None` where the provider does not say.
        span: Option<(u64, u64)>,
    },
    /// A place in a document of the request, in the provider's own words.
    Document(&'a RawValue),
}

/// Where data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source<'a> {
    /// At an address that the provider fetches.
    Url(Text<'a>),
    /// Here.
    Data {
        /// Its media type.
        media_type: Text<'a>,
        /// Base64.
        base64: Text<'a>,
    },
    /// At the provider, under an id of its own.
    File(Text<'a>),
}

impl Source<'_> {
    /// A picture for an answer that has no place for one: clients show text as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        match self {
            Self::Url(url) | Self::File(url) => ["![](", url, ")"].concat(),
            Self::Data { media_type, base64 } => ["![](data:", media_type, ";base64,", base64, ")"].concat(),
        }
    }
}

/// The model calls a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall<'a> {
    /// The call's id, without what the gateway may have put into it.
    pub id: Text<'a>,
    /// The tool.
    pub name: Text<'a>,
    /// A JSON document, as the model wrote it: it may be malformed.
    pub arguments: Text<'a>,
    /// Gemini's thought signature.
    pub signature: Option<Text<'a>>,
}

/// The arguments of a call as an object, for dialects that want one.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Input<'a> {
    /// As the model wrote them.
    Object(&'a RawValue),
    /// It wrote none.
    None {},
    /// It wrote something else. The conversation about it must be able to go on.
    Malformed {
        /// What it wrote.
        arguments: &'a str,
    },
}

impl ToolCall<'_> {
    /// The arguments as an object.
    #[must_use]
    pub fn input(&self) -> Input<'_> {
        let arguments = self.arguments.trim();
        if arguments.is_empty() {
            return Input::None {};
        }
        match crate::json::read::<&RawValue>(arguments) {
            Ok(raw) if raw.get().starts_with('{') => Input::Object(raw),
            Ok(_) | Err(_) => Input::Malformed { arguments },
        }
    }
}

/// What a tool answered.
#[derive(Debug, Clone)]
pub struct ToolResult<'a> {
    /// The call's id.
    pub id: Text<'a>,
    /// The tool; the reader finds it from the call where the dialect does not repeat it.
    pub name: Option<Text<'a>>,
    /// What it answered: texts, images, documents.
    pub parts: Vec<Part<'a>>,
    /// Whether it failed.
    pub is_error: bool,
    /// A cache breakpoint behind it.
    pub cache: Option<&'a RawValue>,
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
