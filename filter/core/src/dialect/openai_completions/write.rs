//! Answers: what a whole one and a stream have in common, and the whole one.
//!
//! There is one text. What a model says besides, its thoughts and where its words are from, has no place; a refusal is what it says.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde::{Serialize, Serializer};

use crate::{
    chat::{Choice, Finish, Part, Response, Text, TokenLogprob},
    dialect::{
        Identity,
        openai_chat::write::{WireUsage, finish_word, usage},
    },
};

#[derive(Serialize)]
pub(super) struct Completion<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) choices: &'a [WireChoice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<WireUsage>,
}

/// What every object of this API is called.
pub(super) const OBJECT: &str = "text_completion";

#[derive(Serialize)]
pub(super) struct WireChoice<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) index: u32,
    pub(super) logprobs: Option<WireLogprobs<'a>>,
    pub(super) finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct WireLogprobs<'a> {
    /// Where in the answer each token begins, in characters.
    text_offset: Vec<u64>,
    token_logprobs: Vec<f64>,
    tokens: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    top_logprobs: Vec<Likeliest<'a>>,
}

/// The likeliest tokens in one's place, each a member.
struct Likeliest<'a>(&'a [(Text<'a>, f64)]);

impl Serialize for Likeliest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(token, logprob)| (token, logprob)))
    }
}

/// Log probabilities of tokens, of which the first begins after `begin` characters.
pub(super) fn logprobs<'a>(tokens: &'a [TokenLogprob<'a>], mut begin: u64) -> Option<WireLogprobs<'a>> {
    let has_top = tokens.iter().any(|token| !token.top.is_empty());
    let offset = |token: &TokenLogprob<'_>| {
        let offset = begin;
        begin = begin.saturating_add(characters(&token.token));
        offset
    };
    (!tokens.is_empty()).then(|| WireLogprobs {
        text_offset: tokens.iter().map(offset).collect(),
        token_logprobs: tokens.iter().map(|token| token.logprob).collect(),
        tokens: tokens.iter().map(|token| &*token.token).collect(),
        top_logprobs: tokens.iter().filter(|_| has_top).map(|token| Likeliest(&token.top)).collect(),
    })
}

pub(super) fn characters(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}

/// No tool is called here.
pub(super) fn finish(reason: Finish) -> &'static str {
    finish_word(if reason == Finish::ToolCalls { Finish::Stop } else { reason })
}

pub(super) fn id(exchange: &str) -> String {
    format!("cmpl-{exchange}")
}

/// Writes a whole answer.
pub(super) fn write(response: &Response<'_>, identity: &Identity) -> Vec<u8> {
    let choices = response.choices.iter().zip(0..).map(|(choice, index)| WireChoice {
        text: text_of(choice),
        index,
        logprobs: logprobs(&choice.logprobs, 0),
        finish_reason: Some(finish(choice.finish.unwrap_or(Finish::Stop))),
    });
    let choices: Vec<_> = choices.collect();
    let completion = Completion {
        id: &response.id.as_deref().map_or_else(|| Cow::Owned(id(&identity.exchange)), Cow::Borrowed),
        object: OBJECT,
        created: identity.created,
        model: response.model.as_deref().unwrap_or(&identity.model),
        choices: &choices,
        usage: response.usage.as_ref().map(usage),
    };
    // Strings, numbers and maps with string names: nothing here can fail to be written.
    serde_json::to_vec(&completion).unwrap_or_default()
}

fn text_of<'a>(choice: &'a Choice<'a>) -> Cow<'a, str> {
    if let [Part::Text(part)] = choice.parts.as_slice() {
        return Cow::Borrowed(&part.text);
    }
    let mut text = String::new();
    for part in &choice.parts {
        match part {
            Part::Text(part) => text.push_str(&part.text),
            Part::Refusal(refusal) => text.push_str(refusal),
            Part::Image { source, .. } => text.push_str(&source.markdown()),
            Part::Thinking { .. }
            | Part::RedactedThinking(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_)
            | Part::Document { .. }
            | Part::Audio { .. } => {}
        }
    }
    Cow::Owned(text)
}
