//! A request of the Responses API: refused as the real one refuses it, then read.

use serde_json::{Value, json};

use super::{
    super::{params, request::described},
    items, tools,
};
use crate::simulate::{
    complaint::{Complaint, Reason},
    dialect::field::{is, list, number, string},
    memory::Memory,
    question::{Cache, Format, Question, Streaming},
    record::Request,
};

const FIELDS: [&str; 34] = [
    "background",
    "background_options",
    "context_management",
    "conversation",
    "image",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "access_programs",
];
const COUNT_FIELDS: [&str; 12] = [
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "personality",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];
const EFFORTS: [&str; 7] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
/// What chat completions call otherwise.
const MOVED: [(&str, &str); 6] = [
    ("messages", "input"),
    ("max_tokens", "max_output_tokens"),
    ("max_completion_tokens", "max_output_tokens"),
    ("response_format", "text.format"),
    ("reasoning_effort", "reasoning.effort"),
    ("verbosity", "text.verbosity"),
];

pub(in super::super) fn read(request: &Request, memory: &Memory) -> Result<Question, Complaint> {
    let body = params::json(&request.body)?;
    let counts_only = request.uri.path().ends_with("/input_tokens");
    check(&body, counts_only)?;
    let mut conversation = match string(&body, "/previous_response_id") {
        None => Vec::new(),
        Some(id) => {
            let kept = memory.recall(id).filter(|_| id.starts_with("resp_")).ok_or_else(|| {
                let message = format!("Previous response with id '{id}' not found.");
                let complaint = Complaint::new(400, Reason::Malformed, message);
                complaint.about("previous_response_id").coded("previous_response_not_found")
            })?;
            list(&kept, "/input").chain(list(&kept, "/response/output")).cloned().collect()
        }
    };
    if let Some(input) = body.get("input") {
        conversation.extend(items::of(input, memory)?);
    }
    items::check_order(&conversation, memory)?;
    Ok(question(body, &conversation))
}

fn check(body: &Value, counts_only: bool) -> Result<(), Complaint> {
    if let Some((old, new)) = MOVED.iter().find(|(old, _)| body.get(*old).is_some()) {
        let message = format!(
            "Unsupported parameter: '{old}'. In the Responses API, this parameter has moved to '{new}'. Try again with \
             the new parameter. See the API documentation for more information: \
             https://platform.openai.com/docs/api-reference/responses/create."
        );
        return Err(Complaint::invalid(message).about(*old).coded("unsupported_parameter"));
    }
    params::check_known(body, if counts_only { &COUNT_FIELDS } else { &FIELDS }, "")?;
    let Some(model) = string(body, "/model").filter(|model| !model.is_empty()) else {
        return if counts_only { Ok(()) } else { Err(params::missing("model")) };
    };
    if !["input", "previous_response_id", "prompt", "conversation"].iter().any(|name| body.get(*name).is_some()) {
        let message = "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation' must be provided.";
        return Err(Complaint::new(400, Reason::MissingField, message));
    }
    for (name, wanted) in [("stream", "a boolean"), ("store", "a boolean"), ("background", "a boolean")] {
        if let Some(value) = body.get(name).filter(|value| !value.is_boolean() && !value.is_null()) {
            return Err(params::mistyped(value, wanted, name));
        }
    }
    for name in ["reasoning", "text", "metadata"] {
        if let Some(value) = body.get(name).filter(|value| !value.is_object() && !value.is_null()) {
            return Err(params::mistyped(value, "an object", name));
        }
    }
    params::check_range(body, "max_output_tokens", 16.0, f64::MAX)?;
    params::check_range(body, "temperature", 0.0, 2.0)?;
    params::check_range(body, "top_p", 0.0, 1.0)?;
    if is(body, "/background", true) && is(body, "/store", false) {
        return Err(Complaint::invalid("Background mode requires store=true.").about("background"));
    }
    check_thinking(body, model)?;
    check_text(body)?;
    tools::check(body)
}

fn check_thinking(body: &Value, model: &str) -> Result<(), Complaint> {
    let given = |pointer: &str| body.pointer(pointer).filter(|value| !value.is_null());
    if let Some(reasoning) = given("/reasoning") {
        params::check_known(reasoning, &["effort", "summary", "generate_summary", "context", "mode"], "reasoning.")?;
    }
    let thinks = params::thinks(model);
    for (pointer, name) in [("/temperature", "temperature"), ("/top_p", "top_p")] {
        if thinks && given(pointer).is_some_and(|value| value.as_f64() != Some(1.0)) {
            return Err(params::unsupported(name));
        }
    }
    if !thinks {
        for (pointer, name) in [("/reasoning/effort", "reasoning.effort"), ("/reasoning/summary", "reasoning.summary")]
        {
            if given(pointer).is_some() {
                return Err(params::unsupported(name));
            }
        }
    }
    match string(body, "/reasoning/effort").filter(|effort| !EFFORTS.contains(effort)) {
        None => Ok(()),
        Some(other) => Err(params::unsupported_value(other, &EFFORTS, "reasoning.effort")),
    }
}

