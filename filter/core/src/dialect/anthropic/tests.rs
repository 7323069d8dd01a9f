//! The dialect as its users see it: OpenAI's requests in, Anthropic's out, and the answers back.
#![expect(clippy::disallowed_types, reason = "documents are compared by their meaning")]

use alloc::{string::ToString, vec};
use serde_json::{Value, json};

use super::*;
use crate::{
    chat::Reason,
    dialect::{Downstream, Identity, openai_chat::OpenAiChat},
    passage::{Fed, Passage},
    step::Chunk,
    translation::Translation,
};

const CLIENT: &dyn Downstream = &OpenAiChat;
const OLD: &str = "claude-sonnet-4-5";
const MIDDLE: &str = "claude-opus-4-6";
const NEW: &str = "claude-sonnet-5";
const NEWEST: &str = "claude-fable-5-1";

fn aim(model: &str) -> Aim<'_> {
    Aim { model, max_output_tokens: None, exchange: "x" }
}

fn try_write(model: &str, request: &Value) -> Result<Written, Error> {
    let text = request.to_string();
    Anthropic.write(&CLIENT.read(&text)?, &aim(model))
}

/// The request as it is sent, and what was left out of it.
fn write(model: &str, request: &Value) -> (Value, Vec<String>) {
    let written = try_write(model, request).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.dropped.names().to_vec())
}

/// A question with these members, as it is sent, without the question.
fn asked(model: &str, members: &Value) -> (Value, Vec<String>) {
    let mut request = json!({"messages": [{"role": "user", "content": "hi"}]});
    request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let (mut body, dropped) = write(model, &request);
    let body_members = body.as_object_mut().unwrap();
    assert_eq!(body_members.remove("model"), Some(json!(model)));
    assert_eq!(body_members.remove("messages"), Some(json!([{"role": "user", "content": "hi"}])));
    (body, dropped)
}

#[track_caller]
fn refused(request: &Value, field: &str) {
    let error = try_write(OLD, request).unwrap_err();
    assert_eq!(error.param.as_deref(), Some(field), "{}", error.message);
}

#[test]
fn a_request_goes_to_the_messages_api() {
    let written = try_write(OLD, &json!({"messages": [{"role": "user", "content": "hi"}]})).unwrap();
    assert_eq!(written.path, "/messages");
    assert_eq!(written.headers, vec![(Name::Borrowed("anthropic-version"), "2023-06-01".to_string())]);
}

#[test]
fn turns_alternate_and_system_prompts_stand_apart() {
    let (body, dropped) = write(
        OLD,
        &json!({"messages": [
            {"role": "system", "content": "one"},
            {"role": "user", "name": "ann", "content": "a"},
            {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": " "}]},
            {"role": "developer", "content": [{"type": "text", "text": "two", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": "c "},
            {"role": "assistant", "content": null, "refusal": "d "},
        ]}),
    );
    let expected = json!({
        "model": OLD,
        "max_tokens": 4096,
        "system": [
            {"type": "text", "text": "one"},
            {"type": "text", "text": "two", "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "c "}, {"type": "text", "text": "d"}]},
        ],
    });
    assert_eq!(body, expected);
    assert_eq!(dropped, ["messages[].name"]);
}

#[test]
fn a_lone_system_prompt_is_said_by_the_user() {
    let (body, _) = write(OLD, &json!({"messages": [{"role": "system", "content": "s"}]}));
    assert_eq!(body["messages"], json!([{"role": "user", "content": "s"}]));
    assert_eq!(body.get("system"), None);
}

#[test]
fn images_and_files_keep_their_places() {
    let (body, dropped) = write(
        OLD,
        &json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,aGk=", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}, "cache_control": {"type": "ephemeral"}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
            {"type": "file", "file": {"file_data": "data:text/markdown;base64,aGk=", "filename": "a.md"}},
            {"type": "file", "file": {"file_id": "file_1"}},
        ]}]}),
    );
    let expected = json!([
        {"type": "text", "text": "look"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "aGk="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}, "cache_control": {"type": "ephemeral"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}, "title": "a.pdf"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}, "title": "a.md"},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
    ]);
    assert_eq!(body["messages"][0]["content"], expected);
    assert_eq!(dropped, ["messages[].content[].image_url.detail"]);
}

