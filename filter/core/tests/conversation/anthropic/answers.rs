//! What Anthropic answered is told in OpenAI's words.

use super::*;

/// What an answer says.
#[derive(Debug, Default, PartialEq)]
struct Told {
    id: String,
    text: String,
    reasoning: String,
    signatures: Vec<String>,
    calls: Vec<(String, String, Value)>,
    /// With the first character that they are cited for, and the one behind the last.
    urls: Vec<(String, usize, usize)>,
    refusal: String,
    finish: String,
    /// Input, cached, written, output, reasoning.
    tokens: [u64; 5],
}

fn answered(recording: &Value, is_stream: bool, seed: u64) -> Answer {
    let request = json!({"model": "a/claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}],
        "stream": is_stream, "stream_options": {"include_usage": true}});
    let response = &recording["response"];
    let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
    let headers: Vec<(String, &str)> = response["headers"]
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?)))
        .collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let body = response["body"].as_str().unwrap();
    asked(&request).sent().answered(status, &headers, &pieces(body.as_bytes(), seed))
}

/// The events of a stream; what its lines say apart from `data` is repeated there.
fn data(stream: &str) -> impl Iterator<Item = Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    lines.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap())
}

/// The message that the events of a stream amount to.
fn assembled(stream: &str) -> Value {
    let mut message = Value::Null;
    for event in data(stream) {
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                message["content"].as_array_mut().unwrap().push(event["content_block"].clone());
            }
            "content_block_delta" => {
                let index = usize::try_from(event["index"].as_u64().unwrap()).unwrap();
                let (block, delta) = (&mut message["content"][index], &event["delta"]);
                let mut append = |member: &str, piece: &Value| {
                    let joined = [block[member].as_str().unwrap_or_default(), piece.as_str().unwrap()].concat();
                    block[member] = joined.into();
                };
                match delta["type"].as_str().unwrap() {
                    "text_delta" => append("text", &delta["text"]),
                    "thinking_delta" => append("thinking", &delta["thinking"]),
                    "signature_delta" => append("signature", &delta["signature"]),
                    "input_json_delta" => append("json", &delta["partial_json"]),
                    "citations_delta" => block["citations"].as_array_mut().unwrap().push(delta["citation"].clone()),
                    other => panic!("{other}"),
                }
            }
            "message_delta" => {
                for from in ["delta", "usage"] {
                    let into = if from == "delta" { &mut message } else { &mut message["usage"] };
                    let members = event[from].as_object().unwrap().clone();
                    into.as_object_mut().unwrap().extend(members.into_iter().filter(|(_, value)| !value.is_null()));
                }
            }
            _ => {}
        }
    }
    message
}

/// What Anthropic said, by the recording alone.
fn recorded(message: &Value) -> Told {
    let mut told = Told { id: message["id"].as_str().unwrap_or_default().into(), ..Told::default() };
    for block in message["content"].as_array().unwrap() {
        match block["type"].as_str().unwrap() {
            "text" => {
                let start = told.text.chars().count();
                told.text.push_str(block["text"].as_str().unwrap());
                let end = told.text.chars().count();
                let citations = block["citations"].as_array().into_iter().flatten();
                let urls = citations.filter_map(|citation| citation["url"].as_str());
                told.urls.extend(urls.map(|url| (url.to_owned(), start, end)));
            }
            "thinking" => {
                told.reasoning.push_str(block["thinking"].as_str().unwrap());
                told.signatures.push(block["signature"].as_str().unwrap().into());
            }
            "redacted_thinking" => told.signatures.push(block["data"].as_str().unwrap().into()),
            "tool_use" => {
                let input = match block["json"].as_str() {
                    Some(json) if !json.is_empty() => serde_json::from_str(json).unwrap(),
                    _ => block["input"].clone(),
                };
                let text = |member: &str| block[member].as_str().unwrap().to_owned();
                told.calls.push((text("id"), text("name"), input));
            }
            _ => {}
        }
    }
    told.refusal = message["stop_details"]["explanation"].as_str().unwrap_or_default().into();
    told.finish = match message["stop_reason"].as_str() {
        Some("max_tokens") => "length",
        Some("tool_use") => "tool_calls",
        Some("refusal") => "content_filter",
        _ => "stop",
    }
    .into();
    let count = |member: &str| message["usage"][member].as_u64().unwrap_or_default();
    let (cached, written) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
    let reasoning = message["usage"]["output_tokens_details"]["thinking_tokens"].as_u64().unwrap_or_default();
    told.tokens = [count("input_tokens") + cached + written, cached, written, count("output_tokens"), reasoning];
    told
}

