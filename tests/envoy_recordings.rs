//! Recorded traffic of OpenAI-compatible providers, read where `DRAGOMAN_FIXTURES` says, through a real Envoy: requests and
//! answers pass byte for byte outside the spliced places, however the provider's socket cuts them.
#![cfg(test)]
#![expect(clippy::print_stderr, reason = "what was not replayed must be seen")]

use dragoman::simulate::{Options, Script};
use dragoman_tests::http::Request;
use dragoman_tests::scene::{Scene, provider};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[derive(Deserialize)]
struct Entry {
    api: String,
    file: String,
}

#[derive(Deserialize)]
struct Recording {
    request: Asked,
    response: Answered,
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    body: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Answered {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    body: Option<String>,
}

/// The members of a request that say what is changed in it.
#[derive(Deserialize)]
struct Head {
    model: String,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    include_usage: Option<bool>,
}

impl Head {
    /// The body as the provider must get it.
    fn expected(&self, body: &str) -> String {
        let asks = self.stream_options.as_ref().map(|options| options.include_usage);
        match (self.stream, asks) {
            (Some(true), None) => body.replacen('{', r#"{"stream_options":{"include_usage":true},"#, 1),
            (Some(true), Some(Some(false))) => {
                let body = body.replacen("\"include_usage\": false", "\"include_usage\": true", 1);
                body.replacen("\"include_usage\":false", "\"include_usage\":true", 1)
            }
            (Some(true), Some(None)) => panic!("stream_options without include_usage: not recorded so far"),
            _ => body.to_owned(),
        }
    }
}

fn read(folder: &Path, file: &str) -> Vec<u8> {
    fs::read(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn recordings_pass_byte_for_byte_however_they_are_cut() {
    let Some(folder) = std::env::var_os("DRAGOMAN_FIXTURES") else {
        eprintln!("SKIPPED: DRAGOMAN_FIXTURES is not set, no recording was replayed");
        return;
    };
    let folder = Path::new(&folder);
    let index: Vec<Entry> = serde_json::from_slice(&read(folder, "index.json")).unwrap();
    let scene = Scene::start(Options::default(), |config, base_url| {
        // A name that no recorded model begins with.
        config["providers"] = serde_json::json!({"p": provider(base_url)});
    });
    let (mut requests, mut answers) = (0, 0);
    for entry in index.iter().filter(|entry| entry.api == "chat") {
        let file = entry.file.as_str();
        let recording: Recording = serde_json::from_slice(&read(folder, file)).unwrap();
        let body = recording.request.body.as_ref().map(|body| body.get()).filter(|body| body.starts_with('{'));
        if let Some(body) = body {
            check_request(&scene, file, body);
            requests += 1;
        }
        if recording.response.body.is_some() {
            for seed in [0, 1, 999] {
                check_answer(&scene, file, &recording.response, seed);
            }
            answers += 1;
        }
    }
    eprintln!("{requests} recorded requests and {answers} recorded answers replayed");
    assert!(requests > 0 && answers > 0);
    scene.assert_sound();
}

#[track_caller]
fn check_request(scene: &Scene, file: &str, body: &str) {
    let head: Head = serde_json::from_str(body).unwrap();
    let model = serde_json::to_string(&head.model).unwrap();
    let named = serde_json::to_string(&format!("p/{}", head.model)).unwrap();
    let qualified = body.replacen(&format!("\"model\": {model}"), &format!("\"model\": {named}"), 1);
    let qualified = qualified.replacen(&format!("\"model\":{model}"), &format!("\"model\":{named}"), 1);
    assert_ne!(qualified, body, "{file}");
    for sent in [body, &qualified] {
        scene.upstream.clear();
        scene.upstream.answer(Script::events(["data: [DONE]\n\n"]));
        let _ = scene.gateway.send(&chat(sent));
        let got = scene.upstream.take_requests();
        assert_eq!(got.len(), 1, "{file}");
        assert_eq!(String::from_utf8_lossy(&got[0].body), head.expected(body), "{file}");
    }
}

#[track_caller]
fn check_answer(scene: &Scene, file: &str, answer: &Answered, seed: u64) {
    let body = answer.body.clone().unwrap_or_default();
    let recorded = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let content_type = recorded.and_then(|(_, value)| value.as_str()).unwrap_or("application/json");
    // Usage is asked for, so that nothing is hidden.
    let request = if body.starts_with("data:") || body.starts_with(':') {
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#
    } else {
        r#"{"model":"m"}"#
    };
    let mut script = Script::new(StatusCode::from_u16(answer.status).unwrap())
        .with(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    script.body = vec![dragoman::simulate::Piece::new(body.clone())];
    scene.upstream.clear();
    scene.upstream.answer(script.cut_at_random(seed));
    let got = scene.gateway.send(&chat(request));
    if matches!(answer.status, 401 | 403) {
        assert_eq!(got.status, 502, "{file}");
        return;
    }
    assert_eq!(got.status, answer.status, "{file}: {}", got.text());
    assert_eq!(got.text(), body, "{file} seed {seed}");
}

fn chat(body: &str) -> Request {
    Request::new("POST", "/v1/chat/completions").header("content-type", "application/json").body(body)
}
