//! A route that retries where it has been once, as one that knows the cluster by a header does: a fallback's credential does not
//! go there.
#![cfg(test)]

use dragoman::simulate::{Options, Simulator};
use dragoman_tests::envoy::skips;
use dragoman_tests::http::Request;
use dragoman_tests::plain::Plain;
use dragoman_tests::scene::openai_error;
use serde_json::json;

const SETTING: &str = "refresh_cluster_on_retry: true";

#[test]
fn where_envoy_retries_at_the_first_provider_the_second_ones_credential_stays_here() {
    let test = "where_envoy_retries_at_the_first_provider_the_second_ones_credential_stays_here";
    if skips(test, "Envoy makes no retries there") {
        return;
    }
    let [first, second] = [(), ()].map(|()| Simulator::start(Options::default()).unwrap());
    let provider = |simulator: &Simulator, variable: &str| {
        let base_url = format!("http://{}/v1", simulator.addr());
        json!({"kind": "openai", "base_url": base_url, "credential": {"env": variable}})
    };
    let config = json!({
        "providers": {"first": provider(&first, "FIRST"), "second": provider(&second, "SECOND")},
        "aliases": {
            "failing": ["first/gpt-4o-sim-status-503", "second/gpt-4o"],
            "resetting": ["first/gpt-4o-sim-reset", "second/gpt-4o"],
        },
        "retry": {"attempts": 0, "cooldown": {"default": "0s", "max": "0s"}},
    });
    let without_setting = |bootstrap: String| {
        assert!(bootstrap.contains(SETTING), "the rendered route has it");
        bootstrap.replace(SETTING, "refresh_cluster_on_retry: false")
    };
    let envoy = Plain::start(config, without_setting, &[("FIRST", "sk-first"), ("SECOND", "sk-second")]);
    for (tries, model) in ["failing", "resetting"].into_iter().enumerate() {
        for stream in [false, true] {
            let chat = json!({"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": stream});
            let answer = envoy.send(&Request::post("/v1/chat/completions", &chat));
            let message = openai_error(&answer, 503, "upstream_error", Some("upstream_error"));
            assert!(message.contains("another provider"), "{model}: {message}");
        }
        let requests = first.requests();
        assert_eq!(requests.len(), 2 * (tries + 1), "{model}");
        assert!(requests.iter().all(|request| request.header("authorization") == Some("Bearer sk-first")), "{model}");
    }
    assert!(second.requests().is_empty());
}
