//! An answer as the client gets it, where it comes whole; errors, wherever they stand.

use super::*;

#[test]
fn a_whole_answer_is_told_with_thoughts_citations_calls_and_tokens() {
    let answer = told(&json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "r"},
            {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "srv", "text": [1], "content": []},
            {"type": "text", "text": "It "},
            {"type": "text", "text": "rains", "citations": [
                {"type": "web_search_result_location", "url": "https://example.com", "title": "t", "cited_text": "c"},
                {"type": "page_location", "document_index": 0, "document_title": "d"},
            ]},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"b": 1, "a": 2.50}},
            {"type": "novelty", "name": {}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 2}, "service_tier": "standard"},
    }));
    assert_eq!(
        (&answer["id"], &answer["model"], &answer["service_tier"]),
        (&json!("msg_1"), &json!("claude-sonnet-4-5-20250929"), &json!("default"))
    );
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let message = &choice["message"];
    assert_eq!(message["content"], "It rains");
    assert_eq!(message["reasoning_content"], "hm");
    assert_eq!(
        message["thinking_blocks"],
        json!([{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "r"}])
    );
    assert_eq!(
        message["annotations"][0]["url_citation"],
        json!({"url": "https://example.com", "title": "t", "start_index": 3, "end_index": 8})
    );
    assert_eq!(message["citations"][0]["type"], "page_location");
    let calls = message["tool_calls"].as_array().unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!((&calls[0]["id"], &calls[0]["function"]["name"]), (&json!("toolu_1"), &json!("f")));
    let arguments: Value = serde_json::from_str(calls[0]["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"b": 1, "a": 2.50}));
    let usage = &answer["usage"];
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(17), &json!(7)));
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 4);
    assert_eq!(usage["prompt_tokens_details"]["cache_creation_tokens"], 3);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 2);
}

#[test]
fn what_is_no_message_is_not_read() {
    for body in ["", "{", "[]", "{}", r#"{"type":"error"}"#, r#"{"type":"message"}"#, r#"{"choices":[]}"#] {
        assert!(PROVIDER.read(body).is_err(), "{body}");
    }
}

#[test]
fn an_error_means_the_same_in_the_place_of_an_answer_and_of_an_event() {
    for (kind, status) in [("overloaded_error", 529), ("rate_limit_error", 429), ("api_error", 502)] {
        let error = json!({"type": "error", "error": {"type": kind, "message": "m"}});
        let broken = Broken::Fault(Fault::new(status, None, "m"));
        assert_eq!(PROVIDER.read(&error.to_string()).unwrap_err(), broken);
        let event = alloc::format!("event: error\ndata: {error}\n\n");
        let told = Anthropic.reader().read(crate::sse::Frame { raw: event.as_bytes() }, &mut |_| {});
        assert_eq!(told.unwrap_err(), broken);
    }
}

#[test]
fn errors_are_concluded_from_type_and_message() {
    let body =
        |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}}).to_string();
    for (status, kind, message, expected) in [
        (
            400,
            "invalid_request_error",
            "prompt is too long: 208310 tokens > 200000 maximum",
            (400, Some(Reason::ContextLength)),
        ),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
            (400, Some(Reason::ContextLength)),
        ),
        (
            400,
            "invalid_request_error",
            "Output blocked by content filtering policy",
            (400, Some(Reason::ContentPolicy)),
        ),
        (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API.",
            (429, Some(Reason::Quota)),
        ),
        (402, "billing_error", "m", (429, Some(Reason::Quota))),
        (404, "not_found_error", "model: claude-none", (404, Some(Reason::ModelNotFound))),
        (413, "request_too_large", "Request exceeds the maximum size", (413, None)),
        (429, "rate_limit_error", "m", (429, None)),
        (500, "api_error", "the context window", (500, None)),
        (529, "overloaded_error", "Overloaded", (529, None)),
    ] {
        let fault = PROVIDER.fault(status, body(kind, message).as_bytes());
        assert_eq!((fault.status, fault.reason), expected, "{message}");
        assert_eq!(fault.message.as_deref(), Some(message));
    }
    assert_eq!(PROVIDER.fault(400, body("e", "bad key sk-ant-api03-x").as_bytes()).message, None);
    assert_eq!(PROVIDER.fault(400, body("e", &"x".repeat(900)).as_bytes()).message.unwrap().len(), 500);
    let page = PROVIDER.fault(503, b"<html>");
    assert_eq!(page, Fault { status: 503, reason: None, message: None });
    assert_eq!(fault::read_event(body("authentication_error", "m").as_bytes()).status, 502);
}
