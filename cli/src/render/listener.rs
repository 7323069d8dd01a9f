//! What all listeners have in common, and the admin listener.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::address;

/// Name of the ingress listener in Envoy.
pub const INGRESS_LISTENER: &str = "ingress";
/// Name of the admin listener in Envoy.
pub const ADMIN_LISTENER: &str = "admin";

pub(super) const HTTP: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// A listener of one HTTP connection manager.
pub(super) fn http(name: &str, at: SocketAddr, buffer_limit_bytes: u32, mut manager: Value) -> Value {
    if let Some(fields) = manager.as_object_mut() {
        fields.insert("@type".into(), HTTP.into());
        fields.insert("stat_prefix".into(), name.into());
        fields.insert("server_name".into(), "dragoman".into());
    }
    json!({
        "name": name,
        "address": address(at),
        "per_connection_buffer_limit_bytes": buffer_limit_bytes,
        "filter_chains": [{
            "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager }],
        }],
    })
}

/// The router, which ends every chain. Headers of Envoy's own stay inside.
pub(super) fn router() -> Value {
    json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        },
    })
}

/// The admin listener. The module answers all of it; what passes it is nobody's.
pub(super) fn admin(at: SocketAddr, filter: &Value) -> Value {
    let mut listener = http(
        ADMIN_LISTENER,
        at,
        1 << 20,
        json!({
            "codec_type": "AUTO",
            "request_headers_timeout": "10s",
            "stream_idle_timeout": "60s",
            "normalize_path": true,
            "merge_slashes": true,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "route_config": {
                "name": ADMIN_LISTENER,
                "virtual_hosts": [{
                    "name": ADMIN_LISTENER,
                    "domains": ["*"],
                    "routes": [{
                        "name": "nobody",
                        "match": { "prefix": "/" },
                        "direct_response": { "status": 503 },
                    }],
                }],
            },
            "http_filters": [filter, router()],
        }),
    );
    if let Some(fields) = listener.as_object_mut() {
        // An operator gets in while clients have used up the connections.
        fields.insert("ignore_global_conn_limit".into(), true.into());
    }
    listener
}
