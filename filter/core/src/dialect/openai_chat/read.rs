//! A whole chat request, read into the canonical one.
//!
//! Besides `OpenAI`'s own fields it knows what others have put into the same shape: `thinking_blocks`, `reasoning_content`,
//! `cache_control`, `thinking` and `reasoning` (Anthropic's and `OpenRouter`'s ways to ask for thought), `extra_content`
//! (Google's way to carry thought signatures). A field that is of the wrong type is refused by its path.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{call_id, content};
use crate::{
    chat::{Effort, Format, Message, Part, Reasoning, Request, Role, Text, Tool, ToolCall, ToolChoice, ToolResult},
    error::{Error, Kind},
    json::{Str, members},
};

/// Members that the head already answers for.
const HEAD: &[&str] = &["model", "stream_options"];

/// Reads a request.
pub(super) fn read(body: &str) -> Result<Request<'_>, Error> {
    let members = members(body).ok_or_else(|| invalid("The body must be a JSON object.", ""))?;
    let mut request = Request::default();
    let (mut legacy_functions, mut legacy_call) = (None, None);
    for (name, raw) in members {
        if raw.get() == "null" || HEAD.contains(&&*name) {
            continue;
        }
        match &*name {
            "messages" => request.messages = read_messages(raw)?,
            "tools" => request.tools = read_tools(raw)?,
            "tool_choice" => request.tool_choice = Some(read_tool_choice(raw)?),
            "functions" => legacy_functions = Some(raw),
            "function_call" => legacy_call = Some(raw),
            "parallel_tool_calls" => request.parallel_tools = Some(typed(&name, raw)?),
            "response_format" => request.format = Some(read_format(raw)?),
            "max_completion_tokens" => request.max_tokens = Some(typed(&name, raw)?),
            "max_tokens" => request.max_tokens = request.max_tokens.or(Some(typed(&name, raw)?)),
            "stop" => request.stop = read_stop(raw)?,
            "temperature" => request.temperature = Some(read_temperature(raw)?),
            "top_p" => request.top_p = Some(typed(&name, raw)?),
            "top_k" => request.top_k = Some(typed(&name, raw)?),
            "presence_penalty" => request.presence_penalty = Some(typed(&name, raw)?),
            "frequency_penalty" => request.frequency_penalty = Some(typed(&name, raw)?),
            "seed" => request.seed = Some(typed(&name, raw)?),
            "n" => request.choices = Some(typed(&name, raw)?),
            "logprobs" => {
                if typed::<bool>(&name, raw)? {
                    request.logprobs = request.logprobs.or(Some(0));
                }
            }
            "top_logprobs" => request.logprobs = Some(typed(&name, raw)?),
            "reasoning_effort" => request.reasoning.effort = Some(read_effort("reasoning_effort", raw)?),
            "reasoning" => read_reasoning(raw, &mut request.reasoning)?,
            "thinking" => read_thinking(raw, &mut request.reasoning)?,
            "user" | "safety_identifier" => request.user = Some(typed::<Str<'_>>(&name, raw)?.0),
            "service_tier" => request.service_tier = Some(typed::<Str<'_>>(&name, raw)?.0),
            "stream" => request.stream = typed(&name, raw)?,
            _ => request.other.push((name.0, raw)),
        }
    }
    if let Some(raw) = legacy_functions {
        let functions: Vec<WireFunction<'_>> = typed("functions", raw)?;
        request.tools.extend(functions.into_iter().map(|function| function.tool(None)));
    }
    if let Some(raw) = legacy_call {
        request.tool_choice = Some(read_legacy_call(raw)?);
    }
    if request.messages.is_empty() {
        return Err(invalid("`messages` must have at least one message.", "messages"));
    }
    Ok(request)
}

#[derive(Deserialize)]
struct WireMessage<'a> {
    #[serde(borrow)]
    role: Str<'a>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<Str<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<WireCall<'a>>>,
    #[serde(borrow, default)]
    function_call: Option<WireCalled<'a>>,
    #[serde(borrow, default)]
    tool_call_id: Option<Str<'a>>,
    #[serde(default)]
    is_error: Option<bool>,
    #[serde(borrow, default)]
    refusal: Option<Str<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Str<'a>>,
    #[serde(borrow, default)]
    thinking_blocks: Option<Vec<WireThought<'a>>>,
    #[serde(borrow, default)]
    extra_content: Option<Extra<'a>>,
    #[serde(borrow, default)]
    cache_control: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireCall<'a> {
    #[serde(borrow, default)]
    id: Option<Str<'a>>,
    #[serde(borrow, default)]
    function: Option<WireCalled<'a>>,
    #[serde(borrow, default)]
    extra_content: Option<Extra<'a>>,
}

