//! Which limits a file means for whom.

use super::*;
use crate::{
    auth::{Caller, Credential, KeyTable},
    change::Changes,
    config,
    host::Clock,
};

/// The SHA-256 of `test`.
const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

struct At;
impl Clock for At {
    fn now(&self) -> core::time::Duration {
        core::time::Duration::from_millis(NOW)
    }
}

struct File(config::Config);

impl File {
    fn new(rest: &str) -> Self {
        let file = format!(
            r#"{{"providers": {{"openai": {{"kind": "openai"}}, "anthropic": {{"kind": "anthropic"}}}}, {}}}"#,
            rest.replace("HASH", HASH)
        );
        Self(config::parse(&file).unwrap())
    }

    fn caller(&self) -> Caller {
        KeyTable::new(&self.0.auth, self.0.all_keys(), &Changes::default())
            .admit(Some(Credential(b"test")), &At, &())
            .unwrap()
    }

    fn claims(&self, environment: Option<&str>, router: Option<&str>, target: (&str, &str)) -> Vec<Claim> {
        let caller = self.caller();
        Policy::new(&self.0).claims(seed(), Asker { caller: &caller, environment, router }, target.0, target.1)
    }

    fn names(&self, environment: Option<&str>, router: Option<&str>, target: (&str, &str)) -> Vec<String> {
        self.claims(environment, router, target).iter().map(|claim| claim.rule.name.clone()).collect()
    }
}

const GPT: (&str, &str) = ("openai", "gpt-4o");

#[test]
fn a_limit_is_for_the_targets_that_its_patterns_name() {
    let file = File::new(
        r#""keys": [{"id": "k", "sha256": "HASH"}], "limits": [
            {"name": "all", "of": "requests", "per": "minute", "max": 1},
            {"name": "model", "of": "requests", "per": "minute", "max": 1, "target": {"model": "gpt-4o*"}},
            {"name": "full", "of": "requests", "per": "minute", "max": 1, "target": {"model": "openai/*"}},
            {"name": "provider", "of": "concurrency", "max": 8, "target": {"provider": "anthropic"}},
            {"name": "off", "of": "requests", "per": "minute", "max": 1, "enabled": false}]"#,
    );
    assert_eq!(file.names(None, None, GPT), ["all", "model", "full"]);
    assert_eq!(file.names(None, None, ("anthropic", "claude")), ["all", "provider"]);
}

