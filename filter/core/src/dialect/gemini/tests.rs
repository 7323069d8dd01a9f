//! OpenAI's chat, there and back: a request as Gemini gets it, an answer as the client gets it.
#![expect(clippy::disallowed_types, reason = "documents are compared by their meaning")]

use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use serde_json::{Value, json};

use super::Gemini;
use crate::{
    chat::{Delta, Fault, Finish},
    dialect::{Aim, Broken, Downstream, Identity, Upstream, Written, openai_chat::OpenAiChat},
    error::Error,
    sse::Frame,
};

/// The client's side of a format that has two.
const OPENAI: &dyn Downstream = &OpenAiChat;

fn write(model: &str, request: &Value) -> Result<Written, Error> {
    let text = request.to_string();
    let request = OPENAI.read(&text).unwrap();
    Gemini.write(&request, &Aim { model, max_output_tokens: None, exchange: "x" })
}

/// The body and the fields that were left out.
fn sent(model: &str, request: &Value) -> (Value, Vec<String>) {
    let written = write(model, request).unwrap();
    (serde_json::from_slice(&written.body).unwrap(), written.dropped.names().to_vec())
}

fn identity() -> Identity {
    Identity { exchange: "x".into(), created: 1, model: "asked".into() }
}

fn whole(answer: &Value) -> Value {
    let text = answer.to_string();
    serde_json::from_slice(&OPENAI.write(&Gemini.read(&text).unwrap(), &identity())).unwrap()
}

fn message(answer: &Value) -> Value {
    whole(answer)["choices"][0].clone()
}

/// What the client gets for these events, one chunk a line.
fn streamed(events: &[Value]) -> Result<Vec<Value>, Broken> {
    let (mut reader, mut writer) = (Gemini.reader(), OPENAI.writer(identity(), true));
    let mut out = Vec::new();
    for event in events {
        let raw = alloc::format!("data: {event}\r\n\r\n");
        reader.read(Frame { raw: raw.as_bytes() }, &mut |delta| writer.write(delta, &mut out))?;
    }
    writer.write(Delta::End, &mut out);
    let text = String::from_utf8(out).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    Ok(data.map(|data| serde_json::from_str(data).unwrap()).collect())
}

/// The deltas of the first answer, joined.
fn joined(chunks: &[Value], field: &str) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"][field].as_str()).collect()
}

fn user(content: &Value) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": content}]})
}

fn with(members: &Value) -> Value {
    let mut request = user(&json!("hi"));
    request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    request
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "$defs": {}}}})
}

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

#[test]
fn tools_are_declared_and_chosen() {
    let strict = json!({"type": "function", "function": {"name": "s", "description": "d", "strict": true}});
    let (body, _) = sent("gemini-2.5-flash", &with(&json!({"tools": [tool("f"), strict]})));
    assert_eq!(
        body["tools"],
        json!([{"functionDeclarations": [
            {"name": "f", "parametersJsonSchema": {"type": "object", "$defs": {}}},
            {"name": "s", "description": "d"},
        ]}])
    );
    assert_eq!(body["toolConfig"], json!({"functionCallingConfig": {"mode": "VALIDATED"}}));
    let named = json!({"type": "function", "function": {"name": "f"}});
    let allowed = |mode: &str| json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [named]}});
    for (choice, calling) in [
        (Value::Null, Value::Null),
        (json!("auto"), Value::Null),
        (json!("none"), json!({"mode": "NONE"})),
        (json!("required"), json!({"mode": "ANY"})),
        (named.clone(), json!({"mode": "ANY", "allowedFunctionNames": ["f"]})),
        (allowed("required"), json!({"mode": "ANY", "allowedFunctionNames": ["f"]})),
        (allowed("auto"), json!({"mode": "VALIDATED", "allowedFunctionNames": ["f"]})),
        (json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}), json!({"mode": "NONE"})),
    ] {
        let (body, _) =
            sent("gemini-2.5-flash", &with(&json!({"tools": [tool("f"), tool("g")], "tool_choice": choice})));
        assert_eq!(body["toolConfig"]["functionCallingConfig"], calling, "{choice}");
        assert_eq!(body["tools"][0]["functionDeclarations"].as_array().unwrap().len(), 2, "{choice}");
    }
    // Of an older model no mode is known that restricts and leaves free.
    let (body, _) =
        sent("gemini-2.0-flash", &with(&json!({"tools": [tool("f"), tool("g")], "tool_choice": allowed("auto")})));
    assert_eq!(body["tools"][0]["functionDeclarations"].as_array().unwrap().len(), 1);
    assert_eq!((&body["tools"][0]["functionDeclarations"][0]["name"], body.get("toolConfig")), (&json!("f"), None));
}

