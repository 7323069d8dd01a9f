//! Kept answers through a real Envoy: given again byte for byte by either worker and in either mode, to nobody else, and never more of
//! them than there is memory for.
#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that cannot count fails")]

use dragoman::key::hash;
use dragoman::simulate::{Options, Script};
use dragoman_tests::chain::{ANTHROPIC, Chain, GEMINI, OPENAI, post_as, status, wait_for_providers};
use dragoman_tests::clock::wait_until;
use dragoman_tests::http::{Connection, Request, Response};
use dragoman_tests::scene::{Scene, assert_sound};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::thread;

/// Of the first one the attempts run on the client's own stream, of the second behind Envoy's router, where that can be.
const ROUTERS: [&str; 2] = ["lone", "chain"];

const ANNA: &str = "sk-anna";
const BERT: &str = "sk-bert";

static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    Chain::start(|config| {
        wait_for_providers(config);
        config["keys"] = json!([{"id": "anna", "sha256": hash(ANNA), "byok": {"allowed": true}}, {"id": "bert", "sha256": hash(BERT)}]);
        let cache = json!({"directive": "max-age=600"});
        let targets = |targets: &[&str]| json!({"chat": {"strategy": "fallback", "targets": targets}});
        config["routers"] = json!({
            "lone": {"cache": cache, "load_balance": targets(&[OPENAI])},
            "chain": {"cache": cache, "load_balance": targets(&[OPENAI, ANTHROPIC])},
            "other": {"cache": cache, "load_balance": targets(&[GEMINI, OPENAI])},
            "several": {"cache": {"directive": "max-age=600", "buckets": 2}, "load_balance": targets(&[OPENAI])},
            "asked": {"cache": cache},
        });
        config["models"] = json!({OPENAI: {"price": {"input": 1, "output": 1}}});
    })
});

/// A question of a case on a router.
fn question(router: &str, case: &str, stream: bool) -> Request {
    question_as(ANNA, router, case, &json!({"messages": [{"role": "user", "content": case}], "stream": stream}))
}

fn question_as(key: &str, router: &str, case: &str, body: &Value) -> Request {
    let mut body = body.clone();
    if body.get("model").is_none() {
        body["model"] = json!("any");
    }
    post_as(key, &format!("/router/{router}/v1/chat/completions"), case, &body)
}

fn cache(answer: &Response) -> Option<&str> {
    answer.headers.text("x-dragoman-cache")
}

/// The answer of a provider, and then of what was kept.
#[track_caller]
fn asked_twice(first: &Request, again: &Request) -> [Response; 2] {
    let given = CHAIN.send(first);
    assert_eq!((given.status, given.complete, cache(&given)), (200, true, Some("miss")), "{}", given.text());
    let kept = CHAIN.send(again);
    assert_eq!((kept.status, kept.complete, cache(&kept)), (200, true, Some("hit")), "{}", kept.text());
    [given, kept]
}

/// The line of a request in the access log, by its id.
fn logged(id: &str) -> Value {
    let find = || {
        let output = CHAIN.gateway.output();
        let mut lines = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["request_id"] == id)
    };
    wait_until(&format!("{id} is in the log"), || find().is_some());
    find().expect("it was there")
}

#[test]
fn an_answer_is_given_again_byte_for_byte_by_either_worker() {
    for (router, stream) in ROUTERS.into_iter().flat_map(|router| [(router, true), (router, false)]) {
        let case = format!("again {router} {stream}");
        let request = question(router, &case, stream);
        let [mut one, mut other] = CHAIN.connect_workers();
        let given = one.ask(&request);
        assert_eq!((given.status, given.complete, cache(&given)), (200, true, Some("miss")), "{}", given.text());
        for is_other in [false, true, false] {
            let kept = if is_other { &mut other } else { &mut one }.ask(&request);
            assert_eq!((kept.status, kept.complete, cache(&kept)), (200, true, Some("hit")), "{}", kept.text());
            assert_eq!(kept.body(), given.body(), "{case}");
            for name in ["content-type", "x-dragoman-provider", "x-dragoman-model", "x-dragoman-attempts"] {
                assert_eq!(kept.headers.text(name), given.headers.text(name), "{name}");
                assert!(kept.headers.text(name).is_some(), "{name}");
            }
            assert_eq!(kept.headers.text("x-dragoman-cache-bucket"), Some("0"));
            assert!(kept.headers.text("age").is_some_and(|age| age.parse::<u64>().is_ok()));
            assert_ne!(kept.headers.text("x-request-id"), given.headers.text("x-request-id"));
        }
        if stream {
            assert_eq!(given.events().last().map(String::as_str), Some("[DONE]"));
            assert!(given.events().len() > 3, "{}", given.text());
        }
        assert_eq!(CHAIN.counts(&case), [1, 0, 0], "{case}");
    }
    assert_sound(&CHAIN.gateway);
}

