//! Answers that a router keeps: what is kept, who gets it, and what that costs.

use std::{rc::Rc, time::Duration};

use dragoman_core::{gateway::Gateway, step::Reply};
use serde_json::{Value, json};

use crate::key::hash;
use crate::stage::{self, Answer, Asked, World, ask_in, post};

const CHAT: &str = "/router/r/v1/chat/completions";
const TYPE: &[(&str, &str)] = &[("content-type", "application/json")];
const STREAM: &[(&str, &str)] = &[("content-type", "text/event-stream")];

/// A router that keeps, with two models; `change` alters the file.
fn gateway(change: impl FnOnce(&mut Value)) -> Rc<Gateway> {
    let mut file = json!({
        "providers": {
            "openai": {"kind": "openai", "credential": {"env": "A"}, "responses": "stateful"},
            "spare": {"kind": "openai", "base_url": "http://10.0.0.1/v1", "credential": {"env": "B"}},
        },
        "models": {"openai/m": {"price": {"input": 1_000, "output": 1_000}}, "spare/m": {}},
        "keys": [{"id": "a", "sha256": hash("sk-a"), "byok": {"allowed": true}}, {"id": "b", "sha256": hash("sk-b")}],
        "routers": {
            "r": {
                "cache": {"directive": "max-age=600"},
                "load_balance": {"chat": {"strategy": "fallback", "targets": ["openai/m", "spare/m"]}},
            },
            "plain": {},
        },
    });
    change(&mut file);
    stage::gateway(&file.to_string())
}

fn ask(world: &Rc<World>, gateway: &Rc<Gateway>, path: &str, more: &[(&str, &[u8])], body: &str) -> Asked {
    let key: &[(&str, &[u8])] = &[("authorization", b"Bearer sk-a")];
    let usual = if more.iter().any(|(name, _)| *name == "authorization") { &[] } else { key };
    ask_in(world, gateway, post(path, &[usual, more].concat()), &[body.as_bytes()])
}

