//! A request as Gemini gets it.

use super::*;

#[test]
fn the_method_is_in_the_path_and_a_name_stays_in_its_segment() {
    for (model, is_stream, path) in [
        ("gemini-2.5-flash", false, "/models/gemini-2.5-flash:generateContent"),
        ("gemini-2.5-flash", true, "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        ("models/gemini-x", false, "/models/gemini-x:generateContent"),
        ("tunedModels/mine", false, "/tunedModels/mine:generateContent"),
        ("../../x?y#z%", false, "/models/..%2F..%2Fx%3Fy%23z%25:generateContent"),
    ] {
        let written = write(model, &with(&json!({"stream": is_stream}))).unwrap();
        assert_eq!(written.path, path);
    }
}

#[test]
fn what_a_user_says_becomes_parts() {
    for (content, parts) in [
        (json!("hi"), json!([{"text": "hi"}])),
        (json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), json!([{"text": "a"}, {"text": "b"}])),
        (
            json!([{"type": "image_url", "image_url": {"url": "data:image/jpg;base64,AAAA"}}]),
            json!([{"inlineData": {"mimeType": "image/jpeg", "data": "AAAA"}}]),
        ),
        (
            json!([{"type": "image_url", "image_url": {"url": "https://e.example/a.webp?x"}}]),
            json!([{"fileData": {"fileUri": "https://e.example/a.webp?x", "mimeType": "image/webp"}}]),
        ),
        (
            json!([{"type": "image_url", "image_url": "https://e.example/a"}]),
            json!([{"fileData": {"fileUri": "https://e.example/a"}}]),
        ),
        (
            json!([{"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE"}}]),
            json!([{"inlineData": {"mimeType": "application/pdf", "data": "JVBE"}}]),
        ),
        (
            json!([{"type": "input_audio", "input_audio": {"format": "wav", "data": "UklG"}}]),
            json!([{"inlineData": {"mimeType": "audio/wav", "data": "UklG"}}]),
        ),
    ] {
        let (body, dropped) = sent("gemini-2.5-flash", &user(&content));
        assert_eq!(body["contents"], json!([{"role": "user", "parts": parts}]), "{content}");
        assert!(dropped.is_empty());
    }
}

#[test]
fn system_prompts_are_the_instruction_wherever_they_stand() {
    let (body, _) = sent(
        "m",
        &json!({"model": "m", "messages": [
            {"role": "system", "content": "a"},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "ho"},
            {"role": "developer", "content": [{"type": "text", "text": "b"}]},
            {"role": "user", "content": "1"},
            {"role": "user", "content": "2"},
        ]}),
    );
    assert_eq!(
        body,
        json!({
            "systemInstruction": {"parts": [{"text": "a"}, {"text": "b"}]},
            "contents": [
                {"role": "user", "parts": [{"text": "hi"}]},
                {"role": "model", "parts": [{"text": "ho"}]},
                {"role": "user", "parts": [{"text": "1"}, {"text": "2"}]},
            ],
            "generationConfig": {},
        })
    );
    let (body, _) = sent("m", &json!({"model": "m", "messages": [{"role": "system", "content": "alone"}]}));
    assert_eq!(body["contents"], json!([{"role": "user", "parts": [{"text": "alone"}]}]));
    assert_eq!(body.get("systemInstruction"), None);
}

