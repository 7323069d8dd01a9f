//! "So many at once, then one after each part of the time": the generic cell rate algorithm (ITU-T I.371), as a vessel that runs
//! dry.
//!
//! Not as the usual theoretical arrival time, which has to round a period by the number of requests in it: here one
//! request is as many units as the period has milliseconds, and a millisecond takes away as many units as requests are let in
//! within a period. Both are whole, so that seven a minute are seven a minute. Layout: 40 bytes.

use crate::store::{Reader, Writer};

use super::{Full, Moment};

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::limit) struct Pace {
    /// What one costs.
    period_millis: u64,
    /// What was not yet run dry.
    level: u128,
    at_millis: u64,
    /// What ran out of it in each millisecond since.
    max: u64,
}

impl Pace {
    pub(super) fn new(period_millis: u64) -> Self {
        Self { period_millis: period_millis.max(1), level: 0, at_millis: 0, max: 0 }
    }

    pub(super) fn used(&self, now: Moment) -> u64 {
        let used = self.level(now).div_ceil(self.cost(1).max(1));
        u64::try_from(used).unwrap_or(u64::MAX)
    }

    pub(super) fn check(&self, amount: u64, max: u64, now: Moment) -> Result<(), Full> {
        let wanted = self.level(now).saturating_add(self.cost(amount));
        match wanted.checked_sub(self.cost(max)) {
            None | Some(0) => Ok(()),
            Some(over) => Err(Full { retry_after_millis: millis(over, max) }),
        }
    }

    pub(super) fn add(&mut self, amount: u64, max: u64, now: Moment) {
        self.level = self.level(now).saturating_add(self.cost(amount));
        (self.at_millis, self.max) = (now.steady_millis.max(self.at_millis), max);
    }

    /// All that has run out since is taken to have been of this one. It may have been of others: then too little is given back,
    /// never too much.
    pub(super) fn take_back(&mut self, amount: u64, then: Moment, now: Moment) {
        let elapsed = now.steady_millis.saturating_sub(then.steady_millis);
        let left = self.cost(amount).saturating_sub(u128::from(elapsed).saturating_mul(self.max.into()));
        self.level = self.level(now).saturating_sub(left);
        self.at_millis = now.steady_millis.max(self.at_millis);
    }

    pub(super) fn reset_millis(&self, now: Moment) -> u64 {
        millis(self.level(now), self.max).unwrap_or_default()
    }

    fn cost(&self, amount: u64) -> u128 {
        u128::from(amount).saturating_mul(self.period_millis.into())
    }

    fn level(&self, now: Moment) -> u128 {
        let elapsed = now.steady_millis.saturating_sub(self.at_millis);
        self.level.saturating_sub(u128::from(elapsed).saturating_mul(self.max.into()))
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let period_millis = reader.u64().filter(|period| *period > 0)?;
        let (low, high) = (reader.u64()?, reader.u64()?);
        let level = u128::from(high) << 64 | u128::from(low);
        Some(Self { period_millis, level, at_millis: reader.u64()?, max: reader.u64()? })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        let [low, high] = [self.level, self.level >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)));
        writer.u64(self.period_millis);
        writer.u64(low.unwrap_or_default());
        writer.u64(high.unwrap_or_default());
        writer.u64(self.at_millis);
        writer.u64(self.max);
    }
}

/// After which time so much has run out.
fn millis(level: u128, max: u64) -> Option<u64> {
    (max > 0).then(|| u64::try_from(level.div_ceil(max.into())).unwrap_or(u64::MAX))
}
