//! What the caller is told where no target is left, and the operator of those that were not asked.

use alloc::{
    format,
    string::{String, ToString},
};

use super::{Cooling, Dropped, Planned};
use crate::{
    config::print_millis,
    error::{Error, Kind},
    plan::Target,
};

/// So many candidates are named: a file may have hundreds.
const MAX_NAMED: usize = 8;

/// The refusal of a request whose candidates were dropped for these reasons.
///
/// One candidate is refused in its own words. Of several the reason is told that the caller can do most about: a shorter request,
/// another one, then what may be over in a moment, then another key, then another name.
pub(super) fn refuse(dropped: &[Dropped]) -> Error {
    let [first, others @ ..] = dropped else {
        return Error::new(Kind::UpstreamUnavailable, "The routing configuration leads to no target.");
    };
    if others.is_empty() {
        return first.error.clone();
    }
    let worth = |kind: Kind| {
        const ORDER: [Kind; 5] = [
            Kind::ModelNotFound,
            Kind::PermissionDenied,
            Kind::UpstreamUnavailable,
            Kind::InvalidRequest,
            Kind::ContextLengthExceeded,
        ];
        ORDER.iter().position(|other| *other == kind)
    };
    let best = others.iter().fold(
        first,
        |best, other| {
            if worth(other.error.kind) > worth(best.error.kind) { other } else { best }
        },
    );
    let message = format!("No target is left for this request. {}", list(dropped.iter().map(Dropped::text)));
    Error { message, ..best.error.clone() }
}

impl Planned {
    /// Who is not asked, or only after others, and why; empty where that is nobody.
    #[must_use]
    pub fn passed_over(&self) -> String {
        list(self.dropped.iter().map(Dropped::text).chain(self.cooling.iter().map(Cooling::text)))
    }
}

impl Dropped {
    fn text(&self) -> String {
        format!("`{}`: {}", self.candidate, self.error.message)
    }
}

impl Cooling {
    fn text(&self) -> String {
        let Target { provider, account, model, .. } = &self.target;
        let account =
            if provider.accounts.len() > 1 { format!(" (account `{}`)", account.name) } else { String::new() };
        let until = print_millis(self.until_millis);
        format!("`{}/{model}`{account}: It failed lately and comes after the others until {until}.", provider.name)
    }
}

/// The first of them, and how many more there are.
fn list(reasons: impl Iterator<Item = String>) -> String {
    let mut told = String::new();
    let mut more = 0_usize;
    for (place, reason) in reasons.enumerate() {
        if place < MAX_NAMED {
            let space = if place == 0 { "" } else { " " };
            told.extend([space, &reason]);
        } else {
            more = more.saturating_add(1);
        }
    }
    if more > 0 {
        told.extend([" And ", &more.to_string(), " more."]);
    }
    told
}
