//! The format as providers speak it, for clients that speak another one: answers and errors, read into the canonical chat.

use alloc::{boxed::Box, string::String, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{NAME, OpenAiChat, ask, response::told};
use crate::{
    chat::{Choice, Citation, Delta, Fault, Finish, Part, Reason, Request, Response, TextPart, TokenLogprob, ToolCall},
    dialect::{Ability, Aim, Broken, Reader, Upstream, Written},
    error::Error,
    headers::Headers,
    host::Clock,
    json::{self, Str},
    sse::{Frame, Framing},
    step::Name,
};

impl Upstream for OpenAiChat {
    fn name(&self) -> &'static str {
        NAME
    }

    /// The version is part of the base URL, as in `OpenAI`'s own SDKs.
    fn version(&self) -> &'static str {
        ""
    }

    fn abilities(&self, _: &str) -> &'static [Ability] {
        Ability::ALL
    }

    fn write(&self, request: &Request<'_>, aim: &Aim<'_>) -> Result<Written, Error> {
        ask::write(request, aim)
    }

    fn read<'a>(&self, body: &'a str) -> Result<Response<'a>, Broken> {
        let wire: Wire<'_> = json::read(body).map_err(|_| Broken::Malformed)?;
        if wire.error.is_some() {
            return Err(Broken::Fault(fault(super::error_status(body.as_bytes()), body.as_bytes())));
        }
        let choices = wire.choices.ok_or(Broken::Malformed)?.into_iter().map(|choice| {
            let finish = choice.finish();
            let logprobs = choice.logprobs.map(WireLogprobs::read).unwrap_or_default();
            let parts = choice.message.map(WireMessage::parts).unwrap_or_default();
            Choice { parts, finish, logprobs }
        });
        Ok(Response {
            choices: choices.collect(),
            id: wire.id.map(|id| id.0),
            model: wire.model.map(|model| model.0),
            usage: told(wire.usage, wire.x_groq),
            service_tier: wire.service_tier.map(|tier| tier.0),
        })
    }

    fn framing(&self) -> (Framing, &'static str) {
        (Framing::Events, "text/event-stream")
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(StreamReader { has_begun: false })
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        fault(status, body)
    }

    /// They are in this format already.
    fn rate_limits(&self, _: Headers<'_>, _: &dyn Clock) -> Vec<(Name, String)> {
        Vec::new()
    }
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    id: Option<Str<'a>>,
    #[serde(borrow, default)]
    model: Option<Str<'a>>,
    #[serde(borrow, default)]
    choices: Option<Vec<WireChoice<'a>>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    x_groq: Option<&'a RawValue>,
    #[serde(borrow, default)]
    service_tier: Option<Str<'a>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireChoice<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow, default)]
    message: Option<WireMessage<'a>>,
    #[serde(borrow, default)]
    delta: Option<WireMessage<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Str<'a>>,
    #[serde(borrow, default)]
    logprobs: Option<WireLogprobs<'a>>,
}

#[derive(Deserialize)]
struct WireMessage<'a> {
    #[serde(borrow, default)]
    content: Option<Str<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Str<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Str<'a>>,
    /// The same, as Groq and `OpenRouter` call it.
    #[serde(borrow, default)]
    reasoning: Option<Str<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<WireCall<'a>>>,
    #[serde(borrow, default)]
    annotations: Option<Vec<WireAnnotation<'a>>>,
}

#[derive(Deserialize)]
struct WireCall<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow, default)]
    id: Option<Str<'a>>,
    #[serde(borrow, default)]
    function: Option<WireCalled<'a>>,
}

#[derive(Deserialize)]
struct WireCalled<'a> {
    #[serde(borrow, default)]
    name: Option<Str<'a>>,
    #[serde(borrow, default)]
    arguments: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct WireAnnotation<'a> {
    #[serde(borrow, default)]
    url_citation: Option<WireCitation<'a>>,
}

#[derive(Deserialize)]
struct WireCitation<'a> {
    #[serde(borrow)]
    url: Str<'a>,
    #[serde(borrow, default)]
    title: Option<Str<'a>>,
    #[serde(default)]
    start_index: Option<u64>,
    #[serde(default)]
    end_index: Option<u64>,
}

#[derive(Deserialize)]
struct WireLogprobs<'a> {
    #[serde(borrow, default)]
    content: Option<Vec<WireToken<'a>>>,
}

#[derive(Deserialize)]
struct WireToken<'a> {
    #[serde(borrow)]
    token: Str<'a>,
    logprob: f64,
    #[serde(borrow, default)]
    top_logprobs: Option<Vec<WireToken<'a>>>,
}

impl WireChoice<'_> {
    fn finish(&self) -> Option<Finish> {
        Some(match self.finish_reason.as_deref()? {
            "length" => Finish::Length,
            "tool_calls" | "function_call" => Finish::ToolCalls,
            "content_filter" => Finish::ContentFilter,
            _ => Finish::Stop,
        })
    }
}

impl<'a> WireMessage<'a> {
    fn citations(annotations: Option<Vec<WireAnnotation<'a>>>) -> impl Iterator<Item = Citation<'a>> {
        annotations.into_iter().flatten().filter_map(|annotation| annotation.url_citation).map(|wire| Citation::Url {
            url: wire.url.0,
            title: wire.title.map(|title| title.0),
            span: wire.start_index.zip(wire.end_index),
        })
    }

    fn parts(self) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let said = |text: Option<Str<'a>>| text.filter(|text| !text.is_empty()).map(|text| text.0);
        parts.extend(
            said(self.reasoning_content.or(self.reasoning)).map(|text| Part::Thinking { text, signature: None }),
        );
        let citations = Self::citations(self.annotations).collect();
        parts.extend(said(self.content).map(|text| Part::Text(TextPart { text, citations, ..TextPart::default() })));
        parts.extend(said(self.refusal).map(Part::Refusal));
        parts.extend(self.tool_calls.into_iter().flatten().filter_map(WireCall::begun).map(Part::ToolCall));
        parts
    }
}

