//! The items of a conversation: which there are, with which fields, and what must stand beside what.

use serde_json::{Value, json};

use super::{
    super::params,
    PURPOSE,
    output::{ENCRYPTED, THOUGHT},
};
use crate::simulate::{
    complaint::{Complaint, Reason},
    dialect::{
        field::{list, string},
        signature,
    },
    memory::Memory,
};

struct Shape {
    kind: &'static str,
    /// What its ids begin with.
    prefix: &'static str,
    fields: &'static [&'static str],
    required: &'static [&'static str],
}

const SHAPES: [Shape; 6] = [
    Shape { kind: "message", prefix: "msg", fields: &["status", "phase"], required: &["role", "content"] },
    Shape {
        kind: "function_call",
        prefix: "fc",
        fields: &["status", "namespace", "caller", "async"],
        required: &["call_id", "name", "arguments"],
    },
    Shape {
        kind: "function_call_output",
        prefix: "fc",
        fields: &["status", "name", "namespace", "caller"],
        required: &["call_id", "output"],
    },
    Shape {
        kind: "reasoning",
        prefix: "rs",
        fields: &["status", "content", "encrypted_content"],
        required: &["summary"],
    },
    Shape {
        kind: "custom_tool_call",
        prefix: "ctc",
        fields: &["status", "namespace"],
        required: &["call_id", "name", "input"],
    },
    Shape { kind: "custom_tool_call_output", prefix: "ctc", fields: &["status"], required: &["call_id", "output"] },
];
/// Items of the provider's own tools: let through as they are.
const OTHERS: [&str; 14] = [
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "computer_call",
    "computer_call_output",
    "mcp_call",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "local_shell_call",
    "local_shell_call_output",
    "tool_search_call",
    "tool_search_output",
];
const ROLES: [&str; 4] = ["assistant", "system", "developer", "user"];
const INPUT_PARTS: [&str; 4] = ["input_text", "input_image", "input_file", "input_audio"];
const OUTPUT_PARTS: [&str; 2] = ["output_text", "refusal"];

pub(super) fn kind(item: &Value) -> &str {
    string(item, "/type").unwrap_or("message")
}

/// The items of `input`, in which references have become what they refer to.
pub(super) fn of(input: &Value, memory: &Memory) -> Result<Vec<Value>, Complaint> {
    if let Some(text) = input.as_str() {
        return Ok(vec![json!({"role": "user", "content": text})]);
    }
    let items = input.as_array().ok_or_else(|| params::mistyped(input, "a string or an array of items", "input"))?;
    let mut resolved = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if !item.is_object() {
            return Err(params::mistyped(item, "an input item", &format!("input[{index}]")));
        }
        let refers = kind(item) == "item_reference" || (item.get("type").is_none() && item.get("role").is_none());
        if let Some(id) = string(item, "/id").filter(|_| refers) {
            resolved.push(recall(id, memory)?);
        } else {
            check_item(item, &format!("input[{index}]"))?;
            resolved.push(item.clone());
        }
    }
    Ok(resolved)
}

fn recall(id: &str, memory: &Memory) -> Result<Value, Complaint> {
    let responses = memory.recall_all("resp_");
    let mut items = responses.iter().flat_map(|kept| list(kept, "/response/output"));
    let found = items.find(|item| string(item, "/id") == Some(id)).cloned();
    found.ok_or_else(|| {
        let message = format!(
            "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try again with `store` \
             set to true, or remove this item from your input."
        );
        Complaint::new(404, Reason::Malformed, message).about("input")
    })
}

fn check_item(item: &Value, at: &str) -> Result<(), Complaint> {
    let kind = kind(item);
    let Some(shape) = SHAPES.iter().find(|shape| shape.kind == kind) else {
        if OTHERS.contains(&kind) {
            return Ok(());
        }
        let kinds: Vec<&str> = SHAPES.iter().map(|shape| shape.kind).chain(OTHERS).collect();
        return Err(params::unsupported_value(kind, &kinds, at));
    };
    if let Some(missing) = shape.required.iter().find(|name| item.get(**name).is_none()) {
        return Err(params::missing(&format!("{at}.{missing}")));
    }
    let known = [&["type", "id"], shape.required, shape.fields].concat();
    params::check_known(item, &known, &format!("{at}."))?;
    if let Some(id) = string(item, "/id") {
        let at = format!("{at}.id");
        params::check_length(id, 64, &at)?;
        if !id.starts_with(shape.prefix) {
            let message = format!("Invalid '{at}': '{id}'. Expected an ID that begins with '{}'.", shape.prefix);
            return Err(Complaint::invalid(message).about(at).coded("invalid_value"));
        }
    }
    if let Some(call) = string(item, "/call_id") {
        params::check_length(call, 64, &format!("{at}.call_id"))?;
    }
    for text in ["call_id", "name", "arguments", "encrypted_content"] {
        let wrong =
            item.get(text).filter(|value| !(value.is_string() || (text == "encrypted_content" && value.is_null())));
        if let Some(value) = wrong.filter(|_| shape.required.contains(&text) || text == "encrypted_content") {
            return Err(params::mistyped(value, "a string", &format!("{at}.{text}")));
        }
    }
    match kind {
        "message" => check_message(item, at),
        "function_call_output" => check_parts(item.get("output"), &INPUT_PARTS, &format!("{at}.output")),
        "reasoning" => check_sealed(item, at),
        _ => Ok(()),
    }
}

