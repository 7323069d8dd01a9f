//! What is checked between sections: names that exist, once, and lead somewhere.

use super::*;

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// The problems of a file with two providers and these sections.
fn problems(sections: &str) -> Vec<String> {
    let json = format!(
        r#"{{"providers": {{"openai": {{"kind": "openai"}}, "mesh-llama": {{"kind": "openai"}}}}, {sections}}}"#
    );
    let problems = parse(&json).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_routing_configuration_leads_only_so_far() {
    let chain = |length: usize, twice: bool| {
        let rows = (0..length).map(|index| {
            let is_last = index + 1 == length;
            let next = if is_last { r#""openai/x""#.into() } else { format!(r#"{{"routing": "r{}"}}"#, index + 1) };
            let also = if twice { format!(", {next}") } else { String::new() };
            format!(r#""r{index}": {{"strategy": "fallback", "targets": [{next}{also}]}}"#)
        });
        format!(r#""routing": {{{}}}"#, rows.collect::<Vec<_>>().join(", "))
    };
    let others = "other routing configurations on the way included";
    assert_eq!(problems(&chain(31, false)), Vec::<String>::new());
    assert_eq!(problems(&chain(500, false)), [format!("/routing/r468: nests more than 32 strategies, {others}")]);
    assert_eq!(problems(&chain(8, true)), Vec::<String>::new());
    assert_eq!(problems(&chain(30, true)), [format!("/routing/r21: leads to more than 1024 places, {others}")]);
    let rules = vec![r#"{"when": {"stream": true}, "then": "openai/x"}"#; 2000].join(", ");
    assert_eq!(
        problems(&format!(r#""routing": {{"r": {{"strategy": "rules", "rules": [{rules}]}}}}"#)),
        Vec::<String>::new()
    );
    let wide = format!(r#"{{"strategy": "split", "targets": [{}]}}"#, vec![r#""openai/x""#; 600].join(", "));
    let key = format!(r#""keys": [{{"id": "k", "sha256": "$", "routing": {wide}}}]"#).replace('$', HASH);
    assert_eq!(problems(&key), [format!("/keys/0/routing: leads to more than 1024 places, {others}")]);
    let router = format!(r#""routers": {{"r": {{"load_balance": {{"images": {wide}}}}}}}"#);
    assert_eq!(
        problems(&router),
        [format!("/routers/r/load_balance/images: leads to more than 1024 places, {others}")]
    );
}

#[test]
fn whatever_is_referred_to_exists() {
    for (sections, problem) in [
        (
            r#""teams": {"ml": {}}, "keys": [{"id": "a", "sha256": "$", "team": "mll"}]"#,
            "/keys/0/team: there is no such team; did you mean `ml`?",
        ),
        (
            r#""keys": [{"id": "a", "sha256": "$", "environment": "prod"}]"#,
            "/keys/0/environment: there is no such environment; the file has none",
        ),
        (
            r#""keys": [{"id": "a", "sha256": "$", "routing": "chain"}]"#,
            "/keys/0/routing: there is no such routing configuration; the file has none",
        ),
        (
            r#""keys": [{"id": "a", "sha256": "$", "models": ["opnai/*"]}]"#,
            "/keys/0/models/0: there is no provider `opnai`; did you mean `openai`?",
        ),
        (
            r#""keys": [{"id": "a", "sha256": "$", "byok": {"credentials": {"opena": {"env": "A"}}}}]"#,
            "/keys/0/byok/credentials/opena: there is no such provider; did you mean `openai`?",
        ),
        (
            r#""keys": [{"id": "a", "sha256": "$", "routing": {"strategy": "split", "providers": ["opena"]}}]"#,
            "/keys/0/routing/providers/0: there is no such provider; did you mean `openai`?",
        ),
        (
            r#""limits": [{"name": "a", "of": "requests", "per": "day", "max": 1, "target": {"provider": "opena"}}]"#,
            "/limits/0/target/provider: there is no such provider; did you mean `openai`?",
        ),
        (
            r#""model_mapping": {"m": {"opena": "n"}}"#,
            "/model_mapping/m/opena: there is no such provider; did you mean `openai`?",
        ),
        (
            r#""fallbacks": {"m": ["n", "opena/m"]}"#,
            "/fallbacks/m/1: there is no provider `opena`; did you mean `openai`?",
        ),
        (
            r#""auto": {"task_routes": {"coding": {"high": ["opena/m"]}}}"#,
            "/auto/task_routes/coding/high/0: there is no provider `opena`; did you mean `openai`?",
        ),
        (
            r#""routing": {"r": {"strategy": "fallback", "targets": [{"strategy": "split", "targets": [{"routing": "chain"}]}]}}"#,
            "/routing/r/targets/0/targets/0/routing: there is no such routing configuration; there are: r",
        ),
        (
            r#""routing": {"r": {"strategy": "rules", "rules": [{"when": {"team": "x"}, "then": "m"}]}}"#,
            "/routing/r/rules/0/when/team: there is no such team; the file has none",
        ),
        (
            r#""routers": {"r": {"load_balance": {"chat": {"strategy": "latency", "providers": ["opena"]}}}}"#,
            "/routers/r/load_balance/chat/providers/0: there is no such provider; did you mean `openai`?",
        ),
        (
            r#""environments": {"e": {"providers": {"opena": {}}}}"#,
            "/environments/e/providers/opena: there is no such provider; did you mean `openai`?",
        ),
        (
            r#""environments": {"e": {"keys": [{"id": "a", "sha256": "$", "team": "x"}]}}"#,
            "/environments/e/keys/0/team: there is no such team; the file has none",
        ),
    ] {
        assert_eq!(problems(&sections.replace('$', HASH)), [problem], "{sections}");
    }
}

#[test]
fn what_need_not_exist_is_not_asked_for() {
    for sections in [
        // No provider's name, but the beginning of a model's.
        r#""fallback_models": ["meta-llama/llama-3.3-70b", "gpt-4o", "auto"]"#,
        r#""environments": {"e": {"routing": {"r": {"strategy": "auto"}},
            "keys": [{"id": "a", "sha256": "$", "routing": "r", "environment": "e"}]}}"#,
        r#""limits": [{"name": "a", "of": "requests", "per": "day", "max": 1, "target": {"provider": "open*"}}]"#,
    ] {
        assert_eq!(problems(&sections.replace('$', HASH)), [""; 0], "{sections}");
    }
}

#[test]
fn a_model_that_is_disabled_is_no_target() {
    let models = r#""models": {"openai/old": {"enabled": false}, "openai/m": {}, "mesh-llama/m": {"enabled": false}}"#;
    for (section, problem) in [
        (r#""fallback_models": ["old", "m"]"#, "/fallback_models/0: `old` is disabled in `models`"),
        (r#""fallbacks": {"m": ["openai/old"]}"#, "/fallbacks/m/0: `openai/old` is disabled in `models`"),
        (
            r#""routing": {"r": {"strategy": "rules", "rules": [{"when": {}, "then": ["m", "old"]}]}}"#,
            "/routing/r/rules/0/then/1: `old` is disabled in `models`",
        ),
        (r#""aliases": {"a": "mesh-llama/m"}"#, "/aliases/a: `mesh-llama/m` is disabled in `models`"),
    ] {
        assert_eq!(problems(&format!("{models}, {section}")), [problem]);
    }
}

#[test]
fn an_alias_leads_somewhere() {
    assert_eq!(problems(r#""aliases": {"none": []}"#), ["/aliases/none: leads to no model"]);
}

#[test]
fn of_aliases_that_lead_too_far_the_one_that_is_too_long_is_named() {
    let chain = |length: usize| {
        let row = |index: usize| format!(r#""a{index}": ["m{index}", "a{}"]"#, index + 1);
        format!(r#""aliases": {{{}}}"#, (0..length).map(row).collect::<Vec<_>>().join(", "))
    };
    assert_eq!(problems(&chain(128)), [""; 0]);
    // Those before it lead as far only because it does.
    let problem = "leads to more than 256 names, other aliases on the way included";
    assert_eq!(problems(&chain(129)), [format!("/aliases/a0: {problem}")]);
    assert_eq!(problems(&chain(10_000)), [format!("/aliases/a9871: {problem}")]);
    let wide = |width: usize| format!(r#""aliases": {{"w": ["m"{}]}}"#, r#", "m""#.repeat(width - 1));
    assert_eq!(problems(&wide(256)), [""; 0]);
    assert_eq!(problems(&wide(257)), [format!("/aliases/w: {problem}")]);
    let document = reference().sections.into_iter().find(|section| section.name == "document").unwrap();
    let aliases = document.fields.into_iter().find(|field| field.name == "aliases").unwrap();
    assert!(aliases.doc.contains("more than 256 names, those of other aliases on the way included"), "{}", aliases.doc);
}

#[test]
fn of_many_names_a_problem_lists_a_few() {
    let teams: Vec<_> = (0..300).map(|index| format!(r#""t{index}": {{}}"#)).collect();
    let key =
        r#"{"id": "k", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "team": "t"}"#;
    let found = problems(&format!(r#""teams": {{{}}}, "keys": [{key}]"#, teams.join(", ")));
    let [problem] = found.as_slice() else { panic!("{found:?}") };
    assert!(problem.starts_with("/keys/0/team: there is no such team; there are: t0, t1, "), "{problem}");
    assert!(problem.ends_with(", t19 and 280 others"), "{problem}");
}

#[test]
fn no_way_leads_back_to_itself() {
    let way = |name: &str, to: &str| {
        format!(
            r#""{name}": {{"strategy": "rules", "rules": [], "else": {{"strategy": "fallback", "targets": [{{"routing": "{to}"}}]}}}}"#
        )
    };
    let circle = format!(r#""routing": {{{}, {}, {}}}"#, way("a", "b"), way("b", "a"), way("c", "a"));
    assert_eq!(problems(&circle), ["/routing/a: leads back to itself", "/routing/b: leads back to itself"]);
    assert_eq!(problems(r#""aliases": {"a": "b", "b": ["c", "a"], "d": "a"}"#).len(), 2);
    // In an environment, its own configuration takes the place of the file's.
    let broken = format!(
        r#""routing": {{{}, "b": {{"strategy": "auto"}}}}, "environments": {{"e": {{"routing": {{{}}}}}}}"#,
        way("a", "b"),
        way("b", "a")
    );
    assert_eq!(problems(&broken), ["/environments/e/routing/b: leads back to itself"]);
}

#[test]
fn names_are_told_apart() {
    for (sections, problem) in [
        (
            r#""limits": [{"name": "a", "of": "concurrency", "max": 1}, {"name": "a", "of": "concurrency", "max": 2}]"#,
            "/limits/1/name: is also that of /limits/0",
        ),
        (
            r#""admin": {"keys": [{"id": "a", "sha256": "$"}, {"id": "b", "sha256": "$"}]}"#,
            "/admin/keys/1/sha256: is also that of /admin/keys/0",
        ),
        (
            r#""console": {"users": [{"name": "a", "sha256": "$"}, {"name": "a", "sha256": "$"}]}"#,
            "/console/users/1/name: is also that of /console/users/0",
        ),
        (
            r#""keys": [{"id": "k", "sha256": "$"}], "admin": {"keys": [{"id": "a", "sha256": "$"}]}"#,
            "/admin/keys/0/sha256: is also that of the client key `k`",
        ),
    ] {
        assert_eq!(problems(&sections.replace('$', HASH)), [problem]);
    }
}

#[test]
fn sections_do_not_contradict_themselves() {
    for (sections, pointer) in [
        (r#""limits": [{"name": "a", "of": "requests", "max": 1}]"#, "/limits/0/per"),
        (r#""limits": [{"name": "a", "of": "concurrency", "per": "day", "max": 1}]"#, "/limits/0/per"),
        (r#""limits": [{"name": "a", "of": "tokens", "per": "day", "max": 1.5}]"#, "/limits/0/max"),
        (r#""limits": [{"name": "a", "of": "tokens", "per": "day", "max": 1, "scope": "label:"}]"#, "/limits/0/scope"),
        (r#""retry": {"backoff": {"base": "1m"}}"#, "/retry/backoff/max"),
        (r#""retry": {"cooldown": {"max": "1s"}}"#, "/retry/cooldown/max"),
        (r#""cache": {"max_entry": "1GiB"}"#, "/cache/max_entry"),
        (r#""listen": {"cors": {"origins": ["*"], "credentials": true}}"#, "/listen/cors/credentials"),
        (r#""auth": {"jwt": {"issuer": "i"}}"#, "/auth/jwt"),
        (r#""auth": {"jwt": {"issuer": "i", "jwks_file": "f", "algorithms": ["HS256"]}}"#, "/auth/jwt/algorithms"),
        (r#""routing": {"r": {"strategy": "latency"}}"#, "/routing/r"),
        (r#""routing": {"r": {"strategy": "rules"}}"#, "/routing/r"),
        (r#""routing": {"r": {"strategy": "auto", "targets": ["m"]}}"#, "/routing/r/targets"),
        (r#""routing": {"r": {"strategy": "latency", "targets": ["m"], "sticky": "user"}}"#, "/routing/r/sticky"),
        (r#""routing": {"r": {"strategy": "split", "targets": [{"model": "m", "weight": 0}]}}"#, "/routing/r/targets"),
        (
            r#""routing": {"r": {"strategy": "split", "targets": ["m"], "providers": ["openai"]}}"#,
            "/routing/r/providers",
        ),
        (r#""routing": {"r": {"strategy": "split", "targets": [{}]}}"#, "/routing/r/targets/0"),
        (
            r#""routing": {"r": {"strategy": "split", "targets": [{"model": "m", "routing": "r"}]}}"#,
            "/routing/r/targets/0",
        ),
        (
            r#""routing": {"r": {"strategy": "split", "targets": [{"model": "m", "rules": [{"when": {}, "then": "m"}]}]}}"#,
            "/routing/r/targets/0/rules",
        ),
        (
            r#""routing": {"r": {"strategy": "split", "targets": [{"model": "m", "account": "a"}]}}"#,
            "/routing/r/targets/0/account",
        ),
        (r#""routing": {"r": {"targets": ["m"]}}"#, "/routing/r/strategy"),
        (
            r#""routing": {"r": {"strategy": "rules", "rules": [{"when": {"time": {"from": "06:00", "to": "06:00"}}, "then": "m"}]}}"#,
            "/routing/r/rules/0/when/time",
        ),
        (
            r#""routing": {"r": {"strategy": "rules", "rules": [{"when": {"estimated_tokens": {"gt": 5, "lt": 6}}, "then": "m"}]}}"#,
            "/routing/r/rules/0/when/estimated_tokens",
        ),
        (r#""routers": {"thirteen-long": {}}"#, "/routers/thirteen-long"),
        (r#""routers": {"r": {"cache": {"directive": "max-stale=5"}}}"#, "/routers/r/cache/directive"),
        (r#""aliases": {"auto": "m"}"#, "/aliases/auto"),
        (r#""fallbacks": {"m": ["n", "m"]}"#, "/fallbacks/m/1"),
    ] {
        let found = problems(sections);
        assert_eq!(found.len(), 1, "{sections}: {found:?}");
        assert!(found[0].starts_with(&format!("{pointer}: ")), "{sections}: {found:?}");
    }
}

#[test]
fn a_key_is_one_key_in_the_whole_file() {
    let other = HASH.replace('9', "8");
    let file = |top: &str, staging: &str, prod: &str| {
        let key = |text: &str| text.replace('$', HASH).replace('%', &other);
        problems(&format!(
            r#""keys": [{}], "environments": {{"staging": {{"keys": [{}]}}, "prod": {{"keys": [{}]}}}}"#,
            key(top),
            key(staging),
            key(prod)
        ))
    };
    let a = r#"{"id": "a", "sha256": "$"}"#;
    assert_eq!(file(a, r#"{"id": "b", "sha256": "%"}"#, ""), Vec::<String>::new());
    assert_eq!(
        file(a, r#"{"id": "a", "sha256": "%"}"#, ""),
        ["/environments/staging/keys/0/id: is also that of /keys/0"]
    );
    assert_eq!(
        file("", a, r#"{"id": "b", "sha256": "$"}"#),
        ["/environments/prod/keys/0/sha256: is also that of /environments/staging/keys/0"]
    );
    assert_eq!(
        file(r#"{"id": "anonymous", "sha256": "$"}"#, "", ""),
        ["/keys/0/id: is what those are called who ask without a key"]
    );
    assert_eq!(file("", r#"{"id": "a", "sha256": "$", "environment": "staging"}"#, ""), Vec::<String>::new());
    assert_eq!(
        file("", r#"{"id": "a", "sha256": "$", "environment": "prod"}"#, ""),
        ["/environments/staging/keys/0/environment: is not `staging`, where the key stands"]
    );
}

#[test]
fn keys_of_an_environment_close_a_gateway_as_others_do() {
    let open = |environments: &str| {
        problems(&format!(r#""listen": {{"address": "0.0.0.0:1"}}, "environments": {environments}"#)).len()
    };
    assert_eq!(open("{}"), 1);
    assert_eq!(open(&r#"{"e": {"keys": [{"id": "a", "sha256": "$"}]}}"#.replace('$', HASH)), 0);
}

/// Nobody renders a cluster for it, and the operator's own leads to the other place.
#[test]
fn an_address_of_an_environment_is_never_looked_for_in_a_cluster_that_leads_elsewhere() {
    let file = |staging: &str| {
        let json = format!(
            r#"{{"providers": {{"p": {{"kind": "openai", "base_url": "http://a/v1", "cluster": "mine"}}, "q": {{"kind": "openai"}}}},
                "environments": {{"staging": {{"providers": {staging}}}}}}}"#
        );
        let problems = parse(&json).err().unwrap_or_default();
        problems.iter().map(|problem| problem.pointer.clone()).collect::<Vec<_>>()
    };
    let account = r#"{"name": "a", "credential": {"env": "A"}, "base_url": "http://b/v1""#;
    for good in [
        r#"{"q": {"base_url": "http://b/v1"}}"#.to_owned(),
        r#"{"p": {"credential": {"env": "A"}}}"#.to_owned(),
        format!(r#"{{"p": {{"accounts": [{account}, "cluster": "its-own"}}]}}}}"#),
    ] {
        assert_eq!(file(&good), Vec::<String>::new(), "{good}");
    }
    assert_eq!(file(r#"{"p": {"base_url": "http://b/v1"}}"#), ["/environments/staging/providers/p/base_url"]);
    let accounts = format!(r#"{{"p": {{"accounts": [{account}}}]}}}}"#);
    assert_eq!(file(&accounts), ["/environments/staging/providers/p/accounts/0/base_url"]);
}

#[test]
fn what_tokens_are_verified_with_can_neither_be_guessed_nor_exchanged_on_the_way() {
    let file = |source: &str| problems(&format!(r#""auth": {{"jwt": {{"issuer": "i", {source}}}}}"#));
    for (name, least) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        let of = |length| format!(r#""secret": {{"value": "{}"}}, "algorithms": ["{name}"]"#, "s".repeat(length));
        assert_eq!(file(&of(least)), Vec::<String>::new());
        let problem = format!("/auth/jwt/secret: is shorter than {least} bytes, and could be found out from a token");
        assert_eq!(file(&of(least - 1)), [problem]);
    }
    for good in [
        "https://i.test/keys",
        "http://127.0.0.1:80/k",
        "http://[::1]/k",
        "http://localhost/k",
        "https://i.test/k/?p=a&q=b/c",
    ] {
        assert_eq!(file(&format!(r#""jwks_url": "{good}""#)), Vec::<String>::new());
    }
    for bad in [
        "http://i.test/keys",
        "http://10.0.0.1/keys",
        "http://localhost.test/k",
        "https://i.test/k?p=a b",
        "https://i.test/k?a#b",
    ] {
        assert_eq!(file(&format!(r#""jwks_url": "{bad}""#)).len(), 1, "{bad}");
    }
    let json = r#"{"providers": {"a": {"kind": "openai"}}, "auth": {"jwt": {"issuer": "i", "jwks_url": "https://i.test/k/?p=a"}}}"#;
    let written = to_json(&parse(json).unwrap());
    assert!(written.contains(r#""https://i.test/k/?p=a""#) && parse(&written).is_ok(), "{written}");
}
