//! The client that speaks OpenAI's Responses: what it has when a stream is over, and what it sends back.

use std::path::Path;

use crate::{
    PROVIDERS, Provider,
    book::Book,
    requests::{pretty, sent},
};
use serde_json::{Value, json};

/// What the events of a stream say together, which must come in the order that the API documents, each item growing into what its
/// last event and the answer's repeat.
pub(crate) fn collect(stream: &str) -> Value {
    let (mut items, mut is_over): (Vec<Value>, bool) = (Vec::new(), false);
    let mut answer = Value::Null;
    for (number, event) in stream.split_terminator("\n\n").enumerate() {
        let (name, data) = event.split_once('\n').expect("an event has a name and data");
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect("data")).unwrap();
        let kind = data["type"].as_str().unwrap();
        assert_eq!(name.strip_prefix("event: "), Some(kind), "an event is named after its type");
        assert_eq!(data["sequence_number"], number, "events are numbered");
        assert!(!is_over && (number == 0) == (kind == "response.created"), "{kind} out of order");
        let index = data["output_index"].as_u64().map(|index| usize::try_from(index).unwrap());
        match kind {
            "response.created" | "response.in_progress" => assert_eq!(data["response"]["status"], "in_progress"),
            "response.completed" | "response.incomplete" => {
                is_over = true;
                answer = data["response"].clone();
            }
            "error" => return json!({"error": data["error"]}),
            "response.output_item.added" => {
                assert_eq!(index, Some(items.len()), "items begin in order");
                items.push(data["item"].clone());
            }
            "response.output_item.done" => {
                let grown = &mut items[index.unwrap()];
                for name in ["status", "encrypted_content", "result"] {
                    if !data["item"][name].is_null() {
                        grown[name] = data["item"][name].clone();
                    }
                }
                assert_eq!(*grown, data["item"], "an item is what it has grown into");
            }
            kind => {
                let item = &mut items[index.unwrap()];
                assert_eq!(item["id"], data["item_id"], "{kind}");
                grow(item, kind, &data);
            }
        }
    }
    assert!(is_over, "the stream has its last event");
    assert_eq!(json!(items), answer["output"], "the answer is what its items have grown into");
    answer
}

fn grow(item: &mut Value, kind: &str, data: &Value) {
    let append = |member: &mut Value, more: &Value| {
        *member = json!(format!("{}{}", member.as_str().unwrap_or_default(), more.as_str().unwrap()));
    };
    let place = |name: &str| usize::try_from(data[name].as_u64().expect(kind)).unwrap();
    match kind {
        "response.content_part.added" | "response.reasoning_summary_part.added" => {
            let (list, index) = match item["type"].as_str() {
                Some("reasoning") => ("summary", place("summary_index")),
                _ => ("content", place("content_index")),
            };
            let list = item[list].as_array_mut().unwrap();
            assert_eq!(list.len(), index, "parts begin in order");
            list.push(data["part"].clone());
        }
        "response.content_part.done" => assert_eq!(item["content"][place("content_index")], data["part"]),
        "response.reasoning_summary_part.done" => assert_eq!(item["summary"][place("summary_index")], data["part"]),
        "response.output_text.delta" => {
            let part = &mut item["content"][place("content_index")];
            append(&mut part["text"], &data["delta"]);
            part["logprobs"].as_array_mut().unwrap().extend(data["logprobs"].as_array().unwrap().iter().cloned());
        }
        "response.output_text.annotation.added" => {
            let list = item["content"][place("content_index")]["annotations"].as_array_mut().unwrap();
            assert_eq!(list.len(), place("annotation_index"));
            list.push(data["annotation"].clone());
        }
        "response.output_text.done" => assert_eq!(item["content"][place("content_index")]["text"], data["text"]),
        "response.refusal.delta" => append(&mut item["content"][place("content_index")]["refusal"], &data["delta"]),
        "response.refusal.done" => assert_eq!(item["content"][place("content_index")]["refusal"], data["refusal"]),
        "response.reasoning_summary_text.delta" => {
            append(&mut item["summary"][place("summary_index")]["text"], &data["delta"]);
        }
        "response.reasoning_summary_text.done" => {
            assert_eq!(item["summary"][place("summary_index")]["text"], data["text"]);
        }
        "response.function_call_arguments.delta" => append(&mut item["arguments"], &data["delta"]),
        "response.function_call_arguments.done" => item["arguments"] = data["arguments"].clone(),
        "response.image_generation_call.completed" => {}
        other => panic!("{other} is not expected"),
    }
}

/// An answer with calls or thoughts is sent back as history: to who gave it, to Anthropic and to OpenAI.
pub(crate) fn come_back(book: &mut Book, provider: &Provider, told: &Value, folder: &Path) {
    let items = told["output"].as_array().unwrap();
    let of = |kind: &str| items.iter().filter(|item| item["type"] == kind).collect::<Vec<_>>();
    if of("function_call").is_empty() && of("reasoning").is_empty() {
        return;
    }
    let result = |call: &&Value| json!({"type": "function_call_output", "call_id": call["call_id"], "output": "18"});
    let mut results: Vec<Value> = of("function_call").iter().map(result).collect();
    if results.is_empty() {
        results.push(json!({"role": "user", "content": "And then?"}));
    }
    let mut input = vec![json!({"role": "user", "content": "Say it."})];
    input.extend(items.iter().cloned());
    input.extend(results);
    let request = json!({"max_output_tokens": 64, "input": input});
    let anthropic = PROVIDERS.iter().find(|provider| provider.name == "anthropic").unwrap();
    let [kept, moved] =
        [provider, anthropic].map(|provider| sent("responses", provider, &provider.target(""), &request));
    let native = sent("responses", &Provider { name: "own", ..PROVIDERS[0] }, "own/gpt-5-mini", &request);
    let again = json!({"kept": kept, "moved": moved, "native": native});
    book.expect(folder.join(format!("{}.again.json", provider.name)), &pretty(&again));
}
