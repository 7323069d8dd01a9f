//! An answer as the client gets it, where it comes event for event, and that it is the same as a whole one.

use super::*;

/// A stream in pieces of this length, as OpenAI's clients get it: its chunks, and whether it was well ended.
fn streamed(stream: &str, length: usize) -> Result<(Vec<Value>, bool), u16> {
    let translation = Translation::new(&Anthropic, CLIENT, "p", identity(), true);
    let mut passage = Passage::new(&crate::plan::Target::any(), Framing::Events, Box::new(translation));
    let mut out = Vec::new();
    let pieces = stream.as_bytes().chunks(length).map(|piece| (piece, false));
    for (piece, end) in pieces.chain([(&[][..], true)]) {
        match passage.feed(piece, end) {
            Fed::Go(Chunk::Replace(bytes)) => out.extend(bytes),
            Fed::Go(Chunk::Keep) => out.extend_from_slice(piece),
            Fed::Nothing => {}
            Fed::Failed(failure) => return Err(failure.status),
        }
    }
    let text = String::from_utf8(out).unwrap();
    let data: Vec<&str> = text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    let is_done = data.last() == Some(&"[DONE]");
    let chunks = data.iter().filter(|data| **data != "[DONE]").map(|data| serde_json::from_str(data).unwrap());
    Ok((chunks.collect(), is_done))
}

fn events(events: &[Value]) -> String {
    let lines = events.iter().flat_map(|event| {
        [
            "event: ".to_string(),
            event["type"].as_str().unwrap().into(),
            "\ndata: ".into(),
            event.to_string(),
            "\n\n".into(),
        ]
    });
    lines.collect()
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "model": "claude", "content": [],
        "stop_reason": null, "usage": {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 1, "service_tier": "priority"}}})
}

fn block(index: u64, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9, "input_tokens": null}}),
        json!({"type": "message_stop"}),
    ]
}

/// What the chunks say of the only choice, joined: a member's texts.
fn joined(chunks: &[Value], member: &str) -> String {
    chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"][member].as_str()).collect()
}

#[test]
fn a_stream_is_told_however_it_is_cut() {
    let stream = events(
        &[
            vec![
                start(),
                block(0, &json!({"type": "thinking", "thinking": "", "signature": ""})),
                json!({"type": "ping"}),
                delta(0, &json!({"type": "thinking_delta", "thinking": "hm"})),
                delta(0, &json!({"type": "signature_delta", "signature": "s"})),
                stop(0),
                block(1, &json!({"type": "redacted_thinking", "data": "r"})),
                stop(1),
                block(2, &json!({"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}})),
                delta(2, &json!({"type": "input_json_delta", "partial_json": "{\"query\":1}"})),
                stop(2),
                block(3, &json!({"type": "text", "text": ""})),
                delta(3, &json!({"type": "text_delta", "text": "grüß "})),
                delta(3, &json!({"type": "novelty_delta", "text": {"a": 1}})),
                json!({"type": "novelty", "index": "x"}),
                delta(3, &json!({"type": "text_delta", "text": "Gott"})),
                delta(3, &json!({"type": "citations_delta", "citation": {"type": "web_search_result_location", "url": "https://example.com", "title": null}})),
                stop(3),
                block(4, &json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}})),
                delta(4, &json!({"type": "input_json_delta", "partial_json": ""})),
                delta(4, &json!({"type": "input_json_delta", "partial_json": "{\"a\""})),
                delta(4, &json!({"type": "input_json_delta", "partial_json": ":1}"})),
                stop(4),
                block(5, &json!({"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}})),
                stop(5),
                block(6, &json!({"type": "tool_use", "id": "toolu_3", "name": "h", "input": {"b": 2}})),
                stop(6),
            ],
            end("tool_use").to_vec(),
        ]
        .concat(),
    );
    let (chunks, is_done) = streamed(&stream, stream.len()).unwrap();
    assert!(is_done);
    assert_eq!(joined(&chunks, "content"), "grüß Gott");
    assert_eq!(joined(&chunks, "reasoning_content"), "hm");
    let thoughts: Vec<&Value> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["thinking_blocks"].get(0)).collect();
    assert_eq!(thoughts.len(), 3);
    assert_eq!((&thoughts[1]["signature"], &thoughts[1]["index"]), (&json!("s"), &json!(0)));
    assert_eq!((&thoughts[2]["data"], &thoughts[2]["index"]), (&json!("r"), &json!(1)));
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for call in chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)) {
        if let Some(id) = call["id"].as_str() {
            assert_eq!(call["index"], calls.len());
            calls.push((id.into(), call["function"]["name"].as_str().unwrap().into(), String::new()));
        }
        calls.last_mut().unwrap().2.push_str(call["function"]["arguments"].as_str().unwrap());
    }
    let expected = [("toolu_1", "f", "{\"a\":1}"), ("toolu_2", "g", "{}"), ("toolu_3", "h", "{\"b\":2}")];
    let found: Vec<(&str, &str, &str)> =
        calls.iter().map(|(id, name, json)| (id.as_str(), name.as_str(), json.as_str())).collect();
    assert_eq!(found, expected);
    let annotation = chunks.iter().find_map(|chunk| chunk["choices"][0]["delta"]["annotations"].get(0)).unwrap();
    assert_eq!(annotation["url_citation"]["url"], "https://example.com");
    let finish: Vec<&str> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str()).collect();
    assert_eq!(finish, ["tool_calls"]);
    let last = chunks.last().unwrap();
    assert_eq!((&last["id"], &last["service_tier"]), (&json!("msg_1"), &json!("priority")));
    assert_eq!((&last["usage"]["prompt_tokens"], &last["usage"]["completion_tokens"]), (&json!(7), &json!(9)));
    for length in [1, 2, 3, 7, 64, 500] {
        assert_eq!(streamed(&stream, length), Ok((chunks.clone(), true)), "pieces of {length}");
    }
}

