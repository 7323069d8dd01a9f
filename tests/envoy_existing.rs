//! The guide for those who have an Envoy: its steps, read from the document itself, done to the bare configuration that it
//! starts with, on the oldest Envoy and on the newest. So the document is true.
#![cfg(test)]

#[path = "envoy_existing/guide.rs"]
mod guide;

use self::guide::Guide;
use dragoman::simulate::{Options, Protocols, Simulator};
use dragoman_tests::authority::Authority;
use dragoman_tests::envoy::artefact;
use dragoman_tests::http::{Request, Response};
use dragoman_tests::plain::Plain;
use dragoman_tests::scene::{hello, openai_error};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// From oldest to newest.
const ENVOYS: [&str; 2] = ["envoy-1.36", "envoy"];
const KEY: &str = "sk-my-app";
const CREDENTIAL: (&str, &str) = ("OPENAI_API_KEY", "sk-upstream-secret");

/// The reader's machine.
struct Machine {
    openai: Simulator,
    web: Simulator,
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let authority = Authority::new();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
        Self {
            openai: authority.provider("api.openai.com", Protocols::Both),
            web: Simulator::start(Options::default()).unwrap(),
            folder,
        }
    }

    /// What the reader ends up with. The optional steps, 7 and 8, can be left out.
    fn perform(&self, guide: &Guide, address: SocketAddr, with_options: bool) -> Value {
        let place = |address: SocketAddr| format!("address: {}, port_value: {}", address.ip(), address.port());
        let mut envoy = guide.yaml(
            "envoy.yaml",
            &[
                ("address: 0.0.0.0, port_value: 10000", &place(address)),
                ("address: 127.0.0.1, port_value: 8000", &place(self.web.addr())),
            ],
        );
        let wasm = artefact("dragoman.wasm");
        let filters = guide.yaml("http_filters", &[("/etc/dragoman/dragoman.wasm", wasm.to_str().unwrap())]);
        let ca_file = self.folder.path().join("ca.pem");
        let clusters = guide.yaml(
            "clusters",
            &[
                ("address: api.openai.com, port_value: 443", &place(self.openai.addr())),
                ("/etc/ssl/certs/ca-certificates.crt", ca_file.to_str().unwrap()),
            ],
        );
        insert(&mut envoy["static_resources"]["clusters"], &clusters);
        let listener = &mut envoy["static_resources"]["listeners"][0];
        add(listener, &guide.yaml("listener", &[]));
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        insert(&mut manager["http_filters"], &filters);
        insert(&mut manager["route_config"]["virtual_hosts"][0]["routes"], &guide.yaml("routes", &[]));
        if with_options {
            add(manager, &guide.yaml("http_connection_manager", &[]));
            let mut log = guide.yaml("access_log", &[("stream.v3.StdoutAccessLog", "file.v3.FileAccessLog")]);
            log["access_log"][0]["typed_config"]["path"] = json!(self.access_log());
            add(manager, &log);
            add(&mut envoy, &guide.yaml("stats_config", &[]));
        }
        envoy
    }

    fn audit_log(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn access_log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    /// Where Envoy's admin interface listens, for a test that has use of it.
    fn admin(&self) -> PathBuf {
        self.folder.path().join("admin")
    }

    /// Asks Envoy's admin interface.
    fn ask_envoy(&self, path: &str) -> String {
        let mut socket = UnixStream::connect(self.admin()).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nhost: envoy\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// Puts items at the beginning of a list.
fn insert(list: &mut Value, items: &Value) {
    let list = list.as_array_mut().unwrap();
    let items = items.as_array().unwrap().clone();
    list.splice(..0, items);
}

/// Adds members to a mapping.
fn add(mapping: &mut Value, members: &Value) {
    for (name, member) in members.as_object().unwrap() {
        assert!(mapping.get(name).is_none(), "{name} is there already");
        mapping[name] = member.clone();
    }
}

fn shell(commands: &str) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-euc", commands]);
    shell
}

fn ask(envoy: &Plain, stream: bool, faults: &str) -> Response {
    let request = Request::post("/v1/chat/completions", &hello(stream)).key(KEY);
    envoy.send(&if faults.is_empty() { request } else { request.header("x-simulate", faults) })
}

#[test]
fn what_the_filter_takes_is_what_the_tool_renders_from_the_guides_file() {
    let guide = Guide::read();
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("dragoman.yaml"), guide.block("dragoman.yaml")).unwrap();
    let tools = artefact("dragoman").parent().unwrap().to_owned();
    let path =
        std::env::join_paths([tools].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())))
            .unwrap();
    let mut shell = shell(guide.commands(2));
    let output = shell.current_dir(folder.path()).env("PATH", path).output().unwrap();
    let [printed, variables] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{variables}");
    let [checked, .., plugin] = *printed.lines().collect::<Vec<_>>() else { panic!("{printed}") };
    assert_eq!(checked, "dragoman.yaml: ok");
    let filter = &guide.yaml("http_filters", &[])[0]["typed_config"]["config"];
    assert_eq!(filter["configuration"]["value"], plugin);
    assert_eq!(filter["vm_config"]["environment_variables"]["host_env_keys"], json!([CREDENTIAL.0]));
    assert!(variables.contains(CREDENTIAL.0), "{variables}");
}

