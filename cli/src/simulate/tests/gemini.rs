//! The Gemini API from outside.

use super::*;

const NEW: &str = "gemini-3.6-flash";
const OLD: &str = "gemini-2.5-flash";

fn send(path: &str, headers: &str, body: &Value) -> Answered {
    let (bytes, error) = exchange(&start(), &request("POST", path, headers, &body.to_string()));
    assert_eq!(error, None);
    parse(&bytes)
}

fn generate(model: &str, body: &Value) -> Answered {
    send(&format!("/v1beta/models/{model}:generateContent"), "x-goog-api-key: k\r\n", body)
}

fn stream(query: &str, faults: &str, body: &Value) -> Answered {
    let headers = format!("x-goog-api-key: k\r\nx-simulate: {faults}\r\n");
    send(&format!("/v1beta/models/{NEW}:streamGenerateContent{query}"), &headers, body)
}

fn hello() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]})
}

fn with(field: &str, value: Value) -> Value {
    let mut body = hello();
    body[field] = value;
    body
}

fn refusal(model: &str, body: &Value) -> String {
    let answered = generate(model, body);
    let error = answered.json()["error"].take();
    assert_eq!((answered.status(), &error["status"]), (400, &json!("INVALID_ARGUMENT")), "{error}");
    error["message"].as_str().unwrap().to_owned()
}