/// What of an answer of these blocks a client is told, whole and streamed alike: bit by bit, and with blocks that are whole
/// from the start, stopped or not.
#[track_caller]
fn told_alike(blocks: &Value, reason: &str, details: &Value) -> Value {
    try_told_alike(blocks, reason, details).unwrap()
}

#[track_caller]
fn try_told_alike(blocks: &Value, reason: &str, details: &Value) -> Option<Value> {
    let blocks = blocks.as_array().unwrap();
    let message =
        json!({"type": "message", "id": "msg_1", "content": blocks, "stop_reason": reason, "stop_details": details})
            .to_string();
    let whole = PROVIDER.read(&message).ok().map(|response| {
        let answer: Value = serde_json::from_slice(&CLIENT.write(&response, &identity())).unwrap();
        gist(core::slice::from_ref(&answer["choices"][0]), "message")
    });
    let ending = json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_details": details}});
    for (bit_by_bit, stopped) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut stream = vec![start()];
        for (index, block) in (0..).zip(blocks) {
            stream.extend(if bit_by_bit { bits(index, block) } else { vec![self::block(index, block)] });
            stream.extend(stopped.then(|| stop(index)));
        }
        stream.extend([ending.clone(), json!({"type": "message_stop"})]);
        let chunks = streamed(&events(&stream), usize::MAX).ok().map(|(chunks, _)| chunks);
        let chunks = chunks.filter(|chunks| chunks.iter().all(|chunk| chunk.get("error").is_none()));
        let choices: Option<Vec<Value>> =
            chunks.map(|chunks| chunks.iter().filter_map(|chunk| chunk["choices"].get(0).cloned()).collect());
        let told = choices.map(|choices| gist(&choices, "delta"));
        assert_eq!(told, whole, "bit by bit: {bit_by_bit}, stopped: {stopped}");
    }
    whole
}

/// A block that says all that it says in deltas.
fn bits(index: u64, block: &Value) -> Vec<Value> {
    let (mut begin, mut deltas) = (block.clone(), Vec::new());
    let mut cut = |member: &str, empty: Value, kind: &str, name: &str, piece: &dyn Fn(&Value) -> Value| {
        if let Some(value) = begin.get_mut(member) {
            let pieces = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            *value = empty;
            let pieces = pieces.iter().map(|value| delta(index, &json!({"type": kind, name: piece(value)})));
            deltas.extend(pieces);
        }
    };
    cut("citations", json!([]), "citations_delta", "citation", &Value::clone);
    cut("text", json!(""), "text_delta", "text", &Value::clone);
    cut("input", json!({}), "input_json_delta", "partial_json", &|input| input.to_string().into());
    [vec![self::block(index, &begin)], deltas].concat()
}

