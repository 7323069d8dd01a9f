//! Whole answers that are let go before they are known to be valid, because they are too large to be held.

use dragoman_core::host::Clock;
use serde_json::{Value, json};

use super::*;
use crate::stage::NewYear;

#[test]
fn what_is_too_large_to_be_held_counts_as_what_it_turns_out_to_be() {
    for (member, expected) in [
        (r#""error":{"code":429,"message":"m"}"#, json!("rate_limited")),
        (r#""error":{"message":"m"}"#, json!("server_error")),
        (r#""error":"m""#, json!("server_error")),
        (r#""data":[]"#, json!("bad_answer")),
        (r#""choices":[],"error":null"#, Value::Null),
    ] {
        for length in [400, 600] {
            let answer = format!(r#"{{"x":"{}",{member}}}"#, "x".repeat(length * 1024));
            let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m"}"#]).sent();
            let observer = std::rc::Rc::clone(&sent.observer);
            let is_held = length == 400;
            let got = sent.answered(200, JSON, &answer.as_bytes().chunks(64 * 1024).collect::<Vec<_>>());
            assert_eq!(got.held < answer.len(), !is_held, "{member} {length}");
            assert_eq!(got.status == 200, !is_held || expected.is_null(), "{member} {length}");
            let report: Value = serde_json::from_slice(&observer.report(NewYear.epoch_millis(), |_| true)).unwrap();
            let target = &report["data"][0];
            assert_eq!(target["last_failure"], expected, "{member} {length}");
            assert_eq!(target["latency_ms"].is_null(), !expected.is_null(), "{member} {length}");
        }
    }
}
