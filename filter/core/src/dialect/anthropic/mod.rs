//! Anthropic Messages, as providers speak it: <https://platform.claude.com/docs/en/api/messages>.
//!
//! What a request may ask for depends on the model's generation ([`model`]): newer ones refuse fields that older ones need.
//! A wish for JSON that the format itself cannot express is the input of a tool ([`JSON_TOOL`]), in both directions.

mod answer;
mod block;
mod client;
mod conversation;
mod fault;
mod limits;
mod model;
mod request;
mod schema;
mod stream;
mod thinking;
mod tools;
mod wire;

use alloc::{boxed::Box, string::String, vec::Vec};

use super::{Ability, Aim, Broken, Dropped, Reader, Upstream, Written};
use crate::{
    chat::{Fault, Request, Response},
    error::Error,
    headers::Headers,
    host::Clock,
    sse::Framing,
    step::Name,
    usage::Usage,
};

pub(crate) use request::HEADERS;

/// The tool whose input is the answer. An answer does not know its request, so the name itself must tell.
const JSON_TOOL: &str = "dragoman_json_answer";

/// The format's name.
const NAME: &str = "anthropic";

/// See the module's documentation.
#[derive(Debug)]
pub struct Anthropic;

impl Upstream for Anthropic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> &'static str {
        "/v1"
    }

    fn abilities(&self, _: &str) -> &'static [Ability] {
        request::ABILITIES
    }

    fn write(&self, request: &Request<'_>, aim: &Aim<'_>) -> Result<Written, Error> {
        request::write(request, aim)
    }

    fn read<'a>(&self, body: &'a str) -> Result<Response<'a>, Broken> {
        wire::read(body)
    }

    fn framing(&self) -> (Framing, &'static str) {
        (Framing::Events, "text/event-stream")
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(stream::StreamReader::default())
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        fault::read(status, body)
    }

    fn rate_limits(&self, headers: Headers<'_>, clock: &dyn Clock) -> Vec<(Name, String)> {
        limits::read(headers, clock.epoch_seconds())
    }
}

/// The tokens in the member `usage` of a message.
pub(crate) fn read_usage(text: &str) -> Option<Usage> {
    let mut tally = wire::Tally::default();
    let told = crate::json::read(text).is_ok_and(|told| tally.update(&told));
    told.then(|| tally.usage())
}

#[cfg(test)]
mod tests;
