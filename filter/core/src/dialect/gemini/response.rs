//! An answer: <https://ai.google.dev/api/generate-content#GenerateContentResponse>. The events of a stream are answers too, so
//! what they consist of is read here for both; what is not known is passed over.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    citation::{self, Grounding, Recitation, Ruler},
    fault::Status,
    partial::PartialArgument,
    usage::{self, Counts, Metadata},
};
use crate::{
    chat::{Choice, Finish, Part, Response, Source, Text, TextPart, TokenLogprob, ToolCall},
    json::Str,
};

/// Reasons why Google holds back what the model said; numbers stand for words in the JSON of some of Vertex AI's older clients.
const WITHHELD: &[&str] = &[
    "3",
    "4",
    "6",
    "7",
    "8",
    "9",
    "BLOCKLIST",
    "ESCALATION",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_SAFETY",
    "LANGUAGE",
    "MODEL_ARMOR",
    "PROHIBITED_CONTENT",
    "PUP_LIMITED_DISABLED",
    "RECITATION",
    "SAFETY",
    "SPII",
];

/// An answer, or an event of a stream.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    #[serde(borrow, default)]
    pub(super) candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow, default)]
    pub(super) prompt_feedback: Option<PromptFeedback<'a>>,
    #[serde(borrow, default)]
    pub(super) usage_metadata: Option<Metadata<'a>>,
    #[serde(borrow, default)]
    pub(super) model_version: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) response_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) error: Option<Status<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback<'a> {
    #[serde(borrow, default)]
    block_reason: Option<Str<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(default)]
    pub(super) index: Option<u32>,
    #[serde(borrow, default)]
    content: Option<WireContent<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) grounding_metadata: Option<Grounding<'a>>,
    #[serde(borrow, default)]
    pub(super) citation_metadata: Option<Recitation<'a>>,
    #[serde(borrow, default)]
    logprobs_result: Option<Logprobs<'a>>,
}

#[derive(Debug, Deserialize)]
struct WireContent<'a> {
    #[serde(borrow, default)]
    parts: Option<Vec<WirePart<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WirePart<'a> {
    #[serde(borrow, default)]
    text: Option<Str<'a>>,
    #[serde(default)]
    thought: Option<bool>,
    #[serde(borrow, default)]
    thought_signature: Option<Str<'a>>,
    #[serde(borrow, default)]
    function_call: Option<WireCall<'a>>,
    #[serde(borrow, default)]
    inline_data: Option<WireBlob<'a>>,
}

/// A call, or a piece of one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireCall<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) args: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) partial_args: Option<Vec<PartialArgument<'a>>>,
    #[serde(default)]
    pub(super) will_continue: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireBlob<'a> {
    #[serde(borrow)]
    mime_type: Str<'a>,
    #[serde(borrow)]
    data: Str<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logprobs<'a> {
    #[serde(borrow, default)]
    chosen_candidates: Option<Vec<WireToken<'a>>>,
    #[serde(borrow, default)]
    top_candidates: Option<Vec<Top<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Top<'a> {
    #[serde(borrow, default)]
    candidates: Option<Vec<WireToken<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireToken<'a> {
    #[serde(borrow, default)]
    token: Option<Str<'a>>,
    /// A probability of one is left out, as zeros are.
    #[serde(default)]
    log_probability: Option<f64>,
}

/// What a part says.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    Thought(Text<'a>),
    Text(Text<'a>),
    /// What proves the thought behind the text before it.
    Signature(Text<'a>),
    Call(WireCall<'a>, Option<Text<'a>>),
    Picture(Source<'a>),
}

impl<'a> Candidate<'a> {
    /// What is said, in order.
    pub(super) fn pieces(&mut self) -> impl Iterator<Item = Piece<'a>> {
        let parts = self.content.take().and_then(|content| content.parts).unwrap_or_default();
        parts.into_iter().flat_map(WirePart::pieces)
    }

    /// Why it ended; `has_calls` says whether tools are called in it, which has no reason of its own here.
    pub(super) fn finish(&self, has_calls: bool) -> Option<Finish> {
        Some(match self.finish_reason?.get().trim_matches('"') {
            "" | "0" | "FINISH_REASON_UNSPECIFIED" => return None,
            "2" | "MAX_TOKENS" => Finish::Length,
            reason if WITHHELD.contains(&reason) => Finish::ContentFilter,
            _ if has_calls => Finish::ToolCalls,
            _ => Finish::Stop,
        })
    }

    /// The log probabilities of its tokens.
    pub(super) fn logprobs(&mut self) -> Vec<TokenLogprob<'a>> {
        let Some(Logprobs { chosen_candidates, top_candidates }) = self.logprobs_result.take() else {
            return Vec::new();
        };
        let mut tops = top_candidates.unwrap_or_default().into_iter();
        let said = |token: WireToken<'a>| (token.token.unwrap_or_default().0, token.log_probability.unwrap_or(0.0));
        let tokens = chosen_candidates.unwrap_or_default().into_iter().map(|chosen| {
            let (token, logprob) = said(chosen);
            let top = tops.next().and_then(|top| top.candidates).unwrap_or_default();
            TokenLogprob { token, logprob, top: top.into_iter().map(said).collect() }
        });
        tokens.collect()
    }
}

impl<'a> WirePart<'a> {
    fn pieces(self) -> impl Iterator<Item = Piece<'a>> {
        let signature = self.thought_signature.map(|signature| signature.0);
        let picture = self.inline_data.filter(|blob| blob.mime_type.starts_with("image/"));
        let picture =
            picture.map(|blob| Piece::Picture(Source::Data { media_type: blob.mime_type.0, base64: blob.data.0 }));
        let is_text = self.text.is_some();
        let text = self.text.filter(|text| !text.is_empty()).map(|text| text.0);
        let text = text.map(if self.thought == Some(true) { Piece::Thought } else { Piece::Text });
        let (call, signature) = match self.function_call {
            Some(call) => (Some(Piece::Call(call, signature)), None),
            // What proves a built-in tool's call proves nothing without it.
            None => (None, signature.filter(|_| is_text).map(Piece::Signature)),
        };
        [text, picture, call, signature].into_iter().flatten()
    }
}

