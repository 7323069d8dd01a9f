//! What is no chat, through a real Envoy: vectors and pictures of every provider that makes them, and the other paths of OpenAI's API.
#![cfg(test)]

use std::sync::LazyLock;

use dragoman::simulate::{Gate, Options, Piece, Script};
use dragoman_tests::http::Request;
use dragoman_tests::scene::{Case, Scene, openai_error};
use http::StatusCode;
use serde_json::{Value, json};

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options::default(), |config, base_url| {
        let root = base_url.trim_end_matches("/v1");
        for kind in ["anthropic", "gemini", "ollama"] {
            config["providers"][kind] = json!({"kind": kind, "base_url": root, "credential": {"value": "k"}});
        }
        config["retry"] = json!({"attempts": 0, "cooldown": {"default": "0s", "max": "0s"}});
        config["aliases"] = json!({
            "vectors": ["openai/text-embedding-3-small", "anthropic/claude-haiku-4-5", "gemini/gemini-embedding-001", "ollama/nomic"]
        });
        config["routers"] = json!({"mapped": {
            "load_balance": {"embeddings": {"strategy": "fallback", "targets": [{"provider": "ollama"}]}},
            "model_mapping": {"small": {"ollama": "nomic"}},
        }});
    })
});

fn whole(body: &Value) -> Script {
    Script::whole(StatusCode::OK, "application/json", body.to_string())
}

fn failing(status: u16) -> Script {
    let body = json!({"error": {"message": "Not now.", "type": "server_error"}});
    Script::whole(StatusCode::from_u16(status).unwrap(), "application/json", body.to_string())
}

fn paths(case: &Case<'_>) -> Vec<String> {
    case.requests().iter().map(|request| request.path().to_owned()).collect()
}

#[test]
fn vectors_fall_back_from_openai_to_gemini_to_ollama() {
    let case = SCENE.case("fallback of vectors");
    case.answer(failing(503));
    case.answer(failing(429));
    case.answer(whole(&json!({"model": "nomic", "embeddings": [[0.5, -0.25], [1, 2]], "prompt_eval_count": 6})));
    let request = json!({"model": "vectors", "input": ["first", "second"], "encoding_format": "float"});
    let answer = case.send(&case.post("/v1/embeddings", &request));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let vector = |index: u64, numbers: Value| json!({"object": "embedding", "index": index, "embedding": numbers});
    assert_eq!(
        answer.json(),
        json!({
            "object": "list", "model": "nomic", "usage": {"prompt_tokens": 6, "total_tokens": 6},
            "data": [vector(0, json!([0.5, -0.25])), vector(1, json!([1, 2]))],
        })
    );
    assert_eq!(
        answer.headers.text("x-dragoman-attempts"),
        Some("openai/text-embedding-3-small=503,gemini/gemini-embedding-001=429,ollama/nomic=200")
    );
    assert_eq!(
        paths(&case),
        ["/v1/embeddings", "/v1beta/models/gemini-embedding-001:batchEmbedContents", "/api/embed"]
    );
    SCENE.assert_sound();
}

#[test]
fn a_router_has_a_strategy_of_its_own_for_vectors_and_maps_their_model() {
    let case = SCENE.case("mapped vectors");
    case.answer(whole(&json!({"embeddings": [[1.0]], "prompt_eval_count": 1})));
    let request = json!({"model": "small", "input": "x", "encoding_format": "base64"});
    let answer = case.send(&case.post("/router/mapped/embeddings", &request));
    assert_eq!((answer.status, &answer.json()["data"][0]["embedding"]), (200, &json!("AACAPw==")), "{}", answer.text());
    let sent: Value = serde_json::from_slice(&case.requests().pop().unwrap().body).unwrap();
    assert_eq!(sent, json!({"model": "nomic", "input": ["x"], "truncate": false}));
}

#[test]
fn a_budget_of_tokens_holds_for_vectors() {
    let scene = Scene::start(Options::default(), |config, _| {
        let key = json!({"id": "key", "sha256": dragoman::key::hash("sk-key"), "budgets": {"hourly": {"total": 300}}});
        config["keys"] = json!([key]);
    });
    let case = scene.case("budget");
    let ask = |words: usize| {
        let request = json!({"model": "openai/text-embedding-3-small", "input": "word ".repeat(words)});
        case.send(&case.post("/v1/embeddings", &request).key("sk-key"))
    };
    case.answer(whole(&json!({"object": "list", "data": [], "usage": {"prompt_tokens": 200, "total_tokens": 200}})));
    assert_eq!(ask(10).status, 200);
    // What it was charged is what the provider counted, and nothing for an answer.
    let refused = ask(200);
    openai_error(&refused, 429, "insufficient_quota", Some("insufficient_quota"));
    case.answer(whole(&json!({"object": "list", "data": [], "usage": {"prompt_tokens": 10, "total_tokens": 10}})));
    let answer = ask(10);
    assert_eq!(answer.status, 200, "{}", answer.text());
    scene.assert_sound();
}

