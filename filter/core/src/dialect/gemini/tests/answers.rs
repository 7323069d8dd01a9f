//! An answer as the client gets it, where it comes whole.

use super::*;

#[test]
fn an_answer_is_told_in_openais_words() {
    let answer = json!({
        "candidates": [{
            "content": {"role": "model", "parts": [
                {"text": "hm ", "thought": true},
                {"text": "a"},
                {"newKind": {"x": 1}},
                {"text": "ü", "thoughtSignature": "S"},
                {"text": "", "thoughtSignature": "T"},
                {"inlineData": {"mimeType": "image/png", "data": "AA"}},
                {"functionCall": {"id": "own", "name": "f", "args": {"q": "a  \\\" b", "r": [1, 2.50]}}},
                {"functionCall": {"name": "g"}},
            ]},
            "finishReason": "STOP",
            "logprobsResult": {
                "chosenCandidates": [{"token": "a", "logProbability": -0.5}],
                "topCandidates": [{"candidates": [{"token": "b", "logProbability": -1.5}]}],
            },
        }],
        "usageMetadata": {
            "promptTokenCount": 10, "cachedContentTokenCount": 4, "toolUsePromptTokenCount": 2,
            "candidatesTokenCount": 3, "thoughtsTokenCount": 5, "totalTokenCount": 20, "serviceTier": "standard",
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}, {"modality": "AUDIO", "tokenCount": 1}],
        },
        "modelVersion": "gemini-x", "responseId": "r", "unknown": [],
    });
    let pretty = serde_json::to_string_pretty(&answer).unwrap();
    let got: Value = serde_json::from_slice(&OPENAI.write(&Gemini.read(&pretty).unwrap(), &identity())).unwrap();
    assert_eq!((&got["id"], &got["model"], &got["service_tier"]), (&json!("r"), &json!("gemini-x"), &json!("default")));
    assert_eq!(
        got["usage"],
        json!({
            "prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
        })
    );
    let choice = &got["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["logprobs"]["content"][0]["top_logprobs"][0]["logprob"], -1.5);
    let message = &choice["message"];
    assert_eq!((&message["content"], &message["reasoning_content"]), (&json!("aü"), &json!("hm ")));
    assert_eq!(message["extra_content"]["google"]["thought_signature"], "S");
    assert_eq!(message["images"][0]["image_url"]["url"], "data:image/png;base64,AA");
    assert_eq!(
        message["tool_calls"],
        json!([
            {"id": "own", "type": "function", "function": {"name": "f", "arguments": r#"{"q":"a  \\\" b","r":[1,2.5]}"#}},
            {"id": "call_r_0_1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ])
    );
}

#[test]
fn each_reason_to_end_is_one_of_openais() {
    for (reason, expected) in [
        (json!("STOP"), "stop"),
        (json!(1), "stop"),
        (json!("MAX_TOKENS"), "length"),
        (json!(2), "length"),
        (json!("SAFETY"), "content_filter"),
        (json!("RECITATION"), "content_filter"),
        (json!("IMAGE_SAFETY"), "content_filter"),
        (json!("NEW_REASON"), "stop"),
        (json!({"not": "a word"}), "stop"),
    ] {
        let answer = json!({"candidates": [{"finishReason": reason}], "responseId": "r"});
        assert_eq!(message(&answer)["finish_reason"], expected, "{reason}");
        let chunks = streamed(&[answer]).unwrap();
        assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], expected, "{reason}");
    }
}

#[test]
fn a_blocked_prompt_is_a_refusal_by_the_content_filter() {
    let answer =
        json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}});
    let got = message(&answer);
    assert_eq!(got["finish_reason"], "content_filter");
    assert_eq!(got["message"]["refusal"], "The provider blocked the prompt: PROHIBITED_CONTENT.");
    let chunks = streamed(&[answer]).unwrap();
    assert_eq!(joined(&chunks, "refusal"), "The provider blocked the prompt: PROHIBITED_CONTENT.");
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "content_filter");
}

