//! A chat request, decoded as a Go server decodes it: unknown fields ignored, known ones of their type or refused.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::simulate::{
    complaint::{Complaint, Reason},
    dialect::field::{list, string, strings},
    question::{Cache, Format, Question, Streaming, Tool, ToolChoice},
};

/// What an option must be.
#[derive(Clone, Copy)]
enum Kind {
    Integer,
    Float,
    Boolean,
    Strings,
}

const OPTIONS: [(&str, Kind); 18] = [
    ("num_keep", Kind::Integer),
    ("seed", Kind::Integer),
    ("num_predict", Kind::Integer),
    ("top_k", Kind::Integer),
    ("top_p", Kind::Float),
    ("min_p", Kind::Float),
    ("typical_p", Kind::Float),
    ("repeat_last_n", Kind::Integer),
    ("temperature", Kind::Float),
    ("repeat_penalty", Kind::Float),
    ("presence_penalty", Kind::Float),
    ("frequency_penalty", Kind::Float),
    ("stop", Kind::Strings),
    ("num_ctx", Kind::Integer),
    ("num_batch", Kind::Integer),
    ("num_gpu", Kind::Integer),
    ("num_thread", Kind::Integer),
    ("use_mmap", Kind::Boolean),
];

type Fits = fn(&Value) -> bool;

pub(super) fn read(body: &[u8]) -> Result<Question, Complaint> {
    if body.is_empty() {
        return Err(Complaint::invalid("missing request body"));
    }
    let request: Value = serde_json::from_slice(body).map_err(|error| Complaint::invalid(error.to_string()))?;
    check(&request)?;
    Ok(question(&request))
}

/// The decoder's complaint.
pub(super) fn mistyped(found: &Value, request: &str, field: &str, wanted: &str) -> Complaint {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let message = format!("json: cannot unmarshal {found} into Go struct field {request}.{field} of type {wanted}");
    Complaint::invalid(message)
}

/// Null is as good as absent.
pub(super) fn given<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    value.pointer(pointer).filter(|value| !value.is_null())
}

fn check(request: &Value) -> Result<(), Complaint> {
    let fields: [(&str, &str, Fits); 5] = [
        ("model", "string", Value::is_string),
        ("messages", "[]api.Message", Value::is_array),
        ("stream", "bool", Value::is_boolean),
        ("tools", "api.Tools", Value::is_array),
        ("options", "map[string]interface {}", Value::is_object),
    ];
    for (field, wanted, fits) in fields {
        if let Some(value) = given(request, &format!("/{field}")).filter(|value| !fits(value)) {
            return Err(mistyped(value, "ChatRequest", field, wanted));
        }
    }
    list(request, "/messages").try_for_each(check_message)?;
    for tool in list(request, "/tools") {
        if let Some(parameters) = given(tool, "/function/parameters").filter(|parameters| !parameters.is_object()) {
            return Err(mistyped(parameters, "ChatRequest", "tools.function.parameters", "api.ToolFunctionParameters"));
        }
    }
    if string(request, "/model").unwrap_or_default().is_empty() {
        return Err(Complaint::new(400, Reason::MissingField, "model is required"));
    }
    check_options(request)?;
    check_think(request)?;
    match given(request, "/format") {
        None | Some(Value::Object(_)) => Ok(()),
        Some(Value::String(format)) if format.is_empty() || format == "json" => Ok(()),
        Some(other) => {
            Err(Complaint::invalid(format!("invalid format: {other}; expected \"json\" or a valid JSON Schema object")))
        }
    }
}

fn check_message(message: &Value) -> Result<(), Complaint> {
    for field in ["role", "content", "thinking", "tool_name", "tool_call_id"] {
        if let Some(value) = given(message, &format!("/{field}")).filter(|value| !value.is_string()) {
            return Err(mistyped(value, "ChatRequest", &format!("messages.{field}"), "string"));
        }
    }
    for image in list(message, "/images") {
        let Some(image) = image.as_str() else {
            return Err(mistyped(image, "ChatRequest", "messages.images", "api.ImageData"));
        };
        if STANDARD.decode(image).is_err() {
            let fine = |character: char| character.is_ascii_alphanumeric() || "+/=".contains(character);
            let byte = image.find(|character| !fine(character)).unwrap_or(image.len());
            return Err(Complaint::invalid(format!("illegal base64 data at input byte {byte}")));
        }
    }
    for call in list(message, "/tool_calls") {
        let arguments = given(call, "/function/arguments").filter(|arguments| !arguments.is_object());
        if let Some(arguments) = arguments {
            let field = "messages.tool_calls.function.arguments";
            return Err(mistyped(arguments, "ChatRequest", field, "api.ToolCallFunctionArguments"));
        }
    }
    Ok(())
}

