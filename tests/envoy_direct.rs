//! A provider's own paths through a real Envoy with two workers: four formats, each as its own clients speak it.
#![cfg(test)]

use dragoman::simulate::{Gate, Options, Piece, Script};
use dragoman_tests::http::{Request, Response};
use dragoman_tests::scene::Scene;
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

const SECRETS: [(&str, &str); 4] =
    [("openai", "sk-openai-0001"), ("anthropic", "sk-ant-0002"), ("gemini", "AIza-0003"), ("ollama", "sk-ollama-0004")];
const AZURE_SECRET: &str = "azure-0008";
const ALL: &str = "sk-all-0005";
const FEW: &str = "sk-few-0006";
const CLAUDE: &str = "sk-claude-0007";

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options::default(), |config, base_url| {
        let root = base_url.strip_suffix("/v1").expect("a base URL of OpenAI's format");
        for (kind, secret) in SECRETS {
            let base_url = if kind == "openai" { base_url } else { root };
            config["providers"][kind] = json!({"kind": kind, "base_url": base_url, "credential": {"value": secret},
                "timeouts": {"first_byte": "3s", "idle": "3s"}});
        }
        config["providers"]["azure"] = json!({"kind": "openai", "base_url": format!("{root}/openai?api-version=2024-10-21"),
            "credential": {"value": AZURE_SECRET}, "timeouts": {"first_byte": "3s", "idle": "3s"}});
        config["aliases"] = json!({"quick":
            ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5", "gemini/gemini-2.5-flash", "ollama/llama3.2"]});
        config["routers"] = json!({
            "claude": {"load_balance": {"chat": {"strategy": "weighted", "targets": [{"provider": "anthropic"}]}}}});
        let key = |id: &str, key: &str| json!({"id": id, "sha256": dragoman::key::hash(key)});
        config["keys"] = json!([key("all", ALL), key("few", FEW), key("claude", CLAUDE)]);
        config["keys"][1]["models"] = json!(["gpt-4o-mini", "claude-haiku-*", "gemini-2.5-flash", "llama3.2"]);
        config["keys"][2]["providers"] = json!(["anthropic"]);
    })
});

/// A chat of each format: its provider, its path, its body and the header that carries the key.
fn chats(stream: bool, model: &str) -> [(&'static str, String, Value, &'static str); 4] {
    let messages = json!([{"role": "user", "content": "Hello there"}]);
    let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    let openai = json!({"model": model, "messages": messages, "stream": stream});
    let mut claude = openai.clone();
    claude["max_tokens"] = json!(64);
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]});
    [
        ("openai", "/openai/chat/completions".into(), openai.clone(), "authorization"),
        ("anthropic", "/anthropic/v1/messages".into(), claude, "x-api-key"),
        ("gemini", format!("/gemini/v1beta/models/{model}:{verb}"), gemini, "x-goog-api-key"),
        ("ollama", "/ollama/api/chat".into(), openai, "authorization"),
    ]
}

fn send(case: &'static str, key: &str, (path, body, header): (&str, &Value, &str)) -> Response {
    let value = if header == "authorization" { format!("Bearer {key}") } else { key.to_owned() };
    let case = SCENE.case(case);
    case.send(&case.post(path, body).header(header, value))
}

#[test]
fn each_format_is_spoken_to_its_own_provider_whole_and_streamed() {
    let models = ["gpt-4o-mini", "claude-haiku-4-5", "gemini-2.5-flash", "llama3.2"];
    for stream in [false, true] {
        for ((provider, path, body, header), model) in chats(stream, "quick").iter().zip(models) {
            let answer = send("formats", ALL, (path, body, header));
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let own = |name: &str| answer.headers.text(name).unwrap_or_default().to_owned();
            assert_eq!((own("x-dragoman-provider"), own("x-dragoman-model")), ((*provider).into(), model.into()));
            assert_eq!(own("x-dragoman-attempts"), format!("{provider}/{model}=200"));
            let (text, member) = (answer.text(), ["choices", "content", "candidates", "message"]);
            let place = SECRETS.iter().position(|(name, _)| name == provider).unwrap();
            assert!(text.contains(&format!("\"{}\"", member[place])), "{path}: {text}");
            assert!(answer.complete, "{path}");
            let media = own("content-type");
            let expected = match (stream, *provider) {
                (true, "ollama") => "application/x-ndjson",
                (true, _) => "text/event-stream",
                (false, _) => "application/json",
            };
            assert!(media.starts_with(expected), "{path}: {media}");
        }
    }
    for request in SCENE.case("formats").requests() {
        let every = format!("{:?} {}", request.headers, request.path());
        assert!(!every.contains(ALL), "{every}");
        let held: Vec<_> = SECRETS.iter().filter(|(_, secret)| every.contains(secret)).collect();
        assert_eq!(held.len(), 1, "{every}");
    }
    SCENE.assert_sound();
}

