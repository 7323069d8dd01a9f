//! What decides where a request goes.

use super::*;

fn file() -> Value {
    json!({
        "auth": {"required": false},
        "teams": {"ml": {}},
        "aliases": {"smart": ["anthropic/claude-sonnet-4-5", "openai/gpt-4o"], "fast": "openai/gpt-4o-mini"},
        "model_mapping": {"gpt-4": {"anthropic": "claude-opus-4-5"}},
        "fallbacks": {"gpt-4o": ["gpt-4o-mini", "smart"], "openai/o3*": ["gpt-5"], "fast": ["claude-haiku-4-5"]},
        "fallback_models": ["ollama/llama3.2"],
        "context_fallbacks": {"gpt-4o": ["openai/gpt-4.1"]},
        "content_fallbacks": {"anthropic/*": ["openai/gpt-5"]},
        "retry": {"attempts": 1},
        "routing": {
            "chain": {"strategy": "fallback", "targets": ["openai/o3", "claude-opus-4-5"]},
            "off": {"strategy": "fallback", "targets": ["openai/o3"], "active": false},
        },
        "routers": {
            "prod": {
                "load_balance": {"chat": {"strategy": "fallback", "providers": ["anthropic", "openai", "groq"]}},
                "model_mapping": {"gpt-4o": {"anthropic": "anthropic/claude-opus-4-5"}},
                "retry": {"attempts": 2},
            },
            "idle": {"load_balance": {"chat": {"strategy": "fallback", "targets": ["openai/o3"], "active": false}}},
        },
    })
}

fn with_key(attributes: &Value) -> Bench {
    let mut file = file();
    file["keys"] = json!([key(attributes)]);
    bench(&file)
}

