//! Errors: <https://ai.google.dev/gemini-api/docs/troubleshooting>, in the shape of `google.rpc.Status`.
//!
//! A wrong API key is a 400 here; it is the operator's to mend, so that the client hears of a failed provider and not of a
//! key that it never had. "You exceeded your current quota" is what every rate limit says; only words about credits or
//! spending mean that the money is gone.

use alloc::vec::Vec;

use crate::{
    chat::{Fault, Reason},
    json::{self, Number, Str, record},
};

record! {
    struct Wire<'a> {
        error: Status<'a>,
    }
}

record! {
    /// An error as Google tells it.
    #[derive(Debug)]
    pub(super) struct Status<'a> {
        code: Number<u16>,
        message: Option<Str<'a>>,
        details: Option<Vec<Detail<'a>>>,
    }
}

record! {
    #[derive(Debug)]
    struct Detail<'a> {
        reason: Option<Str<'a>>,
        /// Of `google.rpc.RetryInfo`: seconds, with a fraction and an `s`.
        retry_delay: Option<Str<'a>> = "retryDelay",
    }
}

/// Reads an error's body.
pub(super) fn read(status: u16, body: &[u8]) -> Fault {
    parse(body).map_or_else(|| Fault::new(status, None, ""), |error| of(&error, status))
}

/// For how many whole seconds an error's body asks to wait.
pub(super) fn retry_after(body: &[u8]) -> Option<u64> {
    let delays = parse(body)?.details.into_iter().flatten().filter_map(|detail| detail.retry_delay);
    let mut delays = delays;
    delays.find_map(|delay| {
        let (whole, fraction) = delay.strip_suffix('s').map(|delay| delay.split_once('.').unwrap_or((delay, "")))?;
        let more = u64::from(fraction.bytes().any(|digit| digit != b'0'));
        whole.parse::<u64>().ok().map(|whole| whole.saturating_add(more))
    })
}

fn parse(body: &[u8]) -> Option<Status<'_>> {
    let text = core::str::from_utf8(body).unwrap_or_default().trim();
    let wire = if text.starts_with('[') {
        // A stream that was not asked for as events is a list, errors included.
        json::read::<Vec<Wire<'_>>>(text).ok().and_then(|list| list.into_iter().next())
    } else {
        json::read(text).ok()
    };
    wire.map(|Wire { error }| error)
}

/// Reads an error that came in an answer's place, whole or in a stream: its status is in itself.
pub(super) fn of_answer(error: &Status<'_>) -> Fault {
    let code = error.code.0.filter(|code| (400..600).contains(code));
    of(error, code.unwrap_or(500))
}

fn of(error: &Status<'_>, status: u16) -> Fault {
    let message = error.message.as_deref().unwrap_or_default();
    let is_key_refused = error.details.iter().flatten().any(|detail| {
        matches!(detail.reason.as_deref(), Some("API_KEY_INVALID" | "API_KEY_EXPIRED" | "API_KEY_SERVICE_BLOCKED"))
    });
    if is_key_refused {
        return Fault::new(502, None, "The provider refused the gateway's credential.");
    }
    Fault::new(status, reason(status, &message.to_ascii_lowercase()), message)
}

fn reason(status: u16, message: &str) -> Option<Reason> {
    let says = |words: &[&str]| words.iter().all(|word| message.contains(word));
    match status {
        402 => Some(Reason::Quota),
        400 if says(&["token count", "exceeds"]) || says(&["context", "too long"]) => Some(Reason::ContextLength),
        // 2026-08, of several wordings: <https://github.com/lbjlaq/Antigravity-Manager/pull/3342>.
        400 if says(&["thought signature"]) => Some(Reason::Thought),
        400 if says(&["prohibited use policy"]) || says(&["blocked", "safety"]) => Some(Reason::ContentPolicy),
        404 if says(&["model"]) => Some(Reason::ModelNotFound),
        429 if says(&["credits", "depleted"]) || says(&["spend", "cap"]) || says(&["spending limit"]) => {
            Some(Reason::Quota)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn fault(status: u16, message: &str) -> Fault {
        let body = format!(r#"{{"error":{{"code":{status},"message":"{message}","status":"X","details":[]}}}}"#);
        let listed = format!("[{body}]");
        assert_eq!(read(status, body.as_bytes()), read(status, listed.as_bytes()));
        read(status, body.as_bytes())
    }

    #[test]
    fn words_tell_what_a_status_does_not() {
        for (status, message, reason) in [
            (
                400,
                "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
                Some(Reason::ContextLength),
            ),
            (404, "models/x is not found for API version v1beta", Some(Reason::ModelNotFound)),
            (429, "You exceeded your current quota, please check your plan and billing details.", None),
            (429, "Your prepayment credits are depleted.", Some(Reason::Quota)),
            (429, "Your project has exceeded its monthly spending cap.", Some(Reason::Quota)),
            (400, "Please use a valid role: user, model.", None),
            (503, "The model is overloaded.", None),
        ] {
            let expected = Fault { status, reason, message: Some(message.into()) };
            assert_eq!(fault(status, message), expected);
        }
    }

    #[test]
    fn a_refused_key_is_the_operators_and_never_told() {
        let body = br#"{"error":{"code":400,"message":"API key not valid.","details":[{"reason":"API_KEY_INVALID"}]}}"#;
        let fault = read(400, body);
        assert_eq!(fault.status, 502);
        assert!(!fault.message.unwrap().contains("API key"));
        assert_eq!(self::fault(400, "Consumer 'api_key:AIzaSyX' has been suspended.").message, None);
    }

    #[test]
    fn what_is_not_googles_says_nothing() {
        for body in [&b"<html>"[..], b"", b"[]", b"{}", b"\xff"] {
            assert_eq!(read(502, body), Fault { status: 502, reason: None, message: None });
        }
    }
}
