//! Answers, written in OpenAI's shape: the pieces that a whole answer and a stream have in common, and the whole answer.
//!
//! Thought is `reasoning_content` and `thinking_blocks`, as other gateways and SDKs know it; Gemini's thought signature is
//! `extra_content.google.thought_signature`, as Google's own OpenAI-compatible endpoint writes it, and also rides in the id.

use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    chat::{Choice, Citation, Fault, Finish, Part, Reason, Response, Source, TokenLogprob, ToolCall},
    dialect::{Identity, call_id},
    usage::Usage,
};

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<WireChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<WireUsage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    system_fingerprint: Option<&'a str>,
}

#[derive(Serialize)]
struct WireChoice<'a> {
    index: usize,
    message: WireMessage<'a>,
    logprobs: Option<WireLogprobs>,
    finish_reason: &'static str,
}

#[derive(Serialize, Default)]
struct WireMessage<'a> {
    role: &'static str,
    content: Option<String>,
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    thinking_blocks: Vec<WireThought<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<WireAnnotation<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    citations: Vec<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<WireImage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Extra<'a>>,
}

/// A thought, or a piece of one; the SDKs join the pieces of one index.
#[derive(Serialize)]
pub(super) struct WireThought<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct WireAnnotation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
    #[serde(rename = "type")]
    kind: &'static str,
    url_citation: UrlCitation<'a>,
}

#[derive(Serialize)]
struct UrlCitation<'a> {
    start_index: u64,
    end_index: u64,
    title: &'a str,
    url: &'a str,
}

#[derive(Serialize)]
pub(super) struct WireImage {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u32>,
    #[serde(rename = "type")]
    kind: &'static str,
    image_url: WireUrl,
}

#[derive(Serialize)]
struct WireUrl {
    url: String,
}

#[derive(Serialize)]
pub(super) struct WireCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) function: WireFunction<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_content: Option<Extra<'a>>,
}

#[derive(Serialize)]
pub(super) struct WireFunction<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    pub(super) arguments: &'a str,
}

#[derive(Serialize)]
pub(super) struct Extra<'a> {
    google: Google<'a>,
}

#[derive(Serialize)]
struct Google<'a> {
    thought_signature: &'a str,
}

#[derive(Serialize)]
pub(super) struct WireLogprobs {
    content: Vec<WireLogprob>,
    refusal: Option<()>,
}

/// A token with its log probability.
#[derive(Debug, Serialize)]
pub(in crate::dialect) struct WireLogprob {
    token: String,
    logprob: f64,
    bytes: Vec<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) top_logprobs: Option<Vec<WireLogprob>>,
}

#[derive(Serialize)]
pub(in crate::dialect) struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
struct PromptDetails {
    cached_tokens: u64,
    audio_tokens: u64,
    /// Not `OpenAI`'s; others name it so.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation_tokens: Option<u64>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
    accepted_prediction_tokens: u64,
    rejected_prediction_tokens: u64,
}

/// Writes a whole answer.
pub(super) fn write(response: &Response<'_>, identity: &Identity) -> Vec<u8> {
    let own = completion_id(&identity.exchange);
    let id = response.id.as_deref().unwrap_or(&own);
    let completion = Completion {
        id,
        object: "chat.completion",
        created: identity.created,
        model: response.model.as_deref().unwrap_or(&identity.model),
        choices: response.choices.iter().enumerate().map(|(index, choice)| choice_of(id, index, choice)).collect(),
        usage: response.usage.as_ref().map(usage),
        service_tier: response.service_tier.as_deref(),
        system_fingerprint: None,
    };
    // Strings, numbers and lists with string names: nothing here can fail to be written.
    serde_json::to_vec(&completion).unwrap_or_default()
}

#[derive(Serialize)]
struct WireFault<'a> {
    error: WireError<'a>,
}

#[derive(Serialize)]
struct WireError<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: Option<&'static str>,
}

/// Writes a provider's error: the status and the body. `conversation` is the member that may be too long.
pub(in crate::dialect) fn fault(provider: &str, fault: &Fault, conversation: &str) -> (u16, Vec<u8>) {
    const INVALID: &str = "invalid_request_error";
    // Anthropic's "overloaded"; clients of OpenAI know no 529.
    let status = match (fault.status, fault.reason) {
        (529, _) => 503,
        // Money that is gone is a rate limit there, too.
        (402, Some(Reason::Quota)) => 429,
        (status, _) => status,
    };
    let (kind, code) = match (fault.reason, status) {
        (Some(Reason::ContextLength), _) => (INVALID, Some("context_length_exceeded")),
        (Some(Reason::ContentPolicy), _) => (INVALID, Some("content_policy_violation")),
        (Some(Reason::Quota), _) => ("insufficient_quota", Some("insufficient_quota")),
        (Some(Reason::ModelNotFound), _) | (None, 404) => (INVALID, Some("model_not_found")),
        (None, 413) => (INVALID, Some("request_too_large")),
        (None, 429) => ("rate_limit_error", Some("rate_limit_exceeded")),
        (Some(Reason::Thought), _) | (None, 400..=499) => (INVALID, None),
        (None, _) => ("upstream_error", Some("upstream_error")),
    };
    let unsaid = format!("The provider `{provider}` answered with status {}.", fault.status);
    let message = fault.message.as_deref().unwrap_or(&unsaid);
    let param = matches!(fault.reason, Some(Reason::ContextLength)).then_some(conversation);
    let wire = WireFault { error: WireError { message, kind, param, code } };
    // Strings: nothing here can fail to be written.
    (status, serde_json::to_vec(&wire).unwrap_or_default())
}

