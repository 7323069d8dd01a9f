//! Why a candidate is no target, and what the caller is told where none is left.

use super::*;
use crate::dialect::{
    Downstream,
    openai_chat::{OpenAiChat, SCHEME},
};

fn file() -> Value {
    json!({
        "auth": {"required": false},
        "models": {
            "openai/o3": {"enabled": false},
            "own/blind": {"capabilities": ["tools"], "context_window": 1000},
            "own/mute": {"capabilities": [], "context_window": 4000},
        },
        "keys": [key(&json!({"providers": ["openai", "deepseek"], "models": ["gpt-4o*", "deepseek*"]}))],
        "aliases": {"both": ["own/blind", "own/mute"], "gone": ["off/gemini-2.5-pro", "deepseek/deepseek-v4-pro"]},
        "fallback_models": ["own/anything"],
    })
}

#[test]
fn one_candidate_is_refused_in_its_own_words() {
    let mut file = file();
    file["fallback_models"] = json!([]);
    let bench = bench(&file);
    let scoped = |model| Ask { key: "test", ..asking(model) };
    for (ask, kind, words) in [
        (Ask::default(), Kind::InvalidRequest, "You must say which `model` to use."),
        (asking("gpt-99"), Kind::ModelNotFound, "The model `gpt-99` is not known."),
        (asking("openai/o3"), Kind::ModelNotFound, "The model `openai/o3` is disabled."),
        (scoped("own/blind"), Kind::PermissionDenied, "This key may not use the provider `own`."),
        (scoped("gpt-5"), Kind::PermissionDenied, "This key may not use the model `openai/gpt-5`."),
        (asking("deepseek/x"), Kind::UpstreamUnavailable, "The provider `deepseek` is not configured:"),
        (
            Ask { has_images: true, ..asking("own/blind") },
            Kind::InvalidRequest,
            "The model `own/blind` does not take images.",
        ),
        (
            Ask { has_tools: true, ..asking("own/mute") },
            Kind::InvalidRequest,
            "The model `own/mute` does not take tools.",
        ),
        (
            Ask { input_tokens: 1001, ..asking("blind") },
            Kind::ContextLengthExceeded,
            "The model `own/blind` has a context of 1000",
        ),
        (
            Ask { input_tokens: 500, max_output_tokens: Some(501), ..asking("blind") },
            Kind::ContextLengthExceeded,
            "The model `own/blind` has a context of 1000",
        ),
    ] {
        let (found, message) = bench.refusal(&ask);
        assert_eq!(found, kind, "{message}");
        assert!(message.starts_with(words), "{message}");
        assert!(bench.plan(&Ask { way: Way::Ai, ..ask }).is_err());
    }
    // What the catalogue does not know is able.
    let able = Ask { has_images: true, has_tools: true, input_tokens: 1 << 40, ..asking("own/new") };
    assert_eq!(bench.targets(&able), ["own/new"]);
    assert_eq!(bench.targets(&Ask { has_tools: true, ..asking("own/blind") }), ["own/blind"]);
}

#[test]
fn of_several_reasons_the_one_counts_that_helps_and_all_are_told() {
    let mut file = file();
    file["fallback_models"] = json!([]);
    let bench = bench(&file);
    let both = Ask { input_tokens: 1500, has_tools: true, ..asking("both") };
    let (kind, message) = bench.refusal(&both);
    assert_eq!(kind, Kind::ContextLengthExceeded);
    assert!(message.contains("`own/blind`: ") && message.contains("`own/mute`: "), "{message}");
    assert!(message.contains("does not take tools"), "{message}");
    let (kind, message) = bench.refusal(&asking("gone"));
    assert_eq!(kind, Kind::UpstreamUnavailable, "{message}");
    let (kind, _) = bench.refusal(&Ask { key: "test", ..asking("both") });
    assert_eq!(kind, Kind::PermissionDenied);
}

