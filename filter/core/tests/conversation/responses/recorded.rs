//! Recorded traffic: what OpenAI was asked passes byte for byte, and can be asked of others; what others answered is a response.

use super::*;
use crate::recordings::load;

fn recordings(api: &str) -> Vec<(String, Value)> {
    load(&[api])
}

/// The recorded body of a request, where it is one.
fn body(recording: &Value) -> Option<&Value> {
    Some(&recording["request"]["body"]).filter(|body| !body["input"].is_null() && body["model"].is_string())
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn requests_pass_byte_for_byte_and_answers_as_they_came() {
    let (mut replayed, mut counted) = (0, 0);
    let gateway = gateway(
        r#"{"providers":{"o":{"kind":"openai","credential":{"env":"O"}},
            "x":{"kind":"openai","base_url":"https://api.x.ai/v1","credential":{"env":"X"}}}}"#,
    );
    for (file, recording) in &recordings("responses") {
        let Some(body) = body(recording) else { continue };
        let mut request = body.clone();
        // Another's thoughts would not pass.
        let provider = if file.starts_with("xai/") { "x" } else { "o" };
        request["model"] = json!(format!("{provider}/{}", body["model"].as_str().unwrap()));
        if let Some(id) = body["previous_response_id"].as_str() {
            request["previous_response_id"] = json!(sealed(&gateway, request["model"].as_str().unwrap(), id));
        }
        let asked = |request: &Value| ask(&gateway, post("/v1/responses", &[]), &[request.to_string().as_bytes()]);
        let Asked::Sent(sent) = asked(&request) else {
            assert_ne!(recording["response"]["status"], 200, "{file}");
            continue;
        };
        assert_eq!((path(&sent), &*sent.body), ("/v1/responses", body.to_string().as_bytes()), "{file}");
        let Some(answer) = recording["response"]["body"].as_str() else { continue };
        if recording["response"]["status"] != 200 || answer.is_empty() {
            continue;
        }
        let is_stream = !answer.trim_start().starts_with('{');
        request["stream"] = json!(is_stream);
        for seed in [1, 2, 99] {
            let sent = asked(&request).sent();
            let plan = Rc::clone(&sent.plan);
            let media_type = if is_stream { EVENTS } else { JSON };
            let told = sent.answered(200, &[media_type], &pieces(answer.as_bytes(), seed));
            assert_eq!((told.status, &*unsealed(told.text())), (200, answer), "{file}");
            counted += usize::from(plan.usage().is_some_and(|usage| usage.input > 0));
        }
        replayed += 1;
    }
    assert!(replayed > 50 && counted > 150, "{replayed}, {counted}");
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn what_openai_was_asked_can_be_asked_of_others_or_a_field_is_blamed() {
    let (mut put, mut refused) = (0, Vec::new());
    for (file, recording) in &recordings("responses") {
        let Some(body) = body(recording) else { continue };
        for model in ["c/gpt-5", "a/claude-sonnet-4-5", "g/gemini-3-pro-preview", "l/qwen3"] {
            let mut request = body.clone();
            request["model"] = json!(model);
            match asked(&request.to_string()) {
                Asked::Sent(sent) => {
                    assert!(json_of(&sent.body).is_object(), "{file}");
                    put += 1;
                }
                Asked::Refused(reply) => {
                    let error = json_of(&reply.body)["error"].clone();
                    assert_eq!(reply.status, 400, "{file}: {error}");
                    assert!(error["param"].is_string(), "{file}: {error}");
                    refused.push(format!("{} {}", error["param"], error["message"]));
                }
            }
        }
    }
    refused.sort_unstable();
    refused.dedup();
    assert!(put > 200, "{put}; refused: {refused:#?}");
}

/// The answer that a stream ends with, whose events must be numbered and whose items must end as they are repeated.
fn last(stream: &str) -> Option<Value> {
    let (mut items, mut answer) = (Vec::new(), None);
    for (number, event) in stream.split_terminator("\n\n").enumerate() {
        let data = json_of(event.split_once("\ndata: ")?.1.as_bytes());
        assert_eq!(data["sequence_number"], number);
        match data["type"].as_str()? {
            "response.output_item.done" => items.push((data["output_index"].as_u64(), data["item"].clone())),
            "response.completed" | "response.incomplete" => answer = Some(data["response"].clone()),
            "error" => return Some(data["error"].clone()),
            _ => {}
        }
    }
    items.sort_by_key(|(index, _)| *index);
    let items: Vec<_> = items.into_iter().map(|(_, item)| item).collect();
    answer.filter(|answer| answer["output"] == json!(items))
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn what_others_answered_is_a_response_however_it_is_cut() {
    let mut told = 0;
    for (api, model, streams) in [
        ("chat", "c/m", EVENTS),
        ("messages", "a/m", EVENTS),
        ("generate", "g/m", EVENTS),
        ("stream-generate", "g/m", EVENTS),
        ("ollama-chat", "l/m", ("content-type", "application/x-ndjson")),
    ] {
        for (file, recording) in &recordings(api) {
            let Some(body) = recording["response"]["body"].as_str() else { continue };
            if recording["response"]["status"] != 200 || body.starts_with('[') {
                continue;
            }
            let is_stream = !body.starts_with('{') || body.trim_end().contains("}\n{");
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
                assert!(last(&(text + "\n\n")).is_some(), "{file}");
            } else {
                assert_eq!(json_of(text.as_bytes())["object"], "response", "{file}");
            }
            told += 1;
        }
    }
    assert!(told > 100, "{told}");
}