#[test]
fn json_goes_with_tools_from_gemini_3_on_only() {
    for format in
        [json!({"type": "json_object"}), json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {}}})]
    {
        for members in [json!({"tools": [tool("f")]}), json!({"web_search_options": {}})] {
            let mut request = with(&members);
            request["response_format"] = format.clone();
            let refused = write("gemini-2.5-flash", &request).unwrap_err();
            assert_eq!((refused.kind.status(), refused.param.as_deref()), (400, Some("response_format")), "{members}");
            let (body, _) = sent("gemini-3-flash-preview", &request);
            assert_eq!(body["generationConfig"]["responseMimeType"], "application/json");
            assert!(body["tools"].is_array());
        }
        // Tools that must not be called are as good as none.
        let request = with(&json!({"tools": [tool("f")], "tool_choice": "none", "response_format": format}));
        let (body, _) = sent("gemini-2.5-flash", &request);
        assert_eq!(body["generationConfig"]["responseMimeType"], "application/json");
        assert_eq!((body.get("tools"), body.get("toolConfig")), (None, None));
    }
}

fn loop_of(image: bool) -> Value {
    let answer = if image {
        json!([{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}])
    } else {
        json!("22°")
    };
    json!({"model": "m", "messages": [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1.50}"},
             "extra_content": {"google": {"thought_signature": "S+/0"}}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "not json"}},
        ]},
        {"role": "tool", "tool_call_id": "a", "content": answer},
        {"role": "tool", "tool_call_id": "b", "content": "boom", "is_error": true},
        {"role": "user", "content": "and?"},
    ]})
}

#[test]
fn turn_two_of_a_tool_loop_has_its_signature_and_its_results_together() {
    for model in ["gemini-2.5-flash", "gemini-3-flash-preview"] {
        let (body, _) = sent(model, &loop_of(false));
        assert_eq!(
            body["contents"],
            json!([
                {"role": "user", "parts": [{"text": "weather?"}]},
                {"role": "model", "parts": [
                    {"functionCall": {"id": "a", "name": "f", "args": {"x": 1.50}}, "thoughtSignature": "S+/0"},
                    {"functionCall": {"id": "b", "name": "g", "args": {"arguments": "not json"}}},
                ]},
                {"role": "user", "parts": [
                    {"functionResponse": {"id": "a", "name": "f", "response": {"output": "22°"}}},
                    {"functionResponse": {"id": "b", "name": "g", "response": {"error": "boom"}}},
                ]},
                {"role": "user", "parts": [{"text": "and?"}]},
            ])
        );
    }
}

#[test]
fn a_signature_comes_back_in_the_id_where_a_client_drops_the_rest() {
    let answer = json!({"candidates": [{"content": {"parts": [
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "S+/0"}]}, "finishReason": "STOP"}],
        "responseId": "r"});
    let mut call = message(&answer)["message"]["tool_calls"][0].clone();
    call.as_object_mut().unwrap().remove("extra_content");
    let id = call["id"].clone();
    let (body, _) = sent(
        "gemini-3-pro-preview",
        &json!({"model": "m", "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": id, "content": "b"},
        ]}),
    );
    assert_eq!(
        body["contents"][1]["parts"],
        json!([{"functionCall": {"id": "call_r_0", "name": "f", "args": {}}, "thoughtSignature": "S+/0"}])
    );
    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"]["id"], "call_r_0");
}

