//! What Ollama answers: one shape for the whole answer and for each line of a stream.

use alloc::{borrow::Cow, format, string::String, vec, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    chat::{Choice, Finish, Part, Response, Source, Text, TextPart, TokenLogprob, ToolCall},
    json::Str,
    usage::Usage,
};

/// The whole answer, or a line of a stream.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WireAnswer<'a> {
    #[serde(borrow)]
    pub(super) model: Option<Str<'a>>,
    #[serde(borrow)]
    created_at: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<WireMessage<'a>>,
    pub(super) done: bool,
    #[serde(borrow)]
    done_reason: Option<Str<'a>>,
    /// Cached tokens included.
    prompt_eval_count: Option<u64>,
    /// Those of them that came from the cache; newer servers tell it.
    prompt_eval_cached_count: Option<u64>,
    /// Thoughts included, which nobody counts apart.
    eval_count: Option<u64>,
    #[serde(borrow)]
    pub(super) logprobs: Option<Vec<WireLogprob<'a>>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) status: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct WireMessage<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<WireCall<'a>>>,
    #[serde(borrow)]
    images: Option<Vec<Str<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct WireCall<'a> {
    #[serde(borrow, default)]
    id: Option<Str<'a>>,
    #[serde(borrow)]
    function: WireCalled<'a>,
}

#[derive(Deserialize)]
struct WireCalled<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct WireLogprob<'a> {
    #[serde(borrow)]
    token: Str<'a>,
    logprob: f64,
    #[serde(borrow, default)]
    top_logprobs: Option<Vec<WireAlternative<'a>>>,
}

#[derive(Deserialize)]
struct WireAlternative<'a> {
    #[serde(borrow)]
    token: Str<'a>,
    logprob: f64,
}

/// Reads a whole answer.
pub(super) fn read(body: &str) -> Option<Response<'_>> {
    let answer = WireAnswer::read(body.as_bytes())?;
    if !answer.done || answer.error.is_some() {
        return None;
    }
    let (usage, stamp, reason) = (answer.usage(), answer.stamp(), answer.done_reason);
    let message = answer.message?;
    let mut parts = Vec::new();
    parts.extend(said(message.thinking).map(|text| Part::Thinking { text, signature: None }));
    parts.extend(said(message.content).map(|text| Part::Text(TextPart { text, ..TextPart::default() })));
    parts.extend(message.images.into_iter().flatten().map(|image| read_image(image.0)));
    let calls = message.tool_calls.unwrap_or_default();
    let finish = finish(reason.as_deref(), !calls.is_empty());
    parts.extend((0..).zip(calls).map(|(index, call)| Part::ToolCall(call.read(&stamp, index))));
    let logprobs = answer.logprobs.into_iter().flatten().map(WireLogprob::read).collect();
    Some(Response {
        id: None,
        model: said(answer.model),
        choices: vec![Choice { parts, finish: Some(finish), logprobs }],
        usage,
        service_tier: None,
    })
}

/// A text that is not empty.
pub(super) fn said(text: Option<Str<'_>>) -> Option<Text<'_>> {
    text.map(|text| text.0).filter(|text| !text.is_empty())
}

/// Why an answer ended; `load` and `unload`, to which nothing was said, count as a stop.
pub(super) fn finish(reason: Option<&str>, has_calls: bool) -> Finish {
    match reason {
        Some("length") => Finish::Length,
        _ if has_calls => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

impl<'a> WireAnswer<'a> {
    /// A JSON object; serde would also take a list for a struct.
    pub(super) fn read(json: &'a [u8]) -> Option<Self> {
        json.trim_ascii().starts_with(b"{").then(|| serde_json::from_slice(json).ok()).flatten()
    }

    /// The tokens, where they are told.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.prompt_eval_count.or(self.eval_count)?;
        let cached_input = self.prompt_eval_cached_count.unwrap_or_default();
        Some(Usage {
            // A prompt that was wholly cached has been counted as nothing.
            input: self.prompt_eval_count.unwrap_or_default().max(cached_input),
            cached_input,
            output: self.eval_count.unwrap_or_default(),
            ..Usage::default()
        })
    }

    pub(super) fn finish(&self, has_calls: bool) -> Finish {
        finish(self.done_reason.as_deref(), has_calls)
    }

    /// The time of the answer, in nanoseconds on most systems, as digits only.
    pub(super) fn stamp(&self) -> String {
        let digits = self.created_at.iter().flat_map(|time| time.chars()).filter(char::is_ascii_digit);
        digits.take(24).collect()
    }
}

impl<'a> WireCall<'a> {
    /// The call with this index in its answer. Older servers give it no id: then it gets one from the answer's time,
    /// since clients keep the calls of a whole conversation apart by their ids.
    pub(super) fn read(self, stamp: &str, index: u32) -> ToolCall<'a> {
        let id = said(self.id).unwrap_or_else(|| Cow::Owned(format!("call_{stamp}_{index}")));
        let arguments = self.function.arguments.map_or("{}", RawValue::get);
        // What stands in a string has been written as JSON before.
        let arguments = match serde_json::from_str(arguments) {
            Ok(Str(json)) => json,
            Err(_) if arguments == "null" => Cow::Borrowed("{}"),
            Err(_) => Cow::Borrowed(arguments),
        };
        ToolCall { id, name: self.function.name.0, arguments, signature: None }
    }
}

impl<'a> WireLogprob<'a> {
    pub(super) fn read(self) -> TokenLogprob<'a> {
        let top = self.top_logprobs.into_iter().flatten();
        TokenLogprob {
            token: self.token.0,
            logprob: self.logprob,
            top: top.map(|other| (other.token.0, other.logprob)).collect(),
        }
    }
}

