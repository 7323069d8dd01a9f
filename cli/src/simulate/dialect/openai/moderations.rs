//! Moderations: whether a text offends. One that speaks of violence does.

use serde_json::{Map, Value, json};

use super::{Errand, Stamp, params};
use crate::simulate::{
    complaint::Complaint,
    dialect::field::{list, string},
    memory::Memory,
    record::Request,
};

const CATEGORIES: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

pub(super) fn run(request: &Request, stamp: &Stamp, _memory: &Memory) -> Result<Errand, Complaint> {
    let body = params::json(&request.body)?;
    params::check_known(&body, &["input", "model"], "")?;
    let model = string(&body, "/model").unwrap_or("omni-moderation-latest");
    let inputs: Vec<String> = match body.get("input") {
        Some(Value::String(text)) => vec![text.clone()],
        // Parts of one thing, of which pictures are never seen.
        Some(Value::Array(parts)) if parts.first().is_some_and(Value::is_object) => {
            vec![parts.iter().filter_map(|part| string(part, "/text")).collect::<Vec<_>>().join(" ")]
        }
        Some(Value::Array(texts)) if !texts.is_empty() && texts.iter().all(Value::is_string) => {
            list(&body, "/input").filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(other) => return Err(params::mistyped(other, "a string or an array of strings", "input")),
        None => return Err(params::missing("input")),
    };
    let results: Vec<Value> = inputs.iter().map(|text| result(text, model.starts_with("omni"))).collect();
    let id = format!("modr-{}", stamp.random.clone().token(29));
    Ok(Errand::json(model, &json!({"id": id, "model": model, "results": results})))
}

fn result(text: &str, omni: bool) -> Value {
    let text = text.to_lowercase();
    let flagged = ["kill", "violen", "murder"].iter().any(|word| text.contains(word));
    let known = || CATEGORIES.iter().filter(|name| omni || !name.starts_with("illicit"));
    let each = |value: &dyn Fn(bool) -> Value| -> Map<String, Value> {
        known().map(|name| ((*name).to_owned(), value(flagged && *name == "violence"))).collect()
    };
    let mut result = json!({
        "flagged": flagged,
        "categories": each(&|is| json!(is)),
        "category_scores": each(&|is| json!(if is { 0.97 } else { 0.0001 })),
    });
    if let Some(fields) = result.as_object_mut().filter(|_| omni) {
        fields.insert("category_applied_input_types".into(), json!(each(&|_| json!(["text"]))));
    }
    result
}
