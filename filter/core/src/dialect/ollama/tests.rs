//! Requests of OpenAI's clients, as Ollama gets them: each case is the members that matter, in and out.
#![expect(clippy::disallowed_types, reason = "documents are compared by their meaning")]

use super::*;
use crate::dialect::{Downstream, Dropped, Habits, openai_chat::OpenAiChat};
use alloc::{borrow::ToOwned, format, string::ToString, vec};
use serde_json::{Map, Value, json};

fn write(request: &Value) -> Result<(Value, Vec<String>), Error> {
    let body = request.to_string();
    let read = Downstream::read(&OpenAiChat, &body).unwrap();
    let aim = Aim { model: "m", max_output_tokens: None, exchange: "x", habits: Habits::default() };
    let written = Ollama.write(&read, &aim)?;
    assert_eq!((written.path.as_str(), written.headers.len()), ("/chat", 0));
    Ok((serde_json::from_slice(&written.body).unwrap(), written.dropped.names().to_vec()))
}

/// What becomes of these members, in the place of what becomes of none.
fn members(members: &Value) -> (Value, Vec<String>) {
    let plain = json!({"messages": [{"role": "user", "content": "hi"}]});
    let mut request = plain.clone();
    request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let (usual, none) = write(&plain).unwrap();
    assert_eq!(none, Vec::<String>::new());
    let (got, dropped) = write(&request).unwrap();
    let differs = |(name, value): &(String, Value)| usual.get(name) != Some(value);
    let changed: Map<String, Value> = got.as_object().unwrap().clone().into_iter().filter(differs).collect();
    (Value::Object(changed), dropped)
}

fn messages(messages: &Value) -> (Value, Vec<String>) {
    let (mut got, dropped) = write(&json!({"messages": messages})).unwrap();
    (got["messages"].take(), dropped)
}

/// The field that is blamed.
fn refused(request: &Value) -> String {
    let error = write(request).unwrap_err();
    assert_eq!(error.kind, crate::error::Kind::InvalidRequest);
    error.param.unwrap().into_owned()
}

#[test]
fn a_plain_request_streams_only_if_asked_and_is_never_cut() {
    let (got, _) = write(&json!({"model": "ollama/m", "messages": [{"role": "user", "content": "hi"}]})).unwrap();
    let expected = json!({
        "model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": false, "truncate": false, "shift": false
    });
    assert_eq!(got, expected);
}

#[test]
fn members_are_kept_renamed_or_listed() {
    let schema = json!({"type": "object", "properties": {"b": {"type": "string"}, "a": {"const": 1}}});
    let format =
        |strict: bool| json!({"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": strict}});
    let cases: Vec<(Value, Value, &[&str])> = vec![
        (json!({"stream": true, "stream_options": {"include_usage": true}}), json!({"stream": true}), &[]),
        (json!({"max_tokens": 5}), json!({"options": {"num_predict": 5}}), &[]),
        (json!({"max_completion_tokens": 6}), json!({"options": {"num_predict": 6}}), &[]),
        (
            json!({"temperature": 0.7, "top_p": 1, "top_k": 40, "seed": -3, "stop": "x",
                "presence_penalty": 0.5, "frequency_penalty": -0.5}),
            json!({"options": {"temperature": 0.7, "top_p": 1.0, "top_k": 40, "seed": -3, "stop": ["x"],
                "presence_penalty": 0.5, "frequency_penalty": -0.5}}),
            &[],
        ),
        (
            json!({"min_p": 0.1, "repetition_penalty": 1.10}),
            json!({"options": {"min_p": 0.1, "repeat_penalty": 1.10}}),
            &[],
        ),
        (json!({"repeat_penalty": 1.5, "repetition_penalty": 1.25}), json!({"options": {"repeat_penalty": 1.25}}), &[]),
        (
            json!({"temperature": 0.5, "options": {"temperature": 0.9, "num_ctx": 8192, "mirostat": 1}}),
            json!({"options": {"temperature": 0.5, "num_ctx": 8192, "mirostat": 1}}),
            &[],
        ),
        (
            json!({"options": {"num_predict": 9, "min_p": 0.5, "stop": ["y"]}, "max_tokens": 5, "min_p": 0.1, "options ": 1}),
            json!({"options": {"num_predict": 5, "min_p": 0.1, "stop": ["y"]}}),
            &["options "],
        ),
        (json!({"keep_alive": -1, "options": {}}), json!({"keep_alive": -1}), &[]),
        (json!({"keep_alive": 0, "options": null}), json!({"keep_alive": 0}), &[]),
        (
            json!({"keep_alive": "5m", "truncate": true, "shift": true}),
            json!({"keep_alive": "5m", "truncate": true, "shift": true}),
            &[],
        ),
        (json!({"logprobs": true}), json!({"logprobs": true}), &[]),
        (json!({"logprobs": true, "top_logprobs": 3}), json!({"logprobs": true, "top_logprobs": 3}), &[]),
        (json!({"response_format": {"type": "text"}}), json!({}), &[]),
        (json!({"response_format": {"type": "json_object"}}), json!({"format": "json"}), &[]),
        (json!({"response_format": format(true)}), json!({"format": schema}), &[]),
        (json!({"reasoning_effort": "none"}), json!({"think": false}), &[]),
        (json!({"reasoning_effort": "minimal"}), json!({"think": "low"}), &[]),
        (json!({"reasoning_effort": "high"}), json!({"think": "high"}), &[]),
        (json!({"reasoning_effort": "xhigh"}), json!({"think": "max"}), &[]),
        (json!({"think": true}), json!({"think": true}), &[]),
        (json!({"think": true, "reasoning_effort": "low"}), json!({"think": "low"}), &[]),
        (json!({"thinking": {"type": "disabled"}}), json!({"think": false}), &[]),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 4096}}), json!({"think": "medium"}), &["thinking"]),
        (json!({"reasoning": {"effort": "low", "summary": "auto"}}), json!({"think": "low"}), &["reasoning.summary"]),
        (json!({"n": 1, "logit_bias": {}, "modalities": ["text"], "service_tier": "auto"}), json!({}), &[]),
        (
            json!({"user": "u", "service_tier": "flex", "store": true, "metadata": {"a": "b"}, "verbosity": "low"}),
            json!({}),
            &["user", "service_tier", "store", "metadata", "verbosity"],
        ),
    ];
    for (given, expected, dropped) in cases {
        let (got, mut listed) = members(&given);
        assert_eq!(got, expected, "{given}");
        let mut dropped = dropped.to_vec();
        listed.sort();
        dropped.sort_unstable();
        assert_eq!(listed, dropped, "{given}");
    }
}