#[test]
fn what_stands_in_is_for_the_failures_of_providers_and_not_for_the_callers_errors() {
    let bench = bench(&file());
    for ask in [asking("gpt-99"), asking("openai/o3"), Ask { key: "test", ..asking("gpt-5") }] {
        assert!(bench.plan(&ask).is_err(), "{ask:?}");
    }
    for ask in [asking("deepseek/x"), Ask { has_images: true, ..asking("own/blind") }] {
        let planned = bench.plan(&ask).unwrap();
        assert_eq!(shorts(&planned.targets), ["own/anything"]);
        assert_eq!(planned.dropped.len(), 1, "{:?}", planned.dropped);
    }
    // It is not for everybody, either.
    let planned = bench.plan(&Ask { key: "test", ..asking("gpt-4o") }).unwrap();
    assert_eq!(shorts(&planned.targets), ["openai/gpt-4o"]);
    assert_eq!(planned.dropped[0].candidate, "own/anything");
    assert_eq!(planned.dropped[0].error.kind, Kind::PermissionDenied);
}

#[test]
fn a_provider_that_is_off_or_has_nothing_for_the_model_is_dropped() {
    let routers = json!({"r": {"load_balance": {"chat": {"strategy": "fallback", "targets": [
        {"provider": "off"}, {"provider": "anthropic"}, {"provider": "deepseek", "model": "x"}, {"provider": "openai"},
    ]}}}});
    let bench = bench(&json!({"routers": routers}));
    let planned = bench.plan(&Ask { way: Way::Router("r"), ..asking("gpt-4o") }).unwrap();
    assert_eq!(shorts(&planned.targets), ["openai/gpt-4o"]);
    let dropped: Vec<_> =
        planned.dropped.iter().map(|dropped| (dropped.candidate.as_str(), dropped.error.kind)).collect();
    let expected =
        [("off", Kind::ModelNotFound), ("anthropic", Kind::ModelNotFound), ("deepseek/x", Kind::UpstreamUnavailable)];
    assert_eq!(dropped, expected);
    let (kind, message) = bench.refusal(&Ask { way: Way::Router("r"), ..Ask::default() });
    assert_eq!(kind, Kind::InvalidRequest, "{message}");
}

#[test]
fn no_reason_tells_a_secret_and_not_all_of_many_are_told() {
    let many: Vec<_> = (0..40).map(|index| json!({"model": format!("deepseek/m{index}")})).collect();
    let routing = json!({"strategy": "fallback", "targets": many});
    let bench = bench(&json!({"keys": [key(&json!({"routing": routing}))]}));
    let (kind, message) = bench.refusal(&Ask { key: "test", ..Ask::default() });
    assert_eq!(kind, Kind::UpstreamUnavailable);
    assert!(message.ends_with("And 32 more.") && !message.contains("secret"), "{message}");
}

#[test]
fn a_target_that_cools_down_stands_behind_the_others_by_its_end() {
    let bench = bench(&json!({"aliases": {"all": ["openai/gpt-4o", "openai/o3", "own/x", "openai/gpt-5"]}}));
    let cooling = [("openai/default/gpt-4o", 300), ("own/default/x", 200)];
    let cooling = cooling.into_iter().map(|(name, end)| (name.to_owned(), end)).collect();
    let world = World { cooling, ..World::default() };
    let targets = bench.targets_in(&asking("all"), &world);
    assert_eq!(targets, ["openai/o3", "openai/gpt-5", "own/x", "openai/gpt-4o"]);
    // Where there is no other, it is asked.
    assert_eq!(bench.targets_in(&asking("openai/gpt-4o"), &world), ["openai/gpt-4o"]);
}

