//! Errors on a provider's own paths: whose they are, and what counts as one.

use super::*;

#[test]
fn a_providers_error_passes_untouched_unless_it_repeats_the_credential() {
    for (status, body) in [(400, r#"{ "type":"error" }"#), (429, "slow down"), (529, "<html>"), (404, "")] {
        let sent = sent("/claude/messages", r#"{"model":"m"}"#);
        let headers = [("content-type", "text/x"), ("retry-after", "7"), ("request-id", "r")];
        let got = sent.answered(status, &headers, &pieces(body.as_bytes(), 0));
        assert_eq!((got.status, got.text(), got.header("content-type")), (status, body, Some("text/x")));
        assert_eq!((got.header("retry-after"), got.header("request-id")), (Some("7"), Some("r")));
        assert_eq!(got.header("x-dragoman-provider"), Some("claude"));
        assert_eq!(got.header("x-dragoman-attempts"), Some(format!("claude/m={status}").as_str()));
    }
    for (path, status, shape) in [
        ("/claude/messages", 400, r#"{"type":"error","error":{"type":"api_error""#),
        ("/gemini/models/m:generateContent", 400, r#"{"error":{"code":"#),
        ("/openai/embeddings", 503, r#"{"error":{"message":"#),
    ] {
        let got = sent(path, r#"{"model":"m"}"#).answered(
            status,
            &[],
            &[b"wrong key: secret-CLAUDE secret-GEMINI secret-OPENAI"],
        );
        assert_eq!(got.status, status);
        assert!(got.text().starts_with(shape) && !got.text().contains("secret"), "{}", got.text());
    }
    let got = sent("/gemini/models/m:generateContent", "{}").answered(401, &[], &[b"{}"]);
    assert_eq!((got.status, got.text().contains("\"UNAVAILABLE\"")), (502, true), "{}", got.text());
    let secret = "data: {\"error\":{\"code\":500,\"message\":\"secret-GEMINI\"}}\n\n";
    let (got, _) = answered("/gemini/streamGenerateContent?alt=sse&model=m", "{}", "text/event-stream", secret);
    assert!(!got.text().contains("secret"), "{}", got.text());
}

#[test]
fn the_gateways_own_errors_have_the_shape_of_the_path() {
    let of = |shape: Shape, body: &Value| match shape {
        Shape::OpenAi => {
            body["error"]["code"].is_string() || body["error"]["code"].is_null() && body["error"]["type"].is_string()
        }
        Shape::Anthropic => body["type"] == "error" && body["error"]["type"].is_string(),
        Shape::Gemini => body["error"]["code"].is_u64() && body["error"]["status"].is_string(),
        Shape::Ollama => body["error"].is_string(),
    };
    for (path, shape) in [
        ("/openai/embeddings", Shape::OpenAi),
        ("/openai/v1/messages", Shape::Anthropic),
        ("/claude/v1/complete", Shape::Anthropic),
        ("/claude/chat/completions", Shape::OpenAi),
        ("/gemini/models/m:generateContent", Shape::Gemini),
        ("/gemini/v1beta/openai/chat/completions", Shape::OpenAi),
        ("/ollama/api/chat", Shape::Ollama),
        ("/ollama/v1/chat/completions", Shape::OpenAi),
    ] {
        let reply = asked("sk-nobody", "POST", path, r#"{"model":"m"}"#).refused();
        assert_eq!(reply.status, 401, "{path}");
        assert!(of(shape, &message(&reply)), "{path}: {}", message(&reply));
    }
    for (path, body, status) in [
        ("/openai/chat/completions", r#"{"model":"o3"}"#, 404),
        ("/openai/embeddings", r#"{"model":"m","model":"n"}"#, 400),
        ("/openai/embeddings", r#"{"model":"a\nb"}"#, 400),
        ("/openai/embeddings", "{", 400),
        ("/gemini/models/a%0Ab:generateContent", "{}", 400),
        ("/gemini/generateContent", "{}", 400),
        ("/unset/embeddings", r#"{"model":"m"}"#, 503),
    ] {
        assert_eq!(asked("sk-all", "POST", path, body).refused().status, status, "{path} {body}");
    }
}

#[test]
fn an_error_within_a_success_passes_and_is_no_success() {
    let (sse, lines, json) = ("text/event-stream", "application/x-ndjson", "application/json");
    let claude = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"hi\"}}\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n: bye\n\n";
    let failed = |code: &str| {
        format!(
            "data: {{\"type\":\"response.created\",\"response\":{{\"error\":null}}}}\n\ndata: {{\"type\":\"response.failed\",\"response\":{{\"error\":{{\"code\":\"{code}\"}},\"usage\":null}}}}\n\n"
        )
    };
    let (server, limited, invalid) = (failed("server_error"), failed("rate_limit_exceeded"), failed("invalid_prompt"));
    let none = Value::Null;
    let said = |text: &str| json!(text);
    for (path, content_type, answer, expected) in [
        ("/claude/messages", sse, claude, said("server_error")),
        (
            "/claude/messages",
            sse,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}\n\n",
            said("rate_limited"),
        ),
        (
            "/claude/messages",
            sse,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\"}}\n\n",
            none.clone(),
        ),
        ("/openai/responses", sse, &server, said("server_error")),
        ("/openai/responses", sse, &limited, said("rate_limited")),
        ("/openai/responses", sse, &invalid, none.clone()),
        (
            "/openai/responses",
            sse,
            "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"m\"}\n\n",
            said("server_error"),
        ),
        ("/openai/images/generations", sse, "data: {\"error\":{\"message\":\"m\"}}\n\n", said("server_error")),
        (
            "/openai/responses",
            json,
            "{\"status\":\"failed\",\"error\":{\"code\":\"server_error\"},\"usage\":null}",
            said("server_error"),
        ),
        ("/openai/responses", json, "{\"status\":\"completed\",\"error\":null}", none.clone()),
        ("/openai/embeddings", json, "{\"error\":{\"code\":429}}", said("rate_limited")),
        (
            "/gemini/streamGenerateContent?alt=sse&model=m",
            sse,
            "data: {\"error\":{\"code\":503,\"message\":\"m\"}}\n\n",
            said("server_error"),
        ),
        (
            "/gemini/streamGenerateContent?model=m",
            json,
            "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]}}]},\n{\"error\":{\"code\":503}}\n]\n",
            said("server_error"),
        ),
        ("/gemini/streamGenerateContent?model=m", json, "[{\"error\":{\"code\":429}}]", said("rate_limited")),
        (
            "/ollama/api/chat",
            lines,
            "{\"message\":{\"content\":\"hi\"},\"done\":false}\n{\"error\":\"an error was encountered\"}\n",
            said("server_error"),
        ),
        ("/ollama/api/generate", lines, "{\"error\":\"busy\",\"status\":429}\n", said("rate_limited")),
    ] {
        for seed in [0, 1, 7, 99] {
            let sent = sent(path, r#"{"model":"m","stream":true}"#);
            let observer = Rc::clone(&sent.observer);
            let got = sent.answered(200, &[("content-type", content_type)], &pieces(answer.as_bytes(), seed));
            assert_eq!((got.status, got.text()), (200, answer), "{path}");
            assert_eq!(last_failure(&observer), expected, "{path} {answer}");
        }
    }
}

#[test]
fn the_client_does_not_hear_that_a_key_is_wrong_which_is_not_its_own() {
    let google = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#;
    let listed = format!("[{google}]");
    let xai = r#"{"code":"invalid-argument","error":"Incorrect API key provided: xa***in."}"#;
    let openai = r#"{"error":{"message":"Incorrect API key provided: sk-***.","code":"invalid_api_key"}}"#;
    for (path, status, body) in [
        ("/claude/messages", 401, r#"{"error":{"type":"authentication_error","message":"invalid x-api-key"}}"#),
        ("/claude/messages", 403, "{}"),
        ("/openai/responses", 401, openai),
        ("/openai/responses", 400, openai),
        ("/groq/embeddings", 400, xai),
        ("/gemini/models/m:generateContent", 400, google),
        ("/gemini/streamGenerateContent?model=m", 400, &listed),
        ("/gemini/v1beta/openai/chat/completions", 400, &listed),
    ] {
        let sent = sent(path, r#"{"model":"m"}"#);
        let observer = Rc::clone(&sent.observer);
        let got = sent.answered(status, &[("content-type", "application/json")], &pieces(body.as_bytes(), 7));
        assert_eq!(got.status, 502, "{path}: {}", got.text());
        assert!(got.text().contains("refused the gateway's credential"), "{path}: {}", got.text());
        assert!(!got.text().to_lowercase().contains("api key") && !got.text().contains("x-api-key"), "{}", got.text());
        assert_eq!(last_failure(&observer), "credential_refused", "{path}");
    }
    let said = r#"{"error":{"message":"Unknown parameter: 'Incorrect API key'.","code":"unknown_parameter"}}"#;
    let got = sent("/openai/responses", r#"{"model":"m"}"#).answered(400, &[], &[said.as_bytes()]);
    assert_eq!((got.status, got.text()), (400, said));
}

#[test]
fn what_passes_as_a_success_and_is_no_answer_is_the_providers_failure() {
    const JSON: &str = "application/json";
    for (path, content_type, answer, expected) in [
        (
            "/claude/messages",
            JSON,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
            "server_error",
        ),
        ("/claude/messages", JSON, r#"{"type":"error","error":{"type":"rate_limit_error"}}"#, "rate_limited"),
        ("/gemini/models/m:generateContent", JSON, r#"{"error":{"code":503,"status":"UNAVAILABLE"}}"#, "server_error"),
        ("/ollama/api/chat", JSON, r#"{"error":"model runner has stopped"}"#, "server_error"),
        ("/openai/responses", JSON, r#"{"error":null,"usage":{"in"#, "bad_answer"),
        ("/claude/messages", JSON, "", "bad_answer"),
        ("/claude/messages", JSON, "[1,", "bad_answer"),
        ("/openai/embeddings", "text/html; charset=utf-8", "<html>", "bad_answer"),
    ] {
        for stream in [false, true] {
            let sent = sent(path, &format!(r#"{{"model":"m","stream":{stream}}}"#));
            let observer = Rc::clone(&sent.observer);
            let got = sent.answered(200, &[("content-type", content_type)], &pieces(answer.as_bytes(), 3));
            assert_eq!((got.status, got.text()), (200, answer), "{path}");
            assert_eq!(last_failure(&observer), expected, "{path} {answer}");
            // A head alone is no content, whatever was asked for.
            assert_eq!(report(&observer)["ttft_ms"], Value::Null, "{path} {answer} {stream}");
        }
    }
    for (path, answer) in [
        ("/claude/messages", r#"{"type":"message","error":null}"#),
        ("/ollama/api/chat", r#"{"message":{"content":"error"},"done":true}"#),
    ] {
        let sent = sent(path, r#"{"model":"m","stream":false}"#);
        let observer = Rc::clone(&sent.observer);
        sent.answered(200, &[("content-type", JSON)], &pieces(answer.as_bytes(), 3));
        assert_eq!(last_failure(&observer), Value::Null, "{path}");
    }
}

#[test]
fn the_time_to_the_first_content_is_taken_where_content_is_seen() {
    let lines = "{\"message\":{\"content\":\"hi\"},\"done\":false}\n{\"message\":{\"content\":\"\"},\"done\":true}\n";
    let speech = r#"{"model":"m","stream":true}"#;
    for (path, content_type, answer, expected) in [
        ("/ollama/api/chat", "application/x-ndjson", lines, json!(0.0)),
        ("/openai/audio/speech", "audio/mpeg", "sound", Value::Null),
    ] {
        let sent = sent(path, speech);
        let observer = Rc::clone(&sent.observer);
        sent.answered(200, &[("content-type", content_type)], &pieces(answer.as_bytes(), 3));
        let report = report(&observer);
        assert_eq!((&report["ttft_ms"], &report["last_failure"]), (&expected, &Value::Null), "{path}");
    }
}
