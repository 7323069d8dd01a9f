//! The format as providers speak it, for clients that speak another one: answers and errors, read into the canonical chat.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::mem;
use serde_json::value::RawValue;

use super::{NAME, OpenAiChat, ask, calls::Calls, wire::Wire};
use crate::{
    chat::{Collected, Delta, Fault, Finish, Reason, Request, Response},
    dialect::{Ability, Aim, Broken, Reader, Upstream, Written},
    error::Error,
    headers::Headers,
    host::Clock,
    json::{self, Str, record},
    sse::{Frame, Framing},
    step::Name,
};

impl Upstream for OpenAiChat {
    fn name(&self) -> &'static str {
        NAME
    }

    /// The version is part of the base URL, as in `OpenAI`'s own SDKs.
    fn version(&self) -> &'static str {
        ""
    }

    fn abilities(&self, _: &str) -> &'static [Ability] {
        Ability::ALL
    }

    fn write(&self, request: &Request<'_>, aim: &Aim<'_>) -> Result<Written, Error> {
        ask::write(request, aim)
    }

    fn read<'a>(&self, body: &'a str) -> Result<Response<'a>, Broken> {
        let wire: Wire<'_> = json::read(body).map_err(|_| Broken::Malformed)?;
        if wire.error.is_some() {
            return Err(Broken::Fault(fault(super::error_status(body.as_bytes()), body.as_bytes())));
        }
        if wire.choices.is_none() {
            return Err(Broken::Malformed);
        }
        let mut collected = Collected::default();
        collected.take(wire.start());
        wire.tell(true, &mut Calls::default(), &mut |delta| collected.take(delta))?;
        let mut response = collected.into_response();
        for choice in response.choices.iter_mut().filter(|choice| !choice.parts.is_empty()) {
            // Older models of OpenAI's said it elsewhere, or not at all.
            choice.finish = choice.finish.or(Some(Finish::Stop));
        }
        Ok(response)
    }

    fn framing(&self) -> (Framing, &'static str) {
        (Framing::Events, "text/event-stream")
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(StreamReader { has_begun: false, calls: Calls::default() })
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        fault(status, body)
    }

    /// They are in this format already.
    fn rate_limits(&self, _: Headers<'_>, _: &dyn Clock) -> Vec<(Name, String)> {
        Vec::new()
    }
}

#[derive(Debug)]
struct StreamReader {
    has_begun: bool,
    calls: Calls,
}

impl Reader for StreamReader {
    fn read(&mut self, frame: Frame<'_>, each: &mut dyn FnMut(Delta<'_>)) -> Result<(), Broken> {
        let Some(data) = frame.data() else { return Ok(()) };
        let data = data.trim_ascii();
        if data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            each(Delta::End);
            return Ok(());
        }
        let text = json::text(data);
        let wire: Wire<'_> = json::read(&text).map_err(|_| Broken::Malformed)?;
        if wire.error.is_some() || frame.event() == Some(b"error") {
            return Err(Broken::Fault(fault(super::error_status(data), data)));
        }
        if !mem::replace(&mut self.has_begun, true) {
            each(wire.start());
        }
        wire.tell(false, &mut self.calls, &mut |delta| each(delta))
    }
}

