//! What a client gets for what a provider answers: whole, streamed, as an error, and when the answer comes back as history.

use std::{fs, path::Path};

use crate::{
    CLIENTS, PROVIDERS, Provider,
    book::{Book, names, root},
    collect::{collect, deltas_of},
    completions, gateway, messages, path_of,
    requests::{pretty, sent},
    responses,
    stage::{Answer, Sent, ask, pieces, post},
};
use serde_json::{Map, Value, json};

const CUTS: [u64; 6] = [1, 2, 3, 7, 99, 4242];

/// What the client asks, which matters little: the answers are the provider's.
fn asked(client: &str, provider: &Provider, stream: bool) -> Sent {
    let mut request = json!({
        "model": provider.target(""), "max_tokens": 64, "messages": [{"role": "user", "content": "Say it."}],
    });
    if client == "responses" {
        request = json!({"model": provider.target(""), "max_output_tokens": 64, "input": "Say it."});
    }
    if client == "completions" {
        request = json!({"model": provider.target(""), "max_tokens": 64, "prompt": "Say it."});
    }
    if stream {
        request["stream"] = json!(true);
        if client != "messages" {
            request["stream_options"] = json!({"include_usage": true});
        }
    }
    let head = post(path_of(client), &[("x-request-id", b"golden")]);
    ask(&gateway(), head, &[request.to_string().as_bytes()]).sent()
}

fn answered_whole(client: &str, provider: &Provider, body: &[u8], seed: u64) -> Answer {
    asked(client, provider, false).answered(200, &[("content-type", "application/json")], &pieces(body, seed))
}

fn answered_streamed(client: &str, provider: &Provider, cut: &[&[u8]]) -> Answer {
    asked(client, provider, true).answered(200, &[("content-type", provider.framing)], cut)
}

fn read(path: &Path) -> Option<Vec<u8>> {
    fs::read(path).ok()
}

/// Headers that say more than the body.
fn told_headers(answer: &Answer) -> Map<String, Value> {
    let said = answer.headers.iter().filter(|(name, _)| {
        name.starts_with("x-ratelimit-") || name.starts_with("retry-after") || name == "x-dragoman-attempts"
    });
    said.map(|(name, value)| (name.clone(), json!(String::from_utf8(value.clone()).unwrap()))).collect()
}

#[test]
fn each_answer_is_told_in_the_clients_words_however_it_is_cut() {
    let mut book = Book::default();
    let folder = root().join("answers");
    for case in names(&folder) {
        let case_folder = folder.join(&case);
        let mut is_empty = true;
        for client in CLIENTS {
            let told_folder = case_folder.join(client);
            for provider in PROVIDERS {
                let at = format!("{case}, {}", provider.name);
                let whole = read(&case_folder.join(format!("{}.whole.json", provider.name))).map(|body| {
                    let answer = answered_whole(client, provider, &body, 0);
                    for seed in CUTS {
                        assert_eq!(answered_whole(client, provider, &body, seed), answer, "{at}, cut {seed}");
                    }
                    assert_eq!(answer.status, 200, "{at}: {}", answer.text());
                    serde_json::from_slice::<Value>(&answer.body).unwrap()
                });
                let stream = read(&case_folder.join(format!("{}.stream.txt", provider.name))).map(|body| {
                    let answer = answered_streamed(client, provider, &[&body]);
                    let bytes: Vec<&[u8]> = body.chunks(1).chain([&b""[..]]).collect();
                    let cuts = CUTS.map(|seed| pieces(&body, seed));
                    // The line feed behind `[DONE]\r\n\r` says nothing: the blank line is complete without it.
                    let said = |answer: &Answer| (answer.status, answer.text().trim_end().to_owned());
                    for cut in [bytes].iter().chain(&cuts) {
                        let other = answered_streamed(client, provider, cut);
                        assert_eq!(said(&other), said(&answer), "{at}, {} pieces", cut.len());
                    }
                    answer
                });
                is_empty &= whole.is_none() && stream.is_none();
                if let Some(whole) = &whole {
                    book.expect(told_folder.join(format!("{}.whole.json", provider.name)), &pretty(whole));
                    match *client {
                        "messages" => messages::come_back(&mut book, provider, whole, &told_folder),
                        "responses" => responses::come_back(&mut book, provider, whole, &told_folder),
                        "completions" => {}
                        _ => come_back(&mut book, client, provider, whole, &told_folder),
                    }
                }
                if let Some(stream) = &stream {
                    let told = format!("{}.stream.txt", provider.name);
                    let status =
                        if stream.status == 200 { String::new() } else { format!("status {}\n", stream.status) };
                    book.expect(told_folder.join(told), &(status + stream.text()));
                }
                if let (Some(whole), Some(stream)) = (whole, stream) {
                    let (collected, whole) = match *client {
                        "messages" | "responses" if stream.status != 200 => continue,
                        "messages" => {
                            let collected = messages::collect(stream.text());
                            // What passes as it came was written by two hands.
                            if provider.name == "anthropic" {
                                continue;
                            }
                            (collected, messages::essence(&whole))
                        }
                        "responses" => (responses::collect(stream.text()), whole),
                        "completions" => (completions::collect(stream.text()), completions::essence(&whole)),
                        _ => (collect(stream.text()), deltas_of(&whole)),
                    };
                    if collected != whole {
                        let (collected, whole) = (pretty(&collected), pretty(&whole));
                        book.complain(format!("{at}: the stream says\n{collected}and the whole answer\n{whole}"));
                    }
                }
            }
            book.check_stale(&told_folder, |_| true);
        }
        assert!(!is_empty, "{case} has no answers");
    }
    book.close();
}

