//! Vectors: <https://ai.google.dev/api/embeddings>.
//!
//! Always by the batch: it takes one text, too, and one way is enough.

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{request::path, usage};
use crate::{
    dialect::{Aim, Broken, Written},
    json,
    task::embedding::{Embedder, Request, Response},
};

pub(super) static EMBEDDER: Embedder = Embedder { write, read };

#[derive(Serialize)]
struct WireBatch<'a> {
    requests: Vec<WireRequest<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireRequest<'a> {
    model: &'a str,
    content: WireContent<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_type: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_dimensionality: Option<u64>,
}

#[derive(Serialize)]
struct WireContent<'a> {
    parts: [WirePart<'a>; 1],
}

#[derive(Serialize)]
struct WirePart<'a> {
    text: &'a RawValue,
}

fn write(request: &Request<'_>, aim: &Aim<'_>) -> Written {
    let model = if aim.model.contains('/') { String::from(aim.model) } else { ["models/", aim.model].concat() };
    let (task_type, output_dimensionality) = (request.other("task_type"), request.dimensions);
    let contents = request.texts.iter().map(|text| WireContent { parts: [WirePart { text }] });
    let requests = contents.map(|content| WireRequest { model: &model, content, task_type, output_dimensionality });
    let wire = WireBatch { requests: requests.collect() };
    Written {
        path: path(aim.model, "batchEmbedContents"),
        headers: Vec::new(),
        // Texts, numbers and what was JSON before: nothing here can fail to be written.
        body: serde_json::to_vec(&wire).unwrap_or_default(),
        dropped: request.dropped(&["task_type"]),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireResponse<'a> {
    #[serde(borrow)]
    embeddings: Vec<WireVector<'a>>,
    /// Not told of every model (2026-11).
    #[serde(borrow, default)]
    usage_metadata: Option<usage::Metadata<'a>>,
}

#[derive(Deserialize)]
struct WireVector<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
}

fn read(body: &str) -> Result<Response<'_>, Broken> {
    let wire: WireResponse<'_> = json::read(body).map_err(|_| Broken::Malformed)?;
    let mut counts = usage::Counts::default();
    wire.usage_metadata.iter().for_each(|told| counts.update(told));
    Ok(Response { vectors: wire.embeddings.iter().map(|vector| vector.values).collect(), usage: counts.usage() })
}
