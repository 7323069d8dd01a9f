//! A streamed answer: JSON lines, each a small answer of its own.

use super::{
    fault,
    response::{Told, WireAnswer},
};
use crate::{
    chat::Delta,
    dialect::{Broken, Reader},
    json,
    sse::Frame,
};

impl Reader for Told {
    fn read(&mut self, frame: Frame<'_>, each: &mut dyn FnMut(Delta<'_>)) -> Result<(), Broken> {
        let text = json::text(frame.raw);
        // Some begin with the mark that Windows begins a text with.
        let text = text.trim_matches(|character: char| character.is_ascii_whitespace() || character == '\u{feff}');
        if text.is_empty() {
            return Ok(());
        }
        let line: WireAnswer<'_> = json::read(text).map_err(|_| Broken::Malformed)?;
        if let Some(error) = line.error() {
            return Err(Broken::Fault(fault::of_answer(line.status, error)));
        }
        // What is neither said nor an end is news of a kind that is not known.
        if line.message.0.is_some() || line.response.0.is_some() || line.is_done() {
            self.tell(line, &mut |delta| each(delta));
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "documents are compared by their meaning")]
mod tests {
    use alloc::{boxed::Box, string::String, vec::Vec};

    use crate::{
        dialect::{Identity, ollama::Ollama, openai_chat::OpenAiChat},
        passage::{Fed, Passage},
        step::Chunk,
        translation::Translation,
    };
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// What the client gets for these pieces: the stream, or the failure in its place.
    fn translate(pieces: &[&[u8]]) -> Result<String, (u16, Value)> {
        let identity = Identity { exchange: "x".into(), created: 7, model: "asked".into(), echo: String::new() };
        let translation = Translation::new(&Ollama, &OpenAiChat, "p", identity, true);
        let mut passage = Passage::new(&crate::plan::Target::any(), crate::sse::Framing::Lines, Box::new(translation));
        let mut out = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            match passage.feed(piece, index.saturating_add(1) == pieces.len()) {
                Fed::Nothing => {}
                Fed::Go(Chunk::Replace(bytes)) => out.extend_from_slice(&bytes),
                Fed::Go(Chunk::Keep) => panic!("a translated piece is never the provider's own"),
                Fed::Failed(failure) => {
                    return Err((failure.status, serde_json::from_slice(&failure.body).unwrap()));
                }
            }
        }
        Ok(String::from_utf8(out).unwrap())
    }

    /// The choices and the usage of each chunk, whose other members are always the same.
    fn chunks(stream: &str) -> Vec<Value> {
        let mut chunks: Vec<Value> = Vec::new();
        let events = stream.strip_suffix("data: [DONE]\n\n").unwrap();
        for event in events.split_terminator("\n\n") {
            let mut chunk: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!((&chunk["id"], &chunk["model"]), (&json!("chatcmpl-x"), &json!("m")));
            chunks.push(match chunk["choices"].get_mut(0) {
                None => chunk["usage"].take(),
                Some(choice) if choice["finish_reason"].is_string() => choice["finish_reason"].take(),
                Some(choice) if !choice["logprobs"].is_null() => choice["logprobs"]["content"].take(),
                Some(choice) => choice["delta"].take(),
            });
        }
        chunks
    }

    const ROLE: &str = r#"{"model":"m","created_at":"2026-08-01T00:00:00.5Z","message":{"role":"assistant","content":""},"done":false}"#;

    fn lines(lines: &[&str]) -> String {
        lines.iter().flat_map(|line| [*line, "\n"]).collect()
    }

    fn whole_stream() -> String {
        lines(&[
            ROLE,
            "",
            r#"{"model":"m","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
            r#"{"model":"m","message":{"content":"Wörd 🐪"},"logprobs":[{"token":"Wörd 🐪","logprob":-0.5,"bytes":[1]}],"done":false}"#,
            r#"{"status":"something new"}"#,
            r#"{"model":"m","created_at":"2026-08-01T00:00:01.25Z","message":{"content":"","tool_calls":[{"function":{"index":0,"name":"f","arguments":{"b":1,"a":[]}}},{"id":"call_q","function":{"name":"g"}}]},"done":false}"#,
            r#"{"model":"m","created_at":"2026-08-01T00:00:02Z","message":{"content":"","tool_calls":[{"function":{"index":0,"name":"h","arguments":"{\"c\":2}"}}]},"done":false}"#,
            r#"{"model":"m","message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":9,"prompt_eval_cached_count":4,"eval_count":5}"#,
        ])
    }

    #[test]
    fn a_stream_of_everything_is_told_in_openais_chunks() {
        let call = |index: u32, id: &str, name: &str, arguments: &str| {
            json!({"tool_calls": [{
                "index": index, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}
            }]})
        };
        let thought = json!([{"index": 0, "type": "thinking", "thinking": "hm"}]);
        let expected = [
            json!({"role": "assistant", "content": ""}),
            json!({"reasoning_content": "hm", "thinking_blocks": thought}),
            json!({"content": "Wörd 🐪"}),
            json!([{"token": "Wörd 🐪", "logprob": -0.5, "bytes": "Wörd 🐪".as_bytes(), "top_logprobs": []}]),
            call(0, "call_chatcmplx_0_0", "f", r#"{"b":1,"a":[]}"#),
            call(1, "call_q", "g", "{}"),
            call(2, "call_chatcmplx_0_2", "h", r#"{"c":2}"#),
            json!("tool_calls"),
        ];
        let stream = whole_stream();
        let got = chunks(&translate(&[stream.as_bytes()]).unwrap());
        assert_eq!(
            chunks(&translate(&[stream.trim_end().as_bytes()]).unwrap()),
            got,
            "the last line end is not needed"
        );
        assert_eq!(chunks(&translate(&["\u{feff}".as_bytes(), stream.as_bytes()]).unwrap()), got, "marks are not text");
        let (usage, got) = got.split_last().unwrap();
        assert_eq!(got, expected);
        assert_eq!(usage["prompt_tokens"], 9);
        assert_eq!(usage["completion_tokens"], 5);
        assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 4);
    }

    #[test]
    fn an_answer_that_ran_out_of_tokens_says_so() {
        let done = r#"{"model":"m","message":{"content":"x"},"done":true,"done_reason":"length"}"#;
        let got = chunks(&translate(&[lines(&[ROLE, done]).as_bytes()]).unwrap());
        assert_eq!(got, [json!({"role": "assistant", "content": ""}), json!({"content": "x"}), json!("length")]);
    }

    #[test]
    fn an_error_before_the_first_content_is_an_answer_of_its_own() {
        let error = r#"{"error":"prompt too long; exceeded max context length by 7 tokens"}"#;
        let (status, body) = translate(&[lines(&[ROLE, error]).as_bytes()]).unwrap_err();
        assert_eq!((status, &body["error"]["code"]), (400, &json!("context_length_exceeded")));
        let error = r#"{"error":"busy","status":503}"#;
        assert_eq!(translate(&[lines(&[error]).as_bytes()]).unwrap_err().0, 503);
        assert_eq!(translate(&[b"{\"error\":\"x\",\"status\":\"success\"}"]).unwrap_err().0, 500);
    }

    #[test]
    fn nothing_in_the_place_of_a_value_ends_no_stream() {
        let stream = lines(&[
            r#"{"model":null,"message":{"content":"a"},"error":"","done":null}"#,
            r#"{"message":null,"error":null,"done":false,"logprobs":"none"}"#,
            r#"{"message":{"content":"b"},"error":false,"done":false}"#,
            r#"{"message":null,"done":true,"prompt_eval_count":"9","eval_count":5.0}"#,
        ]);
        let got = chunks(&translate(&[stream.as_bytes()]).unwrap().replace(r#""model":"asked""#, r#""model":"m""#));
        let (usage, got) = got.split_last().unwrap();
        let content = |text: &str| json!({"content": text});
        assert_eq!(got, [json!({"role": "assistant", "content": ""}), content("a"), content("b"), json!("stop")]);
        assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(9), &json!(5)));
    }

    #[test]
    fn an_error_behind_content_is_the_last_event() {
        let word = r#"{"model":"m","message":{"content":"x"},"done":false}"#;
        let got = translate(&[lines(&[word, r#"{"error":"an error was encountered"}"#, word]).as_bytes()]).unwrap();
        let last = got.rsplit("data: ").next().unwrap();
        let last: Value = serde_json::from_str(last).unwrap();
        assert_eq!(last["error"]["message"], "an error was encountered");
    }

    #[test]
    fn what_is_no_line_of_an_answer_is_malformed() {
        for line in ["{", "[]", "\"x\"", r#"{"message":{"content":5},"done":false}"#] {
            assert_eq!(translate(&[line.as_bytes(), b"\n"]).unwrap_err().0, 502, "{line}");
        }
        // An end without a last line, and a stream of nothing.
        assert_eq!(translate(&[ROLE.as_bytes()]).unwrap_err().0, 502);
        assert_eq!(translate(&[b""]).unwrap_err().0, 502);
    }

    proptest! {
        #[test]
        fn cutting_the_stream_anywhere_changes_nothing(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5)) {
            let stream = whole_stream();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            places.push(stream.len());
            places.sort_unstable();
            let mut start = 0;
            let cut = places.iter().map(|&end| &stream.as_bytes()[core::mem::replace(&mut start, end)..end]);
            let cut: Vec<&[u8]> = cut.collect();
            prop_assert_eq!(translate(&cut), translate(&[stream.as_bytes()]));
        }
    }
}
