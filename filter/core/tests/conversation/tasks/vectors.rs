//! Vectors: as they are asked for, made by others, and counted.

use super::*;

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
fn token_numbers_are_found_however_long_the_body_is() {
    let request = json!({"input": vec![12_345; 100_000], "model": "elsewhere"});
    assert!(request.to_string().len() > 512 * 1024);
    let reply = asked("/v1/embeddings", &request).refused();
    let told: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((reply.status, &told["error"]["param"]), (400, &json!("input")), "{told}");
}

#[test]
fn who_takes_no_more_than_a_hundred_texts_is_passed_over_for_more() {
    for (count, path) in [(100, "/v1beta/models/gemini-embedding-001:batchEmbedContents"), (101, "/api/embed")] {
        let sent = asked("/v1/embeddings", &json!({"model": "elsewhere", "input": vec!["a"; count]})).sent();
        assert_eq!(header(&sent, ":path"), path, "{count}");
    }
    let alone = json!({"model": "gemini/gemini-embedding-001", "input": vec!["a"; 2_048]});
    let reply = asked("/v1/embeddings", &alone).refused();
    let told = String::from_utf8_lossy(&reply.body).into_owned();
    assert!(reply.status == 400 && told.contains("100 texts at a time"), "{told}");
}

#[test]
fn an_answer_that_is_no_vector_for_each_text_is_none() {
    for answer in [&br#"{"embeddings":[[1]]}"#[..], br#"{"embeddings":[]}"#, b"{}", br#"{"error":"x"}"#, b"nothing"] {
        let sent = asked("/v1/embeddings", &json!({"model": "ollama/nomic", "input": ["a", "b"]})).sent();
        assert_eq!(sent.answered(200, &[JSON], &[answer]).status, 502, "{}", String::from_utf8_lossy(answer));
    }
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

/// Base64, the slow way.
fn decoded(text: &str) -> Vec<u8> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let values = text.trim_end_matches('=').chars().map(|letter| letters.find(letter).unwrap());
    let bits: Vec<bool> = values.flat_map(|value| (0..6).rev().map(move |bit| value >> bit & 1 == 1)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect()
}
