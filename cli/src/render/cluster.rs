//! A provider as Envoy clusters: where it is, how it is verified, and how long it may take. Each place is a cluster, and where the
//! module sits in it, a second one without.

use std::time::Duration;

use dragoman_core::{
    config::{BaseUrl, Config, Endpoint, JwtKeys, Provider, Tls},
    plan::Mode,
};
use serde_json::{Value, json};

use super::{
    scheme::{literal, seconds},
    shared, token,
    wasm::Module,
};

/// The bundle of Debian, Alpine and Envoy's own images.
pub const SYSTEM_CA_FILE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Providers close idle connections after a minute or so; a request that races with it is lost. Being first avoids that.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// A stream that brings keys is never longer; the fetch itself has less time.
const ISSUER_LIMIT: Duration = Duration::from_secs(30);

/// Where envoyproxy/ratelimit listens.
const LIMITS_PORT: u16 = 8081;

/// A filter has given up long before.
const LIMITS_LIMIT: Duration = Duration::from_mins(1);

/// All clusters of a provider whose clusters are rendered.
pub(super) fn all(provider: &Provider, config: &Config, module: &Module<'_>) -> Vec<Value> {
    let attempt = (provider.mode(&config.retry) == Mode::Native).then(|| module.attempt());
    let has_twins = provider.has_twins(&config.retry);
    let places = provider.endpoints().into_iter().flat_map(|endpoint| {
        let total = provider.timeouts.total;
        let twin = has_twins.then(|| cluster(&endpoint.twin(), endpoint.base_url, total, config, None));
        let Endpoint { cluster: name, base_url } = endpoint;
        [Some(cluster(&name, base_url, total, config, attempt.as_ref())), twin]
    });
    places.flatten().collect()
}

/// The cluster of who issues tokens, where its keys are fetched.
pub(super) fn issuer(config: &Config) -> Option<Value> {
    match &config.auth.jwt.as_ref()?.keys {
        JwtKeys::Url(url) => Some(cluster(token::CLUSTER, url, ISSUER_LIMIT, config, None)),
        JwtKeys::File(_) | JwtKeys::Secret(_) => None,
    }
}

/// The cluster of the service that counts limits.
pub(super) fn limits(config: &Config) -> Option<Value> {
    let service = shared::service(config)?;
    let usual = || BaseUrl {
        tls: false,
        host: service.cluster.clone(),
        port: LIMITS_PORT,
        path: String::new(),
        api_version: None,
    };
    let url = service.url.clone().unwrap_or_else(usual);
    let mut cluster = cluster(&service.cluster, &url, LIMITS_LIMIT, config, None);
    let options = "/typed_extension_protocol_options/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = cluster.pointer_mut(options).filter(|_| !url.tls);
    if let Some(options) = options.and_then(Value::as_object_mut) {
        // gRPC, and nothing to negotiate that with.
        options.insert("explicit_http_config".into(), json!({ "http2_protocol_options": {} }));
    }
    Some(cluster)
}

fn cluster(name: &str, url: &BaseUrl, total: Duration, config: &Config, attempt: Option<&Value>) -> Value {
    let mut cluster = json!({
        "name": name,
        "type": if literal(url).is_some() { "STATIC" } else { "STRICT_DNS" },
        "connect_timeout": "5s",
        "load_assignment": { "cluster_name": name, "endpoints": endpoints(url) },
        // Envoy's defaults (1024 requests, 3 retries at a time) would fail requests that the module has admitted, with an
        // error that Envoy does not retry. Limits are the module's.
        "circuit_breakers": { "thresholds": [{
            "max_connections": 100_000,
            "max_pending_requests": 100_000,
            "max_requests": 100_000,
            "max_retries": 100_000,
        }]},
        "upstream_connection_options": {
            "tcp_keepalive": { "keepalive_time": 60, "keepalive_interval": 15, "keepalive_probes": 4 },
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol(url, total, attempt),
        },
    });
    if let Some(fields) = cluster.as_object_mut() {
        if name.contains('.') {
            // Envoy would take what follows the full stop for the beginning of each statistic's own name.
            fields.insert("alt_stat_name".into(), name.replace('.', "/").into());
        }
        if literal(url).is_none() {
            // Each address is a host of its own here, so with both families half of the tries of an IPv4-only machine fail.
            fields.insert("dns_lookup_family".into(), "V4_PREFERRED".into());
        }
        if url.tls {
            fields.insert("transport_socket".into(), transport_socket(url, &config.tls));
        }
    }
    cluster
}

/// The provider, and behind it an endpoint that refuses.
///
/// A name that does not resolve leaves a cluster without hosts, and "no healthy upstream" is not retried by Envoy; a
/// refused connection is. Envoy uses the second priority only when the first has no host, since none is ever marked
/// unhealthy here. An address literal is always there and needs no second.
fn endpoints(url: &BaseUrl) -> Value {
    let endpoint = |host: &str, port: u16| json!([{ "endpoint": { "address": { "socket_address": { "address": host, "port_value": port } } } }]);
    let provider = json!({ "priority": 0, "lb_endpoints": endpoint(&url.host, url.port) });
    if literal(url).is_some() {
        return json!([provider]);
    }
    // Port 9 is `discard`, which nothing listens on.
    json!([provider, { "priority": 1, "lb_endpoints": endpoint("127.0.0.1", 9) }])
}

fn protocol(url: &BaseUrl, total: Duration, attempt: Option<&Value>) -> Value {
    let mut protocol = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {
            "idle_timeout": seconds(IDLE_CONNECTION),
            "max_stream_duration": seconds(total),
        },
    });
    // ALPN decides under TLS; cleartext has nothing to decide with.
    let (choice, options) = if url.tls {
        let ping = json!({ "connection_keepalive": { "interval": "30s", "timeout": "10s" } });
        ("auto_config", json!({ "http_protocol_options": {}, "http2_protocol_options": ping }))
    } else {
        ("explicit_http_config", json!({ "http_protocol_options": {} }))
    };
    if let Some(fields) = protocol.as_object_mut() {
        fields.insert(choice.into(), options);
        if let Some(attempt) = attempt {
            let codec = json!({
                "name": "envoy.filters.http.upstream_codec",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
                },
            });
            fields.insert("http_filters".into(), json!([attempt, codec]));
        }
    }
    protocol
}

/// The name is static: `auto_sni` would take the client's authority, because the attempt sets the provider's too late.
fn transport_socket(url: &BaseUrl, tls: &Tls) -> Value {
    let (san_type, sni) = if literal(url).is_some() { ("IP_ADDRESS", None) } else { ("DNS", Some(url.host.as_str())) };
    let mut context = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": {
            "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
            "validation_context": {
                "trusted_ca": { "filename": tls.ca_file.as_deref().unwrap_or(SYSTEM_CA_FILE) },
                "match_typed_subject_alt_names": [{ "san_type": san_type, "matcher": { "exact": url.host } }],
            },
        },
    });
    if let (Some(sni), Some(fields)) = (sni, context.as_object_mut()) {
        fields.insert("sni".into(), sni.into());
    }
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": context })
}
