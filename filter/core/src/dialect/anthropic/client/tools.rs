//! The tools of a request, and which of them may be called.
//!
//! A tool of Anthropic's own is either run on its servers or known to its models by heart, and no other model has either: but for
//! the search in the web, which others have, too.

use alloc::{format, string::String, vec::Vec};
use serde_json::value::RawValue;

use crate::{
    chat::{Request, Text, Tool, ToolChoice, WebSearch},
    dialect::field::{fill, members_of, typed},
    error::Error,
    json::{Read, Str, record},
};

/// Reads `tools`.
pub(super) fn read<'a>(raw: &'a RawValue, request: &mut Request<'a>) -> Result<(), Error> {
    let raws: Vec<&RawValue> = typed("tools", raw)?;
    for (index, raw) in raws.into_iter().enumerate() {
        let path = format!("tools[{index}]");
        let members = members_of(&path, raw)?;
        let kind = members.iter().find(|(name, value)| &**name == "type" && value.get() != "null");
        let kind: Option<Str<'_>> = kind.map(|(_, kind)| typed(&format!("{path}.type"), kind)).transpose()?;
        match kind.as_deref() {
            None | Some("custom") => read_function(members, &path, request)?,
            Some(kind) if kind.starts_with("web_search_") => read_search(&members, &path, request)?,
            Some(kind) => {
                let message =
                    format!("A tool of type `{kind}` cannot be translated for this model; give an `input_schema`.");
                return Err(Error::refusing(message, format!("{path}.type")));
            }
        }
    }
    Ok(())
}

fn read_function<'a>(
    members: Vec<(Str<'a>, &'a RawValue)>,
    path: &str,
    request: &mut Request<'a>,
) -> Result<(), Error> {
    let mut name = None::<Text<'a>>;
    let mut tool = Tool { name: Text::default(), description: None, parameters: None, strict: None, cache: None };
    for (member, value) in members {
        if matches!(value.get(), "null" | "false" | "[]") {
            continue;
        }
        let slot = match &*member {
            "name" => name.slot(),
            "description" => tool.description.slot(),
            "input_schema" => tool.parameters.slot(),
            "strict" => tool.strict.slot(),
            "cache_control" => tool.cache.slot(),
            "type" => continue,
            other => {
                request.leave(format!("tools[].{other}"));
                continue;
            }
        };
        fill(&format!("{path}.{}", &*member), value, slot)?;
    }
    let name = name.ok_or_else(|| Error::refusing("A tool needs a `name`.", format!("{path}.name")))?;
    request.tools.push(Tool { name, ..tool });
    Ok(())
}

/// A search that is bound to some places, or kept from some, would be another one without that.
fn read_search<'a>(members: &[(Str<'a>, &'a RawValue)], path: &str, request: &mut Request<'a>) -> Result<(), Error> {
    let mut search = WebSearch::default();
    for (member, value) in members {
        match &**member {
            "type" | "name" => {}
            _ if matches!(value.get(), "null" | "false" | "[]") => {}
            "user_location" => search.user_location = Some(typed(&format!("{path}.user_location"), value)?),
            bound @ ("allowed_domains" | "blocked_domains") => {
                let message = format!("`{bound}` cannot be expressed for this model.");
                return Err(Error::refusing(message, format!("{path}.{bound}")));
            }
            other => request.leave(format!("tools[].{other}")),
        }
    }
    request.web_search = Some(search);
    Ok(())
}

/// Reads `tool_choice`.
pub(super) fn read_choice<'a>(raw: &'a RawValue, request: &mut Request<'a>) -> Result<(), Error> {
    record! {
        struct Wire<'a> {
            kind: Str<'a> = "type",
            name: Option<Str<'a>>,
            disable_parallel_tool_use: Option<bool>,
        }
    }
    let wire: Wire<'_> = typed("tool_choice", raw)?;
    request.tool_choice = Some(match (&*wire.kind, wire.name) {
        ("auto", _) => ToolChoice::Auto,
        ("any", _) => ToolChoice::Required,
        ("none", _) => ToolChoice::None,
        ("tool", Some(name)) => ToolChoice::Named(name.0),
        _ => {
            return Err(Error::refusing(
                "`tool_choice` must be auto, any, none or a tool.",
                String::from("tool_choice"),
            ));
        }
    });
    request.parallel_tools = wire.disable_parallel_tool_use.filter(|is_disabled| *is_disabled).map(|_| false);
    Ok(())
}
