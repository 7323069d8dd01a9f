//! The messages of a chat request: turns, what is thought and called in them, and what tools answered.

use alloc::{borrow::Cow, format, vec::Vec};
use serde_json::value::RawValue;

use super::content;
use crate::{
    chat::{Message, Part, Request, Role, Text, ToolCall, ToolResult},
    dialect::{
        call_id,
        field::{note_spare, typed},
    },
    error::Error,
    json::{Str, record},
    map::NameMap,
};

record! {
    struct WireMessage<'a> {
        role: Str<'a>,
        content: Option<&'a RawValue>,
        name: Option<Str<'a>>,
        tool_calls: Option<Vec<WireCall<'a>>>,
        function_call: Option<WireCalled<'a>>,
        tool_call_id: Option<Str<'a>>,
        is_error: Option<bool>,
        refusal: Option<Str<'a>>,
        reasoning_content: Option<Str<'a>>,
        thinking_blocks: Option<Vec<WireThought<'a>>>,
        extra_content: Option<Extra<'a>>,
        cache_control: Option<&'a RawValue>,
        /// Of the assistant: what it said aloud in an earlier answer.
        audio: Option<&'a RawValue>,
    }
}

/// The members of a message that are read.
const KNOWN: &str = "role name function_call{name arguments} tool_call_id is_error refusal reasoning_content cache_control audio \
    content{type text refusal image_url{url detail} input_audio{data format} file{file_data file_id filename} cache_control} \
    tool_calls{id type index function{name arguments} extra_content{google{thought_signature}} cache_control} \
    thinking_blocks{type index thinking signature data cache_control} extra_content{google{thought_signature}}";

record! {
    struct WireCall<'a> {
        id: Option<Str<'a>>,
        function: Option<WireCalled<'a>>,
        extra_content: Option<Extra<'a>>,
        cache_control: Option<&'a RawValue>,
    }
}

record! {
    struct WireCalled<'a> {
        name: Str<'a>,
        arguments: Option<Str<'a>>,
    }
}

record! {
    struct WireThought<'a> {
        thinking: Option<Str<'a>>,
        signature: Option<Str<'a>>,
        data: Option<Str<'a>>,
    }
}

record! {
    /// <https://ai.google.dev/gemini-api/docs/thought-signatures#openai>
    #[derive(Clone)]
    struct Extra<'a> {
        google: Option<Google<'a>>,
    }
}

record! {
    #[derive(Clone)]
    struct Google<'a> {
        thought_signature: Option<Str<'a>>,
    }
}

impl<'a> Extra<'a> {
    fn signature(self) -> Option<Text<'a>> {
        self.google.and_then(|google| google.thought_signature).map(|signature| signature.0)
    }
}

/// Reads the conversation.
pub(super) fn read_messages<'a>(raw: &'a RawValue, request: &mut Request<'a>) -> Result<Vec<Message<'a>>, Error> {
    let raws: Vec<&RawValue> = typed("messages", raw)?;
    let mut messages: Vec<Message<'_>> = Vec::with_capacity(raws.len());
    // By the call's id, the name of the tool that was called last under it.
    let mut called: NameMap<'_, Text<'_>> = NameMap::default();
    for (index, raw) in raws.into_iter().enumerate() {
        let path = format!("messages[{index}]");
        let wire = typed::<WireMessage<'_>>(&path, raw)?;
        note_spare(raw, KNOWN, "messages[]", request);
        let role = match &*wire.role {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" | "function" => Role::Tool,
            other => {
                let message = format!("`{other}` is no role: system, developer, user, assistant or tool is expected.");
                return Err(Error::refusing(message, format!("{path}.role")));
            }
        };
        let at = (index, path.as_str());
        let message =
            if role == Role::Tool { read_tool_message(wire, &called, at)? } else { read_turn(wire, role, at)? };
        for part in &message.parts {
            if let Part::ToolCall(call) = part {
                called.insert(call.id.clone(), call.name.clone());
            }
        }
        messages.push(message);
    }
    Ok(messages)
}

fn read_turn<'a>(wire: WireMessage<'a>, role: Role, (place, path): (usize, &str)) -> Result<Message<'a>, Error> {
    if wire.audio.is_some() {
        let message = "What a model has said aloud cannot be told to this one.";
        return Err(Error::refusing(message, format!("{path}.audio")));
    }
    let mut parts = Vec::new();
    let mut cache = wire.cache_control;
    let thought = wire.reasoning_content.filter(|text| !text.is_empty());
    let mut blocks = wire.thinking_blocks.unwrap_or_default();
    if let Some(thought) = thought.filter(|_| !is_whole(&blocks)) {
        parts.push(Part::Thinking { text: thought.0, signature: None });
        blocks.retain(|block| block.data.is_some());
    }
    read_thoughts(blocks, &mut parts);
    if let Some(raw) = wire.content {
        content::read(raw, &format!("{path}.content"), &mut parts)?;
    }
    parts.extend(wire.refusal.map(|refusal| Part::Refusal(refusal.0)));
    let calls = wire.tool_calls.into_iter().flatten();
    for (index, call) in calls.enumerate() {
        let Some(WireCalled { name, arguments }) = call.function else {
            let message = "Only calls of functions can be translated for this model.";
            return Err(Error::refusing(message, format!("{path}.tool_calls[{index}]")));
        };
        let (id, carried) = call_id::split(call.id.map(|id| id.0).unwrap_or_default());
        let signature = call.extra_content.and_then(Extra::signature).or(carried);
        // Nothing but calls can follow it, so it stands near enough behind all of them.
        cache = cache.or(call.cache_control);
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
    Ok(Message { role, name: wire.name.map(|name| name.0), parts, cache, place })
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
            Some(begun) => {
                let mut begun = begun.into_owned();
                begun.push_str(&piece);
                Cow::Owned(begun)
            }
        };
        match block.signature.filter(|signature| !signature.is_empty()) {
            Some(signature) => parts.push(Part::Thinking { text, signature: Some(signature.0) }),
            None => open = Some(text),
        }
    }
    parts.extend(open.map(|text| Part::Thinking { text, signature: None }));
}

fn read_tool_message<'a>(
    wire: WireMessage<'a>,
    called: &NameMap<'a, Text<'a>>,
    (place, path): (usize, &str),
) -> Result<Message<'a>, Error> {
    let id = match wire.tool_call_id.or_else(|| wire.name.clone()) {
        Some(id) => call_id::split(id.0).0,
        None => return Err(Error::refusing("A tool message needs a `tool_call_id`.", format!("{path}.tool_call_id"))),
    };
    let mut parts = Vec::new();
    if let Some(raw) = wire.content {
        content::read(raw, &format!("{path}.content"), &mut parts)?;
    }
    let name = wire.name.map(|name| name.0).filter(|name| !name.is_empty()).or_else(|| called.get(&id).cloned());
    let result = ToolResult { id, name, parts, is_error: wire.is_error.unwrap_or(false), cache: wire.cache_control };
    Ok(Message { role: Role::Tool, name: None, parts: alloc::vec![Part::ToolResult(result)], cache: None, place })
}
