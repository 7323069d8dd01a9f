//! What an answer says, and by whom.

use super::SAID;
use crate::http::Response;
use crate::scene::openai_error;
use serde_json::Value;

/// The tries, as the answer tells them: `provider/model`, and the status.
///
/// # Panics
/// When it does not, or not so.
#[must_use]
#[track_caller]
pub fn tries(answer: &Response) -> Vec<(String, u16)> {
    let line = answer.headers.text("x-dragoman-attempts").expect("the answer tells its tries");
    let tries = line.split(',').map(|entry| {
        let (target, status) = entry.rsplit_once('=').expect("a target has a status");
        (target.to_owned(), status.parse().expect("a status is a number"))
    });
    tries.collect()
}

/// The text of an answer in OpenAI's format, whole or streamed.
///
/// # Panics
/// When it is none, or not complete.
#[must_use]
#[track_caller]
pub fn said(answer: &Response, stream: bool) -> String {
    assert_eq!((answer.status, answer.complete), (200, true), "{}", answer.text());
    if !stream {
        let body = answer.json();
        assert_eq!(text(&body, "/object"), Some("chat.completion"), "{body}");
        assert_eq!(text(&body, "/choices/0/finish_reason"), Some("stop"), "{body}");
        return text(&body, "/choices/0/message/content").expect("a text").to_owned();
    }
    let mut events = answer.events();
    assert_eq!(events.pop().as_deref(), Some("[DONE]"), "{}", answer.text());
    let chunks: Vec<Value> =
        events.iter().map(|event| serde_json::from_str(event).expect("an event is JSON")).collect();
    assert!(chunks.iter().all(|chunk| text(chunk, "/object") == Some("chat.completion.chunk")), "{}", answer.text());
    let ends = chunks.iter().filter(|chunk| text(chunk, "/choices/0/finish_reason") == Some("stop")).count();
    assert_eq!(ends, 1, "{}", answer.text());
    words(&chunks)
}

/// A text somewhere in a document.
fn text<'a>(document: &'a Value, pointer: &str) -> Option<&'a str> {
    document.pointer(pointer).and_then(Value::as_str)
}

/// The text in some chunks.
fn words(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| text(chunk, "/choices/0/delta/content")).collect()
}

/// The text in the first events of a stream, as far as they are whole.
#[must_use]
pub fn heard(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let events = text.split_inclusive("\n\n").filter_map(|event| event.strip_suffix("\n\n")?.strip_prefix("data: "));
    words(&events.filter_map(|event| serde_json::from_str(event).ok()).collect::<Vec<_>>())
}

/// Asserts that an answer is what a target says, after the tries at others.
///
/// # Panics
/// When it is not.
#[track_caller]
pub fn assert_served(answer: &Response, target: &str, stream: bool) {
    let (provider, model) = target.split_once('/').expect("a provider's model");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(said(answer, stream), format!("This is {model}, simulated. You said: {SAID}"));
    assert_named(answer, provider, model);
}

/// Asserts that Envoy has given this answer itself, past every filter: the provider broke off after the head, which the client's
/// own stream still held. Nobody else can be asked then, and no header tells who was.
///
/// # Panics
/// When it has not.
#[track_caller]
pub fn assert_ended_by_envoy(answer: &Response) {
    let ends = ["protocol_error", "connection_termination", "remote_reset"];
    let ends = ends.map(|end| format!("Envoy ended the request: upstream_reset_after_response_started{{{end}}}."));
    let message = openai_error(answer, answer.status, "upstream_error", Some("upstream_error"));
    assert!(ends.contains(&message), "{message}");
    assert!([502, 503].contains(&answer.status) && answer.complete, "{}", answer.status);
    assert_eq!(answer.headers.iter().find(|(name, _)| name.starts_with("x-dragoman-")), None);
}

/// Asserts that an answer names this provider and model, which were tried last.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn assert_named(answer: &Response, provider: &str, model: &str) {
    assert_eq!(teller(answer), format!("{provider}/{model}"));
    assert_eq!(tries(answer).last(), Some(&(format!("{provider}/{model}"), answer.status)));
}

/// The target whose answer it is: one of those that were tried, with the answer's status. Asserts that the answer holds no other
/// header of the gateway's own.
///
/// # Panics
/// When it is none of them.
#[must_use]
#[track_caller]
pub fn teller(answer: &Response) -> String {
    let header = |name: &str| answer.headers.text(name).expect("the answer says whose it is");
    let target = [header("x-dragoman-provider"), header("x-dragoman-model")].join("/");
    let tries = tries(answer);
    let of_target = |(tried, status): &(String, u16)| *tried == target && *status == answer.status;
    assert!(tries.iter().any(of_target), "{target}={} is none of {tries:?}", answer.status);
    let told = ["x-dragoman-provider", "x-dragoman-model", "x-dragoman-attempts", "x-dragoman-dropped"];
    let is_private =
        |name: &&str| name.starts_with("x-envoy-") || (name.starts_with("x-dragoman-") && !told.contains(name));
    assert_eq!(answer.headers.iter().map(|(name, _)| name).find(is_private), None);
    target
}
