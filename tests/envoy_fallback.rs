//! A provider fails and the next one answers, through a real Envoy: each way of failing, whole and streamed, at the first
//! target and at the second.
#![cfg(test)]

use dragoman::simulate::{Finish, Gate, Piece, Script};
use dragoman_tests::chain::{
    ANTHROPIC, Chain, GEMINI, OPENAI, assert_ended_by_envoy, assert_named, assert_served, chat, failing, gated, heard,
    post, said, tries,
};
use dragoman_tests::envoy::{is_dispatch, skips};
use dragoman_tests::http::Connection;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A way of failing, whether only streams fail so, and the statuses that it may be told as.
const FAULTS: [(&str, Only, &[u16]); 17] = [
    ("status-503", Only::Any, &[503]),
    ("status-429-retry-after-7", Only::Any, &[429]),
    ("status-529", Only::Any, &[529]),
    ("status-408", Only::Any, &[408]),
    ("quota", Only::Any, &[400, 429]),
    ("status-401", Only::Any, &[401]),
    ("refused", Only::Any, &[502, 503]),
    ("cleartext", Only::Any, &[502, 503]),
    ("reset", Only::Any, &[502, 503]),
    ("reset-head", Only::Any, &[502, 503]),
    ("hang", Only::Any, &[504]),
    ("hang-after-0", Only::Any, &[504]),
    ("cut-after-0", Only::Any, &[502, 503]),
    ("error-event", Only::Any, &[500, 502, 503, 529]),
    ("error-after-1", Only::Streams, &[500, 502, 503, 529]),
    ("html", Only::Any, &[502]),
    ("empty", Only::Any, &[502]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    Any,
    Streams,
}

static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    Chain::start(|config| {
        let mut aliases = json!({ "healthy": [OPENAI, ANTHROPIC, GEMINI] });
        for (fault, ..) in FAULTS {
            let (first, second) = (failing("openai", fault), failing("anthropic", fault));
            aliases[format!("first-{fault}")] = json!([first, ANTHROPIC, GEMINI]);
            aliases[format!("second-{fault}")] = json!([failing("openai", "status-503"), second, GEMINI]);
        }
        let long = ["reset", "status-500", "html", "empty", "cut-after-0", "status-502"].map(|f| failing("openai", f));
        aliases["long"] = long.into_iter().chain([GEMINI.to_owned()]).collect();
        config["aliases"] = aliases;
        config["fallbacks"] =
            json!({ "gpt-4o-sim-status-500*": [ANTHROPIC], "gemini/gemini-2.5-flash-sim*": [OPENAI] });
        config["fallback_models"] = json!([GEMINI]);
    })
});

/// The faults that a request can meet.
fn faults(stream: bool) -> impl Iterator<Item = (&'static str, &'static [u16])> {
    let met = FAULTS.into_iter().filter(move |(_, only, _)| stream || *only == Only::Any);
    met.map(|(fault, _, statuses)| (fault, statuses))
}

/// The fault after which nobody else can be asked if it is a first target's: where the client's own stream holds the head of an
/// answer that breaks off, Envoy answers the client itself, past every filter.
const FINAL_IN_DISPATCH: &str = "cut-after-0";

#[test]
fn a_healthy_target_is_the_only_one_asked() {
    for stream in [false, true] {
        let case = format!("healthy {stream}");
        let answer = CHAIN.send(&chat(&case, "healthy", stream));
        assert_served(&answer, OPENAI, stream);
        assert_eq!(CHAIN.counts(&case), [1, 0, 0]);
    }
    CHAIN.assert_sound();
}

#[test]
fn whatever_the_first_target_does_the_second_answers() {
    for stream in [false, true] {
        for (fault, statuses) in faults(stream) {
            let case = format!("first {fault} {stream}");
            let answer = CHAIN.send(&chat(&case, &format!("first-{fault}"), stream));
            if is_dispatch() && fault == FINAL_IN_DISPATCH {
                assert_ended_by_envoy(&answer);
                assert_eq!(CHAIN.counts(&case), [1, 0, 0]);
                continue;
            }
            assert_served(&answer, ANTHROPIC, stream);
            let tries = tries(&answer);
            assert_eq!(tries.len(), 2, "{fault}: {tries:?}");
            assert_eq!(tries[0].0, failing("openai", fault));
            assert!(statuses.contains(&tries[0].1), "{fault}: {tries:?}");
            let asked = usize::from(!["refused", "cleartext"].contains(&fault));
            assert_eq!(CHAIN.counts(&case), [asked, 1, 0], "{fault}");
        }
    }
    CHAIN.assert_apart();
    CHAIN.assert_sound();
}

