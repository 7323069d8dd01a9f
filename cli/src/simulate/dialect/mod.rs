//! The wire formats of the simulated provider.
//!
//! A dialect is one file that reads requests into a [`Question`] and renders an [`Answer`], whole or as stream events.
//! It knows nothing of sockets, pauses or faults: those are the same for all, and act on what a dialect rendered.

mod openai;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{
    answer::{Answer, Question},
    complaint::Complaint,
    script::Random,
};

/// A wire format.
pub(super) trait Dialect: Sync {
    /// The API key that a request brings.
    fn key<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]>;

    /// Headers that the provider puts on every answer.
    fn headers(&self, stamp: &Stamp) -> Vec<(HeaderName, HeaderValue)>;

    /// What a request asks, or what is wrong with it.
    fn read(&self, body: &[u8]) -> Result<Question, Complaint>;

    /// An answer in one piece.
    fn whole(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<u8>;

    /// An answer as stream events, framed; the last one ends the stream.
    fn stream(&self, question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<Vec<u8>>;

    /// An error.
    fn complaint(&self, complaint: &Complaint) -> Vec<u8>;

    /// An error as a stream event.
    fn complaint_event(&self, complaint: &Complaint) -> Vec<u8>;

    /// The list of models, or the one that is named.
    fn models(&self, one: Option<&str>) -> Result<Vec<u8>, Complaint>;
}

/// What makes an answer unlike every other.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    /// Unix time in seconds.
    pub(super) created: u64,
    /// For ids.
    pub(super) random: Random,
}

/// What a request is for.
#[derive(Clone, Copy)]
pub(super) enum Route<'r> {
    Chat,
    Models(Option<&'r str>),
    WrongMethod,
    Unknown,
}

/// The dialect and the purpose of a request, by its path, under any prefix.
pub(super) fn route<'r>(method: &Method, path: &'r str) -> (&'static dyn Dialect, Route<'r>) {
    let route = if path.ends_with("/chat/completions") {
        if method == Method::POST { Route::Chat } else { Route::WrongMethod }
    } else if path.ends_with("/models") {
        if method == Method::GET { Route::Models(None) } else { Route::WrongMethod }
    } else if let Some((_, id)) = path.split_once("/models/") {
        if method == Method::GET { Route::Models(Some(id)) } else { Route::WrongMethod }
    } else {
        Route::Unknown
    };
    (&openai::OpenAi, route)
}
