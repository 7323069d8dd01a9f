//! Chats through a real Envoy: whole and streamed, what reaches the provider, what reaches the client.
#![cfg(test)]

use dragoman::simulate::{Gate, Options, Piece, Script};
use dragoman_tests::http::{Connection, Request, Response};
use dragoman_tests::scene::{Scene, UPSTREAM_KEY, hello};
use serde_json::{Value, json};
use std::sync::LazyLock;

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options::default(), |config, base_url| {
        config["providers"]["azure"] = json!({
            "kind": "openai",
            "base_url": base_url,
            "credential": {"value": "sk-other"},
            "headers": {"openai-organization": "org-123"},
        });
    })
});

const FIRST: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const HELLO: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Grüße 🦀\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5,\"total_tokens\":8}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.text(name)
}

#[test]
fn a_whole_answer_passes_as_it_is_and_says_who_served_it() {
    let case = SCENE.case("whole");
    let body =
        "{ \"object\" : \"chat.completion\", \"choices\":[], \"big\": 1e400, \"usage\": {\"prompt_tokens\": 1} }\n";
    case.answer(Script::whole(http::StatusCode::OK, "application/json", body));
    let answer = case.send(&case.chat(&hello(false)));
    assert_eq!((answer.status, answer.text().as_str(), answer.complete), (200, body, true));
    assert_eq!(header(&answer, "x-dragoman-provider"), Some("openai"));
    assert_eq!(header(&answer, "x-dragoman-model"), Some("gpt-4o"));
    assert_eq!(header(&answer, "x-dragoman-attempts"), Some("openai/gpt-4o=200"));
    assert!(header(&answer, "x-request-id").is_some_and(|id| !id.is_empty()));
    assert_eq!(answer.headers.iter().find(|(name, _)| name.starts_with("x-envoy-")), None);
}

#[test]
fn the_request_passes_byte_for_byte_but_for_the_model() {
    let case = SCENE.case("request bytes");
    let body = "\n{ \"b\\u0061d\": [1e400, 0.10], \"model\" :\t\"openai/gpt-4o\" , \"x\": {\"model\": \"openai/inner\"},\"ü\":\"\\ud83e\\udd80\" }\n";
    case.answer(Script::whole(http::StatusCode::OK, "application/json", r#"{"choices":[]}"#));
    assert_eq!(case.send(&case.raw(body)).status, 200);
    let requests = case.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].body, body.replacen("openai/gpt-4o", "gpt-4o", 1));
    assert_eq!(requests[0].header("content-length"), Some((body.len() - 7).to_string().as_str()));
    assert_eq!((requests[0].method.as_str(), requests[0].path()), ("POST", "/v1/chat/completions"));
}

#[test]
fn the_three_spellings_of_the_default_router_serve_the_same() {
    let case = SCENE.case("spellings");
    for path in ["/v1/chat/completions", "/v1/router/chat/completions", "/chat/completions", "/v1/chat/completions?x=1"]
    {
        let answer = case.send(&case.post(path, &hello(false)));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    let paths: Vec<String> = case.requests().iter().map(|request| request.path().to_owned()).collect();
    let plain = "/v1/chat/completions";
    assert_eq!(paths, [plain, plain, plain, "/v1/chat/completions?x=1"]);
}

#[test]
fn the_first_event_reaches_the_client_while_the_provider_holds_the_next_one() {
    let case = SCENE.case("gate");
    let (second, third) = (Gate::closed(), Gate::closed());
    let mut script = Script::events([FIRST, HELLO, STOP, USAGE, DONE]);
    script.body[2] = Piece::new(STOP).behind(&second);
    script.body[4] = Piece::new(DONE).behind(&third);
    case.answer(script);

    let mut connection = case.connect();
    connection.send(&case.chat(&hello(true)).bytes());
    let (status, _) = connection.head().unwrap();
    assert_eq!(status, 200);
    let read = |connection: &mut Connection, until: &str| {
        let mut text = Vec::new();
        while !text.ends_with(until.as_bytes()) {
            text.extend(connection.chunk().unwrap().expect("the stream goes on").bytes);
        }
        String::from_utf8(text).unwrap()
    };
    // Only now is the provider allowed to go on: had the gateway waited for more, this would hang.
    assert_eq!(read(&mut connection, HELLO), format!("{FIRST}{HELLO}"));
    second.open();
    assert_eq!(read(&mut connection, STOP), STOP);
    third.open();
    assert_eq!(read(&mut connection, DONE), DONE);
    assert!(connection.chunk().unwrap().is_none());
    case.assert_serves(&mut connection);
}

#[test]
fn usage_is_asked_for_and_hidden_unless_the_client_asked_for_it() {
    let case = SCENE.case("usage");
    let script = || Script::events([FIRST, HELLO, STOP, USAGE, DONE]);
    let mut body = hello(true);
    case.answer(script());
    let answer = case.send(&case.chat(&body));
    assert_eq!(answer.text(), [FIRST, HELLO, STOP, DONE].concat());

    body["stream_options"] = json!({"include_usage": false, "include_obfuscation": false});
    case.answer(script());
    assert_eq!(case.send(&case.chat(&body)).text(), [FIRST, HELLO, STOP, DONE].concat());

    body["stream_options"] = json!({"include_usage": true});
    case.answer(script());
    assert_eq!(case.send(&case.chat(&body)).text(), [FIRST, HELLO, STOP, USAGE, DONE].concat());

    let asked: Vec<Value> =
        case.requests().iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|body| body["stream_options"]["include_usage"] == json!(true)), "{asked:?}");
    assert_eq!(asked[1]["stream_options"]["include_obfuscation"], json!(false));
}

