//! Recorded traffic, replayed through Ollama's dialect where `DRAGOMAN_FIXTURES` says: answers of Ollama's own API must reach
//! an `OpenAI` client with the same content, and requests of `OpenAI`'s clients must reach Ollama with the same.

use crate::recordings::load;
use crate::stage::{Answer, Asked, ask, gateway, pieces, post};
use serde_json::{Value, json};

const SEEDS: [u64; 5] = [0, 1, 2, 3, 999];

fn recordings(api: &str) -> Vec<(String, Value)> {
    load(&[api])
}

fn asked(request: &Value) -> Asked {
    let gateway = gateway(r#"{"providers":{"o":{"kind":"ollama","base_url":"http://127.0.0.1:11434"}}}"#);
    ask(&gateway, post("/v1/chat/completions", &[]), &pieces(request.to_string().as_bytes(), 7))
}

/// What an answer says, whatever its format.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    thought: String,
    /// Names and arguments.
    calls: Vec<(String, Value)>,
    finish: String,
    tokens: (u64, u64),
}

impl Said {
    fn add_line(&mut self, line: &Value) {
        let message = &line["message"];
        self.text += message["content"].as_str().unwrap_or_default();
        self.thought += message["thinking"].as_str().unwrap_or_default();
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let name = call["function"]["name"].as_str().unwrap().to_owned();
            self.calls.push((name, call["function"]["arguments"].clone()));
        }
        if line["done"] == true {
            self.finish = match line["done_reason"].as_str() {
                Some("length") => "length".into(),
                _ if !self.calls.is_empty() => "tool_calls".into(),
                _ => "stop".into(),
            };
            let count = |name: &str| line[name].as_u64().unwrap_or_default();
            self.tokens = (count("prompt_eval_count"), count("eval_count"));
        }
    }

    fn add_choice(&mut self, message: &Value, choice: &Value) {
        self.text += message["content"].as_str().unwrap_or_default();
        self.thought += message["reasoning_content"].as_str().unwrap_or_default();
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let name = call["function"]["name"].as_str().unwrap().to_owned();
            let arguments = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
            self.calls.push((name, arguments));
        }
        self.finish += choice["finish_reason"].as_str().unwrap_or_default();
    }

    fn add_usage(&mut self, usage: &Value) {
        let count = |name: &str| usage[name].as_u64().unwrap_or_default();
        self.tokens = (count("prompt_tokens"), count("completion_tokens"));
    }

    /// What Ollama said.
    fn of_ollama(body: &str) -> Self {
        let mut said = Self::default();
        for line in body.lines() {
            said.add_line(&serde_json::from_str(line).unwrap());
        }
        said
    }

    /// What the client got.
    fn of_client(answer: &Answer) -> Self {
        let mut said = Self::default();
        if answer.header("content-type").unwrap().contains("json") {
            let whole: Value = serde_json::from_str(answer.text()).unwrap();
            let choice = &whole["choices"][0];
            said.add_choice(&choice["message"], choice);
            said.add_usage(&whole["usage"]);
            return said;
        }
        let events = answer.text().strip_suffix("data: [DONE]\n\n").unwrap();
        for event in events.split_terminator("\n\n") {
            let chunk: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
            match chunk["choices"].get(0) {
                Some(choice) => said.add_choice(&choice["delta"], choice),
                None => said.add_usage(&chunk["usage"]),
            }
        }
        said
    }
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn answers_say_the_same_to_the_client_however_they_are_cut() {
    let recordings = recordings("ollama-chat");
    let answered = recordings.iter().filter(|(_, recording)| recording["response"]["status"] == 200);
    for (file, recording) in answered {
        let body = recording["response"]["body"].as_str().unwrap();
        let content_type = recording["response"]["headers"]["content-type"].as_str().unwrap();
        let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        if content_type.contains("ndjson") {
            request["stream"] = true.into();
            request["stream_options"] = json!({"include_usage": true});
        }
        for seed in SEEDS {
            let answer =
                asked(&request).sent().answered(200, &[("content-type", content_type)], &pieces(body.as_bytes(), seed));
            assert_eq!(Said::of_client(&answer), Said::of_ollama(body), "{file} seed {seed}");
        }
    }
    assert!(!recordings.is_empty());
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn requests_of_ollamas_own_clients_are_written_alike() {
    let recordings = recordings("ollama-chat");
    let mut written = 0;
    for (file, recording) in &recordings {
        let own = &recording["request"]["body"];
        let is_plain = |message: &Value| message["content"].is_string() && message.as_object().unwrap().len() == 2;
        if !own["messages"].as_array().unwrap().iter().all(is_plain) {
            continue;
        }
        let streams = own["stream"] != false;
        let request = json!({"model": own["model"], "messages": own["messages"], "stream": streams});
        let sent = asked(&request).sent();
        let got: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!((&got["model"], &got["messages"]), (&own["model"], &own["messages"]), "{file}");
        assert_eq!(got["stream"], streams, "{file}");
        let path = sent.headers.iter().find(|(name, _)| name == ":path").unwrap();
        assert_eq!(path.1, recording["request"]["path"].as_str().unwrap().as_bytes(), "{file}");
        written += 1;
    }
    assert!(written > 0);
}

/// Whether a request of an `OpenAI` client asks for something that Ollama does not have.
fn is_beyond_ollama(request: &Value) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let content = list(&request["messages"]).into_iter().flat_map(|message| list(&message["content"]));
    let is_readable = |part: &Value| match part["type"].as_str() {
        Some("text" | "input_audio" | "refusal") => true,
        Some("image_url") => {
            let url = part["image_url"]["url"].as_str().or_else(|| part["image_url"].as_str());
            url.is_some_and(|url| !url.starts_with("http"))
        }
        _ => false,
    };
    let is_function = |tool: &Value| tool["function"].is_object();
    content.into_iter().any(|part| !is_readable(&part))
        || !list(&request["tools"]).iter().all(is_function)
        || request["n"].as_u64().is_some_and(|n| n != 1)
        || request["logit_bias"].as_object().is_some_and(|bias| !bias.is_empty())
        || request["web_search_options"].is_object()
        || list(&request["modalities"]).contains(&json!("audio"))
}

