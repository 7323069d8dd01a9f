//! What takes no conversation, from outside: embeddings, images, moderations, reranking, audio, files, in each dialect.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;

fn post(simulator: &Simulator, path: &str, headers: &str, body: &Value) -> Answered {
    parse(&exchange(simulator, &request("POST", path, headers, &body.to_string())).0)
}

fn run(path: &str, body: &Value) -> Value {
    let answered = post(&start(), path, "", body);
    assert_eq!(answered.status(), 200, "{}", answered.text());
    answered.json()
}

fn refused(path: &str, body: &Value) -> String {
    let answered = post(&start(), path, "", body);
    assert_eq!(answered.status(), 400, "{}", answered.text());
    answered.json()["error"]["message"].as_str().unwrap().to_owned()
}

fn floats(embedding: &Value) -> Vec<f32> {
    match embedding.as_str() {
        Some(text) => {
            let bytes = STANDARD.decode(text).unwrap();
            bytes.chunks_exact(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect()
        }
        None => serde_json::from_value(embedding.clone()).unwrap(),
    }
}

#[test]
fn every_dialect_and_encoding_has_the_same_vector_for_a_text() {
    let ask = |format: &str| {
        let body = json!({"model": "text-embedding-3-small", "input": ["a", "b c"], "dimensions": 8, "encoding_format": format});
        run("/v1/embeddings", &body)
    };
    let (listed, encoded) = (ask("float"), ask("base64"));
    assert_eq!(listed["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
    let ollama = run("/api/embed", &json!({"model": "nomic-embed-text", "input": ["a", "b c"], "dimensions": 8}));
    let simulator = start();
    let part = |text: &str| json!({"model": "models/g-001", "content": {"parts": [{"text": text}]}, "outputDimensionality": 8});
    let body = json!({"requests": [part("a"), part("b c")]});
    let gemini = post(&simulator, "/v1beta/models/g-001:batchEmbedContents", "x-goog-api-key: k\r\n", &body).json();
    for index in 0..2 {
        let vector = floats(&listed["data"][index]["embedding"]);
        assert_eq!(vector.len(), 8);
        assert_eq!(floats(&encoded["data"][index]["embedding"]), vector);
        assert_eq!(floats(&ollama["embeddings"][index]), vector);
        assert_eq!(floats(&gemini["embeddings"][index]["values"]), vector);
    }
    let one = post(&simulator, "/v1beta/models/g-001:embedContent", "x-goog-api-key: k\r\n", &part("a")).json();
    assert_eq!(one, json!({"embedding": gemini["embeddings"][0]}));
}

#[test]
fn embeddings_have_the_models_length_and_take_tokens() {
    let body = json!({"model": "text-embedding-3-large", "input": [[1, 2, 3], [4]]});
    let answer = run("/v1/embeddings", &body);
    assert_eq!((floats(&answer["data"][0]["embedding"]).len(), &answer["usage"]["total_tokens"]), (3072, &json!(4)));
    for (field, value, words) in [
        ("input", json!(""), "'$.input' is invalid"),
        ("input", json!([]), "'$.input' is invalid"),
        ("input", json!(["a", 5]), "'$.input' is invalid"),
        ("dimensions", json!(-1), "-1 is less than the minimum of 1"),
        ("dimensions", json!(4000), "Must be less than or equal to 3072"),
        ("encoding_format", json!("x"), "Must be one of"),
        ("taskType", json!("x"), "Unrecognized request argument supplied: taskType"),
    ] {
        let mut body = json!({"model": "text-embedding-3-large", "input": "x"});
        body[field] = value;
        assert!(refused("/v1/embeddings", &body).contains(words), "{field}");
    }
    assert!(
        refused("/v1/embeddings", &json!({"model": "text-embedding-ada-002", "input": "x", "dimensions": 3}))
            .contains("does not support")
    );
}

#[test]
fn gemini_wants_its_names_and_the_model_twice() {
    let simulator = start();
    let refused = |operation: &str, body: Value| {
        let answered = post(&simulator, &format!("/v1beta/models/g:{operation}"), "x-goog-api-key: k\r\n", &body);
        assert_eq!(answered.status(), 400);
        answered.json()["error"]["message"].as_str().unwrap().to_owned()
    };
    let content = json!({"parts": [{"text": "x"}]});
    assert!(
        refused("embedContent", json!({"content": content, "dimensions": 5})).contains("Unknown name \"dimensions\"")
    );
    assert!(refused("embedContent", json!({"content": {"parts": []}})).contains("content"));
    assert!(
        refused("batchEmbedContents", json!({"requests": [{"content": content}]})).contains("must match the model")
    );
}

#[test]
fn the_image_families_differ_as_the_real_ones_do() {
    let older = run("/v1/images/generations", &json!({"model": "dall-e-3", "prompt": "a fox"}));
    assert!(older["data"][0]["url"].as_str().unwrap().starts_with("https://") && older.get("usage").is_none());
    let newer =
        run("/v1/images/generations", &json!({"model": "gpt-image-1", "prompt": "a fox", "n": 2, "quality": "low"}));
    assert_eq!(newer["data"].as_array().unwrap().len(), 2);
    assert_eq!((&newer["usage"]["output_tokens"], &newer["quality"]), (&json!(544), &json!("low")));
    let bytes = STANDARD.decode(newer["data"][0]["b64_json"].as_str().unwrap()).unwrap();
    assert!(bytes.starts_with(b"\x89PNG"));
    for (body, words) in [
        (
            json!({"model": "gpt-image-1", "prompt": "x", "response_format": "url"}),
            "Unknown parameter: 'response_format'.",
        ),
        (json!({"model": "gpt-image-1", "prompt": "x", "size": "256x256"}), "Invalid value: '256x256'."),
        (json!({"model": "dall-e-3", "prompt": "x", "n": 2}), "Expected a value <= 1"),
        (json!({"model": "dall-e-3"}), "Missing required parameter: 'prompt'."),
    ] {
        assert!(refused("/v1/images/generations", &body).contains(words), "{body}");
    }
}

#[test]
fn an_image_streams_its_drafts() {
    let body = json!({"model": "gpt-image-1", "prompt": "a fox", "stream": true, "partial_images": 2});
    let answered = post(&start(), "/v1/images/generations", "", &body);
    let kinds: Vec<&str> = answered.text().lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let partial = "image_generation.partial_image";
    assert_eq!(kinds, [partial, partial, "image_generation.completed"]);
}

#[test]
fn gemini_draws_where_it_is_asked_to() {
    let body = json!({
        "contents": [{"role": "user", "parts": [{"text": "a fox"}]}],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]},
    });
    let path = "/v1beta/models/gemini-2.5-flash-image:generateContent";
    let answer = post(&start(), path, "x-goog-api-key: k\r\n", &body).json();
    let parts = answer["candidates"][0]["content"]["parts"].as_array().unwrap().clone();
    assert_eq!(parts[1]["inlineData"]["mimeType"], "image/png");
    assert_eq!(answer["usageMetadata"]["candidatesTokensDetails"], json!([{"modality": "IMAGE", "tokenCount": 1290}]));
}

#[test]
fn moderation_flags_what_speaks_of_violence() {
    let answer = run("/v1/moderations", &json!({"input": ["hello", "I will kill you"]}));
    let flags: Vec<&Value> = answer["results"].as_array().unwrap().iter().map(|result| &result["flagged"]).collect();
    assert_eq!(flags, [&json!(false), &json!(true)]);
    assert_eq!(answer["results"][1]["categories"]["violence"], true);
    let parts = json!({"input": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "x"}}]});
    assert_eq!(run("/v1/moderations", &parts)["results"].as_array().unwrap().len(), 1);
}

