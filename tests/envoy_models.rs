//! Which models a client is told of, and what their names mean, through a real Envoy.
#![cfg(test)]

use dragoman::simulate::Options;
use dragoman_tests::http::{Request, Response};
use dragoman_tests::scene::{Scene, hello, openai_error};
use serde_json::{Value, json};
use std::sync::LazyLock;

const INVALID: &str = "invalid_request_error";

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options::default(), |config, base_url| {
        let root = base_url.strip_suffix("/v1").expect("a base URL of OpenAI's dialect");
        config["providers"]["claude"] =
            json!({"kind": "anthropic", "base_url": root, "credential": {"value": "sk-other"}});
        config["providers"]["own"] = json!({"kind": "openai", "base_url": base_url});
        config["providers"]["empty"] =
            json!({"kind": "openai", "base_url": base_url, "credential": {"env": "NOT_SET"}});
        config["models"] = json!({
            "openai/o3": {"enabled": false},
            "openai/house": {"id": "gpt-4o-house", "released": "2030-01-01"},
            "own/meta/llama:8b": {},
            "empty/m": {},
        });
        config["aliases"] = json!({"fast": "openai/gpt-4o-mini", "smart": ["empty/m", "claude/claude-sonnet-4-5"]});
        config["model_mapping"] = json!({"gpt-4": {"claude": "claude-sonnet-4-5"}});
        config["auto"] = json!({"default_model": "fast"});
        config["keys"] = json!([
            {"id": "all", "sha256": dragoman::key::hash("sk-all")},
            {"id": "narrow", "sha256": dragoman::key::hash("sk-narrow"), "models": ["gpt-4o-mini", "claude/*"]},
        ]);
    })
});

fn get(key: &str, path: &str) -> Response {
    SCENE.gateway.send(&Request::get(path).key(key))
}

fn ids(response: &Response) -> Vec<String> {
    assert_eq!(response.status, 200, "{}", response.text());
    let list = response.json();
    let models = list["data"].as_array().expect("a list of models");
    models.iter().map(|model| model["id"].as_str().expect("an id").to_owned()).collect()
}

fn ask(key: &str, model: Option<&str>) -> Response {
    let mut body = hello(false);
    match model {
        Some(model) => body["model"] = json!(model),
        None => drop(body.as_object_mut().expect("an object").remove("model")),
    }
    SCENE.case("models").send(&SCENE.case("models").chat(&body).key(key))
}

#[test]
fn the_list_is_the_same_at_each_of_its_paths_and_never_asks_a_provider() {
    let list = ids(&get("sk-all", "/v1/models"));
    assert_eq!(list.first().map(String::as_str), Some("openai/house"));
    assert_eq!(&list[list.len() - 3..], ["fast", "smart", "auto"]);
    for absent in ["openai/o3", "empty/m"] {
        assert!(!list.iter().any(|id| id == absent), "{absent}");
    }
    for path in ["/models", "/v1/router/models", "/v1/models/", "/v1/models?any=1"] {
        assert_eq!(ids(&get("sk-all", path)), list, "{path}");
    }
    assert!(SCENE.upstream.requests().iter().all(|request| !request.path().contains("models")));
}

#[test]
fn everything_that_is_listed_can_be_retrieved_and_asked_for() {
    for key in ["sk-all", "sk-narrow"] {
        for id in ids(&get(key, "/v1/models")) {
            for path in [format!("/v1/models/{id}"), format!("/v1/models/{}", id.replace('/', "%2F"))] {
                let model = get(key, &path);
                assert_eq!((model.status, &model.json()["id"]), (200, &json!(id)), "{path}: {}", model.text());
            }
            if !id.contains("embedding") {
                let answer = ask(key, Some(&id));
                assert_eq!(answer.status, 200, "{id}: {}", answer.text());
            }
        }
    }
}

#[test]
fn a_key_is_told_of_what_it_may_use_and_of_nothing_else() {
    let list = ids(&get("sk-narrow", "/v1/models"));
    let of_scope = |id: &String| id.starts_with("claude/") || id == "openai/gpt-4o-mini";
    assert!(list.iter().all(|id| of_scope(id) || ["fast", "smart", "auto"].contains(&id.as_str())), "{list:?}");
    for id in ["openai/gpt-4o", "openai%2Fgpt-4o", "gpt-4o", "openai/o3", "nothing", "empty/m", "%ff", "a%2", "%2F%2F"]
    {
        let answer = get("sk-narrow", &format!("/v1/models/{id}"));
        openai_error(&answer, 404, INVALID, Some("model_not_found"));
    }
    assert_eq!(get("sk-none", "/v1/models").status, 401);
}

