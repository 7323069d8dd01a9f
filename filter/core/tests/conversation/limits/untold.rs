//! What a request has cost where its provider does not tell, or tells less than all.

use serde_json::json;

use super::{Desk, JSON, SSE, chat, length, limited};

fn tokens(max: u64) -> Desk {
    limited(&json!({"of": "tokens", "per": "hour", "max": max}))
}

/// What a request to this path costs with this answer, on a desk of its own.
fn cost(path: &str, body: &str, kind: &str, pieces: &[&[u8]]) -> u64 {
    let desk = tokens(10_000_000);
    let _ = desk.ask_at(path, "sk-a", body).sent().answered(200, &[("content-type", kind)], pieces);
    10_000_000 - desk.tokens_left("sk-a")
}

const GENERATE: &str = "/gemini/v1beta/models/g:generateContent";
const ASK: &str = r#"{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":9000}}"#;

#[test]
fn what_is_told_as_nothing_is_not_told() {
    let told = |usage: &str| {
        let text = "so. ".repeat(4_000);
        let answer = format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}]}}}}]{usage}}}"#);
        cost(GENERATE, ASK, "application/json", &[answer.as_bytes()])
    };
    assert_eq!(told(r#","usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":5}"#), 12);
    let unsaid = told("");
    assert!((length(ASK) + 3_900..length(ASK) + 4_100).contains(&unsaid), "{unsaid}");
    let only_input = told(r#","usageMetadata":{"promptTokenCount":7}"#);
    assert!((7 + 3_900..7 + 4_100).contains(&only_input), "{only_input}");
    assert_eq!(told(r#","usageMetadata":{"candidatesTokenCount":5}"#), length(ASK) + 5);
    // A chat's, too.
    let answer = format!(r#"{{"choices":[{{"message":{{"content":"{}"}}}}],"usage":{{}}}}"#, "so. ".repeat(4_000));
    let body = chat(400, 10);
    let chat = cost(super::CHAT, &body, "application/json", &[answer.as_bytes()]);
    assert!((4_000..4_200).contains(&chat), "{chat}");
}

#[test]
fn nobody_asks_google_to_leave_tokens_out() {
    let desk = tokens(1_000_000);
    let ask = |path: &str, query: &str| desk.ask_at(&format!("{path}?{query}"), "sk-a", ASK);
    for query in [
        "fields=candidates",
        "alt=sse&fields=candidates,usageMetadata.promptTokenCount",
        "%24fields=candidates",
        "$fields=candidates",
        "%66ields=candidates",
        "alt=proto",
        "$alt=media",
        "alt",
        "callback=f",
        "%ff=1",
    ] {
        let reply = ask(GENERATE, query).refused();
        let told = String::from_utf8(reply.body).unwrap();
        assert!(reply.status == 400 && told.contains("`fields`"), "{query}: {told}");
        let reply = desk.ask_at(&format!("{}?{query}", super::CHAT), "sk-a", &chat(400, 1)).refused();
        assert_eq!(reply.status, 400, "{query}");
    }
    for query in ["alt=sse", "$alt=json", "prettyPrint=false", "key=k&field=1"] {
        ask(GENERATE, query).sent();
    }
    let get: &[(&str, &[u8])] = &[(":method", b"GET")];
    desk.ask_with("/gemini/v1beta/files/f:download?alt=media", "sk-a", "", get).sent();
    let hiding: &[(&str, &[u8])] = &[("x-goog-fieldmask", b"candidates"), ("x-http-method-override", b"GET")];
    let sent = desk.ask_with(GENERATE, "sk-a", ASK, hiding).sent();
    assert!(sent.headers.iter().all(|(name, _)| name != "x-goog-fieldmask" && name != "x-http-method-override"));
}

#[test]
fn an_answer_that_cannot_be_read_costs_what_it_is_long() {
    let long = "so. ".repeat(4_000);
    for kind in ["application/x-protobuf", "text/plain", ""] {
        let cost = cost(GENERATE, ASK, kind, &[long.as_bytes(), long.as_bytes()]);
        assert!((7_900..8_100).contains(&cost), "{kind}: {cost}");
    }
    // From the byte on that is wrong, too.
    let cost = cost(GENERATE, ASK, "application/json", &[b"{\"candidates\":!", long.as_bytes(), long.as_bytes()]);
    assert!((7_900..8_100).contains(&cost), "{cost}");
}

#[test]
fn pictures_and_sound_are_no_text() {
    let data = "aB+/".repeat(750_000);
    let picture = format!(r#"{{"created":1,"data":[{{"b64_json":"{data}"}}]}}"#);
    let draw = r#"{"model":"m","prompt":"A cat."}"#;
    let spent = cost("/openai/images/generations", draw, "application/json", &[picture.as_bytes()]);
    assert!((2_900..3_000).contains(&spent), "{spent}");
    let sound = cost("/openai/audio/speech", r#"{"model":"m","input":"Hi"}"#, "audio/mpeg", &[data.as_bytes()]);
    assert!((2_900..3_000).contains(&sound), "{sound}");
    // In streams that their clients leave.
    let desk = tokens(1_000_000);
    let inline = format!(
        "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"inlineData\":{{\"data\":\"{}\"}}}}]}}}}]}}\n\n",
        "aB+/".repeat(50_000)
    );
    let stream = GENERATE.replace(":generate", ":streamGenerate") + "?alt=sse";
    let _ = desk.ask_at(&stream, "sk-a", ASK).sent().left(200, SSE, &[inline.as_bytes()]);
    let spent = 1_000_000 - desk.tokens_left("sk-a");
    assert!(spent < 300, "{spent}");
    let image = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"images\":[{{\"image_url\":{{\"url\":\"data:image/png;base64,{}\"}}}}]}}}}]}}\n\n",
        "aB+/".repeat(50_000)
    );
    let body = chat(400, 100).replacen('{', r#"{"stream":true,"#, 1);
    let _ = desk.send("sk-a", &body).left(200, SSE, &[image.as_bytes()]);
    let both = 1_000_000 - desk.tokens_left("sk-a");
    assert!(both - spent < 400, "{both}");
}

#[test]
fn no_spelling_of_a_path_is_free() {
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#, "so. ".repeat(400));
    let told = br#"{"usage":{"prompt_tokens":30,"completion_tokens":20,"input_tokens":30,"output_tokens":20},
        "usageMetadata":{"promptTokenCount":30,"candidatesTokenCount":20}}"#;
    for path in [
        "/openai/chat/completions/",
        "/openai/Chat/Completions",
        "/openai/v1/CHAT/completions",
        "/openai/responses/compact",
        "/openai/engines/m/completions",
        "/claude/v1/messages/batches",
        "/claude/v1/Messages",
        "/gemini/v1beta/tunedModels/x%3AgenerateContent",
        "/gemini/v1beta/models/x:generatecontent",
    ] {
        let desk = tokens(1_000);
        let sent = desk.ask_at(path, "sk-a", &body).sent();
        // Over 400 of the request and the usual 500 are reserved.
        assert_eq!(desk.ask_at(path, "sk-a", &body).refused().status, 429, "{path}");
        let _ = sent.answered(200, JSON, &[told]);
        assert_eq!(desk.tokens_left("sk-a"), 950, "{path}");
        let delta = format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{}"}}}}]}}"#, "so. ".repeat(4_000));
        let cost = cost(path, &body, "text/event-stream", &[format!("data: {delta}\n\n").as_bytes()]);
        assert!(cost > 4_000, "{path}: {cost}");
    }
    for path in
        ["/openai/moderations", "/openai/batches/b/cancel", "/claude/v1/messages/count_tokens", "/llama/api/pull"]
    {
        assert_eq!(cost(path, &body, "application/json", &[told]), 0, "{path}");
    }
}

#[test]
fn whatever_an_unknown_path_answers_is_nobodys_failure() {
    let desk = super::desk(&json!({
        "limits": [{"name": "t", "of": "tokens", "per": "hour", "max": 10_000}],
        "fallbacks": {"openai/m": ["claude/c"]},
    }));
    for answer in [&br#"[{"score":1}]"#[..], br#"{"error":{"code":null}}"#, b"<html>"] {
        for _ in 0..30 {
            let kind = if answer.starts_with(b"<") { "text/html" } else { "application/json" };
            let sent = desk.ask_at("/openai/fine_tuning/jobs", "sk-a", r#"{"model":"m"}"#).sent();
            let answer = sent.answered(200, &[("content-type", kind)], &[answer]);
            assert_eq!(answer.status, 200);
        }
    }
    // Who asks next does not pass it over.
    assert_eq!(&*desk.send("sk-a", &chat(400, 1)).plan.passed_over(), "");
}

#[test]
fn an_error_that_comes_with_content_does_not_take_it_back() {
    let desk = tokens(1_000);
    let body = r#"{"model":"c","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}"#;
    let delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n";
    let overloaded =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"no\"}}\n\n";
    let all = [delta, delta, delta, overloaded].concat();
    let _ = desk.ask_at("/claude/v1/messages", "sk-a", body).sent().answered(200, SSE, &[all.as_bytes(), b""]);
    assert_eq!(desk.tokens_left("sk-a"), 1_000 - length(body) - 3);
}
