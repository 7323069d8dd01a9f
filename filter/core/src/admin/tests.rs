//! The admin API as its callers see it.

use alloc::{format, rc::Rc, string::String, vec, vec::Vec};
use core::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::{
    change::Latest,
    config,
    headers::HeaderMap,
    hex,
    host::{Clock, Entropy, Meter},
    live::Observer,
    plan::{Spent, Target},
    record::{Book, Record, tests::record},
    store::Memory,
    usage::Usage,
};

/// The end of New Year's night of 2026, and half an hour.
struct Now;

impl Clock for Now {
    fn now(&self) -> Duration {
        Duration::from_mins(490_896 * 60 + 30)
    }
}

impl Entropy for Now {
    fn draw(&self) -> u64 {
        4
    }

    fn secret(&self) -> Option<[u8; 32]> {
        Some([4; 32])
    }
}

impl Meter for Now {
    fn add(&self, _: &str, _: u64) {}

    fn observe(&self, _: &str, _: &[u64]) {}
}

struct Desk {
    current: Current,
    observer: Rc<Observer>,
    latest: Rc<Latest>,
    book: Book,
}

impl Desk {
    fn new() -> Self {
        let file = json!({
            "providers": {
                "o": {"kind": "openai", "credential": {"env": "SET"}},
                "c": {"kind": "anthropic", "credential": {"env": "UNSET"}},
            },
            "admin": {"keys": [
                {"id": "op", "sha256": hash("operator")},
                {"id": "old", "sha256": hash("retired"), "enabled": false},
            ]},
            "log": {"ring": 20},
        });
        Self::of(&file)
    }

    fn of(file: &Value) -> Self {
        Self::beside(file, &Rc::new(Memory::default()))
    }

    /// Of another worker with the same store.
    fn beside(file: &Value, store: &Rc<Memory>) -> Self {
        let store = || Rc::<Memory>::clone(store);
        let (observer, latest) = (Observer::new(store()), Latest::new(store()));
        let file = file.to_string();
        let environment = |name: &str| (name == "SET").then(|| "sk-canary".into());
        let current = Current::new(&file, config::parse(&file).unwrap(), environment, (&latest, |_| ()));
        Self { current, observer, latest, book: Book::new(store()) }
    }

    fn request(&self, model: &str, status: u16, id: &str) {
        let target = Target { model: model.into(), ..Target::any() };
        let usage = Usage { input: 10, output: 2, ..Usage::default() };
        let record = Record {
            id,
            requested: Some("alias"),
            spent: (status == 200).then_some(Spent { usage, is_told: true }),
            nano_usd: Some(7),
            cached: None,
            error: (status != 200).then(|| format!("{status}")),
            began: Now.now(),
            ..record(vec![(target, status)])
        };
        let gateway = self.current.gateway();
        self.book.take(&record, record.line(), &*gateway, gateway.ring);
        self.book.tick(&Now, Now.epoch_millis() + 2_000);
    }

    fn around(&self) -> Surroundings<'_> {
        Surroundings { clock: &Now, entropy: &Now, observer: &self.observer, latest: &self.latest, metadata: &() }
    }

    fn ask(&self, method: &str, path: &str, key: &str) -> Reply {
        self.send((method, path), key, &[], "")
    }

    fn send(&self, (method, path): (&str, &str), key: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let bearer = format!("Bearer {key}");
        let usual = [(":method", method), (":path", path), ("authorization", &bearer)];
        let headers: HeaderMap = usual.iter().chain(headers).copied().collect();
        match answer(Some(&self.current), headers.headers(), body.as_bytes(), &self.around()) {
            Answer::Reply(reply) => reply,
            Answer::Inquiry(inquiry) => panic!("{path}: {inquiry:?}"),
        }
    }

    fn get(&self, path: &str) -> Value {
        let reply = self.ask("GET", path, "operator");
        assert_eq!(reply.status, 200, "{path}: {:?}", str::from_utf8(&reply.body));
        serde_json::from_slice(&reply.body).unwrap()
    }
}

