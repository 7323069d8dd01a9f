//! The audit log through a real Envoy: why each request went where it went, each of its tries and what came of it, in a file of its own, in
//! both modes; and what `up` does about the file.
#![cfg(test)]

use dragoman::simulate::Gate;
use dragoman_tests::chain::{
    ANTHROPIC, CLIENT_KEY, Chain, SAID, chat, failing, gated, post_as, tries, wait_for_providers,
};
use dragoman_tests::envoy::Setup;
use dragoman_tests::http::{Connection, Request, Response};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A gateway whose audit log is a file, in a folder that was not there.
struct Audited {
    chain: Chain,
    path: PathBuf,
    _folder: TempDir,
}

fn start(mode: &str) -> Audited {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("logs/of/the/router/decisions.jsonl");
    let chain = Chain::start(|config| {
        wait_for_providers(config);
        config["retry"]["mode"] = json!(mode);
        config["retry"]["attempts"] = json!(1);
        config["retry"]["backoff"] = json!({"base": "20ms", "max": "40ms"});
        config["log"] = json!({"audit": {"enabled": true, "path": path}});
        config["keys"] = json!([{"id": "app", "sha256": dragoman::key::hash(CLIENT_KEY)}]);
        config["models"]["openai/deaf"] = json!({"capabilities": []});
        config["aliases"]["failing"] = json!([failing("openai", "status-503"), ANTHROPIC]);
        config["aliases"]["unheard"] = json!([failing("openai", "refused"), ANTHROPIC]);
        config["aliases"]["mixed"] = json!(["openai/deaf", ANTHROPIC]);
    });
    Audited { chain, path, _folder: folder }
}

static NATIVE: LazyLock<Audited> = LazyLock::new(|| start("auto"));
static DISPATCH: LazyLock<Audited> = LazyLock::new(|| start("dispatch"));

fn modes() -> [(&'static str, &'static Audited); 2] {
    [("auto", &NATIVE), ("dispatch", &DISPATCH)]
}

