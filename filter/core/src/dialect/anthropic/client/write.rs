//! Answers: the pieces that a whole answer and a stream have in common, the whole answer, and errors.
//!
//! A thought that nobody has signed has an empty signature, by which it is known when it comes back. Gemini's signature of a call
//! rides in the call's id. One answer is told: this API knows no others.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde::Serialize;

use super::super::block::{Block, Cited};
use crate::{
    chat::{Choice, Fault, Finish, Input, Part, Reason, Response, ToolCall},
    dialect::{Identity, call_id},
    usage::Usage,
};

#[derive(Serialize)]
pub(super) struct WireMessage<'a> {
    pub(super) id: &'a str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) role: &'static str,
    pub(super) model: &'a str,
    pub(super) content: Vec<Block<'a>>,
    stop_reason: Option<&'static str>,
    stop_sequence: Option<()>,
    pub(super) usage: WireUsage<'a>,
}

impl<'a> WireMessage<'a> {
    pub(super) fn of(id: &'a str, model: &'a str, usage: WireUsage<'a>) -> Self {
        let (kind, role, content) = ("message", "assistant", Vec::new());
        Self { id, kind, role, model, content, stop_reason: None, stop_sequence: None, usage }
    }
}

/// Why an answer ended.
#[derive(Serialize)]
pub(super) struct Ending {
    stop_reason: Option<&'static str>,
    /// Which of several texts has ended it other formats do not say.
    stop_sequence: Option<()>,
}

impl Ending {
    /// `calls` says that tools are called, `refuses` that what was said is a refusal.
    pub(super) fn of(finish: Finish, calls: bool, refuses: bool) -> Self {
        let stop_reason = match finish {
            Finish::Length => "max_tokens",
            Finish::ContentFilter => "refusal",
            // Clients go by it when they look for calls, and some providers say another one.
            Finish::Stop | Finish::ToolCalls if calls => "tool_use",
            Finish::Stop | Finish::ToolCalls if refuses => "refusal",
            Finish::Stop | Finish::ToolCalls => "end_turn",
        };
        Self { stop_reason: Some(stop_reason), stop_sequence: None }
    }
}

#[derive(Serialize)]
pub(super) struct WireUsage<'a> {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<OutputDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Serialize)]
struct OutputDetails {
    thinking_tokens: u64,
}

/// Tokens as Anthropic counts them: what came from the cache or went into it is counted apart.
pub(super) fn usage<'a>(usage: &Usage, tier: Option<&'a str>) -> WireUsage<'a> {
    let Usage { input, cached_input, cache_write, output, reasoning, .. } = *usage;
    WireUsage {
        input_tokens: input.saturating_sub(cached_input).saturating_sub(cache_write),
        cache_creation_input_tokens: cache_write,
        cache_read_input_tokens: cached_input,
        output_tokens: output,
        output_tokens_details: (reasoning > 0).then_some(OutputDetails { thinking_tokens: reasoning }),
        // Its clients know no other names.
        service_tier: match tier {
            Some("default" | "standard") => Some("standard"),
            Some("priority") => Some("priority"),
            Some(_) | None => None,
        },
    }
}

/// Writes a whole answer.
pub(super) fn write(response: &Response<'_>, identity: &Identity) -> Vec<u8> {
    let own = super::message_id(&identity.exchange);
    let id = response.id.as_deref().unwrap_or(&own);
    let model = response.model.as_deref().unwrap_or(&identity.model);
    let usage = usage(&response.usage.unwrap_or_default(), response.service_tier.as_deref());
    let mut message = WireMessage::of(id, model, usage);
    if let Some(choice) = response.choices.first() {
        message.content = blocks(choice, id);
        let is_call = |part: &Part<'_>| matches!(part, Part::ToolCall(_));
        let is_refusal = |part: &Part<'_>| matches!(part, Part::Refusal(_));
        let finish = choice.finish.unwrap_or(Finish::Stop);
        let end = Ending::of(finish, choice.parts.iter().any(is_call), choice.parts.iter().any(is_refusal));
        message.stop_reason = end.stop_reason;
    }
    // Strings, numbers and JSON that was read before: nothing here can fail to be written.
    serde_json::to_vec(&message).unwrap_or_default()
}

