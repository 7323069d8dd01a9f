//! `SipHash-2-4` (Aumasson and Bernstein 2012): a hash with a key, so that whoever may choose names cannot choose where they go.
//!
//! Not the hasher of maps, which differs between workers; nor SHA-256, which takes twenty times as long for a name.

/// The hash of these bytes under this key.
pub(super) fn hash(key: (u64, u64), bytes: &[u8]) -> u64 {
    let mut state = State([
        key.0 ^ 0x736f_6d65_7073_6575,
        key.1 ^ 0x646f_7261_6e64_6f6d,
        key.0 ^ 0x6c79_6765_6e65_7261,
        key.1 ^ 0x7465_6462_7974_6573,
    ]);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state.take(u64::from_le_bytes(*word));
    }
    // The length in the highest byte keeps texts apart that differ in zeros at their end.
    let length = bytes.len().to_le_bytes();
    let last = rest.iter().rev().fold(0, |last, byte| last << 8 | u64::from(*byte));
    state.take(last | u64::from(length.first().copied().unwrap_or_default()) << 56);
    state.finish()
}

struct State([u64; 4]);

impl State {
    fn take(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        for _ in 0..4 {
            self.round();
        }
        self.0.into_iter().fold(0, |hash, word| hash ^ word)
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.0;
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32).wrapping_add(d);
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        d = d.rotate_left(21) ^ a;
        self.0 = [a, b, c.rotate_left(32), d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_hashes_are_those_of_the_paper() {
        let key = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let bytes: Vec<u8> = (0..15).collect();
        assert_eq!(hash(key, &bytes), 0xa129_ca61_49be_45e5);
        assert_eq!(hash(key, &[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(hash(key, &bytes[..8]), 0x93f5_f579_9a93_2462);
    }

    #[test]
    fn zeros_at_the_end_and_the_key_make_a_difference() {
        assert_ne!(hash((1, 2), b"a"), hash((1, 2), b"a\0"));
        assert_ne!(hash((1, 2), b"a"), hash((2, 1), b"a"));
    }
}
