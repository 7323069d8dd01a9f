//! Reranking, which has no place in the API of `OpenAI`, but in those of many that are compatible with it.
//!
//! The shape is the one that `vLLM` and `Jina` share. A document is as relevant as its vector is near to the query's.

use serde_json::{Value, json};

use super::{Errand, Stamp, params};
use crate::simulate::{
    complaint::Complaint,
    dialect::field::{is, number, string},
    memory::Memory,
    record::Request,
    vector::embed,
};

const DIMENSIONS: usize = 256;

pub(super) fn run(request: &Request, stamp: &Stamp, _memory: &Memory) -> Result<Errand, Complaint> {
    let body = params::json(&request.body)?;
    let required = |name: &str| string(&body, &format!("/{name}")).ok_or_else(|| params::missing(name));
    let (model, query) = (required("model")?, required("query")?);
    let Some(documents) = body.get("documents").and_then(Value::as_array).filter(|documents| !documents.is_empty())
    else {
        return Err(params::missing("documents"));
    };
    let texts: Vec<&str> = documents
        .iter()
        .enumerate()
        .map(|(index, document)| {
            let text = document.as_str().or_else(|| string(document, "/text"));
            text.ok_or_else(|| params::mistyped(document, "a string", &format!("documents[{index}]")))
        })
        .collect::<Result<_, Complaint>>()?;
    let wanted = embed(query, DIMENSIONS);
    let mut results: Vec<(usize, f32, &str)> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let nearness = embed(text, DIMENSIONS).iter().zip(&wanted).map(|(one, other)| one * other).sum();
            (index, nearness, *text)
        })
        .collect();
    results.sort_by(|one, other| other.1.total_cmp(&one.1));
    results.truncate(number(&body, "/top_n").unwrap_or(usize::MAX));
    let returns = !is(&body, "/return_documents", false);
    let results: Vec<Value> = results
        .into_iter()
        .map(|(index, score, text)| {
            let mut result = json!({"index": index, "relevance_score": score});
            if let Some(fields) = result.as_object_mut().filter(|_| returns) {
                fields.insert("document".into(), json!({"text": text}));
            }
            result
        })
        .collect();
    let characters: usize = texts.iter().map(|text| text.chars().count()).sum();
    let tokens = characters.saturating_add(query.chars().count()).div_ceil(4);
    let id = format!("rerank-{}", stamp.random.clone().token(24));
    Ok(Errand::json(model, &json!({"id": id, "model": model, "usage": {"total_tokens": tokens}, "results": results})))
}
