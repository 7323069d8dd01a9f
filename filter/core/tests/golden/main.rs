//! The dialects as documents: what a client sends and what each provider gets for it, what a provider answers and what the
//! client gets. Coverage is a folder listing, and a change of a mapping is a diff that a reviewer can read.
//!
//! `requests/CLIENT/CASE/request.json` is written by hand, `PROVIDER.json` beside it is what that provider gets, or the
//! refusal. `answers/CASE/PROVIDER.{whole.json,stream.txt}` is written by hand in the provider's own format,
//! `answers/CASE/CLIENT/…` is what the client gets, and `answers/CASE/CLIENT/PROVIDER.again.json` what the same provider gets
//! when the answer comes back as history, from a client that keeps what it was sent and from one that drops what OpenAI's
//! API does not have, or, in the words of Anthropic's API, what Anthropic gets then, whoever answered. `GOLDEN=write` writes what is not written by hand.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and compares documents by meaning"
)]

mod answers;
mod book;
mod collect;
mod completions;
mod fields;
mod messages;
mod requests;
mod responses;
#[expect(
    dead_code,
    clippy::disallowed_methods,
    reason = "the conversations use the rest of it, and show bytes as they can"
)]
#[path = "../conversation/stage.rs"]
mod stage;
mod table;

use std::rc::Rc;

use dragoman_core::gateway::Gateway;

/// The client's dialects: a folder each.
const CLIENTS: &[&str] = &["openai_chat", "messages", "completions", "responses"];

/// The providers: a column each.
const PROVIDERS: &[Provider] = &[
    Provider { name: "openai_chat", model: "gpt-5-mini", framing: "text/event-stream" },
    Provider { name: "anthropic", model: "claude-sonnet-4-5", framing: "text/event-stream" },
    Provider { name: "gemini", model: "gemini-2.5-flash", framing: "text/event-stream" },
    Provider { name: "ollama", model: "qwen3", framing: "application/x-ndjson" },
];

/// Cases whose mapping depends on the model's generation.
const MODELS: &[(&str, &str, &str)] = &[
    ("reasoning_effort_adaptive", "anthropic", "claude-opus-4-8"),
    ("reasoning_effort_adaptive", "gemini", "gemini-3-pro-preview"),
    ("reasoning_adaptive", "anthropic", "claude-opus-4-8"),
    ("reasoning_adaptive", "gemini", "gemini-3-pro-preview"),
    ("thinking_of_gemini", "gemini", "gemini-3-pro-preview"),
    ("thinking_history", "gemini", "gemini-3-pro-preview"),
    ("tool_signature_in_extra_content", "gemini", "gemini-3-pro-preview"),
    ("tool_signature_in_id", "gemini", "gemini-3-pro-preview"),
    ("tool_results_with_images", "gemini", "gemini-3-pro-preview"),
    ("native", "openai_chat", "gpt-3.5-turbo-instruct"),
    ("embeddings", "openai_chat", "text-embedding-3-small"),
    ("embeddings", "gemini", "gemini-embedding-001"),
    ("embeddings", "ollama", "nomic-embed-text"),
    ("images", "openai_chat", "gpt-image-1"),
    ("images", "gemini", "gemini-2.5-flash-image"),
];

/// One provider for each dialect, named after it.
struct Provider {
    name: &'static str,
    model: &'static str,
    /// The media type of its streams.
    framing: &'static str,
}

impl Provider {
    /// `provider/model`, as a client names it.
    fn target(&self, case: &str) -> String {
        let special = MODELS.iter().find(|(of, provider, _)| *of == case && *provider == self.name);
        format!("{}/{}", self.name, special.map_or(self.model, |(_, _, model)| model))
    }
}

fn gateway() -> Rc<Gateway> {
    stage::gateway(
        r#"{"providers":{
            "openai_chat":{"kind":"openai","credential":{"env":"A"},"responses":false},
            "own":{"kind":"openai","credential":{"env":"A"}},
            "anthropic":{"kind":"anthropic","credential":{"env":"B"}},
            "gemini":{"kind":"gemini","credential":{"env":"C"}},
            "ollama":{"kind":"ollama","base_url":"http://127.0.0.1:11434"}},
          "models":{
            "anthropic/claude-sonnet-4-5":{"max_output_tokens":64000},
            "anthropic/claude-opus-4-8":{"max_output_tokens":128000}}}"#,
    )
}

/// The path that a client's dialect is spoken at.
fn path_of(client: &str) -> &'static str {
    match client {
        "openai_chat" => "/v1/chat/completions",
        "messages" => "/v1/messages",
        "responses" => "/v1/responses",
        "completions" => "/v1/completions",
        "embeddings" => "/v1/embeddings",
        "images" => "/v1/images/generations",
        other => panic!("{other} has no path"),
    }
}
