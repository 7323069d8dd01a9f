//! A gateway before three providers of three formats, each at an address and with a credential of its own: what a fallback is
//! shown with. A provider's record says what has reached it; [`Chain::assert_apart`] looks there for what is another's.
//!
//! A fault is part of a model's name (`gpt-4o-sim-status-503`), because a header would reach all of a plan's providers.

mod answer;

pub use answer::{assert_ended_by_envoy, assert_named, assert_served, heard, said, teller, tries};

use crate::envoy::{Gateway, Setup, is_dispatch};
use crate::http::{Connection, Request, Response};
use crate::scene;
use dragoman::simulate::{Gate, Options, Piece, Request as Recorded, Script, Simulator};
use http::StatusCode;
use serde_json::{Map, Value, json};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// The key that clients come with; no provider may see it.
pub const CLIENT_KEY: &str = "sk-client-secret-0001";
/// The header that tells cases apart.
const CASE: &str = "x-case";
/// What a client says.
pub const SAID: &str = "Hello there";

/// The models that are healthy.
pub const OPENAI: &str = "openai/gpt-4o";
/// See [`OPENAI`].
pub const ANTHROPIC: &str = "anthropic/claude-sonnet-4-5";
/// See [`OPENAI`].
pub const GEMINI: &str = "gemini/gemini-2.5-flash";

/// See the module's documentation.
pub struct Chain {
    /// The gateway.
    pub gateway: Gateway,
    places: [Place; 3],
    _refusing: Socket,
}

/// A provider.
struct Place {
    name: &'static str,
    secret: &'static str,
    /// The header that carries the secret, and what stands before it there.
    credential: (&'static str, &'static str),
    /// What its paths begin with.
    path: &'static str,
    /// A member that its bodies have and the others' have not.
    member: &'static str,
    simulator: Simulator,
}

/// Headers that carry credentials, or are one provider's.
const OWNED: [&str; 5] = ["authorization", "x-api-key", "x-goog-api-key", "api-key", "anthropic-version"];

/// What Envoy adds to a call that a module makes, after the module has had its say.
const OF_CALLS: [&str; 2] = ["x-envoy-internal", "x-envoy-expected-rq-timeout-ms"];

impl Chain {
    /// A gateway without cool-down and with one try at each target; `complete` adds to the file. The provider `refused` is
    /// one whose connections are refused, `cleartext` one that does not speak the TLS that is expected of it.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    #[track_caller]
    pub fn start(complete: impl FnOnce(&mut Value)) -> Self {
        let place = |name, secret, credential, path, member| {
            let simulator = Simulator::start(Options { remember: 20_000, ..Options::default() }).expect("a free port");
            Place { name, secret, credential, path, member, simulator }
        };
        let places = [
            place("openai", "sk-openai-secret-0002", ("authorization", "Bearer "), "/v1/chat/completions", "messages"),
            place("anthropic", "sk-ant-secret-0003", ("x-api-key", ""), "/v1/messages", "max_tokens"),
            place("gemini", "AIza-secret-0004", ("x-goog-api-key", ""), "/v1beta/models/", "contents"),
        ];
        let (refused, refusing) = refusing();
        let clear = places[0].simulator.addr();
        let timeouts = json!({"first_byte": "1s", "idle": "5s"});
        let mut config = json!({
            // The longest time-outs of all providers count.
            "providers": {
                "refused": {
                    "kind": "openai", "base_url": format!("http://{refused}/v1"), "auth": "none", "timeouts": timeouts,
                },
                "cleartext": {
                    "kind": "openai", "base_url": format!("https://{clear}/v1"), "auth": "none", "timeouts": timeouts,
                },
            },
            "retry": {"attempts": 0, "deadline": "20s", "cooldown": {"default": "0s", "max": "0s"}},
        });
        let Some(providers) = config.pointer_mut("/providers").and_then(Value::as_object_mut) else {
            panic!("the file has providers");
        };
        for Place { name, secret, simulator, .. } in &places {
            let version = if *name == "openai" { "/v1" } else { "" };
            let section = json!({
                "kind": name,
                "base_url": format!("http://{}{version}", simulator.addr()),
                "credential": {"value": secret},
                "timeouts": timeouts,
            });
            providers.insert((*name).to_owned(), section);
        }
        complete(&mut config);
        Self { gateway: Setup::new(config).start(), places, _refusing: refusing }
    }

