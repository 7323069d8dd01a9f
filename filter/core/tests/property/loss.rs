//! Nothing that a client wrote is lost in silence: it reaches the provider, or its field is named, or the request is refused.
//!
//! Each wish carries a word that stands nowhere else, so that it can be found again in whatever is written.

use std::borrow::Cow;

use dragoman_core::dialect::{
    Downstream, Upstream, anthropic::Anthropic, openai_chat::OpenAiChat, openai_completions::OpenAiCompletions,
    openai_responses::OpenAiResponses,
};
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

/// The same of Anthropic's Messages, by the names that such a client gives its fields.
const MESSAGES_WISHES: &[Wish] = &[
    ("CACHED-SYSTEM", "cache_control", |request| {
        request["system"][0]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-SYSTEM"});
    }),
    ("CACHED-TEXT", "cache_control", |request| {
        request["messages"][0]["content"][0]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-TEXT"});
    }),
    ("CACHED-IMAGE", "cache_control", |request| {
        request["messages"][0]["content"][1]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-IMAGE"});
    }),
    ("CACHED-NOTES", "cache_control", |request| {
        request["messages"][0]["content"][2]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-NOTES"});
    }),
    ("CACHED-CALL", "cache_control", |request| {
        request["messages"][1]["content"][1]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-CALL"});
    }),
    ("CACHED-RESULT", "cache_control", |request| {
        request["messages"][2]["content"][0]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-RESULT"});
    }),
    ("CACHED-TOOL", "cache_control", |request| {
        request["tools"][0]["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-TOOL"});
    }),
    ("CACHED-ALL", "cache_control", |request| {
        request["cache_control"] = json!({"type": "ephemeral", "ttl": "CACHED-ALL"});
    }),
    ("DOCUMENT-TITLE", "messages[].content[].title", |request| {
        request["messages"][0]["content"][2]["title"] = json!("DOCUMENT-TITLE");
    }),
    ("DOCUMENT-CONTEXT", "messages[].content[].context", |request| {
        request["messages"][0]["content"][2]["context"] = json!("DOCUMENT-CONTEXT");
    }),
    ("CITED-TEXT", "messages[].content[].citations", |request| {
        request["messages"][3]["content"][0]["citations"] =
            json!([{"type": "char_location", "cited_text": "CITED-TEXT"}]);
    }),
    ("SIGNED-THOUGHT", "messages[].content[].thinking", |request| {
        request["messages"][1]["content"][0]["signature"] = json!("SIGNED-THOUGHT");
    }),
    ("A-THOUGHT", "messages[].content[].thinking", |request| {
        request["messages"][1]["content"][0]["thinking"] = json!("A-THOUGHT");
    }),
    ("srvtoolu_1", "messages[].content[].server_tool_use", |request| {
        let used = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}});
        request["messages"][3]["content"].as_array_mut().unwrap().push(used);
    }),
    ("EXAMPLE-INPUT", "tools[].input_examples", |request| {
        request["tools"][0]["input_examples"] = json!([{"a": "EXAMPLE-INPUT"}]);
    }),
    ("A-USER", "metadata.user_id", |request| request["metadata"]["user_id"] = json!("A-USER")),
    ("SOMEBODY", "metadata.other", |request| request["metadata"]["other"] = json!("SOMEBODY")),
    ("CONTEXT-EDIT", "context_management", |request| {
        request["context_management"] = json!({"edits": ["CONTEXT-EDIT"]});
    }),
    ("NEW-FIELD", "field_of_next_year", |request| request["field_of_next_year"] = json!("NEW-FIELD")),
    ("NEW-OUTPUT", "output_config.next_year", |request| request["output_config"]["next_year"] = json!("NEW-OUTPUT")),
];

/// The same conversation in Anthropic's words.
fn messages() -> Value {
    json!({
        "model": "m", "max_tokens": 4096,
        "system": [{"type": "text", "text": "be brief"}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "hi"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "notes"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "so"}]},
            {"role": "user", "content": "why?"},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}],
    })
}

