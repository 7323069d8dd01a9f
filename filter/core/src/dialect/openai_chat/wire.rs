//! What answers say: a whole one is told in the steps of a stream of one chunk, so that both are mapped once.
//!
//! Members that one provider alone has are read of all: whatever speaks this format may have taken them over.

use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::{
    calls::{Calls, WireCall, WireCalled},
    content::source,
    response::told,
};
use crate::{
    chat::{Citation, Delta, Finish, Text, TokenLogprob},
    dialect::Broken,
    json::{self, Str, record},
};

record! {
    pub(super) struct Wire<'a> {
        id: Option<Str<'a>>,
        model: Option<Str<'a>>,
        pub(super) choices: Option<Vec<WireChoice<'a>>>,
        usage: Option<&'a RawValue>,
        x_groq: Option<&'a RawValue>,
        service_tier: Option<Str<'a>>,
        pub(super) error: Option<&'a RawValue>,
        /// Where an answer is from, as Perplexity says it, with titles and without.
        search_results: Option<Vec<&'a RawValue>>,
        citations: Option<Vec<&'a RawValue>>,
    }
}

record! {
    pub(super) struct WireChoice<'a> {
        index: u32,
        message: Option<WireMessage<'a>>,
        delta: Option<WireMessage<'a>>,
        finish_reason: Option<Str<'a>>,
        finish_details: Option<&'a RawValue>,
        logprobs: Option<WireLogprobs<'a>>,
    }
}

record! {
    struct WireMessage<'a> {
        content: Option<&'a RawValue>,
        refusal: Option<Str<'a>>,
        reasoning_content: Option<Str<'a>>,
        /// The same, as Groq and `OpenRouter` call it.
        reasoning: Option<Str<'a>>,
        tool_calls: Option<Vec<WireCall<'a>>>,
        /// A call in the form before `tool_calls`.
        function_call: Option<WireCalled<'a>>,
        /// What `OpenRouter`'s models have drawn.
        images: Option<Vec<&'a RawValue>>,
        annotations: Option<Vec<WireAnnotation<'a>>>,
    }
}

record! {
    struct WireAnnotation<'a> {
        url_citation: Option<WireCitation<'a>>,
    }
}

record! {
    struct WireCitation<'a> {
        url: Str<'a>,
        title: Option<Str<'a>>,
        start_index: Option<u64>,
        end_index: Option<u64>,
    }
}

record! {
    struct WireLogprobs<'a> {
        content: Option<Vec<WireToken<'a>>>,
    }
}

record! {
    struct WireToken<'a> {
        token: Str<'a>,
        logprob: f64,
        top_logprobs: Option<Vec<WireToken<'a>>>,
    }
}

/// What is asked for of few answers is read by its name: what is derived for a struct is two kilobytes of the module.
fn inner<'a>(raw: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    json::member(&json::members(raw.get())?, name)
}

fn text(raw: &RawValue) -> Option<Text<'_>> {
    json::read::<Str<'_>>(raw.get()).ok().map(|text| text.0)
}

impl WireChoice<'_> {
    fn finish(&self) -> Option<Finish> {
        let older = || text(inner(self.finish_details?, "type")?);
        let word = self.finish_reason.clone().map(|word| word.0).or_else(older)?;
        Some(match &*word {
            "length" | "max_tokens" => Finish::Length,
            "tool_calls" | "function_call" => Finish::ToolCalls,
            "content_filter" => Finish::ContentFilter,
            _ => Finish::Stop,
        })
    }
}

/// Who is told.
pub(super) type Each<'f, 'a> = &'f mut dyn FnMut(Delta<'a>);

