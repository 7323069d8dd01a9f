//! When a failed target is asked again, and when another one is.

use alloc::{rc::Rc, vec::Vec};
use core::time::Duration;

use crate::config::{Backoff, Cooldown, Retry, RetryOverride};

/// What the file, or a router in it, says about failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Statuses that make a target fail.
    pub statuses: Vec<u16>,
    /// More tries at the same target.
    pub attempts: u32,
    /// How long to wait before them.
    pub backoff: Backoff,
    /// Bound of the time to the first content, over all tries.
    pub deadline: Duration,
    /// How long a target that failed is passed over.
    pub cooldown: Cooldown,
}

impl Policy {
    /// What the file says.
    #[must_use]
    pub fn of(retry: &Retry) -> Rc<Self> {
        Rc::new(Self {
            statuses: retry.statuses.clone(),
            attempts: retry.attempts,
            backoff: retry.backoff,
            deadline: retry.deadline,
            cooldown: retry.cooldown,
        })
    }

    /// The same, but for what a router says otherwise.
    #[must_use]
    pub fn overridden(&self, other: &RetryOverride) -> Rc<Self> {
        Rc::new(Self {
            statuses: other.statuses.clone().unwrap_or_else(|| self.statuses.clone()),
            attempts: other.attempts.unwrap_or(self.attempts),
            backoff: other.backoff.unwrap_or(self.backoff),
            deadline: other.deadline.unwrap_or(self.deadline),
            cooldown: other.cooldown.unwrap_or(self.cooldown),
        })
    }
}
