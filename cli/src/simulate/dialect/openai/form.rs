//! Forms with files (`multipart/form-data`, RFC 7578), read strictly: a body that was cut on the way is refused.

use http::header;
use serde_json::{Map, Value, json};

use crate::simulate::{complaint::Complaint, record::Request};

/// One part of a form.
pub(super) struct Field {
    pub(super) name: String,
    /// Of a file.
    pub(super) filename: Option<String>,
    pub(super) bytes: Vec<u8>,
}

impl Field {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

fn content_type(request: &Request) -> &str {
    request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

pub(super) fn is_form(request: &Request) -> bool {
    content_type(request).to_ascii_lowercase().starts_with("multipart/form-data")
}

/// The fields, in their order.
pub(super) fn read(request: &Request) -> Result<Vec<Field>, Complaint> {
    let wrong = || Complaint::invalid("Could not parse multipart form");
    let kind = content_type(request);
    let boundary = kind.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="));
    let boundary = boundary.map(|boundary| boundary.trim_matches('"')).filter(|boundary| !boundary.is_empty());
    let delimiter = format!("--{}", boundary.filter(|_| is_form(request)).ok_or_else(wrong)?);
    let mut rest = request.body.as_ref().strip_prefix(delimiter.as_bytes()).ok_or_else(wrong)?;
    let delimiter = format!("\r\n{delimiter}");
    let mut fields = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(fields);
        }
        rest = rest.strip_prefix(b"\r\n").ok_or_else(wrong)?;
        let (part, after) = split(rest, delimiter.as_bytes()).ok_or_else(wrong)?;
        let (head, bytes) = split(part, b"\r\n\r\n").ok_or_else(wrong)?;
        let head = std::str::from_utf8(head).map_err(|_| wrong())?;
        let name = parameter(head, "name").ok_or_else(wrong)?;
        fields.push(Field { name, filename: parameter(head, "filename"), bytes: bytes.to_vec() });
        rest = after;
    }
}

/// A parameter of the part's `content-disposition`.
fn parameter(head: &str, name: &str) -> Option<String> {
    let disposition = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let start = format!("{name}=");
    let value = disposition.split(';').find_map(|parameter| parameter.trim().strip_prefix(start.as_str()))?;
    Some(value.trim_matches('"').to_owned())
}

fn split<'b>(bytes: &'b [u8], separator: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(separator.len()).position(|window| window == separator)?;
    let (before, rest) = bytes.split_at(at);
    Some((before, rest.strip_prefix(separator)?))
}

/// The fields that are no files, as a request in JSON would have them.
pub(super) fn values(fields: &[Field]) -> Value {
    let value = |field: &Field| {
        let text = field.text();
        match text.as_str() {
            "true" => json!(true),
            "false" => json!(false),
            _ => text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
        }
    };
    let plain = fields.iter().filter(|field| field.filename.is_none());
    Value::Object(plain.map(|field| (field.name.clone(), value(field))).collect::<Map<String, Value>>())
}
