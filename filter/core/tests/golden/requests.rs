//! What each provider gets for what a client sends.

use std::{fs, path::PathBuf};

use crate::{
    CLIENTS, PROVIDERS, Provider,
    book::{Book, names, root},
    gateway, path_of,
    stage::{Asked, ask, post},
};
use serde_json::{Map, Value, json};

/// Headers that every request has, or that hold a secret.
const UNSAID: &[&str] = &[
    ":authority",
    ":method",
    ":path",
    "authorization",
    "content-length",
    "content-type",
    "x-api-key",
    "x-envoy-max-retries",
    "x-goog-api-key",
    "x-request-id",
];

/// The folder of a client's cases.
pub(crate) fn folder(client: &str) -> PathBuf {
    root().join("requests").join(client)
}

/// What a provider gets for a request; or the refusal.
pub(crate) fn sent(client: &str, provider: &Provider, target: &str, request: &Value) -> Value {
    let mut request = request.clone();
    request["model"] = json!(target);
    let body = request.to_string();
    match ask(&gateway(), post(path_of(client), &[("x-request-id", b"golden")]), &[body.as_bytes()]) {
        Asked::Refused(reply) => {
            json!({"refused": reply.status, "body": serde_json::from_slice::<Value>(&reply.body).unwrap()})
        }
        Asked::Sent(sent) => {
            let text = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
            let path = sent.headers.iter().find(|(name, _)| name == ":path").map(|(_, value)| text(value));
            let said = sent.headers.iter().filter(|(name, _)| !UNSAID.contains(&name.as_str()));
            let headers: Map<_, _> = said.map(|(name, value)| (name.clone(), json!(text(value)))).collect();
            let body: Value = serde_json::from_slice(&sent.body).unwrap();
            // What was left out is told with the answer, whatever that is.
            let answer = sent.answered(500, &[("content-type", "application/json")], &[b"{}"]);
            assert_eq!(answer.header("x-dragoman-provider"), Some(provider.name));
            let dropped: Vec<_> = answer
                .header("x-dragoman-dropped")
                .unwrap_or_default()
                .split(", ")
                .filter(|name| !name.is_empty())
                .collect();
            json!({"path": path, "headers": headers, "dropped": dropped, "body": body})
        }
    }
}

/// A document as it is kept.
pub(crate) fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap() + "\n"
}

#[test]
fn each_provider_gets_each_request_in_its_own_words_or_it_is_refused() {
    let mut book = Book::default();
    for client in CLIENTS {
        for case in names(&folder(client)) {
            let case_folder = folder(client).join(&case);
            let request = fs::read(case_folder.join("request.json")).unwrap();
            let request: Value = serde_json::from_slice(&request).unwrap_or_else(|error| panic!("{case}: {error}"));
            for provider in PROVIDERS {
                let got = sent(client, provider, &provider.target(&case), &request);
                book.expect(case_folder.join(format!("{}.json", provider.name)), &pretty(&got));
            }
            book.check_stale(&case_folder, |name| name != "request.json");
        }
    }
    book.close();
}

#[test]
fn a_provider_of_the_clients_own_dialect_gets_what_the_client_sent() {
    for case in names(&folder("openai_chat")) {
        let request = fs::read(folder("openai_chat").join(&case).join("request.json")).unwrap();
        let mut request: Value = serde_json::from_slice(&request).unwrap();
        let got = sent("openai_chat", &PROVIDERS[0], &PROVIDERS[0].target(&case), &request);
        if got["refused"].is_null() {
            prune(&mut request);
            request["model"] = json!(PROVIDERS[0].model);
            if request["stream"] == true {
                request["stream_options"] = json!({"include_usage": true});
            }
            assert_eq!(got["body"], request, "{case}");
        }
    }
}

/// Takes out what only others understand: OpenAI refuses it.
fn prune(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for foreign in ["cache_control", "thinking_blocks", "reasoning_content", "extra_content"] {
                members.remove(foreign);
            }
            for name in ["id", "tool_call_id"] {
                if let Some(Value::String(id)) = members.get_mut(name) {
                    id.truncate(id.find("__thought__").unwrap_or(id.len()));
                }
            }
            members.values_mut().for_each(prune);
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
