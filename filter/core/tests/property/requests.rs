//! Requests of OpenAI's, made up: read and written in the same format they are the same, and any format can be made of them.

use dragoman_core::dialect::{Downstream, Upstream, openai_chat::OpenAiChat};
use proptest::{option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

use crate::{
    UPSTREAMS, aim, is_header,
    stage::{self, ask, post},
};

/// Text with what hurts: quotes, escapes, several bytes a character, line ends.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-zäß🐪\"\\\\\n ]{1,12}", 1 => any::<String>().prop_filter("not empty", |text| !text.is_empty())]
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_]{1,8}"
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string", "minLength": 1})),
        Just(json!({"type": "integer", "enum": [1, 2]})),
        Just(json!(true)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop::collection::btree_map(name(), inner, 0..3).prop_map(|properties| {
            let required: Vec<_> = properties.keys().cloned().collect();
            json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
        })
    })
    .prop_filter("an object", |schema| schema["type"] == "object")
}

fn part() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => text().prop_map(|text| json!({"type": "text", "text": text})),
        1 => Just(json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0=", "detail": "low"}})),
        1 => Just(json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}})),
        1 => Just(json!({"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}})),
        1 => Just(json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"}})),
        1 => Just(json!({"type": "file", "file": {"file_id": "file-1"}})),
    ]
}

/// A string, or several parts: one part of text is written as a string.
fn content() -> impl Strategy<Value = Value> {
    prop_oneof![text().prop_map(Value::from), prop::collection::vec(part(), 2..4).prop_map(Value::from)]
}

fn call() -> impl Strategy<Value = Value> {
    let arguments = prop_oneof![Just("{}".to_owned()), Just("{\"a\":[1.50,{}]}".to_owned()), text()];
    ("call_[a-z0-9]{4}", name(), arguments).prop_map(|(id, name, arguments)| {
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
    })
}

fn message() -> impl Strategy<Value = Value> {
    prop_oneof![
        (select(&["system", "developer", "user"][..]), content(), option::of(name())).prop_map(
            |(role, content, name)| {
                let mut message = json!({"role": role, "content": content});
                if let Some(name) = name {
                    message["name"] = json!(name);
                }
                message
            }
        ),
        text().prop_map(|text| json!({"role": "assistant", "content": text})),
        text().prop_map(|text| json!({"role": "assistant", "refusal": text})),
        (option::of(text()), prop::collection::vec(call(), 1..3)).prop_map(|(text, calls)| {
            let mut message = json!({"role": "assistant", "tool_calls": calls});
            if let Some(text) = text {
                message["content"] = json!(text);
            }
            message
        }),
        ("call_[a-z0-9]{4}", content())
            .prop_map(|(id, content)| json!({"role": "tool", "tool_call_id": id, "content": content})),
    ]
}

fn tool() -> impl Strategy<Value = Value> {
    (name(), option::of(text()), option::of(schema()), option::of(any::<bool>())).prop_map(
        |(name, description, parameters, strict)| {
            let mut function = json!({"name": name});
            let members = [
                ("description", description.map(Value::from)),
                ("parameters", parameters),
                // Where the schema can be held to: see the test of that.
                ("strict", strict.map(|_| json!(false))),
            ];
            for (name, value) in members {
                if let Some(value) = value {
                    function[name] = value;
                }
            }
            json!({"type": "function", "function": function})
        },
    )
}

fn tool_choice() -> impl Strategy<Value = Value> {
    let named = |name: String| json!({"type": "function", "function": {"name": name}});
    prop_oneof![
        select(&["auto", "none", "required"][..]).prop_map(Value::from),
        name().prop_map(named),
        (select(&["auto", "required"][..]), prop::collection::vec(name().prop_map(named), 1..3)).prop_map(
            |(mode, tools)| json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}})
        ),
    ]
}

fn format() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"type": "text"})),
        Just(json!({"type": "json_object"})),
        (name(), text(), schema()).prop_map(|(name, description, schema)| json!({
            "type": "json_schema",
            "json_schema": {"name": name, "description": description, "schema": schema, "strict": false},
        })),
    ]
}

