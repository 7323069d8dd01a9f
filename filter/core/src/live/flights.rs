//! How many requests each worker has under way: the record that workers share, in which no worker's count outlives it.
//!
//! Not a gauge of the host's, which would be exact at any moment: a worker whose VM dies is told nothing, and what it had
//! added to a gauge stays there for as long as the process lives. Here each worker writes its own counts, all of them and again
//! and again, and those of one that has fallen silent are nobody's. A worker knows its own requests exactly, those of the
//! others as they were a moment ago.

use alloc::{rc::Rc, vec::Vec};

use crate::{
    health::{Name, NameRef},
    store::{Reader, Record, Writer},
};

/// A worker that has said nothing for so long is dead.
pub(super) const LEASE_MILLIS: u64 = 5_000;

/// So often a worker says the same again: several times within its lease, because its loop may be held up.
pub(super) const BEAT_MILLIS: u64 = 1_000;

/// Requests under way by target, where there are any.
pub(super) type Counts = Vec<(Rc<Name>, u32)>;

/// Those of all workers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Flights {
    /// The last number that a worker got.
    last: u32,
    workers: Vec<Worker>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Worker {
    number: u32,
    told_at_millis: u64,
    counts: Counts,
}

impl Flights {
    /// A worker tells its counts; its number, the same as before where it has one.
    pub(super) fn tell(&mut self, number: Option<u32>, counts: &Counts, now_millis: u64) -> u32 {
        self.last = number.map_or_else(|| self.last.wrapping_add(1), |number| self.last.max(number));
        let number = number.unwrap_or(self.last);
        self.workers.retain(|worker| worker.number != number && worker.is_alive(now_millis));
        if !counts.is_empty() {
            self.workers.push(Worker { number, told_at_millis: now_millis, counts: counts.clone() });
        }
        number
    }

    /// How many requests the other workers have under way at a target.
    pub(super) fn of_others(&self, name: NameRef<'_>, own: Option<u32>, now_millis: u64) -> u32 {
        let others = self.workers.iter().filter(|worker| Some(worker.number) != own && worker.is_alive(now_millis));
        let counts = others.flat_map(|worker| &worker.counts).filter(|(other, _)| other.borrowed() == name);
        counts.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The targets at which any worker has requests under way.
    pub(super) fn names(&self, now_millis: u64) -> impl Iterator<Item = &Rc<Name>> {
        let alive = self.workers.iter().filter(move |worker| worker.is_alive(now_millis));
        alive.flat_map(|worker| worker.counts.iter().map(|(name, _)| name))
    }
}

impl Worker {
    /// Whether it has told anything lately. A clock that was set makes nobody live longer.
    fn is_alive(&self, now_millis: u64) -> bool {
        now_millis.abs_diff(self.told_at_millis) <= LEASE_MILLIS
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (number, told_at_millis, length) = (reader.u32()?, reader.u64()?, reader.u32()?);
        let mut counts = Counts::new();
        for _ in 0..length {
            counts.push((Rc::new(Name::read(reader)?), reader.u32()?));
        }
        Some(Self { number, told_at_millis, counts })
    }

    fn write(&self, writer: &mut Writer) {
        writer.u32(self.number);
        writer.u64(self.told_at_millis);
        writer.u32(u32::try_from(self.counts.len()).unwrap_or(u32::MAX));
        for (name, count) in &self.counts {
            name.write(writer);
            writer.u32(*count);
        }
    }
}

impl Record for Flights {
    const KEY: &'static str = "dragoman.flights.2";

    fn read(bytes: &[u8]) -> Self {
        let mut reader = Reader(bytes);
        let Some(last) = reader.u32() else { return Self::default() };
        let mut workers = Vec::new();
        while !reader.is_at_end() {
            match Worker::read(&mut reader) {
                Some(worker) => workers.push(worker),
                None => return Self::default(),
            }
        }
        Self { last, workers }
    }

    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        if *self != Self::default() {
            writer.u32(self.last);
            for worker in &self.workers {
                worker.write(&mut writer);
            }
        }
        writer.0
    }
}
