//! Anthropic Messages, as clients speak it: <https://platform.claude.com/docs/en/api/messages>.
//!
//! Between a client and a provider that both speak it, a request passes as it is but for its model and for what another provider's
//! answers have left in its history ([`prune`]). Towards other formats it is read as a whole, and the answer is written.

mod prune;
mod read;
mod scheme;
mod stream;
mod tap;
mod tools;
mod turns;
mod write;

use alloc::{borrow::Cow, boxed::Box, rc::Rc, string::String, vec::Vec};

use super::{Anthropic, HEADERS, fault, read_usage};
use crate::{
    chat::{Fault, Request, Response},
    dialect::{
        Aim, Downstream, Identity, Native, Spliced, Tap, Thoughts, Whole, Writer,
        head::{ChatRequest, History, Scheme, StreamOptions},
        in_turn::InTurn,
        openai_chat,
    },
    error::{Error, Shape},
    json::Found,
};

impl Downstream for Anthropic {
    fn name(&self) -> &'static str {
        super::NAME
    }

    fn shape(&self) -> Shape {
        Shape::Anthropic
    }

    fn scheme(&self) -> &'static Scheme {
        &scheme::SCHEME
    }

    fn read<'a>(&self, body: &'a str) -> Result<Request<'a>, Error> {
        read::read(body)
    }

    fn name_of<'n>(&self, field: &'n str) -> Cow<'n, str> {
        Cow::Borrowed(name_of(field))
    }

    fn write(&self, response: &Response<'_>, identity: &Identity) -> Vec<u8> {
        write::write(response, identity)
    }

    fn writer(&self, identity: Identity, _: bool) -> Box<dyn Writer> {
        Box::new(InTurn::new(Box::new(stream::StreamWriter::new(identity)), Shape::Anthropic))
    }

    fn fault(&self, provider: &str, fault: &Fault) -> (u16, Vec<u8>) {
        write::fault(provider, fault)
    }
}

/// The members of a whole answer that are read.
const WANTED: &[&str] = &["type", "usage", "error"];

impl Native for Anthropic {
    fn path(&self) -> &'static str {
        "/messages"
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        HEADERS
    }

    fn splice(&self, request: &ChatRequest, aim: &Aim<'_>, body: &mut dyn FnMut() -> Rc<Vec<u8>>) -> Spliced {
        let mut spliced = Spliced::of(request.edits(aim.model, StreamOptions::Asked, None));
        let History { proofs, has_carried_signature, is_thought_about, .. } = request.history;
        let forgets = aim.habits.thoughts == Thoughts::Nobody;
        if proofs.empty || has_carried_signature || is_thought_about || forgets {
            spliced.prune(&body(), |body| prune::prune(body, forgets));
        }
        spliced
    }

    fn wanted(&self) -> &'static [&'static str] {
        WANTED
    }

    fn whole(&self, found: &Found) -> Whole {
        match (found.text(0), found.text(2)) {
            (Some(r#""message""#), None | Some("null")) => Whole::Answer(found.text(1).and_then(read_usage)),
            (Some(r#""error""#), Some(error)) => Whole::Error(fault::status_of(error)),
            _ => Whole::Other,
        }
    }

    fn error_body(&self, provider: &str, status: u16, body: &[u8]) -> Option<Vec<u8>> {
        openai_chat::error_body(Shape::Anthropic, provider, status, body)
    }

    fn tap(&self) -> Box<dyn Tap> {
        Box::new(tap::StreamTap::default())
    }
}

/// What other formats' names of fields are here.
const NAMES: &[(&str, &str)] = &[
    ("messages[].is_error", "messages[].content[].is_error"),
    ("messages[].reasoning_content", "messages[].content[].thinking"),
    ("messages[].thinking_blocks", "messages[].content[].thinking"),
    ("messages[].tool_calls[].extra_content", "messages[].content[].id"),
    ("messages[].content[].file.filename", "messages[].content[].title"),
    ("parallel_tool_calls", "tool_choice.disable_parallel_tool_use"),
    ("response_format", "output_config.format"),
    ("response_format.json_schema.strict", "output_config.format.strict"),
    ("stop", "stop_sequences"),
    ("tools[].function.strict", "tools[].strict"),
    ("web_search_options", "tools"),
    ("web_search_options.user_location", "tools[].user_location"),
];

fn name_of(field: &str) -> &str {
    if let Some((_, own)) = NAMES.iter().find(|(name, _)| *name == field) {
        return own;
    }
    // Where in a message a part stands is another place in a form that has results of tools apart.
    let is_placed = field.starts_with("messages[") && !field.starts_with("messages[]");
    match field.find(']') {
        Some(end) if is_placed => field.get(..=end).unwrap_or(field),
        Some(_) | None if field.starts_with("response_format.") => "output_config.format",
        Some(_) | None => field,
    }
}

/// The id of a message, where its provider gives none.
fn message_id(exchange: &str) -> String {
    ["msg_", exchange].concat()
}

#[cfg(test)]
mod tests;
