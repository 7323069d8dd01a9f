//! The gateway for a mesh: Istio's own resources, and one `EnvoyFilter` for what they cannot say.
//!
//! How the module is loaded, and a route by `cluster_header`, are patches; all else, who may be reached and how, stays in
//! resources that the mesh's operators know. The clusters are Istio's, so attempts run in the gateway's listener.
//!
//! What bounds a request at the gateway's own port is what a rendered listener has; what bounds the whole process (connections,
//! heap) and whose forwarding headers count is the mesh's business.
//!
//! For routes Istio's reference promises no operation but `MERGE`: the route is a `VirtualService`'s, and the patch exchanges the
//! field by which it finds its cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
    net::IpAddr,
};

use dragoman_core::{
    config::{BaseUrl, Config, JwtKeys, Plugin, Problem, Provider, ProviderOverride, RetryMode, step},
    plan::CLUSTER_HEADER,
};
use serde_json::{Value, json};

use crate::key;

use super::{
    Rendering, Target, Unsayable, credentials, hand_over, ingress, route,
    scheme::{literal, scheme, seconds},
    shared, token,
    wasm::Module,
    yaml,
};

/// The name of every resource that exists once, and of the route.
const NAME: &str = "dragoman";
const NETWORKING: &str = "networking.istio.io/v1";
const MANAGER: &str = "envoy.filters.network.http_connection_manager";
/// Above the default, 0: applied after the patches that the chain's other filters come from.
const PRIORITY: i32 = 10;
/// Of the connection manager, what is about requests at this port alone. The sizes of HTTP/2's windows stay Istio's: Envoy 1.36
/// bounds bodies by them, and a rendered listener's are smaller.
const MANAGED: [&str; 10] = [
    "normalize_path",
    "merge_slashes",
    "path_with_escaped_slashes_action",
    "always_set_request_id_in_response",
    "request_headers_timeout",
    "request_timeout",
    "stream_idle_timeout",
    "max_request_headers_kb",
    "common_http_protocol_options",
    "local_reply_config",
];
/// Of a name that is only to be read: with the hash it fits into a label.
const READABLE_NAME: usize = 40;
/// Hexadecimal digits, 32 bits: a file has a handful of hosts.
const NAME_HASH: usize = 8;

/// Renders the resources.
///
/// # Errors
/// With [`Unsayable`] when providers need one port in the clear and within TLS, which a `ServiceEntry` cannot say; otherwise when the
/// resources cannot be written as YAML.
pub fn istio(config: &Config, target: Target<'_>) -> anyhow::Result<Rendering> {
    refuse_both_schemes(config)?;
    refuse_other_places(config)?;
    let (mut config, handovers) = hand_over(config);
    let hosts = hosts(&config);
    for provider in config.providers.iter_mut().filter(|provider| provider.cluster.is_none()) {
        provider.cluster = Some(cluster(&provider.base_url));
        for account in provider.accounts.iter_mut().filter(|account| account.enabled) {
            account.cluster = account.base_url.as_ref().map(cluster);
        }
    }
    config.retry.mode = RetryMode::Dispatch;
    let variables = credentials::variables(&config);
    let module = Module { path: target.wasm, variables: &variables };
    let mut documents = vec![gateway(&config), virtual_service(&config), envoy_filter(&config, &module)];
    for (host, addresses) in &hosts {
        documents.push(service_entry(host, addresses));
        documents.push(destination_rule(host, addresses));
    }
    let documents: Result<Vec<_>, _> = documents.iter().map(yaml::write).collect();
    let yaml = yaml::headed("istio", &documents?.join("---\n"));
    Ok(Rendering { text: yaml, handovers, variables })
}

/// An address behind a name of the mesh.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Address {
    port: u16,
    tls: bool,
    /// Where the name is not one of the DNS.
    literal: Option<String>,
}

/// The names of all providers that the mesh does not know yet.
fn hosts(config: &Config) -> BTreeMap<String, BTreeSet<Address>> {
    let mut hosts: BTreeMap<String, BTreeSet<Address>> = BTreeMap::new();
    for (_, url) in unknown(config) {
        let address = Address { port: url.port, tls: url.tls, literal: literal(url).map(|ip| ip.to_string()) };
        hosts.entry(host(url)).or_default().insert(address);
    }
    hosts
}