fn events(answered: &Answered) -> Vec<Value> {
    let data = answered.text().split_terminator("\r\n\r\n").map(|event| event.strip_prefix("data: ").unwrap());
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn said(events: &[Value]) -> String {
    let parts = events.iter().flat_map(|event| event["candidates"][0]["content"]["parts"].as_array().unwrap());
    parts.filter(|part| part.get("thought").is_none()).filter_map(|part| part["text"].as_str()).collect()
}

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!([{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": schema}, {"name": "now"}]}])
}

#[test]
fn a_whole_answer_is_indented_and_counts_its_thoughts_apart() {
    let answered = generate(OLD, &hello());
    assert_eq!(answered.header("content-type"), Some("application/json; charset=UTF-8"));
    assert!(answered.text().starts_with("{\n  \"candidates\": [\n    {\n      \"content\": {\n        \"parts\": [\n"));
    let body = answered.json();
    let candidate = &body["candidates"][0];
    assert_eq!(candidate["content"]["parts"][0]["text"], format!("This is {OLD}, simulated. You said: hello"));
    assert_eq!((&candidate["content"]["role"], &candidate["finishReason"]), (&json!("model"), &json!("STOP")));
    let usage = &body["usageMetadata"];
    let counts = ["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"];
    assert_eq!(counts.map(|count| usage[count].as_u64().unwrap()), [5, 7, 64, 76]);
}

#[test]
fn a_stream_is_events_or_an_array_of_the_same() {
    let body = with("generationConfig", json!({"thinkingConfig": {"includeThoughts": true}}));
    let sse = stream("?alt=sse", "", &body);
    assert_eq!(sse.header("content-type"), Some("text/event-stream"));
    let events = events(&sse);
    let array = stream("", "", &body);
    assert_eq!(array.header("content-type"), Some("application/json; charset=UTF-8"));
    assert_eq!(array.header("content-length"), None);
    let elements: Vec<Value> = serde_json::from_slice(&array.body).unwrap();
    for events in [&events, &elements] {
        assert_eq!(said(events), format!("This is {NEW}, simulated. You said: hello"));
        assert_eq!(events[0]["candidates"][0]["content"]["parts"][0]["thought"], true);
        let last = &events[events.len() - 1];
        assert_eq!(
            (&last["candidates"][0]["finishReason"], &last["usageMetadata"]["totalTokenCount"]),
            (&json!("STOP"), &json!(76))
        );
        assert!(events[..events.len() - 1].iter().all(|event| event["candidates"][0].get("finishReason").is_none()));
    }
}

#[test]
fn calls_go_two_turns_with_the_signature_that_the_first_of_them_has() {
    let user = json!({"role": "user", "parts": [{"text": "parallel weather"}]});
    let turn = generate(NEW, &json!({"contents": [user], "tools": tools()})).json()["candidates"][0].take();
    let parts = &turn["content"]["parts"];
    assert_eq!(
        (&parts[0]["functionCall"]["name"], &parts[0]["functionCall"]["args"]),
        (&json!("weather"), &json!({"city": "city"}))
    );
    assert!(parts[0]["thoughtSignature"].is_string() && parts[1].get("thoughtSignature").is_none());
    assert!(parts[1]["functionCall"]["id"].is_string());

    let result = |name: &str| json!({"functionResponse": {"name": name, "response": {"result": "sunny"}}});
    let results = json!([result("weather"), result("now")]);
    let continued = |parts: &Value, results: &Value| json!({"tools": tools(), "contents": [user, {"role": "model", "parts": parts}, {"role": "user", "parts": results}]});
    let answered = generate(NEW, &continued(parts, &results)).json();
    let text = answered["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap();
    assert_eq!(text.matches("The tool answered: sunny").count(), 2);

    let signed = |signature: Value| {
        let mut parts = parts.clone();
        parts[0]["thoughtSignature"] = signature;
        parts
    };
    let mut unsigned = parts.clone();
    unsigned[0].as_object_mut().unwrap().remove("thoughtSignature");
    let missing = refusal(NEW, &continued(&unsigned, &results));
    assert!(missing.contains("missing a thought_signature") && missing.contains("`default_api:weather` , position 2"));
    assert_eq!(generate(OLD, &continued(&unsigned, &results)).status(), 200);
    let excused = signed(json!("skip_thought_signature_validator"));
    assert_eq!(generate(NEW, &continued(&excused, &results)).status(), 200);
    assert_eq!(refusal(OLD, &continued(&signed(json!("AAAA")), &results)), "Thought signature is not valid.");
    assert!(refusal(NEW, &continued(parts, &json!([result("weather")]))).contains("number of function response parts"));
    let unasked = json!({"contents": [user, {"role": "user", "parts": [result("weather")]}]});
    assert!(refusal(NEW, &unasked).contains("function response turn comes immediately after a function call turn"));

    // Once the user has spoken again, the turn is over.
    let mut past = continued(&unsigned, &results);
    let more = [json!({"role": "model", "parts": [{"text": "It is."}]}), user.clone()];
    past["contents"].as_array_mut().unwrap().extend(more);
    assert_eq!(generate(NEW, &past).status(), 200);
}

#[test]
fn what_the_api_does_not_take_is_refused_in_its_words() {
    let unknown = generate(NEW, &with("stream", json!(true))).json()["error"].take();
    assert_eq!(unknown["message"], "Invalid JSON payload received. Unknown name \"stream\": Cannot find field.");
    assert_eq!(unknown["details"][0]["fieldViolations"][0], json!({"description": unknown["message"]}));
    let config = |config: Value| with("generationConfig", config);
    let calling = |config: Value| {
        let mut body = with("toolConfig", json!({"functionCallingConfig": config}));
        body["tools"] = tools();
        body
    };
    let said = |content: Value| json!({"contents": [content]});
    let cases = [
        (said(json!({"role": "assistant", "parts": [{"text": "x"}]})), "Please use a valid role: user, model."),
        (said(json!({"role": "user", "parts": []})), "* GenerateContentRequest.contents[0].parts: contents.parts must"),
        (json!({"contents": []}), "* GenerateContentRequest.contents: contents is not specified"),
        (config(json!({"temperature": 2.5})), "* GenerateContentRequest.generation_config.temperature"),
        (config(json!({"responseJsonSchema": {}})), "* GenerateContentRequest.generation_config.response_schema"),
        (config(json!({"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}})), "You can only set only one"),
        (calling(json!({"mode": "REQUIRED"})), "Invalid value at 'tool_config.function_calling_config.mode'"),
        (
            calling(json!({"mode": "AUTO", "allowedFunctionNames": ["now"]})),
            "Allowed function names should only be set",
        ),
        (calling(json!({"mode": "ANY", "allowedFunctionNames": ["other"]})), "Allowed function name other is not"),
    ];
    for (body, expected) in cases {
        let message = refusal(NEW, &body);
        assert!(message.starts_with(expected), "{message} instead of {expected}");
    }
    let mut both = config(json!({"responseMimeType": "application/json"}));
    both["tools"] = tools();
    assert!(refusal(OLD, &both).contains("response mime type: 'application/json' is unsupported"));
    assert_eq!(generate(NEW, &both).status(), 200);
}

#[test]
fn schemas_are_satisfied_and_files_told_apart() {
    let schema = json!({"type": "OBJECT", "properties": {"ok": {"type": "BOOLEAN"}}});
    let structured =
        with("generationConfig", json!({"responseMimeType": "application/json", "responseSchema": schema}));
    assert_eq!(generate(NEW, &structured).json()["candidates"][0]["content"]["parts"][0]["text"], "{\"ok\":true}");
    let file = |media: &str| json!({"inline_data": {"mime_type": media, "data": "AAAA"}});
    let parts = json!([{"text": "look"}, file("image/png"), file("application/pdf")]);
    let text =
        generate(NEW, &json!({"contents": {"parts": parts}})).json()["candidates"][0]["content"]["parts"][0]["text"]
            .take();
    let expected = "You said: look I see 1 image: image/png (4 base64 characters). I read 1 file: application/pdf";
    assert!(text.as_str().unwrap().contains(expected), "{text}");
}

#[test]
fn a_key_is_wanted_in_the_header_or_the_query() {
    let path = format!("/v1beta/models/{NEW}:generateContent");
    let status = |path: &str, headers: &str| send(path, headers, &hello()).status();
    assert_eq!(status(&path, "authorization: Bearer k\r\n"), 403);
    assert_eq!(status(&format!("{path}?key=k"), ""), 200);
    let simulator = Simulator::start(Options { require_key: Some("right".into()), ..Options::default() }).unwrap();
    let wrong = request("POST", &path, "x-goog-api-key: wrong\r\n", &hello().to_string());
    let error = parse(&exchange(&simulator, &wrong).0).json()["error"].take();
    assert_eq!((&error["code"], &error["details"][0]["reason"]), (&json!(400), &json!("API_KEY_INVALID")));
}

#[test]
fn errors_say_how_long_to_wait_and_are_framed_as_the_stream_is() {
    let error = stream("?alt=sse", "status=429; retry-after=7", &hello()).json()["error"].take();
    assert_eq!((&error["status"], &error["details"][1]["retryDelay"]), (&json!("RESOURCE_EXHAUSTED"), &json!("7s")));
    assert_eq!(stream("?alt=sse", "status=429", &hello()).json()["error"]["details"][1]["retryDelay"], "34.074s");
    assert_eq!(stream("", "status=503", &hello()).json()[0]["error"]["status"], "UNAVAILABLE");
    let late = events(&stream("?alt=sse", "error-after=3", &hello()));
    assert_eq!((late.len(), &late[3]["error"]["code"]), (4, &json!(503)));
    let late = stream("", "error-after=3", &hello()).json();
    assert_eq!((late.as_array().unwrap().len(), &late[3]["error"]["code"]), (4, &json!(503)));
    assert_eq!(stream("", "error-event", &hello()).json()[0]["error"]["code"], 503);
    assert!(serde_json::from_slice::<Value>(&stream("", "malformed-after=2", &hello()).body).is_err());
    assert!(serde_json::from_slice::<Value>(&stream("", "comments", &hello()).body).is_ok());
    assert!(!stream("?alt=sse", "no-end", &hello()).text().contains("finishReason"));
}

#[test]
fn a_blocked_prompt_is_an_answer_without_candidates() {
    let blocked = events(&stream("?alt=sse", "content-policy", &hello()));
    assert_eq!((blocked.len(), &blocked[0]["promptFeedback"]["blockReason"]), (1, &json!("PROHIBITED_CONTENT")));
    assert_eq!(blocked[0].get("candidates"), None);
    let filtered = events(&stream("?alt=sse", "content-filter", &hello()));
    assert_eq!(filtered[filtered.len() - 1]["candidates"][0]["finishReason"], "SAFETY");
}

#[test]
fn a_call_that_the_model_got_wrong_is_a_reason_to_end() {
    let failed = events(&stream("?alt=sse", "malformed-call", &hello()));
    let candidate = &failed[failed.len() - 1]["candidates"][0];
    assert_eq!(candidate["finishReason"], "MALFORMED_FUNCTION_CALL");
    assert_eq!(candidate["finishMessage"], "Malformed function call: print(default_api.");
    assert!(!failed.iter().any(|event| event.to_string().contains("functionCall\"")));
}

#[test]
fn tokens_are_counted_and_models_listed() {
    let count = |body: &Value| send(&format!("/v1beta/models/{NEW}:countTokens"), "x-goog-api-key: k\r\n", body).json();
    assert_eq!(count(&hello())["totalTokens"], 5);
    assert_eq!(count(&json!({"generateContentRequest": hello()}))["totalTokens"], 5);
    let get = |path: &str| parse(&exchange(&start(), &request("GET", path, "x-goog-api-key: k\r\n", "")).0);
    assert_eq!(get("/v1beta/models").json()["models"][0]["name"], format!("models/{NEW}"));
    assert_eq!(get("/v1/models/gemini-2.5-flash").json()["displayName"], "Gemini 2.5 Flash");
    assert_eq!(get("/v1beta/models/none").json()["error"]["status"], "NOT_FOUND");
}
