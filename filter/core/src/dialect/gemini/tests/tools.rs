//! Tools, and the turns that they take.

use super::*;

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
        json!([{"functionCall": {"id": "call_r_0_0", "name": "f", "args": {}}, "thoughtSignature": "S+/0"}])
    );
    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"]["id"], "call_r_0_0");
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
