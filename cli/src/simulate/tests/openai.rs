//! The chat completions API from outside.

use super::*;

#[test]
fn a_whole_answer_has_the_providers_fields_in_the_providers_order() {
    let answered = ask(&start(), "", &hello(false));
    assert_eq!((answered.status(), answered.complete), (200, true));
    assert_eq!(answered.header("content-type"), Some("application/json"));
    let id = answered.json()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("chatcmpl-") && id.len() == 38, "{id}");
    let expected = r#"{
  "id": "ID",
  "object": "chat.completion",
  "created": 1767225600,
  "model": "gpt-4o",
  "choices": [
    {
      "index": 0,
      "message": {
        "role": "assistant",
        "content": "This is gpt-4o, simulated. You said: hello",
        "refusal": null,
        "annotations": []
      },
      "logprobs": null,
      "finish_reason": "stop"
    }
  ],
  "usage": {
    "prompt_tokens": 5,
    "completion_tokens": 7,
    "total_tokens": 12,
    "prompt_tokens_details": {
      "cached_tokens": 0,
      "audio_tokens": 0
    },
    "completion_tokens_details": {
      "reasoning_tokens": 0,
      "audio_tokens": 0,
      "accepted_prediction_tokens": 0,
      "rejected_prediction_tokens": 0
    }
  },
  "service_tier": "default",
  "system_fingerprint": "fp_51a7ed0000"
}
"#;
    assert_eq!(answered.text(), expected.replace("ID", &id));
}

#[test]
fn a_stream_says_the_same_and_ends_with_usage_only_when_asked() {
    let simulator = start();
    let plain = ask(&simulator, "", &hello(true));
    assert_eq!(plain.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let events = plain.events();
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role": "assistant", "content": "", "refusal": null}));
    assert_eq!(events[8]["choices"][0]["finish_reason"], "stop");
    assert_eq!(events[9..], [json!("[DONE]")]);
    assert!(events[..9].iter().all(|event| event.get("usage").is_none() && event.get("obfuscation").is_some()));
    let said: String = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "This is gpt-4o, simulated. You said: hello");

    let mut body = hello(true);
    body["stream_options"] = json!({"include_usage": true, "include_obfuscation": false});
    let events = ask(&simulator, "", &body).events();
    assert!(events[..9].iter().all(|event| event["usage"].is_null() && event.get("usage").is_some()));
    assert_eq!(events[9]["choices"], json!([]));
    assert_eq!(events[9]["usage"]["total_tokens"], 12);
    assert_eq!(events[9].get("obfuscation"), None);
    assert_eq!(events[10..], [json!("[DONE]")]);
}

#[test]
fn the_choices_of_n_stream_together() {
    let mut body = hello(true);
    body["n"] = json!(2);
    let events = ask(&start(), "", &body).events();
    let indexes: Vec<_> = events.iter().filter_map(|event| event["choices"][0]["index"].as_u64()).take(6).collect();
    assert_eq!(indexes, [0, 1, 0, 1, 0, 1]);
}

#[test]
fn a_tool_round_trip_calls_the_tool_and_then_quotes_its_result() {
    let simulator = start();
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let mut body = hello(false);
    body["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}]);
    let choice = ask(&simulator, "", &body).json()["choices"][0].take();
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], Value::Null);
    assert_eq!(call["function"], json!({"name": "weather", "arguments": "{\"city\":\"city\"}"}));
    assert!(call["id"].as_str().unwrap().starts_with("call_"));

    body["stream"] = json!(true);
    let events = ask(&simulator, "", &body).events();
    let calls: Vec<_> = events.iter().map(|event| &event["choices"][0]["delta"]["tool_calls"][0]["function"]).collect();
    assert_eq!(calls[1], &json!({"name": "weather", "arguments": ""}));
    let arguments: String = calls.iter().filter_map(|call| call["arguments"].as_str()).collect();
    assert_eq!(arguments, "{\"city\":\"city\"}");

    body["stream"] = json!(false);
    let turn = [choice["message"].clone(), json!({"role": "tool", "tool_call_id": call["id"], "content": "sunny"})];
    body["messages"].as_array_mut().unwrap().extend(turn);
    let answered = ask(&simulator, "", &body).json();
    assert_eq!(answered["choices"][0]["message"]["content"], "This is gpt-4o, simulated. The tool answered: sunny");
}

