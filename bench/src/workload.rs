//! What is asked for, by name.

use serde_json::{Value, json};
use std::time::Duration;

/// One kind of request and the answer that it gets.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// The name of its answer.
    pub(crate) answer: &'static str,
    pub(crate) connections: usize,
    pub(crate) prompt: Prompt,
    /// Whether it is of interest what the floors make of it: they do not translate.
    pub(crate) with_floors: bool,
    pub(crate) client: Client,
}

/// Whose format a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// `OpenAI`'s chat completions.
    Chat,
    /// Anthropic's messages.
    Messages,
}

/// What the user says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Prompt {
    /// A conversation, so many bytes of it.
    Text(usize),
    /// A question about a picture, so many bytes of base64.
    Picture(usize),
}

/// All workloads, in the order of the table.
pub(crate) const WORKLOADS: &[Workload] = &[
    row("chat-1k", "1 KB chat", "whole", 8, Prompt::Text(1 << 10), true),
    row("chat-100k", "100 KB chat", "whole", 8, Prompt::Text(100 << 10), true),
    row("picture-4m", "4 MiB picture", "whole", 4, Prompt::Picture(4 << 20), true),
    row("stream", "SSE, 50 chunks at once", "burst", 8, Prompt::Text(1 << 10), true),
    row("paced", "SSE, 50 chunks 2 ms apart, 16 streams", "paced", 16, Prompt::Text(1 << 10), true),
    row("anthropic", "OpenAI → Anthropic, whole", "anthropic-whole", 8, Prompt::Text(1 << 10), false),
    row(
        "anthropic-stream",
        "OpenAI → Anthropic, SSE, 50 chunks at once",
        "anthropic-burst",
        8,
        Prompt::Text(1 << 10),
        false,
    ),
    row(
        "anthropic-paced",
        "OpenAI → Anthropic, 2 ms apart, 16 streams",
        "anthropic-paced",
        16,
        Prompt::Text(1 << 10),
        false,
    ),
    row("gemini-paced", "OpenAI → Gemini, 2 ms apart, 16 streams", "gemini-paced", 16, Prompt::Text(1 << 10), false),
    row("ollama-paced", "OpenAI → Ollama, 2 ms apart, 16 streams", "ollama-paced", 16, Prompt::Text(1 << 10), false),
    messages("messages-paced", "Messages, 2 ms apart, 16 streams", "anthropic-paced"),
    messages("messages-openai-paced", "Messages → OpenAI, 2 ms apart, 16 streams", "paced"),
    messages("messages-gemini-paced", "Messages → Gemini, 2 ms apart, 16 streams", "gemini-paced"),
];

const fn row(
    name: &'static str,
    title: &'static str,
    answer: &'static str,
    connections: usize,
    prompt: Prompt,
    with_floors: bool,
) -> Workload {
    Workload { name, title, answer, connections, prompt, with_floors, client: Client::Chat }
}

const fn messages(name: &'static str, title: &'static str, answer: &'static str) -> Workload {
    Workload { client: Client::Messages, ..row(name, title, answer, 16, Prompt::Text(1 << 10), false) }
}

impl Workload {
    /// Between the beginnings of two connections: where Envoy is not to be filled, none of them waits for another.
    pub(crate) fn stagger(&self) -> Duration {
        // An odd number of milliseconds, because the pace is an even one.
        if self.answer.ends_with("paced") { Duration::from_millis(7) } else { Duration::ZERO }
    }

    /// The request on the wire, at this path, with the client's key. The body is the same for all subjects: the model's name
    /// begins with the provider's, which is the answer's.
    pub(crate) fn request(&self, path: &str, key: &str, is_stream: bool) -> Vec<u8> {
        let mut body = json!({"model": format!("{}/model", self.answer), "messages": self.prompt.messages()});
        if is_stream {
            body["stream"] = json!(true);
        }
        if self.client == Client::Messages {
            body["max_tokens"] = json!(4096);
        }
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: gateway.test\r\nuser-agent: OpenAI/Python 2.8.0\r\naccept: application/json\r\n\
             accept-encoding: gzip, deflate\r\ncontent-type: application/json\r\nauthorization: Bearer {key}\r\n\
             x-stainless-lang: python\r\nx-stainless-retry-count: 0\r\n{}content-length: {}\r\n\r\n",
            self.client.version(),
            body.len()
        );
        [head, body].concat().into_bytes()
    }
}

impl Client {
    /// The path of its requests.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
        }
    }

    /// What stands in an answer of its format, and only there.
    pub(crate) const fn mark(self, is_stream: bool) -> &'static str {
        match (self, is_stream) {
            (Self::Chat, true) => "data: [DONE]",
            (Self::Chat, false) => "\"object\":\"chat.completion\"",
            (Self::Messages, true) => "event: message_stop",
            (Self::Messages, false) => "\"type\":\"message\"",
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Chat => "",
            Self::Messages => "anthropic-version: 2023-06-01\r\n",
        }
    }
}

impl Prompt {
    fn messages(self) -> Value {
        match self {
            Self::Picture(bytes) => json!([{"role": "user", "content": [
                {"type": "text", "text": "What is in this picture?"},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "iVBORw0K".repeat(bytes / 8))}},
            ]}]),
            Self::Text(bytes) => {
                // With what real text has: quotation marks and line ends, which JSON escapes, and a letter beyond ASCII.
                const TURN: &str = "He said \"naïve\", and then nothing for a while.\nThe quick brown fox jumps over the lazy \
                                    dog, again and again, until the sentence is as long as a sentence of a chat tends to be.\n";
                const TURNS_BYTES: usize = 1024;
                let turns = bytes.div_ceil(TURNS_BYTES);
                let text = TURN.repeat((bytes / turns).saturating_sub(40) / TURN.len());
                let role = |turn: usize| if turn.is_multiple_of(2) { "user" } else { "assistant" };
                (0..turns).map(|turn| json!({"role": role(turn), "content": text})).collect()
            }
        }
    }
}