#[test]
fn the_model_asked_for_comes_first_and_then_what_stands_in_for_it() {
    let bench = bench(&file());
    for (model, expected) in [
        ("gpt-4o", &["openai/gpt-4o", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5", "ollama/llama3.2"][..]),
        ("openai/o3", &["openai/o3", "openai/gpt-5", "ollama/llama3.2"]),
        ("claude-opus-4-5", &["anthropic/claude-opus-4-5", "ollama/llama3.2"]),
        // The lists of the first that an alias stands for, and of the alias itself.
        ("smart", &["anthropic/claude-sonnet-4-5", "openai/gpt-4o", "openai/gpt-4o-mini", "ollama/llama3.2"]),
        ("fast", &["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5", "ollama/llama3.2"]),
    ] {
        assert_eq!(bench.targets(&asking(model)), expected, "{model}");
    }
}

#[test]
fn without_a_model_the_default_is_asked_for_or_the_request_is_refused() {
    let without = bench(&file());
    let (kind, message) = without.refusal(&Ask::default());
    assert_eq!((kind, message.contains("which `model`")), (Kind::InvalidRequest, true), "{message}");
    assert_eq!(without.refusal(&asking("auto")).0, Kind::ModelNotFound);
    let mut file = file();
    file["auto"] = json!({"default_model": "gpt-5"});
    let with = bench(&file);
    for ask in [Ask::default(), asking("auto")] {
        assert_eq!(with.targets(&ask), ["openai/gpt-5", "ollama/llama3.2"]);
    }
}

#[test]
fn a_router_decides_for_its_kinds_of_endpoint_only() {
    let bench = bench(&file());
    let prod = |model| Ask { way: Way::Router("prod"), ..asking(model) };
    // The router's mapping, then the same id; Groq has nothing of the kind.
    assert_eq!(bench.targets(&prod("gpt-4o")), ["anthropic/claude-opus-4-5", "openai/gpt-4o"]);
    // A provider before the name does not pin.
    assert_eq!(bench.targets(&prod("openai/gpt-4o")), ["anthropic/claude-opus-4-5", "openai/gpt-4o"]);
    // The file's mapping.
    assert_eq!(bench.targets(&prod("gpt-4")), ["anthropic/claude-opus-4-5"]);
    let embeddings = Ask { endpoint: Endpoint::Embeddings, ..prod("text-embedding-3-small") };
    assert_eq!(bench.targets(&embeddings), ["openai/text-embedding-3-small", "ollama/llama3.2"]);
    let idle = Ask { way: Way::Router("idle"), ..asking("gpt-5") };
    assert_eq!(bench.targets(&idle), ["openai/gpt-5", "ollama/llama3.2"]);
    assert_eq!(bench.refusal(&Ask { way: Way::Router("nope"), ..asking("gpt-5") }).0, Kind::NotFound);
}

#[test]
fn a_keys_routing_wins_over_every_router_while_it_is_active() {
    let inline = json!({"strategy": "fallback", "targets": ["ollama/llama3.2"]});
    for (routing, on_default, on_router) in [
        (
            json!("chain"),
            &["openai/o3", "anthropic/claude-opus-4-5"][..],
            &["openai/o3", "anthropic/claude-opus-4-5"][..],
        ),
        (inline, &["ollama/llama3.2"], &["ollama/llama3.2"]),
        (json!("off"), &["openai/gpt-5", "ollama/llama3.2"], &["openai/gpt-5"]),
    ] {
        let bench = with_key(&json!({"routing": routing}));
        let ask = Ask { key: "test", ..asking("gpt-5") };
        assert_eq!(bench.targets(&ask), on_default, "{routing}");
        assert_eq!(bench.targets(&Ask { way: Way::Router("prod"), ..ask.clone() }), on_router, "{routing}");
        assert_eq!(bench.targets(&Ask { way: Way::Ai, ..ask.clone() }), ["openai/gpt-5"], "{routing}");
        assert_eq!(bench.targets(&Ask { key: "", ..ask }), ["openai/gpt-5", "ollama/llama3.2"], "{routing}");
    }
}

#[test]
fn on_ai_there_is_one_target_and_one_try() {
    let bench = bench(&file());
    let planned = bench.plan(&Ask { way: Way::Ai, ..asking("smart") }).unwrap();
    assert_eq!(shorts(&planned.targets), ["anthropic/claude-sonnet-4-5"]);
    assert_eq!((planned.policy.attempts, planned.on_content.len()), (0, 0));
}

#[test]
fn a_router_has_its_own_way_with_failures() {
    let bench = bench(&file());
    let attempts = |way| bench.plan(&Ask { way, ..asking("gpt-4o") }).unwrap().policy.attempts;
    assert_eq!((attempts(Way::Default), attempts(Way::Router("prod"))), (1, 2));
}

#[test]
fn where_a_strategy_decides_the_model_is_a_hint() {
    let bench = with_key(&json!({"routing": "chain", "models": ["o3", "claude-opus-4-5"]}));
    for model in [None, Some("nobody-knows-it"), Some("gpt-4o"), Some("off/gemini-2.5-pro")] {
        let ask = Ask { key: "test", model, ..Ask::default() };
        assert_eq!(bench.targets(&ask), ["openai/o3", "anthropic/claude-opus-4-5"], "{model:?}");
    }
}

#[test]
fn rules_of_which_none_matches_are_none() {
    let rules = |rules: Value| json!({"routing": {"strategy": "rules", "rules": rules}});
    let bench = with_key(&rules(json!([{"when": {"stream": true}, "then": "openai/o3"}])));
    let ask = Ask { key: "test", ..asking("gpt-5") };
    assert_eq!(bench.targets(&ask), ["openai/gpt-5", "ollama/llama3.2"]);
    assert_eq!(bench.targets(&Ask { way: Way::Router("prod"), ..ask.clone() }), ["openai/gpt-5"]);
    assert_eq!(bench.targets(&Ask { stream: true, ..ask }), ["openai/o3"]);
}

#[test]
fn others_are_ready_where_the_request_is_too_long_or_refused() {
    let bench = bench(&file());
    let planned = bench.plan(&asking("gpt-4o")).unwrap();
    assert_eq!(shorts(&planned.on_context), ["openai/gpt-4.1"]);
    // One of the targets is Anthropic's.
    assert_eq!(shorts(&planned.on_content), ["openai/gpt-5"]);
    let planned = bench.plan(&asking("openai/o3")).unwrap();
    assert!(planned.on_context.is_empty() && planned.on_content.is_empty());
    // What is known to be too long for all goes to the larger ones at once.
    let mut file = file();
    file["fallbacks"] = json!({});
    file["fallback_models"] = json!([]);
    let bench = super::bench(&file);
    let planned = bench.plan(&Ask { input_tokens: 200_000, ..asking("gpt-4o") }).unwrap();
    assert_eq!((shorts(&planned.targets).join(" ").as_str(), planned.on_context.len()), ("openai/gpt-4.1", 0));
    file["context_fallbacks"] = json!({"*": ["openai/gpt-4.1", "openai/gpt-4.1-mini"]});
    let bench = super::bench(&file);
    let planned = bench.plan(&Ask { input_tokens: 200_000, ..asking("gpt-4o") }).unwrap();
    assert_eq!((planned.targets.len(), planned.on_context.len()), (2, 1));
    // And nobody stands in for itself.
    assert!(bench.plan(&asking("openai/gpt-4.1")).unwrap().on_context.iter().all(|other| &*other.model != "gpt-4.1"));
}

#[test]
fn a_provider_is_sent_what_it_has_for_the_model() {
    let router = |sections: &Value| {
        let mut file = json!({
            "aliases": {"smart": ["anthropic/claude-sonnet-4-5", "openai/gpt-4o"]},
            "models": {"openai/o3": {"enabled": false}},
            "routers": {"r": {"load_balance": {"chat": {"strategy": "fallback", "providers": ["openai", "anthropic", "groq", "own", "ollama"]}}}},
        });
        file.as_object_mut().unwrap().extend(sections.as_object().unwrap().clone());
        bench(&file)
    };
    let plain = router(&json!({}));
    for (model, expected) in [
        // An alias means at each provider what it has of it; on a server of one's own that is no proxy, nothing of the kind.
        ("smart", &["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "own/claude-sonnet-4-5"][..]),
        ("gpt-4o", &["openai/gpt-4o", "own/gpt-4o"]),
        // The equivalent.
        ("gpt-oss-120b", &["groq/openai/gpt-oss-120b", "own/gpt-oss-120b", "ollama/gpt-oss-120b"]),
        // New at a provider that is named.
        ("anthropic/claude-9", &["anthropic/claude-9", "own/claude-9", "ollama/claude-9"]),
        // Disabled at its own.
        ("openai/o3", &["own/o3"]),
        ("llama3.2", &["own/llama3.2", "ollama/llama3.2"]),
    ] {
        assert_eq!(plain.targets(&Ask { way: Way::Router("r"), ..asking(model) }), expected, "{model}");
    }
    let bare = router(&json!({"catalogue": {"equivalents": false, "strict": true}}));
    let planned = bare.plan(&Ask { way: Way::Router("r"), ..asking("gpt-oss-120b") });
    assert_eq!(planned.unwrap_err().kind, Kind::ModelNotFound);
    assert_eq!(bare.targets(&Ask { way: Way::Router("r"), ..asking("gpt-4o") }), ["openai/gpt-4o"]);
}

#[test]
fn a_model_is_asked_for_with_the_accounts_that_are_for_it() {
    let mut providers = providers();
    providers["openai"] = json!({"kind": "openai", "base_url": "http://127.0.0.1:1", "accounts": [
        {"name": "a", "credential": {"value": "secret-a"}, "models": ["gpt-4o*"]},
        {"name": "b", "credential": {"value": "secret-b"}, "weight": 0},
        {"name": "c", "credential": {"env": "NOT_SET"}},
        {"name": "d", "credential": {"value": "secret-d"}, "enabled": false},
    ]});
    let bench = bench(&json!({"providers": providers, "routing": {
        "pin": {"strategy": "fallback", "targets": [
            {"provider": "openai", "model": "gpt-4o", "account": "b"},
            {"provider": "openai", "model": "o3", "account": "a"},
            {"provider": "openai", "model": "o3", "account": "c"},
            {"provider": "openai", "model": "o3", "account": "zzz"},
            {"model": "openai/o3", "credential": {"value": "secret-own"}},
            {"model": "deepseek/deepseek-v4-pro", "credential": {"value": "secret-other"}},
        ]},
    }, "auth": {"required": false}, "keys": [key(&json!({"routing": "pin"}))]}));
    assert_eq!(bench.targets(&asking("gpt-4o")), ["openai/gpt-4o#a", "openai/gpt-4o#b"]);
    assert_eq!(bench.targets(&asking("o3")), ["openai/o3#b"]);
    let planned = bench.plan(&Ask { key: "test", ..Ask::default() }).unwrap();
    assert_eq!(
        shorts(&planned.targets),
        ["openai/gpt-4o#b", "openai/o3#routing/pin/targets/4", "deepseek/deepseek-v4-pro#routing/pin/targets/5"]
    );
    let presented = |index: usize, secret: &str| planned.targets[index].account.names_secret(secret.as_bytes());
    assert!(presented(1, "secret-own") && presented(2, "secret-other"));
    let why: Vec<_> = planned.dropped.iter().map(|dropped| dropped.error.message.as_str()).collect();
    assert_eq!(why.len(), 3, "{why:?}");
    assert!(
        why[0].contains("not for the model") && why[1].contains("NOT_SET") && why[2].contains("no account `zzz`"),
        "{why:?}"
    );
}
