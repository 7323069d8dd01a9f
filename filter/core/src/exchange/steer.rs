//! What is changed in the head of a request that is sent on: what is the client's own is taken off, and what Envoy's router must
//! know of the plan is put in.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use crate::{
    dialect::{Downstream, anthropic},
    gateway::Gateway,
    headers::{Headers, PRIVATE_HEADERS},
    plan::{CLUSTER_HEADER, Mode, Plan, Signpost},
    step::{HeaderEdits, Name},
};

/// Prefixes of headers that are the gateway's or Envoy's own: from a client they are forged.
const INTERNAL: &[&str] = &["x-dragoman-", "x-envoy-"];

/// What Envoy's router must know of the plan. Under a route that was rendered for it most is known already.
pub(super) fn steer(gateway: &Gateway, plan: &Plan, now: Duration, edits: &mut HeaderEdits) {
    let Some(first) = plan.first() else { return };
    let mut set = |name: &'static str, value: String| edits.set.push((Name::Borrowed(name), value));
    let milliseconds = |duration: Duration| duration.as_millis().to_string();
    let is_flex = plan.inquiry.request.flex;
    let is_foreign = first.provider.signpost != Signpost::Property;
    let tries = if plan.mode == Mode::Native { plan.most_tries() } else { 1 };
    // The time-out of all tries is one: the longest that any of them may need.
    let first_byte = if tries > 1 { plan.longest_patience() } else { plan.patience(&first, now) };
    // The cluster's own bound is `total`, which may well be shorter than the patience that the flex tier needs.
    let total = first.provider.total;
    let longest = if is_flex { first.provider.flex.saturating_add(total) } else { total };
    if is_foreign {
        set(CLUSTER_HEADER, plan.cluster(&first).into());
        // Envoy's own default, 15 s, would cut most answers.
        set("x-envoy-upstream-rq-timeout-ms", milliseconds(longest));
    }
    // A route that somebody else wrote may well retry.
    if is_foreign || tries > 1 {
        set("x-envoy-max-retries", tries.saturating_sub(1).to_string());
    }
    if is_foreign || first_byte != gateway.default_first_byte {
        set("x-envoy-upstream-rq-per-try-timeout-ms", milliseconds(first_byte));
    }
    if is_flex {
        set("x-envoy-upstream-stream-duration-ms", milliseconds(longest));
    }
    // Only a change of the head makes Envoy look for the route again.
    if edits.remove.is_empty() && edits.set.is_empty() {
        edits.set.push((Name::Borrowed("x-envoy-max-retries"), "0".into()));
    }
}

/// Headers of one provider's format, for those who do not speak it: each attempt says its own, and what a fallback would not get
/// a lone target does not get either.
pub(super) const OF_FORMATS: &[(&str, &str)] = anthropic::HEADERS;

/// The removals that a request needs, for the headers that it has; `others` are those of its kind.
pub(super) fn strip(headers: Headers<'_>, others: &[(&'static str, &str)]) -> HeaderEdits {
    let mut remove: Vec<Name> = Vec::new();
    let known = |name: &[u8]| {
        let other = || others.iter().map(|(name, _)| *name).find(|known| known.as_bytes() == name);
        PRIVATE_HEADERS.find(name).or_else(other)
    };
    let is_internal =
        |name: &[u8]| name.starts_with(b"x-") && INTERNAL.iter().any(|prefix| name.starts_with(prefix.as_bytes()));
    for name in headers.names_if(|name| known(name).is_some() || is_internal(name)) {
        let removal = known(name.as_bytes()).map_or_else(|| Name::Owned(name.into()), Name::Borrowed);
        if !remove.contains(&removal) {
            remove.push(removal);
        }
    }
    HeaderEdits { remove, set: Vec::new() }
}

/// Those of the client's own format, for those who speak it.
pub(super) fn of_format(headers: Headers<'_>, format: &dyn Downstream) -> Vec<(Name, String)> {
    let sent = format.headers().iter().map(|(name, usual)| {
        let lines: Vec<&str> = headers.all(name).filter_map(|line| core::str::from_utf8(line).ok()).collect();
        (Name::Borrowed(*name), if lines.is_empty() { String::from(*usual) } else { lines.join(",") })
    });
    sent.filter(|(_, value)| !value.is_empty()).collect()
}

/// What the format asks for and the client leaves out.
pub(super) fn missing_headers(
    headers: Headers<'_>,
    wanted: &[(&'static str, &str)],
) -> impl Iterator<Item = (Name, String)> {
    let missing = wanted.iter().filter(move |(name, usual)| !usual.is_empty() && headers.get(name).is_none());
    missing.map(|(name, value)| (Name::Borrowed(name), (*value).into()))
}
