//! Answers as they are written: items, events and the answer itself.
//!
//! One struct stands for all events, so that there is one piece of code that writes them: a member that an event does not have is
//! absent.

use alloc::{string::String, vec::Vec};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{dialect::openai_chat::WireLogprob, usage::Usage};

/// An item of an answer.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WireItem<'a> {
    Message {
        id: &'a str,
        status: &'static str,
        role: &'static str,
        content: Vec<WirePart<'a>>,
    },
    Reasoning {
        id: &'a str,
        summary: Vec<WirePart<'a>>,
        #[serde(skip_serializing_if = "str::is_empty")]
        encrypted_content: &'a str,
    },
    FunctionCall {
        id: &'a str,
        status: &'static str,
        call_id: &'a str,
        name: &'a str,
        arguments: &'a str,
    },
    CustomToolCall {
        id: &'a str,
        status: &'static str,
        call_id: &'a str,
        name: &'a str,
        input: &'a str,
    },
    ImageGenerationCall {
        id: &'a str,
        status: &'static str,
        result: Option<&'a str>,
    },
}

/// A part of a message, or of what is told of a thought.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WirePart<'a> {
    OutputText { text: &'a str, annotations: &'a [WireAnnotation], logprobs: &'a [WireLogprob] },
    Refusal { refusal: &'a str },
    SummaryText { text: &'a str },
}

/// Where a text is from.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum WireAnnotation {
    UrlCitation {
        start_index: u64,
        end_index: u64,
        url: String,
        title: String,
    },
    /// A document of the request: this API knows files only.
    FileCitation {
        index: u64,
        file_id: String,
        filename: String,
    },
}

/// An event of a stream.
#[derive(Serialize, Default)]
pub(super) struct Event<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotation_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<&'a [WireLogprob]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotation: Option<&'a WireAnnotation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<WirePart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<WireItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) param: Option<&'a RawValue>,
    /// Not documented, but what OpenAI sends and its SDKs look for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'a RawValue>,
}

/// An answer, as far as it has come; what it repeats of its request is written behind it.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created_at: u64,
    pub(super) status: &'static str,
    pub(super) error: Option<()>,
    pub(super) incomplete_details: Option<WireReason>,
    pub(super) model: &'a str,
    pub(super) output: Vec<WireItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<&'a str>,
    pub(super) usage: Option<WireUsage>,
}

/// Why an answer is not complete.
#[derive(Serialize)]
pub(super) struct WireReason {
    pub(super) reason: &'static str,
}

#[derive(Serialize)]
pub(super) struct WireUsage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Serialize)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl WireUsage {
    pub(super) fn of(usage: &Usage) -> Self {
        let Usage { input, cached_input, cache_write, output, reasoning, .. } = *usage;
        Self {
            input_tokens: input,
            input_tokens_details: InputDetails { cached_tokens: cached_input, cache_write_tokens: cache_write },
            output_tokens: output,
            output_tokens_details: OutputDetails { reasoning_tokens: reasoning },
            total_tokens: input.saturating_add(output),
        }
    }
}
