//! A chat request, written for Ollama.
//!
//! Two defaults of Ollama's are turned round, because no client of another API expects them: a conversation that is longer
//! than the model's context is refused instead of cut at its beginning (`truncate`), and an answer that fills the context
//! ends for its length instead of going on over a forgotten prompt (`shift`). A client that wants the old ways says so by the
//! same names.

use alloc::{borrow::Cow, format, vec::Vec};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    message::{self, WireMessage},
    omission::Omissions,
    option::Options,
    tool::{self, WireTool},
};
use crate::{
    chat::{Effort, Format, Reasoning, Request},
    dialect::{Aim, Written},
    error::{Error, Kind},
};

/// Members that would make another answer and have no counterpart.
const REFUSED: &[&str] =
    &["guided_choice", "guided_grammar", "guided_json", "guided_regex", "logit_bias", "web_search_options"];

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

/// Models that know no levels take each level for a yes.
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
    if request.choices.is_some_and(|choices| choices != 1) {
        return Err(refuse("This model gives one answer only: `n` must be 1.", "n"));
    }
    let mut omissions = Omissions::default();
    let mut wire = WireRequest {
        model: aim.model,
        messages: message::write(&request.messages, &mut omissions)?,
        tools: tool::write(request, &mut omissions)?,
        format: request.format.as_ref().and_then(|format| write_format(format, &mut omissions)),
        options: Options::new(request),
        stream: request.stream,
        think: write_think(&request.reasoning, &mut omissions),
        logprobs: request.logprobs.map(|_| true),
        top_logprobs: request.logprobs.filter(|alternatives| *alternatives > 0),
        truncate: Switch::Usual(false),
        shift: Switch::Usual(false),
        keep_alive: None,
    };
    omissions.note_if(request.user.is_some(), "user");
    omissions.note_if(request.service_tier.is_some(), "service_tier");
    for (name, value) in &request.other {
        wire.take(name, value, &mut omissions)?;
    }
    // Strings, numbers, checked JSON and lists with string names: nothing here can fail to be written.
    let body = serde_json::to_vec(&wire).unwrap_or_default();
    Ok(Written { path: "/chat".into(), headers: Vec::new(), body, dropped: omissions.0 })
}

impl<'a> WireRequest<'a> {
    /// Takes a member that has no place in the canonical request.
    fn take(&mut self, name: &str, value: &'a RawValue, omissions: &mut Omissions) -> Result<(), Error> {
        match name {
            "keep_alive" => self.keep_alive = Some(value),
            "truncate" => self.truncate = Switch::Raw(value),
            "shift" => self.shift = Switch::Raw(value),
            "think" => {
                self.think.get_or_insert(Think::Raw(value));
            }
            "options" => self.options.merge(value)?,
            "modalities" => {
                let modalities: Vec<Cow<'_, str>> = serde_json::from_str(value.get()).unwrap_or_default();
                if modalities.iter().any(|modality| modality != "text") {
                    return Err(refuse("This model answers with text only.", "modalities"));
                }
            }
            _ if self.options.take(name, value) => {}
            "logit_bias" if value.get() == "{}" => {}
            _ if REFUSED.contains(&name) => {
                return Err(refuse(format!("`{name}` cannot be translated for this model."), Cow::Owned(name.into())));
            }
            // A client may send any number of names: they are not compared with each other.
            _ => omissions.0.push(name.into()),
        }
        Ok(())
    }
}

fn write_format<'a>(format: &'a Format<'_>, omissions: &mut Omissions) -> Option<WireFormat<'a>> {
    match format {
        Format::Text => None,
        Format::JsonObject => Some(WireFormat::Word("json")),
        Format::JsonSchema { schema, description, .. } => {
            omissions.note_if(description.is_some(), "response_format.json_schema.description");
            Some(schema.map_or(WireFormat::Word("json"), WireFormat::Schema))
        }
    }
}

/// `max` is the latest of Ollama's levels. A budget in tokens becomes the level that it usually stands for.
fn write_think<'a>(reasoning: &Reasoning<'_>, omissions: &mut Omissions) -> Option<Think<'a>> {
    let level = |effort| match effort {
        Effort::None => Think::Switch(false),
        Effort::Minimal | Effort::Low => Think::Level("low"),
        Effort::Medium => Think::Level("medium"),
        Effort::High => Think::Level("high"),
        Effort::Xhigh => Think::Level("max"),
    };
    omissions.note_if(reasoning.budget.is_some_and(|budget| budget > 0), "thinking.budget_tokens");
    match (reasoning.effort, reasoning.budget) {
        (Some(effort), _) => Some(level(effort)),
        (None, None) => None,
        (None, Some(0)) => Some(level(Effort::None)),
        (None, Some(1..=2048)) => Some(level(Effort::Low)),
        (None, Some(2049..=8192)) => Some(level(Effort::Medium)),
        (None, Some(_)) => Some(level(Effort::High)),
    }
}

/// Blames a field for what Ollama cannot do.
pub(super) fn refuse(message: impl Into<alloc::string::String>, field: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Kind::InvalidRequest, message).blaming(field)
}
