//! What a request has used of its provider, once that is known: its limits are told, and its record is.
//!
//! Known once: when the answer has come to its end, or when nothing more comes. Where the provider has not told, or not to the end, it
//! is what has come of the answer; nor is that told which is told as nothing.

use core::time::Duration;

use super::{End, Plan, progress::Progress};
use crate::usage::{Flowed, Usage};

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The tokens.
    pub usage: Usage,
    /// Whether the provider has counted all of them.
    pub is_told: bool,
}

/// What is known of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Spending {
    /// Not yet.
    #[default]
    Open,
    /// Nobody has answered.
    Nothing,
    /// This.
    Some(Spent),
}

impl Plan {
    /// What was used, once the request is over; nothing where nobody has answered, or nothing of what was asked is counted in tokens.
    #[must_use]
    pub fn spent(&self) -> Option<Spent> {
        let Spending::Some(spent) = self.progress.borrow().spending else { return None };
        Some(spent).filter(|spent| spent.usage != Usage::default())
    }

    /// The answer has come to its end, or nothing more comes.
    pub(super) fn spend(&self, end: Option<End>, now: impl FnOnce() -> Duration) {
        let spending = {
            let mut progress = self.progress.borrow_mut();
            if progress.spending != Spending::Open {
                return;
            }
            progress.spending = self.weigh(&progress, end);
            progress.spending
        };
        match (&self.allowance, spending) {
            (Some(allowance), Spending::Some(spent)) => allowance.settle(&spent.usage, now()),
            (Some(allowance), Spending::Nothing | Spending::Open) => allowance.release(),
            (None, _) => {}
        }
    }

    /// Nobody has answered.
    pub(super) fn spend_nothing(&self) {
        self.progress.borrow_mut().spending = Spending::Nothing;
        if let Some(allowance) = &self.allowance {
            allowance.release();
        }
    }

    fn weigh(&self, progress: &Progress, end: Option<End>) -> Spending {
        let told = progress.usage;
        // An error behind content does not take that back, not even one that came with it.
        let is_empty = told.is_none() && progress.flowed == Flowed::default();
        let Some(target) = progress.last() else { return Spending::Nothing };
        if is_empty && (matches!(end, Some(End::Fault(_))) || !progress.may_cost()) {
            return Spending::Nothing;
        }
        let told = told.unwrap_or_default();
        let is_whole = end == Some(End::Whole);
        let input = if told.input > 0 { told.input } else { self.inquiry.estimate().input_at(target) };
        let output = if is_whole && told.output > 0 { told.output } else { told.output.max(progress.flowed.tokens()) };
        let is_told = is_whole && (input, output) == (told.input, told.output);
        Spending::Some(Spent { usage: Usage { input, output, ..told }, is_told })
    }
}
