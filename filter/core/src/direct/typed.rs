//! The streams of `OpenAI`'s newer APIs: events that say what they are in `type`. The Responses API tells its tokens in the whole
//! answer that its last event repeats, pictures and sound tell them in their last event itself.
//!
//! Only a few types are known here; all others are something of an answer.

use alloc::vec::Vec;

use serde_json::value::RawValue;

use super::{
    beside::{SoFar, Witness},
    format::OPENAI,
};
use crate::{
    chat::Fault,
    dialect::{self, Broken, Tap, object::Object, openai_chat},
    json,
    sse::Frame,
    usage::Usage,
};

/// Types that say nothing of an answer yet.
const PREAMBLE: &[&str] = &["keepalive", "response.created", "response.in_progress", "response.queued"];

/// Types behind which nothing follows.
const LAST: &[&str] = &[
    "image_edit.completed",
    "image_generation.completed",
    "response.completed",
    "response.incomplete",
    "speech.audio.done",
    "transcript.text.done",
];

/// See the module's documentation. Memory: nothing but what has been told.
#[derive(Debug)]
pub(crate) struct Typed;

impl Witness for Typed {
    fn read(&mut self, frame: Frame<'_>, so_far: &mut SoFar) -> Result<(), Broken> {
        let Some(data) = frame.data() else { return Ok(()) };
        let data = data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            so_far.is_over |= !data.is_empty();
            return Ok(());
        }
        let text = json::text(data);
        let event = Object::parse(&text).ok_or(Broken::Malformed)?;
        let kind = &*event.text("type");
        let is_last = LAST.contains(&kind) || kind == "response.failed";
        // The others repeat an answer that has no tokens yet.
        let answer = event.get("response").filter(|_| is_last);
        let answer = answer.map_or_else(Object::default, |answer| Object::of(answer.get()));
        let told = |name| event.get(name).or_else(|| answer.get(name));
        let usage = told("usage").and_then(|usage| openai_chat::read_usage(usage.get()));
        let is_picture = matches!(kind, "image_generation.completed" | "image_edit.completed");
        if is_picture {
            // Of several each tells its own.
            so_far.usage.get_or_insert_default().add(Usage { images: 1, ..usage.unwrap_or_default() });
        } else if let Some(told) = usage {
            so_far.usage.get_or_insert_default().update(told);
        }
        if kind == "response.failed" || kind == "error" || event.get("error").is_some() {
            let error = told("error").or_else(|| event.get("code")).map_or("", RawValue::get);
            return Err(Broken::Fault(Fault::new(status(error), None, "")));
        }
        so_far.is_answer |= !kind.is_empty();
        so_far.has_begun |= !kind.is_empty() && !PREAMBLE.contains(&kind);
        so_far.is_over |= is_last;
        Ok(())
    }
}

/// The same where a stream is held until its first content, and an error before that is a failure.
#[derive(Debug)]
pub(crate) struct TypedTap {
    so_far: SoFar,
    /// Whether it is known what such a stream looks like: of any other, whatever comes is an answer, and its end the end.
    is_known: bool,
}

impl TypedTap {
    pub(crate) fn new(is_known: bool) -> Self {
        Self { so_far: SoFar::default(), is_known }
    }
}

impl Tap for TypedTap {
    fn read(&mut self, frame: Frame<'_>) -> dialect::Event {
        match Typed.read(frame, &mut self.so_far) {
            Ok(()) if self.so_far.has_begun || self.so_far.is_over => dialect::Event::Content,
            Ok(()) | Err(Broken::Malformed) if !self.is_known && frame.data().is_some() => dialect::Event::Content,
            Ok(()) => dialect::Event::Preamble,
            Err(Broken::Fault(fault)) => dialect::Event::Error(fault.status),
            Err(Broken::Malformed) => dialect::Event::Malformed,
        }
    }

    fn usage(&self) -> Option<Usage> {
        self.so_far.usage
    }

    fn is_finished(&self) -> bool {
        self.so_far.is_over || !self.is_known
    }

    fn is_done(&self) -> bool {
        self.so_far.is_over
    }

    fn last_event(&self) -> &'static [u8] {
        b""
    }

    fn error_event(&self, body: &[u8]) -> Vec<u8> {
        OPENAI.error_event(body)
    }
}

/// The status that an error stands for, or its code alone, where it comes in the place of an answer: numbers are statuses, as
/// vendors other than `OpenAI` have them.
pub(crate) fn status(error: &str) -> u16 {
    let words = match Object::parse(error) {
        Some(inner) => ["status_code", "code", "type"].map(|name| inner.get(name).map(RawValue::get)),
        None => [Some(error), None, None],
    };
    let known = words.into_iter().flatten().find_map(|word| match word.trim_matches('"') {
        "invalid_api_key" | "authentication_error" => Some(401),
        "server_error" | "internal_error" => Some(500),
        "rate_limit_exceeded" | "rate_limit_error" | "insufficient_quota" => Some(429),
        "vector_store_timeout" => Some(504),
        word => {
            let is_of_request = ["invalid_", "image", "content_", "context_length"].iter().any(|of| word.contains(of));
            let number = word.parse().ok().filter(|status| (400..=599).contains(status));
            number.or_else(|| is_of_request.then_some(400))
        }
    });
    known.unwrap_or(502)
}

/// Whether an error's body says that the API key is wrong.
pub(super) fn refuses_credential(body: &[u8]) -> bool {
    let text = json::text(body);
    let Some(error) = Object::of(&text).get("error") else { return false };
    let (code, message) = match Object::parse(error.get()) {
        Some(inner) => (inner.get("code"), inner.get("message")),
        None => (None, Some(error)),
    };
    code.is_some_and(|code| code.get() == r#""invalid_api_key""#)
        || message.is_some_and(|message| message.get().starts_with(r#""Incorrect API key"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_stands_for_is_said_by_its_code() {
        for (error, expected) in [
            (r#"{"code":"server_error","message":"m"}"#, 500),
            (r#"{"code":"rate_limit_exceeded"}"#, 429),
            (r#"{"code":null,"type":"invalid_request_error"}"#, 400),
            (r#"{"code":"image_too_large"}"#, 400),
            (r#"{"code":529}"#, 529),
            (r#"{"code":200,"type":"server_error"}"#, 500),
            (r#""context_length_exceeded""#, 400),
            (r#"{"message":"m"}"#, 502),
            ("", 502),
        ] {
            assert_eq!(status(error), expected, "{error}");
        }
    }
}
