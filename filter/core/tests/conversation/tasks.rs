//! What is no chat: vectors, pictures, and the other paths of OpenAI's API, on routers.

use dragoman_core::usage::Usage;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::stage::{Asked, Sent, World, ask, ask_in, gateway, pieces, post};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Everybody.
const ALL: &str = r#"{
    "providers": {
        "openai": {"kind":"openai","credential":{"env":"A"}},
        "second": {"kind":"openai","base_url":"https://second.test/api/v1","credential":{"env":"S"}},
        "claude": {"kind":"anthropic","credential":{"env":"C"}},
        "gemini": {"kind":"gemini","credential":{"env":"G"}},
        "ollama": {"kind":"ollama","base_url":"http://127.0.0.1:11434"}
    },
    "aliases": {
        "vectors": ["openai/text-embedding-3-small","claude/claude-haiku-4-5","gemini/gemini-embedding-001","ollama/nomic"],
        "elsewhere": ["gemini/gemini-embedding-001","ollama/nomic"],
        "pictures": ["gemini/gemini-3-pro-image","openai/gpt-image-1"]
    },
    "limits": [{"name":"t","of":"tokens","max":1000000,"per":"day","scope":"key"}],
    "retry": {"attempts":0}
}"#;

fn asked(path: &str, body: &Value) -> Asked {
    ask(&gateway(ALL), post(path, &[]), &pieces(body.to_string().as_bytes(), 7))
}

fn header<'a>(sent: &'a Sent, name: &str) -> &'a str {
    let found = sent.headers.iter().find(|(found, _)| found == name);
    found.map_or("", |(_, value)| std::str::from_utf8(value).unwrap())
}

fn body(sent: &Sent) -> Value {
    serde_json::from_slice(&sent.body).unwrap()
}

#[test]
fn vectors_pass_byte_for_byte_to_who_speaks_openai_s_format() {
    let text = br#"{ "input" :"a\u00e9", "x":1e2,"model":"openai/text-embedding-3-small"}"#;
    let sent = ask(&gateway(ALL), post("/v1/embeddings", &[]), &pieces(text, 3)).sent();
    assert_eq!(sent.body, br#"{ "input" :"a\u00e9", "x":1e2,"model":"text-embedding-3-small"}"#);
    assert_eq!(header(&sent, ":path"), "/v1/embeddings");
    assert_eq!(header(&sent, "authorization"), "Bearer secret-A");
    let (plan, whole) = (
        std::rc::Rc::clone(&sent.plan),
        br#"{ "data":[{"embedding":[1.10,2E0]}], "usage":{"prompt_tokens":3,"total_tokens":3}}"#,
    );
    let answer = sent.answered(200, &[JSON], &pieces(whole, 5));
    assert_eq!(answer.body, whole);
    assert_eq!(plan.usage(), Some(Usage { input: 3, ..Usage::default() }));
}

#[test]
fn vectors_of_gemini_keep_their_numbers_as_they_are_written() {
    let asked = asked(
        "/v1/embeddings",
        &json!({
            "model": "gemini/gemini-embedding-001", "input": ["a", "b\n"], "dimensions": 2, "user": "u", "task_type": "CLUSTERING"
        }),
    );
    let sent = asked.sent();
    assert_eq!(header(&sent, ":path"), "/v1beta/models/gemini-embedding-001:batchEmbedContents");
    let part = |text: &str| {
        json!({
            "model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]},
            "taskType": "CLUSTERING", "outputDimensionality": 2
        })
    };
    assert_eq!(body(&sent), json!({"requests": [part("a"), part("b\n")]}));
    let plan = std::rc::Rc::clone(&sent.plan);
    let answer =
        br#"{"embeddings":[{"values":[0.10,-1E-9]},{"values":[ 3,4]}],"usageMetadata":{"promptTokenCount":5}}"#;
    let answer = sent.answered(200, &[JSON], &pieces(answer, 11));
    assert_eq!(
        answer.text(),
        concat!(
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-1E-9]},"#,
            r#"{"object":"embedding","index":1,"embedding":[ 3,4]}],"model":"gemini-embedding-001","#,
            r#""usage":{"prompt_tokens":5,"total_tokens":5}}"#
        )
    );
    assert_eq!((answer.header("x-dragoman-dropped"), answer.header("x-dragoman-usage")), (Some("user"), None));
    assert_eq!(plan.usage(), Some(Usage { input: 5, ..Usage::default() }));
}

