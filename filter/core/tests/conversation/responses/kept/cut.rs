//! The ids of answers are sealed wherever they stand and wherever an answer is cut.

use super::*;

/// An answer whose ids stand behind so much else.
fn long(bytes: usize) -> String {
    let text = "[{\"id\":\"msg_1\",\"previous_response_id\":\"no\"}]".to_owned() + &" ".repeat(bytes);
    format!(
        r#"{{"object":"response","status":"completed","output":{text},"error":null,"id" : "resp_0a","usage":{{"input_tokens":3,"output_tokens":5}},"previous_response_id":"resp_09"}}"#
    )
}

#[test]
fn an_id_is_sealed_wherever_it_stands_and_wherever_an_answer_is_cut() {
    let (own, previous) = (sealed(&all(), "o/gpt-5", "resp_0a"), sealed(&all(), "o/gpt-5", "resp_09"));
    let expected = |answer: &str| {
        answer.replace("\"resp_0a\"", &format!("\"{own}\"")).replace("\"resp_09\"", &format!("\"{previous}\""))
    };
    let short = long(0);
    let (own_path, router) = (("GET", format!("/v1/responses/{own}")), ("POST", "/v1/responses".to_owned()));
    let ask = |(method, path): &(&str, String)| {
        let head = post(path, &[(":method", method.as_bytes())]);
        let body: &[&[u8]] = if *method == "GET" { &[] } else { &[br#"{"model":"o/gpt-5","input":"x"}"#] };
        ask(&all(), head, body).sent()
    };
    for asked in [&own_path, &router] {
        for cut in 0..=short.len() {
            let (first, second) = short.as_bytes().split_at(cut);
            let told = ask(asked).answered(200, &[JSON], &[first, second, b""]);
            assert_eq!(told.text(), expected(&short), "{cut}");
        }
        for seed in 0..4 {
            let told = ask(asked).answered(200, &[JSON], &pieces(short.as_bytes(), seed));
            assert_eq!(told.text(), expected(&short), "{seed}");
        }
    }
    // Longer than what is held: it passes, and its length is not known beforehand.
    let huge = long(600 * 1024);
    let length = huge.len().to_string();
    for piece in [1000, 65_536, 1 << 20] {
        let sent = ask(&router);
        let plan = Rc::clone(&sent.plan);
        let cut: Vec<&[u8]> = huge.as_bytes().chunks(piece).collect();
        let told = sent.answered(200, &[JSON, ("content-length", &length)], &cut);
        assert!(told.text() == expected(&huge), "{piece}");
        assert_eq!(plan.usage().unwrap().output, 5);
        assert!(told.header("content-length").is_none_or(|length| length == told.body.len().to_string()), "{piece}");
    }
}

#[test]
fn the_ids_of_a_stream_are_sealed_wherever_it_is_cut() {
    let event = |kind: &str, rest: &str| {
        format!(
            "event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\" : {{\"id\":\"resp_0a\",{rest}\"previous_response_id\":\"resp_09\"}}}}\n\n"
        )
    };
    let delta = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\"delta\":\"a \\\"response\\\" with \\\"id\\\":\"}\n\n";
    let stream = [
        ": a comment\n\n",
        &event("response.created", r#""usage":null,"#),
        delta,
        &event("response.completed", r#""usage":{"input_tokens":3,"output_tokens":5},"output":[{"id":"msg_1"}],"#),
    ]
    .concat();
    let (own, previous) = (sealed(&all(), "o/gpt-5", "resp_0a"), sealed(&all(), "o/gpt-5", "resp_09"));
    let expected = stream.replace("resp_0a", &own).replace("resp_09", &previous);
    let replay = post(&format!("/v1/responses/{own}?stream=true"), &[(":method", b"GET")]);
    let owns = post("/o/responses", &[]);
    let body = br#"{"model":"gpt-5","input":"x","stream":true}"#;
    let ask_for = |way: usize| match way {
        0 => sent("o/gpt-5", true),
        1 => ask(&all(), replay.clone(), &[]).sent(),
        _ => ask(&all(), owns.clone(), &[body]).sent(),
    };
    for way in 0..3 {
        for cut in 0..=stream.len() {
            let (first, second) = stream.as_bytes().split_at(cut);
            let told = ask_for(way).answered(200, &[EVENTS], &[first, second, b""]);
            assert_eq!(told.text(), expected, "{way} {cut}");
        }
        // Without the blank line behind the last event.
        let open = stream.trim_end();
        let told = ask_for(way).answered(200, &[EVENTS], &[open.as_bytes(), b""]);
        assert_eq!(told.text().trim_end(), expected.trim_end(), "{way}");
    }
    let usage = |way: usize| {
        let sent = ask_for(way);
        let plan = Rc::clone(&sent.plan);
        sent.answered(200, &[EVENTS], &[stream.as_bytes()]);
        plan.usage()
    };
    // What is read once more has been counted.
    assert_eq!((usage(0).map(|usage| usage.output), usage(1)), (Some(5), None));
}

#[test]
fn an_event_of_several_lines_and_one_that_fails_are_sealed_too() {
    let own = sealed(&all(), "o/gpt-5", "resp_0a");
    // Written as one line it would be as long without its seal as with it.
    let lines =
        "id: 1\nretry: 12345\ndata: {\"type\":\"response.created\",\ndata: \"response\":{\"id\":\"resp_0a\"}}\n\n";
    let text = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n";
    let failed = "data: {\"type\":\"response.failed\",\"response\":{\"id\":\"resp_0a\",\"error\":{\"code\":\"server_error\",\"message\":\"m\"}}}\n\n";
    let told = sent("o/gpt-5", true).answered(200, &[EVENTS], &[[lines, text, failed].concat().as_bytes()]);
    let id = |event: &str| json_of(event.split_once("data: ").unwrap().1.as_bytes())["response"]["id"].clone();
    let events: Vec<&str> = told.text().split_terminator("\n\n").collect();
    assert_eq!(events[0], lines.trim_end().replace("resp_0a", &own), "every other field stays");
    assert_eq!(id(events[2]), json!(own));
}
