//! A target that failed is left alone for a while by both workers, and then one request at a time finds out whether it is well
//! again, through a real Envoy.
//!
//! Health is of a provider's model, so each test has models of its own.
#![cfg(test)]

use dragoman::simulate::{Gate, Script};
use dragoman_tests::chain::{Chain, OPENAI, body, chat, held, post, said, tries, wait_for_providers};
use dragoman_tests::clock::{assert_in_time, wait_since, wait_until};
use dragoman_tests::http::{Connection, Request, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    Chain::start(|config| {
        wait_for_providers(config);
        config["retry"]["cooldown"] = json!({"default": "1s", "max": "6s"});
        let rounds = ["asked-0", "asked-1", "asked-2", "twice-0", "twice-1", "twice-2"];
        for test in rounds.into_iter().chain(["probe", "wrong", "later"]) {
            config["aliases"][test] = json!([format!("openai/{test}-a"), format!("anthropic/{test}-b")]);
        }
        // Its own credential for each account.
        config["providers"]["twin"] = config["providers"]["openai"].clone();
        let twin = config["providers"]["twin"].as_object_mut().unwrap();
        let credential = twin.remove("credential").unwrap();
        let other = json!({"value": "sk-openai-other-0005"});
        twin.insert(
            "accounts".into(),
            json!([{"name": "one", "credential": credential}, {"name": "two", "credential": other}]),
        );
    })
});

fn failure() -> Script {
    Script::new(StatusCode::SERVICE_UNAVAILABLE)
}

fn pausing(seconds: &'static str) -> Script {
    Script::new(StatusCode::TOO_MANY_REQUESTS).with(header::RETRY_AFTER, HeaderValue::from_static(seconds))
}

/// A request on a connection of its own: any worker's.
fn ask(case: &str, model: &str) -> Response {
    CHAIN.send(&chat(case, model, false))
}

fn first(answer: &Response) -> String {
    tries(answer).remove(0).0
}

/// Asks both workers in turn, some ten times a second in all, until so long after `since`. The answers of each that came in
/// that time.
fn ask_until(workers: &mut [Connection; 2], since: Instant, span: Duration, request: &Request) -> [Vec<Response>; 2] {
    let mut answers = [Vec::new(), Vec::new()];
    while since.elapsed() < span {
        for (worker, answers) in workers.iter_mut().zip(&mut answers) {
            let answer = worker.ask(request);
            if since.elapsed() < span {
                answers.push(answer);
            }
        }
        thread::sleep(Duration::from_millis(80));
    }
    answers
}

/// Waits until a worker's first choice is this target.
fn wait_for_first(worker: &mut Connection, target: &str, case: &str) {
    wait_until(target, || first(&worker.ask(&chat(case, case, false))) == target);
}

#[test]
fn a_provider_that_asks_for_a_pause_gets_no_traffic_until_it_is_over() {
    assert_in_time(|round| {
        let mut workers = CHAIN.connect_workers();
        let case = format!("asked-{round}");
        let (tired, other) = (format!("openai/{case}-a"), format!("anthropic/{case}-b"));
        let request = chat(&case, &case, false);
        CHAIN.answer("openai", &case, pausing("3"));
        let begun = Instant::now();
        let answer = workers[0].ask(&request);
        let told = Instant::now();
        assert_eq!((tries(&answer).len(), tries(&answer)[0].1), (2, 429));
        let answers = ask_until(&mut workers, begun, Duration::from_millis(2_900), &request);
        assert!(answers.iter().flatten().all(|answer| tries(answer).len() == 1 && first(answer) == other));
        // Two answers may have come too late to be judged, the first of them a probe's.
        assert!(CHAIN.requests("openai", &case).len() <= 3);
        wait_since(told, Duration::from_millis(3_100));
        // The first of them is the probe, and then all go there.
        for worker in &mut workers {
            wait_for_first(worker, &tired, &case);
        }
        for answers in ask_until(&mut workers, Instant::now(), Duration::from_millis(500), &request) {
            assert!(answers.iter().all(|answer| first(answer) == tired));
        }
        answers.iter().all(|answers| answers.len() >= 4)
    });
    CHAIN.assert_sound();
}

