//! Laws of the dialects, for documents that nobody wrote: what is read and written again says the same, no cut of a stream
//! changes it, nothing that is sent makes a reader panic or a writer write what is no request.
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
mod hostile;
mod loss;
mod requests;
#[expect(
    dead_code,
    clippy::disallowed_methods,
    reason = "the conversations use the rest of it, and show bytes as they can"
)]
#[path = "../conversation/stage.rs"]
mod stage;
mod streams;
mod time;

use std::{fs, path::Path};

use dragoman_core::{
    dialect::{
        Aim, Downstream, Habits, Identity, Upstream, anthropic::Anthropic, gemini::Gemini, ollama::Ollama,
        openai_chat::OpenAiChat, openai_completions::OpenAiCompletions, openai_responses::OpenAiResponses,
    },
    step::Name,
};

/// All formats that providers speak, with a model of each.
const UPSTREAMS: &[(&dyn Upstream, &str)] = &[
    (&OpenAiChat, "gpt-5-mini"),
    (&Anthropic, "claude-sonnet-4-5"),
    (&Gemini, "gemini-2.5-flash"),
    (&Ollama, "qwen3"),
];

/// All formats that clients speak: their folder among the goldens, and their path.
const DOWNSTREAMS: &[(&dyn Downstream, &str, &str)] = &[
    (&OpenAiChat, "openai_chat", "/v1/chat/completions"),
    (&Anthropic, "messages", "/v1/messages"),
    (&OpenAiResponses, "responses", "/v1/responses"),
    (&OpenAiCompletions, "completions", "/v1/completions"),
];

fn aim(model: &str) -> Aim<'_> {
    Aim { model, max_output_tokens: None, exchange: "x", habits: Habits::default() }
}

fn identity() -> Identity {
    Identity { exchange: "x".into(), created: 7, model: "asked".into(), echo: "{}".into() }
}

/// Whether a header may be called so, or say so.
fn is_header(name: &Name, value: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.bytes().all(is_token) && value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// The golden documents whose path ends so, below a folder of the goldens.
fn goldens(folder: &str, end: &str) -> Vec<Vec<u8>> {
    fn walk(folder: &Path, end: &str, found: &mut Vec<Vec<u8>>) {
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                walk(&path, end, found);
            } else if path.to_str().unwrap().ends_with(end) {
                found.push(fs::read(&path).unwrap());
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder), end, &mut found);
    assert!(!found.is_empty(), "there are goldens {folder}/…{end}");
    found
}
