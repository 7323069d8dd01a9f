//! Between a client and a provider that both speak Messages, and what the gateway itself says to such a client.

use super::*;

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n";
const TEXT: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"Hi\"}}\n\n";
const END: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":12}}\n\n";
const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

fn header<'s>(sent: &'s Sent, name: &str) -> Option<&'s str> {
    let found: Vec<_> = sent.headers.iter().filter(|(found, _)| found == name).collect();
    assert!(found.len() < 2, "{name} is sent once");
    found.first().map(|(_, value)| std::str::from_utf8(value).unwrap())
}

#[test]
fn a_request_passes_byte_for_byte_but_for_the_model() {
    let body = r#" {"model" : "a/claude-sonnet-4-5","max_tokens":1e1, "stream":true,"stream_options":7,
        "field_of_next_year":[1.50,{"signature":"kept"}],"messages":[{"role":"user","content":"ü"}]}"#;
    let head = post(
        "/v1/messages?beta=true",
        &[("anthropic-version", b"2024-01-01"), ("anthropic-beta", b"one"), ("x-api-key", b"sk-of-the-client")],
    );
    for seed in [0, 1, 77] {
        let sent = ask(&all(), head.clone(), &pieces(body.as_bytes(), seed)).sent();
        assert_eq!(String::from_utf8_lossy(&sent.body), body.replace("a/claude", "claude"));
        assert_eq!(header(&sent, ":path"), Some("/v1/messages?beta=true"));
        assert_eq!(header(&sent, "anthropic-version"), Some("2024-01-01"));
        assert_eq!(header(&sent, "anthropic-beta"), Some("one"));
        assert_eq!(header(&sent, "x-api-key"), Some("secret-A"));
    }
}

#[test]
fn the_version_is_said_where_a_client_does_not() {
    let sent = sent("a/m", false);
    assert_eq!(header(&sent, "anthropic-version"), Some("2023-06-01"));
    assert_eq!(header(&sent, "anthropic-beta"), None);
}

#[test]
fn what_is_anthropic_s_own_reaches_nobody_else() {
    let body = r#"{"model":"o/gpt-4o","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
    let head = post("/v1/messages?beta=true", &[("anthropic-version", b"2023-06-01"), ("anthropic-beta", b"one")]);
    let sent = ask(&all(), head, &[body.as_bytes()]).sent();
    assert_eq!(header(&sent, ":path"), Some("/v1/chat/completions"));
    assert!(!sent.headers.iter().any(|(name, _)| name.starts_with("anthropic-")));
    let told = sent.answered(500, &[JSON], &[b"{}"]);
    assert_eq!(told.header("x-dragoman-dropped"), Some("anthropic-beta"));
}