#[test]
fn a_target_that_fails_again_is_left_alone_for_longer() {
    assert_in_time(|round| {
        let mut workers = CHAIN.connect_workers();
        let case = format!("twice-{round}");
        let request = chat(&case, &case, false);
        for _ in 0..2 {
            CHAIN.answer("openai", &case, failure());
        }
        assert_eq!(tries(&workers[0].ask(&request)).len(), 2);
        thread::sleep(Duration::from_millis(1_200));
        let begun = Instant::now();
        assert_eq!(tries(&workers[1].ask(&request)).len(), 2);
        let told = Instant::now();
        // The first pause would be over.
        wait_since(told, Duration::from_millis(1_100));
        let answers = ask_until(&mut workers, begun, Duration::from_millis(1_900), &request);
        assert!(answers.iter().flatten().all(|answer| first(answer) == format!("anthropic/{case}-b")));
        wait_since(told, Duration::from_millis(2_100));
        for worker in &mut workers {
            wait_for_first(worker, &format!("openai/{case}-a"), &case);
        }
        answers.iter().all(|answers| !answers.is_empty())
    });
}

#[test]
fn one_request_at_a_time_finds_out_whether_a_target_is_well_again() {
    let mut workers = CHAIN.connect_workers();
    let request = chat("probe", "probe", false);
    let gate = Gate::closed();
    CHAIN.answer("openai", "probe", failure());
    CHAIN.answer("openai", "probe", held("well", &gate));
    let _ = workers[0].ask(&request);
    thread::sleep(Duration::from_millis(1_200));
    let probe = thread::spawn(|| ask("probe", "probe"));
    wait_until("the probe is on its way", || CHAIN.requests("openai", "probe").len() == 2);
    for worker in &mut workers {
        for _ in 0..8 {
            assert_eq!(first(&worker.ask(&request)), "anthropic/probe-b");
        }
    }
    assert_eq!(CHAIN.requests("openai", "probe").len(), 2);
    gate.open();
    assert_eq!(said(&probe.join().unwrap(), false), "well");
    for worker in &mut workers {
        wait_for_first(worker, "openai/probe-a", "probe");
    }
}

#[test]
fn where_all_are_to_be_left_alone_the_first_to_be_well_is_asked() {
    CHAIN.answer("openai", "later", pausing("6"));
    CHAIN.answer("anthropic", "later", pausing("3"));
    let answer = ask("later", "later");
    assert_eq!((answer.status, tries(&answer).len()), (429, 2));
    let answer = ask("later", "later");
    assert_eq!((answer.status, first(&answer).as_str()), (200, "anthropic/later-b"), "{}", answer.text());
}

#[test]
fn a_request_that_is_wrong_says_nothing_of_the_target() {
    for _ in 0..5 {
        CHAIN.answer("openai", "wrong", Script::new(StatusCode::BAD_REQUEST));
        assert_eq!(ask("wrong", "wrong").status, 400);
    }
    assert_eq!(first(&ask("wrong", "wrong")), "openai/wrong-a");
}

#[test]
fn an_account_is_left_alone_and_its_provider_is_not() {
    let accounts = || -> Vec<String> {
        let requests = CHAIN.requests("openai", "account");
        requests.iter().map(|request| request.header("authorization").unwrap().to_owned()).collect()
    };
    let mut workers = CHAIN.connect_workers();
    let request = chat("account", "twin/account-a", false);
    CHAIN.answer("openai", "account", pausing("4"));
    let begun = Instant::now();
    let answer = workers[0].ask(&request);
    assert_eq!((answer.status, tries(&answer).len()), (200, 2), "{}", answer.text());
    let [tired, other] = accounts().try_into().unwrap();
    assert_ne!(tired, other);
    for answers in ask_until(&mut workers, begun, Duration::from_secs(2), &request) {
        assert!(!answers.is_empty());
        assert!(answers.iter().all(|answer| tries(answer).len() == 1));
    }
    // The tired one is asked again only where the last request came too late.
    let tired = accounts()[2..].iter().filter(|account| **account != other).count();
    assert!(tired == 0 || begun.elapsed() > Duration::from_secs(4));
}

#[test]
fn what_is_left_alone_is_one_model_of_a_provider() {
    CHAIN.answer("openai", "model", failure());
    let answer = CHAIN.send(&post("/v1/chat/completions", "model", &body("openai/tired", false)));
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(ask("model", OPENAI).status, 200);
    // With nobody else to ask, it is asked.
    assert_eq!(ask("model", "openai/tired").status, 200);
}
