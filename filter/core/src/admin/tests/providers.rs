//! What an operator is told of providers and models, and what he changes of them while the gateway runs.

use super::*;
use crate::{
    auth::Caller,
    config::Cooldown,
    health::{Symptom, Trouble},
};

fn file() -> Value {
    json!({
        "providers": {
            "o": {"kind": "openai", "base_url": "https://o.example/v1", "credential": {"env": "UNSET"}},
            "g": {"kind": "gemini", "credential": {"env": "SET"}, "timeouts": {"first_byte": "20s"}},
            "own": {"kind": "openai", "base_url": "http://own/v1", "cluster": "mine", "timeouts": {"first_byte": "10s"}},
            "two": {"kind": "anthropic", "accounts": [
                {"name": "eu", "credential": {"env": "UNSET"}, "base_url": "https://eu.example/v1"},
                {"name": "us", "credential": {"env": "SET"}},
            ]},
        },
        "models": {"o/m": {"price": {"input": 1}}, "o/off": {"enabled": false}},
        "environments": {"e": {"providers": {"o": {"base_url": "https://e.example/v1"}}}},
        "admin": {"keys": [
            {"id": "op", "sha256": hash("operator")},
            {"id": "dev", "sha256": hash("developer"), "role": "developer"},
        ]},
    })
}

