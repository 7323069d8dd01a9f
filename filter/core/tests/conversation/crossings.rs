//! Recorded traffic of every provider, told to the clients of every format: what the model said and which tools it called is the same,
//! whole and streamed, however it is cut; and every recorded request can be asked of every provider, or a field is blamed.
//!
//! Read where `DRAGOMAN_FIXTURES` says.

use std::rc::Rc;

use dragoman_core::gateway::Gateway;
use serde_json::{Value, json};

use crate::{
    recordings::load,
    stage::{Asked, ask, gateway, pieces, post},
};

const EVENTS: (&str, &str) = ("content-type", "text/event-stream");
const LINES: (&str, &str) = ("content-type", "application/x-ndjson");
const JSON: (&str, &str) = ("content-type", "application/json");

/// The recorded APIs, each with a model of a provider that speaks it, and the media type of its streams.
const APIS: &[(&str, &str, (&str, &str))] = &[
    ("chat", "o/gpt-5", EVENTS),
    ("messages", "a/claude-sonnet-4-5", EVENTS),
    ("generate", "g/gemini-3-pro-preview", EVENTS),
    ("stream-generate", "g/gemini-3-pro-preview", EVENTS),
    ("ollama-chat", "l/qwen3", LINES),
];

const CLIENTS: &[&str] = &["/v1/chat/completions", "/v1/messages", "/v1/completions"];

fn all() -> Rc<Gateway> {
    gateway(
        r#"{"providers":{
            "a":{"kind":"anthropic","credential":{"env":"A"}},
            "o":{"kind":"openai","credential":{"env":"O"}},
            "g":{"kind":"gemini","credential":{"env":"G"}},
            "l":{"kind":"ollama","credential":{"env":"L"}}}}"#,
    )
}

/// What the first answer says, and the tools that it calls.
#[derive(Debug, Default, PartialEq, Eq)]
struct Gist {
    text: String,
    calls: Vec<String>,
}

impl Gist {
    fn say(&mut self, text: &Value) {
        self.text.push_str(text.as_str().unwrap_or_default());
    }

    fn call(&mut self, name: &Value) {
        self.calls.extend(name.as_str().filter(|name| !name.is_empty()).map(str::to_owned));
    }

    /// A document of whatever format: a whole answer, or a piece of a stream.
    fn add(&mut self, document: &Value) {
        for choice in document["choices"].as_array().into_iter().flatten().filter(|choice| choice["index"] != json!(1))
        {
            self.say(&choice["text"]);
            for message in [&choice["message"], &choice["delta"]] {
                self.say(&message["content"]);
                for part in message["content"].as_array().into_iter().flatten() {
                    self.say(&part["text"]);
                }
                self.say(&message["refusal"]);
                self.call(&message["function_call"]["name"]);
                for call in message["tool_calls"].as_array().into_iter().flatten() {
                    self.call(&call["function"]["name"]);
                }
            }
        }
        let block = [&document["content_block"], &document["delta"]];
        for block in document["content"].as_array().into_iter().flatten().chain(block) {
            if block["type"] == "text" || block["type"] == "text_delta" {
                self.say(&block["text"]);
            }
            if block["type"] == "tool_use" {
                self.call(&block["name"]);
            }
        }
        for part in document["candidates"][0]["content"]["parts"].as_array().into_iter().flatten() {
            if part["thought"] != json!(true) {
                self.say(&part["text"]);
            }
            self.call(&part["functionCall"]["name"]);
        }
        self.say(&document["message"]["content"]);
        for call in document["message"]["tool_calls"].as_array().into_iter().flatten() {
            self.call(&call["function"]["name"]);
        }
    }

    fn of(body: &str) -> Self {
        let mut gist = Self::default();
        if let Ok(whole) = serde_json::from_str::<Value>(body) {
            gist.add(&whole);
            return gist;
        }
        for line in body.lines() {
            let data = line.strip_prefix("data:").unwrap_or(line).trim();
            if let Ok(piece) = serde_json::from_str::<Value>(data) {
                gist.add(&piece);
            }
        }
        gist
    }
}

