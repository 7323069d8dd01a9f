//! OpenAI Chat Completions: <https://platform.openai.com/docs/api-reference/chat>.
//!
//! Between a client and a provider that both speak it, only the head fields are read ([`ChatRequest`]) and a tap reads the
//! answer; towards other formats the whole request is read and the answer is written.

mod ask;
mod calls;
mod content;
mod family;
mod history;
mod message;
pub(super) mod read;
mod response;
pub(super) mod scheme;
mod stream;
mod strict;
mod tap;
mod tool;
mod turns;
mod upstream;
mod wire;
pub(super) mod write;

use alloc::{boxed::Box, rc::Rc, vec::Vec};

use crate::{
    chat::{Fault, Request, Response},
    dialect::{
        Aim, Downstream, Identity, Native, Spliced, Tap, Whole, Writer,
        head::{ChatRequest, Scheme, StreamOptions},
    },
    error::{Error, Shape},
    json::Found,
};

pub(super) use content::source;
pub use history::{Pruning, prune};
pub use response::{WANTED as WANTED_OF_ANSWER, error_status, whole};
pub(crate) use response::{error_body, read_usage};
pub(crate) use scheme::{ENCODING_FORMAT, INPUT, RESPONSE_FORMAT};
pub use scheme::{SCHEME, TASKS};
pub use tap::StreamTap;
pub(super) use write::{WireLogprob, fault as write_fault, token_logprobs};

/// The format's name.
pub(super) const NAME: &str = "openai_chat";

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

    fn scheme(&self) -> &'static Scheme {
        &SCHEME
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
        write::fault(provider, fault, "messages")
    }
}

impl Native for OpenAiChat {
    fn path(&self) -> &'static str {
        "/chat/completions"
    }

    fn splice(&self, request: &ChatRequest, aim: &Aim<'_>, body: &mut dyn FnMut() -> Rc<Vec<u8>>) -> Spliced {
        let habits = aim.habits;
        let stream_options = match (habits.takes_stream_options, habits.pruning) {
            (true, _) => StreamOptions::Asked,
            (false, None) => StreamOptions::Cut,
            (false, Some(_)) => StreamOptions::Pruned,
        };
        let mut spliced = Spliced::of(request.edits(aim.model, stream_options, habits.max_tokens));
        if let Some(members) = habits.pruning {
            let body = body();
            let text = core::str::from_utf8(&body).unwrap_or_default();
            let pruning = Pruning { members, stream_options: stream_options == StreamOptions::Pruned };
            let (more, dropped) = prune(text, pruning);
            spliced.edits.extend(more);
            spliced.dropped = dropped;
        }
        spliced
    }

    fn wanted(&self) -> &'static [&'static str] {
        WANTED_OF_ANSWER
    }

    fn whole(&self, found: &Found) -> Whole {
        whole(found)
    }

    fn error_body(&self, provider: &str, status: u16, body: &[u8]) -> Option<Vec<u8>> {
        error_body(Shape::OpenAi, provider, status, body)
    }

    fn tap(&self) -> Box<dyn Tap> {
        Box::new(StreamTap::default())
    }
}