#[test]
fn the_guide_makes_an_envoy_a_gateway_and_leaves_the_rest_of_it_alone() {
    let (guide, machine) = (Guide::read(), Machine::new());
    for name in ENVOYS {
        let write = |address| machine.perform(&guide, address, true);
        let envoy = Plain::start_foreign(&artefact(name), write, &[CREDENTIAL]);

        let host = "localhost:10000";
        assert!(guide.commands(9).contains(host));
        let curl = shell(&guide.commands(9).replace(host, &envoy.address.to_string())).output().unwrap();
        let printed = String::from_utf8_lossy(&curl.stdout);
        assert!(printed.contains("You said: Hello"), "{name}: {printed} {}", String::from_utf8_lossy(&curl.stderr));

        let whole = ask(&envoy, false, "");
        assert_eq!(whole.status, 200, "{name}: {} {}", whole.text(), envoy.log());
        assert_eq!(whole.headers.text("x-dragoman-attempts"), Some("openai/gpt-4o=200"), "{name}");
        let streamed = ask(&envoy, true, "");
        assert_eq!(streamed.events().last().map(String::as_str), Some("[DONE]"), "{name}: {}", streamed.text());
        assert!(streamed.chunks.len() > 1, "{name}: the stream came as a whole");

        let limited = ask(&envoy, false, "status=429; retry-after=7");
        assert_eq!((limited.status, limited.headers.text("retry-after")), (429, Some("7")), "{name}");
        for faults in ["status=401", "reset", "reset-after=0", "html", "malformed"] {
            let answer = ask(&envoy, true, faults);
            assert!(matches!(answer.status, 502 | 503), "{name} {faults}: {} {}", answer.status, answer.text());
            openai_error(&answer, answer.status, "upstream_error", Some("upstream_error"));
        }
        let mut large = hello(false);
        large["messages"][0]["content"] = json!("x".repeat(20 << 20));
        let answer = envoy.send(&Request::post("/v1/chat/completions", &large).key(KEY));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());

        let strange = envoy.send(&Request::post("/v1/chat/completions", &hello(false)).key("sk-strange"));
        openai_error(&strange, 401, "invalid_request_error", Some("invalid_api_key"));
        let _ = envoy.send(&Request::get("/page").key(KEY).header("x-dragoman-provider", "kept"));
        let pages = machine.web.take_requests();
        assert_eq!(pages.len(), 1, "{name}");
        assert_eq!(pages[0].header("x-dragoman-provider"), Some("kept"), "{name}: the filter was on");
    }
}

