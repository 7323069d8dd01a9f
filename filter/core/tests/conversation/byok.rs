//! Credentials that a caller brings: they go to one provider, in the place of the gateway's.

use std::rc::Rc;

use dragoman_core::{gateway::Gateway, host::Clock, live::Observer, store::Memory};

use super::stage::{Asked, NewYear, Sent, ask, ask_seen_by, gateway, post};

/// SHA-256 of `test`, and of `foo`.
const KEYS: [&str; 2] = [
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
];

fn scene() -> Rc<Gateway> {
    let [own, none] = KEYS;
    gateway(&format!(
        r#"{{"providers": {{
            "openai": {{"kind": "openai", "credential": {{"env": "OPENAI"}}}},
            "claude": {{"kind": "anthropic", "credential": {{"env": "CLAUDE"}}}},
            "groq": {{"kind": "openai", "base_url": "https://groq.test/v1", "credential": {{"env": "UNSET"}}}}}},
          "models": {{"openai/m": {{}}, "claude/n": {{}}}},
          "fallbacks": {{"m": ["claude/n"]}},
          "keys": [
            {{"id": "own", "sha256": "{own}", "byok": {{"allowed": true, "credentials":
                {{"claude": {{"env": "OF_THE_KEY"}}, "groq": {{"env": "UNSET_OF_THE_KEY"}}}}}}}},
            {{"id": "none", "sha256": "{none}"}}]}}"#
    ))
}