/// The places that need a `ServiceEntry`, and where the file says so.
fn unknown(config: &Config) -> impl Iterator<Item = (String, &BaseUrl)> {
    let providers = config.providers.iter().filter(|provider| provider.enabled && provider.cluster.is_none());
    let issuer = config.auth.jwt.iter().filter_map(|jwt| match &jwt.keys {
        JwtKeys::Url(url) => Some(("/auth/jwt/jwks_url".to_owned(), url)),
        JwtKeys::File(_) | JwtKeys::Secret(_) => None,
    });
    let places = providers.flat_map(|provider| {
        let at = format!("/providers{}", step(&provider.name));
        let accounts = provider.accounts.iter().enumerate().filter(|(_, account)| account.enabled);
        let others: Vec<_> = accounts
            .filter_map(|(index, account)| {
                Some((format!("{at}/accounts/{index}/base_url"), account.base_url.as_ref()?))
            })
            .collect();
        iter::once((format!("{at}/base_url"), &provider.base_url)).chain(others)
    });
    places.chain(issuer)
}

fn refuse_both_schemes(config: &Config) -> Result<(), Unsayable> {
    let problem = |(pointer, url): (String, &BaseUrl)| {
        let clash =
            |(_, other): &(String, &BaseUrl)| (&other.host, other.port, other.tls) == (&url.host, url.port, !url.tls);
        let (other, _) = unknown(config).find(clash)?;
        let message = format!(
            "reaches port {} of {} by {}, and {other} by {}: a port of a `ServiceEntry` has one protocol; change one of them, or \
             name the `cluster` of one",
            url.port,
            url.host,
            scheme(url.tls),
            scheme(!url.tls),
        );
        Some(Problem { pointer, message })
    };
    let problems: Vec<_> = unknown(config).filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(Unsayable(problems)) }
}

/// A provider's address in an environment has no cluster that could be named: the mesh would have to be told of it twice.
fn refuse_other_places(config: &Config) -> Result<(), Unsayable> {
    let places = config.environments.iter().flat_map(|environment| {
        let at = format!("/environments{}/providers", step(&environment.name));
        environment.providers.iter().map(move |provider| (format!("{at}{}", step(&provider.name)), provider))
    });
    let is_elsewhere = |provider: &ProviderOverride| {
        provider.base_url.is_some() || provider.accounts.iter().flatten().any(|account| account.base_url.is_some())
    };
    let problem = |(pointer, _)| Problem {
        pointer,
        message: "has an address of its own, which is only rendered for plain Envoy; name another provider for it"
            .into(),
    };
    let problems: Vec<_> = places.filter(|(_, provider)| is_elsewhere(provider)).map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(Unsayable(problems)) }
}

/// A `ServiceEntry` needs a name; an address gets one that nobody resolves. Of IPv6 every group is written, because `::1` would
/// make a label that begins with a hyphen.
fn host(url: &BaseUrl) -> String {
    let name = match literal(url) {
        None => return url.host.clone(),
        Some(IpAddr::V4(ip)) => ip.octets().map(|octet| octet.to_string()).join("-"),
        Some(IpAddr::V6(ip)) => ip.segments().map(|group| format!("{group:x}")).join("-"),
    };
    format!("{name}.provider.dragoman")
}

/// Istio's name for the cluster of a service.
fn cluster(url: &BaseUrl) -> String {
    format!("outbound|{}||{}", url.port, host(url))
}

fn resource(api: &str, kind: &str, name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": api, "kind": kind, "metadata": { "name": name }, "spec": spec })
}

fn gateway(config: &Config) -> Value {
    let port = json!({ "number": config.listen.address.port(), "name": "http-dragoman", "protocol": "HTTP" });
    let spec = json!({ "selector": { "istio": "ingressgateway" }, "servers": [{ "port": port, "hosts": ["*"] }] });
    resource(NETWORKING, "Gateway", NAME, &spec)
}

/// A service of the mesh, as a route names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Destination {
    host: String,
    port: u16,
    subset: Option<String>,
}

impl Destination {
    /// The service behind one of Istio's cluster names, `outbound|PORT|SUBSET|HOST`.
    fn of_cluster(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("outbound|")?.split('|');
        let (port, subset, host) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        let is_whole = port != 0 && !host.is_empty() && parts.next().is_none();
        let subset = (!subset.is_empty()).then(|| subset.to_owned());
        is_whole.then(|| Self { host: host.to_owned(), port, subset })
    }

    /// The service that a provider's own address would be.
    fn of_url(url: &BaseUrl) -> Self {
        Self { host: host(url), port: url.port, subset: None }
    }

    fn render(&self) -> Value {
        let mut destination = json!({ "host": self.host, "port": { "number": self.port } });
        if let (Some(subset), Some(fields)) = (&self.subset, destination.as_object_mut()) {
            fields.insert("subset".into(), subset.as_str().into());
        }
        destination
    }
}

