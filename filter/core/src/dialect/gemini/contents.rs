//! The conversation, as Gemini wants it: turns of `user` and `model` in a row.
//!
//! System prompts, wherever they stand, are one instruction beside the conversation: a later one keeps its authority that way,
//! which it would lose as a turn of the user. Results of parallel calls must stand together in one turn, as many as there
//! were calls, so pictures among them follow in a turn of their own where the model does not take them inside
//! (<https://ai.google.dev/gemini-api/docs/function-calling>).

use alloc::{borrow::Cow, format, vec::Vec};
use core::mem;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use super::{
    family::Family,
    media::{self, Media},
};
use crate::{
    chat::{Input, Message, Part, Role, ToolResult},
    dialect::Dropped,
    error::{Error, Kind},
};

/// What stands for a signature that a call never had: a call of another provider's model, say. Without one Gemini 3 refuses
/// the conversation: <https://ai.google.dev/gemini-api/docs/thought-signatures>.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// A turn.
#[derive(Debug, Serialize)]
pub(super) struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    parts: Vec<Piece<'a>>,
}

/// A piece of a turn.
#[derive(Debug)]
struct Piece<'a> {
    datum: Datum<'a>,
    thought_signature: Option<&'a str>,
}

#[derive(Debug)]
enum Datum<'a> {
    Text(Cow<'a, str>),
    FunctionCall(FunctionCall<'a>),
    FunctionResponse(FunctionResponse<'a>),
    Media(Media<'a>),
}

/// By hand: what is derived for an enum beside a member is far more code.
impl Serialize for Piece<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.datum {
            Datum::Text(text) => map.serialize_entry("text", text),
            Datum::FunctionCall(call) => map.serialize_entry("functionCall", call),
            Datum::FunctionResponse(response) => map.serialize_entry("functionResponse", response),
            Datum::Media(Media::InlineData(blob)) => map.serialize_entry("inlineData", blob),
            Datum::Media(Media::FileData(file)) => map.serialize_entry("fileData", file),
        }?;
        if let Some(signature) = self.thought_signature {
            map.serialize_entry("thoughtSignature", signature)?;
        }
        map.end()
    }
}

#[derive(Debug, Serialize)]
struct FunctionCall<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    name: &'a str,
    args: Input<'a>,
}

#[derive(Debug, Serialize)]
struct FunctionResponse<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    name: &'a str,
    response: Outcome<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Media<'a>>,
}

/// What came of a call. It is text and stays text: as JSON it could be too deep, or too large in its numbers, for Google.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Outcome<'a> {
    Output(Said<'a>),
    Error(Said<'a>),
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Said<'a> {
    One(&'a str),
    Many(Vec<&'a str>),
}

/// Whose turn the last one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    User,
    Model,
    Results,
}

impl Turn {
    fn role(self) -> &'static str {
        match self {
            Self::User | Self::Results => "user",
            Self::Model => "model",
        }
    }
}

impl<'a> Piece<'a> {
    fn of(datum: Datum<'a>) -> Self {
        Self { datum, thought_signature: None }
    }

    fn text(text: &'a str) -> Self {
        Self::of(Datum::Text(Cow::Borrowed(text)))
    }
}

/// A conversation being written.
#[derive(Debug)]
struct Draft<'a, 'd> {
    family: Family,
    system: Vec<Piece<'a>>,
    contents: Vec<Content<'a>>,
    last: Option<Turn>,
    /// What tools answered besides text, for the turn behind their results.
    attachments: Vec<Piece<'a>>,
    dropped: &'d mut Dropped,
}

/// The instruction and the turns.
pub(super) fn contents<'a>(
    messages: &'a [Message<'_>],
    family: Family,
    dropped: &mut Dropped,
) -> Result<(Option<Content<'a>>, Vec<Content<'a>>), Error> {
    let mut draft =
        Draft { family, system: Vec::new(), contents: Vec::new(), last: None, attachments: Vec::new(), dropped };
    for message in messages {
        draft.message(message)?;
    }
    draft.attach();
    let Draft { system, mut contents, .. } = draft;
    if family.is_levelled() {
        contents.iter_mut().for_each(sign);
    }
    if contents.is_empty() && system.is_empty() {
        return Err(Error::new(Kind::InvalidRequest, "`messages` have no content.").blaming("messages"));
    }
    if contents.is_empty() {
        // Gemini wants something to answer to.
        return Ok((None, alloc::vec![Content { role: Some(Turn::User.role()), parts: system }]));
    }
    Ok(((!system.is_empty()).then_some(Content { role: None, parts: system }), contents))
}

/// Gives the first call of a turn a signature: only that one needs it.
fn sign(content: &mut Content<'_>) {
    let call = content.parts.iter_mut().find(|piece| matches!(piece.datum, Datum::FunctionCall(_)));
    if let Some(call) = call {
        call.thought_signature.get_or_insert(NO_SIGNATURE);
    }
}