#[test]
fn calls_of_another_providers_model_are_excused_from_signatures() {
    let mut request = loop_of(false);
    request["messages"][1]["tool_calls"][0].as_object_mut().unwrap().remove("extra_content");
    request["messages"][1]["thinking_blocks"] =
        json!([{"type": "thinking", "thinking": "t", "signature": "anthropic"}]);
    let (body, _) = sent("gemini-3-flash-preview", &request);
    let calls = &body["contents"][1]["parts"];
    assert_eq!(calls[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(calls[1].get("thoughtSignature"), None);
    let (body, _) = sent("gemini-2.5-flash", &request);
    assert_eq!(body["contents"][1]["parts"][0].get("thoughtSignature"), None);
    assert!(!body.to_string().contains("anthropic"));
}

#[test]
fn pictures_in_results_stand_inside_or_behind_them() {
    let (body, _) = sent("gemini-3-flash-preview", &loop_of(true));
    assert_eq!(
        body["contents"][2]["parts"][0]["functionResponse"],
        json!({"id": "a", "name": "f", "response": {"output": "see"},
               "parts": [{"inlineData": {"mimeType": "image/png", "data": "AA"}}]})
    );
    let (body, _) = sent("gemini-2.5-flash", &loop_of(true));
    let results = body["contents"][2]["parts"].as_array().unwrap();
    assert!(results.iter().all(|part| part.get("functionResponse").is_some()) && results.len() == 2);
    assert_eq!(
        body["contents"][3],
        json!({"role": "user", "parts": [
            {"text": "Output of f (a):"}, {"inlineData": {"mimeType": "image/png", "data": "AA"}}, {"text": "and?"}]})
    );
}

#[test]
fn an_answer_is_told_in_openais_words() {
    let answer = json!({
        "candidates": [{
            "content": {"role": "model", "parts": [
                {"text": "hm ", "thought": true},
                {"text": "a"},
                {"newKind": {"x": 1}},
                {"text": "ü", "thoughtSignature": "S"},
                {"text": "", "thoughtSignature": "T"},
                {"inlineData": {"mimeType": "image/png", "data": "AA"}},
                {"functionCall": {"id": "own", "name": "f", "args": {"q": "a  \\\" b", "r": [1, 2.50]}}},
                {"functionCall": {"name": "g"}},
            ]},
            "finishReason": "STOP",
            "logprobsResult": {
                "chosenCandidates": [{"token": "a", "logProbability": -0.5}],
                "topCandidates": [{"candidates": [{"token": "b", "logProbability": -1.5}]}],
            },
        }],
        "usageMetadata": {
            "promptTokenCount": 10, "cachedContentTokenCount": 4, "toolUsePromptTokenCount": 2,
            "candidatesTokenCount": 3, "thoughtsTokenCount": 5, "totalTokenCount": 20, "serviceTier": "standard",
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}, {"modality": "AUDIO", "tokenCount": 1}],
        },
        "modelVersion": "gemini-x", "responseId": "r", "unknown": [],
    });
    let pretty = serde_json::to_string_pretty(&answer).unwrap();
    let got: Value = serde_json::from_slice(&OPENAI.write(&Gemini.read(&pretty).unwrap(), &identity())).unwrap();
    assert_eq!((&got["id"], &got["model"], &got["service_tier"]), (&json!("r"), &json!("gemini-x"), &json!("default")));
    assert_eq!(
        got["usage"],
        json!({
            "prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
        })
    );
    let choice = &got["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["logprobs"]["content"][0]["top_logprobs"][0]["logprob"], -1.5);
    let message = &choice["message"];
    assert_eq!((&message["content"], &message["reasoning_content"]), (&json!("aü"), &json!("hm ")));
    assert_eq!(message["extra_content"]["google"]["thought_signature"], "S");
    assert_eq!(message["images"][0]["image_url"]["url"], "data:image/png;base64,AA");
    assert_eq!(
        message["tool_calls"],
        json!([
            {"id": "own", "type": "function", "function": {"name": "f", "arguments": r#"{"q":"a  \\\" b","r":[1,2.5]}"#}},
            {"id": "call_r_1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ])
    );
}

#[test]
fn each_reason_to_end_is_one_of_openais() {
    for (reason, expected) in [
        (json!("STOP"), "stop"),
        (json!(1), "stop"),
        (json!("MAX_TOKENS"), "length"),
        (json!(2), "length"),
        (json!("SAFETY"), "content_filter"),
        (json!("RECITATION"), "content_filter"),
        (json!("IMAGE_SAFETY"), "content_filter"),
        (json!("NEW_REASON"), "stop"),
        (json!({"not": "a word"}), "stop"),
    ] {
        let answer = json!({"candidates": [{"finishReason": reason}], "responseId": "r"});
        assert_eq!(message(&answer)["finish_reason"], expected, "{reason}");
        let chunks = streamed(&[answer]).unwrap();
        assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], expected, "{reason}");
    }
}

#[test]
fn a_blocked_prompt_is_a_refusal_by_the_content_filter() {
    let answer =
        json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}});
    let got = message(&answer);
    assert_eq!(got["finish_reason"], "content_filter");
    assert_eq!(got["message"]["refusal"], "The provider blocked the prompt: PROHIBITED_CONTENT.");
    let chunks = streamed(&[answer]).unwrap();
    assert_eq!(joined(&chunks, "refusal"), "The provider blocked the prompt: PROHIBITED_CONTENT.");
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "content_filter");
}

