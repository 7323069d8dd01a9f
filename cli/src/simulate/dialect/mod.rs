//! The wire formats of the simulated provider.
//!
//! A dialect is one folder that reads requests into a [`Question`] and renders an [`Answer`], whole or as stream events.
//! It knows nothing of sockets, pauses or faults: those are the same for all, and act on what a dialect rendered. What
//! the real API refuses, it refuses, with the same words where they are known: a lenient provider would hide every
//! mistake of the gateway that is tested with it.
//!
//! All dialects share one address. Each says whether a request is its own ([`Dialect::route`]); the first that does has
//! it.

mod anthropic;
mod field;
mod gemini;
mod ollama;
mod openai;
mod signature;
mod stamp;

use http::{HeaderName, HeaderValue, Method};

pub(super) use self::stamp::Stamp;
use super::{answer::Answer, complaint::Complaint, memory::Memory, question::Question, record::Request};

/// In the order in which they are tried: the last one takes what is left.
const DIALECTS: [&dyn Dialect; 8] = [
    &gemini::WHOLE,
    &gemini::EVENTS,
    &gemini::ARRAY,
    &anthropic::Anthropic,
    &ollama::Ollama,
    &openai::OpenAi::Responses,
    &openai::OpenAi::Completions,
    &openai::OpenAi::Chat,
];

/// A wire format.
pub(super) trait Dialect: Sync {
    /// What a request is for, where it is one of this dialect.
    fn route<'r>(&self, request: &'r Request) -> Option<Route<'r>>;

    /// The API key that a request brings.
    fn key<'r>(&self, request: &'r Request) -> Option<&'r [u8]>;

    /// Whether there is no talking to it without a key, even where any key will do.
    fn always_wants_a_key(&self) -> bool {
        false
    }

    /// What a client without a key is told.
    fn no_key(&self) -> Complaint;

    /// What a client with the wrong key is told.
    fn wrong_key(&self) -> Complaint {
        Complaint::of_status(401)
    }

    /// Headers that the provider puts on every answer.
    fn headers(&self, stamp: &Stamp) -> Vec<(HeaderName, HeaderValue)>;

    /// What a request asks, after what was kept of earlier ones, or what is wrong with it.
    fn read(&self, request: &Request, memory: &Memory) -> Result<Question, Complaint>;

    /// The type of whole answers and of errors.
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    /// An answer in one piece.
    fn whole(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<u8>;

    /// The type of streams.
    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    /// An answer as stream events, framed; the last one ends the stream.
    fn stream(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<Vec<u8>>;

    /// Keeps of an answer what a client may ask for later.
    fn keep(&self, _question: &Question, _answer: &Answer, _stamp: &Stamp, _memory: &Memory) {}

    /// The length of what is asked.
    fn count(&self, _question: &Question) -> Vec<u8> {
        Vec::new()
    }

    /// A general complaint in the provider's words and with its status, or none where the provider answers instead.
    fn word(&self, complaint: Complaint) -> Option<Complaint> {
        Some(complaint)
    }

    /// An error.
    fn complaint(&self, complaint: &Complaint, stamp: &Stamp) -> Vec<u8>;

    /// An error as a stream event, the last and perhaps also the `first` of its stream.
    fn complaint_event(&self, complaint: &Complaint, stamp: &Stamp, first: bool) -> Vec<u8>;

    /// The list of models, or the one that is named.
    fn models(&self, one: Option<&str>) -> Result<Vec<u8>, Complaint>;
}

/// What a request is for.
#[derive(Clone, Copy)]
pub(super) enum Route<'r> {
    Chat,
    CountTokens,
    /// Something that takes no model's thought.
    Errand(Run),
    Models(Option<&'r str>),
    WrongMethod,
    Unknown,
}

/// How an errand is run.
pub(super) type Run = fn(&Request, &Stamp, &Memory) -> Result<Errand, Complaint>;

/// What is answered without a conversation, of the request and what was kept.
pub(super) struct Errand {
    /// Its name may ask for faults.
    pub(super) model: String,
    pub(super) content_type: &'static str,
    pub(super) body: ErrandBody,
}

pub(super) enum ErrandBody {
    Whole(Vec<u8>),
    /// As events, framed.
    Stream(Vec<Vec<u8>>),
}

impl Route<'_> {
    /// The same, if the request is by this method.
    fn by(self, method: &Method, request: &Request) -> Self {
        if request.method == *method { self } else { Route::WrongMethod }
    }
}

/// The dialect and the purpose of a request, by its path, under any prefix.
pub(super) fn route(request: &Request) -> (&'static dyn Dialect, Route<'_>) {
    let claim = |dialect: &&'static dyn Dialect| dialect.route(request).map(|route| (*dialect, route));
    DIALECTS.iter().find_map(claim).unwrap_or((&openai::OpenAi::Chat, Route::Unknown))
}