#[test]
fn what_changes_the_answer_is_refused() {
    let user =
        |content: Value| json!({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": content}]});
    for content in [
        json!([{"type": "image_url", "image_url": {"url": "data:image/bmp;base64,aGk="}}]),
        json!([{"type": "image_url", "image_url": {"url": "gs://bucket/a.png"}}]),
        json!([{"type": "file", "file": {"file_data": "data:application/zip;base64,aGk="}}]),
        json!([{"type": "file", "file": {"file_data": "data:text/plain;base64,_w=="}}]),
        json!([{"type": "file", "file": {"file_id": "file-7qh8AjzrjyRGiQ7kaFybfG"}}]),
        json!([{"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}]),
    ] {
        refused(&user(content), "messages[1].content");
    }
    let image = json!([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]);
    refused(&json!({"messages": [{"role": "system", "content": image}]}), "messages[0].content");
    refused(&json!({"messages": [{"role": "assistant", "content": image}]}), "messages[0].content");
    let messages = json!([{"role": "user", "content": "a"}]);
    for (name, value) in [
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("logit_bias", json!({"1": 2})),
        ("modalities", json!(["text", "audio"])),
        ("stop", json!(["\n"])),
    ] {
        refused(&json!({"messages": messages, name: value}), name);
    }
    let tools = json!([{"type": "function", "function": {"name": JSON_TOOL}}]);
    refused(&json!({"messages": messages, "tools": tools}), "tools[0].function.name");
}

#[test]
fn fields_are_mapped_or_listed() {
    for (members, expected, left_out) in [
        (json!({}), json!({"max_tokens": 4096}), vec![]),
        (json!({"max_tokens": 7, "max_completion_tokens": 9}), json!({"max_tokens": 9}), vec![]),
        (
            json!({"temperature": 1.5, "stop": ["a", ""], "user": "u", "stream": true}),
            json!({"max_tokens": 4096, "temperature": 1.0, "stop_sequences": ["a"], "metadata": {"user_id": "u"}, "stream": true}),
            vec!["temperature"],
        ),
        (
            json!({"temperature": 0.5, "top_p": 0.5, "top_k": 3}),
            json!({"max_tokens": 4096, "temperature": 0.5, "top_k": 3}),
            vec!["top_p"],
        ),
        (json!({"top_p": 0.5}), json!({"max_tokens": 4096, "top_p": 0.5}), vec![]),
        (
            json!({"seed": 1, "presence_penalty": 1, "frequency_penalty": 0, "store": true, "n": 1, "logprobs": false,
                "modalities": ["text"], "logit_bias": {}, "prediction": {"type": "content", "content": "x"}}),
            json!({"max_tokens": 4096}),
            vec!["seed", "presence_penalty", "prediction", "store"],
        ),
        (json!({"service_tier": "default"}), json!({"max_tokens": 4096, "service_tier": "standard_only"}), vec![]),
        (json!({"service_tier": "flex"}), json!({"max_tokens": 4096}), vec!["service_tier"]),
        (
            json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
            json!({"max_tokens": 4096, "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
            vec![],
        ),
        (
            json!({"web_search_options": {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": {"city": "Bern"}}}}),
            json!({"max_tokens": 4096, "tools": [{"type": "web_search_20250305", "name": "web_search",
                "user_location": {"type": "approximate", "city": "Bern"}}]}),
            vec!["web_search_options.search_context_size"],
        ),
    ] {
        let (body, mut dropped) = asked(OLD, &members);
        assert_eq!(body, expected, "{members}");
        let mut left_out = left_out;
        dropped.sort_unstable();
        left_out.sort_unstable();
        assert_eq!(dropped, left_out, "{members}");
    }
}

#[test]
fn the_catalogue_says_how_long_an_answer_may_be() {
    let request = json!({"messages": [{"role": "user", "content": "hi"}]}).to_string();
    let aim = Aim { max_output_tokens: Some(64_000), ..aim(OLD) };
    let written = Anthropic.write(&CLIENT.read(&request).unwrap(), &aim).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(body["max_tokens"], 64_000);
}

#[test]
fn newer_models_sample_as_they_like() {
    let (body, dropped) = asked(NEW, &json!({"temperature": 0.5, "top_p": 0.5, "top_k": 3}));
    assert_eq!(body, json!({"max_tokens": 4096}));
    assert_eq!(dropped, ["temperature", "top_p", "top_k"]);
    let (body, dropped) = asked(NEW, &json!({"temperature": 1, "top_p": 1}));
    assert_eq!((body, dropped), (json!({"max_tokens": 4096}), vec![]));
}

#[test]
fn thought_is_asked_for_in_the_words_of_the_model() {
    let enabled = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    for (model, members, thinking, effort, left_out) in [
        (OLD, json!({"reasoning_effort": "low", "max_tokens": 9000}), enabled(1024), Value::Null, vec![]),
        (OLD, json!({"reasoning_effort": "high", "max_tokens": 9000}), enabled(4500), Value::Null, vec![]),
        (
            OLD,
            json!({"reasoning_effort": "high", "max_tokens": 2000}),
            Value::Null,
            Value::Null,
            vec!["reasoning_effort"],
        ),
        (OLD, json!({"reasoning_effort": "none"}), Value::Null, Value::Null, vec![]),
        (OLD, json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}), enabled(2000), Value::Null, vec![]),
        (OLD, json!({"thinking": {"type": "enabled", "budget_tokens": 100}}), enabled(1024), Value::Null, vec![]),
        (
            OLD,
            json!({"reasoning_effort": "low", "temperature": 0.5, "top_p": 0.96, "top_k": 5}),
            enabled(1024),
            Value::Null,
            vec!["temperature", "top_k"],
        ),
        (MIDDLE, json!({"reasoning_effort": "xhigh"}), json!({"type": "adaptive"}), json!("max"), vec![]),
        (MIDDLE, json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}), enabled(2000), Value::Null, vec![]),
        (NEW, json!({"reasoning_effort": "minimal"}), adaptive.clone(), json!("low"), vec![]),
        (NEW, json!({"reasoning": {"max_tokens": 9000}}), adaptive.clone(), json!("high"), vec![]),
        (NEW, json!({"reasoning_effort": "none"}), json!({"type": "disabled"}), Value::Null, vec![]),
        (NEW, json!({"thinking": {"type": "disabled"}}), json!({"type": "disabled"}), Value::Null, vec![]),
        (NEWEST, json!({"reasoning_effort": "none"}), Value::Null, Value::Null, vec!["reasoning_effort"]),
        (
            "claude-3-5-haiku-latest",
            json!({"reasoning_effort": "low"}),
            Value::Null,
            Value::Null,
            vec!["reasoning_effort"],
        ),
    ] {
        let (body, dropped) = asked(model, &members);
        assert_eq!(body["thinking"], thinking, "{model} {members}");
        assert_eq!(body["output_config"]["effort"], effort, "{model} {members}");
        assert_eq!(dropped, left_out, "{model} {members}");
    }
    let (body, _) = asked(OLD, &json!({"thinking": {"type": "enabled", "budget_tokens": 10_000}}));
    assert_eq!((&body["max_tokens"], &body["thinking"]["budget_tokens"]), (&json!(14_096), &json!(10_000)));
}

fn weather(more: &Value) -> Value {
    let mut function =
        json!({"name": "weather", "description": "d", "parameters": {"type": "object", "properties": {}}});
    function.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"type": "function", "function": function})
}

#[test]
fn tools_are_offered_and_forced() {
    let tool = json!({"name": "weather", "description": "d", "input_schema": {"type": "object", "properties": {}}});
    let tools = json!([weather(&json!({})), {"type": "function", "function": {"name": "b"}, "cache_control": {"type": "ephemeral"}}]);
    let both = json!([tool, {"name": "b", "input_schema": {"type": "object", "properties": {}}, "cache_control": {"type": "ephemeral"}}]);
    for (members, expected, choice) in [
        (json!({}), &both, Value::Null),
        (json!({"tool_choice": "auto"}), &both, json!({"type": "auto"})),
        (json!({"tool_choice": "none", "parallel_tool_calls": false}), &both, json!({"type": "none"})),
        (json!({"tool_choice": "required"}), &both, json!({"type": "any"})),
        (json!({"parallel_tool_calls": false}), &both, json!({"type": "auto", "disable_parallel_tool_use": true})),
        (
            json!({"tool_choice": {"type": "function", "function": {"name": "b"}}, "parallel_tool_calls": false}),
            &both,
            json!({"type": "tool", "name": "b", "disable_parallel_tool_use": true}),
        ),
        (
            json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "weather"}}]}}}),
            &json!([tool]),
            json!({"type": "any"}),
        ),
    ] {
        let mut members = members;
        members["tools"] = tools.clone();
        let (body, dropped) = asked(OLD, &members);
        assert_eq!((&body["tools"], &body["tool_choice"]), (expected, &choice), "{members}");
        assert_eq!(dropped, Vec::<String>::new());
    }
    let (body, dropped) = asked(OLD, &json!({"tools": tools, "tool_choice": "required", "reasoning_effort": "low"}));
    assert_eq!((body.get("thinking"), dropped), (None, vec!["reasoning_effort".to_string()]));
}