/// What choices say, joined.
fn gist(choices: &[Value], member: &str) -> Value {
    let said = |name: &str| -> String { choices.iter().filter_map(|choice| choice[member][name].as_str()).collect() };
    let mut calls: Vec<Value> = Vec::new();
    for call in choices.iter().filter_map(|choice| choice[member]["tool_calls"].as_array()).flatten() {
        let (function, id) = (&call["function"], &call["id"]);
        if id.is_string() {
            calls.push(json!([id, function["name"], ""]));
        }
        let place = call["index"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok())
            .unwrap_or_else(|| calls.len().saturating_sub(1));
        let arguments = &mut calls[place][2];
        *arguments = [arguments.as_str().unwrap(), function["arguments"].as_str().unwrap()].concat().into();
    }
    let annotations = choices.iter().filter_map(|choice| choice[member]["annotations"].as_array()).flatten();
    let pages: Vec<&Value> = annotations.map(|annotation| &annotation["url_citation"]).collect();
    let finish = choices.iter().find_map(|choice| choice["finish_reason"].as_str());
    json!({"content": said("content"), "refusal": said("refusal"), "calls": calls, "pages": pages, "finish_reason": finish})
}

/// What a client is told of a stream.
fn choices(stream: &[Value]) -> Value {
    let (chunks, _) = streamed(&events(stream), usize::MAX).unwrap();
    let choices: Vec<Value> = chunks.iter().filter_map(|chunk| chunk["choices"].get(0).cloned()).collect();
    gist(&choices, "delta")
}

fn tool_use(id: &str, name: &str, input: &Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": input})
}

