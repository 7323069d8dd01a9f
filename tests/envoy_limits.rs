//! Limits that hold, through a real Envoy with four workers: no more is let in than there is room for, whoever asks, and what was
//! used is known to the token.
#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that cannot count fails")]

use dragoman::simulate::Options;
use dragoman_tests::clock::{clear_midnight, wait_until};
use dragoman_tests::http::{Connection, Request, Response};
use dragoman_tests::scene::{Scene, expected_tokens, hello, openai_error, wait_for_none};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const WORKERS: u64 = 4;
const ACTIVE: &str = "http.ingress.downstream_rq_active";

/// A gateway with a key `sk-key` that has these members, and with these of the file.
fn scene(key: &Value, more: &Value) -> Scene {
    Scene::start(Options::default(), |config, _| {
        config["listen"]["concurrency"] = json!(WORKERS);
        let mut first = json!({"id": "key", "sha256": dragoman::key::hash("sk-key")});
        first.as_object_mut().unwrap().extend(key.as_object().unwrap().clone());
        config["keys"] = json!([first, {"id": "other", "sha256": dragoman::key::hash("sk-other")}]);
        for (name, value) in more.as_object().unwrap() {
            config[name] = value.clone();
        }
    })
}

fn chat(body: &Value) -> Request {
    Request::post("/v1/chat/completions", body).key("sk-key")
}

fn asked(stream: bool, max_tokens: u64) -> Value {
    let mut body = hello(stream);
    body["max_tokens"] = json!(max_tokens);
    if stream {
        body["stream_options"] = json!({"include_usage": true});
    }
    body
}

/// The tokens that an answer says it has cost.
fn tokens(answer: &Response) -> u64 {
    let of = |document: &Value| document["usage"]["total_tokens"].as_u64();
    let streamed = || answer.events().iter().rev().find_map(|event| of(&serde_json::from_str(event).ok()?));
    let is_stream = answer.headers.text("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    let told = if is_stream { streamed() } else { of(&answer.json()) };
    told.unwrap_or_else(|| panic!("no usage: {}", answer.text()))
}

/// What is left of the key's tokens, as the next request is told; its own are reserved, and given back because it fails.
fn tokens_left(scene: &Scene) -> u64 {
    let next = asked(false, 60);
    let answer = scene.gateway.send(&chat(&next).header("x-simulate", "status=400"));
    let reserved = if answer.status == 400 { expected_tokens(&next) + 60 } else { 0 };
    answer.headers.text("x-ratelimit-remaining-tokens").unwrap().parse::<u64>().unwrap() + reserved
}

/// So many clients at once, each on a connection of its own, until there are no requests left.
fn storm(scene: &Scene, clients: usize, requests: usize, act: impl Fn(usize, &mut Connection) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut connection = Connection::open(scene.gateway.address).unwrap();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= requests {
                        return;
                    }
                    act(number, &mut connection);
                }
            });
        }
    });
}