#[test]
fn what_reaches_the_provider_is_the_requests_own_and_nothing_of_the_gateways() {
    let (guide, machine) = (Guide::read(), Machine::new());
    for name in ENVOYS {
        let write = |address| {
            let mut envoy = machine.perform(&guide, address, false);
            let manager =
                &mut envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
            let route = &mut manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"];
            route["retry_policy"] = json!({"retry_on": "5xx,reset", "num_retries": 3});
            envoy
        };
        let envoy = Plain::start_foreign(&artefact(name), write, &[CREDENTIAL]);
        // Whoever names a cluster gets to the filter, and no further.
        for path in ["/", "/v1/chat/completions"] {
            let forged = Request::get(path).header("x-dragoman-cluster", "web");
            assert!(matches!(envoy.send(&forged).status, 401 | 404 | 405), "{name} {path}");
        }
        let request = Request::post("/v1/chat/completions", &hello(false)).key(KEY).header("x-dragoman-cluster", "web");
        assert_eq!(envoy.send(&request).status, 200, "{name}");
        assert!(machine.web.take_requests().is_empty(), "{name}");

        let requests = machine.openai.take_requests();
        assert_eq!(requests.len(), 1, "{name}");
        assert_eq!(requests[0].header("authorization"), Some("Bearer sk-upstream-secret"), "{name}");
        let internal = ["x-dragoman-", "x-envoy-", "x-forwarded-"];
        let names: Vec<&str> = requests[0].headers.keys().map(http::HeaderName::as_str).collect();
        let seen: Vec<_> = names.iter().filter(|name| internal.iter().any(|prefix| name.starts_with(prefix))).collect();
        assert_eq!(seen, [&"x-envoy-expected-rq-timeout-ms"], "{name}");
        // Without step 7, an answer that breaks off while it is held is still an answer.
        assert_eq!(ask(&envoy, false, "reset-after=0").headers.text("content-type"), Some("text/plain"), "{name}");
        // The gateway asks twice, as its file says. A retry policy that the operator has on all routes would ask, and pay, for each.
        let _ = machine.openai.take_requests();
        assert_eq!(ask(&envoy, false, "status=503").status, 503, "{name}");
        assert_eq!(machine.openai.take_requests().len(), 2, "{name}");
        machine.openai.clear();
        let _ = machine.openai.take_requests();
    }
}

/// The filter's configuration, of a file that asks for an audit log.
fn with_audit(mut configuration: Value) -> Value {
    configuration["config"]["log"] = json!({"audit": {"enabled": true}});
    configuration
}

/// Waits for what Envoy writes or tells a little later.
#[track_caller]
fn wait_for<T>(what: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not come");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn each_request_is_written_down_and_counted() {
    let guide = Guide::read();
    for name in ENVOYS {
        let machine = Machine::new();
        let write = |address| {
            let mut envoy = machine.perform(&guide, address, true);
            envoy["admin"] = json!({"address": {"pipe": {"path": machine.admin()}}});
            let manager =
                &mut envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
            let path = machine.audit_log();
            let audit = guide.yaml("audit_log", &[("/var/log/envoy/decisions.jsonl", path.to_str().unwrap())]);
            insert(&mut manager["access_log"], &audit["access_log"]);
            let filter = &mut manager["http_filters"][0]["typed_config"]["config"]["configuration"]["value"];
            let file: Value = serde_json::from_str(filter.as_str().unwrap()).unwrap();
            *filter = with_audit(file).to_string().into();
            envoy
        };
        let envoy = Plain::start_foreign(&artefact(name), write, &[CREDENTIAL]);
        let id = ask(&envoy, false, "").headers.text("x-request-id").map(str::to_owned);
        let _ = envoy.send(&Request::get("/page").key(KEY));
        let lines = wait_for(|| {
            let text = fs::read_to_string(machine.access_log()).ok()?;
            let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            (lines.len() == 2).then_some(lines)
        });
        let line = lines.iter().find(|line| line["provider"] == "openai").expect("the module's");
        assert!(id.is_none_or(|id| line["request_id"] == id), "{name}: {line}");
        assert_eq!(
            (&line["key"], &line["outcome"], &line["status"]),
            (&json!("my-app"), &json!("answered"), &json!(200))
        );
        assert!(line["cost_nano_usd"].is_u64() && line["gen_ai.usage.input_tokens"].is_u64(), "{name}: {line}");
        assert!(lines.iter().any(|line| line["request_id"] == "-" && line["outcome"].is_null()), "{name}: {lines:?}");
        let events = wait_for(|| {
            let text = fs::read_to_string(machine.audit_log()).ok().filter(|text| text.ends_with('\n'))?;
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
            Some(lines.map(|line| line["event"].clone()).collect::<Vec<_>>())
        });
        assert_eq!(events, ["route_decision", "proxy_attempt", "proxy_response"], "{name}");

        let labels = r#"provider="openai",model="gpt-4o""#;
        // A histogram is there before it is added up.
        let measured = format!("\nllm_request_duration_ms_count{{{labels}}} 1\n");
        let page = wait_for(|| Some(machine.ask_envoy("/stats/prometheus")).filter(|page| page.contains(&measured)));
        for sample in [
            format!("\nllm_requests_total{{{labels},status=\"200\"}} 1\n"),
            format!("\nllm_cost_nano_usd_total{{{labels}}} {}\n", line["cost_nano_usd"]),
            format!("\nllm_request_duration_ms_bucket{{{labels},le=\"600000\"}} 1\n"),
        ] {
            assert!(page.contains(&sample), "{name}: {sample} {page}");
        }
    }
}

