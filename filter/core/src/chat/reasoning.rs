//! How much a model is to think, and how its thoughts are to be told.

use alloc::vec::Vec;

use super::Text;

/// How much to think.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reasoning<'a> {
    /// In words.
    pub effort: Option<Effort>,
    /// In tokens; `Some(0)` forbids it.
    pub budget: Option<u64>,
    /// Whether and how the thoughts are to be told.
    pub telling: Option<Telling<'a>>,
    /// The members that say it, of which clients know several.
    pub members: Vec<&'static str>,
}

impl Reasoning<'_> {
    /// Whether thought is forbidden.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.budget == Some(0) || self.budget.is_none() && self.effort == Some(Effort::None)
    }

    /// Whether thought is asked for.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.is_forbidden() && (self.budget.is_some() || self.effort.is_some())
    }
}

/// How thoughts are to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling<'a> {
    /// As what kind of summary; `None` asks for silence.
    pub summary: Option<Text<'a>>,
    /// The member that says it.
    pub member: &'static str,
}

impl Telling<'_> {
    /// Whether a summary of whatever kind is what was asked for.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.summary.as_deref() == Some("auto")
    }
}

/// How much to think, in words, from none on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as the model can.
    Minimal,
    /// A little.
    Low,
    /// As usual.
    Medium,
    /// Much.
    High,
    /// As much as the model can.
    Xhigh,
}

/// Budgets in tokens and the efforts that they stand for, after Google's own mapping of the one to the other
/// (<https://ai.google.dev/gemini-api/docs/openai#thinking>), continued. An effort takes the whole of its budget.
const BUDGETS: &[(u64, Effort)] =
    &[(0, Effort::None), (1024, Effort::Low), (8192, Effort::Medium), (24_576, Effort::High), (32_768, Effort::Xhigh)];

impl Effort {
    /// The budget in tokens that it stands for.
    #[must_use]
    pub fn budget(self) -> u64 {
        let effort = if self == Self::Minimal { Self::Low } else { self };
        BUDGETS.iter().find(|(_, known)| *known == effort).map_or(0, |(budget, _)| *budget)
    }

    /// What a budget in tokens stands for.
    #[must_use]
    pub fn of_budget(budget: u64) -> Self {
        BUDGETS.iter().find(|(most, _)| budget <= *most).map_or(Self::Xhigh, |(_, effort)| *effort)
    }
}