#[test]
fn numbers_and_schemas_go_as_they_were_written() {
    let schema = r#"{"type":"object","properties":{"z":{"maximum":1e400},"a":{}}}"#;
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":"hi"}}],"num_ctx":1.50e4,
            "response_format":{{"type":"json_schema","json_schema":{{"name":"s","schema":{schema}}}}}}}"#
    );
    let aim = Aim { model: "m", max_output_tokens: None, exchange: "x", habits: Habits::default() };
    let written = Ollama.write(&Downstream::read(&OpenAiChat, &body).unwrap(), &aim).unwrap();
    let written = String::from_utf8(written.body).unwrap();
    assert!(written.contains(&format!(r#""format":{schema}"#)), "{written}");
    assert!(written.contains(r#""options":{"num_ctx":1.50e4}"#), "{written}");
}

#[test]
fn tools_are_shown_as_far_as_the_choice_allows() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "description": "d", "parameters": {"type": "object", "properties": {}}}});
    let bare = json!({"type": "function", "function": {"name": "c", "strict": true}});
    let written =
        json!({"type": "function", "function": {"name": "c", "parameters": {"type": "object", "properties": {}}}});
    let tools = json!([tool("a"), tool("b"), bare]);
    let named = json!({"type": "function", "function": {"name": "b"}});
    let strict = "tools[].function.strict";
    let allowed = |mode: &str| json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [named]}});
    let cases: Vec<(Value, Value, Vec<&str>)> = vec![
        (json!({}), json!({"tools": [tool("a"), tool("b"), written]}), vec![strict]),
        (json!({"tool_choice": "auto"}), json!({"tools": [tool("a"), tool("b"), written]}), vec![strict]),
        (json!({"tool_choice": "none"}), json!({}), vec![]),
        (
            json!({"tool_choice": "required"}),
            json!({"tools": [tool("a"), tool("b"), written]}),
            vec!["tool_choice", strict],
        ),
        (json!({"tool_choice": named}), json!({"tools": [tool("b")]}), vec![]),
        (json!({"tool_choice": allowed("auto")}), json!({"tools": [tool("b")]}), vec![]),
        (json!({"tool_choice": allowed("required")}), json!({"tools": [tool("b")]}), vec![]),
        (
            json!({"tool_choice": named, "parallel_tool_calls": false}),
            json!({"tools": [tool("b")]}),
            vec!["parallel_tool_calls"],
        ),
    ];
    for (mut given, expected, dropped) in cases {
        given["tools"] = tools.clone();
        assert_eq!(members(&given), (expected, dropped.into_iter().map(ToOwned::to_owned).collect()), "{given}");
    }
}

#[test]
fn turn_two_of_a_tool_and_thinking_loop_is_a_turn_of_ollamas() {
    let history = json!([
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": "roll"},
        {"role": "assistant", "content": null, "reasoning_content": "two dice",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "roll", "arguments": "{\"sides\": 6}"}},
                {"id": "call_2", "type": "function", "function": {"name": "flip", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "call_2", "content": "heads"},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "4"}, {"type": "text", "text": "of 6"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "assistant", "content": [{"type": "text", "text": "four "}, {"type": "text", "text": "heads"}]},
    ]);
    let expected = json!([
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "roll"},
        {"role": "assistant", "content": "", "thinking": "two dice", "tool_calls": [
            {"id": "call_1", "function": {"index": 0, "name": "roll", "arguments": {"sides": 6}}},
            {"id": "call_2", "function": {"index": 1, "name": "flip", "arguments": {}}}]},
        {"role": "tool", "content": "heads", "tool_name": "flip", "tool_call_id": "call_2"},
        {"role": "tool", "content": "4\nof 6", "images": ["AAAA"], "tool_name": "roll", "tool_call_id": "call_1"},
        {"role": "assistant", "content": "four heads"},
    ]);
    assert_eq!(messages(&history), (expected, vec![]));
}