const HELD: Duration = Duration::from_secs(1);

/// Puts a filter before the module that lets heads pass and looks into bodies: an external one. Its service says nothing, until Envoy
/// goes on without it or gives up.
fn guard(envoy: &mut Value, silent: SocketAddr, goes_on: bool) {
    let port = json!({"address": silent.ip(), "port_value": silent.port()});
    let cluster = json!([{
        "name": "silent",
        "load_assignment": {"cluster_name": "silent", "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": {"socket_address": port}}}]},
        ]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }},
    }]);
    insert(&mut envoy["static_resources"]["clusters"], &cluster);
    let manager = &mut envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let filter = json!([{"name": "guard", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": "silent"}},
        "failure_mode_allow": goes_on,
        "message_timeout": format!("{}s", HELD.as_secs()),
        "processing_mode": {
            "request_header_mode": "SKIP", "request_body_mode": "BUFFERED", "response_header_mode": "SKIP",
        },
    }}]);
    insert(&mut manager["http_filters"], &filter);
}

#[test]
fn the_answer_of_a_filter_before_it_is_left_as_it_is() {
    let (guide, machine) = (Guide::read(), Machine::new());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for name in ENVOYS {
        let write = |address| {
            let mut envoy = machine.perform(&guide, address, true);
            guard(&mut envoy, silent.local_addr().unwrap(), false);
            envoy
        };
        let envoy = Plain::start_foreign(&artefact(name), write, &[CREDENTIAL]);
        let answer = ask(&envoy, false, "");
        assert!(answer.status >= 500, "{name}: {}", answer.status);
        assert!(!answer.text().contains("before it was complete"), "{name}: {}", answer.text());
    }
}

#[test]
fn a_filter_before_it_that_holds_bodies_is_waited_for() {
    let (guide, machine) = (Guide::read(), Machine::new());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for name in ENVOYS {
        let write = |address| {
            let mut envoy = machine.perform(&guide, address, true);
            guard(&mut envoy, silent.local_addr().unwrap(), true);
            envoy
        };
        let envoy = Plain::start_foreign(&artefact(name), write, &[CREDENTIAL]);
        thread::scope(|scope| {
            // Some that a worker has before it has seen the first body.
            for mut connection in (0..3).flat_map(|_| envoy.connect_workers()) {
                scope.spawn(move || {
                    let begun = Instant::now();
                    let chat = Request::post("/v1/chat/completions", &hello(false)).key(KEY);
                    let answer = connection.ask(&chat);
                    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
                    // Envoy's timers may ring a little early: its loop looks at the clock once a turn.
                    assert!(begun.elapsed() >= HELD / 2, "{name}: the body was not held");
                });
            }
        });
        assert_eq!(ask(&envoy, true, "").status, 200, "{name}");
        assert!(!envoy.log().contains("allow_on_headers_stop_iteration"), "{name}: {}", envoy.log());
    }
}
