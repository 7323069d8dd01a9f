//! Between a client and a provider that both speak Responses, and who is asked where not all do.

use super::*;

const CREATED: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\",\"usage\":null}}\n\n";
const ADDED: &str = "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"content\":[]}}\n\n";
const TEXT: &str =
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n";
const END: &str = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens\":12}}}\n\n";

#[test]
fn a_request_passes_byte_for_byte_but_for_the_model() {
    let body = r#" {"model" : "o/gpt-5","max_output_tokens":1e1, "stream":true,"stream_options":{"include_obfuscation":false},
        "previous_response_id":"resp_1","store":true,"field_of_next_year":[1.50],"input":[{"type":"item_reference","id":"ü"}]}"#;
    for seed in [0, 1, 77] {
        let sent = ask(&all(), post("/v1/responses?x=y", &[]), &pieces(body.as_bytes(), seed)).sent();
        assert_eq!(String::from_utf8_lossy(&sent.body), body.replace("o/gpt", "gpt"));
        assert_eq!(path(&sent), "/v1/responses?x=y");
    }
}

#[test]
fn who_does_not_speak_it_gets_a_chat() {
    let request = r#"{"model":"c/m","instructions":"Be brief.","input":"Hi","max_output_tokens":9}"#;
    let sent = asked(request).sent();
    assert_eq!(path(&sent), "/v1/chat/completions");
    let expected = json!({"model": "m", "max_completion_tokens": 9,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]});
    assert_eq!(json_of(&sent.body), expected);
    let answer = br#"{"id":"c","choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
    let told = json_of(&sent.answered(200, &[JSON], &[answer]).body);
    assert_eq!(told["output"][0]["content"][0]["text"], "Hello");
    assert_eq!((&told["instructions"], &told["max_output_tokens"]), (&json!("Be brief."), &json!(9)));
    assert_eq!((&told["usage"]["input_tokens"], &told["usage"]["total_tokens"]), (&json!(3), &json!(5)));
}

