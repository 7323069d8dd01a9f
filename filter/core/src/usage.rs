//! Tokens of one answer, as providers count them, and what is taken for them where an answer broke off before its provider
//! did.

/// Tokens. What a provider does not say is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the request, cached ones included.
    pub input: u64,
    /// Those of them that came from the provider's cache.
    pub cached_input: u64,
    /// Those of them that were written to the provider's cache.
    pub cache_write: u64,
    /// Those of them that are sound.
    pub audio_input: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// Those of them that were spent on reasoning.
    pub reasoning: u64,
    /// Those of them that are sound.
    pub audio_output: u64,
}

/// What has come of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flowed {
    /// How many pieces had content.
    pieces: u64,
    /// How long those were.
    bytes: u64,
    /// How long the shortest was.
    shortest: Option<u64>,
}

/// What of a piece is around its content at most. Events of one stream have much the same around theirs, so that the shortest says
/// how much that is, unless it is a long one itself.
const LONGEST_ENVELOPE: u64 = 400;

/// Bytes a token of the content.
const BYTES: u64 = 4;

impl Flowed {
    /// What came at once.
    #[must_use]
    pub fn at_once(length: usize) -> Self {
        let mut flowed = Self::default();
        flowed.add(length);
        flowed
    }

    /// A piece with content came.
    pub fn add(&mut self, length: usize) {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.pieces = self.pieces.saturating_add(1);
        self.bytes = self.bytes.saturating_add(length);
        self.shortest = Some(self.shortest.map_or(length, |shortest| shortest.min(length)));
    }

    /// How many tokens it is, at least one a piece: most providers send each as it is made.
    #[must_use]
    pub fn tokens(self) -> u64 {
        let envelope = self.shortest.unwrap_or_default().min(LONGEST_ENVELOPE);
        let content = self.bytes.saturating_sub(self.pieces.saturating_mul(envelope));
        self.pieces.max(content / BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_a_token_or_as_many_as_fit_into_it() {
        let mut flowed = Flowed::default();
        assert_eq!(flowed.tokens(), 0);
        (0..40).for_each(|place| flowed.add(300 + place % 8));
        assert_eq!(flowed.tokens(), 40);
        flowed.add(300 + 4 * 100);
        assert_eq!(flowed.tokens(), 135);
        assert_eq!(Flowed::at_once(400 + 4 * 100).tokens(), 100);
        assert_eq!(Flowed::at_once(usize::MAX).tokens(), (u64::MAX - 400) / 4);
    }
}
