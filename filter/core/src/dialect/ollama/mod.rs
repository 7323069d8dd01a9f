//! Ollama's own chat API: <https://docs.ollama.com/api/chat>.
//!
//! Why not its OpenAI-compatible `/v1`: there the size of the context cannot be said, and a conversation that does not fit is
//! cut without a word. Servers ignore members that they do not know, so the newest form is written for all of them.

mod embedding;
mod fault;
mod message;
mod option;
mod request;
mod response;
mod stream;
#[cfg(test)]
mod tests;
mod tool;

use alloc::{boxed::Box, string::String, vec::Vec};

use super::{Ability, Aim, Broken, Reader, Upstream, Written};
use crate::{
    chat::{Fault, Request, Response},
    error::Error,
    headers::Headers,
    host::Clock,
    json::{Found, Number},
    sse::Framing,
    step::Name,
    task::embedding::Embedder,
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct Ollama;

impl Upstream for Ollama {
    fn name(&self) -> &'static str {
        "ollama"
    }

    fn version(&self) -> &'static str {
        "/api"
    }

    fn abilities(&self, _: &str) -> &'static [Ability] {
        request::ABILITIES
    }

    fn write(&self, request: &Request<'_>, aim: &Aim<'_>) -> Result<Written, Error> {
        request::write(request, aim)
    }

    fn read<'a>(&self, body: &'a str) -> Result<Response<'a>, Broken> {
        response::read(body)
    }

    fn framing(&self) -> (Framing, &'static str) {
        (Framing::Lines, "application/x-ndjson")
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(response::Told::default())
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        fault::read(status, body)
    }

    fn embedder(&self) -> Option<&'static Embedder> {
        Some(&embedding::EMBEDDER)
    }

    /// It tells none.
    fn rate_limits(&self, _: Headers<'_>, _: &dyn Clock) -> Vec<(Name, String)> {
        Vec::new()
    }
}

/// The members of an answer that tell its tokens.
pub(crate) const TOKENS_AND_ERROR: &[&str] = &["prompt_eval_count", "eval_count", "prompt_eval_cached_count", "error"];

/// The tokens that a scan for [`TOKENS_AND_ERROR`] has found.
pub(crate) fn read_usage(found: &Found) -> Option<Usage> {
    usage([0, 1, 2].map(|index| found.text(index).map(Number::of).unwrap_or_default()))
}

fn usage([input, output, cached]: [Number<u64>; 3]) -> Option<Usage> {
    input.0.or(output.0)?;
    let cached_input = cached.0.unwrap_or_default();
    Some(Usage {
        // A prompt that was wholly cached has been counted as nothing.
        input: input.0.unwrap_or_default().max(cached_input),
        cached_input,
        output: output.0.unwrap_or_default(),
        ..Usage::default()
    })
}
