//! What a head says, what is changed in it, and what it is refused for.

use super::*;
use crate::dialect::openai_chat::SCHEME;

fn read(body: &str) -> Result<ChatRequest, Error> {
    let mut scanner = SCHEME.scanner();
    let fed = scanner.feed(body.as_bytes());
    SCHEME.read(fed.and_then(|()| scanner.finish()), body.len())
}

fn sent(body: &str, id: &str) -> String {
    sent_to((StreamOptions::Asked, None), body, id)
}

fn sent_to((stream_options, max_tokens): (StreamOptions, Option<&str>), body: &str, id: &str) -> String {
    let mut bytes = body.as_bytes().to_vec();
    read(body).unwrap().edits(id, stream_options, max_tokens).apply_in_place(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn only_the_model_changes_in_a_whole_request() {
    assert_eq!(sent(r#"{ "model" : "openai\/gpt-4o","x":1.50}"#, "gpt-4o"), r#"{ "model" : "gpt-4o","x":1.50}"#);
    assert_eq!(sent(r#"{"model":"gpt-4o"}"#, "gpt-4o"), r#"{"model":"gpt-4o"}"#);
}

#[test]
fn a_model_that_nobody_named_is_added() {
    for (body, expected) in [
        (r#"{"x":{}}"#, r#"{"model":"m","x":{}}"#),
        (" { \"x\":1}", " {\"model\":\"m\", \"x\":1}"),
        ("{}", r#"{"model":"m"}"#),
        ("{ }", r#"{"model":"m" }"#),
        (r#"{"stream":true}"#, r#"{"model":"m","stream_options":{"include_usage":true},"stream":true}"#),
        (r#"{"x":1,"model" : ""}"#, r#"{"x":1,"model" : "m"}"#),
    ] {
        assert_eq!(read(body).unwrap().model, None);
        assert_eq!(sent(body, "m"), expected);
    }
}

#[test]
fn usage_is_asked_for_in_streams() {
    for (body, expected) in [
        (r#"{"model":"m","stream":true}"#, r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#),
        (
            r#"{"stream_options": {} ,"model":"m","stream":true}"#,
            r#"{"stream_options": {"include_usage":true} ,"model":"m","stream":true}"#,
        ),
        (
            r#"{"stream_options":{"include_obfuscation":false, "include_usage": false},"model":"m","stream":true}"#,
            r#"{"stream_options":{"include_obfuscation":false, "include_usage": true},"model":"m","stream":true}"#,
        ),
        (
            r#"{"stream_options":{"x":1},"model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true,"x":1},"model":"m","stream":true}"#,
        ),
        (
            r#"{"stream_options":null,"model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#,
        ),
    ] {
        assert_eq!(sent(body, "m"), expected);
        assert!(!read(body).unwrap().wants_usage());
    }
    let own = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(sent(own, "m"), own);
    assert!(read(own).unwrap().wants_usage());
}

#[test]
fn a_vendor_gets_what_it_takes() {
    let asked = r#"{"model":"m","max_completion_tokens":5,"stream":true,"stream_options":{"include_usage":true}}"#;
    let mistral = (StreamOptions::Cut, Some("max_tokens"));
    assert_eq!(sent_to(mistral, asked, "m"), r#"{"model":"m","max_tokens":5,"stream":true}"#);
    let plain = r#"{"model":"m","stream":true}"#;
    assert_eq!(sent_to(mistral, plain, "m"), plain);
    assert_eq!(sent(asked, "m"), asked);
}

#[test]
fn what_a_request_is_made_of_is_told_without_reading_it() {
    let of = |body: &str| {
        let Contents { images, has_tools, .. } = read(body).unwrap().contents;
        (images, has_tools)
    };
    for (body, expected) in [
        (r#"{"messages":[{"content":"image_url","type":"tools"}]}"#, (0, false)),
        (r#"{"tools":[ ]}"#, (0, false)),
        (r#"{"tools":null,"messages":[{"tools":[1]}]}"#, (0, false)),
        (r#"{"tools":[{}]}"#, (0, true)),
        (r#"{"messages":[{"content":[{"type":"image_url","image_url":{}},{"type":"image"}]}]}"#, (2, false)),
        // A tool's parameter of that name.
        (r#"{"tools":[{"properties":{"image_url":{"type":"string"},"type":{"enum":["image"]}}}]}"#, (0, true)),
    ] {
        assert_eq!(of(body), expected, "{body}");
    }
    let long = format!(r#"{{"tools":[{}]}}"#, r#"{"a":1},"#.repeat(9000).trim_end_matches(','));
    assert_eq!(of(&long), (0, true));
}

#[test]
fn what_may_name_other_models_is_noticed_and_schemas_are_not() {
    for (body, expected) in [
        (r#"{"model":"m","messages":[{"model":"x","models":["x"]}]}"#, false),
        (r#"{"models":["x"]}"#, true),
        (r#"{"m\u006fdels":["x"]}"#, true),
        (r#"{"Models":["x"]}"#, true),
        (r#"{"models":null}"#, false),
        (r#"{"fallbacks":[{"a":"b"}]}"#, true),
        (r#"{"safety_model":"x"}"#, true),
        (r#"{"preset":"x"}"#, true),
        (r#"{"provider\u004fptions":{"gateway":{}}}"#, true),
        (r#"{"provider":{"order":["x"]}}"#, false),
        (r#"{"tools":[{"type":"image_generation","model":"x"}]}"#, true),
        (r#"{"tools":[{"type":"image_generation","\u006dodel":"x"}]}"#, true),
        (r#"{"tools":[{"type":"x","parameters":{"models":["x"]}}]}"#, true),
        (r#"{"tools":[{"parameters":{"properties":{"model":{"type":"string"}},"required":["model"]}}]}"#, false),
        (r#"{"tools":[{"name":"model"}],"tool_choice":{"name":"model"}}"#, false),
        (r#"{"plugins":[{"id":"auto-router","allowed_models":["x"]}]}"#, true),
        (r#"{"plugins":[{"id":"web"}]}"#, false),
    ] {
        assert_eq!(read(body).unwrap().contents.names_others, expected, "{body}");
    }
}

#[test]
fn pictures_and_white_space_are_no_text() {
    let picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ".repeat(50);
    for (text, is_text) in [
        (format!("data:image/png;base64,{picture}"), false),
        (picture.clone(), false),
        (picture.replace('A', "\\/"), false),
        ("word ".repeat(300), true),
        ("漢字".repeat(300), true),
        (picture.chars().take(1000).collect(), true),
    ] {
        let body = format!("{{ \"url\" :\n\"{text}\"}}");
        let own = body.len() - 3 - if is_text { 0 } else { text.len() };
        assert_eq!(read(&body).unwrap().contents.text_length, own, "{text}");
    }
}

#[test]
fn who_asks_and_for_how_much_is_told_where_it_is_said() {
    let of = |body: &str| {
        let request = read(body).unwrap();
        (request.user, request.bounds.max_tokens)
    };
    assert_eq!(of(r#"{"user":"a\u0062","max_tokens":5}"#), (Some("ab".into()), Some(5)));
    assert_eq!(of(r#"{"max_tokens":5,"max_completion_tokens":6}"#), (None, Some(6)));
    // What is wrong with these, the provider says.
    assert_eq!(of(r#"{"user":7,"max_tokens":"many"}"#), (None, None));
    // Nor does it bound an answer that there is to be nothing of it: some servers write as much as they like then.
    assert_eq!(of(r#"{"max_tokens":0}"#), (None, None));
}

#[test]
fn how_long_an_answer_may_be_is_said_in_the_words_of_its_format() {
    let none = (None, None);
    let bounds = |body: &str| {
        [OF_CHAT, OF_RESPONSES, OF_GEMINI, OF_OLLAMA].map(|terms| {
            let mut scanner = SCHEME.scanner();
            scanner.feed(body.as_bytes()).unwrap();
            let Bounds { max_tokens, choices } = Bounds::of(&scanner.finish().unwrap(), terms);
            (max_tokens, choices)
        })
    };
    for (body, expected) in [
        (r#"{"n":3}"#, [(None, Some(3)); 4]),
        (r#"{"n":1,"best_of":3}"#, [(None, Some(3)); 4]),
        (r#"{"n":2,"prompt":["a","b","c"]}"#, [(None, Some(6)); 4]),
        (r#"{"prompt":[[1,2],[3]]}"#, [(None, Some(2)); 4]),
        (r#"{"prompt":[1,2,3,4]}"#, [none; 4]),
        (r#"{"prompt":"a"}"#, [none; 4]),
        (r#"{"max_tokens":5e3}"#, [(Some(5_000), None), none, none, none]),
        (r#"{"max_tokens":"5000"}"#, [(Some(5_000), None), none, none, none]),
        (r#"{"max_tokens":5000.5}"#, [(Some(5_000), None), none, none, none]),
        (r#"{"max_tokens":1e999}"#, [(Some(u64::MAX), None), none, none, none]),
        (r#"{"max_tokens":-1}"#, [none; 4]),
        (r#"{"max_tokens":"inf"}"#, [(Some(u64::MAX), None), none, none, none]),
        (r#"{"n":0,"max_completion_tokens":6}"#, [(Some(6), None), none, none, none]),
        (r#"{"max_output_tokens":7,"n":null}"#, [none, (Some(7), None), none, none]),
        (
            r#"{"generationConfig":{"temperature":1,"maxOutputTokens":8,"candidateCount":2}}"#,
            [none, none, (Some(8), Some(2)), none],
        ),
        (
            r#"{"generation_config":{"max_output_tokens":8},"generationConfig":{"maxOutputTokens":9}}"#,
            [none, none, (Some(9), None), none],
        ),
        (r#"{"options":{"num_predict":9,"seed":1}}"#, [none, none, none, (Some(9), None)]),
        // Without an end, to Ollama.
        (r#"{"options":{"num_predict":-1}}"#, [none; 4]),
        (r#"{"options":{"num_predict":0}}"#, [none; 4]),
        (r#"{"max_tokens":1,"options":{"num_predict":9}}"#, [(Some(1), None), none, none, (Some(9), None)]),
        (r#"{"options":["num_predict"],"generationConfig":null}"#, [none; 4]),
        (r#"{"messages":[{"n":9,"max_tokens":9}]}"#, [none; 4]),
    ] {
        assert_eq!(bounds(body), expected, "{body}");
    }
}

#[test]
fn a_letter_counts_the_same_however_it_is_written() {
    let length = |text: &str| read(&format!(r#"{{"messages":"{text}"}}"#)).unwrap().contents.text_length;
    assert_eq!(length("\\u6f22\\u5b57"), length("漢字"));
    assert_eq!(length("\\n\\u0041\\\\u0041"), length("\\nabc\\\\u0041"));
}

#[test]
fn wrong_types_blame_their_field() {
    for (body, param) in [
        (r#"{"model":null}"#, Some("model")),
        (r#"{"model":1}"#, Some("model")),
        (r#"{"model":"m","temperature":2.5}"#, Some("temperature")),
        (r#"{"model":"m\r\nset-cookie: a=b"}"#, Some("model")),
        (r#"{"model":"modèle"}"#, Some("model")),
        (r#"{"model":"m","stream":"yes"}"#, Some("stream")),
        (r#"{"model":"m","stream":true,"stream_options":[]}"#, Some("stream_options")),
        (r#"{"model":"m","model":"n"}"#, Some("model")),
        (r#"{"model":"m""#, None),
    ] {
        let error = read(body).unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (Kind::InvalidRequest, param), "{body}");
    }
}
