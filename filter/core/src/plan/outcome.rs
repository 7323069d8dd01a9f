//! How the try under way ended where no provider said so, and what the client gets when nobody is left.

use alloc::format;
use core::time::Duration;

use super::{Failure, Next, Plan, Target, pace::EARLY};
use crate::{
    auth::Refusal,
    error::{Error, Kind},
    step::Reply,
};

impl Plan {
    /// The answer when nobody is left: of the failures, the one that tells most.
    #[must_use]
    pub fn verdict(&self) -> Reply {
        // Taken before it is looked at: a scrutinee is borrowed for as long as its arms run.
        let best = self.progress.borrow_mut().take_best();
        let (reply, target) = match best {
            Some((target, failure)) => (failure.reply, Some(target)),
            None => (self.local_error(503, "").reply(self.inquiry.shape), None),
        };
        let reply = self.limited(self.telling_attempts(reply));
        self.note_error(&reply);
        self.spend_nothing();
        match target {
            None => reply,
            Some(Target { provider, model, .. }) => {
                let reply = reply.with("x-dragoman-provider", &*provider.name);
                if model.is_empty() { reply } else { reply.with("x-dragoman-model", &*model) }
            }
        }
    }

    /// The try under way got no answer in time.
    pub fn late(&self, now: Duration) -> Next {
        if let Some(next) = self.next_between_tries() {
            return next;
        }
        if !self.is_late(now) {
            // There was no time left for it, which tells nothing of its health.
            self.progress.borrow_mut().forget();
        }
        self.fail(Failure::of(&self.local_error(504, "timeout"), self.inquiry.shape), now)
    }

    /// The answer to the try under way broke off.
    pub fn broke(&self, now: Duration) -> Next {
        if self.is_late(now) { self.late(now) } else { self.lost(502, "", now) }
    }

    /// Envoy itself has ended the request, or the try under way: `details` are its response code details, `status` its answer.
    pub fn lost(&self, status: u16, details: &str, now: Duration) -> Next {
        if let Some(next) = self.next_between_tries() {
            return next;
        }
        let failure = Failure::of(&self.local_error(status, details), self.inquiry.shape);
        self.fail(Failure { status, ..failure }, now)
    }

    /// What follows where one try has ended and the next has not begun: nobody is to blame for what happens then.
    fn next_between_tries(&self) -> Option<Next> {
        let progress = self.progress.borrow();
        let is_between = progress.has_begun() && !progress.is_under_way();
        is_between.then(|| if progress.front().is_some() { Next::Try } else { Next::Nobody })
    }

    fn local_error(&self, status: u16, details: &str) -> Error {
        let progress = self.progress.borrow();
        let name = progress.current().map_or("?", |target| target.provider.name.as_str());
        if details.contains("timeout") || details.contains("max_stream_duration") {
            return Error::new(Kind::UpstreamTimeout, format!("The provider `{name}` did not answer in time."));
        }
        if details.contains("overflow") {
            return Error::new(
                Kind::UpstreamUnavailable,
                format!("Too many requests to the provider `{name}` are under way."),
            );
        }
        if details.contains("response_payload_too_large") || details.contains("protocol_error") || status == 502 {
            return Error::new(
                Kind::BadUpstream,
                format!("The provider `{name}` sent an answer that cannot be passed on."),
            );
        }
        Error::new(Kind::UpstreamUnavailable, format!("The provider `{name}` cannot be reached."))
    }

    /// The try under way, if any, has ended without an answer: it was too late, or the provider could not be reached.
    pub(super) fn close(&self, now: Duration) {
        if !self.progress.borrow().is_under_way() {
            return;
        }
        let error = if self.is_late(now) { self.local_error(504, "timeout") } else { self.local_error(503, "") };
        self.fail_silently(Failure::of(&error, self.inquiry.shape), now);
    }

    /// The try that has begun is not sent: Envoy has chosen another target's cluster. The client is told, and nobody is to blame.
    pub fn strand(&self) -> Reply {
        let error = Error::new(
            Kind::UpstreamUnavailable,
            "The route of this gateway leads a retry to another provider than the one whose turn it is.",
        );
        self.refuse(&error)
    }

    /// An answer of the gateway's own, as it tells who was asked.
    fn telling_attempts(&self, reply: Reply) -> Reply {
        let attempts = self.attempts();
        if attempts.is_empty() { reply } else { reply.with("x-dragoman-attempts", attempts) }
    }

    /// Nobody is asked after all, and nobody is to blame.
    pub(crate) fn refuse(&self, error: &Error) -> Reply {
        self.progress.borrow_mut().strand();
        let reply = self.limited(self.telling_attempts(error.reply(self.inquiry.shape)));
        self.note_error(&reply);
        self.spend_nothing();
        reply
    }

    /// What the provider has begun to answer is nobody's any more: what it has cost is told, and nobody is to blame.
    pub(crate) fn turn_away(&self, now: Duration) -> Reply {
        let reply = Error::new(Kind::InvalidApiKey, Refusal::Revoked.message()).reply(self.inquiry.shape);
        let reply = self.limited(self.telling_attempts(reply));
        self.withdraw(Kind::InvalidApiKey);
        self.spend(None, || now);
        reply
    }

    /// The answer that is passed on is not passed on to its end.
    pub(crate) fn withdraw(&self, error: Kind) {
        let mut progress = self.progress.borrow_mut();
        progress.error = Some(error);
        progress.forget();
    }

    /// In this it ends.
    fn note_error(&self, reply: &Reply) {
        let mut progress = self.progress.borrow_mut();
        progress.error = progress.error.or(reply.error);
    }

    /// Whether the try under way has had the time that a try at its target may take.
    fn is_late(&self, now: Duration) -> bool {
        let progress = self.progress.borrow();
        progress.is_under_way() && now.saturating_add(EARLY) >= progress.late_at()
    }
}
