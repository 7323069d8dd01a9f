//! What `OpenAI` refuses of a chat completion, and compatible servers mostly do not.
//!
//! By the model's name: what is called like one of `OpenAI`'s is held to its rules, what is not is some compatible server's
//! and gets away with almost anything, as there. Only who asks `api.openai.com` is refused what other providers have put into a
//! history: whoever is reached by another address may understand it, or be somebody who does.

use serde_json::Value;

use super::params;
use crate::simulate::{
    complaint::{Complaint, Reason},
    dialect::field::{is, list, string},
};

/// What other providers have put beside the API's own fields.
const OTHERS: [&str; 12] = [
    "cache_control",
    "extra_content",
    "generationConfig",
    "provider_specific_fields",
    "reasoning",
    "reasoning_content",
    "safety_settings",
    "thinking",
    "thinking_blocks",
    "thought_signature",
    "top_k",
    "extra_body",
];
const HOST: &str = "api.openai.com";
const ROLES: [&str; 6] = ["system", "assistant", "user", "function", "tool", "developer"];
const PARTS: [&str; 6] = ["text", "image_url", "input_audio", "refusal", "audio", "file"];
const CALL_ID_MOST: usize = 40;
const STOPS_MOST: usize = 4;

pub(super) fn check(body: &Value, model: &str, messages: &[Value], host: &str) -> Result<(), Complaint> {
    let series = model.strip_prefix('o').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    if !(series || model.starts_with("gpt-") || model.starts_with("chatgpt-")) || model.starts_with("gpt-oss") {
        return Ok(());
    }
    check_foreign(body, "")?;
    check_limits(body, model)?;
    check_tools(body)?;
    for (index, message) in messages.iter().enumerate() {
        check_message(message, &format!("messages[{index}]"), host.starts_with(HOST))?;
    }
    check_pairs(messages)?;
    if string(body, "/response_format/type") == Some("json_object") {
        let all = Value::from(messages).to_string().to_lowercase();
        if !all.contains("json") {
            let message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type \
                           'json_object'.";
            return Err(Complaint::invalid(message).about("messages"));
        }
    }
    Ok(())
}

fn check_foreign(value: &Value, at: &str) -> Result<(), Complaint> {
    match OTHERS.iter().find(|name| value.get(**name).is_some()) {
        None => Ok(()),
        Some(name) if at.is_empty() => {
            Err(Complaint::invalid(format!("Unrecognized request argument supplied: {name}")))
        }
        Some(name) => Err(params::unknown(&format!("{at}.{name}"))),
    }
}

fn check_limits(body: &Value, model: &str) -> Result<(), Complaint> {
    let given = |name: &str| body.get(name).filter(|value| !value.is_null());
    params::check_range(body, "temperature", 0.0, 2.0)?;
    params::check_range(body, "top_p", 0.0, 1.0)?;
    params::check_range(body, "n", 1.0, 128.0)?;
    if given("max_tokens").is_some() && given("max_completion_tokens").is_some() {
        let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(Complaint::invalid(message).coded("invalid_parameter_combination"));
    }
    if params::thinks(model) {
        if given("max_tokens").is_some() {
            let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
                           'max_completion_tokens' instead.";
            return Err(Complaint::invalid(message).about("max_tokens").coded("unsupported_parameter"));
        }
        for name in ["temperature", "top_p"] {
            if let Some(value) = given(name).filter(|value| value.as_f64() != Some(1.0)) {
                let message = format!(
                    "Unsupported value: '{name}' does not support {value} with this model. Only the default (1) value is \
                     supported."
                );
                return Err(Complaint::invalid(message).about(name).coded("unsupported_value"));
            }
        }
    } else if given("reasoning_effort").is_some() {
        return Err(Complaint::invalid("Unrecognized request argument supplied: reasoning_effort"));
    }
    if given("stream_options").is_some() && !is(body, "/stream", true) {
        let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
        return Err(Complaint::invalid(message).about("stream_options"));
    }
    if list(body, "/stop").count() > STOPS_MOST {
        let message = format!(
            "Invalid 'stop': array too long. Expected an array with maximum length {STOPS_MOST}, but got an array with \
             length {} instead.",
            list(body, "/stop").count()
        );
        return Err(Complaint::invalid(message).about("stop").coded("array_above_max_length"));
    }
    Ok(())
}

