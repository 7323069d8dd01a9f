//! Embeddings of an Ollama server: one text or several, always a list of vectors.

use serde_json::{Value, json};

use super::{
    Stamp,
    request::{given, mistyped},
};
use crate::simulate::{
    complaint::{Complaint, Reason},
    dialect::{Errand, ErrandBody, field::string},
    memory::Memory,
    record::Request,
    vector::embed,
};

type Fits = fn(&Value) -> bool;

const DIMENSIONS: usize = 768;
const LOAD_NS: usize = 41_000_000;
const TOKEN_NS: usize = 300_000;

pub(super) fn run(request: &Request, _stamp: &Stamp, _memory: &Memory) -> Result<Errand, Complaint> {
    if request.body.is_empty() {
        return Err(Complaint::invalid("missing request body"));
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| Complaint::invalid(error.to_string()))?;
    let fields: [(&str, &str, Fits); 4] = [
        ("model", "string", Value::is_string),
        ("truncate", "bool", Value::is_boolean),
        ("dimensions", "int", Value::is_i64),
        ("options", "map[string]interface {}", Value::is_object),
    ];
    for (field, wanted, fits) in fields {
        if let Some(value) = given(&body, &format!("/{field}")).filter(|value| !fits(value)) {
            return Err(mistyped(value, "EmbedRequest", field, wanted));
        }
    }
    let Some(model) = string(&body, "/model").filter(|model| !model.is_empty()) else {
        return Err(Complaint::new(400, Reason::MissingField, "model is required"));
    };
    let inputs: Vec<&str> = match given(&body, "/input") {
        None => Vec::new(),
        Some(Value::String(text)) if text.is_empty() => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect()
        }
        Some(_) => return Err(Complaint::invalid("invalid input type")),
    };
    let dimensions = given(&body, "/dimensions").and_then(Value::as_u64).and_then(|given| usize::try_from(given).ok());
    let dimensions = dimensions.filter(|given| (1..=DIMENSIONS).contains(given)).unwrap_or(DIMENSIONS);
    let embeddings: Vec<Vec<f32>> = inputs.iter().map(|text| embed(text, dimensions)).collect();
    let tokens: usize = inputs.iter().map(|text| text.chars().count().div_ceil(4).saturating_add(2)).sum();
    let answer = json!({
        "model": model, "embeddings": embeddings, "load_duration": LOAD_NS, "prompt_eval_count": tokens,
        "total_duration": LOAD_NS.saturating_add(tokens.saturating_mul(TOKEN_NS)),
    });
    let body = ErrandBody::Whole(answer.to_string().into_bytes());
    Ok(Errand { model: model.to_owned(), content_type: "application/json; charset=utf-8", body })
}
