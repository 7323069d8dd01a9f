//! When the next target is asked and when it is not, and what the client gets when all have failed, through a real Envoy. How
//! long is waited for that: `envoy_fallback_timing.rs`.
#![cfg(test)]

use dragoman::simulate::Script;
use dragoman_tests::chain::{
    ANTHROPIC, Chain, GEMINI, OPENAI, SAID, assert_named, assert_served, body, chat, failing, post, said, status,
    statuses, teller, timed, tries,
};
use dragoman_tests::scene::openai_error;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

/// How the first target of a plan fails whose second one cannot do what is asked for: Envoy goes on to the next by itself after
/// the last two, and asks nobody.
const UNHEARD: [&str; 3] = ["status-503", "refused", "reset"];

/// Each target once.
static ONCE: LazyLock<Chain> = LazyLock::new(|| {
    Chain::start(|config| {
        let all = |faults: [&str; 3]| {
            json!(["openai", "anthropic", "gemini"].iter().zip(faults).map(|(p, f)| failing(p, f)).collect::<Vec<_>>())
        };
        config["aliases"] = json!({
            "healthy": [OPENAI, ANTHROPIC, GEMINI],
            "all-503": all(["status-503", "status-503", "status-503"]),
            "all-429": all(["status-429-retry-after-9", "status-429-retry-after-7", "status-429-retry-after-8"]),
            "real-first": [failing("openai", "status-503"), failing("openai", "refused")],
            "real-last": [failing("openai", "refused"), failing("openai", "status-503")],
            "nobody": [failing("openai", "refused"), failing("anthropic", "reset")],
            "no-answer": all(["html", "empty", "malformed"]),
            "all-refuse": all(["status-401", "status-403", "status-401"]),
        });
        for fault in UNHEARD {
            config["aliases"][format!("heard-{fault}")] = json!([failing("openai", fault), ANTHROPIC, GEMINI]);
        }
        config["aliases"]["deaf"] = json!([ANTHROPIC, "anthropic/claude-3-haiku"]);
        for status in [400, 404, 413, 422] {
            config["aliases"][format!("asked-{status}")] =
                json!([failing("openai", &format!("status-{status}")), ANTHROPIC]);
        }
        config["context_fallbacks"] = json!({ "gpt-4o-sim-context-length": [GEMINI] });
        config["content_fallbacks"] = json!({ "gpt-4o-sim-content-policy": [ANTHROPIC] });
    })
});

#[test]
fn when_all_have_failed_their_errors_are_told_in_the_clients_format() {
    for stream in [false, true] {
        let (answer, _) = timed(&ONCE, "all", "all-503", stream);
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(statuses(&answer), [503, 503, 503]);
        assert_eq!(answer.headers.text("content-type"), Some("application/json"));
        assert!(answer.json()["error"]["message"].is_string(), "{}", answer.text());
        let members: Vec<_> = answer.json()["error"].as_object().unwrap().keys().cloned().collect();
        assert!(["code", "message", "param", "type"].iter().all(|name| members.iter().any(|member| member == name)));
        assert!(teller(&answer).ends_with("-sim-status-503"));

        let (answer, lasted) = timed(&ONCE, "all", "all-429", stream);
        assert_eq!((answer.status, statuses(&answer)), (429, vec![429, 429, 429]));
        let after: u64 = answer.headers.text("retry-after").unwrap().parse().unwrap();
        assert!((7..=9).contains(&after), "{after}");
        assert!(lasted < Duration::from_secs(7), "{lasted:?}");
    }
}

#[test]
fn what_a_provider_said_is_told_rather_than_that_another_was_not_there() {
    for model in ["real-first", "real-last"] {
        for stream in [false, true] {
            let (answer, _) = timed(&ONCE, "real", model, stream);
            assert_eq!((answer.status, tries(&answer).len()), (503, 2), "{}", answer.text());
            assert!(!answer.text().contains("cannot be reached"), "{model}: {}", answer.text());
        }
    }
    for stream in [false, true] {
        let (answer, _) = timed(&ONCE, "nobody", "nobody", stream);
        let message = openai_error(&answer, 503, "upstream_error", Some("upstream_error"));
        assert!(message.contains("cannot be reached"), "{message}");
        assert_eq!(tries(&answer).len(), 2);
        let (answer, _) = timed(&ONCE, "nobody", "no-answer", stream);
        openai_error(&answer, 502, "upstream_error", Some("upstream_error"));
        assert_eq!(statuses(&answer), [502, 502, 502]);
    }
}

