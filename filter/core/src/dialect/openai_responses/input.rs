//! The conversation: a text, or items.
//!
//! What the model said, thought and called are items of their own; side by side they are one turn of the canonical form. What
//! OpenAI's own tools did on its servers is nobody else's history and is left out; what the model said about it stays. What such a
//! tool did at the client's is its only history, and what stands at the provider is nowhere else: those are refused.

use alloc::{borrow::Cow, format, string::String, vec, vec::Vec};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    carried::Carried,
    tools::{self, INPUT},
};
use crate::{
    chat::{Message, Part, Request, Role, Source, Text, TextPart, ToolCall, ToolResult},
    dialect::{call_id, field::typed, openai_chat::source},
    error::Error,
    json::{self, Str},
    map::NameMap,
};

/// Kinds of items that only who keeps them, or has their tools, can make something of.
pub(super) const KEPT: &[&str] = &[
    "apply_patch_call",
    "apply_patch_call_output",
    "compaction",
    "compaction_trigger",
    "computer_call",
    "computer_call_output",
    "item_reference",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
];

/// Kinds of items that tell what was done at the provider's.
const HOSTED: &[&str] = &[
    "code_interpreter_call",
    "file_search_call",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
];

/// Reads it.
pub(super) fn read<'a>(raw: &'a RawValue, request: &mut Request<'a>) -> Result<(), Error> {
    if raw.get().starts_with('"') {
        let text = typed::<Str<'_>>("input", raw)?.0;
        request.messages.push(Message { role: Role::User, name: None, parts: vec![said(text)], cache: None, place: 0 });
        return Ok(());
    }
    let items: Vec<&RawValue> = typed("input", raw)?;
    let mut reading = Reading { called: NameMap::default(), is_open: false, request };
    for (place, raw) in items.into_iter().enumerate() {
        reading.item(raw, place, &format!("input[{place}]"))?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct WireItem<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Option<Str<'a>>,
    #[serde(borrow, default)]
    role: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    call_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    summary: Option<&'a RawValue>,
    #[serde(borrow, default)]
    encrypted_content: Option<Str<'a>>,
    #[serde(borrow, default)]
    tools: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WirePart<'a> {
    #[serde(borrow, rename = "type")]
    kind: Str<'a>,
    #[serde(borrow, default)]
    text: Option<Str<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Str<'a>>,
    #[serde(borrow, default)]
    image_url: Option<Str<'a>>,
    #[serde(borrow, default)]
    detail: Option<Str<'a>>,
    #[serde(borrow, default)]
    file_data: Option<Str<'a>>,
    #[serde(borrow, default)]
    file_url: Option<Str<'a>>,
    #[serde(borrow, default)]
    file_id: Option<Str<'a>>,
    #[serde(borrow, default)]
    filename: Option<Str<'a>>,
    #[serde(borrow, default)]
    input_audio: Option<WireAudio<'a>>,
}

#[derive(Deserialize)]
struct WireAudio<'a> {
    #[serde(borrow)]
    data: Str<'a>,
    #[serde(borrow)]
    format: Str<'a>,
}

struct Reading<'a, 'r> {
    /// By the call's id, the name of the tool that was called last under it.
    called: NameMap<'a, Text<'a>>,
    /// Whether the last message is a turn of the model's that goes on.
    is_open: bool,
    request: &'r mut Request<'a>,
}