#[test]
fn the_log_and_the_metrics_tell_hits_from_misses() {
    let case = "the log";
    let [given, kept] = asked_twice(&question("lone", case, false), &question("lone", case, false));
    let [given_line, kept_line] =
        [&given, &kept].map(|answer| logged(answer.headers.text("x-request-id").expect("an id")));
    assert_eq!((&given_line["cache"], &kept_line["cache"]), (&json!("miss"), &json!("hit")), "{kept_line}");
    for name in ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "provider", "model", "key", "router"] {
        assert_eq!(kept_line[name], given_line[name], "{name}");
    }
    assert!(given_line["cost_nano_usd"].as_u64() > Some(0), "{given_line}");
    assert_eq!((&kept_line["cost_nano_usd"], kept_line.get("attempts")), (&json!(0), None), "{kept_line}");
    wait_until("hits and misses are counted", || {
        let metrics = CHAIN.gateway.ask_envoy("/stats/prometheus?filter=llm_cache_total");
        ["hit", "miss"].iter().all(|result| metrics.contains(&format!("llm_cache_total{{result=\"{result}\"}}")))
    });
}

#[test]
fn what_a_fallback_has_answered_is_kept_as_its_own() {
    let case = "the second";
    CHAIN.answer("openai", case, status(503));
    let request = question("chain", case, true);
    let [given, kept] = asked_twice(&request, &request);
    assert_eq!((kept.body(), kept.headers.text("x-dragoman-provider")), (given.body(), Some("anthropic")));
    assert_eq!(CHAIN.counts(case), [1, 1, 0]);
}

#[test]
fn no_key_gets_what_another_has_asked_for() {
    for router in ROUTERS {
        let case = format!("others {router}");
        let body = json!({"messages": [{"role": "user", "content": case}]});
        let ask = |key: &str, router: &str| question_as(key, router, &case, &body);
        let brought = |secret: &str| ask(ANNA, router).header("x-dragoman-provider-key", format!("openai={secret}"));
        let all = [
            ask(ANNA, router),
            ask(BERT, router),
            ask(ANNA, router).header("x-dragoman-cache-seed", "autumn"),
            ask(ANNA, "other"),
            brought("sk-1"),
            brought("sk-2"),
        ];
        for (place, request) in all.iter().enumerate() {
            assert_eq!(cache(&CHAIN.send(request)), Some("miss"), "{router}: {place}");
        }
        for (place, request) in all.iter().enumerate() {
            assert_eq!(cache(&CHAIN.send(request)), Some("hit"), "{router}: {place}");
        }
    }
}

