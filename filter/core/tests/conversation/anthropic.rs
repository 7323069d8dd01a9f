//! Recorded traffic of Anthropic, read where `DRAGOMAN_FIXTURES` says: a client of OpenAI must be told what was recorded,
//! however a stream is cut, and what was asked must be asked the same by such a client.

use dragoman_core::gateway::Gateway;
use serde_json::{Value, json};

use crate::recordings::load;
use crate::stage::{Answer, Asked, ask, gateway, pieces, post};

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

fn recordings(api: &str) -> Vec<(String, Value)> {
    load(&[api])
}

fn claude() -> std::rc::Rc<Gateway> {
    gateway(r#"{"providers":{"a":{"kind":"anthropic","credential":{"env":"A"}}}}"#)
}

fn asked(request: &Value) -> Asked {
    ask(&claude(), post("/v1/chat/completions", &[]), &pieces(request.to_string().as_bytes(), 0))
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

fn blocks(content: &Value) -> Vec<Value> {
    match content.as_str() {
        Some(text) => vec![json!({"type": "text", "text": text})],
        None => content.as_array().cloned().unwrap_or_default(),
    }
}

/// A block of Anthropic's in OpenAI's words, where it has some.
fn in_openai_s_words(block: &Value) -> Option<Value> {
    let mut part = match block["type"].as_str().unwrap() {
        "text" => json!({"type": "text", "text": block["text"]}),
        "image" if block["source"]["type"] == "url" => {
            json!({"type": "image_url", "image_url": {"url": block["source"]["url"]}})
        }
        "image" => {
            let source = |member: &str| block["source"][member].as_str();
            let url = format!("data:{};base64,{}", source("media_type")?, source("data")?);
            json!({"type": "image_url", "image_url": {"url": url}})
        }
        "document" if block["source"]["type"] == "base64" && block.get("citations").is_none() => {
            let data = format!("data:application/pdf;base64,{}", block["source"]["data"].as_str()?);
            json!({"type": "file", "file": {"file_data": data, "filename": block.get("title")}})
        }
        _ => return None,
    };
    if let Some(cache) = block.get("cache_control") {
        part["cache_control"] = cache.clone();
    }
    Some(part)
}

/// A recorded request as a client of OpenAI would have made it, where it can be.
fn asked_by_openai_s_client(body: &Value) -> Option<Value> {
    let mut messages = Vec::new();
    let parts = |content: &Value| blocks(content).iter().map(in_openai_s_words).collect::<Option<Vec<_>>>();
    if let Some(system) = body.get("system") {
        messages.push(json!({"role": "system", "content": parts(system)?}));
    }
    for turn in body["messages"].as_array()? {
        let all = blocks(&turn["content"]);
        let of = |kinds: &[&str]| -> Vec<Value> {
            all.iter().filter(|block| kinds.contains(&block["type"].as_str().unwrap())).cloned().collect()
        };
        for result in of(&["tool_result"]) {
            let content = parts(result.get("content").unwrap_or(&json!([])))?;
            messages.push(json!({"role": "tool", "tool_call_id": result["tool_use_id"], "content": content,
                "is_error": result.get("is_error"), "cache_control": result.get("cache_control")}));
        }
        let said: Vec<Value> = all
            .iter()
            .filter(|block| !matches!(block["type"].as_str(), Some("tool_result" | "tool_use" | "thinking")))
            .map(in_openai_s_words)
            .collect::<Option<_>>()?;
        let calls: Vec<Value> = of(&["tool_use"])
            .iter()
            .map(|call| {
                json!({"id": call["id"], "type": "function",
                "function": {"name": call["name"], "arguments": call["input"].to_string()}})
            })
            .collect();
        if !said.is_empty() || !calls.is_empty() {
            messages.push(json!({"role": turn["role"], "content": said, "tool_calls": calls,
                "thinking_blocks": of(&["thinking"])}));
        }
    }
    messages.first()?;
    let mut request = json!({"model": format!("a/{}", body["model"].as_str()?), "messages": messages});
    for (theirs, ours) in [
        ("max_tokens", "max_tokens"),
        ("temperature", "temperature"),
        ("stop_sequences", "stop"),
        ("thinking", "thinking"),
        ("stream", "stream"),
        ("cache_control", "cache_control"),
    ] {
        request[ours] = body.get(theirs).cloned().unwrap_or_default();
    }
    let mut tools = Vec::new();
    for tool in body["tools"].as_array().into_iter().flatten() {
        let known = ["name", "description", "input_schema", "strict", "cache_control", "type"];
        if tool.get("input_schema").is_none() || tool.as_object()?.keys().any(|name| !known.contains(&name.as_str())) {
            return None;
        }
        tools.push(
            json!({"type": "function", "cache_control": tool.get("cache_control"), "function": {"name": tool["name"],
            "description": tool.get("description"), "parameters": tool["input_schema"], "strict": tool.get("strict")}}),
        );
    }
    if !tools.is_empty() {
        request["tools"] = tools.into();
    }
    request["tool_choice"] = match body["tool_choice"]["type"].as_str() {
        Some("any") => "required".into(),
        Some("tool") => json!({"type": "function", "function": {"name": body["tool_choice"]["name"]}}),
        Some(choice) => choice.into(),
        None => Value::Null,
    };
    if let Some(schema) = body["output_config"]["format"].get("schema") {
        let format = json!({"name": "n", "strict": true, "schema": schema});
        request["response_format"] = json!({"type": "json_schema", "json_schema": format});
    }
    Some(request)
}

/// A request with every content as blocks, turns of one side joined, and nothing that says nothing.
fn plain(body: &Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, value| {
                    !value.is_null() && (*value != json!(false) || name == "additionalProperties")
                });
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut turns: Vec<Value> = Vec::new();
    for turn in body["messages"].as_array().unwrap() {
        let mut content = blocks(&turn["content"]);
        content.retain(|block| block["text"].as_str().is_none_or(|text| !text.trim().is_empty()));
        for block in &mut content {
            if block["type"] == "tool_result" {
                block["content"] = blocks(&block["content"]).into();
            }
        }
        // Text that comes before its calls, or between them, comes before them in OpenAI's shape.
        content.sort_by_key(|block| match block["type"].as_str() {
            Some("thinking" | "tool_result") => 0,
            Some("tool_use") => 2,
            _ => 1,
        });
        match turns.last_mut() {
            Some(last) if last["role"] == turn["role"] => last["content"].as_array_mut().unwrap().extend(content),
            _ => turns.push(json!({"role": turn["role"], "content": content})),
        }
    }
    let members = ["model", "max_tokens", "stop_sequences", "tools", "tool_choice", "stream", "cache_control"];
    let mut plain: Value = members.iter().map(|name| ((*name).to_owned(), body[*name].clone())).collect();
    plain["messages"] = turns.into();
    plain["system"] = blocks(&body["system"]).into();
    plain["temperature"] = body["temperature"].as_f64().into();
    plain["thinking"] = body["thinking"]["budget_tokens"].clone();
    plain["schema"] = body["output_config"]["format"]["schema"].clone();
    strip(&mut plain);
    plain
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn what_anthropic_was_asked_can_be_asked_in_openai_s_words() {
    let recordings = recordings("messages");
    let mut compared = 0;
    for (file, recording) in &recordings {
        let body = &recording["request"]["body"];
        let Some(request) = body.get("messages").and_then(|_| asked_by_openai_s_client(body)) else { continue };
        let sent = asked(&request).sent();
        let sent: Value = serde_json::from_slice(&sent.body).unwrap();
        let (sent, body) = (plain(&sent), plain(body));
        for (name, expected) in body.as_object().unwrap() {
            assert_eq!(sent.get(name), Some(expected), "{file}: {name}");
        }
        assert_eq!(sent.as_object().unwrap().len(), body.as_object().unwrap().len(), "{file}");
        compared += 1;
    }
    assert!(compared > 30);
}

/// Texts, images and calls of a conversation, in order, whosever shape it is.
fn gist(messages: &Value, gist: &mut Vec<String>) {
    for message in messages.as_array().unwrap() {
        let mut blocks = blocks(&message["content"]);
        blocks.extend(message["tool_calls"].as_array().cloned().unwrap_or_default());
        for block in &blocks {
            match block["type"].as_str().unwrap() {
                "text" => gist.extend(block["text"].as_str().map(|text| text.trim().to_owned())),
                "image" | "image_url" => gist.push("(image)".into()),
                "document" | "file" => gist.push("(file)".into()),
                "tool_use" => gist.push(format!("{}{}", block["name"].as_str().unwrap(), block["input"])),
                "function" => {
                    let arguments = block["function"]["arguments"].as_str().unwrap();
                    let arguments: Value = serde_json::from_str(arguments).unwrap();
                    gist.push(format!("{}{arguments}", block["function"]["name"].as_str().unwrap()));
                }
                "tool_result" => self::gist(&json!([block]), gist),
                _ => {}
            }
        }
    }
    gist.retain(|text| !text.is_empty());
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn what_openai_was_asked_can_be_asked_of_anthropic() {
    let recordings = recordings("chat");
    let (mut compared, mut refused) = (0, Vec::new());
    for (file, recording) in &recordings {
        let Some(mut request) = Some(&recording["request"]["body"]).filter(|body| body["messages"].is_array()).cloned()
        else {
            continue;
        };
        request["model"] = "a/claude-sonnet-4-5".into();
        let sent = match asked(&request) {
            Asked::Sent(sent) => sent,
            Asked::Refused(reply) => {
                let error: Value = serde_json::from_slice(&reply.body).unwrap();
                assert_eq!(reply.status, 400, "{file}");
                refused.push(error["error"]["param"].as_str().expect("a field is blamed").to_owned());
                continue;
            }
        };
        let sent: Value = serde_json::from_slice(&sent.body).unwrap();
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let messages = request["messages"].as_array().unwrap();
        let (system, others): (Vec<Value>, Vec<Value>) = messages
            .iter()
            .cloned()
            .partition(|message| matches!(message["role"].as_str(), Some("system" | "developer")));
        gist(&system.into(), &mut expected);
        gist(&others.into(), &mut expected);
        gist(&json!([{"content": sent["system"]}]), &mut found);
        gist(&sent["messages"], &mut found);
        assert_eq!(found, expected, "{file}");
        let names = |tools: &Value, name: fn(&Value) -> &Value| -> Vec<Value> {
            tools.as_array().into_iter().flatten().map(name).cloned().collect()
        };
        let mut offered = names(&sent["tools"], |tool| &tool["name"]);
        offered.retain(|name| name != "dragoman_json_answer" && name != "web_search");
        let mut known = names(&request["tools"], |tool| &tool["function"]["name"]);
        known.extend(names(&request["functions"], |function| &function["name"]));
        assert_eq!(offered, known, "{file}");
        compared += 1;
    }
    refused.sort_unstable();
    assert!(compared > 100);
}
