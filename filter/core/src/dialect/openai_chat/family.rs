//! What a model takes besides text, by its family's name: a wish that one model is used to, another refuses with a 400. A client of
//! OpenAI's knows which one it asks; who asks in another format does not.
//!
//! As of November 2026, <https://platform.openai.com/docs/guides/reasoning>. A model that is not known gets no wish about thought:
//! whoever serves it may know no such field.

use crate::{
    chat::{Effort, Reasoning},
    dialect::Dropped,
};

/// What the models of a family take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    /// The least and the most that they can be asked to think.
    efforts: Option<(Effort, Effort)>,
    /// Whether they take parameters of sampling.
    samples: bool,
}

const fn thinking(least: Effort, most: Effort, samples: bool) -> Family {
    Family { efforts: Some((least, most)), samples }
}

const PLAIN: Family = Family { efforts: None, samples: true };
const O_SERIES: Family = thinking(Effort::Low, Effort::High, false);

/// By the begin of the name; the first that fits.
const TABLE: &[(&str, Family)] = &[
    ("o1", O_SERIES),
    ("o3", O_SERIES),
    ("o4", O_SERIES),
    ("gpt-5-chat", PLAIN),
    ("gpt-5-pro", thinking(Effort::High, Effort::High, false)),
    ("gpt-5.1", thinking(Effort::None, Effort::High, false)),
    ("gpt-5.", thinking(Effort::None, Effort::Xhigh, false)),
    ("gpt-5", thinking(Effort::Minimal, Effort::High, false)),
    ("gpt-oss", thinking(Effort::Low, Effort::High, true)),
    ("gemini-", thinking(Effort::Low, Effort::High, true)),
    ("grok-3-mini", thinking(Effort::Low, Effort::High, true)),
];

impl Family {
    /// The family of the model of this id, which some put behind its maker's name.
    pub(super) fn of(id: &str) -> Self {
        let name = id.rsplit('/').next().unwrap_or(id);
        TABLE.iter().find(|(begin, _)| name.starts_with(begin)).map_or(PLAIN, |(_, family)| *family)
    }

    /// The word for how much to think; whether the thoughts are to be told cannot be said here.
    pub(super) fn effort(self, wish: &Reasoning<'_>, dropped: &mut Dropped) -> Option<&'static str> {
        if let Some(telling) = &wish.telling {
            dropped.note(telling.member);
        }
        let effort = if wish.is_forbidden() { Some(Effort::None) } else { wish.effort };
        let effort = effort.or_else(|| wish.budget.map(Effort::of_budget))?;
        let Some((least, most)) = self.efforts else {
            wish.members.iter().filter(|_| effort != Effort::None).for_each(|member| dropped.note(member));
            return None;
        };
        Some(match effort.clamp(least, most) {
            Effort::None => "none",
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::Xhigh => "xhigh",
        })
    }

    /// A parameter of sampling, where it is taken; the usual one need not be said.
    pub(super) fn sampling(self, wish: Option<f64>, member: &str, dropped: &mut Dropped) -> Option<f64> {
        if self.samples {
            return wish;
        }
        dropped.note_if(wish.is_some_and(|wish| (wish - 1.0).abs() > f64::EPSILON), member);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_about_thought_is_told_to_who_takes_it() {
        for (id, budget, word) in [
            ("gpt-4o", 4096, None),
            ("gpt-4o", 0, None),
            ("my-model", 4096, None),
            ("o3-mini", 4096, Some("medium")),
            ("o3-mini", 0, Some("low")),
            ("gpt-5-mini", 0, Some("minimal")),
            ("gpt-5-mini", 60_000, Some("high")),
            ("gpt-5.1", 0, Some("none")),
            ("gpt-5.2", 60_000, Some("xhigh")),
            ("openai/gpt-oss-120b", 100, Some("low")),
            ("gpt-5-chat-latest", 4096, None),
        ] {
            let wish = Reasoning { budget: Some(budget), members: alloc::vec!["thinking"], ..Reasoning::default() };
            let mut dropped = Dropped::default();
            assert_eq!(Family::of(id).effort(&wish, &mut dropped), word, "{id}, {budget}");
            assert_eq!(!dropped.names().is_empty(), word.is_none() && budget > 0, "{id}, {budget}");
        }
    }

    #[test]
    fn a_model_that_thinks_takes_no_temperature() {
        let mut dropped = Dropped::default();
        assert_eq!(Family::of("gpt-5").sampling(Some(1.0), "temperature", &mut dropped), None);
        assert!(dropped.names().is_empty());
        assert_eq!(Family::of("gpt-5").sampling(Some(0.2), "temperature", &mut dropped), None);
        assert_eq!(dropped.names(), ["temperature"]);
        assert_eq!(Family::of("gpt-4o").sampling(Some(0.2), "temperature", &mut dropped), Some(0.2));
    }
}
