//! What is asked of a provider on its own paths.

use super::*;

#[test]
fn each_spelling_leads_to_the_providers_own_path() {
    for (path, body, expected) in [
        ("/openai/chat/completions", r#"{"model":"gpt-4o"}"#, "/v1/chat/completions"),
        ("/openai/v1/chat/completions", r#"{"model":"gpt-4o"}"#, "/v1/chat/completions"),
        ("/openai/v1/embeddings?x=1&key=k", r#"{"model":"e"}"#, "/v1/embeddings?x=1"),
        ("/groq/v1/responses/r_1/cancel", "{}", "/openai/v1/responses/r_1/cancel"),
        ("/groq/chat/completions", r#"{"model":"m"}"#, "/openai/v1/chat/completions"),
        ("/groq/v1/chat/completions", r#"{"model":"m"}"#, "/openai/v1/chat/completions"),
        ("/bare/v1/chat/completions", r#"{"model":"m"}"#, "/api/chat/completions"),
        ("/azure/embeddings?a=1", r#"{"model":"e"}"#, "/openai/deployments/e/embeddings?api-version=2024-10-21&a=1"),
        (
            "/azure/openai/deployments/e/embeddings?api-version=2025-01-01",
            r#"{"input":"x"}"#,
            "/openai/deployments/e/embeddings?api-version=2025-01-01",
        ),
        (
            "/azure/deployments/e/embeddings",
            r#"{"model":"e"}"#,
            "/openai/deployments/e/embeddings?api-version=2024-10-21",
        ),
        ("/azure/openai/files?api-version=2025-01-01&a=1", "{}", "/openai/files?api-version=2025-01-01&a=1"),
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
        ("/azure/deployments/mine/chat/completions", r#"{"model":"other"}"#, r#"{"model":"mine"}"#),
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
    assert_eq!(carried(&headers).headers().text("anthropic-version"), Some("2023-06-01"));
    let own: [(&str, &[u8]); 2] = [("anthropic-version", b"2099-01-01"), ("anthropic-beta", b"x")];
    let headers = ask(&open(), post("/claude/messages", &own), &[br#"{"model":"m"}"#]).sent().headers;
    let headers = carried(&headers);
    let header = |name| headers.headers().text(name);
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
    let few = list("sk-few", "/claude/v1/models");
    assert!(few.contains(&"claude/claude-haiku-4-5-20251001".to_owned()), "{few:?}");
    assert!(few.iter().all(|id| id == "fast" || id.starts_with("claude/claude-haiku-")), "{few:?}");
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
