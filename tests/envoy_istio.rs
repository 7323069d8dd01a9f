//! The resources for Istio: they have the shape that Istio's reference asks for, they fit together, and what they patch into
//! an Envoy works in one. There is no Istio here; the test does to a listener like a gateway's what Istio would.
#![cfg(test)]

use dragoman::simulate::{Options, Simulator};
use dragoman_tests::clock::wait_until;
use dragoman_tests::envoy::{artefact, root};
use dragoman_tests::http::Request;
use dragoman_tests::plain::Plain;
use dragoman_tests::scene::{hello, openai_error};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Output};
use tempfile::TempDir;

const CHECKED_IN: &str = "envoy/istio/dragoman.yaml";
const WASM: &str = "/var/lib/dragoman/dragoman.wasm";
const CREDENTIAL: (&str, &str) = ("UPSTREAM_KEY", "sk-upstream-secret");
const MANAGER: &str = "envoy.filters.network.http_connection_manager";

fn rendered(config: &Value, wasm: &str) -> Output {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("dragoman.json");
    fs::write(&file, config.to_string()).unwrap();
    Command::new(artefact("dragoman"))
        .args(["render", "istio", "--wasm", wasm, "--config"])
        .arg(&file)
        .output()
        .unwrap()
}

fn render(config: &Value, wasm: &str) -> Vec<Value> {
    let output = rendered(config, wasm);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    documents(&String::from_utf8(output.stdout).unwrap())
}

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

fn of_kind<'a>(resources: &'a [Value], kind: &str) -> Vec<&'a Value> {
    resources.iter().filter(|resource| resource["kind"] == kind).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[track_caller]
fn assert_fits(resources: &[Value]) {
    for resource in resources {
        let api = text(&resource["apiVersion"]);
        let expected =
            if resource["kind"] == "EnvoyFilter" { "networking.istio.io/v1alpha3" } else { "networking.istio.io/v1" };
        assert_eq!(api, expected, "{resource}");
        let name = text(&resource["metadata"]["name"]);
        let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(name.len() <= 63 && name.bytes().all(is_label), "{name}");
    }
    let [filter] = of_kind(resources, "EnvoyFilter")[..] else { panic!("one EnvoyFilter") };
    let patches = filter["spec"]["configPatches"].as_array().unwrap();
    for patch in patches {
        // Words of Istio's reference.
        assert!(["HTTP_FILTER", "NETWORK_FILTER", "HTTP_ROUTE"].contains(&text(&patch["applyTo"])), "{patch}");
        assert_eq!(patch["match"]["context"], "GATEWAY", "{patch}");
        let operation = text(&patch["patch"]["operation"]);
        let allowed = if patch["applyTo"] == "HTTP_FILTER" { "INSERT_BEFORE" } else { "MERGE" };
        assert_eq!(operation, allowed, "{patch}");
        let object = if patch["applyTo"] == "HTTP_ROUTE" { "routeConfiguration" } else { "listener" };
        assert!(patch["match"][object].is_object(), "{patch}");
    }
    for entry in of_kind(resources, "ServiceEntry") {
        let host = text(&entry["spec"]["hosts"][0]);
        let is_end = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().next().is_some_and(is_end)
                && label.bytes().next_back().is_some_and(is_end)
                && label.bytes().all(|byte| is_end(byte) || byte == b'-')
        };
        assert!(host.split('.').all(is_label), "{host}");
    }
    // Of the mapping to the cluster, all ends meet: the module's names, the mesh's services, the route's destinations.
    let plugin = &patches[0]["patch"]["value"]["typed_config"]["config"]["configuration"]["value"];
    let plugin: Value = serde_json::from_str(text(plugin)).unwrap();
    let mut named: Vec<String> =
        plugin["config"]["providers"].as_object().unwrap().values().map(|one| text(&one["cluster"]).into()).collect();
    let cluster = |host: &Value, port: &Value| format!("outbound|{port}||{}", text(host));
    let mut served: Vec<String> = Vec::new();
    for entry in of_kind(resources, "ServiceEntry") {
        for port in entry["spec"]["ports"].as_array().unwrap() {
            served.push(cluster(&entry["spec"]["hosts"][0], &port["number"]));
        }
    }
    let route = &of_kind(resources, "VirtualService")[0]["spec"]["http"][0];
    let mut routed: Vec<String> = route["route"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| cluster(&one["destination"]["host"], &one["destination"]["port"]["number"]))
        .collect();
    let mut ruled: Vec<String> = Vec::new();
    for rule in of_kind(resources, "DestinationRule") {
        for port in rule["spec"]["trafficPolicy"]["portLevelSettings"].as_array().unwrap() {
            ruled.push(cluster(&rule["spec"]["host"], &port["port"]["number"]));
        }
    }
    for list in [&mut named, &mut served, &mut routed, &mut ruled] {
        list.sort();
        list.dedup();
    }
    assert_eq!((&named, &named, &named), (&served, &routed, &ruled));
    assert_eq!(patches[2]["match"]["routeConfiguration"]["vhost"]["route"]["name"], route["name"]);
}

