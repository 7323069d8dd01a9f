//! A request: <https://ai.google.dev/api/generate-content#request-body>.
//!
//! Everything is borrowed from the canonical request, so that a picture is copied once, into the body. JSON Schemas go
//! unchanged into the fields that take JSON Schema; the older `parameters` and `responseSchema` know a part of it only.

use alloc::{format, string::String, vec::Vec};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    contents::{Content, contents},
    family::Family,
    options::Options,
    thinking::{Thinking, thinking},
};
use crate::{
    chat::{CallMode, Format, Request, Text},
    dialect::{
        Aim, Dropped, Written,
        abilities::{self, Ability},
    },
    error::{Error, Kind},
    segment,
};

const ABILITIES: &[Ability] = &[
    Ability::Choices,
    Ability::Logprobs,
    Ability::Pictures,
    // Newer models can search beside tools, if the calls of the search itself come back with the results of the functions
    // (<https://ai.google.dev/gemini-api/docs/tool-combination>): OpenAI's shape has no place for them.
    Ability::WebSearch,
    Ability::WhiteStop,
    Ability::Hearing,
    Ability::Files,
    Ability::LinkedImages,
    // Before Gemini 3, "Function calling with a response mime type: 'application/json' is unsupported"
    // (<https://ai.google.dev/gemini-api/docs/structured-output>).
    Ability::JsonWithTools,
];

