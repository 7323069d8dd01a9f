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

/// An answer of so many tokens, in its own words.
fn from_claude(sent: crate::stage::Sent, output: u64) -> crate::stage::Answer {
    let answer = json!({
        "id": "m", "type": "message", "role": "assistant", "model": "c", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hi"}],
        "usage": {"input_tokens": 1, "output_tokens": output},
    });
    sent.answered(200, super::JSON, &[answer.to_string().as_bytes()])
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
        assert_eq!((provider(&sent).as_str(), sent.plan.passed_over().as_str()), (expected, reason));
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
    assert_eq!(&*first.plan.passed_over(), "`claude/c`: The limit `c` has no room.");
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

#[test]
fn a_fallback_costs_what_its_own_target_may() {
    let retry = json!({"cooldown": {"default": "0s", "max": "0s"}});
    let price = |output: u64| json!({"price": {"input": 0, "output": output}});
    let dear = |max: &str| {
        desk(&json!({
            "limits": [{"name": "money", "of": "spend", "per": "day", "max": max, "scope": "global"}],
            "models": {"openai/m": price(1), "claude/c": price(10), "openai/n": price(2)},
            "retry": retry,
            "fallbacks": {"openai/m": ["claude/c", "openai/n"]},
        }))
    };
    // 100 tokens are 100, 1000 or 200 µUSD.
    let exact = dear("0.0011");
    let [first, second] = [(); 2].map(|()| exact.send("sk-a", &chat(400, 100)));
    let first = first.failed(503).sent();
    assert_eq!(provider(&first), "claude/c");
    exact.refuse("sk-a", &chat(400, 1));
    second.abandoned();
    let _ = from_claude(first, 100);
    // 1000 are spent. The dear target has no room for another one, and the next has none for what is left.
    let third = exact.send("sk-a", &chat(400, 50)).failed(503).sent();
    assert_eq!(provider(&third), "openai/n");
    // What the first target has no room for a cheaper one may have.
    let cheap = desk(&json!({
        "limits": [{"name": "money", "of": "spend", "per": "day", "max": "0.0005", "scope": "global"}],
        "models": {"openai/m": price(10), "claude/c": price(9), "openai/n": price(2)},
        "retry": retry,
        "fallbacks": {"openai/m": ["claude/c", "openai/n"]},
    }));
    assert_eq!(provider(&cheap.send("sk-a", &chat(400, 100))), "openai/n");
}

#[test]
fn what_a_provider_adds_to_a_question_is_its_own() {
    let desk = desk(&json!({
        "limits": [{"name": "i", "of": "input_tokens", "per": "hour", "max": 400}],
        "fallbacks": {"claude/c": ["openai/m"]},
    }));
    let asked = chat(1_200, 10).replace("openai/m", "claude/c").replacen('{', r#"{"tools":[{"name":"t"}],"#, 1);
    // Claude is told 430 tokens about tools.
    assert_eq!(provider(&desk.send("sk-a", &asked)), "openai/m");
}

#[test]
fn a_fallback_that_alone_holds_a_slot_is_renewed() {
    let desk = row(&json!([limit("c", "concurrency", None, "claude/c")]));
    let sent = desk.send("sk-a", &chat(400, 10));
    assert_eq!(provider(&sent), "openai/m");
    assert!(sent.plan.may_lapse(), "it is watched before it falls back");
    let sent = sent.failed(503).sent();
    assert_eq!(provider(&sent), "claude/c");
    for _ in 0..5 {
        desk.pass(40);
        sent.plan.renew(u64::try_from(desk.world.now.get().as_millis()).unwrap());
    }
    let other = desk.send("sk-a", &chat(400, 10)).failed(503).sent();
    assert_eq!(provider(&other), "openai/n");
    let plan = std::rc::Rc::clone(&sent.plan);
    let _ = from_claude(sent, 1);
    assert!(!plan.may_lapse());
}