#[test]
fn a_model_that_has_not_thought_about_a_call_does_not_think_behind_it() {
    let body = |thinking: &str, more: &str| {
        format!(
            r#"{{"model":"a/m","max_tokens":9000,"thinking":{thinking},"messages":[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"call_1","name":"f","input":{{"type":"image"}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"call_1","content":"1"}}{more}]}}]}}"#
        )
    };
    let enabled = r#"{"type":"enabled","budget_tokens":2000}"#;
    let sent = asked(&body(enabled, "")).sent();
    assert_eq!(String::from_utf8_lossy(&sent.body), body(r#"{"type":"disabled"}"#, "").replace("a/m", "m"));
    let told = sent.answered(500, &[JSON], &[b"{}"]);
    assert_eq!(told.header("x-dragoman-dropped"), Some("thinking"));
    for kept in [body(r#"{"type":"adaptive"}"#, ""), body(enabled, "").replace("tool_", "text_")] {
        let sent = asked(&kept).sent();
        assert_eq!(String::from_utf8_lossy(&sent.body), kept.replace("a/m", "m"));
    }
}

#[test]
fn an_argument_that_is_called_like_a_file_is_none() {
    let body = r#"{"model":"l/qwen3","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{"type":"url","source":{"type":"url","url":"https://example.com"}}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"1"}]}]}"#;
    let sent = asked(body).sent();
    assert!(String::from_utf8_lossy(&sent.body).contains("https://example.com"));
}

#[test]
fn the_path_may_be_spelled_in_each_way_that_a_router_s_paths_are() {
    let gateway = gateway(
        r#"{"providers":{"a":{"kind":"anthropic","credential":{"env":"A"}}},
            "routers":{"r":{"load_balance":{"chat":{"strategy":"fallback","targets":["a/m"]}}}}}"#,
    );
    let body = br#"{"model":"a/m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
    for path in
        ["/messages", "/v1/messages", "/v1/router/messages", "/ai/messages", "/ai/v1/messages", "/router/r/messages"]
    {
        let sent = ask(&gateway, post(path, &[]), &[body]).sent();
        assert_eq!(header(&sent, ":path"), Some("/v1/messages"), "{path}");
    }
}

fn stage_of_gemini() -> Rc<Gateway> {
    gateway(
        r#"{"providers":{"g":{"kind":"gemini","credential":{"env":"G"}}},
          "limits":[{"name":"few","of":"tokens","per":"hour","max":1}]}"#,
    )
}

#[test]
fn tokens_are_counted_by_who_counts() {
    let gateway = gateway(
        r#"{"providers":{
            "o":{"kind":"openai","credential":{"env":"O"}},
            "a":{"kind":"anthropic","credential":{"env":"A"}}},
          "limits":[{"name":"few","of":"tokens","per":"hour","max":1}],
          "routers":{"r":{"load_balance":{"chat":{"strategy":"fallback","targets":["o/m","a/claude"]}}}}}"#,
    );
    let body = r#"{"model":"any", "messages":[{"role":"user","content":"How long is this?"}]}"#;
    let sent = ask(&gateway, post("/router/r/messages/count_tokens?beta=true", &[]), &[body.as_bytes()]).sent();
    assert_eq!(header(&sent, ":path"), Some("/v1/messages/count_tokens?beta=true"));
    assert_eq!(
        (header(&sent, "anthropic-version"), header(&sent, "x-api-key")),
        (Some("2023-06-01"), Some("secret-A"))
    );
    assert_eq!(String::from_utf8_lossy(&sent.body), body.replace("any", "claude"));
    let told = sent.answered(200, &[JSON], &[br#"{"input_tokens":7}"#]);
    assert_eq!((told.status, told.text()), (200, r#"{"input_tokens":7}"#));

    let gemini = stage_of_gemini();
    let head = post("/v1/messages/count_tokens", &[("anthropic-version", b"2023-06-01")]);
    let asked = || {
        ask(
            &gemini,
            head.clone(),
            &[br#"{"model":"g/gemini-2.5-flash","system":"s","messages":[{"role":"user","content":"x"}]}"#],
        )
    };
    let sent = asked().sent();
    assert_eq!(header(&sent, ":path"), Some("/v1beta/models/gemini-2.5-flash:countTokens"));
    let expected = json!({"generateContentRequest": {
        "model": "models/gemini-2.5-flash", "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [{"role": "user", "parts": [{"text": "x"}]}], "generationConfig": {}}});
    assert_eq!(json_of(&sent.body), expected);
    let told = sent.answered(200, &[JSON], &[br#"{"totalTokens": 31, "promptTokensDetails": []}"#]);
    assert_eq!((told.status, told.text()), (200, r#"{"input_tokens":31}"#));
    let failed = asked().sent().answered(
        400,
        &[JSON],
        &[br#"{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}"#],
    );
    assert_eq!((failed.status, json_of(&failed.body)["error"]["type"].clone()), (400, json!("invalid_request_error")));
    assert_eq!(json_of(&failed.body)["type"], json!("error"));

    let nobody = ask(&gateway, post("/v1/messages/count_tokens", &[]), &[body.replace("any", "o/m").as_bytes()]);
    let reply = nobody.refused();
    assert_eq!((reply.status, json_of(&reply.body)["type"].clone()), (501, json!("error")));
}

#[test]
fn tokens_are_counted_of_what_would_be_asked_however_long_it_is_and_by_the_next_who_counts_where_one_fails() {
    let gateway = gateway(
        r#"{"providers":{"a":{"kind":"anthropic","credential":{"env":"A"}},"g":{"kind":"gemini","credential":{"env":"G"}}},
          "models":{"a/m":{"context_window":3}},
          "routers":{"r":{"load_balance":{"chat":{"strategy":"fallback","targets":["a/m","g/m"]}}}}}"#,
    );
    let body = |thought: &str| {
        format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","content":[{thought}{{"type":"text","text":"How long is this conversation?"}}]}}]}}"#
        )
    };
    let unsigned = body(r#"{"type":"thinking","thinking":"h","signature":""},"#);
    let head = post("/router/r/messages/count_tokens", &[("anthropic-beta", b"one")]);
    let sent = ask(&gateway, head, &[unsigned.as_bytes()]).sent();
    assert_eq!(
        (header(&sent, "anthropic-beta"), String::from_utf8_lossy(&sent.body).as_ref()),
        (Some("one"), &*body(""))
    );
    let next = sent.failed(529).sent();
    assert_eq!((header(&next, ":path"), header(&next, "anthropic-beta")), (Some("/v1beta/models/m:countTokens"), None));
    let told = next.answered(200, &[JSON], &[br#"{"totalTokens": 31}"#]);
    assert_eq!(told.text(), r#"{"input_tokens":31}"#);
}

#[test]
fn an_answer_passes_as_it_came_and_its_tokens_are_read() {
    let body = br#"{"type":"message","id":"m","content":[],"new":1.50,"usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":5}}"#;
    let sent = sent("a/m", false);
    let plan = Rc::clone(&sent.plan);
    let answer = sent.answered(200, &[JSON, ("anthropic-ratelimit-requests-remaining", "7")], &pieces(body, 3));
    assert_eq!((answer.status, answer.body.as_slice()), (200, &body[..]));
    assert_eq!(answer.header("anthropic-ratelimit-requests-remaining"), Some("7"));
    assert_eq!(answer.header("x-dragoman-provider"), Some("a"));
    let usage = plan.usage().unwrap();
    assert_eq!((usage.input, usage.cached_input, usage.output), (7, 4, 5));
}

#[test]
fn a_stream_passes_as_it_came_from_its_first_content_on() {
    let ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
    let unknown = "event: news\ndata: {\"type\":\"news\",\"a\":1.50}\n\n";
    let stream = [START, ping, unknown, TEXT, END, STOP].concat();
    for seed in [0, 1, 5, 99] {
        let sent = sent("a/m", true);
        let plan = Rc::clone(&sent.plan);
        let answer = sent.answered(200, &[EVENTS], &pieces(stream.as_bytes(), seed));
        assert_eq!((answer.status, answer.text()), (200, stream.as_str()));
        assert!(answer.held >= START.len() + ping.len() + unknown.len());
        let usage = plan.usage().unwrap();
        assert_eq!((usage.input, usage.output), (9, 12));
    }
}

#[test]
fn what_a_stream_lacks_at_its_end_is_added() {
    let answer = sent("a/m", true).answered(200, &[EVENTS], &[[START, TEXT, END].concat().as_bytes()]);
    assert_eq!(answer.text(), [START, TEXT, END, STOP].concat());
    let cut = sent("a/m", true).answered(200, &[EVENTS], &[[START, TEXT].concat().as_bytes(), b""]);
    let (passed, error) = cut.text().split_at(START.len() + TEXT.len());
    assert_eq!(passed, [START, TEXT].concat());
    let error = error.strip_prefix("event: error\ndata: ").unwrap().trim_end();
    assert_eq!(json_of(error.as_bytes())["error"]["type"], "api_error");
    let malformed =
        sent("a/m", true).answered(200, &[EVENTS], &[[START, TEXT, "data: {\n\n"].concat().as_bytes(), b""]);
    assert!(malformed.text().ends_with("sent a malformed event.\"}}\n\n"), "{}", malformed.text());
}

#[test]
fn an_error_before_the_first_content_is_the_whole_answer() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let stream = [START, "event: error\ndata: ", overloaded, "\n\n"].concat();
    let answer = sent("a/m", true).answered(200, &[EVENTS], &pieces(stream.as_bytes(), 3));
    assert_eq!((answer.status, answer.text()), (529, overloaded));
    let whole = sent("a/m", false).answered(200, &[JSON], &[overloaded.as_bytes()]);
    assert_eq!((whole.status, whole.text()), (529, overloaded));
}

#[test]
fn a_provider_s_error_keeps_its_shape_or_gets_one() {
    let own = r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: Field required"},"request_id":"r"}"#;
    let answer = sent("a/m", false).answered(400, &[JSON], &[own.as_bytes()]);
    assert_eq!((answer.status, answer.text()), (400, own));
    for (provider, body) in
        [("a/m", "<html>"), ("o/m", r#"{"error":{"message":"m","type":"t"}}"#), ("l/m", r#"{"error":"m"}"#)]
    {
        let answer = sent(provider, false).answered(503, &[JSON], &[body.as_bytes()]);
        let told = json_of(&answer.body);
        assert_eq!((answer.status, &told["type"], &told["error"]["type"]), (503, &json!("error"), &json!("api_error")));
    }
}

#[test]
fn a_document_that_is_no_message_is_no_answer() {
    for body in [r#"{"id":"m"}"#, r#"{"type":"completion"}"#, "[]", r#"{"type":"message""#] {
        let answer = sent("a/m", false).answered(200, &[JSON], &[body.as_bytes()]);
        assert_eq!(
            (answer.status, json_of(&answer.body)["error"]["type"].clone()),
            (502, json!("api_error")),
            "{body}"
        );
    }
}

#[test]
fn the_gateway_refuses_in_the_format_of_who_asks() {
    for (body, status, kind, message) in [
        ("{", 400, "invalid_request_error", "The body is not valid JSON"),
        (r#"{"model":"nobody/knows"}"#, 404, "not_found_error", "nobody/knows"),
        (r#"{"model":"a/m","model":"a/n"}"#, 400, "invalid_request_error", "`model` stands twice"),
        (r#"{"model":"o/m","max_tokens":9}"#, 400, "invalid_request_error", "`messages` must have"),
        (
            r#"{"model":"l/m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://e/a"}}]}]}"#,
            400,
            "invalid_request_error",
            "messages",
        ),
        (
            r#"{"model":"g/m","messages":[{"role":"user","content":"x"},{"role":"user","content":[{"type":"container_upload"}]}]}"#,
            400,
            "invalid_request_error",
            "messages[1].content[0].type: Content of type `container_upload`",
        ),
    ] {
        let reply = asked(body).refused();
        let told = json_of(&reply.body);
        assert_eq!(
            (reply.status, &told["type"], &told["error"]["type"]),
            (status, &json!("error"), &json!(kind)),
            "{body}"
        );
        assert!(told["error"]["message"].as_str().unwrap().contains(message), "{told}");
    }
}

#[test]
fn who_cannot_do_it_is_passed_over_before_anybody_is_asked() {
    let gateway = gateway(
        r#"{"providers":{
            "l":{"kind":"ollama","base_url":"http://127.0.0.1:1"},
            "o":{"kind":"openai","credential":{"env":"O"}},
            "a":{"kind":"anthropic","credential":{"env":"A"}}},
          "routers":{"r":{"load_balance":{"chat":{"strategy":"fallback","targets":["l/m","o/m","a/m"]}}}}}"#,
    );
    let user = |blocks: &str| format!(r#""messages":[{{"role":"user","content":[{blocks}]}}]"#);
    let image = |source: &str| user(&format!(r#"{{"type":"image","source":{source}}}"#));
    let document = |source: &str| user(&format!(r#"{{"type":"document","source":{source}}}"#));
    for (members, provider) in [
        (image(r#"{"type":"base64","media_type":"image/png","data":"eA=="}"#), "l"),
        (image(r#"{"type":"url","url":"https://e/a.png"}"#), "o"),
        (document(r#"{"type":"text","media_type":"text/plain","data":"x"}"#), "l"),
        (document(r#"{"type":"base64","media_type":"application/pdf","data":"eA=="}"#), "o"),
        (
            format!(
                r#"{},"tools":[{{"name":"f","input_schema":{{"type":"object","properties":{{"type":{{"type":"x"}}}}}}}}]"#,
                user("")
            ),
            "l",
        ),
        (format!(r#"{},"tools":[{{"type":"web_search_20250305","name":"web_search"}}]"#, user("")), "o"),
        (
            format!(
                r#"{},"tools":[{{"name":"f","input_schema":{{}}}},{{"type":"bash_20250124","name":"bash"}}]"#,
                user("")
            ),
            "a",
        ),
        (format!(r#"{},"mcp_servers":[]"#, user("")), "l"),
        (format!(r#"{},"mcp_servers":[{{"url":"https://e"}}]"#, user("")), "a"),
        (format!(r#"{},"container":"c""#, user("")), "a"),
    ] {
        let body = format!(r#"{{"model":"any","max_tokens":9,{members}}}"#);
        let sent = ask(&gateway, post("/router/r/messages", &[]), &[body.as_bytes()]).sent();
        assert_eq!(sent.plan.first().unwrap().provider.name, provider, "{body}");
    }
}

#[test]
fn a_fallback_gets_the_client_s_request_in_its_own_words() {
    let gateway = gateway(
        r#"{"providers":{
            "o":{"kind":"openai","credential":{"env":"O"}},
            "a":{"kind":"anthropic","credential":{"env":"A"}}},
          "routers":{"r":{"load_balance":{"chat":{"strategy":"fallback","targets":["o/gpt-4o","a/m"]}}}}}"#,
    );
    let body = r#"{"model":"any","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
    let head = post("/router/r/messages", &[("anthropic-beta", b"one")]);
    let first = ask(&gateway, head, &[body.as_bytes()]).sent();
    assert_eq!(header(&first, ":path"), Some("/v1/chat/completions"));
    let second = first.failed(503).sent();
    assert_eq!(header(&second, ":path"), Some("/v1/messages"));
    assert_eq!((header(&second, "anthropic-beta"), header(&second, "authorization")), (Some("one"), None));
    assert_eq!(String::from_utf8_lossy(&second.body), body.replace("any", "m"));
}

#[test]
fn a_thought_that_another_has_signed_is_left_out_once_it_is_refused() {
    let refusal = br#"{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `signature` in `thinking` block"}}"#;
    let body = |thought: &str| {
        format!(
            r#"{{"model":"a/m","max_tokens":9,"messages":[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{thought}{{"type":"text","text":"y"}}]}},{{"role":"user","content":"z"}}]}}"#
        )
    };
    let again =
        asked(&body(r#"{"type":"thinking","thinking":"h","signature":"s"},"#)).sent().failed_in_words(400, refusal);
    assert_eq!(String::from_utf8_lossy(&again.sent().body), body("").replace("a/m", "m"));
}

#[test]
fn a_signature_that_gemini_refuses_is_left_out_too() {
    let body = r#"{"model":"g/gemini-3-pro","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"c__thought__U1RBTEU","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c__thought__U1RBTEU","content":"1"}]}]}"#;
    let sent = asked(body).sent();
    assert!(String::from_utf8_lossy(&sent.body).contains("U1RBTEU"), "{}", String::from_utf8_lossy(&sent.body));
    let refusal = br#"{"error":{"code":400,"message":"Corrupted thought signature.","status":"INVALID_ARGUMENT"}}"#;
    let again = sent.failed_in_words(400, refusal).sent();
    assert!(!String::from_utf8_lossy(&again.body).contains("U1RBTEU"));
}
