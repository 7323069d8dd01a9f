//! What a key may not do on a provider's own paths.

use super::*;

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
        ("sk-few", "POST", "/openai/chat/completions", r#"{"model":"gpt-4o-mini","models":["gpt-4o"]}"#),
        ("sk-few", "POST", "/openai/chat/completions", r#"{"model":"gpt-4o-mini","fallbacks":["gpt-4o"]}"#),
        ("sk-few", "POST", "/openai/completions", r#"{"model":"gpt-4o-mini","m\u006fdels":["gpt-4o"]}"#),
        ("sk-few", "POST", "/openai/responses", r#"{"model":"gpt-4o-mini","preset":"all"}"#),
        (
            "sk-few",
            "POST",
            "/openai/responses",
            r#"{"model":"gpt-4o-mini","tools":[{"type":"image_generation","model":"x"}]}"#,
        ),
        (
            "sk-few",
            "POST",
            "/claude/messages",
            r#"{"model":"claude-haiku-4-5","tools":[{"type":"advisor","model":"x"}]}"#,
        ),
        ("sk-few", "POST", "/openai/embeddings?model=gpt-4o", mini),
        ("sk-few", "POST", "/groq/batches/b_1/cancel", mini),
        ("sk-few", "POST", "/openai/threads/runs", mini),
        ("sk-few", "POST", "/openai/assistants", mini),
        ("sk-few", "POST", "/openai/fine_tuning/jobs", mini),
        ("sk-few", "POST", "/gemini/publishers/google/models/gemini-2.5-flash:generateContent", "{}"),
        ("sk-few", "POST", "/gemini/models/gemini-2.5-flash:batchGenerateContent", "{}"),
        ("sk-few", "POST", "/gemini/models/gemini-2.5-flash:generateContent?model=gemini-2.5-pro", "{}"),
        ("sk-few", "POST", "/gemini/models/gemini-2.5-flash:generateContent?m%6Fdel=gemini-2.5-pro", "{}"),
        ("sk-few", "POST", "/azure/deployments/gpt-4o/chat/completions", mini),
        ("sk-few", "POST", "/azure/openai/deployments/gpt-4o/chat/completions", mini),
        ("sk-few", "POST", "/azure/openai/deployments/gpt-4o-mini/extensions/chat/completions", mini),
        ("sk-few", "POST", "/v1/chat/completions", r#"{"model":"openai/gpt-4o-mini","models":["gpt-4o"]}"#),
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
        (
            "/openai/responses",
            r#"{"model":"gpt-4o-mini","tools":[{"parameters":{"properties":{"model":{}}}}],"models":null}"#,
        ),
        ("/openai/chat/completions", r#"{"model":"gpt-4o-mini","messages":[{"content":{"model":"gpt-4o"}}]}"#),
        ("/azure/openai/deployments/gpt-4o-mini/chat/completions?api-version=2025-01-01", "{}"),
    ] {
        let sent = asked("sk-few", "POST", path, body).sent();
        assert!(!String::from_utf8_lossy(&sent.body).contains("gemini-2.5-pro"), "{path}");
    }
    // A key that is for all of them may ask for what it likes.
    let models = r#"{"model":"gpt-4o-mini","models":["gpt-4o"]}"#;
    assert_eq!(got(&asked("sk-all", "POST", "/openai/chat/completions", models).sent()).2, models);
    let form = [(":method", &b"POST"[..]), ("content-type", b"text/plain"), ("authorization", b"Bearer sk-few")];
    let refused = ask(&keyed(), post("/openai/chat/completions", &form), &[mini.as_bytes()]).refused();
    assert_eq!(refused.status, 403);
    // Both names stand in the path's place: what was checked is what is sent.
    let both =
        asked("sk-few", "POST", "/gemini/models/gemini-2.5-flash:embedContent", r#"{"model":"models/gemini-2.5-pro"}"#);
    assert_eq!(got(&both.sent()).2, r#"{"model":"models/gemini-2.5-flash"}"#);
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
