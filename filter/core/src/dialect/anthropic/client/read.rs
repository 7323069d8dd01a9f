//! A whole request, read into the canonical one.
//!
//! What has no place there and makes the answer no other one is noted as left out, whatever its name: the API gets new members
//! often. A member that is of the wrong type is refused by its path.

use alloc::{borrow::Cow, format, string::String};
use serde_json::value::RawValue;

use super::{tools, turns};
use crate::{
    chat::{Format, Request, User},
    dialect::field::{self, fill, members_of, note_spare_in, typed},
    error::{Error, Kind},
    json::{Read, Slot, Str, members, record},
    map::NameSet,
};

/// The members that are read of what has some.
const KNOWN: &str = "thinking{type budget_tokens display} tool_choice{type name disable_parallel_tool_use} \
    output_config{effort format{type schema}} output_format{type schema}";

/// Reads a request.
pub(super) fn read(body: &str) -> Result<Request<'_>, Error> {
    let members = members(body).ok_or_else(|| Error::refusing("The body must be a JSON object.", ""))?;
    let mut request = Request::default();
    let (mut system, mut messages) = (None, None);
    let mut seen = NameSet::default();
    for (name, raw) in members {
        // Two readers could disagree on which of them counts.
        if !seen.insert(name.0.clone()) {
            return Err(Error::refusing(format!("`{}` stands twice.", &*name), String::from(&*name)));
        }
        // The head answers for the model.
        if matches!(raw.get(), "null" | "[]") || &*name == "model" {
            continue;
        }
        note_spare_in(&name, raw, KNOWN, &mut request);
        if let Some(slot) = slot(&name, &mut request) {
            fill(&name, raw, slot)?;
            continue;
        }
        match &*name {
            "system" => system = Some(raw),
            "messages" => messages = Some(raw),
            "tools" => tools::read(raw, &mut request)?,
            "tool_choice" => tools::read_choice(raw, &mut request)?,
            "temperature" => request.temperature = Some(field::temperature(raw)?),
            "thinking" => {
                if !field::thinking(raw, &mut request.reasoning)? {
                    request.leave("thinking");
                }
            }
            "output_config" => read_output(raw, &mut request)?,
            // Its name before it was generally available.
            "output_format" => request.format = Some(read_format(&name, raw)?),
            "metadata" => read_metadata(raw, &mut request)?,
            "thread" => {
                check_thread(raw)?;
                request.leave("thread");
            }
            // Whatever else is left out, these decide: see `Ability::Hosted`.
            "container" | "inference_geo" | "mcp_servers" => request.unplaced.push(name.0),
            _ => request.leave(name.0),
        }
    }
    // `auto` is what everybody does who is told nothing.
    let is_standard = request.service_tier.as_deref() == Some("standard_only");
    request.service_tier = is_standard.then_some(Cow::Borrowed("default"));
    // Who is not to think does not do so with effort.
    if request.reasoning.budget == Some(0) {
        request.reasoning.effort = None;
    }
    let messages = messages.ok_or_else(|| Error::refusing("`messages` must have at least one message.", "messages"))?;
    turns::read(system, messages, &mut request)?;
    Ok(request)
}

/// Where a member goes that is one value, or a list of such.
fn slot<'r, 'a>(name: &str, request: &'r mut Request<'a>) -> Option<Slot<'r, 'a>> {
    Some(match name {
        "max_tokens" => request.max_tokens.slot(),
        "stop_sequences" => request.stop.slot(),
        "top_p" => request.top_p.slot(),
        "top_k" => request.top_k.slot(),
        "service_tier" => request.service_tier.slot(),
        "stream" => request.stream.slot(),
        _ => return None,
    })
}

/// A conversation that Anthropic holds between turns. No other provider does: one that begins is none, which the API leaves
/// open until it is to go on, and one that goes on brings its new messages alone and must come whole.
/// <https://platform.claude.com/docs/en/build-with-claude/message-threads>
fn check_thread(raw: &RawValue) -> Result<(), Error> {
    record! {
        struct Wire<'a> {
            kind: Str<'a> = "type",
        }
    }
    let thread: Wire<'_> = typed("thread", raw)?;
    if &*thread.kind == "create" {
        return Ok(());
    }
    let message = "The thread is held by no provider that this request may go to. Send the whole conversation.";
    Err(Error::new(Kind::ThreadNotFound, message))
}

/// <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>,
/// <https://platform.claude.com/docs/en/build-with-claude/effort>
fn read_output<'a>(raw: &'a RawValue, request: &mut Request<'a>) -> Result<(), Error> {
    for (name, value) in members_of("output_config", raw)? {
        match &*name {
            _ if value.get() == "null" => {}
            "effort" => {
                request.reasoning.effort = Some(field::effort("output_config.effort", value)?);
                request.reasoning.members.push("output_config.effort");
            }
            "format" => request.format = Some(read_format("output_config.format", value)?),
            other => request.leave(format!("output_config.{other}")),
        }
    }
    Ok(())
}

/// Anthropic holds an answer to its schema always.
fn read_format<'a>(path: &str, raw: &'a RawValue) -> Result<Format<'a>, Error> {
    record! {
        struct Wire<'a> {
            kind: Str<'a> = "type",
            schema: Option<&'a RawValue>,
        }
    }
    let wire: Wire<'_> = typed(path, raw)?;
    if &*wire.kind != "json_schema" {
        return Err(Error::refusing(format!("`{}` is no format of answers.", &*wire.kind), format!("{path}.type")));
    }
    Ok(Format::JsonSchema {
        name: Cow::Borrowed("response"),
        description: None,
        schema: wire.schema,
        strict: Some(true),
    })
}

fn read_metadata<'a>(raw: &'a RawValue, request: &mut Request<'a>) -> Result<(), Error> {
    for (name, value) in members_of("metadata", raw)? {
        match &*name {
            _ if value.get() == "null" => {}
            "user_id" => {
                let id: Str<'_> = typed("metadata.user_id", value)?;
                request.user = Some(User { id: id.0, member: "metadata.user_id" });
            }
            other => request.leave(format!("metadata.{other}")),
        }
    }
    Ok(())
}
