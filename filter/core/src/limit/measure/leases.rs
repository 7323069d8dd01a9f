//! "So many at any one time": each holds a lease, which ends by itself unless it is renewed.
//!
//! Not a number that goes up and down: a worker that dies would never bring it down. Layout: 2 bytes and 16 for each
//! lease.

use alloc::vec::Vec;

use crate::{
    config::MOST_AT_ONCE,
    store::{Reader, Writer},
};

use super::{Full, Moment};

/// How long a lease holds that is not renewed: for so long a worker that died takes up room.
pub const LEASE_MILLIS: u64 = if cfg!(feature = "short-leases") { 10_000 } else { 120_000 };

/// When one that was refused may try again. Nobody knows when a request ends.
const RETRY_MILLIS: u64 = 1_000;

/// More are not let in at once, and no limit may say more: the record is copied by each request.
const MOST_LEASES: u64 = MOST_AT_ONCE;

/// Who holds one, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::limit) struct Leases(Vec<(u64, u64)>);

impl Leases {
    pub(super) fn used(&self, now: Moment) -> u64 {
        let held = self.0.iter().filter(|(_, until)| *until > now.steady_millis).count();
        u64::try_from(held).unwrap_or(u64::MAX)
    }

    pub(super) fn check(&self, max: u64, now: Moment) -> Result<(), Full> {
        if self.used(now) < max.min(MOST_LEASES) {
            return Ok(());
        }
        Err(Full { retry_after_millis: Some(RETRY_MILLIS) })
    }

    /// Holds or renews a lease. One that has ended meanwhile is held again: whoever renews it is still under way.
    pub(super) fn hold(&mut self, lease: u64, now: Moment) {
        self.0.retain(|(holder, until)| *until > now.steady_millis && *holder != lease);
        if self.used(now) < MOST_LEASES {
            self.0.push((lease, now.steady_millis.saturating_add(LEASE_MILLIS)));
        }
    }

    pub(super) fn release(&mut self, lease: u64) {
        self.0.retain(|(holder, _)| *holder != lease);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let count = u16::from_le_bytes([reader.u8()?, reader.u8()?]);
        (0..count).map(|_| Some((reader.u64()?, reader.u64()?))).collect::<Option<_>>().map(Self)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        let count = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        writer.0.extend(count.to_le_bytes());
        for (holder, until) in self.0.iter().take(count.into()) {
            writer.u64(*holder);
            writer.u64(*until);
        }
    }
}