#[test]
fn errors_and_what_breaks_off_are_not_kept() {
    let piece = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"so"}}]}"#
        .to_owned()
        + "\n\n";
    let error = "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":500}}\n\n".to_owned();
    let refusal =
        || Script::whole(StatusCode::UNPROCESSABLE_ENTITY, "application/json", r#"{"error":{"message":"no"}}"#);
    let cut = || {
        let length = (HeaderName::from_static("content-length"), HeaderValue::from_static("9000"));
        Script::whole(StatusCode::OK, "application/json", r#"{"id":"c","object":"chat.completion","#)
            .with(length.0, length.1)
    };
    for router in ROUTERS {
        for (name, stream, script) in [
            ("refused", false, refusal()),
            ("cut", false, cut()),
            ("no end", true, Script::events([piece.clone()])),
            ("an error in it", true, Script::events([piece.clone(), error.clone()])),
        ] {
            let case = format!("{name} {router}");
            CHAIN.answer("openai", &case, script);
            // Where a try that was cut is followed by another, that one's answer may be kept.
            let first = CHAIN.send(&question(router, &case, stream));
            if first.headers.text("x-dragoman-provider") == Some("anthropic") {
                continue;
            }
            let second = CHAIN.send(&question(router, &case, stream));
            assert_eq!((second.status, cache(&second)), (200, Some("miss")), "{case}: {}", second.text());
            assert_eq!(cache(&CHAIN.send(&question(router, &case, stream))), Some("hit"), "{case}");
        }
    }
}

#[test]
fn a_client_that_leaves_leaves_nothing_to_be_kept() {
    for router in ROUTERS {
        let case = format!("gone {router}");
        let body = json!({"model": format!("openai/gpt-4o-sim-slow-200"), "stream": true,
            "messages": [{"role": "user", "content": case}]});
        let request = question_as(ANNA, "asked", &case, &body);
        let mut connection = Connection::open(CHAIN.gateway.address).expect("the gateway takes connections");
        connection.send(&request.bytes());
        connection.head().expect("a head");
        connection.chunk().expect("a beginning");
        drop(connection);
        CHAIN.wait_until_idle();
        let again = CHAIN.send(&request);
        assert_eq!((again.complete, cache(&again)), (true, Some("miss")), "{}", again.text());
    }
}

#[test]
fn requests_say_how_they_want_it() {
    let case = "wishes";
    let request = || question("lone", case, false);
    let with = |name: &str, value: &str| CHAIN.send(&request().header(name, value));
    let none = with("cache-control", "only-if-cached");
    assert_eq!((none.status, none.json()["error"]["type"].as_str()), (504, Some("upstream_error")), "{}", none.text());
    asked_twice(&request(), &request());
    for (name, value, expected) in [
        ("cache-control", "only-if-cached", Some("hit")),
        ("cache-control", "no-cache", Some("miss")),
        ("cache-control", "max-age=0", Some("miss")),
        ("cache-control", "no-store", None),
        ("x-dragoman-cache-enabled", "false", None),
        ("x-dragoman-cache-enabled", "true", Some("hit")),
    ] {
        let answer = with(name, value);
        assert_eq!((answer.status, cache(&answer)), (200, expected), "{name}: {value}");
    }
    assert_eq!(with("x-dragoman-cache-bucket-max-size", "11").status, 400);
    for request in CHAIN.requests("openai", case) {
        assert!(!request.headers.keys().any(|name| name.as_str().starts_with("x-dragoman-")), "{request:?}");
    }
    let elsewhere = CHAIN.send(&post_as(ANNA, "/v1/chat/completions", case, &json!({"model": OPENAI, "messages": []})));
    assert_eq!(cache(&elsewhere), None);
}

#[test]
fn of_several_answers_each_is_given() {
    let case = "several";
    let answers: Vec<Response> = (0..12).map(|_| CHAIN.send(&question("several", case, false))).collect();
    let hits: Vec<_> = answers.iter().map(|answer| cache(answer) == Some("hit")).collect();
    assert_eq!(hits, [[false; 2].as_slice(), &[true; 10]].concat());
    let bucket = |answer: &Response| answer.headers.text("x-dragoman-cache-bucket").map(ToOwned::to_owned);
    for (number, given) in answers[..2].iter().enumerate() {
        let same = |kept: &&Response| bucket(kept) == Some(number.to_string());
        let mut kept = answers[2..].iter().filter(same).peekable();
        assert!(kept.all(|kept| kept.body() == given.body()), "{number}");
    }
}

/// The place of one of so many questions, of which the first is asked most: by Zipf's law.
fn zipf(state: &mut u64, count: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let weights: Vec<u64> = (1..=count).map(|rank| 1_000_000 / rank).collect();
    let mut left = (*state >> 33) % weights.iter().sum::<u64>();
    let is_it = |weight: &u64| {
        let is_here = left < *weight;
        left = left.saturating_sub(*weight);
        is_here
    };
    u64::try_from(weights.iter().position(is_it).unwrap_or(0)).expect("a place")
}

#[test]
fn of_questions_that_come_again_each_is_asked_once() {
    let case = "zipf";
    let mut workers = CHAIN.connect_workers();
    let (mut state, mut hits, mut seen) = (7, 0_usize, std::collections::BTreeSet::new());
    for round in 0..400 {
        let number = zipf(&mut state, 100);
        seen.insert(number);
        let body = json!({"messages": [{"role": "user", "content": format!("question {number}")}], "stream": number.is_multiple_of(2)});
        let answer = workers[round % 2].ask(&question_as(ANNA, "lone", case, &body));
        assert_eq!(answer.status, 200, "{}", answer.text());
        hits += usize::from(cache(&answer) == Some("hit"));
    }
    assert_eq!((hits, CHAIN.counts(case)), (400 - seen.len(), [seen.len(), 0, 0]));
    assert!(hits > 280, "{hits}");
}

#[test]
fn kept_answers_are_given_while_the_provider_is_down() {
    let scene = Scene::start(Options::default(), |config, _| {
        config["routers"] = json!({"r": {"cache": {"directive": "max-age=600"}}});
        config["retry"] = json!({"attempts": 0});
    });
    let ask = |text: &str| {
        let body = json!({"model": OPENAI, "messages": [{"role": "user", "content": text}]});
        scene.gateway.send(&Request::post("/router/r/v1/chat/completions", &body))
    };
    assert_eq!(cache(&ask("known")), Some("miss"));
    let given = ask("known");
    drop(scene.upstream);
    let unknown = scene.gateway.send(&Request::post(
        "/router/r/v1/chat/completions",
        &json!({"model": OPENAI, "messages": [{"role": "user", "content": "unknown"}]}),
    ));
    assert!([502, 503, 504].contains(&unknown.status), "{}", unknown.text());
    for _ in 0..3 {
        let body = json!({"model": OPENAI, "messages": [{"role": "user", "content": "known"}]});
        let kept = scene.gateway.send(&Request::post("/router/r/v1/chat/completions", &body));
        assert_eq!((kept.status, cache(&kept), kept.body()), (200, Some("hit"), given.body()));
    }
}

/// Many more answers than there is memory for: Envoy does not grow with them.
#[test]
fn memory_stays_within_its_bounds() {
    const BYTES: u64 = 8 << 20;
    let scene = Scene::start(Options { remember: 1, ..Options::default() }, |config, _| {
        config["routers"] = json!({"r": {"cache": {"directive": "max-age=600"}}});
        config["cache"] = json!({"max_bytes": BYTES, "max_entry": "64KiB"});
        config["log"] = json!({"ring": 10});
    });
    let ask = |numbers: std::ops::Range<u32>| {
        thread::scope(|scope| {
            for part in 0..4 {
                let (gateway, numbers) = (&scene.gateway, numbers.clone());
                scope.spawn(move || {
                    let mut connection = Connection::open(gateway.address).expect("the gateway takes connections");
                    for number in numbers.filter(|number| number % 4 == part) {
                        // What is said is said again: two kilobytes of it.
                        let text = format!("{number} {}", "x".repeat(2_000));
                        let body = json!({"model": OPENAI, "messages": [{"role": "user", "content": text}]});
                        let answer = connection.ask(&Request::post("/router/r/v1/chat/completions", &body));
                        assert_eq!((answer.status, cache(&answer)), (200, Some("miss")), "{}", answer.text());
                    }
                });
            }
        });
    };
    ask(0..6_000);
    let full = scene.gateway.resident_bytes();
    ask(6_000..20_000);
    let after = scene.gateway.resident_bytes();
    assert!(after.saturating_sub(full) < 4 << 20, "{full}, then {after}");
    scene.assert_sound();
}
