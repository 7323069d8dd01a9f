//! What an answer tells of limits: those of a caller that has its own, else the provider's.

use alloc::{string::String, vec::Vec};

use crate::{
    headers::Headers,
    plan::Plan,
    step::{HeaderEdits, Name},
};

const PREFIXES: [&[u8]; 2] = [b"x-ratelimit-", b"anthropic-ratelimit-"];

/// What is left of the provider's own where the caller has limits: OpenAI's names, and the gateway's of the same.
const UPSTREAM: [(&str, &str); 2] = [
    ("x-ratelimit-remaining-requests", "x-dragoman-upstream-ratelimit-remaining-requests"),
    ("x-ratelimit-remaining-tokens", "x-dragoman-upstream-ratelimit-remaining-tokens"),
];

/// Puts them among the changes of an answer's head; `provided` are the provider's where they have other names there.
pub(super) fn tell(edits: &mut HeaderEdits, headers: Headers<'_>, plan: &Plan, provided: Vec<(Name, String)>) {
    if plan.has_own_limits() {
        let names = headers.names_if(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
        edits.remove.extend(names.map(|name| Name::Owned(name.into())));
        for (name, told) in UPSTREAM {
            let mapped = provided.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
            if let Some(left) = mapped.or_else(|| headers.text(name)) {
                edits.set.push((Name::Borrowed(told), left.into()));
            }
        }
    } else {
        edits.set.extend(provided);
    }
    edits.set.extend(plan.limit_headers().into_iter().map(|(name, value)| (Name::Borrowed(name), value)));
}
