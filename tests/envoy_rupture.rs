//! A connection that breaks after the head of its answer, through a real Envoy: who has broken it decides whether it counts as a
//! failure of the provider, which live metrics show.
#![cfg(test)]

use dragoman::simulate::{Finish, Gate, Piece, Script};
use dragoman_tests::chain::{ANTHROPIC, CLIENT_KEY, Chain, chat};
use dragoman_tests::clock::wait_until;
use dragoman_tests::http::{Connection, Request};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

/// How far an answer has come when it breaks, and whether it is a stream.
const PARTS: [(&str, bool); 3] = [("body", false), ("role", true), ("content", true)];

/// What befalls an answer, and the part that it has reached: the name of a model, too.
static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    let cases = PARTS.iter().flat_map(|(part, _)| ["cut", "reset", "leave"].map(|end| format!("{part}-{end}-two")));
    let aliases = cases.map(|case| (case.clone(), json!([format!("openai/{case}"), ANTHROPIC]))).collect();
    start(&json!({"first_byte": "20s", "idle": "20s"}), aliases)
});
/// A gateway that waits for three seconds, and six for a whole answer. Each plan is one try: with others it would wait as long for
/// more of a stream as for the first content of all of them.
static HASTY: LazyLock<Chain> =
    LazyLock::new(|| start(&json!({"first_byte": "3s", "idle": "3s", "total": "6s"}), Map::new()));

fn start(timeouts: &Value, aliases: Map<String, Value>) -> Chain {
    Chain::start(|config| {
        for provider in config["providers"].as_object_mut().unwrap().values_mut() {
            provider["timeouts"] = timeouts.clone();
        }
        config["retry"]["cooldown"] = json!({"default": "1m", "max": "6m"});
        config["aliases"] = aliases.into();
    })
}

fn begun(part: &str) -> Script {
    let chunk = |delta: Value| {
        let chunk = json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]});
        format!("data: {chunk}\n\n")
    };
    match part {
        "body" => Script::stream("application/json", [r#"{"object":"chat.completion","choices":["#]),
        "role" => Script::events([chunk(json!({"role": "assistant", "content": ""}))]),
        _ => Script::events([chunk(json!({"content": "one "}))]),
    }
}

/// Asks for a model that nobody else asks for, alone or before another, which is answered so.
fn send(chain: &Chain, case: &str, stream: bool, script: Script) -> Connection {
    chain.answer("openai", case, script);
    let model = if case.ends_with("two") { case.to_owned() } else { format!("openai/{case}") };
    let mut connection = Connection::open(chain.gateway.address).unwrap();
    connection.send(&chat(case, &model, stream).bytes());
    connection
}

/// What live metrics say of a model: tries, the share of failures, how it is and why.
fn live(chain: &Chain, model: &str) -> [Value; 4] {
    let metrics = chain.send(&Request::get("/v1/router/live-metrics").key(CLIENT_KEY)).json();
    let targets = metrics["data"].as_array().expect("a list");
    let target = targets.iter().find(|target| target["model"] == model).cloned().unwrap_or_default();
    ["samples", "failure_ratio", "state", "last_failure"].map(|member| target[member].clone())
}

/// Asserts that the only try is a failure, and how its target is then.
#[track_caller]
fn assert_failed(chain: &Chain, model: &str, state: &str, trouble: Option<&str>) {
    let failed = [json!(1), json!(1.0), json!(state), json!(trouble)];
    wait_until(model, || live(chain, model) == failed);
}

#[test]
fn a_connection_that_the_provider_breaks_is_its_failure() {
    for plan in ["one", "two"] {
        for (part, stream) in PARTS {
            for (finish, end) in [(Finish::Cut, "cut"), (Finish::Reset, "reset")] {
                let case = format!("{part}-{end}-{plan}");
                let answer = send(&CHAIN, &case, stream, begun(part).ending(finish)).response().unwrap();
                assert_failed(&CHAIN, &case, "cooling_down", Some("connection_failed"));
                assert!(!answer.complete || answer.status >= 500 || answer.text().contains("simulated"), "{case}");
            }
        }
    }
    CHAIN.assert_sound();
}

#[test]
fn a_client_that_leaves_is_nobodys_failure() {
    for plan in ["one", "two"] {
        for (part, stream) in PARTS {
            let case = format!("{part}-leave-{plan}");
            let gate = Gate::closed();
            let mut script = begun(part);
            script.body.push(Piece::new("data: more\n\n").behind(&gate));
            let mut connection = send(&CHAIN, &case, stream, script);
            wait_until("the provider has it", || CHAIN.requests("openai", &case).len() == 1);
            if part == "content" {
                assert_eq!(connection.head().unwrap().0, 200);
                assert!(connection.chunk().unwrap().is_some());
            } else {
                // The part that has been sent is held, and nobody can be asked whether it has come.
                thread::sleep(Duration::from_millis(200));
            }
            drop(connection);
            CHAIN.wait_until_idle();
            // What a worker has seen reaches the others a tenth of a second later.
            thread::sleep(Duration::from_millis(300));
            let [samples, failures, state, trouble] = live(&CHAIN, &case);
            assert!([json!(0), Value::Null].contains(&samples), "{case}: {samples}");
            assert!(["healthy".into(), Value::Null].contains(&state), "{case}: {state}");
            assert_eq!((failures, trouble), (Value::Null, Value::Null), "{case}");
        }
    }
    CHAIN.assert_sound();
}

#[test]
fn an_answer_that_stands_still_or_never_ends_is_a_failure_for_which_nobody_is_passed_over() {
    let answer = send(&HASTY, "hang", true, begun("content").ending(Finish::Hang)).response().unwrap();
    assert_eq!((answer.status, answer.complete), (200, false));
    assert_failed(&HASTY, "hang", "healthy", None);
    let mut script = begun("content");
    script.body.extend((0..45).map(|_| Piece::new(": ping\n\n").after(Duration::from_millis(200))));
    let answer = send(&HASTY, "endless", true, script).response().unwrap();
    assert_eq!((answer.status, answer.complete), (200, false));
    assert_failed(&HASTY, "endless", "healthy", None);
    HASTY.assert_sound();
}
