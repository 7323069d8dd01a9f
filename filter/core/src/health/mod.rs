//! Which targets failed lately, and until when they are passed over: one small record that all workers share.
//!
//! A plan of several targets reads it once, a plan of one never: nobody pays for health while everybody is healthy. What is
//! decided here is only when a target may be asked again. It reorders plans and empties none.
//!
//! - A target that failed cools: as long as its provider asks for, else twice as long after each failure in a row, up to a
//!   bound. Requests that were under way when it failed say the same thing once more and change nothing.
//! - When its time is up, it is half open: one request at a time may be its probe. Whoever is first says so in the record, and
//!   to all others the target cools on until the probe has ended or taken too long. One that took too long and ends later does
//!   not end the probe of another.
//! - A success ends all that, and forgets the failures, but not of a target that fails half of the time: it cools the
//!   next time as if it had not succeeded.
//! - One that fails half of the time is an outlier, and cools although a single failure of it would make nothing cool.
//!
//! The record is bounded. Of more targets than fit, those that no catalogue lists give way first, because whoever may invent
//! names could otherwise push real ones out.

mod history;
mod name;

pub use self::{
    history::{Access, Claim, Period, State, Symptom, Trouble},
    name::{Name, NameRef},
};

use alloc::{rc::Rc, vec::Vec};

use crate::{
    config::Cooldown,
    store::{Reader, Record, Writer},
};

use self::history::History;

/// How many targets are remembered.
const MOST_ENTRIES: usize = 128;

/// After so long without a failure nothing is remembered. As long as a provider's rate limits may need; much longer, and
/// failures of different days would count as one series.
const FORGOTTEN_AFTER_MILLIS: u64 = 15 * 60 * 1_000;

/// The targets that failed lately.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: Rc<Name>,
    /// Whether a catalogue or the file lists it.
    is_listed: bool,
    history: History,
}

impl Ledger {
    /// What is remembered of a target.
    #[must_use]
    pub fn state(&self, name: NameRef<'_>, now_millis: u64) -> State {
        let entry = self.entry(name).filter(|entry| !entry.history.is_forgotten(now_millis));
        entry.map_or(State::Healthy, |entry| entry.history.state(now_millis))
    }

    /// Whether a success of a target is worth noting.
    #[must_use]
    pub fn remembers(&self, name: NameRef<'_>) -> bool {
        self.entry(name).is_some()
    }

    /// Whether a target cools or needs a probe: then its next success is news to all.
    #[must_use]
    pub fn is_closed(&self, name: NameRef<'_>, now_millis: u64) -> bool {
        self.state(name, now_millis) != State::Healthy
    }

    /// Why it failed the last time.
    #[must_use]
    pub fn trouble(&self, name: NameRef<'_>, now_millis: u64) -> Option<Trouble> {
        self.entry(name).filter(|entry| !entry.history.is_forgotten(now_millis)).map(|entry| entry.history.trouble())
    }

    /// The targets that failed lately.
    pub fn names(&self, now_millis: u64) -> impl Iterator<Item = &Rc<Name>> {
        self.entries.iter().filter(move |entry| !entry.history.is_forgotten(now_millis)).map(|entry| &entry.name)
    }

    /// A try has failed.
    pub fn fail(&mut self, name: &Rc<Name>, is_listed: bool, symptom: Symptom, cooldown: Cooldown, period: Period) {
        self.note(name, is_listed, symptom.trouble, period, |history| history.fail(symptom, cooldown, period));
    }

    /// A try has failed in a way that makes nothing cool by itself.
    pub fn err(&mut self, name: &Rc<Name>, is_listed: bool, trouble: Trouble, cooldown: Cooldown, period: Period) {
        self.note(name, is_listed, trouble, period, |history| history.err(trouble, cooldown, period));
    }

    fn note(
        &mut self,
        name: &Rc<Name>,
        is_listed: bool,
        trouble: Trouble,
        period: Period,
        change: impl FnOnce(&mut History),
    ) {
        self.entries.retain(|entry| !entry.history.is_forgotten(period.ended_millis));
        if let Some(entry) = self.entry_mut(name.borrowed()) {
            entry.is_listed = is_listed;
            change(&mut entry.history);
            return;
        }
        let mut history = History::new(trouble);
        change(&mut history);
        self.entries.push(Entry { name: Rc::clone(name), is_listed, history });
        if self.entries.len() > MOST_ENTRIES {
            let rank = |entry: &Entry| (entry.is_listed, entry.history.until_millis());
            let least = self.entries.iter().enumerate().min_by_key(|(_, entry)| rank(entry)).map(|(place, _)| place);
            least.map(|place| self.entries.swap_remove(place));
        }
    }

    /// A try has succeeded.
    pub fn succeed(&mut self, name: NameRef<'_>, period: Period, now_millis: u64) {
        if let Some(entry) = self.entry_mut(name) {
            entry.history.succeed(period, now_millis);
        }
        self.entries.retain(|entry| !entry.history.is_sound());
    }

    /// Whether a request may go there now. Where the target is half open, it is then the probe.
    pub fn claim(&mut self, name: NameRef<'_>, claim: Claim, now_millis: u64) -> Access {
        self.entry_mut(name).map_or(Access::Open, |entry| entry.history.claim(claim, now_millis))
    }

    /// The probe of this claim has ended without telling anything. That of another goes on.
    pub fn release(&mut self, name: NameRef<'_>, claim: Claim) {
        if let Some(entry) = self.entry_mut(name) {
            entry.history.release(claim);
        }
    }

    fn entry(&self, name: NameRef<'_>) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name.borrowed() == name)
    }

    fn entry_mut(&mut self, name: NameRef<'_>) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.name.borrowed() == name)
    }
}

impl Record for Ledger {
    const KEY: &'static str = "dragoman.health.3";

    fn read(bytes: &[u8]) -> Self {
        let mut reader = Reader(bytes);
        let mut entries = Vec::new();
        while !reader.is_at_end() && entries.len() < MOST_ENTRIES {
            match Entry::read(&mut reader) {
                Some(entry) => entries.push(entry),
                None => return Self::default(),
            }
        }
        Self { entries }
    }

    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for entry in &self.entries {
            entry.name.write(&mut writer);
            writer.u8(entry.is_listed.into());
            entry.history.write(&mut writer);
        }
        writer.0
    }
}

impl Entry {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let name = Rc::new(Name::read(reader)?);
        Some(Self { name, is_listed: reader.u8()? != 0, history: History::read(reader)? })
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that cannot count fails")]
mod tests;
