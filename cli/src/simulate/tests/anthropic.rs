//! The Messages API from outside.

use super::*;

const HAIKU: &str = "claude-haiku-4-5-20251001";
const HEADERS: &str = "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n";

fn ask(headers: &str, body: &Value) -> Answered {
    let (bytes, error) = exchange(&start(), &request("POST", "/v1/messages", headers, &body.to_string()));
    assert_eq!(error, None);
    parse(&bytes)
}

fn asking(messages: &Value) -> Value {
    json!({"model": HAIKU, "max_tokens": 2000, "messages": messages})
}

fn hello() -> Value {
    asking(&json!([{"role": "user", "content": "hello"}]))
}

fn with(field: &str, value: Value) -> Value {
    let mut body = hello();
    body[field] = value;
    body
}

/// The message of a 400.
fn refusal(body: &Value) -> String {
    let answered = ask(HEADERS, body);
    let error = answered.json();
    assert_eq!((answered.status(), &error["error"]["type"]), (400, &json!("invalid_request_error")), "{error}");
    error["error"]["message"].as_str().unwrap().to_owned()
}

/// Names and data of the events.
fn events(answered: &Answered) -> Vec<(String, Value)> {
    let event = |event: &str| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        (name.to_owned(), serde_json::from_str(data).unwrap())
    };
    answered.text().split_terminator("\n\n").map(event).collect()
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!([
        {"name": "weather", "input_schema": schema},
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
    ])
}

#[test]
fn a_whole_message_has_the_fields_and_the_order_of_the_api() {
    let answered = ask(HEADERS, &hello());
    assert_eq!(answered.header("content-type"), Some("application/json"));
    assert_eq!(answered.header("anthropic-ratelimit-requests-reset"), Some("2026-01-01T00:00:00Z"));
    assert!(answered.header("request-id").unwrap().starts_with("req_011C"));
    let id = answered.json()["id"].as_str().unwrap().to_owned();
    let expected = "{\"model\":\"claude-haiku-4-5-20251001\",\"id\":\"ID\",\"type\":\"message\",\
                    \"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"This is \
                    claude-haiku-4-5-20251001, simulated. You said: hello\"}],\"stop_reason\":\"end_turn\",\
                    \"stop_sequence\":null,\"stop_details\":null,\"usage\":{\"input_tokens\":5,\
                    \"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"cache_creation\":\
                    {\"ephemeral_5m_input_tokens\":0,\"ephemeral_1h_input_tokens\":0},\"output_tokens\":7,\
                    \"output_tokens_details\":{\"thinking_tokens\":0},\"service_tier\":\"standard\",\
                    \"inference_geo\":\"not_available\"}}";
    assert_eq!(answered.text(), expected.replace("ID", &id));
}

