//! How much to think, in the words of the model's generation.
//!
//! Efforts become budgets and levels as Google's own OpenAI-compatible endpoint maps them
//! (<https://ai.google.dev/gemini-api/docs/openai#thinking>); where a model lacks a level, the next higher stands for it. Budgets go
//! as they are to models with levels, too, which take them "for backwards compatibility"
//! (<https://ai.google.dev/gemini-api/docs/thinking>). Whoever asks for thought gets it told.

use serde::Serialize;

use super::family::Family;
use crate::{
    chat::{Effort, Reasoning},
    dialect::Dropped,
};

/// How much to think, and whether to tell.
#[derive(Debug, Serialize, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the wire")]
pub(super) struct Thinking {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
}

/// What the model is to be told. What it cannot do is done as nearly as it can, and its name goes to `dropped`.
pub(super) fn thinking(reasoning: &Reasoning<'_>, family: Family, dropped: &mut Dropped) -> Option<Thinking> {
    let mut note = || reasoning.members.iter().for_each(|member| dropped.note(member));
    let effort = if reasoning.budget == Some(0) { Some(Effort::None) } else { reasoning.effort };
    let budget = reasoning.budget.filter(|budget| *budget > 0);
    let is_silent = reasoning.telling.as_ref().is_some_and(|telling| telling.summary.is_none());
    let is_told = !is_silent && (effort != Some(Effort::None) || budget.is_some());
    if effort.is_none() && budget.is_none() && reasoning.telling.is_none() {
        return None;
    }
    let (thinking_budget, thinking_level, is_exact) = match (family, budget, effort) {
        (Family::Plain, None, Some(Effort::None)) => return None,
        (Family::Plain, ..) => {
            note();
            return None;
        }
        (_, None, None) => (None, None, true),
        (Family::Budgeted { least, most, .. }, Some(budget), _) => {
            let possible = budget.clamp(least, most);
            (Some(possible), None, possible == budget)
        }
        (Family::Budgeted { least, most, stops }, None, Some(effort)) => {
            let least = if stops { 0 } else { least };
            let budget = effort.budget().clamp(least, most);
            (Some(budget), None, effort != Effort::None || stops)
        }
        (Family::Levelled(_), Some(budget), _) => (Some(budget), None, true),
        (Family::Levelled(levels), None, Some(effort)) => {
            let level = levels.iter().find(|(level, _)| *level >= effort).or_else(|| levels.last());
            (None, level.map(|(_, word)| *word), level.is_some_and(|(level, _)| *level == effort))
        }
    };
    if !is_exact {
        note();
    }
    // Thoughts are told in one way only.
    if let Some(telling) = reasoning.telling.as_ref().filter(|telling| !telling.is_any() && !is_silent) {
        dropped.note(telling.member);
    }
    Some(Thinking { include_thoughts: is_told.then_some(true), thinking_budget, thinking_level })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_generation_thinks_in_its_own_words() {
        let budget = |told: bool, tokens| {
            Some(Thinking {
                include_thoughts: told.then_some(true),
                thinking_budget: Some(tokens),
                thinking_level: None,
            })
        };
        let level = |told: bool, level| {
            Some(Thinking {
                include_thoughts: told.then_some(true),
                thinking_budget: None,
                thinking_level: Some(level),
            })
        };
        let members = || alloc::vec!["reasoning"];
        let effort = |effort| Reasoning { effort: Some(effort), members: members(), ..Reasoning::default() };
        let tokens = |budget| Reasoning { budget: Some(budget), members: members(), ..Reasoning::default() };
        for (model, reasoning, expected, is_exact) in [
            ("gemini-2.5-flash", Reasoning::default(), None, true),
            ("gemini-2.5-flash", effort(Effort::None), budget(false, 0), true),
            ("gemini-2.5-flash", effort(Effort::Low), budget(true, 1024), true),
            ("gemini-2.5-flash", effort(Effort::High), budget(true, 24_576), true),
            ("gemini-2.5-flash", tokens(0), budget(false, 0), true),
            ("gemini-2.5-flash", tokens(100_000), budget(true, 24_576), false),
            ("gemini-2.5-pro", effort(Effort::None), budget(false, 128), false),
            ("gemini-2.5-pro", effort(Effort::Xhigh), budget(true, 32_768), true),
            ("gemini-2.0-flash", effort(Effort::None), None, true),
            ("gemini-2.0-flash", effort(Effort::High), None, false),
            ("gemini-3-pro-preview", effort(Effort::Medium), level(true, "HIGH"), false),
            ("gemini-3-pro-preview", effort(Effort::None), level(false, "LOW"), false),
            ("gemini-3-flash-preview", effort(Effort::Minimal), level(true, "MINIMAL"), true),
            ("gemini-3-flash-preview", effort(Effort::Medium), level(true, "MEDIUM"), true),
            ("gemini-3-flash-preview", effort(Effort::Xhigh), level(true, "HIGH"), false),
            ("gemini-3.7-flash", effort(Effort::Minimal), level(true, "LOW"), false),
            ("gemini-3-flash-preview", tokens(6400), budget(true, 6400), true),
        ] {
            let mut dropped = Dropped::default();
            assert_eq!(thinking(&reasoning, Family::of(model), &mut dropped), expected, "{model} {reasoning:?}");
            assert_eq!(dropped.names().is_empty(), is_exact, "{model} {reasoning:?}");
        }
    }
}
