//! Envoy's configuration, rendered from the same typed file that the module reads.
//!
//! Each part of the bootstrap has its file; this one puts them together. Values are built as JSON, which is how protobuf
//! configuration is defined, and written as YAML in one place. The rendering is a function of the file and of [`Target`]
//! alone, so that a checked-in rendering can be compared byte for byte.
//!
//! Invariant: no secret is in the rendering. Inline credentials and headers become references to environment variables, which are
//! handed back; Envoy shows its whole configuration, the module's included, to whoever reads its `/config_dump`.

mod cluster;
mod credentials;
pub mod discovery;
mod ingress;
mod istio;
mod listener;
mod local_reply;
mod overload;
mod reload;
mod route;
pub mod scheme;
pub mod shared;
mod stats;
mod token;
mod wasm;
mod yaml;

use std::{fmt, net::SocketAddr, path::Path};

use dragoman_core::config::{Config, EnvoyAdmin, Plugin, Problem, Provider};
use serde_json::{Value, json};

pub(crate) use self::ingress::STDOUT;
use self::wasm::Module;
pub use self::{
    cluster::SYSTEM_CA_FILE,
    credentials::{Handover, hand_over, without_secrets},
    istio::istio,
    listener::{ADMIN_LISTENER, INGRESS_LISTENER},
    reload::{NeedsRestart, Reloadable},
    shared::ratelimit,
    token::{KEYS_VARIABLE, keys},
    wasm::INGRESS_FILTER,
};

/// The statistics prefix of the ingress: its request gauge is `http.ingress.downstream_rq_active`.
pub const INGRESS_STATS: &str = "ingress";

/// What the rendering is for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Path of the module as Envoy will open it.
    pub wasm: &'a str,
    /// A Unix socket for Envoy's own admin interface, used where the file says `off`: `up` needs it to drain.
    pub private_admin: Option<&'a Path>,
}

/// Something rendered.
#[derive(Debug)]
pub struct Rendering {
    /// The document, or several.
    pub text: String,
    /// Inline secrets of the file, by the variable that must carry them.
    pub handovers: Vec<Handover>,
    /// Every variable that the module reads, sorted.
    pub variables: Vec<String>,
}

/// What a good file says and a rendering cannot.
#[derive(Debug)]
pub struct Unsayable(pub Vec<Problem>);

impl fmt::Display for Unsayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Unsayable {}

/// Renders a bootstrap for plain Envoy.
///
/// # Errors
/// When the document cannot be written as YAML.
pub fn envoy(config: &Config, target: Target<'_>) -> anyhow::Result<Rendering> {
    let (config, handovers) = hand_over(config);
    let variables = credentials::variables(&config);
    let module = Module { path: target.wasm, variables: &variables };
    let ingress = module.ingress(&Plugin::Ingress(Box::new(config.clone())));
    let text = yaml::headed("envoy", &yaml::write(&bootstrap(&config, target, &module, &ingress))?);
    Ok(Rendering { text, handovers, variables })
}

/// Renders the module's own configuration in the role ingress: one line of JSON, for an Envoy whose configuration is written by
/// somebody else.
#[must_use]
pub fn plugin(config: &Config) -> Rendering {
    let (config, handovers) = hand_over(config);
    let variables = credentials::variables(&config);
    Rendering { text: format!("{}\n", Plugin::Ingress(Box::new(config)).to_json()), handovers, variables }
}

/// The document; `ingress` is the filter of that role, or where it is found.
fn bootstrap(config: &Config, target: Target<'_>, module: &Module<'_>, ingress: &Value) -> Value {
    let providers = providers(config);
    let rendered = providers.iter().filter(|provider| provider.cluster.is_none());
    let clusters = rendered.flat_map(|provider| cluster::all(provider, config, module));
    let clusters = clusters.chain(cluster::issuer(config)).chain(cluster::limits(config));
    let mut bootstrap = json!({
        "node": { "id": "dragoman", "cluster": "dragoman" },
        "stats_config": stats::config(),
        "overload_manager": overload::manager(ingress::buffer_bytes(config)),
        "static_resources": {
            "listeners": [ingress::listener(config, ingress), listener::admin(config.listen.admin, &module.admin())],
            "clusters": clusters.collect::<Vec<_>>(),
        },
    });
    if let (Some(address), Some(top)) = (admin_address(config.listen.envoy_admin, target), bootstrap.as_object_mut()) {
        top.insert("admin".into(), json!({ "address": address }));
    }
    bootstrap
}

