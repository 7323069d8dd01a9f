//! What of the format no golden shows.

use super::*;
use crate::{
    chat::{Delta, Finish, Part, TextPart, ToolCall},
    dialect::{Ability, Event, Habits},
    json::Scanner,
    sse::Frame,
    usage::Usage,
};
use alloc::{format, vec};

fn scan(body: &str) -> ChatRequest {
    let scheme = OpenAiResponses.scheme();
    let mut scanner = scheme.scanner();
    let found = scanner.feed(body.as_bytes()).and_then(|()| scanner.finish());
    scheme.read(found, body.len()).unwrap()
}

fn spliced(body: &str, takes_openai_thoughts: bool) -> (String, Vec<String>) {
    let request = scan(body);
    let habits = Habits { takes_openai_thoughts, ..Habits::default() };
    let aim = Aim { model: "m", max_output_tokens: None, exchange: "x", habits };
    let Spliced { edits, dropped } = OpenAiResponses.splice(&request, &aim, &mut || Rc::new(body.into()));
    (String::from_utf8(edits.apply(body.as_bytes())).unwrap(), dropped.names().to_vec())
}

#[test]
fn what_the_gateway_put_into_a_history_is_cut_and_every_other_byte_stays() {
    let marked = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"anthropic__thought__s"}"#;
    let own = r#"{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gAAAAAB"}"#;
    let call = r#"{"type":"function_call","call_id":"c__thought__g","name":"f","arguments":"{ \"a\": 1.50}"}"#;
    let result = r#"{"type":"function_call_output","call_id":"c__thought__g","output":"1"}"#;
    let body = |items: &[&str]| format!(r#"{{"model":"m", "input":[ {} ],"new":1.50}}"#, items.join(" , "));
    let trimmed = [call, result].map(|item| item.replace("__thought__g", ""));
    assert_eq!(
        spliced(&body(&[marked, call, own, result]), true),
        (body(&[&trimmed[0], own, &trimmed[1]]), vec!["input[].reasoning".into(), "input[].call_id".into()])
    );
    assert_eq!(spliced(&body(&[own]), true), (body(&[own]), vec![]));
    let (kept, names) = spliced(&body(&[own, result]), false);
    assert!(!kept.contains("gAAAA") && kept.contains(&trimmed[1]), "{kept}");
    assert_eq!(names.len(), 2);
}

