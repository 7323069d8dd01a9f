//! Clients of Anthropic's Messages through a real Envoy: what passes as it came, what is translated, and that nothing waits.
#![cfg(test)]

use std::sync::LazyLock;

use dragoman::simulate::{Gate, Options, Piece, Script};
use dragoman_tests::scene::Scene;
use serde_json::{Value, json};

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options::default(), |config, base_url| {
        // The scene's address ends in OpenAI's version segment.
        let root = base_url.trim_end_matches("/v1");
        for kind in ["anthropic", "gemini", "ollama"] {
            config["providers"][kind] = json!({"kind": kind, "base_url": root, "credential": {"value": "k"}});
        }
    })
});

const PATH: &str = "/v1/messages";

fn ask(model: &str, stream: bool) -> Value {
    json!({"model": model, "max_tokens": 64, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]})
}

/// The text in some events.
fn said(events: &[u8]) -> String {
    let events = String::from_utf8_lossy(events).into_owned();
    let data = events.split("\n\n").filter_map(|event| event.split_once("\ndata: "));
    let data = data.filter_map(|(_, data)| serde_json::from_str::<Value>(data).ok());
    data.filter_map(|data| data["delta"]["text"].as_str().map(str::to_owned)).collect()
}

#[test]
fn every_provider_answers_whole_and_streamed() {
    for model in ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash", "ollama/llama3.2"] {
        let case = SCENE.case("messages");
        let whole = case.send(&case.post(PATH, &ask(model, false)));
        assert_eq!(whole.status, 200, "{model}: {}", whole.text());
        let message: Value = serde_json::from_str(&whole.text()).unwrap();
        assert_eq!((&message["type"], &message["stop_reason"]), (&json!("message"), &json!("end_turn")), "{model}");
        assert!(message["content"][0]["text"].as_str().unwrap().contains("Hello"), "{model}: {message}");

        let streamed = case.send(&case.post(PATH, &ask(model, true)));
        assert_eq!(streamed.status, 200, "{model}: {}", streamed.text());
        assert!(said(streamed.text().as_bytes()).contains("Hello"), "{model}");
        let last = streamed.text().trim_end().rsplit("\n\n").next().map(str::to_owned);
        assert!(last.is_some_and(|last| last.starts_with("event: message_stop\n")), "{model}: {}", streamed.text());
    }
    SCENE.assert_sound();
}

#[test]
fn a_provider_that_speaks_messages_gets_every_byte_and_the_headers_of_the_format() {
    let case = SCENE.case("messages as they are");
    let body = r#"{ "model":"anthropic/claude-sonnet-4-5", "max_tokens":64,"temperature":0.50, "messages":[{"role":"user","content":"Hi"}]}"#;
    let request = case.bytes("/v1/messages?beta=true", body).header("anthropic-version", "2023-06-01");
    let answer = case.send(&request.header("anthropic-beta", "one,two"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = case.requests().pop().unwrap();
    assert_eq!(String::from_utf8_lossy(&sent.body), body.replace("anthropic/", ""));
    assert_eq!(sent.uri.to_string(), "/v1/messages?beta=true");
    let headers = (sent.header("anthropic-version"), sent.header("anthropic-beta"));
    assert_eq!(headers, (Some("2023-06-01"), Some("one,two")));
}

#[test]
fn each_word_reaches_the_client_while_the_provider_holds_the_next_one() {
    let chunk = |delta: Value, finish: Option<&str>| {
        format!("data: {}\n\n", json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
    };
    let block = |delta: &str| {
        format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{delta}\"}}}}\n\n"
        )
    };
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    let stop = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let of_openai = chunk(json!({"content": "wörd "}), None);
    let wires = [
        ("openai/gpt-4o", String::new(), of_openai, chunk(json!({}), Some("stop")) + "data: [DONE]\n\n"),
        ("anthropic/claude-sonnet-4-5", start.to_owned(), block("wörd "), stop.to_owned()),
    ];
    for (model, first, word, last) in wires {
        let case = SCENE.case("messages gate");
        let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
        let mut pieces = vec![Piece::new([first, word.clone()].concat())];
        pieces.extend(gates[..2].iter().map(|gate| Piece::new(word.clone()).behind(gate)));
        pieces.push(Piece::new(last).behind(&gates[2]));
        let mut script = Script::stream("text/event-stream", Vec::<String>::new());
        script.body = pieces;
        case.answer(script);

        let mut connection = case.connect();
        connection.send(&case.post(PATH, &ask(model, true)).bytes());
        assert_eq!(connection.head().unwrap().0, 200, "{model}");
        for gate in &gates {
            let mut text = Vec::new();
            // Had the gateway waited for more, this would hang.
            while said(&text) != "wörd " {
                text.extend(connection.chunk().unwrap().expect("the stream goes on").bytes);
            }
            gate.open();
        }
        let mut rest = Vec::new();
        while let Some(chunk) = connection.chunk().unwrap() {
            rest.extend(chunk.bytes);
        }
        let rest = String::from_utf8(rest).unwrap();
        assert!(
            rest.contains("\"stop_reason\":\"end_turn\"") && rest.trim_end().ends_with("\"message_stop\"}"),
            "{rest}"
        );
    }
    SCENE.assert_sound();
}
