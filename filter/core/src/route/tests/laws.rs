//! What holds whatever the configuration says.

use super::*;
use alloc::collections::BTreeSet;
use proptest::prelude::{Strategy, *};

/// Names that targets may have; some mean nothing, some are off.
const MODELS: &[&str] = &[
    "openai/gpt-4o",
    "gpt-4o-mini",
    "claude-sonnet-4-5",
    "own/x",
    "ollama/llama3.2",
    "deepseek/deepseek-v4-pro",
    "many",
    "nothing",
    "o3",
    "groq/openai/gpt-oss-120b",
];

const PROVIDERS: &[&str] = &["openai", "anthropic", "groq", "own", "ollama", "deepseek", "off"];

fn target() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        proptest::sample::select(MODELS).prop_map(|model| json!({"model": model})),
        proptest::sample::select(PROVIDERS).prop_map(|provider| json!({"provider": provider})),
        (proptest::sample::select(PROVIDERS), "[a-z]{1,2}")
            .prop_map(|(provider, model)| json!({"provider": provider, "model": model})),
        Just(json!({"routing": "named"})),
        Just(json!({"model": "deepseek/x", "credential": {"value": "secret-of-target"}})),
    ];
    plain.prop_recursive(3, 24, 4, |inner| {
        let kinds = proptest::sample::select(&["fallback", "split", "latency", "cheapest", "least_busy"][..]);
        let rules =
            (any::<bool>(), prop::collection::vec(inner.clone(), 1..3), prop::collection::vec(inner.clone(), 0..3));
        prop_oneof![
            (kinds, prop::collection::vec(inner, 1..5), any::<bool>())
                .prop_map(|(kind, targets, active)| json!({"strategy": kind, "targets": targets, "active": active})),
            rules.prop_map(|(stream, then, otherwise)| {
                json!({"strategy": "rules", "rules": [{"when": {"stream": stream}, "then": then}], "else": otherwise})
            }),
        ]
    })
}

fn weighted() -> impl Strategy<Value = Value> {
    (target(), 0..4_u32, prop::option::of(0..3_u32)).prop_map(|(mut target, weight, priority)| {
        target["weight"] = json!(weight);
        if let Some(priority) = priority {
            target["priority"] = json!(priority);
        }
        target
    })
}

fn scope() -> impl Strategy<Value = Value> {
    let providers = prop::option::of(prop::collection::vec(proptest::sample::select(PROVIDERS), 1..4));
    let patterns = proptest::sample::select(&["gpt-*", "own/*", "*sonnet*", "x", "*/deepseek*", "openai/*"][..]);
    let models = prop::option::of(prop::collection::vec(patterns, 1..4));
    (providers, models).prop_map(|(providers, models)| {
        let mut scope = json!({});
        if let Some(providers) = providers {
            scope["providers"] = json!(providers);
        }
        if let Some(models) = models {
            scope["models"] = json!(models);
        }
        scope
    })
}

/// A gateway with all of this, where the file is taken.
fn any_bench() -> impl Strategy<Value = Bench> {
    let parts = (prop::collection::vec(weighted(), 1..5), prop::option::of(weighted()), weighted(), scope());
    parts.prop_filter_map("the file is refused", |(targets, of_key, of_router, scope)| {
        let chain = |target: &Value| json!({"strategy": "fallback", "targets": [target]});
        let mut key = key(&scope);
        if let Some(target) = &of_key {
            key["routing"] = chain(target);
        }
        let file = json!({
            "providers": providers(),
            "models": {"openai/o3": {"enabled": false}, "own/x": {"context_window": 50}},
            "aliases": {"many": ["own/x", "openai/gpt-4o", "claude-sonnet-4-5"]},
            "auth": {"required": false},
            "keys": [key],
            "fallbacks": {"gpt*": ["many"]},
            "fallback_models": ["ollama/llama3.2", "deepseek/x"],
            "context_fallbacks": {"*": ["own/large", "gpt-4o-mini"]},
            "content_fallbacks": {"*": ["many"]},
            // Whatever refers to the named one must not stand in it.
            "routing": {"named": {"strategy": "split", "targets": targets.iter().filter(|target| !target.to_string().contains("named")).collect::<Vec<_>>()}},
            "routers": {"r": {"load_balance": {"chat": chain(&of_router)}}},
        });
        let config = config::parse(&file.to_string()).ok()?;
        let gateway = Gateway::new(&config, |_| None);
        let routing = Routing::new(&config, None, &gateway.providers, &gateway.catalogue, &|_: &str| None);
        Some(Bench { gateway, routing })
    })
}

impl core::fmt::Debug for Bench {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.routing.fmt(f)
    }
}

