//! What names mean, and who sees which models.

mod aliases;

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use core::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{config, error::Kind, gateway::Gateway};

/// Two of one vendor, a proxy with a vendor's name, one of a kind of its own, one without its credential.
fn file() -> Value {
    let open = |kind: &str, url: &str| json!({"kind": kind, "base_url": url, "credential": {"value": "secret"}});
    json!({
        "providers": {
            "openai": open("openai", "https://api.openai.com/v1"),
            "proxy": open("openai", "https://api.openai.com/v1"),
            "groq": open("openai", "http://127.0.0.1:1/openai/v1"),
            "claude": open("anthropic", "http://127.0.0.1:1"),
            "ollama": {"kind": "ollama", "base_url": "http://127.0.0.1:1"},
            "deepseek": {"kind": "openai", "base_url": "https://api.deepseek.com", "credential": {"env": "NOT_SET"}},
            "off": {"kind": "gemini", "credential": {"value": "secret"}, "enabled": false},
        },
        "models": {
            "openai/gpt-4o": {"price": {"input": 9}, "team": {"owner": "search"}},
            "openai/o3": {"enabled": false},
            "openai/house": {"id": "ft:gpt-4o:house", "name": "House", "released": "2030-01-01", "snapshot_of": "openai/gpt-4o"},
            "ollama/llama3.2": {"enabled": false},
            "ollama/qwen3:latest": {},
        },
        "aliases": {
            "fast": "openai/gpt-4o-mini",
            "smart": ["off/gemini-2.5-pro", "deepseek/deepseek-v4-pro", "claude-sonnet-4-5", "openai/gpt-4o"],
            "best": ["smart", "fast"],
            "gpt-5": "openai/gpt-5",
            "broken": ["nothing"],
        },
        "model_mapping": {
            "gpt-4": {"claude": "claude-opus-4-5", "groq": "groq/openai/gpt-oss-20b"},
            "mini": {"groq": "openai/gpt-oss-20b"},
        },
        "auto": {"default_model": "fast"},
    })
}

fn gateway(file: &Value) -> Gateway {
    Gateway::new(&config::parse(&file.to_string()).unwrap(), |_| None)
}

fn standard() -> Gateway {
    gateway(&file())
}

struct Epoch;

