//! The admin API through a real Envoy: what an operator is told of requests that both workers have served, and who is told nothing.
#![cfg(test)]

use dragoman::simulate::{Options, Script};
use dragoman_tests::http::{Request, Response};
use dragoman_tests::scene::{Case, Scene, assert_sound, expected_tokens, hello, openai_error};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

const SECRETS: [&str; 4] = ["sk-red", "sk-blue", "sk-operator", "sk-provider-canary"];

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options::default(), |config, _| {
        config["providers"]["openai"]["credential"] = json!({"value": "sk-provider-canary"});
        config["providers"]["lacking"] = json!({"kind": "anthropic", "credential": {"env": "NOT_SET"}});
        config["teams"] = json!({"paint": {}});
        config["keys"] = json!([
            {"id": "red", "name": "Red", "sha256": dragoman::key::hash("sk-red"), "team": "paint",
                "labels": {"app": "easel"}, "cost_tags": ["cc-7"]},
            {"id": "blue", "sha256": dragoman::key::hash("sk-blue")},
        ]);
        config["models"] = json!({"openai/gpt-4o": {"price": {"input": 2, "output": 8}}});
        config["admin"] = json!({"keys": [{"id": "on-call", "sha256": dragoman::key::hash("sk-operator")}]});
        config["log"] = json!({"ring": 40});
    })
});

fn admin(path: &str) -> Response {
    Request::get(path).key("sk-operator").send(SCENE.gateway.admin)
}

