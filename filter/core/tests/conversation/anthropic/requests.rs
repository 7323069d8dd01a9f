//! What one was asked can be asked of the other.

use super::*;

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
