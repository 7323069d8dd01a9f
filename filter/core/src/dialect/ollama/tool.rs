//! Tools, which the model may call or not: it cannot be made to. Forbidden tools are not shown to it, and a tool that must
//! be called is the only one that is.

use alloc::vec::Vec;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    chat::{CallMode, Request, Tool},
    dialect::Dropped,
    error::Error,
};

#[derive(Serialize)]
pub(super) struct WireTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    parameters: Parameters<'a>,
}

/// Templates of models walk through the properties, so that there must be some, if only none.
#[derive(Serialize)]
#[serde(untagged)]
enum Parameters<'a> {
    Schema(&'a RawValue),
    Nothing {
        #[serde(rename = "type")]
        kind: &'static str,
        properties: Empty,
    },
}

#[derive(Serialize)]
struct Empty {}

/// The tools that the model is shown.
pub(super) fn write<'a>(request: &'a Request<'_>, dropped: &mut Dropped) -> Result<Vec<WireTool<'a>>, Error> {
    dropped.note_if(request.parallel_tools == Some(false) && !request.tools.is_empty(), "parallel_tool_calls");
    let calling = request.calling()?;
    dropped.note_if(calling.mode == CallMode::Must && calling.forced().is_none(), "tool_choice");
    Ok(calling.tools(request).into_iter().map(|tool| WireTool::new(tool, dropped)).collect())
}

impl<'a> WireTool<'a> {
    fn new(tool: &'a Tool<'_>, dropped: &mut Dropped) -> Self {
        dropped.note_if(tool.strict == Some(true), "tools[].function.strict");
        dropped.note_if(tool.cache.is_some(), "cache_control");
        let parameters = match tool.parameters {
            Some(schema) => Parameters::Schema(schema),
            None => Parameters::Nothing { kind: "object", properties: Empty {} },
        };
        let function = WireFunction { name: &tool.name, description: tool.description.as_deref(), parameters };
        Self { kind: "function", function }
    }
}
