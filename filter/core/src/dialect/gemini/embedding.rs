//! Vectors: <https://ai.google.dev/api/embeddings>.
//!
//! Always by the batch: it takes one text, too, and one way is enough.

use alloc::{format, string::String, vec::Vec};
use serde_json::value::RawValue;

use super::{read_usage, request::path};
use crate::{
    dialect::{Aim, Broken, Written},
    json::{self, members},
    task::{
        append,
        embedding::{Embedder, Request, Response, member, quoted},
    },
};

pub(super) static EMBEDDER: Embedder = Embedder { write, read };

fn write(request: &Request<'_>, aim: &Aim<'_>) -> Written {
    let collection = if aim.model.contains('/') { "" } else { "models/" };
    let model = quoted(&[collection, aim.model].concat());
    let mut options = String::new();
    for (name, value) in [("taskType", request.other("task_type")), ("outputDimensionality", request.dimensions)] {
        options.extend(value.map(|value| format!(r#","{name}":{value}"#)));
    }
    let mut body = String::from(r#"{"requests":["#);
    for (index, text) in request.texts.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let content = r#","content":{"parts":[{"text":"#;
        append(&mut body, &[comma, r#"{"model":"#, &model, content, text.get(), "}]}", &options, "}"]);
    }
    body.push_str("]}");
    Written {
        path: path(aim.model, "batchEmbedContents"),
        headers: Vec::new(),
        body: body.into_bytes(),
        dropped: request.dropped(&["task_type"]),
    }
}

fn read(body: &str) -> Result<Response<'_>, Broken> {
    let answer = members(body).ok_or(Broken::Malformed)?;
    let list = member(&answer, "embeddings").ok_or(Broken::Malformed)?;
    let list: Vec<&RawValue> = json::read(list.get()).map_err(|_| Broken::Malformed)?;
    let vectors = list.into_iter().map(|vector| member(&members(vector.get())?, "values"));
    let vectors = vectors.collect::<Option<_>>().ok_or(Broken::Malformed)?;
    // Not told of every model (2026-11).
    let usage = member(&answer, "usageMetadata").and_then(|told| read_usage(told.get()));
    Ok(Response { vectors, usage })
}