fn check_text(body: &Value) -> Result<(), Complaint> {
    let Some(text) = body.get("text").filter(|text| !text.is_null()) else { return Ok(()) };
    params::check_known(text, &["format", "verbosity"], "text.")?;
    match string(text, "/format/type") {
        None if text.get("format").is_none_or(Value::is_null) => Ok(()),
        None => Err(params::missing("text.format.type")),
        Some("text" | "json_object") => Ok(()),
        Some("json_schema") => {
            let format = text.get("format").unwrap_or(&Value::Null);
            let fields = ["type", "name", "schema", "strict", "description"];
            params::check_known(format, &fields, "text.format.")?;
            let name = string(format, "/name").ok_or_else(|| params::missing("text.format.name"))?;
            params::check_name(name, "text.format.name")?;
            format.get("schema").map(|_| ()).ok_or_else(|| params::missing("text.format.schema"))
        }
        Some(other) => {
            Err(params::unsupported_value(other, &["text", "json_object", "json_schema"], "text.format.type"))
        }
    }
}

fn question(body: Value, conversation: &[Value]) -> Question {
    let model = string(&body, "/model").unwrap_or_default().to_owned();
    let user = conversation.iter().rev().find(|item| string(item, "/role") == Some("user"));
    let is_result = |item: &&Value| matches!(items::kind(item), "function_call_output" | "custom_tool_call_output");
    let mut tool_results: Vec<String> = conversation
        .iter()
        .rev()
        .take_while(is_result)
        .map(|item| item.get("output").map(text).unwrap_or_default())
        .collect();
    tool_results.reverse();
    let parts = || conversation.iter().flat_map(|item| list(item, "/content").chain(list(item, "/output")));
    let images: Vec<String> = parts().filter_map(image).collect();
    let documents: Vec<String> = parts().filter_map(document).collect();
    let tools = tools::read(&body);
    let characters: usize = conversation
        .iter()
        .filter_map(|item| item.get("content").or_else(|| item.get("output")))
        .map(|content| text(content).chars().count())
        .sum();
    let thinks = params::thinks(&model) && string(&body, "/reasoning/effort") != Some("none");
    let format = match string(&body, "/text/format/type") {
        Some("json_schema") => Format::Schema(body.pointer("/text/format/schema").cloned().unwrap_or_default()),
        Some("json_object") => Format::Object,
        _ => Format::Text,
    };
    Question {
        model,
        text: user.and_then(|user| user.get("content")).map(text).unwrap_or_default(),
        input_tokens: characters
            .saturating_add(string(&body, "/instructions").unwrap_or_default().chars().count())
            .div_ceil(4)
            .saturating_add(conversation.len().saturating_mul(3))
            .saturating_add(images.len().saturating_mul(85))
            .saturating_add(documents.len().saturating_mul(250))
            .saturating_add(tools.len().saturating_mul(40)),
        tool_results,
        images,
        documents,
        tools,
        tool_choice: tools::choice(&body),
        one_tool_call: is(&body, "/parallel_tool_calls", false),
        format,
        choices: 1,
        max_tokens: number(&body, "/max_output_tokens"),
        stop: Vec::new(),
        reasoning: thinks,
        shows_thoughts: string(&body, "/reasoning/summary").is_some(),
        pictures: 0,
        cache: Cache::default(),
        stream: is(&body, "/stream", true)
            .then(|| Streaming { usage: true, padding: !is(&body, "/stream_options/include_obfuscation", false) }),
        asked: asked(body, conversation),
    }
}

/// The request with the whole of its conversation.
fn asked(mut body: Value, conversation: &[Value]) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.insert("conversation".into(), json!(conversation));
    }
    body
}

fn text(content: &Value) -> String {
    match content.as_str() {
        Some(text) => text.to_owned(),
        None => list(content, "").filter_map(|part| string(part, "/text")).collect::<Vec<_>>().join("\n"),
    }
}

/// What there is to say of an image part.
fn image(part: &Value) -> Option<String> {
    let url = string(part, "/image_url")
        .or_else(|| string(part, "/file_id").filter(|_| string(part, "/type") == Some("input_image")))?;
    Some(described(url))
}

fn document(part: &Value) -> Option<String> {
    let name = |field| string(part, field).filter(|_| string(part, "/type") == Some("input_file"));
    name("/file_data").or_else(|| name("/file_url")).or_else(|| name("/file_id")).map(described)
}
