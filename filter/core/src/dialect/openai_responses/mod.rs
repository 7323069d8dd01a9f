//! OpenAI Responses, as clients speak it: <https://platform.openai.com/docs/api-reference/responses>.
//!
//! Between a client and a provider that both speak it, a request passes as it is but for its model and for what other providers'
//! answers have left in its history ([`prune`]). Towards other formats it is read as a whole, and the answer is written. A provider
//! that keeps answers is the only one that can be asked about one: what relies on that is refused everywhere else.

mod answer;
mod carried;
mod echo;
mod input;
mod prune;
mod read;
mod scheme;
mod stream;
mod tap;
mod tools;
mod wire;

use alloc::{borrow::Cow, boxed::Box, rc::Rc, string::String, vec::Vec};

use crate::{
    chat::{Fault, Request, Response},
    dialect::{
        Aim, Downstream, Identity, Native, Spliced, Tap, Thoughts, Whole, Writer,
        head::{ChatRequest, History, Scheme, StreamOptions},
        in_turn::InTurn,
        openai_chat,
    },
    direct::status_of,
    error::{Error, Shape},
    json::Found,
};

/// The format's name.
pub(crate) const NAME: &str = "openai_responses";

/// See the module's documentation.
#[derive(Debug)]
pub struct OpenAiResponses;

impl Downstream for OpenAiResponses {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> Shape {
        Shape::OpenAi
    }

    fn scheme(&self) -> &'static Scheme {
        &scheme::SCHEME
    }

    fn read<'a>(&self, body: &'a str) -> Result<Request<'a>, Error> {
        read::read(body)
    }

    fn name_of<'n>(&self, field: &'n str) -> Cow<'n, str> {
        name_of(field)
    }

    fn echo(&self, body: &str) -> String {
        echo::echo(body)
    }

    fn write(&self, response: &Response<'_>, identity: &Identity) -> Vec<u8> {
        stream::whole(response, identity)
    }

    fn writer(&self, identity: Identity, _: bool) -> Box<dyn Writer> {
        Box::new(InTurn::new(Box::new(stream::StreamWriter::new(identity)), Shape::OpenAi))
    }

    fn fault(&self, provider: &str, fault: &Fault) -> (u16, Vec<u8>) {
        openai_chat::write_fault(provider, fault, "input")
    }
}

/// The members of a whole answer that are read.
const WANTED: &[&str] = &["object", "status", "usage", "error"];

impl Native for OpenAiResponses {
    fn path(&self) -> &'static str {
        "/responses"
    }

    fn splice(&self, request: &ChatRequest, aim: &Aim<'_>, body: &mut dyn FnMut() -> Rc<Vec<u8>>) -> Spliced {
        let mut spliced = Spliced::of(request.edits(aim.model, StreamOptions::Asked, None));
        let (History { proofs, has_carried_signature, .. }, thoughts) = (request.history, aim.habits.thoughts);
        let is_foreign = match thoughts {
            Thoughts::OpenAi => proofs.of_others,
            Thoughts::Others => proofs.of_openai,
            Thoughts::Nobody => true,
        };
        if has_carried_signature || is_foreign {
            spliced.prune(&body(), |body| prune::prune(body, thoughts));
        }
        spliced
    }

    fn wanted(&self) -> &'static [&'static str] {
        WANTED
    }

    fn whole(&self, found: &Found) -> Whole {
        match (found.text(0), found.text(1), found.text(3)) {
            (Some(r#""response""#), Some(r#""failed""#), error) => Whole::Error(status_of(error.unwrap_or_default())),
            (Some(r#""response""#), ..) => Whole::Answer(found.text(2).and_then(openai_chat::read_usage)),
            (_, _, Some(error)) if error != "null" => Whole::Error(status_of(error)),
            _ => Whole::Other,
        }
    }

    fn error_body(&self, provider: &str, status: u16, body: &[u8]) -> Option<Vec<u8>> {
        openai_chat::error_body(Shape::OpenAi, provider, status, body)
    }

    fn tap(&self) -> Box<dyn Tap> {
        Box::new(tap::StreamTap::default())
    }
}

/// What fields of `OpenAI`'s chat are called here: the first whose name a field begins with.
const NAMES: &[(&str, &str)] = &[
    ("logprobs", "include"),
    ("max_completion_tokens", "max_output_tokens"),
    ("messages[].content[].file.filename", "input[].content[].filename"),
    ("messages[].content[].image_url.detail", "input[].content[].detail"),
    ("messages[].extra_content", "input[].reasoning"),
    ("messages[].reasoning_content", "input[].reasoning"),
    ("messages[].thinking_blocks", "input[].reasoning"),
    ("messages[].tool_calls[].extra_content", "input[].call_id"),
    ("reasoning_effort", "reasoning.effort"),
    ("response_format.json_schema.description", "text.format.description"),
    ("response_format.json_schema.strict", "text.format.strict"),
    ("response_format", "text.format"),
    ("tools[].function.strict", "tools[].strict"),
    ("web_search_options.search_context_size", "tools[].search_context_size"),
    ("web_search_options", "tools"),
];

fn name_of(field: &str) -> Cow<'_, str> {
    if let Some((_, own)) = NAMES.iter().find(|(name, _)| field.starts_with(name)) {
        return Cow::Borrowed(own);
    }
    let Some(place) = field.strip_prefix("messages") else { return Cow::Borrowed(field) };
    // Which item, and where in its content; what that is called in a chat is another name.
    let end = place.rfind(']').map_or(0, |end| end.saturating_add(1));
    Cow::Owned(["input", place.get(..end).unwrap_or_default()].concat())
}

#[cfg(test)]
mod tests;
