//! Limits that two gateways share, each a real Envoy, by a service of the tests' own.
//!
//! Envoy leaves out whatever it does not find and asks nobody then, so that a mistake here lets everybody in. Hence it is always said how
//! often the service was asked, and what it was told.
#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that cannot count fails")]

// A test's root is a file of this folder, and its modules are not to be.
#[path = "envoy_shared/rls.rs"]
mod rls;
#[path = "envoy_shared/traps.rs"]
mod traps;

use self::rls::Service;
use dragoman::simulate::{Options, Script};
use dragoman_tests::http::{Connection, Request, Response};
use dragoman_tests::scene::{Scene, expected_tokens, hello, openai_error, wait_for_none};
use http::StatusCode;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ACTIVE: &str = "http.ingress.downstream_rq_active";

/// A gateway with the key `sk-key` of the team `ml`, and `sk-free` of none.
fn gateway(service: SocketAddr, limits: &Value) -> Scene {
    gateway_with(service, limits, 0)
}

/// Two, of which the second has its attempts behind the router: it would ask once more.
fn gateways(service: SocketAddr, limits: &Value) -> [Scene; 2] {
    [0, 1].map(|attempts| gateway_with(service, limits, attempts))
}

fn gateway_with(service: SocketAddr, limits: &Value, attempts: u32) -> Scene {
    Scene::start(Options::default(), |config, _| {
        config["retry"] = json!({"attempts": attempts});
        config["teams"] = json!({"ml": {}});
        config["keys"] = json!([
            {"id": "key", "sha256": dragoman::key::hash("sk-key"), "team": "ml", "labels": {"plan": "trial"}},
            {"id": "free", "sha256": dragoman::key::hash("sk-free")},
        ]);
        config["environments"] = json!({"prod": {
            "limits": [{"name": "all", "of": "requests", "per": "hour", "max": 1_000, "scope": "environment"}],
        }});
        config["limits"] = limits.clone();
        config["limits_backend"] = json!({"ratelimit_service": {
            "cluster": "rls", "url": format!("http://{service}"), "domain": "tests", "timeout": "2s",
        }});
    })
}

fn chat(body: &Value) -> Request {
    Request::post("/v1/chat/completions", body).key("sk-key")
}

fn asked(stream: bool) -> Value {
    let mut body = hello(stream);
    if stream {
        body["stream_options"] = json!({"include_usage": true});
    }
    body
}

/// The usage that an answer tells.
fn usage(answer: &Response) -> Value {
    let of = |document: &Value| Some(document["usage"].clone()).filter(Value::is_object);
    let streamed = || answer.events().iter().rev().find_map(|event| of(&serde_json::from_str(event).ok()?));
    let is_stream = answer.headers.text("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    let told = if is_stream { streamed() } else { of(&answer.json()) };
    told.unwrap_or_else(|| panic!("no usage: {}", answer.text()))
}

/// Waits until the service has been told so much: Envoy does that when a stream is over.
#[track_caller]
fn wait_for(service: &Service, limit: &str, count: u64) {
    let begun = Instant::now();
    while service.count(limit) < count {
        assert!(begun.elapsed() < Duration::from_secs(20), "{limit}: {} of {count}", service.count(limit));
        thread::sleep(Duration::from_millis(2));
    }
}

/// Asserts that it has been told that and no more.
#[track_caller]
fn assert_comes_to(service: &Service, limit: &str, count: u64) {
    wait_for(service, limit, count);
    // What would be too much might come a little later.
    thread::sleep(Duration::from_millis(100));
    assert_eq!(service.count(limit), count, "{limit}: {:?}", service.asked());
}

#[test]
fn of_two_gateways_clients_exactly_so_many_requests_are_let_in() {
    let service = Service::start(&[("fair", 40)], Duration::ZERO);
    let limits = json!([{"name": "fair", "of": "requests", "per": "hour", "max": 40}]);
    let gateways = gateways(service.address, &limits);
    let (next, served) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for client in 0..32 {
            let (gateways, next, served) = (&gateways, &next, &served);
            scope.spawn(move || {
                let mut connection = Connection::open(gateways[client % 2].gateway.address).unwrap();
                while next.fetch_add(1, Ordering::Relaxed) < 200 {
                    let answer = connection.ask(&chat(&asked(false)));
                    if answer.status == 200 {
                        served.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let message = openai_error(&answer, 429, "rate_limit_error", Some("rate_limit_exceeded"));
                    assert!(message.contains("`fair`"), "{message}");
                    let wait: u64 = answer.headers.text("retry-after").unwrap().parse().unwrap();
                    assert!((1..=3_600).contains(&wait), "{wait}");
                    assert_eq!(answer.headers.text("x-dragoman-limit"), None);
                    assert_eq!(answer.headers.text("x-envoy-ratelimited"), None);
                }
            });
        }
    });
    let served = served.into_inner();
    assert_eq!(served, 40);
    let reached = gateways.each_ref().map(|scene| scene.upstream.requests().len());
    assert_eq!(reached.iter().sum::<usize>(), served);
    assert!(reached.iter().all(|reached| *reached > 0), "{reached:?}");
    assert_eq!((service.count("fair"), service.subjects("fair")), (200, vec!["key/key".to_owned()]));
    for asked in service.asked() {
        assert_eq!((asked.domain.as_str(), asked.hits), ("tests", None));
    }
    for scene in &gateways {
        scene.assert_sound();
    }
}

