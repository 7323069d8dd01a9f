//! Errors: `{"error": "…"}`, with the answer's status or, in a stream, without one. What they mean has to be read from their
//! words, because the status does not tell: a conversation that is too long has been 400, 413 and 500.

use alloc::string::String;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    chat::{Fault, Reason, Text},
    json::Str,
};

/// Longest message passed on, in characters.
const MAX_MESSAGE: usize = 1000;

/// What is said in the place of a message that names the gateway's account.
const QUOTA: &str = "The usage limit of the provider's account is reached.";

#[derive(Deserialize)]
struct WireError<'a> {
    #[serde(borrow)]
    error: &'a RawValue,
}

/// Reads an error that came in an answer's place.
pub(super) fn read(status: u16, body: &[u8]) -> Fault {
    let wire: Option<WireError<'_>> = serde_json::from_slice(body).ok();
    judge(status, wire.and_then(|wire| message(wire.error)))
}

/// Reads an error in a stream.
pub(super) fn of_stream(status: Option<&RawValue>, error: &RawValue) -> Fault {
    let status = status.and_then(|status| serde_json::from_str(status.get()).ok());
    judge(status.filter(|status| (400..=599).contains(status)).unwrap_or(500), message(error))
}

/// The message: a string, or, from ollama.com, what OpenAI's API has in its place.
fn message(error: &RawValue) -> Option<Text<'_>> {
    #[derive(Deserialize)]
    struct OpenAi<'a> {
        #[serde(borrow)]
        message: Str<'a>,
    }
    let said: Result<Str<'_>, _> = serde_json::from_str(error.get());
    let said = said.or_else(|_| serde_json::from_str::<OpenAi<'_>>(error.get()).map(|error| error.message));
    said.ok().map(|said| said.0).filter(|said| !said.is_empty())
}

fn judge(status: u16, message: Option<Text<'_>>) -> Fault {
    let words = message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let says = |word: &str| words.contains(word);
    let passed = || message.as_deref().map(|message| message.chars().take(MAX_MESSAGE).collect());
    if says("context") && (says("exceed") || says("too long")) {
        return Fault { status: 400, reason: Some(Reason::ContextLength), message: passed() };
    }
    if says("usage limit") || status == 402 {
        return Fault { status: 429, reason: Some(Reason::Quota), message: Some(String::from(QUOTA)) };
    }
    let reason = (status == 404 && says("model")).then_some(Reason::ModelNotFound);
    Fault { status, reason, message: passed() }
}
