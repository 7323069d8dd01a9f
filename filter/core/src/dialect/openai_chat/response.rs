//! A whole answer: its usage, and errors in the shape that clients of OpenAI can read.

use alloc::{format, string::String, vec::Vec};
use serde_json::value::RawValue;

use crate::{
    chat::Fault,
    dialect::{Whole, object::Object},
    direct,
    error::{Error, Kind, Shape},
    json::{self, Found, Number, record},
    usage::Usage,
};

/// The members of an answer that the gateway reads.
pub const WANTED: &[&str] = &["usage", "choices", "error", "object"];

const USAGE: usize = 0;
const CHOICES: usize = 1;
const ERROR: usize = 2;
const OBJECT: usize = 3;

/// What a document is, from what a scan for [`WANTED`] found.
#[must_use]
pub fn whole(found: &Found) -> Whole {
    let member = |index| found.members.iter().find(|member| member.index == index);
    if member(ERROR).is_some_and(|error| error.text.as_deref() != Some(b"null")) {
        return Whole::Error(found_error_status(found));
    }
    if member(CHOICES).is_none() && member(OBJECT).is_none() {
        return Whole::Other;
    }
    let text = member(USAGE).and_then(|usage| usage.text.as_deref());
    Whole::Answer(text.and_then(|text| core::str::from_utf8(text).ok()).and_then(read_usage))
}

/// The tokens that a chunk tells: Groq tells those of a stream in a member of its own, unless it is asked for them.
pub(super) fn told(usage: Option<&RawValue>, x_groq: Option<&RawValue>) -> Option<Usage> {
    record! {
        struct Groq<'a> {
            usage: Option<&'a RawValue>,
        }
    }
    let of_groq = || json::read::<Groq<'_>>(x_groq?.get()).ok()?.usage;
    read_usage(usage.or_else(of_groq)?.get())
}

pub(crate) fn read_usage(text: &str) -> Option<Usage> {
    record! {
        struct Wire {
            prompt_tokens: Number<u64>,
            completion_tokens: Number<u64>,
            prompt_tokens_details: Option<PromptDetails>,
            completion_tokens_details: Option<CompletionDetails>,
            /// The same four in the words of `OpenAI`'s newer APIs.
            input_tokens: Number<u64>,
            output_tokens: Number<u64>,
            input_tokens_details: Option<PromptDetails>,
            output_tokens_details: Option<CompletionDetails>,
            /// All that some tell of embeddings and rankings.
            total_tokens: Number<u64>,
        }
    }
    record! {
        #[derive(Default)]
        struct PromptDetails {
            cached_tokens: Number<u64>,
            audio_tokens: Number<u64>,
        }
    }
    record! {
        #[derive(Default)]
        struct CompletionDetails {
            reasoning_tokens: Number<u64>,
            audio_tokens: Number<u64>,
        }
    }
    let wire: Option<Wire> = json::read(text).ok()?;
    wire.map(|wire| {
        let prompt = wire.prompt_tokens_details.or(wire.input_tokens_details).unwrap_or_default();
        let completion = wire.completion_tokens_details.or(wire.output_tokens_details).unwrap_or_default();
        // Of two names and of what is left of the total, the first that is not nothing.
        let total = wire.total_tokens.0.unwrap_or_default();
        let count = |named: [Number<u64>; 2], other: u64| {
            let told = named.into_iter().find_map(|name| name.0.filter(|tokens| *tokens > 0));
            told.unwrap_or_else(|| total.saturating_sub(other))
        };
        let output = [wire.completion_tokens, wire.output_tokens];
        let input = count([wire.prompt_tokens, wire.input_tokens], count(output, total));
        Usage {
            input,
            cached_input: prompt.cached_tokens.0.unwrap_or_default(),
            cache_write: 0,
            audio_input: prompt.audio_tokens.0.unwrap_or_default(),
            output: count(output, input),
            reasoning: completion.reasoning_tokens.0.unwrap_or_default(),
            audio_output: completion.audio_tokens.0.unwrap_or_default(),
            images: 0,
        }
    })
}

