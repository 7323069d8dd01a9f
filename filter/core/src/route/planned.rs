//! What comes of planning a request: whom to ask, who is left out or put behind others, and why.

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::fmt::Write as _;

use crate::{config::print_millis, error::Error, plan::Target, retry::Policy};

/// So many candidates are named: a file may have hundreds.
const MAX_NAMED: usize = 8;

/// What is to be done.
#[derive(Debug)]
pub struct Planned {
    /// Whom to ask, in order; at least one.
    pub targets: Vec<Target>,
    /// Who was considered and is not asked, and why.
    pub dropped: Vec<Dropped>,
    /// Who is asked only if those fail that it would come before.
    pub cooling: Vec<Cooling>,
    /// What is done about failures.
    pub policy: Rc<Policy>,
    /// Whom to ask where a target says that its context window is too small. Some may be among `targets`.
    pub on_context: Vec<Target>,
    /// Whom to ask where a target refuses the content. Some may be among `targets`.
    pub on_content: Vec<Target>,
}

/// A candidate that is no target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Its name, as far as it has one: `provider/model`, the name that was asked for, or a provider.
    pub candidate: String,
    /// Why, as it would be told to the caller if there were no other.
    pub error: Error,
}

/// A target that failed lately, and stands behind those that did not.
#[derive(Debug, Clone)]
pub struct Cooling {
    /// Which.
    pub target: Target,
    /// Until when, in milliseconds since the epoch.
    pub until_millis: u64,
}

impl Planned {
    /// Who is not asked, or only after others, and why; empty where that is nobody.
    #[must_use]
    pub fn passed_over(&self) -> String {
        list(self.dropped.iter().map(Dropped::text).chain(self.cooling.iter().map(Cooling::text)))
    }
}

impl Dropped {
    pub(super) fn text(&self) -> String {
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
pub(super) fn list(reasons: impl Iterator<Item = String>) -> String {
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
        // Writing to a String cannot fail.
        let _ = write!(told, " And {more} more.");
    }
    told
}
