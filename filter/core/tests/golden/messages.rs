//! The client that speaks Anthropic's Messages: what it has when a stream is over, and what it sends back.

use std::path::Path;

use crate::{
    PROVIDERS, Provider,
    book::Book,
    requests::{pretty, sent},
};
use serde_json::{Value, json};

/// What the events of a stream say together, which must come in the order that the API documents.
pub(crate) fn collect(stream: &str) -> Value {
    let mut message = Value::Null;
    let (mut is_open, mut is_over, mut input) = (false, false, String::new());
    for event in stream.split_terminator("\n\n") {
        let (name, data) = event.split_once('\n').expect("an event has a name and data");
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).unwrap();
        let kind = data["type"].as_str().unwrap();
        assert_eq!(name.strip_prefix("event: "), Some(kind), "an event is named after its type");
        assert!(!is_over && (message.is_null() == (kind == "message_start") || kind == "error"), "{kind} out of order");
        let count = message["content"].as_array().map_or(0, Vec::len);
        match kind {
            "message_start" => message = data["message"].clone(),
            "content_block_start" => {
                assert!(!is_open && data["index"] == count, "a block begins while another is open");
                is_open = true;
                input.clear();
                message["content"].as_array_mut().unwrap().push(data["content_block"].clone());
            }
            "content_block_delta" | "content_block_stop" => {
                assert!(is_open && data["index"] == count - 1, "only the open block goes on");
                let block = &mut message["content"][count - 1];
                grow(block, &data["delta"], &mut input);
                is_open = kind != "content_block_stop";
                if !is_open && block["type"] == "tool_use" && !input.is_empty() {
                    block["input"] = serde_json::from_str(&input).unwrap_or_else(|_| json!({"arguments": input}));
                }
            }
            "message_delta" => {
                assert!(!is_open, "all blocks have ended");
                message["stop_reason"] = data["delta"]["stop_reason"].clone();
                for (name, count) in data["usage"].as_object().unwrap() {
                    message["usage"][name] = count.clone();
                }
            }
            "message_stop" => is_over = true,
            "error" => return json!({"error": data["error"]}),
            // A provider's own, of next year.
            _ => {}
        }
    }
    assert!(is_over, "the stream has its last event");
    essence(&message)
}

fn grow(block: &mut Value, delta: &Value, input: &mut String) {
    let append = |member: &mut Value, more: &Value| {
        *member = json!(format!("{}{}", member.as_str().unwrap_or_default(), more.as_str().unwrap()));
    };
    match delta["type"].as_str() {
        Some("text_delta") => append(&mut block["text"], &delta["text"]),
        Some("thinking_delta") => append(&mut block["thinking"], &delta["thinking"]),
        Some("signature_delta") => append(&mut block["signature"], &delta["signature"]),
        Some("input_json_delta") => input.push_str(delta["partial_json"].as_str().unwrap()),
        Some("citations_delta") => match block["citations"].as_array_mut() {
            Some(citations) => citations.push(delta["citation"].clone()),
            None => block["citations"] = json!([delta["citation"]]),
        },
        // A block's end, or a kind of next year.
        Some(_) | None => {}
    }
}

/// What a whole answer and a stream have in common.
pub(crate) fn essence(message: &Value) -> Value {
    json!({"content": message["content"], "stop_reason": message["stop_reason"], "usage": message["usage"]})
}

/// An answer with calls or thoughts is sent back as history: to who gave it, and to Anthropic.
pub(crate) fn come_back(book: &mut Book, provider: &Provider, told: &Value, folder: &Path) {
    let blocks = told["content"].as_array().unwrap();
    let of = |kind: &str| blocks.iter().filter(|block| block["type"] == kind).collect::<Vec<_>>();
    if of("tool_use").is_empty() && of("thinking").is_empty() {
        return;
    }
    let result = |call: &&Value| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "18"});
    let mut results: Vec<Value> = of("tool_use").iter().map(result).collect();
    if results.is_empty() {
        results.push(json!({"type": "text", "text": "And then?"}));
    }
    let request = json!({"max_tokens": 64, "messages": [
        {"role": "user", "content": "Say it."}, {"role": "assistant", "content": blocks},
        {"role": "user", "content": results},
    ]});
    let anthropic = PROVIDERS.iter().find(|provider| provider.name == "anthropic").unwrap();
    let [kept, moved] =
        [provider, anthropic].map(|provider| sent("messages", provider, &provider.target(""), &request));
    let again = json!({"kept": kept, "moved": moved});
    book.expect(folder.join(format!("{}.again.json", provider.name)), &pretty(&again));
}
