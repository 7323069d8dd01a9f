//! What providers tell of tokens: bit by bit, late, and written in other ways than is documented.

use serde_json::json;

use super::{CHAT, chat, limited};

const EVENTS: &str = "text/event-stream";
const WHOLE: &str = "application/json";
const NATIVE: [&str; 2] = [CHAT, "/openai/chat/completions"];
/// Told of the request and of the answer.
const ALL: u64 = 40 + 10;

/// What a request to this path costs with this answer.
fn cost(path: &str, model: &str, kind: &str, answer: &str) -> u64 {
    let desk = limited(&json!({"of": "tokens", "per": "hour", "max": 10_000_000}));
    let mut body = chat(4_000, 900).replace("openai/m", model);
    if kind != WHOLE {
        body = body.replacen('{', r#"{"stream":true,"#, 1);
    }
    let _ = desk.ask_at(path, "sk-a", &body).sent().answered(200, &[("content-type", kind)], &[answer.as_bytes(), b""]);
    10_000_000 - desk.tokens_left("sk-a")
}

fn text() -> String {
    "so. ".repeat(200)
}

fn word() -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", text())
}

fn usage(usage: &str) -> String {
    format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\n")
}

const FINISH: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[test]
fn tokens_may_be_told_bit_by_bit_and_what_is_told_stays() {
    for told in [
        [r#"{"prompt_tokens":40,"completion_tokens":10}"#, "{}"],
        [r#"{"prompt_tokens":40,"completion_tokens":10}"#, "null"],
        [r#"{"prompt_tokens":40,"completion_tokens":10}"#, r#"{"prompt_tokens":0,"completion_tokens":0}"#],
        [r#"{"prompt_tokens":40}"#, r#"{"completion_tokens":10}"#],
        [r#"{"prompt_tokens":40,"total_tokens":40}"#, r#"{"completion_tokens":10,"total_tokens":50}"#],
        [r#"{"prompt_tokens":30,"completion_tokens":90}"#, r#"{"prompt_tokens":40,"completion_tokens":10}"#],
    ] {
        let answer = [&word(), &usage(told[0]), FINISH, &usage(told[1]), DONE].concat();
        for path in NATIVE {
            assert_eq!(cost(path, "openai/m", EVENTS, &answer), ALL, "{path}: {told:?}");
        }
    }
}

#[test]
fn other_formats_tell_tokens_bit_by_bit_too() {
    let delta = |usage: &str| {
        format!(
            "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\"usage\":{usage}}}\n\n"
        )
    };
    let claude = [
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"type\":\"message\",\"usage\":{\"input_tokens\":33,\"cache_read_input_tokens\":7,\"output_tokens\":1}}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        &format!("event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{}\"}}}}\n\n", text()),
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        &delta(r#"{"input_tokens":0,"cache_read_input_tokens":"0","output_tokens":"10"}"#),
        &delta(r#"{"output_tokens":0}"#),
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ]
    .concat();
    let event = |finish: &str, usage: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{}\"}}]}}{finish}}}],\"usageMetadata\":{usage}}}\n\n",
            text()
        )
    };
    let gemini = [
        &event("", r#"{"promptTokenCount":35.0,"toolUsePromptTokenCount":5,"candidatesTokenCount":6,"thoughtsTokenCount":"4"}"#),
        &event(
            ",\"finishReason\":\"STOP\"",
            r#"{"promptTokenCount":0,"toolUsePromptTokenCount":0,"candidatesTokenCount":0}"#,
        ),
        "data: {\"usageMetadata\":{}}\n\n",
    ]
    .concat();
    for (path, model, answer) in [
        (CHAT, "claude/c", &claude),
        ("/claude/v1/messages", "c", &claude),
        (CHAT, "gemini/g", &gemini),
        ("/gemini/v1beta/models/g:streamGenerateContent?alt=sse", "g", &gemini),
    ] {
        assert_eq!(cost(path, model, EVENTS, answer), ALL, "{path} {model}");
    }
}

#[test]
fn what_was_told_before_an_error_is_what_had_come() {
    let told = usage(r#"{"prompt_tokens":40,"completion_tokens":10}"#);
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n";
    for path in NATIVE {
        let cost = |events: &[&str]| cost(path, "openai/m", EVENTS, &events.concat());
        assert_eq!(cost(&[&word(), &told, error]), ALL, "{path}");
        assert_eq!(cost(&[&word(), &told]), ALL, "{path}: a cut");
        // What came after is not in it.
        let short = word().replace(&text(), "so.");
        assert_eq!(cost(&[&word(), &told, &short, &short, error]), ALL + 2, "{path}");
        // Nor is an answer nothing whose tokens are told before it.
        let long = cost(&[&told, &short, &word(), error]);
        assert!((40 + 190..40 + 210).contains(&long), "{path}: {long}");
    }
}

#[test]
fn tokens_are_read_however_they_are_written() {
    for told in [
        r#"{"prompt_tokens":40.0,"completion_tokens":10.0}"#,
        r#"{"prompt_tokens":"40","completion_tokens":"10"}"#,
        r#"{"prompt_tokens":40,"completion_tokens":10,"completion_tokens_details":{"reasoning_tokens":"2"}}"#,
        r#"{"input_tokens":"40.0","output_tokens":10}"#,
        r#"{"prompt_tokens":0,"completion_tokens":0,"input_tokens":40,"output_tokens":10}"#,
        r#"{"prompt_tokens":40,"total_tokens":50}"#,
        r#"{"completion_tokens":10,"total_tokens":"50"}"#,
    ] {
        let whole = format!(r#"{{"choices":[{{"message":{{"content":"{}"}}}}],"usage":{told}}}"#, text());
        let stream = [&word(), FINISH, &usage(told), DONE].concat();
        for path in NATIVE {
            assert_eq!(cost(path, "openai/m", WHOLE, &whole), ALL, "{path}: {told}");
            assert_eq!(cost(path, "openai/m", EVENTS, &stream), ALL, "{path}: {told}");
        }
        let event = format!("data: {{\"type\":\"response.completed\",\"response\":{{\"usage\":{told}}}}}\n\n");
        assert_eq!(cost("/openai/responses", "m", EVENTS, &event), ALL, "{told}");
    }
    let answer =
        format!(r#"{{"message":{{"content":"{}"}},"done":true,"prompt_eval_count":"40","eval_count":10.0}}"#, text());
    for (path, model) in [(CHAT, "llama/l"), ("/llama/api/chat", "l")] {
        assert_eq!(cost(path, model, "application/x-ndjson", &format!("{answer}\n")), ALL, "{path}");
    }
    assert_eq!(cost(CHAT, "llama/l", WHOLE, &answer), ALL);
}

#[test]
fn of_a_total_alone_at_least_that_is_used() {
    let whole = format!(r#"{{"choices":[{{"message":{{"content":"{}"}}}}],"usage":{{"total_tokens":5000}}}}"#, text());
    let stream = [&word(), FINISH, &usage(r#"{"total_tokens":5000}"#), DONE].concat();
    for path in NATIVE {
        assert!((5_000..5_300).contains(&cost(path, "openai/m", WHOLE, &whole)), "{path}");
        assert!((5_000..5_300).contains(&cost(path, "openai/m", EVENTS, &stream)), "{path}");
    }
}

#[test]
fn groq_tells_tokens_in_a_member_of_its_own() {
    let last = FINISH
        .replace("\"choices\"", r#""x_groq":{"id":"r","usage":{"prompt_tokens":40,"completion_tokens":10}},"choices""#);
    let first = word().replace("\"choices\"", r#""x_groq":{"id":"r"},"choices""#);
    for path in NATIVE {
        assert_eq!(cost(path, "openai/m", EVENTS, &[&first, &last, DONE].concat()), ALL, "{path}");
        // One that is of no use fails nothing.
        let odd = word().replace("\"choices\"", r#""x_groq":[1],"choices""#);
        assert_eq!(cost(path, "openai/m", EVENTS, &[&odd, &last, DONE].concat()), ALL, "{path}");
    }
}

#[test]
fn tokens_may_be_told_behind_the_end() {
    let told = usage(r#"{"prompt_tokens":40,"completion_tokens":10}"#);
    for path in NATIVE {
        assert_eq!(cost(path, "openai/m", EVENTS, &[&word(), FINISH, DONE, &told].concat()), ALL, "{path}");
    }
}

#[test]
fn more_tokens_than_can_be_counted_are_a_great_many_or_not_told() {
    let stream = |count: &str| {
        let told = format!(r#"{{"prompt_tokens":{count},"completion_tokens":{count},"total_tokens":{count}}}"#);
        [&word(), FINISH, &usage(&told), DONE].concat()
    };
    let untold = cost(CHAT, "openai/m", EVENTS, &[&word(), FINISH, DONE].concat());
    for count in ["18446744073709551616", "1e400", "-1", "40.5", "true"] {
        assert_eq!(cost(CHAT, "openai/m", EVENTS, &stream(count)), untold, "{count}");
    }
    for count in ["9223372036854775808", "18446744073709551615", r#""18446744073709551615.0""#] {
        let desk = limited(&json!({"of": "tokens", "per": "hour", "max": 10_000_000}));
        let body = chat(400, 1).replacen('{', r#"{"stream":true,"#, 1);
        let sent = desk.send("sk-a", &body);
        let _ = sent.answered(200, &[("content-type", EVENTS)], &[stream(count).as_bytes(), b""]);
        assert_eq!(desk.refuse("sk-a", &body).status, 429, "{count}");
    }
}
