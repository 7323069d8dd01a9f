//! The system prompt and the conversation.
//!
//! A turn of the user may hold results of tools and words of the user's own: those are two messages of the canonical form, results
//! first, as the API itself demands it of a turn. What Anthropic's own tools did on its servers is nobody else's history and is left
//! out; what the model said about it stays.

use alloc::{borrow::Cow, format, string::String, vec::Vec};
use serde_json::value::RawValue;

use super::super::wire::{self, WireBlock};
use crate::{
    chat::{Message, Part, Request, Role, Source, Text, TextPart, ToolCall, ToolResult},
    dialect::{
        call_id,
        field::{note_spare, typed},
    },
    error::Error,
    json::{Str, record},
    map::NameMap,
};

/// Reads them.
pub(super) fn read<'a>(
    system: Option<&'a RawValue>,
    messages: &'a RawValue,
    request: &mut Request<'a>,
) -> Result<(), Error> {
    let mut reading = Reading { called: NameMap::default(), request };
    if let Some(system) = system {
        let mut turn = Turn::default();
        reading.content(system, "system", &mut turn)?;
        reading.push(Role::System, 0, turn);
    }
    let turns: Vec<&RawValue> = typed("messages", messages)?;
    for (place, raw) in turns.into_iter().enumerate() {
        reading.turn(raw, place)?;
    }
    Ok(())
}

/// What has been read of a turn.
#[derive(Default)]
struct Turn<'a> {
    said: Vec<Part<'a>>,
    results: Vec<Part<'a>>,
    /// A cache breakpoint on something that bears none in the canonical form.
    cache: Option<&'a RawValue>,
}

struct Reading<'a, 'r> {
    /// By the call's id, the name of the tool.
    called: NameMap<'a, Text<'a>>,
    request: &'r mut Request<'a>,
}

