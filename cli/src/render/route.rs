//! The one route: the module names the cluster of each attempt, Envoy retries and streams.
//!
//! The obvious `cluster_header` is resolved once per request, so that a retry stays with the first provider. The matcher
//! specifier with `refresh_cluster_on_retry` (Envoy 1.39) is asked again before each attempt, and reads filter state, which
//! unlike a header neither comes from the client nor reaches a provider.

use std::time::Duration;

use dragoman_core::{
    config::{Config, Provider},
    plan::NEXT_PROPERTY,
};
use serde_json::{Map, Value, json};

use super::{INGRESS_STATS, scheme::seconds};

/// Headers about the client that are none of a provider's business. Applied after the ingress filter has read them.
const PRIVATE_HEADERS: [&str; 9] = [
    "cookie",
    "forwarded",
    "via",
    "x-envoy-external-address",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
];

pub(super) fn table(config: &Config, buffer_bytes: u64) -> Value {
    json!({
        "name": INGRESS_STATS,
        "virtual_hosts": [{
            "name": INGRESS_STATS,
            "domains": ["*"],
            // HTTP/2 requests are otherwise bounded by the stream window instead of the listener's limit.
            "request_body_buffer_limit": buffer_bytes,
            "routes": [{
                "name": "plan",
                "match": { "prefix": "/" },
                "request_headers_to_remove": PRIVATE_HEADERS,
                "route": {
                    // It would span all attempts and the stream; each attempt is bounded by its cluster instead.
                    "timeout": "0s",
                    "inline_cluster_specifier_plugin": specifier(&config.providers),
                    "retry_policy": retry_policy(config),
                },
            }],
        }],
    })
}

fn specifier(providers: &[Provider]) -> Value {
    let action = |provider: &Provider| {
        let cluster = provider.cluster();
        let action = json!({ "action": {
            "name": cluster,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction",
                "cluster": cluster,
            },
        }});
        (format!("{cluster}#"), action)
    };
    json!({ "extension": {
        "name": "envoy.router.cluster_specifier_plugin.matcher",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier",
            "cluster_matcher": { "matcher_tree": {
                "input": {
                    "name": "next",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.FilterStateInput",
                        "key": format!("wasm.{NEXT_PROPERTY}"),
                    },
                },
                "prefix_match_map": { "map": providers.iter().map(action).collect::<Map<_, _>>() },
            }},
        },
    }})
}

fn retry_policy(config: &Config) -> Value {
    let longest = |of: fn(&Provider) -> Duration| config.providers.iter().map(of).max().unwrap_or_default();
    let first_byte = longest(|provider| provider.timeouts.first_byte);
    let idle = longest(|provider| provider.timeouts.idle);
    json!({
        "retry_on": "reset,connect-failure,refused-stream,retriable-status-codes,retriable-headers",
        "retriable_status_codes": config.retry.statuses,
        // Set by the attempt on an answer that is a failure whatever its status.
        "retriable_headers": [{ "name": "x-dragoman-retry", "present_match": true }],
        // The module sets x-envoy-max-retries from its plan; without a plan nothing is tried twice.
        "num_retries": 0,
        // Ends with the first content: until then the attempt holds the answer.
        "per_try_timeout": seconds(first_byte),
        // Also runs while the first byte is awaited, so it may not be the shorter one.
        "per_try_idle_timeout": seconds(idle.max(first_byte)),
        // The next target is another provider; there is nothing to wait for.
        "retry_back_off": { "base_interval": "0.001s", "max_interval": "0.001s" },
        "refresh_cluster_on_retry": true,
    })
}
