//! Clients of OpenAI's Responses through a real Envoy: what passes as it came, what is translated, who is asked where not all can, and
//! a conversation with tools and thoughts that goes on.
#![cfg(test)]

use std::sync::LazyLock;

use dragoman::simulate::{Gate, Options, Piece, Script};
use dragoman_tests::{
    http::Request,
    scene::{Case, Scene},
};
use http::StatusCode;
use serde_json::{Value, json};

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    Scene::start(Options::default(), |config, base_url| {
        // The scene's address ends in OpenAI's version segment.
        let root = base_url.trim_end_matches("/v1");
        for kind in ["anthropic", "gemini", "ollama"] {
            config["providers"][kind] = json!({"kind": kind, "base_url": root, "credential": {"value": "k"}});
        }
        config["providers"]["openai"]["responses"] = json!("stateful");
        config["providers"]["other"] = json!({"kind": "openai", "base_url": base_url, "credential": {"value": "sk-other"},
            "responses": "stateful"});
        config["auth"] = json!({"required": false});
        config["keys"] = json!(["sk-a", "sk-b"].map(|key| json!({"id": key, "sha256": dragoman::key::hash(key)})));
        config["providers"]["chats"] =
            json!({"kind": "openai", "base_url": base_url, "credential": {"value": "k"}, "responses": false});
        config["routers"] = json!({"both": {"load_balance": {"chat": {"strategy": "fallback",
            "targets": ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"]}}}});
        config["retry"] = json!({"attempts": 0, "cooldown": {"default": "0s"}});
    })
});

const PATH: &str = "/v1/responses";

fn ask(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "input": "Hello"})
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn events(text: &str) -> Vec<Value> {
    let data = text.split("\n\n").filter_map(|event| event.split_once("data: "));
    data.filter_map(|(_, data)| serde_json::from_str(data).ok()).collect()
}

/// The text in some events.
fn said(bytes: &[u8]) -> String {
    let events = events(&String::from_utf8_lossy(bytes));
    let deltas = events.iter().filter(|event| event["type"] == "response.output_text.delta");
    deltas.filter_map(|event| event["delta"].as_str().map(str::to_owned)).collect()
}

/// The text of an answer.
fn text_of(answer: &Value) -> String {
    let items = answer["output"].as_array().unwrap().iter().filter(|item| item["type"] == "message");
    items.filter_map(|item| item["content"][0]["text"].as_str().map(str::to_owned)).collect()
}

#[test]
fn every_provider_answers_whole_and_streamed() {
    for model in
        ["openai/gpt-4o", "chats/gpt-4o", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash", "ollama/llama3.2"]
    {
        let case = SCENE.case("responses");
        let whole = case.send(&case.post(PATH, &ask(model, false)));
        assert_eq!(whole.status, 200, "{model}: {}", whole.text());
        let answer = json_of(&whole.text());
        assert_eq!((&answer["object"], &answer["status"]), (&json!("response"), &json!("completed")), "{model}");
        assert!(text_of(&answer).contains("Hello"), "{model}: {answer}");
        assert!(answer["usage"]["input_tokens"].as_u64() > Some(0), "{model}: {answer}");

        let streamed = case.send(&case.post(PATH, &ask(model, true)));
        assert_eq!(streamed.status, 200, "{model}: {}", streamed.text());
        let told = said(streamed.text().as_bytes());
        assert!(told.contains("Hello"), "{model}");
        let events = events(&streamed.text());
        assert_eq!(events[0]["type"], "response.created", "{model}");
        let last = events.last().unwrap();
        assert_eq!(last["type"], "response.completed", "{model}");
        assert_eq!(text_of(&last["response"]), told, "{model}");
    }
    SCENE.assert_sound();
}

#[test]
fn a_provider_that_speaks_responses_gets_every_byte() {
    let case = SCENE.case("responses as they are");
    let body =
        r#"{ "model":"openai/gpt-4o", "store":true,"temperature":0.50, "input":[{"role":"user","content":"Hi"}]}"#;
    let answer = case.send(&case.bytes(PATH, body));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sent = case.requests().pop().unwrap();
    assert_eq!(String::from_utf8_lossy(&sent.body), body.replace("openai/", ""));
    assert_eq!(sent.uri.to_string(), "/v1/responses");
}

#[test]
fn a_fallback_answers_in_the_client_s_format_and_not_what_needs_what_the_first_one_keeps() {
    let case = SCENE.case("responses fallback");
    for stream in [false, true] {
        case.answer(Script::whole(
            StatusCode::SERVICE_UNAVAILABLE,
            "application/json",
            r#"{"error":{"message":"overloaded","type":"server_error"}}"#,
        ));
        let answer = case.send(&case.post("/router/both/responses", &ask("any", stream)));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            answer.headers.text("x-dragoman-attempts"),
            Some("openai/gpt-4o=503,anthropic/claude-sonnet-4-5=200")
        );
        assert!(answer.text().contains("Hello"), "{}", answer.text());
    }
    let mut request = ask("any", false);
    let first = json_of(&case.send(&case.post(PATH, &ask("openai/gpt-4o", false))).text());
    request["previous_response_id"] = first["id"].clone();
    case.answer(Script::whole(
        StatusCode::SERVICE_UNAVAILABLE,
        "application/json",
        r#"{"error":{"message":"overloaded","type":"server_error"}}"#,
    ));
    let answer = case.send(&case.post("/router/both/responses", &request));
    assert_eq!((answer.status, answer.headers.text("x-dragoman-attempts")), (503, Some("openai/gpt-4o=503")));
    request["model"] = json!("anthropic/claude-sonnet-4-5");
    let answer = case.send(&case.post(PATH, &request));
    let error = json_of(&answer.text())["error"].clone();
    assert_eq!((answer.status, &error["param"]), (400, &json!("previous_response_id")), "{error}");
}

/// The credential with which the last request has come.
fn credential(case: &Case<'_>) -> String {
    let sent = case.requests().pop().unwrap();
    sent.header("authorization").unwrap_or_default().to_owned()
}

#[test]
fn an_answer_that_is_kept_is_its_key_s_and_the_provider_s_that_has_given_it() {
    let case = SCENE.case("responses kept");
    let by = |key: &str, method: &str, path: &str| {
        case.send(&Request::new(method, path).header("x-case", "responses kept").key(key))
    };
    for (model, own) in [("openai/gpt-4o", "Bearer sk-upstream"), ("other/gpt-4o", "Bearer sk-other")] {
        for stream in [false, true] {
            let said = case.send(&case.post(PATH, &ask(model, stream)).key("sk-a"));
            assert_eq!(said.status, 200, "{}", said.text());
            let ids: Vec<String> = if stream {
                let told = events(&said.text());
                told.iter().filter_map(|event| event["response"]["id"].as_str().map(str::to_owned)).collect()
            } else {
                vec![json_of(&said.text())["id"].as_str().unwrap().to_owned()]
            };
            let id = &ids[0];
            assert!(ids.iter().all(|other| other == id), "{ids:?}");
            let path = format!("{PATH}/{id}");

            let kept = by("sk-a", "GET", &path);
            assert_eq!((kept.status, &json_of(&kept.text())["id"]), (200, &json!(id)), "{}", kept.text());
            assert!(credential(&case).starts_with(own), "{}", credential(&case));
            let mut next = ask(model, stream);
            next["previous_response_id"] = json!(id);
            let answer = case.send(&case.post(PATH, &next).key("sk-a"));
            assert!(answer.status == 200 && answer.text().contains(id), "{}", answer.text());

            let before = case.requests().len();
            for (key, path) in [
                ("sk-b", path.clone()),
                ("sk-a", format!("{path}0")),
                ("sk-a", path.rsplit_once('_').unwrap().0.to_owned()),
            ] {
                for method in ["GET", "DELETE"] {
                    let refused = by(key, method, &path);
                    let error = json_of(&refused.text())["error"].clone();
                    assert_eq!(
                        (refused.status, &error["type"]),
                        (404, &json!("invalid_request_error")),
                        "{key} {path}"
                    );
                }
            }
            let foreign = case.send(&case.post(PATH, &next).key("sk-b"));
            assert_eq!(
                (foreign.status, &json_of(&foreign.text())["error"]["code"]),
                (400, &json!("previous_response_not_found"))
            );
            assert_eq!(case.requests().len(), before, "nobody was asked");

            assert_eq!(by("sk-a", "DELETE", &path).status, 200);
            assert_eq!(by("sk-a", "GET", &path).status, 404);
        }
    }
    SCENE.assert_sound();
}

#[test]
fn thoughts_and_calls_come_back_to_who_made_them_and_to_others_without_their_signatures() {
    let thinking = r#"{"type":"message","id":"msg_1","role":"assistant","model":"claude-sonnet-4-5","content":[
        {"type":"thinking","thinking":"Look it up.","signature":"c2lnbmVk"},
        {"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Bern"}}],
        "stop_reason":"tool_use","usage":{"input_tokens":9,"output_tokens":9}}"#;
    let case = SCENE.case("responses loop");
    let tools = json!([{"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]);
    let mut request = ask("anthropic/claude-sonnet-4-5", false);
    request["tools"] = tools;
    request["reasoning"] = json!({"effort": "low", "summary": "auto"});
    case.answer(Script::whole(StatusCode::OK, "application/json", thinking));
    let answer = json_of(&case.send(&case.post(PATH, &request)).text());
    let output = answer["output"].as_array().unwrap();
    let kinds: Vec<_> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "function_call"], "{answer}");
    assert_eq!(output[0]["summary"][0]["text"], "Look it up.");

    let mut input = vec![json!({"role": "user", "content": "Hello"})];
    input.extend(output.iter().cloned());
    input.push(json!({"type": "function_call_output", "call_id": output[1]["call_id"], "output": "18 degrees"}));
    request["input"] = json!(input);
    let again = |model: &str| {
        let mut request = request.clone();
        request["model"] = json!(model);
        let answer = case.send(&case.post(PATH, &request));
        assert_eq!(answer.status, 200, "{model}: {}", answer.text());
        String::from_utf8(case.requests().pop().unwrap().body.to_vec()).unwrap()
    };
    // The simulated one knows its own signatures only.
    case.answer(Script::whole(StatusCode::OK, "application/json", thinking));
    let kept = json_of(&again("anthropic/claude-sonnet-4-5"));
    let thought = &kept["messages"][1]["content"][0];
    assert_eq!((&thought["thinking"], &thought["signature"]), (&json!("Look it up."), &json!("c2lnbmVk")));
    for model in ["openai/gpt-5", "chats/gpt-5", "gemini/gemini-2.5-flash", "ollama/llama3.2"] {
        let sent = again(model);
        assert!(!sent.contains("c2lnbmVk") && sent.contains("18 degrees"), "{model}: {sent}");
    }
    SCENE.assert_sound();
}