#[test]
fn a_model_that_cannot_be_forced_is_asked() {
    let members = json!({"tools": [weather(&json!({}))], "tool_choice": "required"});
    let (body, dropped) = asked(NEWEST, &members);
    assert_eq!(body["tool_choice"], json!({"type": "auto"}));
    assert_eq!(body["system"], "Answer by calling at least one of the tools; write nothing before it.");
    assert_eq!(dropped, ["tool_choice"]);
    let (body, dropped) = asked(NEWEST, &json!({"response_format": {"type": "json_object"}}));
    assert_eq!(body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert!(body["system"].as_str().unwrap().contains(JSON_TOOL));
    assert_eq!(dropped, ["response_format"]);
}

#[test]
fn strict_tools_are_strict_where_their_schema_can_be_held_to() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"], "additionalProperties": false});
    let (body, dropped) = asked(OLD, &json!({"tools": [weather(&json!({"strict": true, "parameters": schema}))]}));
    assert_eq!(body["tools"][0]["strict"], true);
    assert_eq!(
        body["tools"][0]["input_schema"]["properties"]["a"],
        json!({"type": "integer", "description": "{minimum: 1}"})
    );
    assert_eq!(dropped, Vec::<String>::new());
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    for (model, schema) in [(OLD, &map), ("claude-sonnet-4-0", &schema)] {
        let (body, dropped) =
            asked(model, &json!({"tools": [weather(&json!({"strict": true, "parameters": schema}))]}));
        assert_eq!(body["tools"][0].get("strict"), None);
        assert_eq!(&body["tools"][0]["input_schema"], schema);
        assert_eq!(dropped, ["tools[].function.strict"]);
    }
}