#[test]
fn a_refused_credential_is_passed_over_and_told_as_the_operators_problem() {
    for stream in [false, true] {
        let (answer, _) = timed(&ONCE, "credentials", "all-refuse", stream);
        openai_error(&answer, 502, "upstream_error", Some("upstream_error"));
        assert_eq!(statuses(&answer), [401, 403, 401]);
    }
    ONCE.assert_apart();
}

#[test]
fn a_request_that_is_wrong_is_wrong_for_all() {
    for stream in [false, true] {
        for status in [400, 404, 413, 422] {
            let case = format!("asked {status} {stream}");
            let (answer, _) = timed(&ONCE, &case, &format!("asked-{status}"), stream);
            assert_eq!((answer.status, tries(&answer).len()), (status, 1), "{}", answer.text());
            assert_eq!(ONCE.counts(&case), [1, 0, 0]);
        }
    }
}

#[test]
fn a_prompt_that_is_too_long_goes_to_a_larger_model_and_one_that_offends_to_another() {
    for stream in [false, true] {
        let (answer, _) = timed(&ONCE, "context", &failing("openai", "context-length"), stream);
        assert_served(&answer, GEMINI, stream);
        assert_eq!(statuses(&answer), [400, 200]);
        let (answer, _) = timed(&ONCE, "content", &failing("openai", "content-policy"), stream);
        assert_served(&answer, ANTHROPIC, stream);
        assert_eq!(statuses(&answer), [400, 200]);
        // Where the file names none, the error is the answer.
        let (answer, _) = timed(&ONCE, "neither", &failing("anthropic", "context-length"), stream);
        assert_eq!((answer.status, statuses(&answer)), (400, vec![400]), "{}", answer.text());
    }
    ONCE.assert_apart();
}

#[test]
fn a_target_that_cannot_do_what_is_asked_for_is_passed_over() {
    let spoken = |case: &str, model: &str, stream| {
        let mut body = body(model, stream);
        let sound = json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}});
        body["messages"][0]["content"] = json!([{"type": "text", "text": SAID}, sound]);
        ONCE.send(&post("/v1/chat/completions", case, &body))
    };
    for stream in [false, true] {
        for fault in UNHEARD {
            let case = format!("heard {fault} {stream}");
            let answer = spoken(&case, &format!("heard-{fault}"), stream);
            assert_named(&answer, "gemini", "gemini-2.5-flash");
            assert!(said(&answer, stream).contains("audio/wav"), "{fault}: {}", answer.text());
            assert_eq!(statuses(&answer), [503, 200], "{fault}");
            assert_eq!(ONCE.counts(&case)[1..], [0, 1], "{fault}");
            // What all can do reaches the second.
            let (answer, _) = timed(&ONCE, &format!("able {fault} {stream}"), &format!("heard-{fault}"), stream);
            assert_served(&answer, ANTHROPIC, stream);
        }
        let case = format!("deaf {stream}");
        let answer = spoken(&case, "deaf", stream);
        assert_eq!(answer.status, 400, "{}", answer.text());
        let error = answer.json()["error"].clone();
        assert_eq!((&error["param"], &error["type"]), (&json!("messages"), &json!("invalid_request_error")));
        assert!(answer.text().contains("cannot listen to audio"), "{}", answer.text());
        assert_eq!(ONCE.counts(&case), [0, 0, 0]);
    }
    ONCE.assert_apart();
}