/// The providers at the top level, and as they are in the environments in which they are elsewhere.
fn providers(config: &Config) -> Vec<Provider> {
    let elsewhere = config.environments().flat_map(|config| config.providers);
    config.providers.iter().cloned().chain(elsewhere.filter(|provider| provider.is_elsewhere)).collect()
}

fn admin_address(wanted: EnvoyAdmin, target: Target<'_>) -> Option<Value> {
    match wanted {
        EnvoyAdmin::FreePort => Some(address(SocketAddr::from(([127, 0, 0, 1], 0)))),
        EnvoyAdmin::At(at) => Some(address(at)),
        EnvoyAdmin::Off => target.private_admin.map(|path| json!({ "pipe": { "path": path, "mode": 0o600 } })),
    }
}

fn address(at: SocketAddr) -> Value {
    json!({ "socket_address": { "address": at.ip().to_string(), "port_value": at.port() } })
}

#[cfg(test)]
mod tests {
    use dragoman_core::config;

    use super::*;

    const TARGET: Target<'static> = Target { wasm: "dragoman.wasm", private_admin: None };

    fn render(file: &str, target: Target<'_>) -> (Rendering, Value) {
        let rendering = envoy(&config::parse(file).unwrap(), target).unwrap();
        let value = serde_saphyr::from_str(&rendering.text).unwrap();
        (rendering, value)
    }

    fn cluster(base_url: &str) -> Value {
        let file = json!({ "providers": { "p": { "kind": "openai", "base_url": base_url } } });
        render(&file.to_string(), TARGET).1["static_resources"]["clusters"][0].take()
    }

