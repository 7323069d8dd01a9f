//! The try of a request that passes as it is, and so does its answer.
//!
//! Nothing is held that needs no judgement: with one target and one try there is nobody to turn to. An error is looked at as far
//! as it fits, because a provider that repeats the gateway's credential is not repeated.

use alloc::{format, vec::Vec};

use super::{
    Attempt, Change, Outgoing, REFUSED_CREDENTIAL,
    flow::FlowBody,
    head::{Head, whole_seconds},
    held::{HeldBody, Progress},
};
use crate::{
    direct::{Cost, Request},
    headers::Headers,
    passage::Passage,
    plan::{Cause, Failure},
    step::{Chunk, HeaderEdits, Name, Reply},
};

/// What becomes of an answer whose head has come.
pub(super) enum Start {
    /// It is held until more is known.
    Held(HeldBody),
    /// It passes; this is the rest.
    Going(FlowBody),
}

impl Attempt {
    /// The request with the gateway's credential, the provider's place and its name for the model.
    pub(super) fn outgoing_as_is(&self, direct: &Request) -> Outgoing {
        let (request, account) = (&self.plan.inquiry.request, &self.target.account);
        let edits = direct.edits(request, &self.target);
        let mut set = Vec::with_capacity(6);
        if !edits.is_empty() {
            set.push((Name::Borrowed("content-length"), format!("{}", edits.length_after(request.length))));
        }
        set.push((Name::Borrowed(":path"), direct.path(&self.target)));
        set.push((Name::Borrowed(":authority"), account.authority.clone()));
        set.extend(account.headers().map(|(name, value)| (name.clone(), value.expose().clone())));
        let body = Change::Edited { edits, kept: self.plan.body() };
        Outgoing { headers: HeaderEdits { remove: Vec::new(), set }, body }
    }

    /// What an answer is.
    pub(super) fn hold_as_is(&self, direct: &Request, status: u16, headers: Headers<'_>) -> Start {
        let unusable = |what, cause| Start::Held(HeldBody::Unusable(self.error(what), cause));
        match status {
            200..=299 | 304 => {}
            401 | 403 if !self.target.account.is_callers => {
                return unusable(REFUSED_CREDENTIAL, Cause::Credential);
            }
            400..=599 => return Start::Held(HeldBody::Refusal(Vec::new())),
            _ => return unusable("answered with a redirect or an unknown status", Cause::Unusable),
        }
        if direct.cost() == Cost::Nothing && self.seal().is_none() {
            return Start::Going(FlowBody::Plain);
        }
        let content_type = headers.get("content-type").unwrap_or_default().to_ascii_lowercase();
        let request = &self.plan.inquiry.request;
        if let Some((framing, conduit)) = direct.conduit(&content_type, request, &self.target.account) {
            return Start::Held(HeldBody::Stream(Passage::new(&self.target, framing, self.sealed(conduit))));
        }
        Start::Going(if direct.cost() == Cost::Nothing {
            FlowBody::Plain
        } else if content_type.starts_with(b"application/json") {
            FlowBody::Whole(direct.format().scanner())
        } else if content_type.starts_with(b"text/html") && direct.is_known() {
            FlowBody::Broken
        } else {
            FlowBody::unread(&content_type)
        })
    }
}

impl Head {
    /// The provider refuses the request, in its own words.
    pub(super) fn refuse_as_is(self, body: &[u8]) -> Progress {
        let (status, plan) = (self.status, &self.attempt.plan);
        let direct = plan.inquiry.own();
        let is_refused = |direct: &Request| direct.format().refuses_credential(status, body);
        if !self.attempt.target.account.is_callers && direct.is_some_and(is_refused) {
            let error = self.attempt.error(REFUSED_CREDENTIAL);
            return self.fail_with(&error, Cause::Credential);
        }
        if self.attempt.target.account.names_secret(body) {
            return self.fail(status, status, body.to_vec(), Cause::Stated);
        }
        if !plan.policy.statuses.contains(&status) {
            return self.pass(Chunk::Keep, FlowBody::Plain);
        }
        self.pass_fault(status, Chunk::Keep, FlowBody::Plain)
    }

    /// Lets an error go as it came. It counts as a failure, though nobody else is asked.
    pub(super) fn pass_fault(self, status: u16, body: Chunk, rest: FlowBody) -> Progress {
        let mut reply = Reply::json(status, Vec::new());
        if let Some(wait) = self.retry_after {
            reply = reply.with("retry-after", format!("{}", whole_seconds(wait)));
        }
        let failure = Failure { status, reply, retry_after: self.retry_after, cause: Cause::Stated };
        self.attempt.plan.settle_failed(failure, self.now);
        self.release(None, body, rest)
    }
}