fn lines(text: &str) -> Vec<Value> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The lines of a request, which Envoy writes when it is over, and not at once.
fn of_request(read: impl Fn() -> String, id: &str) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let mut found = lines(&read());
        found.retain(|line| line["request_id"] == id);
        if found.last().is_some_and(|line| line["event"] == "proxy_response") {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{id}: {found:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn id(answer: &Response) -> &str {
    answer.headers.text("x-request-id").expect("an id")
}

impl Audited {
    fn read(&self) -> String {
        fs::read_to_string(&self.path).expect("`up` has made it")
    }

    fn of(&self, answer: &Response) -> Vec<Value> {
        of_request(|| self.read(), id(answer))
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

#[test]
fn each_try_of_a_plan_has_a_line_in_both_modes_whole_and_streamed() {
    for (mode, audited) in modes() {
        for (alias, stream, statuses, failure) in [
            ("failing", false, [503, 503, 200], "server_error"),
            ("failing", true, [503, 503, 200], "server_error"),
            ("unheard", false, [503, 503, 200], "connection_failed"),
        ] {
            let answer = audited.chain.send(&chat("tries", alias, stream));
            assert_eq!(answer.status, 200, "{mode} {alias}: {}", answer.text());
            let lines = audited.of(&answer);
            let [decision, attempts @ .., response] = lines.as_slice() else { panic!("{lines:?}") };
            assert_eq!((&decision["event"], &decision["decided_by"]), (&json!("route_decision"), &json!("model")));
            let models: Vec<_> =
                decision["candidates"].as_array().unwrap().iter().map(|one| &one["provider"]).collect();
            assert_eq!(models.last(), Some(&&json!("anthropic")), "{decision}");
            assert_eq!(decision["gen_ai.request.model"], alias);
            let seen: Vec<_> = attempts.iter().map(|one| number(&one["status"])).collect();
            assert_eq!(seen, statuses, "{mode} {alias}: {lines:?}");
            let told: Vec<_> = tries(&answer).into_iter().map(|(target, _)| target).collect();
            for (place, one) in attempts.iter().enumerate() {
                assert_eq!(one["event"], "proxy_attempt");
                assert_eq!(number(&one["number"]), u64::try_from(place).unwrap().saturating_add(1));
                let target = format!("{}/{}", one["provider"].as_str().unwrap(), one["model"].as_str().unwrap());
                assert_eq!(target, told[place], "{one}");
                assert_eq!((&one["account"], &one["key"]), (&json!("default"), &json!("app")), "{one}");
                let is_last = place.saturating_add(1) == attempts.len();
                assert_eq!(one["failure"], if is_last { Value::Null } else { json!(failure) }, "{one}");
                let has_head = is_last || alias == "failing";
                assert_eq!(one["first_byte_ms"].is_u64(), has_head, "{one}");
                assert!(!has_head || number(&one["first_byte_ms"]) <= number(&one["duration_ms"]), "{one}");
            }
            let times: Vec<_> = lines.iter().map(|line| line["time"].as_str().unwrap()).collect();
            assert!(times.is_sorted(), "{times:?}");
            assert_eq!((&response["status"], &response["outcome"]), (&json!(200), &json!("answered")));
            assert_eq!((&response["provider"], &response["key"]), (&json!("anthropic"), &json!("app")), "{response}");
            if !stream {
                let usage = &answer.json()["usage"];
                assert_eq!(response["gen_ai.usage.input_tokens"], usage["prompt_tokens"], "{response}");
                assert_eq!(response["gen_ai.usage.output_tokens"], usage["completion_tokens"], "{response}");
            }
            assert!(response["cost_nano_usd"].is_u64() && response["duration_ms"].is_u64(), "{response}");
        }
        audited.chain.assert_sound();
    }
}

#[test]
fn who_is_refused_has_a_decision_that_says_so_and_a_probe_has_nothing() {
    let audited = &*NATIVE;
    for (request, status, refused) in [
        (
            post_as("sk-stranger-0009", "/v1/chat/completions", "who", &json!({"model": ANTHROPIC})),
            401,
            "invalid_api_key",
        ),
        (chat("who", "nobody/knows", false), 404, "model_not_found"),
        (Request::get("/nowhere").key(CLIENT_KEY), 404, "not_found"),
    ] {
        let answer = audited.chain.send(&request);
        assert_eq!(answer.status, status, "{}", answer.text());
        let lines = audited.of(&answer);
        let [decision, response] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(
            (&decision["event"], &decision["refused"]),
            (&json!("route_decision"), &json!(refused)),
            "{decision}"
        );
        assert_eq!((&response["status"], &response["error.type"]), (&json!(status), &json!(refused)), "{response}");
    }
    let answer = audited.chain.send(&Request::get("/ready"));
    assert_eq!(answer.status, 200);
    // What Envoy refuses by itself has no line, and no empty one.
    let mut broken = Connection::open(audited.chain.gateway.address).unwrap();
    broken.send(b"GET /v1/models HTTP/1.1\r\nhost: a\r\nx_under: 1\r\n\r\n");
    assert_eq!(broken.response().unwrap().status, 400);
    let probe = id(&answer).to_owned();
    let last = audited.chain.send(&chat("who", ANTHROPIC, false));
    audited.of(&last);
    let text = audited.read();
    assert!(!text.contains(&probe) && text.lines().all(|line| line.starts_with("{\"event\":\"")), "{text}");
}

#[test]
fn a_candidate_that_was_dropped_has_a_reason_and_a_client_that_leaves_is_no_failure_of_anybody() {
    for (mode, audited) in modes() {
        let tools = json!({"model": "mixed", "messages": [{"role": "user", "content": SAID}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]});
        let answer = audited.chain.send(&post_as(CLIENT_KEY, "/v1/chat/completions", "dropped", &tools));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let decision = &audited.of(&answer)[0];
        let dropped = &decision["dropped"][0];
        assert_eq!(
            (&dropped["candidate"], &dropped["reason"]),
            (&json!("openai/deaf"), &json!("invalid_request_error"))
        );
        assert_eq!(dropped["message"], "The model `openai/deaf` does not take tools.", "{mode}");

        let gates = [Gate::closed(), Gate::closed()];
        audited.chain.answer("anthropic", mode, gated(&gates));
        let mut connection = Connection::open(audited.chain.gateway.address).unwrap();
        connection.send(&chat(mode, ANTHROPIC, true).bytes());
        let (_, headers) = connection.head().unwrap();
        let id = headers.text("x-request-id").expect("an id").to_owned();
        drop(connection);
        let lines = of_request(|| audited.read(), &id);
        gates.iter().for_each(Gate::open);
        assert_eq!(
            (&lines[1]["status"], &lines[1]["failure"]),
            (&json!(200), &json!("abandoned")),
            "{mode}: {lines:?}"
        );
        assert_eq!(lines[2]["outcome"], "abandoned");
    }
}

#[test]
fn nothing_that_is_said_and_no_secret_is_in_it_and_nothing_of_it_in_the_access_log() {
    for (_, audited) in modes() {
        let body = json!({"model": "failing", "stream": true, "messages": [{"role": "user", "content": SAID}]});
        let request = post_as(CLIENT_KEY, "/v1/chat/completions?key=canary-query", "secret", &body);
        let answer = audited.chain.send(&request.header("x-note", "canary-header"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().len() > 100);
        audited.of(&answer);
        let (text, output) = (audited.read(), audited.chain.gateway.output());
        for secret in [SAID, CLIENT_KEY, "canary-", "sk-openai-secret", "sk-ant-secret", "AIza-secret"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(!output.contains("route_decision") && !output.contains("proxy_"), "{output}");
    }
}

fn config(audit: &Value) -> Value {
    json!({"providers": {"openai": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "auth": "none"}},
        "log": {"audit": audit}})
}

#[test]
fn a_file_that_cannot_be_written_is_said_at_once() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("decisions.jsonl");
    let ended = Setup::new(config(&json!({"enabled": true, "path": below}))).try_start().err().expect("it ends");
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    let said = format!("/log/audit/path: {} cannot be written: ", below.display());
    assert!(ended.log.contains(&said), "{}", ended.log);
    // Of a variable it is the variable's fault.
    let setup = Setup::new(config(&json!({"enabled": true})));
    let ended = setup.variable("ROUTER_AUDIT_LOG_PATH", &below.to_string_lossy()).try_start().err().expect("it ends");
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    assert!(ended.log.contains("ROUTER_AUDIT_LOG_PATH: "), "{}", ended.log);
}

#[test]
fn variables_ask_for_it_and_standard_output_is_no_file() {
    let setup = Setup::new(config(&json!({})));
    let setup = setup.variable("ROUTER_AUDIT_LOG_ENABLED", "true").variable("ROUTER_AUDIT_LOG_PATH", "/dev/stdout");
    let gateway = setup.start();
    let answer = gateway.send(&Request::get("/v1/models"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let audited = || {
        let output = gateway.output();
        output.lines().filter(|line| line.starts_with("{\"event\"")).flat_map(|line| [line, "\n"]).collect::<String>()
    };
    let lines = of_request(audited, id(&answer));
    let told = [&lines[0]["decided_by"], &lines[0]["refused"], &lines[1]["outcome"]];
    assert_eq!(told, [&json!("gateway"), &Value::Null, &json!("answered")], "{lines:?}");
}
