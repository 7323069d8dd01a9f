//! How many tokens a request is, before anybody has counted them.
//!
//! By length, and not by a tokenizer: those of the vendors differ, are megabytes of tables, and cost more than the rest of the
//! request. Bytes of UTF-8 and not letters, because that is what tokenizers begin with: letters that take two or three bytes are
//! rarer in what they learn from, and are more of a token each. `docs/rate-limits.md` says how far off it is, by script; a
//! test measures it on recorded requests. What decides money is settled with the provider's own count.

/// Bytes a token: prose and code of most languages have 3.5 to 5.5.
const BYTES: u64 = 4;

/// What of a request's JSON stands around its text: names, brackets, the model. Half of the recorded requests without tools have
/// less of it, half have more.
const FRAME: u64 = 100;

/// The least that a request is taken for, where it is as long: a greeting is 8 tokens, with what providers put around it.
const LEAST: u64 = 32;

/// Tokens of a picture: what `OpenAI` counts for one of 1024 pixels square; the others count from 258 to 1,600.
const IMAGE: u64 = 765;

/// Tokens of an answer of which nothing else is known. A client's own bound says little, because few answers reach it.
pub(crate) const USUAL_OUTPUT: u64 = 500;

/// The tokens of so many bytes of text and so many pictures.
#[must_use]
pub fn tokens(text_bytes: usize, images: usize) -> u64 {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let bytes = count(text_bytes);
    let text = bytes.saturating_sub(FRAME).max(bytes.min(LEAST));
    text.div_ceil(BYTES).saturating_add(count(images).saturating_mul(IMAGE))
}

/// Whether input and output fit into a context window together.
pub(super) const fn fits(input: u64, output: u64, window: u64) -> bool {
    input.saturating_add(output) <= window
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn text_counts_by_length_and_pictures_by_number() {
        assert_eq!(tokens(0, 0), 0);
        assert_eq!(tokens(9, 0), 3);
        assert_eq!(tokens(60, 0), 8);
        assert_eq!(tokens(4_101, 0), 1_001);
        assert_eq!(tokens(4, 2), 1 + 2 * 765);
        assert_eq!(tokens(usize::MAX, usize::MAX), u64::MAX);
    }

    /// Texts of a paragraph, all of the same meaning, and what three public tokenizers count of each: those of GPT-4o and later, of
    /// GPT-4, and of Claude 2, the last that Anthropic has published.
    const SCRIPTS: &str = include_str!("estimate/scripts.tsv");

    #[test]
    fn other_scripts_are_taken_for_what_one_tokenizer_or_another_makes_of_them() {
        let frame = usize::try_from(FRAME).unwrap();
        for row in SCRIPTS.lines() {
            let (columns, text) = row.rsplit_once('\t').unwrap();
            let mut columns = columns.split('\t');
            let script = columns.next().unwrap();
            let counts: Vec<u64> = columns.map(|count| count.parse().unwrap()).collect();
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            let estimate = tokens(frame + text.len(), 0);
            // Thai, at the worst, is 2.4 times what the first makes of it, or 0.4 times what the last does.
            assert!(estimate * 10 >= most * 4 && estimate * 10 <= least * 24, "{script}: {estimate}, {counts:?}");
        }
    }

    #[test]
    fn a_window_holds_what_is_as_long_as_it_is() {
        assert!(fits(90, 10, 100));
        assert!(!fits(91, 10, 100));
        assert!(!fits(u64::MAX, 1, u64::MAX - 1));
    }
}