#[test]
fn a_provider_gets_a_credential_that_holds_on_all_workers_and_is_never_told() {
    let store = Rc::new(Memory::default());
    let (here, there) = (Desk::beside(&file(), &store), Desk::beside(&file(), &store));
    let before = here.get("/admin/v1/providers/o");
    let lacking = json!([{"account": "default", "missing": "the environment variable UNSET is not set"}]);
    assert_eq!((&before["status"], &before["lacking"]), (&json!("not_configured"), &lacking));
    let reply =
        here.send(("PATCH", "/admin/v1/providers/o"), "operator", &[], r#"{"credential":{"value":"sk-told-canary"}}"#);
    assert_eq!(reply.status, 200, "{:?}", str::from_utf8(&reply.body));
    let presented = |desk: &Desk| {
        let gateway = desk.current.gateway();
        let account = gateway.provider("o").unwrap().accounts.first().cloned().unwrap();
        account.headers().last().map(|(_, secret)| secret.expose().clone())
    };
    for desk in [&here, &there] {
        assert_eq!(presented(desk).as_deref(), Some("Bearer sk-told-canary"));
        for path in ["/admin/v1/providers", "/admin/v1/providers/o", "/admin/v1/config", "/admin/v1/status"] {
            let told = desk.get(path).to_string();
            assert!(!told.contains("canary"), "{path}: {told}");
        }
        let told = desk.get("/admin/v1/providers/o");
        assert_eq!((&told["status"], &told["source"]), (&json!("connected"), &json!("changed")));
        assert_eq!(told["credential"], json!({"env": "PROVIDERS_O_CREDENTIAL"}));
    }
    here.done("PATCH", "/admin/v1/providers/o", &json!({"credential": {"env": "SET"}}));
    assert_eq!(presented(&there).as_deref(), Some("Bearer sk-canary"));
    let accounts =
        json!({"accounts": [{"name": "only", "credential": {"value": "sk-third-canary"}}], "credential": null});
    let told = here.done("PATCH", "/admin/v1/providers/o", &accounts);
    assert!(!told.to_string().contains("canary"), "{told}");
    assert_eq!(presented(&there).as_deref(), Some("Bearer sk-third-canary"));
}

#[test]
fn a_credential_is_given_to_a_provider_that_was_rendered() {
    let config = config::to_brief_json(&config::parse(&file().to_string()).unwrap());
    let rendered: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(rendered["providers"]["o"]["accounts"][0]["name"], json!("default"));
    let desk = Desk::of(&rendered);
    let told = desk.done("PATCH", "/admin/v1/providers/o", &json!({"credential": {"value": "sk-new-canary"}}));
    assert_eq!((&told["status"], &told["lacking"]), (&json!("connected"), &json!([])));
    assert!(!told.to_string().contains("canary"), "{told}");
}

#[test]
fn no_refusal_tells_the_secret_that_was_sent() {
    let desk = Desk::of(&file());
    for credential in [
        json!("sk-canary"),
        json!({"valu": "sk-canary"}),
        json!({"value": "sk canary"}),
        json!({"value": ["sk-canary"]}),
        json!({"env": "sk-canary"}),
    ] {
        let (status, reply) = desk.said("PATCH", "/admin/v1/providers/o", &json!({"credential": credential}));
        assert_eq!(status, 400, "{credential}: {reply}");
        assert!(!reply.to_string().contains("canary"), "{reply}");
    }
}

#[test]
fn a_provider_is_switched_off_and_on_and_told_to_be() {
    let desk = Desk::of(&file());
    let told = desk.done("PATCH", "/admin/v1/providers/g", &json!({"enabled": false}));
    assert_eq!(told["status"], json!("disabled"));
    assert!(desk.current.gateway().provider("g").is_none());
    let told = desk.done("PATCH", "/admin/v1/providers/g", &json!({"enabled": true}));
    assert_eq!(told["status"], json!("connected"));
}

#[test]
fn a_target_that_is_passed_over_is_told_with_until_when_and_why() {
    let desk = Desk::of(&file());
    let gateway = desk.current.gateway();
    let provider = Rc::clone(gateway.provider("g").unwrap());
    let account = Rc::clone(&provider.accounts[0]);
    let target = Target { provider, account, model: "m".into(), max_output_tokens: None };
    let cooldown = Cooldown { default: Duration::from_secs(30), max: Duration::from_mins(10) };
    let trip = desk.observer.begin(&target, None, Now.epoch_millis());
    trip.failed(Now.epoch_millis(), Symptom { trouble: Trouble::RateLimited, retry_after: None }, cooldown);
    let told = desk.get("/admin/v1/providers/g");
    assert_eq!(told["status"], json!("cooling_down"));
    let cooling = json!([{"account": "default", "model": "m", "until": told["cooling"][0]["until"], "why": Trouble::RateLimited.text()}]);
    assert_eq!(told["cooling"], cooling);
    assert!(told["cooling"][0]["until"].as_str().is_some_and(|until| until.starts_with("2026-01-01T00:30:")), "{told}");
    assert_eq!(desk.get("/admin/v1/providers/o")["cooling"], json!([]));
}

#[test]
fn what_envoy_was_not_started_with_is_refused_with_what_to_write_into_the_file() {
    let desk = Desk::of(&file());
    let new = json!({"name": "new", "kind": "openai", "base_url": "https://new.example/v1", "credential": {"value": "sk-canary"}});
    for (method, path, body, stanza) in [
        ("POST", "/admin/v1/providers", new, "providers:\n  new: {\""),
        ("PATCH", "/admin/v1/providers/o", json!({"base_url": "https://other.example/v1"}), "https://other.example/v1"),
        ("PATCH", "/admin/v1/providers/o", json!({"base_url": "https://o.example:8443/v1"}), "8443"),
        ("PATCH", "/admin/v1/providers/o", json!({"base_url": "http://o.example:443/v1"}), "http://o.example:443/v1"),
        ("PATCH", "/admin/v1/providers/own", json!({"cluster": null}), "http://own/v1"),
        (
            "PATCH",
            "/admin/v1/providers/two",
            json!({"accounts": [{"name": "us", "base_url": "https://us.example"}]}),
            "us.example",
        ),
        ("PATCH", "/admin/v1/providers/o", json!({"timeouts": {"total": "20m"}}), "20m"),
        ("PATCH", "/admin/v1/providers/o", json!({"timeouts": {"first_byte": "50s"}}), "50s"),
        ("PATCH", "/admin/v1/providers/o", json!({"timeouts": {"idle": "5m"}}), "5m"),
        ("PUT", "/admin/v1/routers/slow", json!({"retry": {"deadline": "90s"}}), "routers:\n  slow: "),
    ] {
        let (status, reply) = desk.said(method, path, &body);
        let message = reply["error"]["message"].as_str().unwrap_or_default();
        assert_eq!((status, &reply["error"]["code"]), (409, &json!("conflict")), "{method} {path} {body}: {reply}");
        assert!(message.contains(stanza) && !message.contains("canary"), "{stanza} in {message}");
    }
    assert_eq!(desk.get("/admin/v1/status")["changes"]["generation"], json!(0));
}

#[test]
fn what_envoy_was_started_with_leads_there_whatever_else_is_changed() {
    let desk = Desk::of(&file());
    for (method, path, body) in [
        ("PATCH", "/admin/v1/providers/o", json!({"base_url": "https://o.example/other"})),
        ("PATCH", "/admin/v1/providers/g", json!({"timeouts": {"first_byte": "5s"}})),
        ("PATCH", "/admin/v1/providers/own", json!({"base_url": "http://elsewhere/v1", "timeouts": {"total": "1h"}})),
        (
            "POST",
            "/admin/v1/providers",
            json!({"name": "new", "kind": "ollama", "base_url": "http://x", "cluster": "theirs"}),
        ),
        ("PUT", "/admin/v1/routers/quick", json!({"retry": {"deadline": "5s"}})),
        ("DELETE", "/admin/v1/providers/new", Value::Null),
    ] {
        let (status, reply) = desk.said(method, path, &body);
        assert!(matches!(status, 200 | 201), "{method} {path} {body}: {status} {reply}");
    }
    // Of two with the same patience one may go, but not the last.
    desk.done("DELETE", "/admin/v1/providers/two", &Value::Null);
    let only = json!({"providers": {
        "slow": {"kind": "gemini", "timeouts": {"first_byte": "40s"}}, "quick": {"kind": "openai"}},
        "admin": {"keys": [{"id": "op", "sha256": hash("operator")}]}});
    let (status, reply) = Desk::of(&only).said("DELETE", "/admin/v1/providers/slow", &Value::Null);
    assert!(status == 409 && reply.to_string().contains("switch it off"), "{reply}");
}

#[test]
fn the_models_of_the_catalogue_are_all_told_and_found() {
    let desk = Desk::of(&file());
    let all = desk.get("/admin/v1/models");
    let all = all["data"].as_array().unwrap();
    let is_of = |provider: &str| all.iter().filter(|model| model["provider"] == provider).count();
    // What is at `o.example` nobody knows; Gemini and Anthropic have models of their own.
    assert!(is_of("o") == 2 && is_of("g") > 10 && is_of("two") > 10, "{} {}", is_of("g"), is_of("two"));
    let find = |query: &str| {
        let told = desk.get(&format!("/admin/v1/models?{query}"));
        told["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| String::from(model["id"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(find("provider=o"), ["o/m", "o/off"]);
    assert_eq!(find("provider=o,g&q=OFF"), ["o/off"]);
    assert_eq!(find("enabled=false"), ["o/off"]);
    assert_eq!(find("enabled=true&provider=o"), ["o/m"]);
    for query in ["enabled=maybe", "status=x", "provider=%ff"] {
        assert_eq!(desk.said("GET", &format!("/admin/v1/models?{query}"), &Value::Null).0, 400, "{query}");
    }
    let told = desk.get("/admin/v1/models/two/claude-sonnet-4-5-20250929");
    for (name, value) in [
        ("id", json!("two/claude-sonnet-4-5-20250929")),
        ("provider", json!("two")),
        ("model", json!("claude-sonnet-4-5-20250929")),
        ("source", json!("built-in")),
        ("enabled", json!(true)),
        ("released", json!("2025-09-29")),
        ("context_window", json!(200_000)),
        ("snapshot_of", json!("two/claude-sonnet-4-5")),
        ("price", json!({"input": 3, "cached_input": 0.3, "cache_write": 3.75, "output": 15})),
    ] {
        assert_eq!(told[name], value, "{name} of {told}");
    }
    assert_eq!(desk.get("/admin/v1/models/o/m")["source"], json!("file"));
}

/// A model that the file does not write.
const MODEL: &str = "/admin/v1/models/g/gemini-2.5-flash";

#[test]
fn a_built_in_model_is_switched_off_and_priced_although_the_file_has_no_entry() {
    let store = Rc::new(Memory::default());
    let (here, there) = (Desk::beside(&file(), &store), Desk::beside(&file(), &store));
    let lists = |desk: &Desk| {
        let list = desk.current.gateway().catalogue.list(&Caller::Anonymous, "", None);
        str::from_utf8(&list).unwrap().contains(r#""id":"g/gemini-2.5-flash""#)
    };
    assert!(lists(&there));
    let told = here.done("PATCH", MODEL, &json!({"enabled": false}));
    assert_eq!(
        [&told["enabled"], &told["status"], &told["source"]],
        [&json!(false), &json!("disabled"), &json!("changed")]
    );
    let gateway = there.current.gateway();
    let refused = gateway.catalogue.resolve("g/gemini-2.5-flash", &Caller::Anonymous).unwrap_err();
    assert!(refused.kind == Kind::ModelNotFound && !lists(&there), "{refused:?}");
    let told = here.done("PATCH", MODEL, &json!({"enabled": true, "price": {"input": 7}}));
    assert_eq!((&told["price"]["input"], &told["price"]["output"]), (&json!(7), &json!(2.5)));
    let gateway = there.current.gateway();
    let provider = gateway.provider("g").unwrap();
    assert_eq!(gateway.catalogue.price(provider, "gemini-2.5-flash").input, config::Decimal::parse("7"));
    here.done("DELETE", MODEL, &Value::Null);
    assert_eq!(there.get(MODEL)["price"]["input"], json!(0.3));
    assert_eq!(here.said("DELETE", MODEL, &Value::Null).0, 404);
}

#[test]
fn a_model_is_made_changed_and_taken_away_by_the_names_that_it_is_told_by() {
    let desk = Desk::of(&file());
    let new = json!({"id": "o/new", "model": "wire-name", "name": "New", "context_window": 8000, "tier": "gold"});
    let told = desk.done("POST", "/admin/v1/models", &new);
    assert_eq!(
        (&told["model"], &told["name"], &told["source"]),
        (&json!("wire-name"), &json!("New"), &json!("runtime"))
    );
    assert_eq!(told["metadata"], json!({"tier": "gold"}));
    assert_eq!(desk.get("/admin/v1/config")["models"]["o/new"]["id"], json!("wire-name"));
    // What was told can be said again: it adds nothing.
    let told = desk.done("PUT", "/admin/v1/models/o/new", &desk.get("/admin/v1/models/o/new"));
    assert_eq!((&told["metadata"], &told["model"]), (&json!({"tier": "gold"}), &json!("wire-name")));
    assert_eq!(
        desk.done("PATCH", "/admin/v1/models/o/unheard", &json!({"enabled": false}))["source"],
        json!("runtime")
    );
    desk.done("DELETE", "/admin/v1/models/o/new", &Value::Null);
    for (method, path, body, status) in [
        ("GET", "/admin/v1/models/o/new", Value::Null, 404),
        ("GET", "/admin/v1/models/nobody/m", Value::Null, 404),
        ("PATCH", "/admin/v1/models/nobody/m", json!({"enabled": false}), 404),
        ("PUT", "/admin/v1/models/nobody/m", json!({}), 404),
        ("PUT", "/admin/v1/models/o", json!({}), 404),
        ("POST", "/admin/v1/models", json!({"id": "nobody/m"}), 404),
        ("POST", "/admin/v1/models", json!({"id": "o/m"}), 409),
        ("PATCH", "/admin/v1/models/o/m", json!({"id": "o/other"}), 400),
        ("PATCH", "/admin/v1/models/o/m", json!({"price": {"input": -1}}), 400),
    ] {
        let (told, reply) = desk.said(method, path, &body);
        assert_eq!(told, status, "{method} {path}: {reply}");
    }
}

/// The call that a test makes.
fn inquiry(desk: &Desk, provider: &str, body: &str) -> Inquiry {
    let path = format!("/admin/v1/providers/{provider}/test");
    let headers = [(":method", "POST"), (":path", path.as_str()), ("authorization", "Bearer operator")];
    let headers: HeaderMap = headers.into_iter().collect();
    match answer(Some(&desk.current), headers.headers(), body.as_bytes(), &desk.around()) {
        Answer::Inquiry(inquiry) => *inquiry,
        Answer::Reply(reply) => panic!("{provider}: {:?}", str::from_utf8(&reply.body)),
    }
}

#[test]
fn a_test_asks_for_the_list_of_models_with_the_accounts_own_credential() {
    let providers = json!({
        "openai": {"kind": "openai", "credential": {"env": "SET"}},
        "local": {"kind": "openai", "base_url": "http://127.0.0.1:8000/v1"},
        "azure": {"kind": "openai", "base_url": "https://x.openai.azure.com/openai", "credential": {"env": "SET"}},
        "claude": {"kind": "anthropic", "credential": {"env": "SET"}, "headers": {"x-team": "blue"}},
        "dated": {"kind": "anthropic", "credential": {"env": "SET"}, "headers": {"anthropic-version": "2099-01-01"}},
        "gemini": {"kind": "gemini", "credential": {"env": "SET"}},
        "bare": {"kind": "gemini", "base_url": "https://g.example", "credential": {"env": "SET"}},
        "ollama": {"kind": "ollama", "base_url": "http://127.0.0.1:11434"},
    });
    let desk = Desk::of(&json!({
        "providers": providers,
        "admin": {"keys": [{"id": "op", "sha256": hash("operator")}]},
    }));
    for (provider, path, authority, header) in [
        ("openai", "/v1/models", "api.openai.com", Some(("authorization", "Bearer sk-canary"))),
        ("local", "/v1/models", "127.0.0.1:8000", None),
        ("azure", "/openai/models?api-version=2024-10-21", "x.openai.azure.com", Some(("api-key", "sk-canary"))),
        ("claude", "/v1/models", "api.anthropic.com", Some(("anthropic-version", "2023-06-01"))),
        ("claude", "/v1/models", "api.anthropic.com", Some(("x-team", "blue"))),
        ("dated", "/v1/models", "api.anthropic.com", Some(("anthropic-version", "2099-01-01"))),
        ("gemini", "/v1beta/models", "generativelanguage.googleapis.com", Some(("x-goog-api-key", "sk-canary"))),
        ("bare", "/v1beta/models", "g.example", None),
        ("ollama", "/api/tags", "127.0.0.1:11434", None),
    ] {
        let inquiry = inquiry(&desk, provider, "");
        assert_eq!(inquiry.cluster(), format!("dragoman_{provider}.plain"));
        let headers = inquiry.headers();
        let pseudo = [(":method", "GET"), (":path", path), (":authority", authority)];
        assert_eq!(headers[..3], pseudo, "{provider}");
        if let Some((name, value)) = header {
            let found: Vec<_> = headers.iter().filter(|(other, _)| *other == name).collect();
            assert_eq!(found, [&(name, value)], "{provider}");
        }
        assert!(!format!("{inquiry:?}").contains("canary"));
    }
}

#[test]
fn a_test_tells_what_has_become_of_it_and_nothing_that_the_provider_said() {
    let desk = Desk::of(&file());
    let asked = || inquiry(&desk, "two", r#"{"account":"us"}"#);
    let own = Some(("x-envoy-upstream-service-time", "1"));
    for (head, body, status, error) in [
        (Some((200, own)), "canary", json!(200), Value::Null),
        (Some((401, own)), "canary", json!(401), json!("It refuses the credential.")),
        (Some((404, own)), "canary", json!(404), json!("It has no list of models there: see to `base_url`.")),
        (Some((500, own)), "canary", json!(500), json!("It has answered with status 500.")),
        (Some((503, None)), "canary", Value::Null, json!("It cannot be reached.")),
        (Some((504, None)), "canary", Value::Null, json!("It has not answered in time.")),
        (None, "", Value::Null, json!("The connection broke before its answer had come whole.")),
    ] {
        let head: Option<HeaderMap> = head.map(|(status, own)| {
            let status = format!("{status}");
            [(":status", status.as_str())].into_iter().chain(own).collect()
        });
        let reply = asked().answered(head.as_ref().map(HeaderMap::headers), body.as_bytes(), &Now);
        assert!(reply.headers.iter().any(|(name, _)| name == "cache-control"));
        let told: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status, &told["provider"], &told["account"]), (200, &json!("two"), &json!("us")));
        let found = (&told["ok"], &told["status"], &told["error"], &told["duration_ms"]);
        assert_eq!(found, (&json!(error.is_null()), &status, &error, &json!(0)), "{told}");
        assert!(!told.to_string().contains("canary"));
    }
    let told: Value = serde_json::from_slice(&asked().unmade().body).unwrap();
    assert_eq!((&told["ok"], &told["duration_ms"]), (&json!(false), &Value::Null));
    // Google refuses a key with a 400.
    let refusal = r#"{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#;
    let head: HeaderMap = [(":status", "400")].into_iter().chain(own).collect();
    let reply = inquiry(&desk, "g", "{}").answered(Some(head.headers()), refusal.as_bytes(), &Now);
    assert!(str::from_utf8(&reply.body).unwrap().contains("refuses the credential"), "{reply:?}");
}

#[test]
fn who_may_not_or_cannot_be_asked_is_not_called() {
    let mut file = file();
    file["providers"]["inside"] =
        json!({"kind": "openai", "base_url": "http://i", "cluster": "mine", "upstream_filter": true});
    file["providers"]["off"] = json!({"kind": "openai", "enabled": false});
    let desk = Desk::of(&file);
    let test = |provider: &str, body: Value| desk.said("POST", &format!("/admin/v1/providers/{provider}/test"), &body);
    for (provider, body, error) in [
        ("o", Value::Null, "It is not configured: the environment variable UNSET is not set."),
        ("two", json!({"account": "eu"}), "It is not configured: the environment variable UNSET is not set."),
        ("inside", Value::Null, "Its cluster carries the module"),
        ("off", json!({}), "It is switched off."),
    ] {
        let (status, told) = test(provider, body);
        assert!(status == 200 && told["ok"] == json!(false) && told["status"].is_null(), "{told}");
        assert!(told["error"].as_str().unwrap().starts_with(error), "{told}");
    }
    for (provider, body, status) in [
        ("nobody", Value::Null, 404),
        ("two", json!({"account": "none"}), 400),
        ("two", json!({"account": 5}), 400),
        ("two", json!({"acount": "us"}), 400),
        ("two", json!([]), 400),
    ] {
        let (told, reply) = test(provider, body);
        assert_eq!(told, status, "{reply}");
    }
    assert_eq!(desk.ask("GET", "/admin/v1/providers/two/test", "operator").status, 405);
    assert_eq!(desk.ask("POST", "/admin/v1/providers/two/test", "developer").status, 403);
    assert_eq!(desk.ask("POST", "/admin/v1/teams/two/test", "operator").status, 405);
}