#[test]
fn the_checked_in_resources_are_what_the_tool_renders_and_fit_together() {
    let folder = CHECKED_IN.rsplit_once('/').unwrap().0;
    let checked = Command::new(artefact("dragoman"))
        .args(["render", "istio", "--config", "config/dragoman.yaml", "--wasm", WASM, "--check", folder])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_fits(&documents(&fs::read_to_string(root().join(CHECKED_IN)).unwrap()));
}

#[test]
fn several_providers_on_a_host_and_addresses_fit_together_too() {
    let resources = render(
        &json!({"providers": {
            "one": {"kind": "openai", "base_url": "https://llm.example.com/one/v1", "credential": {"env": "A"}},
            "two": {"kind": "openai", "base_url": "https://llm.example.com/two/v1", "credential": {"env": "A"}},
            "three": {"kind": "openai", "base_url": "https://llm.example.com:8443/v1", "credential": {"env": "A"}},
            "local": {"kind": "ollama", "base_url": "http://10.1.2.3:11434"},
            "loop": {"kind": "ollama", "base_url": "http://[::1]:11434"},
            "link": {"kind": "ollama", "base_url": "http://[fe80::]:11434"},
        }}),
        WASM,
    );
    assert_fits(&resources);
    let entries = of_kind(&resources, "ServiceEntry");
    let [by_loop, by_address, by_link, by_name] = entries[..] else { panic!("{entries:?}") };
    for (entry, address) in [(by_address, "10.1.2.3"), (by_loop, "::1"), (by_link, "fe80::")] {
        assert_eq!(entry["spec"]["resolution"], "STATIC");
        assert_eq!(entry["spec"]["endpoints"], json!([{ "address": address }]));
    }
    assert_eq!(by_name["spec"]["resolution"], "DNS");
    let rules = of_kind(&resources, "DestinationRule");
    let tls = |rule: &Value| rule["spec"]["trafficPolicy"]["portLevelSettings"][0].get("tls").cloned();
    assert_eq!(tls(rules[0]), None);
    assert_eq!(tls(rules[3]).unwrap()["sni"], "llm.example.com");
}

