//! What became of a plan, for the record of its request.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use super::{Cached, End, Plan, Spent, Target};
use crate::error::Kind;

/// See the module's documentation.
#[derive(Debug)]
pub struct Summary {
    /// Who was asked, each with the status that stands for how that ended.
    pub tries: Vec<(Target, u16)>,
    /// The same as a text.
    pub attempts: String,
    /// Who was not asked, or only after others, and why.
    pub passed_over: String,
    /// The limit that had no room, where that is why nobody was asked.
    pub limit: Option<String>,
    /// The error of the gateway's own in which it has ended.
    pub error: Option<Kind>,
    /// What was used.
    pub spent: Option<Spent>,
    /// When the first content of a stream came.
    pub content_at: Option<Duration>,
    /// What was kept for it, where a kept answer would do.
    pub cached: Option<Cached>,
    /// How the answer that was passed on has ended, and when; nothing where that is not known.
    pub end: Option<(End, Duration)>,
}

impl Plan {
    /// What became of it, once its request is over.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let spent = self.spent();
        let progress = self.progress.borrow();
        Summary {
            tries: progress.tries().map(|(target, status)| (target.clone(), status)).collect(),
            attempts: progress.attempts(),
            passed_over: self.passed_over().clone(),
            limit: progress.limit.clone(),
            error: progress.error,
            spent,
            content_at: progress.content_at,
            cached: self.cached(),
            end: progress.end,
        }
    }
}
