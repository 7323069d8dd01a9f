//! What a simulated model is asked, in no dialect's terms.

use serde_json::Value;

/// A request to a model.
#[derive(Clone, Debug, Default)]
pub(super) struct Question {
    pub(super) model: String,
    /// The text of the last user message.
    pub(super) text: String,
    /// The results of tool calls, where the conversation ends with them.
    pub(super) tool_results: Vec<String>,
    /// What is to be said of each image.
    pub(super) images: Vec<String>,
    /// What is to be said of each document and each piece of audio.
    pub(super) documents: Vec<String>,
    pub(super) tools: Vec<Tool>,
    pub(super) tool_choice: ToolChoice,
    pub(super) one_tool_call: bool,
    pub(super) format: Format,
    pub(super) choices: usize,
    pub(super) max_tokens: Option<usize>,
    pub(super) stop: Vec<String>,
    pub(super) reasoning: bool,
    /// What is thought is also said, where the dialect can.
    pub(super) shows_thoughts: bool,
    /// How many pictures are to be drawn, too.
    pub(super) pictures: usize,
    /// All of the input, the cached parts too.
    pub(super) input_tokens: usize,
    pub(super) cache: Cache,
    /// How to stream, where the answer is to be streamed.
    pub(super) stream: Option<Streaming>,
    /// The request itself, for dialects whose answers repeat it.
    pub(super) asked: Value,
}

/// The parts of the input that a prompt cache had, or has from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cache {
    pub(super) read_tokens: usize,
    pub(super) written_tokens: usize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Streaming {
    /// The stream is to end with the usage.
    pub(super) usage: bool,
    /// Events are padded to hide the length of their tokens.
    pub(super) padding: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) parameters: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum ToolChoice {
    #[default]
    Auto,
    Never,
    /// Some tool, also when there are results.
    Required,
    Named(String),
}

#[derive(Clone, Debug, Default)]
pub(super) enum Format {
    #[default]
    Text,
    Object,
    Schema(Value),
}