/// A number of the members that are no messages, in the one spelling of several that the gateway writes.
fn members() -> impl Strategy<Value = Map<String, Value>> {
    let hundredths = |range: core::ops::Range<i32>| range.prop_map(|hundredths| json!(f64::from(hundredths) / 100.0));
    let member = prop_oneof![
        prop::collection::vec(tool(), 1..3).prop_map(|tools| ("tools", json!(tools))),
        tool_choice().prop_map(|choice| ("tool_choice", choice)),
        any::<bool>().prop_map(|parallel| ("parallel_tool_calls", json!(parallel))),
        format().prop_map(|format| ("response_format", format)),
        (1_u64..100_000).prop_map(|tokens| ("max_completion_tokens", json!(tokens))),
        prop::collection::vec(text(), 1..4).prop_map(|stop| ("stop", json!(stop))),
        hundredths(0..200).prop_map(|number| ("temperature", number)),
        hundredths(0..100).prop_map(|number| ("top_p", number)),
        hundredths(-200..200).prop_map(|number| ("presence_penalty", number)),
        hundredths(-200..200).prop_map(|number| ("frequency_penalty", number)),
        any::<i64>().prop_map(|seed| ("seed", json!(seed))),
        (1_u32..5).prop_map(|n| ("n", json!(n))),
        Just(("logprobs", json!(true))),
        select(&["none", "minimal", "low", "medium", "high", "xhigh"][..])
            .prop_map(|effort| ("reasoning_effort", json!(effort))),
        text().prop_map(|user| ("user", json!(user))),
        select(&["auto", "default", "flex", "priority"][..]).prop_map(|tier| ("service_tier", json!(tier))),
        Just(("stream", json!(true))),
        Just(("metadata", json!({"a": "b"}))),
        Just(("logit_bias", json!({"50256": -100}))),
        Just(("web_search_options", json!({}))),
    ];
    prop::collection::vec(member, 0..8)
        .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A request.
pub(crate) fn request() -> impl Strategy<Value = Value> {
    (prop::collection::vec(message(), 1..5), members()).prop_map(|(messages, mut members)| {
        members.insert("messages".into(), json!(messages));
        members.insert("model".into(), json!("m"));
        if members.contains_key("stream") {
            members.insert("stream_options".into(), json!({"include_usage": true}));
        }
        Value::Object(members)
    })
}

proptest! {
    #[test]
    fn a_request_that_is_read_and_written_again_is_the_same(mut request in request()) {
        // A model that takes these wishes about thought, and parameters of sampling.
        request["model"] = json!("gpt-oss");
        if request["reasoning_effort"].as_str().is_some_and(|effort| !["low", "medium", "high"].contains(&effort)) {
            request["reasoning_effort"] = json!("high");
        }
        if request["reasoning_effort"].is_null() {
            request.as_object_mut().unwrap().remove("reasoning_effort");
        }
        // What a tool answers besides text is told behind it.
        for message in request["messages"].as_array_mut().unwrap() {
            let has_others = |parts: &Vec<Value>| parts.iter().any(|part| part["type"] != "text");
            if message["role"] == "tool" && message["content"].as_array().is_some_and(has_others) {
                message["content"] = json!("18");
            }
        }
        let body = request.to_string();
        let read = Downstream::read(&OpenAiChat, &body).unwrap();
        let written = Upstream::write(&OpenAiChat, &read, &aim("gpt-oss")).unwrap();
        let again: Value = serde_json::from_slice(&written.body).unwrap();
        prop_assert_eq!(&again, &request);
        prop_assert!(written.dropped.names().is_empty());
    }

    #[test]
    fn any_format_can_be_made_of_a_request_or_a_field_is_blamed(
        mut request in request(),
        unknown in option::of(any::<String>()),
    ) {
        if let Some(unknown) = unknown.filter(|name| request.get(name).is_none()) {
            request[unknown] = json!(1);
        }
        let body = request.to_string();
        let Ok(read) = Downstream::read(&OpenAiChat, &body) else { return Ok(()) };
        for (upstream, model) in UPSTREAMS {
            match upstream.write(&read, &aim(model)) {
                Ok(written) => {
                    let body: Value = serde_json::from_slice(&written.body).unwrap();
                    prop_assert!(body.is_object() && written.path.starts_with('/'), "{}", upstream.name());
                    for (name, value) in &written.headers {
                        prop_assert!(is_header(name, value), "{}: {name}: {value}", upstream.name());
                    }
                }
                Err(error) => {
                    prop_assert_eq!(error.kind.status(), 400);
                    prop_assert!(error.param.is_some(), "{}: {:?}", upstream.name(), error);
                }
            }
        }
    }
    #[test]
    fn what_is_left_out_is_told_in_a_header_that_can_be_said(names in prop::collection::btree_set(any::<String>(), 1..60)) {
        let mut request = json!({"messages": [{"role": "user", "content": "x", "name": "y"}]});
        for name in names {
            // No field that is known begins so.
            request[format!("x_{name}")] = json!("z");
        }
        for kind in ["anthropic", "gemini", "ollama"] {
            request["model"] = json!("p/m");
            let gateway = format!(r#"{{"providers":{{"p":{{"kind":"{kind}","base_url":"http://127.0.0.1:1"}}}}}}"#);
            let sent = ask(&stage::gateway(&gateway), post("/v1/chat/completions", &[]), &[request.to_string().as_bytes()]).sent();
            let answer = sent.answered(500, &[("content-type", "application/json")], &[b"{}"]);
            let told = answer.header("x-dragoman-dropped").expect("the participant's name is always left out");
            prop_assert!(is_header(&"x".into(), told) && told.len() < 8000, "{kind}: {told:?}");
        }
    }
}