#[test]
fn a_picture_of_gemini_reaches_a_client_of_openai_s() {
    let case = SCENE.case("picture");
    // Larger than what is held of an answer that passes.
    let data = "iVBORw0KGgoAAAANSUhEUgAA".repeat(60_000);
    let part = json!({"inlineData": {"mimeType": "image/png", "data": data}});
    let usage = json!({"promptTokenCount": 5, "candidatesTokenCount": 1290});
    let drawn = json!({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}], "usageMetadata": usage});
    case.answer(whole(&drawn).in_pieces_of(100_000));
    let request =
        json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "a cat", "size": "1536x1024", "quality": "high"});
    let answer = case.send(&case.post("/v1/images/generations", &request));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["data"], json!([{"b64_json": data}]));
    assert_eq!(answer.json()["usage"]["total_tokens"], json!(1295));
    assert_eq!(answer.headers.text("x-dragoman-dropped"), Some("quality"));
    let sent = case.requests().pop().unwrap();
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(sent["generationConfig"]["imageConfig"], json!({"aspectRatio": "3:2"}));
    SCENE.assert_sound();
}

#[test]
fn a_picture_in_parts_reaches_the_client_part_by_part() {
    let case = SCENE.case("partial pictures");
    let event = |kind: &str, more: &str| {
        format!(
            "event: image_generation.{kind}\ndata: {{\"type\":\"image_generation.{kind}\",\"b64_json\":\"AAAA\"{more}}}\n\n"
        )
    };
    let usage = r#","usage":{"input_tokens":4,"output_tokens":7,"total_tokens":11}"#;
    let (first, last) = (event("partial_image", r#","partial_image_index":0"#), event("completed", usage));
    let gate = Gate::closed();
    let mut script = Script::stream("text/event-stream", Vec::<String>::new());
    script.body = vec![Piece::new(first.clone()), Piece::new(last.clone()).behind(&gate)];
    case.answer(script);
    let request = json!({"model": "openai/gpt-image-1", "prompt": "a cat", "stream": true, "partial_images": 1});
    let mut connection = case.connect();
    connection.send(&case.post("/v1/images/generations", &request).bytes());
    assert_eq!(connection.head().unwrap().0, 200);
    let mut text = Vec::new();
    while text.len() < first.len() {
        text.extend(connection.chunk().unwrap().expect("the stream goes on").bytes);
    }
    gate.open();
    while let Some(chunk) = connection.chunk().unwrap() {
        text.extend(chunk.bytes);
    }
    assert_eq!(String::from_utf8(text).unwrap(), first + &last);
    SCENE.assert_sound();
}

#[test]
fn other_paths_go_where_their_model_is_or_the_header_says() {
    let case = SCENE.case("other paths");
    case.answer(whole(&json!({"id": "modr", "results": [{"flagged": false}]})));
    let request = json!({"model": "openai/omni-moderation-latest", "input": "x"});
    let answer = case.send(&case.post("/v1/moderations", &request));
    assert_eq!((answer.status, &answer.json()["id"]), (200, &json!("modr")), "{}", answer.text());
    let sent: Value = serde_json::from_slice(&case.requests().pop().unwrap().body).unwrap();
    assert_eq!(sent["model"], "omni-moderation-latest");

    let voice: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    case.answer(Script::whole(StatusCode::OK, "audio/mpeg", voice.clone()).in_pieces_of(9_999));
    let answer =
        case.send(&case.post("/v1/audio/speech", &json!({"model": "openai/tts-1", "input": "x", "voice": "alloy"})));
    assert_eq!((answer.status, answer.headers.text("content-type")), (200, Some("audio/mpeg")));
    assert!(answer.body() == voice);

    case.answer(whole(&json!({"object": "list", "data": []})));
    let listing = |provider: &str| {
        let request = Request::get("/v1/files?purpose=batch").header("x-case", "other paths");
        case.send(&request.header("x-dragoman-provider", provider))
    };
    assert_eq!(listing("openai").status, 200);
    let sent = case.requests().pop().unwrap();
    assert_eq!((sent.path(), sent.header("x-dragoman-provider")), ("/v1/files?purpose=batch", None));
    assert_eq!(listing("gemini").status, 400);
    SCENE.assert_sound();
}
