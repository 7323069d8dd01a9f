//! Recorded traffic of OpenAI-compatible providers, read where `DRAGOMAN_FIXTURES` says: requests and answers must pass byte
//! for byte outside the spliced places, however they are cut.
//!
//! The recordings are not part of the repository. Without them these tests are ignored, which the harness counts and shows,
//! rather than passed; `make test` asks for them where the variable is set.

use std::{fs, path::Path};

use crate::stage::{Sent, ask, gateway, pieces, post};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Entry {
    api: String,
    file: String,
}

#[derive(Deserialize)]
struct Recording {
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    body: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Response {
    status: u16,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    body: Option<String>,
}

/// The recorded exchanges of these APIs, each with its file.
pub(crate) fn load<T: DeserializeOwned>(apis: &[&str]) -> Vec<(String, T)> {
    let folder = std::env::var_os("DRAGOMAN_FIXTURES").expect("DRAGOMAN_FIXTURES names the folder of recordings");
    let folder = Path::new(&folder);
    let index: Vec<Entry> = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let read = |entry: Entry| {
        let recording = serde_json::from_slice(&fs::read(folder.join(&entry.file)).unwrap()).unwrap();
        (entry.file, recording)
    };
    index.into_iter().filter(|entry| apis.contains(&entry.api.as_str())).map(read).collect()
}

fn recordings() -> Vec<(String, Recording)> {
    load(&["chat"])
}

/// A gateway whose provider is called `p`.
fn sent(body: &[u8], seed: u64) -> Sent {
    let gateway =
        gateway(r#"{"providers":{"p":{"kind":"openai","base_url":"https://p.example/v1","credential":{"env":"P"}}}}"#);
    ask(&gateway, post("/v1/chat/completions", &[]), &pieces(body, seed)).sent()
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn completions_pass_byte_for_byte_both_ways() {
    let gateway =
        gateway(r#"{"providers":{"p":{"kind":"openai","base_url":"https://p.example/v1","credential":{"env":"P"}}}}"#);
    let recordings: Vec<(String, Recording)> = load(&["completions"]);
    assert!(!recordings.is_empty());
    for (file, recording) in &recordings {
        let body = recording.request.body.as_ref().expect("a body").get();
        let asked: Asked = serde_json::from_str(body).unwrap();
        let is_stream = asked.stream == Some(true);
        // Nothing is hidden of what the client has asked for.
        let usage = r#"{"stream_options":{"include_usage":true},"#;
        let expected = if is_stream { body.replacen('{', usage, 1) } else { body.to_owned() };
        let answer = recording.response.body.as_deref().unwrap_or_default();
        let content_type =
            if is_stream && recording.response.status == 200 { "text/event-stream" } else { "application/json" };
        for seed in [0, 1, 77] {
            let sent = ask(&gateway, post("/v1/completions", &[]), &pieces(body.as_bytes(), seed)).sent();
            assert_eq!(String::from_utf8(sent.body.clone()).unwrap(), expected, "{file}");
            let got = sent.answered(
                recording.response.status,
                &[("content-type", content_type)],
                &pieces(answer.as_bytes(), seed),
            );
            match recording.response.status {
                401 => assert_eq!(got.status, 502, "{file}"),
                status => assert_eq!((got.status, got.text()), (status, answer), "{file}"),
            }
        }
    }
}

#[derive(Deserialize)]
struct Asked {
    model: String,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<Options>,
}

#[derive(Deserialize)]
struct Options {
    #[serde(default)]
    include_usage: Option<bool>,
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn requests_pass_byte_for_byte_outside_the_spliced_places() {
    let mut replayed = 0;
    for (file, recording) in &recordings() {
        let Some(body) = recording.request.body.as_ref().map(|body| body.get()).filter(|body| body.starts_with('{'))
        else {
            continue;
        };
        let asked: Asked = serde_json::from_str(body).unwrap();
        // As recorded, then under the name of a provider.
        let model = serde_json::to_string(&asked.model).unwrap();
        let qualified = serde_json::to_string(&format!("p/{}", asked.model)).unwrap();
        let renamed = body.replacen(&format!("\"model\": {model}"), &format!("\"model\": {qualified}"), 1);
        let renamed = renamed.replacen(&format!("\"model\":{model}"), &format!("\"model\":{qualified}"), 1);
        assert_ne!(renamed, body, "{file}");
        for seed in [0, 1, 77] {
            for request in [body, renamed.as_str()] {
                let got = String::from_utf8(sent(request.as_bytes(), seed).body).unwrap();
                let has_usage = asked.stream_options.as_ref().and_then(|options| options.include_usage) == Some(true);
                let expected = match (asked.stream, has_usage, &asked.stream_options) {
                    (Some(true), false, None) => body.replacen('{', r#"{"stream_options":{"include_usage":true},"#, 1),
                    (Some(true), false, Some(_)) => {
                        let switched = body.replacen("\"include_usage\": false", "\"include_usage\": true", 1);
                        switched.replacen("\"include_usage\":false", "\"include_usage\":true", 1)
                    }
                    _ => body.to_owned(),
                };
                assert_eq!(got, expected, "{file}");
            }
        }
        replayed += 1;
    }
    assert!(replayed > 0);
}

#[test]
#[ignore = "needs DRAGOMAN_FIXTURES"]
fn answers_pass_byte_for_byte_however_they_are_cut() {
    let mut replayed = 0;
    for (file, recording) in &recordings() {
        let Some(body) = &recording.response.body else { continue };
        let header = |name: &str| {
            recording
                .response
                .headers
                .iter()
                .find(|(found, _)| found.eq_ignore_ascii_case(name))
                .and_then(|(_, value)| value.as_str())
        };
        let content_type = header("content-type").unwrap_or("application/json");
        let is_stream = body.starts_with("data:") || body.starts_with(':');
        // Usage is asked for, so that nothing is hidden.
        let request: &[u8] = if is_stream {
            br#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#
        } else {
            br#"{"model":"m"}"#
        };
        for seed in [0, 1, 2, 3, 999] {
            let sent = sent(request, 0);
            let plan = std::rc::Rc::clone(&sent.plan);
            let answer = sent.answered(
                recording.response.status,
                &[("content-type", content_type)],
                &pieces(body.as_bytes(), seed),
            );
            if matches!(recording.response.status, 401 | 403) {
                assert_eq!(answer.status, 502, "{file}");
                continue;
            }
            assert_eq!(answer.status, recording.response.status, "{file}");
            assert_eq!(answer.text(), body, "{file} seed {seed}");
            if recording.response.status == 200 && body.contains("\"prompt_tokens\"") && !body.contains("x_groq") {
                assert!(plan.usage().is_some_and(|usage| usage.input > 0), "{file}: no usage was read");
            }
        }
        replayed += 1;
    }
    assert!(replayed > 0);
}
