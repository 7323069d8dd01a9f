//! What must be known of a format whose bytes pass as they are: one row each.

use alloc::{boxed::Box, rc::Rc, vec::Vec};

use super::beside::Beside;
use crate::{
    account::Account,
    dialect::{
        Upstream,
        anthropic::{self, Anthropic},
        gemini::{self, Gemini},
        ollama::{self, Ollama},
        openai_chat::{self, OpenAiChat},
    },
    error::Shape,
    json::{Found, Scanner},
    passage::Conduit,
    sse::{Framing, write_event},
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Format {
    /// The shape of its errors.
    pub(crate) shape: Shape,
    /// How its chat is read.
    upstream: &'static dyn Upstream,
    /// The paths, without a version, whose bodies say which model is wanted.
    pub(super) calls: &'static [&'static str],
    /// Those of them that stream unless they are told not to.
    pub(super) streaming: &'static [&'static str],
    /// The members of a whole answer that tell its tokens.
    tokens: &'static [&'static str],
    /// Reads them.
    usage: fn(&Found) -> Option<Usage>,
    /// What a request must have, where the client leaves it out.
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

/// The path of a chat in OpenAI's format.
pub(super) const CHAT: &str = "chat/completions";

/// <https://platform.openai.com/docs/api-reference>
pub(super) static OPENAI: Format = Format {
    shape: Shape::OpenAi,
    upstream: &OpenAiChat,
    calls: &[
        CHAT,
        "audio/speech",
        "completions",
        "embeddings",
        "images/generations",
        "moderations",
        "rerank",
        "responses",
        "responses/input_tokens",
    ],
    streaming: &[],
    tokens: &["usage"],
    usage: |found| openai_chat::read_usage(found.text(0)?),
    headers: &[],
};

/// <https://platform.claude.com/docs/en/api/overview>
pub(super) static ANTHROPIC: Format = Format {
    shape: Shape::Anthropic,
    upstream: &Anthropic,
    calls: &["complete", "messages", "messages/count_tokens"],
    streaming: &[],
    tokens: &["usage"],
    usage: |found| anthropic::read_usage(found.text(0)?),
    headers: &[("anthropic-version", "2023-06-01")],
};

/// <https://ai.google.dev/api>
pub(super) static GEMINI: Format = Format {
    shape: Shape::Gemini,
    upstream: &Gemini,
    calls: &[],
    streaming: &[],
    tokens: &["usageMetadata"],
    usage: |found| gemini::read_usage(found.text(0)?),
    headers: &[],
};

/// <https://docs.ollama.com/api>
pub(super) static OLLAMA: Format = Format {
    shape: Shape::Ollama,
    upstream: &Ollama,
    calls: &["chat", "embed", "embeddings", "generate", "show"],
    streaming: &["chat", "generate"],
    tokens: ollama::TOKENS,
    usage: ollama::read_usage,
    headers: &[],
};

impl Format {
    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        self.upstream.name()
    }

    /// How a stream of this media type is cut into frames, where it is one of this format.
    pub(crate) fn framing(&self, content_type: &[u8]) -> Option<Framing> {
        let of_media = [(&b"text/event-stream"[..], Framing::Events), (b"application/x-ndjson", Framing::Lines)];
        let (_, framing) = of_media.into_iter().find(|(media, _)| content_type.starts_with(media))?;
        (framing == self.upstream.framing().0).then_some(framing)
    }

    /// What looks at a stream on its way.
    pub(super) fn beside(&'static self, account: &Rc<Account>) -> Box<dyn Conduit> {
        Box::new(Beside::new(self, self.upstream, account))
    }

    /// What looks for the tokens of a whole answer.
    pub(crate) fn scanner(&self) -> Scanner {
        Scanner::new(self.tokens)
    }

    /// The tokens that it found.
    pub(crate) fn usage(&self, found: &Found) -> Option<Usage> {
        (self.usage)(found)
    }

    /// An error as the last event of a stream.
    pub(super) fn error_event(&self, body: &[u8]) -> Vec<u8> {
        let mut event = Vec::new();
        match self.shape {
            Shape::OpenAi | Shape::Gemini => write_event(&mut event, None, body),
            Shape::Anthropic => write_event(&mut event, Some("error"), body),
            Shape::Ollama => {
                event.extend_from_slice(body);
                event.push(b'\n');
            }
        }
        event
    }
}
