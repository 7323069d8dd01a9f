//! Google's native Gemini API, `generateContent` and `streamGenerateContent`:
//! <https://ai.google.dev/api/generate-content>.
//!
//! Why not Google's own OpenAI-compatible endpoint: the native API says more (thoughts, sources, results with pictures); who
//! wants the other has it as a provider of OpenAI's kind. The field names are those of the JSON that Google's SDKs send; what
//! differs between generations of models is in [`family`].

mod citation;
mod contents;
mod count;
mod embedding;
mod family;
mod fault;
mod image;
mod list;
mod media;
mod options;
mod partial;
mod request;
mod response;
mod steps;
#[cfg(test)]
mod tests;
mod thinking;
mod usage;

use alloc::{boxed::Box, string::String, vec::Vec};

use crate::{
    chat::{Fault, Request, Response},
    dialect::{Ability, Aim, Broken, Reader, Upstream, Written},
    error::Error,
    headers::Headers,
    host::Clock,
    sse::Framing,
    step::Name,
    task::{count::Counter, embedding::Embedder, image::Painter},
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct Gemini;

impl Upstream for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn version(&self) -> &'static str {
        "/v1beta"
    }

    fn abilities(&self, model: &str) -> &'static [Ability] {
        request::abilities(model)
    }

    fn write(&self, request: &Request<'_>, aim: &Aim<'_>) -> Result<Written, Error> {
        request::write(request, aim)
    }

    fn read<'a>(&self, body: &'a str) -> Result<Response<'a>, Broken> {
        steps::read(body)
    }

    fn framing(&self) -> (Framing, &'static str) {
        (Framing::Events, "text/event-stream")
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(steps::Steps::default())
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        fault::read(status, body)
    }

    fn retry_after(&self, body: &[u8]) -> Option<u64> {
        fault::retry_after(body)
    }

    fn embedder(&self) -> Option<&'static Embedder> {
        Some(&embedding::EMBEDDER)
    }

    fn counter(&self) -> Option<&'static Counter> {
        Some(&count::COUNTER)
    }

    fn painter(&self, model: &str) -> Option<&'static Painter> {
        image::painter(model)
    }

    /// Google tells its limits only in errors.
    fn rate_limits(&self, _headers: Headers<'_>, _clock: &dyn Clock) -> Vec<(Name, String)> {
        Vec::new()
    }
}

/// Reads a stream that was not asked for as events.
pub(crate) fn list_reader() -> Box<dyn Reader> {
    Box::new(list::List::default())
}

/// The tokens in the member `usageMetadata` of an answer.
pub(crate) fn read_usage(text: &str) -> Option<Usage> {
    let mut counts = usage::Counts::default();
    counts.update(&crate::json::read(text).ok()?);
    counts.usage()
}
