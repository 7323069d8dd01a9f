//! The content blocks of messages: which there are, with which fields, and in whose messages.

use serde_json::Value;

use super::PURPOSE;
use crate::simulate::{
    complaint::Complaint,
    dialect::{
        field::{list, string},
        signature,
    },
};

struct Shape {
    tag: &'static str,
    fields: &'static [&'static str],
    required: &'static [&'static str],
    roles: &'static [&'static str],
}

const ANYONE: &[&str] = &["user", "assistant", "system"];
const SHAPES: [Shape; 7] = [
    Shape { tag: "text", fields: &["cache_control", "citations"], required: &["text"], roles: ANYONE },
    Shape { tag: "image", fields: &["cache_control", "transformations"], required: &["source"], roles: &["user"] },
    Shape {
        tag: "document",
        fields: &["title", "context", "citations", "cache_control"],
        required: &["source"],
        roles: &["user", "assistant"],
    },
    Shape {
        tag: "tool_use",
        fields: &["cache_control", "caller", "toolset_name"],
        required: &["id", "name", "input"],
        roles: &["assistant"],
    },
    Shape {
        tag: "tool_result",
        fields: &["content", "is_error", "cache_control", "toolset_name"],
        required: &["tool_use_id"],
        roles: &["user"],
    },
    Shape { tag: "thinking", fields: &[], required: &["thinking", "signature"], roles: &["assistant"] },
    Shape { tag: "redacted_thinking", fields: &[], required: &["data"], roles: &["assistant"] },
];
/// Blocks of the provider's own tools: let through as they are.
const OTHERS: [&str; 6] =
    ["search_result", "server_tool_use", "container_upload", "tool_reference", "tool_addition", "tool_removal"];
const MEDIA: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// A field that is not there in this place.
pub(super) fn extra(value: &Value, known: &[&str], at: &str) -> Result<(), Complaint> {
    let fields = value.as_object().into_iter().flatten();
    match fields.map(|(name, _)| name).find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Complaint::invalid(format!("{at}{name}: Extra inputs are not permitted"))),
    }
}

/// A field that is missing.
pub(super) fn missing(value: &Value, required: &[&str], at: &str) -> Result<(), Complaint> {
    match required.iter().find(|name| value.get(**name).is_none()) {
        None => Ok(()),
        Some(name) => Err(Complaint::invalid(format!("{at}{name}: Field required"))),
    }
}

