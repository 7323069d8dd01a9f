//! The conversation: a text, or items.
//!
//! What the model said, thought and called are items of their own; side by side they are one turn of the canonical form. What
//! OpenAI's own tools did on its servers is nobody else's history and is left out; what the model said about it stays. What such a
//! tool did at the client's is its only history, and what stands at the provider is nowhere else: those are refused.

use alloc::{borrow::Cow, format, string::String, vec, vec::Vec};
use serde_json::value::RawValue;

use super::{
    carried::Carried,
    tools::{self, INPUT},
};
use crate::{
    chat::{Message, Part, Request, Role, Source, Text, TextPart, ToolCall, ToolResult},
    dialect::{
        Ability, call_id,
        field::{note_spare, typed},
        object::Object,
        openai_chat::source,
    },
    error::Error,
    json::Str,
    map::NameMap,
};

/// Kinds of items that only who keeps them can make something of.
pub(super) const KEPT: &[&str] = &["compaction", "compaction_trigger", "item_reference"];

/// Kinds of items that tell what tools did at the client's that only OpenAI's models know.
pub(super) const OWN: &[&str] = &[
    "apply_patch_call",
    "apply_patch_call_output",
    "computer_call",
    "computer_call_output",
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

/// The members of an item that are read, or say how it came to be.
const KNOWN: &str = "type id status phase role call_id name arguments input result tools encrypted_content summary{type text} \
    content{type text refusal annotations logprobs image_url detail file_id file_data file_url filename input_audio{format data}} \
    output{type text refusal image_url detail file_id file_data file_url filename input_audio{format data}}";

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

struct Reading<'a, 'r> {
    /// By the call's id, the name of the tool that was called last under it.
    called: NameMap<'a, Text<'a>>,
    /// Whether the last message is a turn of the model's that goes on.
    is_open: bool,
    request: &'r mut Request<'a>,
}

impl<'a> Reading<'a, '_> {
    fn item(&mut self, raw: &'a RawValue, place: usize, path: &str) -> Result<(), Error> {
        let item = Object::read(path, raw)?;
        if !item.get("type").is_some_and(|kind| HOSTED.contains(&kind.get().trim_matches('"'))) {
            note_spare(raw, KNOWN, "input[]", self.request);
        }
        let text_of = |member: &str| item.must_say(path, member);
        match item.said(path, "type")?.as_deref() {
            None if item.get("role").is_none() && item.get("id").is_some() => return Err(kept(path)),
            None | Some("message") => {
                let role = match &*text_of("role")? {
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
                let parts = content(item.get("content"), &format!("{path}.content"))?;
                if role == Role::Assistant {
                    for part in parts {
                        self.say(part, place);
                    }
                } else {
                    self.push(role, parts, place);
                }
            }
            Some("reasoning") => self.thought(&item, place, path)?,
            Some(kind @ ("function_call" | "custom_tool_call")) => {
                let (id, signature) = call_id::split(text_of("call_id")?);
                let name = text_of("name")?;
                let arguments = if kind == "function_call" {
                    text_of("arguments")?
                } else {
                    // A string can always be written.
                    let input = serde_json::to_string(&text_of(INPUT)?).unwrap_or_default();
                    Cow::Owned(format!("{{\"{INPUT}\":{input}}}"))
                };
                self.called.insert(id.clone(), name.clone());
                self.say(Part::ToolCall(ToolCall { id, name, arguments, signature }), place);
            }
            Some("function_call_output" | "custom_tool_call_output") => {
                let id = call_id::split(text_of("call_id")?).0;
                let parts = content(item.get("output"), &format!("{path}.output"))?;
                let name = self.called.get(&id).cloned();
                let result = ToolResult { id, name, parts, is_error: false, cache: None };
                self.push(Role::Tool, vec![Part::ToolResult(result)], place);
            }
            Some("image_generation_call") => {
                if let Some(raw) = item.get("result") {
                    let at = format!("{path}.result");
                    let source = source(typed::<Str<'_>>(&at, raw)?.0, "image/png", &at)?;
                    self.say(Part::Image { source, detail: None, cache: None }, place);
                }
            }
            Some("additional_tools") => {
                if let Some(tools) = item.get("tools") {
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

    fn thought(&mut self, item: &Object<'a>, place: usize, path: &str) -> Result<(), Error> {
        let mut text = pieces(item.get("summary"), &format!("{path}.summary"))?;
        if text.is_empty() {
            text = pieces(item.get("content"), &format!("{path}.content"))?;
        }
        let encrypted = item.said(path, "encrypted_content")?.filter(|encrypted| !encrypted.is_empty());
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
                match turn.map(|turn| &mut turn.parts) {
                    None => self.request.leave("input[].encrypted_content"),
                    Some(parts) => match parts.last_mut() {
                        Some(Part::Text(TextPart { signature: proof @ None, .. })) => *proof = Some(signature),
                        // Of an empty text, which ends the turn.
                        _ => parts.push(Part::Text(TextPart { signature: Some(signature), ..TextPart::default() })),
                    },
                }
            }
        }
        Ok(())
    }
}

fn kept(path: &str) -> Error {
    Ability::State.refuse("input").blaming(String::from(path))
}

/// The texts of a list, as one.
fn pieces<'a>(raw: Option<&'a RawValue>, path: &str) -> Result<Text<'a>, Error> {
    let Some(raw) = raw else { return Ok(Text::default()) };
    let pieces: Vec<&RawValue> = typed(path, raw)?;
    let mut texts = pieces.into_iter().map(|piece| Object::of(piece.get()).text("text"));
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
    let wire = Object::read(path, raw)?;
    let missing = |name: &str| Error::refusing(format!("`{path}.{name}` is missing."), format!("{path}.{name}"));
    Ok(match &*wire.must_say(path, "type")? {
        "input_text" | "output_text" | "text" => said(wire.must_say(path, "text")?),
        "refusal" => Part::Refusal(wire.must_say(path, "refusal")?),
        "input_image" => {
            let source = match (wire.said(path, "image_url")?, wire.get("file_id")) {
                (Some(url), _) => source(url, "image/png", &format!("{path}.image_url"))?,
                (None, Some(_)) => {
                    let message = "A picture that is at OpenAI cannot be seen by this model.";
                    return Err(Error::refusing(message, format!("{path}.file_id")));
                }
                (None, None) => return Err(missing("image_url")),
            };
            Part::Image { source, detail: wire.said(path, "detail")?, cache: None }
        }
        "input_file" => {
            let [data, url, id] = ["file_data", "file_url", "file_id"].map(|name| wire.said(path, name));
            let source = match (data?, url?, id?) {
                (Some(data), ..) => source(data, "application/pdf", &format!("{path}.file_data"))?,
                (None, Some(url), _) => Source::Url(url),
                (None, None, Some(id)) => Source::File(id),
                (None, None, None) => return Err(missing("file_data")),
            };
            Part::Document { source, name: wire.said(path, "filename")?, cache: None }
        }
        "input_audio" => {
            let path = format!("{path}.input_audio");
            let audio = Object::read(&path, wire.get("input_audio").ok_or_else(|| missing("input_audio"))?)?;
            Part::Audio { format: audio.must_say(&path, "format")?, data: audio.must_say(&path, "data")? }
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
    Object::of(arguments).find::<Str<'_>>(INPUT).map_or(Cow::Borrowed(arguments), |input| input.0)
}
