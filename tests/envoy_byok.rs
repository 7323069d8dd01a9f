//! Credentials that callers bring, and environments, through a real Envoy: the right one reaches the right provider.
#![cfg(test)]

use dragoman::simulate::{Options, Script, Simulator};
use dragoman_tests::http::Response;
use dragoman_tests::scene::{Scene, UPSTREAM_KEY, hello, openai_error};
use http::StatusCode;
use serde_json::json;
use std::sync::LazyLock;

const CLIENTS: &str = "sk-the-clients-own";

struct World {
    scene: Scene,
    /// Another provider, which stands in for the first.
    other: Simulator,
    /// The first, as it is in an environment.
    staging: Simulator,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let [other, staging] = [(); 2].map(|()| Simulator::start(Options::default()).expect("a free port"));
    let url = |simulator: &Simulator| format!("http://{}/v1", simulator.addr());
    let (other_url, staging_url) = (url(&other), url(&staging));
    let scene = Scene::start(Options::default(), |config, _| {
        config["providers"]["other"] =
            json!({"kind": "openai", "base_url": other_url, "credential": {"value": "sk-of-the-other"}});
        config["retry"] = json!({"attempts": 0, "cooldown": {"default": "0s"}});
        config["fallbacks"] = json!({"openai/gpt-4o": ["other/gpt-4o"]});
        config["keys"] = json!([
            {"id": "brings", "sha256": dragoman::key::hash("sk-brings"), "byok": {"allowed": true}},
            {"id": "plain", "sha256": dragoman::key::hash("sk-plain")},
            {"id": "keeps", "sha256": dragoman::key::hash("sk-keeps"),
             "byok": {"credentials": {"openai": {"value": "sk-kept-for-the-key"}}}},
        ]);
        config["environments"] = json!({"staging": {
            "keys": [{"id": "staged", "sha256": dragoman::key::hash("sk-staged")}],
            "providers": {"openai": {"base_url": staging_url, "credential": {"value": "sk-of-staging"}}},
        }});
    });
    World { scene, other, staging }
});

fn send(name: &'static str, key: &str, headers: &[(&str, &str)]) -> Response {
    let case = WORLD.scene.case(name);
    let request = case.chat(&hello(false)).key(key);
    case.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
}

/// The credentials that have reached a provider in a case.
fn presented(simulator: &Simulator, case: &str) -> Vec<String> {
    let requests = simulator.requests();
    let own = requests.iter().filter(|request| request.header("x-case") == Some(case));
    own.map(|request| {
        assert_eq!(request.header("x-dragoman-provider-key"), None);
        request.header("authorization").unwrap_or_default().to_owned()
    })
    .collect()
}

const HEADER: &str = "x-dragoman-provider-key";

#[test]
fn the_clients_own_credential_reaches_its_provider_and_no_log() {
    assert_eq!(send("brought", "sk-brings", &[(HEADER, CLIENTS)]).status, 200);
    assert_eq!(presented(&WORLD.scene.upstream, "brought"), [format!("Bearer {CLIENTS}")]);
    let gateway = &WORLD.scene.gateway;
    for text in [gateway.log(), gateway.output(), gateway.ask_envoy("/config_dump")] {
        for secret in [CLIENTS, "sk-kept-for-the-key", "sk-of-staging", "sk-of-the-other"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
    WORLD.scene.assert_sound();
}

#[test]
fn a_fallback_is_asked_with_the_gateways_own() {
    let case = WORLD.scene.case("fallback");
    case.answer(Script::whole(StatusCode::SERVICE_UNAVAILABLE, "application/json", "{}"));
    let answer = send("fallback", "sk-brings", &[(HEADER, CLIENTS)]);
    assert_eq!((answer.status, answer.headers.text("x-dragoman-provider")), (200, Some("other")), "{}", answer.text());
    assert_eq!(presented(&WORLD.scene.upstream, "fallback"), [format!("Bearer {CLIENTS}")]);
    assert_eq!(presented(&WORLD.other, "fallback"), ["Bearer sk-of-the-other"]);
}

#[test]
fn a_key_may_keep_one_or_bring_none() {
    assert_eq!(send("kept", "sk-keeps", &[]).status, 200);
    assert_eq!(presented(&WORLD.scene.upstream, "kept"), ["Bearer sk-kept-for-the-key"]);
    assert_eq!(send("plain", "sk-plain", &[]).status, 200);
    assert_eq!(presented(&WORLD.scene.upstream, "plain"), [format!("Bearer {UPSTREAM_KEY}")]);
    for key in ["sk-plain", "sk-keeps"] {
        let answer = send("refused", key, &[(HEADER, CLIENTS)]);
        openai_error(&answer, 403, "permission_error", Some("permission_denied"));
    }
    assert!(presented(&WORLD.scene.upstream, "refused").is_empty());
}

#[test]
fn a_refusal_of_the_clients_own_credential_is_passed_on() {
    let refusal = r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;
    for (name, headers, status) in [("own-refused", &[(HEADER, CLIENTS)][..], 401), ("gateways-refused", &[], 200)] {
        let case = WORLD.scene.case(name);
        case.answer(Script::whole(StatusCode::UNAUTHORIZED, "application/json", refusal));
        let answer = send(name, "sk-brings", headers);
        // The gateway's is the operator's business, and another target is asked.
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    assert!(presented(&WORLD.other, "own-refused").is_empty());
}

#[test]
fn an_environment_has_its_own_provider_and_keys() {
    for (name, key, headers) in [
        ("named", "sk-plain", &[("x-dragoman-env", "staging")][..]),
        ("chalk", "sk-plain", &[("x-chalk-env-id", "staging")]),
        ("bound", "sk-staged", &[]),
    ] {
        assert_eq!(send(name, key, headers).status, 200, "{name}");
        assert_eq!(presented(&WORLD.staging, name), ["Bearer sk-of-staging"], "{name}");
        assert!(presented(&WORLD.scene.upstream, name).is_empty(), "{name}");
    }
    assert_eq!(send("unknown", "sk-plain", &[("x-dragoman-env", "nowhere")]).status, 404);
    WORLD.scene.assert_sound();
}
