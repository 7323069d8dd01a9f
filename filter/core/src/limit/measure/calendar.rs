//! "So many in each day or month", of UTC's calendar.
//!
//! Two of them are counted: the newest in which something was, and the one before it, because a clock that is set back must find
//! what was counted already, be it a little at midnight or by the years that it was ahead, and because a request that began
//! yesterday is settled as yesterday's. Layout: 33 bytes.

use crate::store::{Reader, Writer};

use super::{Full, Moment};

const DAY_MILLIS: u64 = 86_400_000;

/// What is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Days.
    Day,
    /// Months.
    Month,
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::limit) struct Calendar {
    unit: Unit,
    /// The newest, since the epoch, and how much of it.
    number: u64,
    newest: u64,
    /// The one before.
    prior: u64,
    before: u64,
}

impl Unit {
    pub(super) fn code(self) -> u64 {
        match self {
            Self::Day => 0,
            Self::Month => 1,
        }
    }

    fn number(self, moment: Moment) -> u64 {
        let day = moment.wall_millis / DAY_MILLIS;
        match self {
            Self::Day => day,
            Self::Month => month(day),
        }
    }

    fn start_millis(self, number: u64) -> u64 {
        match self {
            Self::Day => number.saturating_mul(DAY_MILLIS),
            Self::Month => first_day(number).saturating_mul(DAY_MILLIS),
        }
    }
}

impl Calendar {
    pub(super) fn new(unit: Unit) -> Self {
        Self { unit, number: 0, newest: 0, prior: 0, before: 0 }
    }

    pub(super) fn used(&self, now: Moment) -> u64 {
        let number = self.unit.number(now);
        if number == self.number {
            self.newest
        } else if number == self.prior {
            self.before
        } else if number < self.prior {
            // The clock was ahead twice, or is far behind: nothing that was counted is forgotten for that.
            self.newest.max(self.before)
        } else {
            0
        }
    }

    pub(super) fn check(&self, amount: u64, max: u64, now: Moment) -> Result<(), Full> {
        if self.used(now).checked_add(amount).is_some_and(|sum| sum <= max) {
            return Ok(());
        }
        Err(Full { retry_after_millis: Some(self.reset_millis(now)) })
    }

    pub(super) fn add(&mut self, amount: u64, now: Moment) {
        let number = self.unit.number(now);
        if number > self.number {
            (self.prior, self.before) = (self.number, self.newest);
            (self.number, self.newest) = (number, 0);
        } else if number < self.prior {
            self.newest = self.used(now);
            (self.number, self.prior, self.before) = (number, 0, 0);
        } else if number != self.number && number != self.prior {
            (self.prior, self.before) = (number, 0);
        }
        let counted = if number == self.number { &mut self.newest } else { &mut self.before };
        *counted = counted.saturating_add(amount);
    }

    pub(super) fn take_back(&mut self, amount: u64, then: Moment) {
        let number = self.unit.number(then);
        if number == self.number {
            self.newest = self.newest.saturating_sub(amount);
        } else if number == self.prior {
            self.before = self.before.saturating_sub(amount);
        }
    }

    pub(super) fn reset_millis(&self, now: Moment) -> u64 {
        let next = self.unit.number(now).saturating_add(1);
        self.unit.start_millis(next).saturating_sub(now.wall_millis)
    }

    /// Not the day after: the clock may be set back to it.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        let is_over = self.unit.number(now) > self.number.saturating_add(1);
        is_over || (self.newest == 0 && self.before == 0)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let unit = match reader.u8()? {
            0 => Unit::Day,
            1 => Unit::Month,
            _ => return None,
        };
        let (number, newest) = (reader.u64()?, reader.u64()?);
        Some(Self { unit, number, newest, prior: reader.u64()?, before: reader.u64()? })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.u8(self.unit as u8);
        writer.u64(self.number);
        writer.u64(self.newest);
        writer.u64(self.prior);
        writer.u64(self.before);
    }
}

/// The month that a day is in, both since the epoch.
fn month(day: u64) -> u64 {
    // 146,097 days are 4,800 months (the Gregorian calendar's 400 years). Months differ from their mean by a few days at most,
    // so that this is one too early, right, or one too late.
    let near = day.saturating_mul(4_800).checked_div(146_097).unwrap_or_default();
    let candidates = [near.saturating_add(1), near, near.saturating_sub(1)];
    candidates.into_iter().find(|month| first_day(*month) <= day).unwrap_or_default()
}

/// The first day of a month, both since the epoch.
fn first_day(month: u64) -> u64 {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    /// Leap days from the year 1 to the end of 1969.
    const LEAP_DAYS: u64 = 477;
    let year = (month / 12).saturating_add(1_970);
    let of_year = usize::try_from(month % 12).unwrap_or_default();
    // A leap day is counted from the March of its year on.
    let last = if of_year > 1 { year } else { year.saturating_sub(1) };
    let leap_days = (last / 4).saturating_sub(last / 100).saturating_add(last / 400).saturating_sub(LEAP_DAYS);
    let days = year.saturating_sub(1_970).saturating_mul(365).saturating_add(leap_days);
    days.saturating_add(BEFORE.get(of_year).copied().unwrap_or_default())
}
