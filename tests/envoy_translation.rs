//! Translated streams through a real Envoy: nothing waits for a later event, and nothing grows with the answer.
#![cfg(test)]

use std::sync::LazyLock;

use dragoman::simulate::{Gate, Options, Piece, Script};
use dragoman_tests::scene::{Scene, hello};
use serde_json::{Value, json};

static SCENE: LazyLock<Scene> = LazyLock::new(start);

fn start() -> Scene {
    Scene::start(Options::default(), |config, base_url| {
        // The scene's address ends in OpenAI's version segment.
        let root = base_url.trim_end_matches("/v1");
        for kind in ["anthropic", "gemini", "ollama"] {
            config["providers"][kind] = json!({"kind": kind, "base_url": root, "credential": {"value": "k"}});
        }
    })
}

/// A stream as a provider sends it: what comes first, a word, and what ends it.
struct Wire {
    model: &'static str,
    content_type: &'static str,
    first: &'static str,
    word: &'static str,
    last: &'static [&'static str],
}

const WIRES: &[Wire] = &[
    Wire {
        model: "anthropic/claude-sonnet-4-5",
        content_type: "text/event-stream; charset=utf-8",
        first: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        word: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"wörd \"}}\n\n",
        last: &[
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ],
    },
    Wire {
        model: "gemini/gemini-2.5-flash",
        content_type: "text/event-stream",
        first: "",
        word: "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"wörd \"}],\"role\":\"model\"},\"index\":0}],\"responseId\":\"r\"}\r\n\r\n",
        last: &[
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":5}}\r\n\r\n",
        ],
    },
    Wire {
        model: "ollama/llama3.2",
        content_type: "application/x-ndjson",
        first: "",
        word: "{\"model\":\"llama3.2\",\"created_at\":\"2026-11-21T00:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":\"wörd \"},\"done\":false}\n",
        last: &[
            "{\"model\":\"llama3.2\",\"created_at\":\"2026-11-21T00:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":3,\"eval_count\":5}\n",
        ],
    },
];

fn ask(model: &str) -> Value {
    let mut body = hello(true);
    body["model"] = model.into();
    body
}

/// The text in some chunks of OpenAI's.
fn said(chunks: &[u8]) -> String {
    let text = std::str::from_utf8(chunks).unwrap();
    let chunks = text.split("\n\n").filter_map(|event| event.strip_prefix("data: {"));
    let chunks = chunks.map(|rest| serde_json::from_str::<Value>(&format!("{{{rest}")).unwrap());
    chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

#[test]
fn each_word_reaches_the_client_while_the_provider_holds_the_next_one() {
    for wire in WIRES {
        let case = SCENE.case("translated gate");
        let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
        let mut pieces = vec![Piece::new([wire.first, wire.word].concat())];
        pieces.extend(gates[..2].iter().map(|gate| Piece::new(wire.word).behind(gate)));
        pieces.push(Piece::new(wire.last.concat()).behind(&gates[2]));
        let mut script = Script::stream(wire.content_type, Vec::<String>::new());
        script.body = pieces;
        case.answer(script);

        let mut connection = case.connect();
        connection.send(&case.chat(&ask(wire.model)).bytes());
        assert_eq!(connection.head().unwrap().0, 200, "{}", wire.model);
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
            rest.contains("\"finish_reason\":\"stop\"") && rest.ends_with("data: [DONE]\n\n"),
            "{}: {rest}",
            wire.model
        );
    }
    SCENE.assert_sound();
}

/// Envoy and the module keep what they once needed: a short stream is asked for first. What the gateway kept of the long one's
/// words, even only until its end, would be twice the bound; what Envoy's buffers hold for a client that is slower than the
/// provider is half of it at most, at any length. Kept of each event, 84 bytes would be over it where they are small. An Envoy of
/// its own: its memory is no other test's.
#[test]
fn memory_does_not_grow_with_the_length_of_a_stream() {
    const WORD: &str = "wörd ";
    const SHORT_PART: usize = 20;
    const ALLOWED_BYTES: u64 = 32 * 1024 * 1024;
    let scene = start();
    for (events, words_per_event) in [(100_000, 100), (400_000, 1)] {
        for wire in WIRES {
            let case = scene.case("long stream");
            let event = wire.word.replace(WORD, &WORD.repeat(words_per_event));
            // One connection: each worker has a module, and memory, of its own.
            let mut connection = case.connect();
            let mut assert_said = |events: usize| {
                let blocks = std::iter::repeat_n(event.repeat(100), events / 100);
                let whole = std::iter::once(wire.first.to_owned()).chain(blocks).chain([wire.last.concat()]);
                case.answer(Script::stream(wire.content_type, whole));
                connection.send(&case.chat(&ask(wire.model)).bytes());
                assert_eq!(connection.head().unwrap().0, 200);
                let mut words = 0;
                let mut text = Vec::new();
                while let Some(chunk) = connection.chunk().unwrap() {
                    text.extend(chunk.bytes);
                    words += String::from_utf8_lossy(&text).matches(WORD).count();
                    // Less than a word, which may go on.
                    text.drain(..text.len().saturating_sub(WORD.len() - 1));
                }
                assert_eq!(words, events * words_per_event, "{}", wire.model);
            };
            assert_said(events / SHORT_PART);
            let before = scene.gateway.resident_bytes();
            assert_said(events);
            let after = scene.gateway.resident_bytes();
            assert!(
                after < before + ALLOWED_BYTES,
                "{}, {words_per_event} words an event: {before} bytes have become {after}",
                wire.model
            );
        }
    }
    scene.assert_sound();
}

/// A whole answer is held until it can be written anew, pictures and all.
#[test]
fn a_whole_answer_of_many_megabytes_is_translated() {
    let case = SCENE.case("large answer");
    let text = "wörd ".repeat(2_000_000);
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 3, "output_tokens": 5}});
    case.answer(Script::whole(http::StatusCode::OK, "application/json", answer.to_string()));
    let mut body = hello(false);
    body["model"] = "anthropic/claude-sonnet-4-5".into();
    let answer = case.send(&case.chat(&body));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["choices"][0]["message"]["content"], text);
    SCENE.assert_sound();
}
