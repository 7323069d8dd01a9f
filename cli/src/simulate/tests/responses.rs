//! The Responses API from outside.

use super::*;

fn post(simulator: &Simulator, path: &str, body: &Value) -> Answered {
    let (bytes, error) = exchange(simulator, &request("POST", path, "", &body.to_string()));
    assert_eq!(error, None);
    parse(&bytes)
}

fn create(simulator: &Simulator, body: &Value) -> Value {
    let answered = post(simulator, "/v1/responses", body);
    assert_eq!(answered.status(), 200, "{}", answered.text());
    answered.json()
}

fn refused(simulator: &Simulator, body: &Value) -> Value {
    let answered = post(simulator, "/v1/responses", body);
    assert_eq!(answered.status(), 400, "{}", answered.text());
    answered.json()["error"].clone()
}

fn by(simulator: &Simulator, method: &str, path: &str) -> Answered {
    parse(&exchange(simulator, &request(method, path, "", "")).0)
}

fn weather() -> Value {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris"]}}});
    json!([{"type": "function", "name": "weather", "parameters": parameters}])
}

fn thinking(input: &Value) -> Value {
    json!({
        "model": "gpt-5-mini", "input": input, "tools": weather(), "store": false,
        "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "high", "summary": "auto"},
    })
}

/// The events of a stream, each with the type that its frame names.
fn framed(answered: &Answered) -> Vec<Value> {
    let frames = answered.text().split_terminator("\n\n").map(|frame| {
        let (kind, data) = frame.strip_prefix("event: ").and_then(|frame| frame.split_once("\ndata: ")).unwrap();
        let event: Value = serde_json::from_str(data).unwrap();
        assert_eq!(event["type"], kind);
        event
    });
    frames.collect()
}

#[test]
fn a_response_repeats_its_request_in_the_providers_order() {
    let answered = post(&start(), "/v1/responses", &json!({"model": "gpt-4o", "input": "hello"}));
    let text = answered.text();
    let at = |field: &str| text.find(&format!("\n  \"{field}\"")).unwrap_or_else(|| panic!("no {field}"));
    let order = ["id", "object", "created_at", "status", "background", "model", "output", "usage", "user", "metadata"];
    assert!(order.map(at).is_sorted(), "{text}");
    let response = answered.json();
    assert_eq!(response["output"][0]["content"][0]["text"], "This is gpt-4o, simulated. You said: hello");
    assert_eq!((&response["store"], &response["status"]), (&json!(true), &json!("completed")));
    assert_eq!(response["usage"]["total_tokens"], 12);
}

#[test]
fn a_stream_opens_grows_and_closes_every_item_and_ends_in_the_whole() {
    let mut body = thinking(&json!("hello"));
    body["stream"] = json!(true);
    let events = framed(&post(&start(), "/v1/responses", &body));
    let numbers: Vec<&Value> = events.iter().map(|event| &event["sequence_number"]).collect();
    assert!(numbers.iter().enumerate().all(|(index, number)| **number == json!(index)), "{numbers:?}");
    let mut kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.reasoning_summary_part.added",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let last = &events[events.len() - 1]["response"];
    let done: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| &event["item"])
        .collect();
    assert_eq!(done, last["output"].as_array().unwrap().iter().collect::<Vec<_>>());
    let arguments: String = events
        .iter()
        .filter(|event| event["type"] == "response.function_call_arguments.delta")
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!(last["output"][1]["arguments"], arguments);
}

#[test]
fn an_answer_that_is_cut_short_is_incomplete() {
    let body = json!({"model": "gpt-4o", "input": "a ".repeat(40), "max_output_tokens": 16, "stream": true});
    let events = framed(&post(&start(), "/v1/responses", &body));
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(last["response"]["incomplete_details"], json!({"reason": "max_output_tokens"}));
}

#[test]
fn a_call_comes_back_with_its_thought_and_its_output_or_not_at_all() {
    let simulator = start();
    let question = json!({"role": "user", "content": "weather?"});
    let output = create(&simulator, &thinking(&json!([question])))["output"].clone();
    let (thought, call) = (&output[0], &output[1]);
    let result = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"});
    let said = create(&simulator, &thinking(&json!([question, thought, call, result])));
    assert_eq!(said["output"][1]["content"][0]["text"], "This is gpt-5-mini, simulated. The tool answered: sunny");

    let message = |items: Value| refused(&simulator, &thinking(&items))["message"].as_str().unwrap().to_owned();
    assert!(message(json!([question, call, result])).contains("without its required 'reasoning' item"));
    assert!(message(json!([question, thought])).contains("without its required following item"));
    assert!(message(json!([question, thought, call])).starts_with("No tool output found for function call call_"));
    assert!(message(json!([question, result])).starts_with("No tool call found for function call output"));
    let mut forged = thought.clone();
    forged["encrypted_content"] = json!("gAAAAABforged");
    assert!(message(json!([question, forged, call, result])).contains("could not be verified"));
    // A call of which nobody knows where it was made needs no thought.
    let bare = json!({"type": "function_call", "call_id": call["call_id"], "name": "weather", "arguments": "{}"});
    create(&simulator, &thinking(&json!([question, bare, result])));
}