#[test]
fn a_body_passes_byte_for_byte_both_ways() {
    let sent = r#"{ "max_tokens":1.0e2,"model":"claude-of-tomorrow","new":[1e400,"é"] ,"messages":[]}"#;
    let answered = r#"{ "type":"message","new":1e400,"usage":{"input_tokens":3,"output_tokens":5}}"#;
    let case = SCENE.case("bytes");
    for path in ["/anthropic/messages", "/anthropic/v1/messages?beta=true"] {
        case.answer(Script::whole(StatusCode::OK, "application/json", answered));
        let request = Request::new("POST", path).header("content-type", "application/json").header("x-case", "bytes");
        let answer = case.send(&request.key(ALL).body(sent));
        assert_eq!((answer.status, answer.text().as_str()), (200, answered), "{path}");
    }
    let requests = case.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert_eq!((request.method.as_str(), &request.body[..]), ("POST", sent.as_bytes()));
        assert_eq!(request.header("anthropic-version"), Some("2023-06-01"));
    }
    assert_eq!(
        requests.iter().map(dragoman::simulate::Request::path).collect::<Vec<_>>(),
        ["/v1/messages", "/v1/messages?beta=true"]
    );
    SCENE.assert_sound();
}

#[test]
fn a_stream_is_not_held() {
    let events = ["event: ping\ndata: {\"type\":\"ping\"}\n\n", "event: new\ndata: {\"type\":\"new\"}\n\n"];
    let (gate, case) = (Gate::closed(), SCENE.case("held"));
    let mut script = Script::events([events[0]]);
    script.body.push(Piece::new(events[1]).behind(&gate));
    case.answer(script);
    let mut connection = case.connect();
    let body = json!({"model": "claude-haiku-4-5", "stream": true});
    connection.send(&case.post("/anthropic/messages", &body).key(ALL).bytes());
    assert_eq!(connection.head().expect("a head").0, 200);
    let first = connection.chunk().expect("a chunk").expect("not the end");
    assert_eq!(first.bytes, events[0].as_bytes());
    gate.open();
    let second = connection.chunk().expect("a chunk").expect("not the end");
    assert_eq!(second.bytes, events[1].as_bytes());
    SCENE.assert_sound();
}

