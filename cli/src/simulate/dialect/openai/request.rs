//! A chat completion request, as far as the simulated model cares.
//!
//! Read by pointer and leniently rather than into types: the field that is of an unexpected type is as good as absent,
//! and what is complained about is what the provider itself complains about first.

use serde_json::{Value, json};

use super::{params, strict};
use crate::simulate::{
    complaint::{Complaint, Reason},
    dialect::field::{is, list, number, string, strings},
    question::{Cache, Format, Question, Streaming, Tool, ToolChoice},
    record::Request,
};

pub(super) fn read(asked: &Request) -> Result<Question, Complaint> {
    let request = params::json(&asked.body)?;
    let Some(model) = string(&request, "/model").filter(|model| !model.is_empty()) else {
        return Err(Complaint::new(400, Reason::Malformed, "you must provide a model parameter"));
    };
    let Some(messages) = request.pointer("/messages").and_then(Value::as_array) else {
        let message = "Missing required parameter: 'messages'.";
        return Err(Complaint::new(400, Reason::MissingField, message).about("messages"));
    };
    if messages.is_empty() {
        let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty \
                       array instead.";
        return Err(Complaint::new(400, Reason::EmptyList, message).about("messages"));
    }
    let host = asked.header("host").or_else(|| asked.uri.host()).unwrap_or_default();
    strict::check(&request, model, messages, host)?;
    let user = messages.iter().rev().find(|message| string(message, "/role") == Some("user"));
    let results = messages.iter().rev().take_while(|message| string(message, "/role") == Some("tool"));
    let mut tool_results: Vec<String> = results.map(text).collect();
    tool_results.reverse();
    let images: Vec<String> = messages.iter().flat_map(images).collect();
    let tools: Vec<Tool> = list(&request, "/tools").filter_map(tool).collect();
    let characters: usize = messages.iter().map(|message| text(message).chars().count()).sum();
    Ok(Question {
        model: model.to_owned(),
        text: user.map(text).unwrap_or_default(),
        input_tokens: characters
            .div_ceil(4)
            .saturating_add(messages.len().saturating_mul(3))
            .saturating_add(images.len().saturating_mul(85))
            .saturating_add(tools.len().saturating_mul(40)),
        tool_results,
        images,
        documents: messages.iter().flat_map(documents).collect(),
        tools,
        tool_choice: tool_choice(&request),
        one_tool_call: is(&request, "/parallel_tool_calls", false),
        format: match string(&request, "/response_format/type") {
            Some("json_schema") => {
                Format::Schema(request.pointer("/response_format/json_schema/schema").cloned().unwrap_or_default())
            }
            Some("json_object") => Format::Object,
            _ => Format::Text,
        },
        choices: number(&request, "/n").unwrap_or(1).clamp(1, 128),
        max_tokens: number(&request, "/max_completion_tokens").or_else(|| number(&request, "/max_tokens")),
        stop: strings(&request, "/stop"),
        reasoning: match string(&request, "/reasoning_effort") {
            Some(effort) => effort != "none",
            None => params::thinks(model),
        },
        shows_thoughts: false,
        cache: Cache::default(),
        pictures: 0,
        asked: Value::Null,
        stream: is(&request, "/stream", true).then(|| Streaming {
            usage: is(&request, "/stream_options/include_usage", true),
            padding: !is(&request, "/stream_options/include_obfuscation", false),
        }),
    })
}

fn tool_choice(request: &Value) -> ToolChoice {
    match (string(request, "/tool_choice"), string(request, "/tool_choice/function/name")) {
        (Some("none"), _) => ToolChoice::Never,
        (Some("required"), _) => ToolChoice::Required,
        (_, Some(name)) => ToolChoice::Named(name.to_owned()),
        _ => ToolChoice::Auto,
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let name = string(tool, "/function/name")?.to_owned();
    let parameters = tool.pointer("/function/parameters").cloned();
    Some(Tool { name, parameters: parameters.unwrap_or_else(|| json!({"type": "object"})) })
}

/// The text of a message: its content, or the text parts of it.
fn text(message: &Value) -> String {
    let parts: Vec<&str> = match string(message, "/content") {
        Some(text) => vec![text],
        None => list(message, "/content").filter_map(|part| string(part, "/text")).collect(),
    };
    parts.join("\n")
}

/// What there is to say of each file and each piece of audio.
fn documents(message: &Value) -> impl Iterator<Item = String> {
    list(message, "/content").filter_map(|part| {
        if let Some(audio) = string(part, "/input_audio/data") {
            return Some(format!("audio ({} base64 characters)", audio.len()));
        }
        string(part, "/file/file_data").map(described).or_else(|| string(part, "/file/file_id").map(str::to_owned))
    })
}

/// What there is to say of each image part.
fn images(message: &Value) -> impl Iterator<Item = String> {
    list(message, "/content").filter_map(|part| string(part, "/image_url/url")).map(described)
}

/// A thing by its address, or by its kind and size where that is all of it.
pub(super) fn described(url: &str) -> String {
    match url.strip_prefix("data:").and_then(|data| data.split_once(',')) {
        None => url.to_owned(),
        Some((media, data)) => format!("{} ({} base64 characters)", media.trim_end_matches(";base64"), data.len()),
    }
}