fn asked(key: &str, path: &str, model: &str, brought: &[&str]) -> Asked {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![("authorization", bearer.as_bytes())];
    headers.extend(brought.iter().map(|value| ("x-dragoman-provider-key", value.as_bytes())));
    let body = format!(r#"{{"model":"{model}","max_tokens":1,"messages":[{{"role":"user","content":"hi"}}]}}"#);
    ask(&scene(), post(path, &headers), &[body.as_bytes()])
}

const CHAT: &str = "/v1/chat/completions";

/// The credentials that a request went out with.
fn presented(sent: &Sent) -> Vec<String> {
    let names = ["authorization", "x-api-key", "x-dragoman-provider-key"];
    let found = sent.headers.iter().filter(|(name, _)| names.contains(&name.as_str()));
    found.map(|(_, value)| String::from_utf8(value.clone()).unwrap()).collect()
}

#[test]
fn a_key_is_known_by_the_credential_that_it_keeps_here_and_by_no_other() {
    assert_eq!(presented(&asked("test", CHAT, "claude/n", &[]).sent()), ["secret-OF_THE_KEY"]);
    assert_eq!(presented(&asked("test", "/claude/v1/messages", "n", &[]).sent()), ["secret-OF_THE_KEY"]);
    assert_eq!(presented(&asked("test", CHAT, "openai/m", &[]).sent()), ["Bearer secret-OPENAI"]);
    assert_eq!(presented(&asked("foo", CHAT, "claude/n", &[]).sent()), ["secret-CLAUDE"]);
    // One that is not set is not replaced by the gateway's.
    for path in [CHAT, "/groq/chat/completions"] {
        let reply = asked("test", path, "groq/x", &[]).refused();
        assert_eq!(reply.status, 503, "{path}: {}", String::from_utf8_lossy(&reply.body));
    }
}

#[test]
fn what_a_request_brings_goes_before_all_and_to_the_provider_of_its_model() {
    for (path, model, brought) in [
        (CHAT, "openai/m", "sk-client"),
        (CHAT, "m", "sk-client"),
        (CHAT, "openai/m", "openai=sk-client"),
        ("/openai/chat/completions", "m", "sk-client"),
        (CHAT, "groq/x", "sk-client"),
        ("/groq/chat/completions", "x", "groq=sk-client"),
    ] {
        let sent = asked("test", path, model, &[brought]).sent();
        assert_eq!(presented(&sent), ["Bearer sk-client"], "{path} {model} {brought}");
    }
    assert_eq!(presented(&asked("test", CHAT, "claude/n", &["sk-client"]).sent()), ["sk-client"]);
    assert_eq!(presented(&asked("test", CHAT, "openai/m", &["sk-a=="]).sent()), ["Bearer sk-a=="]);
}

#[test]
fn another_provider_never_gets_it() {
    assert_eq!(presented(&asked("test", CHAT, "openai/m", &["claude=sk-client"]).sent()), ["Bearer secret-OPENAI"]);
    let sent = asked("test", CHAT, "m", &["sk-client"]).sent();
    assert_eq!(presented(&sent), ["Bearer sk-client"]);
    let plan = sent.plan;
    let mut targets = Vec::new();
    while let Some((target, _)) = plan.begin(plan.made_at()) {
        let secrets: Vec<_> = target.account.headers().map(|(_, value)| value.expose().clone()).collect();
        targets.push((target.provider.name.clone(), secrets.concat()));
        if targets.len() > 3 {
            break;
        }
    }
    assert_eq!(targets.len(), 1, "{targets:?}");
    assert!(targets[0].0 == "claude" && targets[0].1.ends_with("secret-OF_THE_KEY"), "{targets:?}");
}

/// Of a provider of another place, or misspelt: it is sent to nobody, with the credential least of all.
#[test]
fn what_is_before_an_equals_sign_is_a_name_and_never_part_of_a_credential() {
    let unclear: [&[&str]; 12] = [
        &["anthropic=sk-client"],
        &["Claude=sk-client"],
        &["opena=sk-client"],
        &["=sk-client"],
        &["claude=", "openai=sk-client"],
        &["openai=="],
        &["openai=sk-client,claude=sk-client-2"],
        &["openai=sk-client,"],
        &["openai=sk-client", "openai=sk-client-2"],
        &["sk-client", "sk-client-2"],
        &["sk-client", "openai=sk-client-2"],
        &["openai=sk-client", "sk-client-2"],
    ];
    for (path, model) in [(CHAT, "openai/m"), ("/openai/chat/completions", "m")] {
        for brought in unclear {
            let reply = asked("test", path, model, brought).refused();
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(reply.status == 400 && !text.contains("client"), "{path} {brought:?}: {text}");
        }
        let both = &["openai=sk-client", "claude=sk-other"];
        assert_eq!(presented(&asked("test", path, model, both).sent()), ["Bearer sk-client"], "{path}");
        // Nobody's name; and with a name before it, anything.
        for (brought, credential) in [("sk-a==", "sk-a=="), ("openai=a=b", "a=b"), ("openai=claude=x", "claude=x")] {
            let sent = asked("test", path, model, &[brought]).sent();
            assert_eq!(presented(&sent), [format!("Bearer {credential}")], "{path} {brought}");
        }
    }
}

#[test]
fn a_provider_that_is_switched_off_where_the_request_belongs_is_no_name() {
    let [own, _] = KEYS;
    let gateway = gateway(&format!(
        r#"{{"providers": {{"openai": {{"kind": "openai", "credential": {{"env": "A"}}}},
            "groq": {{"kind": "openai", "base_url": "https://groq.test/v1", "credential": {{"env": "B"}}}}}},
          "keys": [{{"id": "own", "sha256": "{own}", "byok": {{"allowed": true}}}}],
          "environments": {{"staging": {{"providers": {{"groq": {{"enabled": false}}}}}}}}}}"#
    ));
    for path in [CHAT, "/openai/chat/completions"] {
        for (environment, status) in [("", None), ("staging", Some(400))] {
            let headers = [
                ("authorization", &b"Bearer test"[..]),
                ("x-dragoman-provider-key", b"groq=sk-client"),
                ("x-dragoman-env", environment.as_bytes()),
            ];
            let asked = ask(&gateway, post(path, &headers), &[br#"{"model":"openai/m","messages":[]}"#]);
            match status {
                Some(status) => assert_eq!(asked.refused().status, status, "{path}"),
                None => assert_eq!(presented(&asked.sent()), ["Bearer secret-A"], "{path}"),
            }
        }
    }
}

/// An account of the operator's may well be called as callers' are.
#[test]
fn what_one_callers_credential_meets_is_nobody_elses_business() {
    let [own, none] = KEYS;
    let gateway = gateway(&format!(
        r#"{{"providers": {{
            "openai": {{"kind": "openai", "accounts": [{{"name": "brought", "credential": {{"env": "A"}}}}]}},
            "groq": {{"kind": "openai", "base_url": "https://groq.test/v1", "credential": {{"env": "B"}}}}}},
          "aliases": {{"both": ["openai/m", "groq/m"]}},
          "keys": [{{"id": "own", "sha256": "{own}", "byok": {{"allowed": true, "credentials": {{"openai": {{"env": "KEPT"}}}}}}}},
            {{"id": "none", "sha256": "{none}"}}]}}"#
    ));
    let observer = Observer::new(Rc::new(Memory::default()));
    let send = |key: &str, brought: &str| {
        let bearer = format!("Bearer {key}");
        let mut headers = vec![("authorization", bearer.as_bytes())];
        headers.extend((!brought.is_empty()).then_some(("x-dragoman-provider-key", brought.as_bytes())));
        ask_seen_by(&observer, &gateway, post(CHAT, &headers), &[br#"{"model":"both","messages":[]}"#]).sent()
    };
    for brought in ["sk-exhausted", ""] {
        send("test", brought).fails_first();
    }
    for (key, brought, expected) in
        [("test", "sk-other", "Bearer sk-other"), ("test", "", "Bearer secret-KEPT"), ("foo", "", "Bearer secret-A")]
    {
        assert_eq!(presented(&send(key, brought)), [expected]);
    }
    // Nor does anybody read of it.
    let told = String::from_utf8(observer.report(NewYear.epoch_millis(), |_| true)).unwrap();
    assert_eq!(told, r#"{"object":"list","data":[]}"#);
    // But an operator's own cools for all who are asked with it, and for nobody else.
    send("foo", "").fails_first();
    assert_eq!(presented(&send("foo", "")), ["Bearer secret-B"]);
    assert_eq!(presented(&send("test", "sk-other")), ["Bearer sk-other"]);
}

#[test]
fn only_a_key_that_may_brings_one() {
    for (key, status) in [("foo", 403), ("nobody", 401)] {
        let reply = asked(key, CHAT, "openai/m", &["sk-client"]).refused();
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(reply.status == status && !text.contains("sk-client"), "{key}: {text}");
    }
}

#[test]
fn one_of_which_nobody_can_say_whose_it_is_is_refused_without_repeating_it() {
    for (model, brought) in [
        ("unknown", "sk-client"),
        ("openai/m", ""),
        ("openai/m", "openai="),
        ("openai/m", "sk client"),
        ("openai/m", "sk-\u{e4}"),
    ] {
        let reply = asked("test", CHAT, model, &[brought]).refused();
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(reply.status == 400 && !text.contains("client"), "{model} {brought}: {text}");
    }
}

#[test]
fn that_the_provider_refuses_it_is_the_callers_business() {
    let refusal = br#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#;
    for path in [CHAT, "/openai/chat/completions"] {
        let answer = |brought: &[&str]| asked("test", path, "openai/m", brought).sent().answered(401, &[], &[refusal]);
        let got = answer(&["sk-client"]);
        assert!(got.status == 401 && got.text().contains("Incorrect API key"), "{path}: {} {}", got.status, got.text());
    }
    let leak = asked("test", "/openai/chat/completions", "m", &["sk-client-1"]).sent();
    let got = leak.answered(401, &[], &[b"no such key: sk-client-1"]);
    assert!(got.status == 401 && !got.text().contains("sk-client-1"), "{}", got.text());
}
