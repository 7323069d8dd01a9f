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
        "previous_response_id" : "PREVIOUS", "store":true,"field_of_next_year":[1.50],"input":[{"type":"item_reference","id":"ü"}]}"#;
    let asked = body.replace("PREVIOUS", &sealed(&all(), "o/gpt-5", "resp_1"));
    for seed in [0, 1, 77] {
        let sent = ask(&all(), post("/v1/responses?x=y", &[]), &pieces(asked.as_bytes(), seed)).sent();
        assert_eq!(String::from_utf8_lossy(&sent.body), body.replace("o/gpt", "gpt").replace("PREVIOUS", "resp_1"));
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
    let previous = format!(r#","previous_response_id":"{}""#, sealed(&all(), "o/gpt-5", "resp_1"));
    for members in [
        &*previous,
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
    let sent = sent("q/gpt-5", false);
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
        let sent = sent("q/gpt-5", true);
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
    let cut = sent("q/gpt-5", true).answered(200, &[EVENTS], &[[CREATED, ADDED, TEXT].concat().as_bytes(), b""]);
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
    let answer = sent("q/gpt-5", true).answered(200, &[EVENTS], &pieces(stream.as_bytes(), 3));
    assert_eq!((answer.status, answer.text()), (500, r#"{"error":{"code":"server_error","message":"m"}}"#));
    let stream = [CREATED, ADDED, TEXT, &event].concat();
    let answer = sent("q/gpt-5", true).answered(200, &[EVENTS], &pieces(stream.as_bytes(), 3));
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
fn what_is_asked_of_an_answer_that_nobody_keeps_is_asked_of_its_model() {
    for path_of in ["responses/compact", "responses/input_tokens"] {
        let body = r#"{"model":"o/gpt-5","input":"x"}"#;
        let sent = ask(&all(), post(&format!("/v1/{path_of}"), &[]), &[body.as_bytes()]).sent();
        assert_eq!((path(&sent), &*sent.plan.first().unwrap().provider.name), (&*format!("/v1/{path_of}"), "o"));
        assert_eq!(String::from_utf8_lossy(&sent.body), body.replace("o/", ""));
    }
}

#[test]
fn nothing_is_answered_in_the_background_where_there_are_limits() {
    let gateway = gateway(
        r#"{"providers":{"o":{"kind":"openai","credential":{"env":"O"}}},
            "limits":[{"name":"t","of":"tokens","per":"hour","max":30000}]}"#,
    );
    for (path, model) in [("/v1/responses", "o/gpt-5"), ("/o/responses", "gpt-5"), ("/o/v1/responses", "gpt-5")] {
        let ask = |background: &str| {
            let body = format!(r#"{{"model":"{model}","input":"x","background":{background}}}"#);
            ask(&gateway, post(path, &[]), &[body.as_bytes()])
        };
        let reply = ask("true").refused();
        assert_eq!((reply.status, &json_of(&reply.body)["error"]["param"]), (403, &json!("background")), "{path}");
        ask("false").sent();
    }
}

#[test]
fn a_thought_that_a_provider_cannot_verify_is_left_out_when_it_is_asked_again_and_is_not_the_clients_fault() {
    let refusal = br#"{"error":{"message":"The encrypted content gAAA...c90= could not be verified.","type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}"#;
    let body = |input: &str| format!(r#"{{"model":"o/gpt-5","input":[{input}{{"role":"user","content":"x"}}]}}"#);
    let thought = r#"{"type":"reasoning","summary":[],"encrypted_content":"gAAAAAB"},"#;
    let sent = asked(&body(thought)).sent();
    assert_eq!((sent.plan.most_tries(), String::from_utf8_lossy(&sent.body).contains("gAAAA")), (2, true));
    let again = sent.failed_in_words(400, refusal).sent();
    assert_eq!(String::from_utf8_lossy(&again.body), body("").replace("o/", ""));
    let answer = again.answered(200, &[JSON], &[br#"{"object":"response","status":"completed"}"#]);
    assert_eq!(answer.header("x-dragoman-attempts"), Some("o/gpt-5=400,o/gpt-5=200"));
    assert_eq!(answer.header("x-dragoman-dropped"), Some("input[].reasoning"));

    let again = asked(&body(thought)).sent().failed_in_words(400, refusal).sent();
    let told = again.answered(400, &[JSON], &[refusal]);
    assert_eq!((told.status, &*told.body), (400, &refusal[..]), "whatever it is now, it is no thought");
    assert_eq!(asked(&body("")).sent().plan.most_tries(), 1);
}

#[test]
fn a_history_that_cannot_go_on_without_its_proofs_is_refused_in_the_providers_words() {
    let refusal =
        br#"{"error":{"message":"m","type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}"#;
    for proof in ["encrypted_content", "signature"] {
        let body = format!(r#"{{"model":"o/gpt-5","input":[{{"type":"compaction","{proof}":"gAAAAAB"}}]}}"#);
        let sent = ask(&all(), post("/v1/responses/compact", &[]), &[body.as_bytes()]).sent();
        assert_eq!(sent.plan.most_tries(), 1);
        let told = sent.answered(400, &[JSON], &[refusal]);
        assert_eq!((told.status, &*told.body), (400, &refusal[..]));
    }
}

#[test]
fn a_model_of_openai_s_is_asked_in_the_formats_that_it_is_served_in() {
    let native = |model: &str| path(&sent(model, false)).to_owned();
    assert_eq!(native("o/gpt-4o-audio-preview"), "/v1/chat/completions");
    assert_eq!(native("o/o1-pro"), "/v1/responses");
    assert_eq!(native("q/gpt-4o-audio-preview"), "/openai/v1/responses", "whose it is nobody knows");
    let chat =
        |model: &str| format!(r#"{{"model":"{model}","max_tokens":9,"messages":[{{"role":"user","content":"x"}}]}}"#);
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let ask = |model: &str| ask(&all(), post(path, &[]), &[chat(model).as_bytes()]);
        let reply = ask("o/o1-pro").refused();
        let error = json_of(&reply.body)["error"].clone();
        assert_eq!(reply.status, 400, "{path}: {error}");
        assert!(error["message"].as_str().unwrap().contains("at `/responses` only"), "{error}");
        ask("q/o1-pro").sent();
        ask("o/gpt-5").sent();
    }
}
