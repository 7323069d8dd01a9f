//! `split` and `weighted`: by weight, for each request anew or for each caller once and for all.

use alloc::vec::Vec;

use super::Prospect;
use crate::route::chance::{Chance, mix, race};

/// `sticky` is a hash of what keeps its target.
pub(in crate::route) fn rank(prospects: &[Prospect<'_>], sticky: Option<u64>, chance: &Chance<'_>) -> Vec<u128> {
    let noise =
        |prospect: &Prospect<'_>| sticky.map_or_else(|| chance.draw(), |sticky| mix(sticky ^ prospect.identity));
    prospects.iter().map(|prospect| race(noise(prospect), prospect.weight)).collect()
}
