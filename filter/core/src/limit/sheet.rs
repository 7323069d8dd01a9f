//! What stands at one place: a clock, and a tally for each subject whose place it is.
//!
//! A tally holds the counters of all limits that count for its subject, so that a request with three limits of its key is let
//! in by one read and one write.
//!
//! - Counters are known by their limit's name and by what it counts: they outlive a change of the configuration as long
//!   as the limit is there. One of a limit that is gone goes when nothing in it counts any more, not at once: while a
//!   configuration is replaced, some workers still count by the old one.
//! - A place has room for so many tallies. One in which nothing counts any more gives way to another. Where there is none,
//!   subjects share one: each may then be refused for what others used, but nobody is let in beyond a limit. Who gets a tally
//!   later begins with what the shared one says, which is at least what that subject has used.
//! - The clock never goes back. One that was set back is waited for if it is a little; else its time goes on from where it was, once
//!   two requests in a row say so: one alone may have been held up between reading the time and writing it here.

use alloc::vec::Vec;

use crate::store::{Reader, Writer};

use super::{
    measure::{Bound, Counter, Moment},
    subject::Address,
};

/// How many subjects have a tally of their own at one place.
pub(super) const MOST_TALLIES: usize = 32;

/// By so much the clocks that requests bring may differ: a request reads the time before it writes.
const SLACK_MILLIS: u64 = 5_000;

/// No clock is so late: the year 287,396. Later, it is not one that this wrote.
const LATEST_MILLIS: u64 = 1 << 53;

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sheet {
    /// The latest moment that was seen.
    at_millis: u64,
    /// By how much the steady clock is ahead of the other.
    lead_millis: u64,
    /// What the other said when it was last far behind; zero where it no longer is.
    doubt_millis: u64,
    tallies: Vec<(Address, Tally)>,
}

/// What is known of one subject, by counter.
type Tally = Vec<(u64, Counter)>;

impl Sheet {
    /// The moment that it is, by a clock that never goes back.
    pub(super) fn advance(&mut self, wall_millis: u64) -> Moment {
        // A host that cannot tell the time must not take all others' with it.
        if wall_millis > LATEST_MILLIS {
            return self.latest();
        }
        let is_behind = wall_millis.saturating_add(self.lead_millis).saturating_add(SLACK_MILLIS) < self.at_millis;
        if is_behind && self.doubt_millis > 0 && self.doubt_millis <= wall_millis {
            self.lead_millis = self.at_millis.saturating_sub(self.doubt_millis);
            self.doubt_millis = 0;
        } else {
            self.doubt_millis = if is_behind { wall_millis } else { 0 };
        }
        let steady = wall_millis.saturating_add(self.lead_millis).min(LATEST_MILLIS);
        self.at_millis = self.at_millis.max(steady);
        Moment { steady_millis: self.at_millis, wall_millis }
    }

    /// The last moment that was seen: for what is taken back, whenever that is.
    pub(super) fn latest(&self) -> Moment {
        Moment { steady_millis: self.at_millis, wall_millis: self.at_millis.saturating_sub(self.lead_millis) }
    }

    /// What a subject has used of a limit, where it has used anything.
    pub(super) fn counter(&self, subject: Address, id: u64) -> Option<&Counter> {
        let tally = self.tally(subject).or_else(|| self.tally(Address::OTHERS))?;
        tally.iter().find(|(other, _)| *other == id).map(|(_, counter)| counter)
    }

    /// The counter that a subject's use is added to; it is made where there is none.
    pub(super) fn counter_mut(&mut self, subject: Address, id: u64, bound: Bound, now: Moment) -> Option<&mut Counter> {
        let subject = self.home_of(subject, now);
        let tally = self.tally_mut(subject)?;
        if !tally.iter().any(|(other, _)| *other == id) {
            tally.retain(|(_, counter)| !counter.is_idle(now));
            tally.push((id, Counter::new(bound.window)));
        }
        tally.iter_mut().find(|(other, _)| *other == id).map(|(_, counter)| counter)
    }

    /// The counters in which a subject's use may stand that was added earlier.
    pub(super) fn counters(&mut self, subject: Address, id: u64) -> impl Iterator<Item = &mut Counter> {
        let is_own = self.tally(subject).is_some();
        let tallies = self.tallies.iter_mut().filter_map(move |(other, tally)| {
            let is_shared = *other == Address::OTHERS;
            // What was added before a subject had its own tally stays in the shared one; but not what is under way: that must
            // not stay until its lease ends.
            (*other == subject || is_shared).then_some((tally, is_shared && is_own))
        });
        tallies.flat_map(move |(tally, only_leases)| {
            tally.iter_mut().filter_map(move |(other, counter)| {
                (*other == id && (!only_leases || matches!(counter, Counter::Concurrent(_)))).then_some(counter)
            })
        })
    }

    /// Where a subject's use is added.
    fn home_of(&mut self, subject: Address, now: Moment) -> Address {
        if self.tally(subject).is_some() {
            return subject;
        }
        self.tallies.retain(|(_, tally)| tally.iter().any(|(_, counter)| !counter.is_idle(now)));
        let shared = self.tally(Address::OTHERS).cloned();
        let own = self.tallies.len().saturating_sub(usize::from(shared.is_some()));
        if own < MOST_TALLIES {
            self.tallies.push((subject, shared.unwrap_or_default()));
            return subject;
        }
        if shared.is_none() {
            self.tallies.push((Address::OTHERS, Tally::new()));
        }
        Address::OTHERS
    }

    fn tally(&self, subject: Address) -> Option<&Tally> {
        self.tallies.iter().find(|(other, _)| *other == subject).map(|(_, tally)| tally)
    }

    fn tally_mut(&mut self, subject: Address) -> Option<&mut Tally> {
        self.tallies.iter_mut().find(|(other, _)| *other == subject).map(|(_, tally)| tally)
    }

    /// What the bytes say; bytes that no worker has written say nothing.
    pub(super) fn read(bytes: &[u8]) -> Self {
        Self::decode(bytes).unwrap_or_default()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let at_millis = reader.u64().filter(|at| *at <= LATEST_MILLIS)?;
        let lead_millis = reader.u64().filter(|lead| *lead <= at_millis)?;
        let doubt_millis = reader.u64()?;
        let mut tallies = Vec::new();
        while !reader.is_at_end() {
            let address = Address::read(&mut reader)?;
            let count = u16::from_le_bytes([reader.u8()?, reader.u8()?]);
            let counters = (0..count).map(|_| Some((reader.u64()?, Counter::read(&mut reader)?)));
            tallies.push((address, counters.collect::<Option<_>>()?));
        }
        (tallies.len() <= MOST_TALLIES.saturating_add(1)).then_some(Self {
            at_millis,
            lead_millis,
            doubt_millis,
            tallies,
        })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        // As long as most are that one subject alone has.
        let mut writer = Writer(Vec::with_capacity(1_024));
        writer.u64(self.at_millis);
        writer.u64(self.lead_millis);
        writer.u64(self.doubt_millis);
        for (address, tally) in &self.tallies {
            let count = u16::try_from(tally.len()).unwrap_or(u16::MAX);
            address.write(&mut writer);
            writer.0.extend_from_slice(&count.to_le_bytes());
            for (id, counter) in tally.iter().take(count.into()) {
                writer.u64(*id);
                counter.write(&mut writer);
            }
        }
        writer.0
    }
}
