//! How long a target that failed is waited for, and how long a plan may take, through a real Envoy.
#![cfg(test)]

use dragoman::simulate::{Piece, Script};
use dragoman_tests::chain::{
    ANTHROPIC, Chain, GEMINI, OPENAI, assert_served, failing, said, status, statuses, timed, tries,
};
use dragoman_tests::clock::assert_quicker;
use dragoman_tests::envoy::{is_dispatch, skips};
use dragoman_tests::http::Response;
use dragoman_tests::scene::openai_error;
use http::{HeaderName, HeaderValue, header};
use serde_json::json;
use std::sync::LazyLock;
use std::time::Duration;

/// Each target once, the slow ones first.
static ONCE: LazyLock<Chain> = LazyLock::new(|| {
    Chain::start(|config| {
        let slow = (0..6).map(|number| failing("openai", &format!("hang-delay-{number}")));
        config["aliases"] = json!({ "slow-chain": slow.chain([GEMINI.to_owned()]).collect::<Vec<_>>() });
    })
});

/// The same target up to three times, and no longer than a few seconds in all.
static AGAIN: LazyLock<Chain> = LazyLock::new(|| {
    Chain::start(|config| {
        config["aliases"] = json!({
            "healthy": [OPENAI, ANTHROPIC],
            "hanging": [failing("openai", "hang"), failing("anthropic", "hang"), failing("gemini", "hang")],
        });
        for provider in ["openai", "anthropic", "gemini"] {
            config["providers"][provider]["timeouts"]["first_byte"] = json!("2s");
        }
        config["retry"]["attempts"] = json!(2);
        config["retry"]["backoff"] = json!({"base": "50ms", "max": "1500ms"});
        config["retry"]["deadline"] = json!("3s");
    })
});

/// The same target once more, after one to two seconds, of the two that a try may take.
static PATIENT: LazyLock<Chain> = LazyLock::new(|| {
    Chain::start(|config| {
        let all = |fault: &str| ["openai", "anthropic", "gemini"].map(|provider| failing(provider, fault));
        let [first, second, _] = all("reset");
        let [third, fourth, _] = all("hang");
        config["aliases"] = json!({
            "resetting": [first, second, GEMINI],
            "silent": [third, fourth, GEMINI],
            "refusing": [failing("openai", "refused"), ANTHROPIC],
        });
        for provider in ["openai", "anthropic", "gemini", "refused"] {
            config["providers"][provider]["timeouts"]["first_byte"] = json!("2s");
        }
        config["retry"]["attempts"] = json!(1);
        config["retry"]["backoff"] = json!({"base": "2s", "max": "2s"});
    })
});

fn targets(answer: &Response) -> Vec<String> {
    tries(answer).into_iter().map(|(target, _)| target).collect()
}

#[test]
fn the_same_target_is_tried_again_before_the_next() {
    for stream in [false, true] {
        // Twice `backoff.max` would be three seconds.
        assert_quicker(Duration::from_secs(2), |round| {
            let case = format!("again {stream} {round}");
            for _ in 0..2 {
                AGAIN.answer("openai", &case, status(503));
            }
            let (answer, lasted) = timed(&AGAIN, &case, "healthy", stream);
            assert_served(&answer, OPENAI, stream);
            assert_eq!(statuses(&answer), [503, 503, 200]);
            lasted
        });

        let case = format!("again and on {stream}");
        for _ in 0..3 {
            AGAIN.answer("openai", &case, status(500));
        }
        let (answer, _) = timed(&AGAIN, &case, "healthy", stream);
        assert_served(&answer, ANTHROPIC, stream);
        assert_eq!(statuses(&answer), [500, 500, 500, 200]);
        assert_eq!(AGAIN.counts(&case), [3, 1, 0]);
    }
    AGAIN.assert_apart();
}