#[test]
fn of_sixty_four_clients_at_once_exactly_so_many_requests_are_let_in() {
    for (per, retry_after) in [("hour", 3_540..=3_660), ("minute", 1..=2)] {
        let scene = scene(&json!({}), &json!({"limits": [{"name": "fair", "of": "requests", "per": per, "max": 40}]}));
        let (served, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let started = std::time::Instant::now();
        // On every worker.
        for mut worker in scene.gateway.connect_workers() {
            served.fetch_add(usize::from(worker.ask(&chat(&asked(false, 10))).status == 200), Ordering::Relaxed);
        }
        storm(&scene, 64, 256, |_, connection| {
            let answer = connection.ask(&chat(&asked(false, 10)));
            if answer.status == 200 {
                assert_eq!(answer.headers.text("x-ratelimit-limit-requests"), Some("40"));
                served.fetch_add(1, Ordering::Relaxed);
            } else {
                let message = openai_error(&answer, 429, "rate_limit_error", Some("rate_limit_exceeded"));
                assert!(message.contains("`fair`"), "{message}");
                let wait: u64 = answer.headers.text("retry-after").unwrap().parse().unwrap();
                assert!(retry_after.contains(&wait), "{wait}");
                refused.fetch_add(1, Ordering::Relaxed);
            }
        });
        // A minute's are one more each one and a half seconds.
        let (took, served) = (started.elapsed(), served.into_inner());
        let late = if per == "minute" { usize::try_from(took.as_millis() / 1_500).unwrap() } else { 0 };
        assert!((40..=40 + late).contains(&served), "{served} in {took:?}");
        assert_eq!(served + refused.into_inner(), 256 + usize::try_from(WORKERS).unwrap());
        assert_eq!(scene.upstream.requests().len(), served);
        scene.assert_sound();
    }
}

#[test]
fn tokens_are_counted_as_they_were_used() {
    const MOST: u64 = 8_000;
    let scene = scene(&json!({"budgets": {"hourly": {"total": MOST}}}), &json!({}));
    let used = AtomicU64::new(0);
    let refused = AtomicUsize::new(0);
    storm(&scene, 64, 600, |number, connection| {
        // What it asks for is more than what it gets.
        let answer = connection.ask(&chat(&asked(number.is_multiple_of(2), 60)));
        if answer.status == 200 {
            used.fetch_add(tokens(&answer), Ordering::Relaxed);
        } else {
            openai_error(&answer, 429, "insufficient_quota", Some("insufficient_quota"));
            refused.fetch_add(1, Ordering::Relaxed);
        }
    });
    wait_for_none(&scene.gateway, ACTIVE);
    let used = used.into_inner();
    assert!(used <= MOST && refused.into_inner() > 0, "{used}");
    assert_eq!(tokens_left(&scene), MOST - used);
    scene.assert_sound();
}

#[test]
fn what_was_estimated_too_low_is_counted_to_the_token_and_is_all_that_is_used_beyond_a_limit() {
    const CLIENTS: usize = 64;
    const MOST: u64 = 4_000;
    const ALL: u64 = 1_000_000;
    // A model of which nobody knows how much it can say at most.
    let saying = |texts: [&str; 2], max_tokens: u64| {
        let messages = texts.map(|text| json!({"role": "user", "content": text}));
        json!({"model": "openai/unknown", "max_tokens": max_tokens, "messages": messages})
    };
    let words = "Hello there ".repeat(30);
    // Taken for a picture's data, which is no text. The provider counts it.
    let body = saying([&words, &"0123456789abcdefghijKLMNOPQRST".repeat(40)], 1);
    let scene = scene(
        &json!({"budgets": {"hourly": {"total": MOST}}}),
        &json!({"limits": [{"name": "all", "of": "tokens", "per": "hour", "max": ALL, "scope": "global"}]}),
    );
    let reserved = expected_tokens(&saying([&words, ""], 1)) + 1;
    let (used, most_used) = (AtomicU64::new(0), AtomicU64::new(0));
    storm(&scene, CLIENTS, 4 * CLIENTS, |_, connection| {
        let answer = connection.ask(&chat(&body).header("x-simulate", "delay=100"));
        if answer.status == 200 {
            let tokens = tokens(&answer);
            used.fetch_add(tokens, Ordering::Relaxed);
            most_used.fetch_max(tokens, Ordering::Relaxed);
        } else {
            openai_error(&answer, 429, "insufficient_quota", Some("insufficient_quota"));
        }
    });
    wait_for_none(&scene.gateway, ACTIVE);
    let (used, each) = (used.into_inner(), most_used.into_inner());
    assert!(each > 2 * reserved, "{each}, {reserved} of it reserved");
    // Who was let in last was then under way, and with it at most all the other clients.
    let at_once = u64::try_from(CLIENTS).unwrap().min(MOST / reserved);
    assert!((MOST + 1..=MOST + at_once * (each - reserved)).contains(&used), "{used}");
    assert_eq!(tokens_left(&scene), 0);
    // All of it is counted: who else has a limit with it finds what is left, and not one more.
    let left = ALL - used - expected_tokens(&saying(["Hello", ""], ALL - used));
    for (max_tokens, status) in [(left + 1, 429), (left, 200)] {
        let request = Request::post("/v1/chat/completions", &saying(["Hello", ""], max_tokens)).key("sk-other");
        assert_eq!(scene.gateway.send(&request).status, status, "{max_tokens} of {left}");
    }
    scene.assert_sound();
}

/// A stream without padding, so that each event is a token: the simulator sends a word in each.
fn streamed() -> Value {
    let mut body = asked(true, 60);
    body["stream_options"]["include_obfuscation"] = json!(false);
    body
}

/// Sends a request whose stream begins, and reads so many events of it; the status, where nobody lets it in.
fn begin(connection: &mut Connection, fault: &str, events: usize) -> u16 {
    connection.send(&chat(&streamed()).header("x-simulate", fault).bytes());
    let (status, _) = connection.head().unwrap();
    let mut read = 0;
    while status == 200 && read < events {
        let chunk = connection.chunk().unwrap().unwrap();
        read += String::from_utf8_lossy(&chunk.bytes).matches("data: ").count();
    }
    status
}

/// How many tokens the simulator has made in all those streams that did not come to their end. The first event says who speaks.
fn broken_off(scene: &Scene) -> u64 {
    let requests = scene.upstream.requests();
    let broken = requests.iter().filter_map(|request| Some((request.header("x-simulate")?, request.fate.pieces())));
    let broken = broken.filter(|(fault, _)| fault.contains("after"));
    let words = broken.map(|(fault, pieces)| pieces - 1 - usize::from(fault.starts_with("error")));
    u64::try_from(words.sum::<usize>()).unwrap()
}

#[test]
fn streams_whose_clients_leave_cost_what_has_come_of_them_and_hold_no_slot() {
    for (retry, requests) in
        [(json!({}), 2_000), (json!({"attempts": 1}), 200), (json!({"attempts": 0, "mode": "dispatch"}), 200)]
    {
        assert_every_token_is_charged(&retry, requests);
    }
}

/// By so many requests, the half of whose clients leave in the middle.
fn assert_every_token_is_charged(retry: &Value, requests: usize) {
    const CLIENTS: usize = 32;
    const MOST: u64 = 100_000_000;
    let limits = json!({"retry": retry, "limits": [
        {"name": "slots", "of": "concurrency", "max": CLIENTS},
        // Not a day, which may end meanwhile.
        {"name": "tokens", "of": "tokens", "per": "hour", "max": MOST},
    ]});
    let scene = scene(&json!({}), &limits);
    let (used, left) = (AtomicU64::new(0), AtomicU64::new(0));
    storm(&scene, CLIENTS, requests, |number, connection| {
        loop {
            if number.is_multiple_of(2) {
                let answer = connection.ask(&chat(&asked(true, 60)));
                if answer.status == 200 {
                    used.fetch_add(tokens(&answer), Ordering::Relaxed);
                    return;
                }
                assert_eq!(answer.status, 429, "{}", answer.text());
            } else {
                // The role, and up to six words.
                let events = 2 + number / 2 % 6;
                let status = begin(connection, &format!("hang-after={events}"), events);
                *connection = Connection::open(scene.gateway.address).unwrap();
                if status == 200 {
                    left.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                assert_eq!(status, 429);
            }
            // Who has left is still being taken leave of.
            thread::sleep(Duration::from_millis(5));
        }
    });
    wait_for_none(&scene.gateway, ACTIVE);
    assert_eq!(left.into_inner(), u64::try_from(requests / 2).unwrap());
    let (used, input) = (used.into_inner(), expected_tokens(&streamed()));
    let expected = |broken: usize| used + u64::try_from(broken).unwrap() * input + broken_off(&scene);
    assert_eq!(MOST - tokens_left(&scene), expected(requests / 2));

    // The same where it is the provider that leaves.
    for fault in ["cut-after=5", "error-after=5"] {
        let mut connection = Connection::open(scene.gateway.address).unwrap();
        connection.send(&chat(&streamed()).header("x-simulate", fault).bytes());
        let answer = connection.response().unwrap();
        assert_eq!(answer.status, 200, "{fault}: {}", answer.text());
        assert_ne!(answer.events().last().map(String::as_str), Some("[DONE]"), "{fault}");
    }
    // And where nothing had come yet.
    let before = scene.upstream.requests().len();
    let mut connection = Connection::open(scene.gateway.address).unwrap();
    connection.send(&chat(&streamed()).header("x-simulate", "hang-after=1").bytes());
    wait_until("it is asked", || scene.upstream.requests().get(before).is_some_and(|asked| asked.fate.pieces() == 1));
    drop(connection);
    wait_for_none(&scene.gateway, ACTIVE);
    assert_eq!(MOST - tokens_left(&scene), expected(requests / 2 + 3));

    // All slots are free, and no more than those.
    let mut connections: Vec<_> = (0..=CLIENTS).map(|_| Connection::open(scene.gateway.address).unwrap()).collect();
    let statuses: Vec<u16> = connections.iter_mut().map(|connection| begin(connection, "hang-after=5", 0)).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), CLIENTS);
    assert_eq!(statuses.last(), Some(&429));
    drop(connections);
    wait_for_none(&scene.gateway, ACTIVE);
    assert_eq!(scene.gateway.send(&chat(&asked(false, 60))).status, 200);
    scene.assert_sound();
}

