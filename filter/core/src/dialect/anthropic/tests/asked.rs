//! A request as Anthropic gets it.

use super::*;

#[track_caller]
fn refused(request: &Value, field: &str) {
    let error = try_write(OLD, request).unwrap_err();
    assert_eq!(error.param.as_deref(), Some(field), "{}", error.message);
}

#[test]
fn a_request_goes_to_the_messages_api() {
    let written = try_write(OLD, &json!({"messages": [{"role": "user", "content": "hi"}]})).unwrap();
    assert_eq!(written.path, "/messages");
    assert_eq!(written.headers, vec![(Name::Borrowed("anthropic-version"), "2023-06-01".to_string())]);
}

#[test]
fn turns_alternate_and_system_prompts_stand_apart() {
    let (body, dropped) = write(
        OLD,
        &json!({"messages": [
            {"role": "system", "content": "one"},
            {"role": "user", "name": "ann", "content": "a"},
            {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": " "}]},
            {"role": "developer", "content": [{"type": "text", "text": "two", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": "c "},
            {"role": "assistant", "content": null, "refusal": "d "},
        ]}),
    );
    let expected = json!({
        "model": OLD,
        "max_tokens": 4096,
        "system": [
            {"type": "text", "text": "one"},
            {"type": "text", "text": "two", "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "c "}, {"type": "text", "text": "d"}]},
        ],
    });
    assert_eq!(body, expected);
    assert_eq!(dropped, ["messages[].name"]);
}

#[test]
fn a_lone_system_prompt_is_said_by_the_user() {
    let (body, _) = write(OLD, &json!({"messages": [{"role": "system", "content": "s"}]}));
    assert_eq!(body["messages"], json!([{"role": "user", "content": "s"}]));
    assert_eq!(body.get("system"), None);
}

#[test]
fn images_and_files_keep_their_places() {
    let (body, dropped) = write(
        OLD,
        &json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,aGk=", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}, "cache_control": {"type": "ephemeral"}},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
            {"type": "file", "file": {"file_data": "data:text/markdown;base64,aGk=", "filename": "a.md"}},
            {"type": "file", "file": {"file_id": "file_1"}},
        ]}]}),
    );
    let expected = json!([
        {"type": "text", "text": "look"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "aGk="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}, "cache_control": {"type": "ephemeral"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}, "title": "a.pdf"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}, "title": "a.md"},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
    ]);
    assert_eq!(body["messages"][0]["content"], expected);
    assert_eq!(dropped, ["messages[].content[].image_url.detail"]);
}

#[test]
fn what_changes_the_answer_is_refused() {
    let user =
        |content: Value| json!({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": content}]});
    for (part, member) in [
        (json!({"type": "image_url", "image_url": {"url": "data:image/bmp;base64,aGk="}}), "image_url.url"),
        (json!({"type": "image_url", "image_url": {"url": "gs://bucket/a.png"}}), "image_url.url"),
        (json!({"type": "file", "file": {"file_data": "data:application/zip;base64,aGk="}}), "file.file_data"),
        (json!({"type": "file", "file": {"file_data": "data:text/plain;base64,_w=="}}), "file.file_data"),
        (json!({"type": "file", "file": {"file_id": "file-7qh8AjzrjyRGiQ7kaFybfG"}}), "file.file_id"),
        (json!({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}), "input_audio"),
    ] {
        let content = json!([{"type": "text", "text": ""}, part]);
        refused(&user(content.clone()), &format!("messages[1].content[1].{member}"));
        let result = json!({"role": "tool", "tool_call_id": "a", "content": content});
        refused(&json!({"messages": [result]}), &format!("messages[0].content[1].{member}"));
    }
    for (part, member) in [
        (json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}), "image_url"),
        (json!({"type": "file", "file": {"file_id": "file_1"}}), "file"),
    ] {
        let field = format!("messages[0].content[0].{member}");
        refused(&json!({"messages": [{"role": "system", "content": [part]}]}), &field);
        let thoughts = json!([{"type": "thinking", "thinking": "hm", "signature": "s"}]);
        refused(&json!({"messages": [{"role": "assistant", "content": [part], "thinking_blocks": thoughts}]}), &field);
    }
    let messages = json!([{"role": "user", "content": "a"}]);
    for (name, value) in [
        ("n", json!(2)),
        ("logprobs", json!(true)),
        ("logit_bias", json!({"1": 2})),
        ("modalities", json!(["text", "audio"])),
        ("stop", json!(["\n"])),
    ] {
        refused(&json!({"messages": messages, name: value}), name);
    }
    let tools = json!([{"type": "function", "function": {"name": JSON_TOOL}}]);
    refused(&json!({"messages": messages, "tools": tools}), "tools[0].function.name");
}