pub(super) fn completion_id(exchange: &str) -> String {
    format!("chatcmpl-{exchange}")
}

pub(in crate::dialect) fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}

pub(in crate::dialect) fn usage(usage: &Usage) -> WireUsage {
    WireUsage {
        prompt_tokens: usage.input,
        completion_tokens: usage.output,
        total_tokens: usage.input.saturating_add(usage.output),
        prompt_tokens_details: PromptDetails {
            cached_tokens: usage.cached_input,
            audio_tokens: usage.audio_input,
            cache_creation_tokens: Some(usage.cache_write).filter(|tokens| *tokens > 0),
        },
        completion_tokens_details: CompletionDetails {
            reasoning_tokens: usage.reasoning,
            audio_tokens: usage.audio_output,
            accepted_prediction_tokens: 0,
            rejected_prediction_tokens: 0,
        },
    }
}

pub(super) fn logprobs(tokens: &[TokenLogprob<'_>]) -> Option<WireLogprobs> {
    (!tokens.is_empty()).then(|| WireLogprobs { content: token_logprobs(tokens), refusal: None })
}

/// The tokens alone.
pub(in crate::dialect) fn token_logprobs(tokens: &[TokenLogprob<'_>]) -> Vec<WireLogprob> {
    let wire = |token: &str, logprob, top_logprobs| WireLogprob {
        token: token.to_string(),
        logprob,
        bytes: token.as_bytes().to_vec(),
        top_logprobs,
    };
    let tokens = tokens.iter().map(|TokenLogprob { token, logprob, top }| {
        let top = top.iter().map(|(token, logprob)| wire(token, *logprob, None)).collect();
        wire(token, *logprob, Some(top))
    });
    tokens.collect()
}

pub(super) fn extra(signature: Option<&str>) -> Option<Extra<'_>> {
    signature.map(|thought_signature| Extra { google: Google { thought_signature } })
}

/// A call; `place` is the answer's name, the choice and the number of the call in it.
pub(super) fn call<'a>(call: &'a ToolCall<'a>, place: (&str, u32, u32), index: Option<u32>) -> WireCall<'a> {
    let signature = call.signature.as_deref();
    let (answer, choice, number) = place;
    let id = if call.id.is_empty() {
        Cow::Owned(call_id::unnamed(answer, choice, number))
    } else {
        Cow::Borrowed(&*call.id)
    };
    WireCall {
        index,
        id: Some(call_id::join(&id, signature).into_owned()),
        kind: Some("function"),
        function: WireFunction { name: Some(&call.name), arguments: &call.arguments },
        extra_content: extra(signature),
    }
}

pub(super) fn annotation<'a>(citation: &'a Citation<'a>, text_length: u64) -> Result<WireAnnotation<'a>, &'a RawValue> {
    match citation {
        Citation::Document(raw) => Err(raw),
        Citation::Url { url, title, span } => {
            let (start_index, end_index) = span.unwrap_or((text_length, text_length));
            let title = title.as_deref().unwrap_or_default();
            Ok(WireAnnotation {
                index: None,
                kind: "url_citation",
                url_citation: UrlCitation { start_index, end_index, title, url },
            })
        }
    }
}

pub(super) fn image(source: &Source<'_>, index: Option<u32>) -> WireImage {
    let url = match source {
        Source::Url(url) | Source::File(url) => url.to_string(),
        Source::Data { media_type, base64 } => ["data:", media_type, ";base64,", base64].concat(),
    };
    WireImage { index, kind: "image_url", image_url: WireUrl { url } }
}

fn choice_of<'a>(answer: &str, index: usize, choice: &'a Choice<'a>) -> WireChoice<'a> {
    let mut message = WireMessage { role: "assistant", ..WireMessage::default() };
    let mut characters = 0_u64;
    for part in &choice.parts {
        match part {
            Part::Text(part) => {
                message.content.get_or_insert_default().push_str(&part.text);
                characters = characters.saturating_add(u64::try_from(part.text.chars().count()).unwrap_or(u64::MAX));
                for citation in &part.citations {
                    match annotation(citation, characters) {
                        Ok(annotation) => message.annotations.push(annotation),
                        Err(raw) => message.citations.push(raw),
                    }
                }
                if message.extra_content.is_none() {
                    message.extra_content = extra(part.signature.as_deref());
                }
            }
            Part::Thinking { text, signature } => {
                if !text.is_empty() {
                    message.reasoning_content.get_or_insert_default().push_str(text);
                }
                let (kind, thinking) = ("thinking", Some(text.as_ref()));
                let signature = signature.as_deref();
                message.thinking_blocks.push(WireThought { index: None, kind, thinking, signature, data: None });
            }
            Part::RedactedThinking(data) => message.thinking_blocks.push(WireThought {
                index: None,
                kind: "redacted_thinking",
                thinking: None,
                signature: None,
                data: Some(data),
            }),
            Part::Refusal(text) => message.refusal.get_or_insert_default().push_str(text),
            Part::ToolCall(tool_call) => {
                let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
                let place = (answer, number(index), number(message.tool_calls.len()));
                message.tool_calls.push(call(tool_call, place, None));
            }
            Part::Image { source, .. } => message.images.push(image(source, None)),
            // No model answers with these through the formats that are read today.
            Part::Document { .. } | Part::Audio { .. } | Part::ToolResult(_) => {}
        }
    }
    if message.content.is_none() && message.tool_calls.is_empty() && message.refusal.is_none() {
        message.content = Some(String::new());
    }
    let finish = choice.finish.unwrap_or(Finish::Stop);
    WireChoice { index, message, logprobs: logprobs(&choice.logprobs), finish_reason: finish_word(finish) }
}
