//! Providers behind TLS: which are trusted, what is spoken, and what a refused one looks like.
#![cfg(test)]

use dragoman::simulate::{Options, Protocols, Simulator};
use dragoman_tests::authority::Authority;
use dragoman_tests::envoy::Gateway;
use dragoman_tests::http::{Request, Response};
use dragoman_tests::scene::{hello, openai_error, provider};
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};
use std::thread;

struct Scene {
    gateway: Gateway,
    http1: Simulator,
    http2: Simulator,
    both: Simulator,
    by_address: Simulator,
    /// The names that clients of `named` asked for, each in its first message.
    names: &'static Mutex<Vec<Option<String>>>,
}

static NAMES: Mutex<Vec<Option<String>>> = Mutex::new(Vec::new());

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (trusted, other) = (Authority::new(), Authority::new());
    let (http1, http2) =
        (trusted.provider("localhost", Protocols::Http1), trusted.provider("localhost", Protocols::Http2));
    let (both, by_address) =
        (trusted.provider("localhost", Protocols::Both), trusted.provider("127.0.0.1", Protocols::Both));
    // Nothing is asked of them; they only have to be there.
    let faulty1 = Box::leak(Box::new(trusted.provider("localhost", Protocols::Http1)));
    let faulty2 = Box::leak(Box::new(trusted.provider("localhost", Protocols::Http2)));
    let wrong_name = Box::leak(Box::new(trusted.provider("elsewhere.test", Protocols::Both)));
    let untrusted = Box::leak(Box::new(other.provider("localhost", Protocols::Both)));
    let plain = Box::leak(Box::new(Simulator::start(Options::default()).unwrap()));
    let ca_file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("ca-{}.pem", std::process::id()));
    std::fs::write(&ca_file, &trusted.pem).unwrap();
    let url = |host: &str, address: SocketAddr| provider(&format!("https://{host}:{}/v1", address.port()));
    let config = json!({
        "tls": {"ca_file": ca_file},
        "providers": {
            "http1": url("localhost", http1.addr()),
            "http2": url("localhost", http2.addr()),
            "both": url("localhost", both.addr()),
            "by_address": url("127.0.0.1", by_address.addr()),
            "faulty1": url("localhost", faulty1.addr()),
            "faulty2": url("localhost", faulty2.addr()),
            "wrong_name": url("localhost", wrong_name.addr()),
            "untrusted": url("localhost", untrusted.addr()),
            "plain": url("localhost", plain.addr()),
            "named": url("localhost", eavesdrop()),
        },
    });
    Scene { gateway: Gateway::start(config), http1, http2, both, by_address, names: &NAMES }
});

/// A server that notes the name in each client's first message, and hangs up.
fn eavesdrop() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for peer in listener.incoming() {
            let mut peer = peer.unwrap();
            let mut acceptor = rustls::server::Acceptor::default();
            let accepted = loop {
                if acceptor.read_tls(&mut peer).is_ok_and(|read| read > 0)
                    && let Some(accepted) = acceptor.accept().unwrap_or(None)
                {
                    break accepted;
                }
            };
            NAMES.lock().unwrap().push(accepted.client_hello().server_name().map(str::to_owned));
        }
    });
    address
}

fn chat(name: &str, stream: bool) -> Response {
    let mut body = hello(stream);
    body["model"] = json!(format!("{name}/gpt-4o"));
    SCENE.gateway.send(&Request::post("/v1/chat/completions", &body).header("host", "gateway.test"))
}

#[test]
fn what_the_provider_speaks_is_spoken() {
    for (name, simulator, version) in [
        ("http1", &SCENE.http1, http::Version::HTTP_11),
        ("http2", &SCENE.http2, http::Version::HTTP_2),
        ("both", &SCENE.both, http::Version::HTTP_2),
        ("by_address", &SCENE.by_address, http::Version::HTTP_2),
    ] {
        let answer = chat(name, false);
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let answer = chat(name, true);
        assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"), "{name}: {}", answer.text());
        let requests = simulator.requests();
        assert_eq!(requests.len(), 2, "{name}");
        for request in requests {
            assert_eq!((request.tls, request.version), (true, version), "{name}");
            let host = if name == "by_address" { "127.0.0.1" } else { "localhost" };
            let authority = format!("{host}:{}", simulator.addr().port());
            let got = request.uri.authority().map_or_else(|| request.header("host"), |found| Some(found.as_str()));
            assert_eq!(got, Some(authority.as_str()), "{name}");
        }
    }
}

#[test]
fn faults_are_told_alike_over_either() {
    for name in ["faulty1", "faulty2"] {
        let ask = |faults: &str, stream: bool| {
            let mut body = hello(stream);
            body["model"] = json!(format!("{name}/gpt-4o"));
            SCENE.gateway.send(&Request::post("/v1/chat/completions", &body).header("x-simulate", faults))
        };
        for faults in ["reset", "reset-after=0", "cut-after=0"] {
            let answer = ask(faults, true);
            assert!(matches!(answer.status, 502 | 503), "{name} {faults}: {} {}", answer.status, answer.text());
            openai_error(&answer, answer.status, "upstream_error", Some("upstream_error"));
        }
        let answer = ask("cuts=5; slow=1", true);
        assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"), "{name}");
        let answer = ask("status=429; retry-after=3", false);
        assert_eq!((answer.status, answer.headers.text("retry-after")), (429, Some("3")), "{name}");
    }
}

#[test]
fn a_provider_that_cannot_prove_who_it_is_is_a_503_and_gets_nothing() {
    for name in ["wrong_name", "untrusted", "plain"] {
        let answer = chat(name, false);
        let message = openai_error(&answer, 503, "upstream_error", Some("upstream_error"));
        assert!(message.contains(&format!("`{name}`")), "{message}");
    }
    // A target that is asked once is reached through the cluster's twin, where there is one.
    let counts = |name: &str| ["", "/plain"].iter().any(|twin| SCENE.gateway.stat(&name.replace('%', twin)) > 0);
    assert!(counts("cluster.dragoman_wrong_name%.ssl.fail_verify_san"));
    assert!(counts("cluster.dragoman_untrusted%.ssl.fail_verify_error"));
}

#[test]
fn the_name_asked_for_is_the_providers_and_not_the_clients() {
    let answer = chat("named", false);
    assert_eq!(answer.status, 503, "{}", answer.text());
    let names = SCENE.names.lock().unwrap();
    assert!(!names.is_empty());
    assert!(names.iter().all(|name| name.as_deref() == Some("localhost")), "{names:?}");
}