#[derive(Deserialize)]
struct WireCalled<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    #[serde(borrow, default)]
    arguments: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct WireThought<'a> {
    #[serde(borrow, default)]
    thinking: Option<Str<'a>>,
    #[serde(borrow, default)]
    signature: Option<Str<'a>>,
    #[serde(borrow, default)]
    data: Option<Str<'a>>,
}

/// <https://ai.google.dev/gemini-api/docs/thought-signatures#openai>
#[derive(Deserialize, Clone)]
struct Extra<'a> {
    #[serde(borrow, default)]
    google: Option<Google<'a>>,
}

#[derive(Deserialize, Clone)]
struct Google<'a> {
    #[serde(borrow, default)]
    thought_signature: Option<Str<'a>>,
}

impl<'a> Extra<'a> {
    fn signature(self) -> Option<Text<'a>> {
        self.google.and_then(|google| google.thought_signature).map(|signature| signature.0)
    }
}

fn read_messages(raw: &RawValue) -> Result<Vec<Message<'_>>, Error> {
    let raws: Vec<&RawValue> = typed("messages", raw)?;
    let mut messages: Vec<Message<'_>> = Vec::with_capacity(raws.len());
    for (index, raw) in raws.into_iter().enumerate() {
        let path = format!("messages[{index}]");
        let wire: WireMessage<'_> = typed(&path, raw)?;
        let role = match &*wire.role {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" | "function" => Role::Tool,
            other => {
                let message = format!("`{other}` is no role: system, developer, user, assistant or tool is expected.");
                return Err(invalid(message, format!("{path}.role")));
            }
        };
        let message =
            if role == Role::Tool { read_tool_message(wire, &messages, &path)? } else { read_turn(wire, role, &path)? };
        messages.push(message);
    }
    Ok(messages)
}

fn read_turn<'a>(wire: WireMessage<'a>, role: Role, path: &str) -> Result<Message<'a>, Error> {
    let mut parts = Vec::new();
    let thought = wire.reasoning_content.filter(|text| !text.is_empty());
    match wire.thinking_blocks {
        Some(blocks) if !blocks.is_empty() && (thought.is_none() || is_whole(&blocks)) => {
            read_thoughts(blocks, &mut parts);
        }
        Some(_) | None => parts.extend(thought.map(|text| Part::Thinking { text: text.0, signature: None })),
    }
    if let Some(raw) = wire.content {
        content::read(raw, &format!("{path}.content"), &mut parts)?;
    }
    if let Some(cache) = wire.cache_control {
        content::mark(&mut parts, cache);
    }
    parts.extend(wire.refusal.map(|refusal| Part::Refusal(refusal.0)));
    let calls = wire.tool_calls.into_iter().flatten();
    for (index, call) in calls.enumerate() {
        let Some(WireCalled { name, arguments }) = call.function else {
            let message = "Only calls of functions can be translated for this model.";
            return Err(invalid(message, format!("{path}.tool_calls[{index}]")));
        };
        let (id, carried) = call_id::split(call.id.map(|id| id.0).unwrap_or_default());
        let signature = call.extra_content.and_then(Extra::signature).or(carried);
        parts.push(Part::ToolCall(ToolCall {
            id,
            name: name.0,
            arguments: arguments.unwrap_or_default().0,
            signature,
        }));
    }
    if let Some(WireCalled { name, arguments }) = wire.function_call {
        // The legacy form has no id: the function's name stands in for it, in the answer too.
        let id = name.0.clone();
        parts.push(Part::ToolCall(ToolCall {
            id,
            name: name.0,
            arguments: arguments.unwrap_or_default().0,
            signature: None,
        }));
    }
    if let Some(signature) = wire.extra_content.and_then(Extra::signature)
        && let Some(Part::Text(text)) = parts.iter_mut().rev().find(|part| matches!(part, Part::Text(_)))
    {
        text.signature = Some(signature);
    }
    Ok(Message { role, name: wire.name.map(|name| name.0), parts })
}

