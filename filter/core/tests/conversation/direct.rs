//! A provider's own paths: what is asked of it, what of its answer is read, and what a key may not do there.

use std::rc::Rc;

use dragoman_core::{error::Shape, gateway::Gateway, headers::Headers, step::Reply, usage::Usage};
use serde_json::{Value, json};

use crate::stage::{Answer, Asked, HeaderMap, Sent, ask, gateway, pieces, post};

const OPEN: &str = r#"{
    "providers": {
        "openai": {"kind": "openai", "credential": {"env": "OPENAI"}},
        "claude": {"kind": "anthropic", "credential": {"env": "CLAUDE"}},
        "rooted": {"kind": "anthropic", "base_url": "http://127.0.0.1:1/x/v1", "credential": {"env": "ROOTED"}},
        "gemini": {"kind": "gemini", "base_url": "https://generativelanguage.googleapis.com", "credential": {"env": "GEMINI"}},
        "ollama": {"kind": "ollama", "base_url": "http://127.0.0.1:11434"},
        "groq": {"kind": "openai", "base_url": "https://api.groq.com/openai/v1", "credential": {"env": "GROQ"}},
        "bare": {"kind": "openai", "base_url": "http://127.0.0.1:1/api", "credential": {"env": "BARE"}},
        "azure": {"kind": "openai", "base_url": "https://x.openai.azure.com/openai", "credential": {"env": "AZURE"}},
        "unset": {"kind": "openai", "credential": {"env": "UNSET_KEY"}},
        "two": {"kind": "openai", "base_url": "http://127.0.0.1:1/v1", "accounts": [
            {"name": "a", "credential": {"env": "UNSET_A"}},
            {"name": "b", "credential": {"env": "B"}, "models": ["small*"]},
            {"name": "c", "credential": {"env": "C"}}]}
    },
    "models": {
        "openai/house": {"id": "gpt-4o-house"}, "claude/house": {"id": "claude-house"}, "gemini/house": {"id": "gemini-house"},
        "openai/o3": {"enabled": false}
    },
    "aliases": {"fast": ["openai/gpt-4o-mini", "claude/claude-haiku-4-5", "gemini/gemini-2.5-flash"]},
    "keys": [
        {"id": "all", "sha256": "a046e4925c1c5162e2a952bf81b903655ab1b77d52aac4b82b9c4ca26ad5f73e"},
        {"id": "claude-only", "sha256": "f4e9c42044d5e68b11f6400bb847ba3619439dd4789681af2e52616295726563", "providers": ["claude"]},
        {"id": "few", "sha256": "3e5b53295ea2b40237b9a345d2fb060ca0590ff1c51de7fc8b819f2a4409e6c6", "models": ["gpt-4o-mini", "claude-haiku-*", "gemini-2.5-flash", "llama3.2*"]}
    ]
}"#;

fn open() -> Rc<Gateway> {
    let mut file: Value = serde_json::from_str(OPEN).unwrap();
    file.as_object_mut().unwrap().remove("keys");
    gateway(&file.to_string())
}

/// With the keys `sk-all`, `sk-claude` and `sk-few`.
fn keyed() -> Rc<Gateway> {
    gateway(OPEN)
}

fn head(method: &str, path: &str, key: &str) -> HeaderMap {
    let bearer = format!("Bearer {key}");
    let mut head = post(path, &[(":method", method.as_bytes()), ("authorization", bearer.as_bytes())]);
    if method != "POST" {
        head.retain(|(name, _)| name != "content-type");
    }
    head
}

fn sent(path: &str, body: &str) -> Sent {
    ask(&open(), post(path, &[]), &pieces(body.as_bytes(), 7)).sent()
}

/// Path, credential and body, as the provider got them.
fn got(sent: &Sent) -> (String, String, String) {
    let headers = Headers(&sent.headers);
    let secrets = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];
    let secrets: Vec<_> = secrets.iter().filter_map(|name| headers.text(name)).collect();
    let length = headers.text("content-length").map(|length| length.parse::<usize>().unwrap());
    assert!(length.is_none_or(|length| length == sent.body.len()));
    (headers.text(":path").unwrap().into(), secrets.join(" "), String::from_utf8(sent.body.clone()).unwrap())
}

fn asked(key: &str, method: &str, path: &str, body: &str) -> Asked {
    let pieces: &[&[u8]] = if body.is_empty() { &[] } else { &[body.as_bytes()] };
    ask(&keyed(), head(method, path, key), pieces)
}

