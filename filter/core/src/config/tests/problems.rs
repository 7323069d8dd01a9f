//! What is refused, and that every problem is told with its place.

use super::*;

#[test]
fn ten_mistakes_are_ten_problems_each_with_its_place() {
    let json = r#"{
        "version": 2,
        "listen": {"address": "localhost:8080", "concurency": 2},
        "providers": {
            "openai": {"kind": "bard", "base_url": "ftp://x", "timeouts": {"idle": "60"}},
            "models": {"kind": "openai"}
        },
        "keys": [
            {"id": "a", "sha256": "sk-secret", "providers": ["opnai"], "expires": "tomorrow"},
            {"id": "a", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
        ],
        "max_body": "32MB"
    }"#;
    assert_eq!(
        pointers(json),
        [
            "/version",
            "/listen/address",
            "/listen/concurency",
            "/providers/models",
            "/providers/openai/kind",
            "/providers/openai/base_url",
            "/providers/openai/timeouts/idle",
            "/keys/0/sha256",
            "/keys/0/expires",
            "/max_body",
            "/keys/1/id",
            "/keys/0/providers/0",
        ]
    );
}

#[test]
fn mistakes_in_ten_sections_are_ten_problems() {
    let json = with(
        r#""teams": {"ml": {"budget": {}}},
        "limits": [{"name": "a", "of": "token", "per": "minute", "max": "many"}],
        "retry": {"attempts": -1},
        "routing": {"r": {"strategy": "splitt", "targets": ["gpt-*"]}},
        "routers": {"r": {"load_balance": {"chats": {}}}},
        "auto": {"task_routes": {"coding": {"hihg": ["m"]}}},
        "policy": {"alpha": 1.5},
        "log": {"content": "all"},
        "models": {"gpt-4o": {}}"#,
    );
    assert_eq!(
        pointers(&json),
        [
            "/models/gpt-4o",
            "/teams/ml/budget",
            "/limits/0/of",
            "/limits/0/max",
            "/retry/attempts",
            "/routing/r/strategy",
            "/routing/r/targets/0",
            "/routers/r/load_balance/chats",
            "/auto/task_routes/coding/hihg",
            "/policy/alpha",
            "/log/content",
        ]
    );
}

#[test]
fn only_money_can_be_parted() {
    let json = with(
        r#""teams": {"ml": {"budgets": {"daily_tokens": 1.5, "hourly": {"total": {"max": 0.5}, "input": 7},
            "daily_usd": 0.5, "monthly_usd": {"max": "1.5", "enabled": false}}}},
        "limits": [{"name": "a", "of": "tokens", "per": "day", "max": 1.5}, {"name": "b", "of": "spend", "per": "day", "max": 1.5}]"#,
    );
    assert_eq!(
        pointers(&json),
        ["/teams/ml/budgets/daily_tokens", "/teams/ml/budgets/hourly/total/max", "/limits/0/max"]
    );
}

