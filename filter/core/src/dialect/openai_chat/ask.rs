//! A canonical request, written in OpenAI's shape.
//!
//! Over 400 lines, because half of them are the wire's types, and each is read beside the function that fills it.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use crate::{
    chat::{Effort, Format, Message, Modality, Part, Request, Role, Source, Tool, ToolChoice, ToolResult, WebSearch},
    dialect::{Aim, Dropped, Written},
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
    user_location: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<WireContent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireContent<'a> {
    Text(&'a str),
    Parts(Vec<WirePart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WirePart<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: WireImage<'a> },
    InputAudio { input_audio: WireAudio<'a> },
    File { file: WireFile<'a> },
}

#[derive(Serialize)]
struct WireImage<'a> {
    url: Url<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct WireAudio<'a> {
    data: &'a str,
    format: &'a str,
}

#[derive(Serialize)]
struct WireFile<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<Url<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: WireCalled<'a>,
}

#[derive(Serialize)]
struct WireCalled<'a> {
    name: &'a str,
    arguments: &'a str,
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
    dropped.note_if(request.top_k.is_some(), "top_k");
    dropped.note_if(request.tools.iter().any(|tool| tool.cache.is_some()), "cache_control");
    let mut messages = Vec::with_capacity(request.messages.len());
    for (index, message) in request.messages.iter().enumerate() {
        write_message(message, &format!("messages[{index}]"), &mut messages, &mut dropped)?;
    }
    dropped.note_if(request.other.iter().any(|(name, _)| name == FOREIGN), FOREIGN);
    let user = |member| request.user.as_ref().filter(|user| user.member == member).map(|user| user.id.as_ref());
    let wire = Wire {
        model: aim.model,
        messages,
        tools: request.tools.iter().map(write_tool).collect(),
        tool_choice: request.tool_choice.as_ref().map(write_choice),
        parallel_tool_calls: request.parallel_tools,
        response_format: request.format.as_ref().map(write_format),
        max_completion_tokens: request.max_tokens,
        stop: &request.stop,
        temperature: request.temperature,
        top_p: request.top_p,
        presence_penalty: request.presence_penalty,
        frequency_penalty: request.frequency_penalty,
        seed: request.seed,
        n: request.choices,
        logprobs: request.logprobs.map(|_| true),
        top_logprobs: request.logprobs.filter(|top| *top > 0),
        reasoning_effort: effort(request, &mut dropped),
        logit_bias: request.logit_bias,
        modalities: request.modalities.iter().copied().map(modality).collect(),
        web_search_options: request
            .web_search
            .map(|WebSearch { context_size, user_location }| WireSearch { context_size, user_location }),
        user: user("user"),
        safety_identifier: user("safety_identifier"),
        service_tier: request.service_tier.as_deref(),
        stream: request.stream.then_some(true),
        stream_options: request.stream.then_some(StreamOptions { include_usage: true }),
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

/// The word for how much to think; whether the thoughts are to be told cannot be said here.
fn effort(request: &Request<'_>, dropped: &mut Dropped) -> Option<&'static str> {
    if let Some(telling) = &request.reasoning.telling {
        dropped.note(telling.member);
    }
    let effort = request.reasoning.effort.or_else(|| request.reasoning.budget.map(Effort::of_budget))?;
    Some(match effort {
        Effort::None => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Xhigh => "xhigh",
    })
}

fn write_message<'a>(
    message: &'a Message<'a>,
    path: &str,
    out: &mut Vec<WireMessage<'a>>,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    let role = match message.role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let plain = |role| WireMessage {
        role,
        content: None,
        name: message.name.as_deref(),
        refusal: None,
        tool_calls: Vec::new(),
        tool_call_id: None,
    };
    dropped.note_if(message.cache.is_some(), "cache_control");
    let mut wire = plain(role);
    let mut parts = Vec::new();
    for part in &message.parts {
        match part {
            Part::ToolResult(ToolResult { id, parts, is_error, cache, .. }) => {
                dropped.note_if(*is_error, "messages[].is_error");
                dropped.note_if(cache.is_some(), "cache_control");
                let mut content = Vec::new();
                for part in parts {
                    content.extend(write_part(part, path, dropped)?);
                }
                out.push(WireMessage { content: Some(join(content)), tool_call_id: Some(id), ..plain("tool") });
            }
            Part::ToolCall(call) => {
                dropped.note_if(call.signature.is_some(), "messages[].tool_calls[].extra_content");
                let function = WireCalled { name: &call.name, arguments: &call.arguments };
                wire.tool_calls.push(WireCall { id: &call.id, kind: "function", function });
            }
            Part::Refusal(text) => wire.refusal = Some(text),
            Part::Text(_)
            | Part::Image { .. }
            | Part::Document { .. }
            | Part::Audio { .. }
            | Part::Thinking { .. }
            | Part::RedactedThinking(_) => parts.extend(write_part(part, path, dropped)?),
        }
    }
    let said = !parts.is_empty() || !wire.tool_calls.is_empty() || wire.refusal.is_some();
    if said || message.role != Role::Tool {
        if !parts.is_empty() || wire.tool_calls.is_empty() && wire.refusal.is_none() {
            wire.content = Some(join(parts));
        }
        out.push(wire);
    }
    Ok(())
}

fn join(parts: Vec<WirePart<'_>>) -> WireContent<'_> {
    match parts.as_slice() {
        [] => WireContent::Text(""),
        [WirePart::Text { text }] => WireContent::Text(text),
        _ => WireContent::Parts(parts),
    }
}

fn write_part<'a>(part: &'a Part<'a>, path: &str, dropped: &mut Dropped) -> Result<Option<WirePart<'a>>, Error> {
    Ok(Some(match part {
        Part::Text(part) => {
            dropped.note_if(part.cache.is_some(), "cache_control");
            WirePart::Text { text: &part.text }
        }
        Part::Image { source, detail, cache } => {
            dropped.note_if(cache.is_some(), "cache_control");
            WirePart::ImageUrl { image_url: WireImage { url: Url(source), detail: detail.as_deref() } }
        }
        Part::Document { source, name, cache } => {
            dropped.note_if(cache.is_some(), "cache_control");
            let (file_data, file_id) = match source {
                Source::File(id) => (None, Some(id.as_ref())),
                Source::Data { .. } => (Some(Url(source)), None),
                Source::Url(_) => {
                    return Err(Error::refusing("This model takes documents as data, not by URL.", String::from(path)));
                }
            };
            WirePart::File { file: WireFile { file_data, file_id, filename: name.as_deref() } }
        }
        Part::Audio { format, data } => WirePart::InputAudio { input_audio: WireAudio { data, format } },
        Part::Thinking { signature: None, .. } => {
            dropped.note("messages[].reasoning_content");
            return Ok(None);
        }
        Part::Thinking { .. } | Part::RedactedThinking(_) => {
            dropped.note("messages[].thinking_blocks");
            return Ok(None);
        }
        Part::Refusal(_) | Part::ToolCall(_) | Part::ToolResult(_) => return Ok(None),
    }))
}

/// An address; data is put behind its media type while it is written, so that a picture is copied once.
struct Url<'a>(&'a Source<'a>);

impl Serialize for Url<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Source::Url(url) | Source::File(url) => serializer.serialize_str(url),
            Source::Data { media_type, base64 } => {
                serializer.collect_str(&format_args!("data:{media_type};base64,{base64}"))
            }
        }
    }
}

fn write_tool<'a>(tool: &'a Tool<'a>) -> WireTool<'a> {
    let Tool { name, description, parameters, strict, .. } = tool;
    let function = WireFunction { name, description: description.as_deref(), parameters: *parameters, strict: *strict };
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

fn write_format<'a>(format: &'a Format<'a>) -> WireFormat<'a> {
    match format {
        Format::Text => WireFormat::Text,
        Format::JsonObject => WireFormat::JsonObject,
        Format::JsonSchema { name, description, schema, strict } => WireFormat::JsonSchema {
            json_schema: WireSchema { name, description: description.as_deref(), schema: *schema, strict: *strict },
        },
    }
}
