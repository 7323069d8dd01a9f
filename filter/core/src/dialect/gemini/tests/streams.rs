//! An answer as the client gets it, where it comes event for event, and where the model fails.

use super::*;

/// What the model failed to give, with this said before.
fn failed(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts}, "finishReason": "MALFORMED_FUNCTION_CALL",
        "finishMessage": "Malformed function call: print("}], "responseId": "r"})
}

#[test]
fn a_model_that_fails_before_it_says_anything_is_a_failed_provider() {
    for (answer, message) in [
        (failed(&json!([])), "Malformed function call: print("),
        (failed(&json!([{"text": ""}])), "Malformed function call: print("),
        (
            json!({"candidates": [{"finishReason": "UNEXPECTED_TOOL_CALL"}]}),
            "The model ended its answer with UNEXPECTED_TOOL_CALL.",
        ),
    ] {
        let fault = Fault::new(502, None, message);
        let body = answer.to_string();
        assert_eq!(Gemini.read(&body).unwrap_err(), Broken::Fault(fault.clone()));
        assert_eq!(streamed(&[answer]).unwrap_err(), Broken::Fault(fault));
    }
}

#[test]
fn a_model_that_fails_later_ends_with_the_reason_told() {
    let call = json!({"functionCall": {"name": "f", "args": {}}});
    for (parts, finish) in [
        (json!([{"text": "I will"}]), "stop"),
        (json!([{"text": "hm", "thought": true}]), "stop"),
        (json!([call]), "tool_calls"),
    ] {
        let got = message(&failed(&parts));
        assert_eq!(
            (&got["finish_reason"], &got["message"]["refusal"]),
            (&json!(finish), &json!("Malformed function call: print("))
        );
        for events in [vec![failed(&parts)], vec![event(&parts), failed(&json!([]))]] {
            let chunks = streamed(&events).unwrap();
            assert_eq!(joined(&chunks, "refusal"), "Malformed function call: print(");
            assert!(chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == finish));
        }
    }
    // Another answer of the same request is not lost.
    let two = json!({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"},
        {"index": 1, "content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]});
    assert_eq!(whole(&two)["choices"][1]["message"]["content"], "a");
    // What was held back may be explained, too.
    let held = json!({"candidates": [{"finishReason": "SAFETY", "finishMessage": "It is unsafe."}]});
    let got = message(&held);
    assert_eq!(
        (&got["finish_reason"], &got["message"]["refusal"]),
        (&json!("content_filter"), &json!("It is unsafe."))
    );
}

#[test]
fn a_stream_and_a_whole_answer_say_the_same() {
    let whole_answers = [
        grounded("äbcd"),
        failed(&json!([{"text": "I will"}])),
        json!({"promptFeedback": {"blockReason": "SAFETY"}}),
        json!({"candidates": [{"finishReason": "SAFETY"}]}),
        event(
            &json!([{"text": "hm", "thought": true}, {"text": "a"}, {"functionCall": {"name": "f"}, "thoughtSignature": "S"}]),
        ),
    ];
    for mut answer in whole_answers {
        if let Some(candidate) = answer.pointer_mut("/candidates/0").and_then(Value::as_object_mut) {
            candidate.entry("finishReason").or_insert(json!("STOP"));
        }
        let (got, chunks) = (message(&answer), streamed(&[answer]).unwrap());
        for field in ["content", "refusal", "reasoning_content"] {
            assert_eq!(got["message"][field].as_str().unwrap_or_default(), joined(&chunks, field), "{field}");
        }
        let told = |pointer: &str| {
            chunks.iter().filter_map(|chunk| chunk["choices"][0].pointer(pointer)).find(|value| !value.is_null())
        };
        assert_eq!(Some(&got["finish_reason"]), told("/finish_reason"));
        for pointer in [
            "/annotations/0/url_citation",
            "/citations/0/retrievedContext",
            "/tool_calls/0/function",
            "/tool_calls/0/id",
        ] {
            assert_eq!(got["message"].pointer(pointer), told(&["/delta", pointer].concat()), "{pointer}");
        }
    }
}

#[test]
fn answers_that_are_numbered_into_the_sky_are_passed_over() {
    let say = |index: u32| json!({"index": index, "content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"});
    let answer = json!({"candidates": [say(0), say(128), say(u32::MAX)]});
    assert_eq!(whole(&answer)["choices"].as_array().unwrap().len(), 1);
    let chunks = streamed(&[answer]).unwrap();
    assert!(chunks.iter().all(|chunk| chunk["choices"][0]["index"].as_u64().unwrap_or(0) == 0));
}

#[test]
fn an_error_means_the_same_in_the_place_of_an_answer_and_of_an_event() {
    for (code, status) in [(json!(429), 429), (json!("503"), 503), (json!(200), 500)] {
        let error = json!({"error": {"code": code, "message": "m"}});
        let broken = Broken::Fault(Fault::new(status, None, "m"));
        assert_eq!(Gemini.read(&error.to_string()).unwrap_err(), broken);
        assert_eq!(streamed(&[error]).unwrap_err(), broken);
    }
}

fn event(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts}, "index": 0}], "responseId": "r", "modelVersion": "gemini-x"})
}