    /// The provider of this name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn upstream(&self, name: &str) -> &Simulator {
        &self.places.iter().find(|place| place.name == name).expect("one of the three").simulator
    }

    /// Sends a request on a connection of its own.
    #[must_use]
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        self.gateway.send(request)
    }

    /// Answers this case's next request at a provider with `script`.
    pub fn answer(&self, provider: &str, case: &str, script: Script) {
        let case = case.to_owned();
        self.upstream(provider).answer_when(move |request| request.header(CASE) == Some(&case), script);
    }

    /// A connection to each worker of the gateway, of which there are two.
    ///
    /// # Panics
    /// When there are not.
    #[must_use]
    #[track_caller]
    pub fn connect_workers(&self) -> [Connection; 2] {
        self.gateway.connect_workers().try_into().ok().expect("two workers")
    }

    /// What has reached a provider of a case.
    #[must_use]
    pub fn requests(&self, provider: &str, case: &str) -> Vec<Recorded> {
        let mut requests = self.upstream(provider).requests();
        requests.retain(|request| request.header(CASE) == Some(case));
        requests
    }

    /// How many requests of a case have reached each provider, in the order of the chain.
    #[must_use]
    pub fn counts(&self, case: &str) -> [usize; 3] {
        ["openai", "anthropic", "gemini"].map(|provider| self.requests(provider, case).len())
    }

    /// Asserts that everything that ever reached a provider was meant for it: its own credential and no other's, its own path,
    /// host and format, and the length that its body has.
    ///
    /// # Panics
    /// When something was not.
    #[track_caller]
    pub fn assert_apart(&self) {
        for place in &self.places {
            for request in place.simulator.requests() {
                self.assert_own(place, &request);
            }
        }
    }

    #[track_caller]
    fn assert_own(&self, place: &Place, request: &Recorded) {
        let secrets = self.places.iter().map(|place| place.secret).filter(|secret| *secret != place.secret);
        for secret in secrets.chain([CLIENT_KEY]) {
            let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            let in_headers = request.headers.values().any(|value| holds(value.as_bytes()));
            assert!(!in_headers && !holds(request.path().as_bytes()), "{secret} in {request:?}");
            assert!(!holds(&request.body), "{secret} in {request:?}");
        }
        let (header, prefix) = place.credential;
        assert_eq!(request.header(header), Some(format!("{prefix}{}", place.secret).as_str()), "{request:?}");
        for name in OWNED.iter().filter(|name| **name != header) {
            let own_version = place.name == "anthropic" && *name == "anthropic-version";
            assert_eq!(request.headers.contains_key(*name), own_version, "{name} in {request:?}");
        }
        let internal = |name: &str| {
            let of_envoy = name.starts_with("x-envoy-") && !(is_dispatch() && OF_CALLS.contains(&name));
            name.starts_with("x-dragoman-") || of_envoy
        };
        assert_eq!(request.headers.keys().find(|name| internal(name.as_str())), None, "{request:?}");
        assert!(request.path().starts_with(place.path), "{request:?}");
        assert_eq!(request.header("host"), Some(place.simulator.addr().to_string().as_str()), "{request:?}");
        if let Some(length) = request.header("content-length") {
            assert_eq!(length, request.body_bytes.to_string(), "{request:?}");
        }
        let body: Value = serde_json::from_slice(&request.body).expect("a provider gets JSON");
        for other in &self.places {
            let expected = other.member == place.member || (other.member == "messages" && place.name == "anthropic");
            assert_eq!(body.get(other.member).is_some(), expected, "{}: {body}", other.member);
        }
    }

    /// Asserts that no worker's module has crashed, ever.
    #[track_caller]
    pub fn assert_sound(&self) {
        scene::assert_sound(&self.gateway);
    }

    /// Waits until no request is under way any more, neither a client's nor a try of it.
    #[track_caller]
    pub fn wait_until_idle(&self) {
        scene::wait_for_none(&self.gateway, "http.ingress.downstream_rq_active");
        for Place { name, .. } in &self.places {
            scene::wait_for_none(&self.gateway, &format!("cluster.dragoman_{name}.upstream_rq_active"));
            scene::wait_for_none(&self.gateway, &format!("cluster.dragoman_{name}/plain.upstream_rq_active"));
        }
    }
}

