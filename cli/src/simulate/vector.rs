//! The embedding of a text: a vector of its words.
//!
//! Every word has a direction of its own, which its letters decide, and the text's vector is their sum at length 1: the
//! same text always has the same one, texts that share words are nearer than those that share none, and one of fewer
//! dimensions is the beginning of the longer, at length 1 again, as providers shorten theirs.

use sha2::{Digest as _, Sha256};

use super::script::Random;

/// The vector of `text`, at length 1.
pub(super) fn embed(text: &str, dimensions: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f64; dimensions];
    for word in text.split_whitespace().chain(text.trim().is_empty().then_some("")) {
        let digest = Sha256::digest(word.to_lowercase());
        let seed = digest.iter().take(8).fold(0_u64, |seed, byte| (seed << 8) | u64::from(*byte));
        let mut random = Random::new(seed);
        for value in &mut sum {
            *value += direction(&mut random);
        }
    }
    let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    sum.into_iter().map(|value| narrow(value / length)).collect()
}

/// From -1 to 1.
fn direction(random: &mut Random) -> f64 {
    let drawn = u32::try_from(random.next() >> 32).unwrap_or(0);
    f64::from(drawn) / f64::from(u32::MAX) * 2.0 - 1.0
}

/// The providers' numbers are single floats.
#[expect(clippy::cast_possible_truncation, reason = "the precision that is lost is the one that is not sent")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearness(one: &str, other: &str) -> f32 {
        embed(one, 256).iter().zip(embed(other, 256)).map(|(one, other)| one * other).sum()
    }

    #[test]
    fn a_text_is_nearest_to_itself_and_nearer_to_one_that_shares_words() {
        assert!((nearness("a red fox", "a red fox") - 1.0).abs() < 1e-4);
        assert!(nearness("a red fox", "the red fox") > 0.5);
        assert!(nearness("a red fox", "entirely different things").abs() < 0.3);
        assert!((nearness("", " ") - 1.0).abs() < 1e-4);
    }

    #[test]
    fn a_shorter_one_is_the_beginning_of_the_longer_at_length_one() {
        let (long, short) = (embed("text", 512), embed("text", 64));
        let length = long[..64].iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!(long.iter().zip(&short).all(|(long, short)| (long / length - short).abs() < 1e-5));
    }
}