#[test]
fn a_stream_opens_and_closes_every_block_and_pings() {
    let answered = ask(HEADERS, &with("stream", json!(true)));
    let events = events(&answered);
    let names: Vec<&str> = events.iter().map(|event| event.0.as_str()).collect();
    assert_eq!(names[..4], ["message_start", "content_block_start", "ping", "content_block_delta"]);
    assert_eq!(names[names.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    assert!(events.iter().all(|(name, data)| data["type"] == *name));
    assert_eq!(events[0].1["message"]["usage"]["output_tokens"], 1);
    let text: String = events.iter().filter_map(|event| event.1["delta"]["text"].as_str()).collect();
    assert_eq!(text, format!("This is {HAIKU}, simulated. You said: hello"));
    let end = &events[events.len() - 2].1;
    assert_eq!((&end["delta"]["stop_reason"], &end["usage"]["output_tokens"]), (&json!("end_turn"), &json!(7)));
    assert!(answered.text().contains(" }\n\n"), "no event is padded");
}

#[test]
fn thinking_and_tools_go_two_turns_and_only_with_what_was_issued() {
    let mut body = asking(&json!([{"role": "user", "content": "parallel weather"}]));
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    body["tools"] = tools();
    let turn = ask(HEADERS, &body).json();
    let blocks = turn["content"].clone();
    let types: Vec<&Value> = blocks.as_array().unwrap().iter().map(|block| &block["type"]).collect();
    assert_eq!(types, ["thinking", "tool_use", "tool_use"]);
    assert_eq!((&turn["stop_reason"], &blocks[1]["input"]), (&json!("tool_use"), &json!({"city": "city"})));

    body["stream"] = json!(true);
    let streamed = events(&ask(HEADERS, &body));
    let deltas = |name: &str| {
        let deltas = streamed.iter().filter_map(|event| event.1["delta"][name].as_str());
        deltas.collect::<String>()
    };
    assert_eq!(
        (deltas("thinking"), deltas("partial_json")),
        (blocks[0]["thinking"].as_str().unwrap().to_owned(), "{\"city\":\"city\"}".into())
    );
    assert!(deltas("signature").len() > 100);

    body["stream"] = json!(false);
    let result = |id: &Value| json!({"type": "tool_result", "tool_use_id": id, "content": "sunny"});
    let results = json!([result(&blocks[1]["id"]), result(&blocks[2]["id"])]);
    let mut continued = |blocks: &Value, results: &Value| {
        body["messages"] = json!([
            {"role": "user", "content": "parallel weather"},
            {"role": "assistant", "content": blocks},
            {"role": "user", "content": results},
        ]);
        ask(HEADERS, &body)
    };
    let answered = continued(&blocks, &results);
    assert_eq!(answered.json()["content"][1]["text"].as_str().unwrap().matches("The tool answered: sunny").count(), 2);

    let mut changed = blocks.clone();
    changed[0]["thinking"] = json!("Something else.");
    let mut without = blocks.clone();
    without.as_array_mut().unwrap().remove(0);
    let late = json!([{"type": "text", "text": "so"}, result(&blocks[1]["id"]), result(&blocks[2]["id"])]);
    let cases = [
        (&changed, &results, "messages.1.content.0: Invalid `signature` in `thinking` block"),
        (
            &without,
            &results,
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`",
        ),
        (&blocks, &json!([result(&blocks[1]["id"])]), "messages.1: `tool_use` ids were found without `tool_result`"),
        (&blocks, &late, "messages.1: `tool_use` ids were found without `tool_result`"),
        (&json!("fine"), &results, "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks"),
    ];
    for (blocks, results, expected) in cases {
        let answered = continued(blocks, results);
        let message = answered.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(answered.status() == 400 && message.starts_with(expected), "{message}");
    }
}

#[test]
fn what_the_api_does_not_take_is_refused_in_its_words() {
    let schema = json!({"type": "json_schema", "schema": {"type": "object", "properties": {}}});
    let cases = [
        (with("response_format", json!({})), "response_format: Extra inputs are not permitted"),
        (with("mcp_servers", json!([])), "mcp_servers: Extra inputs are not permitted"),
        (with("temperature", json!(1.5)), "temperature: Input should be less than or equal to 1"),
        (with("max_tokens", json!(0)), "max_tokens: Input should be greater than or equal to 1"),
        (with("stop_sequences", json!(["\n"])), "stop_sequences: each stop sequence must contain non-whitespace"),
        (with("metadata", json!({"user": "u"})), "metadata.user: Extra inputs are not permitted"),
        (with("tool_choice", json!({"type": "auto"})), "`tool_choice` may only be specified while providing `tools`."),
        (
            with("thinking", json!({"type": "enabled", "budget_tokens": 2000})),
            "`max_tokens` must be greater than `thinking.budget_tokens`",
        ),
        (with("thinking", json!({"type": "adaptive"})), "adaptive thinking is not supported on this model"),
        (
            with("output_config", json!({"format": schema})),
            "output_config.format.schema: For 'object' type, 'additionalProperties'",
        ),
        (asking(&json!([])), "messages: at least one message is required"),
        (asking(&json!([{"role": "assistant", "content": "x"}])), "messages: first message must use the \"user\" role"),
        (asking(&json!([{"role": "system", "content": "x"}])), "messages: Unexpected role \"system\""),
        (asking(&json!([{"role": "user", "content": ""}])), "messages.0: user messages must have non-empty content"),
        (
            asking(&json!([{"role": "user", "content": [{"type": "image_url"}]}])),
            "messages.0.content.0: Input tag 'image_url'",
        ),
        (
            asking(
                &json!([{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "scope": "g"}}]}]),
            ),
            "messages.0.content.0.text.cache_control.ephemeral.scope: Extra inputs are not permitted",
        ),
    ];
    for (body, expected) in cases {
        let message = refusal(&body);
        assert!(message.starts_with(expected), "{message} instead of {expected}");
    }
    let mut missing = hello();
    missing.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(refusal(&missing), "max_tokens: Field required");
    let mut forced = with("tools", tools());
    forced["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    forced["tool_choice"] = json!({"type": "any"});
    assert_eq!(refusal(&forced), "Thinking may not be enabled when tool_choice forces tool use.");
}

#[test]
fn the_generation_of_the_model_decides_what_it_takes() {
    let of = |model: &str, field: &str, value: Value| {
        let mut body = with(field, value);
        body["model"] = json!(model);
        body
    };
    assert_eq!(refusal(&of("claude-opus-4-8", "temperature", json!(1))), "`temperature` is deprecated for this model.");
    let budget = json!({"type": "enabled", "budget_tokens": 1024});
    assert!(
        refusal(&of("claude-opus-4-7", "thinking", budget)).starts_with("\"thinking.type.enabled\" is not supported")
    );
    let prefill = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]);
    assert!(refusal(&of("claude-sonnet-4-6", "messages", prefill.clone())).contains("assistant message prefill"));
    assert_eq!(ask(HEADERS, &of(HAIKU, "messages", prefill)).status(), 200);
    let adaptive = ask(HEADERS, &of("claude-opus-4-8", "thinking", json!({"type": "adaptive"}))).json();
    assert_eq!((&adaptive["content"][0]["thinking"], &adaptive["content"][1]["type"]), (&json!(""), &json!("text")));
}

#[test]
fn versions_and_keys_are_wanted_and_the_newest_version_has_no_sampling() {
    let newest = "authorization: Bearer k\r\nanthropic-version: 2026-10-21\r\n";
    assert_eq!(ask(newest, &hello()).status(), 200);
    let cold = with("temperature", json!(1));
    assert_eq!(ask(HEADERS, &cold).status(), 200);
    assert_eq!(ask(newest, &cold).json()["error"]["message"], "temperature: Extra inputs are not permitted");
    let answered = ask("anthropic-version: 2023-06-01\r\n", &hello());
    assert_eq!((answered.status(), &answered.json()["error"]["type"]), (401, &json!("authentication_error")));
    assert_eq!(ask("x-api-key: k\r\n", &hello()).json()["error"]["message"], "anthropic-version: header is required");
}

#[test]
fn a_cached_prefix_is_written_first_and_read_in_the_next_turn() {
    let block = json!({"type": "text", "text": "x".repeat(400), "cache_control": {"type": "ephemeral"}});
    let mut body = with("system", json!([block]));
    let usage = ask(HEADERS, &body).json()["usage"].take();
    assert_eq!((&usage["cache_creation_input_tokens"], &usage["input_tokens"]), (&json!(100), &json!(5)));
    let turn = [json!({"role": "assistant", "content": "a"}), json!({"role": "user", "content": "b"})];
    body["messages"].as_array_mut().unwrap().extend(turn);
    let usage = ask(HEADERS, &body).json()["usage"].take();
    assert_eq!((&usage["cache_read_input_tokens"], &usage["cache_creation_input_tokens"]), (&json!(100), &json!(0)));
}

#[test]
fn errors_have_the_types_and_statuses_of_the_api_also_in_streams() {
    let fail =
        |faults: &str, stream: bool| ask(&format!("{HEADERS}x-simulate: {faults}\r\n"), &with("stream", json!(stream)));
    for (faults, status, kind) in [
        ("status=529", 529, "overloaded_error"),
        ("status=500", 500, "api_error"),
        ("status=429", 429, "rate_limit_error"),
        ("quota", 400, "invalid_request_error"),
        ("context-length", 400, "invalid_request_error"),
    ] {
        let answered = fail(faults, true);
        let error = answered.json();
        assert_eq!((answered.status(), &error["error"]["type"]), (status, &json!(kind)), "{faults}");
        assert_eq!(answered.header("request-id"), error["request_id"].as_str());
    }
    let late = events(&fail("error-after=4", true));
    assert_eq!((late.len(), late[4].0.as_str()), (5, "error"));
    assert_eq!(late[4].1["error"], json!({"type": "overloaded_error", "message": "Overloaded"}));
    let refused = fail("refusal", false).json();
    assert_eq!((&refused["stop_reason"], &refused["stop_details"]["type"]), (&json!("refusal"), &json!("refusal")));
    let torn = fail("malformed-after=3", true);
    let data: Vec<&str> =
        torn.text().split("\n\n").filter_map(|event| event.split_once("data: ")).map(|event| event.1).collect();
    assert!(serde_json::from_str::<Value>(data[3]).is_err() && serde_json::from_str::<Value>(data[4]).is_ok());
}

#[test]
fn tokens_are_counted_and_models_listed() {
    let simulator = start();
    let send =
        |method: &str, path: &str, body: &str| parse(&exchange(&simulator, &request(method, path, HEADERS, body)).0);
    let mut body = hello();
    assert_eq!(send("POST", "/v1/messages/count_tokens", &body.to_string()).status(), 400);
    body.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(send("POST", "/v1/messages/count_tokens", &body.to_string()).json(), json!({"input_tokens": 5}));
    assert_eq!(send("GET", "/v1/models", "").json()["data"][0]["type"], "model");
    assert_eq!(send("GET", &format!("/v1/models/{HAIKU}"), "").json()["display_name"], "Claude Haiku 4.5");
    assert_eq!(send("GET", "/v1/models/none", "").json()["error"]["type"], "not_found_error");
    assert_eq!(send("GET", "/v1/messages", "").status(), 405);
}

#[test]
fn a_thread_goes_on_with_its_new_messages_alone() {
    let simulator = start();
    let headers = format!("{HEADERS}anthropic-beta: message-threads-2026-08-12\r\n");
    let ask = |body: &Value| {
        parse(&exchange(&simulator, &request("POST", "/v1/messages?beta=true", &headers, &body.to_string())).0)
    };
    for stream in [false, true] {
        let mut first = with("tools", tools());
        first["thread"] = json!({"type": "create"});
        first["stream"] = json!(stream);
        let answered = ask(&first);
        let (message, call) = if stream {
            let events = events(&answered);
            let call =
                events.iter().find(|(name, _)| name == "content_block_start").unwrap().1["content_block"].clone();
            (events[0].1["message"]["id"].clone(), call["id"].clone())
        } else {
            (answered.json()["id"].clone(), answered.json()["content"][0]["id"].clone())
        };
        let result = json!([{"type": "tool_result", "tool_use_id": call, "content": "sunny"}]);
        let mut second = asking(&json!([{"role": "user", "content": result}]));
        second["thread"] = json!({"type": "continue", "previous_message_id": message});
        assert!(ask(&second).text().contains("The tool answered: sunny"), "{}", ask(&second).text());
        second["thread"]["previous_message_id"] = json!("msg_01gone");
        let lost = ask(&second);
        assert_eq!((lost.status(), &lost.json()["error"]["details"]["error_code"]), (404, &json!("thread_not_found")));
    }
    let mut unknown = hello();
    unknown["thread"] = json!({"type": "create"});
    assert!(refusal(&unknown).contains("thread: Extra inputs are not permitted"));
}
