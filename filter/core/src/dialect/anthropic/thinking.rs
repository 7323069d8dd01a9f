//! How much to think, and how to sample: two wishes that exclude each other on most models.
//!
//! OpenAI says it in words, Anthropic's older models want a budget of tokens and its newer ones words. Where thought and
//! another wish exclude each other, the other wish wins and the thought is listed as left out.

use serde::Serialize;

use super::{
    Dropped,
    model::{Abilities, Habit, Sampling, Thinking as Ability},
};
use crate::chat::{Effort, Reasoning, Request};

/// `thinking`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    Disabled,
    Enabled {
        budget_tokens: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<Display>,
    },
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<Display>,
    },
}

/// Models that take no budget say nothing of their thoughts unless asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Display {
    Summarized,
    Omitted,
}

/// What is sent about thought and sampling.
#[derive(Debug, Default)]
pub(super) struct Mind {
    pub(super) thinking: Option<Thinking>,
    pub(super) effort: Option<&'static str>,
    pub(super) max_tokens: u64,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<u64>,
}

/// What an answer may take where neither the client nor the catalogue says it.
const USUAL_MAX_TOKENS: u64 = 4096;
/// The API's smallest budget.
const MIN_BUDGET_TOKENS: u64 = 1024;

impl Mind {
    /// `allows_budget` says that nothing else of the request forbids a budget, `forces_tool` that a tool must be called.
    pub(super) fn new(
        request: &Request<'_>,
        abilities: Abilities,
        max_output_tokens: Option<u64>,
        allows_budget: bool,
        forces_tool: bool,
        dropped: &mut Dropped,
    ) -> Self {
        let max_tokens = request.max_tokens.or(max_output_tokens);
        let mut mind = Self { max_tokens: max_tokens.unwrap_or(USUAL_MAX_TOKENS), ..Self::default() };
        if forces_tool && mind.leaves_thought_out(&request.reasoning, abilities.thinking) {
            note(&request.reasoning, dropped);
        } else {
            mind.think(&request.reasoning, abilities.thinking, max_tokens.is_some(), allows_budget, dropped);
        }
        mind.tell(request, dropped);
        mind.sample(request, abilities.sampling, dropped);
        mind
    }

    /// A forced tool and thought exclude each other; the tool is what the client relies on. True where thought was wished.
    fn leaves_thought_out(&mut self, wish: &Reasoning<'_>, ability: Ability) -> bool {
        if ability == Ability::Effort(Habit::On) {
            self.thinking = Some(Thinking::Disabled);
        }
        wish.is_wanted()
    }

    fn think(
        &mut self,
        wish: &Reasoning<'_>,
        ability: Ability,
        is_bounded: bool,
        allows_budget: bool,
        dropped: &mut Dropped,
    ) {
        if wish.effort.is_none() && wish.budget.is_none() {
            return;
        }
        if wish.is_forbidden() {
            match ability {
                Ability::Effort(Habit::On) => self.thinking = Some(Thinking::Disabled),
                Ability::Effort(Habit::Always) => note(wish, dropped),
                Ability::Never | Ability::Budget | Ability::Either | Ability::Effort(Habit::Off) => {}
            }
            return;
        }
        let by_budget = match ability {
            Ability::Never => return note(wish, dropped),
            Ability::Budget => true,
            Ability::Either => wish.budget.is_some() && allows_budget,
            Ability::Effort(_) => false,
        };
        if !by_budget {
            let effort = wish.effort.unwrap_or_else(|| Effort::of_budget(wish.budget.unwrap_or_default()));
            let takes_budget = ability == Ability::Either;
            self.thinking = Some(Thinking::Adaptive { display: (!takes_budget).then_some(Display::Summarized) });
            self.effort = Some(word_for(effort, takes_budget));
        } else if let Some(budget_tokens) = self.budget(wish, is_bounded).filter(|_| allows_budget) {
            self.thinking = Some(Thinking::Enabled { budget_tokens, display: None });
        } else {
            note(wish, dropped);
        }
    }

    /// The budget, which must leave room for the answer; `None` where there is no room for thought.
    fn budget(&mut self, wish: &Reasoning<'_>, is_bounded: bool) -> Option<u64> {
        let budget = match wish.budget {
            Some(budget) => {
                if !is_bounded && budget >= self.max_tokens {
                    self.max_tokens = budget.saturating_add(USUAL_MAX_TOKENS);
                }
                budget.max(MIN_BUDGET_TOKENS).min(self.max_tokens.saturating_sub(1))
            }
            None => wish.effort.unwrap_or(Effort::Medium).budget().min(self.max_tokens / 2),
        };
        (budget >= MIN_BUDGET_TOKENS).then_some(budget)
    }

    /// Whether the thoughts are told. A summary is told, but not of which kind.
    fn tell(&mut self, request: &Request<'_>, dropped: &mut Dropped) {
        let Some(telling) = &request.reasoning.telling else { return };
        if let Some(Thinking::Enabled { display, .. } | Thinking::Adaptive { display }) = &mut self.thinking {
            // Who asks for thought is told it anyway.
            if telling.summary.is_none() {
                *display = Some(Display::Omitted);
            }
            dropped.note_if(telling.summary.is_some() && !telling.is_any(), telling.member);
        } else {
            dropped.note(telling.member);
        }
    }

    fn sample(&mut self, request: &Request<'_>, sampling: Sampling, dropped: &mut Dropped) {
        let thinks = !matches!(self.thinking, None | Some(Thinking::Disabled));
        let temperature = request.temperature.map(|temperature| {
            if temperature > 1.0 {
                dropped.note("temperature");
            }
            temperature.min(1.0)
        });
        let is_fixed = sampling == Sampling::Default;
        self.temperature = temperature.filter(|temperature| {
            // Only the usual temperature goes with thought.
            let is_usual = *temperature >= 1.0;
            if (is_fixed || thinks) && !is_usual {
                dropped.note("temperature");
            }
            !is_fixed && (!thinks || is_usual)
        });
        let excludes_top_p = sampling == Sampling::Either && self.temperature.is_some();
        self.top_p = request.top_p.filter(|top_p| {
            let is_usual = *top_p >= 1.0;
            let fits = match sampling {
                Sampling::Default => false,
                // With thought, between 0.95 and 1.
                Sampling::Any | Sampling::Either => !excludes_top_p && (!thinks || *top_p >= 0.95),
            };
            if !fits && !is_usual {
                dropped.note("top_p");
            }
            fits
        });
        self.top_k = request.top_k.filter(|_| {
            let fits = !is_fixed && !thinks;
            if !fits {
                dropped.note("top_k");
            }
            fits
        });
    }
}

/// Notes that the model will not think as it was asked to.
fn note(wish: &Reasoning<'_>, dropped: &mut Dropped) {
    wish.members.iter().for_each(|member| dropped.note(member));
}

/// Anthropic's word for an effort. The models that also take budgets have `max`, but no `xhigh`.
fn word_for(effort: Effort, lacks_xhigh: bool) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Xhigh if lacks_xhigh => "max",
        Effort::Xhigh => "xhigh",
    }
}