#[test]
fn what_a_request_relies_on_is_seen_before_anybody_is_asked() {
    for (members, field) in [
        (r#""previous_response_id":"resp_1""#, Some("previous_response_id")),
        (r#""previous_response_id":null,"store":false,"background":false"#, None),
        (r#""conversation":{"id":"c"}"#, Some("conversation")),
        (r#""prompt":{"id":"p"}"#, Some("prompt")),
        (r#""background":true"#, Some("background")),
        (r#""store":true"#, Some("store")),
        (r#""input":[{"type":"item_reference","id":"x"}]"#, Some("input")),
        (r#""input":[{"role":"user","content":"item_reference"}]"#, None),
        (r#""metadata":{"store":true,"type":"compaction"}"#, None),
    ] {
        let request = scan(&format!(r#"{{"model":"m",{members}}}"#));
        let refused = request.wishes.forbid(Ability::State).err().and_then(|error| error.param);
        assert_eq!(refused.as_deref(), field, "{members}");
        if let Some(field) = field.filter(|field| *field != "input") {
            let body = format!(r#"{{"input":"x",{members}}}"#);
            assert_eq!(read::read(&body).unwrap().relies_on, [field], "{members}");
        }
    }
}

#[test]
fn names_are_those_of_the_client() {
    for (field, own) in [
        ("messages", "input"),
        ("messages[3]", "input[3]"),
        ("messages[3].content[1].image_url.url", "input[3].content[1]"),
        ("response_format.json_schema.description", "text.format.description"),
        ("response_format", "text.format"),
        ("tool_choice", "tool_choice"),
        ("reasoning.effort", "reasoning.effort"),
        ("input[].encrypted_content", "input[].encrypted_content"),
    ] {
        assert_eq!(name_of(field), own);
    }
}

fn event(tap: &mut dyn Tap, data: &str) -> Event {
    tap.read(Frame { raw: format!("event: x\ndata: {data}\n\n").as_bytes() })
}

#[test]
fn a_stream_is_held_until_something_of_the_answer_comes() {
    let mut tap = OpenAiResponses.tap();
    for data in [
        r#"{"type":"response.created","response":{"id":"resp_1","usage":null}}"#,
        r#"{"type":"response.in_progress","response":{}}"#,
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","summary":[]}}"#,
        r#"{"type":"response.reasoning_summary_part.added","part":{}}"#,
        r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"message","content":[]}}"#,
        r#"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#,
    ] {
        assert_eq!(event(&mut *tap, data), Event::Preamble, "{data}");
    }
    assert_eq!(event(&mut *tap, r#"{"type":"response.output_text.delta","delta":"H"}"#), Event::Content);
    assert!(!tap.is_finished());
    let end = r#"{"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2}}}}"#;
    assert_eq!(event(&mut *tap, end), Event::Content);
    assert!(tap.is_finished() && tap.is_done());
    assert_eq!(tap.usage(), Some(Usage { input: 3, output: 5, reasoning: 2, ..Usage::default() }));
    let mut call = OpenAiResponses.tap();
    assert_eq!(
        event(&mut *call, r#"{"type":"response.output_item.added","item":{"type":"function_call"}}"#),
        Event::Content
    );
}

#[test]
fn an_error_in_a_stream_is_a_status_and_a_body() {
    for (data, status, body) in [
        (
            r#"{"type":"error","code":"rate_limit_exceeded","message":"slow"}"#,
            429,
            r#"{"error":{"type":"error","code":"rate_limit_exceeded","message":"slow"}}"#,
        ),
        (
            r#"{"type":"error","error":{"code":"server_error","message":"m"}}"#,
            500,
            r#"{"error":{"code":"server_error","message":"m"}}"#,
        ),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}}"#,
            500,
            r#"{"error":{"code":"server_error","message":"m"}}"#,
        ),
    ] {
        let mut tap = OpenAiResponses.tap();
        assert_eq!(event(&mut *tap, data), Event::Error(status), "{data}");
        let raw = format!("data: {data}\n\n");
        assert_eq!(String::from_utf8(tap.error_body(Frame { raw: raw.as_bytes() })).unwrap(), body);
    }
    let told = OpenAiResponses.tap().error_event(br#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#);
    assert_eq!(
        String::from_utf8(told).unwrap(),
        concat!(
            "event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,\"code\":\"c\",\"message\":\"m\",\"param\":null,",
            "\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":\"c\"}}\n\n"
        )
    );
}

#[test]
fn a_whole_document_is_an_answer_an_error_or_neither() {
    let whole = |body: &str| {
        let mut scanner = Scanner::new(WANTED);
        let found = scanner.feed(body.as_bytes()).and_then(|()| scanner.finish()).unwrap();
        OpenAiResponses.whole(&found)
    };
    let usage = Usage { input: 1, output: 2, ..Usage::default() };
    for (body, expected) in [
        (
            r#"{"object":"response","status":"completed","error":null,"usage":{"input_tokens":1,"output_tokens":2}}"#,
            Whole::Answer(Some(usage)),
        ),
        (r#"{"object":"response","status":"queued"}"#, Whole::Answer(None)),
        (r#"{"object":"response","status":"failed","error":{"code":"rate_limit_exceeded"}}"#, Whole::Error(429)),
        (r#"{"error":{"message":"m"}}"#, Whole::Error(502)),
        (r#"{"object":"chat.completion","choices":[]}"#, Whole::Other),
    ] {
        assert_eq!(whole(body), expected, "{body}");
    }
}

fn identity(body: &str) -> Identity {
    Identity { exchange: "x".into(), created: 7, model: "m".into(), echo: echo::echo(body) }
}

#[expect(clippy::disallowed_types, reason = "documents are compared by meaning")]
fn written(body: &str, deltas: Vec<Delta<'_>>) -> Vec<serde_json::Value> {
    let mut writer = OpenAiResponses.writer(identity(body), true);
    let mut out = Vec::new();
    for delta in deltas {
        writer.write(delta, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    let events = text.split_terminator("\n\n").map(|event| event.split_once("\ndata: ").unwrap().1);
    events.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn call<'a>(number: u32, id: &'a str, name: &'a str, arguments: &'a str) -> Delta<'a> {
    let begun = ToolCall { id: id.into(), name: name.into(), arguments: arguments.into(), signature: None };
    Delta::ToolCall { choice: 0, call: number, begun }
}

#[test]
fn calls_may_grow_side_by_side() {
    let more = |call, json: &'static str| Delta::Arguments { choice: 0, call, json: json.into() };
    let events = written(
        "{}",
        vec![
            call(0, "a", "f", ""),
            call(1, "b", "g", "{"),
            more(0, r#"{"x":"#),
            more(1, "}"),
            more(0, "1}"),
            Delta::Finish { choice: 0, reason: Finish::ToolCalls },
            Delta::End,
        ],
    );
    let last = &events.last().unwrap()["response"];
    assert_eq!(last["output"][0]["arguments"], r#"{"x":1}"#);
    assert_eq!(last["output"][1]["arguments"], "{}");
    assert_eq!((&last["status"], &last["output"][0]["status"]), (&"completed".into(), &"completed".into()));
    let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_custom_tool_gets_a_text() {
    let body = r#"{"tools":[{"type":"custom","name":"run"}]}"#;
    let finish = || [Delta::Finish { choice: 0, reason: Finish::ToolCalls }, Delta::End];
    for (arguments, input) in [(r#"{"input":"a\nb"}"#, "a\nb"), ("plain", "plain")] {
        let events = written(body, [call(0, "c", "run", arguments)].into_iter().chain(finish()).collect());
        let item = &events.last().unwrap()["response"]["output"][0];
        assert_eq!((&item["type"], &item["input"]), (&"custom_tool_call".into(), &input.into()));
        let done = events.iter().find(|event| event["type"] == "response.custom_tool_call_input.done").unwrap();
        assert_eq!(done["input"], input);
    }
}

#[expect(clippy::disallowed_types, reason = "documents are compared by meaning")]
#[test]
fn a_whole_answer_and_a_stream_end_in_the_same_words() {
    let text = |text: &'static str| Part::Text(TextPart { text: text.into(), ..TextPart::default() });
    let parts = vec![
        Part::Thinking { text: "hm".into(), signature: Some("s".into()) },
        Part::RedactedThinking("d".into()),
        text("ä"),
        Part::Refusal("no".into()),
    ];
    let choice = crate::chat::Choice { parts, finish: Some(Finish::Length), logprobs: vec![] };
    let response = Response { choices: vec![choice], usage: Some(Usage::default()), ..Response::default() };
    let whole: serde_json::Value =
        serde_json::from_slice(&OpenAiResponses.write(&response, &identity(r#"{"instructions":"i"}"#))).unwrap();
    let events = written(
        r#"{"instructions":"i"}"#,
        vec![
            Delta::Thinking { choice: 0, text: "h".into() },
            Delta::Thinking { choice: 0, text: "m".into() },
            Delta::Signature { choice: 0, signature: "s".into() },
            Delta::RedactedThinking { choice: 0, data: "d".into() },
            Delta::Text { choice: 0, text: "ä".into() },
            Delta::Refusal { choice: 0, text: "no".into() },
            Delta::Finish { choice: 0, reason: Finish::Length },
            Delta::Usage(Usage::default()),
            Delta::End,
        ],
    );
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(last["response"], whole);
    assert_eq!(whole["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(whole["output"][0]["encrypted_content"], "anthropic__thought__s");
    assert_eq!(whole["output"][2]["content"][1]["refusal"], "no");
}