/// An answer with calls or thoughts is sent back as history, twice: as it was told, and without what OpenAI's API does not have.
fn come_back(book: &mut Book, client: &str, provider: &Provider, told: &Value, folder: &Path) {
    let message = &told["choices"][0]["message"];
    if message["tool_calls"].is_null() && message["thinking_blocks"].is_null() {
        return;
    }
    let stripped = json!({
        "role": "assistant", "content": message["content"],
        "tool_calls": message["tool_calls"].as_array().map(|calls| {
            let plain = |call: &Value| json!({"id": call["id"], "type": "function", "function": call["function"]});
            calls.iter().map(plain).collect::<Vec<_>>()
        }),
    });
    let [kept, stripped] = [message, &stripped].map(|message| {
        let mut message = message.clone();
        message.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
        let results = calls.iter().map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": "18"}));
        let mut messages = vec![json!({"role": "user", "content": "Say it."}), message];
        messages.extend(results);
        if calls.is_empty() {
            messages.push(json!({"role": "user", "content": "And then?"}));
        }
        sent(client, provider, &provider.target(""), &json!({"messages": messages}))
    });
    let again = json!({"kept": kept, "stripped": stripped});
    book.expect(folder.join(format!("{}.again.json", provider.name)), &pretty(&again));
}

#[test]
fn each_error_is_told_with_its_status_type_and_code() {
    let mut book = Book::default();
    for client in CLIENTS {
        for provider in PROVIDERS {
            let folder = root().join("errors");
            let errors = read(&folder.join(format!("{}.json", provider.name))).expect("each provider has errors");
            let errors: Vec<Value> = serde_json::from_slice(&errors).unwrap();
            let told = errors.iter().map(|error| {
                let headers = error["headers"].as_object().into_iter().flatten();
                let mut headers: Vec<(&str, &str)> =
                    headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
                headers.push(("content-type", "application/json"));
                let body = error["body"].to_string();
                let body = error["text"].as_str().unwrap_or(&body).as_bytes();
                let status = u16::try_from(error["status"].as_u64().unwrap()).unwrap();
                let [whole, streamed] = [false, true]
                    .map(|stream| asked(client, provider, stream).answered(status, &headers, &pieces(body, 5)));
                assert_eq!((whole.status, &whole.body), (streamed.status, &streamed.body));
                let body: Value = serde_json::from_slice(&whole.body).unwrap();
                json!({"from": status, "status": whole.status, "headers": told_headers(&whole), "body": body})
            });
            let told = Value::Array(told.collect());
            book.expect(folder.join(client).join(format!("{}.json", provider.name)), &pretty(&told));
        }
    }
    book.close();
}
