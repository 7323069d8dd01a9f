//! Clients of the older completions through a real Envoy: to who has them as they came, to everybody else as a chat.
#![cfg(test)]

use std::sync::LazyLock;

use dragoman::simulate::{Options, Script};
use dragoman_tests::scene::{Scene, openai_error};
use serde_json::{Value, json};

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options::default(), |config, base_url| {
        // The scene's address ends in OpenAI's version segment.
        let root = base_url.trim_end_matches("/v1");
        for kind in ["anthropic", "gemini", "ollama"] {
            config["providers"][kind] = json!({"kind": kind, "base_url": root, "credential": {"value": "k"}});
        }
        config["aliases"] = json!({"chain": ["openai/davinci-002", "anthropic/claude-sonnet-4-5"]});
    })
});

const PATH: &str = "/v1/completions";

#[test]
fn every_provider_answers_whole_and_streamed() {
    for model in ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash", "ollama/llama3.2"] {
        let case = SCENE.case("completions");
        let ask = |stream: bool| json!({"model": model, "prompt": "Hello", "max_tokens": 64, "stream": stream});
        let whole = case.send(&case.post(PATH, &ask(false)));
        assert_eq!(whole.status, 200, "{model}: {}", whole.text());
        let answer: Value = serde_json::from_str(&whole.text()).unwrap();
        assert_eq!(
            (&answer["object"], &answer["choices"][0]["finish_reason"]),
            (&json!("text_completion"), &json!("stop"))
        );
        let said = answer["choices"][0]["text"].as_str().unwrap();
        assert!(said.contains("Hello") && answer["usage"]["completion_tokens"].as_u64() > Some(0), "{model}: {answer}");

        let streamed = case.send(&case.post(PATH, &ask(true))).text();
        let chunks = streamed.split("\n\n").filter_map(|event| event.strip_prefix("data: {"));
        let chunks: Vec<Value> = chunks.map(|rest| serde_json::from_str(&format!("{{{rest}")).unwrap()).collect();
        let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
        assert_eq!(text, said, "{model}");
        assert!(streamed.ends_with("data: [DONE]\n\n"), "{model}: {streamed}");
    }
    SCENE.assert_sound();
}

#[test]
fn who_has_completions_gets_every_byte() {
    let case = SCENE.case("completions as they are");
    let answer = r#"{"id":"cmpl-1","object":"text_completion","choices":[{"text":" b","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":1},"new":1}"#;
    case.answer(Script::whole(http::StatusCode::OK, "application/json", answer));
    let body =
        r#"{ "model":"openai/gpt-3.5-turbo-instruct","prompt":[[1,2],[3]], "echo":true,"best_of":2, "suffix":"c"}"#;
    let got = case.send(&case.bytes(PATH, body));
    assert_eq!((got.status, got.text()), (200, answer.to_owned()));
    let sent = case.requests().pop().unwrap();
    assert_eq!(String::from_utf8_lossy(&sent.body), body.replace("openai/", ""));
    assert_eq!(sent.uri.path(), PATH);
}

#[test]
fn a_chain_goes_on_from_completions_to_a_chat_and_leaves_out_who_cannot() {
    let case = SCENE.case("completions fall back");
    case.answer(Script::whole(
        http::StatusCode::SERVICE_UNAVAILABLE,
        "application/json",
        r#"{"error":{"message":"busy"}}"#,
    ));
    let got = case.send(&case.post(PATH, &json!({"model": "chain", "prompt": "Hello", "max_tokens": 64})));
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.headers.text("x-dragoman-provider"), Some("anthropic"));
    assert!(got.text().contains(r#""object":"text_completion""#), "{}", got.text());

    case.answer(Script::whole(
        http::StatusCode::BAD_REQUEST,
        "application/json",
        r#"{"error":{"message":"no tokens","type":"invalid_request_error"}}"#,
    ));
    let got = case.send(&case.post(PATH, &json!({"model": "chain", "prompt": [1, 2], "max_tokens": 64})));
    assert_eq!(got.headers.text("x-dragoman-attempts"), Some("openai/davinci-002=400"), "{}", got.text());

    let refused = case.send(&case.post(PATH, &json!({"model": "anthropic/claude-sonnet-4-5", "prompt": [1, 2]})));
    assert_eq!(openai_error(&refused, 400, "invalid_request_error", None), "This model takes one prompt, and as text.");
    SCENE.assert_sound();
}
