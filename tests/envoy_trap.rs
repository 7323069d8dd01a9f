//! A worker's VM that ends in the middle of everything, through a real Envoy: what was counted stands, nobody's room is lost for good,
//! and requests go on. With a module of the tests' own, which ends when it is asked to, and in which a lease is 10 s instead of
//! two minutes.
#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that cannot count fails")]

use dragoman::simulate::Options;
use dragoman_tests::envoy::{artefact, lacks};
use dragoman_tests::http::{Connection, Request};
use dragoman_tests::scene::{Scene, hello, wait_for_none};
use serde_json::{Value, json};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WORKERS: usize = 4;
/// Slots, and streams under way when it happens: as many on each of the workers.
const SLOTS: usize = 8;
const LOST: usize = SLOTS / WORKERS;
/// Longer than a lease of this module.
const PATIENCE: Duration = Duration::from_secs(20);
const MOST_REQUESTS: u64 = 1_000_000;
const MOST_TOKENS: u64 = 100_000_000;
/// What each answer may have.
const ANSWER: u64 = 60;

fn scene(limits: &Value) -> Scene {
    let complete = |config: &mut Value, _: &str| {
        config["listen"]["concurrency"] = json!(WORKERS);
        config["providers"]["openai"]["timeouts"] = json!({"first_byte": "2m", "idle": "2m", "total": "5m"});
        let key = |id: &str| json!({"id": id, "sha256": dragoman::key::hash(id)});
        config["keys"] = json!([key("sk-streams"), key("sk-traffic")]);
        config["limits"] = limits.clone();
    };
    Scene::start_with(Options::default(), complete, |setup| setup.module("trap.wasm"))
}

fn chat(key: &str, stream: bool) -> Request {
    let mut body = hello(stream);
    body["max_tokens"] = json!(ANSWER);
    Request::post("/v1/chat/completions", &body).key(key)
}

/// Begins a stream that does not end; the status, too, that its answer begins with.
fn begin(mut connection: Connection) -> (Connection, u16) {
    connection.send(&chat("sk-streams", true).header("x-simulate", "hang-after=5").bytes());
    let status = connection.head().map_or(0, |(status, _)| status);
    (connection, status)
}

/// How many requests and tokens of a key are counted.
fn counted(scene: &Scene, key: &str) -> (u64, u64) {
    let answer = scene.gateway.send(&chat(key, false).header("x-simulate", "status=400"));
    assert_eq!(answer.status, 400, "{}", answer.text());
    let left = |name: &str| answer.headers.text(name).unwrap().parse::<u64>().unwrap();
    // Its own are reserved while its head is written, and given back.
    let requests = MOST_REQUESTS - left("x-ratelimit-remaining-requests") - 1;
    (requests, MOST_TOKENS - left("x-ratelimit-remaining-tokens") - reserved())
}

/// What one of these requests reserves at the most.
fn reserved() -> u64 {
    let bytes = u64::try_from(chat_length()).unwrap();
    bytes.saturating_sub(100).max(bytes.min(32)).div_ceil(4) + ANSWER
}

fn chat_length() -> usize {
    let mut body = hello(false);
    body["max_tokens"] = json!(ANSWER);
    body.to_string().len()
}

/// What clients have seen.
#[derive(Default)]
struct Seen {
    served: AtomicU64,
    tokens: AtomicU64,
    /// Who got no answer, or one that says that there is no worker to give one.
    lost: AtomicU64,
}

/// Asks again and again until it is told to stop.
fn keep_asking(scene: &Scene, seen: &Seen, stop: &AtomicBool) {
    let open = || Connection::open(scene.gateway.address).unwrap();
    let mut connection = open();
    while !stop.load(Ordering::Relaxed) {
        connection.send(&chat("sk-traffic", false).bytes());
        match connection.response() {
            Ok(answer) if answer.status == 200 && answer.complete => {
                seen.served.fetch_add(1, Ordering::Relaxed);
                seen.tokens.fetch_add(answer.json()["usage"]["total_tokens"].as_u64().unwrap(), Ordering::Relaxed);
            }
            Ok(answer) => {
                assert!(answer.status >= 500, "{}: {}", answer.status, answer.text());
                seen.lost.fetch_add(1, Ordering::Relaxed);
                connection = open();
                thread::sleep(Duration::from_millis(5));
            }
            Err(_) => {
                seen.lost.fetch_add(1, Ordering::Relaxed);
                connection = open();
            }
        }
    }
}

/// Waits until it is so.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(100));
    }
    begun.elapsed()
}

/// Waits until each worker is served by a module again.
#[track_caller]
fn wait_until_all_answer(scene: &Scene) {
    for place in 0..WORKERS {
        wait_until("a worker answers", || {
            let mut worker = scene.gateway.connect_workers().swap_remove(place);
            worker.send(&Request::get("/v1/models").key("sk-traffic").bytes());
            worker.head().is_ok_and(|(status, _)| status == 200)
        });
    }
}

