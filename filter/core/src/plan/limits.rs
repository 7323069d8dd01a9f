//! What a plan does about limits: it lets its request in, passes over targets that have no room, and tells what has become of it.
//!
//! A plan holds one grant, for the target whose turn it is. Where the plan goes on to another target, the grant goes first: a
//! target whose limits have no room is passed over, and nothing is sent to it. Who follows silence is told to Envoy before it is known
//! whether that will be needed, so that a target without room is skipped already then; if one loses its room meanwhile, nobody is
//! asked, because Envoy has chosen its cluster. Reserved for it is nothing until its turn has come: most tries are answered, and a
//! fallback's limits would be used up by those who do not need it.

use alloc::{format, string::String, vec::Vec};
use core::{fmt::Write as _, time::Duration};

use super::{Allowance, Next, Plan, Target};
use crate::{
    direct::Cost,
    host::Entropy,
    limit::{Denied, Grant, Refusal, Rule, Shared, Subject},
    step::Reply,
    usage::{Flowed, Matter},
};

impl Plan {
    /// Lets the request in for the first target that has room; those before it are passed over.
    ///
    /// # Errors
    /// None has. Of several refusals the one that is over first.
    pub(crate) fn admit(&mut self, allowance: Allowance, entropy: &dyn Entropy, now: Duration) -> Result<(), Refusal> {
        self.allowance = Some(allowance);
        let Some(allowance) = &self.allowance else { return Ok(()) };
        let mut progress = self.progress.borrow_mut();
        let mut refusal: Option<Refusal> = None;
        while let Some(target) = progress.front() {
            let Err(why) = allowance.admit(target, entropy, now) else { return Ok(()) };
            self.note_refused(target, &why);
            if refusal.as_ref().is_none_or(|before| wait(&why) < wait(before)) {
                refusal = Some(why);
            }
            if !allowance.gateway.limits.tells_targets_apart() {
                break;
            }
            progress.pass_over();
        }
        // A plan without targets is refused in its own words.
        refusal.map_or(Ok(()), Err)
    }

    /// A target is not asked, because nothing has let it in.
    fn note_refused(&self, target: &Target, why: &Refusal) {
        if let Refusal::Denied(Denied { rule, .. }) = why {
            self.note_full(target, rule);
        }
    }

    fn note_full(&self, Target { provider, model, .. }: &Target, limit: &Rule) {
        self.full.borrow_mut().push((format!("{}/{model}", provider.name), limit.name.clone()));
        let mut told = self.passed_over.borrow_mut();
        let space = if told.is_empty() { "" } else { " " };
        // Writing to a String cannot fail.
        let _ = write!(told, "{space}`{}/{model}`: The limit `{}` has no room.", provider.name, limit.name);
    }

    /// The limits in shadow that the request is beyond: the operator's business.
    #[must_use]
    pub fn exceeded(&self) -> Option<String> {
        let hold = self.allowance.as_ref()?.hold.borrow();
        let standings = hold.grant.as_ref()?.standings();
        let mut exceeded = standings.iter().filter(|standing| standing.is_exceeded && standing.claim.rule.is_shadow);
        let first = format!("`{}`", exceeded.next()?.claim.rule.name);
        Some(exceeded.fold(first, |told, standing| format!("{told}, `{}`", standing.claim.rule.name)))
    }

    /// The limits that a service counts and that are for the request: each one's property, and for whom it counts.
    pub fn shares(&self) -> impl Iterator<Item = (String, String)> {
        let shared = self.allowance.iter().flat_map(|allowance| allowance.gateway.limits.shared(allowance.asker()));
        shared.map(|(limit, subject)| (limit.property(), subject.text()))
    }

    /// What those are to be told, by property: what the request has used. Nothing of one that nobody has answered.
    pub fn charges(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let used = self.allowance.iter().filter_map(|allowance| Some((allowance, allowance.hold.borrow().used?)));
        used.flat_map(|(allowance, used)| {
            let shared = allowance.gateway.limits.shared(allowance.asker());
            shared.filter_map(move |(limit, _)| Some((limit.used()?, limit.hits(&used))))
        })
    }

    /// The one of them that has this name.
    pub(crate) fn shared(&self, name: &str) -> Option<&Shared> {
        let allowance = self.allowance.as_ref()?;
        allowance.gateway.limits.shared(allowance.asker()).map(|(limit, _)| limit).find(|limit| limit.name == name)
    }

