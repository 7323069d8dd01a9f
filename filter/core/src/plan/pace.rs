//! How long a plan and each of its tries may take, and how much of that may be waited.
//!
//! What follows a failure is decided when it is known. What follows silence is decided before, when the try begins: behind the
//! router it is Envoy that then asks again, at the cluster that it was told beforehand, and a plan that decided anew would send one
//! provider's request, credential included, to another. Only the length of the wait is left open until then.

use core::time::Duration;

use super::{Cause, Failure, Mode, Next, Plan, Target};

/// So much earlier than by the module's clock a time-out of Envoy's may ring: its loop looks at the clock once a turn.
pub(super) const EARLY: Duration = Duration::from_millis(50);

/// How long the first content of a target's answer may take that is asked first.
pub(super) fn patience(target: &Target, is_flex: bool, deadline: Duration) -> Duration {
    let patience = target.provider.patience(is_flex);
    if is_flex { patience } else { patience.min(deadline) }
}

impl Plan {
    /// How long the first content of any target's answer may take.
    #[must_use]
    pub fn longest_patience(&self) -> Duration {
        self.longest_patience
    }

    /// How long the first content of a target's answer may take that is asked now.
    #[must_use]
    pub fn patience(&self, target: &Target, now: Duration) -> Duration {
        let patience = self.full_patience(target);
        if self.inquiry.request.flex { patience } else { patience.min(self.until().saturating_sub(now)) }
    }

    fn full_patience(&self, target: &Target) -> Duration {
        patience(target, self.inquiry.request.flex, self.policy.deadline)
    }

    /// When it was made.
    #[must_use]
    pub fn made_at(&self) -> Duration {
        self.made_at
    }

    /// When the first content must be there, whoever sends it.
    #[must_use]
    pub fn until(&self) -> Duration {
        let bound = if self.inquiry.request.flex { self.longest_patience } else { Duration::ZERO };
        self.made_at.saturating_add(self.policy.deadline.max(bound))
    }

    /// Whether there is no time left for another try. What is left after a time-out that rang early is none.
    #[must_use]
    pub fn is_over(&self, now: Duration) -> bool {
        now.saturating_add(EARLY) >= self.until()
    }

    /// Whether a try has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.progress.borrow().has_begun()
    }

    /// The next try begins: whom to ask, and how long to wait before that. `None` where nobody is left, or no time.
    #[must_use]
    pub fn begin(&self, now: Duration) -> Option<(Target, Duration)> {
        if self.is_settled() {
            return None;
        }
        self.close(now);
        let mut progress = self.progress.borrow_mut();
        let wait = progress.wait();
        let sent = now.saturating_add(wait);
        if progress.has_begun() && self.is_over(sent) {
            return None;
        }
        let own = sent.saturating_add(self.full_patience(progress.front()?));
        // Behind the router Envoy's time-out of the try runs during the wait.
        let late_at = match self.mode {
            Mode::Native => own.min(now.saturating_add(self.longest_patience)),
            Mode::Dispatch => own,
        };
        let silence = self.pause(progress.repeats(), None, sent);
        let target = progress.begin(sent, late_at, silence, &self.observer)?;
        drop(progress);
        if self.mode == Mode::Native {
            self.foresee(now);
        }
        Some((target, wait))
    }

    /// The try under way has failed.
    pub fn fail(&self, failure: Failure, now: Duration) -> Next {
        let may_wait = matches!(failure.cause, Cause::Stated | Cause::Unusable);
        let repeats = self.progress.borrow().repeats().filter(|_| may_wait);
        let wait = self.pause(repeats, failure.retry_after, now);
        let next = self.progress.borrow_mut().fail(failure, wait, self.policy.cooldown, now);
        if next == Next::Try { self.follow(now) } else { next }
    }

    /// Nothing more was heard of the try under way.
    pub(super) fn fail_silently(&self, failure: Failure, now: Duration) {
        let wait = self.progress.borrow().silence().map(|wait| wait.min(self.longest_wait(now)));
        self.progress.borrow_mut().fail(failure, wait, self.policy.cooldown, now);
        self.follow_silence(now);
    }

    /// How long to wait before a target is asked once more that was asked again so often; `None` where it is not.
    fn pause(&self, repeats: Option<u32>, retry_after: Option<Duration>, now: Duration) -> Option<Duration> {
        let wait = self.policy.wait(repeats?, retry_after, &self.inquiry.exchange)?;
        (wait <= self.longest_wait(now)).then_some(wait)
    }

    /// How long the same target may be waited for: the try that follows has at least as long. Behind the router the wait is part
    /// of what Envoy gives that try.
    fn longest_wait(&self, now: Duration) -> Duration {
        let left = self.until().saturating_sub(now.saturating_add(EARLY));
        let time = match self.mode {
            Mode::Native => left.min(self.longest_patience),
            Mode::Dispatch => left,
        };
        time.mul_f64(0.5)
    }
}