/// A chat of a case.
#[must_use]
pub fn chat(case: &str, model: &str, stream: bool) -> Request {
    post("/v1/chat/completions", case, &body(model, stream))
}

/// Any POST of a case.
#[must_use]
pub fn post(path: &str, case: &str, body: &Value) -> Request {
    post_as(CLIENT_KEY, path, case, body)
}

/// The same with a key of the test's.
#[must_use]
pub fn post_as(key: &str, path: &str, case: &str, body: &Value) -> Request {
    Request::post(path, body).header(CASE, case).key(key)
}

/// A chat with one turn.
#[must_use]
pub fn body(model: &str, stream: bool) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": SAID}], "stream": stream})
}

/// The model of a provider that fails so.
#[must_use]
pub fn failing(provider: &str, fault: &str) -> String {
    let model = match provider {
        "anthropic" => ANTHROPIC,
        "gemini" => GEMINI,
        _ => "gpt-4o",
    };
    let id = model.rsplit('/').next().unwrap_or(model);
    match fault {
        "refused" | "cleartext" => format!("{fault}/{id}"),
        _ => format!("{provider}/{id}-sim-{fault}"),
    }
}

/// A stream in Anthropic's format: one word at once, a second behind the first gate, the end behind the second.
#[must_use]
pub fn gated(gates: &[Gate; 2]) -> Script {
    let event = |json: &Value| {
        format!("event: {}\ndata: {json}\n\n", json.get("type").and_then(Value::as_str).unwrap_or_default())
    };
    let word = |word: &str| {
        event(&json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}))
    };
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "usage": {"input_tokens": 3, "output_tokens": 1}});
    let block = json!({"type": "text", "text": ""});
    let begin = [
        event(&json!({"type": "message_start", "message": message})),
        event(&json!({"type": "content_block_start", "index": 0, "content_block": block})),
        word("one "),
    ];
    let end = [
        event(&json!({"type": "content_block_stop", "index": 0})),
        event(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}})),
        event(&json!({"type": "message_stop"})),
    ];
    let mut script = Script::events(Vec::<String>::new());
    let [second, third] = gates;
    script.body = vec![
        Piece::new(begin.concat()),
        Piece::new(word("two ")).behind(second),
        Piece::new(end.concat()).behind(third),
    ];
    script
}

/// A whole answer in OpenAI's format, whose body is behind the gate.
#[must_use]
pub fn held(text: &str, gate: &Gate) -> Script {
    let message = json!({"role": "assistant", "content": text});
    let answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    let mut script = Script::whole(StatusCode::OK, "application/json", answer.to_string());
    script.body = script.body.into_iter().map(|piece| piece.behind(gate)).collect();
    script
}

/// An answer of this status that says nothing.
///
/// # Panics
/// On what is no status.
#[must_use]
pub fn status(code: u16) -> Script {
    Script::new(StatusCode::from_u16(code).expect("a status"))
}

/// How each try has ended, as the answer says.
#[must_use]
pub fn statuses(answer: &Response) -> Vec<u16> {
    tries(answer).into_iter().map(|(_, status)| status).collect()
}

/// Asks for a chat, and how long the whole answer took.
#[must_use]
pub fn timed(chain: &Chain, case: &str, model: &str, stream: bool) -> (Response, Duration) {
    let begun = Instant::now();
    let answer = chain.send(&chat(case, model, stream));
    (answer, begun.elapsed())
}

/// Providers that are waited for as long as a test needs, for files without one that never answers.
pub fn wait_for_providers(config: &mut Value) {
    for provider in config.get_mut("providers").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if let Some(timeouts) = provider.get_mut("timeouts") {
            *timeouts = json!({"first_byte": "20s", "idle": "20s"});
        }
    }
}

/// An address that refuses connections for as long as the socket lives: bound, not listened on.
fn refusing() -> (SocketAddr, Socket) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    let address = socket.local_addr().ok().and_then(|address| address.as_socket());
    (address.expect("an address of its own"), socket)
}