/// A request for a short answer.
fn question(path: &str, model: &str, stream: bool) -> Value {
    let mut request = json!({"model": model, "max_tokens": 64, "stream": stream});
    if path.ends_with("/completions") && !path.contains("chat") {
        request["prompt"] = json!("x");
    } else {
        request["messages"] = json!([{"role": "user", "content": "x"}]);
    }
    request
}

#[test]
fn an_answer_without_answers_is_none_and_a_mark_before_one_is_passed_over() {
    for (choices, status) in
        [("", 502), (r#"{"message":{"content":"a"}}"#, 200), (r#"{"message":{"content":""}}"#, 502)]
    {
        for mark in ["", "\u{feff}"] {
            let request = question("/v1/messages", "o/gpt-5", false).to_string();
            let sent = ask(&all(), post("/v1/messages", &[]), &[request.as_bytes()]).sent();
            let body = format!(r#"{mark}{{"choices":[{choices}]}}"#);
            assert_eq!(sent.answered(200, &[JSON], &[body.as_bytes()]).status, status, "{body}");
        }
    }
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn every_recorded_answer_says_the_same_to_every_client() {
    let (gateway, mut told) = (all(), 0);
    for (api, model, streams) in APIS {
        for (file, recording) in &load::<Value>(&[api]) {
            let Some(body) = recording["response"]["body"].as_str() else { continue };
            // A list of chunks is what Gemini streams to who does not ask for events.
            if recording["response"]["status"] != 200 || body.starts_with('[') {
                continue;
            }
            let is_stream = serde_json::from_str::<Value>(body).is_err();
            let media_type = if is_stream { *streams } else { JSON };
            let expected = Gist::of(body);
            for path in CLIENTS {
                let request = question(path, model, is_stream).to_string();
                let answer = |seed| {
                    let sent = ask(&gateway, post(path, &[]), &[request.as_bytes()]).sent();
                    let answer = sent.answered(200, &[media_type], &pieces(body.as_bytes(), seed));
                    (answer.status, answer.text().trim_end().to_owned())
                };
                let (status, text) = answer(0);
                assert_eq!(answer(99), (status, text.clone()), "{file}, {path}");
                if status != 200 || text.contains(r#""error":"#) {
                    continue;
                }
                let mut got = Gist::of(&text);
                let calls = if *path == "/v1/completions" { &[][..] } else { &expected.calls };
                // A picture has no other place than the text.
                if let Some(picture) = got.text.find("![](").filter(|_| !expected.text.contains("![](")) {
                    got.text.truncate(picture);
                    assert!(expected.text.starts_with(&got.text), "{file}, {path}");
                    continue;
                }
                assert!(got.text.starts_with(&expected.text), "{file}, {path}: {} / {}", got.text, expected.text);
                assert_eq!(got.calls, calls, "{file}, {path}");
                told += 1;
            }
        }
    }
    assert!(told > 500, "{told}");
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn every_recorded_request_can_be_asked_of_every_provider_or_a_field_is_blamed() {
    let (gateway, mut asked, mut refused) = (all(), 0, Vec::new());
    for (api, path) in [("chat", CLIENTS[0]), ("messages", CLIENTS[1]), ("completions", CLIENTS[2])] {
        for (file, recording) in &load::<Value>(&[api]) {
            let body = &recording["request"]["body"];
            if !body["messages"].is_array() && body["prompt"].is_null() {
                continue;
            }
            for (_, model, _) in APIS {
                let mut request = body.clone();
                request["model"] = json!(model);
                match ask(&gateway, post(path, &[]), &[request.to_string().as_bytes()]) {
                    Asked::Sent(sent) => {
                        assert!(serde_json::from_slice::<Value>(&sent.body).unwrap().is_object(), "{file}, {model}");
                        asked += 1;
                    }
                    Asked::Refused(reply) => {
                        let error: Value = serde_json::from_slice(&reply.body).unwrap();
                        let is_blamed = api == "messages" || error["error"]["param"].is_string();
                        assert!(reply.status == 400 && is_blamed, "{file}, {model}: {error}");
                        refused.push(error["error"]["message"].as_str().unwrap().to_owned());
                    }
                }
            }
        }
    }
    refused.sort_unstable();
    refused.dedup();
    assert!(asked > 500, "{asked}; refused: {refused:#?}");
}
