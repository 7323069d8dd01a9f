//! What a client has when a stream is over, to be compared with the same answer told whole.

use serde_json::{Map, Value, json};

/// What the chunks of a stream of OpenAI's say together.
pub(crate) fn collect(stream: &str) -> Value {
    let mut choices: Vec<Map<String, Value>> = Vec::new();
    let mut usage = Value::Null;
    for event in stream.split_terminator("\n\n").filter(|event| *event != "data: [DONE]") {
        let Some(data) = event.strip_prefix("data: ") else { continue };
        let chunk: Value = serde_json::from_str(data).unwrap();
        if let Some(error) = chunk.get("error") {
            return json!({"error": error});
        }
        if !chunk["usage"].is_null() {
            usage = chunk["usage"].clone();
        }
        for choice in chunk["choices"].as_array().unwrap() {
            let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
            choices.resize_with(choices.len().max(index + 1), Map::new);
            let collected = &mut choices[index];
            add(collected, &choice["delta"]);
            add(
                collected,
                &json!({"finish_reason": choice["finish_reason"], "logprobs": choice["logprobs"]["content"]}),
            );
        }
    }
    json!({"choices": choices.into_iter().map(tidy).collect::<Vec<_>>(), "usage": usage})
}

/// The same of a whole answer.
pub(crate) fn deltas_of(whole: &Value) -> Value {
    let choices = whole["choices"].as_array().unwrap().iter().map(|choice| {
        let mut collected = Map::new();
        add(&mut collected, &choice["message"]);
        add(
            &mut collected,
            &json!({"finish_reason": choice["finish_reason"], "logprobs": choice["logprobs"]["content"]}),
        );
        tidy(collected)
    });
    json!({"choices": choices.collect::<Vec<_>>(), "usage": whole["usage"]})
}

/// Joins as OpenAI's SDKs do: texts are appended, lists joined by `index` or appended, objects member by member.
fn add(to: &mut Map<String, Value>, delta: &Value) {
    for (name, new) in delta.as_object().unwrap() {
        match (to.get_mut(name), new) {
            (_, Value::Null) => {}
            (Some(Value::String(_)), Value::String(_)) if matches!(name.as_str(), "role" | "type") => {}
            (Some(Value::String(old)), Value::String(new)) => old.push_str(new),
            (Some(Value::Object(old)), new @ Value::Object(_)) => add(old, new),
            (Some(Value::Array(list)), Value::Array(new)) => join(list, new),
            (_, Value::Array(new)) => {
                let mut list = Vec::new();
                join(&mut list, new);
                to.insert(name.clone(), Value::Array(list));
            }
            (_, new) => drop(to.insert(name.clone(), new.clone())),
        }
    }
}

fn join(list: &mut Vec<Value>, items: &[Value]) {
    for item in items {
        let known = list.iter_mut().find(|known| !item["index"].is_null() && known["index"] == item["index"]);
        match (known, item) {
            (Some(Value::Object(known)), Value::Object(new)) => {
                let mut new = new.clone();
                new.remove("index");
                add(known, &Value::Object(new));
            }
            _ => list.push(item.clone()),
        }
    }
}

/// Without what only one of both forms has: places in lists, and nothing, said in many ways.
fn tidy(mut choice: Map<String, Value>) -> Value {
    for list in choice.values_mut().filter_map(Value::as_array_mut) {
        for item in list.iter_mut().filter_map(Value::as_object_mut) {
            item.remove("index");
        }
    }
    choice.retain(|_, value| *value != json!("") && *value != json!([]));
    Value::Object(choice)
}