#[test]
fn a_provider_that_asks_for_a_pause_gets_it_unless_it_is_too_long() {
    let pausing = |name: &'static str, value: &'static str| {
        status(429).with(HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    for stream in [false, true] {
        for (name, value, least) in [("retry-after", "1", 1_000), ("retry-after-ms", "600", 600)] {
            assert_quicker(Duration::from_millis(least + 900), |round| {
                let case = format!("pause {name} {stream} {round}");
                AGAIN.answer("openai", &case, pausing(name, value));
                let (answer, lasted) = timed(&AGAIN, &case, "healthy", stream);
                assert_served(&answer, OPENAI, stream);
                assert_eq!(statuses(&answer), [429, 200]);
                assert!(lasted >= Duration::from_millis(least), "{name}: {lasted:?}");
                lasted
            });
        }
        // Longer than `backoff.max`: the next target is asked at once.
        assert_quicker(Duration::from_millis(900), |round| {
            let case = format!("too long {stream} {round}");
            AGAIN.answer("openai", &case, pausing("retry-after", "20"));
            let (answer, lasted) = timed(&AGAIN, &case, "healthy", stream);
            assert_served(&answer, ANTHROPIC, stream);
            assert_eq!(targets(&answer), [OPENAI, ANTHROPIC]);
            lasted
        });
        // And where there is none, the client is told at once.
        assert_quicker(Duration::from_millis(900), |round| {
            let case = format!("alone {stream} {round}");
            AGAIN.answer("openai", &case, pausing("retry-after", "20"));
            let (answer, lasted) = timed(&AGAIN, &case, OPENAI, stream);
            assert_eq!((answer.status, answer.headers.text("retry-after")), (429, Some("20")));
            assert_eq!(AGAIN.counts(&case), [1, 0, 0]);
            lasted
        });
    }
}

/// Whoever sends the next try must send it to whom it is for: behind the router Envoy has chosen the cluster before the plan is
/// asked. On the client's own stream nothing but the deadline bounds the wait.
#[test]
fn a_target_that_is_not_waited_for_leaves_its_connection_and_no_credential_to_the_next() {
    for (model, served) in [("resetting", GEMINI), ("refusing", ANTHROPIC), ("silent", GEMINI)] {
        for stream in [false, true] {
            let case = format!("patient {model} {stream}");
            let (answer, _) = timed(&PATIENT, &case, model, stream);
            assert_served(&answer, served, stream);
            let once = if is_dispatch() { 2 } else { 1 };
            let failed = if served == GEMINI { 2 } else { 1 };
            assert_eq!(statuses(&answer).len(), failed * once + 1, "{model}: {:?}", tries(&answer));
        }
    }
    PATIENT.assert_apart();
    PATIENT.assert_sound();
}

/// Five providers take as long as a stream may be silent, and the sixth answers.
#[test]
fn waiting_for_one_after_the_other_is_not_taken_for_a_stalled_stream() {
    for stream in [false, true] {
        let (answer, lasted) = timed(&ONCE, "stalled", "slow-chain", stream);
        assert_served(&answer, GEMINI, stream);
        assert_eq!(statuses(&answer), [504, 504, 504, 504, 504, 504, 200]);
        assert!(lasted > Duration::from_secs(6), "{lasted:?}");
    }
    // A stream that stalls is ended all the same.
    let (answer, lasted) = timed(&ONCE, "stalled", &failing("openai", "hang-after-4"), true);
    assert!(!answer.text().contains("[DONE]") && lasted < Duration::from_secs(15), "{lasted:?}: {}", answer.text());
}

#[test]
fn the_deadline_bounds_all_tries_together() {
    for stream in [false, true] {
        // Envoy closes a connection of HTTP/1.1 a second after it has ended the stream.
        assert_quicker(Duration::from_millis(4_900), |_| {
            let (answer, lasted) = timed(&AGAIN, "deadline", "hanging", stream);
            openai_error(&answer, 504, "upstream_error", Some("upstream_error"));
            assert!(lasted >= Duration::from_millis(2_500), "{lasted:?}");
            assert!(answer.headers.get("x-dragoman-attempts").is_some());
            lasted
        });
    }
    AGAIN.wait_until_idle();
    AGAIN.assert_sound();
}

/// The pause is of the stream, not of its beginning.
#[test]
fn the_deadline_does_not_cut_an_answer_that_has_begun() {
    if skips("the_deadline_does_not_cut_an_answer_that_has_begun", "a second answer begins when it is whole") {
        return;
    }
    let event = |text: &str| {
        let chunk = json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]});
        Piece::new(format!("data: {chunk}\n\n"))
    };
    let stop =
        json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let mut script = Script::events(Vec::<String>::new());
    script.body = vec![event("one "), event("two").after(Duration::from_millis(3_500))];
    script.body.push(Piece::new(format!("data: {stop}\n\ndata: [DONE]\n\n")));
    AGAIN.answer("openai", "long stream", status(503).with(header::RETRY_AFTER, HeaderValue::from_static("0")));
    AGAIN.answer("openai", "long stream", script);
    let (answer, _) = timed(&AGAIN, "long stream", "healthy", true);
    assert_eq!(said(&answer, true), "one two");
    assert_eq!(statuses(&answer), [503, 200]);
}
