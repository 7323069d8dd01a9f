//! `fallback`: by priority; equal ones by weight.

use alloc::vec::Vec;

use super::Prospect;
use crate::route::chance::{Chance, RANK_BITS, race};

pub(in crate::route) fn rank(prospects: &[Prospect<'_>], chance: &Chance<'_>) -> Vec<u128> {
    let rank = |prospect: &Prospect<'_>| {
        let is_shared = prospects.iter().filter(|other| other.priority == prospect.priority).nth(1).is_some();
        let place = if is_shared { race(chance.draw(), prospect.weight) } else { 0 };
        u128::from(prospect.priority) << RANK_BITS | place
    };
    prospects.iter().map(rank).collect()
}
