//! Embeddings: vectors of texts, as lists of numbers or as the bytes of them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Errand, Stamp, params};
use crate::simulate::{complaint::Complaint, dialect::field::string, memory::Memory, record::Request, vector::embed};

const FIELDS: [&str; 5] = ["input", "model", "dimensions", "encoding_format", "user"];
const INPUTS_MOST: usize = 2048;
const LAST_TOKEN: u64 = 100_257;

pub(super) fn run(request: &Request, _stamp: &Stamp, _memory: &Memory) -> Result<Errand, Complaint> {
    let body = params::json(&request.body)?;
    let stranger = body.as_object().and_then(|fields| fields.keys().find(|name| !FIELDS.contains(&name.as_str())));
    if let Some(stranger) = stranger {
        return Err(Complaint::invalid(format!("Unrecognized request argument supplied: {stranger}")));
    }
    let Some(model) = string(&body, "/model").filter(|model| !model.is_empty()) else {
        return Err(Complaint::invalid("you must provide a model parameter"));
    };
    let inputs = inputs(body.get("input"))?;
    let dimensions = dimensions(&body, model)?;
    let encoded = match body.get("encoding_format").map(Value::as_str) {
        None | Some(Some("float")) => false,
        Some(Some("base64")) => true,
        Some(_) => {
            let message = "Invalid value for 'encoding_format'. Must be one of: 'float', 'base64'.";
            return Err(Complaint::invalid(message).about("encoding_format"));
        }
    };
    let data = inputs.iter().enumerate().map(|(index, input)| {
        let vector = embed(&input.text, dimensions);
        let embedding = if encoded {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    });
    let data: Vec<Value> = data.collect();
    let tokens: usize = inputs.iter().map(|input| input.tokens).sum();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    Ok(Errand::json(model, &json!({"object": "list", "data": data, "model": model, "usage": usage})))
}

struct Input {
    /// Of tokens, their numbers.
    text: String,
    tokens: usize,
}

impl Input {
    fn text(text: &str) -> Result<Self, Complaint> {
        if text.is_empty() {
            return Err(wrong());
        }
        Ok(Self { text: text.to_owned(), tokens: text.chars().count().div_ceil(4) })
    }

    fn tokens(tokens: &[Value]) -> Result<Self, Complaint> {
        if tokens.is_empty() || tokens.iter().any(|token| token.as_u64().is_none_or(|token| token > LAST_TOKEN)) {
            return Err(wrong());
        }
        let words: Vec<String> = tokens.iter().map(ToString::to_string).collect();
        Ok(Self { text: words.join(" "), tokens: tokens.len() })
    }
}

fn wrong() -> Complaint {
    let message =
        "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.";
    Complaint::invalid(message)
}

fn inputs(input: Option<&Value>) -> Result<Vec<Input>, Complaint> {
    match input {
        Some(Value::String(text)) => Ok(vec![Input::text(text)?]),
        Some(Value::Array(items)) if items.first().is_some_and(Value::is_number) => Ok(vec![Input::tokens(items)?]),
        Some(Value::Array(items)) if items.len() > INPUTS_MOST => {
            let message = format!(
                "Invalid 'input': array too long. Expected an array with maximum length {INPUTS_MOST}, but got an array \
                 with length {} instead.",
                items.len()
            );
            Err(Complaint::invalid(message).about("input").coded("array_above_max_length"))
        }
        Some(Value::Array(items)) if !items.is_empty() => items
            .iter()
            .map(|item| match item {
                Value::String(text) => Input::text(text),
                Value::Array(tokens) => Input::tokens(tokens),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(wrong()),
            })
            .collect(),
        _ => Err(wrong()),
    }
}

fn dimensions(body: &Value, model: &str) -> Result<usize, Complaint> {
    let most = if model.contains("large") { 3072 } else { 1536 };
    let Some(given) = body.get("dimensions").filter(|given| !given.is_null()) else { return Ok(most) };
    if model.contains("ada-002") {
        return Err(Complaint::invalid("This model does not support specifying dimensions."));
    }
    match given.as_i64() {
        None => Err(Complaint::invalid(format!("{given} is not of type 'integer' - 'dimensions'"))),
        Some(given) if given < 1 => {
            Err(Complaint::invalid(format!("{given} is less than the minimum of 1 - 'dimensions'")))
        }
        Some(given) => usize::try_from(given).ok().filter(|given| *given <= most).ok_or_else(|| {
            let message = format!("Invalid value for 'dimensions' = {given}. Must be less than or equal to {most}.");
            Complaint::invalid(message)
        }),
    }
}
