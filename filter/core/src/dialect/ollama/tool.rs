//! Tools, which the model may call or not: it cannot be made to. Forbidden tools are not shown to it, and a tool that must
//! be called is the only one that is.

use alloc::{format, vec::Vec};
use hashbrown::HashSet;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    chat::{Request, Text, Tool, ToolChoice},
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
    let shown = match &request.tool_choice {
        None | Some(ToolChoice::Auto) => request.tools.iter().collect(),
        Some(ToolChoice::None) => Vec::new(),
        Some(ToolChoice::Required) => {
            dropped.note("tool_choice");
            request.tools.iter().collect()
        }
        Some(ToolChoice::Named(name)) => named(request, core::slice::from_ref(name))?,
        Some(ToolChoice::Allowed { names, required }) => {
            dropped.note_if(*required, "tool_choice");
            named(request, names)?
        }
    };
    Ok(shown.into_iter().map(|tool| WireTool::new(tool, dropped)).collect())
}

/// The tools with these names, in the order of the request.
fn named<'a, 'r>(request: &'a Request<'r>, names: &[Text<'_>]) -> Result<Vec<&'a Tool<'r>>, Error> {
    let known: HashSet<&str> = request.tools.iter().map(|tool| &*tool.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&***name)) {
        return Err(Error::refusing(format!("`{unknown}` is not among the tools."), "tool_choice"));
    }
    let wanted: HashSet<&str> = names.iter().map(|name| &**name).collect();
    Ok(request.tools.iter().filter(|tool| wanted.contains(&*tool.name)).collect())
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