fn message(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

#[test]
fn each_spelling_leads_to_the_providers_own_path() {
    for (path, body, expected) in [
        ("/openai/chat/completions", r#"{"model":"gpt-4o"}"#, "/v1/chat/completions"),
        ("/openai/v1/chat/completions", r#"{"model":"gpt-4o"}"#, "/v1/chat/completions"),
        ("/openai/v1/embeddings?x=1&key=k", r#"{"model":"e"}"#, "/v1/embeddings?x=1"),
        ("/openai/v1/responses/r_1/cancel", "{}", "/v1/responses/r_1/cancel"),
        ("/groq/chat/completions", r#"{"model":"m"}"#, "/openai/v1/chat/completions"),
        ("/groq/v1/chat/completions", r#"{"model":"m"}"#, "/openai/v1/chat/completions"),
        ("/bare/v1/chat/completions", r#"{"model":"m"}"#, "/api/chat/completions"),
        ("/azure/embeddings?a=1", r#"{"model":"e"}"#, "/openai/deployments/e/embeddings?api-version=2024-10-21&a=1"),
        ("/azure/files", "{}", "/openai/files?api-version=2024-10-21"),
        ("/claude/messages", r#"{"model":"m"}"#, "/v1/messages"),
        ("/claude/v1/messages?beta=true", r#"{"model":"m"}"#, "/v1/messages?beta=true"),
        ("/claude/v1/messages/batches", "{}", "/v1/messages/batches"),
        ("/rooted/messages", r#"{"model":"m"}"#, "/x/v1/messages"),
        ("/rooted/v1/messages", r#"{"model":"m"}"#, "/x/v1/messages"),
        ("/gemini/v1beta/models/m:generateContent", "{}", "/v1beta/models/m:generateContent"),
        ("/gemini/models/m:generateContent", "{}", "/v1beta/models/m:generateContent"),
        ("/gemini/v1/models/m:countTokens", "{}", "/v1/models/m:countTokens"),
        ("/gemini/v1beta/generateContent?model=m&key=k", "{}", "/v1beta/models/m:generateContent"),
        (
            "/gemini/streamGenerateContent?alt=sse&model=models%2Fm",
            "{}",
            "/v1beta/models/m:streamGenerateContent?alt=sse",
        ),
        ("/gemini/v1beta/cachedContents", "{}", "/v1beta/cachedContents"),
        ("/gemini/v1beta/openai/chat/completions", r#"{"model":"m"}"#, "/v1beta/openai/chat/completions"),
        ("/ollama/api/chat", r#"{"model":"m"}"#, "/api/chat"),
        ("/ollama/chat", r#"{"model":"m"}"#, "/api/chat"),
        ("/ollama/api/pull", r#"{"model":"m"}"#, "/api/pull"),
        ("/ollama/v1/chat/completions", r#"{"model":"m"}"#, "/v1/chat/completions"),
        ("/ollama/chat/completions", r#"{"model":"m"}"#, "/v1/chat/completions"),
    ] {
        let (sent_to, _, sent_body) = got(&sent(path, body));
        assert_eq!((sent_to.as_str(), sent_body.as_str()), (expected, body), "{path}");
    }
}

#[test]
fn only_the_model_changes_and_only_where_it_must() {
    for (path, body, expected) in [
        (
            "/openai/embeddings",
            r#"{ "input":1.50, "model" : "openai/house" }"#,
            r#"{ "input":1.50, "model" : "gpt-4o-house" }"#,
        ),
        ("/openai/embeddings", r#"{"model":"fast"}"#, r#"{"model":"gpt-4o-mini"}"#),
        ("/openai/chat/completions", r#"{"model":"fast","x":[1e400]}"#, r#"{"model":"gpt-4o-mini","x":[1e400]}"#),
        ("/claude/messages", r#"{"model":"fast","stream":true}"#, r#"{"model":"claude-haiku-4-5","stream":true}"#),
        ("/claude/messages", r#"{"model":"claude/house"}"#, r#"{"model":"claude-house"}"#),
        ("/claude/messages", r#"{"model":"claude-of-tomorrow"}"#, r#"{"model":"claude-of-tomorrow"}"#),
        ("/groq/chat/completions", r#"{"model":"groq/groq/compound"}"#, r#"{"model":"groq/compound"}"#),
        ("/gemini/generateContent", r#"{"model":"fast","contents":[]}"#, r#"{"contents":[]}"#),
        ("/gemini/embedContent", r#"{"content":{},"model":"models/gemini/house"}"#, r#"{"content":{}}"#),
        ("/gemini/models/e:embedContent", r#"{"model":"models/e"}"#, r#"{"model":"models/e"}"#),
        ("/gemini/models/fast:embedContent", r#"{"model":"models/other"}"#, r#"{"model":"models/gemini-2.5-flash"}"#),
        ("/openai/fine_tuning/jobs", r#"{"model":"fast"}"#, r#"{"model":"gpt-4o-mini"}"#),
        ("/openai/vector_stores", r#"[{"model":7}"#, r#"[{"model":7}"#),
    ] {
        assert_eq!(got(&sent(path, body)).2, expected, "{path} {body}");
    }
    let named = |path: &str| got(&sent(path, "{}")).0;
    assert_eq!(named("/gemini/v1beta/models/fast:generateContent"), "/v1beta/models/gemini-2.5-flash:generateContent");
    assert_eq!(named("/gemini/models/gemini%2Fhouse:countTokens"), "/v1beta/models/gemini-house:countTokens");
    assert_eq!(named("/gemini/models/a%2F..%2Fb:countTokens"), "/v1beta/models/a%2F..%2Fb:countTokens");
    assert_eq!(
        got(&sent("/gemini/generateContent", r#"{"model":"fast"}"#)).0,
        "/v1beta/models/gemini-2.5-flash:generateContent"
    );
}

#[test]
fn the_gateways_credential_takes_the_place_of_the_clients() {
    let own: [(&str, &[u8]); 4] =
        [("authorization", b"Bearer mine"), ("x-api-key", b"mine"), ("x-goog-api-key", b"mine"), ("cookie", b"mine")];
    for (path, secret) in [
        ("/openai/embeddings", "Bearer secret-OPENAI"),
        ("/claude/messages", "secret-CLAUDE"),
        ("/gemini/models/m:generateContent?key=mine", "secret-GEMINI"),
        ("/ollama/api/chat", ""),
        ("/two/embeddings", "Bearer secret-C"),
    ] {
        let sent = ask(&open(), post(path, &own), &[br#"{"model":"m"}"#]).sent();
        assert_eq!(got(&sent).1, secret, "{path}");
        assert!(sent.headers.iter().all(|(_, value)| !value.windows(4).any(|part| part == b"mine")), "{path}");
    }
    assert_eq!(got(&sent("/two/embeddings", r#"{"model":"small-1"}"#)).1, "Bearer secret-B");
    let headers = sent("/claude/messages", r#"{"model":"m"}"#).headers;
    assert_eq!(Headers(&headers).text("anthropic-version"), Some("2023-06-01"));
    let own: [(&str, &[u8]); 2] = [("anthropic-version", b"2099-01-01"), ("anthropic-beta", b"x")];
    let headers = ask(&open(), post("/claude/messages", &own), &[br#"{"model":"m"}"#]).sent().headers;
    let header = |name| Headers(&headers).text(name);
    assert_eq!((header("anthropic-version"), header("anthropic-beta")), (Some("2099-01-01"), Some("x")));
}

#[test]
fn what_has_no_body_and_what_is_no_json_pass() {
    for (method, path, expected) in [
        ("GET", "/openai/files/file-1/content", "/v1/files/file-1/content"),
        ("DELETE", "/openai/v1/files/file-1", "/v1/files/file-1"),
        ("GET", "/claude/v1/models?limit=2", "/v1/models?limit=2"),
        ("GET", "/gemini/v1beta/models/gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash"),
        ("GET", "/ollama/api/tags", "/api/tags"),
    ] {
        let sent = asked("sk-all", method, path, "").sent();
        assert_eq!(got(&sent), (expected.into(), got(&sent).1, String::new()), "{path}");
    }
    let form: [(&str, &[u8]); 1] = [("content-type", b"multipart/form-data; boundary=x")];
    let sent = ask(&open(), post("/openai/audio/transcriptions", &form), &[b"--x\r\n\"model\": {"]).sent();
    assert_eq!(got(&sent).2, "--x\r\n\"model\": {");
    let refused = ask(&open(), post("/openai/embeddings", &[("content-encoding", b"gzip")]), &[b"x"]).refused();
    assert_eq!(refused.status, 415);
}

/// What the client gets, and the tokens that were counted, for any cut of the answer.
fn answered(path: &str, body: &str, content_type: &str, answer: &str) -> (Answer, Option<Usage>) {
    let mut seen = None;
    for seed in [0, 1, 7, 99] {
        let sent = sent(path, body);
        let plan = Rc::clone(&sent.plan);
        let answer = sent.answered(200, &[("content-type", content_type)], &pieces(answer.as_bytes(), seed));
        let found = (answer.body.clone(), plan.usage());
        assert!(seen.as_ref().is_none_or(|(other, usage): &(Answer, _)| (&other.body, *usage) == (&found.0, found.1)));
        seen = Some((answer, found.1));
    }
    seen.unwrap()
}

#[test]
fn an_answer_passes_as_it_is_and_its_tokens_are_counted() {
    let usage = |input, output| Some(Usage { input, output, ..Usage::default() });
    let events = |events: &[(&str, Value)]| {
        let event = |(name, data): &(&str, Value)| match *name {
            "" => format!("data: {data}\n\n"),
            name => format!("event: {name}\ndata: {data}\n\n"),
        };
        events.iter().map(event).collect::<String>()
    };
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
    let (sse, json, lines) = ("text/event-stream; charset=utf-8", "application/json", "application/x-ndjson");
    for (path, content_type, answer, expected) in [
        ("/claude/messages", sse, claude.as_str(), usage(3, 5)),
        ("/claude/messages", json, r#"{ "type":"message","usage":{"input_tokens":3,"output_tokens":5}}"#, usage(3, 5)),
        ("/claude/messages/count_tokens", json, r#"{"input_tokens":3}"#, None),
        ("/gemini/streamGenerateContent?alt=sse&model=m", sse, &gemini, usage(3, 5)),
        (
            "/gemini/models/m:generateContent",
            json,
            r#"{"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":5}}"#,
            usage(3, 5),
        ),
        ("/ollama/api/chat", lines, &ollama, usage(3, 5)),
        ("/ollama/api/chat", json, r#"{"prompt_eval_count":3,"eval_count":5}"#, usage(3, 5)),
        ("/openai/embeddings", json, r#"{"data":[],"usage":{"prompt_tokens":3,"total_tokens":3}}"#, usage(3, 0)),
        ("/openai/responses", json, r#"{"usage":{"input_tokens":3,"output_tokens":5}}"#, usage(3, 5)),
        ("/openai/responses", sse, "event: response.created\ndata: {\"type\":\"response.created\"}\n\n", None),
        ("/openai/audio/speech", "audio/mpeg", "{\"usage\":", None),
        ("/openai/embeddings", json, "not JSON", None),
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
    ] {
        let (got, _) = answered(path, r#"{"model":"m"}"#, content_type, begun);
        let rest = got.text().strip_prefix(begun);
        assert!(rest.is_some_and(|rest| rest.starts_with(error)), "{path}: {}", got.text());
    }
}

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
fn no_path_widens_a_key() {
    let mini = r#"{"model":"gpt-4o-mini"}"#;
    for (key, method, path, body) in [
        ("sk-claude", "POST", "/openai/embeddings", mini),
        ("sk-claude", "GET", "/openai/files", ""),
        ("sk-few", "POST", "/openai/chat/completions", r#"{"model":"gpt-4o"}"#),
        ("sk-few", "POST", "/openai/chat/completions", "{}"),
        ("sk-few", "POST", "/openai/responses", r#"{"prompt":{"id":"p"}}"#),
        ("sk-few", "POST", "/openai/audio/transcriptions", mini),
        ("sk-few", "GET", "/openai/files", ""),
        ("sk-few", "POST", "/openai/batches", mini),
        ("sk-few", "DELETE", "/openai/models/gpt-4o-mini", ""),
        ("sk-few", "PUT", "/openai/chat/completions", mini),
        ("sk-few", "POST", "/openai/v1/openai/deployments/gpt-4o/chat/completions", mini),
        ("sk-few", "POST", "/claude/messages", r#"{"model":"claude-opus-4-1"}"#),
        ("sk-few", "POST", "/claude/messages/batches", r#"{"requests":[]}"#),
        ("sk-few", "POST", "/gemini/models/gemini-2.5-pro:generateContent", "{}"),
        ("sk-few", "POST", "/gemini/generateContent?model=gemini-2.5-pro", r#"{"model":"gemini-2.5-flash"}"#),
        ("sk-few", "POST", "/gemini/tunedModels/gemini-2.5-flash:generateContent", "{}"),
        ("sk-few", "POST", "/gemini/models/gemini-2.5-flash", "{}"),
        ("sk-few", "GET", "/gemini/v1beta/files", ""),
        ("sk-few", "POST", "/ollama/api/pull", r#"{"model":"llama3.2"}"#),
        ("sk-few", "POST", "/ollama/api/create", r#"{"model":"llama3.2"}"#),
        ("sk-few", "GET", "/ollama/api/tags", ""),
        ("sk-few", "GET", "/ollama/api/chat", ""),
    ] {
        let reply = asked(key, method, path, body).refused();
        assert_eq!(reply.status, 403, "{key} {method} {path} {body}: {}", message(&reply));
    }
    for (path, body) in [
        ("/openai/chat/completions", mini),
        ("/openai/chat/completions", r#"{"model":"fast"}"#),
        ("/claude/messages", r#"{"model":"claude/claude-haiku-4-5"}"#),
        ("/gemini/models/gemini-2.5-flash:generateContent", "{}"),
        ("/gemini/generateContent?model=gemini-2.5-flash", r#"{"model":"gemini-2.5-pro"}"#),
        ("/ollama/api/chat", r#"{"model":"llama3.2:latest"}"#),
    ] {
        let sent = asked("sk-few", "POST", path, body).sent();
        assert!(!String::from_utf8_lossy(&sent.body).contains("gemini-2.5-pro"), "{path}");
    }
    let form = [(":method", &b"POST"[..]), ("content-type", b"text/plain"), ("authorization", b"Bearer sk-few")];
    let refused = ask(&keyed(), post("/openai/chat/completions", &form), &[mini.as_bytes()]).refused();
    assert_eq!(refused.status, 403);
    // Both names stand in the path's place: what was checked is what is sent.
    let both =
        asked("sk-few", "POST", "/gemini/models/gemini-2.5-flash:embedContent", r#"{"model":"models/gemini-2.5-pro"}"#);
    assert_eq!(got(&both.sent()).2, r#"{"model":"models/gemini-2.5-flash"}"#);
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
fn a_strict_catalogue_holds_on_a_providers_paths_too() {
    let mut file: Value = serde_json::from_str(OPEN).unwrap();
    file.as_object_mut().unwrap().remove("keys");
    file["catalogue"] = json!({"strict": true});
    let gateway = gateway(&file.to_string());
    for (path, status) in
        [("/gemini/models/unheard-of:generateContent", 404), ("/gemini/models/house:generateContent", 0)]
    {
        match ask(&gateway, post(path, &[]), &[b"{}"]) {
            Asked::Refused(reply) => assert_eq!(reply.status, status, "{path}"),
            Asked::Sent(_) => assert_eq!(status, 0, "{path}"),
        }
    }
}

#[test]
fn a_prefix_lists_its_own_models() {
    let list = |key: &str, path: &str| {
        let reply = asked(key, "GET", path, "").refused();
        assert_eq!(reply.status, 200, "{path}");
        let models = message(&reply)["data"].as_array().unwrap().clone();
        models.iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for path in ["/openai/models", "/openai/v1/models/", "/claude/models", "/gemini/models"] {
        let provider = path.split('/').nth(1).unwrap();
        let models = list("sk-all", path);
        assert!(models.len() > 3 && models.contains(&"fast".to_owned()), "{path}: {models:?}");
        assert!(models.iter().all(|id| id == "fast" || id.starts_with(&format!("{provider}/"))), "{path}: {models:?}");
    }
    assert_eq!(
        list("sk-few", "/claude/v1/models"),
        ["claude/claude-haiku-4-5", "claude/claude-haiku-4-5-20251001", "fast"]
    );
    for (path, status) in [
        ("/openai/models/house", 200),
        ("/openai/models/openai%2Fhouse", 200),
        ("/openai/models/claude-house", 404),
        ("/openai/models/o3", 404),
    ] {
        assert_eq!(asked("sk-all", "GET", path, "").refused().status, status, "{path}");
    }
    assert_eq!(asked("sk-few", "GET", "/openai/models/gpt-4o", "").refused().status, 404);
    assert_eq!(list("sk-claude", "/openai/models"), Vec::<String>::new());
}
