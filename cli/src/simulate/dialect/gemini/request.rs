//! A request of generateContent, streamGenerateContent or countTokens: refused as the real API does it, then read.

use serde_json::{Value, json};

use super::{operation, proto, query, turns};
use crate::simulate::{
    complaint::Complaint,
    dialect::field::{is, list, number, string, strings},
    question::{Cache, Format, Question, Streaming, Tool, ToolChoice},
    record::Request,
};

pub(super) fn read(request: &Request) -> Result<Question, Complaint> {
    let (model, operation) = operation(request.uri.path()).unwrap_or_default();
    if query(request, "alt").is_some_and(|alt| alt != "sse" && alt != "json") {
        return Err(Complaint::invalid("Invalid value at 'alt'"));
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|error| Complaint::invalid(format!("Invalid JSON payload received. {error}")))?;
    let root = if operation == "countTokens" { proto::Root::Count } else { proto::Root::Generate };
    let body = proto::decode(&body, root)?;
    let body = body.get("generateContentRequest").cloned().unwrap_or(body);
    let generation = generation(model);
    turns::check(&body, generation >= 3)?;
    check_tools(&body)?;
    check_config(&body, generation)?;
    Ok(question(&body, model, operation == "streamGenerateContent"))
}

/// 2 of `gemini-2.5-flash`. Aliases without a number (`gemini-flash-latest`) are of the newest.
fn generation(model: &str) -> u32 {
    let digits = model.split("gemini-").nth(1).unwrap_or_default().split(['-', '.']).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(u32::MAX)
}

fn check_tools(body: &Value) -> Result<(), Complaint> {
    let mut names: Vec<&str> = Vec::new();
    for (index, tool) in list(body, "/tools").enumerate() {
        for (place, declaration) in list(tool, "/functionDeclarations").enumerate() {
            let at = format!("* GenerateContentRequest.tools[{index}].function_declarations[{place}]");
            let name = string(declaration, "/name").unwrap_or_default();
            let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
            let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
            if !begins || name.len() > 128 || !name.bytes().all(fine) {
                return Err(Complaint::invalid(format!(
                    "{at}.name: [FIELD_INVALID] Invalid function name. Must start with a letter or an underscore. Must \
                     be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a \
                     maximum length of 128.\n"
                )));
            }
            if names.contains(&name) {
                return Err(Complaint::invalid(format!("Duplicate function declaration found: {name}")));
            }
            names.push(name);
            if declaration.get("parameters").is_some() && declaration.get("parametersJsonSchema").is_some() {
                let message = "parameters and parameters_json_schema cannot be set at the same time";
                return Err(Complaint::invalid(format!("{at}: {message}.\n")));
            }
        }
    }
    let allowed = strings(body, "/toolConfig/functionCallingConfig/allowedFunctionNames");
    let mode = mode(body);
    match mode.as_deref() {
        None | Some("MODE_UNSPECIFIED" | "AUTO" | "ANY" | "NONE" | "VALIDATED") => {}
        Some(other) => {
            let at = "tool_config.function_calling_config.mode";
            let message = format!(
                "Invalid value at '{at}' (type.googleapis.com/google.ai.generativelanguage.v1beta.FunctionCallingConfig.Mode), \
                 \"{other}\""
            );
            let complaint = Complaint::invalid(message.clone());
            return Err(Complaint { violations: vec![(at.into(), message)], ..complaint });
        }
    }
    if !allowed.is_empty() && !matches!(mode.as_deref(), Some("ANY" | "VALIDATED")) {
        return Err(Complaint::invalid("Allowed function names should only be set when function calling mode is ANY."));
    }
    if mode.as_deref() == Some("ANY") && names.is_empty() {
        return Err(Complaint::invalid("Function calling config is set without function_declarations."));
    }
    match allowed.iter().find(|name| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            Err(Complaint::invalid(format!("Allowed function name {name} is not in the function declarations.")))
        }
    }
}

