//! Limits that a service counts for several gateways: Envoy's own rate limit filters, and what the service itself is told.
//!
//! Each limit has a filter of its own, behind the module: so each fails as its limit says, and a refusal can name it. They ask one after
//! the other, those first that only look, so that who is refused by one of them has not been counted by another.
//!
//! Whatever they do not find they leave out without a word, and a limit that is left out lets everybody in. So nothing is asked for that
//! may be missing where the limit is for the request: the subject is set before the filters are reached, and what was used is not looked
//! for before the end. They stand in the filter and not on the route, where `hits_addend` would not be heeded.

use dragoman_core::{
    config::{
        Budgets, Config, Limit, LimitTarget, LimitsBackend, Measure, OnError, Period, Problem, RatelimitService, step,
    },
    limit::{LIMIT_HEADER, Shared},
};
use serde_json::{Value, json};

use super::{Rendering, Target, Unsayable, scheme::seconds, yaml};

/// The keys of a descriptor's entries, in their order.
const ENTRIES: [&str; 2] = ["limit", "subject"];

/// The service that counts, where one does.
pub(super) fn service(config: &Config) -> Option<&RatelimitService> {
    match &config.limits_backend {
        LimitsBackend::RatelimitService(service) => Some(service),
        LimitsBackend::Local => None,
    }
}

/// Envoy's filters, in their order.
pub(super) fn filters(config: &Config) -> Vec<Value> {
    let Some(service) = service(config) else { return Vec::new() };
    let mut shared = Shared::all(config);
    shared.sort_by_key(|limit| limit.used().is_none());
    shared.iter().map(|limit| filter(limit, service)).collect()
}

fn filter(limit: &Shared, service: &RatelimitService) -> Value {
    let [key, subject] = ENTRIES;
    // An expression's text is quoted as JSON's is.
    let property = json!(format!("wasm.{}", limit.property()));
    let actions = json!([
        { "generic_key": { "descriptor_key": key, "descriptor_value": limit.name } },
        { "extension": {
            "name": "envoy.rate_limit_descriptors.expr",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor",
                "descriptor_key": subject,
                // Where it is not set the limit is not for the request, and nobody is asked.
                "text": format!("filter_state[{property}]"),
            },
        }},
    ]);
    let rate_limits = match limit.used() {
        None => json!([{ "actions": actions }]),
        Some(used) => json!([
            { "actions": actions, "hits_addend": { "number": 0 } },
            {
                "actions": actions,
                "hits_addend": { "format": format!("%FILTER_STATE(wasm.{used}:PLAIN)%") },
                "apply_on_stream_done": true,
            },
        ]),
    };
    json!({
        "name": format!("dragoman_limit.{}", limit.name),
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit",
            "domain": service.domain,
            "timeout": seconds(service.timeout),
            "failure_mode_deny": limit.on_error == OnError::Deny,
            "rate_limit_service": {
                "transport_api_version": "V3",
                "grpc_service": { "envoy_grpc": { "cluster_name": service.cluster } },
            },
            "rate_limits": rate_limits,
            // The module, which says the refusal in the caller's words, finds the name there.
            "response_headers_to_add": [{
                "header": { "key": LIMIT_HEADER, "value": limit.name.replace('%', "%%") },
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }],
        },
    })
}

/// Renders what the service is to be told, as envoyproxy/ratelimit reads it.
///
/// # Errors
/// With [`Unsayable`] where no service counts; otherwise when it cannot be written as YAML.
pub fn ratelimit(config: &Config, _: Target<'_>) -> anyhow::Result<Rendering> {
    let Some(service) = service(config) else {
        let message = "is `local`: there is no service to be told anything".to_owned();
        return Err(Unsayable(vec![Problem { pointer: "/limits_backend".into(), message }]).into());
    };
    let [key, subject] = ENTRIES;
    let descriptor = |limit: Shared| {
        let unit = match limit.per {
            Period::Second => "second",
            Period::Minute => "minute",
            Period::Hour => "hour",
            Period::Day => "day",
            Period::Month => "month",
        };
        let rate = json!({ "unit": unit, "requests_per_unit": limit.max });
        json!({ "key": key, "value": limit.name, "descriptors": [{ "key": subject, "rate_limit": rate }] })
    };
    let descriptors: Vec<_> = Shared::all(config).into_iter().map(descriptor).collect();
    let document = json!({ "domain": service.domain, "descriptors": descriptors });
    let text = yaml::headed("ratelimit", &yaml::write(&document)?);
    Ok(Rendering { text, handovers: Vec::new(), variables: Vec::new() })
}