#[test]
fn a_service_that_the_mesh_has_is_the_routes_destination() {
    let local = |cluster: &str| json!({"kind": "openai", "base_url": "http://llama.models.svc/v1", "cluster": cluster});
    let destinations = |providers: Value| {
        let resources = render(&json!({ "providers": providers }), WASM);
        assert!(of_kind(&resources, "ServiceEntry").is_empty() && of_kind(&resources, "DestinationRule").is_empty());
        of_kind(&resources, "VirtualService")[0]["spec"]["http"][0]["route"].clone()
    };
    let destination = |host: &str, port: u16| json!({ "host": host, "port": { "number": port } });
    let full = "llama.models.svc.cluster.local";
    assert_eq!(
        destinations(json!({"one": local("outbound|80||llama.models.svc.cluster.local")})),
        json!([{ "destination": destination(full, 80), "weight": 100 }]),
    );
    let mut subset = destination(full, 80);
    subset["subset"] = json!("v2");
    assert_eq!(
        destinations(json!({
            "one": local("outbound|80|v2|llama.models.svc.cluster.local"),
            "two": local("outbound|81||llama.models.svc.cluster.local"),
            "again": local("outbound|81||llama.models.svc.cluster.local"),
            "own": local("my_cluster"),
        })),
        json!([
            { "destination": subset, "weight": 100 },
            { "destination": destination(full, 81), "weight": 0 },
        ]),
    );
    // Istio refuses a route without one.
    for cluster in ["my_cluster", "outbound|80||", "outbound|http||a.example", "outbound|0||a.example"] {
        assert_eq!(
            destinations(json!({"own": local(cluster)})),
            json!([{ "destination": destination("llama.models.svc", 80), "weight": 100 }]),
            "{cluster}",
        );
    }
}

#[test]
fn hosts_that_differ_in_a_dot_only_have_resources_of_their_own() {
    let long = format!("https://{}.example.com/v1", ["a-long-label"; 8].join("."));
    let resources = render(
        &json!({"providers": {
            "one": {"kind": "openai", "base_url": "https://a-b.c.example/v1", "credential": {"env": "A"}},
            "two": {"kind": "openai", "base_url": "https://a.b-c.example/v1", "credential": {"env": "A"}},
            "long": {"kind": "openai", "base_url": long, "credential": {"env": "A"}},
        }}),
        WASM,
    );
    assert_fits(&resources);
    for kind in ["ServiceEntry", "DestinationRule"] {
        let names: BTreeSet<_> =
            of_kind(&resources, kind).iter().map(|one| text(&one["metadata"]["name"]).to_owned()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
    }
}

#[test]
fn a_port_in_the_clear_and_within_tls_is_refused() {
    let provider = |base_url: &str| json!({"kind": "openai", "base_url": base_url, "credential": {"env": "A"}});
    let both = json!({"providers": {"a": provider("https://llm.example"), "b": provider("http://llm.example:443")}});
    let output = rendered(&both, WASM);
    assert!(output.status.code() == Some(2) && output.stdout.is_empty());
    let problems = String::from_utf8_lossy(&output.stderr);
    let problems: Vec<_> = problems.lines().collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    for (problem, own, other) in
        [(problems[0], ("a", "https"), ("b", "http")), (problems[1], ("b", "http"), ("a", "https"))]
    {
        let (own, other) = (
            format!("/providers/{}/base_url: reaches port 443 of llm.example by {},", own.0, own.1),
            format!("/providers/{}/base_url by {}:", other.0, other.1),
        );
        assert!(problem.contains(&own) && problem.contains(&other), "{problem}");
    }
    let apart = json!({"providers": {"a": provider("https://llm.example"), "b": provider("http://llm.example")}});
    assert_fits(&render(&apart, WASM));
}

/// A gateway's listener as Istio makes it of a `Gateway` and a `VirtualService`, with what the patches add.
fn patched(resources: &[Value], address: SocketAddr, upstream: SocketAddr) -> Value {
    let service = &of_kind(resources, "VirtualService")[0]["spec"]["http"][0];
    let destination = &service["route"][0]["destination"];
    let cluster = format!("outbound|{}||{}", destination["port"]["number"], text(&destination["host"]));
    let mut route = json!({
        "name": service["name"],
        "match": { "prefix": service["match"][0]["uri"]["prefix"] },
        "request_headers_to_remove": service["headers"]["request"]["remove"],
        "route": { "cluster": cluster, "timeout": service["timeout"] },
    });
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    });
    let mut manager = json!({
        "name": MANAGER,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "outbound_0.0.0.0_8080",
            "use_remote_address": true,
            "normalize_path": true,
            "access_log": [{
                "name": "envoy.access_loggers.stdout",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                    "log_format": { "text_format_source": { "inline_string": "the mesh's own\n" } },
                },
            }],
        },
    });
    let mut filters = vec![router];
    for patch in of_kind(resources, "EnvoyFilter")[0]["spec"]["configPatches"].as_array().unwrap() {
        let value = &patch["patch"]["value"];
        match text(&patch["applyTo"]) {
            "HTTP_FILTER" => filters.insert(0, value.clone()),
            "NETWORK_FILTER" => merge(&mut manager, value),
            "HTTP_ROUTE" => {
                // Both say where to, and of such the merged one stays.
                route["route"].as_object_mut().unwrap().remove("cluster");
                merge(&mut route, value);
            }
            other => panic!("{other}"),
        }
    }
    manager["typed_config"]["http_filters"] = json!(filters);
    manager["typed_config"]["route_config"] =
        json!({ "name": "http.8080", "virtual_hosts": [{ "name": "*:8080", "domains": ["*"], "routes": [route] }] });
    let place =
        |at: SocketAddr| json!({ "socket_address": { "address": at.ip().to_string(), "port_value": at.port() } });
    json!({ "static_resources": {
        "listeners": [{ "name": "0.0.0.0_8080", "address": place(address), "filter_chains": [{ "filters": [manager] }] }],
        "clusters": [{
            "name": cluster,
            "type": "STATIC",
            "load_assignment": {
                "cluster_name": cluster,
                "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": place(upstream) } }] }],
            },
        }],
    }})
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        // As protobuf's messages are merged.
        (Value::Array(into), Value::Array(from)) => into.extend(from.iter().cloned()),
        (into, from) => *into = from.clone(),
    }
}

