//! What a request may use up, from when it is let in until it is over: all that a plan knows of limits.
//!
//! A plan holds one grant, for the target whose turn it is. Where the plan goes on to another target, the grant goes first: a
//! target whose limits have no room is passed over, and nothing is sent to it. Who follows silence is told to Envoy before it is known
//! whether that will be needed, so that a target without room is skipped already then; if one loses its room meanwhile, nobody is
//! asked, because Envoy has chosen its cluster. Reserved for it is nothing until its turn has come: most tries are answered, and a
//! fallback's limits would be used up by those who do not need it.
//!
//! The grant is settled once: with the provider's own count, or, where an answer broke off before that came, with what has come of
//! it. A request that nobody has answered gives everything back.

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::{cell::RefCell, fmt::Write as _, time::Duration};

use super::{End, Next, Plan, Target, progress::millis};
use crate::{
    auth::Caller,
    config::{Measure, Price},
    dialect::openai_chat::Bounds,
    direct::Cost,
    gateway::Gateway,
    host::Entropy,
    limit::{Amounts, Asker, Claim, Grant, Refusal, Seed, Shared, Subject, headers},
    live::Observer,
    route::estimate::USUAL_OUTPUT,
    step::Reply,
    usage::{Flowed, Matter, Usage},
};

/// See the module's documentation.
#[derive(Debug)]
pub struct Allowance {
    gateway: Rc<Gateway>,
    observer: Rc<Observer>,
    seed: Seed,
    caller: Caller,
    /// By which router it is asked, where it is one.
    router: Option<String>,
    /// What it is expected to use up.
    estimate: Estimate,
    hold: RefCell<Hold>,
}

/// What is known of a request's tokens before anybody has counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Its own, without what a provider adds.
    pub input_tokens: u64,
    /// Whether it offers tools.
    pub has_tools: bool,
    /// How long it lets its answer be; where it does not say, as long as answers usually are is expected.
    pub output: Bounds,
}

/// What is reserved, and for whom.
#[derive(Debug, Default)]
struct Hold {
    grant: Option<Grant>,
    target: Option<Target>,
    flowed: Flowed,
    /// What it has used, once that is known.
    used: Option<Amounts>,
}

impl Allowance {
    /// An allowance of which nothing is reserved yet.
    #[must_use]
    pub fn new(
        (gateway, observer): (&Rc<Gateway>, &Rc<Observer>),
        seed: Seed,
        (caller, router): (Caller, Option<String>),
        estimate: Estimate,
    ) -> Self {
        let (gateway, observer) = (Rc::clone(gateway), Rc::clone(observer));
        Self { gateway, observer, seed, caller, router, estimate, hold: RefCell::default() }
    }

    /// The limits that are for a request to this target.
    fn claims(&self, target: &Target) -> Vec<Claim> {
        self.gateway.limits.claims(self.seed, self.asker(), &target.provider.name, &target.model)
    }

    fn asker(&self) -> Asker<'_> {
        let environment = self.gateway.environment.as_deref();
        Asker { caller: &self.caller, environment, router: self.router.as_deref() }
    }

    /// What the headers of an answer say.
    fn headers(&self) -> Vec<(&'static str, String)> {
        let hold = self.hold.borrow();
        headers(hold.grant.as_ref().map(Grant::standings).unwrap_or_default(), self.gateway.limits.soft)
    }

    fn admit(&self, target: &Target, entropy: &dyn Entropy, now: Duration) -> Result<(), Refusal> {
        let claims = self.claims(target);
        let amounts = self.amounts(target, &claims, now);
        let grant = self.observer.limiter().admit(claims, &amounts, entropy, millis(now))?;
        *self.hold.borrow_mut() = Hold { grant: Some(grant), target: Some(target.clone()), ..Hold::default() };
        Ok(())
    }

    /// Takes what is reserved to another target; false where that has no room.
    fn follow(&self, target: &Target, now: Duration) -> bool {
        let mut hold = self.hold.borrow_mut();
        if hold.target.as_ref().is_some_and(|current| current.is(target)) {
            return true;
        }
        let claims = self.claims(target);
        let amounts = self.amounts(target, &claims, now);
        let is_let_in = hold.grant.as_mut().is_none_or(|grant| grant.move_to(&claims, &amounts, millis(now)).is_ok());
        if is_let_in {
            hold.target = Some(target.clone());
        }
        is_let_in
    }

    /// Whether a target has room for the request now, beside what is reserved.
    fn admits(&self, target: &Target, now: Duration) -> bool {
        let claims = self.claims(target);
        let amounts = self.amounts(target, &claims, now);
        let hold = self.hold.borrow();
        hold.grant.as_ref().is_none_or(|grant| grant.check_move(&claims, &amounts, millis(now)).is_ok())
    }

    /// What a request to this target may cost.
    fn amounts(&self, target: &Target, claims: &[Claim], now: Duration) -> Amounts {
        let usual = || self.observer.usual_output(target, millis(now)).unwrap_or(USUAL_OUTPUT);
        let Bounds { max_tokens, choices } = self.estimate.output;
        let output = max_tokens.unwrap_or_else(usual).min(target.max_output_tokens.unwrap_or(u64::MAX));
        let output = output.saturating_mul(choices.unwrap_or(1));
        let usage = Usage { input: self.input(target), output, ..Usage::default() };
        self.cost(target, claims.iter(), &usage, Price::dearest)
    }

    /// What of the request a target may count.
    fn input(&self, target: &Target) -> u64 {
        let Estimate { input_tokens, has_tools, .. } = self.estimate;
        input_tokens.saturating_add(if has_tools { target.provider.spec.tools_preface } else { 0 })
    }

    /// What of that these limits count: a price is looked up for those only that are for money.
    fn cost<'c>(
        &self,
        target: &Target,
        mut claims: impl Iterator<Item = &'c Claim>,
        usage: &Usage,
        priced: impl FnOnce(Price) -> Price,
    ) -> Amounts {
        let is_money = self.gateway.limits.shares_spend() || claims.any(|claim| claim.rule.of == Measure::Spend);
        let price = is_money.then(|| priced(self.gateway.catalogue.price(&target.provider, &target.model)));
        let nano_usd = price.map_or(0, |price| price.nano_usd(usage));
        Amounts { input_tokens: usage.input, output_tokens: usage.output, nano_usd }
    }

    /// The request has used this up. Where the provider has not told, or not to the end, it is what has come of the answer: nor is
    /// that told which is told as nothing.
    fn settle(&self, told: Option<Usage>, is_whole: bool, now: Duration) {
        let mut hold = self.hold.borrow_mut();
        let (Some(grant), Some(target)) = (hold.grant.take(), &hold.target) else { return };
        let told = told.unwrap_or_default();
        let input = if told.input > 0 { told.input } else { self.input(target) };
        let output = if is_whole && told.output > 0 { told.output } else { told.output.max(hold.flowed.tokens()) };
        let usage = Usage { input, output, ..told };
        let cost = self.cost(target, grant.standings().iter().map(|standing| &standing.claim), &usage, |price| price);
        grant.settle(&cost, millis(now));
        hold.used = Some(cost);
    }

    /// Nobody has answered the request.
    fn release(&self) {
        // Dropped when the borrow has ended.
        let _grant = self.hold.borrow_mut().grant.take();
    }
}

