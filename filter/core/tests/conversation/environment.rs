//! Environments: which one a request is for, and what is otherwise there.

use std::rc::Rc;

use dragoman_core::{gateway::Gateway, live::Observer, store::Memory};

use super::stage::{Asked, Sent, ask, ask_seen_by, gateway, post};

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
    assert_eq!(&*sent.plan.first().expect("a target").model, "staged");
    assert_eq!(of(&asked("foo", CHAT, &[]).sent(), ":authority"), "api.openai.com");
    assert_eq!(&*asked("foo", CHAT, &[("x-dragoman-env", "prod")]).sent().plan.first().expect("a target").model, "m");
}

#[test]
fn a_key_of_another_environment_is_403_and_an_unknown_environment_404_but_no_stranger_learns_of_one() {
    for (key, header, status) in [
        ("foo", "staging", 403),
        ("bar", "prod", 403),
        ("test", "nowhere", 404),
        ("foo", "nowhere", 404),
        ("nobody", "nowhere", 401),
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
    assert_eq!((&*model(&[STAGING]), &*model(&[])), ("routed", "top"));
    // A provider that is switched off there has no paths there.
    assert_eq!(asked("test", "/groq/chat/completions", &[STAGING]).refused().status, 404);
    assert_eq!(of(&asked("test", "/groq/chat/completions", &[]).sent(), ":authority"), "groq.test");
}

#[test]
fn a_name_that_is_no_text_is_no_environments() {
    let gateway = gateway(
        r#"{"providers": {"openai": {"kind": "openai", "credential": {"env": "A"}}}, "environments": {"?": {}}}"#,
    );
    let ask_for = |name: &[u8]| {
        ask(&gateway, post(CHAT, &[("x-dragoman-env", name)]), &[br#"{"model":"openai/m","messages":[]}"#])
    };
    assert_eq!(ask_for(b"\xff").refused().status, 404);
    assert_eq!(of(&ask_for(b"?").sent(), ":authority"), "api.openai.com");
}

#[test]
fn what_a_key_keeps_is_used_where_the_provider_is_in_the_environment() {
    let [free, ..] = KEYS;
    let gateway = gateway(&format!(
        r#"{{"providers": {{"openai": {{"kind": "openai", "credential": {{"env": "OPENAI"}}}}}},
          "keys": [{{"id": "free", "sha256": "{free}", "byok": {{"credentials": {{"openai": {{"env": "KEPT"}}}}}}}}],
          "environments": {{"staging": {{"providers": {{"openai": {{"base_url": "http://staging.test/v1", "credential": {{"env": "B"}}}}}}}}}}}}"#
    ));
    for (environment, authority) in [("staging", "staging.test"), ("", "api.openai.com")] {
        let headers = [("authorization", &b"Bearer test"[..]), ("x-dragoman-env", environment.as_bytes())];
        let sent = ask(&gateway, post(CHAT, &headers), &[br#"{"model":"openai/m","messages":[]}"#]).sent();
        assert_eq!((of(&sent, ":authority"), of(&sent, "authorization")), (authority, "Bearer secret-KEPT"));
    }
}

/// The same provider's name, another place and credential: what fails there is no news of the other.
#[test]
fn a_provider_that_is_another_one_in_an_environment_cools_by_itself() {
    let gateway = gateway(
        r#"{"providers": {"a": {"kind": "openai", "credential": {"env": "A"}}, "b": {"kind": "openai", "credential": {"env": "B"}}},
          "aliases": {"both": ["a/m", "b/m"]},
          "environments": {"same": {}, "staging": {"providers": {"a": {"credential": {"env": "C"}}}}}}"#,
    );
    let first = |observer: &Rc<Observer>, environment: &str| {
        let headers = post(CHAT, &[("x-dragoman-env", environment.as_bytes())]);
        ask_seen_by(observer, &gateway, headers, &[br#"{"model":"both","messages":[]}"#]).sent()
    };
    let asked = |sent: Sent| sent.plan.first().expect("a target").provider.name.clone();
    for (failing, expected) in [("staging", ["a", "a", "b"]), ("", ["b", "b", "a"])] {
        let observer = Observer::new(Rc::new(Memory::default()));
        first(&observer, failing).fails_first();
        let found = ["", "same", "staging"].map(|environment| asked(first(&observer, environment)));
        assert_eq!(found, expected, "{failing}");
        // Each is told of what it asks, and of nothing that it does not.
        for (environment, is_told) in [("", failing.is_empty()), ("staging", !failing.is_empty())] {
            let method: (&str, &[u8]) = (":method", b"GET");
            let headers = post("/v1/router/live-metrics", &[method, ("x-dragoman-env", environment.as_bytes())]);
            let told = ask_seen_by(&observer, &gateway, headers, &[]).refused();
            let told = String::from_utf8(told.body).unwrap();
            assert_eq!(told.contains("rate_limited"), is_told, "{failing} {environment}: {told}");
        }
    }
}

#[test]
fn whether_it_lives_is_no_matter_of_environments() {
    let headers = post("/health", &[(":method", b"GET"), ("x-dragoman-env", b"nowhere")]);
    assert_eq!(ask(&scene(), headers, &[]).refused().status, 200);
}
