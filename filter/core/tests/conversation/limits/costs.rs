//! What is reserved for a request, and what it has cost in the end.

use serde_json::json;

use super::{CHAT, Desk, JSON, SSE, chat, desk, error, header, length, limited, whole};
use crate::stage::World;

const WORD: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word\"}}]}\n\n";
const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const END: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

fn tokens(max: u64) -> Desk {
    limited(&json!({"of": "tokens", "per": "hour", "max": max}))
}

fn stream() -> String {
    chat(400, 100).replacen('{', r#"{"stream":true,"#, 1)
}

#[test]
fn what_was_reserved_too_much_is_there_again_when_the_answer_has_ended() {
    let desk = tokens(1_000);
    let first = desk.send("sk-a", &chat(400, 500));
    // 100 of the request and 500 of the answer are reserved.
    let (.., message) = error(&desk.refuse("sk-a", &chat(400, 301)));
    assert_eq!(message, "The limit `fair` is reached; try again in 3660 s.");
    let answer = whole(first, 90, 10);
    assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("1000"));
    assert_eq!(answer.header("x-ratelimit-remaining-tokens"), Some("400"));
    assert_eq!(desk.tokens_left("sk-a"), 900);
    // What was more than was reserved counts, too.
    let _ = whole(desk.send("sk-a", &chat(400, 1)), 400, 400);
    assert_eq!(desk.tokens_left("sk-a"), 100);
    let (.., message) = error(&desk.refuse("sk-a", &chat(4_000, 1)));
    assert_eq!(message, "This request may use more than the limit `fair` allows at all.");
}

#[test]
fn each_measure_counts_its_own() {
    for (of, max, fits, spent) in [
        ("input_tokens", json!(100), chat(400, 900), chat(400, 1)),
        ("output_tokens", json!(100), chat(4_000, 100), chat(400, 1)),
        // 100 tokens at 1 USD and 100 at 10 USD a million are 1100 µUSD.
        ("spend", json!("0.0011"), chat(400, 100), chat(400, 1)),
    ] {
        let desk = limited(&json!({"of": of, "per": "day", "max": max}));
        let _ = whole(desk.send("sk-a", &fits), 100, 100);
        desk.refuse("sk-a", &spent);
    }
}

#[test]
fn a_model_that_costs_nothing_spends_nothing() {
    let desk = limited(&json!({"of": "spend", "per": "day", "max": 0, "scope": "global"}));
    let free = chat(400, 10).replace("openai/m", "openai/new-and-unknown");
    let _ = whole(desk.send("sk-a", &free), 1_000_000, 1_000_000);
    desk.send("sk-a", &free);
    desk.refuse("sk-a", &chat(400, 10));
}

