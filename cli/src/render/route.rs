//! The routes: the module names the cluster of each attempt, Envoy retries and streams.
//!
//! There are two, equal but for how long a stream may be silent. That is a property of the route, and it runs while the answer
//! is awaited, too: with one route for all, the patience that the flex tier needs would keep every stalled stream open.
//!
//! The obvious `cluster_header` is resolved once per request, so that a retry stays with the first provider. The matcher
//! specifier with `refresh_cluster_on_retry` (Envoy 1.39) is asked again before each attempt, and reads filter state, which
//! unlike a header neither comes from the client nor reaches a provider. Where the router makes no attempt but the first
//! (`retry.mode: dispatch`), the header is enough, and every Envoy knows it.

use std::time::Duration;

use dragoman_core::{
    config::{Config, Endpoint, Provider, RetryMode},
    plan::{CLUSTER_HEADER, FLEX_MARK, NEXT_PROPERTY},
};
use serde_json::{Map, Value, json};

use super::{INGRESS_STATS, scheme::seconds};

/// So much later than the attempt's own time-out a silent stream ends, so that the attempt's is the one that is reported.
const PATIENCE_MARGIN: Duration = Duration::from_secs(1);

pub(super) fn table(config: &Config, buffer_bytes: u64) -> Value {
    json!({
        "name": INGRESS_STATS,
        "virtual_hosts": [{
            "name": INGRESS_STATS,
            "domains": ["*"],
            // HTTP/2 requests are otherwise bounded by the stream window instead of the listener's limit.
            "request_body_buffer_limit": buffer_bytes,
            // What the route itself is found by; all else that a provider must not see the module takes off.
            "request_headers_to_remove": ["x-forwarded-proto", CLUSTER_HEADER],
            "routes": [flex(config), plan(config)],
        }],
    })
}

/// Requests of the flex tier, once the module has read that they are.
fn flex(config: &Config) -> Value {
    let is_flex = json!({ "key": next_key(), "string_match": { "suffix": FLEX_MARK } });
    let patience = longest(config, |provider| provider.timeouts.flex);
    json!({
        "name": "flex",
        "match": { "prefix": "/", "filter_state": [is_flex] },
        "route": action(config, patience),
    })
}

/// All others.
fn plan(config: &Config) -> Value {
    json!({ "name": "plan", "match": { "prefix": "/" }, "route": action(config, config.longest_first_byte()) })
}

fn action(config: &Config, patience: Duration) -> Value {
    let mut action = json!({
        // It would span all attempts and the stream; each attempt is bounded by its cluster instead.
        "timeout": "0s",
        // `per_try_idle_timeout` seems made for it, but Envoy 1.40 forgets it with the answer's head where there is a
        // `per_try_timeout`, too. This one also runs while the first content is awaited, so it may not be the shorter one.
        "idle_timeout": seconds(silence(config, patience)),
        "retry_policy": retry_policy(patience),
    });
    if let Some(fields) = action.as_object_mut() {
        if config.retry.mode == RetryMode::Dispatch {
            fields.insert("cluster_header".into(), CLUSTER_HEADER.into());
        } else {
            fields.insert("inline_cluster_specifier_plugin".into(), specifier(&config.providers));
        }
    }
    action
}

/// How long a stream of any tier may be silent, where all share a route.
pub(super) fn longest_silence(config: &Config) -> Duration {
    silence(config, longest(config, |provider| provider.timeouts.flex).max(config.longest_first_byte()))
}

fn silence(config: &Config, patience: Duration) -> Duration {
    let idle = longest(config, |provider| provider.timeouts.idle);
    idle.max(patience.saturating_add(PATIENCE_MARGIN))
}

fn next_key() -> String {
    format!("wasm.{NEXT_PROPERTY}")
}

/// Of all providers: a reload may enable one, and the route stays.
fn longest(config: &Config, of: fn(&Provider) -> Duration) -> Duration {
    config.providers.iter().map(of).max().unwrap_or_default()
}

fn specifier(providers: &[Provider]) -> Value {
    let action = |Endpoint { cluster, .. }: Endpoint<'_>| {
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
                        "key": next_key(),
                    },
                },
                "prefix_match_map": { "map": providers.iter().flat_map(Provider::endpoints).map(action).collect::<Map<_, _>>() },
            }},
        },
    }})
}

/// How long a try may take. No `retry_on`: a plan has one target, and Envoy keeps a copy of each body, which costs more than the
/// module does, as soon as it might send it again.
fn retry_policy(patience: Duration) -> Value {
    // Ends with the first content: until then the attempt holds the answer. The module shortens it for a provider with less
    // patience.
    json!({ "per_try_timeout": seconds(patience) })
}
