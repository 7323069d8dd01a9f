//! A whole answer, and what it has in common with a stream.
//!
//! Blocks that OpenAI's shape has no place for (what Anthropic's own tools did on its servers) are passed over, and so are
//! kinds of blocks that are not known yet.

use alloc::{borrow::Cow, vec, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::JSON_TOOL;
use crate::{
    chat::{Choice, Citation, Finish, Part, Response, Text, TextPart, ToolCall},
    json::Str,
    usage::Usage,
};

/// A message, whole or as a stream begins it.
#[derive(Deserialize)]
pub(super) struct WireMessage<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) model: Option<Str<'a>>,
    #[serde(borrow)]
    content: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    stop_reason: Option<Str<'a>>,
    #[serde(borrow, default)]
    stop_details: Option<StopDetails<'a>>,
    #[serde(borrow, default)]
    pub(super) usage: Option<WireUsage<'a>>,
}

/// Why the provider holds an answer back.
#[derive(Deserialize)]
pub(super) struct StopDetails<'a> {
    #[serde(borrow, default)]
    pub(super) explanation: Option<Str<'a>>,
}

/// A block of a known kind. The members of other kinds may be of any type.
#[derive(Deserialize)]
pub(super) struct WireBlock<'a> {
    #[serde(borrow, default)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) citations: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(super) thinking: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) signature: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) data: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
}

/// A kind of block that has a place in the canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    Text,
    Thinking,
    RedactedThinking,
    ToolUse,
}

/// Tokens. In a stream each event tells those that have changed.
#[derive(Deserialize)]
pub(super) struct WireUsage<'a> {
    #[serde(default)]
    input_tokens: Option<u64>,
    #[serde(default)]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default)]
    cache_read_input_tokens: Option<u64>,
    #[serde(default)]
    output_tokens: Option<u64>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
    #[serde(borrow, default)]
    service_tier: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct OutputDetails {
    #[serde(default)]
    thinking_tokens: Option<u64>,
}

/// Tokens as Anthropic counts them: what came from the cache or went into it is counted apart.
#[derive(Debug, Default)]
pub(super) struct Tally {
    fresh: u64,
    written: u64,
    cached: u64,
    output: u64,
    thinking: u64,
}

impl Tally {
    /// Takes what is told; what is not told stays.
    pub(super) fn update(&mut self, wire: &WireUsage<'_>) {
        let thinking = wire.output_tokens_details.as_ref().and_then(|details| details.thinking_tokens);
        for (count, told) in [
            (&mut self.fresh, wire.input_tokens),
            (&mut self.written, wire.cache_creation_input_tokens),
            (&mut self.cached, wire.cache_read_input_tokens),
            (&mut self.output, wire.output_tokens),
            (&mut self.thinking, thinking),
        ] {
            *count = told.unwrap_or(*count);
        }
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            input: self.fresh.saturating_add(self.written).saturating_add(self.cached),
            cached_input: self.cached,
            cache_write: self.written,
            output: self.output,
            reasoning: self.thinking,
            ..Usage::default()
        }
    }
}

impl<'a> WireUsage<'a> {
    /// The tier that served, in OpenAI's words.
    pub(super) fn service_tier(&mut self) -> Option<Text<'a>> {
        let tier = self.service_tier.take()?.0;
        Some(if tier == "standard" { Cow::Borrowed("default") } else { tier })
    }
}

/// A block's kind, `None` for those that are passed over.
pub(super) fn kind_of(kind: &str) -> Option<BlockKind> {
    Some(match kind {
        "text" => BlockKind::Text,
        "thinking" => BlockKind::Thinking,
        "redacted_thinking" => BlockKind::RedactedThinking,
        "tool_use" => BlockKind::ToolUse,
        _ => return None,
    })
}

/// A block of a kind that has a place; `Ok(None)` for others.
pub(super) fn read_block(raw: &RawValue) -> Result<Option<(BlockKind, WireBlock<'_>)>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
    }
    let Kind { kind } = serde_json::from_str(raw.get())?;
    match kind_of(&kind) {
        Some(kind) => Ok(Some((kind, serde_json::from_str(raw.get())?))),
        None => Ok(None),
    }
}

/// Where a text is from.
pub(super) fn citation(raw: &RawValue) -> Citation<'_> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, default)]
        url: Option<Str<'a>>,
        #[serde(borrow, default)]
        title: Option<Str<'a>>,
    }
    match serde_json::from_str(raw.get()) {
        Ok(Wire { url: Some(url), title }) => {
            Citation::Url { url: url.0, title: title.map(|title| title.0), span: None }
        }
        Ok(Wire { url: None, .. }) | Err(_) => Citation::Document(raw),
    }
}

/// Why an answer ended. `calls` says whether the client's tools are called, for the tool that is none ends an answer too.
pub(super) fn finish(reason: &str, calls: bool) -> Finish {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" if calls => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        // `end_turn`, `stop_sequence`; after `pause_turn` the model would go on, which no client of OpenAI knows to ask for.
        _ => Finish::Stop,
    }
}

/// Reads a whole answer.
pub(super) fn read(body: &str) -> Option<Response<'_>> {
    let wire: WireMessage<'_> = serde_json::from_str(body).ok()?;
    let mut wire = wire.kind.as_deref().is_some_and(|kind| kind == "message").then_some(wire)?;
    let mut parts = Vec::with_capacity(wire.content.len());
    let mut answer = None;
    for raw in &wire.content {
        let Some((kind, block)) = read_block(raw).ok()? else { continue };
        if kind == BlockKind::ToolUse && block.name.as_deref() == Some(JSON_TOOL) {
            answer = Some(block.input.map_or("{}", RawValue::get));
        } else {
            parts.push(part_of(kind, block));
        }
    }
    if let Some(text) = answer {
        // The answer is JSON and nothing else, whatever a model that was only asked to has said before it.
        parts.retain(|part| !matches!(part, Part::Text(_)));
        parts.push(Part::Text(TextPart { text: Cow::Borrowed(text), ..TextPart::default() }));
    }
    let explanation = wire.stop_details.and_then(|details| details.explanation);
    parts.extend(explanation.map(|explanation| Part::Refusal(explanation.0)));
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = wire.stop_reason.as_deref().map(|reason| finish(reason, calls));
    let service_tier = wire.usage.as_mut().and_then(WireUsage::service_tier);
    let usage = wire.usage.as_ref().map(|wire| {
        let mut tally = Tally::default();
        tally.update(wire);
        tally.usage()
    });
    Some(Response {
        id: wire.id.map(|id| id.0),
        model: wire.model.map(|model| model.0),
        choices: vec![Choice { parts, finish, logprobs: Vec::new() }],
        usage,
        service_tier,
    })
}

fn part_of(kind: BlockKind, block: WireBlock<'_>) -> Part<'_> {
    match kind {
        BlockKind::Text => {
            let citations = block.citations.into_iter().flatten().map(citation).collect();
            Part::Text(TextPart { text: block.text.unwrap_or_default().0, citations, ..TextPart::default() })
        }
        BlockKind::Thinking => Part::Thinking {
            text: block.thinking.unwrap_or_default().0,
            signature: block.signature.filter(|signature| !signature.is_empty()).map(|signature| signature.0),
        },
        BlockKind::RedactedThinking => Part::RedactedThinking(block.data.unwrap_or_default().0),
        BlockKind::ToolUse => Part::ToolCall(ToolCall {
            id: block.id.unwrap_or_default().0,
            name: block.name.unwrap_or_default().0,
            arguments: Cow::Borrowed(block.input.map_or("{}", RawValue::get)),
            signature: None,
        }),
    }
}