fn check_options(request: &Value) -> Result<(), Complaint> {
    for (name, kind) in OPTIONS {
        let Some(value) = given(request, &format!("/options/{name}")) else { continue };
        let (fits, wanted) = match kind {
            Kind::Integer => (value.is_number(), "of type integer"),
            Kind::Float => (value.is_number(), "of type float32"),
            Kind::Boolean => (value.is_boolean(), "of type boolean"),
            Kind::Strings => match value.as_array() {
                None => (false, "of type array"),
                Some(items) => (items.iter().all(Value::is_string), "of an array of strings"),
            },
        };
        if !fits {
            return Err(Complaint::invalid(format!("option \"{name}\" must be {wanted}")));
        }
    }
    Ok(())
}

fn check_think(request: &Value) -> Result<(), Complaint> {
    match given(request, "/think") {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(Value::String(level)) if matches!(level.as_str(), "low" | "medium" | "high" | "max") => Ok(()),
        Some(other) => Err(Complaint::invalid(format!(
            "invalid think value: {other} (must be \"high\", \"medium\", \"low\", \"max\", true, or false)"
        ))),
    }
}

fn question(request: &Value) -> Question {
    let messages: Vec<&Value> = list(request, "/messages").collect();
    let content = |message: &Value| string(message, "/content").unwrap_or_default().to_owned();
    let user = messages.iter().rev().find(|message| string(message, "/role") == Some("user"));
    let mut tool_results: Vec<String> = messages
        .iter()
        .rev()
        .take_while(|message| string(message, "/role") == Some("tool"))
        .map(|message| content(message))
        .collect();
    tool_results.reverse();
    let images: Vec<String> = messages
        .iter()
        .flat_map(|message| list(message, "/images"))
        .filter_map(Value::as_str)
        .map(|image| format!("{} base64 characters", image.len()))
        .collect();
    let tools: Vec<Tool> = list(request, "/tools").filter_map(tool).collect();
    let characters: usize = messages.iter().map(|message| content(message).chars().count()).sum();
    let think = given(request, "/think").is_some_and(|think| think != &Value::Bool(false));
    let limit = request.pointer("/options/num_predict").and_then(Value::as_u64);
    Question {
        model: string(request, "/model").unwrap_or_default().to_owned(),
        text: user.map(|message| content(message)).unwrap_or_default(),
        input_tokens: characters
            .div_ceil(4)
            .saturating_add(messages.len().saturating_mul(3))
            .saturating_add(images.len().saturating_mul(85))
            .saturating_add(tools.len().saturating_mul(40)),
        tool_results,
        images,
        documents: Vec::new(),
        tools,
        tool_choice: ToolChoice::Auto,
        one_tool_call: false,
        format: match given(request, "/format") {
            Some(Value::String(format)) if format == "json" => Format::Object,
            Some(schema @ Value::Object(_)) => Format::Schema(schema.clone()),
            _ => Format::Text,
        },
        choices: 1,
        // -1 and -2 stand for no limit.
        max_tokens: limit.and_then(|limit| usize::try_from(limit).ok()),
        stop: strings(request, "/options/stop"),
        reasoning: think,
        shows_thoughts: think,
        cache: Cache::default(),
        pictures: 0,
        asked: Value::Null,
        stream: (given(request, "/stream") != Some(&Value::Bool(false))).then(Streaming::default),
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    let parameters = given(tool, "/function/parameters").cloned().unwrap_or_else(|| json!({"type": "object"}));
    Some(Tool { name: string(tool, "/function/name")?.to_owned(), parameters })
}