/// Why the prompt was refused, for the user.
pub(super) fn refusal(feedback: Option<&PromptFeedback<'_>>) -> Option<String> {
    let reason = feedback?.block_reason.as_deref()?;
    Some(format!("The provider blocked the prompt: {reason}."))
}

/// The model's name without its collection.
pub(super) fn model(version: Option<Str<'_>>) -> Option<Text<'_>> {
    let name = version?.0;
    Some(match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.strip_prefix("models/").unwrap_or(name)),
        Cow::Owned(name) => Cow::Owned(name.strip_prefix("models/").unwrap_or(&name).into()),
    })
}

/// A call's id: older models give none, and clients need one.
pub(super) fn call_id<'a>(id: Option<Str<'a>>, answer: &str, choice: u32, call: u32) -> Text<'a> {
    match id {
        Some(id) if !id.is_empty() => id.0,
        Some(_) | None if choice == 0 => Cow::Owned(format!("call_{answer}_{call}")),
        Some(_) | None => Cow::Owned(format!("call_{answer}_{choice}_{call}")),
    }
}

/// JSON without the white space that Google prints it with.
pub(super) fn compact(json: &str) -> Text<'_> {
    /// Whether a character stands for something, as the next one of a document.
    fn judge() -> impl FnMut(&char) -> bool {
        let (mut is_in_string, mut is_escaped) = (false, false);
        move |character| {
            let stands = is_in_string || !character.is_ascii_whitespace();
            match character {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = is_in_string,
                '"' => is_in_string = !is_in_string,
                _ => {}
            }
            stands
        }
    }
    let mut stands = judge();
    if json.chars().all(|character| stands(&character)) {
        return Cow::Borrowed(json);
    }
    Cow::Owned(json.chars().filter(judge()).collect())
}

/// Reads a whole answer.
pub(super) fn read(body: &str) -> Option<Response<'_>> {
    let answer: Answer<'_> = serde_json::from_str(body).ok().filter(|_| body.trim_start().starts_with('{'))?;
    let id = answer.response_id.map(|id| id.0);
    let mut candidates = answer.candidates.unwrap_or_default();
    candidates.sort_by_key(|candidate| candidate.index.unwrap_or(0));
    let mut choices: Vec<_> = (0..).zip(candidates).map(|(at, one)| choice(one, at, id.as_deref())).collect();
    if choices.is_empty() {
        let parts = alloc::vec![Part::Refusal(refusal(answer.prompt_feedback.as_ref())?.into())];
        choices.push(Choice { parts, finish: Some(Finish::ContentFilter), logprobs: Vec::new() });
    }
    let mut counts = Counts::default();
    answer.usage_metadata.iter().for_each(|told| counts.update(told));
    Some(Response {
        id,
        model: model(answer.model_version),
        choices,
        usage: counts.usage(),
        service_tier: usage::service_tier(answer.usage_metadata.as_ref()),
    })
}

fn choice<'a>(mut candidate: Candidate<'a>, at: u32, answer: Option<&str>) -> Choice<'a> {
    let (mut parts, mut calls) = (Vec::new(), 0_u32);
    for piece in candidate.pieces() {
        let part = match piece {
            Piece::Thought(text) => Part::Thinking { text, signature: None },
            Piece::Text(text) => Part::Text(TextPart { text, ..TextPart::default() }),
            Piece::Signature(signature) => {
                if let Some(Part::Text(TextPart { signature: unsigned @ None, .. })) = parts.last_mut() {
                    *unsigned = Some(signature);
                    continue;
                }
                Part::Text(TextPart { signature: Some(signature), ..TextPart::default() })
            }
            Piece::Picture(source) => Part::Image { source, detail: None, cache: None },
            Piece::Call(call, signature) => {
                let id = call_id(call.id, answer.unwrap_or_default(), at, calls);
                calls = calls.saturating_add(1);
                let arguments = call.args.map_or(Cow::Borrowed("{}"), |args| compact(args.get()));
                Part::ToolCall(ToolCall { id, name: call.name.unwrap_or_default().0, arguments, signature })
            }
        };
        parts.push(part);
    }
    cite(&candidate, &mut parts);
    Choice { finish: candidate.finish(calls > 0), logprobs: candidate.logprobs(), parts }
}

/// Puts the citations, whose places count the whole text, on the last piece of it.
fn cite<'a>(candidate: &Candidate<'a>, parts: &mut [Part<'a>]) {
    if candidate.grounding_metadata.is_none() && candidate.citation_metadata.is_none() {
        return;
    }
    let mut text = String::new();
    for part in &*parts {
        if let Part::Text(part) = part {
            text.push_str(&part.text);
        }
    }
    let ruler = Ruler::new(&text);
    let locate = |bytes| ruler.locate(bytes);
    let mut citations = Vec::new();
    let mut each = |citation| citations.push(citation);
    if let Some(grounding) = &candidate.grounding_metadata {
        citation::grounding(grounding, &locate, &mut each);
    }
    if let Some(recitation) = &candidate.citation_metadata {
        citation::recitation(recitation, &locate, &mut each);
    }
    let last = parts.iter_mut().rev().find_map(|part| if let Part::Text(part) = part { Some(part) } else { None });
    if let Some(last) = last {
        last.citations = citations;
    }
}
