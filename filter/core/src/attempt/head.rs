//! What is known of an answer before anything of it is let go, and the three ends that it can have: it is released, something else is
//! told in its place, or it is the target's failure and the plan goes on.

use alloc::{boxed::Box, format, rc::Rc, vec::Vec};
use core::time::Duration;

use super::{
    Attempt,
    flow::{Flow, FlowBody},
    held::{Progress, Release},
};
use crate::{
    cache::CACHE_HEADER,
    error::Error,
    plan::{Cached, Cause, Failure, Next},
    seal::Sealing,
    step::{Chunk, HeaderEdits, Name, Reply},
};

/// The head of an answer that is not let go yet.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) attempt: Attempt,
    pub(super) status: u16,
    pub(super) edits: HeaderEdits,
    /// What is done to a whole answer on its way.
    pub(super) sealing: Option<Box<Sealing>>,
    pub(super) retry_after: Option<Duration>,
    /// When something is concluded of it; until then, when the plan was made.
    pub(super) now: Duration,
}

impl Head {
    /// The provider did this wrong.
    pub(super) fn fail_as(self, what: &str) -> Progress {
        let error = self.attempt.error(what);
        self.fail_with(&error, Cause::Unusable)
    }

    pub(super) fn fail_with(self, error: &Error, cause: Cause) -> Progress {
        let told = error.kind.status();
        // The provider's own status, unless that one claims success.
        let status = if self.status < 400 { told } else { self.status };
        let body = error.body(self.attempt.plan.inquiry.shape);
        self.fail(status, told, body, cause)
    }

    /// The target has failed: `status` is what that stands for, and the rest is told to the client if nobody does better.
    pub(super) fn fail(mut self, status: u16, told: u16, body: Vec<u8>, cause: Cause) -> Progress {
        let plan = Rc::clone(&self.attempt.plan);
        let body = self.tellable(body);
        let mut reply = Reply::json(told, body);
        let named = self.edits.set.iter().find(|(name, _)| name == "retry-after").map(|(_, value)| value.clone());
        if let Some(seconds) = named.or_else(|| self.retry_after.map(|wait| format!("{}", whole_seconds(wait)))) {
            reply = reply.with("retry-after", seconds);
        }
        match plan.fail(Failure { status, reply: reply.clone(), retry_after: self.retry_after, cause }, self.now) {
            Next::Try => Progress::Again(self.edits.remove),
            Next::Nobody => {
                let verdict = plan.verdict();
                if verdict.status == reply.status && verdict.body == reply.body {
                    self.edits.remove.push(Name::Borrowed("retry-after"));
                    let again = reply.headers.into_iter().filter(|(name, _)| name == "retry-after");
                    self.edits.set.extend(again);
                    self.replace(told, reply.body)
                } else {
                    Progress::Instead(verdict)
                }
            }
        }
    }

    /// What can be told to the client: a provider that repeats the gateway's credential is not repeated.
    pub(super) fn tellable(&self, body: Vec<u8>) -> Vec<u8> {
        if self.attempt.target.account.names_secret(&body) {
            return self.attempt.error("reported an error").body(self.attempt.plan.inquiry.shape);
        }
        body
    }

    pub(super) fn labelled(mut self, content_type: &'static str) -> Self {
        self.edits.remove.push(Name::Borrowed("content-length"));
        self.edits.set.push((Name::Borrowed("content-type"), content_type.into()));
        self
    }

    pub(super) fn replace(mut self, status: u16, body: Vec<u8>) -> Progress {
        self = self.labelled("application/json");
        self.edits.remove.push(Name::Borrowed("content-encoding"));
        self.edits.set.push((Name::Borrowed("content-length"), format!("{}", body.len())));
        self.release(Some(status), Chunk::Replace(body), FlowBody::Over)
    }

    /// The last step of all that is let go.
    pub(super) fn release(mut self, status: Option<u16>, body: Chunk, rest: FlowBody) -> Progress {
        if self.attempt.plan.is_revoked() {
            return Progress::Instead(self.attempt.plan.turn_away(self.now));
        }
        let Attempt { plan, target, dropped, .. } = self.attempt;
        let served = [
            ("x-dragoman-provider", target.provider.name.clone()),
            ("x-dragoman-model", (*target.model).into()),
            ("x-dragoman-attempts", plan.attempts()),
        ];
        let named = served.into_iter().filter(|(_, value)| !value.is_empty());
        self.edits.set.extend(named.map(|(name, value)| (Name::Borrowed(name), value)));
        if plan.is_recorded() {
            self.edits.set.push((Name::Borrowed(CACHE_HEADER), Cached::Miss.name().into()));
        }
        if !dropped.is_empty() {
            self.edits.set.push((Name::Borrowed("x-dragoman-dropped"), dropped.join(", ")));
        }
        let release = Release { status, headers: self.edits, body };
        Progress::Released(release, Flow { plan, begun: self.now, body: rest, sealing: self.sealing })
    }
}

/// As many whole seconds as it takes.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}
