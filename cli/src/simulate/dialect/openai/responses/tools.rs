//! The tools of a request: which are refused, and what the model is told of them.

use serde_json::{Value, json};

use super::super::params;
use crate::simulate::{
    complaint::Complaint,
    dialect::field::{list, string},
    question::{Tool, ToolChoice},
};

const KINDS: [&str; 13] = [
    "function",
    "custom",
    "web_search",
    "web_search_preview",
    "file_search",
    "code_interpreter",
    "image_generation",
    "computer_use_preview",
    "mcp",
    "local_shell",
    "shell",
    "apply_patch",
    "tool_search",
];
const FUNCTION: [&str; 8] =
    ["type", "name", "description", "parameters", "strict", "defer_loading", "output_schema", "allowed_callers"];

pub(super) fn check(body: &Value) -> Result<(), Complaint> {
    for (index, tool) in list(body, "/tools").enumerate() {
        let at = format!("tools[{index}]");
        let kind = string(tool, "/type").ok_or_else(|| params::missing(&format!("{at}.type")))?;
        if !KINDS.contains(&kind) {
            return Err(params::unsupported_value(kind, &KINDS, &format!("{at}.type")));
        }
        if kind != "function" {
            continue;
        }
        // Chat completions have a level more: the commonest mistake.
        let name = string(tool, "/name").ok_or_else(|| params::missing(&format!("{at}.name")))?;
        params::check_name(name, &format!("{at}.name"))?;
        params::check_known(tool, &FUNCTION, &format!("{at}."))?;
        let parameters = tool.get("parameters").filter(|parameters| !parameters.is_null());
        if let Some(parameters) = parameters.filter(|parameters| string(parameters, "/type") != Some("object")) {
            let found = parameters.get("type").unwrap_or(&Value::Null);
            let message = format!(
                "Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"', got 'type: \
                 {found}'."
            );
            let complaint = Complaint::invalid(message).about(format!("{at}.parameters"));
            return Err(complaint.coded("invalid_function_parameters"));
        }
    }
    let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) else { return Ok(()) };
    let names: Vec<&str> = list(body, "/tools").filter_map(|tool| string(tool, "/name")).collect();
    match (choice.as_str(), string(choice, "/type")) {
        (Some("required"), _) if list(body, "/tools").next().is_none() => {
            let message = "Tool choice 'required' must be specified with 'tools' parameter.";
            Err(Complaint::invalid(message).about("tool_choice"))
        }
        (Some("none" | "auto" | "required"), _) => Ok(()),
        (Some(other), _) => Err(params::unsupported_value(other, &["none", "auto", "required"], "tool_choice")),
        (None, Some("function")) => match string(choice, "/name") {
            None => Err(params::missing("tool_choice.name")),
            Some(name) if names.contains(&name) => Ok(()),
            Some(name) => {
                let message = format!("Tool choice 'function' with name '{name}' not found in 'tools' parameter.");
                Err(Complaint::invalid(message).about("tool_choice"))
            }
        },
        (None, Some(_)) => Ok(()),
        (None, None) => Err(params::missing("tool_choice.type")),
    }
}

/// The functions; the provider's own tools are not simulated.
pub(super) fn read(body: &Value) -> Vec<Tool> {
    let allowed: Option<Vec<&str>> = (string(body, "/tool_choice/type") == Some("allowed_tools"))
        .then(|| list(body, "/tool_choice/tools").filter_map(|tool| string(tool, "/name")).collect());
    let functions = list(body, "/tools").filter(|tool| string(tool, "/type") == Some("function"));
    let tool = |tool: &Value| {
        let name = string(tool, "/name")?.to_owned();
        let parameters = tool.get("parameters").filter(|parameters| !parameters.is_null()).cloned();
        Some(Tool { name, parameters: parameters.unwrap_or_else(|| json!({"type": "object"})) })
    };
    let allows = |tool: &Tool| allowed.as_ref().is_none_or(|allowed| allowed.contains(&tool.name.as_str()));
    functions.filter_map(tool).filter(allows).collect()
}

pub(super) fn choice(body: &Value) -> ToolChoice {
    let word = string(body, "/tool_choice").or_else(|| string(body, "/tool_choice/mode"));
    match (word, string(body, "/tool_choice/name")) {
        (Some("none"), _) => ToolChoice::Never,
        (Some("required"), _) => ToolChoice::Required,
        (_, Some(name)) => ToolChoice::Named(name.to_owned()),
        _ => ToolChoice::Auto,
    }
}

/// A tool as a response repeats it, with what was left out.
pub(super) fn repeat(tool: &Value) -> Value {
    let mut tool = tool.clone();
    if let Some(fields) = tool.as_object_mut().filter(|fields| fields.get("type") == Some(&json!("function"))) {
        for (name, default) in [("description", Value::Null), ("parameters", Value::Null), ("strict", json!(true))] {
            fields.entry(name).or_insert(default);
        }
    }
    tool
}