/// What the model failed to give, with this said before.
fn failed(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts}, "finishReason": "MALFORMED_FUNCTION_CALL",
        "finishMessage": "Malformed function call: print("}], "responseId": "r"})
}

#[test]
fn a_model_that_fails_before_it_says_anything_is_a_failed_provider() {
    for (answer, message) in [
        (failed(&json!([])), "Malformed function call: print("),
        (failed(&json!([{"text": ""}])), "Malformed function call: print("),
        (
            json!({"candidates": [{"finishReason": "UNEXPECTED_TOOL_CALL"}]}),
            "The model ended its answer with UNEXPECTED_TOOL_CALL.",
        ),
    ] {
        let fault = Fault::new(502, None, message);
        let body = answer.to_string();
        assert_eq!(Gemini.read(&body).unwrap_err(), Broken::Fault(fault.clone()));
        assert_eq!(streamed(&[answer]).unwrap_err(), Broken::Fault(fault));
    }
}

#[test]
fn a_model_that_fails_later_ends_with_the_reason_told() {
    let call = json!({"functionCall": {"name": "f", "args": {}}});
    for (parts, finish) in [
        (json!([{"text": "I will"}]), "stop"),
        (json!([{"text": "hm", "thought": true}]), "stop"),
        (json!([call]), "tool_calls"),
    ] {
        let got = message(&failed(&parts));
        assert_eq!(
            (&got["finish_reason"], &got["message"]["refusal"]),
            (&json!(finish), &json!("Malformed function call: print("))
        );
        for events in [vec![failed(&parts)], vec![event(&parts), failed(&json!([]))]] {
            let chunks = streamed(&events).unwrap();
            assert_eq!(joined(&chunks, "refusal"), "Malformed function call: print(");
            assert!(chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == finish));
        }
    }
    // Another answer of the same request is not lost.
    let two = json!({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"},
        {"index": 1, "content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]});
    assert_eq!(whole(&two)["choices"][1]["message"]["content"], "a");
    // What was held back may be explained, too.
    let held = json!({"candidates": [{"finishReason": "SAFETY", "finishMessage": "It is unsafe."}]});
    let got = message(&held);
    assert_eq!(
        (&got["finish_reason"], &got["message"]["refusal"]),
        (&json!("content_filter"), &json!("It is unsafe."))
    );
}

#[test]
fn numbers_may_be_strings_and_members_null() {
    let answer = json!({
        "candidates": [{
            "index": "1",
            "content": {"role": null, "parts": [
                {"text": "a", "thought": null, "functionCall": null, "inlineData": null, "thoughtSignature": null},
                {"functionCall": {"name": "f", "id": null, "args": null, "partialArgs": null, "willContinue": null}},
                {"inlineData": {"mimeType": null, "data": null}},
            ]},
            "finishReason": "STOP", "finishMessage": null, "citationMetadata": null,
            "groundingMetadata": {"groundingChunks": [{"web": {"uri": "https://a.example", "title": null}, "maps": null}],
                "groundingSupports": [{"segment": {"startIndex": "0", "endIndex": "1"}, "groundingChunkIndices": ["0"]}]},
            "logprobsResult": {"chosenCandidates": [{"token": "a", "logProbability": "-Infinity"}], "topCandidates": null},
        }, {"index": null, "content": null, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": "12", "candidatesTokenCount": 3, "thoughtsTokenCount": null,
            "promptTokensDetails": [{"modality": 4, "tokenCount": "2"}], "serviceTier": null},
        "promptFeedback": null, "modelVersion": null, "responseId": null, "error": null,
    });
    let got = whole(&answer);
    let choice = &got["choices"][1];
    assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!("a"), &json!("tool_calls")));
    assert_eq!(choice["message"]["annotations"][0]["url_citation"]["end_index"], 1);
    assert_eq!(choice["logprobs"]["content"][0]["logprob"], -9999.0);
    assert_eq!((&got["usage"]["prompt_tokens"], &got["usage"]["completion_tokens"]), (&json!(12), &json!(3)));
    assert_eq!(got["usage"]["prompt_tokens_details"]["audio_tokens"], 2);
    let error = json!({"error": {"code": "503", "message": "m", "details": null}});
    assert_eq!(streamed(&[error]).unwrap_err(), Broken::Fault(Fault::new(503, None, "m")));
}

#[test]
fn a_stream_and_a_whole_answer_say_the_same() {
    let whole_answers = [
        grounded("äbcd"),
        failed(&json!([{"text": "I will"}])),
        json!({"promptFeedback": {"blockReason": "SAFETY"}}),
        json!({"candidates": [{"finishReason": "SAFETY"}]}),
        event(
            &json!([{"text": "hm", "thought": true}, {"text": "a"}, {"functionCall": {"name": "f"}, "thoughtSignature": "S"}]),
        ),
    ];
    for mut answer in whole_answers {
        if let Some(candidate) = answer.pointer_mut("/candidates/0").and_then(Value::as_object_mut) {
            candidate.entry("finishReason").or_insert(json!("STOP"));
        }
        let (got, chunks) = (message(&answer), streamed(&[answer]).unwrap());
        for field in ["content", "refusal", "reasoning_content"] {
            assert_eq!(got["message"][field].as_str().unwrap_or_default(), joined(&chunks, field), "{field}");
        }
        let told = |pointer: &str| {
            chunks.iter().filter_map(|chunk| chunk["choices"][0].pointer(pointer)).find(|value| !value.is_null())
        };
        assert_eq!(Some(&got["finish_reason"]), told("/finish_reason"));
        for pointer in [
            "/annotations/0/url_citation",
            "/citations/0/retrievedContext",
            "/tool_calls/0/function",
            "/tool_calls/0/id",
        ] {
            assert_eq!(got["message"].pointer(pointer), told(&["/delta", pointer].concat()), "{pointer}");
        }
    }
}

#[test]
fn answers_that_are_numbered_into_the_sky_are_passed_over() {
    let say = |index: u32| json!({"index": index, "content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"});
    let answer = json!({"candidates": [say(0), say(128), say(u32::MAX)]});
    assert_eq!(whole(&answer)["choices"].as_array().unwrap().len(), 1);
    let chunks = streamed(&[answer]).unwrap();
    assert!(chunks.iter().all(|chunk| chunk["choices"][0]["index"].as_u64().unwrap_or(0) == 0));
}

#[test]
fn an_error_means_the_same_in_the_place_of_an_answer_and_of_an_event() {
    for (code, status) in [(json!(429), 429), (json!("503"), 503), (json!(200), 500)] {
        let error = json!({"error": {"code": code, "message": "m"}});
        let broken = Broken::Fault(Fault::new(status, None, "m"));
        assert_eq!(Gemini.read(&error.to_string()).unwrap_err(), broken);
        assert_eq!(streamed(&[error]).unwrap_err(), broken);
    }
}

#[test]
fn the_tier_is_told_when_it_comes() {
    let event = |usage: Value| json!({"candidates": [{"content": {"parts": [{"text": "a"}]}}], "usageMetadata": usage, "modelVersion": "v", "responseId": "r"});
    let tier = json!({"serviceTier": "priority"});
    let chunks = streamed(&[event(json!({})), event(tier.clone()), event(tier)]).unwrap();
    let tiers: Vec<_> = chunks.iter().map(|chunk| chunk["service_tier"].as_str()).collect();
    assert_eq!(tiers, [None, None, Some("priority"), Some("priority")]);
    assert!(chunks.iter().all(|chunk| (&chunk["id"], &chunk["model"]) == (&chunks[0]["id"], &json!("v"))));
}

#[test]
fn sources_are_told_up_to_a_number_and_a_length() {
    let answer = |chunk: Value, indices: Vec<u32>| {
        json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP", "groundingMetadata":
            {"groundingChunks": [chunk], "groundingSupports": [{"groundingChunkIndices": indices}]}}]})
    };
    let chunk = |uri: &str| json!({"web": {"uri": uri, "title": "t"}});
    let often = answer(chunk("https://a.example"), vec![0; 5000]);
    let told = &whole(&often)["choices"][0]["message"]["annotations"];
    assert_eq!(told.as_array().unwrap().len(), 1024);
    // The number holds for the whole of an answer, however it is cut.
    let chunks = streamed(&[often.clone(), often]).unwrap();
    assert_eq!(chunks.iter().filter(|chunk| !chunk["choices"][0]["delta"]["annotations"].is_null()).count(), 1024);
    // What is too long for an address is told once.
    let long = whole(&answer(chunk(&"x".repeat(5000)), vec![0; 5000]));
    let message = &long["choices"][0]["message"];
    assert_eq!((&message["annotations"], message["citations"].as_array().unwrap().len()), (&Value::Null, 1));
}

