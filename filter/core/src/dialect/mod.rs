//! What is spoken: wire formats, one folder each.
//!
//! A client's format implements [`Downstream`], a provider's [`Upstream`]; both map to and from the canonical chat
//! ([`crate::chat`]), never to each other. Where client and provider speak the same format, bytes pass untouched but for
//! spliced places and neither trait is asked.

mod abilities;
pub mod anthropic;
mod arguments;
mod call_id;
mod cut;
mod dropped;
mod field;
pub mod gemini;
pub mod head;
mod in_turn;
mod native;
pub(crate) mod object;
pub mod ollama;
pub mod openai_chat;
pub mod openai_completions;
pub mod openai_responses;

use alloc::{borrow::Cow, boxed::Box, string::String, vec::Vec};
use core::fmt;

pub(crate) use abilities::KEEPS_NOTHING;
pub use abilities::{Ability, Wishes};
pub(crate) use cut::span;
pub use dropped::Dropped;
pub(crate) use field::typed;
pub use native::{Event, Native, Spliced, Tap, Whole};

use self::head::Scheme;
use crate::{
    chat::{Delta, Fault, Request, Response},
    error::{Error, Shape},
    headers::Headers,
    host::Clock,
    provider::Vendor,
    sse::{Frame, Framing},
    step::Name,
    task::{count::Counter, embedding::Embedder, image::Painter},
};

/// A wire format as providers speak it.
pub trait Upstream: Sync {
    /// Its name. A client's format of the same name is the same format.
    fn name(&self) -> &'static str;

    /// The version segment of its paths, `/v1`: left out where the provider's base URL ends with it.
    fn version(&self) -> &'static str;

    /// What it can do on a model, of what not every format can.
    fn abilities(&self, model: &str) -> &'static [Ability];

    /// Writes a request for a target, or says which field the target cannot do.
    ///
    /// # Errors
    /// [`crate::error::Kind::InvalidRequest`], blaming the field.
    fn write(&self, request: &Request<'_>, aim: &Aim<'_>) -> Result<Written, Error>;

    /// Reads a whole answer.
    ///
    /// # Errors
    /// [`Broken`] where it is none: an error that calls itself a success is the fault that it would be in a stream.
    fn read<'a>(&self, body: &'a str) -> Result<Response<'a>, Broken>;

    /// How its streams are cut into frames, and their media type.
    fn framing(&self) -> (Framing, &'static str);

    /// Reads a stream.
    fn reader(&self) -> Box<dyn Reader>;

    /// Reads an error.
    fn fault(&self, status: u16, body: &[u8]) -> Fault;

    /// For how many seconds an error asks to wait, where its body says so and no header does.
    fn retry_after(&self, _body: &[u8]) -> Option<u64> {
        None
    }

    /// How it makes vectors, if it does.
    fn embedder(&self) -> Option<&'static Embedder> {
        None
    }

    /// How it counts the tokens of a chat without answering it, if it does.
    fn counter(&self) -> Option<&'static Counter> {
        None
    }

    /// How it draws pictures on a model, if it does.
    fn painter(&self, _model: &str) -> Option<&'static Painter> {
        None
    }

    /// The provider's rate limits in `OpenAI`'s headers; the clock is asked only where one says a time.
    fn rate_limits(&self, headers: Headers<'_>, clock: &dyn Clock) -> Vec<(Name, String)>;
}

/// Reads the stream of one answer.
pub trait Reader {
    /// Gives what the next frame says to `each`, in order.
    ///
    /// # Errors
    /// [`Broken`] where no answer can follow.
    fn read(&mut self, frame: Frame<'_>, each: &mut dyn FnMut(Delta<'_>)) -> Result<(), Broken>;
}