#[test]
fn a_stream_is_told_event_for_event() {
    let chunks = streamed(&[
        event(&json!([{"text": "hm", "thought": true}])),
        event(&json!([{"text": "a"}])),
        json!({"candidates": [{"content": {"parts": [{"text": "b"}]}, "index": 1}]}),
        event(&json!([{"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "S"}])),
        event(&json!([{"functionCall": {"name": "g"}}])),
        event(&json!([{"text": "", "thoughtSignature": "T"}])),
        json!({"candidates": [{"finishReason": "STOP", "index": 1}]}),
        json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 3, "thoughtsTokenCount": 2}}),
        json!({"usageMetadata": {"candidatesTokenCount": 4}}),
    ])
    .unwrap();
    assert!(chunks.iter().all(|chunk| chunk["id"] == "r" && chunk["model"] == "gemini-x"));
    let first: Vec<_> = chunks.iter().filter(|chunk| chunk["choices"][0]["index"] == 0).cloned().collect();
    assert_eq!(joined(&first, "reasoning_content"), "hm");
    assert_eq!(joined(&first, "content"), "a");
    let calls: Vec<_> = first.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)).collect();
    assert_eq!(calls[0]["id"], "call_r_0_0__thought__S");
    assert_eq!((&calls[0]["index"], &calls[1]["index"]), (&json!(0), &json!(1)));
    assert_eq!(
        (&calls[0]["function"]["arguments"], &calls[1]["function"]["arguments"]),
        (&json!("{\"x\":1}"), &json!("{}"))
    );
    assert!(
        first.iter().any(|chunk| chunk["choices"][0]["delta"]["extra_content"]["google"]["thought_signature"] == "T")
    );
    let ends: Vec<_> = chunks
        .iter()
        .filter(|chunk| chunk["choices"][0]["finish_reason"].is_string())
        .map(|chunk| (chunk["choices"][0]["index"].clone(), chunk["choices"][0]["finish_reason"].clone()))
        .collect();
    assert_eq!(ends, [(json!(1), json!("stop")), (json!(0), json!("tool_calls"))]);
    let usage = &chunks.last().unwrap()["usage"];
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(3), &json!(6)));
}

#[test]
fn pictures_of_a_stream_are_numbered() {
    let picture = json!([{"inlineData": {"mimeType": "image/png", "data": "AA"}}]);
    let chunks = streamed(&[event(&picture), event(&picture)]).unwrap();
    let images: Vec<_> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["images"].get(0)).collect();
    assert_eq!(images[1], &json!({"index": 1, "type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}));
}

#[test]
fn arguments_that_come_in_pieces_are_one_document() {
    let call = |call: &Value| event(&json!([{"functionCall": call}]));
    let piece = |text: &str, more: bool| json!([{"jsonPath": "$.a", "stringValue": text, "willContinue": more}]);
    let chunks = streamed(&[
        call(&json!({"name": "f", "willContinue": true})),
        call(&json!({"partialArgs": piece("x", true), "willContinue": true})),
        call(&json!({"partialArgs": piece("y", true), "willContinue": true})),
        call(&json!({"name": "g", "args": {}})),
        json!({"candidates": [{"finishReason": "STOP"}]}),
    ])
    .unwrap();
    let calls = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0));
    let of_first: String =
        calls.filter(|call| call["index"] == 0).filter_map(|call| call["function"]["arguments"].as_str()).collect();
    assert_eq!(of_first, r#"{"a":"xy"}"#);
}

#[test]
fn an_error_in_a_stream_is_a_fault_and_nonsense_is_malformed() {
    let mut reader = Gemini.reader();
    let mut read = |raw: &str| {
        reader.read(Frame { raw: raw.as_bytes() }, &mut |delta| {
            assert!(matches!(delta, Delta::Finish { reason: Finish::Stop, .. }), "{delta:?}");
        })
    };
    for raw in [": ping\n\n", "data:\n\n", "data: [DONE]\n\n", "data: {}\n\n", "event: new\ndata: {\"later\":1}\n\n"] {
        assert_eq!(read(raw), Ok(()), "{raw}");
    }
    for raw in ["data: {\"candi\n\n", "data: []\n\n"] {
        assert_eq!(read(raw), Err(Broken::Malformed), "{raw}");
    }
    assert_eq!(
        read("data: {\"error\":{\"code\":503,\"message\":\"The model is overloaded.\"}}\n\n"),
        Err(Broken::Fault(Fault::new(503, None, "The model is overloaded.")))
    );
}