fn told(path: &str) -> Value {
    let answer = admin(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    for secret in SECRETS {
        assert!(!answer.text().contains(secret), "{path} tells {secret}");
    }
    answer.json()
}

/// The sums of one row; zeros where there is none.
fn sums(path: &str, name: &str) -> [u64; 4] {
    let rows = told(path);
    let row = rows["data"].as_array().expect("a list").iter().find(|row| row["name"] == name).cloned();
    let row = row.unwrap_or_default();
    ["requests", "input_tokens", "output_tokens", "cost_nano_usd"].map(|name| row[name].as_u64().unwrap_or(0))
}

/// What a worker has not told yet, it tells within a second.
fn wait_for<T: PartialEq + std::fmt::Debug>(read: impl Fn() -> T, expected: &T) {
    let begun = Instant::now();
    loop {
        let seen = read();
        if seen == *expected {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{seen:?} is not {expected:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_both_workers_have_served_is_summed_up_and_shown_for_each_key() {
    let case = SCENE.case("usage");
    let body = hello(false);
    let (mut input, mut output) = (0, 0);
    for connection in &mut SCENE.gateway.connect_workers() {
        for _ in 0..5 {
            let answer = connection.ask(&case.chat(&body).key("sk-red"));
            assert_eq!(answer.status, 200, "{}", answer.text());
            let usage = answer.json()["usage"].clone();
            input += usage["prompt_tokens"].as_u64().expect("tokens");
            output += usage["completion_tokens"].as_u64().expect("tokens");
        }
    }
    assert!(input > 0 && output >= expected_tokens(&body).min(1));
    let expected = [10, input, output, input * 2_000 + output * 8_000];
    for (path, name) in [
        ("/admin/v1/usage?by=key", "red"),
        ("/admin/v1/usage?by=team", "paint"),
        ("/admin/v1/usage?by=label", "app=easel"),
        ("/admin/v1/usage?by=cost_tag&interval=day", "cc-7"),
        ("/admin/v1/usage?by=key&interval=lifetime", "red"),
    ] {
        wait_for(|| sums(path, name), &expected);
    }
    assert_eq!(sums("/admin/v1/usage?by=key&name=blue", "red"), [0; 4]);
    let csv = admin("/admin/v1/usage?by=key&format=csv");
    assert_eq!(csv.headers.text("content-type"), Some("text/csv; charset=utf-8"));
    assert!(csv.text().lines().any(|line| line.contains(&format!(",red,10,0,{input},"))), "{}", csv.text());
}

#[test]
fn a_request_is_found_by_its_id_and_by_what_it_was() {
    let case = SCENE.case("logs");
    let mut unknown = hello(true);
    unknown["model"] = json!("no-such-model");
    let answer = case.send(&case.chat(&unknown).key("sk-blue"));
    openai_error(&answer, 404, "invalid_request_error", Some("model_not_found"));
    let id = answer.headers.text("x-request-id").expect("an id").to_owned();
    let one = format!("/admin/v1/logs/{id}");
    wait_for(|| admin(&one).status, &200);
    let record = told(&one);
    for (name, value) in [
        ("key", json!("blue")),
        ("status", json!(404)),
        ("gen_ai.request.model", json!("no-such-model")),
        ("error.type", json!("model_not_found")),
        ("outcome", json!("refused")),
        ("path", json!("/v1/chat/completions")),
    ] {
        assert_eq!(record[name], value, "{name}: {record}");
    }
    let list = told("/admin/v1/logs?key=blue&status=4xx&model=no-such-model&limit=1");
    assert_eq!(list["data"][0]["request_id"], id);
    assert_eq!(told("/admin/v1/logs?key=blue&status=200")["data"], json!([]));
}

#[test]
fn the_status_tells_of_providers_and_nobody_else_is_told_anything() {
    let status = told("/admin/v1/status");
    let told: Vec<_> =
        status["providers"].as_array().expect("a list").iter().map(|one| (&one["name"], &one["state"])).collect();
    assert!(told.contains(&(&json!("openai"), &json!("connected"))), "{status}");
    assert!(told.contains(&(&json!("lacking"), &json!("not_configured"))), "{status}");
    for key in ["sk-red", "sk-provider-canary", "nothing"] {
        let answer = Request::get("/admin/v1/logs").key(key).send(SCENE.gateway.admin);
        openai_error(&answer, 401, "invalid_request_error", Some("invalid_api_key"));
    }
    assert_eq!(admin("/v1/models").status, 404);
    assert_eq!(admin("/admin/v1/%6c%6fgs").status, 200, "Envoy decodes a path before the module sees it");
    assert_eq!(Request::post("/admin/v1/usage", &json!({})).key("sk-operator").send(SCENE.gateway.admin).status, 405);
    // The admin API is on its own listener alone.
    assert_eq!(SCENE.gateway.send(&Request::get("/admin/v1/status").key("sk-operator")).status, 404);
    assert_sound(&SCENE.gateway);
}

/// Gateways that keep what is said: one makes its attempts on the client's own stream, the other behind Envoy's router.
static KEEPING: LazyLock<[Scene; 2]> = LazyLock::new(|| {
    [0, 1].map(|attempts| {
        Scene::start(Options::default(), |config, _| {
            config["keys"] = json!([{"id": "blue", "sha256": dragoman::key::hash("sk-blue")}]);
            config["admin"] = json!({"keys": [{"id": "on-call", "sha256": dragoman::key::hash("sk-operator")}]});
            config["retry"] = json!({"attempts": attempts});
            config["log"] = json!({"ring": 60, "content": "both", "max_content": "2KiB", "redact": ["email"]});
        })
    })
});

/// The record of a request, once it is there.
fn record_of(scene: &Scene, answer: &Response) -> Value {
    let id = answer.headers.text("x-request-id").expect("an id");
    let ask = || Request::get(&format!("/admin/v1/logs/{id}")).key("sk-operator").send(scene.gateway.admin);
    wait_for(|| ask().status, &200);
    ask().json()
}

fn said_in(case: Case<'_>, answer: &Response) -> Value {
    record_of(case.scene, answer)["content"].take()
}

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":
    {"role":"assistant","content":"Ärger","email":"bob@canary.example"},"finish_reason":"stop"}]}"#;

fn answer_in_pieces(size: usize) -> Script {
    Script::whole(StatusCode::OK, "application/json", ANSWER).in_pieces_of(size)
}

fn stream_in_pieces(size: usize) -> Script {
    let chunk = |delta: &Value, finish: &Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!(
            "data: {}\n\n",
            json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})
        )
    };
    let call =
        |part: &str| chunk(&json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}), &Value::Null);
    let first = json!({"role": "assistant", "tool_calls": [{"index": 0, "id": "1", "type": "function",
        "function": {"name": "mail", "arguments": ""}}]});
    let events = [
        chunk(&first, &Value::Null),
        call("{\"em"),
        call("ail\": \"bob@"),
        call("canary.example\", \"to\": 1}"),
        chunk(&json!({}), &json!("tool_calls")),
        "data: [DONE]\n\n".to_owned(),
    ];
    Script::events(events).in_pieces_of(size)
}

