//! An answer as it comes: <https://ai.google.dev/api/generate-content#GenerateContentResponse>. The events of a stream are
//! answers too.
//!
//! It is the JSON of protocol buffers (<https://protobuf.dev/programming-guides/json/>): any member may be absent or null, and a
//! number may be a string. What is not known is passed over.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde_json::value::RawValue;

use super::{
    citation::{Grounding, Recitation},
    fault::Status,
    partial::PartialArgument,
    usage::Metadata,
};
use crate::{
    chat::{Finish, Source, Text, TokenLogprob},
    json::{Number, Str, record},
};

/// Reasons why Google holds back what the model said. These and the next as of November 2026:
/// <https://ai.google.dev/api/generate-content#FinishReason>, and Vertex AI's. Some recorded answers have numbers for words; the
/// two APIs agree on what these mean, but not on those from 9 on.
const WITHHELD: &[&str] = &[
    "3",
    "4",
    "6",
    "7",
    "8",
    "BLOCKLIST",
    "ESCALATION",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_SAFETY",
    "LANGUAGE",
    "MODEL_ARMOR",
    "PROHIBITED_CONTENT",
    "RECITATION",
    "SAFETY",
    "SPII",
];

/// Reasons why there is nothing, or nothing more, to be said: the model has failed.
const FAILED: &[&str] = &[
    "5",
    "IMAGE_OTHER",
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "MISSING_THOUGHT_SIGNATURE",
    "NO_IMAGE",
    "OTHER",
    "TOO_MANY_TOOL_CALLS",
    "UNEXPECTED_TOOL_CALL",
];

record! {
    /// An answer, or an event of a stream.
    #[derive(Debug)]
    pub(super) struct Answer<'a> {
        pub(super) candidates: Option<Vec<Candidate<'a>>>,
        pub(super) prompt_feedback: Option<PromptFeedback<'a>> = "promptFeedback",
        pub(super) usage_metadata: Option<Metadata<'a>> = "usageMetadata",
        pub(super) model_version: Option<Str<'a>> = "modelVersion",
        pub(super) response_id: Option<Str<'a>> = "responseId",
        pub(super) error: Option<Status<'a>>,
    }
}

record! {
    #[derive(Debug)]
    pub(super) struct PromptFeedback<'a> {
        block_reason: Option<&'a RawValue> = "blockReason",
    }
}

record! {
    #[derive(Debug)]
    pub(super) struct Candidate<'a> {
        pub(super) index: Number<u32>,
        content: Option<Content<'a>>,
        finish_reason: Option<&'a RawValue> = "finishReason",
        finish_message: Option<Str<'a>> = "finishMessage",
        pub(super) grounding_metadata: Option<Grounding<'a>> = "groundingMetadata",
        pub(super) citation_metadata: Option<Recitation<'a>> = "citationMetadata",
        logprobs_result: Option<Logprobs<'a>> = "logprobsResult",
    }
}

record! {
    #[derive(Debug)]
    struct Content<'a> {
        parts: Option<Vec<Part<'a>>>,
    }
}

record! {
    #[derive(Debug)]
    pub(super) struct Part<'a> {
        pub(super) text: Option<Str<'a>>,
        pub(super) thought: Option<bool>,
        pub(super) thought_signature: Option<Str<'a>> = "thoughtSignature",
        pub(super) function_call: Option<Call<'a>> = "functionCall",
        pub(super) inline_data: Option<Blob<'a>> = "inlineData",
    }
}

record! {
    /// A call, or a piece of one.
    #[derive(Debug)]
    pub(super) struct Call<'a> {
        pub(super) id: Option<Str<'a>>,
        pub(super) name: Option<Str<'a>>,
        pub(super) args: Option<&'a RawValue>,
        pub(super) partial_args: Option<Vec<PartialArgument<'a>>> = "partialArgs",
        pub(super) will_continue: Option<bool> = "willContinue",
    }
}

record! {
    #[derive(Debug)]
    pub(super) struct Blob<'a> {
        mime_type: Option<Str<'a>> = "mimeType",
        data: Option<Str<'a>>,
    }
}

record! {
    #[derive(Debug)]
    struct Logprobs<'a> {
        chosen_candidates: Option<Vec<Token<'a>>> = "chosenCandidates",
        top_candidates: Option<Vec<Top<'a>>> = "topCandidates",
    }
}

record! {
    #[derive(Debug)]
    struct Top<'a> {
        candidates: Option<Vec<Token<'a>>>,
    }
}

