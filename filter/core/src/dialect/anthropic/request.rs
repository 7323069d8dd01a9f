//! A request, written for its model.

use alloc::{borrow::Cow, string::String, vec::Vec};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Dropped,
    block::{self, Block},
    conversation::{self, Conversation, Turn},
    model::abilities_of,
    thinking::{Mind, Thinking},
    tools::{Choice, OutputFormat, Toolbox, WireTool},
};
use crate::{
    chat::Request,
    dialect::{
        Aim, Written,
        abilities::{self, Ability},
    },
    error::{Error, Kind},
    step::Name,
};

/// <https://platform.claude.com/docs/en/api/versioning>
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// Headers of the format, and what one says that a client leaves out; empty where it is not sent then.
pub(crate) const HEADERS: &[(&str, &str)] = &[VERSION, ("anthropic-beta", "")];

pub(super) const ABILITIES: &[Ability] =
    &[Ability::WebSearch, Ability::SearchWithTools, Ability::JsonWithTools, Ability::Files, Ability::LinkedImages];

#[derive(Serialize)]
struct Body<'r> {
    model: &'r str,
    max_tokens: u64,
    #[serde(serialize_with = "block::content", skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'r>>,
    messages: Vec<Turn<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'r>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'r RawValue>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct OutputConfig<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<OutputFormat<'r>>,
}

impl OutputConfig<'_> {
    fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

#[derive(Serialize)]
struct Metadata<'r> {
    user_id: &'r str,
}

/// Writes a request for its model.
pub(super) fn write(request: &Request<'_>, aim: &Aim<'_>) -> Result<Written, Error> {
    let mut dropped = Dropped::default();
    abilities::require(ABILITIES, request)?;
    note_harmless(request, &mut dropped);
    let abilities = abilities_of(aim.model);
    let Conversation { mut system, turns } = Conversation::read(&request.messages, &mut dropped)?;
    if turns.is_empty() {
        return Err(Error::refusing("This model needs a message that says something.", "messages"));
    }
    let mut toolbox = Toolbox::new(request, abilities, &mut dropped)?;
    let cache_control = read_other(request, &mut dropped);
    if let Some(instruction) = toolbox.instruction.take() {
        system.push(Block::Text { text: Cow::Owned(instruction), citations: Vec::new(), cache_control: None });
    }
    let allows_budget = conversation::allows_budget(&turns);
    let forces_tool = toolbox.forces();
    let mind = Mind::new(request, abilities, aim.max_output_tokens, allows_budget, forces_tool, &mut dropped);
    let body = Body {
        model: aim.model,
        max_tokens: mind.max_tokens,
        system,
        messages: turns,
        tools: toolbox.tools,
        tool_choice: toolbox.choice,
        thinking: mind.thinking,
        output_config: OutputConfig { effort: mind.effort, format: toolbox.format },
        stop_sequences: request.stop.iter().map(AsRef::as_ref).filter(|stop: &&str| !stop.is_empty()).collect(),
        temperature: mind.temperature,
        top_p: mind.top_p,
        top_k: mind.top_k,
        metadata: request.user.as_ref().map(|user| Metadata { user_id: &user.id }),
        service_tier: service_tier(request, &mut dropped),
        cache_control,
        stream: request.stream,
    };
    // Strings, numbers and JSON with string names: nothing here can fail to be written.
    let body =
        serde_json::to_vec(&body).map_err(|_| Error::new(Kind::InvalidRequest, "The request cannot be written."))?;
    let headers = alloc::vec![(Name::Borrowed(VERSION.0), String::from(VERSION.1))];
    Ok(Written { path: "/messages".into(), headers, body, dropped })
}

/// Notes what only makes an answer likelier or unlikelier.
fn note_harmless(request: &Request<'_>, dropped: &mut Dropped) {
    let is_wish = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    dropped.note_if(request.seed.is_some(), "seed");
    dropped.note_if(is_wish(request.presence_penalty), "presence_penalty");
    dropped.note_if(is_wish(request.frequency_penalty), "frequency_penalty");
}

/// Members of the request that have no place in the canonical form. Returns the cache breakpoint behind all of it.
fn read_other<'r>(request: &'r Request<'_>, dropped: &mut Dropped) -> Option<&'r RawValue> {
    let mut cache_control = None;
    for (name, raw) in &request.other {
        match name.as_ref() {
            "cache_control" => cache_control = Some(*raw),
            name => dropped.note(name),
        }
    }
    cache_control
}

/// <https://platform.claude.com/docs/en/api/service-tiers>: priority is what is used as far as it was bought.
fn service_tier(request: &Request<'_>, dropped: &mut Dropped) -> Option<&'static str> {
    match request.service_tier.as_deref()? {
        "auto" | "priority" => Some("auto"),
        "default" | "standard_only" => Some("standard_only"),
        _ => {
            dropped.note("service_tier");
            None
        }
    }
}