#[test]
fn fields_are_mapped_or_listed() {
    for (members, expected, left_out) in [
        (json!({}), json!({"max_tokens": 4096}), vec![]),
        (json!({"max_tokens": 7, "max_completion_tokens": 9}), json!({"max_tokens": 9}), vec![]),
        (
            json!({"temperature": 1.5, "stop": ["a", ""], "user": "u", "stream": true}),
            json!({"max_tokens": 4096, "temperature": 1.0, "stop_sequences": ["a"], "metadata": {"user_id": "u"}, "stream": true}),
            vec!["temperature"],
        ),
        (
            json!({"temperature": 0.5, "top_p": 0.5, "top_k": 3}),
            json!({"max_tokens": 4096, "temperature": 0.5, "top_k": 3}),
            vec!["top_p"],
        ),
        (json!({"top_p": 0.5}), json!({"max_tokens": 4096, "top_p": 0.5}), vec![]),
        (
            json!({"seed": 1, "presence_penalty": 1, "frequency_penalty": 0, "store": true, "n": 1, "logprobs": false,
                "modalities": ["text"], "logit_bias": {}, "prediction": {"type": "content", "content": "x"}}),
            json!({"max_tokens": 4096}),
            vec!["seed", "presence_penalty", "prediction", "store"],
        ),
        (json!({"service_tier": "default"}), json!({"max_tokens": 4096, "service_tier": "standard_only"}), vec![]),
        (json!({"service_tier": "flex"}), json!({"max_tokens": 4096}), vec!["service_tier"]),
        (
            json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
            json!({"max_tokens": 4096, "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
            vec![],
        ),
        (
            json!({"web_search_options": {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": {"city": "Bern"}}}}),
            json!({"max_tokens": 4096, "tools": [{"type": "web_search_20250305", "name": "web_search",
                "user_location": {"type": "approximate", "city": "Bern"}}]}),
            vec!["web_search_options.search_context_size"],
        ),
    ] {
        let (body, mut dropped) = asked(OLD, &members);
        assert_eq!(body, expected, "{members}");
        let mut left_out = left_out;
        dropped.sort_unstable();
        left_out.sort_unstable();
        assert_eq!(dropped, left_out, "{members}");
    }
}

#[test]
fn the_catalogue_says_how_long_an_answer_may_be() {
    let request = json!({"messages": [{"role": "user", "content": "hi"}]}).to_string();
    let aim = Aim { max_output_tokens: Some(64_000), ..aim(OLD) };
    let written = PROVIDER.write(&CLIENT.read(&request).unwrap(), &aim).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(body["max_tokens"], 64_000);
}

#[test]
fn newer_models_sample_as_they_like() {
    let (body, dropped) = asked(NEW, &json!({"temperature": 0.5, "top_p": 0.5, "top_k": 3}));
    assert_eq!(body, json!({"max_tokens": 4096}));
    assert_eq!(dropped, ["temperature", "top_p", "top_k"]);
    let (body, dropped) = asked(NEW, &json!({"temperature": 1, "top_p": 1}));
    assert_eq!((body, dropped), (json!({"max_tokens": 4096}), vec![]));
}

#[test]
fn thought_is_asked_for_in_the_words_of_the_model() {
    let enabled = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    for (model, members, thinking, effort, left_out) in [
        (OLD, json!({"reasoning_effort": "low", "max_tokens": 9000}), enabled(1024), Value::Null, vec![]),
        (OLD, json!({"reasoning_effort": "high", "max_tokens": 9000}), enabled(4500), Value::Null, vec![]),
        (
            OLD,
            json!({"reasoning_effort": "high", "max_tokens": 2000}),
            Value::Null,
            Value::Null,
            vec!["reasoning_effort"],
        ),
        (OLD, json!({"reasoning_effort": "none"}), Value::Null, Value::Null, vec![]),
        (OLD, json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}), enabled(2000), Value::Null, vec![]),
        (OLD, json!({"thinking": {"type": "enabled", "budget_tokens": 100}}), enabled(1024), Value::Null, vec![]),
        (
            OLD,
            json!({"reasoning_effort": "low", "temperature": 0.5, "top_p": 0.96, "top_k": 5}),
            enabled(1024),
            Value::Null,
            vec!["temperature", "top_k"],
        ),
        (MIDDLE, json!({"reasoning_effort": "xhigh"}), json!({"type": "adaptive"}), json!("max"), vec![]),
        (MIDDLE, json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}), enabled(2000), Value::Null, vec![]),
        (NEW, json!({"reasoning_effort": "minimal"}), adaptive.clone(), json!("low"), vec![]),
        (NEW, json!({"reasoning": {"max_tokens": 9000}}), adaptive.clone(), json!("high"), vec![]),
        (NEW, json!({"reasoning_effort": "none"}), json!({"type": "disabled"}), Value::Null, vec![]),
        (NEW, json!({"reasoning": {"effort": "low", "summary": "auto"}}), adaptive.clone(), json!("low"), vec![]),
        (
            NEW,
            json!({"reasoning": {"effort": "low", "summary": "detailed"}}),
            adaptive.clone(),
            json!("low"),
            vec!["reasoning.summary"],
        ),
        (OLD, json!({"reasoning": {"summary": "auto"}}), Value::Null, Value::Null, vec!["reasoning.summary"]),
        (
            NEW,
            json!({"thinking": {"type": "adaptive", "display": "omitted"}}),
            json!({"type": "adaptive", "display": "omitted"}),
            json!("medium"),
            vec![],
        ),
        (
            OLD,
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}}),
            json!({"type": "enabled", "budget_tokens": 2000, "display": "omitted"}),
            Value::Null,
            vec![],
        ),
        (
            NEW,
            json!({"thinking": {"type": "disabled", "display": "summarized"}}),
            json!({"type": "disabled"}),
            Value::Null,
            vec!["thinking.display"],
        ),
        (NEW, json!({"thinking": {"type": "disabled"}}), json!({"type": "disabled"}), Value::Null, vec![]),
        (NEWEST, json!({"reasoning_effort": "none"}), Value::Null, Value::Null, vec!["reasoning_effort"]),
        (
            "claude-3-5-haiku-latest",
            json!({"reasoning_effort": "low"}),
            Value::Null,
            Value::Null,
            vec!["reasoning_effort"],
        ),
    ] {
        let (body, dropped) = asked(model, &members);
        assert_eq!(body["thinking"], thinking, "{model} {members}");
        assert_eq!(body["output_config"]["effort"], effort, "{model} {members}");
        assert_eq!(dropped, left_out, "{model} {members}");
    }
    let (body, _) = asked(OLD, &json!({"thinking": {"type": "enabled", "budget_tokens": 10_000}}));
    assert_eq!((&body["max_tokens"], &body["thinking"]["budget_tokens"]), (&json!(14_096), &json!(10_000)));
}
