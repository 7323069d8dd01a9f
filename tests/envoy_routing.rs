//! Where requests go by what the operator wrote, through a real Envoy with two workers: the strategies, whose routing decides,
//! and that none of them widens a key.
#![cfg(test)]

use dragoman::simulate::Gate;
use dragoman_tests::chain::{
    ANTHROPIC, CLIENT_KEY, Chain, GEMINI, OPENAI, assert_named, assert_served, body, failing, held, post, post_as,
    tries, wait_for_providers,
};
use dragoman_tests::clock::wait_until;
use dragoman_tests::http::{Connection, Request, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

const NARROW: &str = "sk-narrow-0001";
const ROUTED: &str = "sk-routed-0001";
const PARKED: &str = "sk-parked-0001";
/// Routers that prefer the quicker target, and the names of those.
const QUICK: [&str; 3] = ["quick-0", "quick-1", "quick-2"];

static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    Chain::start(|config| {
        let key = |id: &str, key: &str, more: Value| {
            let mut section = json!({"id": id, "sha256": dragoman::key::hash(key)});
            section.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
            section
        };
        config["keys"] = json!([
            key("client", CLIENT_KEY, json!({"labels": {"app": "checkout"}, "team": "ml"})),
            key("narrow", NARROW, json!({"providers": ["anthropic"]})),
            key("routed", ROUTED, json!({"routing": "to-gemini"})),
            key("parked", PARKED, json!({"routing": {"strategy": "fallback", "targets": [GEMINI], "active": false}})),
        ]);
        config["teams"] = json!({ "ml": {} });
        wait_for_providers(config);
        config["routing"] = json!({
            "to-gemini": {"strategy": "fallback", "targets": [{"model": failing("openai", "status-503")}, GEMINI]},
        });
        let router = |chat: Value| json!({"load_balance": {"chat": chat}});
        config["routers"] = json!({
            "split": router(json!({"strategy": "weighted", "targets":
                [{"provider": "anthropic", "weight": 0.7}, {"provider": "openai", "weight": "0.3"}]})),
            "user": router(json!({"strategy": "split", "sticky": "user", "targets": thirds()})),
            "header": router(json!({"strategy": "split", "sticky": "header:x-session", "targets": thirds()})),
            "key": router(json!({"strategy": "split", "sticky": "key", "targets": thirds()})),
            "idle": router(json!({"strategy": "least_busy", "targets":
                [{"model": "openai/idle-a"}, {"model": "openai/idle-b"}]})),
            "cheap": router(json!({"strategy": "cheapest", "targets": [OPENAI, ANTHROPIC, GEMINI]})),
            "ranks": router(json!({"strategy": "fallback", "targets": [
                {"model": ANTHROPIC, "priority": 2}, {"model": GEMINI, "priority": 1},
                {"model": failing("openai", "status-503"), "priority": 0}]})),
            "nested": router(json!({"strategy": "fallback", "targets": [
                {"strategy": "split", "targets": [{"model": failing("openai", "status-503")}, {"model": failing("anthropic", "reset")}]},
                GEMINI]})),
            "rules": router(json!({"strategy": "rules", "rules": rules(), "else": ANTHROPIC})),
        });
        // Each has targets that nobody has measured.
        for (round, quick) in QUICK.iter().enumerate() {
            let slow = failing("openai", &format!("delay-{}", 900 + round));
            config["models"][&slow] = json!({});
            config["models"][format!("anthropic/{quick}")] = json!({});
            config["routers"][quick] = router(json!({"strategy": "latency", "targets":
                [{"model": slow}, {"model": format!("anthropic/{quick}")}]}));
        }
        config["routers"]["split"]["model_mapping"] = json!({"gpt-4o": {"anthropic": "claude-sonnet-4-5"}});
    })
});

fn thirds() -> Value {
    json!([{"model": OPENAI}, {"model": ANTHROPIC}, {"model": GEMINI}])
}

/// Each names a model of its own, so that the answer tells which one it was.
fn rules() -> Value {
    let to = |name: &str| format!("openai/{name}");
    json!([
        {"when": {"headers": {"x-tier": "gold*"}, "model": "gpt-*"}, "then": to("by-header")},
        {"when": {"estimated_tokens": {"gt": 20000}}, "then": to("by-tokens")},
        {"when": {"has_tools": true}, "then": to("by-tools")},
        {"when": {"has_images": true}, "then": to("by-images")},
        {"when": {"labels": {"app": "checkout"}, "team": "ml", "stream": true}, "then": [failing("gemini", "status-503"), to("by-stream")]},
        {"when": {"path": "/router/rules/v1/chat*"}, "then": to("by-path")},
        {"when": {"time": hours_from_now(6, 8), "model": "by-time"}, "then": to("never")},
        {"when": {"time": hours_from_now(23, 25), "model": "by-time"}, "then": to("by-time")},
        {"when": {"model": ["by-list*", "o3"]}, "then": {"strategy": "fallback", "targets": [{"model": to("by-model")}]}},
    ])
}

