//! What is no chat: vectors, pictures, and the other paths of OpenAI's API, on routers.

mod pictures;
mod uploads;
mod vectors;

use dragoman_core::usage::Usage;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::key::hash;
use crate::stage::{Asked, Sent, World, ask, ask_in, gateway, pieces, post};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Everybody.
const ALL: &str = r#"{
    "providers": {
        "openai": {"kind":"openai","credential":{"env":"A"}},
        "second": {"kind":"openai","base_url":"https://second.test/api/v1","credential":{"env":"S"}},
        "claude": {"kind":"anthropic","credential":{"env":"C"}},
        "gemini": {"kind":"gemini","credential":{"env":"G"}},
        "ollama": {"kind":"ollama","base_url":"http://127.0.0.1:11434"}
    },
    "aliases": {
        "vectors": ["openai/text-embedding-3-small","claude/claude-haiku-4-5","gemini/gemini-embedding-001","ollama/nomic"],
        "elsewhere": ["gemini/gemini-embedding-001","ollama/nomic"],
        "pictures": ["gemini/gemini-3-pro-image","openai/gpt-image-1"]
    },
    "limits": [{"name":"t","of":"tokens","max":1000000,"per":"day","scope":"key"}],
    "retry": {"attempts":0}
}"#;

fn asked(path: &str, body: &Value) -> Asked {
    ask(&gateway(ALL), post(path, &[]), &pieces(body.to_string().as_bytes(), 7))
}

fn header<'a>(sent: &'a Sent, name: &str) -> &'a str {
    let found = sent.headers.iter().find(|(found, _)| found == name);
    found.map_or("", |(_, value)| std::str::from_utf8(value).unwrap())
}

fn body(sent: &Sent) -> Value {
    serde_json::from_slice(&sent.body).unwrap()
}

#[test]
fn what_nobody_can_do_is_refused_before_anybody_is_asked() {
    for (path, request, expected) in [
        ("/v1/embeddings", json!({"model": "claude/claude-haiku-4-5", "input": "a"}), ("model", "makes no embeddings")),
        ("/v1/embeddings", json!({"model": "elsewhere", "input": [1, 2, 3]}), ("input", "no token numbers")),
        ("/v1/embeddings", json!({"model": "elsewhere", "input": [[1, 2], [3]]}), ("input", "no token numbers")),
        ("/v1/embeddings", json!({"model": "ollama/nomic", "input": []}), ("input", "at least one")),
        (
            "/v1/embeddings",
            json!({"model": "ollama/nomic", "input": "a", "dimensions": "b"}),
            ("dimensions", "right type"),
        ),
        (
            "/v1/embeddings",
            json!({"model": "ollama/nomic", "input": "a", "encoding_format": "x"}),
            ("encoding_format", "float"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "claude/claude-haiku-4-5", "prompt": "p"}),
            ("model", "draws no pictures"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-pro", "prompt": "p"}),
            ("model", "draws no pictures"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "p", "n": 2}),
            ("n", "at a time"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "p", "stream": true}),
            ("stream", "in parts"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "p", "response_format": "url"}),
            ("response_format", "a link"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "p", "size": "big"}),
            ("size", "1024x1024"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "n": 1}),
            ("prompt", "what to draw"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "p", "background": "transparent"}),
            ("background", "transparent"),
        ),
        ("/v1/moderations", json!({"model": "gemini/gemini-2.5-pro", "input": "a"}), ("model", "`/moderations`")),
    ] {
        let reply = asked(path, &request).refused();
        let told: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status, &told["error"]["param"]), (400, &json!(expected.0)), "{request}: {told}");
        assert!(told["error"]["message"].as_str().unwrap().contains(expected.1), "{request}: {told}");
    }
}