fn blocks<'a>(choice: &'a Choice<'a>, answer: &str) -> Vec<Block<'a>> {
    let mut blocks = Vec::with_capacity(choice.parts.len());
    let mut calls = 0_u32;
    for part in &choice.parts {
        blocks.push(match part {
            Part::Text(part) if part.text.is_empty() && part.citations.is_empty() => continue,
            Part::Text(part) => {
                let citations = part.citations.iter().map(Cited::of).collect();
                Block::Text { text: Cow::Borrowed(&part.text), citations, cache_control: None }
            }
            Part::Refusal(text) => plain(Cow::Borrowed(text)),
            Part::Image { source, .. } => plain(Cow::Owned(source.markdown())),
            Part::Thinking { text, signature } => thought(text, signature.as_deref().unwrap_or_default()),
            Part::RedactedThinking(data) => Block::RedactedThinking { data },
            Part::ToolCall(call) => {
                let id = call_id(call, answer, calls);
                calls = calls.saturating_add(1);
                Block::ToolUse { id: Cow::Owned(id), name: &call.name, input: call.input(), cache_control: None }
            }
            // No model answers with these through the formats that are read today.
            Part::Document { .. } | Part::Audio { .. } | Part::ToolResult(_) => continue,
        });
    }
    blocks
}

pub(super) fn plain(text: Cow<'_, str>) -> Block<'_> {
    Block::Text { text, citations: Vec::new(), cache_control: None }
}

pub(super) fn thought<'a>(thinking: &'a str, signature: &'a str) -> Block<'a> {
    Block::Thinking { thinking, signature }
}

/// A call as it begins.
pub(super) fn hollow(id: String, name: &str) -> Block<'_> {
    Block::ToolUse { id: Cow::Owned(id), name, input: Input::None {}, cache_control: None }
}

/// The id that the client sees of a call, the so-and-so-manieth of an answer.
pub(super) fn call_id(call: &ToolCall<'_>, answer: &str, number: u32) -> String {
    let id = if call.id.is_empty() { call_id::unnamed(answer, 0, number) } else { String::from(&*call.id) };
    call_id::join(&id, call.signature.as_deref()).into_owned()
}

#[derive(Serialize)]
struct WireFault<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: WireError<'a>,
}

#[derive(Serialize)]
struct WireError<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
}

/// How Anthropic begins to say that a conversation is too long: clients that shorten it look for that.
const TOO_LONG: &str = "prompt is too long";

/// Writes a provider's error: the status and the body. <https://platform.claude.com/docs/en/api/errors>
pub(super) fn fault(provider: &str, fault: &Fault) -> (u16, Vec<u8>) {
    let unsaid = format!("The provider `{provider}` answered with status {}.", fault.status);
    let said = fault.message.as_deref().unwrap_or(&unsaid);
    let is_too_long = fault.reason == Some(Reason::ContextLength) && !said.contains(TOO_LONG);
    let message = if is_too_long { Cow::Owned(format!("{TOO_LONG}: {said}")) } else { Cow::Borrowed(said) };
    let kind = match (fault.reason, fault.status) {
        (Some(Reason::ModelNotFound), _) | (_, 404) => "not_found_error",
        (_, 401) => "authentication_error",
        (_, 402) => "billing_error",
        (_, 403) => "permission_error",
        (_, 413) => "request_too_large",
        (_, 429) => "rate_limit_error",
        (_, 504) => "timeout_error",
        (_, 529) => "overloaded_error",
        (_, 400..=499) => "invalid_request_error",
        _ => "api_error",
    };
    let wire = WireFault { kind: "error", error: WireError { kind, message: &message } };
    // Strings: nothing here can fail to be written.
    (fault.status, serde_json::to_vec(&wire).unwrap_or_default())
}
