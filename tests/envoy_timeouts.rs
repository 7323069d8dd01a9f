//! How long a provider is waited for, through a real Envoy: each time-out ends what it is for and nothing else.
#![cfg(test)]

use dragoman::simulate::{Options, Simulator};
use dragoman_tests::clock::assert_quicker;
use dragoman_tests::envoy::Gateway;
use dragoman_tests::http::{Request, Response};
use serde_json::json;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Neither is ever dropped.
static GATEWAY: LazyLock<(Simulator, Gateway)> = LazyLock::new(|| {
    let simulator = Simulator::start(Options::default()).unwrap();
    let base_url = format!("http://{}/v1", simulator.addr());
    let timeouts = json!({"first_byte": "1s", "idle": "2s", "total": "5s", "flex": "6s"});
    let gateway = Gateway::start(json!({
        "providers": {"openai": {"kind": "openai", "base_url": base_url, "timeouts": timeouts}},
    }));
    (simulator, gateway)
});

fn ask(tier: &str, stream: bool, faults: &str) -> (Response, Duration) {
    let messages = json!([{"role": "user", "content": "Hello"}]);
    let body = json!({"model": "openai/gpt-4o", "stream": stream, "service_tier": tier, "messages": messages});
    let request = Request::post("/v1/chat/completions", &body).header("x-simulate", faults);
    let (gateway, begun) = (&GATEWAY.1, Instant::now());
    let answer = gateway.send(&request);
    (answer, begun.elapsed())
}

/// Asks until it lasts this long, three times at most, and asserts that it never lasts less.
#[track_caller]
fn assert_lasts(wanted_ms: u64, mut ask: impl FnMut() -> Duration) {
    // Envoy closes a connection of HTTP/1.1 a second after it has ended the stream.
    let (early_ms, late_ms) = (50, 1_900);
    assert_quicker(Duration::from_millis(wanted_ms.saturating_add(late_ms)), |_| {
        let lasted = ask();
        assert!(
            lasted >= Duration::from_millis(wanted_ms.saturating_sub(early_ms)),
            "{lasted:?} is not {wanted_ms} ms"
        );
        lasted
    });
}

#[test]
fn a_provider_that_never_answers_is_given_up_after_first_byte() {
    assert_lasts(1_000, || {
        let (answer, lasted) = ask("default", false, "hang");
        assert_eq!(answer.status, 504, "{}", answer.text());
        lasted
    });
}

#[test]
fn the_flex_tier_is_given_up_after_flex() {
    assert_lasts(6_000, || {
        let (answer, lasted) = ask("flex", true, "hang");
        assert_eq!(answer.status, 504, "{}", answer.text());
        lasted
    });
}

#[test]
fn the_flex_tier_is_answered_late_and_then_has_as_long_as_any_other() {
    for stream in [false, true] {
        let (answer, lasted) = ask("flex", stream, "delay=5500");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.complete && lasted > Duration::from_millis(5_450));
    }
    let (answer, lasted) = ask("flex", true, "delay=4500; slow=200");
    assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"), "{}", answer.text());
    assert!(lasted > Duration::from_secs(5), "{lasted:?} is not longer than `total`");
}

#[test]
fn a_stream_that_falls_silent_is_cut_after_idle() {
    assert_lasts(2_000, || {
        let (answer, lasted) = ask("default", true, "hang-after=4");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains("[DONE]"), "{}", answer.text());
        lasted
    });
}

#[test]
fn a_stream_that_goes_on_and_on_is_cut_after_total() {
    assert_lasts(5_000, || {
        let (answer, lasted) = ask("default", true, "slow=900");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains("[DONE]"), "{}", answer.text());
        lasted
    });
}

/// The same provider, by itself and as the first of two, behind a router with more patience than the file has.
#[test]
fn a_routers_deadline_lengthens_a_try_and_only_its_own() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let base_url = format!("http://{}/v1", simulator.addr());
    let gateway = Gateway::start(json!({
        "providers": {"openai": {"kind": "openai", "base_url": base_url, "timeouts": {"first_byte": "6s"}}},
        "aliases": {"two": ["openai/gpt-4o", "openai/gpt-4o-mini"]},
        "retry": {"attempts": 0, "deadline": "1s"},
        "routers": {"patient": {"retry": {"deadline": "20s"}}},
    }));
    let ask = |path: &str, model: &str, stream: bool| {
        let body = json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello"}]});
        let begun = Instant::now();
        let answer = gateway.send(&Request::post(path, &body).header("x-simulate", "delay=2500"));
        (answer, begun.elapsed())
    };
    for model in ["openai/gpt-4o", "two"] {
        for stream in [false, true] {
            let (answer, lasted) = ask("/router/patient/chat/completions", model, stream);
            assert_eq!(answer.status, 200, "{model}: {}", answer.text());
            assert_eq!(answer.headers.text("x-dragoman-attempts"), Some("openai/gpt-4o=200"));
            assert!(lasted >= Duration::from_millis(2_450), "{model}: {lasted:?}");
            assert_lasts(1_000, || {
                let (answer, lasted) = ask("/v1/chat/completions", model, stream);
                assert_eq!(answer.status, 504, "{model}: {}", answer.text());
                lasted
            });
        }
    }
}
