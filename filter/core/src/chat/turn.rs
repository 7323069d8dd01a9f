//! The turns of a conversation, and what they are made of.

use alloc::{string::String, vec::Vec};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Text;

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
