//! The client of the older completions: what it has when a stream is over.

use serde_json::{Value, json};

/// What the chunks of a stream say together.
pub(crate) fn collect(stream: &str) -> Value {
    let (mut choices, mut usage): (Vec<Value>, _) = (Vec::new(), Value::Null);
    for event in stream.split_terminator("\n\n").filter(|event| *event != "data: [DONE]") {
        let chunk: Value = serde_json::from_str(event.strip_prefix("data: ").expect("data")).unwrap();
        if let Some(error) = chunk.get("error") {
            return json!({"error": error});
        }
        if !chunk["usage"].is_null() {
            usage = chunk["usage"].clone();
        }
        for choice in chunk["choices"].as_array().unwrap() {
            let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
            while choices.len() <= index {
                choices.push(json!({"index": choices.len(), "text": "", "logprobs": null, "finish_reason": null}));
            }
            grow(&mut choices[index], choice);
        }
    }
    json!({"choices": choices, "usage": usage})
}

fn grow(choice: &mut Value, chunk: &Value) {
    choice["text"] = json!(format!("{}{}", choice["text"].as_str().unwrap(), chunk["text"].as_str().unwrap()));
    if !chunk["finish_reason"].is_null() {
        choice["finish_reason"] = chunk["finish_reason"].clone();
    }
    for (name, list) in chunk["logprobs"].as_object().into_iter().flatten() {
        match choice["logprobs"][name].as_array_mut() {
            Some(known) => known.extend(list.as_array().unwrap().iter().cloned()),
            None => choice["logprobs"][name] = list.clone(),
        }
    }
}

/// What a whole answer and a stream have in common.
pub(crate) fn essence(whole: &Value) -> Value {
    json!({"choices": whole["choices"], "usage": whole["usage"]})
}
