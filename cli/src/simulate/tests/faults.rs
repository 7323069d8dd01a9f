//! What goes wrong on demand, on the wire.

use super::*;

#[test]
fn a_fault_in_the_models_name_works_as_in_the_header() {
    let body = json!({"model": "gpt-4o-sim-status-429-retry-after-2", "messages": [{"role": "user", "content": "x"}]});
    let by_name = ask(&start(), "", &body);
    for answered in [by_name, simulate("status=429; retry-after=2", true)] {
        assert_eq!((answered.status(), answered.header("retry-after")), (429, Some("2")));
        assert_eq!(answered.json()["error"]["code"], "rate_limit_exceeded");
    }
    assert_eq!(simulate("nonsense", false).status(), 400);
}

#[test]
fn content_faults_do_what_they_say() {
    assert_eq!(simulate("context-length", false).json()["error"]["code"], "context_length_exceeded");
    assert_eq!(simulate("quota", false).json()["error"]["code"], "insufficient_quota");
    let refused = simulate("refusal", false).json();
    assert_eq!(refused["choices"][0]["message"]["content"], Value::Null);
    assert!(refused["choices"][0]["message"]["refusal"].is_string());
    assert_eq!(simulate("no-usage", false).json().get("usage"), None);
    assert_eq!(simulate("error-event", true).events()[0]["error"]["type"], "server_error");
    let late = simulate("error-after=3", true).events();
    assert_eq!((late.len(), late[3]["error"]["type"].as_str()), (4, Some("server_error")));
    assert!(serde_json::from_slice::<Value>(&simulate("malformed", false).body).is_err());
    let broken = simulate("malformed-after=2", true).events();
    assert!(broken[1].is_object() && broken[2].is_string() && broken[3].is_object());
    let page = simulate("html", false);
    assert!(page.complete && page.text().contains("<html>"));
    let empty = simulate("empty", false);
    assert_eq!((empty.status(), empty.complete, empty.body.len()), (200, true, 0));
    assert_eq!(simulate("wrong-type", true).header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(simulate("comments", true).text().matches(": ping\n\n").count(), 10);
    let endless = simulate("no-end", true);
    assert!(endless.complete && !endless.text().contains("[DONE]"));
    let short = simulate("stop-after=3", true);
    assert_eq!((short.complete, short.events().len()), (true, 3));
    assert!(simulate("big-headers=20", false).head.len() > 20 * 1024);
}

#[test]
fn a_gzipped_body_begins_as_gzip_does_and_says_so() {
    for stream in [false, true] {
        let answered = simulate("gzip", stream);
        assert_eq!(answered.header("content-encoding"), Some("gzip"));
        assert!(answered.complete && answered.body.starts_with(&[0x1f, 0x8b, 8]));
    }
}

#[test]
fn cuts_change_no_byte_of_the_body() {
    let body = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "Grüße 🦀🦀🦀"}]});
    for faults in ["chunks=1", "chunks=7", "cuts=1", "cuts=2"] {
        let answered = ask(&start(), &format!("x-simulate: {faults}\r\n"), &body);
        assert!(answered.complete && answered.text().contains("🦀🦀🦀"), "{faults}");
        let raw = exchange(&start(), &chat(&format!("x-simulate: {faults}\r\n"), &body)).0;
        let chunks = String::from_utf8_lossy(&raw).matches("\r\n").count() / 2;
        assert!(chunks > 20, "{faults} made {chunks} chunks");
    }
}

#[test]
fn a_reset_is_a_reset() {
    let reset = |faults: &str| {
        let simulator = start();
        exchange(&simulator, &chat(&format!("x-simulate: {faults}\r\n"), &hello(true)))
    };
    assert_eq!(reset("reset"), (Vec::new(), Some(ErrorKind::ConnectionReset)));
    let (torn, error) = reset("reset-head");
    assert_eq!((torn.as_slice(), error), (b"HTTP/1.1 200 OK\r\ncontent".as_slice(), Some(ErrorKind::ConnectionReset)));
    let (bytes, error) = reset("reset-after=3");
    let answered = parse(&bytes);
    assert_eq!((answered.events().len(), answered.complete), (3, false));
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
    let (bytes, error) = reset("reset-after=0");
    assert_eq!((parse(&bytes).body.len(), error), (0, Some(ErrorKind::ConnectionReset)));
}

#[test]
fn a_cut_is_an_end_of_file_in_the_middle_of_the_message() {
    let stream = simulate("cut-after=3", true);
    assert_eq!((stream.events().len(), stream.complete), (3, false));
    let whole = simulate("cut-after=1", false);
    assert!(!whole.complete && !whole.body.is_empty() && whole.header("content-length").is_some());
}

#[test]
fn a_large_body_is_delivered_before_the_cut() {
    let simulator = start();
    let mut script = Script::new(StatusCode::OK);
    script.body = vec![Piece::new(vec![b'x'; 3_000_000])];
    simulator.answer(script.ending(Finish::Cut));
    let mut stream = connect(&simulator);
    stream.write_all(chat("", &hello(false)).as_bytes()).unwrap();
    // Slow enough for the sockets' buffers to fill.
    std::thread::sleep(Duration::from_millis(100));
    let (bytes, error) = read_all(&mut stream);
    let answered = parse(&bytes);
    assert_eq!((answered.body.len(), answered.complete, error), (3_000_000, false, None));
}

#[test]
fn hanging_keeps_the_connection_open_and_silent() {
    for (faults, events) in [("hang", None), ("hang-after=0", Some(0)), ("hang-after=2", Some(2))] {
        let simulator = start();
        let mut stream = connect(&simulator);
        stream.write_all(chat(&format!("x-simulate: {faults}\r\n"), &hello(true)).as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        let (bytes, error) = read_all(&mut stream);
        assert_eq!(error, Some(ErrorKind::WouldBlock), "{faults}");
        match events {
            None => assert!(bytes.is_empty()),
            Some(events) => assert_eq!(parse(&bytes).events().len(), events),
        }
        assert!(!simulator.requests()[0].fate.is_settled());
    }
}

#[test]
fn delays_and_paces_take_their_time() {
    for (faults, least) in [("delay=80", 80), ("stall=80", 80), ("slow=10", 90)] {
        let begun = Instant::now();
        assert!(simulate(faults, true).complete);
        assert!(begun.elapsed() >= Duration::from_millis(least), "{faults}");
    }
}
