//! A target that failed is left alone for a while by both workers, and then one request at a time finds out whether it is well
//! again, through a real Envoy.
//!
//! Health is of a provider's model, so each test has models of its own.
#![cfg(test)]

use dragoman::simulate::Script;
use dragoman_tests::chain::{Chain, OPENAI, body, chat, post, said, tries};
use dragoman_tests::http::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    Chain::start(|config| {
        config["retry"]["cooldown"] = json!({"default": "1s", "max": "6s"});
        for test in ["asked", "twice", "probe", "wrong", "later"] {
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

/// Asks until this much time has passed, some ten times a second.
fn ask_for(span: Duration, case: &str, model: &str) -> Vec<Response> {
    let begun = Instant::now();
    let mut answers = Vec::new();
    while begun.elapsed() < span {
        answers.push(ask(case, model));
        thread::sleep(Duration::from_millis(40));
    }
    answers
}

#[test]
fn a_provider_that_asks_for_a_pause_gets_no_traffic_until_it_is_over() {
    CHAIN.answer("openai", "asked", pausing("3"));
    let begun = Instant::now();
    let answer = ask("asked", "asked");
    assert_eq!((tries(&answer).len(), tries(&answer)[0].1), (2, 429));
    // Both workers are among so many connections.
    let during = ask_for(Duration::from_millis(2_600).saturating_sub(begun.elapsed()), "asked", "asked");
    assert!(during.len() >= 20, "{}", during.len());
    assert!(during.iter().all(|answer| tries(answer).len() == 1 && first(answer) == "anthropic/asked-b"));
    assert_eq!(CHAIN.requests("openai", "asked").len(), 1);
    thread::sleep(Duration::from_millis(3_300).saturating_sub(begun.elapsed()));
    // The first of them is the probe.
    assert_eq!(first(&ask("asked", "asked")), "openai/asked-a");
    thread::sleep(Duration::from_millis(300));
    let after = ask_for(Duration::from_millis(500), "asked", "asked");
    assert!(after.iter().all(|answer| first(answer) == "openai/asked-a"));
    CHAIN.assert_sound();
}

#[test]
fn a_target_that_fails_again_is_left_alone_for_longer() {
    CHAIN.answer("openai", "twice", failure());
    CHAIN.answer("openai", "twice", failure());
    assert_eq!(tries(&ask("twice", "twice")).len(), 2);
    thread::sleep(Duration::from_millis(1_200));
    let begun = Instant::now();
    assert_eq!(tries(&ask("twice", "twice")).len(), 2);
    let during = ask_for(Duration::from_millis(1_700).saturating_sub(begun.elapsed()), "twice", "twice");
    assert!(during.iter().all(|answer| first(answer) == "anthropic/twice-b"));
    thread::sleep(Duration::from_millis(2_300).saturating_sub(begun.elapsed()));
    assert_eq!(first(&ask("twice", "twice")), "openai/twice-a");
    assert_eq!(CHAIN.requests("openai", "twice").len(), 3);
}

#[test]
fn one_request_at_a_time_finds_out_whether_a_target_is_well_again() {
    let answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "probe-a",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "well"}, "finish_reason": "stop"}]});
    let well = Script::whole(StatusCode::OK, "application/json", answer.to_string());
    CHAIN.answer("openai", "probe", failure());
    CHAIN.answer("openai", "probe", well.delayed(Duration::from_millis(700)));
    let _ = ask("probe", "probe");
    thread::sleep(Duration::from_millis(1_200));
    let probe = thread::spawn(|| ask("probe", "probe"));
    thread::sleep(Duration::from_millis(200));
    let others: Vec<_> = (0..16).map(|_| thread::spawn(|| ask("probe", "probe"))).collect();
    for other in others {
        assert_eq!(first(&other.join().unwrap()), "anthropic/probe-b");
    }
    assert_eq!(CHAIN.requests("openai", "probe").len(), 2);
    assert_eq!(said(&probe.join().unwrap(), false), "well");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(first(&ask("probe", "probe")), "openai/probe-a");
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
    CHAIN.answer("openai", "account", pausing("4"));
    let begun = Instant::now();
    let answer = ask("account", "twin/account-a");
    assert_eq!((answer.status, tries(&answer).len()), (200, 2), "{}", answer.text());
    let [tired, other] = accounts().try_into().unwrap();
    assert_ne!(tired, other);
    while begun.elapsed() < Duration::from_secs(2) {
        assert_eq!(tries(&ask("account", "twin/account-a")).len(), 1);
        thread::sleep(Duration::from_millis(50));
    }
    assert!(accounts()[2..].iter().all(|account| *account == other));
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
