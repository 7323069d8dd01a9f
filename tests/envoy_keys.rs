//! Who may ask what, and the answers to those who may not, through a real Envoy.
#![cfg(test)]

use dragoman::simulate::Options;
use dragoman_tests::envoy::{Gateway, Setup};
use dragoman_tests::http::{Request, Response};
use dragoman_tests::scene::{Scene, hello, openai_error};
use serde_json::json;
use std::sync::LazyLock;

const INVALID: &str = "invalid_request_error";

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options::default(), |config, base_url| {
        config["providers"]["groq"] =
            json!({"kind": "openai", "base_url": base_url, "credential": {"value": "sk-other"}});
        config["providers"]["empty"] =
            json!({"kind": "openai", "base_url": base_url, "credential": {"env": "NOT_SET"}});
        config["keys"] = json!([
            {"id": "all", "sha256": hash("sk-all")},
            {"id": "disabled", "sha256": hash("sk-disabled"), "enabled": false},
            {"id": "expired", "sha256": hash("sk-expired"), "expires": "2020-01-01T00:00:00Z"},
            {"id": "future", "sha256": hash("sk-future"), "not_before": "2999-01-01T00:00:00Z"},
            {"id": "timed", "sha256": hash("sk-timed"), "not_before": "2020-01-01T00:00:00Z", "expires": "2999-01-01T00:00:00Z"},
            {"id": "narrow", "sha256": hash("sk-narrow"), "providers": ["openai"], "models": ["gpt-4o*", "openai/o3"]},
        ]);
    })
});

fn hash(key: &str) -> String {
    dragoman::key::hash(key)
}

fn chat(key: Option<&str>, model: &str) -> Response {
    let mut body = hello(false);
    body["model"] = json!(model);
    let request = SCENE.case("keys").chat(&body);
    SCENE.gateway.send(&match key {
        Some(key) => request.key(key),
        None => request,
    })
}

#[test]
fn a_key_of_the_file_opens_the_gateway_wherever_it_stands() {
    for key in ["sk-all", "sk-timed"] {
        assert_eq!(chat(Some(key), "openai/gpt-4o").status, 200, "{key}");
    }
    let case = SCENE.case("places");
    for (name, value) in [("x-api-key", "sk-all"), ("x-goog-api-key", "sk-all"), ("authorization", "bearer   sk-all ")]
    {
        assert_eq!(case.send(&case.chat(&hello(false)).header(name, value)).status, 200, "{name}");
    }
    assert_eq!(case.send(&case.post("/v1/chat/completions?key=sk-all", &hello(false))).status, 200);
    // The first place counts, also where its key is wrong.
    let both = case.chat(&hello(false)).key("sk-wrong").header("x-api-key", "sk-all");
    assert_eq!(case.send(&both).status, 401);
    assert_eq!(case.requests().len(), 4);
}

#[test]
fn no_key_and_every_dead_key_is_401_and_says_why_without_the_key() {
    for (key, word) in [
        (None, "No API key"),
        (Some(""), "No API key"),
        (Some("sk-wrong"), "not known"),
        (Some("sk-al"), "not known"),
        (Some("sk-all2"), "not known"),
        (Some("sk-disabled"), "disabled"),
        (Some("sk-expired"), "expired"),
        (Some("sk-future"), "not valid yet"),
    ] {
        let message = openai_error(&chat(key, "openai/gpt-4o"), 401, INVALID, Some("invalid_api_key"));
        assert!(message.contains(word), "{key:?}: {message}");
        assert!(!message.contains("sk-"), "{message}");
    }
}

#[test]
fn a_dead_key_gets_no_further_whatever_it_asks_for() {
    for path in ["/v1/models", "/v1/embeddings", "/v1/messages", "/openai/chat/completions"] {
        let method = if path.ends_with("models") { "GET" } else { "POST" };
        let answer = SCENE.gateway.send(&Request::new(method, path).key("sk-expired"));
        assert_eq!(answer.status, 401, "{path}: {}", answer.text());
    }
}

#[test]
fn scope_is_403_and_names_what_was_refused() {
    for (model, named) in [("groq/gpt-4o", "`groq`"), ("openai/o1", "`openai/o1`"), ("openai/gpt-4", "`openai/gpt-4`")]
    {
        let answer = chat(Some("sk-narrow"), model);
        let message = openai_error(&answer, 403, "permission_error", Some("permission_denied"));
        assert!(message.contains(named), "{message}");
    }
    for model in ["openai/gpt-4o", "openai/gpt-4o-mini", "openai/o3"] {
        assert_eq!(chat(Some("sk-narrow"), model).status, 200, "{model}");
    }
    let reached = SCENE.case("keys").requests();
    assert!(reached.iter().all(|request| !request.body.windows(4).any(|part| part == b"\"o1\"")));
}

#[test]
fn a_model_of_no_provider_is_404_and_an_unconfigured_provider_503() {
    let message = openai_error(&chat(Some("sk-all"), "gpt-99"), 404, INVALID, Some("model_not_found"));
    assert!(message.contains("`gpt-99`") && message.contains("groq"), "{message}");
    openai_error(&chat(Some("sk-all"), "mistral/large"), 404, INVALID, Some("model_not_found"));
    let answer = chat(Some("sk-all"), "empty/m");
    let message = openai_error(&answer, 503, "upstream_error", Some("upstream_error"));
    assert!(message.contains("`empty`") && message.contains("NOT_SET"), "{message}");
}

