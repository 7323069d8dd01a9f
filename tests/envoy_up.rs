//! `dragoman up` around a real Envoy: it starts, answers, and ends as it promises.

use dragoman::simulate::{Options, Simulator};
use dragoman_tests::clock::wait_until;
use dragoman_tests::envoy::{Gateway, Setup};
use dragoman_tests::http::Request;
use serde_json::{Value, json};

fn config(simulator: &Simulator) -> Value {
    let base_url = format!("http://{}/v1", simulator.addr());
    json!({"providers": {"openai": {"kind": "openai", "base_url": base_url, "credential": {"value": "sk-upstream"}}}})
}

#[test]
fn it_serves_a_chat_and_ends_cleanly_when_asked() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let gateway = Gateway::start(config(&simulator));
    assert_eq!(gateway.send(&Request::get("/health")).status, 200);

    let body = json!({"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hello"}]});
    let answer = gateway.send(&Request::post("/v1/chat/completions", &body));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["object"], "chat.completion");
    let upstream = simulator.take_requests();
    assert_eq!(upstream.len(), 1);
    assert_eq!(upstream[0].header("authorization"), Some("Bearer sk-upstream"));

    assert!(gateway.resident_bytes() > 10_000_000);
    let ended = gateway.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
}

#[test]
fn a_bad_file_ends_it_with_status_2_and_every_problem() {
    let config = json!({"providers": {"openai": {"kind": "opnai"}}, "max_body": "many"});
    let ended = Setup::new(config).try_start().err().unwrap();
    assert_eq!(ended.code, Some(2), "{}", ended.log);
    for pointer in ["/providers/openai/kind", "/max_body"] {
        assert!(ended.log.contains(pointer), "{pointer} is not in:\n{}", ended.log);
    }
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let simulator = Simulator::start(Options::default()).unwrap();
    let mut config = config(&simulator);
    config["listen"] = json!({"address": address});
    let ended = Setup::new(config).try_start().err().unwrap();
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    assert!(ended.log.contains(&address), "{}", ended.log);
}

/// What the tests of "every worker" stand on.
#[test]
fn a_connection_to_each_worker_is_one() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let gateway = Gateway::start(config(&simulator));
    let listener = gateway.address.to_string().replace(':', "_");
    let active =
        || [0, 1].map(|worker| gateway.stat(&format!("listener.{listener}.worker_{worker}.downstream_cx_active")));
    let mut expected = [0, 0];
    wait_until("nobody is connected", || active() == expected);
    let mut kept = Vec::new();
    for _ in 0..5 {
        kept.extend(gateway.connect_workers());
        expected = expected.map(|count| count + 1);
        // Those that came to the wrong worker go.
        wait_until("each worker has one more", || active() == expected);
    }
}
