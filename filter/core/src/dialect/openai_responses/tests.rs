//! What of the format no golden shows.

use super::*;
use crate::{
    chat::Part,
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

fn spliced(body: &str, thoughts: Thoughts) -> (String, Vec<String>) {
    let request = scan(body);
    let habits = Habits { thoughts, ..Habits::default() };
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
        spliced(&body(&[marked, call, own, result]), Thoughts::OpenAi),
        (body(&[&trimmed[0], own, &trimmed[1]]), vec!["input[].reasoning".into(), "input[].call_id".into()])
    );
    let (kept, names) = spliced(&body(&[own, result]), Thoughts::Others);
    assert!(!kept.contains("gAAAA") && kept.contains(&trimmed[1]), "{kept}");
    assert_eq!(names.len(), 2);
}

#[test]
fn a_thought_reaches_only_who_can_have_had_it_and_nobody_reads_a_body_for_it_in_vain() {
    let thought = |proof: &str| format!(r#"{{"type":"reasoning","encrypted_content":{proof}}}"#);
    let (openais, others, marked) = (r#""gAAAAAB""#, r#""Ab/9""#, r#""unsigned__thought__""#);
    let every = [Thoughts::OpenAi, Thoughts::Others, Thoughts::Nobody];
    for (proof, kept) in
        [(openais, &every[..1]), (others, &every[1..2]), (marked, &[]), ("null", &every), (r#""""#, &every)]
    {
        let body = format!(r#"{{"model":"m","input":[{}]}}"#, thought(proof));
        for thoughts in every {
            let (text, dropped) = spliced(&body, thoughts);
            assert_eq!(
                (text == body, dropped.is_empty()),
                [kept.contains(&thoughts); 2].into(),
                "{proof} {thoughts:?}"
            );
            // A history made short is no thought that could be left out.
            let compacted = body.replace("reasoning", "compaction");
            assert_eq!(spliced(&compacted, thoughts).0, compacted);
        }
    }
    for (proof, thoughts) in [(openais, every[0]), (others, every[1]), ("null", every[0]), ("null", every[1])] {
        let body = format!(r#"{{"model":"m","input":[{}]}}"#, thought(proof));
        let aim = Aim {
            model: "m",
            max_output_tokens: None,
            exchange: "x",
            habits: Habits { thoughts, ..Habits::default() },
        };
        assert!(OpenAiResponses.splice(&scan(&body), &aim, &mut || panic!("it is not read")).edits.is_empty());
    }
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
        (r#""input":[{"type":"shell_call","call_id":"c","action":{"commands":["ls"]}}]"#, None),
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
        ("response_format.json_schema.strict", "text.format.strict"),
        ("response_format", "text.format"),
        ("tool_choice", "tool_choice"),
        ("reasoning.effort", "reasoning.effort"),
        ("input[].encrypted_content", "input[].encrypted_content"),
    ] {
        assert_eq!(name_of(field), own);
    }
}

#[test]
fn log_probabilities_are_asked_for_in_one_of_two_ways() {
    let every = r#""file_search_call.results","web_search_call.results","web_search_call.action.sources","message.input_image.image_url","computer_call_output.output.image_url","code_interpreter_call.outputs","reasoning.encrypted_content""#;
    let asked = [(r#""top_logprobs":2"#.into(), true), (r#""top_logprobs":0"#.into(), false)];
    let included = [(format!(r#""include":[{every}]"#), false)];
    let told = [(format!(r#""include":[ {every}, "message.output_text.logprobs" ]"#), true)];
    for (member, is_asked) in asked.into_iter().chain(included).chain(told) {
        let wishes = scan(&format!(r#"{{"model":"m",{member}}}"#)).wishes;
        assert_eq!(wishes.forbid(Ability::Logprobs).is_err(), is_asked, "{member}");
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
    let mut tap = OpenAiResponses.tap();
    for data in [r#"{"type":"response.created"}"#, r#"{"type":"response.output_text.delta","delta":"H"}"#, "{"] {
        event(&mut *tap, data);
    }
    let told = tap.error_event(br#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#);
    assert_eq!(
        String::from_utf8(told).unwrap(),
        concat!(
            "event: error\ndata: {\"type\":\"error\",\"sequence_number\":2,\"code\":\"c\",\"message\":\"m\",\"param\":null,",
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

#[test]
fn what_only_openais_own_models_know_is_no_state() {
    for item in [
        r#"{"type":"shell_call_output","call_id":"c","output":[]}"#,
        r#"{"type":"additional_tools","role":"developer","tools":[{"type":"mcp"}]}"#,
    ] {
        let body = format!(r#"{{"model":"m","input":[{item}]}}"#);
        let refused = scan(&body).wishes.require(&[Ability::State]).err().unwrap();
        assert_eq!(refused.message, Ability::Hosted.refusal(), "{item}");
        assert!(read::read(&body).unwrap_err().message.contains("cannot be translated"), "{item}");
    }
}

#[test]
fn tools_that_are_offered_on_the_way_are_tools() {
    let tools = |tool: &str| {
        let item = format!(r#"{{"type":"additional_tools","role":"developer","tools":[{tool}]}}"#);
        let text = r#""text":{"format":{"type":"json_object"}}"#;
        format!(
            r#"{{"model":"m","parallel_tool_calls":false,{text},"input":[{{"role":"user","content":"x"}},{item}]}}"#
        )
    };
    let body = tools(r#"{"type":"function","name":"f"}"#);
    assert_eq!(read::read(&body).unwrap().parallel_tools, Some(false));
    let refused = |body: &str| scan(body).wishes.require(&[]).err().map(|error| error.param.unwrap().into_owned());
    assert_eq!(refused(&body).as_deref(), Some("response_format"));
    assert_eq!(refused(&tools(r#"{"type":"web_search"}"#)).as_deref(), Some("web_search_options"));
}

#[test]
fn what_proves_an_empty_text_is_of_an_empty_text() {
    let proof = r#"{"type":"reasoning","summary":[],"encrypted_content":"gemini_text__thought__s"}"#;
    let call = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#;
    let body = format!(r#"{{"input":[{call},{proof}]}}"#);
    let request = read::read(&body).unwrap();
    let Some(Part::Text(text)) = request.messages[0].parts.last() else { panic!("{request:?}") };
    assert_eq!((&*text.text, text.signature.as_deref()), ("", Some("s")));
    let body = format!(r#"{{"input":[{{"role":"user","content":"x"}},{proof}]}}"#);
    assert_eq!(read::read(&body).unwrap().unplaced, ["input[].encrypted_content"]);
}

#[test]
fn what_nobody_reads_is_listed_however_deep_it_stands() {
    let body = r#"{"text":{"format":{"type":"text","x":1},"x":1},"tool_choice":{"type":"function","name":"f","x":1},"input":[
        {"role":"user","x":1,"content":[{"type":"input_text","text":"a","x":1}]},
        {"type":"reasoning","summary":[{"type":"summary_text","text":"a","x":1}]},
        {"type":"web_search_call","id":"w","action":{"x":1}},
        {"type":"function_call","id":"i","status":"completed","call_id":"c","name":"f","arguments":"{}","y":1},
        {"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"a","x":1}]}]}"#;
    assert_eq!(
        read::read(body).unwrap().unplaced,
        [
            "text.format.x",
            "text.x",
            "tool_choice.x",
            "input[].x",
            "input[].content[].x",
            "input[].summary[].x",
            "input[].web_search_call",
            "input[].y",
            "input[].output[].x",
        ]
    );
}