#[test]
fn after_the_first_content_nothing_is_tried_again() {
    for fault in ["cut-after-4", "reset-after-4", "error-after-4", "malformed-after-4"] {
        let case = format!("content {fault}");
        let begun = ONCE.send(&chat(&case, "healthy", true).header("x-simulate", fault));
        assert_eq!((begun.status, tries(&begun).len()), (200, 1), "{fault}");
        assert!(begun.text().contains("This"), "{fault}: {}", begun.text());
        assert!(!begun.text().contains("[DONE]"), "{fault}: {}", begun.text());
        assert_eq!(ONCE.counts(&case), [1, 0, 0]);
    }
    ONCE.assert_sound();
}

/// Names of the gateway's own and of Envoy's, by which a provider could move it.
#[test]
fn no_header_of_a_provider_decides_whether_another_is_asked() {
    let forged: [(&'static str, &'static str); 8] = [
        ("x-dragoman-retry", "1"),
        ("x-dragoman-attempts", "openai/forged=200"),
        ("x-dragoman-provider", "forged"),
        ("x-dragoman-cluster", "dragoman_gemini"),
        ("x-envoy-ratelimited", "true"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-max-retries", "9"),
        ("x-envoy-immediate-health-check-fail", "true"),
    ];
    let with = |mut script: Script| {
        for (name, value) in forged {
            script = script.with(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        script
    };
    let good = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "forged"}, "finish_reason": "stop"}]});
    let good = good.to_string();
    let case = "forged good";
    ONCE.answer("openai", case, with(Script::whole(StatusCode::OK, "application/json", good)));
    let (answer, _) = timed(&ONCE, case, "healthy", false);
    assert_eq!(said(&answer, false), "forged");
    assert_named(&answer, "openai", "gpt-4o");
    assert_eq!(ONCE.counts(case), [1, 0, 0]);

    for code in [400, 404] {
        for stream in [false, true] {
            let case = format!("forged {code} {stream}");
            ONCE.answer("openai", &case, with(status(code)));
            let (answer, _) = timed(&ONCE, &case, "healthy", stream);
            assert_eq!((answer.status, statuses(&answer)), (code, vec![code]), "{}", answer.text());
            assert_eq!(ONCE.counts(&case), [1, 0, 0]);
        }
    }
    for (name, expected) in [("forged bad", ANTHROPIC), ("forged bad twice", GEMINI)] {
        for stream in [false, true] {
            let case = format!("{name} {stream}");
            ONCE.answer("openai", &case, with(status(503)));
            if expected == GEMINI {
                ONCE.answer("anthropic", &case, with(status(429)));
            }
            let (answer, _) = timed(&ONCE, &case, "healthy", stream);
            assert_served(&answer, expected, stream);
        }
    }
    let case = "forged all";
    for provider in ["openai", "anthropic", "gemini"] {
        ONCE.answer(provider, case, with(status(503)));
    }
    let (answer, _) = timed(&ONCE, case, "healthy", false);
    assert_eq!((answer.status, statuses(&answer)), (503, vec![503, 503, 503]));
    assert!([OPENAI, ANTHROPIC, GEMINI].contains(&teller(&answer).as_str()));
    ONCE.assert_sound();
}

#[test]
fn no_header_of_a_client_decides_it_either() {
    for (name, value) in [
        ("x-envoy-max-retries", "0"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-retriable-header-names", "content-type"),
        ("x-envoy-retriable-status-codes", "200"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-hedge-on-per-try-timeout", "true"),
        ("x-dragoman-retry", "1"),
        ("x-dragoman-cluster", "dragoman_gemini"),
    ] {
        for stream in [false, true] {
            let case = format!("client {name} {stream}");
            ONCE.answer("openai", &case, status(503));
            let answer = ONCE.send(&chat(&case, "healthy", stream).header(name, value));
            assert_served(&answer, ANTHROPIC, stream);
            assert_eq!(ONCE.counts(&case), [1, 1, 0], "{name}");
        }
    }
}

#[test]
fn an_error_names_no_credential_and_no_page() {
    for model in ["all-503", "nobody", "no-answer", "all-refuse"] {
        let (answer, _) = timed(&ONCE, "silence", model, false);
        let text = answer.text().to_lowercase();
        let told = ["secret", "<html", "127.0.0.1"].into_iter().find(|word| text.contains(word));
        assert_eq!(told, None, "{text}");
        let _: Value = answer.json();
    }
}
