//! A request of the Messages API: refused as the real one refuses it, then read.
//!
//! Messages begin with the path of what they are about (`messages.1.content.0.thinking.cache_control: Extra inputs are
//! not permitted`), as those of the real API do.

use serde_json::Value;

use super::{
    blocks::{self, extra, is_name, missing},
    model,
    question::{self, cacheable, is_breakpoint},
    schema, thread,
    turns::{self, Rules},
};
use crate::simulate::{
    complaint::Complaint,
    dialect::field::{is, list, number, string, strings},
    memory::Memory,
    question::Question,
    record::Request,
};

/// What both ways of asking know, in the order of the reference.
const FIELDS: [&str; 15] = [
    "model",
    "messages",
    "cache_control",
    "output_config",
    "speed",
    "system",
    "thinking",
    "tool_choice",
    "tools",
    "user_profile_id",
    "workspace_id",
    "mcp_servers",
    "context_management",
    "output_format",
    "thread",
];
/// What only an answer needs.
const ANSWER_FIELDS: [&str; 8] =
    ["max_tokens", "container", "diagnostics", "inference_geo", "metadata", "service_tier", "stop_sequences", "stream"];
/// Those that only the older version has.
const SAMPLING_FIELDS: [&str; 3] = ["temperature", "top_k", "top_p"];
/// Those of them that only a beta header opens.
const BETA_FIELDS: [&str; 4] = ["mcp_servers", "context_management", "output_format", "thread"];
const THINKING_DOCS: &str = "Please consult our documentation at \
                             https://docs.claude.com/en/docs/build-with-claude/extended-thinking";

/// Of the API.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    June2023,
    October2026,
}

pub(super) fn read(request: &Request, memory: &Memory) -> Result<Question, Complaint> {
    let version = match request.header("anthropic-version") {
        None => return Err(Complaint::invalid("anthropic-version: header is required")),
        Some("2023-06-01" | "2023-01-01") => Version::June2023,
        Some("2026-10-21") => Version::October2026,
        Some(other) => {
            return Err(Complaint::invalid(format!("anthropic-version: \"{other}\" is not a valid version")));
        }
    };
    let mut body: Value = serde_json::from_slice(&request.body)
        .map_err(|error| Complaint::invalid(format!("The request body is not valid JSON: {error}")))?;
    let counts_only = request.uri.path().ends_with("/count_tokens");
    let beta = request.headers.contains_key("anthropic-beta");
    let threads = request.header("anthropic-beta").is_some_and(|betas| betas.contains(thread::BETA));
    if threads {
        thread::resume(&mut body, memory)?;
    }
    check(&body, version, counts_only, beta)?;
    let question = question::of(&body);
    Ok(if threads { Question { asked: body, ..question } } else { question })
}

fn check(body: &Value, version: Version, counts_only: bool, beta: bool) -> Result<(), Complaint> {
    let known: Vec<&str> = FIELDS
        .into_iter()
        .filter(|field| beta || !BETA_FIELDS.contains(field))
        .chain(ANSWER_FIELDS.into_iter().filter(|_| !counts_only))
        .chain(SAMPLING_FIELDS.into_iter().filter(|_| !counts_only && version == Version::June2023))
        .collect();
    extra(body, &known, "")?;
    let required: &[&str] = if counts_only { &["messages", "model"] } else { &["max_tokens", "messages", "model"] };
    missing(body, required, "")?;
    let Some(model) = string(body, "/model").filter(|model| !model.is_empty()) else {
        return Err(Complaint::invalid("model: Input should be a valid string"));
    };
    if !counts_only {
        if number(body, "/max_tokens").is_none_or(|limit| limit == 0) {
            return Err(Complaint::invalid("max_tokens: Input should be greater than or equal to 1"));
        }
        check_sampling(body, model)?;
        check_options(body)?;
    }
    check_tools(body)?;
    check_thinking(body, model)?;
    check_output(body, model)?;
    check_system(body)?;
    let Some(messages) = body.get("messages").and_then(Value::as_array) else {
        return Err(Complaint::invalid("messages: Input should be a valid list"));
    };
    let budgeted = string(body, "/thinking/type") == Some("enabled");
    turns::check(messages, Rules { model, version, budgeted })?;
    check_breakpoints(body)
}