#[test]
fn reranking_puts_the_nearest_first() {
    let body = json!({"model": "r", "query": "red fox", "documents": ["a dog", "the red fox"], "top_n": 1});
    let answer = run("/v1/rerank", &body);
    assert_eq!((answer["results"].as_array().unwrap().len(), &answer["results"][0]["index"]), (1, &json!(1)));
}

#[test]
fn speech_is_bytes_of_every_value_in_pieces() {
    let body = json!({"model": "gpt-4o-mini-tts", "input": "two words", "voice": "alloy"});
    let answered = post(&start(), "/v1/audio/speech", "", &body);
    assert_eq!(
        (answered.header("content-type"), answered.header("transfer-encoding")),
        (Some("audio/mpeg"), Some("chunked"))
    );
    assert_eq!(answered.body.len(), 4096);
    assert!((0..=255_u8).all(|byte| answered.body.contains(&byte)));
}

const FORM: &str = "content-type: multipart/form-data; boundary=xx\r\n";

fn form(parts: &[(&str, &str)]) -> String {
    let part =
        |(head, text): &(&str, &str)| format!("--xx\r\ncontent-disposition: form-data; {head}\r\n\r\n{text}\r\n");
    let parts: String = parts.iter().map(part).collect();
    format!("{parts}--xx--\r\n")
}