#[test]
fn what_is_no_answer_is_none() {
    for body in
        ["", "[]", "{}", "null", r#"{"candidates":[]}"#, r#"{"candidates":[{}]}"#, r#"{"candidates":7}"#, "<html>"]
    {
        assert!(Gemini.read(body).is_err(), "{body}");
    }
}

fn grounded(text: &str) -> Value {
    json!({"candidates": [{
        "content": {"parts": [{"text": text}]},
        "groundingMetadata": {
            "groundingChunks": [
                {"web": {"uri": "https://a.example", "title": "A"}},
                {"retrievedContext": {"text": "t"}},
                {"web": {"uri": "https://b.example"}},
            ],
            "groundingSupports": [
                {"segment": {"startIndex": 3, "endIndex": 5, "text": "cd"}, "groundingChunkIndices": [0, 9]},
            ],
        },
        "finishReason": "STOP"}], "responseId": "r"})
}

#[test]
fn sources_become_annotations_in_characters() {
    let got = message(&grounded("äbcd"));
    let places: Vec<_> =
        got["message"]["annotations"].as_array().unwrap().iter().map(|one| &one["url_citation"]).collect();
    assert_eq!(
        places,
        [
            &json!({"url": "https://a.example", "title": "A", "start_index": 2, "end_index": 4}),
            &json!({"url": "https://b.example", "title": "", "start_index": 4, "end_index": 4}),
        ]
    );
    assert_eq!(got["message"]["citations"], json!([{"retrievedContext": {"text": "t"}}]));
    let places = |text: &str| -> Vec<Value> {
        let chunks = streamed(&[grounded(text)]).unwrap();
        let found = chunks.iter().map(|chunk| chunk["choices"][0]["delta"]["annotations"][0]["url_citation"].clone());
        found.filter(|place| !place.is_null()).collect()
    };
    assert_eq!(places("abcde")[0]["start_index"], 3);
    assert_eq!(places("äbcd")[0]["start_index"], 2);
}

fn event(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts}, "index": 0}], "responseId": "r", "modelVersion": "gemini-x"})
}