/// Whether blocks say what was thought. The Node SDK's helper for streams keeps the last piece of a list that it does not know
/// (openai 6.49, 2026), here a signature without what it signs, which no provider takes.
fn is_whole(blocks: &[WireThought<'_>]) -> bool {
    blocks.iter().any(|block| block.thinking.as_ref().is_some_and(|text| !text.is_empty()))
}

/// Thoughts as they were sent in an answer. Clients that collect a stream's pieces without joining them send many pieces,
/// of which the last one is signed.
fn read_thoughts<'a>(blocks: Vec<WireThought<'a>>, parts: &mut Vec<Part<'a>>) {
    let mut open: Option<Text<'a>> = None;
    for block in blocks {
        if let Some(data) = block.data {
            parts.push(Part::RedactedThinking(data.0));
            continue;
        }
        let piece = block.thinking.unwrap_or_default().0;
        let text = match open.take() {
            None => piece,
            Some(begun) => Cow::Owned([begun, piece].concat()),
        };
        match block.signature.filter(|signature| !signature.is_empty()) {
            Some(signature) => parts.push(Part::Thinking { text, signature: Some(signature.0) }),
            None => open = Some(text),
        }
    }
    parts.extend(open.map(|text| Part::Thinking { text, signature: None }));
}

fn read_tool_message<'a>(wire: WireMessage<'a>, before: &[Message<'a>], path: &str) -> Result<Message<'a>, Error> {
    let id = match wire.tool_call_id.or_else(|| wire.name.clone()) {
        Some(id) => call_id::split(id.0).0,
        None => return Err(invalid("A tool message needs a `tool_call_id`.", format!("{path}.tool_call_id"))),
    };
    let mut parts = Vec::new();
    if let Some(raw) = wire.content {
        content::read(raw, &format!("{path}.content"), &mut parts)?;
    }
    let said = before.iter().rev().flat_map(|message| &message.parts);
    let calls = said.filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None });
    let name = wire
        .name
        .map(|name| name.0)
        .or_else(|| calls.into_iter().find(|call| call.id == id).map(|call| call.name.clone()));
    let result = ToolResult { id, name, parts, is_error: wire.is_error.unwrap_or(false), cache: wire.cache_control };
    Ok(Message { role: Role::Tool, name: None, parts: alloc::vec![Part::ToolResult(result)] })
}

#[derive(Deserialize)]
struct WireTool<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Option<Str<'a>>,
    #[serde(borrow, default)]
    function: Option<WireFunction<'a>>,
    #[serde(borrow, default)]
    cache_control: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireFunction<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    #[serde(borrow, default)]
    description: Option<Str<'a>>,
    #[serde(borrow, default)]
    parameters: Option<&'a RawValue>,
    #[serde(default)]
    strict: Option<bool>,
    #[serde(borrow, default)]
    cache_control: Option<&'a RawValue>,
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

fn read_tools(raw: &RawValue) -> Result<Vec<Tool<'_>>, Error> {
    let wires: Vec<WireTool<'_>> = typed("tools", raw)?;
    let tools = wires.into_iter().enumerate().map(|(index, wire)| {
        let Some(function) = wire.function else {
            let kind = wire.kind.unwrap_or_default();
            let message = format!("A tool of type `{}` cannot be translated for this model; use functions.", &*kind);
            return Err(invalid(message, format!("tools[{index}].type")));
        };
        Ok(function.tool(wire.cache_control))
    });
    tools.collect()
}

#[derive(Deserialize)]
struct WireChoice<'a> {
    #[serde(borrow, default)]
    function: Option<WireName<'a>>,
    #[serde(borrow, default)]
    allowed_tools: Option<WireAllowed<'a>>,
}

#[derive(Deserialize)]
struct WireName<'a> {
    #[serde(borrow)]
    name: Str<'a>,
}

#[derive(Deserialize)]
struct WireAllowed<'a> {
    #[serde(borrow, default)]
    mode: Option<Str<'a>>,
    #[serde(borrow)]
    tools: Vec<WireChoice<'a>>,
}

fn read_tool_choice(raw: &RawValue) -> Result<ToolChoice<'_>, Error> {
    let wrong = || invalid("`tool_choice` must be none, auto, required, a function or allowed tools.", "tool_choice");
    match raw.get() {
        r#""auto""# => return Ok(ToolChoice::Auto),
        r#""none""# => return Ok(ToolChoice::None),
        r#""required""# => return Ok(ToolChoice::Required),
        _ => {}
    }
    let wire: WireChoice<'_> = serde_json::from_str(raw.get()).map_err(|_| wrong())?;
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

fn read_legacy_call(raw: &RawValue) -> Result<ToolChoice<'_>, Error> {
    match raw.get() {
        r#""auto""# => Ok(ToolChoice::Auto),
        r#""none""# => Ok(ToolChoice::None),
        _ => typed::<WireName<'_>>("function_call", raw).map(|named| ToolChoice::Named(named.name.0)),
    }
}

