//! Bodies of tens of megabytes through a real Envoy: they arrive whole, too large ones are refused in a way that a client
//! can read, and memory does not grow with their number.
#![cfg(test)]
#![expect(clippy::print_stderr, reason = "the figures are of interest even where they are within the bound")]

use dragoman::simulate::{Keep, Options, Script};
use dragoman_tests::envoy::skips;
use dragoman_tests::http::{Connection, Request};
use dragoman_tests::scene::{Scene, openai_error};
use http::StatusCode;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

const MIB: usize = 1024 * 1024;
const IMAGE_BYTES: usize = 20 * 1000 * 1000;
/// Of the requests, so many are recorded.
const REMEMBERED: usize = 16;

static SCENE: LazyLock<Scene> = LazyLock::new(|| start(Keep::Digest));

fn start(keep: Keep) -> Scene {
    Scene::start(Options { keep, remember: REMEMBERED, ..Options::default() }, |config, _| {
        config["max_body"] = "32MiB".into();
        // Debug builds of the simulated provider read slowly.
        config["providers"]["openai"]["timeouts"] = json!({"first_byte": "30s", "idle": "30s"});
    })
}

/// One at a time: one test measures memory.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A chat about an image of so many bytes of base64. The image is no picture; nobody looks.
fn image(bytes: usize, model_last: bool) -> String {
    let model = r#""model":"openai/gpt-4o""#;
    let (first, last) = if model_last { ("", format!(",{model}")) } else { (model, String::new()) };
    let comma = if model_last { "" } else { "," };
    let image = "A".repeat(bytes);
    format!(
        r#"{{{first}{comma}"messages":[{{"role":"user","content":[{{"type":"text","text":"What is this?"}},{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{image}"}}}}]}}]{last}}}"#
    )
}

fn digest(body: &str) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// The same bytes, announced by length or in chunks of 64 KiB.
fn request(body: &str, chunked: bool) -> Vec<u8> {
    let request = Request::new("POST", "/v1/chat/completions").header("content-type", "application/json");
    if !chunked {
        return request.body(body).bytes();
    }
    let mut bytes = request.header("transfer-encoding", "chunked").bytes();
    for piece in body.as_bytes().chunks(64 * 1024) {
        bytes.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        bytes.extend([piece, b"\r\n"].concat());
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

#[test]
fn an_image_of_20_megabytes_arrives_whole() {
    let _turn = turn();
    let case = SCENE.case("image");
    for (model_last, chunked) in [(false, false), (true, false), (false, true), (true, true)] {
        let body = image(IMAGE_BYTES, model_last);
        let mut connection = case.connect();
        connection.send(&request(&body, chunked));
        let answer = connection.response().unwrap();
        assert_eq!(answer.status, 200, "last {model_last}, chunked {chunked}: {}", answer.text());
        let got = SCENE.upstream.requests().pop().unwrap();
        let expected = body.replace("openai/gpt-4o", "gpt-4o");
        assert_eq!(got.body_bytes, expected.len());
        assert_eq!(got.body_sha256, Some(digest(&expected)), "last {model_last}, chunked {chunked}");
        case.assert_serves(&mut connection);
    }
    SCENE.assert_sound();
}

#[test]
fn a_body_of_just_the_limit_passes_and_one_byte_more_does_not() {
    let _turn = turn();
    let case = SCENE.case("limit");
    let empty = image(0, false).len();
    let body = image(32 * MIB - empty, false);
    assert_eq!(body.len(), 32 * MIB);
    for chunked in [false, true] {
        let mut connection = case.connect();
        connection.send(&request(&body, chunked));
        let answer = connection.response().unwrap();
        assert_eq!(answer.status, 200, "chunked {chunked}: {}", answer.text());
    }
    let body = image(32 * MIB - empty + 1, false);
    for chunked in [false, true] {
        let mut connection = case.connect();
        connection.send(&request(&body, chunked));
        let answer = connection.response().unwrap();
        openai_error(&answer, 413, "invalid_request_error", Some("request_too_large"));
    }
}

/// The client writes on while the refusal is under way; it must still be able to read it.
#[test]
fn a_body_over_the_limit_is_413_in_the_callers_shape() {
    let _turn = turn();
    let case = SCENE.case("over");
    for bytes in [33 * MIB, 40 * MIB, 100 * MIB] {
        let body = image(bytes, false);
        for chunked in [false, true, true, true] {
            let mut connection = case.connect();
            connection.send(&request(&body, chunked));
            let answer = connection.response().unwrap_or_else(|error| panic!("{bytes} {chunked}: {error}"));
            let message = openai_error(&answer, 413, "invalid_request_error", Some("request_too_large"));
            assert!(message.contains("33554432"), "{message}");
            assert!(answer.complete);
        }
    }
    case.assert_serves(&mut case.connect());
    SCENE.assert_sound();
}

/// Envoy and the module keep what they once needed, so the first bodies are not counted. The bound is one body: what leaked
/// of each of 200 would be a thousand times as much.
#[test]
fn memory_does_not_grow_with_the_number_of_bodies() {
    const ALLOWED_BYTES: u64 = 64 * 1024 * 1024;
    if skips("memory_does_not_grow_with_the_number_of_bodies", "it takes long, and the ingress is the same") {
        return;
    }
    let _turn = turn();
    let scene = start(Keep::Length);
    // The simulated model would look at each image: three quarters of the time, in a debug build, and nothing of the gateway.
    let answer =
        json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": []});
    scene.upstream.always(|_| true, Script::whole(StatusCode::OK, "application/json", answer.to_string()));
    let case = scene.case("memory");
    let body = image(IMAGE_BYTES, false);
    let bytes = request(&body, false);
    let send = |connection: &mut Connection| {
        connection.send(&bytes);
        let answer = connection.response().unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    let send_some = |rounds: usize| {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..rounds / 2 {
                        send(&mut case.connect());
                    }
                });
            }
        });
    };
    send_some(40);
    let warm = scene.gateway.resident_bytes();
    let mut connection = case.connect();
    for _ in 0..60 {
        send(&mut connection);
    }
    send_some(140);
    let after = scene.gateway.resident_bytes();
    eprintln!("resident: {} MiB warm, {} MiB after 200 bodies", warm >> 20, after >> 20);
    assert!(after < warm + ALLOWED_BYTES, "{warm} bytes have become {after}");
    let arrived: Vec<_> = scene.upstream.requests().iter().map(|request| request.body_bytes).collect();
    assert_eq!(arrived, [body.len() - "openai/".len(); REMEMBERED]);
    scene.assert_sound();
}
