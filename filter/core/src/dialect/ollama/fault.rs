//! Errors: `{"error": "…"}`, with the answer's status or, in a stream, without one. What they mean has to be read from their
//! words, because the status does not tell: a conversation that is too long has been 400, 413 and 500.

use serde_json::value::RawValue;

use crate::{
    chat::{Fault, Reason, Text},
    json::{self, Str, record},
};

/// What a conversation can be too long for, or what of it is. A `context` alone is Go's, and its deadline is not the client's
/// fault.
const LENGTHS: &[&str] = &["context length", "context size", "context window", "input length"];

/// What is said in the place of a message that names the gateway's account.
const QUOTA: &str = "The usage limit of the provider's account is reached.";

record! {
    struct WireError<'a> {
        error: &'a RawValue,
    }
}

/// Reads an error's body.
pub(super) fn read(status: u16, body: &[u8]) -> Fault {
    let text = json::text(body);
    let wire: Option<WireError<'_>> = json::read(&text).ok();
    judge(status, wire.and_then(|wire| message(wire.error)).as_deref())
}

/// Reads an error that came in an answer's place, whole or in a stream.
pub(super) fn of_answer(status: Option<&RawValue>, error: &RawValue) -> Fault {
    let status = status.and_then(|status| json::read(status.get()).ok());
    judge(status.filter(|status| (400..=599).contains(status)).unwrap_or(500), message(error).as_deref())
}

/// The message: a string, or, from ollama.com, what OpenAI's API has in its place.
fn message(error: &RawValue) -> Option<Text<'_>> {
    record! {
        struct OpenAi<'a> {
            message: Str<'a>,
        }
    }
    let said: Result<Str<'_>, _> = json::read(error.get());
    let said = said.or_else(|_| json::read::<OpenAi<'_>>(error.get()).map(|error| error.message));
    said.ok().map(|said| said.0).filter(|said| !said.is_empty())
}

fn judge(status: u16, message: Option<&str>) -> Fault {
    let words = message.unwrap_or_default().to_ascii_lowercase();
    let says = |word: &str| words.contains(word);
    let message = message.unwrap_or_default();
    if LENGTHS.iter().any(|length| says(length)) && (says("exceed") || says("too long")) {
        return Fault::new(400, Some(Reason::ContextLength), message);
    }
    if says("usage limit") || status == 402 {
        return Fault::new(429, Some(Reason::Quota), QUOTA);
    }
    let reason = (status == 404 && says("model")).then_some(Reason::ModelNotFound);
    Fault::new(status, reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String};

    /// Status and body; status, reason and, where it matters, the message that are read.
    type Case<'a> = (u16, String, u16, Option<Reason>, Option<&'a str>);

    #[test]
    fn errors_mean_what_their_words_say() {
        let long = "prompt too long; exceeded max context length by 7 tokens (ref: 1)";
        let cases: &[Case<'_>] = &[
            (400, format!(r#"{{"error":"{long}"}}"#), 400, Some(Reason::ContextLength), Some(long)),
            (
                500,
                r#"{"error":"the input length exceeds the context length"}"#.into(),
                400,
                Some(Reason::ContextLength),
                None,
            ),
            (
                413,
                r#"{"error":"the input length exceeds the context length"}"#.into(),
                400,
                Some(Reason::ContextLength),
                None,
            ),
            (
                404,
                r#"{"error":"model 'x' not found"}"#.into(),
                404,
                Some(Reason::ModelNotFound),
                Some("model 'x' not found"),
            ),
            (
                400,
                r#"{"error":"the request exceeds the available context size, try increasing it"}"#.into(),
                400,
                Some(Reason::ContextLength),
                None,
            ),
            (500, r#"{"error":"context deadline exceeded"}"#.into(), 500, None, Some("context deadline exceeded")),
            (504, r#"{"error":"Post \"http://127.0.0.1/completion\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"}"#.into(), 504, None, None),
            (500, r#"{"error":"unable to create context: memory limit exceeded"}"#.into(), 500, None, None),
            (400, r#"{"error":"invalid context length"}"#.into(), 400, None, None),
            (404, "404 page not found".into(), 404, None, None),
            (
                400,
                r#"{"error":"\"m\" does not support thinking"}"#.into(),
                400,
                None,
                Some("\"m\" does not support thinking"),
            ),
            (
                503,
                r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#.into(),
                503,
                None,
                Some("server busy, please try again.  maximum pending requests exceeded"),
            ),
            (400, r#"{"error":{"message":"no","type":"invalid_request_error"}}"#.into(), 400, None, Some("no")),
            (500, r#"{"error":""}"#.into(), 500, None, None),
            (502, "<html>".into(), 502, None, None),
            (500, format!(r#"{{"error":"{}"}}"#, "ä".repeat(600)), 500, None, Some(&"ä".repeat(500))),
        ];
        for (status, body, expected, reason, message) in cases {
            let fault = read(*status, body.as_bytes());
            assert_eq!((fault.status, fault.reason), (*expected, *reason), "{body}");
            assert!(message.is_none_or(|message| fault.message.as_deref() == Some(message)), "{body}");
        }
    }

    #[test]
    fn the_gateways_account_is_not_named() {
        let body = br#"{"error":"you (jane) have reached your weekly usage limit, upgrade for higher limits"}"#;
        let fault = read(429, body);
        assert_eq!(fault, Fault { status: 429, reason: Some(Reason::Quota), message: Some(QUOTA.into()) });
    }
}
