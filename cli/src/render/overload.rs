//! Bounds of the whole process.

use serde_json::{Value, json};

/// Client connections of all workers together. Envoy's own default is unbounded, which ends at the limit of open files:
/// then upstream connections fail too.
const MAX_DOWNSTREAM_CONNECTIONS: u32 = 10_000;

pub(super) fn manager() -> Value {
    json!({
        "resource_monitors": [{
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                "max_active_downstream_connections": MAX_DOWNSTREAM_CONNECTIONS,
            },
        }],
    })
}