/// The same of OpenAI's Responses.
const RESPONSES_WISHES: &[Wish] = &[
    ("SIGNED-THOUGHT", "input[].reasoning", |request| {
        request["input"][1]["encrypted_content"] = json!("anthropic__thought__SIGNED-THOUGHT");
    }),
    ("OPENAI-THOUGHT", "input[].encrypted_content", |request| {
        let thought = json!({"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "OPENAI-THOUGHT"});
        request["input"].as_array_mut().unwrap().push(thought);
    }),
    ("A-THOUGHT", "input[].reasoning", |request| request["input"][1]["summary"][0]["text"] = json!("A-THOUGHT")),
    ("CALL-SIGNATURE", "input[].call_id", |request| {
        request["input"][2]["call_id"] = json!("call_1__thought__CALL-SIGNATURE");
    }),
    ("ws_1", "input[].web_search_call", |request| {
        let searched = json!({"type": "web_search_call", "id": "ws_1", "status": "completed"});
        request["input"].as_array_mut().unwrap().push(searched);
    }),
    ("high", "input[].content[].detail", |request| request["input"][0]["content"][1]["detail"] = json!("high")),
    ("INSTRUCTIONS", "instructions", |request| request["instructions"] = json!("INSTRUCTIONS")),
    ("TOOL-OUTPUT", "tools[].output_schema", |request| {
        request["tools"][0]["output_schema"] = json!({"title": "TOOL-OUTPUT"});
    }),
    ("SCHEMA-PURPOSE", "text.format.description", |request| {
        request["text"] = json!({"format": {"type": "json_schema", "name": "n", "description": "SCHEMA-PURPOSE",
            "schema": {"type": "object", "properties": {}}}});
    }),
    ("VERBOSITY", "text.verbosity", |request| request["text"]["verbosity"] = json!("VERBOSITY")),
    ("detailed", "reasoning.summary", |request| {
        request["reasoning"] = json!({"effort": "low", "summary": "detailed"});
    }),
    ("OLD-USER", "user", |request| request["user"] = json!("OLD-USER")),
    ("NEW-USER", "safety_identifier", |request| request["safety_identifier"] = json!("NEW-USER")),
    ("METADATA", "metadata", |request| request["metadata"] = json!({"a": "METADATA"})),
    ("SOURCES", "include", |request| request["include"] = json!(["SOURCES"])),
    ("NEW-FIELD", "field_of_next_year", |request| request["field_of_next_year"] = json!("NEW-FIELD")),
];

/// The same conversation in the words of OpenAI's Responses.
fn responses() -> Value {
    json!({
        "model": "m",
        "input": [
            {"role": "user", "content": [
                {"type": "input_text", "text": "hi"},
                {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0="},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "1"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "so"}]},
            {"role": "user", "content": "why?"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}],
    })
}

/// The same of the older completions.
const COMPLETIONS_WISHES: &[Wish] = &[
    ("A-STOP", "stop", |request| request["stop"] = json!(["A-STOP"])),
    ("654321", "max_tokens", |request| request["max_tokens"] = json!(654_321)),
    ("31415", "seed", |request| request["seed"] = json!(31_415)),
    ("0.875", "presence_penalty", |request| request["presence_penalty"] = json!(0.875)),
    ("0.125", "frequency_penalty", |request| request["frequency_penalty"] = json!(0.125)),
    ("0.625", "temperature", |request| request["temperature"] = json!(0.625)),
    ("0.9875", "top_p", |request| request["top_p"] = json!(0.9875)),
    ("A-USER", "user", |request| request["user"] = json!("A-USER")),
    ("BEST-OF", "best_of", |request| request["best_of"] = json!(3)),
    ("A-TOOL", "tools", |request| request["tools"] = json!([{"type": "function", "function": {"name": "A-TOOL"}}])),
    ("A-MESSAGE", "messages", |request| request["messages"] = json!([{"role": "user", "content": "A-MESSAGE"}])),
    ("NEW-FIELD", "field_of_next_year", |request| request["field_of_next_year"] = json!("NEW-FIELD")),
];

/// What each provider gets, and what is named as left out, in the client's words.
fn check(downstream: &dyn Downstream, request: &Value, wishes: &[Wish], more: &[&str]) -> Result<(), TestCaseError> {
    let body = request.to_string();
    let read = downstream.read(&body).unwrap();
    // A client of Messages and a provider of them speak to each other as they are.
    let is_translated =
        |upstream: &dyn Upstream| upstream.name() == "openai_chat" || upstream.name() != downstream.name();
    for (upstream, model) in UPSTREAMS.iter().filter(|(upstream, _)| is_translated(*upstream)) {
        let written = match upstream.write(&read, &aim(model)) {
            Ok(written) => written,
            Err(refused) => {
                let blamed = refused.param.unwrap();
                let blamed = downstream.name_of(&blamed);
                prop_assert!(wishes.iter().any(|(_, field, _)| field.starts_with(&*blamed)), "{blamed}");
                continue;
            }
        };
        let got = String::from_utf8(written.body).unwrap();
        let unplaced = read.unplaced.iter().cloned();
        let named: Vec<Cow<'_, str>> =
            written.dropped.names().iter().map(|name| downstream.name_of(name)).chain(unplaced).collect();
        for (word, field, _) in wishes {
            prop_assert!(
                got.contains(word) || named.iter().any(|name| name == field),
                "{}: {word} is lost: {named:?}",
                upstream.name()
            );
        }
        // And nothing is named that nobody wrote.
        for name in named {
            let is_wish = wishes.iter().any(|(_, field, _)| *field == name) || more.contains(&&*name);
            prop_assert!(is_wish, "{}: {name}", upstream.name());
        }
    }
    Ok(())
}

fn saying(mut request: Value, wishes: &[Wish]) -> Value {
    for (_, _, say) in wishes {
        say(&mut request);
    }
    request
}

proptest! {
    #[test]
    fn what_a_provider_does_not_get_is_named(wishes in subsequence(WISHES, 0..=WISHES.len())) {
        check(&OpenAiChat, &saying(conversation(), &wishes), &wishes, &["reasoning"])?;
    }

    #[test]
    fn so_it_is_for_clients_of_responses(wishes in subsequence(RESPONSES_WISHES, 0..=RESPONSES_WISHES.len())) {
        // The thought is always there.
        let more = ["input[].reasoning", "reasoning.effort"];
        check(&OpenAiResponses, &saying(responses(), &wishes), &wishes, &more)?;
    }

    #[test]
    fn so_it_is_for_clients_of_messages(wishes in subsequence(MESSAGES_WISHES, 0..=MESSAGES_WISHES.len())) {
        // The thought is always there.
        check(&Anthropic, &saying(messages(), &wishes), &wishes, &["messages[].content[].thinking"])?;
    }

    #[test]
    fn so_it_is_for_clients_of_completions(
        wishes in subsequence(COMPLETIONS_WISHES, 0..=COMPLETIONS_WISHES.len()),
    ) {
        check(&OpenAiCompletions, &saying(json!({"model": "m", "prompt": "hi"}), &wishes), &wishes, &[])?;
    }
}
