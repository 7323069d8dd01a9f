//! Chance: by weight, from one draw a plan, and where asked for the same for the same caller.
//!
//! Weighted order is a race: each runner needs an exponentially distributed time, divided by its weight, and comes in with the
//! probability that its share of the weight says; the rest goes on as if the first had not been there. So one ranking gives
//! the first and all that follow. Fed with a hash of the caller's name instead of noise it is rendezvous hashing: who keeps
//! its noise keeps its place, and a runner that is missing moves only those that it would have won.
//!
//! In whole numbers, because the same name must lead to the same target on every worker and processor, and because `core` has
//! no logarithm.

use core::cell::Cell;

pub(super) use crate::splitmix::mix;
use crate::{config::Decimal, fnv, host::Entropy, splitmix};

/// Random numbers, from one draw of the surroundings': each costs a call of the host.
pub(super) struct Chance<'a> {
    entropy: &'a dyn Entropy,
    state: Cell<Option<u64>>,
}

/// Bits of a rank of [`race`].
pub(super) const RANK_BITS: u32 = 96;

impl<'a> Chance<'a> {
    pub(super) fn new(entropy: &'a dyn Entropy) -> Self {
        Self { entropy, state: Cell::new(None) }
    }

    /// The next number.
    pub(super) fn draw(&self) -> u64 {
        let (state, number) = splitmix::next(self.state.get().unwrap_or_else(|| self.entropy.draw()));
        self.state.set(Some(state));
        number
    }

    /// A number below `bound`; 0 where that is 0. The bias, less than one in 2^32, decides nothing.
    pub(super) fn below(&self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).min(u32::MAX.into());
        let drawn = (self.draw() >> 32).saturating_mul(bound) >> 32;
        usize::try_from(drawn).unwrap_or_default()
    }
}

/// How late a runner with this weight comes in, given its noise: the least first. Without weight, after all that have any.
pub(super) fn race(noise: u64, weight: Decimal) -> u128 {
    let late = u128::from(minus_log2(noise)) << 50;
    late.checked_div(weight.billionths.into()).unwrap_or_else(|| 1 << (RANK_BITS - 1) | u128::from(noise))
}

/// A hash of a text, well mixed.
pub(super) fn hash(text: &[u8]) -> u64 {
    mix(fnv::hash(text.iter().copied()))
}

/// `-log2(noise / 2^64)` in units of 2^-32. Bit by bit: the square of a number has twice its logarithm.
fn minus_log2(noise: u64) -> u64 {
    let noise = noise.max(1);
    let whole = noise.leading_zeros();
    // From 1 to 2, in units of 2^-31.
    let mut number = noise.wrapping_shl(whole) >> 32;
    let mut fraction = 0_u64;
    for bit in (0..32).rev() {
        number = number.wrapping_mul(number) >> 31;
        if number >= 1 << 32 {
            number >>= 1;
            fraction |= 1 << bit;
        }
    }
    let log = (u64::from(63_u32.saturating_sub(whole)) << 32) | fraction;
    (64_u64 << 32).saturating_sub(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_that_of_the_library() {
        extern crate std;
        for noise in [1_u64, 2, 3, 1 << 40, u64::MAX / 3, u64::MAX / 2, u64::MAX - 1, 0xdead_beef_0000_0001] {
            #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
            let (ours, theirs) = (minus_log2(noise) as f64 / 2_f64.powi(32), 64.0 - (noise as f64).log2());
            assert!((ours - theirs).abs() < 1e-6, "{noise}: {ours} {theirs}");
        }
        assert_eq!(minus_log2(0), 64 << 32);
    }

    #[test]
    fn a_rank_fits_and_no_weight_comes_last() {
        let least = Decimal { billionths: 1 };
        assert!(race(0, least) < 1 << (RANK_BITS - 1));
        assert!(race(u64::MAX, Decimal { billionths: 0 }) > race(0, least));
        assert!(race(u64::MAX, Decimal { billionths: 0 }) < 1 << RANK_BITS);
    }
}