#[test]
fn counters_and_slots_outlive_a_worker_that_crashes() {
    if lacks("counters_and_slots_outlive_a_worker_that_crashes", "trap.wasm", "scripts/wasm build --trap") {
        return;
    }
    let scene = scene(&json!([
        {"name": "slots", "of": "concurrency", "max": SLOTS},
        {"name": "requests", "of": "requests", "per": "hour", "max": MOST_REQUESTS},
        {"name": "tokens", "of": "tokens", "per": "hour", "max": MOST_TOKENS},
    ]));
    let (seen, stop) = (Seen::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| keep_asking(&scene, &seen, &stop));
        }
        let (mut lost, mut kept) = (Vec::new(), Vec::new());
        for _ in 0..LOST {
            for (worker, connection) in scene.gateway.connect_workers().into_iter().enumerate() {
                let (connection, status) = begin(connection);
                assert_eq!(status, 200);
                if worker == 0 { &mut lost } else { &mut kept }.push(connection);
            }
        }
        let open = || Connection::open(scene.gateway.address).unwrap();
        assert_eq!(begin(open()).1, 429);
        thread::sleep(Duration::from_millis(300));

        let mut first = scene.gateway.connect_workers().swap_remove(0);
        first.send(&Request::get("/v1/models").key("sk-streams").header("x-trap", "0").bytes());
        assert!(first.head().map_or(true, |(status, _)| status >= 500));
        let before = seen.served.load(Ordering::Relaxed);
        // All workers answer again, and the others' streams have never stopped.
        wait_until_all_answer(&scene);
        wait_until("requests go on", || seen.served.load(Ordering::Relaxed) > before + 20);

        // The slots of those that were lost are held for as long as their leases, and no longer.
        assert_eq!(begin(open()).1, 429);
        let mut again = Vec::new();
        wait_until("slots are free", || {
            let (connection, status) = begin(open());
            if status == 200 {
                again.push(connection);
            }
            again.len() == LOST
        });
        assert_eq!(begin(open()).1, 429, "the other workers' streams hold theirs");
        stop.store(true, Ordering::Relaxed);
        drop((lost, kept, again));
    });
    wait_for_none(&scene.gateway, "http.ingress.downstream_rq_active");

    // What was under way on the worker stays reserved, because nobody knows what it has cost.
    let [served, tokens, lost] = [&seen.served, &seen.tokens, &seen.lost].map(|seen| seen.load(Ordering::Relaxed));
    let (requests, used) = counted(&scene, "sk-traffic");
    assert!((served..=served + lost).contains(&requests), "{served} served, {lost} lost: {requests}");
    assert!((tokens..=tokens + lost * reserved()).contains(&used), "{tokens} used, {lost} lost: {used}");
    let (requests, used) = counted(&scene, "sk-streams");
    assert_eq!(requests, u64::try_from(SLOTS + LOST).unwrap());
    assert!(used >= u64::try_from(LOST).unwrap() * ANSWER && used <= requests * (reserved() + 1), "{used}");
    let reloads = scene.gateway.ask_envoy("/stats?filter=vm_reload_success");
    assert!(reloads.lines().any(|line| !line.ends_with(": 0")), "it was loaded anew: {reloads}");
}

/// What a request reserves stands at the place of each of those who share a limit, and one is written after the other.
#[test]
fn a_worker_that_crashes_between_two_places_leaves_the_first_reserved_and_the_second_as_it_was() {
    let name = "a_worker_that_crashes_between_two_places_leaves_the_first_reserved_and_the_second_as_it_was";
    if lacks(name, "trap.wasm", "scripts/wasm build --trap") {
        return;
    }
    let most = 3 * WORKERS;
    let scene = scene(&json!([
        {"name": "slots", "of": "concurrency", "max": WORKERS},
        {"name": "requests", "of": "requests", "per": "hour", "max": MOST_REQUESTS},
        {"name": "tokens", "of": "tokens", "per": "hour", "max": MOST_TOKENS},
        {"name": "all", "of": "requests", "per": "hour", "max": most, "scope": "global"},
    ]));
    // What a worker writes when it begins is written.
    for mut worker in scene.gateway.connect_workers() {
        assert_eq!(worker.ask(&chat("sk-streams", false)).status, 200);
    }
    for mut worker in scene.gateway.connect_workers() {
        worker.send(&chat("sk-streams", true).header("x-trap", "1").bytes());
        assert!(worker.head().map_or(true, |(status, _)| status >= 500));
    }
    assert_eq!(scene.upstream.requests().len(), WORKERS, "none of them was sent");
    wait_until_all_answer(&scene);
    // The key's own limits hold what they reserved: slots until their leases end, the rest until its window has passed.
    let ask = || scene.gateway.send(&chat("sk-streams", false).header("x-simulate", "status=400"));
    let answer = ask();
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(answer.text().contains("`slots`"), "{}", answer.text());
    wait_until("slots are free", || ask().status == 400);
    assert_eq!(counted(&scene, "sk-streams").0, 2 * u64::try_from(WORKERS).unwrap());
    // Everybody's knows nothing of them.
    let statuses = (0..most).map(|_| scene.gateway.send(&chat("sk-traffic", false)).status);
    let served = statuses.take_while(|status| *status == 200).count();
    assert_eq!(served, most - WORKERS);
}

#[test]
fn the_module_that_is_released_cannot_be_made_to_crash() {
    let holds = |name: &str| fs::read(artefact(name)).unwrap().windows(6).any(|bytes| bytes == b"x-trap");
    assert!(!holds("dragoman.wasm"));
    if !lacks("the_module_that_is_released_cannot_be_made_to_crash", "trap.wasm", "scripts/wasm build --trap") {
        assert!(holds("trap.wasm"));
    }
}