#[test]
fn refusals_have_the_callers_shape() {
    let send = |method: &str, path: &str| SCENE.gateway.send(&Request::new(method, path).key("sk-all"));
    for path in ["/", "/v2/chat/completions", "/v1", "/v1/chat", "/v1/chat/x", "/favicon.ico", "/admin/v1/keys"] {
        openai_error(&send("POST", path), 404, INVALID, Some("not_found"));
    }
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = send(method, "/v1/completions");
        openai_error(&answer, 405, INVALID, Some("method_not_allowed"));
        assert_eq!(answer.headers.text("allow"), Some("POST"), "{method}");
    }
    for path in ["/v1/embeddings", "/v1/responses", "/v1/completions", "/v1/images/generations"] {
        openai_error(&send("POST", path), 400, INVALID, None);
    }
    openai_error(&send("POST", "/router/production/v1/chat/completions"), 404, INVALID, Some("not_found"));
}

#[test]
fn refusals_on_messages_paths_have_the_shape_of_anthropic() {
    let send = |method: &str, path: &str, key: &str| SCENE.gateway.send(&Request::new(method, path).key(key));
    for (answer, status, kind) in [
        (send("POST", "/v1/messages", "sk-wrong"), 401, "authentication_error"),
        (send("GET", "/v1/messages", "sk-all"), 405, INVALID),
        (send("POST", "/v1/messages", "sk-all"), 400, INVALID),
        (send("POST", "/v1/messages/count_tokens", "sk-all"), 400, INVALID),
        (send("POST", "/v1/messages/nothing", "sk-all"), 404, "not_found_error"),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text());
        let body = answer.json();
        assert_eq!((body["type"].as_str(), body["error"]["type"].as_str()), (Some("error"), Some(kind)), "{body}");
        assert!(body["error"]["message"].is_string());
    }
}

#[test]
fn what_is_not_plain_json_is_415() {
    let case = SCENE.case("types");
    let body = hello(false).to_string();
    let request = |name: &str, value: &str| {
        let request = Request::new("POST", "/v1/chat/completions").key("sk-all").header(name, value);
        case.send(&request.body(body.clone()))
    };
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-type", "multipart/form-data; boundary=x"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "application/jsonx"),
        ("content-encoding", "gzip"),
        ("content-encoding", "br"),
    ] {
        openai_error(&request(name, value), 415, INVALID, Some("unsupported_media_type"));
    }
    for (name, value) in [
        ("content-type", "application/json; charset=utf-8"),
        ("content-type", "Application/JSON"),
        ("content-encoding", "identity"),
        ("x-none", ""),
    ] {
        assert_eq!(request(name, value).status, 200, "{name}: {value}");
    }
}

#[test]
fn health_and_readiness_need_no_key() {
    for (path, status) in [("/health", "ok"), ("/ready", "ready"), ("/health?x=1", "ok")] {
        let answer = SCENE.gateway.send(&Request::get(path));
        assert_eq!((answer.status, &answer.json()["status"]), (200, &json!(status)), "{path}");
    }
    openai_error(&SCENE.gateway.send(&Request::new("POST", "/health")), 405, INVALID, Some("method_not_allowed"));
}

#[test]
fn a_gateway_without_a_configured_provider_lives_and_is_not_ready() {
    let config = json!({"providers": {"openai": {"kind": "openai", "credential": {"env": "NOT_SET_EITHER"}}}});
    let gateway = Gateway::start(config);
    assert_eq!(gateway.send(&Request::get("/health")).status, 200);
    assert_eq!(gateway.send(&Request::get("/ready")).status, 503);
    let answer = gateway.send(&Request::post("/v1/chat/completions", &hello(false)));
    let message = openai_error(&answer, 503, "upstream_error", Some("upstream_error"));
    assert!(message.contains("NOT_SET_EITHER"), "{message}");
}

#[test]
fn without_keys_the_gateway_is_open_on_loopback_only() {
    let scene = Scene::start(Options::default(), |_, _| {});
    let case = scene.case("open");
    for request in [case.chat(&hello(false)), case.chat(&hello(false)).key("anything")] {
        assert_eq!(case.send(&request).status, 200);
    }
    drop(scene);

    let mut config = json!({"providers": {"openai": {"kind": "openai", "credential": {"env": "NOT_SET"}}}});
    config["listen"] = json!({"address": "0.0.0.0:8080"});
    let ended = Setup::new(config).try_start().err().expect("it refuses to start");
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    assert!(ended.log.contains("auth"), "{}", ended.log);
}

#[test]
fn where_no_key_is_required_a_known_key_keeps_its_scope() {
    let scene = Scene::start(Options::default(), |config, _| {
        config["auth"] = json!({"required": false});
        config["keys"] = json!([
            {"id": "narrow", "sha256": hash("sk-narrow"), "models": ["gpt-4o-mini"]},
            {"id": "dead", "sha256": hash("sk-dead"), "enabled": false},
        ]);
    });
    let case = scene.case("optional");
    let status = |key: &str| case.send(&case.chat(&hello(false)).key(key)).status;
    assert_eq!((status("sk-stranger"), status("sk-narrow"), status("sk-dead")), (200, 403, 401));
    assert_eq!(case.send(&case.chat(&hello(false))).status, 200);
}
