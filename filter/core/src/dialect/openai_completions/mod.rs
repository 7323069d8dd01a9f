//! OpenAI's older completions, as clients speak them: <https://platform.openai.com/docs/api-reference/completions>.
//!
//! Who has them gets a request as it is. A model that only chats is asked the prompt as its user's one message: what a chat has no
//! word for is refused (`Ability::Completing`) or listed. There is no format of providers for it: their answers differ from those
//! of a chat in one member, which the chat's tap knows.

mod read;
mod scheme;
mod stream;
mod write;

use alloc::{borrow::Cow, boxed::Box, rc::Rc, vec::Vec};

use super::{
    Aim, Downstream, Identity, Native, Spliced, Tap, Whole, Writer,
    head::{ChatRequest, Scheme, StreamOptions},
    openai_chat::{self, OpenAiChat},
};
use crate::{
    chat::{Fault, Request, Response},
    error::{Error, Shape},
    json::Found,
    provider::Vendor,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct OpenAiCompletions;

impl Downstream for OpenAiCompletions {
    fn name(&self) -> &'static str {
        "openai_completions"
    }

    fn is_spoken_by(&self, dialect: &str, vendor: &Vendor, model: &str) -> bool {
        dialect == openai_chat::NAME && vendor.completes(model)
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
        Cow::Borrowed(if field.starts_with("messages") { "prompt" } else { field })
    }

    fn write(&self, response: &Response<'_>, identity: &Identity) -> Vec<u8> {
        write::write(response, identity)
    }

    fn writer(&self, identity: Identity, wants_usage: bool) -> Box<dyn Writer> {
        Box::new(stream::StreamWriter::new(identity, wants_usage))
    }

    fn fault(&self, provider: &str, fault: &Fault) -> (u16, Vec<u8>) {
        openai_chat::write::fault(provider, fault, "prompt")
    }
}

impl Native for OpenAiCompletions {
    fn path(&self) -> &'static str {
        "/completions"
    }

    fn splice(&self, request: &ChatRequest, aim: &Aim<'_>, _: &mut dyn FnMut() -> Rc<Vec<u8>>) -> Spliced {
        let asked = aim.habits.takes_stream_options;
        Spliced::of(request.edits(aim.model, if asked { StreamOptions::Asked } else { StreamOptions::Cut }, None))
    }

    fn wanted(&self) -> &'static [&'static str] {
        OpenAiChat.wanted()
    }

    fn whole(&self, found: &Found) -> Whole {
        OpenAiChat.whole(found)
    }

    fn error_body(&self, provider: &str, status: u16, body: &[u8]) -> Option<Vec<u8>> {
        OpenAiChat.error_body(provider, status, body)
    }

    fn tap(&self) -> Box<dyn Tap> {
        OpenAiChat.tap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_asked_in_completions_where_it_has_them() {
        let vendor = |host: &str| {
            let (host, path) = (host.into(), "/v1".into());
            Vendor::of(&crate::config::BaseUrl { tls: true, host, port: 443, path, api_version: None })
        };
        let openai = vendor("api.openai.com");
        for (dialect, model, is_native) in [
            ("openai_chat", "gpt-3.5-turbo-instruct", true),
            ("openai_chat", "davinci-002", true),
            ("openai_chat", "Qwen/Qwen3-8B", true),
            ("openai_chat", "gpt-oss-20b", true),
            ("openai_chat", "gpt-3.5-turbo", false),
            ("openai_chat", "openai/gpt-5-mini", false),
            ("openai_chat", "o3", false),
            ("anthropic", "davinci-002", false),
        ] {
            assert_eq!(OpenAiCompletions.is_spoken_by(dialect, openai, model), is_native, "{dialect} {model}");
        }
        for (host, is_native) in [("openrouter.ai", true), ("127.0.0.1", false), ("x.openai.azure.com", false)] {
            assert_eq!(OpenAiCompletions.is_spoken_by("openai_chat", vendor(host), "gpt-4o"), is_native, "{host}");
        }
    }
}