/// Istio refuses a route without one. Where every cluster is somebody's own, any name will do: the patch takes its place.
fn destinations(config: &Config) -> BTreeSet<Destination> {
    let enabled = config.providers.iter().filter(|provider| provider.enabled);
    let places = enabled.flat_map(Provider::endpoints);
    let known: BTreeSet<_> = places.filter_map(|place| Destination::of_cluster(&place.cluster)).collect();
    if known.is_empty() {
        return config.providers.first().map(|provider| Destination::of_url(&provider.base_url)).into_iter().collect();
    }
    known
}

/// Its destinations are never asked as they stand here; they keep the clusters in gateways that are only told of what is
/// referred to (`PILOT_FILTER_GATEWAY_CLUSTER_CONFIG`).
fn virtual_service(config: &Config) -> Value {
    let share = |index: usize| if index == 0 { 100 } else { 0 };
    let route: Vec<_> = destinations(config)
        .iter()
        .enumerate()
        .map(|(index, destination)| json!({ "destination": destination.render(), "weight": share(index) }))
        .collect();
    let route = json!({
        "name": NAME,
        "match": [{ "uri": { "prefix": "/" } }],
        "headers": { "request": { "remove": [CLUSTER_HEADER, "x-forwarded-proto"] } },
        "retries": { "attempts": 0 },
        "route": route,
        "timeout": "0s",
    });
    resource(NETWORKING, "VirtualService", NAME, &json!({ "hosts": ["*"], "gateways": [NAME], "http": [route] }))
}

fn envoy_filter(config: &Config, module: &Module<'_>) -> Value {
    let port = config.listen.address.port();
    let listener = |filter: Value| json!({ "context": "GATEWAY", "listener": { "portNumber": port, "filterChain": { "filter": filter } } });
    // Each stands before the router and behind those before it.
    let filter = |filter: Value| {
        json!({
            "applyTo": "HTTP_FILTER",
            "match": listener(json!({ "name": MANAGER, "subFilter": { "name": "envoy.filters.http.router" } })),
            "patch": { "operation": "INSERT_BEFORE", "value": filter },
        })
    };
    let tokens = config.auth.jwt.iter().map(|jwt| {
        let issuer = match &jwt.keys {
            JwtKeys::Url(url) => cluster(url),
            JwtKeys::File(_) | JwtKeys::Secret(_) => String::new(),
        };
        filter(token::filter(jwt, &issuer))
    });
    let module = filter(module.ingress(&Plugin::Ingress(Box::new(config.clone()))));
    let limits = shared::filters(config).into_iter().map(filter);
    let manager = json!({
        "applyTo": "NETWORK_FILTER",
        "match": listener(json!({ "name": MANAGER })),
        "patch": { "operation": "MERGE", "value": { "name": MANAGER, "typed_config": managed(config) } },
    });
    let route = json!({
        "applyTo": "HTTP_ROUTE",
        "match": { "context": "GATEWAY", "routeConfiguration": { "vhost": { "route": { "name": NAME } } } },
        "patch": { "operation": "MERGE", "value": {
            "request_body_buffer_limit": ingress::buffer_bytes(config),
            "route": { "cluster_header": CLUSTER_HEADER, "idle_timeout": seconds(route::longest_silence(config)) },
        }},
    });
    let spec = json!({
        "workloadSelector": { "labels": { "istio": "ingressgateway" } },
        "priority": PRIORITY,
        "configPatches": tokens.chain([module]).chain(limits).chain([manager, route]).collect::<Vec<_>>(),
    });
    resource("networking.istio.io/v1alpha3", "EnvoyFilter", NAME, &spec)
}

/// The part of a rendered connection manager that is merged into Istio's.
fn managed(config: &Config) -> Value {
    let mut listener = ingress::listener(config, &Value::Null);
    let mut manager =
        listener.pointer_mut("/filter_chains/0/filters/0/typed_config").map(Value::take).unwrap_or_default();
    if let Some(fields) = manager.as_object_mut() {
        fields.retain(|name, _| name == "@type" || MANAGED.contains(&name.as_str()));
        // Lists are merged by adding to them: the mesh's own access log stays.
        if let Some(log) = ingress::audit_log(config, ingress::STDOUT) {
            fields.insert("access_log".into(), json!([log]));
        }
    }
    manager
}

fn service_entry(host: &str, addresses: &BTreeSet<Address>) -> Value {
    let port = |address: &Address| {
        let scheme = scheme(address.tls);
        json!({ "number": address.port, "name": format!("{scheme}-{}", address.port), "protocol": scheme.to_uppercase() })
    };
    let mut spec = json!({
        "hosts": [host],
        "location": "MESH_EXTERNAL",
        "ports": addresses.iter().map(port).collect::<Vec<_>>(),
        "resolution": "DNS",
    });
    let literal = addresses.iter().find_map(|address| address.literal.as_ref());
    if let (Some(literal), Some(fields)) = (literal, spec.as_object_mut()) {
        fields.insert("resolution".into(), "STATIC".into());
        fields.insert("endpoints".into(), json!([{ "address": literal }]));
    }
    resource(NETWORKING, "ServiceEntry", &resource_name(host), &spec)
}

