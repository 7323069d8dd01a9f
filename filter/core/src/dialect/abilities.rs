//! What only some dialects can do and an answer would be another one without: one table of it, so that every target refuses a
//! wish in the same words. A dialect lists its abilities.

use crate::{
    chat::{Modality, Request},
    error::Error,
};

/// Something that only some dialects can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ability {
    /// Several answers at a time.
    Choices,
    /// Log probabilities of tokens.
    Logprobs,
    /// Tokens made likelier or unlikelier.
    LogitBias,
    /// Answers with pictures.
    Pictures,
    /// Answers with sound.
    Sound,
    /// Searches in the web.
    WebSearch,
}

/// An ability, when a request needs it, by which field, and what to say where it is missing.
type Row = (Ability, fn(&Request<'_>) -> bool, &'static str, &'static str);

const TABLE: &[Row] = &[
    (
        Ability::Choices,
        |request| request.choices.is_some_and(|choices| choices != 1),
        "n",
        "This model gives one answer at a time: `n` must be 1.",
    ),
    (
        Ability::Logprobs,
        |request| request.logprobs.is_some(),
        "logprobs",
        "This model does not tell log probabilities.",
    ),
    (Ability::LogitBias, |request| request.logit_bias.is_some(), "logit_bias", "This model takes no `logit_bias`."),
    (
        Ability::Pictures,
        |request| request.modalities.contains(&Modality::Image),
        "modalities",
        "This model does not answer with pictures.",
    ),
    (
        Ability::Sound,
        |request| request.modalities.contains(&Modality::Audio),
        "modalities",
        "This model does not answer with sound.",
    ),
    (
        Ability::WebSearch,
        |request| request.web_search.is_some(),
        "web_search_options",
        "This model cannot search the web.",
    ),
];

/// Refuses a request that needs more than these abilities.
///
/// # Errors
/// [`crate::error::Kind::InvalidRequest`], blaming the field.
pub(super) fn require(abilities: &[Ability], request: &Request<'_>) -> Result<(), Error> {
    let is_missing = |(ability, is_wanted, ..): &&Row| !abilities.contains(ability) && is_wanted(request);
    let missing = TABLE.iter().find(is_missing);
    missing.map_or(Ok(()), |(_, _, field, refusal)| Err(Error::refusing(*refusal, *field)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_granted_by_its_ability_only() {
        let request =
            Request { modalities: [Modality::Text, Modality::Image].into(), choices: Some(2), ..Request::default() };
        let blamed = |abilities: &[Ability]| require(abilities, &request).err().and_then(|error| error.param);
        assert_eq!(blamed(&[]).as_deref(), Some("n"));
        assert_eq!(blamed(&[Ability::Choices, Ability::Sound]).as_deref(), Some("modalities"));
        assert_eq!(blamed(&[Ability::Choices, Ability::Pictures]), None);
        assert_eq!(require(&[], &Request { choices: Some(1), ..Request::default() }), Ok(()));
    }
}
