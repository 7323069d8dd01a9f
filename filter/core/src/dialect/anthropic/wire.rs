//! A message as it comes, whole or in a stream's events, and a whole one read.
//!
//! Blocks that OpenAI's shape has no place for (what Anthropic's own tools did on its servers) are passed over, and so are
//! kinds of blocks that are not known yet. What is no part of the answer's meaning, as tokens that cannot be read, is none.

use alloc::{borrow::Cow, vec::Vec};
use serde_json::value::RawValue;

use super::{answer::Answer, fault};
use crate::{
    chat::{Citation, Collected, Response, Text},
    dialect::Broken,
    json::{self, Number, Read, Str, record},
    usage::Usage,
};

record! {
    /// A message, whole or as a stream begins it.
    pub(super) struct WireMessage<'a> {
        kind: Option<Str<'a>> = "type",
        pub(super) id: Option<Str<'a>>,
        pub(super) model: Option<Str<'a>>,
        content: Option<Vec<&'a RawValue>>,
        stop_reason: Option<Str<'a>>,
        stop_details: Option<&'a RawValue>,
        pub(super) usage: Option<&'a RawValue>,
    }
}

record! {
    /// Why the provider holds an answer back.
    pub(super) struct StopDetails<'a> {
        pub(super) explanation: Option<Str<'a>>,
    }
}

record! {
    /// A block of a known kind. The members of other kinds may be of any type.
    pub(super) struct WireBlock<'a> {
        pub(super) text: Option<Str<'a>>,
        pub(super) citations: Option<&'a RawValue>,
        pub(super) thinking: Option<Str<'a>>,
        pub(super) signature: Option<Str<'a>>,
        pub(super) data: Option<Str<'a>>,
        pub(super) id: Option<Str<'a>>,
        pub(super) name: Option<Str<'a>>,
        pub(super) input: Option<&'a RawValue>,
        // From here on of requests only.
        pub(super) source: Option<&'a RawValue>,
        pub(super) content: Option<&'a RawValue>,
        pub(super) title: Option<&'a RawValue>,
        pub(super) context: Option<&'a RawValue>,
        pub(super) tool_use_id: Option<&'a RawValue>,
        pub(super) is_error: Option<&'a RawValue>,
        pub(super) cache_control: Option<&'a RawValue>,
    }
}

record! {
    /// What is new of a block, of whatever kind: those that are not known may name their members as they like.
    pub(super) struct BlockDelta<'a> {
        pub(super) kind: Str<'a> = "type",
        pub(super) text: Option<&'a RawValue>,
        pub(super) partial_json: Option<&'a RawValue>,
        pub(super) thinking: Option<&'a RawValue>,
        pub(super) signature: Option<&'a RawValue>,
        pub(super) citation: Option<&'a RawValue>,
    }
}

/// A kind of block that has a place in the canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    Text,
    Thinking,
    RedactedThinking,
    ToolUse,
}

record! {
    /// Tokens. In a stream each event tells those that have changed.
    pub(super) struct WireUsage<'a> {
        input_tokens: Number<u64>,
        cache_creation_input_tokens: Number<u64>,
        cache_read_input_tokens: Number<u64>,
        output_tokens: Number<u64>,
        output_tokens_details: Option<OutputDetails>,
        service_tier: Option<Str<'a>>,
    }
}

record! {
    struct OutputDetails {
        thinking_tokens: Number<u64>,
    }
}

/// Tokens as Anthropic counts them: what came from the cache or went into it is no part of the input.
#[derive(Debug, Default)]
pub(super) struct Tally(Usage);

impl Tally {
    /// Takes what is told, if anything is.
    pub(super) fn update(&mut self, wire: &WireUsage<'_>) -> bool {
        let thinking = wire.output_tokens_details.as_ref().map(|details| details.thinking_tokens).unwrap_or_default();
        let told = Usage {
            input: wire.input_tokens.0.unwrap_or_default(),
            cached_input: wire.cache_read_input_tokens.0.unwrap_or_default(),
            cache_write: wire.cache_creation_input_tokens.0.unwrap_or_default(),
            output: wire.output_tokens.0.unwrap_or_default(),
            reasoning: thinking.0.unwrap_or_default(),
            ..Usage::default()
        };
        self.0.update(told);
        told != Usage::default()
    }

    pub(super) fn usage(&self) -> Usage {
        let Usage { input, cached_input, cache_write, .. } = self.0;
        Usage { input: input.saturating_add(cache_write).saturating_add(cached_input), ..self.0 }
    }
}

impl<'a> WireUsage<'a> {
    /// The tier that served, in OpenAI's words.
    pub(super) fn service_tier(&self) -> Option<Text<'a>> {
        let tier = self.service_tier.clone()?.0;
        Some(if tier == "standard" { Cow::Borrowed("default") } else { tier })
    }
}

impl<'a> WireBlock<'a> {
    /// A block of a kind that has a place; `Ok(None)` for others.
    pub(super) fn read(raw: &'a RawValue) -> Result<Option<(BlockKind, Self)>, serde_json::Error> {
        let kind = match &*kind(raw)? {
            "text" => BlockKind::Text,
            "thinking" => BlockKind::Thinking,
            "redacted_thinking" => BlockKind::RedactedThinking,
            "tool_use" => BlockKind::ToolUse,
            _ => return Ok(None),
        };
        Ok(Some((kind, json::read(raw.get())?)))
    }
}

/// The kind of a block.
pub(super) fn kind(raw: &RawValue) -> Result<Str<'_>, serde_json::Error> {
    record! {
        struct Kind<'a> {
            kind: Str<'a> = "type",
        }
    }
    json::read::<Kind<'_>>(raw.get()).map(|kind| kind.kind)
}

/// Where a text is from.
pub(super) fn citation(raw: &RawValue) -> Citation<'_> {
    record! {
        struct Wire<'a> {
            url: Option<Str<'a>>,
            title: Option<Str<'a>>,
        }
    }
    match json::read(raw.get()) {
        Ok(Wire { url: Some(url), title }) => {
            Citation::Url { url: url.0, title: title.map(|title| title.0), span: None }
        }
        Ok(Wire { url: None, .. }) | Err(_) => Citation::Document(raw),
    }
}

/// Reads a whole answer.
pub(super) fn read(body: &str) -> Result<Response<'_>, Broken> {
    let mut message: WireMessage<'_> = json::read(body).map_err(|_| Broken::Malformed)?;
    match message.kind.take().as_deref() {
        Some("message") => {}
        Some("error") => return Err(Broken::Fault(fault::read_event(body.as_bytes()))),
        Some(_) | None => return Err(Broken::Malformed),
    }
    let content = message.content.take().ok_or(Broken::Malformed)?;
    let (reason, details) = (message.stop_reason.take(), message.stop_details);
    let (mut answer, mut collected) = (Answer::default(), Collected::default());
    let each = &mut |delta| collected.take(delta);
    answer.start(message, each);
    for (index, block) in (0..).zip(content) {
        answer.start_block(index, block, each)?;
        answer.stop_block(index, each);
    }
    answer.finish(Some(reason.as_deref().unwrap_or_default()), details, None, each);
    Ok(collected.into_response())
}

/// Reads what must be there.
pub(super) fn required<'a, T: Read<'a>>(raw: Option<&'a RawValue>) -> Result<T, Broken> {
    json::read(raw.ok_or(Broken::Malformed)?.get()).map_err(|_| Broken::Malformed)
}

/// Reads what the answer does without.
pub(super) fn optional<'a, T: Read<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    json::read(raw?.get()).ok()
}