/// The texts of a message of either format, without what stands between them.
fn texts(message: &Value) -> String {
    let parts = message["content"].as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
    let text: String = message["content"].as_str().into_iter().chain(parts).collect();
    [text.as_str(), message["refusal"].as_str().unwrap_or_default()].concat().replace('\n', "")
}

fn flat(list: &Value, name: &str) -> Vec<Value> {
    list.as_array().into_iter().flatten().flat_map(|item| item[name].as_array().cloned().unwrap_or_default()).collect()
}

/// Base64 of pictures and sound, in order.
fn media(messages: &Value) -> Vec<String> {
    let data = |part: Value| match part["type"].as_str() {
        Some("input_audio") => Some(part["input_audio"]["data"].as_str()?.to_owned()),
        Some("image_url") => {
            let url = part["image_url"]["url"].as_str().or_else(|| part["image_url"].as_str())?;
            Some(url.rsplit(',').next()?.to_owned())
        }
        _ => None,
    };
    flat(messages, "content").into_iter().filter_map(data).collect()
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn requests_of_openais_clients_keep_their_texts_tools_and_pictures() {
    let recordings = recordings("chat");
    let (mut written, mut refused) = (0, 0);
    for (file, recording) in &recordings {
        let request = &recording["request"]["body"];
        if request["messages"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        let sent = match asked(request) {
            Asked::Sent(sent) => sent,
            Asked::Refused(reply) => {
                let error: Value = serde_json::from_slice(&reply.body).unwrap();
                assert_eq!(reply.status, 400, "{file}");
                assert!(error["error"]["param"].is_string(), "{file}: {error}");
                assert!(is_beyond_ollama(request), "{file}: {error}");
                refused += 1;
                continue;
            }
        };
        assert!(!is_beyond_ollama(request), "{file}");
        let got: Value = serde_json::from_slice(&sent.body).unwrap();
        let (before, after) = (&request["messages"], &got["messages"]);
        let all = |messages: &Value| messages.as_array().unwrap().iter().map(texts).collect::<String>();
        assert_eq!(all(after), all(before), "{file}");
        assert_eq!(flat(after, "images"), media(before), "{file}");

        let calls = |list: &Value| flat(list, "tool_calls");
        let (asked_calls, got_calls) = (calls(before), calls(after));
        assert_eq!(got_calls.len(), asked_calls.len(), "{file}");
        for (asked, got) in asked_calls.iter().zip(&got_calls) {
            let arguments = asked["function"]["arguments"].as_str().filter(|json| !json.is_empty()).unwrap_or("{}");
            let expected: Value = serde_json::from_str(arguments).unwrap();
            assert_eq!(got["function"]["arguments"], expected, "{file}");
            assert_eq!(got["function"]["name"], asked["function"]["name"], "{file}");
        }

        let shows_all = matches!(request["tool_choice"].as_str(), None | Some("auto" | "required"))
            && !request["tool_choice"].is_object();
        if shows_all {
            let functions = |request: &Value| -> Vec<(Value, Value)> {
                let tools = request["tools"].as_array().into_iter().flatten().map(|tool| &tool["function"]);
                let legacy = request["functions"].as_array().into_iter().flatten();
                tools.chain(legacy).map(|tool| (tool["name"].clone(), tool["parameters"].clone())).collect()
            };
            assert_eq!(functions(&got), functions(request), "{file}");
        } else if request["tool_choice"] == "none" {
            assert!(got["tools"].is_null(), "{file}");
        } else {
            assert_eq!(got["tools"].as_array().map(Vec::len), Some(1), "{file}");
            assert_eq!(got["tools"][0]["function"]["name"], request["tool_choice"]["function"]["name"], "{file}");
        }
        assert_eq!(got["stream"], request["stream"] == true, "{file}");
        let most = request.get("max_completion_tokens").or_else(|| request.get("max_tokens")).unwrap_or(&Value::Null);
        assert_eq!(&got["options"]["num_predict"], most, "{file}");
        written += 1;
    }
    assert!(written > 100 && refused > 0);
}
