//! What a generation of models accepts. A field that one generation needs is refused by another with a 400, so a request must
//! be written for its model: <https://platform.claude.com/docs/en/about-claude/models/migration-guide>, as of September 2026.
//!
//! A newer Claude than any listed is asked for as little as any of them accepts. What is no Claude at all, behind an endpoint
//! that speaks the same format, is taken at the format's word as such endpoints implement it.

/// What a model accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Abilities {
    /// How it is told to think.
    pub(super) thinking: Thinking,
    /// Which sampling parameters it takes.
    pub(super) sampling: Sampling,
    /// Whether it takes schemas: `output_config.format` and `strict` tools.
    pub(super) schemas: bool,
    /// Whether it can be made to call a tool.
    pub(super) forcing: bool,
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    /// It does not think.
    Never,
    /// With a budget of tokens.
    Budget,
    /// With an effort, up to `max` but without `xhigh`; a budget is still taken.
    Either,
    /// With an effort.
    Effort(Habit),
}

/// What a model does that is told nothing about thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// It does not think.
    Off,
    /// It thinks, but can be told not to.
    On,
    /// It thinks, whatever it is told.
    Always,
}

/// Which sampling parameters a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampling {
    /// All.
    Any,
    /// `temperature` or `top_p`, not both.
    Either,
    /// None.
    Default,
}

const fn abilities(thinking: Thinking, sampling: Sampling, schemas: bool, forcing: bool) -> Abilities {
    Abilities { thinking, sampling, schemas, forcing }
}

const CLAUDE_3: Abilities = abilities(Thinking::Never, Sampling::Any, false, true);
const CLAUDE_4: Abilities = abilities(Thinking::Budget, Sampling::Any, false, true);
const CLAUDE_4_5: Abilities = abilities(Thinking::Budget, Sampling::Either, true, true);
const CLAUDE_4_6: Abilities = abilities(Thinking::Either, Sampling::Either, true, true);
const CLAUDE_4_7: Abilities = abilities(Thinking::Effort(Habit::Off), Sampling::Default, true, true);
const CLAUDE_5: Abilities = abilities(Thinking::Effort(Habit::On), Sampling::Default, true, true);
const NEWEST: Abilities = abilities(Thinking::Effort(Habit::Always), Sampling::Default, true, false);
const UNKNOWN: Abilities = abilities(Thinking::Budget, Sampling::Any, true, true);
const FOREIGN: Abilities = abilities(Thinking::Budget, Sampling::Any, false, true);

/// By the begin of the name; the first that fits.
const TABLE: &[(&str, Abilities)] = &[
    ("claude-3-7", CLAUDE_4),
    ("claude-3", CLAUDE_3),
    ("claude-2", CLAUDE_3),
    ("claude-instant", CLAUDE_3),
    ("claude-opus-4-0", CLAUDE_4),
    ("claude-opus-4-2", CLAUDE_4),
    ("claude-sonnet-4-0", CLAUDE_4),
    ("claude-sonnet-4-2", CLAUDE_4),
    ("claude-opus-4-1", CLAUDE_4_5),
    ("claude-opus-4-5", CLAUDE_4_5),
    ("claude-sonnet-4-5", CLAUDE_4_5),
    ("claude-haiku-4-5", CLAUDE_4_5),
    ("claude-opus-4-6", CLAUDE_4_6),
    ("claude-sonnet-4-6", CLAUDE_4_6),
    ("claude-opus-4-7", CLAUDE_4_7),
    ("claude-opus-4-8", CLAUDE_4_7),
    // Refuses `thinking: disabled` and forced tools, unlike Opus 5.
    ("claude-opus-5-5", NEWEST),
    ("claude-opus-5", CLAUDE_5),
    ("claude-sonnet-5", CLAUDE_5),
    ("claude-haiku-5", CLAUDE_5),
    ("claude-fable", NEWEST),
    ("claude-mythos", NEWEST),
];

/// What the model of this id accepts. Vendors write the id with dots and prefixes of their own (`us.anthropic.claude-…`).
pub(super) fn abilities_of(id: &str) -> Abilities {
    let Some(name) = id.find("claude-").and_then(|at| id.get(at..)) else { return FOREIGN };
    if let Some((_, abilities)) = TABLE.iter().find(|(begin, _)| name.starts_with(begin)) {
        return *abilities;
    }
    let is_newer = name.split('-').any(|part| part.parse::<u8>().is_ok_and(|version| version >= 5));
    if is_newer { NEWEST } else { UNKNOWN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_by_its_generation() {
        for (id, expected) in [
            ("claude-3-5-haiku-20241022", CLAUDE_3),
            ("claude-3-7-sonnet-latest", CLAUDE_4),
            ("claude-sonnet-4-20250514", CLAUDE_4),
            ("claude-opus-4-5-20251101", CLAUDE_4_5),
            ("us.anthropic.claude-sonnet-4-6-v1:0", CLAUDE_4_6),
            ("claude-opus-4-8", CLAUDE_4_7),
            ("claude-sonnet-5", CLAUDE_5),
            ("claude-opus-5-5", NEWEST),
            ("claude-fable-5-2", NEWEST),
            ("claude-saga-7", NEWEST),
            ("claude-opus-4-9", NEWEST),
            ("claude-test", UNKNOWN),
            ("deepseek-chat", FOREIGN),
        ] {
            assert_eq!(abilities_of(id), expected, "{id}");
        }
    }
}
