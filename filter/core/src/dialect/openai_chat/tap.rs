//! A tap on a chat stream: what each event means for the gateway, without changing it.
//!
//! A stream is whole when it ends with `[DONE]`; what it lacks at the end is added if the answer itself was complete.

use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::response::{error_status, told};
use crate::{
    chat::Progress,
    dialect::{Event, Tap},
    json::{self, Members, Object, Read, Slot, Str, record},
    sse::{Frame, write_event},
    usage::Usage,
};

/// Reads a stream's events.
#[derive(Debug, Default)]
pub struct StreamTap {
    progress: Progress,
    done_seen: bool,
    usage: Option<Usage>,
}

record! {
    /// The members of a chunk that matter.
    struct Chunk<'a> {
        error: Option<&'a RawValue>,
        choices: Option<Vec<Choice<'a>>>,
        usage: Option<&'a RawValue>,
        x_groq: Option<&'a RawValue>,
    }
}

record! {
    struct Choice<'a> {
        /// Read with indulgence: the stream passes as it is.
        index: Option<&'a RawValue>,
        delta: Option<Delta>,
        /// In its place, where no chat is completed.
        text: Option<&'a RawValue>,
        finish_reason: Option<&'a RawValue>,
    }
}

/// Whether a delta carries more than a role: any member, known today or not, that is not null or empty.
struct Delta {
    has_content: bool,
}

impl Tap for StreamTap {
    fn read(&mut self, frame: Frame<'_>) -> Event {
        let Some(data) = frame.data() else { return Event::Preamble };
        let data = data.trim_ascii();
        if data.is_empty() {
            return Event::Preamble;
        }
        if data == b"[DONE]" {
            self.done_seen = true;
            return Event::Preamble;
        }
        let text = json::text(data);
        let Ok(chunk) = json::read::<Chunk<'_>>(&text) else { return Event::Malformed };
        if chunk.error.is_some() || frame.event() == Some(b"error") {
            return Event::Error(error_status(data));
        }
        let usage = told(chunk.usage, chunk.x_groq);
        if let Some(told) = usage {
            self.usage.get_or_insert_default().update(told);
        }
        let choices = chunk.choices.unwrap_or_default();
        if choices.is_empty() && usage.is_some() {
            return Event::Usage;
        }
        let mut has_content = false;
        for choice in &choices {
            let index = choice.index.and_then(|index| index.get().parse().ok()).unwrap_or_default();
            match choice.finish_reason {
                Some(_) => self.progress.end(index),
                None => self.progress.note(index),
            }
            has_content |= choice.finish_reason.is_some()
                || choice.delta.as_ref().is_some_and(|delta| delta.has_content)
                || choice.text.is_some_and(|text| text.get() != r#""""#);
        }
        if has_content { Event::Content } else { Event::Preamble }
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn is_finished(&self) -> bool {
        self.progress.is_complete() || self.done_seen
    }

    fn is_done(&self) -> bool {
        self.done_seen
    }

    fn last_event(&self) -> &'static [u8] {
        b"data: [DONE]\n\n"
    }

    fn error_event(&self, body: &[u8]) -> Vec<u8> {
        let mut event = Vec::new();
        write_event(&mut event, None, body);
        event
    }
}

impl<'a> Read<'a> for Delta {
    fn empty() -> Self {
        Self { has_content: false }
    }

    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Object(Object::Members(self))
    }
}

impl<'a> Members<'a> for Delta {
    fn member(&mut self, name: Str<'a>, value: &'a RawValue) {
        self.has_content |= &*name != "role" && !matches!(value.get(), "null" | r#""""# | "[]" | "{}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn read(tap: &mut StreamTap, data: &str) -> Event {
        tap.read(Frame { raw: format!("data: {data}\n\n").as_bytes() })
    }

    #[test]
    fn only_what_a_client_could_show_is_content() {
        for (data, event) in [
            (
                r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}]}"#,
                Event::Preamble,
            ),
            (r#"{"choices":[{"delta":{"role":"assistant","tool_calls":[]}}]}"#, Event::Preamble),
            (r#"{"choices":[],"prompt_filter_results":[{}]}"#, Event::Preamble),
            (r#"{"choices":[{"delta":{"content":"hi"}}]}"#, Event::Content),
            (r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#, Event::Content),
            (r#"{"choices":[{"delta":{"field_of_next_year":{"a":1}}}]}"#, Event::Content),
            (r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, Event::Content),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}"#, Event::Content),
            (r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#, Event::Usage),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#, Event::Content),
            (r#"{"choices":[{"text":"","index":0,"finish_reason":null}]}"#, Event::Preamble),
            (r#"{"choices":[{"text":"hi","index":0,"finish_reason":null}]}"#, Event::Content),
            (r#"{"error":{"message":"overloaded"}}"#, Event::Error(502)),
            (r#"{"error":null,"choices":[]}"#, Event::Preamble),
            (r#"{"choices":[{"#, Event::Malformed),
            ("[1]", Event::Malformed),
            ("[DONE]", Event::Preamble),
        ] {
            assert_eq!(read(&mut StreamTap::default(), data), event, "{data}");
        }
        assert_eq!(StreamTap::default().read(Frame { raw: b": ping\n\n" }), Event::Preamble);
    }

    #[test]
    fn the_answer_may_be_complete_before_the_stream_is() {
        let mut tap = StreamTap::default();
        read(&mut tap, r#"{"choices":[{"delta":{"content":"hi"}}]}"#);
        assert!(!tap.is_finished() && !tap.is_done());
        read(&mut tap, r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#);
        assert!(tap.is_finished() && !tap.is_done());
        read(&mut tap, "[DONE]");
        assert!(tap.is_finished() && tap.is_done());
    }

    #[test]
    fn one_choice_of_two_is_not_the_whole_answer() {
        let mut tap = StreamTap::default();
        read(&mut tap, r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}"#);
        read(&mut tap, r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#);
        assert!(!tap.is_finished());
        read(&mut tap, r#"{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}"#);
        assert!(tap.is_finished());
    }

    #[test]
    fn names_with_escapes_are_read() {
        let escaped = r#"{"ch\u006fices":[{"delta":{"r\u006fle":"assistant"}}]}"#;
        assert_eq!(read(&mut StreamTap::default(), escaped), Event::Preamble);
    }
}
