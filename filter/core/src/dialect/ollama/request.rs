//! A chat request, written for Ollama.
//!
//! Two defaults of Ollama's are turned round, because no client of another API expects them: a conversation that is longer
//! than the model's context is refused instead of cut at its beginning (`truncate`), and an answer that fills the context
//! ends for its length instead of going on over a forgotten prompt (`shift`). A client that wants the old ways says so by the
//! same names. Servers know both since October 2025 (<https://github.com/ollama/ollama/pull/12582>); older ones cut as they
//! did, for Go's decoder passes over members that it does not know (<https://pkg.go.dev/encoding/json#Unmarshal>).

use alloc::vec::Vec;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    message::{self, WireMessage},
    option::Options,
    tool::{self, WireTool},
};
use crate::{
    chat::{Effort, Format, Reasoning, Request},
    dialect::{
        Aim, Dropped, Written,
        abilities::{self, Ability},
    },
    error::Error,
};

pub(super) const ABILITIES: &[Ability] =
    &[Ability::Logprobs, Ability::JsonWithTools, Ability::WhiteStop, Ability::Hearing];

#[derive(Serialize)]
struct WireRequest<'a> {
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<WireFormat<'a>>,
    #[serde(skip_serializing_if = "Options::is_empty")]
    options: Options<'a>,
    /// Streaming is Ollama's default.
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Think<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u32>,
    truncate: Switch<'a>,
    shift: Switch<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireFormat<'a> {
    Word(&'static str),
    Schema(&'a RawValue),
}

/// What models that know no levels make of one is Ollama's business; it takes levels for all models that think.
#[derive(Serialize)]
#[serde(untagged)]
enum Think<'a> {
    Switch(bool),
    Level(&'static str),
    Raw(&'a RawValue),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Switch<'a> {
    Usual(bool),
    Raw(&'a RawValue),
}

/// Writes a request.
pub(super) fn write(request: &Request<'_>, aim: &Aim<'_>) -> Result<Written, Error> {
    abilities::require(ABILITIES, request)?;
    let mut dropped = Dropped::default();
    let mut wire = WireRequest {
        model: aim.model,
        messages: message::write(&request.messages, &mut dropped)?,
        tools: tool::write(request, &mut dropped)?,
        format: request.format.as_ref().and_then(|format| write_format(format, &mut dropped)),
        options: Options::new(request),
        stream: request.stream,
        think: write_think(&request.reasoning, &mut dropped),
        logprobs: request.logprobs.map(|_| true),
        top_logprobs: request.logprobs.filter(|alternatives| *alternatives > 0),
        truncate: Switch::Usual(false),
        shift: Switch::Usual(false),
        keep_alive: None,
    };
    if let Some(user) = &request.user {
        dropped.note(user.member);
    }
    let tier = request.service_tier.as_deref();
    dropped.note_if(tier.is_some_and(|tier| !matches!(tier, "auto" | "default")), "service_tier");
    for (name, value) in &request.other {
        wire.take(name, value, &mut dropped)?;
    }
    // Strings, numbers, checked JSON and lists with string names: nothing here can fail to be written.
    let body = serde_json::to_vec(&wire).unwrap_or_default();
    Ok(Written { path: "/chat".into(), headers: Vec::new(), body, dropped })
}

impl<'a> WireRequest<'a> {
    /// Takes a member that has no place in the canonical request.
    fn take(&mut self, name: &str, value: &'a RawValue, dropped: &mut Dropped) -> Result<(), Error> {
        match name {
            "keep_alive" => self.keep_alive = Some(value),
            "truncate" => self.truncate = Switch::Raw(value),
            "shift" => self.shift = Switch::Raw(value),
            "think" => {
                self.think.get_or_insert(Think::Raw(value));
            }
            "options" => self.options.give(value)?,
            _ if self.options.take(name, value) => {}
            _ => dropped.note(name),
        }
        Ok(())
    }
}

fn write_format<'a>(format: &'a Format<'_>, dropped: &mut Dropped) -> Option<WireFormat<'a>> {
    match format {
        Format::Text => None,
        Format::JsonObject => Some(WireFormat::Word("json")),
        Format::JsonSchema { schema, description, .. } => {
            dropped.note_if(description.is_some(), "response_format.json_schema.description");
            Some(schema.map_or(WireFormat::Word("json"), WireFormat::Schema))
        }
    }
}

/// `max` is the latest of Ollama's levels, of April 2026 (<https://github.com/ollama/ollama/pull/15787>): older servers refuse
/// it by its name. A budget in tokens becomes the level that it stands for.
fn write_think<'a>(reasoning: &Reasoning<'_>, dropped: &mut Dropped) -> Option<Think<'a>> {
    if reasoning.budget.is_some_and(|budget| budget > 0) {
        reasoning.members.iter().for_each(|member| dropped.note(member));
    }
    if let Some(telling) = &reasoning.telling {
        dropped.note(telling.member);
    }
    let effort = reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget))?;
    Some(match effort {
        Effort::None => Think::Switch(false),
        Effort::Minimal | Effort::Low => Think::Level("low"),
        Effort::Medium => Think::Level("medium"),
        Effort::High => Think::Level("high"),
        Effort::Xhigh => Think::Level("max"),
    })
}
