//! What comes back: whole, step by step, or as an error.

use alloc::{string::String, vec::Vec};

use super::{Citation, Part, Source, Text, ToolCall};
use crate::usage::Usage;

/// A whole answer.
#[derive(Debug, Clone, Default)]
pub struct Response<'a> {
    /// The provider's id of it, where it has one.
    pub id: Option<Text<'a>>,
    /// The model that answered, where the provider says it.
    pub model: Option<Text<'a>>,
    /// The answers.
    pub choices: Vec<Choice<'a>>,
    /// Tokens.
    pub usage: Option<Usage>,
    /// The tier that served.
    pub service_tier: Option<Text<'a>>,
}

/// One answer.
#[derive(Debug, Clone, Default)]
pub struct Choice<'a> {
    /// What is said, in order.
    pub parts: Vec<Part<'a>>,
    /// Why it ended.
    pub finish: Option<Finish>,
    /// Log probabilities of its tokens, where asked for.
    pub logprobs: Vec<TokenLogprob<'a>>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It was complete, or a stop text came.
    Stop,
    /// No more tokens were allowed.
    Length,
    /// Tools are called.
    ToolCalls,
    /// The provider holds it back.
    ContentFilter,
}

/// A token with its log probability.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprob<'a> {
    /// The token.
    pub token: Text<'a>,
    /// Its log probability.
    pub logprob: f64,
    /// The likeliest tokens in its place.
    pub top: Vec<(Text<'a>, f64)>,
}

/// A step of a streamed answer. `choice` counts the answers from 0, `call` the tool calls of one answer from 0.
#[derive(Debug, Clone)]
pub enum Delta<'a> {
    /// The answer begins. Whatever the provider does not say is absent; what it says later comes in another step of this kind.
    Start {
        /// The provider's id of it.
        id: Option<Text<'a>>,
        /// The model that answers.
        model: Option<Text<'a>>,
        /// The tier that serves.
        service_tier: Option<Text<'a>>,
    },
    /// More text.
    Text {
        /// Of which answer.
        choice: u32,
        /// The text.
        text: Text<'a>,
    },
    /// Gemini's thought signature on the text that was told so far.
    TextSignature {
        /// Of which answer.
        choice: u32,
        /// The signature.
        signature: Text<'a>,
    },
    /// A picture.
    Image {
        /// Of which answer.
        choice: u32,
        /// Where it is.
        source: Source<'a>,
    },
    /// More of what the model thinks.
    Thinking {
        /// Of which answer.
        choice: u32,
        /// The text.
        text: Text<'a>,
    },
    /// The thought that was told so far is complete, and this proves it.
    Signature {
        /// Of which answer.
        choice: u32,
        /// The signature.
        signature: Text<'a>,
    },
    /// An encrypted thought.
    RedactedThinking {
        /// Of which answer.
        choice: u32,
        /// The data.
        data: Text<'a>,
    },
    /// More of a refusal.
    Refusal {
        /// Of which answer.
        choice: u32,
        /// The text.
        text: Text<'a>,
    },
    /// A tool call begins; its arguments may already stand in it, whole or in part.
    ToolCall {
        /// Of which answer.
        choice: u32,
        /// Which call.
        call: u32,
        /// Id, name, arguments so far, signature.
        begun: ToolCall<'a>,
    },
    /// More of a tool call's arguments.
    Arguments {
        /// Of which answer.
        choice: u32,
        /// Which call.
        call: u32,
        /// A piece of JSON.
        json: Text<'a>,
    },
    /// Where the text is from.
    Citation {
        /// Of which answer.
        choice: u32,
        /// The place.
        citation: Citation<'a>,
    },
    /// Log probabilities of the tokens that came with the last text.
    Logprobs {
        /// Of which answer.
        choice: u32,
        /// The tokens.
        tokens: Vec<TokenLogprob<'a>>,
    },
    /// An answer ends.
    Finish {
        /// Which answer.
        choice: u32,
        /// Why.
        reason: Finish,
    },
    /// Tokens; each time the whole count so far.
    Usage(Usage),
    /// Nothing follows.
    End,
}