    /// Every value under `key`, anywhere.
    fn all<'v>(value: &'v Value, key: &str) -> Vec<&'v Value> {
        match value {
            Value::Object(fields) => fields
                .iter()
                .flat_map(|(name, field)| if name == key { vec![field] } else { all(field, key) })
                .collect(),
            Value::Array(items) => items.iter().flat_map(|item| all(item, key)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        }
    }

    #[test]
    fn all_roles_share_one_virtual_machine_and_differ_in_root() {
        let (_, bootstrap) = render(
            r#"{"providers": {"a": {"kind": "openai", "credential": {"env": "A"}}, "b": {"kind": "openai", "credential": {"env": "B"}}}}"#,
            TARGET,
        );
        let machines = all(&bootstrap, "vm_config");
        assert_eq!(machines.len(), 4);
        assert!(machines.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(machines[0]["environment_variables"]["host_env_keys"], json!(["A", "B"]));
        assert_eq!(all(&bootstrap, "root_id"), ["attempt", "attempt", "ingress", "admin"]);
    }

    #[test]
    fn no_provider_has_the_cluster_of_the_issuer() {
        let file = r#"{"providers": {"issuer": {"kind": "openai"}, "a": {"kind": "openai"}},
            "auth": {"jwt": {"issuer": "i", "jwks_url": "https://i.example.com/keys"}},
            "environments": {"e": {"providers": {"a": {"base_url": "http://e/v1"}, "issuer": {"credential": {"env": "E"}}}}}}"#;
        let (_, bootstrap) = render(file, TARGET);
        let clusters = bootstrap["static_resources"]["clusters"].as_array().unwrap();
        let mut names: Vec<_> = clusters.iter().map(|cluster| cluster["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        let (own, of_environment) = (["dragoman_a", "dragoman_a.plain"], ["dragoman_a.e0", "dragoman_a.e0.plain"]);
        let others = ["dragoman_issuer", "dragoman_issuer.plain"];
        let mut expected = [&["dragoman.issuer"][..], &own, &of_environment, &others].concat();
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert_eq!(all(&bootstrap, "remote_jwks")[0]["http_uri"]["cluster"], "dragoman.issuer");
    }

    #[test]
    fn the_audit_log_is_a_second_log_where_the_file_asks_for_it() {
        let logs = |audit: &str| {
            let file = format!(r#"{{"providers": {{"a": {{"kind": "openai"}}}}, "log": {{"audit": {audit}}}}}"#);
            let (_, bootstrap) = render(&file, TARGET);
            let logs = all(&bootstrap["static_resources"]["listeners"][0], "access_log")[0].as_array().unwrap().clone();
            assert_eq!(logs[0]["name"], "envoy.access_loggers.stdout");
            logs.get(1).map(|log| (log["name"].clone(), log["typed_config"].clone()))
        };
        assert_eq!(logs(r#"{"path": "a.jsonl"}"#), None);
        let (name, log) = logs(r#"{"enabled": true, "path": "a.jsonl"}"#).unwrap();
        assert_eq!((name, &log["path"]), (json!("envoy.access_loggers.file"), &json!("a.jsonl")));
        let format = json!({
            "text_format_source": { "inline_string": "%FILTER_STATE(wasm.dragoman.audit:PLAIN)%" },
            "omit_empty_values": true,
        });
        assert_eq!(log["log_format"], format);
        let (name, log) = logs(r#"{"enabled": true, "path": "/dev/stdout"}"#).unwrap();
        assert_eq!((name, &log["log_format"]), (json!("envoy.access_loggers.stdout"), &format));
    }

    #[test]
    fn an_inline_credential_leaves_the_rendering_and_is_handed_over() {
        let file = r#"{"providers": {"a": {"kind": "openai", "credential": {"value": "sk-secret"}}}}"#;
        let (rendering, _) = render(file, TARGET);
        assert!(!rendering.text.contains("sk-secret"));
        assert!(!format!("{rendering:?}").contains("sk-secret"));
        let [handover] = rendering.handovers.as_slice() else { panic!("{:?}", rendering.handovers) };
        assert_eq!(
            (handover.variable.as_str(), handover.value.expose().as_str()),
            ("DRAGOMAN_CREDENTIAL_A_DEFAULT", "sk-secret")
        );
        assert_eq!(rendering.variables, ["DRAGOMAN_CREDENTIAL_A_DEFAULT"]);
    }

    #[test]
    fn a_header_leaves_the_rendering_as_a_credential_does() {
        let file = r#"{"providers": {"a": {"kind": "openai", "auth": "none", "headers":
            {"x-project": "project-secret", "x-b": {"value": "b-secret"}, "x-c": {"env": "C"}}}}}"#;
        let (rendering, _) = render(file, TARGET);
        assert!(!rendering.text.contains("-secret"));
        let handed: Vec<_> =
            rendering.handovers.iter().map(|h| (h.variable.as_str(), h.value.expose().as_str())).collect();
        assert_eq!(handed, [("DRAGOMAN_HEADER_A_X_PROJECT", "project-secret"), ("DRAGOMAN_HEADER_A_X_B", "b-secret")]);
        assert_eq!(rendering.variables, ["C", "DRAGOMAN_HEADER_A_X_B", "DRAGOMAN_HEADER_A_X_PROJECT"]);
    }

    #[test]
    fn a_variable_of_the_file_is_never_reused_for_another_credential() {
        let file = r#"{"providers": {"a": {"kind": "openai", "accounts": [
            {"name": "one", "credential": {"env": "DRAGOMAN_CREDENTIAL_A_TWO"}},
            {"name": "two", "credential": {"value": "sk-two"}}]}}}"#;
        let (rendering, _) = render(file, TARGET);
        assert_eq!(rendering.variables, ["DRAGOMAN_CREDENTIAL_A_TWO", "DRAGOMAN_CREDENTIAL_A_TWO_2"]);
    }

    #[test]
    fn a_host_name_is_resolved_verified_and_backed_by_an_endpoint_that_refuses() {
        let cluster = cluster("https://api.example.com/v1");
        assert_eq!(cluster["type"], "STRICT_DNS");
        assert_eq!(all(&cluster, "sni"), ["api.example.com"]);
        assert_eq!(all(&cluster, "match_typed_subject_alt_names")[0][0]["matcher"]["exact"], "api.example.com");
        assert_eq!(cluster["load_assignment"]["endpoints"][0]["priority"], 0);
        assert_eq!(all(&cluster["load_assignment"]["endpoints"][1], "port_value"), [9]);
        assert!(!all(&cluster, "auto_config").is_empty());
    }

    #[test]
    fn an_address_literal_is_verified_as_an_address_and_has_no_server_name() {
        let cluster = cluster("https://[::1]:8443/v1");
        assert_eq!(cluster["type"], "STATIC");
        assert_eq!(all(&cluster, "san_type"), ["IP_ADDRESS"]);
        assert!(all(&cluster, "sni").is_empty());
        assert_eq!(cluster["load_assignment"]["endpoints"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn cleartext_has_no_tls_and_no_negotiation() {
        let cluster = cluster("http://127.0.0.1:11434/v1");
        assert!(cluster.get("transport_socket").is_none());
        assert!(all(&cluster, "auto_config").is_empty());
    }

    #[test]
    fn waits_of_the_file_bound_the_listener_the_routes_and_the_cluster() {
        let (_, bootstrap) = render(
            r#"{"retry": {"deadline": "45s"}, "providers": {"a": {"kind": "openai",
                "timeouts": {"first_byte": "50s", "idle": "40s", "total": "70s", "flex": "60s"}}}}"#,
            TARGET,
        );
        assert_eq!(all(&bootstrap["static_resources"]["listeners"][0], "stream_idle_timeout"), ["90s"]);
        // For the flex tier thrice, then for all others, which the deadline bounds.
        assert_eq!(all(&bootstrap, "per_try_timeout"), ["45s", "45s", "60s", "60s", "60s", "45s"]);
        let idle = all(&bootstrap["static_resources"]["listeners"][0], "idle_timeout");
        assert_eq!(idle, ["300s", "46s", "46s", "61s", "61s", "61s", "46s"]);
        // The cluster, and its twin.
        assert_eq!(all(&bootstrap, "max_stream_duration"), ["70s", "70s"]);
    }

    #[test]
    fn a_try_may_take_as_long_as_its_provider_and_the_longest_deadline_allow() {
        let (_, bootstrap) = render(
            r#"{"retry": {"deadline": "20s"}, "routers": {"r": {"retry": {"deadline": "90s"}}, "s": {"retry": {"deadline": "1s"}}},
                "providers": {"a": {"kind": "openai", "timeouts": {"first_byte": "60s", "idle": "8s", "flex": "6s"}}}}"#,
            TARGET,
        );
        assert_eq!(all(&bootstrap, "per_try_timeout"), ["60s", "60s", "6s", "6s", "6s", "60s"]);
        let routes = all(&bootstrap, "routes")[0].as_array().unwrap();
        let idle: Vec<_> = routes.iter().map(|route| all(route, "idle_timeout")[0]).collect();
        assert_eq!(idle, ["91s", "91s", "91s", "91s", "8s", "61s"]);
    }

    #[test]
    fn a_stream_with_several_tries_may_be_silent_as_long_as_they_may_take() {
        let (_, bootstrap) = render(
            r#"{"retry": {"deadline": "20s"}, "routers": {"r": {"retry": {"deadline": "90s"}}},
                "providers": {"a": {"kind": "openai", "timeouts": {"first_byte": "5s", "idle": "8s", "flex": "6s"}}}}"#,
            TARGET,
        );
        let routes = all(&bootstrap, "routes")[0].as_array().unwrap();
        let of = |field: &str| routes.iter().map(|route| all(route, field)[0].clone()).collect::<Vec<_>>();
        assert_eq!(of("name"), ["calls", "tries", "calls-flex", "tries-flex", "flex", "plan"]);
        assert_eq!(of("idle_timeout"), ["91s", "91s", "91s", "91s", "8s", "8s"]);
        assert_eq!(of("per_try_timeout"), ["5s", "5s", "6s", "6s", "6s", "5s"]);
    }

    #[test]
    fn only_a_plan_of_several_tries_is_tried_again_and_no_status_alone_does_it() {
        let (_, bootstrap) = render(r#"{"providers": {"a": {"kind": "openai"}}}"#, TARGET);
        let routes = all(&bootstrap, "routes")[0].as_array().unwrap();
        let marks: Vec<_> =
            routes.iter().map(|route| all(route, "suffix").first().map(|mark| (*mark).clone())).collect();
        let marked = ["#calls", "#tries", "#calls#flex", "#tries#flex", "#flex"].map(|mark| Some(json!(mark)));
        assert_eq!(marks, [marked.to_vec(), vec![None]].concat());
        let retries: Vec<_> =
            routes.iter().map(|route| route["route"]["retry_policy"].get("retry_on").cloned()).collect();
        let asked = Some(json!("reset,connect-failure,refused-stream,retriable-headers"));
        assert_eq!(retries, [None, asked.clone(), None, asked, None, None]);
        assert_eq!(all(&bootstrap, "refresh_cluster_on_retry"), [true, true]);
        assert!(all(&bootstrap, "retriable_status_codes").is_empty());
    }

    #[test]
    fn an_envoy_without_the_matcher_gets_nothing_that_it_does_not_know() {
        let file = r#"{"retry": {"mode": "dispatch"}, "providers": {"a": {"kind": "openai"}}}"#;
        let (rendering, bootstrap) = render(file, TARGET);
        assert!(!rendering.text.contains("refresh_cluster_on_retry") && !rendering.text.contains("retry_on"));
        assert!(!rendering.text.contains("cluster_specifier"));
        // How long they may be silent, they tell apart all the same.
        assert_eq!(all(&bootstrap, "cluster_header").len(), 4);
    }

    #[test]
    fn each_place_of_a_provider_has_a_cluster_and_a_twin_without_the_module() {
        let file = r#"{"providers": {"a": {"kind": "openai", "accounts": [
            {"name": "one", "credential": {"env": "A"}},
            {"name": "two", "credential": {"env": "B"}, "base_url": "https://eu.example.com/v1"}]}}}"#;
        let (_, mut bootstrap) = render(file, TARGET);
        let mut clusters = bootstrap["static_resources"]["clusters"].take();
        let clusters = clusters.as_array_mut().unwrap();
        let names: Vec<_> = clusters.iter().map(|cluster| cluster["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names, ["dragoman_a", "dragoman_a.plain", "dragoman_a.1", "dragoman_a.1.plain"]);
        let carry: Vec<_> = clusters.iter().map(|cluster| all(cluster, "root_id").len()).collect();
        assert_eq!(carry, [1, 0, 1, 0]);
        assert_eq!(all(&clusters[3], "sni"), ["eu.example.com"]);
        // But for the module and its name a twin is its cluster.
        let [cluster, twin, ..] = clusters.as_mut_slice() else { panic!("{names:?}") };
        let protocol = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let options = &mut cluster["typed_extension_protocol_options"][protocol];
        options.as_object_mut().unwrap().remove("http_filters").unwrap();
        assert_eq!(twin.as_object_mut().unwrap().remove("alt_stat_name").unwrap(), "dragoman_a/plain");
        for place in ["/name", "/load_assignment/cluster_name"] {
            *twin.pointer_mut(place).unwrap() = "dragoman_a".into();
        }
        assert_eq!(cluster, twin);
        // No key of the map begins with another.
        let map = all(&bootstrap, "prefix_match_map")[0]["map"].as_object().unwrap().clone();
        let keys: Vec<_> = map.keys().collect();
        assert_eq!(keys, ["dragoman_a#", "dragoman_a.1#", "dragoman_a.1.plain#", "dragoman_a.plain#"]);
    }

    #[test]
    fn a_cluster_of_the_operators_own_has_no_twin_and_neither_has_one_without_the_module() {
        let own = r#"{"providers": {"a": {"kind": "openai", "cluster": "mine", "upstream_filter": true}, "b": {"kind": "openai"}}}"#;
        let (_, bootstrap) = render(own, TARGET);
        let map = all(&bootstrap, "prefix_match_map")[0]["map"].as_object().unwrap();
        assert_eq!(map.keys().collect::<Vec<_>>(), ["dragoman_b#", "dragoman_b.plain#", "mine#"]);
        let (_, bootstrap) =
            render(r#"{"retry": {"mode": "dispatch"}, "providers": {"a": {"kind": "openai"}}}"#, TARGET);
        assert_eq!(bootstrap["static_resources"]["clusters"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn the_admin_interface_is_off_unless_someone_needs_it() {
        let file = r#"{"listen": {"envoy_admin": "off"}, "providers": {"a": {"kind": "openai"}}}"#;
        assert!(render(file, TARGET).1.get("admin").is_none());
        let (_, bootstrap) = render(file, Target { private_admin: Some(Path::new("/tmp/admin.sock")), ..TARGET });
        assert_eq!(bootstrap["admin"]["address"]["pipe"]["path"], "/tmp/admin.sock");
    }

    #[test]
    fn whatever_the_module_holds_reaches_it_so_that_it_can_refuse_the_next_byte() {
        for (max_body, limit) in [("4MiB", 36_u64 << 20), ("64MiB", 68 << 20)] {
            let file = format!(r#"{{"max_body": "{max_body}", "providers": {{"a": {{"kind": "openai"}}}}}}"#);
            let (_, bootstrap) = render(&file, TARGET);
            assert_eq!(all(&bootstrap, "request_body_buffer_limit"), [limit]);
            assert_eq!(all(&bootstrap, "max_heap_size_bytes"), [64 * limit]);
        }
    }
}
