//! Errors: <https://platform.claude.com/docs/en/api/errors>.
//!
//! The type says how to conclude, but for what only the message tells: there is no code for a conversation that is too long
//! or an account without money.

use crate::{
    chat::{Fault, Reason},
    json::{self, Str, record},
};

/// What a message says, in lower case, and what it means.
const MEANINGS: &[(&str, Reason)] = &[
    // 2026-08: what another model, or whoever else speaks this format, has signed:
    // <https://github.com/anthropics/anthropic-sdk-python/issues/1598>.
    ("invalid `signature` in `thinking`", Reason::Thought),
    ("invalid `data` in `redacted_thinking`", Reason::Thought),
    ("blocks in the latest assistant message cannot be modified", Reason::Thought),
    ("prompt is too long", Reason::ContextLength),
    ("exceed context limit", Reason::ContextLength),
    ("context window", Reason::ContextLength),
    ("content filtering policy", Reason::ContentPolicy),
    ("usage policy", Reason::ContentPolicy),
    ("credit balance", Reason::Quota),
    ("specified api usage limits", Reason::Quota),
    ("spend limit", Reason::Quota),
];

/// The status that a type stands for: an error inside a stream has none of its own.
const STATUSES: &[(&str, u16)] = &[
    ("invalid_request_error", 400),
    ("not_found_error", 404),
    ("request_too_large", 413),
    ("billing_error", 429),
    ("rate_limit_error", 429),
    ("timeout_error", 504),
    ("overloaded_error", 529),
];

record! {
    struct Wire<'a> {
        error: WireError<'a>,
    }
}

record! {
    struct WireError<'a> {
        kind: Option<Str<'a>> = "type",
        message: Option<Str<'a>>,
    }
}

/// Reads an error that is a whole answer.
pub(super) fn read(status: u16, body: &[u8]) -> Fault {
    let text = json::text(body);
    let wire = json::read::<Wire<'_>>(&text).ok();
    let (kind, message) = wire.map(|wire| (wire.error.kind, wire.error.message)).unwrap_or_default();
    let reason = reason(status, kind.as_deref().unwrap_or_default(), message.as_deref().unwrap_or_default());
    // OpenAI's clients know a lack of money by 429.
    let status = if reason == Some(Reason::Quota) { 429 } else { status };
    Fault::new(status, reason, message.as_deref().unwrap_or_default())
}

/// The status that an error stands for that has none of its own, given what it says of itself.
pub(super) fn status_of(error: &str) -> u16 {
    let kind = json::read::<WireError<'_>>(error).ok().and_then(|error| error.kind);
    STATUSES.iter().find(|(name, _)| kind.as_deref() == Some(name)).map_or(502, |(_, status)| *status)
}

/// Reads an error that ends a stream. The gateway's credential is not the client's business, nor are errors without a name.
pub(super) fn read_event(data: &[u8]) -> Fault {
    let text = json::text(data);
    let members = json::members(&text).unwrap_or_default();
    let error = members.iter().find(|(name, _)| &**name == "error").map_or("", |(_, error)| error.get());
    read(status_of(error), data)
}

fn reason(status: u16, kind: &str, message: &str) -> Option<Reason> {
    match kind {
        "billing_error" => return Some(Reason::Quota),
        "not_found_error" if message.starts_with("model") => return Some(Reason::ModelNotFound),
        _ => {}
    }
    if status >= 500 {
        return None;
    }
    let message = message.to_ascii_lowercase();
    MEANINGS.iter().find(|(words, _)| message.contains(words)).map(|(_, reason)| *reason)
}
