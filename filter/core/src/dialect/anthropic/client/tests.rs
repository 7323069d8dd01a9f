//! What is pruned of a request that passes, in which order a stream is told, and what fields are called.

use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};

use super::*;
use crate::{
    chat::{Delta, Finish, ToolCall},
    json::Edits,
};

fn pruned(body: &str) -> (String, Vec<String>) {
    pruned_of(body, false)
}

fn pruned_of(body: &str, forgets: bool) -> (String, Vec<String>) {
    let (more, dropped) = prune::prune(body, forgets);
    let mut edits = Edits::default();
    edits.extend(more);
    let mut bytes = body.as_bytes().to_vec();
    edits.apply_in_place(&mut bytes);
    (String::from_utf8(bytes).unwrap(), dropped.names().to_owned())
}

const THOUGHT: &str = "messages[].thinking_blocks";
const ID: &str = "messages[].tool_calls[].extra_content";

#[test]
fn thoughts_that_were_refused_are_left_out_whoever_has_signed_them_and_nothing_is_thought_without_them() {
    let (before, names) = (
        r#"{"thinking":{"type":"enabled","budget_tokens":2000},"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c"}]}]}"#,
        [THOUGHT, "thinking"],
    );
    assert_eq!(pruned(before), (before.into(), vec![]));
    let after = r#"{"thinking":{"type":"disabled"},"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c"}]}]}"#;
    assert_eq!(pruned_of(before, true), (after.into(), names.map(String::from).to_vec()));
}