impl<'a> Reading<'a, '_> {
    fn item(&mut self, raw: &'a RawValue, place: usize, path: &str) -> Result<(), Error> {
        let wire: WireItem<'_> = typed(path, raw)?;
        let text_of = |member: &str, raw: Option<&'a RawValue>| {
            let at = format!("{path}.{member}");
            let raw = raw.ok_or_else(|| Error::refusing(format!("`{at}` is missing."), at.clone()))?;
            typed::<Str<'_>>(&at, raw).map(|text| text.0)
        };
        match wire.kind.as_deref() {
            None if wire.role.is_none() && wire.id.is_some() => return Err(kept(path)),
            None | Some("message") => {
                let role = match &*text_of("role", wire.role)? {
                    "user" => Role::User,
                    "assistant" => Role::Assistant,
                    "system" => Role::System,
                    "developer" => Role::Developer,
                    other => {
                        let message =
                            format!("`{other}` is no role: user, assistant, system or developer is expected.");
                        return Err(Error::refusing(message, format!("{path}.role")));
                    }
                };
                let parts = content(wire.content, &format!("{path}.content"))?;
                if role == Role::Assistant {
                    for part in parts {
                        self.say(part, place);
                    }
                } else {
                    self.push(role, parts, place);
                }
            }
            Some("reasoning") => self.thought(wire, place, path)?,
            Some(kind @ ("function_call" | "custom_tool_call")) => {
                let (id, signature) = call_id::split(text_of("call_id", wire.call_id)?);
                let name = text_of("name", wire.name)?;
                let arguments = if kind == "function_call" {
                    text_of("arguments", wire.arguments)?
                } else {
                    // A string can always be written.
                    let input = serde_json::to_string(&text_of(INPUT, wire.input)?).unwrap_or_default();
                    Cow::Owned(format!("{{\"{INPUT}\":{input}}}"))
                };
                self.called.insert(id.clone(), name.clone());
                self.say(Part::ToolCall(ToolCall { id, name, arguments, signature }), place);
            }
            Some("function_call_output" | "custom_tool_call_output") => {
                let id = call_id::split(text_of("call_id", wire.call_id)?).0;
                let parts = content(wire.output, &format!("{path}.output"))?;
                let name = self.called.get(&id).cloned();
                let result = ToolResult { id, name, parts, is_error: false, cache: None };
                self.push(Role::Tool, vec![Part::ToolResult(result)], place);
            }
            Some("image_generation_call") => {
                if let Some(raw) = wire.result.filter(|result| result.get() != "null") {
                    let at = format!("{path}.result");
                    let source = source(typed::<Str<'_>>(&at, raw)?.0, "image/png", &at)?;
                    self.say(Part::Image { source, detail: None, cache: None }, place);
                }
            }
            Some("additional_tools") => {
                if let Some(tools) = wire.tools {
                    tools::read(tools, &format!("{path}.tools"), self.request)?;
                }
            }
            Some(kind) if HOSTED.contains(&kind) => self.request.leave(format!("input[].{kind}")),
            Some(kind) if KEPT.contains(&kind) => return Err(kept(path)),
            Some(other) => {
                let message = format!("An item of type `{other}` cannot be translated for this model.");
                return Err(Error::refusing(message, format!("{path}.type")));
            }
        }
        Ok(())
    }

    fn push(&mut self, role: Role, parts: Vec<Part<'a>>, place: usize) {
        self.is_open = false;
        self.request.messages.push(Message { role, name: None, parts, cache: None, place });
    }

    /// Something of the model's turn.
    fn say(&mut self, part: Part<'a>, place: usize) {
        if let Some(turn) = self.request.messages.last_mut().filter(|_| self.is_open) {
            turn.parts.push(part);
        } else {
            self.push(Role::Assistant, vec![part], place);
            self.is_open = true;
        }
    }

    fn thought(&mut self, wire: WireItem<'a>, place: usize, path: &str) -> Result<(), Error> {
        let mut text = pieces(wire.summary, &format!("{path}.summary"))?;
        if text.is_empty() {
            text = pieces(wire.content, &format!("{path}.content"))?;
        }
        let encrypted = wire.encrypted_content.filter(|encrypted| !encrypted.is_empty()).map(|encrypted| encrypted.0);
        let carried = match encrypted {
            None => Carried::Nothing,
            Some(encrypted) => Carried::read(encrypted).unwrap_or_else(|| {
                self.request.leave("input[].encrypted_content");
                Carried::Nothing
            }),
        };
        match carried {
            Carried::Nothing if text.is_empty() => {}
            Carried::Nothing => self.say(Part::Thinking { text, signature: None }, place),
            Carried::Signature(signature) => self.say(Part::Thinking { text, signature: Some(signature) }, place),
            Carried::Redacted(data) => self.say(Part::RedactedThinking(data), place),
            Carried::OfText(signature) => {
                let turn = self.request.messages.last_mut().filter(|_| self.is_open);
                if let Some(Part::Text(last)) = turn.and_then(|turn| turn.parts.last_mut()) {
                    last.signature = Some(signature);
                }
            }
        }
        Ok(())
    }
}