#[test]
fn a_stream_is_told_event_for_event() {
    let chunks = streamed(&[
        event(&json!([{"text": "hm", "thought": true}])),
        event(&json!([{"text": "a"}])),
        json!({"candidates": [{"content": {"parts": [{"text": "b"}]}, "index": 1}]}),
        event(&json!([{"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "S"}])),
        event(&json!([{"functionCall": {"name": "g"}}])),
        event(&json!([{"text": "", "thoughtSignature": "T"}])),
        json!({"candidates": [{"finishReason": "STOP", "index": 1}]}),
        json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 3, "thoughtsTokenCount": 2}}),
        json!({"usageMetadata": {"candidatesTokenCount": 4}}),
    ])
    .unwrap();
    assert!(chunks.iter().all(|chunk| chunk["id"] == "r" && chunk["model"] == "gemini-x"));
    let first: Vec<_> = chunks.iter().filter(|chunk| chunk["choices"][0]["index"] == 0).cloned().collect();
    assert_eq!(joined(&first, "reasoning_content"), "hm");
    assert_eq!(joined(&first, "content"), "a");
    let calls: Vec<_> = first.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)).collect();
    assert_eq!(calls[0]["id"], "call_r_0__thought__S");
    assert_eq!((&calls[0]["index"], &calls[1]["index"]), (&json!(0), &json!(1)));
    assert_eq!(
        (&calls[0]["function"]["arguments"], &calls[1]["function"]["arguments"]),
        (&json!("{\"x\":1}"), &json!("{}"))
    );
    assert!(
        first.iter().any(|chunk| chunk["choices"][0]["delta"]["extra_content"]["google"]["thought_signature"] == "T")
    );
    let ends: Vec<_> = chunks
        .iter()
        .filter(|chunk| chunk["choices"][0]["finish_reason"].is_string())
        .map(|chunk| (chunk["choices"][0]["index"].clone(), chunk["choices"][0]["finish_reason"].clone()))
        .collect();
    assert_eq!(ends, [(json!(1), json!("stop")), (json!(0), json!("tool_calls"))]);
    let usage = &chunks.last().unwrap()["usage"];
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(3), &json!(6)));
}