impl<'a> WireCall<'a> {
    fn begun(self) -> Option<ToolCall<'a>> {
        let WireCalled { name, arguments } = self.function?;
        Some(ToolCall {
            id: self.id.unwrap_or_default().0,
            name: name?.0,
            arguments: arguments.unwrap_or_default().0,
            signature: None,
        })
    }
}

impl<'a> WireLogprobs<'a> {
    fn read(self) -> Vec<TokenLogprob<'a>> {
        let tokens = self.content.into_iter().flatten().map(|token| TokenLogprob {
            token: token.token.0,
            logprob: token.logprob,
            top: token.top_logprobs.into_iter().flatten().map(|top| (top.token.0, top.logprob)).collect(),
        });
        tokens.collect()
    }
}

#[derive(Debug)]
struct StreamReader {
    has_begun: bool,
}

impl Reader for StreamReader {
    fn read(&mut self, frame: Frame<'_>, each: &mut dyn FnMut(Delta<'_>)) -> Result<(), Broken> {
        let Some(data) = frame.data() else { return Ok(()) };
        let data = data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            each(Delta::End);
            return Ok(());
        }
        let text = json::text(data);
        let wire: Wire<'_> = json::read(&text).map_err(|_| Broken::Malformed)?;
        if wire.error.is_some() || frame.event() == Some(b"error") {
            return Err(Broken::Fault(fault(super::error_status(data), data)));
        }
        if !core::mem::replace(&mut self.has_begun, true) {
            let text = |text: Option<Str<'_>>| text.map(|text| text.0.into_owned().into());
            each(Delta::Start { id: text(wire.id), model: text(wire.model), service_tier: text(wire.service_tier) });
        }
        for mut choice in wire.choices.into_iter().flatten() {
            let (index, finish) = (choice.index, choice.finish());
            if let Some(delta) = choice.delta.take() {
                read_delta(index, delta, each);
            }
            let tokens = choice.logprobs.map(WireLogprobs::read).unwrap_or_default();
            if !tokens.is_empty() {
                each(Delta::Logprobs { choice: index, tokens });
            }
            if let Some(reason) = finish {
                each(Delta::Finish { choice: index, reason });
            }
        }
        if let Some(usage) = told(wire.usage, wire.x_groq) {
            each(Delta::Usage(usage));
        }
        Ok(())
    }
}

fn read_delta(choice: u32, delta: WireMessage<'_>, each: &mut dyn FnMut(Delta<'_>)) {
    let said = |text: &Option<Str<'_>>| text.as_ref().is_some_and(|text| !text.is_empty());
    let thought = delta.reasoning_content.or(delta.reasoning);
    if said(&thought) {
        each(Delta::Thinking { choice, text: thought.unwrap_or_default().0 });
    }
    if said(&delta.content) {
        each(Delta::Text { choice, text: delta.content.unwrap_or_default().0 });
    }
    if said(&delta.refusal) {
        each(Delta::Refusal { choice, text: delta.refusal.unwrap_or_default().0 });
    }
    for citation in WireMessage::citations(delta.annotations) {
        each(Delta::Citation { choice, citation });
    }
    for call in delta.tool_calls.into_iter().flatten() {
        let index = call.index;
        let begins = call.id.is_some() && call.function.as_ref().is_some_and(|function| function.name.is_some());
        if begins {
            if let Some(begun) = call.begun() {
                each(Delta::ToolCall { choice, call: index, begun });
            }
        } else if let Some(json) = call.function.and_then(|function| function.arguments) {
            each(Delta::Arguments { choice, call: index, json: json.0 });
        }
    }
}

fn fault(status: u16, body: &[u8]) -> Fault {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        error: Inner<'a>,
    }
    #[derive(Deserialize)]
    struct Inner<'a> {
        #[serde(borrow, default)]
        message: Option<Str<'a>>,
        #[serde(borrow, default)]
        code: Option<&'a RawValue>,
    }
    let text = json::text(body);
    let Ok(Wire { error }) = json::read::<Wire<'_>>(&text) else {
        return Fault::new(status, None, "");
    };
    let reason = match error.code.map(RawValue::get) {
        Some(r#""context_length_exceeded""#) => Some(Reason::ContextLength),
        Some(r#""content_policy_violation""# | r#""content_filter""#) => Some(Reason::ContentPolicy),
        Some(r#""insufficient_quota""#) => Some(Reason::Quota),
        Some(r#""model_not_found""#) => Some(Reason::ModelNotFound),
        _ => None,
    };
    Fault::new(status, reason, error.message.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;

    #[test]
    fn tokens_are_read_where_groq_tells_them() {
        let groq = r#"{"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":"40","completion_tokens":10.0}}}"#;
        let told = Some(Usage { input: 40, output: 10, ..Usage::default() });
        assert_eq!(OpenAiChat.read(groq).unwrap().usage, told);
        let mut usage = None;
        let event = [b"data: ", groq.as_bytes(), b"\n\n"].concat();
        let read = OpenAiChat.reader().read(Frame { raw: &event }, &mut |delta| {
            if let Delta::Usage(told) = delta {
                usage = Some(told);
            }
        });
        assert_eq!((read, usage), (Ok(()), told));
    }
}