impl crate::host::Clock for Epoch {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

/// The holder of a key with this scope.
fn holder(scope: &Value) -> Caller {
    let mut key = json!({"id": "k", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"});
    key.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
    let mut file = file();
    file["keys"] = json!([key]);
    // The hash is that of this word.
    gateway(&file).keys.admit(Some(crate::auth::Credential(b"test")), &Epoch, &()).unwrap()
}

fn meaning(gateway: &Gateway, name: &str, caller: &Caller) -> Result<String, (Kind, String)> {
    let choice = gateway.catalogue.resolve(name, caller);
    choice.map(|choice| format!("{} {}", choice.provider.name, choice.id)).map_err(|error| (error.kind, error.message))
}

fn ids(gateway: &Gateway, caller: &Caller, query: &str) -> Vec<String> {
    let list: Value = serde_json::from_slice(&gateway.catalogue.list(caller, query, None)).unwrap();
    assert_eq!(list["object"], "list");
    list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_string()).collect()
}

fn card(gateway: &Gateway, name: &str) -> Value {
    serde_json::from_slice(&gateway.catalogue.retrieve(name, &Caller::Anonymous, None).unwrap()).unwrap()
}

#[test]
fn a_name_means_one_model_of_one_provider() {
    let gateway = standard();
    for (name, expected) in [
        ("openai/gpt-4o", "openai gpt-4o"),
        ("proxy/gpt-4o", "proxy gpt-4o"),
        // Not in the catalogue: passed on.
        ("openai/gpt-99", "openai gpt-99"),
        ("openai/meta/llama", "openai meta/llama"),
        ("ollama/llama3.3:70b", "ollama llama3.3:70b"),
        // Its own name, whatever it is called at its provider.
        ("openai/house", "openai ft:gpt-4o:house"),
        ("house", "openai ft:gpt-4o:house"),
        ("ft:gpt-4o:house", "openai ft:gpt-4o:house"),
        ("openai/ft:gpt-4o:house", "openai ft:gpt-4o:house"),
        // A snapshot, and an id with a slash, with and without its provider.
        ("claude/claude-sonnet-4-5-20250929", "claude claude-sonnet-4-5-20250929"),
        ("claude-sonnet-4-5", "claude claude-sonnet-4-5"),
        ("groq/openai/gpt-oss-120b", "groq openai/gpt-oss-120b"),
        // A provider's name before the slash says whose it is.
        ("openai/gpt-oss-120b", "openai gpt-oss-120b"),
        // Ollama's tag.
        ("ollama/qwen3", "ollama qwen3:latest"),
        ("qwen3", "ollama qwen3:latest"),
        ("qwen3:latest", "ollama qwen3:latest"),
        // Other names.
        ("fast", "openai gpt-4o-mini"),
        ("auto", "openai gpt-4o-mini"),
        ("gpt-5", "openai gpt-5"),
        ("smart", "claude claude-sonnet-4-5"),
        ("best", "claude claude-sonnet-4-5"),
        ("mini", "groq openai/gpt-oss-20b"),
        ("claude/gpt-4", "claude claude-opus-4-5"),
        ("groq/gpt-4", "groq openai/gpt-oss-20b"),
    ] {
        assert_eq!(meaning(&gateway, name, &Caller::Anonymous).as_deref(), Ok(expected), "{name}");
    }
}

#[test]
fn what_means_nothing_or_two_things_is_not_found_and_says_why() {
    let gateway = standard();
    for (name, word) in [
        ("gpt-99", "provider/model"),
        ("mistral/large", "provider/model"),
        ("off/gemini-2.5-pro", "provider/model"),
        ("gpt-4o", "`openai/gpt-4o`, `proxy/gpt-4o`"),
        ("gpt-4", "`claude/claude-opus-4-5`, `groq/openai/gpt-oss-20b`"),
        ("openai/o3", "disabled"),
        ("ollama/llama3.2", "disabled"),
        ("ollama/llama3.2:latest", "disabled"),
        ("llama3.2", "disabled"),
        ("llama3.2:latest", "disabled"),
        ("broken", "`nothing`"),
        ("openai/", "provider/model"),
        ("/gpt-4o", "provider/model"),
        ("Openai/gpt-4o", "provider/model"),
    ] {
        let (kind, message) = meaning(&gateway, name, &Caller::Anonymous).unwrap_err();
        assert_eq!(kind, Kind::ModelNotFound, "{name}: {message}");
        assert!(message.contains(word), "{name}: {message}");
    }
    // `o3` of the other provider of that vendor is still there.
    assert_eq!(meaning(&gateway, "o3", &Caller::Anonymous).as_deref(), Ok("proxy o3"));
    let (kind, message) = meaning(&gateway, "deepseek/deepseek-v4-pro", &Caller::Anonymous).unwrap_err();
    assert_eq!((kind, message.contains("NOT_SET")), (Kind::UpstreamUnavailable, true));
    assert_eq!(meaning(&gateway, "deepseek-v4-pro", &Caller::Anonymous).unwrap_err().0, Kind::UpstreamUnavailable);
}

#[test]
fn a_strict_catalogue_knows_what_it_knows() {
    let mut file = file();
    file["catalogue"] = json!({"strict": true});
    let gateway = gateway(&file);
    for (name, is_known) in
        [("openai/gpt-4o", true), ("openai/house", true), ("groq/gpt-4", true), ("openai/gpt-99", false)]
    {
        assert_eq!(meaning(&gateway, name, &Caller::Anonymous).is_ok(), is_known, "{name}");
    }
}

#[test]
fn the_only_provider_gets_any_name_where_nobody_has_said_what_it_has() {
    let own = |models: Value, strict: bool| {
        let provider = json!({"own": {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"}});
        gateway(&json!({"providers": provider, "models": models, "catalogue": {"strict": strict}}))
    };
    let any = own(json!({}), false);
    assert_eq!(meaning(&any, "any", &Caller::Anonymous).as_deref(), Ok("own any"));
    assert_eq!(meaning(&any, "meta/llama", &Caller::Anonymous).as_deref(), Ok("own meta/llama"));
    for gateway in [own(json!({"own/other": {}}), false), own(json!({}), true)] {
        assert_eq!(meaning(&gateway, "any", &Caller::Anonymous).unwrap_err().0, Kind::ModelNotFound);
    }
}

#[test]
fn scope_is_held_against_what_a_name_leads_to() {
    let gateway = standard();
    let narrow = holder(&json!({"models": ["gpt-4o", "claude/*"], "providers": ["openai", "claude"]}));
    for (name, expected) in [
        ("openai/gpt-4o", Ok("openai gpt-4o")),
        // Unambiguous among what this key may use.
        ("gpt-4o", Ok("openai gpt-4o")),
        ("proxy/gpt-4o", Err(Kind::PermissionDenied)),
        ("fast", Err(Kind::PermissionDenied)),
        ("auto", Err(Kind::PermissionDenied)),
        ("smart", Ok("claude claude-sonnet-4-5")),
        ("gpt-4", Ok("claude claude-opus-4-5")),
        ("house", Err(Kind::PermissionDenied)),
        ("openai/gpt-99", Err(Kind::PermissionDenied)),
        ("claude/claude-99", Ok("claude claude-99")),
    ] {
        let found = meaning(&gateway, name, &narrow).map_err(|(kind, _)| kind);
        assert_eq!(found.as_deref().map_err(|kind| *kind), expected, "{name}");
    }
    // A pattern may name a model as the file does, or as its provider does.
    for pattern in ["house", "openai/house", "ft:*", "openai/ft:gpt-4o:*"] {
        let key = holder(&json!({"models": [pattern]}));
        assert_eq!(meaning(&gateway, "house", &key).as_deref(), Ok("openai ft:gpt-4o:house"), "{pattern}");
    }
}

#[test]
fn the_list_is_what_the_caller_may_use_newest_first_then_aliases_then_auto() {
    let gateway = standard();
    let all = ids(&gateway, &Caller::Anonymous, "");
    assert_eq!(all.first().map(String::as_str), Some("openai/house"));
    assert_eq!(&all[all.len() - 5..], ["best", "fast", "gpt-5", "smart", "auto"]);
    let models = &all[..all.len() - 5];
    for id in
        ["openai/gpt-4o", "proxy/gpt-4o", "groq/openai/gpt-oss-120b", "claude/claude-haiku-4-5", "ollama/qwen3:latest"]
    {
        assert!(models.iter().any(|model| model == id), "{id}");
    }
    for part in ["deepseek/", "off/", "openai/o3", "ollama/llama3.2"] {
        assert!(!models.iter().any(|model| model.starts_with(part) && !model.starts_with("openai/o3-")), "{part}");
    }
    let created: Vec<_> = models.iter().map(|id| card(&gateway, id)["created"].as_u64().unwrap()).collect();
    assert!(created.is_sorted_by(|a, b| a >= b), "{created:?}");
    assert_eq!(
        ids(&gateway, &holder(&json!({"models": ["claude/claude-haiku-4-5"]})), ""),
        ["claude/claude-haiku-4-5"]
    );
    assert_eq!(ids(&gateway, &holder(&json!({"providers": ["ollama"]})), ""), ["ollama/qwen3:latest"]);
    assert_eq!(
        ids(&gateway, &holder(&json!({"models": ["gpt-5"], "providers": ["openai"]})), ""),
        ["openai/gpt-5", "gpt-5"]
    );
}

#[test]
fn the_list_can_be_narrowed_and_its_snapshots_grouped() {
    let gateway = standard();
    let open = |query: &str| ids(&gateway, &Caller::Anonymous, query);
    let of_two = open("provider=ollama,groq");
    let is_theirs = |id: &String| ["ollama/", "groq/"].iter().any(|provider| id.starts_with(provider));
    assert!(of_two.iter().any(|id| id == "groq/openai/gpt-oss-20b") && of_two.iter().all(is_theirs), "{of_two:?}");
    assert_eq!(open("provider=ollama%2Cgroq&status=available"), of_two);
    // An alias is found by what it stands for, too.
    assert_eq!(
        open("provider=claude&q=SONNET+4.5"),
        ["claude/claude-sonnet-4-5", "claude/claude-sonnet-4-5-20250929", "best", "smart"]
    );
    assert_eq!(open("provider=nobody"), [""; 0]);
    assert_eq!(open("status=cooling_down"), [""; 0]);
    assert_eq!(open("provider=&status=&q="), open(""), "an empty filter is none");
    assert_eq!(open("q=fast"), ["fast"]);
    let grouped = open("group_snapshots=true&provider=openai&q=4o");
    assert_eq!(grouped.first().map(String::as_str), Some("openai/gpt-4o-mini"));
    assert!(grouped.iter().all(|id| !id.contains("-20")), "{grouped:?}");
    assert!(["openai/gpt-4o", "fast", "auto"].iter().all(|id| grouped.iter().any(|other| other == id)), "{grouped:?}");
    let list: Value =
        serde_json::from_slice(&gateway.catalogue.list(&Caller::Anonymous, "group_snapshots=1", None)).unwrap();
    let base = list["data"].as_array().unwrap().iter().find(|model| model["id"] == "openai/gpt-4o").unwrap();
    assert_eq!(
        base["snapshots"],
        json!(["openai/house", "openai/gpt-4o-2024-11-20", "openai/gpt-4o-2024-08-06", "openai/gpt-4o-2024-05-13"])
    );
    // Alone in its scope, a snapshot is nobody's.
    let key = holder(&json!({"models": ["gpt-4o-2024-08-06"], "providers": ["openai"]}));
    assert_eq!(ids(&gateway, &key, "group_snapshots=true"), ["openai/gpt-4o-2024-08-06"]);
}

#[test]
fn a_card_has_what_is_known_the_files_word_first() {
    let gateway = standard();
    assert_eq!(
        card(&gateway, "openai/gpt-4o"),
        json!({
            "id": "openai/gpt-4o", "object": "model", "created": 1_715_558_400, "owned_by": "openai", "status": "available",
            "provider": "openai", "name": "GPT-4o", "context_window": 128_000, "max_output_tokens": 16_384,
            "price": {"input": 9, "cached_input": 1.25, "output": 10}, "capabilities": ["vision", "tools", "json_schema"],
            "metadata": {"team": {"owner": "search"}},
        })
    );
    assert_eq!(
        card(&gateway, "ft:gpt-4o:house"),
        json!({
            "id": "openai/house", "object": "model", "created": 1_893_456_000, "owned_by": "openai", "status": "available",
            "provider": "openai", "name": "House", "snapshot_of": "openai/gpt-4o",
        })
    );
    let smart = card(&gateway, "smart");
    assert_eq!(smart["alias_of"], json!(["claude/claude-sonnet-4-5", "openai/gpt-4o"]));
    assert_eq!((&smart["owned_by"], &smart["max_output_tokens"]), (&json!("dragoman"), &json!(64_000)));
    assert_eq!(card(&gateway, "auto")["alias_of"], json!(["openai/gpt-4o-mini"]));
    assert_eq!(card(&gateway, "claude/claude-haiku-4-5")["owned_by"], "anthropic");
    for name in ["", "nothing", "openai/o3", "openai/gpt-99", "broken", "deepseek/deepseek-v4-pro", "gpt-4o"] {
        assert_eq!(gateway.catalogue.retrieve(name, &Caller::Anonymous, None), None, "{name}");
    }
    let key = holder(&json!({"models": ["gpt-4o"], "providers": ["openai"]}));
    assert!(gateway.catalogue.retrieve("gpt-4o", &key, None).is_some());
    assert_eq!(gateway.catalogue.retrieve("openai/gpt-5", &key, None), None);
    assert_eq!(gateway.catalogue.retrieve("fast", &key, None), None);
}

#[test]
fn the_same_model_at_other_vendors_is_named() {
    let mut file = file();
    let url = "https://api.groq.com/openai/v1";
    file["providers"]["second"] = json!({"kind": "openai", "base_url": url, "credential": {"value": "secret"}});
    let gateway = gateway(&file);
    assert_eq!(card(&gateway, "groq/openai/gpt-oss-20b")["equivalents"], json!(["second/openai/gpt-oss-20b"]));
}

#[test]
fn a_deployment_that_is_called_like_a_model_has_its_price_and_is_in_no_list() {
    let mut file = file();
    for name in ["azure", "eu"] {
        file["providers"][name] = json!({"kind": "openai", "base_url": "https://x.openai.azure.com/openai",
            "credential": {"value": "secret"}});
    }
    file["models"]["eu/o1"] = json!({"price": {"input": 9}});
    let gateway = gateway(&file);
    let input = |provider: &str, id: &str| {
        let provider = gateway.provider(provider).unwrap();
        gateway.catalogue.price(provider, id).input.map(|price| price.to_string())
    };
    let price = |text: &str| Some(text.to_string());
    assert_eq!((input("azure", "o1"), input("azure", "mine")), (price("15"), None));
    assert_eq!((input("eu", "o1"), input("eu", "o1-2024-12-17")), (price("9"), price("15")));
    assert_eq!((input("openai", "phi-4"), input("ollama", "phi-4")), (None, None), "nobody else's are Azure's");
    assert!(gateway.catalogue.lists("eu", "o1") && !gateway.catalogue.lists("azure", "o1"));
}

#[test]
fn of_thousands_of_models_each_is_listed_once_or_with_what_it_is_a_version_of() {
    let mut file = file();
    for index in 0..2_500 {
        file["models"][format!("openai/x{index:04}")] = json!({});
        file["models"][format!("openai/x{index:04}-1")] = json!({"snapshot_of": format!("openai/x{index:04}")});
    }
    let gateway = gateway(&file);
    let open = |query: &str| ids(&gateway, &Caller::Anonymous, query);
    assert_eq!(open("q=openai/x").len(), 5_000);
    let bases: Vec<_> = (0..2_500).map(|index| format!("openai/x{index:04}")).collect();
    assert!(open("q=openai/x&group_snapshots=1") == bases, "a version is listed beside its base");
}