/// A span of the day in UTC.
fn hours_from_now(from: u64, to: u64) -> Value {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() / 60;
    let at = |hours: u64| {
        let minute = (now.wrapping_add(hours.wrapping_mul(60))) % 1_440;
        format!("{:02}:{:02}", minute / 60, minute % 60)
    };
    json!({"from": at(from), "to": at(to)})
}

fn to(router: &str, case: &str, body: &Value) -> Request {
    post(&format!("/router/{router}/chat/completions"), case, body)
}

fn ask(router: &str, case: &str, body: &Value) -> Response {
    let answer = CHAIN.send(&to(router, case, body));
    assert_eq!(answer.status, 200, "{router}: {}", answer.text());
    answer
}

fn provider(answer: &Response) -> String {
    answer.headers.text("x-dragoman-provider").unwrap().to_owned()
}

fn model(answer: &Response) -> String {
    answer.headers.text("x-dragoman-model").unwrap().to_owned()
}

#[test]
fn a_split_keeps_its_weights_on_every_worker() {
    const REQUESTS: usize = 300;
    let request = to("split", "split", &body("gpt-4o", false));
    for mut worker in CHAIN.connect_workers() {
        let mut served = BTreeMap::<String, usize>::new();
        for _ in 0..REQUESTS {
            let answer = worker.ask(&request);
            *served.entry(provider(&answer)).or_default() += 1;
            assert_eq!(tries(&answer).len(), 1);
        }
        // 210, give or take five standard deviations.
        let anthropic = served.get("anthropic").copied().unwrap_or_default();
        assert!(anthropic.abs_diff(210) <= 40, "{served:?}");
        assert_eq!(served.get("openai").copied().unwrap_or_default(), REQUESTS - anthropic, "{served:?}");
    }
    // A provider's prefix does not pin on a router, and the mapping names the model.
    let mapped = (0..40).map(|_| ask("split", "split", &body(OPENAI, true)));
    let models: BTreeSet<_> = mapped.map(|answer| model(&answer)).collect();
    assert_eq!(models.into_iter().collect::<Vec<_>>(), ["claude-sonnet-4-5", "gpt-4o"]);
}

#[test]
fn who_is_sticky_keeps_a_target_on_every_worker() {
    let mut workers = CHAIN.connect_workers();
    let mut stays = |router: &str, count: usize, request: &dyn Fn(usize) -> (Value, String)| {
        let mut seen = BTreeSet::new();
        for number in 0..count {
            let (body, session) = request(number);
            let request = to(router, "sticky", &body).header("x-session", session);
            let of_one: BTreeSet<_> = (0..6)
                .map(|turn| {
                    let answer = workers[turn % 2].ask(&request);
                    assert_eq!(answer.status, 200, "{router}: {}", answer.text());
                    provider(&answer)
                })
                .collect();
            assert_eq!(of_one.len(), 1, "{router} {number}: {of_one:?}");
            seen.extend(of_one);
        }
        seen.len()
    };
    let of_user = |number: usize| {
        let mut body = body("gpt-4o", false);
        body["user"] = json!(format!("user-{number}"));
        body
    };
    assert_eq!(stays("user", 24, &|number| (of_user(number), "any".to_owned())), 3);
    assert_eq!(stays("header", 24, &|number| (body("gpt-4o", true), format!("session-{number}"))), 3);
    assert_eq!(stays("key", 1, &|number| (body("gpt-4o", false), format!("{number}"))), 1);
}

/// A worker that knew nothing would ask each of the two once. Two of three rounds may meet a machine that does something else.
#[test]
fn what_one_worker_has_measured_all_prefer_the_quicker_target_for() {
    for stream in [false, true] {
        let mut rounds = Vec::new();
        for router in QUICK {
            let request = to(router, router, &body("gpt-4o", stream));
            let [mut one, mut other] = CHAIN.connect_workers();
            let slow = |count: usize, worker: &mut Connection| {
                (0..count).filter(|_| provider(&worker.ask(&request)) == "openai").count()
            };
            let _ = slow(8, &mut one);
            // What a worker has measured is shared every tenth of a second.
            thread::sleep(Duration::from_millis(400));
            rounds.push([slow(12, &mut other), slow(12, &mut one)]);
            if rounds.contains(&[0, 0]) {
                break;
            }
        }
        assert!(rounds.contains(&[0, 0]), "the slow one was asked {rounds:?} times");
    }
}

#[test]
fn the_target_that_has_less_to_do_on_all_workers_is_preferred() {
    for round in 0..8 {
        let case = format!("idle-{round}");
        let gate = Gate::closed();
        let mut workers = CHAIN.connect_workers();
        let request = to("idle", &case, &body("gpt-4o", false)).bytes();
        for (number, worker) in workers.iter_mut().enumerate() {
            CHAIN.answer("openai", &case, held("done", &gate));
            worker.send(&request);
            wait_until("the provider has it", || CHAIN.requests("openai", &case).len() == number + 1);
            // What a worker has under way is shared every tenth of a second.
            thread::sleep(Duration::from_millis(400));
        }
        gate.open();
        let [one, other] = workers.map(|mut worker| model(&worker.response().unwrap()));
        assert_ne!(one, other, "round {round}");
    }
}