fn read_format(raw: &RawValue) -> Result<Format<'_>, Error> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, rename = "type")]
        kind: Str<'a>,
        #[serde(borrow, default)]
        json_schema: Option<WireSchema<'a>>,
    }
    #[derive(Deserialize)]
    struct WireSchema<'a> {
        #[serde(borrow, default)]
        name: Option<Str<'a>>,
        #[serde(borrow, default)]
        description: Option<Str<'a>>,
        #[serde(borrow, default)]
        schema: Option<&'a RawValue>,
        #[serde(default)]
        strict: Option<bool>,
    }
    let wire: Wire<'_> = typed("response_format", raw)?;
    match (&*wire.kind, wire.json_schema) {
        ("text", _) => Ok(Format::Text),
        ("json_object", _) => Ok(Format::JsonObject),
        ("json_schema", Some(wire)) => Ok(Format::JsonSchema {
            name: wire.name.map_or(Cow::Borrowed("response"), |name| name.0),
            description: wire.description.map(|description| description.0),
            schema: wire.schema,
            strict: wire.strict,
        }),
        ("json_schema", None) => {
            Err(invalid("`response_format.json_schema` is missing.", "response_format.json_schema"))
        }
        (other, _) => Err(invalid(format!("`{other}` is no response format."), "response_format.type")),
    }
}

fn read_stop(raw: &RawValue) -> Result<Vec<Text<'_>>, Error> {
    if raw.get().starts_with('"') {
        return typed::<Str<'_>>("stop", raw).map(|stop| alloc::vec![stop.0]);
    }
    typed::<Vec<Str<'_>>>("stop", raw).map(|stops| stops.into_iter().map(|stop| stop.0).collect())
}

fn read_temperature(raw: &RawValue) -> Result<f64, Error> {
    let temperature: f64 = typed("temperature", raw)?;
    if (0.0..=2.0).contains(&temperature) {
        return Ok(temperature);
    }
    Err(invalid("`temperature` must be between 0 and 2.", "temperature"))
}

fn read_effort(path: &str, raw: &RawValue) -> Result<Effort, Error> {
    Ok(match &*typed::<Str<'_>>(path, raw)? {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" | "max" => Effort::Xhigh,
        other => return Err(invalid(format!("`{other}` is no reasoning effort."), String::from(path))),
    })
}

/// `OpenRouter`'s way: <https://openrouter.ai/docs/use-cases/reasoning-tokens>.
fn read_reasoning<'a>(raw: &'a RawValue, reasoning: &mut Reasoning<'a>) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, default)]
        effort: Option<&'a RawValue>,
        #[serde(default)]
        max_tokens: Option<u64>,
        #[serde(default)]
        enabled: Option<bool>,
        #[serde(borrow, default)]
        summary: Option<Str<'a>>,
    }
    let wire: Wire<'_> = typed("reasoning", raw)?;
    if let Some(effort) = wire.effort {
        reasoning.effort = Some(read_effort("reasoning.effort", effort)?);
    }
    match wire.enabled {
        Some(false) => reasoning.effort = Some(Effort::None),
        Some(true) if wire.max_tokens.is_none() => reasoning.effort = reasoning.effort.or(Some(Effort::Medium)),
        Some(true) | None => {}
    }
    reasoning.budget = wire.max_tokens.or(reasoning.budget);
    reasoning.summary = wire.summary.map(|summary| summary.0);
    Ok(())
}

/// Anthropic's way, as its own API and LiteLLM's clients write it.
fn read_thinking(raw: &RawValue, reasoning: &mut Reasoning<'_>) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        /// Absent where other members are set only, as Z.ai's `clear_thinking`.
        #[serde(borrow, rename = "type", default)]
        kind: Option<Str<'a>>,
        #[serde(default)]
        budget_tokens: Option<u64>,
    }
    let wire: Wire<'_> = typed("thinking", raw)?;
    let Some(kind) = wire.kind else { return Ok(()) };
    match &*kind {
        "disabled" => reasoning.budget = Some(0),
        "enabled" if wire.budget_tokens.is_some() => reasoning.budget = wire.budget_tokens,
        "enabled" | "adaptive" | "auto" => reasoning.effort = reasoning.effort.or(Some(Effort::Medium)),
        other => return Err(invalid(format!("`{other}` is no kind of thinking."), "thinking.type")),
    }
    Ok(())
}

/// Reads a value, or blames it.
pub(super) fn typed<'a, T: Deserialize<'a>>(path: &str, raw: &'a RawValue) -> Result<T, Error> {
    serde_json::from_str(raw.get())
        .map_err(|_| invalid(format!("`{path}` is not of the right type."), String::from(path)))
}

pub(super) fn invalid(message: impl Into<String>, param: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Kind::InvalidRequest, message).blaming(param)
}
