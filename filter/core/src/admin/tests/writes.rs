//! What an operator changes while the gateway runs.

use super::*;

fn file() -> Value {
    json!({
        "providers": {
            "o": {"kind": "openai", "credential": {"env": "SET"}},
            "h": {"kind": "openai", "headers": {"x-a": "canary"}, "credential": {"value": "sk-canary"}},
        },
        "models": {"o/m": {}, "h/m": {}},
        "teams": {"t": {"description": "first"}},
        "keys": [{"id": "k", "sha256": hash("sk-filed"), "team": "t", "models": ["o/*"]}],
        "limits": [{"name": "l", "of": "requests", "per": "minute", "max": 5}],
        "fallbacks": {"o/m": ["h/m"]},
        "routing": {"r": {"strategy": "fallback", "targets": ["o/m"]}},
        "admin": {"keys": [
            {"id": "op", "sha256": hash("operator")},
            {"id": "dev", "sha256": hash("developer"), "role": "developer"},
        ]},
    })
}

impl Desk {
    pub(super) fn said(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.send((method, path), "operator", &[], &body);
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
    }

    pub(super) fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, reply) = self.said(method, path, body);
        assert!(matches!(status, 200 | 201), "{method} {path}: {status} {reply}");
        reply
    }

    fn lets_in(&self, key: &str) -> Result<(), String> {
        let admitted = self.current.gateway().keys.admit(Some(Credential(key.as_bytes())), &Now, &());
        admitted.map(drop).map_err(|refusal| refusal.message().into_owned())
    }
}