#[test]
fn without_a_bound_an_answer_is_expected_to_be_as_long_as_others_were() {
    let desk = tokens(100_000);
    let open = chat(400, 1).replace(r#""max_tokens":1,"#, "");
    let bytes = length(&open);
    let left = |answer: &crate::stage::Answer| -> u64 {
        answer.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap()
    };
    let answer = whole(desk.send("sk-a", &open), 1, 100);
    assert_eq!(left(&answer), 100_000 - bytes - 500);
    let answer = whole(desk.send("sk-a", &open), 1, 100);
    assert_eq!(left(&answer), 100_000 - 101 - bytes - 100);
    // No more than the model can.
    let _ = whole(desk.send("sk-a", &open), 1, 40_000);
    let answer = whole(desk.send("sk-a", &open), 1, 1);
    assert_eq!(left(&answer), 100_000 - 40_203 - bytes - 1_000);
}

#[test]
fn a_stream_costs_what_its_provider_says() {
    let desk = tokens(1_000);
    let sent = desk.send("sk-a", &stream());
    let answer = sent.answered(200, SSE, &[ROLE.as_bytes(), WORD.as_bytes(), END.as_bytes()]);
    assert_eq!(answer.header("x-ratelimit-remaining-tokens"), Some("796"));
    assert_eq!(desk.tokens_left("sk-a"), 990);
}

#[test]
fn a_stream_that_its_client_leaves_costs_what_has_come_of_it() {
    let desk = tokens(1_000);
    let sent = desk.send("sk-a", &stream());
    let request = length(&stream());
    let _ = sent.left(200, SSE, &[ROLE.as_bytes(), WORD.as_bytes(), WORD.as_bytes(), WORD.as_bytes()]);
    assert_eq!(desk.tokens_left("sk-a"), 1_000 - request - 3);
    // One that broke off by itself, too.
    let sent = desk.send("sk-a", &stream());
    let answer = sent.answered(200, SSE, &[ROLE.as_bytes(), WORD.as_bytes(), b""]);
    assert!(answer.text().contains("ended the stream before the answer was complete"));
    assert_eq!(desk.tokens_left("sk-a"), 1_000 - 2 * request - 4);
}

#[test]
fn who_leaves_before_there_is_an_answer_pays_for_the_question() {
    let desk = tokens(1_000);
    desk.send("sk-a", &chat(400, 500)).abandoned();
    assert_eq!(desk.tokens_left("sk-a"), 900);
}

#[test]
fn what_a_provider_refuses_costs_nothing() {
    for status in [400, 404, 429, 500, 503] {
        let desk = desk(&json!({"limits": [
            {"name": "r", "of": "requests", "per": "hour", "max": 1},
            {"name": "t", "of": "tokens", "per": "hour", "max": 1_000},
        ]}));
        for path in [CHAT, "/openai/chat/completions"] {
            let sent = desk.ask_at(path, "sk-a", &chat(400, 500)).sent();
            let answer = sent.answered(status, JSON, &[br#"{"error":{"message":"no"}}"#]);
            assert_eq!(answer.header("x-ratelimit-remaining-tokens"), Some("400"), "{status}");
            assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"), "{status}");
            assert_eq!(desk.tokens_left("sk-a"), 1_000, "{status}");
        }
    }
}

#[test]
fn a_whole_answer_that_its_client_leaves_costs_what_has_come_of_it() {
    let desk = tokens(100_000);
    let body = r#"{"model":"c","max_tokens":9000,"messages":[{"role":"user","content":"Hi"}]}"#;
    let request = length(body);
    let begin = |length: usize| {
        format!(r#"{{"type":"message","content":[{{"type":"text","text":"{}"#, "so. ".repeat(length / 4))
    };
    let ask = |body: &str| desk.ask_at("/claude/v1/messages", "sk-a", body).sent();
    let _ = ask(body).left(200, JSON, &[begin(8_000).as_bytes(), "so. ".repeat(2_000).as_bytes()]);
    let spent = 100_000 - desk.tokens_left("sk-a");
    assert!((request + 3_800..request + 4_100).contains(&spent), "{spent}");
    // One whose provider counts nothing, too.
    let _ = ask(body).answered(200, JSON, &[begin(16_000).as_bytes(), br#""}]}"#]);
    let both = 100_000 - desk.tokens_left("sk-a");
    assert!((2 * spent - 50..2 * spent + 50).contains(&both), "{both}");
    // What it counts is right, and an error is no answer.
    let whole = format!(r#"{}"}}],"usage":{{"input_tokens":3,"output_tokens":4}}}}"#, begin(16_000));
    let _ = ask(body).answered(200, JSON, &[whole.as_bytes()]);
    let failed = format!(r#"{{"type":"error","error":{{"type":"api_error","message":"{}"}}}}"#, "a".repeat(8_000));
    let _ = ask(body).answered(200, JSON, &[failed.as_bytes()]);
    assert_eq!(100_000 - desk.tokens_left("sk-a"), both + 7);
    // A chat that is too long to be held.
    let long =
        format!(r#"{{"object":"chat.completion","choices":[{{"message":{{"content":"{}"#, "so. ".repeat(500_000));
    let wide = tokens(10_000_000);
    let _ = wide.send("sk-a", &chat(400, 1)).left(200, JSON, &[long.as_bytes()]);
    assert!(wide.tokens_left("sk-a") < 9_502_000);
    // Of vectors nothing is written.
    let vectors = r#"{"model":"m","input":"Hi"}"#;
    let asked = wide.ask_at("/openai/embeddings", "sk-a", vectors).sent();
    let before = wide.tokens_left("sk-a");
    let _ = asked.left(200, JSON, &[br#"{"data":[{"embedding":[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9"#]);
    assert_eq!(wide.tokens_left("sk-a"), before);
}

#[test]
fn an_error_behind_content_does_not_take_the_content_back() {
    let desk = tokens(1_000);
    let body = r#"{"model":"c","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}"#;
    let request = length(body);
    let delta = b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n";
    let overloaded =
        b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no\"}}\n\n";
    let ask = || desk.ask_at("/claude/v1/messages", "sk-a", body).sent();
    let _ = ask().answered(200, SSE, &[delta, delta, delta, overloaded, b""]);
    assert_eq!(desk.tokens_left("sk-a"), 1_000 - request - 3);
    // Without any it costs nothing.
    let _ = ask().answered(200, SSE, &[overloaded, b""]);
    assert_eq!(desk.tokens_left("sk-a"), 1_000 - request - 3);
}

#[test]
fn a_providers_own_paths_count_as_well() {
    let desk = tokens(1_000);
    let body = r#"{"model":"c","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}"#;
    let request = length(body);
    let whole = br#"{"type":"message","content":[],"usage":{"input_tokens":30,"output_tokens":20}}"#;
    let answer = desk.ask_at("/claude/v1/messages", "sk-a", body).sent().answered(200, JSON, &[whole]);
    let left = (1_000 - request - 100).to_string();
    assert_eq!(answer.header("x-ratelimit-remaining-tokens"), Some(left.as_str()));
    assert_eq!(desk.tokens_left("sk-a"), 950);
    let events = [
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_01\",\"usage\":{\"input_tokens\":30,\"output_tokens\":1}}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Ho\"}}\n\n",
    ];
    let pieces = events.map(str::as_bytes);
    let streamed = body.replacen('{', r#"{"stream":true,"#, 1);
    let _ = desk.ask_at("/claude/v1/messages", "sk-a", &streamed).sent().left(200, SSE, &pieces);
    assert_eq!(desk.tokens_left("sk-a"), 950 - 33, "each event is a token at least");
    // Pictures are no text, and of vectors nothing is written.
    let picture = format!(
        r#"{{"model":"m","input":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{}"}}}}]}}"#,
        "A".repeat(400_000)
    );
    let sent = desk.ask_at("/openai/embeddings", "sk-a", &picture).sent();
    let answer = sent.answered(200, JSON, &[br#"{"data":[],"usage":{"prompt_tokens":8}}"#]);
    assert_eq!(answer.status, 200);
    assert_eq!(desk.tokens_left("sk-a"), 950 - 41);
}

#[test]
fn an_answer_is_reserved_as_long_as_the_request_lets_it_be() {
    let reserved = |path: &str, body: &str| -> u64 {
        let desk = tokens(100_000);
        let answer = desk.ask_at(path, "sk-a", body).sent().answered(400, JSON, &[b"{}"]);
        100_000 - answer.header("x-ratelimit-remaining-tokens").unwrap().parse::<u64>().unwrap() - length(body)
    };
    let said =
        |path: &str, more: &str| reserved(path, &format!(r#"{{"model":"m","x":"{}"{more}}}"#, "so. ".repeat(90)));
    for (more, expected) in
        [(r#","n":3,"max_tokens":40"#, 120), (r#","n":0,"max_tokens":40"#, 40), (r#","n":2"#, 1_000)]
    {
        assert_eq!(said(CHAT, more), expected, "{more}");
        assert_eq!(said("/openai/chat/completions", more), expected, "{more}");
    }
    // What the provider may not heed is not heeded: another format's words, and none at all.
    for more in [r#","max_output_tokens":1"#, r#","options":{"num_predict":1}"#, r#","max_tokens":0"#] {
        assert_eq!((said(CHAT, more), said("/openai/chat/completions", more)), (500, 500), "{more}");
    }
    assert_eq!(said("/openai/responses", r#","max_tokens":1"#), 500);
    assert_eq!(said("/gemini/v1beta/models/g:generateContent", r#","max_tokens":1"#), 500);
    assert_eq!(said("/llama/api/chat", r#","max_tokens":1,"options":{"num_predict":0}"#), 500);
    // No more than the model can, of each.
    assert_eq!(said(CHAT, r#","n":2,"max_tokens":70000"#), 2_000);
    assert_eq!(said("/openai/responses", r#","max_output_tokens":40"#), 40);
    let gemini = r#","generationConfig":{"maxOutputTokens":40,"candidateCount":2}"#;
    assert_eq!(said("/gemini/v1beta/models/g:generateContent", gemini), 80);
    assert_eq!(said("/llama/api/chat", r#","options":{"num_predict":40}"#), 40);
    // Anthropic's own words about tools are input.
    let tools = r#","max_tokens":40,"tools":[{"name":"t"}]"#;
    assert_eq!((said("/claude/v1/messages", tools), said("/openai/chat/completions", tools)), (470, 40));
}

#[test]
fn so_many_at_a_time_are_let_in_for_as_long_as_they_take() {
    let desk = limited(&json!({"of": "concurrency", "max": 2, "name": "slots"}));
    let (first, second) = (desk.send("sk-a", &stream()), desk.send("sk-a", &stream()));
    let reply = desk.refuse("sk-a", &stream());
    assert_eq!(header(&reply, "retry-after"), Some("1"));
    let _ = first.left(200, SSE, &[ROLE.as_bytes(), WORD.as_bytes()]);
    let third = desk.send("sk-a", &stream());
    desk.refuse("sk-a", &stream());
    // One is renewed, and the other, whose worker has died, is not.
    for _ in 0..4 {
        desk.pass(40);
        assert!(second.plan.may_lapse());
        second.plan.renew(u64::try_from(desk.world.now.get().as_millis()).unwrap());
    }
    let fourth = desk.send("sk-a", &stream());
    desk.refuse("sk-a", &stream());
    drop(third);
    let _ = fourth.answered(200, SSE, &[ROLE.as_bytes(), WORD.as_bytes(), END.as_bytes()]);
    let _ = second.answered(200, SSE, &[ROLE.as_bytes(), WORD.as_bytes(), END.as_bytes()]);
    let _both = [desk.send("sk-a", &stream()), desk.send("sk-a", &stream())];
    desk.refuse("sk-a", &stream());
}

#[test]
fn workers_share_what_is_left() {
    let store = std::rc::Rc::default();
    let mut desk = tokens(1_000);
    desk.world = World::beside(&store);
    let _ = whole(desk.send("sk-a", &chat(400, 500)), 300, 300);
    desk.world = World::beside(&store);
    assert_eq!(desk.tokens_left("sk-a"), 400);
}

#[test]
fn a_models_name_says_nothing_of_what_it_costs() {
    let desk = desk(&json!({
        "limits": [{"name": "t", "of": "tokens", "per": "hour", "max": 200}],
        "providers": {"gemini": {"kind": "gemini", "credential": {"value": "k"}}},
    }));
    let text = r#"{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":500}}"#;
    for model in ["models/show-x", "models/embed", "tunedModels/show-x", "tunedModels/count_tokens"] {
        let path = format!("/gemini/v1beta/{model}:generateContent");
        assert_eq!(desk.ask_at(&path, "sk-a", text).refused().status, 429, "{model}");
    }
    for free in ["countTokens", "embedContent"] {
        let _ = desk.ask_at(&format!("/gemini/v1beta/models/x:{free}"), "sk-a", text).sent();
    }
}

#[test]
fn money_is_reserved_at_what_a_kind_of_token_costs_at_most() {
    let price = json!({"input": 1, "cache_write": 2, "output": 10, "reasoning": 20});
    let desk = desk(&json!({
        "limits": [{"name": "m", "of": "spend", "per": "day", "max": "0.0022"}],
        "models": {"openai/m": {"price": price}},
    }));
    // 100 tokens at 2 USD and 100 at 20 USD a million.
    let sent = desk.send("sk-a", &chat(400, 100));
    desk.refuse("sk-a", &chat(400, 0));
    // 1100 µUSD are left when it has cost the usual.
    let _ = whole(sent, 100, 100);
    let _held = desk.send("sk-a", &chat(400, 45));
}
