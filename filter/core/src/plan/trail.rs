//! What became of each try of a plan, for those who want to know it of each.

use alloc::{string::String, vec::Vec};
use core::{cell::Ref, time::Duration};

use super::{Plan, Target};
use crate::audit::Decision;

/// A try at a target.
#[derive(Debug)]
pub struct Try {
    /// Whom it asks.
    pub target: Target,
    /// When it is sent.
    pub sent: Duration,
    /// When the head of an answer came, where that is noted.
    pub head_at: Option<Duration>,
    /// How it ended; `None` while it is under way.
    pub status: Option<u16>,
    /// Why that is no answer, where it is none.
    pub failure: Option<&'static str>,
    /// When that was known. Of one of which nothing more was heard, when the next one began.
    pub ended: Option<Duration>,
}

impl Try {
    pub(super) const fn new(target: Target, sent: Duration) -> Self {
        Self { target, sent, head_at: None, status: None, failure: None, ended: None }
    }
}

impl Plan {
    /// Its tries are looked at more closely from now on: this is whom they are to ask.
    pub(crate) fn audit(&mut self, decision: &mut Decision) {
        self.is_audited = true;
        let progress = self.progress.get_mut();
        let is_left = |target: &Target| progress.queued().any(|other| other.is(target));
        decision.narrow(&is_left, "Its cluster carries the module, and another target's does not.");
        (decision.on_context, decision.on_content) = progress.stand_ins();
    }

    /// Whether they are.
    pub(crate) const fn is_audited(&self) -> bool {
        self.is_audited
    }

    /// The head of an answer to the try under way has come.
    pub(crate) fn note_head(&self, now: Duration) {
        if let Some(last) = self.progress.borrow_mut().tries.last_mut() {
            last.head_at = last.head_at.or(Some(now));
        }
    }

    /// The tries so far.
    #[must_use]
    pub fn trail(&self) -> Ref<'_, Vec<Try>> {
        Ref::map(self.progress.borrow(), |progress| &progress.tries)
    }

    /// Who had no room, and under which limit.
    #[must_use]
    pub fn full(&self) -> Ref<'_, Vec<(String, String)>> {
        self.full.borrow()
    }

    /// Gives that away.
    pub(crate) fn take_full(&mut self) -> Vec<(String, String)> {
        self.full.take()
    }
}