#[test]
fn a_key_is_shown_once_and_let_in_by_all_workers_until_it_is_revoked_for_good() {
    let store = Rc::new(Memory::default());
    let (here, there) = (Desk::beside(&file(), &store), Desk::beside(&file(), &store));
    let issued = here.done("POST", "/admin/v1/keys", &json!({"id": "new", "team": "t", "labels": {"app": "x"}}));
    let key = issued["key"].as_str().unwrap();
    assert!(key.starts_with("sk-") && key.len() == 46, "{issued}");
    assert_eq!((&issued["status"], &issued["source"]), (&json!("active"), &json!("runtime")));
    for desk in [&here, &there] {
        assert_eq!(desk.lets_in(key), Ok(()));
        let told = desk.get("/admin/v1/keys/new").to_string();
        assert!(!told.contains(key) && !told.contains("sha256") && told.contains(r#""labels":{"app":"x"}"#), "{told}");
    }
    here.done("PATCH", "/admin/v1/keys/new", &json!({"enabled": false}));
    assert_eq!(there.lets_in(key), Err("The API key is disabled.".into()));
    there.done("PATCH", "/admin/v1/keys/new", &json!({"enabled": true}));
    assert_eq!(here.lets_in(key), Ok(()));
    assert_eq!(there.done("DELETE", "/admin/v1/keys/new", &Value::Null)["deleted"], json!(true));
    for desk in [&here, &there] {
        assert_eq!(desk.lets_in(key), Err("The API key has been revoked.".into()));
        assert_eq!(desk.said("GET", "/admin/v1/keys/new", &Value::Null).0, 404);
    }
    let again = json!({"id": "again", "sha256": hash(key)});
    assert_eq!(here.said("POST", "/admin/v1/keys", &again).0, 409);
}

#[test]
fn a_key_that_the_file_lists_stays_listed_and_dead_and_is_not_exported() {
    let desk = Desk::of(&file());
    desk.done("DELETE", "/admin/v1/keys/k", &Value::Null);
    assert_eq!(desk.lets_in("sk-filed"), Err("The API key has been revoked.".into()));
    assert_eq!(desk.get("/admin/v1/keys/k")["status"], json!("revoked"));
    assert_eq!(desk.get("/admin/v1/status")["changes"]["revoked_but_listed"], json!(["k"]));
    assert_eq!(desk.said("PATCH", "/admin/v1/keys/k", &json!({"enabled": true})).0, 409);
    assert_eq!(desk.get("/admin/v1/config")["keys"], json!([]));
}

#[test]
fn what_is_changed_of_an_entry_of_the_file_leaves_the_rest_of_it_to_the_file() {
    let desk = Desk::of(&file());
    let told = desk.done("PATCH", "/admin/v1/keys/k", &json!({"models": ["h/m"], "team": null}));
    assert_eq!((&told["models"], &told["team"], &told["source"]), (&json!(["h/m"]), &Value::Null, &json!("changed")));
    let told = desk.done("PATCH", "/admin/v1/limits/l", &json!({"max": 7, "enabled": false}));
    assert_eq!((&told["max"], &told["of"]), (&json!(7), &json!("requests")));
    assert!(desk.current.gateway().limits.is_empty(), "the only limit is switched off");
    let config = desk.get("/admin/v1/config");
    assert_eq!(config["keys"][0]["sha256"], json!(hash("sk-filed")));
    assert!(config::parse(&config.to_string()).is_ok(), "{config}");
    assert!(!config.to_string().contains("canary"), "{config}");
    assert_eq!(config["providers"]["h"]["credential"], json!({"env": "PROVIDERS_H_CREDENTIAL"}));
}

#[test]
fn a_team_that_is_gone_leaves_its_keys_working_without_one_for_good() {
    let desk = Desk::of(&file());
    desk.done("DELETE", "/admin/v1/teams/t", &Value::Null);
    assert_eq!(desk.lets_in("sk-filed"), Ok(()));
    desk.done("POST", "/admin/v1/teams", &json!({"name": "t", "description": "second"}));
    assert_eq!(desk.get("/admin/v1/keys/k").get("team"), None);
    assert_eq!(desk.get("/admin/v1/teams")["data"][0]["description"], json!("second"));
}

#[test]
fn what_the_file_could_not_say_is_refused_where_it_is_wrong_and_changes_nothing() {
    let desk = Desk::of(&file());
    for (method, path, body, status, param) in [
        ("POST", "/admin/v1/keys", json!({"id": "n", "team": "none"}), 400, json!("/keys/1/team")),
        ("POST", "/admin/v1/keys", json!({"id": "n", "tame": "t"}), 400, json!("/keys/1/tame")),
        ("POST", "/admin/v1/keys", json!({"id": "k"}), 409, Value::Null),
        ("PATCH", "/admin/v1/keys/k", json!({"sha256": hash("x")}), 400, json!("sha256")),
        ("PATCH", "/admin/v1/keys/k", json!({"id": "x"}), 400, json!("id")),
        ("PUT", "/admin/v1/keys/none", json!({}), 404, Value::Null),
        ("PATCH", "/admin/v1/teams/none", json!({}), 404, Value::Null),
        ("DELETE", "/admin/v1/limits/none", Value::Null, 404, Value::Null),
        ("POST", "/admin/v1/teams", json!({}), 400, json!("name")),
        ("POST", "/admin/v1/limits", json!({"name": "x", "of": "requests"}), 400, json!("/limits/1/max")),
        ("PUT", "/admin/v1/fallbacks/o/m", json!({"models": [5]}), 400, json!("/fallbacks/o~1m/0")),
        ("PUT", "/admin/v1/fallbacks/o/m", json!({}), 400, json!("models")),
        ("POST", "/admin/v1/teams", json!([]), 400, Value::Null),
        ("PUT", "/admin/v1/teams", json!({}), 405, Value::Null),
        ("POST", "/admin/v1/teams/t", json!({}), 405, Value::Null),
        ("POST", "/admin/v1/status", json!({}), 405, Value::Null),
    ] {
        let (told, reply) = desk.said(method, path, &body);
        assert_eq!((told, &reply["error"]["param"]), (status, &param), "{method} {path} {body}: {reply}");
    }
    assert_eq!(desk.get("/admin/v1/status")["changes"]["generation"], json!(0));
}

#[test]
fn what_others_need_is_not_taken_away() {
    let desk = Desk::of(&file());
    desk.done("PATCH", "/admin/v1/keys/k", &json!({"routing": "r"}));
    let (status, reply) = desk.said("DELETE", "/admin/v1/routing/r", &Value::Null);
    assert_eq!(status, 409, "{reply}");
    desk.done("PATCH", "/admin/v1/keys/k", &json!({"routing": null}));
    desk.done("DELETE", "/admin/v1/routing/r", &Value::Null);
    desk.done(
        "PUT",
        "/admin/v1/routers/web",
        &json!({"load_balance": {"chat": {"strategy": "fallback", "targets": ["h/m"]}}}),
    );
    assert_eq!(desk.get("/admin/v1/routers/web")["source"], json!("runtime"));
}

#[test]
fn who_has_looked_at_something_else_than_there_is_now_changes_nothing_nor_does_who_may_only_look() {
    let desk = Desk::of(&file());
    let reply = desk.ask("GET", "/admin/v1/teams", "operator");
    let etag = reply.headers.iter().find(|(name, _)| name == "etag").unwrap().1.clone();
    let write = |key: &str, etag: &str| {
        desk.send(("PATCH", "/admin/v1/teams/t"), key, &[("if-match", etag)], r#"{"description":"y"}"#).status
    };
    assert_eq!([write("developer", &etag), write("operator", &etag), write("operator", &etag)], [403, 200, 409]);
    assert_eq!(desk.ask("GET", "/admin/v1/config", "developer").status, 403);
    assert_eq!(desk.ask("GET", "/admin/v1/keys", "developer").status, 200);
    let again = || desk.send(("POST", "/admin/v1/teams"), "operator", &[], r#"{"name":"raced"}"#).status;
    let store = Rc::new(Memory::default());
    let (one, other) = (Desk::beside(&file(), &store), Rc::new(Desk::beside(&file(), &store)));
    other.done("POST", "/admin/v1/teams", &json!({"name": "first"}));
    let faster = Rc::clone(&other);
    store.before_next_put(move || {
        faster.done("POST", "/admin/v1/teams", &json!({"name": "faster"}));
    });
    assert_eq!(one.send(("POST", "/admin/v1/teams"), "operator", &[], r#"{"name":"slower"}"#).status, 409);
    assert_eq!(again(), 201);
    let names = one.get("/admin/v1/teams");
    let names: Vec<_> = names["data"].as_array().unwrap().iter().map(|team| team["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["t", "first", "faster"]);
}

#[test]
fn a_model_that_others_name_can_be_switched_off_and_they_are_told_and_nobody_names_it_anew() {
    let desk = Desk::of(&file());
    desk.done("PATCH", "/admin/v1/models/h/m", &json!({"enabled": false}));
    let told = desk.get("/admin/v1/status");
    let left = json!([{"at": "/fallbacks/o~1m/0", "problem": "`h/m` is disabled in `models`"}]);
    assert_eq!((&told["changes"]["left_without"], &told["changes"]["not_in_effect"]), (&left, &json!([])));
    assert!(desk.current.gateway().catalogue.resolve("h/m", &crate::auth::Caller::Anonymous).is_err());
    let (status, reply) = desk.said("PUT", "/admin/v1/fallbacks/o/n", &json!({"models": ["h/m"]}));
    assert_eq!((status, &reply["error"]["param"]), (400, &json!("/fallbacks/o~1n/0")), "{reply}");
    desk.done("PUT", "/admin/v1/fallbacks/o/n", &json!({"models": ["h/other"]}));
    desk.done("PATCH", "/admin/v1/models/h/m", &json!({"enabled": true}));
    assert_eq!(desk.get("/admin/v1/status")["changes"]["left_without"], json!([]));
}
