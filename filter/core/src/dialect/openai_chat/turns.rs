//! The conversation, in OpenAI's shape.
//!
//! A message of a tool holds text only: what else a tool answered follows in a turn of the user, behind all results, because
//! nothing may stand between a call and its result.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use core::mem;
use serde::{Serialize, Serializer};

use crate::{
    chat::{Message, Part, Role, Source, ToolResult},
    dialect::Dropped,
    error::Error,
};

#[derive(Serialize)]
pub(super) struct WireMessage<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<WireContent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WireContent<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<WirePart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WirePart<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: WireImage<'a> },
    InputAudio { input_audio: WireAudio<'a> },
    File { file: WireFile<'a> },
}

#[derive(Serialize)]
struct WireImage<'a> {
    url: Url<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct WireAudio<'a> {
    data: &'a str,
    format: &'a str,
}

#[derive(Serialize)]
struct WireFile<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<Url<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: WireCalled<'a>,
}

#[derive(Serialize)]
struct WireCalled<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// A conversation being written.
#[derive(Default)]
pub(super) struct Conversation<'a> {
    messages: Vec<WireMessage<'a>>,
    /// What tools answered besides text.
    attachments: Vec<WirePart<'a>>,
}

impl<'a> Conversation<'a> {
    /// Writes a conversation.
    pub(super) fn write(messages: &'a [Message<'a>], dropped: &mut Dropped) -> Result<Vec<WireMessage<'a>>, Error> {
        let mut conversation = Self { messages: Vec::with_capacity(messages.len()), ..Self::default() };
        for message in messages {
            conversation.message(message, &format!("messages[{}]", message.place), dropped)?;
        }
        conversation.attach();
        Ok(conversation.messages)
    }

    fn message(&mut self, message: &'a Message<'a>, path: &str, dropped: &mut Dropped) -> Result<(), Error> {
        let role = match message.role {
            Role::System => "system",
            Role::Developer => "developer",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        };
        if message.role != Role::Tool {
            self.attach();
        }
        dropped.note_if(message.cache.is_some(), "cache_control");
        let mut wire = WireMessage { name: message.name.as_deref(), ..WireMessage::of(role) };
        let mut parts = Vec::new();
        for part in &message.parts {
            match part {
                Part::ToolResult(result) => self.result(result, message.name.as_deref(), path, dropped)?,
                Part::ToolCall(call) => {
                    dropped.note_if(call.signature.is_some(), "messages[].tool_calls[].extra_content");
                    let function = WireCalled { name: &call.name, arguments: &call.arguments };
                    wire.tool_calls.push(WireCall { id: &call.id, kind: "function", function });
                }
                Part::Refusal(text) => wire.refusal = Some(text),
                Part::Text(_)
                | Part::Image { .. }
                | Part::Document { .. }
                | Part::Audio { .. }
                | Part::Thinking { .. }
                | Part::RedactedThinking(_) => parts.extend(write_part(part, path, dropped)?),
            }
        }
        let said = !parts.is_empty() || !wire.tool_calls.is_empty() || wire.refusal.is_some();
        if said || message.role != Role::Tool {
            if !parts.is_empty() || wire.tool_calls.is_empty() && wire.refusal.is_none() {
                wire.content = Some(join(parts));
            }
            self.messages.push(wire);
        }
        Ok(())
    }

    fn result(
        &mut self,
        result: &'a ToolResult<'a>,
        name: Option<&'a str>,
        path: &str,
        dropped: &mut Dropped,
    ) -> Result<(), Error> {
        let ToolResult { id, parts, is_error, cache, .. } = result;
        dropped.note_if(*is_error, "messages[].is_error");
        dropped.note_if(cache.is_some(), "cache_control");
        let (mut texts, begin) = (Vec::new(), self.attachments.len());
        for part in parts {
            match write_part(part, path, dropped)? {
                Some(text @ WirePart::Text { .. }) => texts.push(text),
                other => self.attachments.extend(other),
            }
        }
        if self.attachments.len() > begin {
            let label = Cow::Owned(format!("Output of the call {id}:"));
            self.attachments.insert(begin, WirePart::Text { text: label });
            if texts.is_empty() {
                texts.push(WirePart::Text { text: Cow::Borrowed("(in the next message)") });
            }
        }
        let content = Some(join(texts));
        self.messages.push(WireMessage { content, name, tool_call_id: Some(id), ..WireMessage::of("tool") });
        Ok(())
    }

    /// Says behind the results what tools answered besides text.
    fn attach(&mut self) {
        let attachments = mem::take(&mut self.attachments);
        if !attachments.is_empty() {
            self.messages
                .push(WireMessage { content: Some(WireContent::Parts(attachments)), ..WireMessage::of("user") });
        }
    }
}

impl WireMessage<'_> {
    fn of(role: &'static str) -> Self {
        Self { role, content: None, name: None, refusal: None, tool_calls: Vec::new(), tool_call_id: None }
    }
}

fn join(mut parts: Vec<WirePart<'_>>) -> WireContent<'_> {
    match parts.as_mut_slice() {
        [] => WireContent::Text(Cow::Borrowed("")),
        [WirePart::Text { text }] => WireContent::Text(mem::take(text)),
        _ => WireContent::Parts(parts),
    }
}

fn write_part<'a>(part: &'a Part<'a>, path: &str, dropped: &mut Dropped) -> Result<Option<WirePart<'a>>, Error> {
    Ok(Some(match part {
        Part::Text(part) => {
            dropped.note_if(part.cache.is_some(), "cache_control");
            dropped.note_if(part.signature.is_some(), "messages[].extra_content");
            if part.text.is_empty() && part.signature.is_some() {
                // Only there to be proved.
                return Ok(None);
            }
            WirePart::Text { text: Cow::Borrowed(&part.text) }
        }
        Part::Image { source, detail, cache } => {
            dropped.note_if(cache.is_some(), "cache_control");
            WirePart::ImageUrl { image_url: WireImage { url: Url(source), detail: detail.as_deref() } }
        }
        Part::Document { source, name, cache } => {
            dropped.note_if(cache.is_some(), "cache_control");
            let (file_data, file_id) = match source {
                Source::File(id) => (None, Some(id.as_ref())),
                Source::Data { .. } => (Some(Url(source)), None),
                Source::Url(_) => {
                    return Err(Error::refusing("This model takes documents as data, not by URL.", String::from(path)));
                }
            };
            WirePart::File { file: WireFile { file_data, file_id, filename: name.as_deref() } }
        }
        Part::Audio { format, data } => WirePart::InputAudio { input_audio: WireAudio { data, format } },
        Part::Thinking { signature: None, .. } => {
            dropped.note("messages[].reasoning_content");
            return Ok(None);
        }
        Part::Thinking { .. } | Part::RedactedThinking(_) => {
            dropped.note("messages[].thinking_blocks");
            return Ok(None);
        }
        Part::Refusal(_) | Part::ToolCall(_) | Part::ToolResult(_) => return Ok(None),
    }))
}

/// An address; data is put behind its media type while it is written, so that a picture is copied once.
struct Url<'a>(&'a Source<'a>);

impl Serialize for Url<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Source::Url(url) | Source::File(url) => serializer.serialize_str(url),
            Source::Data { media_type, base64 } => {
                serializer.collect_str(&format_args!("data:{media_type};base64,{base64}"))
            }
        }
    }
}