impl Delta<'_> {
    /// Of which answer it is a step; `None` where it is one of all.
    #[must_use]
    pub fn choice(&self) -> Option<u32> {
        match self {
            Self::Start { .. } | Self::Usage(_) | Self::End => None,
            Self::Text { choice, .. }
            | Self::TextSignature { choice, .. }
            | Self::Image { choice, .. }
            | Self::Thinking { choice, .. }
            | Self::Signature { choice, .. }
            | Self::RedactedThinking { choice, .. }
            | Self::Refusal { choice, .. }
            | Self::ToolCall { choice, .. }
            | Self::Arguments { choice, .. }
            | Self::Citation { choice, .. }
            | Self::Logprobs { choice, .. }
            | Self::Finish { choice, .. } => Some(*choice),
        }
    }

    /// Whether it carries something that a client could show, or ends an answer.
    #[must_use]
    pub fn is_content(&self) -> bool {
        match self {
            Self::Start { .. } | Self::Usage(_) | Self::Signature { .. } | Self::TextSignature { .. } | Self::End => {
                false
            }
            Self::Text { text, .. }
            | Self::Thinking { text, .. }
            | Self::Refusal { text, .. }
            | Self::Arguments { json: text, .. } => !text.is_empty(),
            Self::RedactedThinking { .. }
            | Self::Image { .. }
            | Self::ToolCall { .. }
            | Self::Citation { .. }
            | Self::Logprobs { .. }
            | Self::Finish { .. } => true,
        }
    }
}

/// What a provider says when it will not or cannot answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The status it stands for.
    pub status: u16,
    /// What it means, where the provider's words tell more than its status.
    pub reason: Option<Reason>,
    /// What it said, bounded; `None` where it said nothing that can be passed on.
    pub message: Option<String>,
}

impl Fault {
    /// Longest message that is passed on, in characters.
    const MAX_MESSAGE: usize = 500;

    /// How credentials begin, and what names whose they are.
    const PRIVATE: &[&str] = &["sk-", "AIza", "ya29.", "Bearer ", "api_key:", "project_number:"];

    /// A fault, with what of its message can be passed on: not too much of it, and nothing that looks like a credential.
    #[must_use]
    pub fn new(status: u16, reason: Option<Reason>, message: &str) -> Self {
        let message = message.trim();
        let is_word = |before: &str| before.ends_with(|character: char| character.is_ascii_alphanumeric());
        let is_private =
            |mark: &&str| message.match_indices(*mark).any(|(at, _)| !is_word(message.get(..at).unwrap_or("")));
        let is_tellable = !message.is_empty() && !Self::PRIVATE.iter().any(is_private);
        let message = is_tellable.then(|| message.chars().take(Self::MAX_MESSAGE).collect());
        Self { status, reason, message }
    }
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The conversation is longer than the model can read.
    ContextLength,
    /// The provider's policy forbids the content.
    ContentPolicy,
    /// The provider's account has no money left.
    Quota,
    /// No such model.
    ModelNotFound,
    /// It cannot verify a thought in the conversation.
    Thought,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_passed_on_unless_it_shows_a_credential() {
        for (message, is_told) in [
            ("The task-list is too long.", true),
            ("Incorrect API key provided: sk-proj-1234.", false),
            ("Consumer 'api_key:AIzaSyX' has been suspended.", false),
            ("  ", false),
        ] {
            assert_eq!(Fault::new(400, None, message).message.is_some(), is_told, "{message}");
        }
        let long = Fault::new(400, None, &"ä".repeat(600)).message.unwrap();
        assert_eq!(long.chars().count(), Fault::MAX_MESSAGE);
    }
}
