//! Tools, and the turns that they take.

use super::*;

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

#[test]
fn every_schema_of_arguments_says_that_it_is_of_an_object() {
    for schema in [json!({}), json!({"allOf": [{"properties": {"a": {"type": "string"}}}]})] {
        let (body, dropped) = asked(OLD, &json!({"tools": [weather(&json!({"strict": true, "parameters": schema}))]}));
        assert_eq!(body["tools"][0]["input_schema"]["type"], "object", "{schema}");
        assert_eq!((body["tools"][0].get("strict"), dropped), (None, vec!["tools[].function.strict".to_string()]));
    }
    let schema = json!({"properties": {"a": {"type": "string"}}});
    let (body, _) = asked(OLD, &json!({"tools": [weather(&json!({"strict": true, "parameters": schema}))]}));
    let tool = &body["tools"][0];
    assert_eq!((&tool["strict"], &tool["input_schema"]["type"]), (&json!(true), &json!("object")));
}