#[test]
fn what_is_stored_can_be_continued_listed_and_deleted() {
    let simulator = start();
    let first = create(&simulator, &json!({"model": "gpt-4o", "input": "weather?", "tools": weather()}));
    let id = first["id"].as_str().unwrap();
    let result = json!([{"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "rain"}]);
    let second = create(&simulator, &json!({"model": "gpt-4o", "previous_response_id": id, "input": result}));
    assert_eq!(second["output"][0]["content"][0]["text"], "This is gpt-4o, simulated. The tool answered: rain");
    assert_eq!(second["previous_response_id"], id);

    let path = format!("/v1/responses/{id}");
    assert_eq!(by(&simulator, "GET", &path).json(), first);
    let items = by(&simulator, "GET", &format!("/v1/responses/{}/input_items", second["id"].as_str().unwrap())).json();
    assert_eq!(
        (items["data"][0]["type"].as_str(), items["data"].as_array().unwrap().len()),
        (Some("function_call_output"), 3)
    );
    assert_eq!(by(&simulator, "DELETE", &path).json(), json!({"id": id, "object": "response", "deleted": true}));
    assert_eq!(by(&simulator, "GET", &path).status(), 404);
    let gone = refused(&simulator, &json!({"model": "gpt-4o", "previous_response_id": id, "input": "x"}));
    assert_eq!(gone["code"], "previous_response_not_found");

    let unstored = create(&simulator, &json!({"model": "gpt-4o", "input": "x", "store": false}));
    assert_eq!(by(&simulator, "GET", &format!("/v1/responses/{}", unstored["id"].as_str().unwrap())).status(), 404);
}

#[test]
fn only_what_runs_in_the_background_can_be_cancelled() {
    let simulator = start();
    let queued = create(&simulator, &json!({"model": "gpt-4o", "input": "x", "background": true}));
    assert_eq!((&queued["status"], &queued["output"]), (&json!("queued"), &json!([])));
    let path = format!("/v1/responses/{}", queued["id"].as_str().unwrap());
    assert_eq!(by(&simulator, "GET", &path).json()["status"], "completed");
    assert_eq!(by(&simulator, "POST", &format!("{path}/cancel")).json()["status"], "cancelled");
    assert_eq!(by(&simulator, "GET", &path).json()["status"], "cancelled");
    let whole = create(&simulator, &json!({"model": "gpt-4o", "input": "x"}));
    assert_eq!(
        by(&simulator, "POST", &format!("/v1/responses/{}/cancel", whole["id"].as_str().unwrap())).status(),
        400
    );
}

#[test]
fn tokens_are_counted_without_an_answer() {
    let counted = post(&start(), "/v1/responses/input_tokens", &json!({"model": "gpt-4o", "input": "hello"}));
    assert_eq!(counted.json(), json!({"object": "response.input_tokens", "input_tokens": 5}));
}

#[test]
fn what_the_provider_refuses_is_refused_in_its_words() {
    let simulator = start();
    let base = json!({"model": "gpt-4o", "input": "x"});
    for (field, value, code, param) in [
        ("messages", json!([]), json!("unsupported_parameter"), "messages"),
        ("max_tokens", json!(5), json!("unsupported_parameter"), "max_tokens"),
        ("frobnicate", json!(1), json!("unknown_parameter"), "frobnicate"),
        ("max_output_tokens", json!(5), json!("integer_below_min_value"), "max_output_tokens"),
        ("temperature", json!(-1), json!("decimal_below_min_value"), "temperature"),
        ("reasoning", json!({"effort": "low"}), json!("unsupported_parameter"), "reasoning.effort"),
        (
            "tools",
            json!([{"type": "function", "function": {"name": "f"}}]),
            json!("missing_required_parameter"),
            "tools[0].name",
        ),
        (
            "text",
            json!({"format": {"type": "json_schema", "schema": {}}}),
            json!("missing_required_parameter"),
            "text.format.name",
        ),
        (
            "input",
            json!([{"role": "user", "content": [{"type": "text", "text": "x"}]}]),
            json!("invalid_value"),
            "input[0].content[0]",
        ),
        (
            "input",
            json!([{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]),
            json!("invalid_value"),
            "input[0].content[0]",
        ),
        ("input", json!([{"role": "user", "content": "x", "name": "me"}]), json!("unknown_parameter"), "input[0].name"),
        ("input", json!(5), json!("invalid_type"), "input"),
    ] {
        let mut body = base.clone();
        body[field] = value;
        let error = refused(&simulator, &body);
        let temperature = field == "temperature" && error["code"] == "integer_below_min_value";
        assert!(error["code"] == code || temperature, "{field}: {error}");
        assert_eq!(error["param"], param, "{error}");
    }
    let error = refused(&simulator, &json!({"model": "gpt-5", "input": "x", "temperature": 0.5}));
    assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some("unsupported_parameter"), Some("temperature")));
}

#[test]
fn faults_are_those_of_every_other_api() {
    let simulator = start();
    let mut body = json!({"model": "gpt-4o-sim-error-after-3", "input": "x", "stream": true});
    let events = framed(&post(&simulator, "/v1/responses", &body));
    assert_eq!((events.len(), events[3]["error"]["type"].as_str()), (4, Some("server_error")));
    body["model"] = json!("gpt-4o-sim-status-429");
    assert_eq!(post(&simulator, "/v1/responses", &body).status(), 429);
    body["model"] = json!("gpt-4o-sim-refusal");
    let events = framed(&post(&simulator, "/v1/responses", &body));
    assert!(events.iter().any(|event| event["type"] == "response.refusal.done"));
}