record! {
    #[derive(Debug)]
    struct Token<'a> {
        token: Option<Str<'a>>,
        /// That of a probability of one is left out, as zeros are.
        log_probability: Number<f64> = "logProbability",
    }
}

/// One of several words, or its number.
pub(super) fn word(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(|raw| raw.get().trim_matches('"'))
}

impl PromptFeedback<'_> {
    /// Why the prompt was refused, for the user.
    pub(super) fn refusal(&self) -> Option<String> {
        Some(format!("The provider blocked the prompt: {}.", word(self.block_reason)?))
    }
}

impl Part<'_> {
    /// The text that it adds to the answer's.
    pub(super) fn text(&self) -> &str {
        self.text.as_deref().filter(|_| self.thought != Some(true)).unwrap_or_default()
    }

    fn says_something(&self) -> bool {
        let text = self.text.as_deref().unwrap_or_default();
        !text.is_empty() || self.function_call.is_some() || self.inline_data.is_some()
    }
}

impl<'a> Candidate<'a> {
    /// What is said, in order.
    pub(super) fn take_parts(&mut self) -> Vec<Part<'a>> {
        self.content.take().and_then(|content| content.parts).unwrap_or_default()
    }

    /// Whether anything is said.
    pub(super) fn says_something(&self) -> bool {
        let parts = self.content.iter().filter_map(|content| content.parts.as_deref());
        parts.flatten().any(Part::says_something)
    }

    pub(super) fn reason(&self) -> &'a str {
        word(self.finish_reason).unwrap_or_default()
    }

    /// Why the model has failed, if it has.
    pub(super) fn failure(&self) -> Option<Text<'a>> {
        let reason = self.reason();
        let unsaid = || Cow::Owned(format!("The model ended its answer with {reason}."));
        FAILED.contains(&reason).then(|| self.explanation().unwrap_or_else(unsaid))
    }

    fn explanation(&self) -> Option<Text<'a>> {
        self.finish_message.clone().map(|message| message.0).filter(|message| !message.is_empty())
    }

    /// Why it ended, and what is to be told of it; `has_calls` says whether tools are called in it, which has no reason of
    /// its own here.
    pub(super) fn end(&self, has_calls: bool) -> Option<(Finish, Option<Text<'a>>)> {
        Some(match self.reason() {
            "" | "0" | "FINISH_REASON_UNSPECIFIED" => return None,
            "2" | "MAX_TOKENS" => (Finish::Length, None),
            reason if WITHHELD.contains(&reason) => (Finish::ContentFilter, self.explanation()),
            _ if has_calls => (Finish::ToolCalls, self.failure()),
            _ => (Finish::Stop, self.failure()),
        })
    }

    /// The log probabilities of its tokens.
    pub(super) fn logprobs(&mut self) -> Vec<TokenLogprob<'a>> {
        let Some(Logprobs { chosen_candidates, top_candidates }) = self.logprobs_result.take() else {
            return Vec::new();
        };
        let mut tops = top_candidates.unwrap_or_default().into_iter();
        let said = |Token { token, log_probability }| {
            // What OpenAI writes for a token that is as good as impossible: JSON has no infinity.
            let logprob = log_probability.0.map_or(0.0, |logprob: f64| logprob.max(-9999.0));
            (token.unwrap_or_default().0, logprob)
        };
        let tokens = chosen_candidates.unwrap_or_default().into_iter().map(|chosen| {
            let (token, logprob) = said(chosen);
            let top = tops.next().and_then(|top| top.candidates).unwrap_or_default();
            TokenLogprob { token, logprob, top: top.into_iter().map(said).collect() }
        });
        tokens.collect()
    }
}

impl<'a> Blob<'a> {
    /// The picture that it is.
    pub(super) fn picture(self) -> Option<Source<'a>> {
        let media_type = self.mime_type?.0;
        media_type.starts_with("image/").then_some(Source::Data { media_type, base64: self.data?.0 })
    }
}

/// JSON without the white space that Google prints it with.
pub(super) fn compact(json: &str) -> Text<'_> {
    if !json.contains(|character: char| character.is_ascii_whitespace()) {
        return Cow::Borrowed(json);
    }
    let (mut is_in_string, mut is_escaped) = (false, false);
    let stands = |character: &char| {
        let stands = is_in_string || !character.is_ascii_whitespace();
        is_in_string ^= *character == '"' && !is_escaped;
        is_escaped = *character == '\\' && !is_escaped;
        stands
    };
    Cow::Owned(json.chars().filter(stands).collect())
}
