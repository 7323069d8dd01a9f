//! How long an answer may be, in the words of any format: what is reserved for it goes by that.
//!
//! The body of a provider's own path is of its format. Which that is need not be known: no two formats mean different things by one
//! of these names.

use alloc::vec::Vec;

use super::{
    CHOICES, GENERATION_CONFIG, MAX_COMPLETION_TOKENS, MAX_OUTPUT_TOKENS, MAX_TOKENS, OPTIONS, SNAKE_GENERATION_CONFIG,
};
use crate::json::{self, Found};

/// How long an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// The most tokens that the request lets it have.
    pub max_tokens: Option<u64>,
    /// How many answers there are to be, each of which may be as long.
    pub choices: Option<u64>,
}

impl Bounds {
    /// What a scan has found; of several the most, because only the provider knows which one counts.
    pub(crate) fn of(found: &Found) -> Self {
        let number = |text: &str| json::read::<u64>(text).ok();
        let objects = [GENERATION_CONFIG, SNAKE_GENERATION_CONFIG, OPTIONS];
        let nested: Vec<_> =
            objects.into_iter().filter_map(|index| json::members(found.text(index)?)).flatten().collect();
        let most = |own: &[usize], names: &[&str]| {
            let own = own.iter().filter_map(|&index| found.text(index));
            let nested = nested.iter().filter(|(name, _)| names.contains(&&**name)).map(|(_, value)| value.get());
            own.chain(nested).filter_map(number).max()
        };
        Self {
            max_tokens: most(
                &[MAX_COMPLETION_TOKENS, MAX_TOKENS, MAX_OUTPUT_TOKENS],
                &["maxOutputTokens", "max_output_tokens", "num_predict"],
            ),
            choices: most(&[CHOICES], &["candidateCount", "candidate_count"]),
        }
    }
}