#[test]
fn the_cheapest_is_asked_first_and_ranks_are_kept() {
    for stream in [false, true] {
        assert_served(&ask("cheap", "cheap", &body("gpt-4o", stream)), GEMINI, stream);
        let answer = ask("ranks", "ranks", &body("gpt-4o", stream));
        assert_served(&answer, GEMINI, stream);
        let tried: Vec<_> = tries(&answer).into_iter().map(|(target, _)| target).collect();
        assert_eq!(tried, [failing("openai", "status-503"), GEMINI.to_owned()]);
    }
}

#[test]
fn a_strategy_within_another_is_used_up_before_the_next() {
    let mut firsts = BTreeSet::new();
    for _ in 0..16 {
        let answer = ask("nested", "nested", &body("gpt-4o", true));
        assert_served(&answer, GEMINI, true);
        let tries = tries(&answer);
        assert_eq!(tries.len(), 3, "{tries:?}");
        firsts.insert(tries[0].0.clone());
    }
    assert_eq!(firsts.len(), 2, "{firsts:?}");
}

#[test]
fn the_first_rule_that_matches_decides() {
    let routed = |body: &Value| model(&ask("rules", "rules", body));
    let path = "/router/rules/chat/completions";
    let gold = |name: &str| post(path, "rules", &body(name, false)).header("x-tier", "golden");
    assert_eq!(model(&CHAIN.send(&gold("gpt-4o"))), "by-header");
    assert_eq!(model(&CHAIN.send(&gold("o1"))), "claude-sonnet-4-5");
    assert_eq!(routed(&body("gpt-4o", false)), "claude-sonnet-4-5");
    assert_eq!(routed(&body("o3", false)), "by-model");
    assert_eq!(routed(&body("by-list-2", false)), "by-model");
    assert_eq!(routed(&body("by-time", false)), "by-time");
    let mut long = body("gpt-4o", false);
    long["messages"][0]["content"] = json!("word ".repeat(30_000));
    assert_eq!(routed(&long), "by-tokens");
    let mut tools = body("gpt-4o", false);
    tools["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    assert_eq!(routed(&tools), "by-tools");
    tools["tools"] = json!([]);
    let mut images = body("gpt-4o", false);
    images["messages"][0]["content"] = json!([
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]);
    assert_eq!(routed(&images), "by-images");
    let by_path = post("/router/rules/v1/chat/completions", "rules", &body("gpt-4o", false));
    assert_eq!(model(&CHAIN.send(&by_path)), "by-path");
    // The list of a rule is tried in order.
    let answer = ask("rules", "rules", &body("gpt-4o", true));
    assert_named(&answer, "openai", "by-stream");
    assert_eq!(tries(&answer).len(), 2);
}

#[test]
fn a_keys_own_routing_decides_unless_it_is_switched_off() {
    for path in ["/v1/chat/completions", "/router/cheap/chat/completions"] {
        for model in ["gpt-4o", ANTHROPIC, "no-such-model-anywhere"] {
            let answer = CHAIN.send(&post_as(ROUTED, path, "routed", &body(model, false)));
            assert_served(&answer, GEMINI, false);
            assert_eq!(tries(&answer).len(), 2, "{path} {model}");
        }
    }
    let answer = CHAIN.send(&post_as(PARKED, "/v1/chat/completions", "parked", &body(ANTHROPIC, true)));
    assert_served(&answer, ANTHROPIC, true);
}

#[test]
fn only_two_ways_pass_a_keys_routing_by() {
    let answer = CHAIN.send(&post_as(ROUTED, "/ai/v1/chat/completions", "routed", &body(ANTHROPIC, false)));
    assert_served(&answer, ANTHROPIC, false);
    let answer = CHAIN.send(&post_as(ROUTED, "/openai/chat/completions", "routed", &body("gpt-4o", false)));
    assert_served(&answer, OPENAI, false);
}

#[test]
fn no_router_widens_a_key() {
    for router in ["split", "user", "ranks", "nested", "cheap"] {
        for _ in 0..4 {
            let path = format!("/router/{router}/chat/completions");
            let answer = CHAIN.send(&post_as(NARROW, &path, "narrow", &body("gpt-4o", false)));
            if router == "nested" {
                // All that the key may use there fails.
                assert!(answer.status >= 500, "{}", answer.text());
            } else {
                assert_eq!((answer.status, provider(&answer).as_str()), (200, "anthropic"), "{}", answer.text());
            }
        }
    }
    let [openai, _, gemini] = CHAIN.counts("narrow");
    assert_eq!((openai, gemini), (0, 0));
    CHAIN.assert_apart();
    CHAIN.assert_sound();
}

#[test]
fn a_router_that_is_not_there_is_not_found() {
    for name in ["nobody", "thirteen-long", "a.b"] {
        let path = format!("/router/{name}/chat/completions");
        let answer = CHAIN.send(&post(&path, "nobody", &body("gpt-4o", false)));
        assert_eq!(answer.status, 404, "{name}: {}", answer.text());
    }
}