#[test]
fn who_is_passed_over_is_told_with_the_reason_though_others_are_asked() {
    let bench = bench(&json!({
        "aliases": {"all": ["deepseek/x", "openai/gpt-4o", "own/x"], "well": ["openai/gpt-4o", "own/x"]},
        "content_fallbacks": {"*": ["deepseek/y"]},
    }));
    let cooling: BTreeMap<_, _> = [("openai/default/gpt-4o".to_owned(), 1_767_225_600_001)].into();
    let world = World { cooling, ..World::default() };
    let planned = bench.plan_in(&asking("all"), &world).unwrap();
    assert_eq!(shorts(&planned.targets), ["own/x", "openai/gpt-4o"]);
    let (dropped, cooling) =
        planned.passed_over().split_once(" `openai/gpt-4o`: ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert!(dropped.starts_with("`deepseek/x`: The provider `deepseek` is not configured:"), "{dropped}");
    assert_eq!(cooling, "It failed lately and comes after the others until 2026-01-01T00:00:01Z.");
    assert_eq!(bench.plan(&asking("well")).unwrap().passed_over(), "");
    // Where all cool, none is passed over for it.
    let cooling = ["openai/default/gpt-4o", "own/default/x"].map(|name| (name.to_owned(), 1)).into();
    let world = World { cooling, ..World::default() };
    assert_eq!(bench.plan_in(&asking("well"), &world).unwrap().passed_over(), "");
}

/// What a request in OpenAI's shape wishes for, as its scan tells.
fn wishing(body: &str) -> (Wishes, &'static dyn Downstream) {
    let mut scanner = SCHEME.scanner();
    let fed = scanner.feed(body.as_bytes());
    let request = SCHEME.read(fed.and_then(|()| scanner.finish()), body.len()).unwrap();
    (request.wishes, &OpenAiChat)
}

#[test]
fn a_target_whose_format_cannot_say_what_is_asked_for_is_passed_over() {
    let mut providers = providers();
    providers["gemini"] = json!({"kind": "gemini", "credential": {"value": "x"}});
    let bench = bench(&json!({
        "auth": {"required": false},
        "providers": providers,
        "aliases": {
            "chain": ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"],
            "foreign": ["anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"],
        },
        "context_fallbacks": {"openai/gpt-4o": ["anthropic/claude-sonnet-4-5"]},
    }));
    let ask = |model, body| Ask { wishes: wishing(body), ..asking(model) };
    let sound = r#"{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]}"#;
    for (body, targets, dropped) in [
        (r#"{"n":1}"#, "openai/gpt-4o anthropic/claude-sonnet-4-5 gemini/gemini-2.5-flash", ""),
        (r#"{"n":2}"#, "openai/gpt-4o gemini/gemini-2.5-flash", "anthropic/claude-sonnet-4-5 n"),
        (sound, "openai/gpt-4o gemini/gemini-2.5-flash", "anthropic/claude-sonnet-4-5 messages"),
    ] {
        let planned = bench.plan(&ask("chain", body)).unwrap();
        assert_eq!(shorts(&planned.targets).join(" "), targets, "{body}");
        let reasons = planned.dropped.iter().map(|Dropped { candidate, error }| {
            assert_eq!(error.kind, Kind::InvalidRequest);
            format!("{candidate} {}", error.param.as_deref().unwrap_or_default())
        });
        assert_eq!(reasons.collect::<Vec<_>>().join(" "), dropped, "{body}");
    }
    let (kind, message) = bench.refusal(&ask("foreign", r#"{"logit_bias":{"1":2}}"#));
    assert_eq!(kind, Kind::InvalidRequest);
    assert!(message.contains("`anthropic/claude-sonnet-4-5`: This model takes no `logit_bias`."), "{message}");
    // Alone it says so itself.
    assert_eq!(bench.targets(&ask("anthropic/claude-sonnet-4-5", r#"{"n":2}"#)), ["anthropic/claude-sonnet-4-5"]);
    // A stand-in is never alone.
    let planned = bench.plan(&ask("openai/gpt-4o", r#"{"n":2}"#)).unwrap();
    assert_eq!((shorts(&planned.on_context).len(), planned.dropped.len()), (0, 0));
}