#[test]
fn an_error_that_calls_itself_a_success_is_the_caller_s_only_where_it_is_about_the_request() {
    let fault =
        |code: u16, status: &str| json!({"error": {"code": code, "message": "m", "status": status}}).to_string();
    for (code, status, is_settled) in [
        (400, "INVALID_ARGUMENT", true),
        (404, "NOT_FOUND", true),
        (401, "UNAUTHENTICATED", false),
        (403, "PERMISSION_DENIED", false),
        (429, "RESOURCE_EXHAUSTED", false),
        (503, "UNAVAILABLE", false),
    ] {
        let request = json!({"model": "pictures", "prompt": "p"});
        let (sent, fault) = (asked("/v1/images/generations", &request).sent(), fault(code, status));
        if is_settled {
            assert_eq!(sent.answered(200, &[JSON], &[fault.as_bytes()]).status, code);
        } else {
            let sent = sent.failed_in_words(200, fault.as_bytes()).sent();
            assert_eq!(header(&sent, ":authority"), "api.openai.com", "{code}");
        }
    }
}

#[test]
fn other_paths_pass_with_their_model_resolved_whatever_they_answer() {
    for (path, model, content_type, answer, expected) in [
        ("moderations", "openai/omni-moderation-latest", "application/json", r#"{"results":[]}"#, None),
        ("rerank", "openai/rerank-2", "application/json", r#"{"results":[],"usage":{"total_tokens":9}}"#, Some(9)),
        ("audio/speech", "openai/tts-1", "audio/mpeg", "\u{1}\u{2}", None),
        (
            "fine_tuning/jobs",
            "openai/gpt-4o-mini",
            "application/json",
            r#"{"error":{"code":null},"status":"queued"}"#,
            None,
        ),
    ] {
        let sent = asked(&["/v1/", path].concat(), &json!({"model": model, "x": 1})).sent();
        assert_eq!(header(&sent, ":path"), ["/v1/", path].concat());
        assert_eq!(body(&sent), json!({"model": model.strip_prefix("openai/").unwrap(), "x": 1}));
        let plan = std::rc::Rc::clone(&sent.plan);
        let answer_of = sent.answered(200, &[("content-type", content_type)], &pieces(answer.as_bytes(), 3));
        assert_eq!((answer_of.status, answer_of.text()), (200, answer));
        assert_eq!(plan.usage().map(|usage| usage.input), expected, "{path}");
    }
}

#[test]
fn where_no_body_names_a_model_a_header_or_the_first_provider_decides() {
    let gateway = gateway(ALL);
    let get = |path: &str, more: &[(&str, &[u8])]| {
        let mut headers: Vec<(&str, &[u8])> = vec![(":method", b"GET")];
        headers.extend(more);
        ask(&gateway, post(path, &headers), &[])
    };
    let sent = get("/v1/files/file-1?limit=2&key=abc", &[]).sent();
    assert_eq!((header(&sent, ":path"), header(&sent, ":authority")), ("/v1/files/file-1?limit=2", "api.openai.com"));
    let sent = get("/ai/v1/batches", &[("x-dragoman-provider", b"second")]).sent();
    assert_eq!((header(&sent, ":path"), header(&sent, ":authority")), ("/api/v1/batches", "second.test"));
    assert_eq!(header(&sent, "x-dragoman-provider"), "");
    for (name, expected) in [("nobody", "names no provider"), ("gemini", "below /gemini/")] {
        let reply = get("/v1/files", &[("x-dragoman-provider", name.as_bytes())]).refused();
        assert!(reply.status == 400 && String::from_utf8_lossy(&reply.body).contains(expected), "{reply:?}");
    }
    let named: &[(&str, &[u8])] = &[("x-dragoman-provider", b"second")];
    let sent = ask(&gateway, post("/v1/batches", named), &[br#"{"input_file_id":"f"}"#]).sent();
    assert_eq!((header(&sent, ":path"), &*sent.body), ("/api/v1/batches", &br#"{"input_file_id":"f"}"#[..]));
}

#[test]
fn who_is_asked_without_a_model_is_of_those_to_whom_the_way_leads() {
    let second = r#"{"strategy":"fallback","targets":[{"provider":"claude"},{"provider":"second"}]}"#;
    let key = |id: &str, more: &str| {
        let hash = hash(id);
        format!(r#"{{"id":"{id}","sha256":"{hash}",{more}}}"#)
    };
    let keys = [
        key("free", r#""enabled":true"#),
        key("routed", r#""routing":"to-second""#),
        key("bound", r#""providers":["second"]"#),
        key("outside", r#""providers":["gemini"]"#),
        key("bringing", r#""byok":{"allowed":true}"#),
    ];
    let more = format!(
        r#"{{"keys":[{}],"routing":{{"to-second":{second}}},"routers":{{"r":{{"load_balance":{{"chat":{second}}}}}}},"#,
        keys.join(",")
    );
    let gateway = gateway(&ALL.replacen('{', &more, 1));
    let get = |key: &str, path: &str, more: &[(&str, &[u8])]| {
        let bearer = format!("Bearer {key}");
        let mut headers: Vec<(&str, &[u8])> = vec![(":method", b"GET"), ("authorization", bearer.as_bytes())];
        headers.extend(more);
        ask(&gateway, post(path, &headers), &[])
    };
    for (key, path, expected) in [
        ("free", "/v1/files", "api.openai.com"),
        ("free", "/router/r/files", "second.test"),
        ("routed", "/v1/files", "second.test"),
        ("routed", "/ai/v1/files", "api.openai.com"),
        ("bound", "/v1/files", "second.test"),
    ] {
        assert_eq!(header(&get(key, path, &[]).sent(), ":authority"), expected, "{key} {path}");
    }
    let nobody = get("outside", "/v1/files", &[]).refused();
    assert!(
        nobody.status == 400 && String::from_utf8_lossy(&nobody.body).contains("x-dragoman-provider"),
        "{nobody:?}"
    );
    assert_eq!(get("outside", "/v1/files", &[("x-dragoman-provider", b"second")]).refused().status, 403);

    // What names nobody is nobody's where the gateway chose; of who is named it is.
    let brought = ("x-dragoman-provider-key", &b"sk-own"[..]);
    assert_eq!(get("bringing", "/v1/files", &[brought]).refused().status, 400);
    let sent = get("bringing", "/v1/files", &[brought, ("x-dragoman-provider", b"second")]).sent();
    assert_eq!(header(&sent, "authorization"), "Bearer sk-own");
}

#[test]
fn chats_that_are_kept_are_read_changed_and_deleted_where_they_are_kept() {
    let gateway = gateway(ALL);
    for (method, path, body) in [
        ("GET", "/v1/chat/completions?limit=2", None),
        ("GET", "/v1/chat/completions/chatcmpl-1", None),
        ("GET", "/v1/router/chat/completions/chatcmpl-1/messages", None),
        ("DELETE", "/v1/chat/completions/chatcmpl-1", None),
        ("POST", "/v1/chat/completions/chatcmpl-1", Some(&br#"{"metadata":{"a":"b"}}"#[..])),
    ] {
        let headers: &[(&str, &[u8])] = &[(":method", method.as_bytes())];
        let sent = ask(&gateway, post(path, headers), body.as_slice()).sent();
        let at_provider = path.replacen("/router/", "/", 1);
        assert_eq!((header(&sent, ":path"), header(&sent, ":authority")), (&*at_provider, "api.openai.com"));
        assert_eq!(sent.body, body.unwrap_or_default(), "{method} {path}");
    }
}

#[test]
fn what_would_lead_away_is_refused_where_there_are_limits() {
    let limits = r#""limits": [{"name":"t","of":"tokens","max":1000000,"per":"day","scope":"key"}],"#;
    assert!(ALL.contains(limits));
    let (limited, free) = (gateway(ALL), gateway(&ALL.replace(limits, "")));
    for path in ["/v1/realtime/client_secrets", "/openai/v1/realtime/sessions", "/gemini/v1alpha/auth_tokens"] {
        for body in [&b"{}"[..], br#"{"model":"openai/gpt-realtime"}"#] {
            let reply = ask(&limited, post(path, &[]), &[body]).refused();
            assert_eq!(reply.status, 403, "{path}");
            ask(&free, post(path, &[]), &[body]).sent();
        }
    }
}

#[test]
fn who_has_not_said_who_he_is_learns_no_provider_s_name() {
    let keys = format!(r#"{{"keys":[{{"id":"k","sha256":"{}"}}],"#, hash("k"));
    let gateway = gateway(&ALL.replacen('{', &keys, 1));
    for name in ["nobody", "gemini", "second"] {
        let named: &[(&str, &[u8])] = &[(":method", b"GET"), ("x-dragoman-provider", name.as_bytes())];
        assert_eq!(ask(&gateway, post("/v1/files", named), &[]).refused().status, 401, "{name}");
    }
    // Where the header has no meaning it has none for a credential either.
    let named: &[(&str, &[u8])] = &[("authorization", b"Bearer k"), ("x-dragoman-provider", b"nobody")];
    let drawn = br#"{"model":"openai/gpt-image-1","prompt":"p"}"#;
    ask(&gateway, post("/v1/images/generations", named), &[drawn]).sent();
}

#[test]
fn the_stream_of_an_unknown_path_ends_where_it_ends() {
    for events in [
        "data: {\"type\":\"something\",\"n\":1}\n\n",
        "event: x\ndata: {\"text\":\"a\"}\n\ndata: {\"text\":\"b\"}\n\n",
        "data: no JSON\n\ndata: {\"usage\":{\"total_tokens\":9}}\n\n",
    ] {
        for seed in 0..4 {
            let sent = asked("/v1/containers", &json!({"model": "openai/m", "stream": true})).sent();
            let pieces = pieces(events.as_bytes(), seed);
            let answer = sent.answered(200, &[("content-type", "text/event-stream")], &pieces);
            assert_eq!((answer.status, answer.text()), (200, events));
        }
    }
}

#[test]
fn a_key_for_certain_models_uses_no_path_that_does_not_name_one() {
    let file = ALL.replacen('{', r#"{"keys":[{"id":"k","sha256":"f3abf2a6cc4f00987743db5f544ba345b4899ae31f326d8ee9c4816de153c9e0","models":["openai/*"]}],"#, 1);
    let gateway = gateway(&file);
    let bearer = ("authorization", &b"Bearer sk-test"[..]);
    let form: &[(&str, &[u8])] = &[bearer, ("content-type", b"multipart/form-data; boundary=x")];
    assert_eq!(ask(&gateway, post("/v1/audio/transcriptions", form), &[b"1"]).refused().status, 403);
    assert_eq!(ask(&gateway, post("/v1/files", &[bearer, (":method", b"GET")]), &[]).refused().status, 403);
    let job = br#"{"model":"openai/gpt-4o-mini"}"#;
    assert_eq!(ask(&gateway, post("/v1/fine_tuning/jobs", &[bearer]), &[job]).refused().status, 403);
    ask(&gateway, post("/v1/moderations", &[bearer]), &[job]).sent();
    let other = br#"{"model":"second/x","input":"a"}"#;
    assert_eq!(ask(&gateway, post("/v1/embeddings", &[bearer]), &[other]).refused().status, 403);
}

/// Pieces of documents that a client or a provider may make others of.
const SHREDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "1e999",
    "-0",
    "\"\"",
    "\"x\"",
    "\"input\":",
    "\"model\":",
    "\"ollama/m\"",
    "\"gemini/x-image\"",
    "\"gemini/m\"",
    "\"prompt\":",
    "\"size\":",
    "\"1x1\"",
    "\"dimensions\":",
    "\"embeddings\":",
    "\"values\":",
    "\"candidates\":",
    "\"content\":",
    "\"parts\":",
    "\"inlineData\":",
    "\"data\":",
    "\"mimeType\":",
    "\"image/png\"",
    "\"usageMetadata\":",
    "\"prompt_eval_count\":",
    "\"n\":",
    "\\ud800",
    "\u{0}",
];

fn shreds() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(SHREDS), 0..24).prop_map(|shreds| shreds.concat())
}

proptest! {
    #[test]
    fn nothing_that_is_sent_or_answered_breaks_anything(
        request in shreds(),
        answer in shreds(),
        model in prop::sample::select(vec!["ollama/m", "gemini/m", "gemini/x-image", "openai/m"]),
        seed in any::<u64>(),
    ) {
        let gateway = gateway(ALL);
        for path in ["/v1/embeddings", "/v1/images/generations", "/v1/moderations"] {
            let _ = ask(&gateway, post(path, &[]), &pieces(request.as_bytes(), seed));
            let sound = json!({"model": model, "input": ["a"], "prompt": "p"}).to_string();
            if let Asked::Sent(sent) = ask(&gateway, post(path, &[]), &[sound.as_bytes()]) {
                let status = sent.answered(200, &[JSON], &pieces(answer.as_bytes(), seed)).status;
                prop_assert!([200, 400, 500, 502].contains(&status), "{}", status);
            }
        }
    }
}
