//! A gateway and the scripted provider behind it, shared by the tests of a file.
//!
//! Tests of one file run at the same time. So each has its [`Case`]: a header of its own on every request, which the gateway
//! passes on, and by which the provider tells whose script comes next and whose request it was.

use crate::envoy::{Gateway, Setup};
use crate::http::{Connection, Request, Response};
use dragoman::simulate::{Options, Request as Recorded, Script, Simulator};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The key that the gateway holds for the provider.
pub const UPSTREAM_KEY: &str = "sk-upstream-secret";
/// The header that tells cases apart.
const CASE: &str = "x-case";
/// Longer than anything that must happen by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway and its provider.
pub struct Scene {
    /// The provider.
    pub upstream: Simulator,
    /// The gateway.
    pub gateway: Gateway,
}

/// One test's part of a scene.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The scene.
    pub scene: &'a Scene,
    name: &'static str,
}

impl Scene {
    /// A gateway with one provider, `openai`; `complete` adds to the file, given the provider's base URL.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start(options: Options, complete: impl FnOnce(&mut Value, &str)) -> Self {
        Self::start_with(options, complete, |setup| setup)
    }

    /// The same; `prepare` changes how the gateway is started.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start_with(
        options: Options,
        complete: impl FnOnce(&mut Value, &str),
        prepare: impl FnOnce(Setup) -> Setup,
    ) -> Self {
        let upstream = Simulator::start(options).expect("a free port");
        let base_url = format!("http://{}/v1", upstream.addr());
        let mut config = json!({"providers": {"openai": provider(&base_url)}});
        complete(&mut config, &base_url);
        Self { upstream, gateway: prepare(Setup::new(config)).start() }
    }

    /// A test's part.
    #[must_use]
    pub fn case(&self, name: &'static str) -> Case<'_> {
        Case { scene: self, name }
    }

    /// Asserts that no worker's module has crashed, ever.
    ///
    /// # Panics
    /// When one has.
    #[track_caller]
    pub fn assert_sound(&self) {
        assert_sound(&self.gateway);
    }

    /// Waits until one of Envoy's gauges has come down to zero.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn wait_for_none(&self, gauge: &str) {
        wait_for_none(&self.gateway, gauge);
    }
}

impl Case<'_> {
    /// Answers this case's next request with `script`.
    pub fn answer(&self, script: Script) {
        let name = self.name;
        self.scene.upstream.answer_when(move |request| request.header(CASE) == Some(name), script);
    }

    /// A POST of this case.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> Request {
        Request::post(path, body).header(CASE, self.name)
    }

    /// A chat of this case.
    #[must_use]
    pub fn chat(&self, body: &Value) -> Request {
        self.post("/v1/chat/completions", body)
    }

    /// A chat of this case, with any bytes for a body.
    #[must_use]
    pub fn raw(&self, body: impl Into<Vec<u8>>) -> Request {
        self.bytes("/v1/chat/completions", body)
    }

    /// A POST of this case, with any bytes for a body.
    #[must_use]
    pub fn bytes(&self, path: &str, body: impl Into<Vec<u8>>) -> Request {
        Request::new("POST", path).header("content-type", "application/json").header(CASE, self.name).body(body)
    }

    /// Sends a request on a connection of its own.
    #[must_use]
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        self.scene.gateway.send(request)
    }

    /// What has reached the provider.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        let mut requests = self.scene.upstream.requests();
        requests.retain(|request| request.header(CASE) == Some(self.name));
        requests
    }

    /// A connection to the gateway.
    ///
    /// # Panics
    /// When it is refused.
    #[must_use]
    #[track_caller]
    pub fn connect(&self) -> Connection {
        Connection::open(self.scene.gateway.address).expect("the gateway takes connections")
    }

    /// Asserts that the worker behind this connection answers a plain chat.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn assert_serves(&self, connection: &mut Connection) {
        connection.send(&self.chat(&hello(false)).bytes());
        let response = connection.response().expect("the connection is still served");
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.json().get("object"), Some(&json!("chat.completion")));
    }

    /// Sends a request on a connection and reads its answer; then the same worker must serve a plain chat, on the same
    /// connection if it is still open, and no module may have crashed.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    #[must_use]
    pub fn survive(&self, request: &[u8]) -> Response {
        let mut connection = self.connect();
        connection.send(request);
        let response = connection.response().expect("an answer");
        let closes = response.headers.text("connection").is_some_and(|word| word.eq_ignore_ascii_case("close"));
        if closes || !response.complete {
            for worker in &mut self.scene.gateway.connect_workers() {
                self.assert_serves(worker);
            }
        } else {
            self.assert_serves(&mut connection);
        }
        self.scene.assert_sound();
        response
    }
}

/// Asserts that no worker's module has crashed, ever.
///
/// # Panics
/// When one has.
#[track_caller]
pub fn assert_sound(gateway: &Gateway) {
    let stats = gateway.ask_envoy("/stats?filter=wasm");
    let crashes = |line: &&str| {
        ["vm_reload", "fail", "crash"].iter().any(|word| line.contains(word)) && !line.trim_end().ends_with(": 0")
    };
    assert_eq!(stats.lines().find(crashes), None, "{}", gateway.log());
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
}

/// Waits until one of Envoy's gauges has come down to zero.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn wait_for_none(gateway: &Gateway, gauge: &str) {
    let begun = Instant::now();
    while gateway.stat(gauge) > 0 {
        assert!(begun.elapsed() < PATIENCE, "{gauge} is still {}", gateway.stat(gauge));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A provider of OpenAI's dialect in the file.
#[must_use]
pub fn provider(base_url: &str) -> Value {
    json!({
        "kind": "openai",
        "base_url": base_url,
        "credential": {"value": UPSTREAM_KEY},
        "timeouts": {"first_byte": "3s", "idle": "3s"},
    })
}

/// The input tokens that are expected of a request: at four bytes a token, and a hundred of them are the frame of its text.
///
/// # Panics
/// Never: a length fits.
#[must_use]
pub fn expected_tokens(body: &Value) -> u64 {
    let bytes = u64::try_from(body.to_string().len()).expect("a length");
    bytes.saturating_sub(100).max(bytes.min(32)).div_ceil(4)
}

/// A chat that says hello.
#[must_use]
pub fn hello(stream: bool) -> Value {
    json!({"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "Hello there"}], "stream": stream})
}

/// Asserts that an answer is an error in OpenAI's shape, and returns its message.
///
/// # Panics
/// When it is none.
#[track_caller]
#[expect(clippy::must_use_candidate, reason = "it asserts; the message is for those who ask for more")]
pub fn openai_error(response: &Response, status: u16, kind: &str, code: Option<&str>) -> String {
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(response.headers.text("content-type"), Some("application/json"));
    let body = response.json();
    let member = |name: &str| body.get("error").and_then(|error| error.get(name));
    let text = |name: &str| member(name).and_then(Value::as_str);
    assert_eq!((text("type"), text("code")), (Some(kind), code), "{body}");
    assert!(member("param").is_some(), "{body}");
    text("message").expect("a message").to_owned()
}
