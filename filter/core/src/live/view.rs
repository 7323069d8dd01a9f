//! What one plan sees of targets: one moment, one reading of the records, and none for a plan that does not ask.

use core::cell::OnceCell;

use crate::{
    health::{NameRef, State},
    host::{Clock, Observed},
    plan::Target,
};

use super::{Observer, slot::Slot};

/// See the module's documentation.
pub struct View<'a> {
    observer: &'a Observer,
    clock: &'a dyn Clock,
    now_millis: OnceCell<u64>,
    /// Whether the health of targets was read.
    is_read: OnceCell<()>,
}

impl<'a> View<'a> {
    pub(super) fn new(observer: &'a Observer, clock: &'a dyn Clock) -> Self {
        Self { observer, clock, now_millis: OnceCell::new(), is_read: OnceCell::new() }
    }

    /// Makes the request the probe of its first target, where that needs one. Where another request was faster, the target
    /// goes behind those that are asked before it then.
    pub fn claim(&self, targets: &mut [Target]) {
        // Each turn either ends or puts a target behind one that is not passed over.
        for _ in 0..targets.len() {
            let Some(first) = targets.first() else { return };
            // With one target there is nobody to pass it over for, and nothing was read.
            if targets.len() == 1 || self.state(first) != State::HalfOpen(None) {
                return;
            }
            let (name, now) = (NameRef::of(first), self.now());
            // Where the host refuses, there is no telling who is the probe.
            if self.observer.change_ledger(now, |ledger| ledger.claim(name, now)).unwrap_or(true) {
                self.observer.slot(name, now).is_claimed.set(true);
                return;
            }
            let until = self.cooling_until(first);
            let is_behind = |other: &Target| self.cooling_until(other) > until;
            let place = targets.iter().skip(1).position(is_behind);
            let place = place.map_or(targets.len(), |place| place.saturating_add(1));
            if let Some(ahead) = targets.get_mut(..place) {
                ahead.rotate_left(1);
            }
        }
    }

    pub(super) fn now(&self) -> u64 {
        *self.now_millis.get_or_init(|| self.clock.epoch_millis())
    }

    fn state(&self, target: &Target) -> State {
        let now = self.now();
        self.is_read.get_or_init(|| self.observer.read_ledger(now));
        self.observer.with_ledger(|ledger| ledger.state(NameRef::of(target), now))
    }
}

impl Observed for View<'_> {
    fn latency_millis(&self, target: &Target, is_stream: bool) -> Option<u64> {
        let now = self.now();
        self.observer.with_traffic(now, |traffic| {
            let entry = traffic.entry(NameRef::of(target))?;
            if is_stream { entry.ttft_peak.value(now) } else { entry.latency_peak.value(now) }
        })
    }

    fn in_flight(&self, target: &Target) -> u32 {
        let slot = self.observer.slot(NameRef::of(target), self.now());
        Slot::in_flight(&slot, &*self.observer.meter).unwrap_or_default()
    }

    fn cooling_until(&self, target: &Target) -> Option<u64> {
        self.state(target).closed_until_millis()
    }
}
