//! What Ollama answers: one shape for the whole answer and for each line of a stream, mapped once: a whole answer is a stream
//! of one line.
//!
//! Much that is not Ollama speaks its API. What stands beside the answer is read if it can be; only what is said and called must
//! be of the right type, because an answer without a part of it is another one.

use alloc::{borrow::Cow, vec::Vec};
use serde_json::value::RawValue;

use super::fault;
use crate::{
    chat::{Collected, Delta, Finish, Response, Source, Text, TokenLogprob, ToolCall},
    dialect::Broken,
    json::{self, Number, Read, Slot, Spelled, Str, record},
    usage::Usage,
};

record! {
    /// The whole answer, or a line of a stream.
    #[derive(Default)]
    pub(super) struct WireAnswer<'a> {
        model: Lax<Str<'a>>,
        /// `null` is a message that says nothing.
        pub(super) message: Present<WireMessage<'a>>,
        /// The text where none of a chat is wanted (`/api/generate`).
        pub(super) response: Lax<Str<'a>>,
        done: Lax<bool>,
        done_reason: Lax<Str<'a>>,
        /// Cached tokens included.
        prompt_eval_count: Number<u64>,
        /// Those of them that came from the cache; newer servers tell it.
        prompt_eval_cached_count: Number<u64>,
        /// Thoughts included, which nobody counts apart.
        eval_count: Number<u64>,
        logprobs: Lax<Vec<WireLogprob<'a>>>,
        error: Option<&'a RawValue>,
        pub(super) status: Option<&'a RawValue>,
    }
}

record! {
    #[derive(Default)]
    pub(super) struct WireMessage<'a> {
        content: Option<Str<'a>>,
        thinking: Option<Str<'a>>,
        tool_calls: Option<Vec<WireCall<'a>>>,
        images: Option<Vec<Str<'a>>>,
    }
}

record! {
    struct WireCall<'a> {
        id: Lax<Str<'a>>,
        function: WireCalled<'a>,
    }
}

record! {
    struct WireCalled<'a> {
        name: Str<'a>,
        arguments: Option<&'a RawValue>,
    }
}

record! {
    struct WireLogprob<'a> {
        token: Str<'a>,
        logprob: f64,
        top_logprobs: Option<Vec<Self>>,
    }
}

/// A value that is none where it is not of the right type.
#[derive(Default)]
pub(super) struct Lax<T>(pub(super) Option<T>);

impl<'a, T: Read<'a>> Read<'a> for Lax<T> {
    const IS_NEEDED: bool = false;

    fn empty() -> Self {
        Self(None)
    }

    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Spelled(self)
    }
}

impl<'a, T: Read<'a>> Spelled<'a> for Lax<T> {
    fn spell(&mut self, json: &'a str) {
        self.0 = json::read(json).ok();
    }
}

/// A value that is there, too, where it is `null`.
#[derive(Default)]
pub(super) struct Present<T>(pub(super) Option<T>);

impl<'a, T: Read<'a>> Read<'a> for Present<T> {
    const IS_NEEDED: bool = false;

    fn empty() -> Self {
        Self(None)
    }

    fn slot(&mut self) -> Slot<'_, 'a> {
        self.0 = Some(T::empty());
        Slot::Maybe(&mut self.0)
    }
}

/// Reads a whole answer.
pub(super) fn read(body: &str) -> Result<Response<'_>, Broken> {
    let answer = json::read::<WireAnswer<'_>>(body).map_err(|_| Broken::Malformed)?;
    if let Some(error) = answer.error() {
        return Err(Broken::Fault(fault::of_answer(answer.status, error)));
    }
    if !answer.is_done() || answer.message.0.is_none() {
        return Err(Broken::Malformed);
    }
    let mut collected = Collected::default();
    Told::default().tell(answer, &mut |delta| collected.take(delta));
    Ok(collected.into_response())
}

/// What of an answer has been told: a tool call always comes whole, but calls that are made at once come on one line or on
/// several, and their own numbering has not always counted. So they are counted here.
#[derive(Debug, Default)]
pub(super) struct Told {
    has_begun: bool,
    calls: u32,
}

impl Told {
    /// Tells the whole answer, or the next line of it.
    pub(super) fn tell<'a>(&mut self, answer: WireAnswer<'a>, each: &mut dyn FnMut(Delta<'a>)) {
        let (choice, is_done, usage) = (0, answer.is_done(), answer.usage());
        if !core::mem::replace(&mut self.has_begun, true) {
            each(Delta::Start { id: None, model: said(answer.model.0), service_tier: None });
        }
        if let Some(text) = said(answer.response.0) {
            each(Delta::Text { choice, text });
        }
        let message = answer.message.0.unwrap_or_default();
        if let Some(text) = said(message.thinking) {
            each(Delta::Thinking { choice, text });
        }
        if let Some(text) = said(message.content) {
            each(Delta::Text { choice, text });
        }
        for image in message.images.into_iter().flatten() {
            each(Delta::Image { choice, source: read_image(image.0) });
        }
        if let Some(logprobs) = answer.logprobs.0.filter(|logprobs| !logprobs.is_empty()) {
            each(Delta::Logprobs { choice, tokens: logprobs.into_iter().map(WireLogprob::read).collect() });
        }
        for call in message.tool_calls.into_iter().flatten() {
            let begun = call.read();
            each(Delta::ToolCall { choice, call: self.calls, begun });
            self.calls = self.calls.saturating_add(1);
        }
        if is_done {
            // `load` and `unload`, to which nothing was said, count as a stop.
            let reason = match answer.done_reason.0.as_deref() {
                Some("length") => Finish::Length,
                _ if self.calls > 0 => Finish::ToolCalls,
                _ => Finish::Stop,
            };
            each(Delta::Finish { choice, reason });
            if let Some(usage) = usage {
                each(Delta::Usage(usage));
            }
            each(Delta::End);
        }
    }
}