#[test]
fn what_is_patched_into_a_gateway_makes_it_one_for_language_models() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let upstream = simulator.addr();
    let base_url = format!("http://llm.test:{}/v1", upstream.port());
    let config = json!({"providers": {
        "openai": {"kind": "openai", "base_url": base_url, "credential": {"env": CREDENTIAL.0}},
    }, "log": {"audit": {"enabled": true}}});
    let resources = render(&config, artefact("dragoman.wasm").to_str().unwrap());
    assert_fits(&resources);
    for name in ["envoy-1.36", "envoy"] {
        let envoy =
            Plain::start_foreign(&artefact(name), |address| patched(&resources, address, upstream), &[CREDENTIAL]);
        let ask = |stream: bool, faults: &str| {
            envoy.send(&Request::post("/v1/chat/completions", &hello(stream)).header("x-simulate", faults))
        };
        let whole = ask(false, "cuts=1");
        assert_eq!(whole.status, 200, "{name}: {} {}", whole.text(), envoy.log());
        assert_eq!(whole.headers.text("x-dragoman-attempts"), Some("openai/gpt-4o=200"), "{name}");
        let streamed = ask(true, "cuts=1");
        assert_eq!(streamed.events().last().map(String::as_str), Some("[DONE]"), "{name}: {}", streamed.text());
        assert_eq!(ask(false, "status=429").status, 429, "{name}");
        for faults in ["reset", "reset-after=0", "html"] {
            let answer = ask(true, faults);
            openai_error(&answer, answer.status, "upstream_error", Some("upstream_error"));
        }
        let request = simulator.take_requests().pop().unwrap();
        let odd = |path: &str, header: &str| envoy.send(&Request::post(path, &hello(false)).header(header, "x")).status;
        assert_eq!(odd("/v1/./chat//completions", "x-plain"), 200, "{name}: paths are normalised");
        assert_eq!(odd("/v1/chat/completions", "x_under"), 400, "{name}");
        let many = (0..101).fold(Request::post("/v1/chat/completions", &hello(false)), |request, index| {
            request.header(&format!("x-{index}"), "x")
        });
        assert_eq!(envoy.send(&many).status, 431, "{name}");
        assert_eq!(request.header("authorization"), Some("Bearer sk-upstream-secret"), "{name}");
        assert_eq!(request.header("x-dragoman-cluster"), None, "{name}");
        // The audit log stands beside the mesh's own.
        wait_until("the logs are written", || {
            let output = envoy.output();
            output.contains("{\"event\":\"proxy_response\"") && output.contains("the mesh's own\n")
        });
    }
}