#[test]
fn tokens_that_nobody_counts_are_estimated_and_that_is_said() {
    let sent =
        asked("/v1/embeddings", &json!({"model": "gemini/gemini-embedding-001", "input": "word ".repeat(400)})).sent();
    let answer = sent.answered(200, &[JSON], &[br#"{"embeddings":[{"values":[1]}]}"#]);
    assert_eq!(answer.header("x-dragoman-usage"), Some("estimated"));
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    let tokens = told["usage"]["prompt_tokens"].as_u64().unwrap();
    assert!((400..=600).contains(&tokens), "{tokens}");
}

#[test]
fn vectors_of_ollama_come_as_base64_where_that_is_asked_for() {
    let sent = asked(
        "/v1/embeddings",
        &json!({
            "model": "ollama/nomic", "input": "a", "encoding_format": "base64", "keep_alive": "5m", "other": 1
        }),
    )
    .sent();
    assert_eq!(header(&sent, ":path"), "/api/embed");
    assert_eq!(body(&sent), json!({"model": "nomic", "input": ["a"], "truncate": false, "keep_alive": "5m"}));
    let answer =
        sent.answered(200, &[JSON], &[br#"{"model":"nomic","embeddings":[[1.0, -2.5]],"prompt_eval_count":2}"#]);
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    // 1.0 is 00 00 80 3f, -2.5 is 00 00 20 c0.
    assert_eq!(told["data"], json!([{"object": "embedding", "index": 0, "embedding": "AACAPwAAIMA="}]));
    assert_eq!(told["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
    assert_eq!(answer.header("x-dragoman-dropped"), Some("other"));
}

#[test]
fn who_makes_no_vectors_is_passed_over_and_the_next_is_asked() {
    let sent = asked("/v1/embeddings", &json!({"model": "vectors", "input": "a"})).sent();
    assert!(
        sent.plan
            .passed_over()
            .contains("`claude/claude-haiku-4-5`: The model `claude/claude-haiku-4-5` makes no embeddings.")
    );
    let sent = sent.failed(503).sent();
    assert_eq!(header(&sent, ":path"), "/v1beta/models/gemini-embedding-001:batchEmbedContents");
    let sent = sent.failed(429).sent();
    assert_eq!(header(&sent, ":path"), "/api/embed");
    assert_eq!(header(&sent, "x-goog-api-key"), "");
    let answer = sent.answered(200, &[JSON], &[br#"{"embeddings":[[1]],"prompt_eval_count":1}"#]);
    let attempts = "openai/text-embedding-3-small=503,gemini/gemini-embedding-001=429,ollama/nomic=200";
    assert_eq!((answer.status, answer.header("x-dragoman-attempts")), (200, Some(attempts)));
}

#[test]
fn what_nobody_can_do_is_refused_before_anybody_is_asked() {
    for (path, request, expected) in [
        ("/v1/embeddings", json!({"model": "claude/claude-haiku-4-5", "input": "a"}), ("model", "makes no embeddings")),
        ("/v1/embeddings", json!({"model": "elsewhere", "input": [1, 2, 3]}), ("input", "no token numbers")),
        ("/v1/embeddings", json!({"model": "elsewhere", "input": [[1, 2], [3]]}), ("input", "no token numbers")),
        ("/v1/embeddings", json!({"model": "ollama/nomic", "input": []}), ("input", "at least one")),
        (
            "/v1/embeddings",
            json!({"model": "ollama/nomic", "input": "a", "dimensions": "b"}),
            ("dimensions", "right type"),
        ),
        (
            "/v1/embeddings",
            json!({"model": "ollama/nomic", "input": "a", "encoding_format": "x"}),
            ("encoding_format", "float"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "claude/claude-haiku-4-5", "prompt": "p"}),
            ("model", "draws no pictures"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-pro", "prompt": "p"}),
            ("model", "draws no pictures"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "p", "n": 2}),
            ("n", "at a time"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "p", "stream": true}),
            ("stream", "in parts"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "p", "response_format": "url"}),
            ("response_format", "a link"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "p", "size": "big"}),
            ("size", "1024x1024"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "n": 1}),
            ("prompt", "what to draw"),
        ),
        (
            "/v1/images/generations",
            json!({"model": "gemini/gemini-2.5-flash-image", "prompt": "p", "background": "transparent"}),
            ("background", "transparent"),
        ),
        ("/v1/moderations", json!({"model": "gemini/gemini-2.5-pro", "input": "a"}), ("model", "`/moderations`")),
    ] {
        let reply = asked(path, &request).refused();
        let told: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status, &told["error"]["param"]), (400, &json!(expected.0)), "{request}: {told}");
        assert!(told["error"]["message"].as_str().unwrap().contains(expected.1), "{request}: {told}");
    }
}

#[test]
fn an_answer_that_is_no_vector_for_each_text_is_none() {
    for answer in [&br#"{"embeddings":[[1]]}"#[..], br#"{"embeddings":[]}"#, b"{}", br#"{"error":"x"}"#, b"nothing"] {
        let sent = asked("/v1/embeddings", &json!({"model": "ollama/nomic", "input": ["a", "b"]})).sent();
        assert_eq!(sent.answered(200, &[JSON], &[answer]).status, 502, "{}", String::from_utf8_lossy(answer));
    }
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
fn a_picture_that_is_not_allowed_is_the_caller_s_error() {
    let request = json!({"model": "gemini/gemini-3-pro-image", "prompt": "p"});
    for (answer, status) in [
        (json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}), 400),
        (json!({"candidates": [{"finishReason": "IMAGE_SAFETY", "finishMessage": "Try another prompt."}]}), 400),
        (json!({"candidates": [{"finishReason": "NO_IMAGE"}]}), 502),
        (
            json!({"candidates": [{"content": {"parts": [{"text": "I would rather not."}]}, "finishReason": "STOP"}]}),
            502,
        ),
    ] {
        let answer =
            asked("/v1/images/generations", &request).sent().answered(200, &[JSON], &[answer.to_string().as_bytes()]);
        assert_eq!(answer.status, status, "{}", answer.text());
        if status == 400 {
            assert!(answer.text().contains("content_policy_violation"), "{}", answer.text());
        }
    }
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
fn other_paths_pass_with_their_model_resolved_whatever_they_answer() {
    for (path, model, content_type, answer, expected) in [
        ("moderations", "openai/omni-moderation-latest", "application/json", r#"{"results":[]}"#, None),
        ("rerank", "openai/rerank-2", "application/json", r#"{"results":[],"usage":{"total_tokens":9}}"#, Some(9)),
        ("audio/speech", "openai/tts-1", "audio/mpeg", "\u{1}\u{2}", None),
        (
            "fine_tuning/jobs",
            "openai/gpt-4o-mini",
            "application/json",
            r#"{"error":{"code":null},"status":"queued"}"#,
            None,
        ),
    ] {
        let sent = asked(&["/v1/", path].concat(), &json!({"model": model, "x": 1})).sent();
        assert_eq!(header(&sent, ":path"), ["/v1/", path].concat());
        assert_eq!(body(&sent), json!({"model": model.strip_prefix("openai/").unwrap(), "x": 1}));
        let plan = std::rc::Rc::clone(&sent.plan);
        let answer_of = sent.answered(200, &[("content-type", content_type)], &pieces(answer.as_bytes(), 3));
        assert_eq!((answer_of.status, answer_of.text()), (200, answer));
        assert_eq!(plan.usage().map(|usage| usage.input), expected, "{path}");
    }
}

#[test]
fn where_no_body_names_a_model_a_header_or_the_first_provider_decides() {
    let gateway = gateway(ALL);
    let get = |path: &str, more: &[(&str, &[u8])]| {
        let mut headers: Vec<(&str, &[u8])> = vec![(":method", b"GET")];
        headers.extend(more);
        ask(&gateway, post(path, &headers), &[])
    };
    let sent = get("/v1/files/file-1?limit=2&key=abc", &[]).sent();
    assert_eq!((header(&sent, ":path"), header(&sent, ":authority")), ("/v1/files/file-1?limit=2", "api.openai.com"));
    let sent = get("/ai/v1/batches", &[("x-dragoman-provider", b"second")]).sent();
    assert_eq!((header(&sent, ":path"), header(&sent, ":authority")), ("/api/v1/batches", "second.test"));
    assert_eq!(header(&sent, "x-dragoman-provider"), "");
    for (name, expected) in [("nobody", "names no provider"), ("gemini", "below /gemini/")] {
        let reply = get("/v1/files", &[("x-dragoman-provider", name.as_bytes())]).refused();
        assert!(reply.status == 400 && String::from_utf8_lossy(&reply.body).contains(expected), "{reply:?}");
    }
    let named: &[(&str, &[u8])] = &[("x-dragoman-provider", b"second")];
    let sent = ask(&gateway, post("/v1/batches", named), &[br#"{"input_file_id":"f"}"#]).sent();
    assert_eq!((header(&sent, ":path"), &*sent.body), ("/api/v1/batches", &br#"{"input_file_id":"f"}"#[..]));
}

#[test]
fn a_form_is_on_its_way_before_it_has_come() {
    let form: &[(&str, &[u8])] = &[("content-type", b"multipart/form-data; boundary=x")];
    for path in [
        "/v1/audio/transcriptions",
        "/v1/files",
        "/v1/images/edits",
        "/second/v1/audio/translations",
        "/v1/uploads/u/parts",
    ] {
        let sent = ask(&gateway(ALL), post(path, form), &[b"--x\r\n", b"model\r\n"]).sent();
        assert_eq!(sent.body, b"--x\r\nmodel\r\n");
        assert!(header(&sent, ":path").ends_with(path.strip_prefix("/second").unwrap_or(path)), "{path}");
        let answer = sent.answered(200, &[JSON], &[br#"{"text":"hi"}"#]);
        assert_eq!((answer.status, answer.text()), (200, r#"{"text":"hi"}"#));
    }
    let small = gateway(&ALL.replacen('{', r#"{"max_upload": 10,"#, 1));
    assert_eq!(ask(&small, post("/v1/files", form), &[b"1234567890"]).sent().body.len(), 10);
    assert_eq!(ask(&small, post("/v1/files", form), &[b"1234567890", b"1"]).refused().status, 413);
    let announced: &[(&str, &[u8])] = &[form[0], ("content-length", b"11")];
    assert_eq!(ask(&small, post("/v1/files", announced), &[b"1"]).refused().status, 413);
    assert_eq!(ask(&small, post("/v1/embeddings", form), &[b"1"]).refused().status, 415);
}

#[test]
fn a_key_for_certain_models_uses_no_path_that_does_not_name_one() {
    let file = ALL.replacen('{', r#"{"keys":[{"id":"k","sha256":"f3abf2a6cc4f00987743db5f544ba345b4899ae31f326d8ee9c4816de153c9e0","models":["openai/*"]}],"#, 1);
    let gateway = gateway(&file);
    let bearer = ("authorization", &b"Bearer sk-test"[..]);
    let form: &[(&str, &[u8])] = &[bearer, ("content-type", b"multipart/form-data; boundary=x")];
    assert_eq!(ask(&gateway, post("/v1/audio/transcriptions", form), &[b"1"]).refused().status, 403);
    assert_eq!(ask(&gateway, post("/v1/files", &[bearer, (":method", b"GET")]), &[]).refused().status, 403);
    let job = br#"{"model":"openai/gpt-4o-mini"}"#;
    assert_eq!(ask(&gateway, post("/v1/fine_tuning/jobs", &[bearer]), &[job]).refused().status, 403);
    ask(&gateway, post("/v1/moderations", &[bearer]), &[job]).sent();
    let other = br#"{"model":"second/x","input":"a"}"#;
    assert_eq!(ask(&gateway, post("/v1/embeddings", &[bearer]), &[other]).refused().status, 403);
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

/// Texts as a client may write them, and a vector for each.
fn texts_and_vectors() -> impl Strategy<Value = Vec<(String, Vec<f32>)>> {
    let number = prop_oneof![any::<f32>().prop_filter("a number", |number| number.is_finite()), -1.0_f32..1.0];
    prop::collection::vec((".{0,12}", prop::collection::vec(number, 1..5)), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn however_request_and_answer_are_cut_each_text_and_each_number_arrives(
        asked in texts_and_vectors(),
        seeds in any::<(u64, u64)>(),
        is_gemini in any::<bool>(),
        is_base64 in any::<bool>(),
    ) {
        let (texts, vectors): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let model = if is_gemini { "gemini/gemini-embedding-001" } else { "ollama/nomic" };
        let encoding = if is_base64 { "base64" } else { "float" };
        let request = json!({"model": model, "input": texts, "encoding_format": encoding}).to_string();
        let sent = ask(&gateway(ALL), post("/v1/embeddings", &[]), &pieces(request.as_bytes(), seeds.0)).sent();
        let written = body(&sent);
        let got = if is_gemini {
            let parts = written["requests"].as_array().unwrap().iter();
            parts.map(|part| part["content"]["parts"][0]["text"].clone()).collect()
        } else {
            written["input"].clone()
        };
        prop_assert_eq!(got, json!(texts));

        let numbers: Vec<String> = vectors.iter().map(|vector| format!("{vector:?}")).collect();
        let answer = if is_gemini {
            let values: Vec<String> = numbers.iter().map(|list| format!(r#"{{"values":{list}}}"#)).collect();
            format!(r#"{{"embeddings":[{}]}}"#, values.join(","))
        } else {
            format!(r#"{{"embeddings":[{}],"prompt_eval_count":1}}"#, numbers.join(","))
        };
        let answer = sent.answered(200, &[JSON], &pieces(answer.as_bytes(), seeds.1));
        prop_assert_eq!(answer.status, 200);
        if is_base64 {
            let told: Value = serde_json::from_slice(&answer.body).unwrap();
            for (item, vector) in told["data"].as_array().unwrap().iter().zip(&vectors) {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                prop_assert_eq!(&decoded(item["embedding"].as_str().unwrap()), &bytes);
            }
        } else {
            // To the letter.
            for list in &numbers {
                prop_assert!(answer.text().contains(list.as_str()), "{} {}", list, answer.text());
            }
        }
    }
}

/// Pieces of documents that a client or a provider may make others of.
const SHREDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "1e999",
    "-0",
    "\"\"",
    "\"x\"",
    "\"input\":",
    "\"model\":",
    "\"ollama/m\"",
    "\"gemini/x-image\"",
    "\"gemini/m\"",
    "\"prompt\":",
    "\"size\":",
    "\"1x1\"",
    "\"dimensions\":",
    "\"embeddings\":",
    "\"values\":",
    "\"candidates\":",
    "\"content\":",
    "\"parts\":",
    "\"inlineData\":",
    "\"data\":",
    "\"mimeType\":",
    "\"image/png\"",
    "\"usageMetadata\":",
    "\"prompt_eval_count\":",
    "\"n\":",
    "\\ud800",
    "\u{0}",
];

fn shreds() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(SHREDS), 0..24).prop_map(|shreds| shreds.concat())
}

proptest! {
    #[test]
    fn nothing_that_is_sent_or_answered_breaks_anything(
        request in shreds(),
        answer in shreds(),
        model in prop::sample::select(vec!["ollama/m", "gemini/m", "gemini/x-image", "openai/m"]),
        seed in any::<u64>(),
    ) {
        let gateway = gateway(ALL);
        for path in ["/v1/embeddings", "/v1/images/generations", "/v1/moderations"] {
            let _ = ask(&gateway, post(path, &[]), &pieces(request.as_bytes(), seed));
            let sound = json!({"model": model, "input": ["a"], "prompt": "p"}).to_string();
            if let Asked::Sent(sent) = ask(&gateway, post(path, &[]), &[sound.as_bytes()]) {
                let status = sent.answered(200, &[JSON], &pieces(answer.as_bytes(), seed)).status;
                prop_assert!([200, 400, 500, 502].contains(&status), "{}", status);
            }
        }
    }
}

/// Base64, the slow way.
fn decoded(text: &str) -> Vec<u8> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let values = text.trim_end_matches('=').chars().map(|letter| letters.find(letter).unwrap());
    let bits: Vec<bool> = values.flat_map(|value| (0..6).rev().map(move |bit| value >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect()
}
