//! Recorded traffic of Gemini's native API, read where `DRAGOMAN_FIXTURES` says: each answer, whole and streamed, reaches a
//! client of OpenAI with the same meaning, read here a second time and without the dialect; each recorded chat request is
//! put to Gemini with its texts, pictures and tools in order.

#![expect(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "recordings are read by their fields' names; what is not there is null"
)]

use crate::recordings::load;
use crate::stage::{Answer, Asked, Sent, ask, gateway, pieces, post};
use serde_json::{Map, Value, json};

struct Recording {
    file: String,
    api: String,
    body: Value,
    status: u16,
    answer: String,
}

fn recordings(wanted: &[&str]) -> Vec<Recording> {
    let recordings = load::<Value>(wanted).into_iter().map(|(file, recorded)| {
        let response = &recorded["response"];
        Recording {
            file,
            api: recorded["api"].as_str().unwrap().to_owned(),
            body: recorded["request"]["body"].clone(),
            status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
            answer: response["body"].as_str().or_else(|| response["sse"].as_str()).unwrap_or_default().to_owned(),
        }
    });
    recordings.collect()
}

fn sent(request: &Value) -> Asked {
    let gateway = gateway(r#"{"providers":{"p":{"kind":"gemini","credential":{"env":"P"}}}}"#);
    ask(&gateway, post("/v1/chat/completions", &[]), &pieces(request.to_string().as_bytes(), 0))
}

fn asked(is_stream: bool) -> Sent {
    let messages = json!([{"role": "user", "content": "hi"}]);
    let options = if is_stream { json!({"include_usage": true}) } else { Value::Null };
    sent(&json!({"model": "gemini-2.5-flash", "stream": is_stream, "stream_options": options, "messages": messages}))
        .sent()
}

/// What an answer means.
#[derive(Debug, Default, PartialEq)]
struct Meaning {
    text: String,
    thought: String,
    calls: Vec<(String, Value)>,
    pictures: Vec<String>,
    signatures: Vec<String>,
    finish: String,
    /// Input, cached input, output, reasoning, all.
    usage: [u64; 5],
}

/// The events of a recorded answer: one, if it is whole.
fn events(answer: &str) -> Vec<Value> {
    if answer.trim_start().starts_with(['{', '[']) {
        return match serde_json::from_str(answer).unwrap() {
            Value::Array(events) => events,
            whole => vec![whole],
        };
    }
    answer
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn meant(events: &[Value]) -> Meaning {
    let mut meaning = Meaning::default();
    let count = |usage: &Value, name: &str| usage[name].as_u64().unwrap_or(0);
    for event in events {
        let candidate = &event["candidates"][0];
        for part in candidate["content"]["parts"].as_array().unwrap_or(&Vec::new()) {
            let text = part["text"].as_str().unwrap_or_default();
            if part["thought"] == true {
                meaning.thought.push_str(text);
            } else {
                meaning.text.push_str(text);
            }
            let call = &part["functionCall"];
            if let Some(name) = call["name"].as_str() {
                let arguments = if call["args"].is_object() { call["args"].clone() } else { json!({}) };
                meaning.calls.push((name.to_owned(), arguments));
            }
            for partial in call["partialArgs"].as_array().unwrap_or(&Vec::new()) {
                put(&mut meaning.calls.last_mut().unwrap().1, partial);
            }
            if let Some(data) = part["inlineData"]["data"].as_str() {
                meaning.pictures.push(data.to_owned());
            }
            if call["name"].is_string() || part["text"].is_string() {
                meaning.signatures.extend(part["thoughtSignature"].as_str().map(str::to_owned));
            }
        }
        let usage = &event["usageMetadata"];
        if usage["totalTokenCount"].is_u64() {
            let thoughts = count(usage, "thoughtsTokenCount");
            let output = count(usage, "candidatesTokenCount") + thoughts;
            let input = count(usage, "promptTokenCount") + count(usage, "toolUsePromptTokenCount");
            let all = count(usage, "totalTokenCount");
            meaning.usage = [input, count(usage, "cachedContentTokenCount"), output, thoughts, all];
        }
        let reason = &candidate["finishReason"];
        if !reason.is_null() {
            let has_calls = !meaning.calls.is_empty();
            let word = if has_calls { "tool_calls" } else { "stop" };
            meaning.finish = String::from(if reason == "MAX_TOKENS" { "length" } else { word });
        }
    }
    meaning
}

/// Puts a value of streamed arguments where its path says.
fn put(arguments: &mut Value, partial: &Value) {
    let path = partial["jsonPath"].as_str().unwrap().replace('[', ".[");
    let place = path.split('.').skip(1).fold(arguments, |place, step| {
        if let Some(index) = step.strip_prefix('[').and_then(|step| step.strip_suffix(']')) {
            let index: usize = index.parse().unwrap();
            if place.is_null() {
                *place = json!([]);
            }
            let items = place.as_array_mut().unwrap();
            items.resize(items.len().max(index + 1), Value::Null);
            return &mut items[index];
        }
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        place.as_object_mut().unwrap().entry(step).or_insert(Value::Null)
    });
    match &partial["stringValue"] {
        Value::String(text) => *place = json!(place.as_str().unwrap_or_default().to_owned() + text),
        _ => *place = partial["numberValue"].clone(),
    }
}

fn told_usage(usage: &Value) -> [u64; 5] {
    let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).unwrap();
    [
        count("/prompt_tokens"),
        count("/prompt_tokens_details/cached_tokens"),
        count("/completion_tokens"),
        count("/completion_tokens_details/reasoning_tokens"),
        count("/total_tokens"),
    ]
}

fn collect(message: &Value, told: &mut Meaning) {
    let text = |name: &str| message[name].as_str().unwrap_or_default();
    let signature = |holder: &Value| holder["extra_content"]["google"]["thought_signature"].as_str().map(str::to_owned);
    told.text.push_str(text("content"));
    told.thought.push_str(text("reasoning_content"));
    told.signatures.extend(signature(message));
    for image in message["images"].as_array().unwrap_or(&Vec::new()) {
        let url = image["image_url"]["url"].as_str().unwrap();
        told.pictures.push(url.split_once(',').unwrap().1.to_owned());
    }
    for call in message["tool_calls"].as_array().unwrap_or(&Vec::new()) {
        let arguments = call["function"]["arguments"].as_str().unwrap();
        if let Some(name) = call["function"]["name"].as_str() {
            assert!(!call["id"].as_str().unwrap().is_empty());
            told.calls.push((name.to_owned(), Value::String(String::new())));
        }
        let Some((_, Value::String(begun))) = told.calls.last_mut() else { panic!("arguments of no call") };
        begun.push_str(arguments);
        told.signatures.extend(signature(call));
    }
}

fn told(answer: &Answer, is_stream: bool) -> Meaning {
    let mut told = Meaning::default();
    if is_stream {
        let data = answer.text().lines().filter_map(|line| line.strip_prefix("data: "));
        let (ends, data): (Vec<_>, Vec<_>) = data.partition(|data| *data == "[DONE]");
        assert_eq!(ends.len(), 1);
        for data in data {
            let chunk: Value = serde_json::from_str(data).unwrap();
            collect(&chunk["choices"][0]["delta"], &mut told);
            if let Some(reason) = chunk["choices"][0]["finish_reason"].as_str() {
                reason.clone_into(&mut told.finish);
            }
            if chunk["usage"].is_object() {
                told.usage = told_usage(&chunk["usage"]);
            }
        }
    } else {
        let whole: Value = serde_json::from_slice(&answer.body).unwrap();
        collect(&whole["choices"][0]["message"], &mut told);
        whole["choices"][0]["finish_reason"].as_str().unwrap().clone_into(&mut told.finish);
        told.usage = told_usage(&whole["usage"]);
    }
    for (name, arguments) in &mut told.calls {
        *arguments =
            serde_json::from_str(arguments.as_str().unwrap()).unwrap_or_else(|_| panic!("{name}: {arguments}"));
    }
    told
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn recorded_answers_keep_their_meaning() {
    let recordings = recordings(&["generate", "stream-generate"]);
    let mut replayed = 0;
    for Recording { file, api, status, answer, .. } in recordings.iter().filter(|recording| recording.status == 200) {
        let is_stream = api == "stream-generate";
        let (document, content_type) = if answer.trim_start().starts_with('[') {
            // Recorded as a list, which is not asked for; the events are the same.
            let events: Vec<_> = events(answer).iter().map(|event| format!("data: {event}\r\n\r\n")).collect();
            (events.concat(), "text/event-stream")
        } else if is_stream {
            (answer.clone(), "text/event-stream")
        } else {
            (answer.clone(), "application/json; charset=UTF-8")
        };
        let mut expected = meant(&events(answer));
        for seed in [0, 1, 2, 3, 999] {
            let headers = [("content-type", content_type)];
            let got = asked(is_stream).answered(*status, &headers, &pieces(document.as_bytes(), seed));
            assert_eq!(got.status, 200, "{file}: {}", got.text());
            let mut told = told(&got, is_stream);
            // Of several signed texts a whole message carries the first signature only, where OpenAI's shape has one place.
            if !is_stream && told.signatures.len() < expected.signatures.len() {
                assert!(told.signatures.iter().all(|told| expected.signatures.contains(told)), "{file}");
                expected.signatures.clone_from(&told.signatures);
            }
            told.signatures.sort();
            expected.signatures.sort();
            assert_eq!(told, expected, "{file} seed {seed}");
        }
        replayed += 1;
    }
    assert!(replayed > 0);
}

#[test]
fn a_call_that_the_model_got_wrong_is_a_failed_provider_whole_and_streamed() {
    let answer = json!({"candidates": [{"content": {}, "finishReason": "MALFORMED_FUNCTION_CALL",
        "finishMessage": "Malformed function call: print("}], "modelVersion": "gemini-2.5-flash", "responseId": "r"});
    for (is_stream, document, content_type) in [
        (false, answer.to_string(), "application/json; charset=UTF-8"),
        (true, format!("data: {answer}\r\n\r\n"), "text/event-stream"),
    ] {
        let headers = [("content-type", content_type)];
        let got = asked(is_stream).answered(200, &headers, &pieces(document.as_bytes(), 7));
        let told: Value = serde_json::from_slice(&got.body).unwrap();
        assert_eq!((got.status, &told["error"]["type"]), (502, &json!("upstream_error")), "{told}");
        assert_eq!(told["error"]["message"], "Malformed function call: print(");
    }
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn recorded_errors_say_what_happened() {
    let recordings = recordings(&["generate", "stream-generate"]);
    let mut replayed = 0;
    for Recording { file, api, status, answer, .. } in recordings.iter().filter(|recording| recording.status != 200) {
        let headers = [("content-type", "application/json; charset=UTF-8")];
        let got = asked(api == "stream-generate").answered(*status, &headers, &pieces(answer.as_bytes(), 7));
        let told: Value = serde_json::from_slice(&got.body).unwrap();
        let (meant, told) = (&events(answer)[0]["error"]["message"], &told["error"]);
        if answer.contains("API_KEY_INVALID") {
            assert_eq!((got.status, &told["type"]), (502, &json!("upstream_error")), "{file}");
            assert_ne!(&told["message"], meant, "{file}");
        } else {
            assert_eq!((got.status, &told["message"]), (*status, meant), "{file}");
            let code = match status {
                404 => json!("model_not_found"),
                429 => json!("rate_limit_exceeded"),
                500.. => json!("upstream_error"),
                _ => Value::Null,
            };
            assert_eq!(told["code"], code, "{file}");
        }
        replayed += 1;
    }
    assert!(replayed > 0);
}

/// The texts of a conversation, system prompts first; results of tools among them.
fn texts_of_openai(messages: &[Value]) -> Vec<String> {
    let (system, rest): (Vec<_>, Vec<_>) =
        messages.iter().partition(|message| message["role"] == "system" || message["role"] == "developer");
    let said = system.into_iter().chain(rest).flat_map(|message| match &message["content"] {
        Value::String(text) => vec![text.clone()],
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    });
    said.filter(|text| !text.is_empty()).collect()
}

/// The same, of a request to Gemini.
fn texts_of_gemini(body: &Value) -> Vec<String> {
    let turns = [&body["systemInstruction"]].into_iter().chain(body["contents"].as_array().unwrap());
    let parts = turns.flat_map(|turn| turn["parts"].as_array().cloned().unwrap_or_default());
    let said = parts.flat_map(|part| {
        let response = &part["functionResponse"]["response"];
        match (&part["text"], &response["output"], &response["error"]) {
            (Value::String(text), ..) | (_, Value::String(text), _) | (.., Value::String(text)) => vec![text.clone()],
            (_, Value::Array(texts), _) => texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
            _ => Vec::new(),
        }
    });
    said.filter(|text| !text.is_empty()).collect()
}

/// Everywhere in a document, the strings that are called so.
fn strings(document: &Value, names: &[&str]) -> Vec<String> {
    match document {
        Value::Array(items) => items.iter().flat_map(|item| strings(item, names)).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(text) if names.contains(&name.as_str()) => vec![text.clone()],
                _ => strings(value, names),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn recorded_chat_requests_can_be_put_to_gemini() {
    let recordings = recordings(&["chat"]);
    let (mut put, mut refused) = (0, 0);
    for Recording { file, body, status, .. } in &recordings {
        if !body["messages"].is_array() || *status != 200 {
            continue;
        }
        let messages = body["messages"].as_array().unwrap();
        let mut body = body.clone();
        // The models are everybody's; here all are of one provider.
        body["model"] = format!("p/{}", body["model"].as_str().unwrap()).into();
        let got = match sent(&body) {
            Asked::Sent(sent) => sent,
            Asked::Refused(reply) => {
                let error: Value = serde_json::from_slice(&reply.body).unwrap();
                assert_eq!(reply.status, 400, "{file}: {error}");
                refused += 1;
                continue;
            }
        };
        let got: Value = serde_json::from_slice(&got.body).unwrap();
        assert_eq!(texts_of_gemini(&got), texts_of_openai(messages), "{file}");
        let wanted = body["tools"].as_array().into_iter().flatten().map(|tool| &tool["function"]);
        let wanted = wanted.chain(body["functions"].as_array().into_iter().flatten());
        let wanted: Vec<_> = wanted.map(|function| (&function["name"], &function["parameters"])).collect();
        let declared = got["tools"][0]["functionDeclarations"].as_array().cloned().unwrap_or_default();
        let declared: Vec<_> = declared.iter().map(|tool| (&tool["name"], &tool["parametersJsonSchema"])).collect();
        assert_eq!(declared, wanted, "{file}");
        let schema = &body["response_format"]["json_schema"]["schema"];
        assert_eq!(&got["generationConfig"]["responseJsonSchema"], schema, "{file}");
        let calls = messages.iter().flat_map(|message| message["tool_calls"].as_array().cloned().unwrap_or_default());
        let calls = calls.map(|call| call["function"]["name"].clone());
        let legacy = messages.iter().map(|message| message["function_call"]["name"].clone()).filter(Value::is_string);
        let calls: Vec<Value> = calls.chain(legacy).collect();
        let turns = got["contents"].as_array().unwrap().iter().flat_map(|turn| turn["parts"].as_array().unwrap());
        let made: Vec<Value> =
            turns.map(|part| part["functionCall"]["name"].clone()).filter(Value::is_string).collect();
        assert_eq!(made, calls, "{file}");
        let shown = strings(&body["messages"], &["url", "image_url", "file_data"])
            .into_iter()
            .chain(strings(&body["messages"], &["data"]));
        let shown: Vec<_> =
            shown.map(|url| url.rsplit_once(";base64,").map_or(url.as_str(), |(_, data)| data).to_owned()).collect();
        let seen: Vec<_> = strings(&got["contents"], &["fileUri", "data"]);
        assert_eq!(seen, shown, "{file}");
        put += 1;
    }
    assert!(put > 0 && refused * 4 < put);
}