#[test]
fn parameters_have_their_places() {
    for (members, config) in [
        (json!({"max_completion_tokens": 5, "max_tokens": 7}), json!({"maxOutputTokens": 5})),
        (json!({"stop": "x"}), json!({"stopSequences": ["x"]})),
        (json!({"temperature": 0.7, "top_p": 0.9, "top_k": 3}), json!({"temperature": 0.7, "topP": 0.9, "topK": 3})),
        (json!({"presence_penalty": 0.5, "frequency_penalty": 0}), json!({"presencePenalty": 0.5})),
        (json!({"seed": 42}), json!({"seed": 42})),
        (json!({"seed": 4_294_967_297_i64}), json!({"seed": 1})),
        (json!({"n": 1}), json!({})),
        (json!({"n": 2}), json!({"candidateCount": 2})),
        (json!({"logprobs": true}), json!({"responseLogprobs": true})),
        (json!({"logprobs": true, "top_logprobs": 3}), json!({"responseLogprobs": true, "logprobs": 3})),
        (json!({"response_format": {"type": "text"}}), json!({})),
        (json!({"response_format": {"type": "json_object"}}), json!({"responseMimeType": "application/json"})),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"$ref": "#/x"}}}}),
            json!({"responseMimeType": "application/json", "responseJsonSchema": {"$ref": "#/x"}}),
        ),
        (
            json!({"reasoning_effort": "low"}),
            json!({"thinkingConfig": {"includeThoughts": true, "thinkingBudget": 1024}}),
        ),
        (json!({"reasoning_effort": "none"}), json!({"thinkingConfig": {"thinkingBudget": 0}})),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 600}}),
            json!({"thinkingConfig": {"includeThoughts": true, "thinkingBudget": 600}}),
        ),
        (
            json!({"extra_body": {"google": {"thinking_config": {"thinking_budget": 7}}}}),
            json!({"thinkingConfig": {"thinking_budget": 7}}),
        ),
        (json!({"modalities": ["text"]}), json!({})),
        (json!({"modalities": ["image", "text"]}), json!({"responseModalities": ["IMAGE", "TEXT"]})),
    ] {
        let (body, dropped) = sent("gemini-2.5-flash", &with(&members));
        assert_eq!(body["generationConfig"], config, "{members}");
        assert!(dropped.is_empty(), "{members} {dropped:?}");
    }
}

#[test]
fn members_of_the_request_itself_have_theirs() {
    for (members, name, expected) in [
        (json!({"service_tier": "auto"}), "serviceTier", Value::Null),
        (json!({"service_tier": "default"}), "serviceTier", json!("standard")),
        (json!({"service_tier": "flex"}), "serviceTier", json!("flex")),
        (json!({"store": false}), "store", json!(false)),
        (json!({"web_search_options": {}}), "tools", json!([{"googleSearch": {}}])),
        (json!({"safety_settings": [{"category": "C"}]}), "safetySettings", json!([{"category": "C"}])),
        (json!({"extra_body": {"google": {"cached_content": "c/1"}}}), "cachedContent", json!("c/1")),
        (json!({"logit_bias": {}}), "logitBias", Value::Null),
        (json!({"tool_choice": "none"}), "toolConfig", Value::Null),
    ] {
        let (body, dropped) = sent("gemini-2.5-flash", &with(&members));
        assert_eq!(body[name], expected, "{members}");
        assert!(dropped.is_empty(), "{members} {dropped:?}");
    }
}