fn fault(status: u16, body: &[u8]) -> Fault {
    record! {
        struct Wire<'a> {
            error: Inner<'a>,
        }
    }
    record! {
        struct Inner<'a> {
            message: Option<Str<'a>>,
            code: Option<&'a RawValue>,
        }
    }
    let text = json::text(body);
    let Ok(Wire { error }) = json::read::<Wire<'_>>(&text) else {
        return Fault::new(status, None, "");
    };
    let reason = match error.code.map(RawValue::get) {
        Some(r#""context_length_exceeded""#) => Some(Reason::ContextLength),
        Some(r#""content_policy_violation""# | r#""content_filter""#) => Some(Reason::ContentPolicy),
        Some(r#""insufficient_quota""#) => Some(Reason::Quota),
        Some(r#""model_not_found""#) => Some(Reason::ModelNotFound),
        // 2026-06: what another region or organization has encrypted: <https://github.com/openai/codex/issues/8145>.
        Some(r#""invalid_encrypted_content""#) => Some(Reason::Thought),
        _ => None,
    };
    Fault::new(status, reason, error.message.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::{
        chat::{Citation, Part, TextPart},
        usage::Usage,
    };

    /// The steps that a stream of these choices is told in, behind its beginning.
    fn steps(choices: &[&str]) -> Vec<String> {
        let (mut reader, mut steps) = (OpenAiChat.reader(), Vec::new());
        for choice in choices {
            let event =
                format!("data: {{\"search_results\":[{{\"url\":\"u\",\"title\":\"t\"}}],\"choices\":[{choice}]}}\n\n");
            reader
                .read(Frame { raw: event.as_bytes() }, &mut |delta| match delta {
                    Delta::Text { text, .. } => steps.push(format!("says {text}")),
                    Delta::Thinking { text, .. } => steps.push(format!("thinks {text}")),
                    Delta::Refusal { text, .. } => steps.push(format!("refuses {text}")),
                    Delta::ToolCall { call, begun, .. } => {
                        steps.push(format!("{call} {} {}({}", begun.id, begun.name, begun.arguments));
                    }
                    Delta::Arguments { call, json, .. } => steps.push(format!("{call} {json}")),
                    Delta::Image { source, .. } => steps.push(source.markdown()),
                    Delta::Citation { citation: Citation::Url { url, title, .. }, .. } => {
                        steps.push(format!("{url} {title:?}"));
                    }
                    Delta::Finish { reason, .. } => steps.push(format!("{reason:?}")),
                    Delta::Start { .. }
                    | Delta::TextSignature { .. }
                    | Delta::Signature { .. }
                    | Delta::RedactedThinking { .. }
                    | Delta::Citation { .. }
                    | Delta::Logprobs { .. }
                    | Delta::Usage(_)
                    | Delta::End => {}
                })
                .unwrap();
        }
        steps
    }

    fn of_calls(deltas: &[&str]) -> Vec<String> {
        let choices: Vec<_> = deltas.iter().map(|calls| format!(r#"{{"delta":{{"tool_calls":[{calls}]}}}}"#)).collect();
        steps(&choices.iter().map(String::as_str).collect::<Vec<_>>())
    }

    const LIST: &str = concat!(
        r#"[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"reference","reference_ids":[1]},"#,
        r#"{"type":"text","text":"m"}],"closed":true},{"type":"hologram","text":7},{"type":"text","text":"a"},"#,
        r#"{"type":"thinking","thinking":"b"},{"type":"refusal","refusal":"no"},5]"#,
    );

    #[test]
    fn a_content_may_be_a_list_of_parts() {
        let choice = format!(r#"{{"delta":{{"content":{LIST}}}}}"#);
        assert_eq!(steps(&[&choice]), ["thinks h", "thinks m", "says a", "thinks b", "refuses no"]);
        let whole = format!(r#"{{"choices":[{{"finish_reason":"stop","message":{{"content":{LIST}}}}}]}}"#);
        let answer = OpenAiChat.read(&whole).unwrap();
        assert!(matches!(answer.choices[0].parts.as_slice(), [
            Part::Thinking { text, signature: None },
            Part::Text(TextPart { text: said, .. }),
            Part::Thinking { .. },
            Part::Refusal(_),
        ] if text == "hm" && said == "a"));
    }

    #[test]
    fn a_calls_number_decides_what_a_piece_belongs_to() {
        let begun = r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#;
        let told = ["0 a f({", "0 }"];
        for again in [
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}"#,
            r#"{"index":0,"id":"","function":{"name":"","arguments":"}"}}"#,
            r#"{"index":0,"id":null,"function":{"name":null,"arguments":"}"}}"#,
            r#"{"id":"z","function":{"arguments":"}"}}"#,
        ] {
            assert_eq!(of_calls(&[begun, again]), told, "{again}");
        }
        let other = r#"{"index":0,"id":"b","function":{"name":"f","arguments":"}"}}"#;
        assert_eq!(of_calls(&[begun, other]), ["0 a f({", "0 b f(}"]);
    }

    #[test]
    fn a_call_begins_when_its_name_is_known_and_its_id_or_no_id_came_before_the_arguments() {
        let late = [r#"{"id":"a"}"#, r#"{"function":{"name":"f"}}"#, r#"{"function":{"arguments":"{}"}}"#];
        assert_eq!(of_calls(&late), ["0 a f(", "0 {}"]);
        let early = [r#"{"function":{"arguments":"{"}}"#, r#"{"function":{"name":"f","arguments":"}"}}"#];
        assert_eq!(of_calls(&early), ["0  f({}"]);
        let unnamed = [r#"{"function":{"name":"f"}}"#, r#"{"function":{"arguments":"{}"}}"#];
        assert_eq!(of_calls(&unnamed), ["0  f({}"]);
        let hollow =
            r#"{"delta":{"tool_calls":[{"function":{"name":"f"}},{"id":"nameless"}]},"finish_reason":"tool_calls"}"#;
        assert_eq!(steps(&[hollow]), ["0  f(", "u Some(\"t\")", "ToolCalls"]);
        let older = [
            r#"{"delta":{"function_call":{"name":"f","arguments":""}}}"#,
            r#"{"delta":{"function_call":{"arguments":"{}"}}}"#,
        ];
        assert_eq!(steps(&older), ["0  f({}"]);
    }

    #[test]
    fn the_calls_of_a_whole_answer_stay_apart() {
        let calls = r#"[{"index":0,"function":{"name":"f"}},{"index":0,"function":{"name":"g"}},{"id":"c","function":{}},
            {"id":"a","function":{"name":"f"}},{"id":"a","function":{"name":"g","arguments":"{}"}}]"#;
        let whole = format!(r#"{{"choices":[{{"message":{{"tool_calls":{calls}}}}}]}}"#);
        let answer = OpenAiChat.read(&whole).unwrap();
        let told = answer.choices[0].parts.iter().map(|part| {
            let Part::ToolCall(call) = part else { panic!("a call is expected") };
            format!("{} {}({}", call.id, call.name, call.arguments)
        });
        assert_eq!(told.collect::<Vec<_>>(), [" f(", " g(", "a f(", "a g({}"]);
    }

    #[test]
    fn pictures_and_sources_are_told() {
        let picture = r#"{"delta":{"content":"a","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}]}}"#;
        let end = r#"{"delta":{},"finish_reason":"stop"}"#;
        assert_eq!(steps(&[picture, end]), ["says a", "![](data:image/png;base64,iVBO)", "u Some(\"t\")", "Stop"]);
        let whole = r#"{"citations":["v",7],"search_results":[],"choices":[{"message":{"content":"a"}}]}"#;
        let answer = OpenAiChat.read(whole).unwrap();
        let Part::Text(text) = &answer.choices[0].parts[0] else { panic!("a text is expected") };
        assert!(matches!(&text.citations[..], [Citation::Url { url, title: None, span: None }] if url == "v"));
    }

    #[test]
    fn a_whole_answer_may_say_in_an_older_way_or_not_at_all_why_it_ended() {
        let finish = |choice: &str| {
            let body = format!(r#"{{"choices":[{choice}]}}"#);
            OpenAiChat.read(&body).unwrap().choices.first().and_then(|choice| choice.finish)
        };
        let cut = r#"{"message":{"content":"a"},"finish_details":{"type":"max_tokens"}}"#;
        assert_eq!(finish(cut), Some(Finish::Length));
        assert_eq!(finish(r#"{"message":{"content":"a"}}"#), Some(Finish::Stop));
        assert_eq!(finish(r#"{"message":{"content":""}}"#), None);
    }

    #[test]
    fn tokens_are_read_where_groq_tells_them() {
        let groq = r#"{"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":"40","completion_tokens":10.0}}}"#;
        let told = Some(Usage { input: 40, output: 10, ..Usage::default() });
        assert_eq!(OpenAiChat.read(groq).unwrap().usage, told);
        let mut usage = None;
        let event = [b"data: ", groq.as_bytes(), b"\n\n"].concat();
        let read = OpenAiChat.reader().read(Frame { raw: &event }, &mut |delta| {
            if let Delta::Usage(told) = delta {
                usage = Some(told);
            }
        });
        assert_eq!((read, usage), (Ok(()), told));
    }
}