impl<'a> Draft<'a, '_> {
    fn message(&mut self, message: &'a Message<'_>) -> Result<(), Error> {
        let index = message.place;
        self.dropped.note_if(message.name.is_some(), "messages[].name");
        self.note_cache(message.cache);
        let mut pieces = Vec::with_capacity(message.parts.len());
        for (place, part) in message.parts.iter().enumerate() {
            if let Part::ToolResult(result) = part {
                self.result(result, index)?;
            } else {
                pieces.extend(self.piece(part, &format!("messages[{index}].content[{place}]"))?);
            }
        }
        match message.role {
            Role::System | Role::Developer => {
                if pieces.iter().any(|piece| !matches!(piece.datum, Datum::Text(_))) {
                    let message = "Gemini takes text only as a system prompt.";
                    let param = format!("messages[{index}].content");
                    return Err(Error::new(Kind::InvalidRequest, message).blaming(param));
                }
                self.system.append(&mut pieces);
            }
            Role::User | Role::Tool => self.append(Turn::User, pieces),
            Role::Assistant => self.append(Turn::Model, pieces),
        }
        Ok(())
    }

    /// What a part is here; thoughts are nothing, since what proves them rides elsewhere.
    fn piece(&mut self, part: &'a Part<'_>, path: &str) -> Result<Option<Piece<'a>>, Error> {
        Ok(match part {
            Part::Text(part) => {
                self.note_cache(part.cache);
                let thought_signature = part.signature.as_deref();
                let is_something = !part.text.is_empty() || thought_signature.is_some();
                is_something.then(|| Piece { thought_signature, ..Piece::text(&part.text) })
            }
            Part::Refusal(text) => Some(Piece::text(text)),
            Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } => {
                self.media(part, path)?.map(|media| Piece::of(Datum::Media(media)))
            }
            Part::ToolCall(call) => Some(Piece {
                datum: Datum::FunctionCall(FunctionCall { id: &call.id, name: &call.name, args: call.input() }),
                thought_signature: call.signature.as_deref(),
            }),
            Part::Thinking { signature: None, text } => {
                self.dropped.note_if(!text.is_empty(), "messages[].reasoning_content");
                None
            }
            Part::Thinking { .. } | Part::RedactedThinking(_) => {
                self.dropped.note("messages[].thinking_blocks");
                None
            }
            Part::ToolResult(_) => None,
        })
    }

    fn media(&mut self, part: &'a Part<'_>, path: &str) -> Result<Option<Media<'a>>, Error> {
        Ok(match part {
            Part::Image { source, detail, cache } => {
                self.note_cache(*cache);
                let is_usual = detail.as_deref().is_none_or(|detail| detail == "auto");
                self.dropped.note_if(!is_usual, "messages[].content[].image_url.detail");
                Some(media::of(source, &format!("{path}.image_url.url"))?)
            }
            Part::Document { source, name, cache } => {
                self.note_cache(*cache);
                self.dropped.note_if(name.is_some(), "messages[].content[].file.filename");
                Some(media::of(source, &format!("{path}.file.file_id"))?)
            }
            Part::Audio { format, data } => Some(media::sound(format, data)),
            Part::Text(_)
            | Part::Thinking { .. }
            | Part::RedactedThinking(_)
            | Part::Refusal(_)
            | Part::ToolCall(_)
            | Part::ToolResult(_) => None,
        })
    }

    fn result(&mut self, result: &'a ToolResult<'_>, index: usize) -> Result<(), Error> {
        self.note_cache(result.cache);
        let Some(name) = result.name.as_deref() else {
            let message = format!("`{}` is the id of no call in this conversation.", result.id);
            return Err(Error::new(Kind::InvalidRequest, message).blaming(format!("messages[{index}].tool_call_id")));
        };
        let (mut texts, mut inside) = (Vec::new(), Vec::new());
        let behind_from = self.attachments.len();
        for (place, part) in result.parts.iter().enumerate() {
            if let Part::Text(part) = part {
                self.note_cache(part.cache);
                texts.push(part.text.as_ref());
            } else if let Some(media) = self.media(part, &format!("messages[{index}].content[{place}]"))? {
                if self.family.is_levelled() && !matches!(part, Part::Audio { .. }) {
                    inside.push(media);
                } else {
                    self.attachments.push(Piece::of(Datum::Media(media)));
                }
            }
        }
        if self.attachments.len() > behind_from {
            let label = format!("Output of {name} ({}):", result.id);
            self.attachments.insert(behind_from, Piece::of(Datum::Text(Cow::Owned(label))));
        }
        let said = match texts.as_slice() {
            [] => Said::One(""),
            [text] => Said::One(text),
            _ => Said::Many(texts),
        };
        let response = if result.is_error { Outcome::Error(said) } else { Outcome::Output(said) };
        let response = FunctionResponse { id: &result.id, name, response, parts: inside };
        self.append(Turn::Results, alloc::vec![Piece::of(Datum::FunctionResponse(response))]);
        Ok(())
    }

    /// Says the next thing: in the last turn, where that is whose turn it is.
    fn append(&mut self, turn: Turn, mut pieces: Vec<Piece<'a>>) {
        if pieces.is_empty() {
            return;
        }
        if turn != Turn::Results {
            self.attach();
        }
        match self.contents.last_mut().filter(|_| self.last == Some(turn)) {
            Some(content) => content.parts.append(&mut pieces),
            None => self.contents.push(Content { role: Some(turn.role()), parts: pieces }),
        }
        self.last = Some(turn);
    }

    /// Closes a turn of results with what else the tools answered.
    fn attach(&mut self) {
        let attachments = mem::take(&mut self.attachments);
        if !attachments.is_empty() {
            self.append(Turn::User, attachments);
        }
    }

    fn note_cache(&mut self, cache: Option<&RawValue>) {
        self.dropped.note_if(cache.is_some(), "cache_control");
    }
}
