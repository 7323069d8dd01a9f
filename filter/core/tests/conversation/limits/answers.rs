//! What answers tell of limits.

use serde_json::{Value, json};

use super::{JSON, chat, desk, header, limited, whole};

const TOLD: &[(&str, &str)] = &[
    (":status", "200"),
    ("content-type", "application/json"),
    ("x-ratelimit-limit-requests", "5000"),
    ("x-ratelimit-remaining-requests", "4999"),
    ("x-ratelimit-remaining-tokens", "77"),
];
const ANSWER: &[u8] = br#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
const UPSTREAM: &str = "x-dragoman-upstream-ratelimit-remaining-requests";

#[test]
fn a_providers_limits_are_told_where_the_caller_has_none() {
    let desk = limited(&json!({"of": "tokens", "per": "hour", "max": 1000, "scope": "team"}));
    let answer = desk.send("sk-c", &chat(400, 10)).answered(200, TOLD, &[ANSWER]);
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("5000"));
    assert_eq!(answer.header(UPSTREAM), None);
}

#[test]
fn a_providers_limits_are_told_apart_from_the_callers() {
    let desk = limited(&json!({"of": "tokens", "per": "hour", "max": 1000}));
    for path in [super::CHAT, "/openai/chat/completions"] {
        let answer = desk.ask_at(path, "sk-a", &chat(400, 10)).sent().answered(200, TOLD, &[ANSWER]);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), None);
        assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("1000"));
        assert_eq!(answer.header(UPSTREAM), Some("4999"));
        assert_eq!(answer.header("x-dragoman-upstream-ratelimit-remaining-tokens"), Some("77"));
    }
    let told = [
        ("content-type", "application/json"),
        ("anthropic-ratelimit-requests-limit", "9"),
        ("anthropic-ratelimit-requests-remaining", "8"),
    ];
    let answer = br#"{"type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}"#;
    let asked = chat(400, 10).replace("openai/m", "claude/c");
    let translated = desk.send("sk-a", &asked).answered(200, &told, &[answer]);
    // In the words of its format neither.
    let passed = desk.ask_at("/v1/messages", "sk-a", &asked).sent().answered(200, &told, &[answer]);
    for answer in [translated, passed] {
        assert_eq!((answer.status, answer.header(UPSTREAM)), (200, Some("8")));
        assert_eq!(answer.header("x-ratelimit-limit-requests"), None);
        assert_eq!(answer.header("anthropic-ratelimit-requests-limit"), None);
        assert_eq!(answer.header("anthropic-ratelimit-requests-remaining"), None);
    }
}

#[test]
fn whoever_has_any_limit_of_its_own_is_not_told_the_providers_for_it() {
    let limit = |of: &str| json!({"name": "fair", "of": of, "max": 1000, "per": "day"});
    let slots = json!({"name": "fair", "of": "concurrency", "max": 10});
    let service = json!({"ratelimit_service": {"cluster": "c", "domain": "d"}});
    for file in [
        json!({"limits": [limit("spend")]}),
        json!({"limits": [slots]}),
        json!({"limits": [limit("tokens")], "limits_backend": service}),
    ] {
        let answer = desk(&file).send("sk-a", &chat(400, 10)).answered(200, TOLD, &[ANSWER]);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), None, "{file}");
        assert_eq!(answer.header(UPSTREAM), Some("4999"), "{file}");
    }
    let mut team = limit("tokens");
    team["scope"] = json!("team");
    let desk = desk(&json!({"limits": [team], "limits_backend": service}));
    let answer = desk.send("sk-a", &chat(400, 10)).answered(200, TOLD, &[ANSWER]);
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("5000"));
}