    /// This limit has no room, and nobody is asked.
    pub(crate) fn note_limit(&self, name: &str) {
        self.progress.borrow_mut().limit = Some(name.into());
    }

    /// Whether the caller alone has limits that are heeded, wherever they are counted. Not all of them have headers.
    pub(crate) fn has_own_limits(&self) -> bool {
        self.allowance.as_ref().is_some_and(|allowance| {
            let hold = allowance.hold.borrow();
            let standings = hold.grant.as_ref().map(Grant::standings).unwrap_or_default();
            let mut shared = allowance.gateway.limits.shared(allowance.asker());
            standings.iter().any(|standing| standing.claim.is_own && !standing.claim.rule.is_shadow)
                || shared.any(|(_, subject)| matches!(subject, Subject::Key(_)))
        })
    }

    /// What the caller is told of its limits.
    pub(crate) fn limit_headers(&self) -> Vec<(&'static str, String)> {
        self.allowance.as_ref().map(Allowance::headers).unwrap_or_default()
    }

    /// An answer of the gateway's own, as it tells its caller's limits.
    pub(super) fn limited(&self, reply: Reply) -> Reply {
        self.limit_headers().into_iter().fold(reply, |reply, (name, value)| reply.with(name, value))
    }

    /// Whether anything is limited.
    pub(crate) const fn is_limited(&self) -> bool {
        self.allowance.is_some()
    }

    /// Content of the answer has come.
    pub(crate) fn note_flowed(&self, flowed: Flowed) {
        if self.inquiry.cost() != Cost::Nothing {
            self.progress.borrow_mut().flowed = flowed;
        }
    }

    /// Another part of an answer has come that has no pieces of its own.
    pub(crate) fn note_part(&self, part: &[u8], matter: Matter) {
        // Of vectors nothing is written.
        if self.inquiry.cost() == Cost::Both {
            self.progress.borrow_mut().flowed.extend(part, matter);
        }
    }

    /// Whether what is reserved may end by itself: now, or for a target whose turn comes later.
    #[must_use]
    pub fn may_lapse(&self) -> bool {
        let holds = |allowance: &Allowance| allowance.hold.borrow().grant.is_some();
        self.allowance.as_ref().is_some_and(|allowance| allowance.gateway.limits.has_leases() && holds(allowance))
    }

    /// Renews what is reserved, where it is time to.
    pub fn renew(&self, now_millis: u64) {
        if let Some(allowance) = &self.allowance
            && let Some(grant) = &mut allowance.hold.borrow_mut().grant
            && grant.is_due(now_millis)
        {
            grant.renew(now_millis);
        }
    }

    /// A try has failed, and another is to follow: by the first target that is left and has room.
    pub(super) fn follow(&self, now: Duration) -> Next {
        let Some(allowance) = &self.allowance else { return Next::Try };
        let mut progress = self.progress.borrow_mut();
        while let Some(target) = progress.front() {
            let Err(why) = allowance.follow(target, now) else { return Next::Try };
            self.note_refused(target, &why);
            progress.pass_over();
        }
        Next::Nobody
    }

    /// The same after silence: by the target that Envoy was told, or by nobody.
    pub(super) fn follow_silence(&self, now: Duration) {
        let Some(allowance) = &self.allowance else { return };
        let mut progress = self.progress.borrow_mut();
        for (target, limit) in progress.skip() {
            self.note_full(&target, &limit);
        }
        let Some(target) = progress.front() else { return };
        if let Err(why) = allowance.follow(target, now) {
            self.note_refused(target, &why);
            progress.give_up();
        }
    }

    /// A try begins: who follows after silence has room now.
    pub(super) fn foresee(&self, now: Duration) {
        let Some(allowance) = &self.allowance else { return };
        if !allowance.gateway.limits.tells_targets_apart() {
            return;
        }
        let mut progress = self.progress.borrow_mut();
        if progress.silence().is_some() {
            return;
        }
        while let Some(Err(Denied { rule, .. })) = progress.after_silence().map(|target| allowance.check(target, now)) {
            progress.skip_after_silence(rule);
        }
    }
}

/// How long until the refusal may be over. One that says when, or which limit it is, says more than one that says neither.
fn wait(refusal: &Refusal) -> (u64, bool) {
    match refusal {
        Refusal::Denied(denied) => (denied.retry_after_millis.unwrap_or(u64::MAX), false),
        Refusal::Unavailable => (u64::MAX, true),
    }
}