#[test]
fn what_was_refused_is_not_compared_with_anything() {
    for (json, expected) in [
        (
            with(r#""keys": [{"id": 1, "sha256": "x"}, {"id": 2, "sha256": "y"}]"#),
            vec!["/keys/0/id", "/keys/0/sha256", "/keys/1/id", "/keys/1/sha256"],
        ),
        (key(r#""providers": [1]"#), vec!["/keys/0/providers/0"]),
        (with(r#""listen": {"address": "x", "admin": "127.0.0.1:8080"}"#), vec!["/listen/address"]),
        (with(r#""listen": {"address": "0.0.0.0:1"}, "keys": 1"#), vec!["/keys"]),
        (provider(r#""enabled": "no""#), vec!["/providers/openai/enabled"]),
        (
            provider(r#""accounts": [{}, {}]"#),
            vec!["/providers/openai/accounts/0/name", "/providers/openai/accounts/1/name"],
        ),
    ] {
        assert_eq!(pointers(&json), expected);
    }
}

#[test]
fn an_unknown_field_comes_with_what_was_meant() {
    assert_eq!(
        problem(&provider(r#""base-ulr": "http://h""#)),
        "/providers/openai/base-ulr: unknown field; did you mean `base_url`?"
    );
    assert_eq!(problem(&with(r#""tls": {"zzz": 1}"#)), "/tls/zzz: unknown field; known here: ca_file");
}

#[test]
fn a_repeated_field_is_a_problem_in_either_spelling() {
    assert_eq!(pointers(&with(r#""max_body": 1, "max-body": 2"#)), ["/max-body"]);
    assert_eq!(pointers(r#"{"providers": {"a": {"kind": "openai"}, "a": {"kind": "openai"}}}"#), ["/providers/a"]);
    assert_eq!(pointers(&provider(r#""headers": {"X-A": "1", "x-a": "2"}"#)), ["/providers/openai/headers/x-a"]);
}

#[test]
fn no_problem_repeats_a_secret() {
    let secret = "sk-do-not-print";
    for json in [
        provider(&format!(r#""credential": "{secret}""#)),
        provider(&format!(r#""credential": {{"env": "{secret}"}}"#)),
        provider(&format!(r#""credential": {{"value": "{secret} "}}"#)),
        provider(&format!(r#""headers": {{"authorization": "{secret}\n"}}"#)),
        provider(&format!(r#""base_url": "https://user:{secret}@h""#)),
        key(&format!(r#""id": "b", "sha256": "{secret}""#)),
        with(&format!(r#""keys": [{{"id": "a", "sha256": "{secret}"}}]"#)),
    ] {
        let problems = parse(&json).unwrap_err();
        assert!(!format!("{problems:?}").contains(secret), "{problems:?}");
    }
}

#[test]
fn credentials_contradict_themselves_in_no_way() {
    for (fields, pointer) in [
        (r#""credential": {"env": "A"}, "auth": "none""#, "/auth"),
        (r#""credential": {"env": "A", "value": "b"}"#, "/credential"),
        (r#""credential": {}"#, "/credential"),
        (r#""auth": "api_key", "accounts": [{"name": "a"}]"#, "/auth"),
        (r#""credential": {"env": "A"}, "accounts": [{"name": "default"}]"#, "/accounts/0/name"),
        (r#""accounts": [{"name": "a"}, {"name": "b"}, {"name": "a"}]"#, "/accounts/2/name"),
        (r#""accounts": [{"name": "a", "auth": "none", "credential": {"value": "b"}}]"#, "/accounts/0/auth"),
        (r#""accounts": [{"name": "a", "auth": "oauht"}]"#, "/accounts/0/auth"),
        (r#""accounts": [{"name": "a"}, {"name": "b", "cluster": "c"}]"#, "/accounts/1/cluster"),
    ] {
        assert_eq!(pointers(&provider(fields)), [format!("/providers/openai{pointer}")], "{fields}");
    }
}

#[test]
fn a_kind_that_is_not_known_comes_with_those_that_are() {
    let others = crate::provider::OTHERS.iter().map(|(kind, _)| [", ", kind].concat());
    let kinds = others.fold(crate::provider::FIRST.0.to_owned(), |kinds, other| kinds + &other);
    let json = r#"{"providers": {"a": {"kind": "nobody"}}}"#;
    assert_eq!(problem(json), format!("/providers/a/kind: expected one of {kinds}, found `nobody`"));
}

#[test]
fn keys_are_told_apart() {
    let hash = "ab".repeat(32);
    let json = with(&format!(r#""keys": [{{"id": "a", "sha256": "{hash}"}}, {{"id": "b", "sha256": "{hash}"}}]"#));
    assert_eq!(problem(&json), "/keys/1/sha256: is also that of /keys/0");
}

#[test]
fn a_key_names_providers_that_exist() {
    assert_eq!(
        problem(&key(r#""providers": ["openai", "opnai"]"#)),
        "/keys/0/providers/1: there is no such provider; did you mean `openai`?"
    );
}

#[test]
fn a_key_is_accepted_at_some_time() {
    let json = key(r#""not_before": "2026-01-01T00:00:00Z", "expires": "2026-01-01T00:00:00Z""#);
    assert_eq!(pointers(&json), ["/keys/0/expires"]);
}

#[test]
fn listeners_do_not_share_an_address() {
    for (listen, pointer) in [
        (r#""address": "127.0.0.1:1", "admin": "127.0.0.1:1""#, "/listen/admin"),
        (r#""admin": "0.0.0.0:8080""#, "/listen/admin"),
        (r#""envoy_admin": "127.0.0.1:9902""#, "/listen/envoy_admin"),
    ] {
        assert_eq!(pointers(&with(&format!(r#""listen": {{{listen}}}"#))), [pointer]);
    }
    assert!(parse(&with(r#""listen": {"address": "127.0.0.1:1", "admin": "127.0.0.2:1"}"#)).is_ok());
}

#[test]
fn a_gateway_without_keys_is_open_on_loopback_or_by_decision() {
    let open = r#""listen": {"address": "0.0.0.0:8080"}"#;
    assert_eq!(pointers(&with(open)), ["/listen/address"]);
    assert!(parse(&with(&format!(r#"{open}, "auth": {{"required": false}}"#))).is_ok());
    assert!(parse(&key(r#""name": "a""#).replacen('{', &format!("{{{open}, "), 1)).is_ok());
    assert!(parse(&with(r#""listen": {"address": "[::1]:8080"}"#)).is_ok());
}

#[test]
fn some_provider_is_enabled() {
    assert_eq!(problem(&provider(r#""enabled": false"#)), "/providers: no provider is enabled");
    assert_eq!(problem(r#"{"providers": {}}"#), "/providers: no provider is enabled");
    assert_eq!(problem("{}"), "/providers: is required");
}

#[test]
fn a_status_that_is_no_failure_is_not_retried() {
    assert_eq!(
        pointers(&with(r#""retry": {"statuses": [500, 200, "503", 600]}"#)),
        ["/retry/statuses/1", "/retry/statuses/3"]
    );
}

#[test]
fn what_is_not_json_says_where() {
    assert!(problem("{\n  \"providers\": }").contains("line 2 column 16"));
    for json in ["", "{}{}", "\u{feff}{}", "[", "{\"a\":1,}"] {
        assert_eq!(pointers(json), [""], "{json}");
    }
    assert_eq!(pointers("[]"), [""]);
}

#[test]
fn depth_is_no_danger() {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let objects = format!("{}1{}", r#"{"tls":"#.repeat(20_000), "}".repeat(20_000));
    for json in [deep.clone(), with(&format!(r#""keys": {deep}"#)), with(&format!(r#""x": {objects}"#)), objects] {
        assert!(parse(&json).is_err());
    }
}

#[test]
fn more_than_are_counted_at_once_is_no_limit() {
    let limit = |of: &str, max: u64| {
        parse(&format!(r#"{{"limits": [{{"name": "l", {of}, "max": {max}}}]}}"#)).map_or_else(
            |problems| problems.iter().any(|problem| problem.to_string().starts_with("/limits/0/max")),
            |_| false,
        )
    };
    assert!(limit(r#""of": "concurrency""#, 4_097));
    assert!(!limit(r#""of": "concurrency""#, 4_096));
    assert!(!limit(r#""of": "requests", "per": "hour""#, 4_097));
}

#[test]
fn answers_are_kept_where_there_is_a_credential_to_seal_their_ids_with() {
    let file = |responses: &str, more: &str| {
        format!(
            r#"{{"providers":{{"p":{{"kind":"openai","base_url":"http://127.0.0.1:1/v1","responses":{responses}{more}}}}}}}"#
        )
    };
    let credential = r#","credential":{"env":"KEY"}"#;
    for (responses, more, problems) in [
        (r#""stateful""#, "", &["/providers/p/responses"][..]),
        (r#""stateful""#, credential, &[]),
        (r#""stateless""#, "", &[]),
        (r#""none""#, "", &[]),
        ("true", "", &[]),
        ("false", "", &[]),
        (r#""off""#, "", &["/providers/p/responses"]),
        ("1", "", &["/providers/p/responses"]),
    ] {
        let file = file(responses, more);
        let found = if parse(&file).is_ok() { Vec::new() } else { pointers(&file) };
        assert_eq!(found, problems, "{responses} {more}");
    }
}