fn body(text: &str, more: &str) -> String {
    format!(r#"{{"model":"any",{more}"messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

fn answer(text: &str) -> String {
    json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": text}}], "usage": {"prompt_tokens": 100, "completion_tokens": 20}})
    .to_string()
}

/// The question is asked of a provider, which answers.
fn fill(world: &Rc<World>, gateway: &Rc<Gateway>, path: &str, more: &[(&str, &[u8])], body: &str) -> Answer {
    let given = ask(world, gateway, path, more, body).sent().answered(200, TYPE, &[answer("Hello").as_bytes(), b""]);
    assert_eq!((given.status, given.header("x-dragoman-cache")), (200, Some("miss")));
    given
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

fn is_sent(asked: &Asked) -> bool {
    matches!(asked, Asked::Sent(_))
}

#[test]
fn the_same_question_gets_the_answer_that_was_kept_and_its_headers() {
    let (world, gateway) = (World::new(), gateway(|_| ()));
    let given = fill(&world, &gateway, CHAT, &[], &body("Hi", ""));
    assert_eq!(world.record()["cache"], "miss");
    world.pass(Duration::from_secs(7));
    let other_words = r#"{ "messages" : [{"content":"\u0048i","role":"user"}], "model":"any" }"#;
    let kept = ask(&world, &gateway, "/router/r/chat/completions", &[], other_words).refused();
    assert_eq!((kept.status, &kept.body), (200, &given.body));
    for (name, value) in [
        ("x-dragoman-cache", "hit"),
        ("x-dragoman-cache-bucket", "0"),
        ("age", "7"),
        ("content-type", "application/json"),
        ("x-dragoman-provider", "openai"),
        ("x-dragoman-model", "m"),
        ("x-dragoman-attempts", "openai/m=200"),
    ] {
        assert_eq!(header(&kept, name), Some(value), "{name}");
    }
    let record = world.record();
    for (name, value) in [
        ("cache", json!("hit")),
        ("outcome", json!("answered")),
        ("provider", json!("openai")),
        ("gen_ai.response.model", json!("m")),
        ("gen_ai.usage.input_tokens", json!(100)),
        ("gen_ai.usage.output_tokens", json!(20)),
        ("cost_nano_usd", json!(0)),
        ("attempts", Value::Null),
        ("error.type", Value::Null),
    ] {
        assert_eq!(record[name], value, "{name}: {record}");
    }
    world.pass(Duration::from_mins(10));
    assert!(is_sent(&ask(&world, &gateway, CHAT, &[], &body("Hi", ""))));
}

#[test]
fn where_no_router_keeps_answers_none_is_kept() {
    let (world, gateway) = (World::new(), gateway(|_| ()));
    for path in ["/v1/chat/completions", "/ai/v1/chat/completions", "/router/plain/v1/chat/completions"] {
        let body = body("Hi", "").replace("any", "openai/m");
        let enabled: &[(&str, &[u8])] = &[("x-dragoman-cache-enabled", b"true"), ("cache-control", b"max-age=60")];
        for _ in 0..2 {
            let sent = ask(&world, &gateway, path, enabled, &body).sent();
            let given = sent.answered(200, TYPE, &[answer("Hello").as_bytes(), b""]);
            assert_eq!(given.header("x-dragoman-cache"), None);
            assert_eq!(world.record().get("cache"), None);
        }
    }
}

#[test]
fn a_stream_is_given_again_as_it_went_to_the_client_and_a_whole_answer_is_another_question() {
    let (world, gateway) = (World::new(), gateway(|_| ()));
    let piece =
        |text: &str| format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let last = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n";
    let stream = [": hi\n\n", &piece("so"), &piece("it goes"), last, usage, "data: [DONE]\n\n"].concat();
    let question = body("Hi", "\"stream\":true,");
    let sent = ask(&world, &gateway, CHAT, &[], &question).sent();
    let given = sent.answered(200, STREAM, &stage::pieces(stream.as_bytes(), 7));
    assert!(!given.text().contains("\"usage\"") && given.text().contains("[DONE]"));
    let kept = ask(&world, &gateway, CHAT, &[], &question).refused();
    assert_eq!((&kept.body, header(&kept, "content-type")), (&given.body, Some("text/event-stream")));
    assert_eq!(world.record()["gen_ai.usage.output_tokens"], 2);
    assert!(is_sent(&ask(&world, &gateway, CHAT, &[], &body("Hi", ""))));
}

#[test]
fn what_is_no_good_answer_is_not_kept() {
    let piece = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"so\"}}]}\n\n".to_owned();
    let error = "data: {\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":500}}\n\n".to_owned();
    let whole = answer("Hello");
    let text = |stream: bool| body("Hi", if stream { "\"stream\":true," } else { "" });
    for (stream, status, head, pieces, ends) in [
        (true, 200, STREAM, vec![piece.clone(), String::new()], true),
        (true, 200, STREAM, vec![piece.clone()], false),
        (true, 200, STREAM, vec![piece.clone(), error, String::new()], true),
        (false, 422, TYPE, vec![r#"{"error":{"message":"no"}}"#.to_owned(), String::new()], true),
        (false, 200, TYPE, vec![whole.chars().take(40).collect()], false),
    ] {
        let (world, gateway) = (World::new(), gateway(|_| ()));
        let sent = ask(&world, &gateway, CHAT, &[], &text(stream)).sent();
        let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
        if ends {
            let _ = sent.answered(status, head, &pieces);
        } else {
            let _ = stage::Sent::left(sent, status, head, &pieces);
        }
        assert!(is_sent(&ask(&world, &gateway, CHAT, &[], &text(stream))), "{status} {pieces:?}");
    }
}

#[test]
fn what_its_client_wants_nobody_to_keep_is_not_kept() {
    let question = body("Hi", "");
    for (more, body) in [
        (vec![], body("Hi", "\"store\":false,")),
        (vec![("cache-control", &b"no-store"[..])], question.clone()),
        (vec![("x-dragoman-cache-enabled", &b"false"[..])], question.clone()),
    ] {
        let (world, gateway) = (World::new(), gateway(|_| ()));
        for _ in 0..2 {
            let sent = ask(&world, &gateway, CHAT, &more, &body).sent();
            let given = sent.answered(200, TYPE, &[answer("Hello").as_bytes(), b""]);
            assert_eq!(given.header("x-dragoman-cache"), None, "{more:?}");
        }
    }
    let (world, gateway) = (World::new(), gateway(|_| ()));
    let refused = ask(&world, &gateway, CHAT, &[("x-dragoman-cache-enabled", b"maybe")], &question).refused();
    assert_eq!(refused.status, 400);
}

#[test]
fn who_wants_a_new_answer_gets_one_and_who_wants_none_but_a_kept_one_does() {
    let (world, gateway) = (World::new(), gateway(|_| ()));
    let question = body("Hi", "");
    let only: &[(&str, &[u8])] = &[("cache-control", b"only-if-cached")];
    let none = ask(&world, &gateway, CHAT, only, &question).refused();
    assert_eq!(none.status, 504);
    assert_eq!((&world.record()["cache"], &world.record()["error.type"]), (&json!("miss"), &json!("upstream_error")));
    let _ = fill(&world, &gateway, CHAT, &[], &question);
    let sent = ask(&world, &gateway, CHAT, &[("cache-control", b"no-cache")], &question).sent();
    let _ = sent.answered(200, TYPE, &[answer("Newer").as_bytes(), b""]);
    let kept = ask(&world, &gateway, CHAT, only, &question).refused();
    assert_eq!(kept.body, answer("Newer").as_bytes());
}

#[test]
fn nobody_gets_what_another_asked_for() {
    let (world, gateway) = (World::new(), gateway(|_| ()));
    let question = body("Hi", "");
    let _ = fill(&world, &gateway, CHAT, &[], &question);
    let brought: &[(&str, &[u8])] = &[("x-dragoman-provider-key", b"openai=sk-own")];
    let other: &[(&str, &[u8])] = &[("authorization", b"Bearer sk-b")];
    for more in [brought, other] {
        let _ = fill(&world, &gateway, CHAT, more, &question);
        assert_eq!(ask(&world, &gateway, CHAT, more, &question).refused().status, 200);
    }
    let another: &[(&str, &[u8])] = &[("x-dragoman-provider-key", b"openai=sk-another")];
    assert!(is_sent(&ask(&world, &gateway, CHAT, another, &question)));
}

#[test]
fn an_answer_of_who_cannot_be_asked_any_more_is_not_given() {
    let world = World::new();
    let question = body("Hi", "");
    let _ = fill(&world, &gateway(|_| ()), CHAT, &[], &question);
    for change in [
        (|file: &mut Value| file["keys"][0]["models"] = json!(["spare/m"])) as fn(&mut Value),
        |file| file["keys"][0]["providers"] = json!(["spare"]),
        |file| file["routers"]["r"]["load_balance"]["chat"]["targets"] = json!(["spare/m"]),
    ] {
        let sent = ask(&world, &gateway(change), CHAT, &[], &question).sent();
        assert_eq!(sent.plan.first().unwrap().provider.name, "spare");
    }
    // One that failed lately has still answered.
    let gateway = gateway(|_| ());
    ask(&world, &gateway, CHAT, &[], &body("Other", "")).sent().fails_first();
    let kept = ask(&world, &gateway, CHAT, &[], &question).refused();
    assert_eq!((kept.status, header(&kept, "x-dragoman-provider")), (200, Some("openai")));
}

#[test]
fn a_kept_answer_counts_as_a_request_and_uses_nothing_up() {
    let world = World::new();
    let gateway = gateway(|file| {
        file["limits"] = json!([
            {"name": "calls", "of": "requests", "per": "hour", "max": 4, "scope": "key"},
            {"name": "words", "of": "tokens", "per": "hour", "max": 1_000, "scope": "key"},
            {"name": "once", "of": "concurrency", "max": 1, "scope": "key"},
        ]);
    });
    let question = body("Hi", "\"max_tokens\":300,");
    let _ = fill(&world, &gateway, CHAT, &[], &question);
    for left in [2, 1, 0] {
        let kept = ask(&world, &gateway, CHAT, &[], &question).refused();
        assert_eq!(kept.status, 200);
        assert_eq!(header(&kept, "x-ratelimit-remaining-requests"), Some(&*left.to_string()));
    }
    let refused = ask(&world, &gateway, CHAT, &[], &question).refused();
    assert_eq!((refused.status, &world.record()["limit"]), (429, &json!("calls")));
    world.pass(Duration::from_mins(61));
    let _ = fill(&world, &gateway, CHAT, &[], &body("Other", "\"max_tokens\":300,"));
    for _ in 0..3 {
        assert_eq!(ask(&world, &gateway, CHAT, &[], &body("Other", "\"max_tokens\":300,")).refused().status, 200);
    }
}

#[test]
fn responses_are_kept_with_their_ids_unless_they_go_on_from_others() {
    let path = "/router/r/v1/responses";
    let question = r#"{"model":"openai/m","input":"Hi"}"#;
    let kept = json!({"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [],
        "usage": {"input_tokens": 1, "output_tokens": 1}});
    let (world, gateway) = (World::new(), gateway(|_| ()));
    let sent = ask(&world, &gateway, path, &[], question).sent();
    let given = sent.answered(200, TYPE, &[kept.to_string().as_bytes(), b""]);
    let again = ask(&world, &gateway, path, &[], question).refused();
    assert_eq!(again.body, given.body);
    let id = serde_json::from_slice::<Value>(&again.body).unwrap()["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("resp_1_"), "{id}");
    let goes_on = format!(r#"{{"model":"openai/m","input":"Hi","previous_response_id":"{id}"}}"#);
    for _ in 0..2 {
        let sent = ask(&world, &gateway, path, &[], &goes_on).sent();
        let given = sent.answered(200, TYPE, &[kept.to_string().as_bytes(), b""]);
        assert_eq!(given.header("x-dragoman-cache"), None);
    }
}