impl<'a> Reading<'a, '_> {
    fn turn(&mut self, raw: &'a RawValue, place: usize) -> Result<(), Error> {
        record! {
            struct Wire<'a> {
                role: Str<'a>,
                content: &'a RawValue,
            }
        }
        let path = format!("messages[{place}]");
        let wire: Wire<'_> = typed(&path, raw)?;
        note_spare(raw, "role content", "messages[]", self.request);
        let role = match &*wire.role {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            other => {
                let message = format!("`{other}` is no role: user or assistant is expected.");
                return Err(Error::refusing(message, format!("{path}.role")));
            }
        };
        let mut turn = Turn::default();
        self.content(wire.content, &format!("{path}.content"), &mut turn)?;
        self.push(role, place, turn);
        Ok(())
    }

    fn push(&mut self, role: Role, place: usize, turn: Turn<'a>) {
        let Turn { said, results, cache } = turn;
        let has_results = !results.is_empty();
        if has_results {
            let tools = Message { role: Role::Tool, name: None, parts: results, cache: None, place };
            self.request.messages.push(tools);
        }
        if !said.is_empty() || !has_results {
            self.request.messages.push(Message { role, name: None, parts: said, cache, place });
        }
    }

    /// A string, or blocks.
    fn content(&mut self, raw: &'a RawValue, path: &str, turn: &mut Turn<'a>) -> Result<(), Error> {
        if raw.get().starts_with('"') {
            turn.said.push(text(typed::<Str<'_>>(path, raw)?.0));
            return Ok(());
        }
        let blocks: Vec<&RawValue> = typed(path, raw)?;
        for (index, raw) in blocks.into_iter().enumerate() {
            self.block(raw, &format!("{path}[{index}]"), turn)?;
        }
        Ok(())
    }

    fn block(&mut self, raw: &'a RawValue, path: &str, turn: &mut Turn<'a>) -> Result<(), Error> {
        let wrong = || Error::refusing(format!("`{path}` is not of the right type."), String::from(path));
        let kind = wire::kind(raw).map_err(|_| wrong())?;
        let block: WireBlock<'_> = typed(path, raw)?;
        if !is_of_a_server(&kind) {
            note_spare(raw, KNOWN, "messages[].content[]", self.request);
        }
        let missing =
            |member: &str| Error::refusing(format!("`{path}.{member}` is missing."), format!("{path}.{member}"));
        let cache = block.cache_control.filter(|cache| cache.get() != "null");
        match &*kind {
            "text" => {
                let text = block.text.ok_or_else(|| missing("text"))?.0;
                if block.citations.is_some_and(|citations| !matches!(citations.get(), "null" | "[]")) {
                    self.request.leave("messages[].content[].citations");
                }
                turn.said.push(Part::Text(TextPart { text, cache, ..TextPart::default() }));
            }
            "image" => {
                let source = block.source.ok_or_else(|| missing("source"))?;
                let source = embedded(typed(&format!("{path}.source"), source)?, path)?;
                turn.said.push(Part::Image { source, detail: None, cache });
            }
            "document" => self.document(&block, path, turn)?,
            "search_result" => self.search_result(&block, path, turn)?,
            "thinking" => {
                let text = block.thinking.unwrap_or_default().0;
                let signature = block.signature.filter(|signature| !signature.is_empty()).map(|signature| signature.0);
                turn.said.push(Part::Thinking { text, signature });
            }
            "redacted_thinking" => turn.said.push(Part::RedactedThinking(block.data.unwrap_or_default().0)),
            "tool_use" => {
                let name = block.name.ok_or_else(|| missing("name"))?.0;
                let (id, signature) = call_id::split(block.id.ok_or_else(|| missing("id"))?.0);
                let arguments = Cow::Borrowed(block.input.map_or("{}", RawValue::get));
                turn.cache = turn.cache.or(cache);
                self.called.insert(id.clone(), name.clone());
                turn.said.push(Part::ToolCall(ToolCall { id, name, arguments, signature }));
            }
            "tool_result" => {
                let id = block.tool_use_id.ok_or_else(|| missing("tool_use_id"))?;
                let id = call_id::split(typed::<Str<'_>>(&format!("{path}.tool_use_id"), id)?.0).0;
                let mut inner = Turn::default();
                if let Some(content) = block.content.filter(|content| content.get() != "null") {
                    self.content(content, &format!("{path}.content"), &mut inner)?;
                }
                let is_error = block.is_error.is_some_and(|is_error| is_error.get() == "true");
                let name = self.called.get(&id).cloned();
                turn.results.push(Part::ToolResult(ToolResult { id, name, parts: inner.said, is_error, cache }));
            }
            // A summary of what was said before it.
            "compaction" => turn.said.extend(said(block.content).map(text)),
            kind if is_of_a_server(kind) => self.request.leave(format!("messages[].content[].{kind}")),
            other => {
                let message = format!("Content of type `{other}` cannot be translated for this model.");
                return Err(Error::refusing(message, format!("{path}.type")));
            }
        }
        Ok(())
    }

    /// Nobody else tells from where in what it was given its words are.
    fn note_citing(&mut self, block: &WireBlock<'a>) {
        if block.citations.is_some_and(|citations| citations.get().contains("true")) {
            self.request.leave("messages[].content[].citations");
        }
    }

    /// A PDF, or text, which is told as such.
    fn document(&mut self, block: &WireBlock<'a>, path: &str, turn: &mut Turn<'a>) -> Result<(), Error> {
        let missing = || Error::refusing(format!("`{path}.source` is missing."), format!("{path}.source"));
        let wire: WireSource<'_> = typed(&format!("{path}.source"), block.source.ok_or_else(missing)?)?;
        self.note_citing(block);
        let cache = block.cache_control.filter(|cache| cache.get() != "null");
        let name = said(block.title);
        match &*wire.kind {
            "text" | "content" => {
                let heads = name.into_iter().chain(said(block.context));
                turn.said.extend(heads.map(text));
                turn.cache = turn.cache.or(cache);
                match (wire.data, wire.content) {
                    (Some(data), _) => turn.said.push(text(data.0)),
                    (None, Some(content)) => self.content(content, &format!("{path}.source.content"), turn)?,
                    (None, None) => return Err(missing()),
                }
            }
            _ => {
                if block.context.is_some_and(|context| context.get() != "null") {
                    self.request.leave("messages[].content[].context");
                }
                turn.said.push(Part::Document { source: embedded(wire, path)?, name, cache });
            }
        }
        Ok(())
    }

    fn search_result(&mut self, block: &WireBlock<'a>, path: &str, turn: &mut Turn<'a>) -> Result<(), Error> {
        self.note_citing(block);
        turn.said.extend(said(block.title).into_iter().chain(said(block.source)).map(text));
        turn.cache = turn.cache.or(block.cache_control);
        match block.content {
            Some(content) => self.content(content, &format!("{path}.content"), turn),
            None => Ok(()),
        }
    }
}

/// The members of a block that are read. Who has called a tool is told by what else stands there.
const KNOWN: &str = "type text citations cache_control title context content thinking signature data id name input caller \
    source{type media_type data url content file_id} tool_use_id is_error";

record! {
    struct WireSource<'a> {
        kind: Str<'a> = "type",
        media_type: Option<Str<'a>>,
        data: Option<Str<'a>>,
        url: Option<Str<'a>>,
        content: Option<&'a RawValue>,
    }
}

fn embedded<'a>(wire: WireSource<'a>, path: &str) -> Result<Source<'a>, Error> {
    match (&*wire.kind, wire.media_type, wire.data, wire.url) {
        ("base64", Some(media_type), Some(data), _) => Ok(Source::Data { media_type: media_type.0, base64: data.0 }),
        ("url", _, _, Some(url)) => Ok(Source::Url(url.0)),
        ("file", ..) => {
            let message = "A file that is at Anthropic cannot be read by this model.";
            Err(Error::refusing(message, format!("{path}.source.file_id")))
        }
        _ => {
            let message = format!("`{path}.source` must be of type base64 or url, with what that needs.");
            Err(Error::refusing(message, format!("{path}.source")))
        }
    }
}

/// Whether a block tells what a tool did that runs on Anthropic's servers.
fn is_of_a_server(kind: &str) -> bool {
    matches!(kind, "server_tool_use" | "mcp_tool_use") || kind.ends_with("_tool_result")
}

fn text(text: Text<'_>) -> Part<'_> {
    Part::Text(TextPart { text, ..TextPart::default() })
}

/// A text that says something.
fn said(raw: Option<&RawValue>) -> Option<Text<'_>> {
    let text: Str<'_> = wire::optional(raw)?;
    Some(text.0).filter(|text| !text.is_empty())
}
