//! What of a provider's own answers passes and what of them is read.

use super::*;

const SSE: &str = "text/event-stream; charset=utf-8";
const LINES: &str = "application/x-ndjson";
const JSON: &str = "application/json";

fn usage(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

fn events(events: &[(&str, Value)]) -> String {
    let event = |(name, data): &(&str, Value)| match *name {
        "" => format!("data: {data}\n\n"),
        name => format!("event: {name}\ndata: {data}\n\n"),
    };
    events.iter().map(event).collect()
}

#[test]
fn an_answer_passes_as_it_is_and_its_tokens_are_counted() {
    for (path, content_type, answer, expected) in [
        (
            "/claude/messages",
            JSON,
            r#"{ "type":"message","usage":{"input_tokens":3,"output_tokens":5}}"#,
            Some(usage(3, 5)),
        ),
        ("/claude/messages/count_tokens", JSON, r#"{"input_tokens":3}"#, None),
        (
            "/gemini/models/m:generateContent",
            JSON,
            r#"{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":5}}"#,
            Some(usage(3, 5)),
        ),
        ("/ollama/api/chat", JSON, r#"{"prompt_eval_count":3,"eval_count":5}"#, Some(usage(3, 5))),
        ("/openai/embeddings", JSON, r#"{"data":[],"usage":{"prompt_tokens":3,"total_tokens":3}}"#, Some(usage(3, 0))),
        ("/openai/responses", JSON, r#"{"usage":{"input_tokens":3,"output_tokens":5}}"#, Some(usage(3, 5))),
        ("/openai/responses/compact", JSON, r#"{"usage":{"input_tokens":3,"output_tokens":5}}"#, Some(usage(3, 5))),
        (
            "/openai/completions",
            JSON,
            r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}"#,
            Some(usage(3, 5)),
        ),
        ("/openai/rerank", JSON, r#"{"results":[],"usage":{"total_tokens":3}}"#, Some(usage(3, 0))),
        (
            "/ollama/api/generate",
            JSON,
            r#"{"response":"hi","done":true,"prompt_eval_count":3,"eval_count":5}"#,
            Some(usage(3, 5)),
        ),
        ("/ollama/api/embed", JSON, r#"{"embeddings":[[1]],"prompt_eval_count":3}"#, Some(usage(3, 0))),
        (
            "/ollama/v1/embeddings",
            JSON,
            r#"{"data":[],"usage":{"prompt_tokens":3,"total_tokens":3}}"#,
            Some(usage(3, 0)),
        ),
        (
            "/gemini/models/m:embedContent",
            JSON,
            r#"{"embedding":{},"usageMetadata":{"promptTokenCount":3}}"#,
            Some(usage(3, 0)),
        ),
        ("/openai/audio/speech", "audio/mpeg", "{\"usage\":", None),
        ("/openai/embeddings", JSON, "not JSON", None),
    ] {
        let (got, counted) = answered(path, r#"{"model":"m"}"#, content_type, answer);
        assert_eq!((got.text(), counted), (answer, expected), "{path}");
        assert_eq!((got.status, got.header("content-type")), (200, Some(content_type)), "{path}");
    }
}

#[test]
fn a_stream_passes_as_it_is_and_its_tokens_are_counted() {
    let claude = events(&[
        (
            "message_start",
            json!({"type": "message_start", "message": {"type": "message", "id": "i", "model": "m", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}}),
        ),
        (
            "content_block_start",
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}),
        ),
        ("content_block_stop", json!({"type": "content_block_stop", "index": 0})),
        (
            "message_delta",
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}),
        ),
        ("message_stop", json!({"type": "message_stop"})),
        ("of_tomorrow", json!({"type": "of_tomorrow"})),
    ]);
    let gemini = events(&[
        (
            "",
            json!({"candidates": [{"content": {"parts": [{"text": "hi"}]}, "index": 0}], "usageMetadata": {"promptTokenCount": 3}}),
        ),
        (
            "",
            json!({"candidates": [{"finishReason": "STOP", "index": 0}], "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 5}}),
        ),
    ]);
    let ollama = [
        json!({"model": "m", "message": {"role": "assistant", "content": "hi"}, "done": false}),
        json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true, "prompt_eval_count": 3, "eval_count": 5}),
    ]
    .map(|line| format!("{line}\n"))
    .concat();
    let generated = [
        json!({"model": "m", "response": "hi", "done": false}),
        json!({"model": "m", "response": "", "done": true, "prompt_eval_count": 3, "eval_count": 5, "context": [1, 2]}),
    ]
    .map(|line| format!("{line}\n"))
    .concat();
    let list = "[{\n \"candidates\": [{\"content\": {\"parts\": [{\"text\": \"]},{\\\"hé\"}]}, \"index\": 0}],\n \"usageMetadata\": {\"promptTokenCount\": 3}\n}\n,\r\n{\"candidates\": [{\"finishReason\": \"STOP\", \"index\": 0}], \"usageMetadata\": {\"promptTokenCount\": 3, \"candidatesTokenCount\": 5}}\n]\n";
    for (path, content_type, answer, expected) in [
        ("/claude/messages", SSE, claude.as_str(), Some(usage(3, 5))),
        ("/gemini/streamGenerateContent?alt=sse&model=m", SSE, &gemini, Some(usage(3, 5))),
        ("/ollama/api/chat", LINES, &ollama, Some(usage(3, 5))),
        ("/ollama/api/generate", LINES, &generated, Some(usage(3, 5))),
        ("/gemini/models/m:streamGenerateContent", "application/json; charset=UTF-8", list, Some(usage(3, 5))),
        ("/gemini/streamGenerateContent?model=m", JSON, &list.replace(['\n', ' '], ""), Some(usage(3, 5))),
        ("/gemini/streamGenerateContent?model=m", JSON, "[]", None),
    ] {
        let (got, counted) = answered(path, r#"{"model":"m"}"#, content_type, answer);
        assert_eq!((got.text(), counted), (answer, expected), "{path}");
        assert_eq!((got.status, got.header("content-type")), (200, Some(content_type)), "{path}");
    }
}

#[test]
fn a_stream_of_typed_events_tells_its_tokens_at_its_end() {
    let typed = |last: &str| {
        let tokens = json!({"input_tokens": 3, "output_tokens": 5, "total_tokens": 8});
        let begun = json!({"id": "r", "usage": null, "error": null});
        let ended = json!({"id": "r", "usage": tokens, "error": null, "output": [{"text": "}\"response.failed\""}]});
        events(&[
            ("response.created", json!({"type": "response.created", "response": begun})),
            ("response.output_text.delta", json!({"type": "response.output_text.delta", "delta": "hi"})),
            ("of_tomorrow", json!({"type": "of_tomorrow"})),
            (last, json!({"type": last, "response": ended})),
        ])
    };
    let responses = typed("response.completed");
    let ended = |last: &str| {
        let tokens = json!({"input_tokens": 3, "output_tokens": 5});
        events(&[("", json!({"type": "partial", "b64_json": "AAAA"})), ("", json!({"type": last, "usage": tokens}))])
    };
    let (picture, spoken) = (ended("image_generation.completed"), ended("speech.audio.done"));
    for (path, content_type, answer, expected) in [
        ("/bare/responses", SSE, &*responses, Some(usage(3, 5))),
        ("/bare/responses", SSE, &typed("response.incomplete"), Some(usage(3, 5))),
        ("/openai/images/generations", SSE, &picture, Some(Usage { images: 1, ..usage(3, 5) })),
        ("/openai/audio/speech", SSE, &spoken, Some(usage(3, 5))),
    ] {
        let (got, counted) = answered(path, r#"{"model":"m"}"#, content_type, answer);
        assert_eq!((got.text(), counted), (answer, expected), "{path}");
        assert_eq!((got.status, got.header("content-type")), (200, Some(content_type)), "{path}");
    }
}

#[test]
fn a_chat_of_openais_is_asked_for_its_tokens_and_does_not_tell_them_unasked() {
    let chunk = |delta: &str| format!("data: {{\"choices\":[{{\"index\":0,{delta}}}]}}\n\n");
    let said = [chunk(r#""delta":{"content":"hi"}"#), chunk(r#""delta":{},"finish_reason":"stop""#)].concat();
    let tokens = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n";
    let all = [said.as_str(), tokens, "data: [DONE]\n\n"].concat();
    let body = r#"{"model":"m","stream":true}"#;
    assert_eq!(
        got(&sent("/openai/chat/completions", body)).2,
        r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#
    );
    let (got, counted) = answered("/openai/chat/completions", body, "text/event-stream", &all);
    assert_eq!(got.text(), [said.as_str(), "data: [DONE]\n\n"].concat());
    assert_eq!(counted.map(|usage| (usage.input, usage.output)), Some((3, 5)));
    let body = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    let (got, _) = answered("/openai/chat/completions", body, "text/event-stream", &all);
    assert_eq!(got.text(), all);
}

#[test]
fn an_older_completion_is_asked_for_its_tokens_too() {
    let body = r#"{"model":"m","stream":true,"prompt":"x"}"#;
    let asked = r#"{"stream_options":{"include_usage":true},"model":"m","stream":true,"prompt":"x"}"#;
    assert_eq!(got(&sent("/openai/completions", body)).2, asked);
    let said = "data: {\"choices\":[{\"index\":0,\"text\":\"hi\",\"finish_reason\":null}],\"usage\":null}\n\n\
                data: {\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"stop\"}],\"usage\":null}\n\n";
    let tokens = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\n";
    let all = [said, tokens, "data: [DONE]\n\n"].concat();
    let (got, counted) = answered("/openai/completions", body, "text/event-stream", &all);
    assert_eq!(got.text(), [said, "data: [DONE]\n\n"].concat());
    assert_eq!(counted.map(|usage| (usage.input, usage.output)), Some((3, 5)));
}

#[test]
fn what_was_counted_before_is_not_counted_again() {
    let stored = r#"{"id":"r","usage":{"input_tokens":3,"output_tokens":5},"error":{"code":"server_error"}}"#;
    for (method, path) in
        [("GET", "/bare/responses/r"), ("POST", "/bare/responses/r/cancel"), ("GET", "/openai/batches/b")]
    {
        let sent = ask(&open(), head(method, path, ""), &[]).sent();
        let (plan, observer) = (Rc::clone(&sent.plan), Rc::clone(&sent.observer));
        let got = sent.answered(200, &[("content-type", "application/json")], &pieces(stored.as_bytes(), 7));
        assert_eq!((got.text(), plan.usage()), (stored, None), "{path}");
        assert_eq!(last_failure(&observer), Value::Null, "{path}");
    }
}

#[test]
fn the_flex_tier_is_known_wherever_it_is_asked_for() {
    for (path, body, expected) in [
        ("/openai/responses", r#"{"model":"m","service_tier":"flex"}"#, true),
        ("/openai/chat/completions", r#"{"model":"m","service_tier":"flex"}"#, true),
        ("/openai/responses", r#"{"model":"m","service_tier":"auto"}"#, false),
        ("/openai/responses", r#"{"model":"m","metadata":{"service_tier":"flex"}}"#, false),
        ("/gemini/models/m:generateContent", r#"{"serviceTier":"FLEX"}"#, true),
        ("/gemini/streamGenerateContent?model=m", r#"{"service_tier":"flex"}"#, true),
    ] {
        let sent = sent(path, body);
        assert_eq!(
            carried(&sent.headers).headers().text("x-envoy-upstream-stream-duration-ms").is_some(),
            expected,
            "{path} {body}"
        );
        assert_eq!(got(&sent).2, body);
    }
}

#[test]
fn a_stream_that_is_cut_ends_in_an_error_of_its_format() {
    for (path, content_type, begun, error) in [
        (
            "/claude/messages",
            "text/event-stream",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n",
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",",
        ),
        (
            "/gemini/streamGenerateContent?alt=sse&model=m",
            "text/event-stream",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]}}]}\n\n",
            "data: {\"error\":{\"code\":502,",
        ),
        (
            "/ollama/api/chat",
            "application/x-ndjson",
            "{\"message\":{\"content\":\"hi\"},\"done\":false}\n",
            "{\"error\":\"The provider `ollama` ended",
        ),
        (
            "/ollama/api/generate",
            "application/x-ndjson",
            "{\"response\":\"hi\",\"done\":false}\n",
            "{\"error\":\"The provider `ollama` ended",
        ),
        (
            "/openai/responses",
            "text/event-stream",
            "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n",
            "data: {\"error\":{\"message\":\"The provider `openai` ended",
        ),
        (
            "/gemini/streamGenerateContent?model=m",
            "application/json",
            "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]}}]}",
            ",{\"error\":{\"code\":502,",
        ),
    ] {
        // What is left of an event that did not come whole is left out: the error would be taken for its rest.
        let (first, rests) = match content_type {
            "text/event-stream" => {
                ("", &["", "d", "event: content_b", "data:", "data: {\"type\":\"resp", "event: x\ndata: {\"a"][..])
            }
            "application/json" => (",", &["", ",{\"candidates\":[{\"con"][..]),
            _ => ("", &["", "{", "{\"done\":fal"][..]),
        };
        for rest in rests {
            let (got, _) = answered(path, r#"{"model":"m"}"#, content_type, &[begun, rest].concat());
            let told = got.text().strip_prefix(begun);
            assert!(told.is_some_and(|told| told.starts_with(error)), "{path} {rest:?}: {}", got.text());
            let (got, _) = answered(path, r#"{"model":"m"}"#, content_type, rest.strip_prefix(first).unwrap_or(rest));
            assert_eq!(got.status, 502, "{path} {rest:?}: {}", got.text());
        }
    }
}

#[test]
fn what_nobody_understands_in_the_middle_of_a_stream_passes_like_the_rest() {
    let element = r#"{"candidates":[{"content":{"parts":[{"text":"hi"}]}}]}"#;
    let list = format!(r#"[{element},{{"logprob":NaN}},{element}]"#);
    let (got, _) = answered("/gemini/streamGenerateContent?model=m", "{}", "application/json", &list);
    assert_eq!(got.text(), list);
}

#[test]
fn a_stream_that_ends_before_its_first_word_is_cut_too() {
    for (path, begun) in [
        (
            "/claude/messages",
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":1}}}\n\n",
        ),
        ("/openai/responses", "data: {\"type\":\"response.created\",\"response\":{}}\n\n"),
    ] {
        let (got, _) = answered(path, r#"{"model":"m"}"#, "text/event-stream", begun);
        assert!(got.text().starts_with(begun) && got.text().contains("ended the stream"), "{path}: {}", got.text());
    }
}

#[test]
fn a_path_without_a_model_names_only_its_provider() {
    let got = asked("sk-all", "GET", "/openai/files", "").sent().answered(
        200,
        &[("content-type", "application/json")],
        &[b"{}"],
    );
    let header = |name| got.header(name);
    assert_eq!(header("x-dragoman-provider"), Some("openai"));
    assert_eq!((header("x-dragoman-model"), header("x-dragoman-attempts")), (None, Some("openai=200")));
    let nothing = asked("sk-all", "DELETE", "/openai/files/f", "").sent().answered(204, &[], &[]);
    assert_eq!((nothing.status, nothing.header("x-dragoman-attempts")), (204, Some("openai=204")));
}

#[test]
fn a_list_that_is_cut_is_a_list_still() {
    let begun = r#"[{"candidates":[{"content":{"parts":[{"text":"hi"}]},"index":0}]}"#;
    let over = r#",{"candidates":[{"finishReason":"STOP","index":0}]}"#;
    let path = "/gemini/streamGenerateContent?model=m";
    for (answer, last) in [
        (begun.to_owned(), "UNAVAILABLE"),
        ([begun, "\n,\n"].concat(), "UNAVAILABLE"),
        ([begun, over.trim_end_matches(['0', '}', ']'])].concat(), "UNAVAILABLE"),
        ([begun, over].concat(), "STOP"),
        ([begun, over, "\n"].concat(), "STOP"),
    ] {
        let (got, _) = answered(path, "{}", "application/json", &answer);
        let list: Vec<Value> = serde_json::from_str(got.text()).unwrap_or_else(|_| panic!("{}", got.text()));
        assert_eq!(list.len(), 2, "{}", got.text());
        assert!(list[1].to_string().contains(last), "{}", got.text());
    }
}