#[test]
fn whatever_the_second_target_does_the_third_answers() {
    for stream in [false, true] {
        for (fault, statuses) in faults(stream) {
            let case = format!("second {fault} {stream}");
            let answer = CHAIN.send(&chat(&case, &format!("second-{fault}"), stream));
            assert_served(&answer, GEMINI, stream);
            let tries = tries(&answer);
            assert_eq!(tries.len(), 3, "{fault}: {tries:?}");
            assert_eq!((tries[0].1, tries[1].0.as_str()), (503, failing("anthropic", fault).as_str()));
            assert!(statuses.contains(&tries[1].1), "{fault}: {tries:?}");
        }
    }
    CHAIN.assert_apart();
    CHAIN.assert_sound();
}

/// The first word of the answer is with the client while its provider still holds the second one.
#[test]
fn a_fallback_streams_as_a_first_target_does() {
    if skips("a_fallback_streams_as_a_first_target_does", "later targets arrive whole") {
        return;
    }
    for (fault, _) in faults(true) {
        let case = format!("gate {fault}");
        let gates = [Gate::closed(), Gate::closed()];
        CHAIN.answer("anthropic", &case, gated(&gates));
        let mut connection = Connection::open(CHAIN.gateway.address).unwrap();
        connection.send(&chat(&case, &format!("first-{fault}"), true).bytes());
        let (status, headers) = connection.head().unwrap();
        assert_eq!(status, 200, "{fault}");
        assert_eq!(headers.text("x-dragoman-provider"), Some("anthropic"), "{fault}");
        let mut bytes = Vec::new();
        for (gate, text) in gates.iter().zip(["one ", "one two "]) {
            // Had the gateway waited for more, this would hang.
            while heard(&bytes) != text {
                bytes.extend(connection.chunk().unwrap().expect("the stream goes on").bytes);
            }
            gate.open();
        }
        while let Some(chunk) = connection.chunk().unwrap() {
            bytes.extend(chunk.bytes);
        }
        assert!(bytes.ends_with(b"data: [DONE]\n\n"), "{fault}: {}", String::from_utf8_lossy(&bytes));
    }
    CHAIN.assert_sound();
}

#[test]
fn the_first_target_streams_in_every_mode() {
    let gates = [Gate::closed(), Gate::closed()];
    let event = |text: &str| {
        let chunk = json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]});
        format!("data: {chunk}\n\n")
    };
    let stop = "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let mut script = Script::events(Vec::<String>::new());
    script.body = vec![
        Piece::new(event("one ")),
        Piece::new(event("two ")).behind(&gates[0]),
        Piece::new([stop, "data: [DONE]\n\n"].concat()).behind(&gates[1]),
    ];
    CHAIN.answer("openai", "first gate", script);
    let mut connection = Connection::open(CHAIN.gateway.address).unwrap();
    connection.send(&chat("first gate", "healthy", true).bytes());
    assert_eq!(connection.head().unwrap().0, 200);
    let mut bytes = Vec::new();
    for (gate, text) in gates.iter().zip(["one ", "one two "]) {
        while heard(&bytes) != text {
            bytes.extend(connection.chunk().unwrap().expect("the stream goes on").bytes);
        }
        gate.open();
    }
    while connection.chunk().unwrap().is_some() {}
}

#[test]
fn a_stream_that_holds_back_its_content_has_not_answered() {
    // Comments and a role are no content: the connection breaks before there is any.
    let role = "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    for (finish, name) in
        [(Finish::Cut, "cut"), (Finish::Reset, "reset"), (Finish::Clean, "end"), (Finish::Hang, "hang")]
    {
        let case = format!("no content {name}");
        CHAIN.answer("openai", &case, Script::events([": ping\n\n", role, ": ping\n\n"]).ending(finish));
        let answer = CHAIN.send(&chat(&case, "healthy", true));
        // A reset may be faster than the head before it.
        if is_dispatch() && (name == "cut" || (name == "reset" && answer.status != 200)) {
            assert_ended_by_envoy(&answer);
            assert_eq!(CHAIN.counts(&case), [1, 0, 0], "{name}");
            continue;
        }
        assert_served(&answer, ANTHROPIC, true);
        assert_eq!(CHAIN.counts(&case), [1, 1, 0], "{name}");
    }
    CHAIN.assert_sound();
}

/// One cluster without the module, and the whole plan is tried on the client's own stream.
#[test]
fn a_cluster_of_somebody_elses_may_stand_anywhere_in_a_plan() {
    if skips("a_cluster_of_somebody_elses_may_stand_anywhere_in_a_plan", "all clusters are like that") {
        return;
    }
    let chain = Chain::start(|config| {
        let mut foreign = config["providers"]["gemini"].clone();
        foreign["cluster"] = json!("dragoman_gemini.plain");
        config["providers"]["foreign"] = foreign;
        config["aliases"] = json!({
            "first": ["foreign/gemini-2.5-flash-sim-status-503", ANTHROPIC],
            "last": [failing("openai", "reset"), failing("anthropic", "hang"), "foreign/gemini-2.5-flash"],
        });
    });
    for stream in [false, true] {
        assert_served(&chain.send(&chat("mixed", "first", stream)), ANTHROPIC, stream);
        let answer = chain.send(&chat("mixed", "last", stream));
        assert_served(&answer, "foreign/gemini-2.5-flash", stream);
        assert_eq!(tries(&answer).len(), 3);
    }
    chain.assert_sound();
}