/// The blocks of a content, of which a string is one.
pub(super) fn of(content: Option<&Value>) -> &[Value] {
    content.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text of a content.
pub(super) fn text(content: &Value) -> String {
    match content.as_str() {
        Some(text) => text.to_owned(),
        None => list(content, "").filter_map(|block| string(block, "/text")).collect::<Vec<_>>().join("\n"),
    }
}

/// What is wrong with one block, at a place such as `messages.1.content.0`.
pub(super) fn check(block: &Value, role: &str, at: &str) -> Result<(), Complaint> {
    let invalid = |message: String| Err(Complaint::invalid(message));
    let Some(tag) = string(block, "/type") else {
        return invalid(format!("{at}: Unable to extract tag using discriminator 'type'"));
    };
    let Some(shape) = SHAPES.iter().find(|shape| shape.tag == tag) else {
        if OTHERS.contains(&tag) || tag.ends_with("_tool_result") {
            return Ok(());
        }
        let tags: Vec<String> = SHAPES.iter().map(|shape| format!("'{}'", shape.tag)).collect();
        let tags = tags.join(", ");
        return invalid(format!(
            "{at}: Input tag '{tag}' found using 'type' does not match any of the expected tags: {tags}"
        ));
    };
    let inside = format!("{at}.{tag}.");
    let known: Vec<&str> = [&["type"], shape.required, shape.fields].concat();
    extra(block, &known, &inside)?;
    missing(block, shape.required, &inside)?;
    if !shape.roles.contains(&role) {
        let roles = shape.roles.join("` or `");
        return invalid(format!("{at}: `{tag}` blocks can only be in `{roles}` messages"));
    }
    check_cache_control(block, &inside)?;
    match tag {
        "text" => check_text(string(block, "/text").unwrap_or_default()),
        "image" | "document" => check_source(block, tag, &inside),
        "tool_use" => check_tool_use(block, &inside),
        "tool_result" => check_tool_result(block, at),
        "thinking" => {
            let part = |name| string(block, name).unwrap_or_default();
            if signature::is_issued(part("/signature"), PURPOSE, part("/thinking")) {
                return Ok(());
            }
            invalid(format!("{at}: Invalid `signature` in `thinking` block"))
        }
        "redacted_thinking" => invalid(format!("{at}: Invalid `data` in `redacted_thinking` block")),
        _ => Ok(()),
    }
}

pub(super) fn check_text(text: &str) -> Result<(), Complaint> {
    if text.is_empty() {
        return Err(Complaint::invalid("messages: text content blocks must be non-empty"));
    }
    if text.trim().is_empty() {
        return Err(Complaint::invalid("messages: text content blocks must contain non-whitespace text"));
    }
    Ok(())
}

pub(super) fn check_cache_control(block: &Value, inside: &str) -> Result<(), Complaint> {
    let Some(control) = block.get("cache_control").filter(|control| !control.is_null()) else { return Ok(()) };
    if string(control, "/type") != Some("ephemeral") {
        return Err(Complaint::invalid(format!("{inside}cache_control.type: Input should be 'ephemeral'")));
    }
    extra(control, &["type", "ttl"], &format!("{inside}cache_control.ephemeral."))?;
    match control.get("ttl").map(Value::as_str) {
        None | Some(Some("5m" | "1h")) => Ok(()),
        Some(_) => {
            Err(Complaint::invalid(format!("{inside}cache_control.ephemeral.ttl: Input should be '5m' or '1h'")))
        }
    }
}

fn check_source(block: &Value, tag: &str, inside: &str) -> Result<(), Complaint> {
    let invalid = |message: String| Err(Complaint::invalid(format!("{inside}source.{message}")));
    let part = |name| string(block, name).unwrap_or_default();
    let media = part("/source/media_type");
    match string(block, "/source/type") {
        Some("base64") if tag == "image" && !MEDIA.contains(&media) => {
            invalid("base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'".into())
        }
        Some("base64") if tag == "document" && media != "application/pdf" => {
            invalid("base64.media_type: Input should be 'application/pdf'".into())
        }
        Some("base64") if part("/source/data").is_empty() || signature::decode(part("/source/data")).is_none() => {
            invalid("base64.data: Invalid base64 data".into())
        }
        Some("text") if tag == "document" && media != "text/plain" => {
            invalid("text.media_type: Input should be 'text/plain'".into())
        }
        Some("url") if !part("/source/url").starts_with("http") => {
            invalid("url.url: Only HTTPS URLs are supported.".into())
        }
        Some("base64" | "url" | "file") => Ok(()),
        Some("text" | "content") if tag == "document" => Ok(()),
        Some(other) => invalid(format!("type: Input tag '{other}' does not match any of the expected tags")),
        None => invalid("type: Field required".into()),
    }
}

/// Letters, digits, `_` and `-`, up to 128 of them.
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !name.is_empty() && name.len() <= 128 && name.bytes().all(allowed)
}

fn check_tool_use(block: &Value, inside: &str) -> Result<(), Complaint> {
    let id = string(block, "/id").unwrap_or_default();
    // The length is not limited, as it is in names.
    if id.is_empty() || !id.split_inclusive(|_| true).all(is_name) {
        return Err(Complaint::invalid(format!("{inside}id: String should match pattern '^[a-zA-Z0-9_-]+$'")));
    }
    if !is_name(string(block, "/name").unwrap_or_default()) {
        let message = format!("{inside}name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'");
        return Err(Complaint::invalid(message));
    }
    if !block.get("input").is_some_and(Value::is_object) {
        return Err(Complaint::invalid(format!("{inside}input: Input should be a valid dictionary")));
    }
    Ok(())
}

fn check_tool_result(block: &Value, at: &str) -> Result<(), Complaint> {
    for (index, part) in of(block.get("content")).iter().enumerate() {
        let at = format!("{at}.tool_result.content.{index}");
        if !matches!(string(part, "/type"), Some("text" | "image" | "document" | "search_result" | "tool_reference")) {
            let message = "Input tag found using 'type' does not match any of the expected tags: 'document', 'image', \
                           'search_result', 'text', 'tool_reference'";
            return Err(Complaint::invalid(format!("{at}: {message}")));
        }
        check(part, "user", &at)?;
    }
    Ok(())
}