fn world() -> impl Strategy<Value = World> {
    let names =
        || prop::sample::select(&["openai/default/gpt-4o", "own/default/x", "anthropic/default/claude-sonnet-4-5"][..]);
    let rows = || prop::collection::btree_map(names().prop_map(str::to_owned), 0..1000_u64, 0..3);
    (rows(), rows(), any::<u64>()).prop_map(|(cooling, latency, seed)| World {
        cooling,
        latency,
        entropy: Cell::new(seed),
        ..World::default()
    })
}

proptest! {
    #[test]
    fn no_target_is_out_of_scope_stands_twice_or_before_its_time(
        bench in any_bench(),
        world in world(),
        model in prop::option::of(prop::sample::select(MODELS)),
        way in prop::sample::select(&[Way::Default, Way::Router("r"), Way::Ai][..]),
        has_key: bool,
        stream: bool,
        input_tokens in 0..100_u64,
    ) {
        let ask = Ask { way, model, stream, input_tokens, key: if has_key { "test" } else { "" }, ..Ask::default() };
        let caller = bench.caller(ask.key, &world);
        let planned = match bench.plan_in(&ask, &world) {
            Ok(planned) => planned,
            Err(error) => {
                prop_assert!(!error.message.is_empty() && !error.message.contains("secret"));
                return Ok(());
            }
        };
        prop_assert!((1..=MAX_TARGETS).contains(&planned.targets.len()));
        prop_assert!(world.draws.get() <= 1);
        for targets in [&planned.targets, &planned.on_context, &planned.on_content] {
            for target in targets {
                prop_assert!(caller.may_use(&target.provider.name, &target.model), "{}", name(target));
                prop_assert!(target.account.missing.is_none());
                prop_assert!(target.provider.name != "off" && &*target.model != "o3");
                prop_assert!(name(target) != "own/default/x" || input_tokens <= 50);
            }
            let names: Vec<_> = targets.iter().map(name).collect();
            prop_assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
            let ends: Vec<_> = names.iter().map(|name| world.cooling.get(name).copied()).collect();
            prop_assert!(ends.is_sorted(), "{:?} {:?}", names, ends);
        }
    }

    #[test]
    fn the_order_is_a_permutation_whatever_chance_and_traffic_say(
        bench in any_bench(),
        one in world(),
        other in world(),
        model in prop::sample::select(MODELS),
        way in prop::sample::select(&[Way::Default, Way::Router("r")][..]),
    ) {
        let ask = Ask { way, model: Some(model), key: "test", ..Ask::default() };
        let set = |world: &World| {
            let planned = bench.plan_in(&ask, world).ok()?;
            let mut names: Vec<_> = planned.targets.iter().map(name).collect();
            names.sort();
            Some((names, planned.dropped))
        };
        prop_assert_eq!(set(&one), set(&other));
    }
}

#[test]
fn a_plan_for_one_model_draws_nothing_and_asks_nothing() {
    let bench = bench(&json!({"fallbacks": {"o3": ["gpt-5"]}}));
    let world = World::default();
    assert_eq!(bench.targets_in(&asking("openai/gpt-4o"), &world), ["openai/gpt-4o"]);
    assert_eq!(world.draws.get(), 0);
}

#[test]
fn a_plan_is_bounded() {
    let wide: Vec<_> = (0..200).map(|index| json!({"model": format!("own/m{index}")})).collect();
    let bench = bench(&json!({"keys": [key(&json!({"routing": {"strategy": "split", "targets": wide}}))]}));
    let planned = bench.plan(&Ask { key: "test", ..Ask::default() }).unwrap();
    assert_eq!(planned.targets.len(), MAX_TARGETS);
}

#[test]
fn whatever_the_check_of_the_file_lets_pass_is_walked_to_its_end() {
    let key = key(&json!({"routing": "r0"}));
    let link = |index: usize| {
        let next = if index == 30 { json!("own/x") } else { json!({"routing": format!("r{}", index + 1)}) };
        (format!("r{index}"), json!({"strategy": "fallback", "targets": [next]}))
    };
    let deep: serde_json::Map<_, _> = (0..31).map(link).collect();
    let deep = bench(&json!({"keys": [key], "routing": deep}));
    assert_eq!(deep.targets(&Ask { key: "test", ..Ask::default() }), ["own/x"]);
    let wide = (0..511).map(|index| if index == 510 { "own/x".to_owned() } else { format!("deepseek/{index}") });
    let wide = json!({"strategy": "fallback", "targets": wide.collect::<Vec<_>>()});
    let wide = bench(&json!({"keys": [key], "routing": {"r0": wide}}));
    assert_eq!(wide.targets(&Ask { key: "test", ..Ask::default() }), ["own/x"]);
}
