//! Nothing that a client wrote is lost in silence: it reaches the provider, or its field is named, or the request is refused.
//!
//! Each wish carries a word that stands nowhere else, so that it can be found again in whatever is written.

use dragoman_core::dialect::{Downstream, openai_chat::OpenAiChat};
use proptest::{prelude::*, sample::subsequence};
use serde_json::{Value, json};

use crate::{UPSTREAMS, aim};

/// A wish: the word to find, the field to name, and how it is said.
type Wish = (&'static str, &'static str, fn(&mut Value));

const WISHES: &[Wish] = &[
    ("SYSTEM-NAME", "messages[].name", |request| request["messages"][0]["name"] = json!("SYSTEM-NAME")),
    ("CACHED-TEXT", "cache_control", |request| {
        request["messages"][1]["content"][0]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-TEXT"});
    }),
    ("CACHED-IMAGE", "cache_control", |request| {
        request["messages"][1]["content"][1]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-IMAGE"});
    }),
    ("CACHED-TOOL", "cache_control", |request| {
        request["tools"][0]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-TOOL"});
    }),
    ("CACHED-RESULT", "cache_control", |request| {
        request["messages"][3]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-RESULT"});
    }),
    ("CACHED-TURN", "cache_control", |request| {
        request["messages"][2]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-TURN"});
    }),
    ("CACHED-ALL", "cache_control", |request| {
        request["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-ALL"});
    }),
    ("SIGNED-THOUGHT", "messages[].thinking_blocks", |request| {
        request["messages"][2]["thinking_blocks"] =
            json!([{"type": "thinking", "thinking": "hm", "signature": "SIGNED-THOUGHT"}]);
    }),
    ("REDACTED-THOUGHT", "messages[].thinking_blocks", |request| {
        request["messages"][5]["thinking_blocks"] = json!([{"type": "redacted_thinking", "data": "REDACTED-THOUGHT"}]);
    }),
    ("PLAIN-THOUGHT", "messages[].reasoning_content", |request| {
        request["messages"][5]["reasoning_content"] = json!("PLAIN-THOUGHT");
    }),
    ("CALL-SIGNATURE", "messages[].tool_calls[].extra_content", |request| {
        request["messages"][2]["tool_calls"][0]["extra_content"] =
            json!({"google": {"thought_signature": "CALL-SIGNATURE"}});
    }),
    ("SCHEMA-PURPOSE", "response_format.json_schema.description", |request| {
        request["response_format"] = json!({"type": "json_schema", "json_schema":
            {"name": "n", "description": "SCHEMA-PURPOSE", "schema": {"type": "object", "properties": {}}}});
    }),
    ("detailed", "reasoning.summary", |request| {
        request["reasoning"] = json!({"effort": "low", "summary": "detailed"});
    }),
    ("OLD-USER", "user", |request| request["user"] = json!("OLD-USER")),
    ("NEW-USER", "safety_identifier", |request| request["safety_identifier"] = json!("NEW-USER")),
    ("METADATA", "metadata", |request| request["metadata"] = json!({"a": "METADATA"})),
    ("NEW-FIELD", "field_of_next_year", |request| request["field_of_next_year"] = json!("NEW-FIELD")),
];

/// A conversation with a place for each wish.
fn conversation() -> Value {
    json!({
        "model": "m",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [
                {"type": "text", "text": "hi"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "1"},
            {"role": "user", "content": "and?"},
            {"role": "assistant", "content": "so"},
            {"role": "user", "content": "why?"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
    })
}

proptest! {
    #[test]
    fn what_a_provider_does_not_get_is_named(wishes in subsequence(WISHES, 0..=WISHES.len())) {
        let mut request = conversation();
        for (_, _, say) in &wishes {
            say(&mut request);
        }
        let body = request.to_string();
        let read = Downstream::read(&OpenAiChat, &body).unwrap();
        for (upstream, model) in UPSTREAMS {
            let written = match upstream.write(&read, &aim(model)) {
                Ok(written) => written,
                Err(refused) => {
                    let blamed = refused.param.unwrap();
                    prop_assert!(wishes.iter().any(|(_, field, _)| field.starts_with(&*blamed)), "{blamed}");
                    continue;
                }
            };
            let got = String::from_utf8(written.body).unwrap();
            let named = written.dropped.names();
            for (word, field, _) in &wishes {
                let is_named = named.iter().any(|name| name == field);
                prop_assert!(got.contains(word) || is_named, "{}: {word} is lost: {named:?}", upstream.name());
            }
            // And nothing is named that nobody wrote.
            for name in named {
                let is_wish = wishes.iter().any(|(_, field, _)| field == name) || name == "reasoning";
                prop_assert!(is_wish, "{}: {name}", upstream.name());
            }
        }
    }
}