#[test]
fn an_answer_is_the_same_however_it_is_cut() {
    let case = SCENE.case("cuts");
    let events = [": ping\n\n", FIRST, HELLO, "event: message\r\nid: 7\r\n", HELLO, STOP, USAGE, DONE];
    let expected: String = events.concat().replace(USAGE, "");
    let whole = json!({"object": "chat.completion", "text": "Grüße 🦀".repeat(20), "usage": {"prompt_tokens": 1}});
    let mut connection = case.connect();
    let mut ask = |stream: bool, script: Script| {
        case.answer(script);
        connection.send(&case.chat(&hello(stream)).bytes());
        connection.response().unwrap()
    };
    for size in [1, 2, 3, 5, 7, 13, 64, 1000] {
        assert_eq!(ask(true, Script::events(events).in_pieces_of(size)).text(), expected, "pieces of {size}");
        let script = Script::whole(http::StatusCode::OK, "application/json", whole.to_string());
        assert_eq!(ask(false, script.in_pieces_of(size)).json(), whole, "pieces of {size}");
    }
    for seed in 0..60 {
        assert_eq!(ask(true, Script::events(events).cut_at_random(seed)).text(), expected, "seed {seed}");
    }
    SCENE.assert_sound();
}

#[test]
fn the_clients_credentials_stay_here_and_the_providers_are_its_own() {
    let case = SCENE.case("credentials");
    let secrets = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization"];
    let mut request = case.post("/v1/chat/completions?a=1&key=sk-secret-of-query&b=2", &hello(false));
    for name in secrets {
        request = request.header(name, format!("Bearer sk-secret-of-{name}"));
    }
    request = request.header("authorization", "Bearer sk-secret-again").header("cookie", "session=sk-secret-cookie");
    for name in ["x-forwarded-for", "x-real-ip", "forwarded", "x-forwarded-host", "x-dragoman-cluster"] {
        request = request.header(name, "sk-secret-10.0.0.1");
    }
    assert_eq!(case.send(&request).status, 200);
    let got = case.requests().pop().unwrap();
    assert_eq!(got.headers.get_all("authorization").iter().collect::<Vec<_>>(), [&format!("Bearer {UPSTREAM_KEY}")]);
    assert_eq!(got.path(), "/v1/chat/completions?a=1&b=2");
    let leaks = got.headers.iter().filter(|(_, value)| value.as_bytes().windows(9).any(|part| part == b"sk-secret"));
    assert_eq!(leaks.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!(got.header("accept-encoding"), None);
    for name in ["x-forwarded-for", "x-forwarded-proto", "via", "cookie", "forwarded"] {
        assert_eq!(got.header(name), None, "{name}");
    }

    // The other provider gets its own credential and headers.
    let mut body = hello(false);
    body["model"] = json!("azure/gpt-4o");
    assert_eq!(case.send(&case.chat(&body).key("sk-secret")).status, 200);
    let got = case.requests().pop().unwrap();
    assert_eq!(got.header("authorization"), Some("Bearer sk-other"));
    assert_eq!(got.header("openai-organization"), Some("org-123"));
}

#[test]
fn a_key_in_the_query_is_in_no_log() {
    let case = SCENE.case("log");
    let path = "/v1/chat/completions?marker=logged&key=sk-secret-never-logged";
    assert_eq!(case.send(&case.post(path, &hello(false)).header("x-request-id", "ignored")).status, 200);
    // Refused requests are logged too. Envoy writes its log in pieces of 64 KiB, or every ten seconds.
    let mut connection = case.connect();
    for _ in 0..2000 {
        connection.send(&Request::get("/nowhere?key=sk-secret-never-logged").bytes());
        assert_eq!(connection.response().unwrap().status, 404);
        if SCENE.gateway.output().contains("\"path\":\"/nowhere\"") {
            break;
        }
    }
    assert!(SCENE.gateway.output().contains("\"path\":\"/nowhere\""));
    assert!(!SCENE.gateway.output().contains("never-logged"));
    assert!(!SCENE.gateway.log().contains("never-logged"));
    assert!(case.requests().iter().all(|request| !request.path().contains("never-logged")));
}

#[test]
fn forged_internal_headers_do_nothing_and_go_nowhere() {
    let case = SCENE.case("forged");
    let forged = [
        ("x-envoy-max-retries", "5"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-upstream-rq-timeout-ms", "1"),
        ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
        ("x-envoy-upstream-alt-stat-name", "forged"),
        ("x-envoy-original-path", "/nowhere"),
        ("x-envoy-original-host", "evil.test"),
        ("x-envoy-expected-rq-timeout-ms", "1"),
        ("x-envoy-internal", "true"),
        ("x-envoy-hedge-on-per-try-timeout", "true"),
        ("x-envoy-decorator-operation", "forged"),
        ("x-envoy-external-address", "6.6.6.6"),
        ("x-dragoman-provider", "forged"),
        ("x-dragoman-model", "forged"),
        ("x-dragoman-attempts", "forged"),
        ("x-dragoman-retry", "1"),
        ("X-DrAgOmAn-Next", "dragoman_azure#1"),
        ("dragoman.next", "dragoman_azure#1"),
    ];
    let mut request = case.chat(&hello(false)).header("x-simulate", "status=503; delay=50");
    for (name, value) in forged {
        request = request.header(name, value);
    }
    let answer = case.send(&request);
    // Neither the forged retries nor the forged 1 ms had an effect.
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(header(&answer, "x-dragoman-provider"), Some("openai"));
    let requests = case.requests();
    assert_eq!(requests.len(), 1);
    let internal = |name: &&str| name.starts_with("x-envoy") || name.starts_with("x-dragoman");
    assert_eq!(requests[0].headers.keys().map(http::HeaderName::as_str).find(internal), None);
}

#[test]
fn a_provider_cannot_forge_who_served_nor_set_cookies() {
    let case = SCENE.case("forged answer");
    let value = |text: &'static str| http::HeaderValue::from_static(text);
    let script = Script::whole(http::StatusCode::OK, "application/json", r#"{"choices":[]}"#)
        .with(http::HeaderName::from_static("x-dragoman-provider"), value("forged"))
        .with(http::HeaderName::from_static("x-dragoman-cache"), value("forged"))
        .with(http::HeaderName::from_static("x-envoy-upstream-service-time"), value("7"))
        .with(http::HeaderName::from_static("x-envoy-ratelimited"), value("true"))
        .with(http::HeaderName::from_static("openai-organization"), value("org-secret"))
        .with(http::HeaderName::from_static("openai-version"), value("2020-10-01"))
        .with(http::header::SET_COOKIE, value("a=b"));
    case.answer(script);
    let answer = case.send(&case.chat(&hello(false)));
    assert_eq!(answer.status, 200);
    let providers: Vec<_> = answer.headers.iter().filter(|(name, _)| *name == "x-dragoman-provider").collect();
    assert_eq!(providers, [("x-dragoman-provider", b"openai".as_slice())]);
    for name in ["x-dragoman-cache", "openai-organization", "set-cookie"] {
        assert_eq!(header(&answer, name), None, "{name}");
    }
    assert_eq!(header(&answer, "openai-version"), Some("2020-10-01"));
}

#[test]
fn the_host_that_the_client_names_never_reaches_the_provider() {
    let case = SCENE.case("host");
    for host in ["evil.test", "evil.test:80", "user@evil.test", "[::1]:1"] {
        let answer = case.send(&case.chat(&hello(false)).header("host", host).header("x-forwarded-host", host));
        assert!(answer.status == 200 || answer.status == 400, "{host}: {}", answer.text());
    }
    let requests = case.requests();
    assert!(!requests.is_empty());
    let provider = SCENE.upstream.addr().to_string();
    for request in requests {
        assert_eq!(request.headers.get_all("host").iter().collect::<Vec<_>>(), [&provider]);
        assert_eq!(request.uri.host(), None);
    }
}

#[test]
fn one_connection_serves_one_request_after_the_other_and_pipelined_ones_in_order() {
    let case = SCENE.case("pipeline");
    let mut connection = case.connect();
    let ask = |text: &str| {
        let mut body = hello(false);
        body["messages"][0]["content"] = json!(text);
        case.chat(&body).bytes()
    };
    for text in ["one", "two"] {
        connection.send(&ask(text));
        assert!(connection.response().unwrap().text().contains(text));
    }
    connection.send(&[ask("three"), case.chat(&hello(true)).bytes(), ask("five")].concat());
    assert!(connection.response().unwrap().text().contains("three"));
    assert_eq!(connection.response().unwrap().events().last().map(String::as_str), Some("[DONE]"));
    assert!(connection.response().unwrap().text().contains("five"));
}

#[test]
fn sixty_four_streams_at_once_do_not_mix() {
    let case = SCENE.case("parallel");
    std::thread::scope(|scope| {
        for number in 0..64 {
            scope.spawn(move || {
                let mut body = hello(true);
                body["messages"][0]["content"] = json!(format!("number-{number}-"));
                let answer = case.send(&case.chat(&body).header("x-simulate", format!("cuts={number}")));
                let text: String = answer
                    .events()
                    .iter()
                    .filter_map(|event| serde_json::from_str::<Value>(event).ok())
                    .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
                    .collect();
                assert_eq!(text, format!("This is gpt-4o, simulated. You said: number-{number}-"));
                assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"));
            });
        }
    });
    SCENE.assert_sound();
}