#[test]
fn tokens_are_charged_as_they_were_used_when_it_is_over() {
    const MOST: u64 = 3_000;
    let service = Service::start(&[("tokens", MOST)], Duration::ZERO);
    let limits = json!([
        {"name": "tokens", "of": "tokens", "per": "day", "max": MOST},
        {"name": "in", "of": "input_tokens", "per": "day", "max": 1_000_000, "scope": "global"},
        {"name": "out", "of": "output_tokens", "per": "day", "max": 1_000_000, "scope": "team"},
        {"name": "money", "of": "spend", "per": "month", "max": 100, "scope": "label:plan"},
    ]);
    let gateways = gateways(service.address, &limits);
    let (mut input, mut output, mut micro_usd) = (0, 0, 0);
    let mut refused = 0;
    for number in 0..400 {
        let scene = &gateways[number % 2];
        let answer = scene.gateway.send(&chat(&asked(number % 3 == 0)));
        if answer.status != 200 {
            let message = openai_error(&answer, 429, "rate_limit_error", Some("rate_limit_exceeded"));
            assert!(message.contains("`tokens`"), "{message}");
            refused += 1;
            if refused == 3 {
                break;
            }
            continue;
        }
        assert_eq!(refused, 0, "what was used up stays used up");
        let usage = usage(&answer);
        let of = |name: &str| usage[name].as_u64().unwrap();
        input += of("prompt_tokens");
        output += of("completion_tokens");
        // The prices of gpt-4o, in USD for a million; a part of a millionth is a whole one.
        let nano_usd = of("prompt_tokens") * 2_500 + of("completion_tokens") * 10_000;
        micro_usd += nano_usd.div_ceil(1_000);
        // Each charge is there before the next one looks.
        wait_for(&service, "tokens", input + output);
    }
    assert_eq!(refused, 3);
    assert!(input + output > MOST);
    assert_comes_to(&service, "tokens", input + output);
    assert_comes_to(&service, "in", input);
    assert_comes_to(&service, "out", output);
    assert_comes_to(&service, "money", micro_usd);
    let subjects = ["tokens", "in", "out", "money"].map(|limit| service.subjects(limit).join(" "));
    assert_eq!(subjects, ["key/key", "global", "team/ml", "label/trial"]);
    for scene in &gateways {
        scene.assert_sound();
    }
}

