//! Pictures: as they are asked for, drawn by others, and paid for.

use super::*;

#[test]
fn what_draws_is_told_by_the_id_of_a_model_and_not_by_its_name_here() {
    let named =
        r#""models":{"gemini/artist":{"id":"gemini-3-pro-image"},"gemini/my-image":{"id":"gemini-2.5-pro"}},"limits""#;
    let gateway = gateway(&ALL.replace(r#""limits""#, named));
    let ask = |model: &str| {
        let body = json!({"model": model, "prompt": "p"}).to_string();
        ask(&gateway, post("/v1/images/generations", &[]), &[body.as_bytes()])
    };
    assert_eq!(header(&ask("gemini/artist").sent(), ":path"), "/v1beta/models/gemini-3-pro-image:generateContent");
    let reply = ask("gemini/my-image").refused();
    assert!(String::from_utf8_lossy(&reply.body).contains("`gemini/my-image` draws no pictures"), "{reply:?}");
}

#[test]
fn pictures_of_gemini_are_drawn_in_the_nearest_shape() {
    for (size, config) in [
        (json!("1024x1024"), json!({"aspectRatio": "1:1", "imageSize": "1K"})),
        (json!("1536x1024"), json!({"aspectRatio": "3:2", "imageSize": "1K"})),
        (json!("1024x1792"), json!({"aspectRatio": "9:16", "imageSize": "1K"})),
        (json!("2048x2048"), json!({"aspectRatio": "1:1", "imageSize": "2K"})),
        (json!("3840x2160"), json!({"aspectRatio": "16:9", "imageSize": "4K"})),
        (json!("auto"), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let request = json!({"model": "gemini/gemini-3-pro-image", "prompt": "a \"cat\"", "n": 1, "size": size, "quality": "high"});
        let sent = asked("/v1/images/generations", &request).sent();
        assert_eq!(header(&sent, ":path"), "/v1beta/models/gemini-3-pro-image:generateContent");
        let sent = body(&sent);
        assert_eq!(sent["contents"], json!([{"role": "user", "parts": [{"text": "a \"cat\""}]}]));
        assert_eq!(sent["generationConfig"]["responseModalities"], json!(["IMAGE"]));
        assert_eq!(sent["generationConfig"]["imageConfig"], config, "{size}");
    }
    let older = json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "p", "size": "2048x2048"});
    let sent = asked("/v1/images/generations", &older).sent();
    assert_eq!(body(&sent)["generationConfig"]["imageConfig"], json!({"aspectRatio": "1:1"}));
}

#[test]
fn a_picture_of_gemini_is_answered_as_openai_s() {
    let request =
        json!({"model": "gemini/gemini-3-pro-image", "prompt": "p", "quality": "high", "response_format": "b64_json"});
    let data = "iVBORw0KGgo".repeat(1000);
    let answer = json!({
        "candidates": [{"content": {"parts": [
            {"inlineData": {"mimeType": "image/png", "data": "c2tldGNo"}, "thought": true},
            {"text": "Here it is."},
            {"inlineData": {"mimeType": "image/png", "data": data}},
        ]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1290}
    });
    let whole =
        asked("/v1/images/generations", &request).sent().answered(200, &[JSON], &[answer.to_string().as_bytes()]);
    let told: Value = serde_json::from_slice(&whole.body).unwrap();
    assert_eq!(told["data"], json!([{"b64_json": data}]));
    assert_eq!((&told["output_format"], whole.header("x-dragoman-dropped")), (&json!("png"), Some("quality")));
    assert_eq!(
        told["usage"],
        json!({
            "input_tokens": 4, "input_tokens_details": {"text_tokens": 4, "image_tokens": 0}, "output_tokens": 1290, "total_tokens": 1294
        })
    );
    assert!(told["created"].is_u64());
    for seed in 0..6 {
        let sent = asked("/v1/images/generations", &request).sent();
        assert_eq!(sent.answered(200, &[JSON], &pieces(answer.to_string().as_bytes(), seed)).body, whole.body);
    }
}

#[test]
fn a_picture_that_is_not_drawn_is_the_caller_s_error_and_has_its_price() {
    let request = json!({"model": "pictures", "prompt": "p"});
    let words = json!({"parts": [{"text": "I would rather not."}]});
    for (mut answer, status, said) in [
        (json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}), 400, "content_policy_violation"),
        (
            json!({"candidates": [{"finishReason": "IMAGE_SAFETY", "finishMessage": "Try another prompt."}]}),
            400,
            "content_policy_violation",
        ),
        (json!({"candidates": [{"finishReason": "NO_IMAGE"}]}), 400, "drew no picture"),
        (json!({"candidates": [{"content": words, "finishReason": "STOP"}]}), 400, "drew no picture"),
        (json!({"candidates": [{"finishReason": "IMAGE_OTHER"}]}), 0, ""),
        (json!({"candidates": [{"finishReason": "STOP"}]}), 0, ""),
    ] {
        answer["usageMetadata"] = json!({"promptTokenCount": 4, "thoughtsTokenCount": 90});
        let sent = asked("/v1/images/generations", &request).sent();
        let plan = std::rc::Rc::clone(&sent.plan);
        let text = answer.to_string();
        if status == 0 {
            let sent = sent.failed_in_words(200, text.as_bytes()).sent();
            assert_eq!(header(&sent, ":authority"), "api.openai.com", "{answer}");
        } else {
            let told = sent.answered(200, &[JSON], &[text.as_bytes()]);
            assert_eq!(told.status, status, "{}", told.text());
            assert!(told.text().contains(said), "{}", told.text());
        }
        let usage = plan.usage().unwrap_or_default();
        assert_eq!((usage.input, usage.output, usage.images), (4, 90, 0), "{answer}");
    }
}

#[test]
fn what_is_translated_is_whole_whatever_else_is_asked_for() {
    for (model, answer) in [
        ("gemini/gemini-embedding-001", &br#"{"embeddings":[{"values":[1]}]}"#[..]),
        ("ollama/nomic", br#"{"embeddings":[[1]],"prompt_eval_count":1}"#),
    ] {
        let sent = asked("/v1/embeddings", &json!({"model": model, "input": "a", "stream": true})).sent();
        let answer = sent.answered(200, &[JSON], &[answer]);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{model}");
    }
}

#[test]
fn data_that_is_no_base64_is_written_as_a_text() {
    let request = json!({"model": "gemini/gemini-3-pro-image", "prompt": "p"});
    let data = "AA\\\"BB\\";
    let part = json!({"inlineData": {"mimeType": "image/png", "data": data}});
    let answer = json!({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}).to_string();
    let answer = asked("/v1/images/generations", &request).sent().answered(200, &[JSON], &[answer.as_bytes()]);
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["data"][0]["b64_json"], data);
}

#[test]
fn pictures_in_parts_pass_event_for_event_and_their_tokens_are_counted() {
    let request = json!({"model": "openai/gpt-image-1", "prompt": "p", "stream": true, "partial_images": 1});
    let events = concat!(
        "event: image_generation.partial_image\n",
        "data: {\"type\":\"image_generation.partial_image\",\"b64_json\":\"AAAA\",\"partial_image_index\":0}\n\n",
        "event: image_generation.completed\n",
        "data: {\"type\":\"image_generation.completed\",\"b64_json\":\"BBBB\",\"usage\":{\"input_tokens\":4,\"output_tokens\":7,\"total_tokens\":11}}\n\n",
    );
    for seed in 0..8 {
        let sent = asked("/v1/images/generations", &request).sent();
        let plan = std::rc::Rc::clone(&sent.plan);
        let answer = sent.answered(200, &[("content-type", "text/event-stream")], &pieces(events.as_bytes(), seed));
        assert_eq!(answer.text(), events);
        assert_eq!(plan.usage(), Some(Usage { input: 4, output: 7, images: 1, ..Usage::default() }));
    }
    // Of several each has its own.
    let request = json!({"model": "openai/gpt-image-1", "prompt": "p", "stream": true, "n": 2});
    let sent = asked("/v1/images/generations", &request).sent();
    let plan = std::rc::Rc::clone(&sent.plan);
    let two = [events, events].concat();
    let answer = sent.answered(200, &[("content-type", "text/event-stream")], &pieces(two.as_bytes(), 3));
    assert_eq!(answer.text(), two);
    assert_eq!(plan.usage(), Some(Usage { input: 8, output: 14, images: 2, ..Usage::default() }));
    // An error before the first picture is a failure that another target may mend.
    let error = b"data: {\"type\":\"error\",\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}\n\n";
    let sent = asked("/v1/images/generations", &request).sent();
    assert_eq!(sent.answered(200, &[("content-type", "text/event-stream")], &[error]).status, 500);
    // One that is cut says so.
    let cut = events.split_once("event: image_generation.completed").unwrap().0;
    let answer = asked("/v1/images/generations", &request).sent().answered(
        200,
        &[("content-type", "text/event-stream")],
        &[cut.as_bytes()],
    );
    assert!(answer.text().ends_with("\n\n") && answer.text().contains("upstream_error"), "{}", answer.text());
}

#[test]
fn a_picture_is_paid_for_by_the_piece_where_it_has_such_a_price() {
    let file = r#"{
        "providers": {"openai": {"kind":"openai","credential":{"env":"A"}}},
        "models": {"openai/painter": {"price": {"image": 0.04}}},
        "limits": [{"name":"s","of":"spend","max":0.1,"per":"day","scope":"global"}],
        "retry": {"attempts":0}
    }"#;
    let (gateway, world) = (gateway(file), World::new());
    let ask = |count: u64| {
        let body = json!({"model": "openai/painter", "prompt": "p", "n": count}).to_string();
        ask_in(&world, &gateway, post("/v1/images/generations", &[]), &[body.as_bytes()])
    };
    let drawn = br#"{"created":1,"data":[{"url":"https://x.test/1"},{"url":"https://x.test/2"}]}"#;
    assert_eq!(ask(3).refused().status, 429);
    assert_eq!(ask(2).sent().answered(200, &[JSON], &[drawn]).status, 200);
    assert_eq!(ask(1).refused().status, 429);
}
