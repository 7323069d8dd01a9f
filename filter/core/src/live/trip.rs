//! One try at one target, from the moment that it is sent. However it ends, the target has one request less under way.

use alloc::rc::Rc;
use core::mem;

use crate::{
    config::Cooldown,
    health::{Ledger, NameRef, Period, Symptom, Trouble},
};

use super::{
    Observer, Probe,
    record::{Sample, Went},
    slot::Slot,
};

/// See the module's documentation. Dropped without an outcome, it was ended by the client or by Envoy for reasons of its own: that
/// tells nothing of the target.
#[derive(Debug)]
pub struct Trip {
    observer: Rc<Observer>,
    slot: Rc<Slot>,
    began_millis: u64,
    /// Whether the first content of a stream has come.
    is_stream: bool,
    /// Where others pass its target over until this one tells how it went.
    probe: Option<Probe>,
    /// Whether it is not over.
    is_under_way: bool,
    /// Whether its success is told.
    is_told: bool,
}

impl Trip {
    pub(super) fn new(observer: &Rc<Observer>, slot: Rc<Slot>, probe: Option<Probe>, began_millis: u64) -> Self {
        observer.enter(&slot);
        // That of another target, which is not asked after all, is over.
        let probe = probe.filter(|probe| probe.is_of(slot.name.borrowed()));
        let observer = Rc::clone(observer);
        Self { observer, slot, began_millis, is_stream: false, probe, is_under_way: true, is_told: false }
    }

    /// The first content of a stream has come: the target is well, however long the answer may take.
    pub fn first_content(&mut self, now_millis: u64) {
        if !self.is_stream {
            self.is_stream = true;
            self.tell_success(now_millis);
            self.leave_sample(now_millis, Went::Begun);
        }
    }

    /// The provider has refused the request for what it asks: it is well, and nothing is known of how fast it answers.
    pub fn refused(mut self, now_millis: u64) {
        self.tell_success(now_millis);
    }

    /// The answer has come to its end; so many tokens, where the provider tells.
    pub fn succeeded(mut self, now_millis: u64, output_tokens: Option<u64>) {
        self.tell_success(now_millis);
        let Self { is_stream, is_told, .. } = self;
        if let Some(tokens) = output_tokens {
            self.slot.answered(tokens);
        }
        self.leave_sample(now_millis, Went::Well { is_stream, output_tokens, is_told });
    }

    /// It has failed in a way that spares nobody the target, by an error that the operator does not want others asked for: one makes
    /// nothing cool, and shows nobody that the target is well.
    pub fn erred(mut self, now_millis: u64, cooldown: Cooldown) {
        if self.slot.has_health() {
            let (period, is_listed) = (self.period(now_millis), self.slot.is_listed());
            let Slot { name, .. } = &*self.slot;
            let change = |ledger: &mut Ledger| ledger.err(name, is_listed, Trouble::ServerError, cooldown, period);
            self.observer.change_ledger(now_millis, change);
        }
        self.leave_sample(now_millis, Went::Wrong);
    }

    /// It has stopped under way, by its target's doing or by its client's: averages have it, and nobody is passed over for it.
    pub fn stalled(mut self, now_millis: u64) {
        self.leave_sample(now_millis, Went::Wrong);
    }

    /// There is no answer, or not all of it.
    pub fn failed(mut self, now_millis: u64, symptom: Symptom, cooldown: Cooldown) {
        self.settle_probe();
        if self.slot.has_health() {
            let period = self.period(now_millis);
            let Slot { name, .. } = &*self.slot;
            let is_listed = self.slot.is_listed();
            self.observer.change_ledger(now_millis, |ledger| ledger.fail(name, is_listed, symptom, cooldown, period));
        }
        self.leave_sample(now_millis, Went::Wrong);
    }

    /// Tells a success at once where others pass the target over.
    fn tell_success(&mut self, now_millis: u64) {
        let name = self.name();
        let is_closed = |now| self.observer.with_ledger(|ledger| ledger.is_closed(name, now));
        if !self.is_told && (self.probe.is_some() || is_closed(now_millis)) {
            let period = self.period(now_millis);
            self.observer.change_ledger(now_millis, |ledger| ledger.succeed(name, period, now_millis));
            self.settle_probe();
            self.is_told = true;
        }
    }

    /// What the probe was for is told.
    fn settle_probe(&mut self) {
        if let Some(probe) = self.probe.take() {
            probe.settle();
        }
    }

    fn leave_sample(&mut self, now_millis: u64, went: Went) {
        if went != Went::Begun {
            self.leave();
        }
        if went != Went::Wrong {
            self.slot.measured();
        }
        if !self.slot.is_counted() {
            return;
        }
        let (name, is_listed) = (Rc::clone(&self.slot.name), self.slot.is_listed());
        self.observer.take(Sample { name, is_listed, period: self.period(now_millis), went });
    }

    /// Its target has one request less under way. Whether that has shown how quick it is, only a stream knows by then.
    fn leave(&mut self) {
        if mem::take(&mut self.is_under_way) {
            self.observer.leave(&self.slot);
            if !self.is_stream {
                self.slot.not_measured();
            }
        }
    }

    fn name(&self) -> NameRef<'_> {
        self.slot.name.borrowed()
    }

    fn period(&self, now_millis: u64) -> Period {
        Period { began_millis: self.began_millis, ended_millis: now_millis }
    }
}

impl Drop for Trip {
    fn drop(&mut self) {
        self.leave();
    }
}
