//! OpenAI Chat Completions: <https://platform.openai.com/docs/api-reference/chat>.
//!
//! Between a client and a provider that both speak it, only the head fields are read ([`ChatRequest`]) and a tap reads the
//! answer; towards other formats the whole request is read and the answer is written.

mod ask;
mod call_id;
mod content;
mod head;
mod history;
mod message;
mod read;
mod response;
mod stream;
mod tap;
mod tool;
mod upstream;
mod write;

use alloc::{boxed::Box, vec::Vec};

use crate::{
    chat::{Fault, Request, Response},
    dialect::{Downstream, Identity, Writer},
    error::{Error, Shape},
};

pub use head::{Bounds, ChatRequest, Contents, Habits, History, StreamOptions, scan as scan_request};
pub(crate) use head::{
    MODEL, OF_CHAT, OF_GEMINI, OF_OLLAMA, OF_RESPONSES, STREAM, Terms, checked_name, describe, is_flex, model_name,
};
pub use history::{Pruning, prune};
pub use response::{WANTED as WANTED_OF_ANSWER, Whole, error_body, error_status};
pub(crate) use response::{found_error_status, read_usage};
pub use tap::{Event, StreamTap, error_event};

/// The format's name.
const NAME: &str = "openai_chat";

/// See the module's documentation.
#[derive(Debug)]
pub struct OpenAiChat;

impl Downstream for OpenAiChat {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> Shape {
        Shape::OpenAi
    }

    fn read<'a>(&self, body: &'a str) -> Result<Request<'a>, Error> {
        read::read(body)
    }

    fn write(&self, response: &Response<'_>, identity: &Identity) -> Vec<u8> {
        write::write(response, identity)
    }

    fn writer(&self, identity: Identity, wants_usage: bool) -> Box<dyn Writer> {
        Box::new(stream::StreamWriter::new(identity, wants_usage))
    }

    fn fault(&self, provider: &str, fault: &Fault) -> (u16, Vec<u8>) {
        write::fault(provider, fault)
    }
}
