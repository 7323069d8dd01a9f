//! Recorded traffic: what Anthropic was asked passes byte for byte, and can be asked of others; what others answered is a message.

use super::*;
use crate::recordings::load;

fn recordings(api: &str) -> Vec<(String, Value)> {
    load(&[api])
}

/// The recorded body of a request, where it is one.
fn body(recording: &Value) -> Option<&Value> {
    Some(&recording["request"]["body"]).filter(|body| body["messages"].is_array())
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn requests_pass_byte_for_byte_and_answers_as_they_came() {
    let mut replayed = 0;
    for (file, recording) in &recordings("messages") {
        let Some(body) = body(recording) else { continue };
        let mut request = body.clone();
        request["model"] = json!(format!("a/{}", body["model"].as_str().unwrap()));
        let sent = asked(&request.to_string()).sent();
        assert_eq!(&*sent.body, body.to_string().as_bytes(), "{file}");
        let Some(answer) = recording["response"]["body"].as_str() else { continue };
        let status = u16::try_from(recording["response"]["status"].as_u64().unwrap()).unwrap();
        if status != 200 {
            continue;
        }
        let media_type = if answer.starts_with('{') { JSON } else { EVENTS };
        for seed in [1, 2, 99] {
            let sent = asked(&request.to_string()).sent();
            let plan = Rc::clone(&sent.plan);
            let told = sent.answered(200, &[media_type], &pieces(answer.as_bytes(), seed));
            assert_eq!((told.status, told.text()), (200, answer), "{file}");
            assert!(plan.usage().is_some_and(|usage| usage.input > 0), "{file}: no usage was read");
        }
        replayed += 1;
    }
    assert!(replayed > 50, "{replayed}");
}

/// Texts and calls of a conversation, whosever shape it is.
fn gist(body: &Value) -> Vec<String> {
    let mut gist = Vec::new();
    let text = |value: &Value, gist: &mut Vec<String>| gist.extend(value.as_str().map(|text| text.trim().to_owned()));
    for message in body["messages"].as_array().unwrap() {
        text(&message["content"], &mut gist);
        for block in message["content"].as_array().into_iter().flatten() {
            match block["type"].as_str().unwrap() {
                "text" => text(&block["text"], &mut gist),
                "tool_use" => gist.push(format!("{} {}", block["name"], block["input"])),
                "tool_result" => {
                    text(&block["content"], &mut gist);
                    for block in block["content"].as_array().into_iter().flatten() {
                        text(&block["text"], &mut gist);
                    }
                }
                _ => {}
            }
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
            gist.push(format!("{} {arguments}", call["function"]["name"]));
        }
    }
    gist.retain(|text| !text.is_empty());
    gist
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn what_anthropic_was_asked_can_be_asked_of_others_or_a_field_is_blamed() {
    let (mut compared, mut refused) = (0, Vec::new());
    for (file, recording) in &recordings("messages") {
        let Some(body) = body(recording) else { continue };
        for model in ["o/gpt-5", "g/gemini-3-pro-preview", "l/qwen3"] {
            let mut request = body.clone();
            request["model"] = json!(model);
            match asked(&request.to_string()) {
                Asked::Sent(sent) if model.starts_with("o/") => {
                    let others =
                        |text: &String| !text.starts_with("Output of the call") && !text.starts_with("(in the");
                    let mut found = gist(&json_of(&sent.body));
                    found.retain(others);
                    if !body.to_string().contains("\"document\"") && !body.to_string().contains("compaction") {
                        let mut expected: Vec<String> = Vec::new();
                        let mut system = json!({"messages": [{"content": body["system"]}]});
                        if body["system"].is_null() {
                            system["messages"] = json!([]);
                        }
                        expected.extend(gist(&system));
                        expected.extend(gist(body));
                        expected.sort();
                        found.sort();
                        assert_eq!(found, expected, "{file}");
                        compared += 1;
                    }
                }
                Asked::Sent(sent) => assert!(json_of(&sent.body).is_object(), "{file}"),
                Asked::Refused(reply) => {
                    let message = json_of(&reply.body)["error"]["message"].as_str().unwrap().to_owned();
                    assert_eq!(reply.status, 400, "{file}: {message}");
                    refused.push(message);
                }
            }
        }
    }
    refused.sort_unstable();
    refused.dedup();
    assert!(compared > 30, "{compared}; refused: {refused:#?}");
}

/// Whether the events of a stream come in the order that the API documents; why not.
fn disorder(stream: &str) -> Option<String> {
    let (mut blocks, mut is_open, mut last) = (0, false, String::new());
    for event in stream.split_terminator("\n\n") {
        let data = json_of(event.split_once("\ndata: ")?.1.as_bytes());
        let kind = data["type"].as_str()?.to_owned();
        let fits = match kind.as_str() {
            "message_start" => last.is_empty(),
            "content_block_start" => !is_open && data["index"] == blocks,
            "content_block_delta" | "content_block_stop" => is_open && data["index"] == blocks - 1,
            "message_delta" => !is_open && !last.is_empty(),
            "message_stop" => last == "message_delta",
            "error" => true,
            _ => false,
        };
        if !fits {
            return Some(format!("{kind} after {last}: {data}"));
        }
        blocks += i32::from(kind == "content_block_start");
        is_open = kind == "content_block_start" || (is_open && kind != "content_block_stop");
        last = kind;
    }
    (!matches!(last.as_str(), "message_stop" | "error")).then_some(last)
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn what_others_answered_is_a_message_however_it_is_cut() {
    let mut told = 0;
    for (api, model, streams) in [
        ("chat", "o/m", EVENTS),
        ("generate", "g/m", EVENTS),
        ("stream-generate", "g/m", EVENTS),
        ("ollama-chat", "l/m", ("content-type", "application/x-ndjson")),
    ] {
        for (file, recording) in &recordings(api) {
            let Some(body) = recording["response"]["body"].as_str() else { continue };
            if recording["response"]["status"] != 200 || body.starts_with('[') {
                continue;
            }
            let is_stream = body.starts_with("data:") || body.starts_with(':') || body.trim_end().contains("}\n{");
            let media_type = if is_stream { streams } else { JSON };
            let answer = |seed| {
                let answer = sent(model, is_stream).answered(200, &[media_type], &pieces(body.as_bytes(), seed));
                (answer.status, answer.text().trim_end().to_owned())
            };
            let (status, text) = answer(0);
            for seed in [1, 2, 99] {
                assert_eq!(answer(seed), (status, text.clone()), "{file}, {seed}");
            }
            if status != 200 {
                continue;
            }
            if is_stream {
                assert_eq!(disorder(&(text + "\n\n")), None, "{file}");
            } else {
                let message = json_of(text.as_bytes());
                assert_eq!((&message["type"], &message["role"]), (&json!("message"), &json!("assistant")), "{file}");
                assert!(message["stop_reason"].is_string(), "{file}");
            }
            told += 1;
        }
    }
    assert!(told > 100, "{told}");
}
