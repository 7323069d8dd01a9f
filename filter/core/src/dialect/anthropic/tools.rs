//! What the model may call, whether it must, and the shape of its answer: one wish, because a shape that the format cannot
//! express is a tool that must be called.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Dropped, JSON_TOOL, model::Abilities, schema};
use crate::{
    chat::{CallMode, Calling, Format, Place, Request, Tool, WebSearch},
    error::Error,
    json,
};

/// Most tools of one request whose arguments are held to a schema.
const MAX_STRICT: usize = 20;

/// `tools`, `tool_choice` and `output_config.format`.
#[derive(Debug, Default)]
pub(super) struct Toolbox<'r> {
    pub(super) tools: Vec<WireTool<'r>>,
    pub(super) choice: Option<Choice<'r>>,
    pub(super) format: Option<OutputFormat<'r>>,
    /// What to tell a model that cannot be made to call a tool.
    pub(super) instruction: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum WireTool<'r> {
    Function {
        name: &'r str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'r str>,
        input_schema: Cow<'r, RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'r RawValue>,
    },
    WebSearch {
        #[serde(rename = "type")]
        kind: &'static str,
        name: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_location: Option<Located<'r>>,
    },
}

/// Where the user is.
#[derive(Debug, Serialize)]
pub(super) struct Located<'r> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    place: Place<'r>,
}

/// `tool_choice`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Choice<'r> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'r str>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

/// `output_config.format`.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OutputFormat<'r> {
    JsonSchema { schema: Cow<'r, RawValue> },
}

const AUTO: &str = "auto";
const ANY: &str = "any";
const TOOL: &str = "tool";
const NONE: &str = "none";

const OBJECT: &str = r#"{"type":"object"}"#;
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;
const JSON_DESCRIPTION: &str = "Gives the answer: one JSON object, which is the input of this tool as a whole.";

impl<'r> Toolbox<'r> {
    pub(super) fn new(request: &'r Request<'_>, abilities: Abilities, dropped: &mut Dropped) -> Result<Self, Error> {
        if let Some(index) = request.tools.iter().position(|tool| tool.name == JSON_TOOL) {
            let path = format!("tools[{index}].function.name");
            return Err(Error::refusing(format!("`{JSON_TOOL}` is the name of a tool of the gateway."), path));
        }
        let mut toolbox = Self::default();
        let takes_strict =
            abilities.schemas && request.tools.iter().filter(|tool| tool.strict == Some(true)).count() <= MAX_STRICT;
        let calling = request.calling()?;
        // A choice can name one tool, of a model that can be made to call one; otherwise those are shown that may be called.
        let tools = match (&calling.only, calling.forced()) {
            (Some(only), forced) if forced.is_none() || !abilities.forcing => only.clone(),
            (Some(_) | None, _) => request.tools.iter().collect(),
        };
        toolbox.tools = tools.into_iter().map(|tool| function(tool, takes_strict, dropped)).collect();
        if let Some(search) = &request.web_search {
            toolbox.search(search, dropped);
        }
        toolbox.choice = toolbox.choice_of(request, &calling);
        toolbox.shape(request, abilities, dropped);
        if !abilities.forcing {
            toolbox.persuade(dropped);
        }
        Ok(toolbox)
    }

    /// Whether a tool must be called.
    pub(super) fn forces(&self) -> bool {
        self.choice.is_some_and(|choice| matches!(choice.kind, ANY | TOOL))
    }

    /// Lets the model search the web.
    fn search(&mut self, search: &WebSearch<'r>, dropped: &mut Dropped) {
        dropped.note_if(search.context_size.is_some(), "web_search_options.search_context_size");
        let user_location = search.user_location.map(|place| Located { kind: "approximate", place });
        self.tools.push(WireTool::WebSearch { kind: "web_search_20250305", name: "web_search", user_location });
    }