fn hash(text: &str) -> String {
    hex::print(&Sha256::digest(text))
}

#[test]
fn only_who_has_an_admin_key_is_answered_and_nothing_may_keep_the_answer() {
    let desk = Desk::new();
    for (path, key, status) in [
        ("/admin/v1/status", "operator", 200),
        ("/admin/v1/status", "retired", 401),
        ("/admin/v1/status", "sk-canary", 401),
        ("/admin/v1/status", "", 401),
        ("/admin/v1/nothing", "operator", 404),
        ("/admin/v1/status/all", "operator", 404),
        ("/admin/v1/usage/all", "operator", 404),
        ("/admin/v1/nothing", "", 401),
        ("/", "operator", 404),
        ("/v1/models", "operator", 404),
    ] {
        let reply = desk.ask("GET", path, key);
        assert_eq!(reply.status, status, "{path} {key}");
        assert!(reply.headers.iter().any(|(name, value)| name == "cache-control" && value == "no-store"));
    }
    assert_eq!(desk.ask("POST", "/admin/v1/usage", "operator").status, 405);
    let answer = answer(None, HeaderMap::default().headers(), &[], &desk.around());
    assert!(matches!(answer, Answer::Reply(Reply { status: 503, .. })), "{answer:?}");
}

#[test]
fn a_file_without_admin_keys_lets_nobody_in() {
    let desk = Desk::of(&json!({"providers": {"p": {"kind": "ollama", "base_url": "http://127.0.0.1:1"}}}));
    let reply = desk.ask("GET", "/admin/v1/status", "operator");
    assert_eq!(reply.status, 401);
    assert!(str::from_utf8(&reply.body).unwrap().contains("admin.keys"));
}

#[test]
fn usage_is_summed_up_by_whom_and_when_it_is_asked_for() {
    let desk = Desk::new();
    desk.request("m", 200, "1");
    desk.request("m", 200, "2");
    desk.request("n", 500, "3");
    let all = desk.get("/admin/v1/usage");
    let row = &all["data"][0];
    for (name, value) in [
        ("requests", 3),
        ("errors", 1),
        ("input_tokens", 20),
        ("output_tokens", 4),
        ("cost_nano_usd", 21),
        ("unpriced_requests", 0),
    ] {
        assert_eq!(row[name], value, "{name}: {row}");
    }
    let windows = [
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z", 1),
        ("from=2025-12-31T00:00:00Z&to=2026-01-01T00:00:00Z", 0),
        ("from=2025-12-01&to=2026-02-01", 1),
    ];
    for (window, rows) in windows {
        let all = desk.get(&format!("/admin/v1/usage?{window}"));
        assert_eq!(all["data"].as_array().unwrap().len(), rows, "{window}");
    }
    let models = desk.get("/admin/v1/usage?by=model&interval=hour&from=2026-01-01");
    let names: Vec<_> = models["data"].as_array().unwrap().iter().map(|row| (&row["name"], &row["time"])).collect();
    let hour = json!("2026-01-01T00:00:00Z");
    assert_eq!(names, [(&json!("p/m"), &hour), (&json!("p/n"), &hour)]);
    assert_eq!(desk.get("/admin/v1/usage?by=model&name=p%2Fn")["data"].as_array().unwrap().len(), 1);
    assert_eq!(desk.get("/admin/v1/usage?by=key&interval=lifetime")["data"][0]["name"], "anonymous");
    assert!(desk.get("/admin/v1/usage?from=2025-01-01&to=2025-02-01")["data"].as_array().unwrap().is_empty());
    let csv = desk.ask("GET", "/admin/v1/usage?by=key&interval=day&format=csv", "operator");
    let text = String::from_utf8(csv.body).unwrap();
    assert!(text.starts_with("time,name,requests,errors,"), "{text}");
    assert!(text.contains("\n2026-01-01T00:00:00Z,anonymous,3,1,20,0,0,4,0,21,0\n"), "{text}");
    assert_eq!(csv.headers[0].1, "text/csv; charset=utf-8");
}

