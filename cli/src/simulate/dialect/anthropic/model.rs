//! What a model of `Anthropic` accepts, by the generation that its name tells.

/// Major and minor version: (4, 5) of `claude-haiku-4-5-20251001`, (3, 7) of `claude-3-7-sonnet-latest`.
///
/// Dates are longer than two digits and so no versions. (0, 0) where there is no version.
pub(super) fn generation(model: &str) -> (u8, u8) {
    let Some((_, name)) = model.split_once("claude-") else { return (0, 0) };
    let mut versions = name.split(['-', '.', '@']).filter(|part| part.len() <= 2).filter_map(|part| part.parse().ok());
    (versions.next().unwrap_or(0), versions.next().unwrap_or(0))
}

/// Temperature and its like.
pub(super) fn has_sampling(model: &str) -> bool {
    generation(model) < (4, 7)
}

/// Thinking with a budget.
pub(super) fn has_budgets(model: &str) -> bool {
    generation(model) < (4, 7)
}

/// Thinking as much as the model sees fit. Unknown names get the benefit of the doubt.
pub(super) fn has_adaptive_thinking(model: &str) -> bool {
    generation(model) >= (4, 6) || generation(model) == (0, 0)
}

/// `output_config.effort`.
pub(super) fn has_effort(model: &str) -> bool {
    has_adaptive_thinking(model) || (generation(model) == (4, 5) && model.contains("opus"))
}

/// The beginning of the answer as the last message.
pub(super) fn has_prefill(model: &str) -> bool {
    generation(model) < (4, 6)
}

/// Messages of the role `system`.
pub(super) fn has_system_messages(model: &str) -> bool {
    generation(model) >= (4, 8)
}

/// Temperature together with `top_p`.
pub(super) fn has_both_samplings(model: &str) -> bool {
    generation(model) < (4, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generation_is_read_from_the_name() {
        let names = [
            ("claude-haiku-4-5-20251001", (4, 5)),
            ("claude-3-7-sonnet-latest", (3, 7)),
            ("claude-opus-4-20250514", (4, 0)),
            ("claude-opus-4-8", (4, 8)),
            ("claude-opus-5", (5, 0)),
            ("us.anthropic.claude-sonnet-4.6", (4, 6)),
            ("claude-sonnet-4-5-sim-status-429", (4, 5)),
            ("mock", (0, 0)),
        ];
        for (name, expected) in names {
            assert_eq!(generation(name), expected, "{name}");
        }
    }
}
