//! What a generation of models can do, told from the model's name: the API refuses a field that a model does not know, and
//! lists none of this per model.
//!
//! <https://ai.google.dev/gemini-api/docs/thinking>, looked up in November 2026. A name without a version (`gemini-flash-latest`)
//! is of the newest generation; a name that is not Gemini's (`gemma-3-27b-it`) can do the least.

/// A generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Before Gemini 2.5, and others' names: no thought, no validated calls.
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
    /// From Gemini 3 on: thought has levels, calls must bear signatures, results may have pictures.
    Levelled {
        /// The lowest level.
        least: &'static str,
        /// The level for "as usual".
        usual: &'static str,
    },
}

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
            // Neither draws nor speaks with thought.
            (2, _) if kind.contains("-image") || kind.contains("-tts") => Self::Plain,
            (2, _) if is_pro => Self::Budgeted { least: 128, most: 32_768, stops: false },
            (2, _) if kind.contains("-lite") => Self::Budgeted { least: 512, most: 24_576, stops: true },
            (2, _) => Self::Budgeted { least: 1, most: 24_576, stops: true },
            // Gemini 3 Pro knows only low and high: <https://ai.google.dev/gemini-api/docs/openai>.
            (3, 0) if is_pro => Self::Levelled { least: "LOW", usual: "HIGH" },
            (3.., _) if is_pro => Self::Levelled { least: "LOW", usual: "MEDIUM" },
            (3.., _) => Self::Levelled { least: "MINIMAL", usual: "MEDIUM" },
        }
    }

    /// Whether it is of Gemini 3 or newer.
    pub(super) fn is_levelled(self) -> bool {
        matches!(self, Self::Levelled { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_generation() {
        let flash = Family::Budgeted { least: 1, most: 24_576, stops: true };
        let newest = Family::Levelled { least: "MINIMAL", usual: "MEDIUM" };
        let pro = Family::Levelled { least: "LOW", usual: "MEDIUM" };
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
            ("gemini-3-pro-preview", Family::Levelled { least: "LOW", usual: "HIGH" }),
            ("gemini-3.1-pro-preview", pro),
            ("gemini-pro-latest", pro),
            ("gemini-3-flash-preview", newest),
            ("gemini-3.5-flash", newest),
            ("gemini-flash-latest", newest),
        ] {
            assert_eq!(Family::of(model), family, "{model}");
        }
    }
}
