//! The chat of Ollama from outside.

use super::*;

fn ask(faults: &str, body: &Value) -> Answered {
    let headers = format!("x-simulate: {faults}\r\n");
    let (bytes, error) = exchange(&start(), &request("POST", "/api/chat", &headers, &body.to_string()));
    assert_eq!(error, None);
    parse(&bytes)
}

fn hello(stream: bool) -> Value {
    json!({"model": "llama3.2", "stream": stream, "messages": [{"role": "user", "content": "hello"}]})
}

fn with(field: &str, value: Value) -> Value {
    let mut body = hello(false);
    body[field] = value;
    body
}

fn lines(answered: &Answered) -> Vec<Value> {
    answered.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_stream_is_the_default_and_a_line_a_token_with_the_counts_last() {
    let mut body = hello(true);
    body.as_object_mut().unwrap().remove("stream");
    body["think"] = json!("high");
    let answered = ask("", &body);
    assert_eq!(answered.header("content-type"), Some("application/x-ndjson"));
    assert!(answered.text().starts_with("{\"model\":\"llama3.2\",\"created_at\":\"2026-01-01T00:00:00."));
    let lines = lines(&answered);
    let of = |field: &str| lines.iter().filter_map(|line| line["message"][field].as_str()).collect::<String>();
    assert_eq!(of("content"), "This is llama3.2, simulated. You said: hello");
    assert!(of("thinking").starts_with("The user said: hello"));
    let (last, before) = lines.split_last().unwrap();
    assert!(before.iter().all(|line| line["done"] == false && line.get("eval_count").is_none()));
    assert_eq!(
        (&last["done_reason"], &last["prompt_eval_count"], &last["eval_count"]),
        (&json!("stop"), &json!(5), &json!(71))
    );
}

#[test]
fn a_tool_round_trip_has_arguments_as_an_object() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let mut body = with("tools", json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}]));
    let message = ask("", &body).json()["message"].take();
    assert_eq!(
        message["tool_calls"][0]["function"],
        json!({"index": 0, "name": "weather", "arguments": {"city": "city"}})
    );
    let turn = [message, json!({"role": "tool", "tool_name": "weather", "content": "sunny"})];
    body["messages"].as_array_mut().unwrap().extend(turn);
    assert_eq!(ask("", &body).json()["message"]["content"], "This is llama3.2, simulated. The tool answered: sunny");
    body["messages"][1]["tool_calls"][0]["function"]["arguments"] = json!("{}");
    let error = ask("", &body).json()["error"].take();
    assert!(
        error
            .as_str()
            .unwrap()
            .starts_with("json: cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls")
    );
}

#[test]
fn options_formats_and_images_must_be_of_their_type() {
    let says = |content: Value| with("messages", json!([{"role": "user", "content": "x", "images": [content]}]));
    let parts = with("messages", json!([{"role": "user", "content": [{"type": "text", "text": "x"}]}]));
    for (body, expected) in [
        (parts, "json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string"),
        (says(json!("data:image/png;base64,AAAA")), "illegal base64 data at input byte 4"),
        (with("options", json!({"temperature": "hot"})), "option \"temperature\" must be of type float32"),
        (with("options", json!({"stop": "x"})), "option \"stop\" must be of type array"),
        (with("format", json!("xml")), "invalid format: \"xml\""),
        (with("think", json!("minimal")), "invalid think value: \"minimal\""),
        (with("model", json!("")), "model is required"),
    ] {
        let answered = ask("", &body);
        let error = answered.json()["error"].take();
        assert!(answered.status() == 400 && error.as_str().unwrap().starts_with(expected), "{error}");
    }
    let image = ask("", &says(json!("AAAA"))).json();
    assert!(image["message"]["content"].as_str().unwrap().ends_with("I see 1 image: 4 base64 characters."));
    let limited = ask("", &with("options", json!({"num_predict": 2, "unknown": 1}))).json();
    assert_eq!((&limited["message"]["content"], &limited["done_reason"]), (&json!("This is"), &json!("length")));
    let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}});
    assert_eq!(ask("", &with("format", schema)).json()["message"]["content"], "{\"ok\":true}");
}

#[test]
fn errors_are_one_field_also_as_the_last_line() {
    let answered = ask("status=404", &hello(true));
    assert_eq!((answered.status(), answered.json()), (404, json!({"error": "model 'simulated' not found"})));
    let late = lines(&ask("error-after=2", &hello(true)));
    assert!(late.len() == 3 && late[2]["error"].is_string());
    let torn = ask("malformed-after=1", &hello(true));
    let fine: Vec<bool> = torn.text().lines().map(|line| serde_json::from_str::<Value>(line).is_ok()).take(3).collect();
    assert_eq!(fine, [true, false, true]);
    assert_eq!(lines(&ask("no-end", &hello(true))).iter().filter(|line| line["done"] == true).count(), 0);
}

#[test]
fn models_are_listed() {
    let (bytes, _) = exchange(&start(), &request("GET", "/api/tags", "", ""));
    assert_eq!(parse(&bytes).json()["models"][0]["name"], "llama3.2:latest");
}
