//! The routes: the module names the cluster of each attempt, Envoy retries and streams.
//!
//! There are several, by what only a route has and no header can set. How long a stream may be silent runs while the answer is
//! awaited, too: with one route for all, the patience that the flex tier needs, or a second try, would keep every stalled
//! stream open. And a route that may retry keeps a copy of each body, which a request that Envoy sends once need not pay for.
//! What the module has written into filter state ends in marks that say which it is.
//!
//! The obvious `cluster_header` is resolved once per request, so that a retry stays with the first provider. The matcher
//! specifier with `refresh_cluster_on_retry` (Envoy 1.39) is asked again before each attempt, and reads filter state, which
//! unlike a header neither comes from the client nor reaches a provider. Where the router makes no attempt but the first
//! (`retry.mode: dispatch`), the header is enough, and every Envoy knows it.

use std::time::Duration;

use dragoman_core::{
    config::{Config, Provider, RetryMode},
    plan::{CALLS_MARK, CLUSTER_HEADER, FLEX_MARK, NEXT_PROPERTY, RETRY_HEADER, TRIES_MARK},
};
use serde_json::{Map, Value, json};

use super::{INGRESS_STATS, providers, scheme::seconds};

/// So much later than the attempt's own time-out a silent stream ends, so that the attempt's is the one that is reported.
const PATIENCE_MARGIN: Duration = Duration::from_secs(1);

/// Between tries; the module waits by itself where a provider asks for it. Envoy's own would keep the client waiting for 15 ms.
const BACK_OFF: &str = "0.001s";

/// Which requests a route is for.
#[derive(Debug, Clone, Copy)]
struct Lane {
    name: &'static str,
    /// The service tier that may take long.
    is_flex: bool,
    tries: Tries,
}

/// How many tries the plan has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tries {
    /// Several, and Envoy makes them.
    Retried,
    /// Several; all but the first are calls of the module's.
    Called,
    /// One.
    Once,
}

/// In the order in which Envoy looks, what is asked for most first. A mark is matched as the end of the value, which may have
/// another mark before it, so that the one that may come last alone stands behind those with another.
const LANES: [Lane; 6] = [
    Lane { name: "calls", is_flex: false, tries: Tries::Called },
    Lane { name: "tries", is_flex: false, tries: Tries::Retried },
    Lane { name: "calls-flex", is_flex: true, tries: Tries::Called },
    Lane { name: "tries-flex", is_flex: true, tries: Tries::Retried },
    Lane { name: "flex", is_flex: true, tries: Tries::Once },
    Lane { name: "plan", is_flex: false, tries: Tries::Once },
];

/// The specifier in the table of routes.
const SPECIFIER: &str = "next";

pub(super) fn table(config: &Config, buffer_bytes: u64) -> Value {
    let mut table = json!({
        "name": INGRESS_STATS,
        "virtual_hosts": [{
            "name": INGRESS_STATS,
            "domains": ["*"],
            // HTTP/2 requests are otherwise bounded by the stream window instead of the listener's limit.
            "request_body_buffer_limit": buffer_bytes,
            // What the route itself is found by; all else that a provider must not see the module takes off.
            "request_headers_to_remove": ["x-forwarded-proto", CLUSTER_HEADER],
            "routes": lanes(config).map(|lane| lane.route(config)).collect::<Vec<_>>(),
        }],
    });
    if let (false, Some(fields)) = (names_header(config), table.as_object_mut()) {
        fields.insert("cluster_specifier_plugins".into(), json!([{ "extension": specifier(config) }]));
    }
    table
}

/// Where no attempt is made behind the router, it has nothing to retry by.
fn lanes(config: &Config) -> impl Iterator<Item = Lane> {
    let is_single = names_header(config);
    LANES.into_iter().filter(move |lane| !(is_single && lane.tries == Tries::Retried))
}

/// Whether the router knows the cluster by a header: it makes one attempt.
fn names_header(config: &Config) -> bool {
    config.retry.mode == RetryMode::Dispatch
}

/// How long a stream of any kind may be silent, where all share a route.
pub(super) fn longest_silence(config: &Config) -> Duration {
    lanes(config).map(|lane| lane.silence(config)).max().unwrap_or_default()
}

