//! The ways of choosing, one file each: given the branches that lead somewhere, a rank for each, the least first. Pure, and all
//! of one form; only `rules` is not, which chooses by the request and not among what is there.
//!
//! They are judged by what would be asked first behind them: the first candidate that does not cool down, else the first.

pub(super) mod cheapest;
pub(super) mod fallback;
pub(super) mod latency;
pub(super) mod least_busy;
pub(super) mod rules;
pub(super) mod split;

use alloc::vec::Vec;

use super::candidate::Candidate;
use crate::{catalogue::sorted, config::Decimal, host::Observed};

/// A branch that leads somewhere.
pub(super) struct Prospect<'a> {
    pub(super) candidates: Vec<Candidate<'a>>,
    pub(super) weight: Decimal,
    pub(super) priority: u32,
    pub(super) identity: u64,
}

impl<'a> Prospect<'a> {
    /// What would be asked first, and whether it is ready to be.
    pub(super) fn first(&self, observed: &dyn Observed) -> Option<(&Candidate<'a>, bool)> {
        let ready = self.candidates.iter().find(|candidate| candidate.cooling_until(observed).is_none());
        ready.map(|candidate| (candidate, true)).or_else(|| Some((self.candidates.first()?, false)))
    }
}

/// In the order of their ranks; of equal ones the first stays first.
pub(super) fn ordered<T>(items: Vec<T>, ranks: &[u128]) -> Vec<T> {
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    let places = sorted(ranks.iter().copied().zip(0_usize..));
    places.into_iter().filter_map(|(_, place)| items.get_mut(place)?.take()).collect()
}
