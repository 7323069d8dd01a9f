//! How long an answer may be, in the words of its format: what is reserved for it goes by that.
//!
//! Another format's words are not heeded, because whoever answers may not heed them either; but for those by which there are more
//! answers.

use core::time::Duration;

use super::{
    BEST_OF, CHOICES, GENERATION_CONFIG, MAX_COMPLETION_TOKENS, MAX_OUTPUT_TOKENS, MAX_TOKENS, OPTIONS, PROMPT,
    SNAKE_GENERATION_CONFIG,
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

/// The members by which a format bounds its answers, and how many there are to be: they say it, or what is in them does.
pub(crate) type Terms = &'static [usize];

pub(crate) const OF_CHAT: Terms = &[MAX_COMPLETION_TOKENS, MAX_TOKENS];
pub(crate) const OF_COMPLETIONS: Terms = &[MAX_TOKENS];
pub(crate) const OF_MESSAGES: Terms = &[MAX_TOKENS];
pub(crate) const OF_RESPONSES: Terms = &[MAX_OUTPUT_TOKENS];
pub(crate) const OF_GEMINI: Terms = &[GENERATION_CONFIG, SNAKE_GENERATION_CONFIG];
pub(crate) const OF_OLLAMA: Terms = &[OPTIONS];

impl Bounds {
    /// What a scan has found; of several the most, because only the provider knows which one counts. Zero is no bound: some servers
    /// take it for none.
    pub(crate) fn of(found: &Found, terms: Terms) -> Self {
        // Of the best of several, all are written and paid for.
        let answers = [CHOICES, BEST_OF].into_iter().filter_map(|index| number(found.text(index)?)).max();
        let mut bounds = Self { max_tokens: None, choices: answers };
        for text in terms.iter().filter_map(|&index| found.text(index)) {
            bounds.max_tokens = bounds.max_tokens.max(number(text));
            for (name, value) in json::members(text).into_iter().flatten() {
                let bound = match &*name {
                    "maxOutputTokens" | "max_output_tokens" | "num_predict" => &mut bounds.max_tokens,
                    "candidateCount" | "candidate_count" => &mut bounds.choices,
                    _ => continue,
                };
                *bound = number(value.get()).max(*bound);
            }
        }
        // Each prompt of a list has answers of its own; a list of numbers is one prompt.
        if let Some(prompts) = found.member(PROMPT).map(|prompt| prompt.parts).filter(|prompts| *prompts > 1) {
            bounds.choices = Some(bounds.choices.unwrap_or(1).saturating_mul(prompts));
        }
        bounds
    }
}

/// A number, however it is written: many servers take `5e3` and `"5000"` for 5000. One that is too large for any answer bounds none.
fn number(text: &str) -> Option<u64> {
    let number = text.trim_matches('"').parse::<f64>().ok().filter(|number| *number >= 1.0)?;
    Some(Duration::try_from_secs_f64(number).map_or(u64::MAX, |seconds| seconds.as_secs()))
}