impl Lane {
    fn route(self, config: &Config) -> Value {
        json!({ "name": self.name, "match": self.condition(), "route": self.action(config) })
    }

    fn condition(self) -> Value {
        let tries = match self.tries {
            Tries::Retried => TRIES_MARK,
            Tries::Called => CALLS_MARK,
            Tries::Once => "",
        };
        let mark = [tries, if self.is_flex { FLEX_MARK } else { "" }].concat();
        let mut condition = json!({ "prefix": "/" });
        if let (false, Some(fields)) = (mark.is_empty(), condition.as_object_mut()) {
            let ends = json!({ "key": next_key(), "string_match": { "suffix": mark } });
            fields.insert("filter_state".into(), json!([ends]));
        }
        condition
    }

    fn action(self, config: &Config) -> Value {
        let mut action = json!({
            // It would span all attempts and the stream; each attempt is bounded by its cluster instead.
            "timeout": "0s",
            // `per_try_idle_timeout` seems made for it, but Envoy 1.40 forgets it with the answer's head where there is a
            // `per_try_timeout`, too. This one also runs while the first content is awaited, so it may not be the shorter one.
            "idle_timeout": seconds(self.silence(config)),
            "retry_policy": self.retry_policy(config),
        });
        if let Some(fields) = action.as_object_mut() {
            let (how, name) = if names_header(config) {
                ("cluster_header", CLUSTER_HEADER)
            } else {
                ("cluster_specifier_plugin", SPECIFIER)
            };
            fields.insert(how.into(), name.into());
        }
        action
    }

    /// How long the first content of one try may take. Until then the attempt holds the answer. The module shortens it for a
    /// provider with less patience.
    fn patience(self, config: &Config) -> Duration {
        if self.is_flex { longest(config, |provider| provider.timeouts.flex) } else { config.longest_first_byte() }
    }

    fn silence(self, config: &Config) -> Duration {
        let idle = longest(config, |provider| provider.timeouts.idle);
        let once = self.patience(config);
        let wait = if self.tries == Tries::Once { once } else { once.max(config.longest_deadline()) };
        idle.max(wait.saturating_add(PATIENCE_MARGIN))
    }

    /// How long a try may take, and what makes the router take the next one.
    fn retry_policy(self, config: &Config) -> Value {
        let per_try = json!({ "per_try_timeout": seconds(self.patience(config)) });
        if self.tries != Tries::Retried {
            return per_try;
        }
        let mut policy = json!({
            // `reset` is whatever leaves a try without an answer, its time-out too; the others name what is part of it. No
            // status: the attempt has judged the answer and asks by the header.
            "retry_on": "reset,connect-failure,refused-stream,retriable-headers",
            "retriable_headers": [{ "name": RETRY_HEADER, "present_match": true }],
            // The module says how many its plan has.
            "num_retries": 1,
            "retry_back_off": { "base_interval": BACK_OFF, "max_interval": BACK_OFF },
            "refresh_cluster_on_retry": true,
        });
        if let (Some(fields), Value::Object(per_try)) = (policy.as_object_mut(), per_try) {
            fields.extend(per_try);
        }
        policy
    }
}

fn next_key() -> String {
    format!("wasm.{NEXT_PROPERTY}")
}

/// Of all providers: a reload may enable one, and the route stays.
fn longest(config: &Config, of: fn(&Provider) -> Duration) -> Duration {
    config.providers.iter().map(of).max().unwrap_or_default()
}

fn specifier(config: &Config) -> Value {
    let providers = providers(config);
    let names = providers.iter().flat_map(|provider| {
        let has_twins = provider.has_twins(&config.retry);
        let places = provider.endpoints().into_iter();
        places.flat_map(move |place| [has_twins.then(|| place.twin()), Some(place.cluster)]).flatten()
    });
    let action = |cluster: String| {
        let action = json!({ "action": {
            "name": cluster,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction",
                "cluster": cluster,
            },
        }});
        (format!("{cluster}#"), action)
    };
    json!({
        "name": SPECIFIER,
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
                "prefix_match_map": { "map": names.map(action).collect::<Map<_, _>>() },
            }},
        },
    })
}