#[test]
fn what_another_provider_has_left_is_taken_out_and_every_other_byte_stays() {
    for (before, after, names) in [
        (
            r#"{"a":1.50,"messages":[ {"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":""}, {"type":"text","text":"ü"}]} ]}"#,
            r#"{"a":1.50,"messages":[ {"role":"assistant","content":[ {"type":"text","text":"ü"}]} ]}"#,
            &[THOUGHT][..],
        ),
        (
            r#"{"messages":[{"content":[{"type":"text","text":"a"},{"type":"thinking","thinking":"h"},{"type":"thinking","thinking":"h","signature":"s"}]}]}"#,
            r#"{"messages":[{"content":[{"type":"text","text":"a"},{"type":"thinking","thinking":"h","signature":"s"}]}]}"#,
            &[THOUGHT],
        ),
        (
            r#"{"messages":[{"content":"x"},{"content":[{"type":"thinking","thinking":"h","signature":""}]},{"content":"y"}]}"#,
            r#"{"messages":[{"content":"x"},{"content":"y"}]}"#,
            &[THOUGHT],
        ),
        (
            r#"{"messages":[{"content":[{"type":"tool_use","id":"a.b__thought__c","input":{"id":"a__thought__b"}}]},{"content":[{"type":"tool_result","tool_use_id":"a.b__thought__c"}]}]}"#,
            r#"{"messages":[{"content":[{"type":"tool_use","id":"a_b","input":{"id":"a__thought__b"}}]},{"content":[{"type":"tool_result","tool_use_id":"a_b"}]}]}"#,
            &[ID],
        ),
        (
            r#"{"messages":[{"content":[{"type":"news","signature":""},7,{"type":"tool_use","id":"a"}]}, null],"signature":""}"#,
            r#"{"messages":[{"content":[{"type":"news","signature":""},7,{"type":"tool_use","id":"a"}]}, null],"signature":""}"#,
            &[],
        ),
        (r#"{"messages":"none"}"#, r#"{"messages":"none"}"#, &[]),
        // Calls that nobody has thought about, or another one.
        (
            r#"{"thinking": {"type":"enabled","budget_tokens":2000},"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}]}"#,
            r#"{"thinking": {"type":"disabled"},"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}]}"#,
            &["thinking"],
        ),
        (
            r#"{"context_management":{"edits":[{"type":"clear_thinking_20251015"}]},"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":""},{"type":"tool_use","id":"a"}]}],"thinking":{"type":"enabled"}}"#,
            r#"{"context_management":null,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a"}]}],"thinking":{"type":"disabled"}}"#,
            &[THOUGHT, "thinking", "context_management"],
        ),
        // Its own thoughts, a last turn without calls, and thinking that knows no such rule.
        (
            r#"{"thinking":{"type":"enabled"},"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":"s"},{"type":"tool_use","id":"a"}]}]}"#,
            r#"{"thinking":{"type":"enabled"},"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"h","signature":"s"},{"type":"tool_use","id":"a"}]}]}"#,
            &[],
        ),
        (
            r#"{"thinking":{"type":"enabled"},"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a"}]},{"role":"assistant","content":"done"}]}"#,
            r#"{"thinking":{"type":"enabled"},"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a"}]},{"role":"assistant","content":"done"}]}"#,
            &[],
        ),
        (
            r#"{"thinking":{"type":"adaptive"},"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a"}]}]}"#,
            r#"{"thinking":{"type":"adaptive"},"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a"}]}]}"#,
            &[],
        ),
    ] {
        assert_eq!(pruned(before), (after.to_owned(), names.iter().map(|name| (*name).to_owned()).collect()));
    }
}

fn call(id: &'static str) -> ToolCall<'static> {
    ToolCall { id: id.into(), name: "f".into(), arguments: "".into(), signature: None }
}

/// What a stream says, an event each, in short.
fn told(deltas: Vec<Delta<'_>>) -> Vec<String> {
    let identity = Identity { exchange: "x".into(), created: 7, model: "m".into(), echo: alloc::string::String::new() };
    let (mut writer, mut out) = (Downstream::writer(&Anthropic, identity, true), Vec::new());
    for delta in deltas {
        writer.write(delta, &mut out);
    }
    let text = String::from_utf8(out).unwrap();
    let data = text.split_terminator("\n\n").map(|event| event.split_once("data: ").unwrap().1);
    let short = |data: &str| -> String {
        let data: &str = data.strip_prefix(r#"{"type":""#).unwrap();
        let data = data.replace(r#""content_block":"#, "").replace(r#""delta":"#, "").replace(r#""index":"#, "");
        data.replace("content_block_", "").replace('"', "").trim_end_matches('}').into()
    };
    data.map(short).collect()
}

#[test]
fn calls_that_a_provider_tells_at_a_time_are_told_one_after_the_other() {
    let arguments = |call, json: &'static str| Delta::Arguments { choice: 0, call, json: json.into() };
    let all = told(alloc::vec![
        Delta::ToolCall { choice: 0, call: 0, begun: call("a") },
        arguments(0, r#"{"x":"#),
        Delta::ToolCall { choice: 0, call: 1, begun: call("b") },
        arguments(1, r#"{"y""#),
        Delta::Text { choice: 0, text: "between".into() },
        arguments(0, "1}"),
        arguments(1, ":2}"),
        Delta::Finish { choice: 0, reason: Finish::Stop },
        Delta::End,
    ]);
    let expected = [
        "start,0,{type:tool_use,id:a,name:f,input:{",
        "delta,0,{type:input_json_delta,partial_json:{\\x\\:",
        "delta,0,{type:input_json_delta,partial_json:1",
        "stop,0",
        "start,1,{type:tool_use,id:b,name:f,input:{",
        "delta,1,{type:input_json_delta,partial_json:{\\y\\",
        "delta,1,{type:input_json_delta,partial_json::2",
        "stop,1",
        "start,2,{type:text,text:",
        "delta,2,{type:text_delta,text:between",
        "stop,2",
    ];
    assert_eq!(all[1..12], expected, "{all:#?}");
    assert!(all[12].starts_with("message_delta,{stop_reason:tool_use,"), "{all:#?}");
    assert_eq!(all[13], "message_stop");
}

#[test]
fn a_call_that_is_never_whole_ends_with_the_answer_and_nothing_is_lost() {
    let all = told(alloc::vec![
        Delta::ToolCall { choice: 0, call: 0, begun: call("a") },
        Delta::ToolCall { choice: 0, call: 1, begun: call("b") },
        Delta::Thinking { choice: 0, text: "hm".into() },
        Delta::Finish { choice: 0, reason: Finish::Length },
        Delta::End,
    ]);
    let kinds: Vec<&str> = all.iter().map(|event| event.split(',').next().unwrap()).collect();
    let expected =
        ["message_start", "start", "stop", "start", "stop", "start", "delta", "stop", "message_delta", "message_stop"];
    assert_eq!(kinds, expected);
    assert!(all[8].contains("max_tokens"));
}

#[test]
fn what_waits_is_counted_once_however_small_its_pieces_are() {
    let begin = |number| Delta::ToolCall { choice: 0, call: number, begun: call("a") };
    let more = |call| Delta::Arguments { choice: 0, call, json: "1".into() };
    let text = || Delta::Text { choice: 0, text: "x".into() };
    for piece in [text(), more(1), more(7)] {
        let mut deltas = alloc::vec![begin(0), begin(1)];
        deltas.extend((0..20_000).map(|_| piece.clone()));
        deltas.push(Delta::End);
        let all = told(deltas);
        assert!(!all.iter().any(|event| event.contains("api_error")), "{piece:?}");
    }
}

#[test]
fn more_than_can_wait_ends_the_stream_in_an_error_and_no_call_is_cut_short() {
    let begin = |number| Delta::ToolCall { choice: 0, call: number, begun: call("a") };
    let piece = "x".repeat(100_000);
    let long = (0..12).map(|_| Delta::Text { choice: 0, text: (&*piece).into() }).collect::<Vec<_>>();
    let many = (1..=600).map(begin).collect();
    for waiting in [long, many] {
        let mut deltas = alloc::vec![begin(0)];
        deltas.extend(waiting);
        deltas.push(Delta::Finish { choice: 0, reason: Finish::ToolCalls });
        deltas.push(Delta::End);
        let all = told(deltas);
        assert_eq!(all.len(), 3, "{all:#?}");
        assert!(all[2].contains("api_error"), "{all:#?}");
    }
}

#[test]
fn calls_that_are_told_backwards_are_told_one_after_the_other() {
    let count = 400;
    let mut deltas: Vec<_> =
        (0..count).map(|number| Delta::ToolCall { choice: 0, call: number, begun: call("a") }).collect();
    deltas.extend((0..count).rev().map(|call| Delta::Arguments { choice: 0, call, json: "{}".into() }));
    deltas.extend([Delta::Finish { choice: 0, reason: Finish::ToolCalls }, Delta::End]);
    let all = told(deltas);
    assert_eq!(all.iter().filter(|event| event.ends_with("partial_json:{")).count(), 400);
}

#[test]
fn other_answers_than_the_first_are_not_told() {
    let all = told(alloc::vec![
        Delta::Text { choice: 1, text: "other".into() },
        Delta::Finish { choice: 1, reason: Finish::Length },
        Delta::Finish { choice: 0, reason: Finish::Stop },
        Delta::End,
    ]);
    assert_eq!(all.len(), 3, "{all:#?}");
    assert!(all[1].contains("end_turn"));
}

#[test]
fn a_field_has_the_name_that_the_client_gave_it() {
    for (field, own) in [
        ("stop", "stop_sequences"),
        ("messages[].thinking_blocks", "messages[].content[].thinking"),
        ("messages[3].content[2].image_url.url", "messages[3]"),
        ("response_format.json_schema.strict", "output_config.format.strict"),
        ("response_format.json_schema.description", "output_config.format"),
        ("messages", "messages"),
        ("tools[1].type", "tools[1].type"),
    ] {
        assert_eq!(name_of(field), own);
    }
}

#[test]
fn a_head_says_who_asks_and_what_not_every_format_can_express() {
    let read = |body: &str| {
        let mut scanner = scheme::SCHEME.scanner();
        let fed = scanner.feed(body.as_bytes());
        scheme::SCHEME.read(fed.and_then(|()| scanner.finish()), body.len()).unwrap()
    };
    let request = read(r#"{"model":"m","metadata":{"user_id":"ü"},"max_tokens":7,"stream":true,"stream_options":1}"#);
    assert_eq!((request.user.as_deref(), request.bounds.max_tokens, request.stream), (Some("ü"), Some(7), true));
    assert!(request.wants_usage() && request.usage_edit().is_none() && request.wishes.is_empty());
    assert!(!request.history.may_be_refused() && !request.history.has_carried_signature);
    for (member, is_wish) in [
        (r#""stop_sequences":["x"]"#, false),
        (r#""stop_sequences":["\n"]"#, true),
        (r#""output_config":{"effort":"low"},"tools":[{"name":"f"}]"#, false),
        (r#""output_config":{"format":{"type":"json_schema"}}"#, false),
        (r#""output_config":{"format":{"type":"json_schema"}},"tools":[{"name":"f"}]"#, true),
        (
            r#""output_config":{"format":{"type":"json_schema"}},"tools":[{"name":"f"}],"tool_choice":{"type":"none"}"#,
            false,
        ),
        (r#""tools":[{"name":"f","type":"custom"}]"#, false),
        (r#""tools":[{"type":"web_search_20250305"}]"#, true),
        (r#""tools":[{"type":"memory_20250818"}]"#, true),
        (r#""container":null"#, false),
        (r#""inference_geo":"us""#, true),
    ] {
        assert_eq!(!read(&["{", member, "}"].concat()).wishes.is_empty(), is_wish, "{member}");
    }
    let history = read(r#"{"messages":[{"signature":"","tool_use_id":"a__thought__b"}]}"#).history;
    assert!(history.proofs.empty && history.has_carried_signature);
    let redacted = r#"{"messages":[{"role":"assistant","content":[{"type":"redacted_thinking","data":"d"}]}]}"#;
    assert!(read(redacted).history.may_be_refused());
}

#[test]
fn a_thread_may_begin_where_nobody_holds_it_and_comes_whole_when_it_is_to_go_on() {
    let of = |thread: &str| ["{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"thread\":", thread, "}"].concat();
    assert!(read::read(&of("null")).is_ok() && read::read(&of(r#"{"type":"create"}"#)).is_ok());
    let error = read::read(&of(r#"{"type":"continue","previous_message_id":"msg_1"}"#)).unwrap_err();
    let body = String::from_utf8(error.body(Shape::Anthropic)).unwrap();
    assert_eq!(error.kind.status(), 404);
    assert!(body.contains(r#""type":"not_found_error""#), "{body}");
    assert!(body.ends_with(r#","details":{"error_code":"thread_not_found"}}}"#), "{body}");
}

#[test]
fn what_nobody_reads_is_listed_however_deep_it_stands() {
    let body = r#"{"model":"m","max_tokens":9,"thinking":{"type":"adaptive","x":1},"tool_choice":{"type":"auto","x":1},
        "output_config":{"format":{"type":"json_schema","schema":{"x":1},"x":1}},
        "messages":[{"role":"user","x":1,"content":[
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA==","x":1}},
            {"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a","y":1}]}]},
            {"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"n","z":1},
                {"type":"tool_use","id":"c","name":"f","input":{"x":1}}]}]}"#;
    assert_eq!(
        read::read(body).unwrap().unplaced,
        [
            "thinking.x",
            "tool_choice.x",
            "output_config.format.x",
            "messages[].x",
            "messages[].content[].source.x",
            "messages[].content[].y",
            "messages[].content[].server_tool_use",
        ]
    );
}
