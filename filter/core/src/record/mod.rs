//! What is written down of a request when it is over, whoever has answered it: one record, from which the access log's line, the
//! metrics and the totals are made.
//!
//! It borrows: most of it is in the exchange anyway, and it is gone when that is. It has nothing of what was said, and no key but by its
//! name.

pub mod archive;
mod book;
mod counts;
mod line;
pub mod metric;
pub mod ring;
pub mod turnover;

use alloc::{rc::Rc, string::String, vec::Vec};
use core::time::Duration;

pub(crate) use self::line::{end_with, short};
pub use self::{
    book::{Book, MOST_UNLISTED},
    line::PROPERTY,
};
use crate::{
    auth::Key,
    config::ANONYMOUS,
    host::millis,
    plan::{Cached, Spent, Target},
};

/// One request.
#[derive(Debug)]
pub struct Record<'a> {
    /// Envoy's id of it.
    pub id: &'a str,
    /// Its method.
    pub method: &'a str,
    /// Its path as the client wrote it, without the query, in which a key may stand.
    pub path: &'a str,
    /// Whether it asks how the gateway is, and nothing else.
    pub is_probe: bool,
    /// The key it was asked with, where that let it in.
    pub key: Option<&'a Rc<Key>>,
    /// Whether its caller was let in; without a key, as anybody.
    pub is_admitted: bool,
    /// The environment it was asked in.
    pub environment: Option<&'a str>,
    /// The router that its path names.
    pub router: Option<&'a str>,
    /// The model that it asks for.
    pub requested: Option<&'a str>,
    /// Whether it asks for a stream.
    pub is_stream: bool,
    /// Who was asked, each with the status that stands for how that ended; 0 where it was not heard of any more.
    pub tries: Vec<(Target, u16)>,
    /// The same as a text.
    pub attempts: String,
    /// Who was not asked, or only after others, and why.
    pub passed_over: String,
    /// The answer's status; 0 where there is none.
    pub status: u16,
    /// How it has ended.
    pub outcome: Outcome,
    /// The limit that had no room, where that is why nobody was asked.
    pub limit: Option<String>,
    /// What the error is, where it is one: the gateway's own name for it, or a provider's status.
    pub error: Option<String>,
    /// Envoy's reason, where it is Envoy that has ended it.
    pub details: String,
    /// What was used; nothing where nobody has answered.
    pub spent: Option<Spent>,
    /// What that costs, in billionths of a USD; nothing where a price is not known.
    pub nano_usd: Option<u64>,
    /// What was kept for it, where a kept answer would do.
    pub cached: Option<Cached>,
    /// When it was known whole.
    pub began: Duration,
    /// How long after that the first content of a stream came.
    pub first_content: Option<Duration>,
    /// How long after that it was over.
    pub duration: Duration,
}

/// How a request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// In an answer that is whole.
    Answered,
    /// In an answer that breaks off, or in whose middle its provider fails.
    Broken,
    /// Its client has left before it was over.
    Abandoned,
    /// It is to blame itself.
    Refused,
    /// It is not.
    Failed,
}

impl Outcome {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Broken => "broken",
            Self::Abandoned => "abandoned",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What stands at the end of a path, and what that is called by OpenTelemetry: the well-known values of `gen_ai.operation.name`.
const OPERATIONS: &[(&str, &str)] = &[
    ("chat/completions", "chat"),
    ("/responses", "chat"),
    ("/messages", "chat"),
    ("/api/chat", "chat"),
    ("/completions", "text_completion"),
    ("/api/generate", "text_completion"),
    ("/embeddings", "embeddings"),
    ("/api/embed", "embeddings"),
    ("mbedContent", "embeddings"),
    ("mbedContents", "embeddings"),
    ("enerateContent", "generate_content"),
    ("/images/generations", "generate_content"),
];

/// Vendors that OpenTelemetry calls otherwise than the catalogue does.
const PROVIDER_NAMES: &[(&str, &str)] =
    &[("azure", "azure.ai.openai"), ("google", "gcp.gemini"), ("mistral", "mistral_ai"), ("xai", "x_ai")];

/// What OpenTelemetry calls a vendor.
pub(crate) fn known_as(vendor: &'static str) -> &'static str {
    PROVIDER_NAMES.iter().find(|(name, _)| *name == vendor).map_or(vendor, |(_, name)| *name)
}

impl Record<'_> {
    /// Who was asked last.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        self.tries.last().map(|(target, _)| target)
    }

    /// By which key it counts; nothing where nobody was let in.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.is_admitted.then(|| self.key.map_or(ANONYMOUS, |key| &*key.id))
    }

    /// When it was over.
    #[must_use]
    pub fn ended_millis(&self) -> u64 {
        millis(self.began.saturating_add(self.duration))
    }

    /// What is asked for, where OpenTelemetry has a name for it.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        OPERATIONS.iter().find(|(end, _)| self.path.ends_with(end)).map(|(_, operation)| *operation)
    }
}

#[cfg(test)]
pub(crate) mod tests;