#[test]
fn who_leaves_a_stream_pays_for_what_has_come_of_it_and_who_is_not_answered_nothing() {
    const LEFT: u64 = 20;
    let service = Service::start(&[], Duration::ZERO);
    let limits = json!([{"name": "tokens", "of": "tokens", "per": "day", "max": 1_000_000}]);
    let scene = gateway(service.address, &limits);
    let case = scene.case("failures");
    for status in [StatusCode::BAD_REQUEST, StatusCode::INTERNAL_SERVER_ERROR] {
        let error = json!({"error": {"message": "no", "type": "error", "code": null, "param": null}}).to_string();
        case.answer(Script::whole(status, "application/json", error));
        let answer = case.send(&case.chat(&asked(false)).key("sk-key"));
        assert!(answer.status >= 400, "{}", answer.text());
    }
    wait_for_none(&scene.gateway, ACTIVE);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(service.count("tokens"), 0);
    assert_eq!(service.asked().len(), 2, "each was looked up, and none charged: {:?}", service.asked());

    let other = gateway_with(service.address, &limits, 1);
    for number in 0..LEFT {
        let scene = if number < LEFT / 2 { &scene } else { &other };
        let mut connection = Connection::open(scene.gateway.address).unwrap();
        // The role, and four words.
        connection.send(&chat(&asked(true)).header("x-simulate", "hang-after=5").bytes());
        assert_eq!(connection.head().unwrap().0, 200);
        let mut events = 0;
        while events < 5 {
            let chunk = connection.chunk().unwrap().unwrap();
            events += String::from_utf8_lossy(&chunk.bytes).matches("data: ").count();
        }
    }
    for scene in [&scene, &other] {
        wait_for_none(&scene.gateway, ACTIVE);
    }
    let begun = Instant::now();
    while service.asked().len() < 2 + 2 * usize::try_from(LEFT).unwrap() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", service.asked());
        thread::sleep(Duration::from_millis(10));
    }
    let input = expected_tokens(&asked(true));
    let counted = service.count("tokens");
    assert!((LEFT * (input + 4)..=LEFT * (input + 12)).contains(&counted), "{counted}");
    scene.assert_sound();
    other.assert_sound();
}