#[test]
fn what_relies_on_earlier_answers_is_asked_of_who_keeps_them() {
    let ask_router = |router: &str, members: &str| {
        let body = format!(r#"{{"model":"any","input":"x"{members}}}"#);
        ask(&all(), post(&format!("/router/{router}/responses"), &[]), &[body.as_bytes()])
    };
    let first = |members: &str| ask_router("s", members).sent().plan.first().unwrap().provider.name.clone();
    assert_eq!(first(""), "a");
    assert_eq!(first(r#","store":false"#), "a");
    assert_eq!(first(r#","tools":[{"type":"file_search","vector_store_ids":[]}]"#), "q");
    for members in [
        r#","previous_response_id":"resp_1""#,
        r#","conversation":"conv_1""#,
        r#","background":true"#,
        r#","store":true"#,
        r#","prompt":{"id":"p"}"#,
    ] {
        assert_eq!(first(members), "o", "{members}");
    }
    for model in ["a/m", "c/m", "g/m", "l/m", "q/m"] {
        let reply = asked(&format!(r#"{{"model":"{model}","input":"x","previous_response_id":"resp_1"}}"#)).refused();
        let error = json_of(&reply.body)["error"].clone();
        assert_eq!((reply.status, &error["param"]), (400, &json!("previous_response_id")), "{model}");
        assert!(error["message"].as_str().unwrap().contains("keeps no earlier answers"), "{error}");
    }
}

#[test]
fn an_answer_passes_as_it_came_and_its_tokens_are_read() {
    let body = br#"{"id":"resp_1","object":"response","status":"completed","error":null,"output":[],"new":1.50,"usage":{"input_tokens":3,"output_tokens":5,"output_tokens_details":{"reasoning_tokens":4}}}"#;
    let sent = sent("o/gpt-5", false);
    let plan = Rc::clone(&sent.plan);
    let answer = sent.answered(200, &[JSON], &pieces(body, 3));
    assert_eq!((answer.status, answer.body.as_slice()), (200, &body[..]));
    let usage = plan.usage().unwrap();
    assert_eq!((usage.input, usage.output, usage.reasoning), (3, 5, 4));
}

#[test]
fn a_stream_passes_as_it_came_from_its_first_content_on() {
    let unknown = "event: response.news\ndata: {\"type\":\"response.news\",\"a\":1.50}\n\n";
    let stream = [CREATED, ADDED, TEXT, unknown, END].concat();
    for seed in [0, 1, 5, 99] {
        let sent = sent("o/gpt-5", true);
        let plan = Rc::clone(&sent.plan);
        let answer = sent.answered(200, &[EVENTS], &pieces(stream.as_bytes(), seed));
        assert_eq!((answer.status, answer.text()), (200, stream.as_str()));
        assert!(answer.held >= CREATED.len() + ADDED.len());
        let usage = plan.usage().unwrap();
        assert_eq!((usage.input, usage.cached_input, usage.output), (9, 4, 12));
    }
}

#[test]
fn a_stream_that_is_cut_ends_in_an_error() {
    let cut = sent("o/gpt-5", true).answered(200, &[EVENTS], &[[CREATED, ADDED, TEXT].concat().as_bytes(), b""]);
    let (passed, error) = cut.text().split_at(CREATED.len() + ADDED.len() + TEXT.len());
    assert_eq!(passed, [CREATED, ADDED, TEXT].concat());
    let error = json_of(error.strip_prefix("event: error\ndata: ").unwrap().trim_end().as_bytes());
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("upstream_error")));
    assert_eq!(error["error"]["type"], "upstream_error");
}

#[test]
fn an_error_before_the_first_content_is_the_whole_answer_and_after_it_passes() {
    let failed = r#"{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"m"}}}"#;
    let event = ["event: response.failed\ndata: ", failed, "\n\n"].concat();
    let stream = [CREATED, ADDED, &event].concat();
    let answer = sent("o/gpt-5", true).answered(200, &[EVENTS], &pieces(stream.as_bytes(), 3));
    assert_eq!((answer.status, answer.text()), (500, r#"{"error":{"code":"server_error","message":"m"}}"#));
    let stream = [CREATED, ADDED, TEXT, &event].concat();
    let answer = sent("o/gpt-5", true).answered(200, &[EVENTS], &pieces(stream.as_bytes(), 3));
    assert_eq!((answer.status, answer.text()), (200, stream.as_str()));
}

#[test]
fn a_fallback_gets_the_client_s_request_in_its_own_words() {
    let body = r#"{"model":"any","max_output_tokens":9,"input":"x"}"#;
    let first = ask(&all(), post("/router/r/responses", &[]), &[body.as_bytes()]).sent();
    assert_eq!((path(&first), &*first.body), ("/v1/responses", body.replace("any", "gpt-5").as_bytes()));
    let second = first.failed(503).sent();
    assert_eq!(path(&second), "/v1/messages");
    assert_eq!(json_of(&second.body)["messages"], json!([{"role": "user", "content": "x"}]));
    let answer = br#"{"type":"message","id":"msg_1","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}"#;
    let told = second.answered(200, &[JSON], &[answer]);
    assert_eq!(json_of(&told.body)["object"], "response");
    assert_eq!(told.header("x-dragoman-provider"), Some("a"));
}

#[test]
fn errors_are_of_openai_s_shape() {
    let own = r#"{"error":{"message":"m","type":"invalid_request_error","param":"input","code":null}}"#;
    let answer = sent("o/gpt-5", false).answered(400, &[JSON], &[own.as_bytes()]);
    assert_eq!((answer.status, answer.text()), (400, own));
    let too_long = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#;
    let answer = sent("a/m", false).answered(400, &[JSON], &[too_long.as_bytes()]);
    let error = json_of(&answer.body)["error"].clone();
    assert_eq!((&error["code"], &error["param"]), (&json!("context_length_exceeded"), &json!("input")));
}

#[test]
fn an_answer_that_is_kept_is_asked_of_the_only_one_who_keeps_any() {
    let gateway = gateway(
        r#"{"providers":{
            "o":{"kind":"openai","credential":{"env":"O"}},
            "q":{"kind":"openai","base_url":"https://api.groq.com/openai/v1","credential":{"env":"Q"}},
            "a":{"kind":"anthropic","credential":{"env":"A"}}}}"#,
    );
    let request = |method: &str, path: &str, gateway: &Rc<Gateway>| {
        let mut head = post(path, &[]);
        head.iter_mut().filter(|(name, _)| name == ":method").for_each(|(_, value)| *value = method.into());
        ask(gateway, head, &[])
    };
    for (method, asked, sent) in [
        ("GET", "/v1/responses/resp_1?include[]=x", "/v1/responses/resp_1?include[]=x"),
        ("GET", "/responses/resp_1/input_items", "/v1/responses/resp_1/input_items"),
        ("DELETE", "/ai/v1/responses/resp_1/", "/v1/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel", "/v1/responses/resp_1/cancel"),
    ] {
        let forwarded = request(method, asked, &gateway).sent();
        assert_eq!(path(&forwarded), sent, "{method} {asked}");
        assert_eq!(forwarded.plan.first().unwrap().provider.name, "o");
    }
    let reply = request("GET", "/v1/responses/resp_1", &all()).sent();
    assert_eq!(path(&reply), "/v1/responses/resp_1");
    for (providers, message) in [
        (r#""a":{"kind":"anthropic","credential":{"env":"A"}}"#, "keeps answers"),
        (
            r#""o":{"kind":"openai","credential":{"env":"O"}},"p":{"kind":"openai","base_url":"http://127.0.0.1:1/v1"}"#,
            "own path",
        ),
    ] {
        let gateway = crate::stage::gateway(&format!(r#"{{"providers":{{{providers}}}}}"#));
        let reply = request("GET", "/v1/responses/resp_1", &gateway).refused();
        let error = json_of(&reply.body)["error"].clone();
        assert_eq!((reply.status, &error["code"]), (404, &json!("not_found")));
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
    }
}