#[test]
fn structured_output_satisfies_its_schema_and_images_are_named() {
    let simulator = start();
    let mut body = hello(false);
    let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]});
    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    assert_eq!(ask(&simulator, "", &body).json()["choices"][0]["message"]["content"], "{\"ok\":true}");

    let parts = json!([
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": parts}]});
    assert_eq!(
        ask(&simulator, "", &body).json()["choices"][0]["message"]["content"],
        "This is m, simulated. You said: look I see 2 images: https://example.com/cat.png, image/png (4 base64 characters)."
    );
}

#[test]
fn bad_requests_are_refused_in_the_providers_shape() {
    let simulator = start();
    let post = |path: &str, body: &str| parse(&exchange(&simulator, &request("POST", path, "", body)).0);
    let chat = |body: &str| post("/v1/chat/completions", body);
    for body in ["", "{", "[]", "{\"messages\":[]}", "\u{feff}{}", &"[".repeat(20_000)] {
        let answered = chat(body);
        assert_eq!((answered.status(), answered.json()["error"]["param"].is_null()), (400, true), "{body:.20}");
    }
    let missing = chat("{\"model\":\"m\"}").json();
    assert_eq!(missing["error"]["code"], "missing_required_parameter");
    assert_eq!(chat("{\"model\":\"m\",\"messages\":[]}").json()["error"]["code"], "empty_array");
    assert_eq!(post("/v1/nowhere", "{}").status(), 404);
    assert_eq!(post("/v1/models", "{}").status(), 405);
    let get = |path: &str| parse(&exchange(&simulator, &request("GET", path, "", "")).0);
    assert_eq!(get("/v1/models").json()["data"][0]["id"], "gpt-4o");
    assert_eq!(get("/v1/models/o3").json()["object"], "model");
    assert_eq!(get("/v1/models/o33").status(), 404);
}

#[test]
fn a_required_key_is_required() {
    let simulator = Simulator::start(Options { require_key: Some("sk-1".into()), ..Options::default() }).unwrap();
    let code = |headers: &str| {
        let answered = ask(&simulator, headers, &hello(false));
        (answered.status(), answered.json()["error"]["code"].clone())
    };
    assert_eq!(code(""), (401, Value::Null));
    assert_eq!(code("authorization: Bearer sk-2\r\n"), (401, json!("invalid_api_key")));
    assert_eq!(code("authorization: Bearer sk-1\r\n"), (200, Value::Null));
}

#[test]
fn the_providers_own_models_are_strict_and_others_are_not() {
    let simulator = start();
    let call = |id: &str| json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "x"});
    let user = json!({"role": "user", "content": "x"});
    let long = "x".repeat(41);
    for (model, field, value, words) in [
        ("o3", "max_tokens", json!(5), "Use 'max_completion_tokens' instead."),
        ("gpt-5-mini", "temperature", json!(0.5), "does not support 0.5 with this model"),
        ("gpt-4o", "reasoning_effort", json!("low"), "Unrecognized request argument supplied: reasoning_effort"),
        ("gpt-4o", "top_k", json!(5), "Unrecognized request argument supplied: top_k"),
        ("gpt-4o", "temperature", json!(2.5), "decimal above maximum value"),
        ("gpt-4o", "tools", json!([]), "Invalid 'tools': empty array."),
        ("gpt-4o", "tools", json!([{"type": "function", "function": {"name": "a b"}}]), "does not match pattern"),
        ("gpt-4o", "tool_choice", json!("auto"), "only allowed when 'tools' are specified"),
        ("gpt-4o", "stream_options", json!({"include_usage": true}), "only allowed when 'stream' is enabled"),
        ("gpt-4o", "stop", json!(["a", "b", "c", "d", "e"]), "array too long"),
        ("gpt-4o", "messages", json!([user, call("a")]), "did not have response messages: a"),
        ("gpt-4o", "messages", json!([user, call("a"), user]), "did not have response messages: a"),
        ("gpt-4o", "messages", json!([user, result("a")]), "must be a response to a preceeding message"),
        (
            "gpt-4o",
            "messages",
            json!([user, call(&long), result(&long)]),
            "maximum length 40, but got a string with length 41",
        ),
        ("gpt-4o", "messages", json!([{"role": "human", "content": "x"}]), "Invalid value: 'human'."),
        ("gpt-4o", "messages", json!([{"role": "user", "content": [{"type": "image"}]}]), "Invalid value: 'image'."),
        ("gpt-4o", "messages", json!([{"role": "user", "content": null}]), "expected a string, got null"),
        ("gpt-4o", "response_format", json!({"type": "json_object"}), "must contain the word 'json'"),
    ] {
        let mut body = json!({"model": model, "messages": [user]});
        body[field] = value;
        let answered = ask(&simulator, "", &body);
        assert_eq!(answered.status(), 400, "{field}: {}", answered.text());
        assert!(answered.text().contains(words), "{field}: {}", answered.text());
        body["model"] = json!("llama-3.3-70b");
        assert_eq!(ask(&simulator, "", &body).status(), 200, "{field}");
    }
}

#[test]
fn who_asks_by_the_providers_own_name_is_refused_what_others_have_left() {
    let body =
        json!({"model": "gpt-4o", "messages": [{"role": "assistant", "content": "x", "reasoning_content": "y"}]});
    let simulator = start();
    let named = chat("", &body).replace("host: sim", "host: api.openai.com");
    let refused = parse(&exchange(&simulator, &named).0);
    assert_eq!((refused.status(), &refused.json()["error"]["param"]), (400, &json!("messages[0].reasoning_content")));
    assert_eq!(ask(&simulator, "", &body).status(), 200);
}