#[test]
fn a_chain_may_be_long() {
    for stream in [false, true] {
        let case = format!("long {stream}");
        let answer = CHAIN.send(&chat(&case, "long", stream));
        assert_served(&answer, GEMINI, stream);
        assert_eq!(tries(&answer).len(), 7);
        assert_eq!(CHAIN.counts(&case), [6, 0, 1]);
    }
    CHAIN.assert_apart();
    CHAIN.assert_sound();
}

#[test]
fn a_model_has_its_own_fallbacks_and_then_those_of_all() {
    let asked = failing("openai", "status-500");
    for stream in [false, true] {
        let answer = CHAIN.send(&chat("list", &asked, stream));
        assert_served(&answer, ANTHROPIC, stream);
        let answer = CHAIN.send(&chat("list", &failing("gemini", "status-500"), stream));
        assert_served(&answer, OPENAI, stream);
        let answer = CHAIN.send(&chat("list", &failing("anthropic", "status-500"), stream));
        assert_served(&answer, GEMINI, stream);
    }
    CHAIN.answer("anthropic", "list to its end", Script::new(http::StatusCode::SERVICE_UNAVAILABLE));
    let answer = CHAIN.send(&chat("list to its end", &asked, false));
    assert_served(&answer, GEMINI, false);
    let tried: Vec<_> = tries(&answer).into_iter().map(|(target, _)| target).collect();
    assert_eq!(tried, [asked, ANTHROPIC.to_owned(), GEMINI.to_owned()]);
}

/// The body that the second provider gets is made from the client's, not from what the first one got.
#[test]
fn a_large_body_reaches_each_target_whole() {
    for stream in [false, true] {
        for size in [70_000, 3_000_000] {
            let case = format!("large {size} {stream}");
            let mut text = "wörds and 🦀, ".repeat(size / 16);
            text.push_str("the end");
            let turn = json!({"role": "user", "content": text});
            let body = json!({"model": "second-status-503", "messages": [turn], "stream": stream});
            let answer = CHAIN.send(&post("/v1/chat/completions", &case, &body));
            assert!(said(&answer, stream).starts_with("This is gemini-2.5-flash, simulated."));
            assert_named(&answer, "gemini", "gemini-2.5-flash");
            let place = |provider: &str, pointer: &str| {
                let requests = CHAIN.requests(provider, &case);
                assert_eq!(requests.len(), 1, "{provider}");
                let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
                body.pointer(pointer).and_then(Value::as_str).is_some_and(|sent| sent == text)
            };
            assert!(place("openai", "/messages/0/content"), "{case}");
            assert!(place("anthropic", "/messages/0/content") || place("anthropic", "/messages/0/content/0/text"));
            assert!(place("gemini", "/contents/0/parts/0/text"), "{case}");
        }
    }
    CHAIN.assert_apart();
}

#[test]
fn a_request_takes_over_where_another_on_its_connection_has_been() {
    let mut connection = Connection::open(CHAIN.gateway.address).unwrap();
    for round in 0..3 {
        for (model, target) in
            [("first-status-503", ANTHROPIC), ("healthy", OPENAI), ("second-reset", GEMINI), (ANTHROPIC, ANTHROPIC)]
        {
            for stream in [false, true] {
                connection.send(&chat("kept alive", model, stream).bytes());
                let answer = connection.response().unwrap();
                assert_served(&answer, target, stream);
                let expected = match model {
                    "first-status-503" => 2,
                    "second-reset" => 3,
                    _ => 1,
                };
                assert_eq!(tries(&answer).len(), expected, "round {round}: {model}");
            }
        }
    }
}

#[test]
fn a_client_that_leaves_takes_its_tries_with_it() {
    for stream in [false, true] {
        for (model, path) in [("first-hang", "/v1/chat/completions"), ("second-hang", "/v1/chat/completions")] {
            let mut connection = Connection::open(CHAIN.gateway.address).unwrap();
            connection.send(&post(path, "gone", &dragoman_tests::chain::body(model, stream)).bytes());
            std::thread::sleep(std::time::Duration::from_millis(150));
            drop(connection);
        }
    }
    CHAIN.wait_until_idle();
    let answer = CHAIN.send(&chat("after", "first-status-503", true));
    assert_served(&answer, ANTHROPIC, true);
    CHAIN.assert_sound();
}
