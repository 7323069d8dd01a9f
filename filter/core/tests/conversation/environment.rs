//! Environments: which one a request is for, and what is otherwise there.

use std::rc::Rc;

use dragoman_core::gateway::Gateway;

use super::stage::{Asked, Sent, ask, gateway, post};

/// SHA-256 of `test`, `foo` and `bar`.
const KEYS: [&str; 3] = [
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9",
];

fn scene() -> Rc<Gateway> {
    let [free, bound, own] = KEYS;
    gateway(&format!(
        r#"{{"providers": {{
            "openai": {{"kind": "openai", "credential": {{"env": "OPENAI"}}}},
            "groq": {{"kind": "openai", "base_url": "https://groq.test/v1", "credential": {{"env": "GROQ"}}}}}},
          "keys": [{{"id": "free", "sha256": "{free}"}}, {{"id": "bound", "sha256": "{bound}", "environment": "prod"}}],
          "routing": {{"chain": {{"strategy": "fallback", "targets": [{{"model": "openai/top"}}]}}}},
          "routers": {{"r": {{"load_balance": {{"chat": {{"strategy": "fallback", "targets": [{{"model": "openai/top"}}]}}}}}}}},
          "environments": {{
            "prod": {{}},
            "staging": {{
                "keys": [{{"id": "own", "sha256": "{own}", "routing": "chain"}}],
                "routing": {{"chain": {{"strategy": "fallback", "targets": [{{"model": "openai/staged"}}]}}}},
                "routers": {{"r": {{"load_balance": {{"chat": {{"strategy": "fallback", "targets": [{{"model": "openai/routed"}}]}}}}}}}},
                "providers": {{"groq": {{"enabled": false}},
                    "openai": {{"base_url": "http://staging.test/v1", "credential": {{"env": "STAGING"}}}}}}}}}}}}"#
    ))
}

fn asked(key: &str, path: &str, headers: &[(&str, &str)]) -> Asked {
    let bearer = format!("Bearer {key}");
    let mut all = vec![("authorization", bearer.as_bytes())];
    all.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
    let body = br#"{"model":"openai/m","messages":[{"role":"user","content":"hi"}]}"#;
    ask(&scene(), post(path, &all), &[body])
}

const CHAT: &str = "/v1/chat/completions";
const STAGING: (&str, &str) = ("x-dragoman-env", "staging");

fn of<'s>(sent: &'s Sent, name: &str) -> &'s str {
    let found = sent.headers.iter().find(|(found, _)| found == name);
    found.map_or("", |(_, value)| std::str::from_utf8(value).unwrap())
}

#[test]
fn a_request_is_for_the_environment_that_it_names() {
    for name in ["x-dragoman-env", "x-chalk-env-id"] {
        let sent = asked("test", CHAT, &[(name, "staging")]).sent();
        assert_eq!((of(&sent, ":authority"), of(&sent, "authorization")), ("staging.test", "Bearer secret-STAGING"));
        assert_eq!(of(&sent, name), "", "it goes no further");
    }
    let sent = asked("test", CHAT, &[("x-dragoman-env", "prod")]).sent();
    assert_eq!((of(&sent, ":authority"), of(&sent, "authorization")), ("api.openai.com", "Bearer secret-OPENAI"));
    let sent = asked("test", CHAT, &[("x-dragoman-env", "")]).sent();
    assert_eq!(of(&sent, ":authority"), "api.openai.com");
}

#[test]
fn what_is_elsewhere_has_a_cluster_of_its_own() {
    let cluster = |headers: &[(&str, &str)]| {
        let sent = asked("test", CHAT, headers).sent();
        let target = sent.plan.first().expect("a target");
        target.account.cluster.clone()
    };
    assert_eq!((cluster(&[STAGING]).as_str(), cluster(&[]).as_str()), ("dragoman_openai.e1", "dragoman_openai"));
}

#[test]
fn a_key_without_the_header_is_for_the_environment_that_it_is_bound_to() {
    let sent = asked("bar", CHAT, &[]).sent();
    assert_eq!(of(&sent, ":authority"), "staging.test");
    assert_eq!(sent.plan.first().expect("a target").model, "staged");
    assert_eq!(of(&asked("foo", CHAT, &[]).sent(), ":authority"), "api.openai.com");
    assert_eq!(asked("foo", CHAT, &[("x-dragoman-env", "prod")]).sent().plan.first().expect("a target").model, "m");
}

#[test]
fn a_key_of_another_environment_is_403_and_an_unknown_environment_404() {
    for (key, header, status) in [
        ("foo", "staging", 403),
        ("bar", "prod", 403),
        ("test", "nowhere", 404),
        ("foo", "nowhere", 404),
        ("nobody", "nowhere", 404),
        ("nobody", "staging", 401),
    ] {
        let reply = asked(key, CHAT, &[("x-dragoman-env", header)]).refused();
        assert_eq!(reply.status, status, "{key} {header}: {}", String::from_utf8_lossy(&reply.body));
    }
}

#[test]
fn routers_and_providers_are_those_of_the_environment() {
    let model = |headers: &[(&str, &str)]| {
        let sent = asked("test", "/router/r/v1/chat/completions", headers).sent();
        sent.plan.first().expect("a target").model.clone()
    };
    assert_eq!((model(&[STAGING]).as_str(), model(&[]).as_str()), ("routed", "top"));
    // A provider that is switched off there has no paths there.
    assert_eq!(asked("test", "/groq/chat/completions", &[STAGING]).refused().status, 404);
    assert_eq!(of(&asked("test", "/groq/chat/completions", &[]).sent(), ":authority"), "groq.test");
}

#[test]
fn whether_it_lives_is_no_matter_of_environments() {
    let headers = post("/health", &[(":method", b"GET"), ("x-dragoman-env", b"nowhere")]);
    assert_eq!(ask(&scene(), headers, &[]).refused().status, 200);
}