fn check_sampling(body: &Value, model: &str) -> Result<(), Complaint> {
    let given = |field: &str| body.get(field).filter(|value| !value.is_null());
    for (field, most) in [("temperature", 1.0), ("top_p", 1.0), ("top_k", f64::MAX)] {
        let Some(value) = given(field) else { continue };
        let Some(value) = value.as_f64() else {
            return Err(Complaint::invalid(format!("{field}: Input should be a valid number")));
        };
        if value > most {
            return Err(Complaint::invalid(format!("{field}: Input should be less than or equal to {most:.0}")));
        }
        if value < 0.0 {
            return Err(Complaint::invalid(format!("{field}: Input should be greater than or equal to 0")));
        }
        if !model::has_sampling(model) {
            return Err(Complaint::invalid(format!("`{field}` is deprecated for this model.")));
        }
    }
    if given("temperature").is_some() && given("top_p").is_some() && !model::has_both_samplings(model) {
        return Err(Complaint::invalid(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        ));
    }
    Ok(())
}

fn check_options(body: &Value) -> Result<(), Complaint> {
    if let Some(metadata) = body.get("metadata") {
        extra(metadata, &["user_id"], "metadata.")?;
    }
    if !matches!(body.get("service_tier").map(Value::as_str), None | Some(Some("auto" | "standard_only"))) {
        return Err(Complaint::invalid("service_tier: Input should be 'auto' or 'standard_only'"));
    }
    if body.get("stop_sequences").is_some_and(|stops| !stops.is_array()) {
        return Err(Complaint::invalid("stop_sequences: Input should be a valid list"));
    }
    if strings(body, "/stop_sequences").iter().any(|stop| stop.trim().is_empty()) {
        return Err(Complaint::invalid("stop_sequences: each stop sequence must contain non-whitespace"));
    }
    if body.get("stream").is_some_and(|stream| !stream.is_boolean()) {
        return Err(Complaint::invalid("stream: Input should be a valid boolean"));
    }
    Ok(())
}

fn check_tools(body: &Value) -> Result<(), Complaint> {
    const FIELDS: [&str; 10] = [
        "type",
        "name",
        "description",
        "input_schema",
        "cache_control",
        "strict",
        "allowed_callers",
        "defer_loading",
        "eager_input_streaming",
        "input_examples",
    ];
    let mut names: Vec<&str> = Vec::new();
    for (index, tool) in list(body, "/tools").enumerate() {
        let kind = tool.get("type").and_then(Value::as_str).unwrap_or("custom");
        if kind == "function" {
            let message = format!(
                "tools.{index}: Input tag 'function' found using 'type' does not match any of the expected tags: 'custom'"
            );
            return Err(Complaint::invalid(message));
        }
        if kind != "custom" {
            continue;
        }
        let inside = format!("tools.{index}.custom.");
        extra(tool, &FIELDS, &inside)?;
        missing(tool, &["name", "input_schema"], &inside)?;
        blocks::check_cache_control(tool, &inside)?;
        let name = string(tool, "/name").unwrap_or_default();
        if !is_name(name) {
            let message = format!("{inside}name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'");
            return Err(Complaint::invalid(message));
        }
        if names.contains(&name) {
            return Err(Complaint::invalid("tools: Tool names must be unique."));
        }
        names.push(name);
        if string(tool, "/input_schema/type") != Some("object") {
            return Err(Complaint::invalid(format!("{inside}input_schema.type: Input should be 'object'")));
        }
        if ["oneOf", "allOf", "anyOf"].iter().any(|key| tool.pointer(&format!("/input_schema/{key}")).is_some()) {
            let message = "input_schema does not support oneOf, allOf, or anyOf at the top level";
            return Err(Complaint::invalid(format!("{inside}input_schema: {message}")));
        }
        if is(tool, "/strict", true) {
            schema::check(tool.get("input_schema").unwrap_or(&Value::Null), &format!("{inside}input_schema"))?;
        }
    }
    check_tool_choice(body, &names)
}

fn check_tool_choice(body: &Value, names: &[&str]) -> Result<(), Complaint> {
    let Some(choice) = body.get("tool_choice").filter(|choice| !choice.is_null()) else { return Ok(()) };
    if list(body, "/tools").next().is_none() {
        return Err(Complaint::invalid("`tool_choice` may only be specified while providing `tools`."));
    }
    let name = string(choice, "/name").unwrap_or_default();
    match string(choice, "/type") {
        Some(kind @ ("auto" | "any")) => {
            extra(choice, &["type", "disable_parallel_tool_use"], &format!("tool_choice.{kind}."))
        }
        Some("none") => extra(choice, &["type"], "tool_choice.none."),
        Some("tool") if names.contains(&name) => {
            extra(choice, &["type", "name", "disable_parallel_tool_use"], "tool_choice.tool.")
        }
        Some("tool") => Err(Complaint::invalid(format!("Tool '{name}' not found in provided tools"))),
        _ => Err(Complaint::invalid(
            "tool_choice: Input tag found using 'type' does not match any of the expected tags: 'auto', 'any', 'tool', \
             'none'",
        )),
    }
}