#[test]
fn a_limit_that_is_not_for_a_request_is_not_asked_and_each_scope_has_its_subject() {
    let service = Service::start(&[], Duration::ZERO);
    let limit =
        |name: &str, scope: &str| json!({"name": name, "of": "requests", "per": "hour", "max": 9, "scope": scope});
    let mut limits = json!([
        limit("key's", "key"),
        limit("50% of \"it\"", "team"),
        limit("label", "label:plan"),
        limit("all", "global")
    ]);
    for other in [
        json!({"name": "slots", "of": "concurrency", "max": 5}),
        json!({"name": "shadow", "of": "requests", "per": "hour", "max": 0, "shadow": true}),
        json!({"name": "off", "of": "requests", "per": "hour", "max": 0, "enabled": false}),
    ] {
        limits.as_array_mut().unwrap().push(other);
    }
    let scene = gateway(service.address, &limits);
    let told = |request: Request| {
        let before = service.asked().len();
        let answer = scene.gateway.send(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut told: Vec<_> =
            service.asked().split_off(before).into_iter().map(|asked| (asked.limit, asked.subject)).collect();
        told.sort();
        told
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<_> {
        pairs.iter().map(|(limit, subject)| ((*limit).to_owned(), (*subject).to_owned())).collect()
    };
    let all = [("50% of \"it\"", "team/ml"), ("all", "global"), ("key's", "key/key"), ("label", "label/trial")];
    assert_eq!(told(chat(&asked(false))), pairs(&all));
    let free = Request::post("/v1/chat/completions", &asked(false)).key("sk-free");
    assert_eq!(told(free), pairs(&[("all", "global"), ("key's", "key/free")]));
    // An environment's own limit is another one, and its others are the same.
    let prod = Request::post("/v1/chat/completions", &asked(false)).key("sk-free").header("x-dragoman-env", "prod");
    assert_eq!(told(prod), pairs(&[("all@prod", "environment/prod"), ("key's", "key/free")]));
    // Direct, and what is no request to anybody.
    let mut direct = asked(false);
    direct["model"] = json!("gpt-4o");
    let direct = Request::post("/openai/v1/chat/completions", &direct).key("sk-free");
    assert_eq!(told(direct), pairs(&[("all", "global"), ("key's", "key/free")]));
    assert_eq!(told(Request::get("/v1/models").key("sk-key")), []);
    scene.assert_sound();
}

#[test]
fn a_refusal_names_its_limit_whatever_that_is_called_and_money_is_a_budget() {
    let service = Service::start(&[("50% of \"it\"", 0), ("money", 0)], Duration::ZERO);
    let limits = json!([
        {"name": "money", "of": "spend", "per": "day", "max": 0, "scope": "label:plan"},
        {"name": "50% of \"it\"", "of": "requests", "per": "minute", "max": 0},
    ]);
    let scene = gateway(service.address, &limits);
    for stream in [false, true] {
        let answer = scene.gateway.send(&chat(&asked(stream)));
        let message = openai_error(&answer, 429, "rate_limit_error", Some("rate_limit_exceeded"));
        assert!(message.contains("`50% of \"it\"`"), "{message}");
    }
    assert!(scene.upstream.requests().is_empty());
    // Nobody was sent what would cost something.
    thread::sleep(Duration::from_millis(200));
    assert_eq!(service.count("money"), 0);

    let service = Service::start(&[("money", 0)], Duration::ZERO);
    let scene = gateway(service.address, &json!([limits[0]]));
    // What is looked at is what was used, and nothing was.
    assert_eq!(scene.gateway.send(&chat(&asked(false))).status, 200);
    wait_for(&service, "money", 1);
    let answer = scene.gateway.send(&chat(&asked(false)));
    let message = openai_error(&answer, 429, "insufficient_quota", Some("insufficient_quota"));
    assert!(message.contains("`money`"), "{message}");
    scene.assert_sound();
}

#[test]
fn without_the_service_each_limit_does_as_it_says() {
    let allow = json!({"name": "allow", "of": "requests", "per": "hour", "max": 1});
    let deny = json!({"name": "deny", "of": "tokens", "per": "hour", "max": 1, "on_error": "deny", "scope": "team"});
    let service = Service::start(&[], Duration::ZERO);
    let gateways = gateways(service.address, &json!([allow, deny]));
    for scene in &gateways {
        assert_eq!(scene.gateway.send(&chat(&asked(false))).status, 200);
    }
    drop(service);
    for (scene, stream) in gateways.iter().flat_map(|scene| [(scene, false), (scene, true)]) {
        let answer = scene.gateway.send(&chat(&asked(stream)));
        openai_error(&answer, 503, "upstream_error", Some("upstream_error"));
        // A key without a team has only the one that lets it in.
        let free = Request::post("/v1/chat/completions", &asked(stream)).key("sk-free");
        assert_eq!(scene.gateway.send(&free).status, 200);
    }
    for scene in &gateways {
        assert_eq!(scene.upstream.requests().len(), 3);
        scene.assert_sound();
    }
}

#[test]
fn a_service_that_is_slow_is_waited_for_no_longer_than_the_file_says() {
    let service = Service::start(&[], Duration::from_secs(20));
    let limits = json!([
        {"name": "allow", "of": "requests", "per": "hour", "max": 1},
        {"name": "deny", "of": "requests", "per": "hour", "max": 1, "on_error": "deny", "scope": "team"},
    ]);
    // Two seconds each.
    let scene = gateway(service.address, &limits);
    for (key, status, least, most) in [("sk-free", 200, 2, 4), ("sk-key", 503, 4, 8)] {
        let begun = Instant::now();
        let answer = scene.gateway.send(&Request::post("/v1/chat/completions", &asked(false)).key(key));
        assert_eq!(answer.status, status, "{}", answer.text());
        let took = begun.elapsed();
        // Envoy's timers tick by the millisecond, and may be one early.
        let tick = Duration::from_millis(10);
        assert!((Duration::from_secs(least)..Duration::from_secs(most)).contains(&(took + tick)), "{took:?}");
    }
    assert_eq!(scene.upstream.requests().len(), 1);
    scene.assert_sound();
}
