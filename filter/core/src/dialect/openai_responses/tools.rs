//! The tools of a request, and which of them may be called.
//!
//! A tool of one text in whatever form (`custom`) is a function of one text elsewhere. A tool of OpenAI's own runs on its servers, or
//! its models know it by heart, and no other model has either: but for the search in the web, which others have, too.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde_json::value::RawValue;

use crate::{
    chat::{Request, Text, Tool, ToolChoice, WebSearch},
    dialect::{
        field::{fill, members_of, typed},
        object::Object,
    },
    error::Error,
    json::{self, Read, Str},
};

/// The one member of a custom tool's arguments.
pub(super) const INPUT: &str = "input";

/// Kinds of tools that are OpenAI's own.
pub(super) const HOSTED: &[&str] = &[
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "shell",
    "tool_search",
];

/// Kinds of those that search the web.
pub(super) const SEARCHES: &[&str] =
    &["web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"];

const OF_CUSTOM: &str =
    r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;

/// Reads `tools`, at this path.
pub(super) fn read<'a>(raw: &'a RawValue, path: &str, request: &mut Request<'a>) -> Result<(), Error> {
    let raws: Vec<&RawValue> = typed(path, raw)?;
    for (index, raw) in raws.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        let members = members_of(&path, raw)?;
        let kind = members.iter().find(|(name, _)| &**name == "type");
        let kind: Option<Str<'_>> = kind.map(|(_, kind)| typed(&format!("{path}.type"), kind)).transpose()?;
        match kind.as_deref() {
            Some("function") => read_own(members, &path, false, request)?,
            Some("custom") => read_own(members, &path, true, request)?,
            Some(kind) if kind.starts_with("web_search") => read_search(&members, &path, request)?,
            kind => {
                let kind = kind.unwrap_or_default();
                let message = format!(
                    "A tool of type `{kind}` cannot be translated for this model; use functions or custom tools."
                );
                return Err(Error::refusing(message, format!("{path}.type")));
            }
        }
    }
    Ok(())
}

/// A tool that the client runs.
fn read_own<'a>(
    members: Vec<(Str<'a>, &'a RawValue)>,
    path: &str,
    is_custom: bool,
    request: &mut Request<'a>,
) -> Result<(), Error> {
    let mut name = None::<Text<'a>>;
    let (mut description, mut parameters, mut strict) = (None::<Text<'a>>, None, None);
    for (member, value) in members {
        if matches!(value.get(), "null" | "[]") {
            continue;
        }
        let at = format!("{path}.{}", &*member);
        let slot = match &*member {
            "name" => name.slot(),
            "description" => description.slot(),
            "parameters" if !is_custom => parameters.slot(),
            "strict" if !is_custom => strict.slot(),
            "format" if is_custom => {
                if let Some(grammar) = grammar(value, &at)? {
                    request.leave("tools[].format");
                    let words = description.unwrap_or_default();
                    description = Some(Cow::Owned([&words, "\n\n", &grammar].concat()));
                }
                continue;
            }
            "type" => continue,
            _ if value.get() == "false" => continue,
            other => {
                request.leave(format!("tools[].{other}"));
                continue;
            }
        };
        fill(&at, value, slot)?;
    }
    if is_custom {
        parameters = json::read(OF_CUSTOM).ok();
    }
    let name = name.ok_or_else(|| Error::refusing("A tool needs a `name`.", format!("{path}.name")))?;
    request.tools.push(Tool { name, description, parameters, strict, cache: None });
    Ok(())
}

/// A grammar in words: nobody else is held to it.
fn grammar(raw: &RawValue, path: &str) -> Result<Option<String>, Error> {
    let format = Object::read(path, raw)?;
    let syntax = format.said(path, "syntax")?.unwrap_or_default();
    let definition = format.said(path, "definition")?;
    Ok(definition.map(|definition| format!("The input must follow this {syntax} grammar:\n{definition}")))
}

/// A search that is bound to some places would be another one without that.
fn read_search<'a>(members: &[(Str<'a>, &'a RawValue)], path: &str, request: &mut Request<'a>) -> Result<(), Error> {
    let mut search = WebSearch::default();
    for (member, value) in members {
        match &**member {
            "type" => {}
            _ if matches!(value.get(), "null" | "[]" | "{}") => {}
            "search_context_size" => search.context_size = Some(value),
            bound @ "filters" => {
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
    let wrong = || {
        let message = "`tool_choice` must be none, auto, required, a function, a custom tool or allowed tools.";
        Error::refusing(message, "tool_choice")
    };
    request.tool_choice = Some(match raw.get() {
        r#""auto""# => ToolChoice::Auto,
        r#""none""# => ToolChoice::None,
        r#""required""# => ToolChoice::Required,
        other => {
            let choice = Object::of(other);
            let name_of = |choice: &Object<'a>| choice.find::<Str<'_>>("name").map(|name| name.0);
            match (&*choice.text("type"), name_of(&choice), choice.find::<Vec<&RawValue>>("tools")) {
                ("function" | "custom", Some(name), _) => ToolChoice::Named(name),
                ("allowed_tools", _, Some(tools)) => {
                    let required = choice.text("mode") == "required";
                    let names = tools.into_iter().map(|tool| name_of(&Object::of(tool.get())));
                    ToolChoice::Allowed { names: names.collect::<Option<_>>().ok_or_else(wrong)?, required }
                }
                _ => return Err(wrong()),
            }
        }
    });
    Ok(())
}