fn check_thinking(body: &Value, model: &str) -> Result<(), Complaint> {
    let invalid = |message: String| Err(Complaint::invalid(message));
    match string(body, "/thinking/type") {
        None if body.get("thinking").is_none_or(Value::is_null) => return Ok(()),
        Some("disabled" | "between_tools") => return Ok(()),
        Some("adaptive") if !model::has_adaptive_thinking(model) => {
            return invalid("adaptive thinking is not supported on this model".into());
        }
        Some("adaptive") => {
            let thinking = body.get("thinking").unwrap_or(&Value::Null);
            extra(thinking, &["type", "display"], "thinking.adaptive.")?;
        }
        Some("enabled") if !model::has_budgets(model) => {
            return invalid(
                "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \
                 \"output_config.effort\" to control thinking behavior."
                    .into(),
            );
        }
        Some("enabled") => check_budget(body)?,
        _ => {
            return invalid(
                "thinking: Input tag found using 'type' does not match any of the expected tags: 'adaptive', \
                 'disabled', 'enabled'"
                    .into(),
            );
        }
    }
    if matches!(string(body, "/tool_choice/type"), Some("any" | "tool")) {
        return invalid("Thinking may not be enabled when tool_choice forces tool use.".into());
    }
    let given = |field: &str| body.get(field).and_then(Value::as_f64);
    if given("temperature").is_some_and(|temperature| temperature < 1.0) {
        return invalid(format!("`temperature` may only be set to 1 when thinking is enabled. {THINKING_DOCS}"));
    }
    if given("top_p").is_some_and(|top_p| top_p < 0.95) {
        return invalid(format!(
            "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled. {THINKING_DOCS}"
        ));
    }
    if given("top_k").is_some() {
        return invalid(format!("`top_k` must be unset when thinking is enabled. {THINKING_DOCS}"));
    }
    Ok(())
}

fn check_budget(body: &Value) -> Result<(), Complaint> {
    let thinking = body.get("thinking").unwrap_or(&Value::Null);
    extra(thinking, &["type", "budget_tokens", "display"], "thinking.enabled.")?;
    missing(thinking, &["budget_tokens"], "thinking.enabled.")?;
    let budget = number(thinking, "/budget_tokens").unwrap_or(0);
    if budget < 1024 {
        let message = "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024";
        return Err(Complaint::invalid(message));
    }
    match number(body, "/max_tokens") {
        Some(limit) if limit <= budget => Err(Complaint::invalid(format!(
            "`max_tokens` must be greater than `thinking.budget_tokens`. {THINKING_DOCS}#max-tokens-and-context-window-size"
        ))),
        _ => Ok(()),
    }
}

fn check_output(body: &Value, model: &str) -> Result<(), Complaint> {
    let Some(config) = body.get("output_config").filter(|config| !config.is_null()) else { return Ok(()) };
    extra(config, &["effort", "format", "task_budget"], "output_config.")?;
    match config.get("effort").map(Value::as_str) {
        None => {}
        Some(Some("low" | "medium" | "high" | "xhigh" | "max")) if model::has_effort(model) => {}
        Some(Some("low" | "medium" | "high" | "xhigh" | "max")) => {
            return Err(Complaint::invalid("This model does not support the effort parameter."));
        }
        Some(_) => {
            let message = "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'";
            return Err(Complaint::invalid(message));
        }
    }
    let Some(format) = config.get("format").filter(|format| !format.is_null()) else { return Ok(()) };
    if string(format, "/type") != Some("json_schema") {
        return Err(Complaint::invalid("output_config.format.type: Input should be 'json_schema'"));
    }
    extra(format, &["type", "schema"], "output_config.format.")?;
    missing(format, &["schema"], "output_config.format.")?;
    schema::check(format.get("schema").unwrap_or(&Value::Null), "output_config.format.schema")
}

fn check_system(body: &Value) -> Result<(), Complaint> {
    for (index, block) in list(body, "/system").enumerate() {
        if string(block, "/type") != Some("text") {
            return Err(Complaint::invalid(format!("system.{index}.type: Input should be 'text'")));
        }
        if string(block, "/text").unwrap_or_default().is_empty() {
            return Err(Complaint::invalid("system: text content blocks must be non-empty"));
        }
        blocks::check(block, "system", &format!("system.{index}"))?;
    }
    match body.get("system") {
        None | Some(Value::String(_) | Value::Array(_)) => Ok(()),
        Some(_) => Err(Complaint::invalid("system: Input should be a valid list")),
    }
}

fn check_breakpoints(body: &Value) -> Result<(), Complaint> {
    let count = cacheable(body).filter(|(block, _)| is_breakpoint(block)).count();
    if count > 4 {
        let message = format!("A maximum of 4 blocks with cache_control may be provided. Found {count}.");
        return Err(Complaint::invalid(message));
    }
    Ok(())
}