/// What a client of OpenAI is told by whole messages or the deltas of a stream.
fn received(answers: impl Iterator<Item = Value>, member: &str) -> Told {
    let mut told = Told::default();
    let mut arguments: Vec<(String, String, String)> = Vec::new();
    for answer in answers {
        told.id = answer["id"].as_str().unwrap().into();
        if let Some(usage) = answer["usage"].as_object() {
            let (prompt, completion) = (&usage["prompt_tokens_details"], &usage["completion_tokens_details"]);
            let counts = [
                &usage["prompt_tokens"],
                &prompt["cached_tokens"],
                &prompt["cache_creation_tokens"],
                &usage["completion_tokens"],
                &completion["reasoning_tokens"],
            ];
            told.tokens = counts.map(|count| count.as_u64().unwrap_or_default());
        }
        let choice = &answer["choices"][0];
        let said = &choice[member];
        for (text, name) in
            [(&mut told.text, "content"), (&mut told.reasoning, "reasoning_content"), (&mut told.refusal, "refusal")]
        {
            text.push_str(said[name].as_str().unwrap_or_default());
        }
        for thought in said["thinking_blocks"].as_array().into_iter().flatten() {
            let proof = thought["signature"].as_str().or_else(|| thought["data"].as_str());
            told.signatures.extend(proof.map(str::to_owned));
        }
        for annotation in said["annotations"].as_array().into_iter().flatten() {
            let citation = &annotation["url_citation"];
            let place = |member: &str| usize::try_from(citation[member].as_u64().unwrap()).unwrap();
            told.urls.push((citation["url"].as_str().unwrap().into(), place("start_index"), place("end_index")));
        }
        for call in said["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            if let (Some(id), Some(name)) = (call["id"].as_str(), function["name"].as_str()) {
                arguments.push((id.into(), name.into(), String::new()));
            }
            arguments.last_mut().unwrap().2.push_str(function["arguments"].as_str().unwrap());
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            assert_eq!(told.finish, "", "an answer ends once");
            told.finish = reason.into();
        }
    }
    let calls = arguments.into_iter().map(|(id, name, json)| (id, name, serde_json::from_str(&json).unwrap()));
    told.calls = calls.collect();
    told
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn answers_are_told_in_openai_s_words() {
    let recordings = recordings("messages");
    let (mut whole, mut streamed, mut refused) = (0, 0, 0);
    for (file, recording) in &recordings {
        let body = recording["response"]["body"].as_str().unwrap();
        let status = recording["response"]["status"].as_u64().unwrap();
        let is_stream = body.starts_with("event:");
        if status != 200 {
            let answer = answered(recording, false, 0);
            let expected = match status {
                401 => 502,
                529 => 503,
                status => status,
            };
            assert_eq!(u64::from(answer.status), expected, "{file}");
            let error: Value = serde_json::from_str(answer.text()).unwrap();
            if status != 401 {
                let said: Value = serde_json::from_str(body).unwrap();
                let said: String = said["error"]["message"].as_str().unwrap().chars().take(500).collect();
                assert_eq!(error["error"]["message"], said, "{file}");
            }
            refused += 1;
        } else if is_stream {
            let expected = recorded(&assembled(body));
            for seed in [0, 1, 2, 3, 999] {
                let answer = answered(recording, true, seed);
                assert!(answer.text().ends_with("data: [DONE]\n\n"), "{file}");
                assert_eq!(received(data(answer.text()), "delta"), expected, "{file} seed {seed}");
            }
            streamed += 1;
        } else {
            let expected = recorded(&serde_json::from_str(body).unwrap());
            let answer = answered(recording, false, 7);
            let told: Value = serde_json::from_str(answer.text()).unwrap();
            assert_eq!(received([told].into_iter(), "message"), expected, "{file}");
            if recording["response"]["headers"].get("anthropic-ratelimit-tokens-limit").is_some() {
                assert!(answer.header("x-ratelimit-limit-tokens").is_some(), "{file}");
            }
            whole += 1;
        }
    }
    assert!(whole > 0 && streamed > 0 && refused > 0);
}