/// Names of values are read in any case.
fn mode(body: &Value) -> Option<String> {
    string(body, "/toolConfig/functionCallingConfig/mode").map(str::to_ascii_uppercase)
}

fn check_config(body: &Value, generation: u32) -> Result<(), Complaint> {
    let Some(config) = body.get("generationConfig") else { return Ok(()) };
    let at = "* GenerateContentRequest.generation_config";
    let given = |field: &str| config.get(field).filter(|value| !value.is_null());
    if given("temperature").and_then(Value::as_f64).is_some_and(|number| !(0.0..=2.0).contains(&number)) {
        return Err(Complaint::invalid(format!("{at}.temperature: temperature must be in the range [0.0, 2.0].\n")));
    }
    if given("topP").and_then(Value::as_f64).is_some_and(|number| !(0.0..=1.0).contains(&number)) {
        return Err(Complaint::invalid(format!("{at}.top_p: top_p must be in the range [0.0, 1.0].\n")));
    }
    if given("maxOutputTokens").is_some_and(|limit| limit.as_u64().is_none_or(|limit| limit == 0)) {
        return Err(Complaint::invalid(format!("{at}.max_output_tokens: max_output_tokens must be positive.\n")));
    }
    if number(config, "/candidateCount").is_some_and(|count| !(1..=8).contains(&count)) {
        return Err(Complaint::invalid("The specified number of candidates is not in the range from 1 to 8."));
    }
    if strings(config, "/stopSequences").len() > 5 {
        return Err(Complaint::invalid("The number of stop sequences must be at most 5."));
    }
    let json = string(config, "/responseMimeType") == Some("application/json");
    let structured = given("responseSchema").is_some() || given("responseJsonSchema").is_some();
    if given("responseSchema").is_some() && given("responseJsonSchema").is_some() {
        return Err(Complaint::invalid("response_schema and response_json_schema cannot be set at the same time."));
    }
    if structured && !json {
        let message = "response_schema is only supported with a response mime type of 'application/json'.";
        return Err(Complaint::invalid(format!("{at}.response_schema: {message}\n")));
    }
    if json && generation < 3 && list(body, "/tools").next().is_some() {
        let message = "Function calling with a response mime type: 'application/json' is unsupported";
        return Err(Complaint::invalid(message));
    }
    let thinking = |field: &str| config.pointer(&format!("/thinkingConfig/{field}"));
    if thinking("thinkingBudget").is_some() && thinking("thinkingLevel").is_some() {
        return Err(Complaint::invalid("You can only set only one of thinking budget and thinking level."));
    }
    if thinking("thinkingLevel").is_some() && generation < 3 {
        return Err(Complaint::invalid("Thinking level is not supported for this model."));
    }
    Ok(())
}

