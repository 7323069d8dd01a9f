//! What a generation of models can do, told from the model's name: the API refuses a field that a model does not know, and
//! lists none of this per model.
//!
//! The numbers and levels are those of <https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/thinking>, looked up
//! in November 2026. A name without a version (`gemini-flash-latest`) is of the newest generation; a name that is not Gemini's
//! (`gemma-3-27b-it`) can do the least.

use crate::chat::Effort;

/// A generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Before Gemini 2.5, and others' names: nothing is known of them but what every model can do.
    Plain,
    /// Gemini 2.5: thought is measured in tokens.
    Budgeted {
        /// Fewest tokens of thought.
        least: u64,
        /// Most tokens of thought.
        most: u64,
        /// Whether thought can be switched off.
        stops: bool,
    },
    /// From Gemini 3 on: thought has these levels, calls must bear signatures, results may have pictures, and answers in JSON
    /// go with tools.
    Levelled(&'static [(Effort, &'static str)]),
}

/// Every level that there is.
const LEVELS: &[(Effort, &str)] =
    &[(Effort::Minimal, "MINIMAL"), (Effort::Low, "LOW"), (Effort::Medium, "MEDIUM"), (Effort::High, "HIGH")];
/// Those of Gemini 3 Pro.
const LOW_AND_HIGH: &[(Effort, &str)] = &[(Effort::Low, "LOW"), (Effort::High, "HIGH")];
/// Those of every other model.
const FROM_LOW: &[(Effort, &str)] = &[(Effort::Low, "LOW"), (Effort::Medium, "MEDIUM"), (Effort::High, "HIGH")];

impl Family {
    /// The generation of a model.
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or_default();
        let Some(name) = name.strip_prefix("gemini-") else { return Self::Plain };
        let version_end = name.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(name.len());
        let (version, kind) = name.split_at(version_end);
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
        let version = match version {
            "" => (u32::MAX, 0),
            _ => (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)),
        };
        let is_pro = kind.split('-').any(|word| word == "pro");
        match version {
            (0..2, _) | (2, 0..5) => Self::Plain,
            // Those that draw or speak think not at all, or in levels of their own.
            _ if kind.contains("-image") || kind.contains("-tts") => Self::Plain,
            (2, _) if is_pro => Self::Budgeted { least: 128, most: 32_768, stops: false },
            (2, _) if kind.contains("-lite") => Self::Budgeted { least: 512, most: 24_576, stops: true },
            (2, _) => Self::Budgeted { least: 1, most: 24_576, stops: true },
            (3, 0) if is_pro => Self::Levelled(LOW_AND_HIGH),
            (3, 0..=6) if !is_pro => Self::Levelled(LEVELS),
            (3.., _) => Self::Levelled(FROM_LOW),
        }
    }

    /// Whether it is of Gemini 3 or newer.
    pub(super) fn is_levelled(self) -> bool {
        matches!(self, Self::Levelled(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_generation() {
        let flash = Family::Budgeted { least: 1, most: 24_576, stops: true };
        let (all, from_low) = (Family::Levelled(LEVELS), Family::Levelled(FROM_LOW));
        for (model, family) in [
            ("gemini-1.5-pro", Family::Plain),
            ("gemini-2.0-flash", Family::Plain),
            ("gemini-2.5-flash-image", Family::Plain),
            ("gemma-3-27b-it", Family::Plain),
            ("", Family::Plain),
            ("gemini-2.5-pro", Family::Budgeted { least: 128, most: 32_768, stops: false }),
            ("gemini-2.5-flash-lite", Family::Budgeted { least: 512, most: 24_576, stops: true }),
            ("gemini-2.5-flash", flash),
            ("models/gemini-2.5-flash-preview-09-2025", flash),
            ("gemini-3-pro-preview", Family::Levelled(LOW_AND_HIGH)),
            ("gemini-3-pro-image-preview", Family::Plain),
            ("gemini-3.1-pro-preview", from_low),
            ("gemini-3-flash-preview", all),
            ("gemini-3.1-flash-lite", all),
            ("gemini-3.6-flash", all),
            ("gemini-3.7-flash", from_low),
            ("gemini-3.8-flash", from_low),
            ("gemini-4-pro", from_low),
            ("gemini-pro-latest", from_low),
            ("gemini-flash-latest", from_low),
        ] {
            assert_eq!(Family::of(model), family, "{model}");
        }
    }
}