#[test]
fn json_is_a_schema_or_a_tool() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "description": "d", "strict": true, "schema": schema}});
    let (body, _) = asked(OLD, &json!({"response_format": format, "reasoning_effort": "low"}));
    assert_eq!(body["output_config"], json!({"format": {"type": "json_schema", "schema": schema}}));
    assert_eq!(body["thinking"]["type"], "enabled");
    assert_eq!(body.get("tools"), None);

    let forced = json!({"type": "tool", "name": JSON_TOOL, "disable_parallel_tool_use": true});
    let (body, _) = asked("claude-sonnet-4-0", &json!({"response_format": format}));
    assert_eq!(body["tools"], json!([{"name": JSON_TOOL, "description": "d", "input_schema": schema}]));
    assert_eq!(body["tool_choice"], forced);

    let object = json!({"type": "json_object"});
    let (body, _) = asked(OLD, &json!({"response_format": object}));
    assert_eq!(body["tools"][0]["input_schema"], json!({"type": "object"}));
    assert_eq!(body["tool_choice"], forced);

    let tools = json!([weather(&json!({}))]);
    let (body, _) = asked(OLD, &json!({"response_format": object, "tools": tools}));
    assert_eq!(body["tools"][1]["name"], JSON_TOOL);
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
    let (body, _) = asked(OLD, &json!({"response_format": object, "tools": tools, "tool_choice": "required"}));
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    let (body, _) = asked(OLD, &json!({"response_format": object, "tools": tools, "tool_choice": "none"}));
    assert_eq!(body["tool_choice"], forced);
}