/// Ollama does not say what a picture is; its first bytes do.
fn read_image(base64: Text<'_>) -> Part<'_> {
    const FIRST_BYTES: &[(&str, &str)] = &[("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp")];
    let known = FIRST_BYTES.iter().find(|(first, _)| base64.starts_with(first));
    let media_type = Cow::Borrowed(known.map_or("image/png", |(_, media_type)| media_type));
    Part::Image { source: Source::Data { media_type, base64 }, detail: None, cache: None }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "documents are compared by their meaning")]
mod tests {
    use super::*;
    use crate::dialect::{Downstream, Identity, openai_chat::OpenAiChat};
    use serde_json::{Value, json};

    fn translate(body: &str) -> Value {
        let identity = Identity { exchange: "x".into(), created: 7, model: "asked".into() };
        serde_json::from_slice(&OpenAiChat.write(&read(body).unwrap(), &identity)).unwrap()
    }

    #[test]
    fn an_answer_keeps_its_thought_text_calls_reason_and_tokens() {
        let got = translate(
            r#"{"model":"m","created_at":"2026-08-01T00:00:00.5+02:00","new":1,"message":{"role":"assistant","content":"Wörd","thinking":"hm",
               "tool_calls":[{"function":{"name":"f","arguments":{"b":1.50,"a":{}}}},{"id":"call_q","function":{"name":"g","arguments":null}}]},
               "logprobs":[{"token":"W","logprob":-1.5,"top_logprobs":[{"token":"V","logprob":-2.0,"bytes":[86]}]}],
               "done":true,"done_reason":"stop","prompt_eval_count":2,"prompt_eval_cached_count":3,"eval_count":5}"#,
        );
        let message = &got["choices"][0]["message"];
        assert_eq!(got["model"], "m");
        assert_eq!((&message["content"], &message["reasoning_content"]), (&json!("Wörd"), &json!("hm")));
        let calls = json!([
            {"id": "call_2026080100000050200_0", "type": "function", "function": {"name": "f", "arguments": r#"{"b":1.50,"a":{}}"#}},
            {"id": "call_q", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ]);
        assert_eq!(message["tool_calls"], calls);
        assert_eq!(got["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(got["choices"][0]["logprobs"]["content"][0]["top_logprobs"][0]["token"], "V");
        let usage = &got["usage"];
        // The cached tokens are part of the input.
        assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(3), &json!(5)));
        assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 3);
    }

    #[test]
    fn an_answer_without_words_or_counts_is_still_one() {
        let got =
            translate(r#"{"model":"m","message":{"role":"assistant","content":""},"done_reason":"load","done":true}"#);
        assert_eq!(got["choices"][0]["message"]["content"], "");
        assert_eq!(got["choices"][0]["finish_reason"], "stop");
        assert!(got.get("usage").is_none());
        let got = translate(r#"{"message":{"content":"x"},"done_reason":"length","done":true}"#);
        assert_eq!((&got["model"], &got["choices"][0]["finish_reason"]), (&json!("asked"), &json!("length")));
    }

    #[test]
    fn a_picture_in_the_answer_says_what_it_is() {
        let got = translate(r#"{"message":{"content":"","images":["/9j/AA==","iVBORw0="]},"done":true}"#);
        let images = &got["choices"][0]["message"]["images"];
        assert_eq!(images[0]["image_url"]["url"], "data:image/jpeg;base64,/9j/AA==");
        assert_eq!(images[1]["image_url"]["url"], "data:image/png;base64,iVBORw0=");
    }

    #[test]
    fn what_is_no_whole_answer_is_none() {
        for body in [
            "[]",
            "{}",
            r#"{"done":true}"#,
            r#"{"message":{"content":"x"},"done":false}"#,
            r#"{"error":"no","message":{},"done":true}"#,
            "{\"message\":{},\"done\":true}\n{}",
            r#"{"choices":[]}"#,
        ] {
            assert!(read(body).is_none(), "{body}");
        }
    }
}