    fn choice_of(&self, request: &Request<'_>, calling: &Calling<'r, '_>) -> Option<Choice<'r>> {
        if self.tools.is_empty() {
            return None;
        }
        let disable_parallel_tool_use = request.parallel_tools == Some(false);
        let choice = |kind, name| Some(Choice { kind, name, disable_parallel_tool_use });
        match (calling.mode, calling.forced()) {
            (CallMode::Free, _) if request.tool_choice.is_none() && !disable_parallel_tool_use => None,
            (CallMode::Free, _) => choice(AUTO, None),
            (CallMode::Must, None) => choice(ANY, None),
            (CallMode::Must, Some(tool)) => choice(TOOL, Some(&*tool.name)),
            (CallMode::Never, _) => Some(Choice { kind: NONE, name: None, disable_parallel_tool_use: false }),
        }
    }

    /// Sees to the shape of the answer. Where tools are called in any case there is no text to have one.
    fn shape(&mut self, request: &'r Request<'_>, abilities: Abilities, dropped: &mut Dropped) {
        let (schema, description) = match &request.format {
            None | Some(Format::Text) => return,
            Some(Format::JsonObject | Format::JsonSchema { schema: None, .. }) => (None, None),
            Some(Format::JsonSchema { schema: Some(schema), description, strict, .. }) => {
                if abilities.schemas
                    && let Some(schema) = schema::narrow(schema)
                {
                    dropped.note_if(description.is_some(), "response_format.json_schema.description");
                    self.format = Some(OutputFormat::JsonSchema { schema });
                    return;
                }
                dropped.note_if(*strict == Some(true), "response_format.json_schema.strict");
                (Some(*schema), description.as_deref())
            }
        };
        if self.forces() {
            return;
        }
        let may_call_others = !self.tools.is_empty() && self.choice.is_none_or(|choice| choice.kind == AUTO);
        self.tools.push(WireTool::Function {
            name: JSON_TOOL,
            description: description.or(Some(JSON_DESCRIPTION)),
            input_schema: schema.map_or_else(|| constant(OBJECT), schema::of_object),
            strict: None,
            cache_control: None,
        });
        self.choice = Some(if may_call_others {
            let disable_parallel_tool_use = request.parallel_tools == Some(false);
            Choice { kind: ANY, name: None, disable_parallel_tool_use }
        } else {
            Choice { kind: TOOL, name: Some(JSON_TOOL), disable_parallel_tool_use: true }
        });
    }

    /// For models that refuse to be made to call a tool, Anthropic's advice is to ask for it in the system prompt.
    fn persuade(&mut self, dropped: &mut Dropped) {
        let offers_json = self.tools.last().is_some_and(WireTool::is_json);
        let Some(choice) = self.choice.as_mut().filter(|choice| matches!(choice.kind, ANY | TOOL)) else { return };
        dropped.note(if offers_json { "response_format" } else { "tool_choice" });
        self.instruction = Some(match choice.name {
            Some(name) => ["Answer by calling the tool `", name, "`; write nothing before it."].concat(),
            None => String::from("Answer by calling at least one of the tools; write nothing before it."),
        });
        (choice.kind, choice.name) = (AUTO, None);
    }
}

impl WireTool<'_> {
    fn is_json(&self) -> bool {
        matches!(self, Self::Function { name: JSON_TOOL, .. })
    }
}

fn function<'r>(tool: &'r Tool<'_>, takes_strict: bool, dropped: &mut Dropped) -> WireTool<'r> {
    let narrowed = match (tool.strict, tool.parameters) {
        (Some(true), Some(parameters)) => {
            let narrowed = takes_strict.then(|| match schema::of_object(parameters) {
                Cow::Borrowed(schema) => schema::narrow(schema),
                Cow::Owned(schema) => Some(Cow::Owned(schema::narrow(&schema)?.into_owned())),
            });
            let narrowed = narrowed.flatten();
            if narrowed.is_none() {
                dropped.note("tools[].function.strict");
            }
            narrowed
        }
        (Some(_) | None, _) => None,
    };
    let strict = narrowed.as_ref().map(|_| true);
    let loose = || tool.parameters.map_or_else(|| constant(NO_ARGUMENTS), schema::of_object);
    WireTool::Function {
        name: &tool.name,
        description: tool.description.as_deref(),
        input_schema: narrowed.unwrap_or_else(loose),
        strict,
        cache_control: tool.cache,
    }
}

fn constant(json: &'static str) -> Cow<'static, RawValue> {
    // The constants are JSON.
    json::read::<&RawValue>(json).map_or(Cow::Borrowed(RawValue::NULL), Cow::Borrowed)
}
