//! The Responses API: items in, items out.
//!
//! It is strict where chat completions are not: an unknown parameter is refused, a call must have its output and an
//! output its call, a signed thought comes back as it was signed. A response that was made with `store` (unless told
//! otherwise all are) can be asked for by its id, continued, cancelled if it runs in the background, and deleted.

mod items;
mod output;
mod request;
mod stored;
mod stream;
mod tools;

use http::Method;
use serde_json::{Value, json};

use super::{ErrorBody, Ordered, Route, Stamp, pretty};
use crate::simulate::{answer::Answer, dialect::field::is, memory::Memory, question::Question, record::Request};

pub(super) use self::request::read;

/// For signatures: those of one provider mean nothing to another.
const PURPOSE: &str = "openai";

pub(super) fn route<'r>(path: &'r str, request: &'r Request) -> Option<Route<'r>> {
    if path.ends_with("/responses") {
        return Some(Route::Chat.by(&Method::POST, request));
    }
    let (_, rest) = path.rsplit_once("/responses/")?;
    Some(match rest.split_once('/') {
        None if rest == "input_tokens" => Route::CountTokens.by(&Method::POST, request),
        None if request.method == Method::DELETE => Route::Errand(stored::delete),
        None => Route::Errand(stored::get).by(&Method::GET, request),
        Some((_, "cancel")) => Route::Errand(stored::cancel).by(&Method::POST, request),
        Some((_, "input_items")) => Route::Errand(stored::input_items).by(&Method::GET, request),
        Some(_) => Route::Unknown,
    })
}

/// The whole response; of one that runs in the background, its place in the queue.
pub(super) fn whole(question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<u8> {
    let mut response = output::response(question, answer, stamp);
    if is(&question.asked, "/background", true) {
        output::reopen(&mut response, "queued");
    }
    pretty(&response)
}

pub(super) fn stream(question: &Question, answer: &Answer, stamp: &Stamp) -> Vec<Vec<u8>> {
    stream::events(&output::response(question, answer, stamp), answer, question, stamp).iter().map(event).collect()
}

pub(super) fn keep(question: &Question, answer: &Answer, stamp: &Stamp, memory: &Memory) {
    if is(&question.asked, "/store", false) {
        return;
    }
    let response = output::response(question, answer, stamp);
    let id = response.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let events = stream::events(&response, answer, question, stamp);
    let input = question.asked.pointer("/conversation").cloned().unwrap_or_default();
    memory.keep(&id, json!({"response": response, "input": input, "events": events}));
}

pub(super) fn error_event(error: &ErrorBody<'_>) -> Vec<u8> {
    event(&json!({"type": "error", "error": error, "sequence_number": 0}))
}

/// One framed event, which says its type twice.
fn event(value: &Value) -> Vec<u8> {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    let data = serde_json::to_string(&Ordered(value)).unwrap_or_default();
    format!("event: {kind}\ndata: {data}\n\n").into_bytes()
}
