//! `least_busy`: the fewest requests in flight; equal ones at random, or idle targets would all be the first one.

use alloc::vec::Vec;

use super::Prospect;
use crate::{host::Observed, route::chance::Chance};

pub(in crate::route) fn rank(prospects: &[Prospect<'_>], observed: &dyn Observed, chance: &Chance<'_>) -> Vec<u128> {
    let busy = |prospect: &Prospect<'_>| prospect.first(observed).map(|(first, _)| observed.in_flight(&first.target));
    prospects
        .iter()
        .map(|prospect| u128::from(busy(prospect).unwrap_or(u32::MAX)) << 64 | u128::from(chance.draw()))
        .collect()
}