/// A chat in each provider's own format, with as long an answer as [`hello`] gets: its path, its body, and the header that carries
/// the key.
fn own_chats() -> [(&'static str, Value, &'static str); 8] {
    let messages = json!([{"role": "user", "content": "Hello there"}]);
    let openai = json!({"model": "gpt-4o", "max_tokens": 9, "messages": messages});
    let claude = json!({"model": "claude-haiku-4-5", "max_tokens": 9, "messages": messages});
    let gemini = json!({
        "contents": [{"parts": [{"text": "Hello there"}]}], "generationConfig": {"maxOutputTokens": 9},
    });
    let ollama = json!({"model": "llama3.2", "options": {"num_predict": 9}, "messages": messages});
    [
        ("/openai/chat/completions", openai.clone(), "authorization"),
        ("/openai/v1/chat/completions", openai, "authorization"),
        ("/anthropic/messages", claude.clone(), "x-api-key"),
        ("/anthropic/v1/messages", claude, "x-api-key"),
        ("/gemini/models/gemini-2.5-flash:generateContent", gemini.clone(), "x-goog-api-key"),
        ("/gemini/v1beta/models/gemini-2.5-flash:generateContent", gemini.clone(), "x-goog-api-key"),
        ("/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", gemini, "x-goog-api-key"),
        ("/ollama/api/chat", ollama, "authorization"),
    ]
}

