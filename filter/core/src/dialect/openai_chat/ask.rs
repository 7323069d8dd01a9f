//! A canonical request, written in OpenAI's shape.

use alloc::{borrow::Cow, vec::Vec};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use super::{
    family::Family,
    strict,
    turns::{Conversation, WireMessage},
};
use crate::{
    chat::{Format, Modality, Place, Request, Tool, ToolChoice, WebSearch},
    dialect::{Ability, Aim, Dropped, Written, abilities},
    error::Error,
};

#[derive(Serialize)]
struct Wire<'a> {
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WireChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<WireFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop: &'a [Cow<'a, str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logit_bias: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    modalities: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_search_options: Option<WireSearch<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(flatten)]
    other: Other<'a>,
}

/// The newer name of whom the application serves.
const SAFETY_IDENTIFIER: &str = "safety_identifier";

/// A member that another provider's clients set.
const FOREIGN: &str = "cache_control";

/// Members without a place in the canonical request: they came from this format, so they go back as they came.
struct Other<'a>(&'a [(Cow<'a, str>, &'a RawValue)]);

impl Serialize for Other<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, raw) in self.0.iter().filter(|(name, _)| name != FOREIGN) {
            map.serialize_entry(name, raw)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct WireSearch<'a> {
    #[serde(rename = "search_context_size", skip_serializing_if = "Option::is_none")]
    context_size: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_location: Option<Located<'a>>,
}

#[derive(Serialize)]
struct Located<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    approximate: Place<'a>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct WireTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireChoice<'a> {
    Word(&'static str),
    Named {
        #[serde(rename = "type")]
        kind: &'static str,
        function: WireName<'a>,
    },
    Allowed {
        #[serde(rename = "type")]
        kind: &'static str,
        allowed_tools: WireAllowed<'a>,
    },
}

#[derive(Serialize)]
struct WireName<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct WireAllowed<'a> {
    mode: &'static str,
    tools: Vec<WireChoice<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireFormat<'a> {
    Text,
    JsonObject,
    JsonSchema { json_schema: WireSchema<'a> },
}

#[derive(Serialize)]
struct WireSchema<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// Writes a request. Thoughts and cache breakpoints of other providers are left out.
pub(super) fn write(request: &Request<'_>, aim: &Aim<'_>) -> Result<Written, Error> {
    let mut dropped = Dropped::default();
    abilities::require(Ability::ALL, request)?;
    dropped.note_if(request.top_k.is_some(), "top_k");
    dropped.note_if(request.tools.iter().any(|tool| tool.cache.is_some()), "cache_control");
    let messages = Conversation::write(&request.messages, &mut dropped)?;
    dropped.note_if(request.other.iter().any(|(name, _)| name == FOREIGN), FOREIGN);
    let (safety_identifier, user) = match &request.user {
        Some(user) if user.member == SAFETY_IDENTIFIER => (Some(user.id.as_ref()), None),
        Some(user) => (None, Some(user.id.as_ref())),
        None => (None, None),
    };
    let family = Family::of(aim.model);
    let asks_for_usage = request.stream && aim.habits.takes_stream_options;
    let wire = Wire {
        model: aim.model,
        messages,
        tools: request.tools.iter().map(|tool| write_tool(tool, &mut dropped)).collect(),
        tool_choice: request.tool_choice.as_ref().map(write_choice),
        parallel_tool_calls: request.parallel_tools,
        response_format: request.format.as_ref().map(|format| write_format(format, &mut dropped)),
        max_tokens: request.max_tokens.filter(|_| aim.habits.max_tokens.is_some()),
        max_completion_tokens: request.max_tokens.filter(|_| aim.habits.max_tokens.is_none()),
        stop: &request.stop,
        temperature: family.sampling(request.temperature, "temperature", &mut dropped),
        top_p: family.sampling(request.top_p, "top_p", &mut dropped),
        presence_penalty: request.presence_penalty,
        frequency_penalty: request.frequency_penalty,
        seed: request.seed,
        n: request.choices,
        logprobs: request.logprobs.map(|_| true),
        top_logprobs: request.logprobs.filter(|top| *top > 0),
        reasoning_effort: family.effort(&request.reasoning, &mut dropped),
        logit_bias: request.logit_bias,
        modalities: request.modalities.iter().copied().map(modality).collect(),
        web_search_options: request.web_search.map(|WebSearch { context_size, user_location }| WireSearch {
            context_size,
            user_location: user_location.map(|approximate| Located { kind: "approximate", approximate }),
        }),
        user,
        safety_identifier,
        service_tier: request.service_tier.as_deref(),
        stream: request.stream.then_some(true),
        stream_options: asks_for_usage.then_some(StreamOptions { include_usage: true }),
        other: Other(&request.other),
    };
    // Strings, numbers and JSON that was read before: nothing here can fail to be written.
    let body = serde_json::to_vec(&wire).unwrap_or_default();
    Ok(Written { path: "/chat/completions".into(), body, dropped, ..Written::default() })
}

fn modality(modality: Modality) -> &'static str {
    match modality {
        Modality::Text => "text",
        Modality::Audio => "audio",
        Modality::Image => "image",
    }
}

fn write_tool<'a>(tool: &'a Tool<'a>, dropped: &mut Dropped) -> WireTool<'a> {
    let Tool { name, description, parameters, strict, .. } = tool;
    let strict = held(*strict, *parameters, "tools[].function.strict", dropped);
    let function = WireFunction { name, description: description.as_deref(), parameters: *parameters, strict };
    WireTool { kind: "function", function }
}

fn write_choice<'a>(choice: &'a ToolChoice<'a>) -> WireChoice<'a> {
    let named = |name| WireChoice::Named { kind: "function", function: WireName { name } };
    match choice {
        ToolChoice::Auto => WireChoice::Word("auto"),
        ToolChoice::None => WireChoice::Word("none"),
        ToolChoice::Required => WireChoice::Word("required"),
        ToolChoice::Named(name) => named(name),
        ToolChoice::Allowed { names, required } => WireChoice::Allowed {
            kind: "allowed_tools",
            allowed_tools: WireAllowed {
                mode: if *required { "required" } else { "auto" },
                tools: names.iter().map(|name| named(name)).collect(),
            },
        },
    }
}

/// Whether a schema is to be held to, where it can be.
fn held(strict: Option<bool>, schema: Option<&RawValue>, field: &str, dropped: &mut Dropped) -> Option<bool> {
    let is_lost = strict == Some(true) && !schema.is_some_and(strict::holds);
    dropped.note_if(is_lost, field);
    if is_lost { None } else { strict }
}

fn write_format<'a>(format: &'a Format<'a>, dropped: &mut Dropped) -> WireFormat<'a> {
    match format {
        Format::Text => WireFormat::Text,
        Format::JsonObject => WireFormat::JsonObject,
        Format::JsonSchema { name, description, schema, strict } => WireFormat::JsonSchema {
            json_schema: WireSchema {
                name,
                description: description.as_deref(),
                schema: *schema,
                strict: held(*strict, *schema, "response_format.json_schema.strict", dropped),
            },
        },
    }
}
