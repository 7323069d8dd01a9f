//! The dialect as its users see it: OpenAI's requests in, Anthropic's out, and the answers back.
#![expect(clippy::disallowed_types, reason = "documents are compared by their meaning")]

use alloc::{format, string::ToString, vec};
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
    for (part, member) in [
        (json!({"type": "image_url", "image_url": {"url": "data:image/bmp;base64,aGk="}}), "image_url.url"),
        (json!({"type": "image_url", "image_url": {"url": "gs://bucket/a.png"}}), "image_url.url"),
        (json!({"type": "file", "file": {"file_data": "data:application/zip;base64,aGk="}}), "file.file_data"),
        (json!({"type": "file", "file": {"file_data": "data:text/plain;base64,_w=="}}), "file.file_data"),
        (json!({"type": "file", "file": {"file_id": "file-7qh8AjzrjyRGiQ7kaFybfG"}}), "file.file_id"),
        (json!({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}), "input_audio"),
    ] {
        let content = json!([{"type": "text", "text": ""}, part]);
        refused(&user(content.clone()), &format!("messages[1].content[1].{member}"));
        let result = json!({"role": "tool", "tool_call_id": "a", "content": content});
        refused(&json!({"messages": [result]}), &format!("messages[0].content[1].{member}"));
    }
    for (part, member) in [
        (json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}), "image_url"),
        (json!({"type": "file", "file": {"file_id": "file_1"}}), "file"),
    ] {
        let field = format!("messages[0].content[0].{member}");
        refused(&json!({"messages": [{"role": "system", "content": [part]}]}), &field);
        let thoughts = json!([{"type": "thinking", "thinking": "hm", "signature": "s"}]);
        refused(&json!({"messages": [{"role": "assistant", "content": [part], "thinking_blocks": thoughts}]}), &field);
    }
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
        (
            json!({"web_search_options": {"user_location": {"type": "exact"}}}),
            json!({"max_tokens": 4096, "tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
            vec!["web_search_options.user_location"],
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
        (NEW, json!({"reasoning": {"effort": "low", "summary": "auto"}}), adaptive.clone(), json!("low"), vec![]),
        (
            NEW,
            json!({"reasoning": {"effort": "low", "summary": "detailed"}}),
            adaptive.clone(),
            json!("low"),
            vec!["reasoning.summary"],
        ),
        (OLD, json!({"reasoning": {"summary": "auto"}}), Value::Null, Value::Null, vec!["reasoning.summary"]),
        (
            NEW,
            json!({"thinking": {"type": "adaptive", "display": "omitted"}}),
            json!({"type": "adaptive", "display": "omitted"}),
            json!("medium"),
            vec![],
        ),
        (
            OLD,
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}}),
            json!({"type": "enabled", "budget_tokens": 2000, "display": "omitted"}),
            Value::Null,
            vec![],
        ),
        (
            NEW,
            json!({"thinking": {"type": "disabled", "display": "summarized"}}),
            json!({"type": "disabled"}),
            Value::Null,
            vec!["thinking.display"],
        ),
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
    let allowed = |mode: &str, names: &[&str]| {
        let tools = names.iter().map(|name| json!({"type": "function", "function": {"name": name}}));
        json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools.collect::<Vec<_>>()}})
    };
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
        (json!({"tool_choice": allowed("required", &["weather"])}), &both, json!({"type": "tool", "name": "weather"})),
        (json!({"tool_choice": allowed("required", &["b", "weather"])}), &both, json!({"type": "any"})),
        (json!({"tool_choice": allowed("auto", &["weather"])}), &json!([tool]), json!({"type": "auto"})),
        (
            json!({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}}),
            &both,
            json!({"type": "none"}),
        ),
    ] {
        let mut members = members;
        members["tools"] = tools.clone();
        let (body, dropped) = asked(OLD, &members);
        assert_eq!((&body["tools"], &body["tool_choice"]), (expected, &choice), "{members}");
        assert_eq!(dropped, Vec::<String>::new());
    }
    let question = json!([{"role": "user", "content": "hi"}]);
    for (mut request, message) in [
        (json!({"tool_choice": "required"}), "`tool_choice` needs `tools`."),
        (json!({"tools": tools, "tool_choice": allowed("auto", &["c"])}), "`c` is none of the `tools`."),
    ] {
        request["messages"] = question.clone();
        let refused = try_write(OLD, &request).unwrap_err();
        assert_eq!((refused.message.as_str(), refused.param.as_deref()), (message, Some("tool_choice")));
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
    let (body, dropped) = asked(OLD, &json!({"response_format": format, "reasoning_effort": "low"}));
    assert_eq!(dropped, ["response_format.json_schema.description"]);
    assert_eq!(body["output_config"], json!({"format": {"type": "json_schema", "schema": schema}}));
    assert_eq!(body["thinking"]["type"], "enabled");
    assert_eq!(body.get("tools"), None);

    let forced = json!({"type": "tool", "name": JSON_TOOL, "disable_parallel_tool_use": true});
    let (body, dropped) = asked("claude-sonnet-4-0", &json!({"response_format": format}));
    assert_eq!(dropped, ["response_format.json_schema.strict"]);
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
fn a_breakpoint_behind_a_turn_stands_behind_its_last_block() {
    let cache = json!({"type": "ephemeral"});
    let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let (body, dropped) = write(
        OLD,
        &json!({"messages": [
            {"role": "user", "content": "q", "cache_control": cache},
            {"role": "assistant", "content": "wait", "tool_calls": [call], "cache_control": cache},
            {"role": "tool", "tool_call_id": "a", "content": "r"},
            {"role": "user", "content": [{"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
                "cache_control": cache},
        ]}),
    );
    let expected = json!([
        {"role": "user", "content": [{"type": "text", "text": "q", "cache_control": cache}]},
        {"role": "assistant", "content": [
            {"type": "text", "text": "wait"},
            {"type": "tool_use", "id": "a", "name": "f", "input": {}, "cache_control": cache},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "r"},
            {"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ]},
    ]);
    assert_eq!((&body["messages"], dropped), (&expected, vec![]));
    let (_, dropped) = write(
        OLD,
        &json!({"messages": [{"role": "user", "content": "q"}, {"role": "user", "content": "", "cache_control": cache}]}),
    );
    assert_eq!(dropped, ["cache_control"]);
}

#[test]
fn what_another_provider_has_signed_is_listed() {
    let signature = json!({"google": {"thought_signature": "s"}});
    let (_, dropped) = write(
        OLD,
        &json!({"messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "a", "extra_content": signature},
            {"role": "assistant", "extra_content": signature, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": signature}]},
            {"role": "tool", "tool_call_id": "a", "content": "r"},
        ]}),
    );
    assert_eq!(dropped, ["messages[].extra_content", "messages[].tool_calls[].extra_content"]);
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
        let answer = told_alike(&json!([]), reason, &Value::Null);
        assert_eq!((&answer["finish_reason"], &answer["refusal"]), (&json!(expected), &json!("")), "{reason}");
    }
    let said = json!([{"type": "text", "text": "I "}]);
    for (details, refusal) in [
        (json!({"type": "refusal", "category": "cyber", "explanation": "no"}), "no"),
        (json!({"type": "refusal", "category": null, "explanation": null}), ""),
        (json!("a later version's"), ""),
    ] {
        let answer = told_alike(&said, "refusal", &details);
        let expected =
            json!({"content": "I ", "refusal": refusal, "calls": [], "pages": [], "finish_reason": "content_filter"});
        assert_eq!(answer, expected, "{details}");
    }
}

#[test]
fn what_is_no_message_is_not_read() {
    for body in ["", "{", "[]", "{}", r#"{"type":"error"}"#, r#"{"type":"message"}"#, r#"{"choices":[]}"#] {
        assert!(Anthropic.read(body).is_err(), "{body}");
    }
}

#[test]
fn an_error_means_the_same_in_the_place_of_an_answer_and_of_an_event() {
    for (kind, status) in [("overloaded_error", 529), ("rate_limit_error", 429), ("api_error", 502)] {
        let error = json!({"type": "error", "error": {"type": kind, "message": "m"}});
        let broken = Broken::Fault(Fault::new(status, None, "m"));
        assert_eq!(Anthropic.read(&error.to_string()).unwrap_err(), broken);
        let event = alloc::format!("event: error\ndata: {error}\n\n");
        let told = Anthropic.reader().read(crate::sse::Frame { raw: event.as_bytes() }, &mut |_| {});
        assert_eq!(told.unwrap_err(), broken);
    }
}

/// A stream in pieces of this length, as OpenAI's clients get it: its chunks, and whether it was well ended.
fn streamed(stream: &str, length: usize) -> Result<(Vec<Value>, bool), u16> {
    let translation = Translation::new(&Anthropic, CLIENT, "p", identity(), true);
    let mut passage = Passage::new(&crate::plan::Target::any(), Framing::Events, Box::new(translation));
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

/// What of an answer of these blocks a client is told, whole and streamed alike: bit by bit, and with blocks that are whole
/// from the start, stopped or not.
#[track_caller]
fn told_alike(blocks: &Value, reason: &str, details: &Value) -> Value {
    try_told_alike(blocks, reason, details).unwrap()
}

#[track_caller]
fn try_told_alike(blocks: &Value, reason: &str, details: &Value) -> Option<Value> {
    let blocks = blocks.as_array().unwrap();
    let message =
        json!({"type": "message", "id": "msg_1", "content": blocks, "stop_reason": reason, "stop_details": details})
            .to_string();
    let whole = Anthropic.read(&message).ok().map(|response| {
        let answer: Value = serde_json::from_slice(&CLIENT.write(&response, &identity())).unwrap();
        gist(core::slice::from_ref(&answer["choices"][0]), "message")
    });
    let ending = json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_details": details}});
    for (bit_by_bit, stopped) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut stream = vec![start()];
        for (index, block) in (0..).zip(blocks) {
            stream.extend(if bit_by_bit { bits(index, block) } else { vec![self::block(index, block)] });
            stream.extend(stopped.then(|| stop(index)));
        }
        stream.extend([ending.clone(), json!({"type": "message_stop"})]);
        let chunks = streamed(&events(&stream), usize::MAX).ok().map(|(chunks, _)| chunks);
        let chunks = chunks.filter(|chunks| chunks.iter().all(|chunk| chunk.get("error").is_none()));
        let choices: Option<Vec<Value>> =
            chunks.map(|chunks| chunks.iter().filter_map(|chunk| chunk["choices"].get(0).cloned()).collect());
        let told = choices.map(|choices| gist(&choices, "delta"));
        assert_eq!(told, whole, "bit by bit: {bit_by_bit}, stopped: {stopped}");
    }
    whole
}

/// A block that says all that it says in deltas.
fn bits(index: u64, block: &Value) -> Vec<Value> {
    let (mut begin, mut deltas) = (block.clone(), Vec::new());
    let mut cut = |member: &str, empty: Value, kind: &str, name: &str, piece: &dyn Fn(&Value) -> Value| {
        if let Some(value) = begin.get_mut(member) {
            let pieces = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            *value = empty;
            let pieces = pieces.iter().map(|value| delta(index, &json!({"type": kind, name: piece(value)})));
            deltas.extend(pieces);
        }
    };
    cut("citations", json!([]), "citations_delta", "citation", &Value::clone);
    cut("text", json!(""), "text_delta", "text", &Value::clone);
    cut("input", json!({}), "input_json_delta", "partial_json", &|input| input.to_string().into());
    [vec![self::block(index, &begin)], deltas].concat()
}

/// What choices say, joined.
fn gist(choices: &[Value], member: &str) -> Value {
    let said = |name: &str| -> String { choices.iter().filter_map(|choice| choice[member][name].as_str()).collect() };
    let mut calls: Vec<Value> = Vec::new();
    for call in choices.iter().filter_map(|choice| choice[member]["tool_calls"].as_array()).flatten() {
        let (function, id) = (&call["function"], &call["id"]);
        if id.is_string() {
            calls.push(json!([id, function["name"], ""]));
        }
        let place = call["index"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok())
            .unwrap_or_else(|| calls.len().saturating_sub(1));
        let arguments = &mut calls[place][2];
        *arguments = [arguments.as_str().unwrap(), function["arguments"].as_str().unwrap()].concat().into();
    }
    let annotations = choices.iter().filter_map(|choice| choice[member]["annotations"].as_array()).flatten();
    let pages: Vec<&Value> = annotations.map(|annotation| &annotation["url_citation"]).collect();
    let finish = choices.iter().find_map(|choice| choice["finish_reason"].as_str());
    json!({"content": said("content"), "refusal": said("refusal"), "calls": calls, "pages": pages, "finish_reason": finish})
}

/// What a client is told of a stream.
fn choices(stream: &[Value]) -> Value {
    let (chunks, _) = streamed(&events(stream), usize::MAX).unwrap();
    let choices: Vec<Value> = chunks.iter().filter_map(|chunk| chunk["choices"].get(0).cloned()).collect();
    gist(&choices, "delta")
}

fn tool_use(id: &str, name: &str, input: &Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": input})
}

#[test]
fn the_input_of_the_json_tool_is_the_answer() {
    let (answer, again) = (tool_use("a", JSON_TOOL, &json!({"a": 1})), tool_use("b", JSON_TOOL, &json!({"a": 2})));
    let text = |text: &str| json!({"type": "text", "text": text});
    let call = tool_use("c", "f", &json!({}));
    for (blocks, content, finish) in [
        (json!([answer]), r#"{"a":1}"#, "stop"),
        (json!([tool_use("a", JSON_TOOL, &json!({}))]), "{}", "stop"),
        // What was told cannot be taken back; what comes later can be left out.
        (json!([text("Here: "), answer, text(" There."), again]), r#"Here: {"a":1}"#, "stop"),
        (json!([answer, call]), r#"{"a":1}"#, "tool_calls"),
    ] {
        let told = told_alike(&blocks, "tool_use", &Value::Null);
        assert_eq!((&told["content"], &told["finish_reason"]), (&json!(content), &json!(finish)), "{blocks}");
    }
}

#[test]
fn calls_are_sound_or_the_answer_is_not() {
    let told = told_alike(
        &json!([
            tool_use("a", "f", &json!({"a": {"b": [1]}})),
            tool_use("b", "g", &json!({})),
            {"type": "tool_use", "id": "", "name": "h"},
        ]),
        "tool_use",
        &Value::Null,
    );
    let expected = json!([["a", "f", r#"{"a":{"b":[1]}}"#], ["b", "g", "{}"], ["call_msg1_0_2", "h", "{}"]]);
    assert_eq!(told["calls"], expected);
    for call in [
        json!({"type": "tool_use", "id": "a", "input": {}}),
        tool_use("a", "", &json!({})),
        tool_use("a", "f", &json!(["x"])),
        tool_use("a", JSON_TOOL, &json!(7)),
    ] {
        assert_eq!(try_told_alike(&json!([call]), "tool_use", &Value::Null), None, "{call}");
    }
}

#[test]
fn any_number_of_calls_keep_their_arguments() {
    let calls: Vec<Value> = (0..200).map(|call| tool_use(&call.to_string(), "f", &json!({ "a": call }))).collect();
    let expected: Vec<Value> =
        (0..200).map(|call| json!([call.to_string(), "f", format!("{{\"a\":{call}}}")])).collect();
    let expected = Value::from(expected);
    assert!(told_alike(&calls.into(), "tool_use", &Value::Null)["calls"] == expected);
    // All at once.
    let begin = (0..200).map(|call| block(call, &tool_use(&call.to_string(), "f", &json!({}))));
    let bits = (0..200)
        .map(|call| delta(call, &json!({"type": "input_json_delta", "partial_json": format!("{{\"a\":{call}}}")})));
    let stream: Vec<Value> = [start()].into_iter().chain(begin).chain(bits).chain(end("tool_use")).collect();
    assert!(choices(&stream)["calls"] == expected);
    let endless: Vec<Value> =
        [start()].into_iter().chain((0..9999).map(|call| block(call, &tool_use("a", "f", &json!({}))))).collect();
    let (chunks, is_done) = streamed(&events(&endless), usize::MAX).unwrap();
    assert!(!is_done && chunks.len() < 2000);
}

#[test]
fn an_input_that_comes_whole_and_bit_by_bit_comes_once() {
    let begin = block(0, &tool_use("a", "f", &json!({"a": 0})));
    let bit = |json: &str| delta(0, &json!({"type": "input_json_delta", "partial_json": json}));
    let stream = [&[start(), begin, bit(" "), bit("{\"a\""), bit(":1}"), stop(0)], &end("tool_use")[..]].concat();
    assert_eq!(choices(&stream)["calls"], json!([["a", "f", r#"{"a":1}"#]]));
}

#[test]
fn a_page_is_told_with_the_text_that_it_is_cited_for() {
    let page = |url: &str| json!({"type": "web_search_result_location", "url": url, "title": "t"});
    let told = told_alike(
        &json!([
            {"type": "text", "text": "Grüße: "},
            {"type": "text", "text": "it rains", "citations": [page("https://a.example"), page("https://b.example")]},
            {"type": "text", "text": "."},
            {"type": "text", "text": "No", "citations": [page("https://c.example")]},
        ]),
        "end_turn",
        &Value::Null,
    );
    let place =
        |url: &str, start: u64, end: u64| json!({"url": url, "title": "t", "start_index": start, "end_index": end});
    let expected =
        [place("https://a.example", 7, 15), place("https://b.example", 7, 15), place("https://c.example", 16, 18)];
    assert_eq!(told["pages"], Value::from(expected.to_vec()));
    // No more of them wait than memory is set apart for, but all are told.
    let many =
        (0..100).map(|number| delta(0, &json!({"type": "citations_delta", "citation": page(&number.to_string())})));
    let begin = [start(), block(0, &json!({"type": "text", "text": "a"}))];
    let stream: Vec<Value> = begin.into_iter().chain(many).chain(end("end_turn")).collect();
    assert_eq!(choices(&stream)["pages"].as_array().unwrap().len(), 100);
    let long = "x".repeat(300 * 1024);
    let cite = delta(0, &json!({"type": "citations_delta", "citation": page(&long)}));
    let stream = [start(), block(0, &json!({"type": "text", "text": "a"})), cite];
    assert_eq!(choices(&stream)["pages"][0]["url"], long, "before its block ends");
}

#[test]
fn what_cannot_be_read_of_the_tokens_is_not_told() {
    let answer = told(&json!({"type": "message", "content": [], "usage": {"input_tokens": "many"}}));
    assert_eq!(answer.get("usage"), None);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
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