/// What a provider's own API says of a limit.
#[track_caller]
fn own_message(path: &str, answer: &Response) -> String {
    assert_eq!(answer.status, 429, "{path}: {}", answer.text());
    let body = answer.json();
    let (named, message) = if path.starts_with("/anthropic") {
        let is_own = body["type"] == "error" && body["error"]["type"] == "rate_limit_error";
        (is_own, &body["error"]["message"])
    } else if path.starts_with("/gemini") {
        let is_own = body["error"]["code"] == 429 && body["error"]["status"] == "RESOURCE_EXHAUSTED";
        (is_own, &body["error"]["message"])
    } else if path.starts_with("/ollama") {
        (true, &body["error"])
    } else {
        (body["error"]["code"] == "insufficient_quota", &body["error"]["message"])
    };
    assert!(named, "{path}: {body}");
    message.as_str().unwrap_or_else(|| panic!("{path}: {body}")).to_owned()
}

#[test]
fn a_spent_budget_is_a_429_on_every_prefix() {
    let key = |id: &str, budgets: Value| json!({"id": id, "sha256": dragoman::key::hash(id), "budgets": budgets});
    // A hundred thousand tokens of gpt-4o's answers are one USD.
    let keys =
        json!([key("daily_usd", json!({"daily_usd": "0.000115"})), key("daily_tokens", json!({"daily_tokens": 20}))]);
    let scene = Scene::start(Options::default(), |config, base_url| {
        let root = base_url.strip_suffix("/v1").unwrap();
        for kind in ["anthropic", "gemini", "ollama"] {
            config["providers"][kind] = json!({"kind": kind, "base_url": root, "credential": {"value": "sk-upstream"}});
        }
        config["keys"] = keys;
        config["routers"] =
            json!({"r": {"load_balance": {"chat": {"strategy": "fallback", "targets": ["openai/gpt-4o"]}}}});
    });
    clear_midnight();
    for (number, budget) in ["daily_usd", "daily_tokens"].into_iter().enumerate() {
        let chat = |path: &str| Request::post(&format!("{path}/chat/completions"), &asked(false, 9)).key(budget);
        let answer = scene.gateway.send(&chat("/v1"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.headers.text("x-dragoman-budget-warning"), Some(&*format!("budget {budget}")));
        let refused = |path: &str, answer: &Response| {
            let message = own_message(path, answer);
            assert!(message.contains(budget), "{path}: {message}");
            let wait = answer.headers.text("retry-after").map(|wait| wait.parse::<u64>().unwrap());
            assert!(wait.is_some_and(|wait| wait <= 86_400), "{path}: {message}");
        };
        for path in ["/v1", "", "/v1/router", "/ai", "/ai/v1", "/router/r", "/router/r/v1"] {
            let answer = scene.gateway.send(&chat(path));
            openai_error(&answer, 429, "insufficient_quota", Some("insufficient_quota"));
            refused(path, &answer);
        }
        for (path, body, header) in own_chats() {
            let value = if header == "authorization" { format!("Bearer {budget}") } else { budget.to_owned() };
            let answer = scene.gateway.send(&Request::post(path, &body).header(header, value));
            // What it costs nobody knows.
            if path.starts_with("/ollama") && budget == "daily_usd" {
                assert_eq!(answer.status, 200, "{}", answer.text());
            } else {
                refused(path, &answer);
            }
        }
        assert_eq!(scene.gateway.send(&Request::get("/v1/models").key(budget)).status, 200);
        assert_eq!(scene.upstream.requests().len(), 2 + number, "{budget}");
    }
    scene.assert_sound();
}