#[test]
fn numbers_may_be_strings_and_members_null() {
    let answer = json!({
        "candidates": [{
            "index": "1",
            "content": {"role": null, "parts": [
                {"text": "a", "thought": null, "functionCall": null, "inlineData": null, "thoughtSignature": null},
                {"functionCall": {"name": "f", "id": null, "args": null, "partialArgs": null, "willContinue": null}},
                {"inlineData": {"mimeType": null, "data": null}},
            ]},
            "finishReason": "STOP", "finishMessage": null, "citationMetadata": null,
            "groundingMetadata": {"groundingChunks": [{"web": {"uri": "https://a.example", "title": null}, "maps": null}],
                "groundingSupports": [{"segment": {"startIndex": "0", "endIndex": "1"}, "groundingChunkIndices": ["0"]}]},
            "logprobsResult": {"chosenCandidates": [{"token": "a", "logProbability": "-Infinity"}], "topCandidates": null},
        }, {"index": null, "content": null, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": "12", "candidatesTokenCount": 3, "thoughtsTokenCount": null,
            "promptTokensDetails": [{"modality": 4, "tokenCount": "2"}], "serviceTier": null},
        "promptFeedback": null, "modelVersion": null, "responseId": null, "error": null,
    });
    let got = whole(&answer);
    let choice = &got["choices"][1];
    assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!("a"), &json!("tool_calls")));
    assert_eq!(choice["message"]["annotations"][0]["url_citation"]["end_index"], 1);
    assert_eq!(choice["logprobs"]["content"][0]["logprob"], -9999.0);
    assert_eq!((&got["usage"]["prompt_tokens"], &got["usage"]["completion_tokens"]), (&json!(12), &json!(3)));
    assert_eq!(got["usage"]["prompt_tokens_details"]["audio_tokens"], 2);
    let error = json!({"error": {"code": "503", "message": "m", "details": null}});
    assert_eq!(streamed(&[error]).unwrap_err(), Broken::Fault(Fault::new(503, None, "m")));
}

#[test]
fn the_tier_is_told_when_it_comes() {
    let event = |usage: Value| json!({"candidates": [{"content": {"parts": [{"text": "a"}]}}], "usageMetadata": usage, "modelVersion": "v", "responseId": "r"});
    let tier = json!({"serviceTier": "priority"});
    let chunks = streamed(&[event(json!({})), event(tier.clone()), event(tier)]).unwrap();
    let tiers: Vec<_> = chunks.iter().map(|chunk| chunk["service_tier"].as_str()).collect();
    assert_eq!(tiers, [None, None, Some("priority"), Some("priority")]);
    assert!(chunks.iter().all(|chunk| (&chunk["id"], &chunk["model"]) == (&chunks[0]["id"], &json!("v"))));
}

#[test]
fn sources_are_told_up_to_a_number_and_a_length() {
    let answer = |chunk: Value, indices: Vec<u32>| {
        json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP", "groundingMetadata":
            {"groundingChunks": [chunk], "groundingSupports": [{"groundingChunkIndices": indices}]}}]})
    };
    let chunk = |uri: &str| json!({"web": {"uri": uri, "title": "t"}});
    let often = answer(chunk("https://a.example"), vec![0; 5000]);
    let told = &whole(&often)["choices"][0]["message"]["annotations"];
    assert_eq!(told.as_array().unwrap().len(), 1024);
    // The number holds for the whole of an answer, however it is cut.
    let chunks = streamed(&[often.clone(), often]).unwrap();
    assert_eq!(chunks.iter().filter(|chunk| !chunk["choices"][0]["delta"]["annotations"].is_null()).count(), 1024);
    // What is too long for an address is told once.
    let long = whole(&answer(chunk(&"x".repeat(5000)), vec![0; 5000]));
    let message = &long["choices"][0]["message"];
    assert_eq!((&message["annotations"], message["citations"].as_array().unwrap().len()), (&Value::Null, 1));
}

#[test]
fn what_is_no_answer_is_none() {
    for body in
        ["", "[]", "{}", "null", r#"{"candidates":[]}"#, r#"{"candidates":[{}]}"#, r#"{"candidates":7}"#, "<html>"]
    {
        assert!(Gemini.read(body).is_err(), "{body}");
    }
}

#[test]
fn sources_become_annotations_in_characters() {
    let got = message(&grounded("äbcd"));
    let places: Vec<_> =
        got["message"]["annotations"].as_array().unwrap().iter().map(|one| &one["url_citation"]).collect();
    assert_eq!(
        places,
        [
            &json!({"url": "https://a.example", "title": "A", "start_index": 2, "end_index": 4}),
            &json!({"url": "https://b.example", "title": "", "start_index": 4, "end_index": 4}),
        ]
    );
    assert_eq!(got["message"]["citations"], json!([{"retrievedContext": {"text": "t"}}]));
    let places = |text: &str| -> Vec<Value> {
        let chunks = streamed(&[grounded(text)]).unwrap();
        let found = chunks.iter().map(|chunk| chunk["choices"][0]["delta"]["annotations"][0]["url_citation"].clone());
        found.filter(|place| !place.is_null()).collect()
    };
    assert_eq!(places("abcde")[0]["start_index"], 3);
    assert_eq!(places("äbcd")[0]["start_index"], 2);
    // In a stream they come at the end, as a rule without any text.
    for pieces in [["äbcd", ""], ["äb", "cd"], ["", "äbcd"]] {
        let text = |text: &str| json!({"candidates": [{"content": {"parts": [{"text": text}]}}]});
        let chunks = streamed(&[text(pieces[0]), grounded(pieces[1])]).unwrap();
        let place = chunks.iter().find_map(|chunk| chunk["choices"][0].pointer("/delta/annotations/0/url_citation"));
        assert_eq!(place.map(|place| (&place["start_index"], &place["end_index"])), Some((&json!(2), &json!(4))));
    }
}