#[test]
fn the_second_turn_of_a_tool_loop_has_its_thoughts_calls_and_results() {
    let (body, dropped) = write(
        OLD,
        &json!({"reasoning_effort": "low", "tools": [weather(&json!({}))], "messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": "wait", "reasoning_content": "hm",
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "h", "signature": null},
                    {"type": "thinking", "thinking": "m", "signature": "s"},
                    {"type": "redacted_thinking", "data": "r"},
                ],
                "tool_calls": [
                    {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Bern\"}"}},
                    {"id": "functions.weather:1", "type": "function", "function": {"name": "weather", "arguments": ""}},
                    {"id": "toolu_3", "type": "function", "function": {"name": "weather", "arguments": "{bad"}},
                ]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"},
            {"role": "tool", "tool_call_id": "functions.weather:1", "is_error": true, "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            ]},
            {"role": "tool", "tool_call_id": "toolu_3", "content": ""},
            {"role": "user", "content": "and?"},
        ]}),
    );
    let expected = json!([
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "r"},
            {"type": "text", "text": "wait"},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern"}},
            {"type": "tool_use", "id": "functions_weather_1", "name": "weather", "input": {}},
            {"type": "tool_use", "id": "toolu_3", "name": "weather", "input": {"arguments": "{bad"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"},
            {"type": "tool_result", "tool_use_id": "functions_weather_1", "is_error": true, "content": [
                {"type": "text", "text": "see"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            ]},
            {"type": "tool_result", "tool_use_id": "toolu_3"},
            {"type": "text", "text": "and?"},
        ]},
    ]);
    assert_eq!(body["messages"], expected);
    assert_eq!(body["thinking"]["type"], "enabled");
    assert_eq!(dropped, Vec::<String>::new());
}

#[test]
fn a_client_that_lost_the_thoughts_can_go_on() {
    // Or kept no more of them than their last piece.
    for torn in [json!(null), json!([]), json!([{"index": 0, "type": "thinking", "thinking": "", "signature": "s"}])] {
        let request = json!({"reasoning_effort": "low", "messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "reasoning_content": "hm", "thinking_blocks": torn, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "rain"},
        ]});
        let (body, dropped) = write(OLD, &request);
        assert_eq!(body.get("thinking"), None);
        assert_eq!(dropped, ["messages[].reasoning_content", "reasoning_effort"]);
        let (body, _) = write(NEW, &request);
        assert_eq!(body["thinking"]["type"], "adaptive");
        assert_eq!(body["messages"][1]["content"][0]["type"], "tool_use");
    }
}

#[test]
fn a_thought_that_was_never_shown_comes_back_by_its_signature() {
    let (body, _) = write(
        NEW,
        &json!({"messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": "rain", "thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "s"}]},
            {"role": "user", "content": "and?"},
        ]}),
    );
    assert_eq!(body["messages"][1]["content"][0], json!({"type": "thinking", "thinking": "", "signature": "s"}));
}

#[test]
fn calls_without_ids_of_their_own_are_told_apart() {
    let turn = |arguments: &str| json!({"role": "assistant", "function_call": {"name": "f", "arguments": arguments}});
    let result = json!({"role": "function", "name": "f", "content": "r"});
    let (body, _) =
        write(OLD, &json!({"messages": [{"role": "user", "content": "q"}, turn("{}"), result, turn("{}"), result]}));
    let ids: Vec<&Value> = (1..5)
        .map(|turn| &body["messages"][turn]["content"][0])
        .map(|block| block.get("id").or_else(|| block.get("tool_use_id")).unwrap())
        .collect();
    assert_eq!(ids, ["f", "f", "f_1", "f_1"]);
}

fn identity() -> Identity {
    Identity { exchange: "x".into(), created: 1, model: "m".into() }
}

/// A whole answer, as OpenAI's clients get it.
fn told(answer: &Value) -> Value {
    let text = answer.to_string();
    let response = Anthropic.read(&text).unwrap();
    serde_json::from_slice(&CLIENT.write(&response, &identity())).unwrap()
}