#[test]
fn failures_tell_the_limits_too() {
    let desk = limited(&json!({"of": "requests", "per": "minute", "max": 5}));
    for (status, kind) in [(400, "application/json"), (500, "application/json"), (200, "text/html")] {
        let sent = desk.send("sk-a", &chat(400, 10));
        let answer = sent.answered(status, &[("content-type", kind)], &[b"{}"]);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("5"), "{status}");
    }
    // Nor is what is refused before anybody is asked an exception.
    for body in ["{", r#"{"model":"nobody-has-this"}"#] {
        let reply = desk.refuse("sk-a", body);
        assert!(matches!(reply.status, 400 | 404), "{}", reply.status);
        assert_eq!(header(&reply, "x-ratelimit-remaining-requests"), Some("5"), "{body}");
    }
    // Or before its body is read.
    for path in ["/v1/nothing", "/v1/models/nobody-has-this", "/router/none/chat/completions", "/v1/responses"] {
        let reply = desk.ask_at(path, "sk-a", "{}").refused();
        assert!(reply.status >= 400, "{path}");
        assert_eq!(header(&reply, "x-ratelimit-remaining-requests"), Some("5"), "{path}: {}", reply.status);
    }
    // Not to who is nobody, and not where nothing is wrong.
    assert_eq!(header(&desk.refuse("sk-unknown", "{}"), "x-ratelimit-limit-requests"), None);
    let get: &[(&str, &[u8])] = &[(":method", b"GET")];
    for path in ["/health", "/v1/models"] {
        let reply = desk.ask_with(path, "sk-a", "", get).refused();
        assert_eq!((reply.status, header(&reply, "x-ratelimit-limit-requests")), (200, None), "{path}");
    }
    let sent = desk.send("sk-a", &chat(400, 10));
    let _ = sent.plan.late(sent.plan.until());
    assert_eq!(header(&sent.plan.verdict(), "x-ratelimit-limit-requests"), Some("5"));
}

#[test]
fn what_is_out_of_scope_tells_the_limits_too() {
    let key = json!({"id": "a", "sha256": "a4a6d307ad00fa67176e1099fdbc4f4a09bb527a7f24718a5030f2f173d11f7f", "providers": ["openai"], "models": ["openai/m"]});
    let limits = json!([{"name": "fair", "of": "requests", "per": "minute", "max": 5}]);
    let desk = desk(&json!({"keys": [key], "limits": limits}));
    for (path, model) in [
        (super::CHAT, "openai/n"),
        (super::CHAT, "claude/c"),
        ("/openai/chat/completions", "n"),
        ("/claude/v1/messages", "c"),
    ] {
        let reply = desk.ask_at(path, "sk-a", &format!(r#"{{"model":"{model}","messages":[]}}"#)).refused();
        assert_eq!(reply.status, 403, "{path} {model}");
        assert_eq!(header(&reply, "x-ratelimit-remaining-requests"), Some("5"), "{path} {model}");
    }
}

#[test]
fn a_budget_that_is_nearly_spent_is_told() {
    let money: Value = json!({"ml": {"budgets": {"daily_usd": "0.01"}}});
    let desk = desk(&json!({"teams": money, "soft_threshold": 0.5}));
    let warning = |answer: &crate::stage::Answer| answer.header("x-dragoman-budget-warning").map(str::to_owned);
    let answer = whole(desk.send("sk-a", &chat(400, 100)), 1_000, 400);
    assert_eq!(warning(&answer), None);
    // 0.005 USD are spent, and 0.0011 are reserved.
    let answer = whole(desk.send("sk-b", &chat(400, 100)), 0, 0);
    assert_eq!(warning(&answer).as_deref(), Some("team budget daily_usd"));
    assert_eq!(answer.header("x-dragoman-budget-used"), Some("61%"));
    assert_eq!(answer.header("x-dragoman-budget-reset"), Some("24h0m0s"));
    // Who is of no team is told nothing.
    assert_eq!(warning(&whole(desk.send("sk-c", &chat(400, 100)), 0, 0)), None);
}

#[test]
fn a_limit_in_shadow_counts_and_lets_everybody_in() {
    let desk = limited(&json!({"of": "requests", "per": "hour", "max": 1, "shadow": true}));
    let first = desk.send("sk-a", &chat(400, 10));
    assert_eq!(first.plan.exceeded(), None);
    let answer = first.answered(200, JSON, &[ANSWER]);
    assert_eq!(answer.header("x-ratelimit-limit-requests"), None);
    let second = desk.send("sk-a", &chat(400, 10));
    assert_eq!(second.plan.exceeded().as_deref(), Some("`fair`"));
}

#[test]
fn a_refusal_tells_of_a_teams_budget_that_is_used_up() {
    let desk = desk(&json!({"teams": {"ml": {"budgets": {"daily_tokens": 1000}}}}));
    let _ = whole(desk.send("sk-b", &chat(400, 100)), 500, 500);
    let reply = desk.refuse("sk-a", &chat(400, 100));
    assert_eq!(header(&reply, "x-dragoman-budget-warning"), Some("team budget daily_tokens"));
    assert_eq!(header(&reply, "x-dragoman-budget-used"), Some("100%"));
    assert_eq!(header(&reply, "x-ratelimit-limit-tokens"), Some("1000"));
}