impl<'a> Wire<'a> {
    pub(super) fn start(&self) -> Delta<'a> {
        let text = |text: &Option<Str<'a>>| text.clone().map(|text| text.0);
        Delta::Start { id: text(&self.id), model: text(&self.model), service_tier: text(&self.service_tier) }
    }

    /// Tells a whole answer, or what a chunk adds to one.
    pub(super) fn tell(self, is_whole: bool, calls: &mut Calls, each: Each<'_, 'a>) -> Result<(), Broken> {
        for (place, mut choice) in (0..).zip(self.choices.into_iter().flatten()) {
            let index = if is_whole { place } else { choice.index };
            let finish = choice.finish();
            if let Some(message) = if is_whole { choice.message.take() } else { choice.delta.take() } {
                message.tell(index, is_whole, calls, each)?;
            }
            let tokens = choice.logprobs.map(WireLogprobs::read).unwrap_or_default();
            if !tokens.is_empty() {
                each(Delta::Logprobs { choice: index, tokens });
            }
            if finish.is_some() {
                calls.complete(index, each);
            }
            if is_whole || finish.is_some() {
                // Each chunk of a stream tells them: the last one is enough.
                let named = self.search_results.as_ref().filter(|results| !results.is_empty());
                named.or(self.citations.as_ref()).into_iter().flatten().for_each(|raw| cite(index, raw, each));
            }
            if let Some(reason) = finish {
                each(Delta::Finish { choice: index, reason });
            }
        }
        if let Some(usage) = told(self.usage, self.x_groq) {
            each(Delta::Usage(usage));
        }
        Ok(())
    }
}

/// Tells where an answer is from: an address, or an object that names it.
fn cite<'a>(choice: u32, raw: &'a RawValue, each: Each<'_, 'a>) {
    if let Some(url) = text(raw).or_else(|| text(inner(raw, "url")?)) {
        let title = inner(raw, "title").and_then(text);
        each(Delta::Citation { choice, citation: Citation::Url { url, title, span: None } });
    }
}

/// Tells a content: a text, or a list of parts, as Mistral writes it, of which a thought is one that may be such a list itself.
/// Parts of a kind that nobody knows are passed over.
fn say<'a>(raw: &'a RawValue, kind: &str, tell: &mut dyn FnMut(&str, Text<'a>)) {
    if let Some(said) = text(raw) {
        if !said.is_empty() {
            tell(kind, said);
        }
        return;
    }
    for part in json::read::<Vec<&RawValue>>(raw.get()).into_iter().flatten() {
        let own = inner(part, "type").and_then(text).unwrap_or_default();
        if let name @ ("text" | "refusal" | "thinking") = &*own
            && let Some(said) = inner(part, name)
        {
            say(said, if name == "text" { kind } else { name }, tell);
        }
    }
}

impl<'a> WireMessage<'a> {
    fn tell(self, choice: u32, is_whole: bool, calls: &mut Calls, each: Each<'_, 'a>) -> Result<(), Broken> {
        let thought = [self.reasoning_content, self.reasoning].into_iter().flatten().find(|text| !text.is_empty());
        if let Some(Str(text)) = thought {
            each(Delta::Thinking { choice, text });
        }
        if let Some(content) = self.content {
            say(content, "text", &mut |kind, text| {
                each(match kind {
                    "thinking" => Delta::Thinking { choice, text },
                    "refusal" => Delta::Refusal { choice, text },
                    _ => Delta::Text { choice, text },
                });
            });
        }
        if let Some(Str(text)) = self.refusal.filter(|text| !text.is_empty()) {
            each(Delta::Refusal { choice, text });
        }
        for raw in self.images.into_iter().flatten() {
            let url = inner(raw, "image_url").and_then(|image| inner(image, "url")).and_then(text);
            if let Some(Ok(source)) = url.map(|url| source(url, "image/png", "images")) {
                each(Delta::Image { choice, source });
            }
        }
        for wire in self.annotations.into_iter().flatten().filter_map(|annotation| annotation.url_citation) {
            let (url, title) = (wire.url.0, wire.title.map(|title| title.0));
            let span = wire.start_index.zip(wire.end_index);
            each(Delta::Citation { choice, citation: Citation::Url { url, title, span } });
        }
        let older = self.function_call.map(|function| WireCall { index: None, id: None, function: Some(function) });
        for (place, wire) in (0..).zip(self.tool_calls.into_iter().flatten().chain(older)) {
            // Some number all calls of a whole answer alike.
            let index = wire.index.filter(|_| !is_whole).unwrap_or(place);
            calls.take((choice, index), wire, is_whole, each)?;
        }
        Ok(())
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