impl Plan {
    /// Lets the request in for the first target that has room; those before it are passed over.
    ///
    /// # Errors
    /// None has. Of several refusals the one that is over first.
    pub(crate) fn admit(&mut self, allowance: Allowance, entropy: &dyn Entropy, now: Duration) -> Result<(), Refusal> {
        let allowance = &*self.allowance.insert(allowance);
        let mut refusal: Option<Refusal> = None;
        while let Some(target) = self.progress.get_mut().front() {
            let Err(why) = allowance.admit(target, entropy, now) else { return Ok(()) };
            if let Refusal::Denied(denied) = &why {
                let space = if self.passed_over.is_empty() { "" } else { " " };
                let (provider, model, limit) = (&target.provider.name, &target.model, &denied.rule.name);
                // Writing to a String cannot fail.
                let _ = write!(self.passed_over, "{space}`{provider}/{model}`: The limit `{limit}` has no room.");
            }
            if refusal.as_ref().is_none_or(|before| wait(&why) < wait(before)) {
                refusal = Some(why);
            }
            if !allowance.gateway.limits.tells_targets_apart() {
                break;
            }
            self.progress.get_mut().pass_over();
        }
        // A plan without targets is refused in its own words.
        refusal.map_or(Ok(()), Err)
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
        if let Some(allowance) = &self.allowance {
            allowance.hold.borrow_mut().flowed = flowed;
        }
    }

    /// Another part of an answer has come that has no pieces of its own.
    pub(crate) fn note_part(&self, part: &[u8], matter: Matter) {
        // Of vectors nothing is written.
        let is_written = || self.inquiry.direct.as_ref().is_none_or(|direct| direct.cost() == Cost::Both);
        if let Some(allowance) = self.allowance.as_ref().filter(|_| is_written()) {
            allowance.hold.borrow_mut().flowed.extend(part, matter);
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
            if allowance.follow(target, now) {
                return Next::Try;
            }
            progress.pass_over();
        }
        Next::Nobody
    }

    /// The same after silence: by the target that Envoy was told, or by nobody.
    pub(super) fn follow_silence(&self, now: Duration) {
        let Some(allowance) = &self.allowance else { return };
        let mut progress = self.progress.borrow_mut();
        progress.skip();
        let has_room = progress.front().is_none_or(|target| allowance.follow(target, now));
        if !has_room {
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
        while progress.after_silence().is_some_and(|target| !allowance.admits(target, now)) {
            progress.skip_after_silence();
        }
    }

    /// An answer has come to its end, or nothing more comes: what it did cost is known.
    pub(super) fn settle_allowance(&self, end: Option<End>, now: impl FnOnce() -> Duration) {
        let Some(allowance) = self.allowance.as_ref().filter(|allowance| allowance.hold.borrow().grant.is_some())
        else {
            return;
        };
        let usage = self.usage();
        // An error behind content does not take that back, not even one that came with it.
        let is_empty = usage.is_none() && allowance.hold.borrow().flowed == Flowed::default();
        if is_empty && (matches!(end, Some(End::Fault(_))) || !self.progress.borrow().may_cost()) {
            allowance.release();
        } else {
            allowance.settle(usage, end == Some(End::Whole), now());
        }
    }

    /// Nobody has answered.
    pub(super) fn release_allowance(&self) {
        if let Some(allowance) = &self.allowance {
            allowance.release();
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
