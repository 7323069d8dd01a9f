//! "So many in any time of this length": what was counted, by small parts of the time.
//!
//! A part leaves only when it is wholly outside: what is counted is never less than what was used within the time, and more by at
//! most one part. Only parts in which something was counted are kept. Layout: 10 bytes and 9 for each of them, of at most 61.

use alloc::vec::Vec;

use crate::store::{Reader, Writer};

use super::{Full, Moment};

/// The length, and how it is parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// A second, by 20 ms.
    Second,
    /// A minute, by seconds.
    Minute,
    /// An hour, by minutes.
    Hour,
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::limit) struct Rolling {
    grain: Grain,
    /// The number of a part, and what was counted in it: in order of the numbers.
    parts: Vec<(u64, u64)>,
}

impl Grain {
    const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    /// The length of a part.
    pub(super) fn millis(self) -> u64 {
        match self {
            Self::Second => 20,
            Self::Minute => 1_000,
            Self::Hour => 60_000,
        }
    }

    /// How many parts the length has.
    pub(super) fn parts(self) -> u64 {
        match self {
            Self::Second => 50,
            Self::Minute | Self::Hour => 60,
        }
    }

    fn number(self, moment: Moment) -> u64 {
        moment.steady_millis.checked_div(self.millis()).unwrap_or_default()
    }

    /// When a part is wholly outside.
    fn end_millis(self, number: u64) -> u64 {
        number.saturating_add(self.parts()).saturating_add(1).saturating_mul(self.millis())
    }
}

impl Rolling {
    pub(super) fn new(grain: Grain) -> Self {
        Self { grain, parts: Vec::new() }
    }

    pub(super) fn used(&self, now: Moment) -> u64 {
        self.counted(now).fold(0, |sum, (_, amount)| sum.saturating_add(amount))
    }

    pub(super) fn check(&self, amount: u64, max: u64, now: Moment) -> Result<(), Full> {
        let mut over = u128::from(self.used(now)).saturating_add(amount.into()).saturating_sub(max.into());
        if over == 0 {
            return Ok(());
        }
        for (number, amount) in self.counted(now) {
            over = over.saturating_sub(amount.into());
            if over == 0 {
                let millis = self.grain.end_millis(number).saturating_sub(now.steady_millis);
                return Err(Full { retry_after_millis: Some(millis) });
            }
        }
        Err(Full { retry_after_millis: None })
    }

    pub(super) fn add(&mut self, amount: u64, now: Moment) {
        let grain = self.grain;
        self.parts.retain(|(number, _)| grain.end_millis(*number) > now.steady_millis);
        let number = grain.number(now);
        match self.parts.last_mut() {
            Some((last, counted)) if *last >= number => *counted = counted.saturating_add(amount),
            _ if amount == 0 => {}
            _ => self.parts.push((number, amount)),
        }
    }

    pub(super) fn take_back(&mut self, amount: u64, then: Moment) {
        let wanted = self.grain.number(then);
        if let Some((_, counted)) = self.parts.iter_mut().find(|(number, _)| *number == wanted) {
            *counted = counted.saturating_sub(amount);
        }
        self.parts.retain(|(_, counted)| *counted > 0);
    }

    pub(super) fn reset_millis(&self, now: Moment) -> u64 {
        let last = self.counted(now).last();
        last.map_or(0, |(number, _)| self.grain.end_millis(number).saturating_sub(now.steady_millis))
    }

    fn counted(&self, now: Moment) -> impl Iterator<Item = (u64, u64)> {
        self.parts.iter().copied().filter(move |(number, _)| self.grain.end_millis(*number) > now.steady_millis)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let code = reader.u8()?;
        let grain = Grain::ALL.into_iter().find(|grain| *grain as u8 == code)?;
        let (newest, count) = (reader.u64()?, reader.u8()?);
        let mut parts = Vec::with_capacity(count.into());
        for _ in 0..count {
            let number = newest.checked_sub(reader.u8()?.into())?;
            let is_next = parts.last().is_none_or(|(last, _)| *last < number);
            parts.push((number, reader.u64().filter(|_| is_next)?));
        }
        Some(Self { grain, parts })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        let newest = self.parts.last().map_or(0, |(number, _)| *number);
        let aged = |&(number, amount)| Some((u8::try_from(newest.saturating_sub(number)).ok()?, amount));
        let parts: Vec<(u8, u64)> = self.parts.iter().filter_map(aged).collect();
        writer.u8(self.grain as u8);
        writer.u64(newest);
        writer.u8(u8::try_from(parts.len()).unwrap_or(u8::MAX));
        for (age, amount) in parts.into_iter().take(u8::MAX.into()) {
            writer.u8(age);
            writer.u64(amount);
        }
    }
}