#[test]
fn pictures_of_a_stream_are_numbered() {
    let picture = json!([{"inlineData": {"mimeType": "image/png", "data": "AA"}}]);
    let chunks = streamed(&[event(&picture), event(&picture)]).unwrap();
    let images: Vec<_> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["images"].get(0)).collect();
    assert_eq!(images[1], &json!({"index": 1, "type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}));
}

#[test]
fn arguments_that_come_in_pieces_are_one_document() {
    let call = |call: &Value| event(&json!([{"functionCall": call}]));
    let piece = |text: &str, more: bool| json!([{"jsonPath": "$.a", "stringValue": text, "willContinue": more}]);
    let chunks = streamed(&[
        call(&json!({"name": "f", "willContinue": true})),
        call(&json!({"partialArgs": piece("x", true), "willContinue": true})),
        call(&json!({"partialArgs": piece("y", true), "willContinue": true})),
        call(&json!({"name": "g", "args": {}})),
        json!({"candidates": [{"finishReason": "STOP"}]}),
    ])
    .unwrap();
    let calls = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0));
    let of_first: String =
        calls.filter(|call| call["index"] == 0).filter_map(|call| call["function"]["arguments"].as_str()).collect();
    assert_eq!(of_first, r#"{"a":"xy"}"#);
}

#[test]
fn an_error_in_a_stream_is_a_fault_and_nonsense_is_malformed() {
    let mut reader = Gemini.reader();
    let mut read = |raw: &str| {
        reader.read(Frame { raw: raw.as_bytes() }, &mut |delta| {
            assert!(matches!(delta, Delta::Finish { reason: Finish::Stop, .. }), "{delta:?}");
        })
    };
    for raw in [": ping\n\n", "data:\n\n", "data: [DONE]\n\n", "data: {}\n\n", "event: new\ndata: {\"later\":1}\n\n"] {
        assert_eq!(read(raw), Ok(()), "{raw}");
    }
    for raw in ["data: {\"candi\n\n", "data: []\n\n"] {
        assert_eq!(read(raw), Err(Broken::Malformed), "{raw}");
    }
    assert_eq!(
        read("data: {\"error\":{\"code\":503,\"message\":\"The model is overloaded.\"}}\n\n"),
        Err(Broken::Fault(Fault::new(503, None, "The model is overloaded.")))
    );
}
