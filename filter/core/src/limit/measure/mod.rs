//! Counters: how much of a limit is used, as values with exact arithmetic in whole numbers.
//!
//! Four kinds, because "so many in a while" means different things. What a request costs is known when it is let in if requests
//! are counted, and then a [`Pace`] is best: all at once, then one after another. What it costs in tokens or money is an estimate
//! until it ends, and what an estimate was too high by must be given back. A pace cannot tell how much of that time has
//! given back already, so that what rolls counts tokens, for seconds and minutes too: a [`Rolling`] window knows when each was
//! reserved. Days and months are those of a [`Calendar`], as invoices are, and what is under way is held by [`Leases`].
//!
//! A counter never says less than what was reserved and not given back within its window, whatever clocks do: see [`Moment`]. Only
//! a clock that jumps ahead cannot be told from time in which nobody asked: what a window lets go by that is gone when the clock is
//! set back, but for what a [`Calendar`] keeps while nobody else needs its room.

mod calendar;
mod leases;
mod pace;
mod rolling;

pub use self::{calendar::Unit, leases::LEASE_MILLIS, rolling::Grain};

use crate::store::{Reader, Writer};

use self::{calendar::Calendar, leases::Leases, pace::Pace, rolling::Rolling};

/// When something is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Of a clock that never goes back: what is let in again after a while is measured by it.
    pub(super) steady_millis: u64,
    /// Since the epoch, for the calendar.
    pub(super) wall_millis: u64,
}

/// In which time so many are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// All at once, and then one after each part of this time, in milliseconds.
    Pace(u64),
    /// In any time of this length.
    Rolling(Grain),
    /// In each of these.
    Calendar(Unit),
    /// At any one time.
    Concurrent,
}

/// So many in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The time.
    pub window: Window,
    /// How many.
    pub max: u64,
}

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// After so many milliseconds there is, if nobody else takes it. Never where it is more than the whole bound.
    pub retry_after_millis: Option<u64>,
}

/// What is used of one bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Counter {
    Pace(Pace),
    Rolling(Rolling),
    Calendar(Calendar),
    Concurrent(Leases),
}

impl Window {
    /// Which kind of counter it needs: one of another kind says nothing here.
    fn tag(self) -> u8 {
        match self {
            Self::Pace(_) => 1,
            Self::Rolling(_) => 2,
            Self::Calendar(_) => 3,
            Self::Concurrent => 4,
        }
    }

    /// Distinguishes windows whose counts cannot be compared.
    pub(super) fn code(self) -> u64 {
        let detail = match self {
            Self::Pace(millis) => millis,
            Self::Rolling(grain) => grain.millis(),
            Self::Calendar(unit) => unit.code(),
            Self::Concurrent => 0,
        };
        detail << 3 | u64::from(self.tag())
    }
}

impl Counter {
    /// A counter that has counted nothing.
    pub(super) fn new(window: Window) -> Self {
        match window {
            Window::Pace(millis) => Self::Pace(Pace::new(millis)),
            Window::Rolling(grain) => Self::Rolling(Rolling::new(grain)),
            Window::Calendar(unit) => Self::Calendar(Calendar::new(unit)),
            Window::Concurrent => Self::Concurrent(Leases::default()),
        }
    }

    /// How much is used, in whole ones.
    pub(super) fn used(&self, now: Moment) -> u64 {
        match self {
            Self::Pace(pace) => pace.used(now),
            Self::Rolling(rolling) => rolling.used(now),
            Self::Calendar(calendar) => calendar.used(now),
            Self::Concurrent(leases) => leases.used(now),
        }
    }

    /// Whether there is room for so much.
    pub(super) fn check(&self, amount: u64, max: u64, now: Moment) -> Result<(), Full> {
        if amount > max {
            return Err(Full { retry_after_millis: None });
        }
        match self {
            Self::Pace(pace) => pace.check(amount, max, now),
            Self::Rolling(rolling) => rolling.check(amount, max, now),
            Self::Calendar(calendar) => calendar.check(amount, max, now),
            Self::Concurrent(leases) => leases.check(max, now),
        }
    }

    /// Counts so much, whether there is room or not; what is under way is known by `lease`.
    pub(super) fn add(&mut self, amount: u64, max: u64, lease: u64, now: Moment) {
        match self {
            Self::Pace(pace) => pace.add(amount, max, now),
            Self::Rolling(rolling) => rolling.add(amount, now),
            Self::Calendar(calendar) => calendar.add(amount, now),
            Self::Concurrent(leases) => leases.hold(lease, now),
        }
    }

    /// Takes back so much of what was counted `then`. What is no longer counted is not taken back.
    pub(super) fn take_back(&mut self, amount: u64, lease: u64, then: Moment, now: Moment) {
        match self {
            Self::Pace(pace) => pace.take_back(amount, then, now),
            Self::Rolling(rolling) => rolling.take_back(amount, then),
            Self::Calendar(calendar) => calendar.take_back(amount, then),
            Self::Concurrent(leases) => leases.release(lease),
        }
    }

    /// After how many milliseconds nothing is used any more, if nothing is added.
    pub(super) fn reset_millis(&self, now: Moment) -> u64 {
        match self {
            Self::Pace(pace) => pace.reset_millis(now),
            Self::Rolling(rolling) => rolling.reset_millis(now),
            Self::Calendar(calendar) => calendar.reset_millis(now),
            Self::Concurrent(_) => 0,
        }
    }

    /// Whether it is as good as a new one.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        match self {
            Self::Pace(pace) => pace.used(now) == 0,
            Self::Rolling(rolling) => rolling.used(now) == 0,
            Self::Calendar(calendar) => calendar.is_idle(now),
            Self::Concurrent(leases) => leases.used(now) == 0,
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        match reader.u8()? {
            1 => Pace::read(reader).map(Self::Pace),
            2 => Rolling::read(reader).map(Self::Rolling),
            3 => Calendar::read(reader).map(Self::Calendar),
            4 => Leases::read(reader).map(Self::Concurrent),
            _ => None,
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Pace(pace) => {
                writer.u8(1);
                pace.write(writer);
            }
            Self::Rolling(rolling) => {
                writer.u8(2);
                rolling.write(writer);
            }
            Self::Calendar(calendar) => {
                writer.u8(3);
                calendar.write(writer);
            }
            Self::Concurrent(leases) => {
                writer.u8(4);
                leases.write(writer);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that cannot count fails")]
mod tests;