#[test]
fn each_scope_has_its_own_subject_and_a_key_without_a_team_no_limit_of_teams() {
    let limits = r#""limits": [
            {"name": "key", "of": "requests", "per": "day", "max": 1, "scope": "key"},
            {"name": "team", "of": "requests", "per": "day", "max": 1, "scope": "team"},
            {"name": "environment", "of": "requests", "per": "day", "max": 1, "scope": "environment"},
            {"name": "global", "of": "requests", "per": "day", "max": 1, "scope": "global"},
            {"name": "label", "of": "requests", "per": "day", "max": 1, "scope": "label:app"}]"#;
    let full = format!(
        r#""teams": {{"ml": {{}}}}, "keys": [{{"id": "k", "sha256": "HASH", "team": "ml", "labels": {{"app": "x"}}}}], {limits}"#
    );
    let claims = File::new(&full).claims(None, None, GPT);
    let subjects: Vec<_> = claims.iter().map(|claim| claim.subject).collect();
    let expected = [
        Subject::Key(Some("k")),
        Subject::Team("ml", None),
        Subject::Environment(None),
        Subject::Global,
        Subject::Label("app", "x"),
    ];
    assert_eq!(subjects, expected.map(|subject| seed().address(subject)));
    assert!(claims[0].is_own && claims[1..].iter().all(|claim| !claim.is_own));
    let bare = File::new(&format!(r#""keys": [{{"id": "k", "sha256": "HASH"}}], {limits}"#));
    assert_eq!(bare.names(None, None, GPT), ["key", "environment", "global"]);
    let open = File::new(&format!(r#""auth": {{"required": false}}, {limits}"#));
    assert_eq!(open.names(None, None, GPT), ["key", "environment", "global"]);
}

#[test]
fn windows_are_those_that_the_file_means() {
    let window = |of: &str, per: &str| {
        let limit = format!(r#""limits": [{{"name": "a", "of": "{of}", "per": "{per}", "max": 2.00}}]"#);
        let file = File::new(&format!(r#""keys": [{{"id": "k", "sha256": "HASH"}}], {limit}"#));
        file.claims(None, None, GPT)[0].rule.bound
    };
    let bound = |window, max| Bound { window, max };
    assert_eq!(window("requests", "second"), bound(Window::Pace(1_000), 2));
    assert_eq!(window("requests", "minute"), bound(Window::Pace(60_000), 2));
    assert_eq!(window("requests", "hour"), bound(HOUR, 2));
    assert_eq!(window("tokens", "second"), bound(Window::Rolling(Grain::Second), 2));
    assert_eq!(window("input_tokens", "minute"), bound(Window::Rolling(Grain::Minute), 2));
    assert_eq!(window("output_tokens", "day"), bound(Window::Calendar(Unit::Day), 2));
    assert_eq!(window("spend", "month"), bound(Window::Calendar(Unit::Month), 2_000_000_000));
}

#[test]
fn budgets_of_keys_and_teams_are_limits() {
    let file = File::new(
        r#""teams": {"ml": {"budgets": {"monthly_usd": 2000}}},
        "keys": [{"id": "k", "sha256": "HASH", "team": "ml", "budgets": {"daily_tokens": 1000, "daily_usd": 0.5,
            "hourly": {"enabled": true, "total": 200, "input": {"max": 150, "enabled": false}, "output": 50}}}]"#,
    );
    let claims = file.claims(None, None, GPT);
    let told: Vec<_> = claims
        .iter()
        .map(|claim| (claim.rule.name.as_str(), claim.rule.of, claim.rule.bound.max, claim.is_own))
        .collect();
    let expected = [
        ("budget daily_tokens", Measure::Tokens, 1_000, true),
        ("budget hourly.total", Measure::Tokens, 200, true),
        ("budget hourly.output", Measure::OutputTokens, 50, true),
        ("budget daily_usd", Measure::Spend, 500_000_000, true),
        ("team budget monthly_usd", Measure::Spend, 2_000_000_000_000, false),
    ];
    assert_eq!(told, expected);
    assert!(claims.iter().all(|claim| claim.rule.kind == Kind::Budget));
    // An hourly budget counts the request that asks.
    let office = Office::new();
    assert_eq!(office.refuses(&claims, Amounts { input_tokens: 151, ..tokens(50) }, NOW).0, "budget hourly.total");
    assert_eq!(office.refuses(&claims, tokens(51), NOW).0, "budget hourly.output");
    assert!(office.admit(&claims, Amounts { input_tokens: 150, ..tokens(50) }, NOW).is_ok());
}

#[test]
fn budgets_that_are_switched_off_count_nothing() {
    let file = File::new(
        r#""keys": [{"id": "k", "sha256": "HASH", "budgets": {"hourly": {"enabled": false, "total": 200},
            "daily_usd": {"max": 0.5, "enabled": false}, "monthly_usd": {"max": 2.5}}}]"#,
    );
    let claims = file.claims(None, None, GPT);
    let told: Vec<_> = claims.iter().map(|claim| (claim.rule.name.as_str(), claim.rule.bound.max)).collect();
    assert_eq!(told, [("budget monthly_usd", 2_500_000_000)]);
}

#[test]
fn a_router_limits_each_key_and_only_on_its_own_way() {
    let file = File::new(
        r#""keys": [{"id": "k", "sha256": "HASH"}], "routers": {"r": {
            "rate_limit": {"per_api_key": {"capacity": 1000, "refill_frequency": "1s"}}}, "s": {}}"#,
    );
    assert!(file.claims(None, None, GPT).is_empty() && file.claims(None, Some("s"), GPT).is_empty());
    let claims = file.claims(None, Some("r"), GPT);
    assert_eq!(claims[0].rule.bound, Bound { window: Window::Pace(1_000), max: 1_000 });
    assert_eq!(claims[0].subject, seed().address(Subject::Key(Some("k"))));
}

#[test]
fn an_environment_has_the_limits_of_the_file_and_its_own_instead() {
    let file = File::new(
        r#""teams": {"ml": {"budgets": {"daily_usd": 1}}}, "keys": [{"id": "k", "sha256": "HASH", "team": "ml"}],
        "limits": [{"name": "a", "of": "requests", "per": "minute", "max": 1, "scope": "team"},
            {"name": "b", "of": "requests", "per": "minute", "max": 1}],
        "environments": {"prod": {}, "staging": {"teams": {"ml": {"budgets": {"daily_usd": 2}}},
            "limits": [{"name": "b", "of": "requests", "per": "minute", "max": 9}]}}"#,
    );
    let max = |environment| -> Vec<_> {
        file.claims(environment, None, GPT)
            .iter()
            .map(|claim| (claim.rule.name.clone(), claim.rule.bound.max))
            .collect()
    };
    let named = |list: [(&str, u64); 3]| list.map(|(name, max)| (String::from(name), max));
    assert_eq!(max(None), named([("a", 1), ("b", 1), ("team budget daily_usd", 1_000_000_000)]));
    assert_eq!(max(Some("prod")), max(None));
    assert_eq!(max(Some("staging")), named([("a", 1), ("b", 9), ("team budget daily_usd", 2_000_000_000)]));
    // A team that an environment defines is another one.
    let team = |environment| file.claims(environment, None, GPT)[0].subject;
    assert_eq!(team(Some("prod")), team(None));
    assert_ne!(team(Some("staging")), team(None));
}

#[test]
fn namesakes_have_counts_of_their_own() {
    let limit = |per: &str, max: &str| {
        format!(r#"{{"name": "cap", "of": "tokens", "per": "{per}", "max": {max}, "scope": "global"}}"#)
    };
    let paced = |capacity: u8| {
        format!(
            r#"{{"r": {{"rate_limit": {{"per_api_key": {{"capacity": {capacity}, "refill_frequency": "60s"}}}}}}}}"#
        )
    };
    let inside = |max| format!(r#"{{"limits": [{}], "routers": {}}}"#, limit("hour", max), paced(1));
    let file = File::new(&format!(
        r#""keys": [{{"id": "k", "sha256": "HASH", "budgets": {{"daily_tokens": 100}}}}],
        "limits": [{}, {{"name": "budget daily_tokens", "of": "tokens", "per": "day", "max": 100}}],
        "routers": {}, "environments": {{"a": {}, "b": {}, "c": {{}}}}"#,
        limit("hour", "10"),
        paced(1),
        inside("10"),
        inside("20"),
    ));
    let office = Office::new();
    let claims = |environment| file.claims(environment, Some("r"), GPT);
    // In each its own limit has room, and its own router.
    for environment in [None, Some("a"), Some("b")] {
        office.admit(&claims(environment), tokens(10), NOW).unwrap().settle(&tokens(10), NOW);
    }
    // What an environment does not define is the top level's.
    assert_eq!(office.refuses(&claims(Some("c")), tokens(1), NOW).0, "cap");
    // The key's budget is the same everywhere, and is not the limit that is called like it.
    let used = |name: &str| -> Vec<_> {
        let named = claims(Some("b")).into_iter().filter(|claim| claim.rule.name == name);
        named.map(|claim| office.used(&claim, NOW)).collect()
    };
    assert_eq!(used("budget daily_tokens"), [30, 30]);
    assert_eq!(used("cap"), [10]);
}

#[test]
fn what_a_service_counts_is_not_counted_here_and_has_its_subject() {
    let limit =
        |scope| format!(r#"{{"name": "{scope}", "of": "requests", "per": "hour", "max": 1, "scope": "{scope}"}}"#);
    let scopes = ["key", "team", "environment", "global", "label:plan", "label:none"].map(limit);
    let file = File::new(&format!(
        r#""teams": {{"ml": {{}}}}, "keys": [{{"id": "k", "sha256": "HASH", "team": "ml", "labels": {{"plan": "trial"}}}}],
        "limits_backend": {{"ratelimit_service": {{"cluster": "rls"}}}},
        "limits": [{}, {{"name": "slots", "of": "concurrency", "max": 1}}],
        "environments": {{"prod": {{"teams": {{"ml": {{}}}},
            "limits": [{{"name": "key", "of": "tokens", "per": "day", "max": 9}}]}}}}"#,
        scopes.join(",")
    ));
    assert_eq!(file.names(None, None, GPT), ["slots"]);
    let policy = Policy::new(&file.0);
    assert!(!policy.is_empty() && !policy.shares_spend());
    let caller = file.caller();
    let told = |environment| -> Vec<_> {
        let asker = Asker { caller: &caller, environment, router: None };
        policy.shared(asker).map(|(limit, subject)| (limit.property(), subject.text())).collect()
    };
    let expected = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(name, subject)| (["dragoman.limit.", name].concat(), (*subject).into())).collect()
    };
    let top = [
        ("key", "key/k"),
        ("team", "team/ml"),
        ("environment", "environment"),
        ("global", "global"),
        ("label:plan", "label/trial"),
    ];
    assert_eq!(told(None), expected(&top));
    let inside = [
        ("team", "environment/4/prod/ml"),
        ("environment", "environment/prod"),
        ("global", "global"),
        ("label:plan", "label/trial"),
        ("key@prod", "key/k"),
    ];
    assert_eq!(told(Some("prod")), expected(&inside));
}