fn check_tools(body: &Value) -> Result<(), Complaint> {
    let given = |name: &str| body.get(name).filter(|value| !value.is_null());
    let tools: Option<Vec<&Value>> = given("tools").map(|_| list(body, "/tools").collect());
    match tools.as_deref() {
        Some([]) => {
            let message = "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array \
                           instead.";
            return Err(Complaint::new(400, Reason::EmptyList, message).about("tools"));
        }
        Some(tools) => {
            for (index, tool) in tools.iter().enumerate().filter(|(_, tool)| string(tool, "/type") != Some("custom")) {
                let at = format!("tools[{index}].function.name");
                let name = string(tool, "/function/name").ok_or_else(|| params::missing(&at))?;
                params::check_name(name, &at)?;
            }
        }
        None => {
            for name in ["tool_choice", "parallel_tool_calls"] {
                if given(name).is_some_and(|value| value.as_str() != Some("none")) && given("functions").is_none() {
                    let message =
                        format!("Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.");
                    return Err(Complaint::invalid(message).about(name));
                }
            }
        }
    }
    Ok(())
}

fn check_message(message: &Value, at: &str, own: bool) -> Result<(), Complaint> {
    let check_foreign = |value: &Value, at: &str| if own { check_foreign(value, at) } else { Ok(()) };
    check_foreign(message, at)?;
    let role = string(message, "/role").unwrap_or_default();
    if !ROLES.contains(&role) {
        return Err(params::unsupported_value(role, &ROLES, &format!("{at}.role")));
    }
    match message.get("content") {
        None | Some(Value::Null) if role != "assistant" => {
            let message = "Invalid value for 'content': expected a string, got null.";
            return Err(Complaint::invalid(message).about(format!("{at}.content")));
        }
        Some(Value::Array(parts)) => {
            for (index, part) in parts.iter().enumerate() {
                let at = format!("{at}.content[{index}]");
                check_foreign(part, &at)?;
                let kind = string(part, "/type").unwrap_or_default();
                if !PARTS.contains(&kind) {
                    return Err(params::unsupported_value(kind, &PARTS, &format!("{at}.type")));
                }
            }
        }
        Some(Value::String(_) | Value::Null) | None => {}
        Some(other) => {
            let wanted = "one of a string or array of objects";
            return Err(params::mistyped(other, wanted, &format!("{at}.content")));
        }
    }
    for (index, call) in list(message, "/tool_calls").enumerate() {
        let at = format!("{at}.tool_calls[{index}]");
        check_foreign(call, &at)?;
        params::check_length(string(call, "/id").unwrap_or_default(), CALL_ID_MOST, &format!("{at}.id"))?;
        if let Some(arguments) = call.pointer("/function/arguments").filter(|arguments| !arguments.is_string()) {
            return Err(params::mistyped(arguments, "a string", &format!("{at}.function.arguments")));
        }
    }
    Ok(())
}

/// Calls have their results right after them, in any order; results have their calls before them.
fn check_pairs(messages: &[Value]) -> Result<(), Complaint> {
    let mut open: Vec<&str> = Vec::new();
    let unanswered = |open: &[&str], index: usize| {
        let message = format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. \
             The following tool_call_ids did not have response messages: {}",
            open.join(", ")
        );
        Err(Complaint::invalid(message).about(format!("messages.[{index}].role")))
    };
    for (index, message) in messages.iter().enumerate() {
        if string(message, "/role") == Some("tool") {
            let id = string(message, "/tool_call_id").unwrap_or_default();
            let Some(place) = open.iter().position(|call| *call == id) else {
                let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message \
                               with 'tool_calls'.";
                return Err(Complaint::invalid(message).about(format!("messages.[{index}].role")));
            };
            open.remove(place);
            continue;
        }
        if !open.is_empty() {
            return unanswered(&open, index);
        }
        open.extend(list(message, "/tool_calls").filter_map(|call| string(call, "/id")));
    }
    if open.is_empty() { Ok(()) } else { unanswered(&open, messages.len()) }
}
