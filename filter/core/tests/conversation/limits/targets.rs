//! Limits of one target: they take it away, and not the request.

use serde_json::{Value, json};

use super::{Desk, chat, desk, error, header, whole};

/// Two targets in a row, with these limits.
fn row(limits: &Value) -> Desk {
    let retry = json!({"cooldown": {"default": "0s", "max": "0s"}});
    desk(&json!({"limits": limits, "retry": retry, "fallbacks": {"openai/m": ["claude/c", "openai/n"]}}))
}

fn limit(name: &str, of: &str, per: Option<&str>, model: &str) -> Value {
    let mut limit = json!({"name": name, "of": of, "max": 1, "scope": "global", "target": {"model": model}});
    if let Some(per) = per {
        limit["per"] = json!(per);
    }
    limit
}

fn provider(sent: &crate::stage::Sent) -> String {
    let first = sent.plan.first().unwrap();
    format!("{}/{}", first.provider.name, first.model)
}

#[test]
fn a_target_without_room_is_passed_over() {
    let desk = row(&json!([
        limit("one", "requests", Some("hour"), "openai/m"),
        limit("two", "requests", Some("minute"), "claude/*"),
    ]));
    let hello = chat(400, 10);
    let mut under_way = Vec::new();
    for (expected, reason) in [
        ("openai/m", ""),
        ("claude/c", "`openai/m`: The limit `one` has no room."),
        ("openai/n", "`openai/m`: The limit `one` has no room. `claude/c`: The limit `two` has no room."),
    ] {
        let sent = desk.send("sk-a", &hello);
        assert_eq!((provider(&sent).as_str(), sent.plan.passed_over.as_str()), (expected, reason));
        under_way.push(sent);
    }
}

#[test]
fn where_no_target_has_room_the_refusal_is_told_that_is_over_first() {
    let desk = row(&json!([
        limit("long", "requests", Some("hour"), "openai/*"),
        limit("short", "requests", Some("minute"), "claude/*"),
    ]));
    let _both = [desk.send("sk-a", &chat(400, 10)), desk.send("sk-a", &chat(400, 10))];
    let reply = desk.refuse("sk-a", &chat(400, 10));
    assert_eq!(error(&reply).3, "The limit `short` is reached; try again in 60 s.");
    assert_eq!(header(&reply, "retry-after"), Some("60"));
}

#[test]
fn a_fallback_takes_what_is_reserved_with_it() {
    let slots = json!([limit("m", "concurrency", None, "openai/m"), limit("c", "concurrency", None, "claude/c")]);
    let desk = row(&slots);
    let first = desk.send("sk-a", &chat(400, 10));
    let second = desk.send("sk-a", &chat(400, 10));
    assert_eq!((provider(&first).as_str(), provider(&second).as_str()), ("openai/m", "claude/c"));
    // The second one's slot is not the first one's to take.
    let first = first.failed(503).sent();
    assert_eq!(provider(&first), "openai/n");
    assert_eq!(provider(&desk.send("sk-a", &chat(400, 10))), "openai/m");
    let third = desk.send("sk-a", &chat(400, 10));
    drop(second);
    let third = third.failed(503).sent();
    assert_eq!(provider(&third), "claude/c");
    assert_eq!(provider(&desk.send("sk-a", &chat(400, 10))), "openai/m");
    third.abandoned();
    assert_eq!(provider(&desk.send("sk-a", &chat(400, 10))), "openai/m");
    let _ = whole(first, 1, 1);
}
