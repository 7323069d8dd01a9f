//! A chat completion in one piece.

use serde::Serialize;

use super::{FINGERPRINT, Stamp, finish_reason, usage::UsageObject};
use crate::simulate::answer::{Answer, Call, Choice, Content};
use crate::simulate::question::Question;

pub(super) fn write(question: &Question, answer: &Answer, mut stamp: Stamp) -> Vec<u8> {
    let completion = Completion {
        id: stamp.id(),
        object: "chat.completion",
        created: stamp.created,
        model: &question.model,
        choices: (0..).zip(&answer.choices).map(|(index, choice)| WholeChoice::of(index, choice, &mut stamp)).collect(),
        usage: answer.usage.map(UsageObject::of),
        service_tier: "default",
        system_fingerprint: FINGERPRINT,
    };
    let mut bytes = serde_json::to_vec_pretty(&completion).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[derive(Serialize)]
struct Completion<'a> {
    id: String,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<WholeChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageObject>,
    service_tier: &'static str,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct WholeChoice {
    index: usize,
    message: Message,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
    refusal: Option<String>,
    annotations: [(); 0],
}

#[derive(Serialize)]
struct ToolCall {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function,
}

#[derive(Serialize)]
struct Function {
    name: String,
    arguments: String,
}

impl WholeChoice {
    fn of(index: usize, choice: &Choice, stamp: &mut Stamp) -> Self {
        let mut message =
            Message { role: "assistant", content: None, tool_calls: Vec::new(), refusal: None, annotations: [] };
        match &choice.content {
            Content::Text(tokens) => message.content = Some(tokens.concat()),
            Content::Refusal(tokens) => message.refusal = Some(tokens.concat()),
            Content::Calls(calls) => {
                message.tool_calls =
                    calls.iter().map(|call| ToolCall::of(call, call.arguments.concat(), stamp)).collect();
            }
        }
        Self { index, message, logprobs: None, finish_reason: finish_reason(choice.finish) }
    }
}

impl ToolCall {
    fn of(call: &Call, arguments: String, stamp: &mut Stamp) -> Self {
        Self { id: stamp.call_id(), kind: "function", function: Function { name: call.name.clone(), arguments } }
    }
}
