//! Streams in the format that the client speaks: what is held, what is hidden, how they end.

use dragoman_core::host::Clock;
use serde_json::{Value, json};

use super::*;
use crate::stage::NewYear;

#[test]
fn the_usage_chunk_that_was_not_asked_for_is_hidden() {
    assert_eq!(stream(&[ROLE, WORD, STOP, USAGE, DONE]).text(), [ROLE, WORD, STOP, DONE].concat());
}

#[test]
fn a_stream_is_held_until_its_first_content_and_not_longer() {
    let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m","stream":true}"#]).sent();
    let parts: [&[u8]; 5] = [b": ping\n\n", ROLE.as_bytes(), WORD.as_bytes(), STOP.as_bytes(), DONE.as_bytes()];
    let answer = sent.answered(200, SSE, &parts);
    assert_eq!(answer.held, b": ping\n\n".len() + ROLE.len() + WORD.len());
    assert_eq!(answer.body, parts.concat());
}

#[test]
fn an_error_before_the_first_content_is_a_failure_and_not_half_an_answer() {
    let answer = stream(&[ROLE, "data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n", DONE]);
    assert_eq!((answer.status, answer.text()), (503, r#"{"error":{"message":"overloaded","code":503}}"#));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    for events in
        [&[][..], &[": ping\n\n"], &[ROLE], &[ROLE, DONE], &[DONE], &["data: {\"choi"], &["data: <html>\n\n", WORD]]
    {
        let answer = stream(events);
        assert_eq!(answer.status, 502, "{events:?}");
        assert!(answer.text().starts_with(r#"{"error":{"message":"The provider `openai`"#), "{events:?}");
    }
}

#[test]
fn an_error_that_opens_a_stream_is_the_clients_where_it_is_about_the_request() {
    for code in ["context_length_exceeded", "invalid_prompt", "image_content_policy_violation"] {
        let event = format!("data: {{\"error\":{{\"message\":\"no\",\"code\":\"{code}\"}}}}\n\n");
        let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m","stream":true}"#]).sent();
        let plan = std::rc::Rc::clone(&sent.plan);
        let answer = sent.answered(200, SSE, &[event.as_bytes()]);
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")), "{code}");
        assert!(plan.is_settled() && answer.text().contains(code), "{code}: {}", answer.text());
    }
}

#[test]
fn what_begins_a_stream_tells_of_its_target_what_it_is() {
    let error = |code: &str| format!("data: {{\"error\":{{\"message\":\"m\",\"code\":{code}}}}}\n\n");
    for (event, expected) in [
        ("data: {]\n\n".to_owned(), json!("bad_answer")),
        (String::new(), json!("bad_answer")),
        (error("503"), json!("server_error")),
        (error("429"), json!("rate_limited")),
        (error("\"context_length_exceeded\""), Value::Null),
    ] {
        let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m","stream":true}"#]).sent();
        let observer = std::rc::Rc::clone(&sent.observer);
        sent.answered(200, SSE, &[event.as_bytes()]);
        let report: Value = serde_json::from_slice(&observer.report(NewYear.epoch_millis(), |_| true)).unwrap();
        assert_eq!(report["data"][0]["last_failure"], expected, "{event}");
    }
}

#[test]
fn the_end_of_a_stream_is_always_said() {
    assert_eq!(stream(&[WORD, STOP]).text(), [WORD, STOP, DONE].concat());
    assert_eq!(stream(&[WORD, STOP, "data: [DONE]"]).text(), [WORD, STOP, "data: [DONE]"].concat());
    for rest in ["", "d", "data:", "event: comp", ": pin", "data: {\"choices\":[{\"del"] {
        let cut = stream(&[WORD, rest]);
        let told = cut.text().strip_prefix(WORD).unwrap_or_default();
        assert!(
            told.starts_with("data: {\"error\":{\"message\":\"The provider `openai` ended"),
            "{rest:?}: {}",
            cut.text()
        );
        assert!(told.ends_with("}}\n\n"));
    }
    let error = "data: {\"error\":{\"message\":\"late\"}}\n\n";
    assert_eq!(stream(&[WORD, error, WORD, DONE]).text(), [WORD, error].concat());
    let malformed = stream(&[WORD, "data: {]\n\n", WORD]);
    assert!(malformed.text().contains("malformed event"), "{}", malformed.text());
    assert!(!malformed.text().contains("{]"));
}

#[test]
fn cutting_a_stream_anywhere_changes_nothing() {
    let document = [": hi\n\n", ROLE, WORD, STOP, USAGE, DONE].concat();
    let expected = [": hi\n\n", ROLE, WORD, STOP, DONE].concat();
    for at in 0..=document.len() {
        let (a, b) = document.as_bytes().split_at(at);
        let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m","stream":true}"#]).sent();
        assert_eq!(sent.answered(200, SSE, &[a, b, b""]).text(), expected, "cut at {at}");
    }
    for size in 1..8 {
        let parts: Vec<&[u8]> = document.as_bytes().chunks(size).collect();
        let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m","stream":true}"#]).sent();
        assert_eq!(sent.answered(200, SSE, &parts).text(), expected, "pieces of {size}");
    }
}
