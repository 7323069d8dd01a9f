//! Vectors: <https://docs.ollama.com/api/embed>.
//!
//! As in a chat, a text that is longer than the model reads is refused and not cut, unless the client says `truncate`.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    dialect::{Aim, Broken, Written},
    json::{self, Number},
    task::embedding::{Embedder, Request, Response},
};

pub(super) static EMBEDDER: Embedder = Embedder { write, read };

#[derive(Serialize)]
struct WireRequest<'a> {
    model: &'a str,
    input: &'a [&'a RawValue],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<u64>,
    truncate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<&'a RawValue>,
}

fn write(request: &Request<'_>, aim: &Aim<'_>) -> Written {
    let wire = WireRequest {
        model: aim.model,
        input: &request.texts,
        dimensions: request.dimensions,
        truncate: request.other("truncate").is_some_and(|truncate| truncate.get() == "true"),
        keep_alive: request.other("keep_alive"),
        options: request.other("options"),
    };
    Written {
        path: "/embed".into(),
        headers: Vec::new(),
        // Texts, numbers and what was JSON before: nothing here can fail to be written.
        body: serde_json::to_vec(&wire).unwrap_or_default(),
        dropped: request.dropped(&["truncate", "keep_alive", "options"]),
    }
}

#[derive(Deserialize)]
struct WireResponse<'a> {
    #[serde(borrow)]
    embeddings: Vec<&'a RawValue>,
    #[serde(default)]
    prompt_eval_count: Number<u64>,
}

fn read(body: &str) -> Result<Response<'_>, Broken> {
    let wire: WireResponse<'_> = json::read(body).map_err(|_| Broken::Malformed)?;
    let usage = super::usage([wire.prompt_eval_count, Number::default(), Number::default()]);
    Ok(Response { vectors: wire.embeddings, usage })
}