/// A text that is not empty.
fn said(text: Option<Str<'_>>) -> Option<Text<'_>> {
    text.map(|text| text.0).filter(|text| !text.is_empty())
}

impl<'a> WireAnswer<'a> {
    /// Whether nothing follows.
    pub(super) fn is_done(&self) -> bool {
        self.done.0 == Some(true)
    }

    /// The error, where there is one: an empty one is none.
    pub(super) fn error(&self) -> Option<&'a RawValue> {
        self.error.filter(|error| !matches!(error.get(), r#""""# | "false"))
    }

    /// The tokens, where they are told.
    fn usage(&self) -> Option<Usage> {
        super::usage([self.prompt_eval_count, self.eval_count, self.prompt_eval_cached_count])
    }
}

impl<'a> WireCall<'a> {
    /// The call; older servers give it no id.
    fn read(self) -> ToolCall<'a> {
        let id = said(self.id.0).unwrap_or_default();
        let arguments = self.function.arguments.map_or("{}", RawValue::get);
        // What stands in a string has been written as JSON before.
        let arguments = json::read(arguments).map_or(Cow::Borrowed(arguments), |Str(json)| json);
        let is_nothing = matches!(arguments.trim(), "" | "null");
        let arguments = if is_nothing { Cow::Borrowed("{}") } else { arguments };
        ToolCall { id, name: self.function.name.0, arguments, signature: None }
    }
}

impl<'a> WireLogprob<'a> {
    fn read(self) -> TokenLogprob<'a> {
        let top = self.top_logprobs.into_iter().flatten();
        TokenLogprob {
            token: self.token.0,
            logprob: self.logprob,
            top: top.map(|other| (other.token.0, other.logprob)).collect(),
        }
    }
}

/// Ollama does not say what a picture is; its first bytes do.
fn read_image(base64: Text<'_>) -> Source<'_> {
    const FIRST_BYTES: &[(&str, &str)] = &[("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp")];
    let known = FIRST_BYTES.iter().find(|(first, _)| base64.starts_with(first));
    let media_type = Cow::Borrowed(known.map_or("image/png", |(_, media_type)| media_type));
    Source::Data { media_type, base64 }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "documents are compared by their meaning")]
mod tests {
    use super::*;
    use crate::chat::Part;
    use crate::dialect::{Downstream, Identity, openai_chat::OpenAiChat};
    use serde_json::{Value, json};

    fn translate(body: &str) -> Value {
        let identity =
            Identity { exchange: "x".into(), created: 7, model: "asked".into(), echo: alloc::string::String::new() };
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
            {"id": "call_chatcmplx_0_0", "type": "function", "function": {"name": "f", "arguments": r#"{"b":1.50,"a":{}}"#}},
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
    fn what_stands_beside_the_answer_may_be_of_any_type() {
        let got = translate(
            r#"{"model":5,"created_at":null,"message":{"role":null,"content":"x","thinking":null,"images":null,
               "tool_calls":[{"id":7,"function":{"name":"f","arguments":""}}]},"error":"","logprobs":[{"token":"x","logprob":null}],
               "done":true,"done_reason":7,"prompt_eval_count":"12","prompt_eval_cached_count":[],"eval_count":3.0}"#,
        );
        let choice = &got["choices"][0];
        assert_eq!((&got["model"], &choice["finish_reason"]), (&json!("asked"), &json!("tool_calls")));
        let call =
            json!({"id": "call_chatcmplx_0_0", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        assert_eq!((&choice["message"]["content"], &choice["message"]["tool_calls"][0]), (&json!("x"), &call));
        assert!(choice["logprobs"].is_null());
        let usage = &got["usage"];
        assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(12), &json!(3)));

        let got = translate(r#"{"message":null,"error":null,"done":true,"prompt_eval_count":-1,"eval_count":"many"}"#);
        assert_eq!(got["choices"][0]["message"]["content"], "");
        assert!(got.get("usage").is_none(), "a count that cannot be read is none");
    }

    #[test]
    fn an_answer_is_borrowed_from_the_body() {
        let body = r#"{"message":{"content":"x","thinking":"y"},"done":true}"#;
        let response = read(body).unwrap();
        let [Part::Thinking { text: thought, .. }, Part::Text(said)] = response.choices[0].parts.as_slice() else {
            panic!("a thought and a text")
        };
        for text in [thought, &said.text] {
            assert!(body.as_bytes().as_ptr_range().contains(&text.as_ptr()));
        }
    }

    #[test]
    fn an_error_in_the_place_of_an_answer_has_its_own_status() {
        for (body, status) in [(r#"{"error":"busy","status":503}"#, 503), (r#"{"error":"no","done":true}"#, 500)] {
            assert!(matches!(read(body), Err(Broken::Fault(fault)) if fault.status == status), "{body}");
        }
    }

    #[test]
    fn what_is_no_whole_answer_is_none() {
        for body in [
            "[]",
            "{}",
            r#"{"done":true}"#,
            r#"{"response":"of another call","done":true}"#,
            r#"{"message":{"content":["x"]},"done":true}"#,
            r#"{"message":{"content":"x","tool_calls":[{"function":{}}]},"done":true}"#,
            r#"{"message":{"content":"x"},"done":null}"#,
            r#"{"message":{"content":"x"},"done":false}"#,
            r#"{"error":"no","message":{},"done":true}"#,
            "{\"message\":{},\"done\":true}\n{}",
            r#"{"choices":[]}"#,
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