#[test]
fn thoughts_that_another_provider_signed_stay_here() {
    let history = json!([
        {"role": "assistant", "content": "b", "thinking_blocks": [
            {"type": "thinking", "thinking": "signed", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "thinking", "thinking": "own"}]},
        {"role": "assistant", "content": null, "refusal": "no"},
        {"role": "user", "name": "jane", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]},
        {"role": "tool", "tool_call_id": "unknown", "content": "failed", "is_error": true},
        {"role": "assistant", "content": "c", "extra_content": {"google": {"thought_signature": "s"}}, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f"}, "extra_content": {"google": {"thought_signature": "s"}}}]},
    ]);
    let expected = json!([
        {"role": "assistant", "content": "b", "thinking": "own"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": "x"},
        {"role": "tool", "content": "failed", "tool_call_id": "unknown"},
        {"role": "assistant", "content": "c", "tool_calls": [{"id": "1", "function": {"index": 0, "name": "f", "arguments": {}}}]},
    ]);
    let dropped = [
        "messages[].thinking_blocks",
        "messages[].name",
        "cache_control",
        "messages[].is_error",
        "messages[].extra_content",
        "messages[].tool_calls[].extra_content",
    ];
    assert_eq!(messages(&history), (expected, dropped.map(ToOwned::to_owned).to_vec()));
}

#[test]
fn pictures_and_sound_keep_their_place_among_the_texts() {
    let text = |text: &str| json!({"type": "text", "text": text});
    let image =
        |data: &str| json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}});
    let sound = json!({"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}});
    let cases = [
        (json!([text("a"), image("A")]), json!([{"role": "user", "content": "a", "images": ["A"]}])),
        (json!([image("A"), image("B"), text("b")]), json!([{"role": "user", "content": "b", "images": ["A", "B"]}])),
        (json!([sound]), json!([{"role": "user", "content": "", "images": ["UklG"]}])),
        (json!([text("a"), text("b")]), json!([{"role": "user", "content": "a\nb"}])),
        (
            json!([text("first:"), image("A"), text("second:"), sound, text("both?")]),
            json!([
                {"role": "user", "content": "first:"},
                {"role": "user", "content": "second:", "images": ["A"]},
                {"role": "user", "content": "both?", "images": ["UklG"]},
            ]),
        ),
    ];
    for (content, expected) in cases {
        assert_eq!(messages(&json!([{"role": "user", "content": content}])), (expected, vec![]), "{content}");
    }
    let low = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,A", "detail": "low"}});
    let (_, dropped) = messages(&json!([{"role": "user", "content": [low]}]));
    assert_eq!(dropped, ["messages[].content[].image_url.detail"]);
}

#[test]
fn malformed_arguments_do_not_end_the_conversation() {
    for written in ["{\"a\":", "[1]", "null"] {
        let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": written}});
        let (messages, dropped) = messages(&json!([{"role": "assistant", "tool_calls": [call]}]));
        assert_eq!(messages[0]["tool_calls"][0]["function"]["arguments"], json!({"arguments": written}));
        assert!(dropped.is_empty());
    }
}

#[test]
fn what_ollama_cannot_do_is_refused_by_its_field() {
    let user =
        |content: Value| json!({"messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": content}]});
    let with = |name: &str, value: Value| json!({"messages": [{"role": "user", "content": "hi"}], name: value});
    let url = json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}});
    let pdf = json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}});
    let cases = [
        (user(json!([{"type": "text", "text": "a"}, url])), "messages[1].content[1].image_url.url"),
        (user(json!([pdf])), "messages[1].content[0].file"),
        (with("n", json!(2)), "n"),
        (with("logit_bias", json!({"50256": -100})), "logit_bias"),
        (with("modalities", json!(["text", "audio"])), "modalities"),
        (with("web_search_options", json!({})), "web_search_options"),
        (with("options", json!([1])), "options"),
        (with("tool_choice", json!({"type": "function", "function": {"name": "f"}})), "tool_choice"),
    ];
    for (request, field) in cases {
        assert_eq!(refused(&request), field, "{request}");
    }
}

#[test]
fn a_picture_is_borrowed_until_it_is_written() {
    let data = "A".repeat(1 << 20);
    let body = json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}")}}]}]}).to_string();
    let request = Downstream::read(&OpenAiChat, &body).unwrap();
    let written = message::write(&request.messages, &mut Dropped::default()).unwrap();
    let image = written[0].images[0];
    assert!(body.as_bytes().as_ptr_range().contains(&image.as_ptr()));
    assert_eq!(image.len(), data.len());
}
