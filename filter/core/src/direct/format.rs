//! What must be known of a format whose bytes pass as they are: one row each.

use alloc::{boxed::Box, rc::Rc, vec::Vec};

use super::{
    beside::{Beside, Outline, Witness},
    typed::{self, Typed},
};
use crate::{
    account::Account,
    dialect::{
        Upstream,
        anthropic::{self, Anthropic},
        gemini::{self, Gemini},
        head::{OF_CHAT, OF_GEMINI, OF_OLLAMA, OF_RESPONSES, Terms},
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
    /// Those whose answers tell tokens, too, but whose bodies are forms.
    pub(super) forms: &'static [&'static str],
    /// Those of the calls that stream unless they are told not to.
    pub(super) streaming: &'static [&'static str],
    /// What reads its streams but that of a chat of OpenAI's.
    witness: fn(Framing) -> Box<dyn Witness>,
    /// The members of a whole answer that are read; the last is its error.
    wanted: &'static [&'static str],
    /// Its tokens.
    usage: fn(&Found) -> Option<Usage>,
    /// What a request must have, where the client leaves it out.
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

/// The path of a chat in OpenAI's format.
pub(super) const CHAT: &str = "chat/completions";

/// That of its older form.
pub(super) const COMPLETIONS: &str = "completions";

/// <https://platform.openai.com/docs/api-reference>
pub(crate) static OPENAI: Format = Format {
    shape: Shape::OpenAi,
    upstream: &OpenAiChat,
    calls: &[
        CHAT,
        COMPLETIONS,
        "audio/speech",
        "classify",
        "embeddings",
        "images/generations",
        "moderations",
        "pooling",
        "rerank",
        "responses",
        "responses/compact",
        "responses/input_tokens",
        "score",
    ],
    forms: &["audio/transcriptions", "audio/translations", "images/edits", "images/variations"],
    streaming: &[],
    witness: |_| Box::new(Typed),
    wanted: &["usage", "error"],
    usage: |found| openai_chat::read_usage(found.text(0)?),
    headers: &[],
};

/// <https://platform.claude.com/docs/en/api/overview>
pub(super) static ANTHROPIC: Format = Format {
    shape: Shape::Anthropic,
    upstream: &Anthropic,
    calls: &["complete", "messages", "messages/count_tokens"],
    forms: &[],
    streaming: &[],
    witness: |_| Box::new(Outline::new(Anthropic.reader())),
    wanted: &["usage", "error"],
    usage: |found| anthropic::read_usage(found.text(0)?),
    headers: anthropic::HEADERS,
};

/// <https://ai.google.dev/api>
pub(super) static GEMINI: Format = Format {
    shape: Shape::Gemini,
    upstream: &Gemini,
    calls: &[],
    forms: &[],
    streaming: &[],
    witness: |framing| {
        Box::new(Outline::new(if framing == Framing::Elements { gemini::list_reader() } else { Gemini.reader() }))
    },
    wanted: &["usageMetadata", "error"],
    usage: |found| gemini::read_usage(found.text(0)?),
    headers: &[],
};

/// <https://docs.ollama.com/api>
pub(super) static OLLAMA: Format = Format {
    shape: Shape::Ollama,
    upstream: &Ollama,
    calls: &["chat", "embed", "embeddings", "generate", "show"],
    forms: &[],
    streaming: &["chat", "generate"],
    witness: |_| Box::new(Outline::new(Ollama.reader())),
    wanted: ollama::TOKENS_AND_ERROR,
    usage: ollama::read_usage,
    headers: &[],
};

impl Format {
    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        self.upstream.name()
    }

    /// Which members of a request on this path say how long its answer may be.
    pub(super) fn terms(&self, path: &str) -> Terms {
        match self.shape {
            Shape::OpenAi if path.contains("responses") => OF_RESPONSES,
            Shape::OpenAi | Shape::Anthropic => OF_CHAT,
            Shape::Gemini => OF_GEMINI,
            Shape::Ollama => OF_OLLAMA,
        }
    }

    /// How an answer of this media type is cut into frames, where it is a stream of this format.
    pub(super) fn framing(&self, content_type: &[u8], is_stream: bool) -> Option<Framing> {
        let own = self.upstream.framing().0;
        let is_list = is_stream && self.shape == Shape::Gemini;
        let of_media = [
            (&b"text/event-stream"[..], Framing::Events, own == Framing::Events),
            (b"application/x-ndjson", Framing::Lines, own == Framing::Lines),
            (b"application/json", Framing::Elements, is_list),
        ];
        let found = of_media.into_iter().find(|(media, _, is_own)| *is_own && content_type.starts_with(media));
        found.map(|(_, framing, _)| framing)
    }

    /// What looks at a stream on its way.
    pub(super) fn beside(&'static self, framing: Framing, is_read: bool, account: &Rc<Account>) -> Box<dyn Conduit> {
        Box::new(Beside::new(self, framing, is_read.then(|| (self.witness)(framing)), account))
    }

    /// The members of a whole answer that are read.
    pub(crate) const fn wanted(&self) -> &'static [&'static str] {
        self.wanted
    }

    /// Whether the body of a call on this path says which model is wanted.
    pub(crate) fn names_model(&self, path: &str) -> bool {
        self.calls.contains(&path)
    }

    /// Whether it is known what a call on this path answers.
    pub(crate) fn knows(&self, path: &str) -> bool {
        self.calls.contains(&path) || self.forms.contains(&path)
    }

    /// What looks at a whole answer on its way.
    pub(crate) fn scanner(&self) -> Scanner {
        Scanner::new(self.wanted)
    }

    /// The tokens that it found.
    pub(crate) fn usage(&self, found: &Found) -> Option<Usage> {
        (self.usage)(found)
    }

    /// The status that it stands for, where it is an error that calls itself a success.
    pub(crate) fn fault(&self, found: &Found) -> Option<u16> {
        let error = found.text(self.wanted.len().saturating_sub(1))?;
        (error != "null").then(|| typed::status(error))
    }

    /// Whether an error says that the credential is refused, which its status does not: a 400 of Google's and of xAI's
    /// (2026-11). The client would take it for its own.
    pub(crate) fn refuses_credential(&self, status: u16, body: &[u8]) -> bool {
        match self.shape {
            _ if status != 400 => false,
            Shape::OpenAi => typed::refuses_credential(body) || Gemini.fault(status, body).status != status,
            Shape::Gemini => Gemini.fault(status, body).status != status,
            Shape::Anthropic | Shape::Ollama => false,
        }
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
