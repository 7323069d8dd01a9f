//! What one plan sees of targets: one moment, one reading of the records, and none for a plan that does not ask.
//!
//! Of targets with a credential of the caller's own there is nothing to be seen, whatever they are called.

use alloc::rc::Rc;
use core::cell::OnceCell;

use crate::{
    health::{Access, Claim, NameRef, State},
    host::{Clock, Entropy, Observed},
    plan::Target,
};

use super::{Observer, Probe};

/// See the module's documentation.
pub struct View<'a> {
    observer: &'a Rc<Observer>,
    clock: &'a dyn Clock,
    now_millis: OnceCell<u64>,
    /// Whether the health of targets was read.
    is_read: OnceCell<()>,
}

impl<'a> View<'a> {
    pub(super) fn new(observer: &'a Rc<Observer>, clock: &'a dyn Clock) -> Self {
        Self { observer, clock, now_millis: OnceCell::new(), is_read: OnceCell::new() }
    }

    /// Makes the request the probe of its first target, where that needs one. Where another request was faster, the target
    /// goes behind those that are asked before it then.
    pub fn claim(&self, targets: &mut [Target], entropy: &dyn Entropy) -> Option<Probe> {
        // Each turn either ends or puts a target behind one that is not passed over.
        for _ in 0..targets.len() {
            let first = targets.first()?;
            // With one target there is nobody to pass it over for, and nothing was read.
            if targets.len() == 1 || self.state(first) != State::HalfOpen(None) {
                return None;
            }
            let (name, now, claim) = (NameRef::of(first), self.now(), Claim(entropy.draw()));
            match self.observer.change_ledger(now, |ledger| ledger.claim(name, claim, now)) {
                Some(Access::Closed) => {}
                Some(Access::Probe) => {
                    let slot = self.observer.slot(name, now);
                    return Some(Probe::new(self.observer, &slot.name, claim, now));
                }
                // Where the host refuses, there is no telling who is the probe.
                Some(Access::Open) | None => return None,
            }
            let until = self.cooling_until(first);
            let is_behind = |other: &Target| self.cooling_until(other) > until;
            let place = targets.iter().skip(1).position(is_behind);
            let place = place.map_or(targets.len(), |place| place.saturating_add(1));
            if let Some(ahead) = targets.get_mut(..place) {
                ahead.rotate_left(1);
            }
        }
        None
    }

    pub(super) fn now(&self) -> u64 {
        *self.now_millis.get_or_init(|| self.clock.epoch_millis())
    }

    fn state(&self, target: &Target) -> State {
        if target.account.is_callers {
            return State::Healthy;
        }
        let now = self.now();
        self.is_read.get_or_init(|| self.observer.read_ledger(now));
        self.observer.with_ledger(|ledger| ledger.state(NameRef::of(target), now))
    }
}

impl Observed for View<'_> {
    fn latency_millis(&self, target: &Target, is_stream: bool) -> Option<u64> {
        if target.account.is_callers {
            return None;
        }
        let now = self.now();
        self.observer.with_traffic(now, |traffic| {
            let entry = traffic.entry(NameRef::of(target))?;
            if is_stream { entry.ttft_peak.value(now) } else { entry.latency_peak.value(now) }
        })
    }

    fn in_flight(&self, target: &Target) -> u32 {
        if target.account.is_callers { 0 } else { self.observer.in_flight(NameRef::of(target), self.now()) }
    }

    fn blanks(&self, target: &Target) -> u32 {
        if target.account.is_callers { 0 } else { self.observer.slot(NameRef::of(target), self.now()).blanks() }
    }

    fn cooling_until(&self, target: &Target) -> Option<u64> {
        self.state(target).closed_until_millis()
    }
}