fn check_message(item: &Value, at: &str) -> Result<(), Complaint> {
    let role = string(item, "/role").unwrap_or_default();
    if !ROLES.contains(&role) {
        return Err(params::unsupported_value(role, &ROLES, &format!("{at}.role")));
    }
    let parts: &[&str] = if role == "assistant" { &OUTPUT_PARTS } else { &INPUT_PARTS };
    check_parts(item.get("content"), parts, &format!("{at}.content"))
}

fn check_parts(content: Option<&Value>, kinds: &[&str], at: &str) -> Result<(), Complaint> {
    match content {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(parts)) => parts.iter().enumerate().try_for_each(|(index, part)| {
            let at = format!("{at}[{index}]");
            let kind = string(part, "/type").ok_or_else(|| params::missing(&format!("{at}.type")))?;
            if !kinds.contains(&kind) {
                return Err(params::unsupported_value(kind, kinds, &at));
            }
            check_part(part, kind, &at)
        }),
        other => {
            let wanted = "one of an array of objects or string";
            Err(params::mistyped(other.unwrap_or(&Value::Null), wanted, at))
        }
    }
}

fn check_part(part: &Value, kind: &str, at: &str) -> Result<(), Complaint> {
    let (known, required): (&[&str], &[&str]) = match kind {
        "input_text" => (&["prompt_cache_breakpoint"], &["text"]),
        "output_text" => (&["annotations", "logprobs"], &["text"]),
        "refusal" => (&[], &["refusal"]),
        "input_image" => (&["image_url", "file_id", "detail", "prompt_cache_breakpoint"], &[]),
        "input_file" => (&["file_data", "file_id", "file_url", "filename", "detail", "prompt_cache_breakpoint"], &[]),
        _ => return Ok(()),
    };
    if let Some(missing) = required.iter().find(|name| !part.get(**name).is_some_and(Value::is_string)) {
        return Err(params::missing(&format!("{at}.{missing}")));
    }
    params::check_known(part, &[&["type"], known, required].concat(), &format!("{at}."))?;
    if let Some(url) = part.get("image_url").filter(|url| !url.is_string() && !url.is_null()) {
        return Err(params::mistyped(url, "an image URL", &format!("{at}.image_url")));
    }
    Ok(())
}

fn check_sealed(item: &Value, at: &str) -> Result<(), Complaint> {
    for (index, part) in list(item, "/summary").enumerate() {
        if string(part, "/type") != Some("summary_text") {
            let given = string(part, "/type").unwrap_or_default();
            return Err(params::unsupported_value(given, &["summary_text"], &format!("{at}.summary[{index}]")));
        }
    }
    let Some(sealed) = string(item, "/encrypted_content") else { return Ok(()) };
    if sealed.strip_prefix(ENCRYPTED).is_some_and(|rest| signature::is_issued(rest, PURPOSE, "")) {
        return Ok(());
    }
    let end = |skip: usize| sealed.chars().skip(skip).take(4).collect::<String>();
    let message = format!(
        "The encrypted content {}...{} could not be verified. Reason: Encrypted content could not be decrypted or parsed.",
        end(0),
        end(sealed.chars().count().saturating_sub(4)),
    );
    Err(Complaint::invalid(message).coded("invalid_encrypted_content"))
}

/// What must stand beside what: outputs after their calls, calls before their outputs, thoughts before what came of
/// them.
pub(super) fn check_order(items: &[Value], memory: &Memory) -> Result<(), Complaint> {
    let invalid = |message: String| Err(Complaint::invalid(message).about("input"));
    for (index, item) in items.iter().enumerate() {
        let (before, after) = (items.get(..index).unwrap_or_default(), items.get(index.saturating_add(1)..));
        let after = after.unwrap_or_default();
        let call_id = string(item, "/call_id").unwrap_or_default();
        let has = |items: &[Value], wanted: &str| {
            items.iter().any(|item| kind(item) == wanted && string(item, "/call_id") == Some(call_id))
        };
        match kind(item) {
            "function_call_output" if !has(before, "function_call") => {
                return invalid(format!("No tool call found for function call output with call_id {call_id}."));
            }
            "function_call" if !has(after, "function_call_output") => {
                return invalid(format!("No tool output found for function call {call_id}."));
            }
            "custom_tool_call" if !has(after, "custom_tool_call_output") => {
                return invalid(format!("No tool output found for custom tool call {call_id}."));
            }
            "reasoning" => {
                let id = string(item, "/id").unwrap_or_default();
                if string(item, "/encrypted_content").is_none() && !id.is_empty() {
                    recall(id, memory)?;
                }
                let followed =
                    after.first().is_some_and(|next| string(next, "/role").is_none_or(|role| role == "assistant"));
                if !followed {
                    let message =
                        format!("Item '{id}' of type 'reasoning' was provided without its required following item.");
                    return invalid(message);
                }
            }
            _ => {}
        }
        check_thought(item, before)?;
    }
    Ok(())
}

/// An item that names the response it came from needs the thought that it came of.
fn check_thought(item: &Value, before: &[Value]) -> Result<(), Complaint> {
    let kind = kind(item);
    let beginning =
        |item: &Value| string(item, "/id").and_then(|id| id.split_once('_')?.1.get(..18)).map(str::to_owned);
    let Some(own) = beginning(item).filter(|own| own.starts_with(THOUGHT) && kind != "reasoning") else {
        return Ok(());
    };
    let thought = |item: &&Value| self::kind(item) == "reasoning" && beginning(item).is_none_or(|other| other == own);
    if kind == "function_call_output" || before.iter().any(|item| thought(&item)) {
        return Ok(());
    }
    let id = string(item, "/id").unwrap_or_default();
    let message =
        format!("Item '{id}' of type '{kind}' was provided without its required 'reasoning' item: 'rs_{own}'.");
    Err(Complaint::invalid(message).about("input"))
}
