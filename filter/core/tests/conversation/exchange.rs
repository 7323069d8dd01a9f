//! What a client gets for what it sends, with a provider that answers this or that.

mod histories;
mod large;
mod local;
mod streams;

use crate::stage::{self, ask, carried, gateway, open, pieces, post};
use dragoman_core::usage::Usage;

const CHAT: &str = "/v1/chat/completions";
const SSE: &[(&str, &str)] = &[(":status", "200"), ("content-type", "text/event-stream; charset=utf-8")];
const JSON: &[(&str, &str)] = &[(":status", "200"), ("content-type", "application/json")];
const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const WORD: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"wörd\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn stream(events: &[&str]) -> stage::Answer {
    let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m","stream":true}"#]).sent();
    let document = events.concat();
    sent.answered(200, SSE, &pieces(document.as_bytes(), 5))
}

#[test]
fn the_credential_is_the_providers_and_the_callers_stays_here() {
    let more: &[(&str, &[u8])] = &[
        ("authorization", b"Bearer client"),
        ("x-api-key", b"client"),
        ("cookie", b"a=b"),
        ("x-dragoman-spoofed", b"1"),
        ("x-envoy-max-retries", b"9"),
        ("accept-encoding", b"gzip"),
        ("x-stainless-lang", b"python"),
    ];
    let sent =
        ask(&open(), post("/v1/chat/completions?key=client&a=1", more), &[br#"{"model":"openai/gpt-4o"}"#]).sent();
    let headers = carried(&sent.headers);
    let headers = headers.headers();
    assert_eq!(headers.text("authorization"), Some("Bearer secret-OPENAI_API_KEY"));
    assert_eq!(headers.text(":authority"), Some("api.openai.com"));
    assert_eq!(headers.text(":path"), Some("/v1/chat/completions?a=1"));
    assert_eq!(headers.text("x-stainless-lang"), Some("python"));
    assert_eq!(headers.text("content-length"), Some("18"));
    for name in ["x-api-key", "cookie", "x-dragoman-spoofed", "x-envoy-max-retries", "accept-encoding"] {
        assert_eq!(headers.text(name), None, "{name}");
    }
    assert_eq!(sent.body, br#"{"model":"gpt-4o"}"#);
}

#[test]
fn an_empty_model_is_none_and_what_decides_without_one_decides() {
    let of = |rest: &str| {
        let providers = r#""openai":{"kind":"openai","credential":{"value":"k"}},
            "anthropic":{"kind":"anthropic","credential":{"value":"k"}}"#;
        gateway(&format!(r#"{{"providers":{{{providers}}}{rest}}}"#))
    };
    let empty = br#"{"model":"","messages":[{"role":"user","content":"Hi"}]}"#;
    let sent =
        |rest: &str, path: &str| String::from_utf8(ask(&of(rest), post(path, &[]), &[empty]).sent().body).unwrap();
    let default = |model: &str| format!(r#","auto":{{"default_model":"{model}"}}"#);
    let whole = |model: &str| format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hi"}}]}}"#);
    assert_eq!(sent(&default("gpt-4o"), CHAT), whole("gpt-4o"));
    assert!(sent(&default("claude-haiku-4-5"), CHAT).contains(r#""model":"claude-haiku-4-5"#));
    let router = r#","routers":{"r":{"load_balance":{"chat":{"strategy":"fallback","targets":["gpt-5"]}}}}"#;
    assert_eq!(sent(router, "/router/r/chat/completions"), whole("gpt-5"));
    let refusal = ask(&of(""), post(CHAT, &[]), &[empty]).refused();
    assert_eq!(refusal.status, 400);
    assert!(String::from_utf8_lossy(&refusal.body).contains("You must say which `model` to use."));
}

#[test]
fn a_whole_answer_passes_with_its_usage_read() {
    let body = br#"{ "choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 1} }"#;
    let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m"}"#]).sent();
    let plan = std::rc::Rc::clone(&sent.plan);
    let answer = sent.answered(200, JSON, &pieces(body, 3));
    assert_eq!((answer.status, answer.body.as_slice()), (200, body.as_slice()));
    assert_eq!(plan.usage(), Some(Usage { input: 2, output: 1, ..Usage::default() }));
    assert_eq!(answer.header("x-dragoman-provider"), Some("openai"));
    assert_eq!(answer.header("x-dragoman-model"), Some("m"));
    assert_eq!(answer.header("x-dragoman-attempts"), Some("openai/m=200"));
}

#[test]
fn an_answer_may_have_the_words_that_the_operator_has_put_into_a_header() {
    let gateway = gateway(
        r#"{"providers":{"a":{"kind":"anthropic","credential":{"env":"A"},"headers":{"x-title":"customer-support"}}}}"#,
    );
    let body = br#"{"type":"message","id":"i","role":"assistant","model":"m","stop_reason":"end_turn",
        "content":[{"type":"text","text":"customer-support"}],"usage":{"input_tokens":1,"output_tokens":1}}"#;
    let request = br#"{"model":"a/m","messages":[{"role":"user","content":"Hi"}]}"#;
    let answer = ask(&gateway, post(CHAT, &[]), &[request]).sent().answered(200, JSON, &[body]);
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains(r#""content":"customer-support""#), "{}", answer.text());
}

#[test]
fn what_is_of_one_format_is_not_told_to_a_lone_target_either() {
    let own: [(&str, &[u8]); 2] = [("anthropic-version", b"2099-01-01"), ("anthropic-beta", b"x")];
    let sent = ask(&open(), post(CHAT, &own), &[br#"{"model":"m"}"#]).sent();
    assert!(!sent.headers.iter().any(|(name, _)| name.starts_with("anthropic-")), "{:?}", sent.headers);
}

#[test]
fn what_is_not_of_the_dialect_is_not_passed_on() {
    let whole = |headers: &[(&str, &str)], status, body: &str| {
        ask(&open(), post(CHAT, &[]), &[br#"{"model":"m"}"#]).sent().answered(
            status,
            headers,
            &pieces(body.as_bytes(), 9),
        )
    };
    for (headers, status, body) in [
        (&[("content-type", "text/html")][..], 200, "<html>"),
        (&[("content-type", "text/event-stream")], 200, "data: {}\n\n"),
        (JSON, 200, r#"{"choices":"#),
        (JSON, 200, ""),
        (JSON, 200, "{}"),
        (JSON, 200, r#"{"error":{"type":"upstream_error","message":"overloaded"}}"#),
        (&[("content-type", "application/json"), ("content-encoding", "gzip")], 200, "{}"),
        (&[("location", "https://elsewhere")], 302, ""),
        (JSON, 401, r#"{"error":{"message":"Incorrect API key provided: sk-secret"}}"#),
    ] {
        let answer = whole(headers, status, body);
        assert_eq!(answer.status, 502, "{headers:?} {body}");
        assert!(answer.text().contains(r#""type":"upstream_error""#), "{}", answer.text());
        assert!(!answer.text().contains("sk-secret"));
    }
}

#[test]
fn an_answer_without_a_body_is_answered_by_the_ingress() {
    for body in [&br#"{"model":"m"}"#[..], br#"{"model":"m","stream":true}"#] {
        let answer = ask(&open(), post(CHAT, &[]), &[body]).sent().answered(200, SSE, &[]);
        assert_eq!((answer.status, answer.header("x-dragoman-attempts")), (502, Some("openai/m=502")));
        assert!(answer.text().contains("upstream_error"));
    }
}

#[test]
fn a_refusal_of_the_provider_reaches_the_client_as_it_is() {
    let body = r#"{ "error": {"message":"too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#;
    let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m","stream":true}"#]).sent();
    let answer = sent.answered(400, JSON, &pieces(body.as_bytes(), 4));
    assert_eq!((answer.status, answer.text()), (400, body));
    let page = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m"}"#]).sent();
    let answer =
        page.answered(503, &[("content-type", "text/html"), ("retry-after", "3")], &[b"<html>internal</html>"]);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("3")));
    assert!(answer.text().contains("answered with status 503"), "{}", answer.text());
}

#[test]
fn headers_of_the_provider_that_are_its_own_business_are_dropped() {
    let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m"}"#]).sent();
    let headers = &[
        ("content-type", "application/json"),
        ("set-cookie", "a=b"),
        ("x-dragoman-provider", "forged"),
        ("openai-version", "x"),
    ];
    let answer = sent.answered(200, headers, &[br#"{"choices":[]}"#]);
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("x-dragoman-provider"), Some("openai"));
    assert_eq!(answer.header("openai-version"), Some("x"));
}

#[test]
fn keys_are_asked_for_and_their_scope_holds() {
    // SHA-256 of "test", and of "old".
    let gateway = gateway(
        r#"{"providers":{"openai":{"kind":"openai","credential":{"env":"A"}},"groq":{"kind":"openai","base_url":"https://g/v1","credential":{"env":"B"}}},
            "keys":[{"id":"k","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","providers":["openai"],"models":["gpt-*"]}]}"#,
    );
    let status = |key: &'static [u8], body: &[u8]| {
        let mut headers = post(CHAT, &[]);
        if !key.is_empty() {
            headers.push(("authorization".to_owned(), key.to_vec()));
        }
        match ask(&gateway, headers, &[body]) {
            stage::Asked::Sent(_) => 200,
            stage::Asked::Refused(reply) => reply.status,
        }
    };
    assert_eq!(status(b"Bearer test", br#"{"model":"openai/gpt-4o"}"#), 200);
    assert_eq!(status(b"Bearer test", br#"{"model":"openai/o3"}"#), 403);
    assert_eq!(status(b"Bearer test", br#"{"model":"groq/gpt-x"}"#), 403);
    assert_eq!(status(b"Bearer test", br#"{"model":"gpt-4o"}"#), 200);
    assert_eq!(status(b"Bearer test", br#"{"model":"gpt-99"}"#), 404);
    assert_eq!(status(b"Bearer test", b"{}"), 400);
    assert_eq!(status(b"Bearer other", br#"{"model":"openai/gpt-4o"}"#), 401);
    assert_eq!(status(b"Bearer \xff\xfe", br#"{"model":"openai/gpt-4o"}"#), 401);
    assert_eq!(status(b"", br#"{"model":"openai/gpt-4o"}"#), 401);
}

#[test]
fn each_bad_request_gets_its_own_answer() {
    let huge = [b"{\"a\":".as_slice(), "[".repeat(20_000).as_bytes()].concat();
    for (method, path, more, body, status) in [
        ("POST", "/nope", &[][..], &b"{}"[..], 404),
        ("DELETE", CHAT, &[], b"", 405),
        ("POST", "/v1/models", &[], b"{}", 405),
        ("POST", "/v1/embeddings", &[], b"{}", 400),
        ("POST", "/v1/messages", &[], b"{}", 400),
        ("POST", "/v1/messages/count_tokens", &[], b"{}", 400),
        ("POST", "/router/x/chat/completions", &[], b"{}", 404),
        ("POST", CHAT, &[("content-encoding", b"gzip".as_slice())], b"\x1f\x8b", 415),
        ("POST", CHAT, &[("content-type", b"text/plain".as_slice())], b"{}", 415),
        ("POST", CHAT, &[("content-length", b"999999999".as_slice())], b"{}", 413),
        ("POST", CHAT, &[], b"", 400),
        ("POST", CHAT, &[], b"\xef\xbb\xbf{}", 400),
        ("POST", CHAT, &[], br#"{"model":"a","model":"b"}"#, 400),
        ("POST", CHAT, &[], &huge, 400),
        ("POST", CHAT, &[], br#"{"model":"a""#, 400),
        ("POST", CHAT, &[], br#"{"model":"m","x":1e400}"#, 200),
    ] {
        let mut headers = post(path, more);
        headers[0].1 = method.as_bytes().to_vec();
        let got = match ask(&open(), headers, &[body]) {
            stage::Asked::Sent(_) => 200,
            stage::Asked::Refused(reply) => {
                assert!(reply.body.starts_with(if path.contains("messages") {
                    b"{\"type\":\"error\""
                } else {
                    b"{\"error\":"
                }));
                reply.status
            }
        };
        assert_eq!(got, status, "{method} {path} {}", String::from_utf8_lossy(&body[..body.len().min(40)]));
    }
}

#[test]
fn a_body_over_the_limit_is_refused_while_it_comes() {
    let gateway = gateway(r#"{"providers":{"openai":{"kind":"openai","credential":{"env":"A"}}},"max_body":20}"#);
    let reply = ask(&gateway, post(CHAT, &[]), &[br#"{"model":"openai/m","#, br#""x":12345678}"#]).refused();
    assert_eq!(reply.status, 413);
    ask(&gateway, post(CHAT, &[]), &[br#"{"model":"openai/m"}"#]).sent();
}

#[test]
fn a_provider_without_its_credential_is_said_to_be_unconfigured() {
    let gateway = gateway(r#"{"providers":{"openai":{"kind":"openai","credential":{"env":"UNSET_KEY"}}}}"#);
    let reply = ask(&gateway, post(CHAT, &[]), &[br#"{"model":"openai/m"}"#]).refused();
    assert_eq!(reply.status, 503);
    assert!(String::from_utf8_lossy(&reply.body).contains("UNSET_KEY is not set"));
    let ready = |gateway| {
        let mut headers = post("/ready", &[]);
        headers[0].1 = b"GET".to_vec();
        ask(gateway, headers, &[]).refused().status
    };
    assert_eq!((ready(&gateway), ready(&open())), (503, 200));
}

#[test]
fn what_a_target_did_not_get_is_listed_as_far_as_a_header_can_list_it() {
    let gateway = gateway(r#"{"providers":{"a":{"kind":"anthropic","credential":{"env":"A"}}}}"#);
    let many: Vec<String> = (0..100).map(|index| format!(r#","field_{index}":1"#)).collect();
    let many = many.concat();
    let body = format!(
        r#"{{"model":"a/m","messages":[{{"role":"user","content":"hi"}}],"verbosity":"low","a\r\nset-cookie: b":1,"ä":2{many}}}"#
    );
    let sent = ask(&gateway, post(CHAT, &[]), &[body.as_bytes()]).sent();
    let answer =
        sent.answered(200, JSON, &[br#"{"type":"message","role":"assistant","content":[],"stop_reason":"end_turn"}"#]);
    let dropped: Vec<&str> = answer.header("x-dragoman-dropped").unwrap().split(", ").collect();
    // The last one says that there are more.
    assert_eq!((dropped.first(), dropped.len(), dropped.last()), (Some(&"verbosity"), 33, Some(&"*")));
}

#[test]
fn what_only_the_body_of_an_error_says_reaches_the_client() {
    let gateway = gateway(
        r#"{"providers":{"g":{"kind":"gemini","credential":{"env":"A"}},"a":{"kind":"anthropic","credential":{"env":"A"}}}}"#,
    );
    let sent = |model: &str| {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
        ask(&gateway, post(CHAT, &[]), &[body.as_bytes()]).sent()
    };
    let limited = br#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED",
        "details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.074s"}]}}"#;
    let answer = sent("g/gemini-2.5-flash").answered(429, JSON, &[limited]);
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("35")));
    let broke = sent("g/gemini-2.5-flash").answered(402, JSON, &[br#"{"error":{"code":402,"message":"no money"}}"#]);
    assert_eq!(broke.status, 429);
    assert!(broke.text().contains("insufficient_quota"));
    let overloaded = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let answer = sent("a/claude-x").answered(200, JSON, &[overloaded]);
    assert!(answer.status >= 500 && answer.text().contains("Overloaded"), "{} {}", answer.status, answer.text());
}

#[test]
fn a_credential_that_a_provider_repeats_is_not_repeated() {
    let body = br#"{"error":{"message":"bad key secret-OPENAI_API_KEY given"}}"#;
    let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m"}"#]).sent();
    let answer = sent.answered(400, JSON, &[body]);
    assert_eq!(answer.status, 400);
    assert!(!answer.text().contains("secret-"), "{}", answer.text());

    let word = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
    let error = "data: {\"error\":{\"message\":\"bad key secret-OPENAI_API_KEY given\"}}\n\n";
    for (pieces, status) in [(vec![error], 502), (vec![word, error], 200)] {
        let sent = ask(&open(), post(CHAT, &[]), &[br#"{"model":"m","stream":true}"#]).sent();
        let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
        let answer = sent.answered(200, SSE, &pieces);
        assert_eq!(answer.status, status);
        assert!(answer.text().contains("reported an error"), "{}", answer.text());
        assert!(!answer.text().contains("secret-"), "{}", answer.text());
    }
}

#[test]
fn a_long_history_takes_no_longer_than_its_length() {
    let gateway = gateway(r#"{"providers":{"a":{"kind":"ollama","base_url":"http://127.0.0.1:1"}}}"#);
    let many = |message: &str| {
        let messages = vec![message; 50_000].join(",");
        format!(r#"{{"model":"a/m","messages":[{{"role":"user","content":"a"}},{messages}]}}"#)
    };
    // Quadratic, each would take minutes in this build.
    ask(&gateway, post(CHAT, &[]), &[many(r#"{"role":"tool","tool_call_id":"x","content":""}"#).as_bytes()]).sent();
    let pieces = vec![r#"{"type":"thinking","thinking":"0123456789"}"#; 50_000].join(",");
    let thoughts = format!(
        r#"{{"model":"a/m","messages":[{{"role":"user","content":"a"}},{{"role":"assistant","content":"b","thinking_blocks":[{pieces}]}}]}}"#
    );
    ask(&gateway, post(CHAT, &[]), &[thoughts.as_bytes()]).sent();
}

#[test]
fn a_routers_deadline_may_be_longer_than_the_files() {
    let gateway = gateway(
        r#"{"retry": {"deadline": "20s"}, "routers": {"patient": {"retry": {"deadline": "90s"}}, "hasty": {"retry": {"deadline": "5s"}}},
            "providers": {"a": {"kind": "openai", "auth": "none", "timeouts": {"first_byte": "60s"}}}}"#,
    );
    // The route that is rendered has the longest, which need not be asked for.
    for (path, seconds, asked) in [
        ("/router/patient/chat/completions", 60, None),
        (CHAT, 20, Some("20000")),
        ("/router/hasty/chat/completions", 5, Some("5000")),
    ] {
        let sent = ask(&gateway, post(path, &[]), &[br#"{"model":"a/m"}"#]).sent();
        let target = sent.plan.first().unwrap();
        assert_eq!(sent.plan.patience(&target, sent.plan.made_at()).as_secs(), seconds, "{path}");
        assert_eq!(sent.plan.longest_patience().as_secs(), seconds, "{path}");
        assert_eq!(carried(&sent.headers).headers().text("x-envoy-upstream-rq-per-try-timeout-ms"), asked, "{path}");
    }
}
