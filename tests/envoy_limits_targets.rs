//! Limits of one target among several, through a real Envoy with four workers: who has no room there goes to the next one, and what a
//! request may use is reserved where it is, and nowhere else.
#![cfg(test)]

use dragoman::simulate::{Options, Request as Recorded, Script};
use dragoman_tests::clock::wait_until;
use dragoman_tests::envoy::skips;
use dragoman_tests::http::{Connection, Request};
use dragoman_tests::scene::{Scene, hello, openai_error};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const ACTIVE: &str = "http.ingress.downstream_rq_active";
const CHEAP: &str = "gpt-4o-mini";
const DEAR: &str = "gpt-4o";
/// With this header the cheap target fails.
const FAILS: &str = "x-cheap-fails";

/// A gateway whose router `r` goes from the cheap target to the dear one.
fn scene(limits: &Value) -> Scene {
    let scene = Scene::start(Options::default(), |config, _| {
        config["listen"]["concurrency"] = json!(4);
        config["retry"] = json!({"attempts": 0, "cooldown": {"default": "0s", "max": "0s"}});
        config["keys"] = json!([{"id": "key", "sha256": dragoman::key::hash("sk-key")}]);
        config["limits"] = limits.clone();
        let targets = [CHEAP, DEAR].map(|model| format!("openai/{model}"));
        config["routers"] = json!({"r": {"load_balance": {"chat": {"strategy": "fallback", "targets": targets}}}});
    });
    let error = json!({"error": {"message": "no", "type": "server_error", "code": null, "param": null}}).to_string();
    let failure = Script::whole(StatusCode::SERVICE_UNAVAILABLE, "application/json", error);
    scene.upstream.always(|request| request.header(FAILS).is_some() && model(request) == CHEAP, failure);
    scene
}

/// Who was asked.
fn model(request: &Recorded) -> String {
    serde_json::from_slice::<Value>(&request.body).unwrap()["model"].as_str().unwrap().to_owned()
}

/// Who has been asked since so many requests, in order.
fn asked_since(scene: &Scene, count: usize) -> Vec<String> {
    scene.upstream.requests().iter().skip(count).map(model).collect()
}

/// A chat with the router, or with one target.
fn chat(to: &str, stream: bool) -> Request {
    let mut body = hello(stream);
    body["max_tokens"] = json!(100);
    if to != "r" {
        body["model"] = json!(format!("openai/{to}"));
    }
    let path = if to == "r" { "/router/r/v1/chat/completions" } else { "/v1/chat/completions" };
    Request::post(path, &body).key("sk-key")
}

#[test]
fn a_limit_of_one_target_takes_that_target_out_and_not_the_request() {
    const MOST: usize = 30;
    const REQUESTS: usize = 120;
    let scene = scene(&json!([
        {"name": "scarce", "of": "requests", "per": "hour", "max": MOST, "target": {"model": CHEAP}},
    ]));
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let mut connection = Connection::open(scene.gateway.address).unwrap();
                while next.fetch_add(1, Ordering::Relaxed) < REQUESTS {
                    assert_eq!(connection.ask(&chat("r", false)).status, 200);
                }
            });
        }
    });
    let asked = asked_since(&scene, 0);
    let count = |name: &str| asked.iter().filter(|model| *model == name).count();
    assert_eq!((count(CHEAP), count(DEAR)), (MOST, REQUESTS - MOST));
    // Who wants that one and no other is refused.
    let answer = scene.gateway.send(&chat(CHEAP, false));
    let message = openai_error(&answer, 429, "rate_limit_error", Some("rate_limit_exceeded"));
    assert!(message.contains("`scarce`"), "{message}");
    assert_eq!(scene.gateway.send(&chat(DEAR, false)).status, 200);
    scene.assert_sound();
}

#[test]
fn a_fallback_to_a_dearer_target_needs_the_room_that_it_may_cost_and_pays_its_price() {
    // Enough for a hundred tokens of the dear one's answers, which with the request are 0.00102 USD, but not once an answer has
    // cost 0.000095.
    let scene = scene(&json!([{"name": "money", "of": "spend", "per": "hour", "max": "0.00107"}]));
    let fails = |request: Request| request.header(FAILS, "1");
    let answer = scene.gateway.send(&fails(chat("r", false)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(asked_since(&scene, 0), [CHEAP, DEAR]);
    // It has cost what the dear one takes: another has no room there, and hears what the cheap one said.
    let answer = scene.gateway.send(&fails(chat("r", false)));
    assert!(answer.status >= 500, "{}", answer.text());
    assert_eq!(asked_since(&scene, 2), [CHEAP]);
    let answer = scene.gateway.send(&chat(DEAR, false));
    openai_error(&answer, 429, "insufficient_quota", Some("insufficient_quota"));
    // The cheap one has.
    assert_eq!(scene.gateway.send(&chat("r", false)).status, 200);
    assert_eq!(asked_since(&scene, 3), [CHEAP]);
    scene.assert_sound();
}

#[test]
fn a_slot_of_a_fallback_is_held_while_that_answers_and_by_nobody_else() {
    if skips("a_slot_of_a_fallback_is_held_while_that_answers_and_by_nobody_else", "later targets arrive whole") {
        return;
    }
    let scene = scene(&json!([{"name": "slot", "of": "concurrency", "max": 1, "target": {"model": DEAR}}]));
    let begin = |request: Request| {
        let mut connection = Connection::open(scene.gateway.address).unwrap();
        connection.send(&request.header("x-simulate", "hang-after=5").bytes());
        assert_eq!(connection.head().unwrap().0, 200);
        connection
    };
    // The first target answers, so that the second one's slot is free.
    let first = begin(chat("r", true));
    let second = begin(chat("r", true).header(FAILS, "1"));
    assert_eq!(asked_since(&scene, 0), [CHEAP, CHEAP, DEAR]);
    for mut worker in scene.gateway.connect_workers() {
        let answer = worker.ask(&chat(DEAR, false));
        let message = openai_error(&answer, 429, "rate_limit_error", Some("rate_limit_exceeded"));
        assert!(message.contains("`slot`"), "{message}");
        // Who needs it not is served, and who would fall back is not sent there.
        assert_eq!(worker.ask(&chat("r", false)).status, 200);
        assert!(worker.ask(&chat("r", false).header(FAILS, "1")).status >= 500);
    }
    assert_eq!(asked_since(&scene, 3), vec![CHEAP; 8]);
    drop(second);
    wait_until("the second is over", || scene.gateway.stat(ACTIVE) == 1);
    assert_eq!(scene.gateway.send(&chat(DEAR, false)).status, 200);
    drop(first);
    scene.wait_for_none(ACTIVE);
    scene.assert_sound();
}