#[test]
fn the_list_is_narrowed_by_its_query() {
    let list = ids(&get("sk-all", "/v1/models?provider=claude,own&q=LLAMA"));
    assert_eq!(list, ["own/meta/llama:8b"]);
    let snapshots = ids(&get("sk-all", "/v1/models?provider=claude&group_snapshots=true"));
    assert!(!snapshots.iter().any(|id| id.contains("2025")), "{snapshots:?}");
}

#[test]
fn a_model_is_only_read() {
    let mut connection = SCENE.case("head").connect();
    connection.send(&Request::new("HEAD", "/v1/models").key("sk-all").bytes());
    assert_eq!(connection.head().expect("an answer").0, 200);
    // No body stands between it and the next answer.
    connection.send(&Request::get("/v1/models/openai/gpt-4o").key("sk-all").bytes());
    assert_eq!(connection.response().expect("an answer").json()["id"], json!("openai/gpt-4o"));
    for path in ["/v1/models", "/v1/models/openai/gpt-4o"] {
        for method in ["POST", "DELETE", "PUT"] {
            let answer = SCENE.gateway.send(&Request::new(method, path).key("sk-all"));
            openai_error(&answer, 405, INVALID, Some("method_not_allowed"));
            assert_eq!(answer.headers.text("allow"), Some("GET, HEAD"));
        }
    }
}

#[test]
fn a_slash_is_hidden_in_the_name_of_a_model_and_nowhere_else() {
    for path in [
        "/v1/models%2Fopenai%2Fgpt-4o",
        "/v1%2fmodels",
        "/v1/chat%2Fcompletions",
        "/openai/v1%2F..%2Fadmin",
        "/v1/files/..%2F..%2Fadmin",
        "/v1/files/a%5cb",
    ] {
        let answer = get("sk-all", path);
        openai_error(&answer, 404, INVALID, Some("not_found"));
    }
    for path in
        ["/v1/models/..%2F..%2Fhealth", "/v1/models/openai%2F..%2F..%2F..%2Fhealth", "/v1/models/openai%252Fgpt-4o"]
    {
        let answer = get("sk-all", path);
        openai_error(&answer, 404, INVALID, Some("model_not_found"));
    }
}

#[test]
fn a_name_leads_to_its_provider_under_the_name_it_has_there() {
    for (name, served) in [
        (Some("openai/house"), "openai/gpt-4o-house"),
        (Some("house"), "openai/gpt-4o-house"),
        (Some("gpt-4o"), "openai/gpt-4o"),
        (Some("claude-sonnet-4-5"), "claude/claude-sonnet-4-5"),
        (Some("gpt-4"), "claude/claude-sonnet-4-5"),
        (Some("meta/llama:8b"), "own/meta/llama:8b"),
        (Some("own/any/other"), "own/any/other"),
        (Some("smart"), "claude/claude-sonnet-4-5"),
        (Some("auto"), "openai/gpt-4o-mini"),
        (None, "openai/gpt-4o-mini"),
    ] {
        let answer = ask("sk-all", name);
        assert_eq!(answer.status, 200, "{name:?}: {}", answer.text());
        let header = |name| answer.headers.text(name).unwrap_or_default().to_owned();
        assert_eq!(format!("{}/{}", header("x-dragoman-provider"), header("x-dragoman-model")), served);
    }
    for name in ["gpt-99", "openai/o3", "o3"] {
        openai_error(&ask("sk-all", Some(name)), 404, INVALID, Some("model_not_found"));
    }
    assert_eq!(ask("sk-narrow", Some("openai/gpt-4o")).status, 403);
}

#[test]
fn anthropic_is_told_the_most_tokens_of_a_model_where_the_client_says_none() {
    let case = SCENE.case("max_tokens");
    let mut body = hello(false);
    body["model"] = json!("claude/claude-haiku-4-5");
    assert_eq!(case.send(&case.chat(&body).key("sk-all")).status, 200);
    let sent: Value = serde_json::from_slice(&case.requests().remove(0).body).expect("JSON");
    assert_eq!(sent["max_tokens"], json!(64_000));
}