fn question(body: &Value, model: &str, streams: bool) -> Question {
    let contents: Vec<&Value> = list(body, "/contents").collect();
    let parts = || contents.iter().flat_map(|content| list(content, "/parts"));
    let users = contents.iter().rev().filter(|content| string(content, "/role") != Some("model"));
    let said = users.map(|content| text(content)).find(|text| !text.is_empty());
    let last = contents.last().copied().unwrap_or(&Value::Null);
    let results = list(last, "/parts").filter_map(|part| part.pointer("/functionResponse/response"));
    let inner = || parts().flat_map(|part| list(part, "/functionResponse/parts")).chain(parts());
    let files: Vec<(bool, String)> = inner().filter_map(file).collect();
    let of_kind = |image: bool| files.iter().filter(move |file| file.0 == image).map(|file| file.1.clone()).collect();
    let tools: Vec<Tool> =
        list(body, "/tools").flat_map(|tool| list(tool, "/functionDeclarations")).filter_map(tool).collect();
    let config = body.get("generationConfig").unwrap_or(&Value::Null);
    let characters: usize = parts().map(|part| string(part, "/text").unwrap_or_default().chars().count()).sum();
    let system = body.get("systemInstruction").map_or(0, |system| text(system).chars().count());
    let input_tokens = characters
        .saturating_add(system)
        .div_ceil(4)
        .saturating_add(contents.len().saturating_mul(3))
        .saturating_add(files.len().saturating_mul(258))
        .saturating_add(tools.len().saturating_mul(40));
    Question {
        model: model.to_owned(),
        text: said.unwrap_or_default(),
        tool_results: results.map(result).collect(),
        images: of_kind(true),
        documents: of_kind(false),
        tool_choice: tool_choice(body),
        tools,
        one_tool_call: false,
        format: format(config),
        choices: number(config, "/candidateCount").unwrap_or(1),
        max_tokens: number(config, "/maxOutputTokens"),
        stop: strings(config, "/stopSequences"),
        // On unless turned off, since 2.5.
        reasoning: generation(model) >= 2
            && !model.contains("gemini-2.0")
            && config.pointer("/thinkingConfig/thinkingBudget").and_then(Value::as_i64) != Some(0),
        shows_thoughts: is(config, "/thinkingConfig/includeThoughts", true),
        input_tokens,
        cache: Cache {
            read_tokens: if body.get("cachedContent").is_some() { input_tokens } else { 0 },
            written_tokens: 0,
        },
        pictures: usize::from(
            strings(config, "/responseModalities").iter().any(|modality| modality.eq_ignore_ascii_case("image"))
                || (model.contains("-image") && config.get("responseModalities").is_none()),
        ),
        asked: Value::Null,
        stream: streams.then(Streaming::default),
    }
}

fn text(content: &Value) -> String {
    list(content, "/parts").filter_map(|part| string(part, "/text")).collect::<Vec<_>>().join("\n")
}

/// A result is a structure; by convention its `output`, `result` or `error` is what there is to say.
fn result(response: &Value) -> String {
    let said = |key: &str| {
        let value = response.get(key)?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let said = said("output").or_else(|| said("result")).or_else(|| Some(format!("error: {}", said("error")?)));
    said.unwrap_or_else(|| response.to_string())
}

/// Whether it is an image, and what there is to say of it.
fn file(part: &Value) -> Option<(bool, String)> {
    if let Some(data) = string(part, "/inlineData/data") {
        let media = string(part, "/inlineData/mimeType").unwrap_or_default();
        return Some((media.starts_with("image/"), format!("{media} ({} base64 characters)", data.len())));
    }
    let uri = string(part, "/fileData/fileUri")?;
    let media = string(part, "/fileData/mimeType").unwrap_or_default();
    Some((media.starts_with("image/"), uri.to_owned()))
}

fn tool(declaration: &Value) -> Option<Tool> {
    let schema = declaration.get("parametersJsonSchema").or_else(|| declaration.get("parameters"));
    let parameters = schema.map_or_else(|| json!({"type": "object"}), lowered);
    Some(Tool { name: string(declaration, "/name")?.to_owned(), parameters })
}

fn tool_choice(body: &Value) -> ToolChoice {
    let allowed = strings(body, "/toolConfig/functionCallingConfig/allowedFunctionNames");
    match (mode(body).as_deref(), allowed.as_slice()) {
        (Some("NONE"), _) => ToolChoice::Never,
        (Some("ANY"), [only]) => ToolChoice::Named(only.clone()),
        (Some("ANY"), _) => ToolChoice::Required,
        _ => ToolChoice::Auto,
    }
}

fn format(config: &Value) -> Format {
    if string(config, "/responseMimeType") != Some("application/json") {
        return Format::Text;
    }
    match config.get("responseJsonSchema").or_else(|| config.get("responseSchema")) {
        Some(schema) => Format::Schema(lowered(schema)),
        None => Format::Object,
    }
}

/// A schema with its types in JSON Schema's spelling: the API's own are in capitals.
fn lowered(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let lower = |(name, value): (&String, &Value)| match value.as_str() {
                Some(kind) if name == "type" => (name.clone(), Value::String(kind.to_ascii_lowercase())),
                _ => (name.clone(), lowered(value)),
            };
            Value::Object(fields.iter().map(lower).collect())
        }
        Value::Array(items) => items.iter().map(lowered).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}
