//! Bounds of the whole process: what Envoy refuses or ends before the machine does.

use serde_json::{Value, json};

/// Client connections of all workers together. Envoy's own default is unbounded, which ends at the limit of open files:
/// then upstream connections fail too.
const MAX_DOWNSTREAM_CONNECTIONS: u32 = 10_000;

/// Envoy's heap has room for so many bodies of the largest size at a time. Most requests need a thousandth of that. The
/// module's memory lies outside of the heap and bounds itself, because it never holds a client's body.
const LARGEST_BODIES: u64 = 64;
const HEAP: &str = "envoy.resource_monitors.fixed_heap";

/// Streams that hold less than 2^20 bytes are never ended to make room.
const HEAVY_STREAM_POWER_OF_TWO: u32 = 20;

pub(super) fn manager(buffer_bytes: u64) -> Value {
    json!({
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": MAX_DOWNSTREAM_CONNECTIONS,
                },
            },
            {
                "name": HEAP,
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": buffer_bytes.saturating_mul(LARGEST_BODIES),
                },
            },
        ],
        // In the order in which they come into effect: give back what is free, end the heaviest streams (HTTP/2 only, as
        // Envoy has it), refuse new requests with 503.
        "actions": [
            action("shrink_heap", &json!({ "name": HEAP, "threshold": { "value": 0.9 } })),
            action(
                "reset_high_memory_stream",
                &json!({ "name": HEAP, "scaled": { "scaling_threshold": 0.92, "saturation_threshold": 0.98 } }),
            ),
            action("stop_accepting_requests", &json!({ "name": HEAP, "threshold": { "value": 0.95 } })),
        ],
        "buffer_factory_config": { "minimum_account_to_track_power_of_two": HEAVY_STREAM_POWER_OF_TWO },
    })
}

fn action(name: &str, trigger: &Value) -> Value {
    json!({ "name": format!("envoy.overload_actions.{name}"), "triggers": [trigger] })
}
