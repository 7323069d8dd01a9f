//! Vectors: <https://docs.ollama.com/api/embed>.
//!
//! As in a chat, a text that is longer than the model reads is refused and not cut, unless the client says `truncate`.

use alloc::{format, string::String, vec::Vec};

use crate::{
    dialect::{Aim, Broken, Written},
    json::{self, Number, members},
    task::{
        append,
        embedding::{Embedder, Request, Response, member, quoted},
    },
};

pub(super) static EMBEDDER: Embedder = Embedder { write, read };

/// What passes under its own name.
const OWN: &[&str] = &["truncate", "keep_alive", "options"];

fn write(request: &Request<'_>, aim: &Aim<'_>) -> Written {
    let mut body = [r#"{"model":"#, &quoted(aim.model), r#","input":["#].concat();
    for (index, text) in request.texts.iter().enumerate() {
        append(&mut body, &[if index == 0 { "" } else { "," }, text.get()]);
    }
    body.push(']');
    body.extend(request.dimensions.map(|dimensions| format!(r#","dimensions":{dimensions}"#)));
    if request.other("truncate").is_none() {
        body.push_str(r#","truncate":false"#);
    }
    let own = OWN.iter().filter_map(|name| Some((name, request.other(name)?)));
    body.extend(own.map(|(name, value)| format!(r#","{name}":{value}"#)));
    body.push('}');
    Written {
        path: String::from("/embed"),
        headers: Vec::new(),
        body: body.into_bytes(),
        dropped: request.dropped(OWN),
    }
}

fn read(body: &str) -> Result<Response<'_>, Broken> {
    let answer = members(body).ok_or(Broken::Malformed)?;
    let vectors = member(&answer, "embeddings").and_then(|list| json::read(list.get()).ok());
    let told = member(&answer, "prompt_eval_count").map(|count| Number::of(count.get())).unwrap_or_default();
    let usage = super::usage([told, Number::default(), Number::default()]);
    Ok(Response { vectors: vectors.ok_or(Broken::Malformed)?, usage })
}
