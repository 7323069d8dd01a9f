//! The tools of a chat request, and which of them may be called.

use alloc::{format, vec::Vec};
use serde_json::value::RawValue;

use crate::{
    chat::{Request, Tool, ToolChoice},
    dialect::field::{note_spare, typed},
    error::Error,
    json::{self, Str, record},
};

record! {
    struct WireTool<'a> {
        kind: Option<Str<'a>> = "type",
        function: Option<&'a RawValue>,
        cache_control: Option<&'a RawValue>,
    }
}

record! {
    struct WireFunction<'a> {
        name: Str<'a>,
        description: Option<Str<'a>>,
        parameters: Option<&'a RawValue>,
        strict: Option<bool>,
        cache_control: Option<&'a RawValue>,
    }
}

impl<'a> WireFunction<'a> {
    fn tool(self, cache: Option<&'a RawValue>) -> Tool<'a> {
        Tool {
            name: self.name.0,
            description: self.description.map(|description| description.0),
            parameters: self.parameters,
            strict: self.strict,
            cache: cache.or(self.cache_control),
        }
    }
}

/// The members of a tool that are read.
const KNOWN: &str = "type cache_control function{name description parameters strict cache_control}";

/// Reads `tools`.
pub(super) fn read_tools<'a>(raw: &'a RawValue, request: &mut Request<'a>) -> Result<Vec<Tool<'a>>, Error> {
    let raws: Vec<&RawValue> = typed("tools", raw)?;
    let tools = raws.into_iter().enumerate().map(|(index, raw)| {
        let wire: WireTool<'_> = typed(&format!("tools[{index}]"), raw)?;
        note_spare(raw, KNOWN, "tools[]", request);
        let Some(function) = wire.function else {
            let kind = wire.kind.unwrap_or_default();
            let message = format!("A tool of type `{}` cannot be translated for this model; use functions.", &*kind);
            return Err(Error::refusing(message, format!("tools[{index}].type")));
        };
        let function: WireFunction<'_> = typed(&format!("tools[{index}].function"), function)?;
        Ok(function.tool(wire.cache_control))
    });
    tools.collect()
}

/// Reads `functions`, the form before `tools`.
pub(super) fn read_functions(raw: &RawValue) -> Result<Vec<Tool<'_>>, Error> {
    let functions: Vec<WireFunction<'_>> = typed("functions", raw)?;
    Ok(functions.into_iter().map(|function| function.tool(None)).collect())
}

record! {
    struct WireChoice<'a> {
        function: Option<WireName<'a>>,
        allowed_tools: Option<WireAllowed<'a>>,
    }
}

record! {
    struct WireName<'a> {
        name: Str<'a>,
    }
}

record! {
    struct WireAllowed<'a> {
        mode: Option<Str<'a>>,
        tools: Vec<WireChoice<'a>>,
    }
}

/// Reads `tool_choice`.
pub(super) fn read_tool_choice(raw: &RawValue) -> Result<ToolChoice<'_>, Error> {
    let wrong =
        || Error::refusing("`tool_choice` must be none, auto, required, a function or allowed tools.", "tool_choice");
    match raw.get() {
        r#""auto""# => return Ok(ToolChoice::Auto),
        r#""none""# => return Ok(ToolChoice::None),
        r#""required""# => return Ok(ToolChoice::Required),
        _ => {}
    }
    let wire: WireChoice<'_> = json::read(raw.get()).map_err(|_| wrong())?;
    match (wire.function, wire.allowed_tools) {
        (Some(function), _) => Ok(ToolChoice::Named(function.name.0)),
        (None, Some(allowed)) => {
            let names = allowed.tools.into_iter().map(|tool| tool.function.map(|function| function.name.0));
            let names = names.collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
            Ok(ToolChoice::Allowed { names, required: allowed.mode.as_deref() == Some("required") })
        }
        (None, None) => Err(wrong()),
    }
}

/// Reads `function_call`.
pub(super) fn read_legacy_call(raw: &RawValue) -> Result<ToolChoice<'_>, Error> {
    match raw.get() {
        r#""auto""# => Ok(ToolChoice::Auto),
        r#""none""# => Ok(ToolChoice::None),
        _ => typed::<WireName<'_>>("function_call", raw).map(|named| ToolChoice::Named(named.name.0)),
    }
}
