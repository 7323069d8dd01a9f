//! One try at one target, from the moment that it is sent. However it ends, the target has one request less under way.

use alloc::rc::Rc;

use crate::{
    config::Cooldown,
    health::{NameRef, Period, Symptom},
};

use super::{
    Observer,
    record::{Sample, Went},
    slot::Slot,
};

/// See the module's documentation. Dropped without an outcome, the client went away: that tells nothing of the target.
#[derive(Debug)]
pub struct Trip {
    observer: Rc<Observer>,
    slot: Rc<Slot>,
    began_millis: u64,
    /// Whether the first content of a stream has come.
    is_stream: bool,
    /// Whether others pass its target over until this one tells how it went.
    is_probe: bool,
    /// Whether its success is told.
    is_told: bool,
}

impl Trip {
    pub(super) fn new(observer: &Rc<Observer>, slot: Rc<Slot>, began_millis: u64) -> Self {
        slot.enter(&*observer.meter);
        let is_probe = slot.is_claimed.take();
        Self { observer: Rc::clone(observer), slot, began_millis, is_stream: false, is_probe, is_told: false }
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
        self.leave_sample(now_millis, Went::Well { is_stream, output_tokens, is_told });
    }

    /// There is no answer, or not all of it.
    pub fn failed(mut self, now_millis: u64, symptom: Symptom, cooldown: Cooldown) {
        self.is_probe = false;
        if Observer::has_health(&self.slot) {
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
        if !self.is_told && (self.is_probe || is_closed(now_millis)) {
            let period = self.period(now_millis);
            self.observer.change_ledger(now_millis, |ledger| ledger.succeed(name, 1, period, now_millis));
            (self.is_probe, self.is_told) = (false, true);
        }
    }

    fn leave_sample(&self, now_millis: u64, went: Went) {
        let (name, is_listed) = (Rc::clone(&self.slot.name), self.slot.is_listed());
        self.observer.take(Sample { name, is_listed, period: self.period(now_millis), went });
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
        self.slot.leave(&*self.observer.meter);
        if self.is_probe {
            self.observer.change_ledger(self.began_millis, |ledger| ledger.release(self.name()));
        }
    }
}
