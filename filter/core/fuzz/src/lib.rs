//! What the fuzz targets share: all formats, and the whole exchange of the conversation tests.

use std::rc::Rc;

use dragoman_core::{
    dialect::{
        Aim, Downstream, Habits, Identity, Upstream, anthropic::Anthropic, gemini::Gemini, ollama::Ollama,
        openai_chat::OpenAiChat, openai_completions::OpenAiCompletions, openai_responses::OpenAiResponses,
    },
    gateway::Gateway,
};
use serde::de::IgnoredAny;

#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/conversation/stage.rs"]
mod stage;

/// All formats that clients speak.
pub const DOWNSTREAMS: &[&dyn Downstream] = &[&OpenAiChat, &Anthropic, &OpenAiCompletions, &OpenAiResponses];

/// How each of them asks for a stream: the path, what there is of a request beside its model, and the kind of provider whose
/// answers pass there as they are.
pub const CLIENTS: &[(&str, &str, &str)] = &[
    ("/v1/chat/completions", r#""messages":[{"role":"user","content":"x"}]"#, "openai"),
    ("/v1/messages", r#""max_tokens":9,"messages":[{"role":"user","content":"x"}]"#, "anthropic"),
    ("/v1/completions", r#""prompt":"x""#, "openai"),
    ("/v1/responses", r#""input":"x""#, "openai"),
];

/// All formats that providers speak: the kind in the file, a model, the media type of streams.
pub const UPSTREAMS: &[(&str, &dyn Upstream, &str, &str)] = &[
    ("openai", &OpenAiChat, "gpt-5-mini", "text/event-stream"),
    ("anthropic", &Anthropic, "claude-sonnet-4-5", "text/event-stream"),
    ("gemini", &Gemini, "gemini-2.5-flash", "text/event-stream"),
    ("ollama", &Ollama, "qwen3", "application/x-ndjson"),
];

/// A target.
pub fn aim(model: &str) -> Aim<'_> {
    Aim { model, max_output_tokens: None, exchange: "x", habits: Habits::default() }
}

/// An exchange.
pub fn identity() -> Identity {
    Identity { exchange: "x".into(), created: 7, model: "asked".into(), echo: String::new() }
}

thread_local! {
    static GATEWAY: Rc<Gateway> = {
        let providers: Vec<String> = UPSTREAMS
            .iter()
            .map(|(kind, ..)| format!(r#""{kind}":{{"kind":"{kind}","base_url":"http://127.0.0.1:1/v1"}}"#))
            .collect();
        let key = r#"{"id":"k","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}"#;
        let limits = r#"{"name":"t","of":"tokens","per":"hour","max":30000},{"name":"c","of":"concurrency","max":1}"#;
        let document = format!(
            r#"{{"providers":{{{}}},"keys":[{key}],"limits":[{limits}],"max_body":100000}}"#,
            providers.join(",")
        );
        stage::gateway(&document)
    };
}

/// A gateway with one provider of each kind, named after it, and the key `test`; made once, because runs are many.
pub fn gateway() -> Rc<Gateway> {
    GATEWAY.with(Rc::clone)
}

/// Whether it is JSON by its grammar.
pub fn is_json(document: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(document).is_ok()
}

/// A document in pieces, cut as its own bytes say.
pub fn pieces(document: &[u8]) -> Vec<&[u8]> {
    let seed = document
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    stage::pieces(document, seed)
}

/// What a client that asks so gets of this stream of a provider of this kind: the status and the body.
pub fn told(
    gateway: &Rc<Gateway>,
    (path, asked): (&str, &str),
    kind: &str,
    media_type: &str,
    pieces: &[&[u8]],
) -> (u16, Vec<u8>) {
    let head = stage::post(path, &[("authorization", b"Bearer test")]);
    let request = format!(r#"{{"model":"{kind}/m",{asked},"stream":true}}"#);
    let sent = stage::ask(gateway, head, &[request.as_bytes()]).sent();
    let answer = sent.answered(200, &[("content-type", media_type)], pieces);
    (answer.status, answer.body)
}