/// A wire format as clients speak it.
pub trait Downstream: Native + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Whether a vendor whose providers speak this dialect speaks this format, too, about a model.
    fn is_spoken_by(&self, dialect: &str, _: &Vendor, _model: &str) -> bool {
        dialect == Downstream::name(self)
    }

    /// The shape of its errors.
    fn shape(&self) -> Shape;

    /// Where the head of a request says what.
    fn scheme(&self) -> &'static Scheme;

    /// Reads a request.
    ///
    /// # Errors
    /// [`crate::error::Kind::InvalidRequest`], blaming the field.
    fn read<'a>(&self, body: &'a str) -> Result<Request<'a>, Error>;

    /// What it calls a field that has this name in `OpenAI`'s chat, in which refusals and lists of what was left out name them.
    fn name_of<'n>(&self, field: &'n str) -> Cow<'n, str> {
        Cow::Borrowed(field)
    }

    /// What its answers need of a request, in the format's own form: what they repeat of it. Empty where that is nothing.
    fn echo(&self, _body: &str) -> String {
        String::new()
    }

    /// Writes a whole answer.
    fn write(&self, response: &Response<'_>, identity: &Identity) -> Vec<u8>;

    /// Writes a stream; `wants_usage` says that the client asked for its tokens.
    fn writer(&self, identity: Identity, wants_usage: bool) -> Box<dyn Writer>;

    /// Writes a provider's error: the status and the body.
    fn fault(&self, provider: &str, fault: &Fault) -> (u16, Vec<u8>);
}

/// Writes the stream of one answer.
pub trait Writer {
    /// Appends what a step is in this format, perhaps nothing.
    fn write(&mut self, delta: Delta<'_>, out: &mut Vec<u8>);

    /// Appends an error as the last event.
    fn error(&mut self, body: &[u8], out: &mut Vec<u8>);
}

// Not `Debug` above: the table of a trait object keeps what nobody calls, and with it the printing of every field below, down
// to that of floating-point numbers.

impl fmt::Debug for dyn Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for dyn Downstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for dyn Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

impl fmt::Debug for dyn Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

/// The target of a request.
#[derive(Debug, Clone, Copy)]
pub struct Aim<'a> {
    /// The model's id.
    pub model: &'a str,
    /// Most tokens that it can answer, where known.
    pub max_output_tokens: Option<u64>,
    /// An id for this exchange, for what the format wants ids for.
    pub exchange: &'a str,
    /// In what it differs from others that speak its format.
    pub habits: Habits,
}

/// In what a target differs from whom its format is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// Whether a stream may be asked for its tokens.
    pub takes_stream_options: bool,
    /// What it calls `max_completion_tokens`, where it does not know that name.
    pub max_tokens: Option<&'static str>,
    /// Whether a request is pruned of what other providers have left in it, and then whether of members, too, and not only of what
    /// an id carries.
    pub pruning: Option<bool>,
    /// Whose thoughts may be its own.
    pub thoughts: Thoughts,
}

impl Default for Habits {
    fn default() -> Self {
        Self { takes_stream_options: true, max_tokens: None, pruning: None, thoughts: Thoughts::OpenAi }
    }
}

/// Whose thoughts stay in a conversation, of what proves them: nobody else can make something of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thoughts {
    /// OpenAI's own.
    OpenAi,
    /// Those of whoever speaks OpenAI's format, but not OpenAI's.
    Others,
    /// Nobody's: those that stayed were refused.
    Nobody,
}

/// A request as its target must get it.
#[derive(Debug, Default)]
pub struct Written {
    /// The path behind the base URL and the version, with its query.
    pub path: String,
    /// Headers that the format asks for.
    pub headers: Vec<(Name, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What of the client's request has no counterpart and was left out.
    pub dropped: Dropped,
}

/// What an answer is called where its provider gives it no name.
#[derive(Debug, Clone)]
pub struct Identity {
    /// An id of this exchange.
    pub exchange: String,
    /// When it was asked, in seconds since the epoch.
    pub created: u64,
    /// The model that was asked.
    pub model: String,
    /// What the answer repeats of its request: see [`Downstream::echo`].
    pub echo: String,
}

/// Why nothing of an answer follows a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// The frame is not of the expected format.
    Malformed,
    /// The provider gives up.
    Fault(Fault),
}