#[test]
fn a_whole_answer_is_told_with_thoughts_citations_calls_and_tokens() {
    let answer = told(&json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "r"},
            {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "srv", "text": [1], "content": []},
            {"type": "text", "text": "It "},
            {"type": "text", "text": "rains", "citations": [
                {"type": "web_search_result_location", "url": "https://example.com", "title": "t", "cited_text": "c"},
                {"type": "page_location", "document_index": 0, "document_title": "d"},
            ]},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"b": 1, "a": 2.50}},
            {"type": "novelty", "name": {}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 2}, "service_tier": "standard"},
    }));
    assert_eq!(
        (&answer["id"], &answer["model"], &answer["service_tier"]),
        (&json!("msg_1"), &json!("claude-sonnet-4-5-20250929"), &json!("default"))
    );
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let message = &choice["message"];
    assert_eq!(message["content"], "It rains");
    assert_eq!(message["reasoning_content"], "hm");
    assert_eq!(
        message["thinking_blocks"],
        json!([{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "r"}])
    );
    assert_eq!(
        message["annotations"][0]["url_citation"],
        json!({"url": "https://example.com", "title": "t", "start_index": 3, "end_index": 8})
    );
    assert_eq!(message["citations"][0]["type"], "page_location");
    let calls = message["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!((&calls[0]["id"], &calls[0]["function"]["name"]), (&json!("toolu_1"), &json!("f")));
    let arguments: Value = serde_json::from_str(calls[0]["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"b": 1, "a": 2.50}));
    let usage = &answer["usage"];
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(17), &json!(7)));
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 4);
    assert_eq!(usage["prompt_tokens_details"]["cache_creation_tokens"], 3);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 2);
}

#[test]
fn answers_end_for_openai_s_reasons() {
    for (reason, expected) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("novelty", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
    ] {
        let answer = told(&json!({"type": "message", "content": [], "stop_reason": reason}));
        assert_eq!(answer["choices"][0]["finish_reason"], expected, "{reason}");
    }
    let details = json!({"type": "refusal", "category": "cyber", "explanation": "no"});
    let answer = told(&json!({"type": "message", "content": [], "stop_reason": "refusal", "stop_details": details}));
    assert_eq!(answer["choices"][0]["message"]["refusal"], "no");
}

#[test]
fn the_input_of_the_json_tool_is_the_answer() {
    let answer = told(&json!({"type": "message", "stop_reason": "tool_use", "content": [
        {"type": "text", "text": "Here:"},
        {"type": "tool_use", "id": "toolu_1", "name": JSON_TOOL, "input": {"a": 1}},
    ]}));
    let choice = &answer["choices"][0];
    assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!("{\"a\":1}"), &json!("stop")));
    assert_eq!(choice["message"].get("tool_calls"), None);
}

#[test]
fn what_is_no_message_is_not_read() {
    for body in ["", "{", "[]", "{}", r#"{"type":"error"}"#, r#"{"type":"message"}"#, r#"{"choices":[]}"#] {
        assert!(Anthropic.read(body).is_none(), "{body}");
    }
}

/// A stream in pieces of this length, as OpenAI's clients get it: its chunks, and whether it was well ended.
fn streamed(stream: &str, length: usize) -> Result<(Vec<Value>, bool), u16> {
    let translation = Translation::new(&Anthropic, CLIENT, "p", identity(), true);
    let mut passage = Passage::new(&crate::gateway::Provider::any(), Framing::Events, Box::new(translation));
    let mut out = Vec::new();
    let pieces = stream.as_bytes().chunks(length).map(|piece| (piece, false));
    for (piece, end) in pieces.chain([(&[][..], true)]) {
        match passage.feed(piece, end) {
            Fed::Go(Chunk::Replace(bytes)) => out.extend(bytes),
            Fed::Go(Chunk::Keep) => out.extend_from_slice(piece),
            Fed::Nothing => {}
            Fed::Failed(failure) => return Err(failure.status),
        }
    }
    let text = String::from_utf8(out).unwrap();
    let data: Vec<&str> = text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    let is_done = data.last() == Some(&"[DONE]");
    let chunks = data.iter().filter(|data| **data != "[DONE]").map(|data| serde_json::from_str(data).unwrap());
    Ok((chunks.collect(), is_done))
}

