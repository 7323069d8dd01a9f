//! When a failed target is asked again, and when another one is.

use alloc::{rc::Rc, vec::Vec};
use core::time::Duration;

use crate::{
    config::{Backoff, Cooldown, Retry, RetryOverride},
    fnv,
};

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
    /// How long to wait before a target is asked once more that was asked again so often already; `None` where it asks for more
    /// patience than there is. The `seed` makes clients that failed together come back apart.
    #[must_use]
    pub fn wait(&self, repeats: u32, retry_after: Option<Duration>, seed: &str) -> Option<Duration> {
        let Backoff { base, max } = self.backoff;
        if retry_after.is_some_and(|wanted| wanted > max) {
            return None;
        }
        let doubled = base.saturating_mul(1_u32.checked_shl(repeats).unwrap_or(u32::MAX)).min(max);
        // Between half of it and all of it.
        let all = u32::from(u16::MAX);
        let part = all.saturating_add(hash(seed, repeats).into());
        let wait = doubled.saturating_mul(part).checked_div(all.saturating_mul(2)).unwrap_or_default();
        Some(retry_after.unwrap_or_default().max(wait))
    }

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

/// A number that differs from seed to seed; nobody gains by guessing it.
fn hash(seed: &str, repeats: u32) -> u16 {
    let hash = fnv::hash(seed.bytes().chain(repeats.to_le_bytes()));
    u16::try_from(hash >> 48).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn waits_double_up_to_the_longest_and_differ() {
        let policy =
            Policy::of(&Retry { backoff: Backoff { base: millis(100), max: millis(500) }, ..Retry::default() });
        for (repeats, least, most) in [(0, 50, 100), (1, 100, 200), (2, 200, 400), (3, 250, 500), (40, 250, 500)] {
            let waits = (0..50).map(|seed| policy.wait(repeats, None, &format!("request {seed}")).unwrap());
            let waits: Vec<_> = waits.collect();
            assert!(waits.iter().all(|wait| (millis(least)..=millis(most)).contains(wait)), "{repeats}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{repeats}");
        }
    }

    #[test]
    fn what_a_provider_asks_for_is_waited_for_unless_it_is_too_long() {
        let policy =
            Policy::of(&Retry { backoff: Backoff { base: millis(100), max: millis(500) }, ..Retry::default() });
        assert_eq!(policy.wait(0, Some(millis(400)), "x"), Some(millis(400)));
        assert_eq!(policy.wait(0, Some(millis(501)), "x"), None);
        assert!(policy.wait(0, Some(Duration::ZERO), "x") >= Some(millis(50)));
    }
}