/// The body to send for a provider's error: its own, untouched (`None`), where it already has such a shape; else one that
/// says what the provider said, in so far as it said it in JSON.
pub(crate) fn error_body(shape: Shape, provider: &str, status: u16, body: &[u8]) -> Option<Vec<u8>> {
    record! {
        struct Wire<'a> {
            error: Option<&'a RawValue>,
            message: Option<&'a RawValue>,
            detail: Option<&'a RawValue>,
        }
    }
    let text = json::text(body);
    let wire: Option<Wire<'_>> = json::read(&text).ok();
    if wire.as_ref().and_then(|wire| wire.error).is_some_and(|error| error.get().starts_with('{')) {
        return None;
    }
    let said = wire.and_then(|wire| {
        [wire.error, wire.message, wire.detail]
            .into_iter()
            .flatten()
            .find_map(|raw| json::read::<String>(raw.get()).ok())
    });
    let message = Fault::new(status, None, &said.unwrap_or_default()).message;
    let message = message.unwrap_or_else(|| format!("The provider `{provider}` answered with status {status}."));
    let kind = if status < 500 { Kind::InvalidRequest } else { Kind::BadUpstream };
    Some(Error::new(kind, message).body_as(shape, status))
}

/// The status that an error said inside an answer of status 200 stands for: where it names one, as vLLM and
/// `OpenRouter` (`code`) and Groq (`status_code`) do, that one, else what its code or type means; else 502.
#[must_use]
pub fn error_status(body: &[u8]) -> u16 {
    let text = json::text(body);
    stated_status(Object::of(&text).get("error").map(RawValue::get))
}

/// The same, from what a scan for [`WANTED`] found.
fn found_error_status(found: &Found) -> u16 {
    stated_status(found.text(ERROR))
}

/// Words alone say nothing that a machine could go by.
fn stated_status(error: Option<&str>) -> u16 {
    let object = error.filter(|error| error.trim_start().starts_with('{'));
    object.map_or(Kind::BadUpstream.status(), direct::status_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_in_its_details() {
        let text = r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4},
            "completion_tokens_details":{"reasoning_tokens":2},"new_field":{}}"#;
        assert_eq!(
            read_usage(text),
            Some(Usage { input: 10, cached_input: 4, output: 5, reasoning: 2, ..Usage::default() })
        );
        assert_eq!(read_usage("null"), None);
        assert_eq!(read_usage(r#"{"total_tokens":7}"#), Some(Usage { input: 7, ..Usage::default() }));
        let nulls = r#"{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":null}"#;
        assert_eq!(read_usage(nulls), Some(Usage { input: 1, output: 2, ..Usage::default() }));
    }

    #[test]
    fn an_error_inside_an_answer_may_name_its_status() {
        assert_eq!(error_status(br#"{"error":{"code":429,"message":"m"}}"#), 429);
        assert_eq!(error_status(br#"{"error":{"code":"overloaded"}}"#), 502);
        assert_eq!(error_status(br#"{"error":{"code":"tool_use_failed","status_code":400}}"#), 400);
        assert_eq!(error_status(br#"{"error":{"code":200}}"#), 502);
    }

    #[test]
    fn an_error_keeps_its_shape_or_gets_one() {
        assert_eq!(error_body(Shape::OpenAi, "p", 400, br#"{"error":{"message":"m"}}"#), None);
        let text =
            |body: &[u8], status| String::from_utf8(error_body(Shape::OpenAi, "p", status, body).unwrap()).unwrap();
        assert!(
            text(br#"{"detail":"too long"}"#, 422).contains(r#""message":"too long","type":"invalid_request_error""#)
        );
        assert!(text(b"<html>secret</html>", 503).contains("The provider `p` answered with status 503."));
        assert!(!text(b"<html>secret</html>", 503).contains("secret"));
        assert!(text(b"", 429).contains(r#""code":"rate_limit_exceeded""#));
    }
}