fn kept(path: &str) -> Error {
    Error::refusing(
        "This model keeps nothing of earlier answers: the items themselves must stand in `input`.",
        String::from(path),
    )
}

/// The texts of a list, as one.
fn pieces<'a>(raw: Option<&'a RawValue>, path: &str) -> Result<Text<'a>, Error> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow, default)]
        text: Option<Str<'a>>,
    }
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(Text::default()) };
    let wires: Vec<Wire<'_>> = typed(path, raw)?;
    let mut texts = wires.into_iter().filter_map(|wire| wire.text).map(|text| text.0);
    let mut all = texts.next().unwrap_or_default();
    for next in texts {
        let all = all.to_mut();
        all.push_str("\n\n");
        all.push_str(&next);
    }
    Ok(all)
}

fn said(text: Text<'_>) -> Part<'_> {
    Part::Text(TextPart { text, ..TextPart::default() })
}

/// A string, or parts.
fn content<'a>(raw: Option<&'a RawValue>, path: &str) -> Result<Vec<Part<'a>>, Error> {
    let raw = raw.ok_or_else(|| Error::refusing(format!("`{path}` is missing."), String::from(path)))?;
    if raw.get().starts_with('"') {
        return Ok(vec![said(typed::<Str<'_>>(path, raw)?.0)]);
    }
    let raws: Vec<&RawValue> = typed(path, raw)?;
    let parts = raws.into_iter().enumerate().map(|(index, raw)| part(raw, &format!("{path}[{index}]")));
    parts.collect()
}

fn part<'a>(raw: &'a RawValue, path: &str) -> Result<Part<'a>, Error> {
    let wire: WirePart<'_> = typed(path, raw)?;
    let missing = |name: &str| Error::refusing(format!("`{path}.{name}` is missing."), format!("{path}.{name}"));
    Ok(match &*wire.kind {
        "input_text" | "output_text" | "text" => said(wire.text.ok_or_else(|| missing("text"))?.0),
        "refusal" => Part::Refusal(wire.refusal.ok_or_else(|| missing("refusal"))?.0),
        "input_image" => {
            let source = match (wire.image_url, wire.file_id) {
                (Some(url), _) => source(url.0, "image/png", &format!("{path}.image_url"))?,
                (None, Some(_)) => {
                    let message = "A picture that is at OpenAI cannot be seen by this model.";
                    return Err(Error::refusing(message, format!("{path}.file_id")));
                }
                (None, None) => return Err(missing("image_url")),
            };
            Part::Image { source, detail: wire.detail.map(|detail| detail.0), cache: None }
        }
        "input_file" => {
            let source = match (wire.file_data, wire.file_url, wire.file_id) {
                (Some(data), ..) => source(data.0, "application/pdf", &format!("{path}.file_data"))?,
                (None, Some(url), _) => Source::Url(url.0),
                (None, None, Some(id)) => Source::File(id.0),
                (None, None, None) => return Err(missing("file_data")),
            };
            Part::Document { source, name: wire.filename.map(|name| name.0), cache: None }
        }
        "input_audio" => {
            let audio = wire.input_audio.ok_or_else(|| missing("input_audio"))?;
            Part::Audio { format: audio.format.0, data: audio.data.0 }
        }
        other => {
            let message = format!("Content of type `{other}` cannot be translated for this model.");
            return Err(Error::refusing(message, format!("{path}.type")));
        }
    })
}

/// What a custom tool gets, out of the arguments of the function that stands for it; the arguments as they are where they are something
/// else.
pub(super) fn custom_input(arguments: &str) -> Text<'_> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        input: Str<'a>,
    }
    json::read::<Wire<'_>>(arguments).map_or(Cow::Borrowed(arguments), |wire| wire.input.0)
}
