//! The messages that a request is made of, as far as their names go.
//!
//! The API decodes JSON into protocol buffers: a name is known in camelCase and in `snake_case`, an unknown one is an
//! error that is told with all others of the request, a path of `snake_case` names before it. What is a free-form
//! structure in the API (`args`, JSON Schemas) is not looked into.

use serde_json::Value;

use crate::simulate::complaint::Complaint;

/// What a body is of.
#[derive(Clone, Copy)]
pub(super) enum Root {
    Generate,
    Count,
    Embed,
    BatchEmbed,
}

/// What a field holds.
enum Kind {
    /// A number, a string, a flag.
    Plain,
    /// Anything.
    Free,
    One(&'static Message),
    Many(&'static Message),
    Map(&'static Message),
    /// A structure: anything in braces.
    Struct,
}

struct Message(&'static [(&'static str, Kind)]);

use Kind::{Free, Many, Map, One, Plain, Struct};

static REQUEST: Message = Message(&[
    ("model", Plain),
    ("contents", Many(&CONTENT)),
    ("systemInstruction", One(&CONTENT)),
    ("tools", Many(&TOOL)),
    ("toolConfig", One(&TOOL_CONFIG)),
    ("safetySettings", Many(&SAFETY_SETTING)),
    ("generationConfig", One(&GENERATION_CONFIG)),
    ("cachedContent", Plain),
    ("serviceTier", Plain),
    ("store", Plain),
]);

static COUNT_REQUEST: Message =
    Message(&[("model", Plain), ("contents", Many(&CONTENT)), ("generateContentRequest", One(&REQUEST))]);

static EMBED_REQUEST: Message = Message(&[
    ("model", Plain),
    ("content", One(&CONTENT)),
    ("taskType", Plain),
    ("title", Plain),
    ("outputDimensionality", Plain),
    ("embedContentConfig", Free),
]);

static BATCH_EMBED_REQUEST: Message = Message(&[("model", Plain), ("requests", Many(&EMBED_REQUEST))]);

static CONTENT: Message = Message(&[("parts", Many(&PART)), ("role", Plain)]);

static PART: Message = Message(&[
    ("text", Plain),
    ("thought", Plain),
    ("thoughtSignature", Plain),
    ("inlineData", One(&BLOB)),
    ("fileData", One(&FILE_DATA)),
    ("functionCall", One(&FUNCTION_CALL)),
    ("functionResponse", One(&FUNCTION_RESPONSE)),
    ("executableCode", Free),
    ("codeExecutionResult", Free),
    ("toolCall", Free),
    ("toolResponse", Free),
    ("videoMetadata", Free),
    ("mediaResolution", Free),
    ("mediaProcessing", Free),
    ("partMetadata", Struct),
]);

static BLOB: Message = Message(&[("mimeType", Plain), ("data", Plain), ("displayName", Plain)]);

static FILE_DATA: Message = Message(&[("mimeType", Plain), ("fileUri", Plain), ("displayName", Plain)]);

static FUNCTION_CALL: Message = Message(&[("id", Plain), ("name", Plain), ("args", Struct)]);

static FUNCTION_RESPONSE: Message = Message(&[
    ("id", Plain),
    ("name", Plain),
    ("response", Struct),
    ("parts", Many(&RESPONSE_PART)),
    ("willContinue", Plain),
    ("scheduling", Plain),
]);

static RESPONSE_PART: Message = Message(&[("inlineData", One(&BLOB)), ("fileData", One(&FILE_DATA))]);

static TOOL: Message = Message(&[
    ("functionDeclarations", Many(&FUNCTION_DECLARATION)),
    ("googleSearch", Free),
    ("googleSearchRetrieval", Free),
    ("googleMaps", Free),
    ("codeExecution", Free),
    ("urlContext", Free),
    ("computerUse", Free),
    ("fileSearch", Free),
    ("mcpServers", Free),
]);

static FUNCTION_DECLARATION: Message = Message(&[
    ("name", Plain),
    ("description", Plain),
    ("behavior", Plain),
    ("parameters", One(&SCHEMA)),
    ("parametersJsonSchema", Free),
    ("response", One(&SCHEMA)),
    ("responseJsonSchema", Free),
]);

static TOOL_CONFIG: Message = Message(&[
    ("functionCallingConfig", One(&FUNCTION_CALLING_CONFIG)),
    ("retrievalConfig", Free),
    ("includeServerSideToolInvocations", Plain),
]);

static FUNCTION_CALLING_CONFIG: Message = Message(&[("mode", Plain), ("allowedFunctionNames", Free)]);

static SAFETY_SETTING: Message = Message(&[("category", Plain), ("threshold", Plain)]);

static GENERATION_CONFIG: Message = Message(&[
    ("candidateCount", Plain),
    ("stopSequences", Free),
    ("maxOutputTokens", Plain),
    ("temperature", Plain),
    ("topP", Plain),
    ("topK", Plain),
    ("seed", Plain),
    ("presencePenalty", Plain),
    ("frequencyPenalty", Plain),
    ("responseLogprobs", Plain),
    ("logprobs", Plain),
    ("responseMimeType", Plain),
    ("responseSchema", One(&SCHEMA)),
    ("responseJsonSchema", Free),
    ("responseFormat", Free),
    ("responseModalities", Free),
    ("thinkingConfig", One(&THINKING_CONFIG)),
    ("speechConfig", Free),
    ("imageConfig", Free),
    ("mediaResolution", Plain),
    ("enableEnhancedCivicAnswers", Plain),
]);

static THINKING_CONFIG: Message =
    Message(&[("includeThoughts", Plain), ("thinkingBudget", Plain), ("thinkingLevel", Plain)]);

/// A subset of `OpenAPI`'s, not JSON Schema: no `const`, no `$ref`, and one type each.
static SCHEMA: Message = Message(&[
    ("type", Plain),
    ("format", Plain),
    ("title", Plain),
    ("description", Plain),
    ("nullable", Plain),
    ("enum", Free),
    ("items", One(&SCHEMA)),
    ("minItems", Plain),
    ("maxItems", Plain),
    ("properties", Map(&SCHEMA)),
    ("propertyOrdering", Free),
    ("required", Free),
    ("minProperties", Plain),
    ("maxProperties", Plain),
    ("minimum", Plain),
    ("maximum", Plain),
    ("minLength", Plain),
    ("maxLength", Plain),
    ("pattern", Plain),
    ("example", Free),
    ("default", Free),
    ("anyOf", Many(&SCHEMA)),
    ("additionalProperties", Free),
]);

/// The request with every name in camelCase, or all that is wrong with its names.
pub(super) fn decode(body: &Value, root: Root) -> Result<Value, Complaint> {
    if !body.is_object() {
        let message = "Invalid JSON payload received. Unknown name \"\": Root element must be a message.";
        return Err(Complaint::invalid(message));
    }
    let mut violations = Vec::new();
    let message = match root {
        Root::Generate => &REQUEST,
        Root::Count => &COUNT_REQUEST,
        Root::Embed => &EMBED_REQUEST,
        Root::BatchEmbed => &BATCH_EMBED_REQUEST,
    };
    let decoded = message.decode(body, "", &mut violations);
    if violations.is_empty() {
        return Ok(decoded);
    }
    let all: Vec<&str> = violations.iter().map(|(_, description)| description.as_str()).collect();
    let complaint = Complaint::invalid(all.join("\n"));
    Err(Complaint { violations, ..complaint })
}

impl Message {
    fn decode(&self, value: &Value, at: &str, violations: &mut Vec<(String, String)>) -> Value {
        let Some(fields) = value.as_object() else { return value.clone() };
        let place = if at.is_empty() { String::new() } else { format!(" at '{at}'") };
        let mut refuse = |name: &str, why: &str| {
            let description = format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: {why}");
            violations.push((at.to_owned(), description));
        };
        let mut known = Vec::new();
        for (name, value) in fields {
            match self.0.iter().find(|(field, _)| *field == name || snake(field) == *name) {
                None => refuse(name, "Cannot find field."),
                Some((_, Plain | One(_) | Struct)) if value.is_array() => {
                    refuse(name, "Proto field is not repeating, cannot start list.");
                }
                Some((_, Plain)) if value.is_object() => {
                    refuse(name, "Proto field is not a message, cannot start object.");
                }
                Some((field, kind)) => known.push((*field, kind, value)),
            }
        }
        let inner = known.into_iter().map(|(field, kind, value)| {
            let at = if at.is_empty() { snake(field) } else { format!("{at}.{}", snake(field)) };
            (field.to_owned(), kind.decode(value, &at, violations))
        });
        Value::Object(inner.collect())
    }
}

impl Kind {
    fn decode(&self, value: &Value, at: &str, violations: &mut Vec<(String, String)>) -> Value {
        match (self, value) {
            (One(message), _) => message.decode(value, at, violations),
            (Many(message), Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| message.decode(item, &format!("{at}[{index}]"), violations))
                .collect(),
            // One item may stand for a list of one.
            (Many(message), Value::Object(_)) => {
                Value::Array(vec![message.decode(value, &format!("{at}[0]"), violations)])
            }
            (Map(message), Value::Object(entries)) => {
                let entries = entries.iter().enumerate().map(|(index, (key, entry))| {
                    (key.clone(), message.decode(entry, &format!("{at}[{index}].value"), violations))
                });
                Value::Object(entries.collect())
            }
            (Struct, Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                let description =
                    format!("Invalid value at '{at}' (type.googleapis.com/google.protobuf.Struct), {value}");
                violations.push((at.to_owned(), description));
                Value::Null
            }
            (Many(_) | Map(_) | Plain | Free | Struct, _) => value.clone(),
        }
    }
}

/// `thoughtSignature` as `thought_signature`.
fn snake(camel: &str) -> String {
    let mut snake = String::new();
    for character in camel.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn either_spelling_of_a_name_is_read_as_the_same() {
        let body = json!({
            "system_instruction": {"parts": {"text": "a"}},
            "tools": [{"function_declarations": [{"name": "f", "parameters_json_schema": {"some_thing": 1}}]}],
        });
        assert_eq!(
            decode(&body, Root::Generate).unwrap(),
            json!({
                "systemInstruction": {"parts": [{"text": "a"}]},
                "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"some_thing": 1}}]}],
            })
        );
    }

    #[test]
    fn every_unknown_name_is_told_with_its_place() {
        let body = json!({
            "stream": true,
            "contents": [{"parts": [{"functionResponse": {"name": "f", "response": "text"}}]}],
            "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"properties": {
                "a": {"const": 1}, "b": {"type": ["string", "null"]},
            }}}]}],
        });
        let complaint = decode(&body, Root::Generate).unwrap_err();
        let schema = "tools[0].function_declarations[0].parameters.properties";
        let fields: Vec<&str> = complaint.violations.iter().map(|(field, _)| field.as_str()).collect();
        let response = "contents[0].parts[0].function_response.response";
        assert_eq!(fields, ["", response, &format!("{schema}[0].value"), &format!("{schema}[1].value")]);
        assert!(complaint.message.starts_with("Invalid JSON payload received. Unknown name \"stream\": Cannot find"));
        assert!(complaint.message.contains(&format!("Unknown name \"const\" at '{schema}[0].value': Cannot find")));
        assert!(complaint.message.ends_with("Proto field is not repeating, cannot start list."));
    }
}