fn events(events: &[Value]) -> String {
    let lines = events.iter().flat_map(|event| {
        [
            "event: ".to_string(),
            event["type"].as_str().unwrap().into(),
            "\ndata: ".into(),
            event.to_string(),
            "\n\n".into(),
        ]
    });
    lines.collect()
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "model": "claude", "content": [],
        "stop_reason": null, "usage": {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 1, "service_tier": "priority"}}})
}

fn block(index: u64, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9, "input_tokens": null}}),
        json!({"type": "message_stop"}),
    ]
}

/// What the chunks say of the only choice, joined: a member's texts.
fn joined(chunks: &[Value], member: &str) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"][member].as_str()).collect()
}

#[test]
fn a_stream_is_told_however_it_is_cut() {
    let stream = events(
        &[
            vec![
                start(),
                block(0, &json!({"type": "thinking", "thinking": "", "signature": ""})),
                json!({"type": "ping"}),
                delta(0, &json!({"type": "thinking_delta", "thinking": "hm"})),
                delta(0, &json!({"type": "signature_delta", "signature": "s"})),
                stop(0),
                block(1, &json!({"type": "redacted_thinking", "data": "r"})),
                stop(1),
                block(2, &json!({"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}})),
                delta(2, &json!({"type": "input_json_delta", "partial_json": "{\"query\":1}"})),
                stop(2),
                block(3, &json!({"type": "text", "text": ""})),
                delta(3, &json!({"type": "text_delta", "text": "grüß "})),
                delta(3, &json!({"type": "novelty_delta", "text": {"a": 1}})),
                json!({"type": "novelty", "index": "x"}),
                delta(3, &json!({"type": "text_delta", "text": "Gott"})),
                delta(3, &json!({"type": "citations_delta", "citation": {"type": "web_search_result_location", "url": "https://example.com", "title": null}})),
                stop(3),
                block(4, &json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}})),
                delta(4, &json!({"type": "input_json_delta", "partial_json": ""})),
                delta(4, &json!({"type": "input_json_delta", "partial_json": "{\"a\""})),
                delta(4, &json!({"type": "input_json_delta", "partial_json": ":1}"})),
                stop(4),
                block(5, &json!({"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}})),
                stop(5),
                block(6, &json!({"type": "tool_use", "id": "toolu_3", "name": "h", "input": {"b": 2}})),
                stop(6),
            ],
            end("tool_use").to_vec(),
        ]
        .concat(),
    );
    let (chunks, is_done) = streamed(&stream, stream.len()).unwrap();
    assert!(is_done);
    assert_eq!(joined(&chunks, "content"), "grüß Gott");
    assert_eq!(joined(&chunks, "reasoning_content"), "hm");
    let thoughts: Vec<&Value> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["thinking_blocks"].get(0)).collect();
    assert_eq!(thoughts.len(), 3);
    assert_eq!((&thoughts[1]["signature"], &thoughts[1]["index"]), (&json!("s"), &json!(0)));
    assert_eq!((&thoughts[2]["data"], &thoughts[2]["index"]), (&json!("r"), &json!(1)));
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for call in chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)) {
        if let Some(id) = call["id"].as_str() {
            assert_eq!(call["index"], calls.len());
            calls.push((id.into(), call["function"]["name"].as_str().unwrap().into(), String::new()));
        }
        calls.last_mut().unwrap().2.push_str(call["function"]["arguments"].as_str().unwrap());
    }
    let expected = [("toolu_1", "f", "{\"a\":1}"), ("toolu_2", "g", "{}"), ("toolu_3", "h", "{\"b\":2}")];
    let found: Vec<(&str, &str, &str)> =
        calls.iter().map(|(id, name, json)| (id.as_str(), name.as_str(), json.as_str())).collect();
    assert_eq!(found, expected);
    let annotation = chunks.iter().find_map(|chunk| chunk["choices"][0]["delta"]["annotations"].get(0)).unwrap();
    assert_eq!(annotation["url_citation"]["url"], "https://example.com");
    let finish: Vec<&str> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str()).collect();
    assert_eq!(finish, ["tool_calls"]);
    let last = chunks.last().unwrap();
    assert_eq!((&last["id"], &last["service_tier"]), (&json!("msg_1"), &json!("priority")));
    assert_eq!((&last["usage"]["prompt_tokens"], &last["usage"]["completion_tokens"]), (&json!(7), &json!(9)));
    for length in [1, 2, 3, 7, 64, 500] {
        assert_eq!(streamed(&stream, length), Ok((chunks.clone(), true)), "pieces of {length}");
    }
}

