//! `SplitMix64` (Steele, Lea and Flood 2014): numbers that look like chance from one that is, for a few instructions each.
//!
//! Whoever sees one number knows all that follow: it is for who is asked and how long to wait, never for a secret.

/// The state after this one, and its number.
#[must_use]
pub const fn next(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    (state, mix(state))
}

/// Spreads whatever distinguishes two numbers over all bits.
#[must_use]
pub const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        let (state, first) = next(1_234_567);
        let (_, second) = next(state);
        assert_eq!((first, second), (6_457_827_717_110_365_317, 3_203_168_211_198_807_973));
    }
}