#[test]
fn a_providers_error_passes_as_it_is() {
    let case = SCENE.case("error");
    for (status, body) in
        [(400, r#"{ "type":"error","error":{"type":"invalid_request_error"}}"#), (529, "<busy>"), (429, "{}")]
    {
        let status = StatusCode::from_u16(status).unwrap();
        case.answer(Script::whole(status, "text/x", body));
        let answer = case.send(&case.post("/anthropic/messages", &json!({"model": "claude-haiku-4-5"})).key(ALL));
        assert_eq!((answer.status, answer.text().as_str()), (status.as_u16(), body));
        assert_eq!(answer.headers.text("content-type"), Some("text/x"));
    }
    assert_eq!(case.requests().len(), 3, "nothing is tried twice");
    case.answer(Script::whole(StatusCode::BAD_REQUEST, "application/json", r#"{"key":"sk-ant-0002"}"#));
    let answer = case.send(&case.post("/anthropic/messages", &json!({"model": "claude-haiku-4-5"})).key(ALL));
    assert_eq!((answer.status, &answer.json()["type"]), (400, &json!("error")), "{}", answer.text());
    assert!(!answer.text().contains("sk-ant"), "{}", answer.text());
    SCENE.assert_sound();
}

/// What is known of a model that one test alone has asked for.
fn metrics(model: &str) -> Value {
    let path = "/v1/router/live-metrics";
    // Workers tell each other of what they saw once in a while.
    let mut report = Value::Null;
    for _ in 0..100 {
        report = SCENE.gateway.send(&Request::get(path).key(ALL)).json();
        let found = report["data"].as_array().expect("a list").iter().find(|row| row["model"] == model).cloned();
        match found {
            Some(row) if row["failure_ratio"].is_number() => return row,
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    panic!("nobody has heard of {model}: {report}");
}

#[test]
fn the_tokens_of_every_stream_are_read_wherever_it_is_cut() {
    let typed = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\n\n\
        event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hé\"}\n\n\
        event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":5}}}\n\n";
    let list = "[{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"]},hé\"}]}, \"index\": 0}]}\n,\r\n\
        {\"candidates\": [{\"finishReason\": \"STOP\", \"index\": 0}], \"usageMetadata\": {\"promptTokenCount\": 3, \"candidatesTokenCount\": 5}}\n]\n";
    let lines = "{\"response\":\"hé\",\"done\":false}\n{\"response\":\"\",\"done\":true,\"prompt_eval_count\":3,\"eval_count\":5}\n";
    let older = "data: {\"choices\":[{\"index\":0,\"text\":\"hé\"}]}\n\ndata: {\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"stop\"}]}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\ndata: [DONE]\n\n";
    let case = SCENE.case("tokens");
    for (path, model, media, answer) in [
        ("/openai/responses", "typed", "text/event-stream", typed),
        ("/gemini/models/list:streamGenerateContent", "list", "application/json", list),
        ("/ollama/api/generate", "lines", "application/x-ndjson", lines),
        ("/openai/completions", "older", "text/event-stream", older),
    ] {
        let mut body = json!({"model": model, "stream": true, "stream_options": {"include_usage": true}});
        if path.starts_with("/gemini") {
            body = json!({"contents": []});
        }
        for seed in [1, 2] {
            case.answer(Script::stream(media, [answer]).cut_at_random(seed).paced(Duration::from_millis(2)));
            let got = case.send(&case.post(path, &body).key(ALL));
            assert_eq!((got.status, got.text().as_str(), got.complete), (200, answer, true), "{path}");
        }
        let known = metrics(model);
        assert!(known["tokens_per_second"].is_number() && known["failure_ratio"] == 0.0, "{path}: {known}");
    }
    SCENE.assert_sound();
}

#[test]
fn an_error_within_a_success_passes_and_counts_as_a_failure() {
    let claude = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"hi\"}}\n\n\
        event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n";
    let openai = "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\"}}}\n\n";
    let gemini = "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]}}]},\n{\"error\":{\"code\":503}}]";
    let case = SCENE.case("faults");
    for (path, model, media, answer) in [
        ("/anthropic/messages", "failing-claude", "text/event-stream", claude),
        ("/openai/responses", "failing-openai", "text/event-stream", openai),
        ("/gemini/models/failing-gemini:streamGenerateContent", "failing-gemini", "application/json", gemini),
        ("/ollama/api/chat", "failing-ollama", "application/x-ndjson", "{\"error\":\"busy\"}\n"),
    ] {
        case.answer(Script::stream(media, [answer]).cut_at_random(3).paced(Duration::from_millis(2)));
        let body = if path.starts_with("/gemini") { json!({}) } else { json!({"model": model, "stream": true}) };
        let got = case.send(&case.post(path, &body).key(ALL));
        assert_eq!((got.status, got.text().as_str(), got.complete), (200, answer, true), "{path}");
        let known = metrics(model);
        assert_eq!(
            (&known["failure_ratio"], &known["last_failure"]),
            (&json!(1.0), &json!("server_error")),
            "{path}: {known}"
        );
    }
    SCENE.assert_sound();
}

#[test]
fn a_key_that_the_provider_refuses_is_not_the_clients() {
    let google = r#"{"error":{"code":400,"message":"API key not valid.","details":[{"reason":"API_KEY_INVALID"}]}}"#;
    let case = SCENE.case("refused");
    for (path, status, body) in [
        ("/anthropic/messages", 401, r#"{"error":{"message":"invalid x-api-key"}}"#),
        ("/openai/responses", 403, "{}"),
        ("/gemini/models/refused:generateContent", 400, google),
    ] {
        let status = StatusCode::from_u16(status).expect("a status");
        case.answer(Script::whole(status, "application/json", body));
        let body = if path.starts_with("/gemini") { json!({}) } else { json!({"model": "refused"}) };
        let got = case.send(&case.post(path, &body).key(ALL));
        assert_eq!(got.status, 502, "{path}: {}", got.text());
        assert!(got.text().contains("refused the gateway's credential"), "{path}: {}", got.text());
    }
    SCENE.assert_sound();
}

#[test]
fn a_deployment_of_azures_is_a_model() {
    let path = "/azure/openai/deployments/gpt-4o-mini/chat/completions?api-version=2025-01-01";
    let case = SCENE.case("azure");
    for _ in 0..2 {
        case.answer(Script::whole(StatusCode::OK, "application/json", r#"{"choices":[]}"#));
    }
    for (key, path, status) in [(FEW, path, 200), (ALL, path, 200), (FEW, &path.replace("-mini", ""), 403)] {
        let got = case.send(&case.post(path, &json!({"messages": [], "model": "another"})).key(key));
        assert_eq!(got.status, status, "{path}: {}", got.text());
    }
    let requests = case.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert_eq!(request.path(), "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2025-01-01");
        assert_eq!(request.header("api-key"), Some(AZURE_SECRET));
        assert!(request.body.ends_with(br#""model":"gpt-4o-mini"}"#), "{:?}", request.body);
    }
    SCENE.assert_sound();
}

#[test]
fn no_path_widens_a_key() {
    for (key, status) in [(FEW, 403), (CLAUDE, 403), ("sk-unknown", 401)] {
        for (provider, path, body, header) in chats(false, "gemini-2.5-pro") {
            if key == CLAUDE && provider == "anthropic" {
                continue;
            }
            let answer = send("scope", key, (&path, &body, header));
            assert_eq!(answer.status, status, "{key} {path}: {}", answer.text());
            let error = answer.json();
            let is_own = match provider {
                "anthropic" => error["type"] == "error",
                "gemini" => error["error"]["code"] == json!(status),
                "ollama" => error["error"].is_string(),
                _ => error["error"]["type"].is_string(),
            };
            assert!(is_own, "{path}: {error}");
        }
    }
    let case = SCENE.case("scope");
    for (method, path) in [("GET", "/openai/files"), ("DELETE", "/openai/files/a"), ("GET", "/ollama/api/tags")] {
        let answer = case.send(&Request::new(method, path).header("x-case", "scope").key(FEW));
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
    }
    for (path, body) in [
        ("/openai/chat/completions", json!({"model": "gpt-4o-mini", "models": ["gpt-4o"]})),
        ("/openai/responses", json!({"model": "gpt-4o-mini", "tools": [{"type": "image_generation", "model": "x"}]})),
        ("/gemini/models/gemini-2.5-flash:batchGenerateContent", json!({})),
        ("/v1/chat/completions", json!({"model": "openai/gpt-4o-mini", "fallbacks": ["gpt-4o"]})),
    ] {
        let answer = case.send(&case.post(path, &body).key(FEW));
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
    }
    assert!(case.requests().is_empty());
    for (_, path, body, header) in chats(false, "quick") {
        let answer = send("in-scope", FEW, (&path, &body, header));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    SCENE.assert_sound();
}

#[test]
fn what_has_no_body_and_what_is_no_json_pass() {
    let case = SCENE.case("plain");
    case.answer(Script::whole(StatusCode::OK, "application/octet-stream", vec![0_u8; 300_000]));
    let get = Request::get("/openai/v1/files/f/content?a=b").header("x-case", "plain").key(ALL);
    let answer = case.send(&get);
    assert_eq!((answer.status, answer.body().len()), (200, 300_000));
    assert_eq!(answer.headers.text("x-dragoman-attempts"), Some("openai=200"));
    case.answer(Script::new(StatusCode::NO_CONTENT));
    let delete = Request::new("DELETE", "/openai/files/f").header("x-case", "plain").key(ALL);
    assert_eq!(case.send(&delete).status, 204);
    case.answer(Script::whole(StatusCode::OK, "application/json", "{}"));
    let form = "--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--x--\r\n".repeat(9000);
    let upload = Request::new("POST", "/openai/audio/transcriptions").header("x-case", "plain").key(ALL);
    let upload = upload.header("content-type", "multipart/form-data; boundary=x").body(form.clone());
    assert_eq!(case.send(&upload).status, 200);
    let requests = case.requests();
    let paths: Vec<_> = requests.iter().map(|request| format!("{} {}", request.method, request.path())).collect();
    assert_eq!(paths, ["GET /v1/files/f/content?a=b", "DELETE /v1/files/f", "POST /v1/audio/transcriptions"]);
    assert_eq!(requests[2].body_bytes, form.len());
    SCENE.assert_sound();
}

#[test]
fn a_prefix_lists_the_models_of_its_own() {
    let list = |path: &str| {
        let answer = SCENE.gateway.send(&Request::get(path).key(ALL));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let models = answer.json()["data"].as_array().expect("a list").clone();
        models.iter().map(|model| model["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    for (path, provider) in
        [("/openai/models", "openai"), ("/openai/v1/models", "openai"), ("/router/claude/models", "anthropic")]
    {
        let models = list(path);
        assert!(models.len() > 3 && models.contains(&"quick".to_owned()), "{path}: {models:?}");
        assert!(models.iter().all(|id| id == "quick" || id.starts_with(provider)), "{path}: {models:?}");
    }
    assert_eq!(list("/ai/models"), list("/v1/models"));
    let own = SCENE.gateway.send(&Request::get("/gemini/v1beta/models").header("x-goog-api-key", ALL));
    assert!(own.json()["models"].is_array(), "{}", own.text());
    SCENE.assert_sound();
}