#[test]
fn what_is_said_is_kept_as_the_client_had_it_without_what_is_to_be_left_out() {
    for scene in KEEPING.iter() {
        let case = scene.case("said");
        for size in [3, 10_000] {
            let mut body = hello(false);
            body["user"] = json!({"email": ["ann@canary.example"]}).to_string().into();
            case.answer(answer_in_pieces(size));
            let answer = case.send(&case.chat(&body).key("sk-blue"));
            assert_eq!(answer.status, 200, "{}", answer.text());
            let said = said_in(case, &answer);
            let user = body.to_string().replace(r#"[\"ann@canary.example\"]"#, r#"\"[redacted]\""#);
            assert_eq!(said["request"], json!({"text": user}));
            let expected = answer.text().replace("bob@canary.example", "[redacted]");
            assert!(expected.contains("Ärger") && expected.contains("[redacted]"), "{expected}");
            assert_eq!(said["response"], json!({"text": expected}));

            case.answer(stream_in_pieces(size));
            let answer = case.send(&case.chat(&hello(true)).key("sk-blue"));
            assert!(answer.text().contains("bob@") && answer.text().contains("[DONE]"), "{}", answer.text());
            let said = said_in(case, &answer);
            let expected = answer.text().replace(r#"\"bob@"#, r#"\"[redacted]\""#).replace(r#"canary.example\""#, "");
            assert_eq!(said["response"], json!({"text": expected}));
        }
        let list = Request::get("/admin/v1/logs").key("sk-operator").send(scene.gateway.admin);
        assert!(list.json()["data"].as_array().is_some_and(|all| all.len() >= 4), "{}", list.text());
        for (place, text) in
            [("list", list.text()), ("access log", scene.gateway.output()), ("log", scene.gateway.log())]
        {
            assert!(
                !text.contains("canary") && !text.contains("Hello there") && !text.contains("\"content\""),
                "{place}"
            );
        }
        assert_sound(&scene.gateway);
    }
}

#[test]
fn what_is_long_is_cut_what_is_no_text_is_not_kept_and_an_error_of_the_gateway_is() {
    for scene in KEEPING.iter() {
        let case = scene.case("other");
        let mut long = hello(false);
        long["messages"][0]["content"] = "ö".repeat(3_000).into();
        let answer = case.send(&case.chat(&long).key("sk-blue"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let request = said_in(case, &answer)["request"].take();
        let text = request["text"].as_str().expect("a text");
        assert!(request["cut"] == true && (2_047..=2_048).contains(&text.len()), "{} {request}", text.len());
        assert!(long.to_string().starts_with(text));

        let mut unknown = hello(false);
        unknown["model"] = json!("no-such-model");
        let answer = case.send(&case.chat(&unknown).key("sk-blue"));
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert_eq!(said_in(case, &answer)["response"], json!({"text": answer.text()}));

        let mut failing = hello(false);
        failing["model"] = json!("openai/gpt-4o-sim-status-503");
        let answer = case.send(&case.chat(&failing).key("sk-blue"));
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(said_in(case, &answer)["response"], json!({"text": answer.text()}));

        let speech = json!({"model": "openai/tts-1", "input": "Hello", "voice": "alloy"});
        let sound = Script::whole(StatusCode::OK, "audio/mpeg", vec![0xff, 0xf3, 0, 1]);
        case.answer(sound);
        let answer = case.send(&case.post("/v1/audio/speech", &speech).key("sk-blue"));
        assert_eq!((answer.status, answer.body().len()), (200, 4), "{}", answer.text());
        let said = said_in(case, &answer);
        assert_eq!(said, json!({"request": {"text": speech.to_string()}}));

        let form = "--x\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\ncanary\r\n--x--\r\n";
        let upload = Request::new("POST", "/v1/files").header("content-type", "multipart/form-data; boundary=x");
        let answer = case.send(&upload.body(form).key("sk-blue"));
        assert_eq!(said_in(case, &answer).get("request"), None, "{}", answer.text());
        assert_sound(&scene.gateway);
    }
}

#[test]
fn nothing_that_is_said_is_kept_where_nobody_asks_for_it() {
    let case = SCENE.case("unsaid");
    let mut unknown = hello(false);
    unknown["model"] = json!("nor-this-model");
    let answer = case.send(&case.chat(&unknown).key("sk-blue"));
    assert_eq!(answer.status, 404, "{}", answer.text());
    assert_eq!(record_of(&SCENE, &answer).get("content"), None);
}
