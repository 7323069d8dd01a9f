//! A chat answer: whole, or a line a token with a last one that has the counts.

use serde::Serialize;
use serde_json::Value;

use super::Stamp;
use crate::simulate::answer::{Answer, Choice, Content, Finish, Usage};
use crate::simulate::question::Question;

const LOAD_NS: usize = 41_000_000;
const INPUT_TOKEN_NS: usize = 1_500_000;
const OUTPUT_TOKEN_NS: usize = 12_000_000;

pub(super) fn whole(question: &Question, answer: &Answer, mut stamp: Stamp) -> Vec<u8> {
    let choice = answer.choices.first();
    let message = choice.map(|choice| choice.message(&mut stamp)).unwrap_or_default();
    let line = Line { message, ..Line::last(question, answer, &mut stamp) };
    serde_json::to_vec(&line).unwrap_or_default()
}

pub(super) fn stream(question: &Question, answer: &Answer, mut stamp: Stamp) -> Vec<Vec<u8>> {
    let said = answer.choices.first().map(|choice| choice.messages(&mut stamp)).unwrap_or_default();
    let mut lines: Vec<Vec<u8>> =
        said.into_iter().map(|message| line(&Line { message, ..Line::open(question, &mut stamp) })).collect();
    lines.push(line(&Line::last(question, answer, &mut stamp)));
    lines
}

fn line(line: &Line<'_>) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[derive(Serialize)]
struct Line<'a> {
    model: &'a str,
    created_at: String,
    message: Message,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_reason: Option<&'static str>,
    #[serde(flatten)]
    metrics: Option<Metrics>,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    thinking: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
}

impl Default for Message {
    fn default() -> Self {
        Self { role: "assistant", content: String::new(), thinking: String::new(), tool_calls: Vec::new() }
    }
}

#[derive(Serialize)]
struct ToolCall {
    id: String,
    function: Function,
}

#[derive(Serialize)]
struct Function {
    index: usize,
    name: String,
    arguments: Value,
}

/// Durations are nanoseconds.
#[derive(Serialize)]
struct Metrics {
    total_duration: usize,
    load_duration: usize,
    prompt_eval_count: usize,
    prompt_eval_duration: usize,
    eval_count: usize,
    eval_duration: usize,
}

impl<'a> Line<'a> {
    fn open(question: &'a Question, stamp: &mut Stamp) -> Self {
        let created_at = stamp.nanosecond_time();
        Self {
            model: &question.model,
            created_at,
            message: Message::default(),
            done: false,
            done_reason: None,
            metrics: None,
        }
    }

    fn last(question: &'a Question, answer: &Answer, stamp: &mut Stamp) -> Self {
        let reason = match answer.choices.first().map(|choice| choice.finish) {
            Some(Finish::Length) => "length",
            Some(Finish::Stop | Finish::ToolCalls | Finish::ContentFilter) | None => "stop",
        };
        let metrics = answer.usage.map(Metrics::of);
        Self { done: true, done_reason: Some(reason), metrics, ..Self::open(question, stamp) }
    }
}

impl Metrics {
    fn of(usage: Usage) -> Self {
        let prompt_eval_duration = usage.input.saturating_mul(INPUT_TOKEN_NS);
        let eval_duration = usage.output.saturating_mul(OUTPUT_TOKEN_NS);
        Self {
            total_duration: LOAD_NS.saturating_add(prompt_eval_duration).saturating_add(eval_duration),
            load_duration: LOAD_NS,
            prompt_eval_count: usage.input,
            prompt_eval_duration,
            eval_count: usage.output,
            eval_duration,
        }
    }
}

impl Choice {
    /// All that is said, in one message.
    fn message(&self, stamp: &mut Stamp) -> Message {
        let (content, tool_calls) = match &self.content {
            Content::Text(tokens) | Content::Refusal(tokens) => (tokens.concat(), Vec::new()),
            Content::Calls(_) => (String::new(), self.tool_calls(stamp)),
        };
        Message { content, tool_calls, thinking: self.thoughts.concat(), ..Message::default() }
    }

    /// The same a piece at a time; a call is a piece.
    fn messages(&self, stamp: &mut Stamp) -> Vec<Message> {
        let thoughts = self.thoughts.iter().map(|token| Message { thinking: token.clone(), ..Message::default() });
        let said: Vec<Message> = match &self.content {
            Content::Text(tokens) | Content::Refusal(tokens) => {
                tokens.iter().map(|token| Message { content: token.clone(), ..Message::default() }).collect()
            }
            Content::Calls(_) => self
                .tool_calls(stamp)
                .into_iter()
                .map(|call| Message { tool_calls: vec![call], ..Message::default() })
                .collect(),
        };
        thoughts.chain(said).collect()
    }

    fn tool_calls(&self, stamp: &mut Stamp) -> Vec<ToolCall> {
        let Content::Calls(calls) = &self.content else { return Vec::new() };
        let calls = calls.iter().enumerate().map(|(index, call)| ToolCall {
            id: stamp.tool_call_id(),
            function: Function {
                index,
                name: call.name.clone(),
                arguments: serde_json::from_str(&call.arguments.concat()).unwrap_or_default(),
            },
        });
        calls.collect()
    }
}