#[test]
fn what_is_asked_wrongly_is_said_by_its_name() {
    let desk = Desk::new();
    for (query, param) in [
        ("by=colour", "by"),
        ("interval=week", "interval"),
        ("from=yesterday", "from"),
        ("interval=lifetime", "by"),
        ("format=xml", "format"),
        ("who=me", "who"),
    ] {
        let reply = desk.ask("GET", &format!("/admin/v1/usage?{query}"), "operator");
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status, &body["error"]["param"]), (400, &json!(param)), "{query}");
    }
    for query in
        ["limit=0", "limit=1001", "since=now", "sort=key", "status=xx", "status=9xx", "outcome=fine", "key=%ff"]
    {
        assert_eq!(desk.ask("GET", &format!("/admin/v1/logs?{query}"), "operator").status, 400, "{query}");
    }
    assert_eq!(desk.ask("GET", "/admin/v1/status?x=1", "operator").status, 400);
}

#[test]
fn the_last_requests_are_there_by_what_they_are() {
    let desk = Desk::new();
    for number in 0..30 {
        let (model, status) = if number % 2 == 0 { ("m", 200) } else { ("vendor/n", 503) };
        desk.request(model, status, &format!("id-{number}"));
    }
    let ids = |query: &str| -> Vec<String> {
        let list = desk.get(&format!("/admin/v1/logs{query}"));
        let ids = list["data"].as_array().unwrap().iter().map(|record| record["request_id"].as_str().unwrap().into());
        ids.collect()
    };
    assert_eq!((ids("").len(), ids("")[0].as_str(), ids("")[19].as_str()), (20, "id-29", "id-10"));
    assert_eq!(ids("?limit=2"), ["id-29", "id-28"]);
    assert_eq!(ids("?status=5xx&limit=1"), ["id-29"]);
    assert_eq!(ids("?status=200&limit=1"), ["id-28"]);
    for (query, count) in [
        ("?model=m", 10),
        ("?model=n", 10),
        ("?model=vendor/n", 10),
        ("?model=alias", 20),
        ("?model=p/m", 10),
        ("?model=q/m", 0),
        ("?team=anonymous", 0),
        ("?status=503", 10),
        ("?key=anonymous", 20),
        ("?key=k", 0),
        ("?provider=p&outcome=answered", 20),
        ("?since=2026-01-01T00:30:00Z", 20),
        ("?until=2026-01-01T00:30:00Z", 0),
        ("?since=2026-01-02", 0),
    ] {
        assert_eq!(ids(query).len(), count, "{query}");
    }
    let one = desk.get("/admin/v1/logs/id-20");
    assert_eq!((&one["request_id"], &one["time"]), (&json!("id-20"), &json!("2026-01-01T00:30:00.000Z")));
    assert_eq!((&one["status"], &one["duration_ms"]), (&json!(200), &json!(30)));
    assert_eq!(desk.ask("GET", "/admin/v1/logs/id-9", "operator").status, 404);
}

#[test]
fn the_status_says_how_providers_are_and_no_secret() {
    let desk = Desk::new();
    let status = desk.get("/admin/v1/status");
    assert_eq!((&status["mode"], &status["ready"]), (&json!("native"), &json!(true)));
    let told: Vec<_> =
        status["providers"].as_array().unwrap().iter().map(|one| (&one["name"], &one["state"])).collect();
    assert_eq!(told, [(&json!("c"), &json!("not_configured")), (&json!("o"), &json!("connected"))]);
    assert!(status["providers"][0]["accounts"][0]["missing"].as_str().unwrap().contains("UNSET"), "{status}");
    assert!(!status.to_string().contains("canary"));
}

mod providers;
mod writes;