#[test]
fn each_word_reaches_the_client_while_the_provider_holds_the_next_one() {
    let chunk = |delta: Value, finish: Option<&str>| {
        format!("data: {}\n\n", json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
    };
    let own = |data: Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap());
    let word =
        own(json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "wörd "}));
    let created = own(json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}));
    let completed = own(json!({"type": "response.completed", "response": {"id": "resp_1", "status": "completed"}}));
    let of_chat = chunk(json!({"content": "wörd "}), None);
    let wires = [
        ("openai/gpt-4o", created, word, completed),
        ("chats/gpt-4o", String::new(), of_chat, chunk(json!({}), Some("stop")) + "data: [DONE]\n\n"),
    ];
    for (model, first, word, last) in wires {
        let case = SCENE.case("responses gate");
        let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
        let mut pieces = vec![Piece::new([first, word.clone()].concat())];
        pieces.extend(gates[..2].iter().map(|gate| Piece::new(word.clone()).behind(gate)));
        pieces.push(Piece::new(last).behind(&gates[2]));
        let mut script = Script::stream("text/event-stream", Vec::<String>::new());
        script.body = pieces;
        case.answer(script);

        let mut connection = case.connect();
        connection.send(&case.post(PATH, &ask(model, true)).bytes());
        assert_eq!(connection.head().unwrap().0, 200, "{model}");
        for gate in &gates {
            let mut text = Vec::new();
            // Had the gateway waited for more, this would hang.
            while said(&text) != "wörd " {
                text.extend(connection.chunk().unwrap().expect("the stream goes on").bytes);
            }
            gate.open();
        }
        let mut rest = Vec::new();
        while let Some(chunk) = connection.chunk().unwrap() {
            rest.extend(chunk.bytes);
        }
        let rest = String::from_utf8(rest).unwrap();
        assert_eq!(events(&rest).last().unwrap()["type"], "response.completed", "{rest}");
    }
    SCENE.assert_sound();
}