#[test]
fn the_input_of_the_json_tool_is_the_answer() {
    let (answer, again) = (tool_use("a", JSON_TOOL, &json!({"a": 1})), tool_use("b", JSON_TOOL, &json!({"a": 2})));
    let text = |text: &str| json!({"type": "text", "text": text});
    let call = tool_use("c", "f", &json!({}));
    for (blocks, content, finish) in [
        (json!([answer]), r#"{"a":1}"#, "stop"),
        (json!([tool_use("a", JSON_TOOL, &json!({}))]), "{}", "stop"),
        // What was told cannot be taken back; what comes later can be left out.
        (json!([text("Here: "), answer, text(" There."), again]), r#"Here: {"a":1}"#, "stop"),
        (json!([answer, call]), r#"{"a":1}"#, "tool_calls"),
    ] {
        let told = told_alike(&blocks, "tool_use", &Value::Null);
        assert_eq!((&told["content"], &told["finish_reason"]), (&json!(content), &json!(finish)), "{blocks}");
    }
}

#[test]
fn calls_are_sound_or_the_answer_is_not() {
    let told = told_alike(
        &json!([
            tool_use("a", "f", &json!({"a": {"b": [1]}})),
            tool_use("b", "g", &json!({})),
            {"type": "tool_use", "id": "", "name": "h"},
        ]),
        "tool_use",
        &Value::Null,
    );
    let expected = json!([["a", "f", r#"{"a":{"b":[1]}}"#], ["b", "g", "{}"], ["call_msg1_0_2", "h", "{}"]]);
    assert_eq!(told["calls"], expected);
    for call in [
        json!({"type": "tool_use", "id": "a", "input": {}}),
        tool_use("a", "", &json!({})),
        tool_use("a", "f", &json!(["x"])),
        tool_use("a", JSON_TOOL, &json!(7)),
    ] {
        assert_eq!(try_told_alike(&json!([call]), "tool_use", &Value::Null), None, "{call}");
    }
}

#[test]
fn any_number_of_calls_keep_their_arguments() {
    let calls: Vec<Value> = (0..200).map(|call| tool_use(&call.to_string(), "f", &json!({ "a": call }))).collect();
    let expected: Vec<Value> =
        (0..200).map(|call| json!([call.to_string(), "f", format!("{{\"a\":{call}}}")])).collect();
    let expected = Value::from(expected);
    assert!(told_alike(&calls.into(), "tool_use", &Value::Null)["calls"] == expected);
    // All at once.
    let begin = (0..200).map(|call| block(call, &tool_use(&call.to_string(), "f", &json!({}))));
    let bits = (0..200)
        .map(|call| delta(call, &json!({"type": "input_json_delta", "partial_json": format!("{{\"a\":{call}}}")})));
    let stream: Vec<Value> = [start()].into_iter().chain(begin).chain(bits).chain(end("tool_use")).collect();
    assert!(choices(&stream)["calls"] == expected);
    let endless: Vec<Value> =
        [start()].into_iter().chain((0..9999).map(|call| block(call, &tool_use("a", "f", &json!({}))))).collect();
    let (chunks, is_done) = streamed(&events(&endless), usize::MAX).unwrap();
    assert!(!is_done && chunks.len() < 2000);
}

#[test]
fn an_input_that_comes_whole_and_bit_by_bit_comes_once() {
    let begin = block(0, &tool_use("a", "f", &json!({"a": 0})));
    let bit = |json: &str| delta(0, &json!({"type": "input_json_delta", "partial_json": json}));
    let stream = [&[start(), begin, bit(" "), bit("{\"a\""), bit(":1}"), stop(0)], &end("tool_use")[..]].concat();
    assert_eq!(choices(&stream)["calls"], json!([["a", "f", r#"{"a":1}"#]]));
}

#[test]
fn a_page_is_told_with_the_text_that_it_is_cited_for() {
    let page = |url: &str| json!({"type": "web_search_result_location", "url": url, "title": "t"});
    let told = told_alike(
        &json!([
            {"type": "text", "text": "Grüße: "},
            {"type": "text", "text": "it rains", "citations": [page("https://a.example"), page("https://b.example")]},
            {"type": "text", "text": "."},
            {"type": "text", "text": "No", "citations": [page("https://c.example")]},
        ]),
        "end_turn",
        &Value::Null,
    );
    let place =
        |url: &str, start: u64, end: u64| json!({"url": url, "title": "t", "start_index": start, "end_index": end});
    let expected =
        [place("https://a.example", 7, 15), place("https://b.example", 7, 15), place("https://c.example", 16, 18)];
    assert_eq!(told["pages"], Value::from(expected.to_vec()));
    // No more of them wait than memory is set apart for, but all are told.
    let many =
        (0..100).map(|number| delta(0, &json!({"type": "citations_delta", "citation": page(&number.to_string())})));
    let begin = [start(), block(0, &json!({"type": "text", "text": "a"}))];
    let stream: Vec<Value> = begin.into_iter().chain(many).chain(end("end_turn")).collect();
    assert_eq!(choices(&stream)["pages"].as_array().unwrap().len(), 100);
    let long = "x".repeat(300 * 1024);
    let cite = delta(0, &json!({"type": "citations_delta", "citation": page(&long)}));
    let stream = [start(), block(0, &json!({"type": "text", "text": "a"})), cite];
    assert_eq!(choices(&stream)["pages"][0]["url"], long, "before its block ends");
}

#[test]
fn what_cannot_be_read_of_the_tokens_is_not_told() {
    let answer = told(&json!({"type": "message", "content": [], "usage": {"input_tokens": "many"}}));
    assert_eq!(answer.get("usage"), None);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

#[test]
fn a_stream_may_fail_before_and_after_its_first_content() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    assert_eq!(streamed(&events(&[start(), json!({"type": "ping"}), error.clone()]), 10), Err(503));
    let text = block(0, &json!({"type": "text", "text": "a"}));
    let (chunks, is_done) = streamed(&events(&[start(), text.clone(), error]), 10).unwrap();
    assert!(!is_done);
    assert_eq!(chunks.last().unwrap()["error"]["message"], "Overloaded");
    let cut = streamed(&events(&[start(), text.clone()]), 10).unwrap();
    assert!(cut.0.last().unwrap()["error"].is_object());
    for malformed in [
        "data: {\n\n",
        "data: {\"index\":0}\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":0}\n\n",
        "data: \n\n",
    ] {
        assert_eq!(streamed(malformed, 10), Err(502), "{malformed}");
    }
    let finished = events(&[start(), text, end("end_turn")[0].clone()]);
    assert!(streamed(&finished, 10).unwrap().1, "a missing end is added");
    let blank = [": ping\ndata:\n\n", &finished].concat();
    assert_eq!(streamed(&blank, 10), streamed(&finished, 10));
}

#[test]
fn answers_end_for_openai_s_reasons() {
    for (reason, expected) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("novelty", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
    ] {
        let answer = told_alike(&json!([]), reason, &Value::Null);
        assert_eq!((&answer["finish_reason"], &answer["refusal"]), (&json!(expected), &json!("")), "{reason}");
    }
    let said = json!([{"type": "text", "text": "I "}]);
    for (details, refusal) in [
        (json!({"type": "refusal", "category": "cyber", "explanation": "no"}), "no"),
        (json!({"type": "refusal", "category": null, "explanation": null}), ""),
        (json!("a later version's"), ""),
    ] {
        let answer = told_alike(&said, "refusal", &details);
        let expected =
            json!({"content": "I ", "refusal": refusal, "calls": [], "pages": [], "finish_reason": "content_filter"});
        assert_eq!(answer, expected, "{details}");
    }
}
