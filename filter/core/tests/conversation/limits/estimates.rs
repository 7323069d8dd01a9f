//! What is reserved for requests before anybody has counted their tokens, held against what their providers did count: by
//! recorded traffic, read where `DRAGOMAN_FIXTURES` says. `docs/rate-limits.md` tells the figures.
//!
//! Much of the recorded traffic makes its provider read what is not in the request: pages of the web, files, what its own tools
//! say, a conversation that it keeps. No estimate knows that, and those are a group of their own.

#![expect(clippy::indexing_slicing, reason = "recordings are read by their fields' names; what is not there is null")]

use std::{
    io::{self, Write as _},
    rc::Rc,
};

use serde_json::{Value, json};

use super::limited;
use crate::{
    recordings::load,
    stage::{Asked, pieces},
};

/// More than any request has.
const MOST: u64 = 1_000_000_000;

/// What tags say of a request to which its provider adds much.
const ADDING: &[&str] = &[
    "audio-in",
    "cached-content",
    "citations",
    "container",
    "file-in",
    "file-uri",
    "grounding",
    "mcp",
    "out-",
    "pdf-in",
    "server-tools",
    "tool-use-tokens",
    "video-in",
];
/// Those that begin with `tool-` name the provider's own tools, but for these.
const CALLING: &[&str] = &["tool-call", "tool-choice", "tool-error", "tool-result"];
/// What such a request holds.
const NAMES: &[&str] = &[
    "\"previous_response_id\":\"",
    "\"conversation\":",
    "\"web_search",
    "advisor",
    "\"url\":\"http",
    "googleSearch",
    "code_interpreter",
    "codeExecution",
    "container",
];

/// A request's tokens.
struct Count {
    estimated: u64,
    counted: u64,
}

impl Count {
    fn difference(&self) -> i64 {
        self.estimated.cast_signed() - self.counted.cast_signed()
    }

    /// The error in hundredths of what was counted.
    fn error(&self) -> u64 {
        self.estimated.abs_diff(self.counted) * 100 / self.counted
    }
}

fn path(recorded: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let model = text(&recorded["model"]);
    let query = text(&recorded["request"]["query"]);
    Some(match recorded["api"].as_str()? {
        "chat" => "/openai/chat/completions".into(),
        "completions" => "/openai/completions".into(),
        "responses" => "/openai/responses".into(),
        "messages" => "/claude/v1/messages".into(),
        "ollama-chat" => "/llama/api/chat".into(),
        "ollama-generate" => "/llama/api/generate".into(),
        "generate" => format!("/gemini/v1beta/models/{model}:generateContent"),
        "stream-generate" => format!("/gemini/v1beta/models/{model}:streamGenerateContent?{query}"),
        _ => return None,
    })
}

/// What was expected of a recorded request, and what its provider has counted.
fn count(recorded: &Value, body: &str) -> Option<Count> {
    let response = &recorded["response"];
    // Nothing is answered in the background where there are limits.
    if response["status"] != 200 || recorded["request"]["body"]["background"] == true {
        return None;
    }
    let desk = limited(&json!({"of": "input_tokens", "per": "day", "max": MOST}));
    // What goes on from an answer that was never given, or is made in the background, is refused.
    let Asked::Sent(sent) = desk.ask_at(&path(recorded)?, "sk-a", body) else { return None };
    let plan = Rc::clone(&sent.plan);
    let kind = response["headers"]["content-type"].as_str().unwrap_or("application/json");
    let answer = sent.answered(200, &[("content-type", kind)], &pieces(response["body"].as_str()?.as_bytes(), 0));
    let left: u64 = answer.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap();
    let counted = plan.usage().map(|usage| usage.input).filter(|input| *input > 0)?;
    Some(Count { estimated: MOST - left, counted })
}

/// To which group a request belongs.
fn group(recorded: &Value, body: &str) -> &'static str {
    let tags: Vec<&str> = recorded["tags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let adds = |tag: &&str| {
        ADDING.iter().any(|adding| tag.contains(adding)) || (tag.starts_with("tool-") && !CALLING.contains(tag))
    };
    let has = |name: &str| recorded["request"]["body"][name].as_array().is_some_and(|list| !list.is_empty());
    if tags.iter().any(adds) || NAMES.iter().any(|name| body.contains(name)) {
        "more than the request says"
    } else if tags.contains(&"image-in") {
        "pictures"
    } else if has("tools") {
        "tools"
    } else {
        "text"
    }
}

/// The value that so many hundredths of them do not exceed.
fn percentile<T: Ord + Copy>(values: impl Iterator<Item = T>, percent: usize) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn estimates_are_near_what_providers_count() {
    let apis = [
        "chat",
        "completions",
        "responses",
        "messages",
        "ollama-chat",
        "ollama-generate",
        "generate",
        "stream-generate",
    ];
    let mut groups: Vec<(&str, Vec<Count>)> = Vec::new();
    for (_, recorded) in load::<Value>(&apis) {
        let body = recorded["request"]["body"].to_string();
        let Some(count) = recorded["request"]["body"].is_object().then(|| count(&recorded, &body)).flatten() else {
            continue;
        };
        let name = group(&recorded, &body);
        match groups.iter_mut().find(|(other, _)| *other == name) {
            Some((_, counts)) => counts.push(count),
            None => groups.push((name, vec![count])),
        }
    }
    let mut told = io::stderr().lock();
    for (name, counts) in &groups {
        let [low, middle, high] = [10, 50, 90].map(|percent| percentile(counts.iter().map(Count::difference), percent));
        let [median, ninety] = [50, 90].map(|percent| percentile(counts.iter().map(Count::error), percent));
        let number = counts.len();
        let line = format!("{name}: {number}, {low} {middle} {high} tokens, error {median} % {ninety} %");
        writeln!(told, "{line}").unwrap();
        let (most, error) = match *name {
            "text" => (10, 60),
            "tools" => (60, 60),
            _ => continue,
        };
        assert!(middle.abs() <= most && median <= error, "{line}");
    }
    assert!(groups.iter().any(|(name, _)| *name == "text"));
}