fn destination_rule(host: &str, addresses: &BTreeSet<Address>) -> Value {
    let port = |address: &Address| {
        let mut policy = json!({
            "port": { "number": address.port },
            // Istio's own limits are Envoy's defaults; the module's are what counts.
            "connectionPool": {
                "tcp": { "connectTimeout": "5s", "maxConnections": 100_000 },
                "http": { "http1MaxPendingRequests": 100_000, "http2MaxRequests": 100_000, "idleTimeout": "30s" },
            },
        });
        if let (true, Some(fields)) = (address.tls, policy.as_object_mut()) {
            let name = address.literal.as_deref().unwrap_or(host);
            let mut tls = json!({ "mode": "SIMPLE", "subjectAltNames": [name], "caCertificates": "system" });
            if let (None, Some(fields)) = (&address.literal, tls.as_object_mut()) {
                fields.insert("sni".into(), host.into());
            }
            fields.insert("tls".into(), tls);
        }
        policy
    };
    let ports: Vec<_> = addresses.iter().map(port).collect();
    let spec = json!({ "host": host, "trafficPolicy": { "portLevelSettings": ports } });
    resource(NETWORKING, "DestinationRule", &resource_name(host), &spec)
}

/// The hash tells hosts apart that differ only in what a name cannot have.
fn resource_name(host: &str) -> String {
    let readable = host.chars().take(READABLE_NAME).map(|character| match character {
        'a'..='z' | '0'..='9' => character,
        _ => '-',
    });
    let readable: String = readable.collect();
    let hash: String = key::hash(host).chars().take(NAME_HASH).collect();
    format!("{NAME}-{readable}-{hash}")
}

#[cfg(test)]
mod tests {
    use dragoman_core::config;

    use super::*;

    #[test]
    fn an_account_at_an_address_of_its_own_has_a_service_and_a_cluster_of_its_own() {
        let file = r#"{"providers": {"p": {"kind": "openai", "base_url": "https://a.example/v1", "accounts": [
            {"name": "one", "credential": {"env": "A"}},
            {"name": "two", "credential": {"env": "B"}, "base_url": "https://b.example/v1"},
            {"name": "three", "credential": {"env": "C"}, "base_url": "http://c.example/v1", "enabled": false}]}}}"#;
        let target = Target { wasm: "dragoman.wasm", private_admin: None };
        let text = istio(&config::parse(file).unwrap(), target).unwrap().text;
        let documents: Vec<Value> = text.split("\n---\n").map(|one| serde_saphyr::from_str(one).unwrap()).collect();
        let entries = documents.iter().filter(|document| document["kind"] == "ServiceEntry");
        let hosts: Vec<_> = entries.map(|entry| entry["spec"]["hosts"][0].clone()).collect();
        assert_eq!(hosts, ["a.example", "b.example"]);
        assert!(text.contains(r#""cluster":"outbound|443||b.example""#), "{text}");
        let service = documents.iter().find(|document| document["kind"] == "VirtualService").unwrap();
        assert_eq!(service["spec"]["http"][0]["route"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn filters_for_limits_that_a_service_counts_stand_behind_the_module() {
        let file = r#"{"providers": {"p": {"kind": "openai"}}, "limits": [{"name": "a", "of": "requests", "per": "hour", "max": 1}],
            "limits_backend": {"ratelimit_service": {"cluster": "outbound|8081||ratelimit.limits.svc.cluster.local"}}}"#;
        let config = config::parse(file).unwrap();
        let filter = envoy_filter(&config, &Module { path: "dragoman.wasm", variables: &[] });
        let patches = filter["spec"]["configPatches"].as_array().unwrap();
        let names: Vec<_> = patches.iter().filter_map(|patch| patch["patch"]["value"]["name"].as_str()).collect();
        assert_eq!(names, ["dragoman_ingress", "dragoman_limit.a", MANAGER]);
    }

    #[test]
    fn accounts_that_need_a_port_by_both_schemes_are_told_apart_by_their_place() {
        let file = r#"{"providers": {"p": {"kind": "openai", "base_url": "https://a.example/v1", "accounts": [
            {"name": "two", "credential": {"env": "B"}, "base_url": "http://a.example:443/v1"}]}}}"#;
        let config = config::parse(file).unwrap();
        let Err(Unsayable(problems)) = refuse_both_schemes(&config) else { panic!("it is refused") };
        let pointers: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(pointers, ["/providers/p/base_url", "/providers/p/accounts/0/base_url"]);
    }
}
