//! How many tokens a request is, before anybody has counted them.
//!
//! By length, and not by a tokenizer: those of the vendors differ, are megabytes of tables, and cost more than the rest of the
//! request. Text of most languages has four bytes a token or a little more; what is said here errs to the high side for
//! prose and to the low side for code. What decides money is settled with the provider's own count.

/// Bytes a token.
const BYTES: u64 = 4;

/// Tokens of a picture: what `OpenAI` counts for one of 1024 pixels square; the others count from 258 to 1,600.
const IMAGE: u64 = 765;

/// Tokens of an answer of which nothing else is known. A client's own bound says little, because few answers reach it.
pub(crate) const USUAL_OUTPUT: u64 = 500;

/// The tokens of so many bytes of text and so many pictures.
#[must_use]
pub fn tokens(text_bytes: usize, images: usize) -> u64 {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    count(text_bytes).div_ceil(BYTES).saturating_add(count(images).saturating_mul(IMAGE))
}

/// Whether input and output fit into a context window together.
pub(super) const fn fits(input: u64, output: u64, window: u64) -> bool {
    input.saturating_add(output) <= window
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_counts_by_length_and_pictures_by_number() {
        assert_eq!(tokens(0, 0), 0);
        assert_eq!(tokens(9, 0), 3);
        assert_eq!(tokens(4, 2), 1 + 2 * 765);
        assert_eq!(tokens(usize::MAX, usize::MAX), u64::MAX);
    }

    #[test]
    fn a_window_holds_what_is_as_long_as_it_is() {
        assert!(fits(90, 10, 100));
        assert!(!fits(91, 10, 100));
        assert!(!fits(u64::MAX, 1, u64::MAX - 1));
    }
}