#[test]
fn what_is_harmless_is_left_out_and_listed() {
    for (model, members, name) in [
        ("gemini-2.5-flash", json!({"metadata": {"a": "b"}}), "metadata"),
        ("gemini-2.5-flash", json!({"verbosity": "low"}), "verbosity"),
        ("gemini-2.5-flash", json!({"prediction": {"type": "content", "content": "x"}}), "prediction"),
        ("gemini-2.5-flash", json!({"user": "u"}), "user"),
        ("gemini-2.5-flash", json!({"service_tier": "scale"}), "service_tier"),
        ("gemini-2.5-flash", json!({"parallel_tool_calls": false, "tools": [tool("f")]}), "parallel_tool_calls"),
        ("gemini-2.0-flash", json!({"reasoning_effort": "high"}), "reasoning_effort"),
        (
            "gemini-2.5-flash",
            json!({"web_search_options": {"search_context_size": "low"}}),
            "web_search_options.search_context_size",
        ),
        ("gemini-2.5-flash", json!({"messages": [{"role": "user", "content": "a", "name": "n"}]}), "messages[].name"),
        (
            "gemini-2.5-flash",
            json!({"messages": [{"role": "user", "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}]}),
            "cache_control",
        ),
        (
            "gemini-2.5-flash",
            json!({"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "https://e.example/a.png", "detail": "low"}}]}]}),
            "messages[].content[].image_url.detail",
        ),
        (
            "gemini-2.0-flash",
            json!({"tools": [{"type": "function", "function": {"name": "f", "strict": true}}]}),
            "tools[].function.strict",
        ),
        (
            "gemini-2.5-flash",
            json!({"messages": [{"role": "user", "content": "a"},
                {"role": "assistant", "content": "b", "reasoning_content": "hm"}]}),
            "messages[].reasoning_content",
        ),
        (
            "gemini-2.5-flash",
            json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b",
                "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}]}]}),
            "messages[].thinking_blocks",
        ),
        (
            "gemini-2.5-flash",
            json!({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b",
                "thinking_blocks": [{"type": "redacted_thinking", "data": "x"}]}]}),
            "messages[].thinking_blocks",
        ),
        ("gemini-2.5-flash", json!({"reasoning": {"effort": "low", "summary": "detailed"}}), "reasoning.summary"),
        (
            "gemini-2.5-flash",
            json!({"reasoning_effort": "low", "extra_body": {"google": {"thinking_config": {"thinking_budget": 7}}}}),
            "reasoning_effort",
        ),
        (
            "gemini-2.5-flash",
            json!({"extra_body": {"google": {"thought_tag_marker": "t"}}}),
            "extra_body.google.thought_tag_marker",
        ),
        ("gemini-2.5-flash", json!({"extra_body": {"other": 1}}), "extra_body.other"),
        (
            "gemini-2.5-flash",
            json!({"response_format": {"type": "json_schema",
                "json_schema": {"name": "n", "description": "d", "strict": true, "schema": {}}}}),
            "response_format.json_schema.description",
        ),
    ] {
        let (body, dropped) = sent(model, &with(&members));
        assert_eq!(dropped, [name], "{members}");
        assert!(!body.to_string().contains("ephemeral"));
    }
}

#[test]
fn what_would_change_the_answer_is_refused_by_its_name() {
    for (members, param) in [
        (json!({"logit_bias": {"1": 5}}), "logit_bias"),
        (json!({"audio": {"voice": "a", "format": "wav"}}), "audio"),
        (json!({"modalities": ["text", "audio"]}), "modalities"),
        (json!({"guided_regex": "a*"}), "guided_regex"),
        (json!({"web_search_options": {}, "tools": [tool("f")]}), "web_search_options"),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (json!({"tool_choice": {"type": "function", "function": {"name": "f"}}}), "tool_choice"),
        (json!({"tools": [tool("f")], "tool_choice": {"type": "function", "function": {"name": "g"}}}), "tool_choice"),
        (
            json!({"tools": [tool("f")], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto",
                "tools": [{"type": "function", "function": {"name": "g"}}]}}}),
            "tool_choice",
        ),
        (
            json!({"tools": [tool("f")], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required",
                "tools": []}}}),
            "tool_choice",
        ),
        (json!({"extra_body": 7}), "extra_body"),
        (json!({"extra_body": {"google": []}}), "extra_body.google"),
        (json!({"store": "yes"}), "store"),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}),
            "messages[0].content[0].file.file_id",
        ),
        (
            json!({"messages": [{"role": "user", "content": "a"}, {"role": "tool", "tool_call_id": "x", "content": "b"}]}),
            "messages[1].tool_call_id",
        ),
        (
            json!({"messages": [{"role": "system", "content": [
                {"type": "image_url", "image_url": {"url": "https://e.example/a"}}]}]}),
            "messages[0].content",
        ),
        (json!({"messages": [{"role": "user", "content": ""}]}), "messages"),
    ] {
        let error = write("gemini-2.5-flash", &with(&members)).unwrap_err();
        assert_eq!((error.kind.status(), error.param.as_deref()), (400, Some(param)), "{members}");
    }
}