/// The limits of the file, and whose own they are.
fn limits(config: &Config) -> impl Iterator<Item = (String, Option<&str>, &Limit)> {
    let top = config.limits.iter().enumerate().map(|(place, limit)| (format!("/limits/{place}"), None, limit));
    let others = config.environments.iter().flat_map(|environment| {
        let at = format!("/environments{}/limits", step(&environment.name));
        let own = environment.limits.iter().enumerate();
        own.map(move |(place, limit)| (format!("{at}/{place}"), Some(environment.name.as_str()), limit))
    });
    top.chain(others)
}

/// What no service can be told.
#[must_use]
pub fn mistakes(config: &Config) -> Vec<Problem> {
    let Some(service) = service(config) else { return Vec::new() };
    let mut names: Vec<String> = Vec::new();
    let mut problems = Vec::new();
    for (pointer, environment, limit) in limits(config) {
        let Some(shared) = Shared::of(limit, environment, service) else { continue };
        if u32::try_from(shared.max).is_err() {
            let hits = if shared.of == Measure::Spend { " millionths of a USD" } else { "" };
            let message = format!("is more than such a service counts, {}{hits}", u32::MAX);
            problems.push(Problem { pointer: format!("{pointer}/max"), message });
        }
        if names.contains(&shared.name) {
            let message = format!("is `{}` to the service, and so is another", shared.name);
            problems.push(Problem { pointer: format!("{pointer}/name"), message });
        }
        names.push(shared.name);
    }
    problems
}

/// What is counted by each gateway for itself although a service is there, and why.
#[must_use]
pub fn local(config: &Config) -> Vec<Problem> {
    let Some(service) = service(config) else { return Vec::new() };
    let problem = |pointer, why: &str| Problem {
        pointer,
        message: format!("is counted by each gateway for itself: the service {why}"),
    };
    let own = limits(config)
        .filter(|(_, environment, limit)| limit.enabled && Shared::of(limit, *environment, service).is_none());
    let mut found: Vec<_> = own
        .map(|(pointer, _, limit)| {
            let why = if limit.of == Measure::Concurrency {
                "takes nothing back"
            } else if limit.target == LimitTarget::default() {
                "would enforce it"
            } else {
                "knows no targets"
            };
            problem(pointer, why)
        })
        .collect();
    let teams = config.teams.iter().chain(config.environments.iter().flat_map(|environment| &environment.teams));
    let routers = config.routers.iter().chain(config.environments.iter().flat_map(|environment| &environment.routers));
    let budgets = config.all_keys().map(|(key, _)| &key.budgets).chain(teams.map(|team| &team.budgets));
    let has_others = budgets.into_iter().any(|budgets| *budgets != Budgets::default())
        || routers.into_iter().any(|router| router.rate_limit.per_api_key.is_some());
    if has_others {
        let message = "counts `limits` alone: budgets of keys and teams and the `rate_limit` of routers are counted by each gateway for \
                       itself";
        found.push(Problem { pointer: "/limits_backend".into(), message: message.into() });
    }
    found
}

#[cfg(test)]
mod tests {
    use dragoman_core::config;

    use super::*;

    fn config(limits: &Value) -> Config {
        let file = json!({
            "providers": { "a": { "kind": "openai" } },
            "environments": { "prod": { "limits": [{ "name": "fair", "of": "requests", "per": "hour", "max": 5 }] } },
            "limits": limits,
            "limits_backend": { "ratelimit_service": { "cluster": "rls", "on_error": "deny" } },
        });
        config::parse(&file.to_string()).unwrap()
    }

    fn fair() -> Value {
        json!({ "name": "fair", "of": "requests", "per": "minute", "max": 60 })
    }

