//! What a request may use up, from when it is let in until it is over.
//!
//! The grant is settled once: with the provider's own count, or, where an answer broke off before that came, with what has come of
//! it. A request that nobody has answered gives everything back.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::{cell::RefCell, time::Duration};

use super::Target;
use crate::{
    auth::Caller,
    config::{Measure, Price},
    dialect::head::Bounds,
    gateway::Gateway,
    host::{Entropy, millis},
    limit::{Amounts, Asker, Claim, Denied, Grant, Refusal, Seed, headers},
    live::Observer,
    route::estimate::USUAL_OUTPUT,
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct Allowance {
    pub(super) gateway: Rc<Gateway>,
    observer: Rc<Observer>,
    seed: Seed,
    caller: Caller,
    /// By which router it is asked, where it is one.
    router: Option<String>,
    /// What it is expected to use up.
    estimate: Estimate,
    pub(super) hold: RefCell<Hold>,
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
    /// How many pictures are to be drawn.
    pub images: u64,
}

impl Estimate {
    /// What of the request a target may count.
    pub(super) fn input_at(&self, target: &Target) -> u64 {
        self.input_tokens.saturating_add(if self.has_tools { target.provider.spec.tools_preface } else { 0 })
    }
}

/// What is reserved, and for whom.
#[derive(Debug, Default)]
pub(super) struct Hold {
    pub(super) grant: Option<Grant>,
    target: Option<Target>,
    /// What it has used, once that is known.
    pub(super) used: Option<Amounts>,
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

    pub(super) fn asker(&self) -> Asker<'_> {
        let environment = self.gateway.environment.as_deref();
        Asker { caller: &self.caller, environment, router: self.router.as_deref() }
    }

    /// What the headers of an answer say.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let hold = self.hold.borrow();
        headers(hold.grant.as_ref().map(Grant::standings).unwrap_or_default(), self.gateway.limits.soft, None)
    }

    pub(super) fn admit(&self, target: &Target, entropy: &dyn Entropy, now: Duration) -> Result<(), Refusal> {
        let claims = self.claims(target);
        let amounts = self.amounts(target, &claims, now);
        let grant = self.observer.limiter().admit(claims, &amounts, entropy, millis(now))?;
        *self.hold.borrow_mut() = Hold { grant: Some(grant), target: Some(target.clone()), ..Hold::default() };
        Ok(())
    }

    /// Takes what is reserved to another target, unless that has no room.
    pub(super) fn follow(&self, target: &Target, now: Duration) -> Result<(), Refusal> {
        let mut hold = self.hold.borrow_mut();
        if hold.target.as_ref().is_some_and(|current| current.is(target)) {
            return Ok(());
        }
        let claims = self.claims(target);
        let amounts = self.amounts(target, &claims, now);
        hold.grant.as_mut().map_or(Ok(()), |grant| grant.move_to(&claims, &amounts, millis(now)))?;
        hold.target = Some(target.clone());
        Ok(())
    }

    /// Whether a target has room for the request now, beside what is reserved.
    pub(super) fn check(&self, target: &Target, now: Duration) -> Result<(), Denied> {
        let claims = self.claims(target);
        let amounts = self.amounts(target, &claims, now);
        let hold = self.hold.borrow();
        hold.grant.as_ref().map_or(Ok(()), |grant| grant.check_move(&claims, &amounts, millis(now)))
    }

    /// What a request to this target may cost.
    fn amounts(&self, target: &Target, claims: &[Claim], now: Duration) -> Amounts {
        let usual = || self.observer.usual_output(target, millis(now)).unwrap_or(USUAL_OUTPUT);
        let Bounds { max_tokens, choices } = self.estimate.output;
        let output = max_tokens.unwrap_or_else(usual).min(target.max_output_tokens.unwrap_or(u64::MAX));
        let output = output.saturating_mul(choices.unwrap_or(1));
        let images = self.estimate.images;
        let usage = Usage { input: self.estimate.input_at(target), output, images, ..Usage::default() };
        self.cost(target, claims.iter(), &usage, Price::dearest)
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

    /// The request has used this up.
    pub(super) fn settle(&self, usage: &Usage, now: Duration) {
        let mut hold = self.hold.borrow_mut();
        let (Some(grant), Some(target)) = (hold.grant.take(), &hold.target) else { return };
        let cost = self.cost(target, grant.standings().iter().map(|standing| &standing.claim), usage, |price| price);
        grant.settle(&cost, millis(now));
        hold.used = Some(cost);
    }

    /// Nobody has answered the request.
    pub(super) fn release(&self) {
        // Dropped when the borrow has ended.
        let _grant = self.hold.borrow_mut().grant.take();
    }
}
