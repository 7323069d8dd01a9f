//! The conversation. Ollama's messages have one text and a list of pictures, which the model sees before the text; sound
//! stands among the pictures and is told from them by its first bytes (<https://github.com/ollama/ollama/issues/15427>).
//!
//! A turn of the user whose texts and pictures alternate is therefore cut into several messages, each of pictures and the
//! text behind them, so that "the first: …, the second: …" keeps its sense. What only another provider's model can read,
//! signed and encrypted thoughts, is not sent.

use alloc::{format, string::String, vec::Vec};
use core::fmt;
use serde::{Serialize, Serializer};

use crate::{
    chat::{Input, Message, Part, Role, Source, ToolResult},
    dialect::{Ability, Dropped},
    error::Error,
};

#[derive(Serialize)]
pub(super) struct WireMessage<'a> {
    role: &'static str,
    content: Joined<'a>,
    #[serde(skip_serializing_if = "Joined::is_empty")]
    thinking: Joined<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) images: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
struct WireCall<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    function: WireCalled<'a>,
}

#[derive(Serialize)]
struct WireCalled<'a> {
    index: usize,
    name: &'a str,
    arguments: Input<'a>,
}

/// Several texts written as one, without being joined in memory first.
#[derive(Default)]
struct Joined<'a> {
    texts: Vec<&'a str>,
    separator: &'static str,
}

impl<'a> Joined<'a> {
    fn by(separator: &'static str) -> Self {
        Self { texts: Vec::new(), separator }
    }

    fn push(&mut self, text: &'a str) {
        self.texts.push(text);
    }

    fn is_empty(&self) -> bool {
        self.texts.iter().all(|text| text.is_empty())
    }
}

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, text) in self.texts.iter().enumerate() {
            if index > 0 {
                f.write_str(self.separator)?;
            }
            f.write_str(text)?;
        }
        Ok(())
    }
}

impl Serialize for Joined<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.texts.as_slice() {
            [] => serializer.serialize_str(""),
            [text] => serializer.serialize_str(text),
            [_, ..] => serializer.collect_str(self),
        }
    }
}

/// Writes the conversation.
pub(super) fn write<'a>(messages: &'a [Message<'_>], dropped: &mut Dropped) -> Result<Vec<WireMessage<'a>>, Error> {
    let mut wires = Vec::with_capacity(messages.len());
    for message in messages {
        let path = format!("messages[{}]", message.place);
        dropped.note_if(message.name.is_some(), "messages[].name");
        dropped.note_if(message.cache.is_some(), "cache_control");
        match message.role {
            Role::System | Role::Developer => write_turn("system", "\n", message, &path, dropped, &mut wires)?,
            Role::User => write_turn("user", "\n", message, &path, dropped, &mut wires)?,
            // The pieces of an answer follow each other without a break.
            Role::Assistant => write_turn("assistant", "", message, &path, dropped, &mut wires)?,
            Role::Tool => {
                for part in &message.parts {
                    if let Part::ToolResult(result) = part {
                        wires.push(write_result(result, &path, dropped)?);
                    }
                }
            }
        }
    }
    Ok(wires)
}

fn write_turn<'a>(
    role: &'static str,
    separator: &'static str,
    message: &'a Message<'_>,
    path: &str,
    dropped: &mut Dropped,
    wires: &mut Vec<WireMessage<'a>>,
) -> Result<(), Error> {
    let is_cut = message.role == Role::User && alternates(&message.parts);
    let mut wire = WireMessage::new(role, separator);
    let mut place = Place::new(path);
    for part in &message.parts {
        if is_cut && is_medium(part) && !wire.content.texts.is_empty() {
            wires.push(core::mem::replace(&mut wire, WireMessage::new(role, separator)));
        }
        wire.add(part, &mut place, dropped)?;
    }
    wires.push(wire);
    Ok(())
}

fn write_result<'a>(result: &'a ToolResult<'_>, path: &str, dropped: &mut Dropped) -> Result<WireMessage<'a>, Error> {
    dropped.note_if(result.is_error, "messages[].is_error");
    dropped.note_if(result.cache.is_some(), "cache_control");
    let mut wire = WireMessage::new("tool", "\n");
    wire.tool_name = result.name.as_deref();
    wire.tool_call_id = Some(&*result.id).filter(|id| !id.is_empty());
    let mut place = Place::new(path);
    for part in &result.parts {
        wire.add(part, &mut place, dropped)?;
    }
    Ok(wire)
}

/// Whether a picture stands between texts.
fn alternates(parts: &[Part<'_>]) -> bool {
    let is_text = |part: &Part<'_>| matches!(part, Part::Text(_));
    let mut behind_text = parts.iter().skip_while(|part| !is_text(part)).skip_while(|part| !is_medium(part));
    behind_text.any(is_text)
}

fn is_medium(part: &Part<'_>) -> bool {
    matches!(part, Part::Image { .. } | Part::Audio { .. })
}

/// Where in the client's message a part stands, for the error that blames it.
struct Place<'p> {
    message: &'p str,
    /// Pieces of content so far.
    content: usize,
    /// Tool calls so far.
    calls: usize,
}

impl<'p> Place<'p> {
    fn new(message: &'p str) -> Self {
        Self { message, content: 0, calls: 0 }
    }

    fn content(&self, field: &str) -> String {
        format!("{}.content[{}].{field}", self.message, self.content)
    }
}

impl<'a> WireMessage<'a> {
    fn new(role: &'static str, separator: &'static str) -> Self {
        Self {
            role,
            content: Joined::by(separator),
            thinking: Joined::default(),
            images: Vec::new(),
            tool_calls: Vec::new(),
            tool_name: None,
            tool_call_id: None,
        }
    }

    fn add(&mut self, part: &'a Part<'_>, place: &mut Place<'_>, dropped: &mut Dropped) -> Result<(), Error> {
        match part {
            Part::Thinking { text, signature: None } => self.thinking.push(text),
            Part::Thinking { .. } | Part::RedactedThinking(_) => dropped.note("messages[].thinking_blocks"),
            Part::ToolCall(call) => {
                dropped.note_if(call.signature.is_some(), "messages[].tool_calls[].extra_content");
                let function = WireCalled { index: place.calls, name: &call.name, arguments: call.input() };
                self.tool_calls.push(WireCall { id: &call.id, function });
                place.calls = place.calls.saturating_add(1);
            }
            Part::Text(text) => {
                dropped.note_if(text.cache.is_some(), "cache_control");
                dropped.note_if(text.signature.is_some(), "messages[].extra_content");
                // What is only there to be proved says nothing.
                if text.signature.is_none() || !text.text.is_empty() {
                    self.content.push(&text.text);
                }
            }
            Part::Refusal(text) => self.content.push(text),
            Part::Image { source, detail, cache } => {
                dropped.note_if(cache.is_some(), "cache_control");
                let is_usual = detail.as_deref().is_none_or(|detail| detail == "auto");
                dropped.note_if(!is_usual, "messages[].content[].image_url.detail");
                let Source::Data { base64, .. } = source else {
                    return Err(Error::refusing(Ability::LinkedImages.refusal(), place.content("image_url.url")));
                };
                self.images.push(base64);
            }
            Part::Audio { data, .. } => self.images.push(data),
            Part::Document { .. } => {
                return Err(Error::refusing(Ability::Files.refusal(), place.content("file")));
            }
            // Those stand in turns of tools only.
            Part::ToolResult(_) => {}
        }
        if !matches!(part, Part::Thinking { .. } | Part::RedactedThinking(_) | Part::ToolCall(_)) {
            place.content = place.content.saturating_add(1);
        }
        Ok(())
    }
}