#[test]
fn the_json_tool_streams_as_text() {
    let block = block(0, &json!({"type": "tool_use", "id": "toolu_1", "name": JSON_TOOL, "input": {}}));
    let deltas = ["{\"a\":", "1}"].map(|json| delta(0, &json!({"type": "input_json_delta", "partial_json": json})));
    let stream = events(&[&[start(), block.clone()], &deltas[..], &[stop(0)], &end("tool_use")[..]].concat());
    let (chunks, _) = streamed(&stream, 50).unwrap();
    assert_eq!(joined(&chunks, "content"), "{\"a\":1}");
    assert!(chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == "stop"));
    let (chunks, _) = streamed(&events(&[&[start(), block, stop(0)], &end("tool_use")[..]].concat()), 50).unwrap();
    assert_eq!(joined(&chunks, "content"), "{}");
}

#[test]
fn a_refusal_is_told_with_its_reason() {
    let details = json!({"type": "refusal", "category": null, "explanation": "no"});
    let refusal = json!({"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}, "usage": {"output_tokens": 1}});
    let (chunks, _) = streamed(&events(&[start(), refusal, json!({"type": "message_stop"})]), 9).unwrap();
    assert_eq!(joined(&chunks, "refusal"), "no");
    assert!(chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == "content_filter"));
}

#[test]
fn a_stream_may_fail_before_and_after_its_first_content() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    assert_eq!(streamed(&events(&[start(), json!({"type": "ping"}), error.clone()]), 10), Err(503));
    let text = block(0, &json!({"type": "text", "text": "a"}));
    let (chunks, is_done) = streamed(&events(&[start(), text.clone(), error]), 10).unwrap();
    assert!(!is_done);
    assert_eq!(chunks.last().unwrap()["error"]["message"], "Overloaded");
    let cut = streamed(&events(&[start(), text.clone()]), 10).unwrap();
    assert!(cut.0.last().unwrap()["error"].is_object());
    for malformed in [
        "data: {\n\n",
        "data: {\"index\":0}\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":0}\n\n",
        "data: \n\n",
    ] {
        assert_eq!(streamed(malformed, 10), Err(502), "{malformed}");
    }
    let finished = events(&[start(), text, end("end_turn")[0].clone()]);
    assert!(streamed(&finished, 10).unwrap().1, "a missing end is added");
}

#[test]
fn errors_are_concluded_from_type_and_message() {
    let body =
        |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}}).to_string();
    for (status, kind, message, expected) in [
        (
            400,
            "invalid_request_error",
            "prompt is too long: 208310 tokens > 200000 maximum",
            (400, Some(Reason::ContextLength)),
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
            (400, Some(Reason::ContextLength)),
        ),
        (
            400,
            "invalid_request_error",
            "Output blocked by content filtering policy",
            (400, Some(Reason::ContentPolicy)),
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            (429, Some(Reason::Quota)),
        ),
        (402, "billing_error", "m", (429, Some(Reason::Quota))),
        (404, "not_found_error", "model: claude-none", (404, Some(Reason::ModelNotFound))),
        (413, "request_too_large", "Request exceeds the maximum size", (413, None)),
        (429, "rate_limit_error", "m", (429, None)),
        (500, "api_error", "the context window", (500, None)),
        (529, "overloaded_error", "Overloaded", (529, None)),
    ] {
        let fault = Anthropic.fault(status, body(kind, message).as_bytes());
        assert_eq!((fault.status, fault.reason), expected, "{message}");
        assert_eq!(fault.message.as_deref(), Some(message));
    }
    assert_eq!(Anthropic.fault(400, body("e", "bad key sk-ant-api03-x").as_bytes()).message, None);
    assert_eq!(Anthropic.fault(400, body("e", &"x".repeat(900)).as_bytes()).message.unwrap().len(), 500);
    let page = Anthropic.fault(503, b"<html>");
    assert_eq!(page, Fault { status: 503, reason: None, message: None });
    assert_eq!(fault::read_event(body("authentication_error", "m").as_bytes()).status, 502);
}