#[test]
fn a_transcription_names_the_file_it_heard_and_refuses_one_that_was_cut() {
    let body = form(&[("name=\"model\"", "whisper-1"), ("name=\"file\"; filename=\"a.wav\"", "\0\r\n--x\u{ff}")]);
    let simulator = start();
    let ask = |body: &str| parse(&exchange(&simulator, &request("POST", "/v1/audio/transcriptions", FORM, body)).0);
    assert_eq!(ask(&body).json()["text"], "This is whisper-1, simulated. I heard a.wav (8 bytes).");
    assert_eq!(ask(body.strip_suffix("--xx--\r\n").unwrap()).status(), 400);
    let plain = form(&[
        ("name=\"model\"", "whisper-1"),
        ("name=\"response_format\"", "text"),
        ("name=\"file\"; filename=\"a.wav\"", ""),
    ]);
    assert_eq!(ask(&plain).header("content-type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn a_file_is_kept_until_it_is_deleted() {
    let simulator = start();
    let body = form(&[("name=\"purpose\"", "user_data"), ("name=\"file\"; filename=\"a.txt\"", "hello")]);
    let file = parse(&exchange(&simulator, &request("POST", "/v1/files", FORM, &body)).0).json();
    let by = |method: &str, path: &str| parse(&exchange(&simulator, &request(method, path, "", "")).0);
    let path = format!("/v1/files/{}", file["id"].as_str().unwrap());
    assert_eq!((&file["bytes"], by("GET", &path).json()), (&json!(5), file.clone()));
    assert_eq!(by("GET", &format!("{path}/content")).text(), "hello");
    assert_eq!(by("GET", "/v1/files").json()["data"], json!([file]));
    assert_eq!(by("DELETE", &path).json()["deleted"], true);
    assert_eq!((by("GET", &path).status(), by("PUT", "/v1/files").status()), (404, 405));
}

#[test]
fn the_old_completions_answer_every_prompt_and_repeat_it_when_asked() {
    let body = json!({"model": "gpt-3.5-turbo-instruct", "prompt": ["a", "b"], "n": 2, "echo": true, "logprobs": 1});
    let answer = run("/v1/completions", &body);
    let texts: Vec<&str> =
        answer["choices"].as_array().unwrap().iter().map(|choice| choice["text"].as_str().unwrap()).collect();
    assert!(texts.len() == 4 && texts[1].starts_with('a') && texts[2].starts_with('b'));
    assert_eq!(answer["choices"][2]["logprobs"]["text_offset"][0], 1);
    let answered =
        post(&start(), "/v1/completions", "", &json!({"model": "m", "prompt": "a", "stream": true, "max_tokens": 2}));
    let events = answered.events();
    assert_eq!((events.len(), &events[2]["choices"][0]["finish_reason"]), (4, &json!("length")));
    assert!(
        refused("/v1/completions", &json!({"model": "m", "prompt": [123_456]})).starts_with("Invalid token in prompt")
    );
    assert!(
        refused("/v1/completions", &json!({"model": "m", "messages": []})).contains("Unrecognized request argument")
    );
}

#[test]
fn faults_are_those_of_every_other_api() {
    for (path, body) in [
        ("/v1/embeddings", json!({"model": "e-sim-status-503", "input": "x"})),
        ("/v1/images/generations", json!({"model": "dall-e-3-sim-status-503", "prompt": "x"})),
        ("/api/embed", json!({"model": "e-sim-status-503", "input": "x"})),
    ] {
        assert_eq!(post(&start(), path, "", &body).status(), 503, "{path}");
    }
    assert_eq!(parse(&exchange(&start(), &request("GET", "/v1/embeddings", "", "")).0).status(), 405);
}