/// What a model can do.
pub(super) fn abilities(model: &str) -> &'static [Ability] {
    match ABILITIES.split_last() {
        Some((_, older)) if !Family::of(model).is_levelled() => older,
        Some(_) | None => ABILITIES,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'a>>,
    contents: Vec<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    generation_config: Generation<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_settings: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Tools<'a> {
    FunctionDeclarations(Vec<Declaration<'a>>),
    GoogleSearch {},
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Declaration<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig<'a> {
    function_calling_config: Calling<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Calling<'a> {
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_function_names: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Generation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'a [Text<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    response_modalities: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ThinkingConfig<'a> {
    Own(&'a RawValue),
    Mapped(Thinking),
}

/// Writes a request.
pub(super) fn write(request: &Request<'_>, aim: &Aim<'_>) -> Result<Written, Error> {
    abilities::require(abilities(aim.model), request)?;
    let family = Family::of(aim.model);
    let mut dropped = Dropped::default();
    let options = Options::read(request, &mut dropped)?;
    let (system_instruction, contents) = contents(&request.messages, family, &mut dropped)?;
    let (functions, calling) = functions(request, family, &mut dropped)?;
    let mut tools = Vec::new();
    if !functions.is_empty() {
        tools.push(Tools::FunctionDeclarations(functions));
    }
    if options.searches {
        tools.push(Tools::GoogleSearch {});
    }
    if let Some(user) = &request.user {
        dropped.note(user.member);
    }
    let service_tier = match request.service_tier.as_deref() {
        None | Some("auto") => None,
        Some("default" | "standard") => Some("standard"),
        Some("flex") => Some("flex"),
        Some("priority") => Some("priority"),
        Some(_) => {
            dropped.note("service_tier");
            None
        }
    };
    let body = Body {
        system_instruction,
        contents,
        tools,
        tool_config: calling.map(|function_calling_config| ToolConfig { function_calling_config }),
        generation_config: generation(request, &options, family, &mut dropped),
        safety_settings: options.safety_settings,
        cached_content: options.cached_content,
        service_tier,
        store: options.stores,
    };
    let body = serde_json::to_vec(&body)
        .map_err(|_| Error::new(Kind::InvalidRequest, "The request has a number that JSON cannot express."))?;
    Ok(Written {
        path: path(aim.model, if request.stream { "streamGenerateContent?alt=sse" } else { "generateContent" }),
        headers: Vec::new(),
        body,
        dropped,
    })
}

/// The functions and how they are called. A strict one wants validated calls, of which nothing is known before Gemini 2.5.
fn functions<'a>(
    request: &'a Request<'_>,
    family: Family,
    dropped: &mut Dropped,
) -> Result<(Vec<Declaration<'a>>, Option<Calling<'a>>), Error> {
    /// What holds where nothing is said.
    const AUTO: &str = "AUTO";
    let tools = &request.tools;
    let is_strict = tools.iter().any(|tool| tool.strict == Some(true));
    let validates = family != Family::Plain;
    let calling = request.calling()?;
    let mode = match calling.mode {
        // "Model behavior is same as when not passing any function declarations": where they would be refused, they stay away.
        CallMode::Never if request.is_json() && !family.is_levelled() => return Ok((Vec::new(), None)),
        CallMode::Never => "NONE",
        CallMode::Must => "ANY",
        CallMode::Free if validates && (is_strict || calling.only.is_some()) => "VALIDATED",
        CallMode::Free => AUTO,
    };
    if tools.is_empty() {
        return Ok((Vec::new(), None));
    }
    dropped.note_if(request.parallel_tools == Some(false), "parallel_tool_calls");
    dropped.note_if(tools.iter().any(|tool| tool.cache.is_some()), "cache_control");
    dropped.note_if(is_strict && mode == AUTO, "tools[].function.strict");
    let allowed_function_names = calling.only.iter().flatten().map(|tool| &*tool.name).collect();
    let declared = match calling.only {
        // That mode restricts nothing: what may not be called is not declared.
        Some(only) if mode == AUTO => only,
        Some(_) | None => tools.iter().collect(),
    };
    let declarations = declared.into_iter().map(|tool| Declaration {
        name: &tool.name,
        description: tool.description.as_deref(),
        parameters_json_schema: tool.parameters,
    });
    let declarations = declarations.collect();
    Ok((declarations, (mode != AUTO).then_some(Calling { mode, allowed_function_names })))
}

fn generation<'a>(
    request: &'a Request<'a>,
    options: &Options<'a>,
    family: Family,
    dropped: &mut Dropped,
) -> Generation<'a> {
    let (response_mime_type, response_json_schema) = match &request.format {
        None | Some(Format::Text) => (None, None),
        Some(Format::JsonObject) => (Some("application/json"), None),
        // Its name is a label only, and what it says always holds.
        Some(Format::JsonSchema { schema, description, .. }) => {
            dropped.note_if(description.is_some(), "response_format.json_schema.description");
            (Some("application/json"), *schema)
        }
    };
    let thinking_config = match options.thinking_config {
        Some(raw) => Some(ThinkingConfig::Own(raw)),
        None => thinking(&request.reasoning, family, dropped).map(ThinkingConfig::Mapped),
    };
    Generation {
        max_output_tokens: request.max_tokens,
        stop_sequences: &request.stop,
        temperature: request.temperature,
        top_p: request.top_p,
        top_k: request.top_k,
        // Many clients send a zero, and many models refuse any penalty.
        presence_penalty: request.presence_penalty.filter(|penalty| *penalty != 0.0),
        frequency_penalty: request.frequency_penalty.filter(|penalty| *penalty != 0.0),
        seed: request.seed.map(fold_seed),
        candidate_count: request.choices.filter(|choices| *choices != 1),
        response_logprobs: request.logprobs.map(|_| true),
        logprobs: request.logprobs.filter(|alternatives| *alternatives > 0),
        response_mime_type,
        response_json_schema,
        response_modalities: options.modalities.clone(),
        thinking_config,
    }
}

/// A seed for Gemini, which takes 32 bits: the same for the same, and itself where it fits.
fn fold_seed(seed: i64) -> i32 {
    let [a, b, c, d, ..] = seed.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// The path of a model's method. A name cannot leave its segment.
pub(super) fn path(model: &str, method: &str) -> String {
    let (collection, name) = match model.split_once('/') {
        Some((collection @ ("models" | "tunedModels"), name)) => (collection, name),
        Some(_) | None => ("models", model),
    };
    let mut path = format!("/{collection}/");
    segment::push(&mut path, name);
    path.push(':');
    path.push_str(method);
    path
}
