//! FNV-1a: a hash that is the same on every worker, processor and version, which the hashers of maps are not.
//!
//! For what nobody gains by guessing, such as who keeps which target: it withstands no opponent.

/// The hash of no bytes.
pub(crate) const EMPTY: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash of these bytes.
pub(crate) fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    more(EMPTY, bytes)
}

/// The hash of the bytes that have this one and of those that follow.
pub(crate) fn more(hash: u64, bytes: impl IntoIterator<Item = u8>) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.into_iter().fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_published_hashes() {
        for (text, expected) in
            [("", 0xcbf2_9ce4_8422_2325_u64), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            assert_eq!(hash(text.bytes()), expected, "{text}");
        }
    }
}