    #[test]
    fn who_only_looks_stands_before_who_counts_and_is_told_at_the_end() {
        let tokens = json!({ "name": "50% \"more\"", "of": "tokens", "per": "day", "max": 9, "on_error": "allow" });
        let filters = filters(&config(&json!([fair(), tokens])));
        let names: Vec<_> = filters.iter().map(|filter| filter["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["dragoman_limit.50% \"more\"", "dragoman_limit.fair", "dragoman_limit.fair@prod"]);
        let [tokens, fair, _] = filters.as_slice() else { panic!("{filters:?}") };
        let (tokens, fair) = (&tokens["typed_config"], &fair["typed_config"]);
        assert_eq!((&tokens["failure_mode_deny"], &fair["failure_mode_deny"]), (&json!(false), &json!(true)));
        assert_eq!(tokens["response_headers_to_add"][0]["header"]["value"], "50%% \"more\"");
        let [look, charge] = tokens["rate_limits"].as_array().unwrap().as_slice() else { panic!("{tokens}") };
        assert_eq!(look["actions"], charge["actions"]);
        let text = &look["actions"][1]["extension"]["typed_config"]["text"];
        assert_eq!(text, r#"filter_state["wasm.dragoman.limit.50% \"more\""]"#);
        assert_eq!((&look["hits_addend"], look.get("apply_on_stream_done")), (&json!({ "number": 0 }), None));
        assert_eq!(charge["hits_addend"]["format"], "%FILTER_STATE(wasm.dragoman.used.tokens:PLAIN)%");
        assert_eq!(charge["apply_on_stream_done"], true);
        let [count] = fair["rate_limits"].as_array().unwrap().as_slice() else { panic!("{fair}") };
        assert_eq!((count.get("hits_addend"), count.get("apply_on_stream_done")), (None, None));
    }

    #[test]
    fn the_service_is_told_each_limit_in_its_own_units() {
        let spend = json!({ "name": "money", "of": "spend", "per": "month", "max": 1.5, "scope": "team" });
        let config = config(&json!([fair(), spend]));
        let rendering = ratelimit(&config, Target { wasm: "", private_admin: None }).unwrap();
        let told: Value = serde_saphyr::from_str(&rendering.text).unwrap();
        let limit = |name: &str, unit: &str, count: u32| {
            let rate = json!({ "unit": unit, "requests_per_unit": count });
            json!({ "key": "limit", "value": name, "descriptors": [{ "key": "subject", "rate_limit": rate }] })
        };
        let all = [limit("fair", "minute", 60), limit("money", "month", 1_500_000), limit("fair@prod", "hour", 5)];
        assert_eq!(told, json!({ "domain": "dragoman", "descriptors": all }));
    }

    #[test]
    fn budgets_are_told_to_be_counted_here() {
        let mut config = config(&json!([]));
        assert!(local(&config).is_empty());
        config.limits_backend = LimitsBackend::Local;
        assert!(filters(&config).is_empty());
        let file = json!({
            "providers": { "a": { "kind": "openai" } },
            "teams": { "ml": { "budgets": { "daily_usd": 5 } } },
            "limits_backend": { "ratelimit_service": { "cluster": "rls" } },
        });
        let found = local(&config::parse(&file.to_string()).unwrap());
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("budgets"), "{found:?}");
    }

    #[test]
    fn what_a_service_cannot_count_is_counted_here_and_what_it_cannot_be_told_is_refused() {
        let config = config(&json!([
            { "name": "slots", "of": "concurrency", "max": 5 },
            { "name": "trial", "of": "requests", "per": "day", "max": 5, "shadow": true },
            { "name": "big", "of": "tokens", "per": "day", "max": 5, "target": { "model": "gpt-5*" } },
            { "name": "off", "of": "concurrency", "max": 5, "enabled": false },
            { "name": "much", "of": "spend", "per": "month", "max": 5_000 },
            { "name": "fair@prod", "of": "tokens", "per": "month", "max": 4_294_967_295_u32 },
        ]));
        let pointers = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.pointer).collect::<Vec<_>>();
        assert_eq!(pointers(local(&config)), ["/limits/0", "/limits/1", "/limits/2"]);
        assert_eq!(pointers(mistakes(&config)), ["/limits/4/max", "/environments/prod/limits/0/name"]);
        assert_eq!(filters(&config).len(), 3);
    }
}
