//! What the scripted provider says: each answer in its provider's own format, framed once and for all when the run begins.
//!
//! Not the simulator of `dragoman simulate`: that one reads what it is asked and makes its answer of it, and would be the
//! slowest part of the run. Whatever an answer says, its last word is [`LAST_WORD`], by which a check knows that it arrived.

use serde_json::{Value, json};
use std::{iter, slice, time::Duration};

/// Words of an answer, and pieces of a streamed one, but for what its format adds at the end.
pub(crate) const WORDS: usize = 50;
/// Stands in every answer that arrived whole.
pub(crate) const LAST_WORD: &str = "word49";

const FIRST_WORD: &str = "word0";

/// Between two pieces of a paced stream: long enough for each to reach Envoy alone, and for sixteen streams not to fill it.
const PACE: Duration = Duration::from_millis(2);

/// One answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// The first segment of the paths that are answered so; the provider's name in the gateway's file.
    pub(crate) name: &'static str,
    /// The provider's kind in the gateway's file.
    pub(crate) kind: &'static str,
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// One document.
    Whole,
    /// Events, one after the other as fast as the socket takes them.
    Burst,
    /// Events, each by itself.
    Paced,
}

/// All answers. Those streamed as a burst are what others measure; the paced ones show what one event costs.
pub(crate) const ANSWERS: &[Answer] = &[
    Answer { name: "whole", kind: "openai", form: Form::Whole },
    Answer { name: "burst", kind: "openai", form: Form::Burst },
    Answer { name: "paced", kind: "openai", form: Form::Paced },
    Answer { name: "anthropic-whole", kind: "anthropic", form: Form::Whole },
    Answer { name: "anthropic-burst", kind: "anthropic", form: Form::Burst },
    Answer { name: "anthropic-paced", kind: "anthropic", form: Form::Paced },
    Answer { name: "gemini-paced", kind: "gemini", form: Form::Paced },
    Answer { name: "ollama-paced", kind: "ollama", form: Form::Paced },
];

impl Answer {
    /// The answer's pieces on the wire, each to be written by itself, and the pause between two.
    pub(crate) fn pieces(&self) -> (Vec<Vec<u8>>, Option<Duration>) {
        if matches!(self.form, Form::Whole) {
            let body = self.document().to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            return (vec![[head, body].concat().into_bytes()], None);
        }
        let (media_type, events) = self.events();
        // What comes before the first word comes with it: a gateway may wait for content before it commits itself, and the pause
        // would be counted as its own.
        let first_word = events.iter().position(|event| event.contains(FIRST_WORD)).unwrap_or_default();
        let chunk = |events: &[String]| {
            let text = events.concat();
            format!("{:x}\r\n{text}\r\n", text.len())
        };
        let (opening, rest) = events.split_at_checked(first_word.saturating_add(1)).unwrap_or((&events, &[]));
        let head = "HTTP/1.1 200 OK\r\nx-request-id: req_bench\r\ntransfer-encoding: chunked\r\ncontent-type: ";
        let mut pieces = vec![format!("{head}{media_type}\r\n\r\n{}", chunk(opening))];
        pieces.extend(rest.iter().map(|event| chunk(slice::from_ref(event))));
        if let Some(last) = pieces.last_mut() {
            last.push_str("0\r\n\r\n");
        }
        let pause = matches!(self.form, Form::Paced).then_some(PACE);
        (pieces.into_iter().map(String::into_bytes).collect(), pause)
    }

    /// Into how many pieces it is written, where it is a stream.
    pub(crate) fn chunks(&self) -> Option<usize> {
        self.is_stream().then(|| self.pieces().0.len())
    }

    /// A stream with this many times the pieces in its middle, and how many there are more of them then.
    pub(crate) fn lengthened(&self, times: usize) -> (&'static str, Vec<String>, usize) {
        let (media_type, events) = self.events();
        let place = |word: &str| events.iter().position(|event| event.contains(word)).unwrap_or_default();
        let (opening, rest) = events.split_at_checked(place(FIRST_WORD).saturating_add(1)).unwrap_or((&events, &[]));
        let middle = place(LAST_WORD).saturating_sub(opening.len());
        let (middle, end) = rest.split_at_checked(middle).unwrap_or((rest, &[]));
        let middle: Vec<String> = iter::repeat_n(middle, times).flatten().cloned().collect();
        let all = [opening, &middle, end].concat();
        let more = all.len().saturating_sub(events.len());
        (media_type, all, more)
    }

    pub(crate) fn is_stream(&self) -> bool {
        !matches!(self.form, Form::Whole)
    }

    fn document(&self) -> Value {
        let text: String = words().collect();
        if self.kind == "anthropic" {
            return json!({
                "id": "msg_bench", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
                "usage": {"input_tokens": 250, "output_tokens": 50},
            });
        }
        json!({
            "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_760_000_000, "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "refusal": null}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 250, "completion_tokens": 50, "total_tokens": 300},
        })
    }

    /// The media type, and the events with their framing.
    fn events(&self) -> (&'static str, Vec<String>) {
        match self.kind {
            "anthropic" => ("text/event-stream", anthropic().iter().map(typed).collect()),
            "gemini" => ("text/event-stream", gemini().iter().map(data).collect()),
            "ollama" => ("application/x-ndjson", ollama().iter().map(|line| format!("{line}\n")).collect()),
            _ => {
                let mut events: Vec<_> = openai().iter().map(data).collect();
                events.push("data: [DONE]\n\n".into());
                ("text/event-stream; charset=utf-8", events)
            }
        }
    }
}

fn words() -> impl Iterator<Item = String> {
    (0..WORDS).map(|number| format!(" word{number}"))
}

fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}

fn typed(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event.get("type").and_then(Value::as_str).unwrap_or_default())
}

fn openai() -> Vec<Value> {
    let chunk = |delta: Value, finish: Value| {
        json!({
            "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "gpt-4o-2024-08-06",
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
        })
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend(words().map(|word| chunk(json!({ "content": word }), Value::Null)));
    events.push(chunk(json!({}), json!("stop")));
    events
}

fn anthropic() -> Vec<Value> {
    let mut events = vec![
        json!({"type": "message_start", "message": {
            "id": "msg_bench", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 250, "output_tokens": 1},
        }}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ];
    events.extend(
        words().map(
            |word| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}),
        ),
    );
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 50}}),
        json!({"type": "message_stop"}),
    ]);
    events
}

fn gemini() -> Vec<Value> {
    let last = WORDS.saturating_sub(1);
    let event = |(number, word): (usize, String)| {
        let mut candidate = json!({"content": {"parts": [{"text": word}], "role": "model"}, "index": 0});
        if number == last {
            candidate["finishReason"] = json!("STOP");
        }
        json!({
            "candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "bench",
            "usageMetadata": {"promptTokenCount": 250, "candidatesTokenCount": number, "totalTokenCount": 250 + number},
        })
    };
    words().enumerate().map(event).collect()
}

fn ollama() -> Vec<Value> {
    let line = |word: &str| {
        json!({
            "model": "llama3.2", "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": word}, "done": false,
        })
    };
    let mut lines: Vec<_> = words().map(|word| line(&word)).collect();
    let mut last = line("");
    last["done"] = json!(true);
    last["done_reason"] = json!("stop");
    last["prompt_eval_count"] = json!(250);
    last["eval_count"] = json!(WORDS);
    lines.push(last);
    lines
}
