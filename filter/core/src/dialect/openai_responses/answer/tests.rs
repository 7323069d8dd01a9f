//! What of an answer no golden shows.

#![expect(clippy::disallowed_types, reason = "documents are compared by meaning")]

use super::super::{OpenAiResponses, echo};
use crate::{
    chat::{Choice, Citation, Delta, Finish, Part, Response, TextPart, TokenLogprob, ToolCall},
    dialect::{Downstream, Identity},
    usage::Usage,
};
use alloc::{string::String, vec, vec::Vec};
use serde_json::Value;

fn identity(body: &str) -> Identity {
    Identity { exchange: "x".into(), created: 7, model: "m".into(), echo: echo::echo(body) }
}

fn written(body: &str, deltas: Vec<Delta<'_>>) -> Vec<Value> {
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
fn calls_that_a_provider_tells_side_by_side_are_told_one_after_the_other() {
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
    let items: Vec<_> = events.iter().filter_map(|event| event["output_index"].as_u64()).collect();
    assert!(items.is_sorted() && items.contains(&1), "{items:?}");
    let last = &events.last().unwrap()["response"];
    assert_eq!(last["output"][0]["arguments"], r#"{"x":1}"#);
    assert_eq!(last["output"][1]["arguments"], "{}");
    assert_eq!((&last["status"], &last["output"][0]["status"]), (&"completed".into(), &"completed".into()));
    let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
}

#[test]
fn an_empty_refusal_is_none() {
    let refusal = |text: &'static str| Delta::Refusal { choice: 0, text: text.into() };
    let text = || Delta::Text { choice: 0, text: "Hi".into() };
    let told = written("{}", vec![text(), refusal(""), text(), Delta::End]);
    let content = &told.last().unwrap()["response"]["output"][0]["content"];
    assert_eq!((content.as_array().unwrap().len(), &content[0]["text"]), (1, &"HiHi".into()));
}

#[test]
fn more_than_an_answer_holds_ends_the_stream_in_an_error_and_no_call_is_cut_short() {
    let piece = "x".repeat(1_000_000);
    let long = (0..12).map(|_| Delta::Text { choice: 0, text: (&*piece).into() }).collect::<Vec<_>>();
    let many = (0..70).map(|number| call(number, "a", "f", "")).collect();
    for mut deltas in [long, many] {
        deltas.extend([Delta::Finish { choice: 0, reason: Finish::Stop }, Delta::End]);
        let events = written("{}", deltas);
        assert_eq!(events.last().unwrap()["type"], "error");
        assert!(events.iter().all(|event| event["type"] != "response.output_item.done"), "{events:?}");
    }
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

#[test]
fn a_whole_answer_and_a_stream_end_in_the_same_words() {
    let text = |text: &'static str| Part::Text(TextPart { text: text.into(), ..TextPart::default() });
    let parts = vec![
        Part::Thinking { text: "hm".into(), signature: Some("s".into()) },
        Part::RedactedThinking("d".into()),
        text("ä"),
        Part::Refusal("no".into()),
    ];
    let choice = Choice { parts, finish: Some(Finish::Length), logprobs: vec![] };
    let response = Response { choices: vec![choice], usage: Some(Usage::default()), ..Response::default() };
    let whole: Value =
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

fn text(text: &str) -> Delta<'_> {
    Delta::Text { choice: 0, text: text.into() }
}

fn ended(reason: Finish) -> [Delta<'static>; 2] {
    [Delta::Finish { choice: 0, reason }, Delta::End]
}

fn source(span: (u64, u64)) -> Delta<'static> {
    let citation = Citation::Url { url: "u".into(), title: None, span: Some(span) };
    Delta::Citation { choice: 0, citation }
}

fn token(token: &str) -> TokenLogprob<'_> {
    TokenLogprob { token: token.into(), logprob: -0.5, top: vec![] }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let items = events.last().unwrap()["response"]["output"].as_array().unwrap();
    items.iter().map(|item| item["type"].as_str().unwrap()).collect()
}

#[test]
fn what_comes_behind_a_text_is_of_it_and_begins_no_message() {
    let proof = || Delta::TextSignature { choice: 0, signature: "s".into() };
    let events = written(
        "{}",
        [text("äb"), proof(), text("cd"), proof(), source((3, 4))].into_iter().chain(ended(Finish::Stop)).collect(),
    );
    assert_eq!(kinds(&events), ["message", "reasoning", "message", "reasoning"]);
    let output = &events.last().unwrap()["response"]["output"];
    let annotation = &output[2]["content"][0]["annotations"][0];
    assert_eq!((&annotation["start_index"], &annotation["end_index"]), (&1.into(), &2.into()));
    let late = [text("a"), ended(Finish::Stop)[0].clone(), source((0, 1)), Delta::End];
    let events = written("{}", late.into());
    assert_eq!(events.last().unwrap()["response"]["output"][0]["content"][0]["annotations"][0]["url"], "u");
    let of_nothing = [call(0, "c", "f", "{}"), source((0, 1)), Delta::Logprobs { choice: 0, tokens: vec![token("{")] }];
    let events = written("{}", of_nothing.into_iter().chain(ended(Finish::ToolCalls)).collect());
    assert_eq!(kinds(&events), ["function_call"]);
}

#[test]
fn tokens_are_told_with_their_text() {
    let tokens = |word| Delta::Logprobs { choice: 0, tokens: vec![token(word)] };
    let deltas = [tokens("é1"), text("é"), tokens("é2")].into_iter().chain(ended(Finish::Stop)).collect();
    let events = written("{}", deltas);
    let told = events.iter().filter(|event| event["type"] == "response.output_text.delta");
    let told: Vec<_> = told.map(|event| &event["logprobs"][0]["token"]).collect();
    assert_eq!(told, ["é1", "é2"]);
    let part = &events.last().unwrap()["response"]["output"][0]["content"][0];
    assert_eq!(part["logprobs"].as_array().unwrap().len(), 2);
    let whole = |parts| {
        let choice = Choice { parts, finish: None, logprobs: vec![token("a"), token("b")] };
        let response = Response { choices: vec![choice], ..Response::default() };
        serde_json::from_slice::<Value>(&OpenAiResponses.write(&response, &identity("{}"))).unwrap()
    };
    let call = || Part::ToolCall(ToolCall { id: "c".into(), name: "f".into(), arguments: "".into(), signature: None });
    let output = &whole(vec![Part::Text(TextPart { text: "ab".into(), ..TextPart::default() }), call()])["output"];
    assert_eq!(output[0]["content"][0]["logprobs"].as_array().unwrap().len(), 2);
    assert_eq!((&output[1]["type"], output.as_array().unwrap().len()), (&"function_call".into(), 2));
    assert_eq!(whole(vec![call()])["output"].as_array().unwrap().len(), 1);
}

#[test]
fn what_was_cut_is_not_complete() {
    for (reason, why) in [(Finish::Length, "max_output_tokens"), (Finish::ContentFilter, "content_filter")] {
        let deltas = [text("a"), call(0, "c", "f", r#"{"x":"#)].into_iter().chain(ended(reason)).collect();
        let answer = &written("{}", deltas).pop().unwrap()["response"];
        assert_eq!((&answer["status"], &answer["incomplete_details"]["reason"]), (&"incomplete".into(), &why.into()));
        let states: Vec<_> = answer["output"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
        assert_eq!(states, ["completed", "incomplete"]);
    }
}

#[test]
fn a_custom_tool_gets_its_text_as_it_comes_however_it_is_cut() {
    let more = |json: &str| Delta::Arguments { choice: 0, call: 0, json: String::from(json).into() };
    for body in [
        r#"{"tools":[{"type":"custom","name":"run"}]}"#,
        r#"{"input":[{"type":"additional_tools","role":"developer","tools":[{"type":"custom","name":"run"}]}]}"#,
    ] {
        let arguments = r#" {"input" : "a\n\"ä\ud83d\ude00\\ü"}"#;
        for at in (0..arguments.len()).filter(|at| arguments.is_char_boundary(*at)) {
            let (head, tail) = arguments.split_at(at);
            let deltas = [call(0, "c", "run", ""), more(head), more(tail)];
            let events = written(body, deltas.into_iter().chain(ended(Finish::ToolCalls)).collect());
            let told = events.iter().filter(|event| event["type"] == "response.custom_tool_call_input.delta");
            let told: Vec<_> = told.map(|event| event["delta"].as_str().unwrap()).collect();
            assert_eq!(told.concat(), "a\n\"ä😀\\ü", "{at}");
            assert_eq!(told.len(), if (14..arguments.len() - 2).contains(&at) { 2 } else { 1 }, "{at}");
            assert_eq!(events.last().unwrap()["response"]["output"][0]["input"], told.concat());
        }
    }
}

#[test]
fn no_arguments_are_told_as_none() {
    let events = written("{}", [call(0, "c", "f", "")].into_iter().chain(ended(Finish::ToolCalls)).collect());
    let told = events.iter().filter(|event| event["type"] == "response.function_call_arguments.delta");
    assert_eq!(told.map(|event| &event["delta"]).collect::<Vec<_>>(), ["{}"]);
}
