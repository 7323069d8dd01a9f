//! Letting requests in, and settling what they did cost.
//!
//! A request is let in by several subjects, whose counters stand at several places, and a store changes one place at a time. So
//! all places are read and checked first: a request that is refused writes nothing. Then they are written, each only if it is
//! as it was read. Where another worker was faster, that place is checked anew, and if it has no room any more, what was
//! reserved at those before it is given back. No order of workers lets one in beyond a limit, because each place is checked and
//! written in one; none leaves anything behind, because a [`Grant`] gives back what it holds when it goes.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::{fmt, mem};

use crate::{
    config::Measure,
    host::{Conflict, Entropy, Store, Version},
    store::update_at,
};

use super::{
    desk::{self, Reservation, Reserved, Want, wants},
    measure::{Full, LEASE_MILLIS},
    report::Standing,
    rule::{Amounts, Claim, Rule},
    subject::{Address, key},
};

/// Lets requests in.
#[derive(Clone)]
pub struct Limiter {
    store: Rc<dyn Store>,
}

/// What was reserved for one request. It is settled once; dropped, it gives everything back.
#[must_use]
pub struct Grant {
    limiter: Limiter,
    /// By which what is under way is known.
    lease: u64,
    held: Vec<Reservation>,
    standings: Vec<Standing>,
    renewed_at_millis: u64,
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A limit has no room.
    Denied(Denied),
    /// The store keeps nothing.
    Unavailable,
}

/// A limit that has no room. Of several the one that is over last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The limit.
    pub rule: Rc<Rule>,
    /// When there is room again; never where the request alone is more than the limit.
    pub retry_after_millis: Option<u64>,
    /// What is left of those that the caller is told of.
    pub standings: Vec<Standing>,
}

/// What is written at one place.
struct Draft {
    key: String,
    wants: Vec<Want>,
    version: Version,
    bytes: Vec<u8>,
    reserved: Reserved,
}

impl Limiter {
    /// A limiter that counts in this store.
    #[must_use]
    pub fn new(store: Rc<dyn Store>) -> Self {
        Self { store }
    }

    /// Lets a request in that may cost so much, under all of these claims.
    ///
    /// # Errors
    /// The [`Refusal`]; nothing is reserved.
    pub fn admit(
        &self,
        claims: Vec<Claim>,
        amounts: &Amounts,
        entropy: &dyn Entropy,
        now_millis: u64,
    ) -> Result<Grant, Refusal> {
        let mut grant = Grant {
            limiter: self.clone(),
            lease: entropy.draw(),
            held: Vec::new(),
            standings: Vec::new(),
            renewed_at_millis: now_millis,
        };
        grant.reserve(wants(claims, amounts), now_millis)?;
        Ok(grant)
    }

    /// Whether a request would be let in now. Nothing is reserved.
    ///
    /// # Errors
    /// The limit that has no room.
    pub fn check(&self, claims: Vec<Claim>, amounts: &Amounts, now_millis: u64) -> Result<(), Denied> {
        self.draft(wants(claims, amounts), 0, now_millis).map(|_| ())
    }

    /// What is left under these claims.
    #[must_use]
    pub fn standings(&self, claims: Vec<Claim>, now_millis: u64) -> Vec<Standing> {
        let read = |(place, claims): (u64, Vec<Claim>)| {
            let bytes = self.store.get(&key(place)).map(|(bytes, _)| bytes).unwrap_or_default();
            desk::look(&bytes, &claims, now_millis)
        };
        by_place(claims, |claim| claim.subject).into_iter().flat_map(read).collect()
    }

    fn draft(&self, wants: Vec<Want>, lease: u64, now_millis: u64) -> Result<Vec<Draft>, Denied> {
        let (mut drafts, mut refusals, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (place, wants) in by_place(wants, |want| want.claim.subject) {
            let key = key(place);
            let (before, version) = self.store.get(&key).unwrap_or((Vec::new(), Version::ABSENT));
            match desk::reserve(&before, &wants, lease, now_millis) {
                Ok((bytes, reserved)) => drafts.push(Draft { key, wants, version, bytes, reserved }),
                Err(refusal) => {
                    refusals.push(refusal);
                    refused.extend(wants);
                }
            }
        }
        let Some(refusal) = desk::worst(refusals.into_iter()) else { return Ok(drafts) };
        refused.extend(drafts.into_iter().flat_map(|draft| draft.wants));
        Err(self.deny(refusal, refused, now_millis))
    }

    fn deny(&self, (claim, full): (Claim, Full), wants: Vec<Want>, now_millis: u64) -> Denied {
        let claims = wants.into_iter().map(|want| want.claim).filter(Claim::is_told).collect();
        Denied {
            rule: claim.rule,
            retry_after_millis: full.retry_after_millis,
            standings: self.standings(claims, now_millis),
        }
    }

    /// Changes what is held, place by place.
    fn change(&self, held: Vec<Reservation>, change: impl Fn(&[u8], &[Reservation]) -> Vec<u8>) {
        for (place, held) in by_place(held, |held| held.claim.subject) {
            // A host that keeps nothing keeps no reservation either.
            let _ = update_at(&*self.store, &key(place), |bytes| (change(bytes, &held), ()));
        }
    }
}

impl Grant {
    /// What is left under its limits.
    #[must_use]
    pub fn standings(&self) -> &[Standing] {
        &self.standings
    }

    /// Takes it to another target: what is no longer for it, or more than it may cost there, is given back, and what is lacking
    /// is reserved. That first: what others have taken meanwhile cannot be had again.
    ///
    /// # Errors
    /// The target's [`Refusal`]. The grant is as it was.
    pub fn move_to(&mut self, claims: &[Claim], amounts: &Amounts, now_millis: u64) -> Result<(), Refusal> {
        self.reserve(self.lacking(claims, amounts), now_millis)?;
        let mut left = Vec::new();
        // From behind, so that what was reserved first stays.
        for place in (0..self.held.len()).rev() {
            let Some(claim) = self.held.get(place).map(|held| held.claim.clone()) else { continue };
            let needed = if claims.contains(&claim) { claim.rule.amount(amounts) } else { 0 };
            let surplus = self.amount(&claim).saturating_sub(needed);
            let Some(held) = self.held.get_mut(place).filter(|_| surplus > 0) else { continue };
            let part = surplus.min(held.amount);
            held.amount = held.amount.saturating_sub(part);
            left.push(Reservation { amount: part, ..held.clone() });
            for standing in self.standings.iter_mut().filter(|standing| standing.claim == claim) {
                standing.used = standing.used.saturating_sub(part);
            }
        }
        self.held.retain(|held| claims.contains(&held.claim));
        self.standings.retain(|standing| claims.contains(&standing.claim));
        let lease = self.lease;
        self.limiter.change(left, |bytes, held| desk::give_back(bytes, held, lease));
        Ok(())
    }

    /// Whether it could be taken to another target now. Nothing is reserved.
    ///
    /// # Errors
    /// The limit that has no room.
    pub fn check_move(&self, claims: &[Claim], amounts: &Amounts, now_millis: u64) -> Result<(), Denied> {
        self.limiter.draft(self.lacking(claims, amounts), 0, now_millis).map(|_| ())
    }

    /// What is to be reserved beside what is.
    fn lacking(&self, claims: &[Claim], amounts: &Amounts) -> Vec<Want> {
        let mut wants = wants(claims.to_vec(), amounts);
        wants.retain_mut(|want| {
            let is_reserved = self.held.iter().any(|held| held.claim == want.claim);
            want.amount = want.amount.saturating_sub(self.amount(&want.claim));
            !is_reserved || want.amount > 0
        });
        wants
    }

    /// What is reserved for a claim.
    fn amount(&self, claim: &Claim) -> u64 {
        let held = self.held.iter().filter(|held| held.claim == *claim);
        held.fold(0, |sum, held| sum.saturating_add(held.amount))
    }

    /// Whether it is to be renewed; never where nothing of it ends by itself. Also where the clock was set back: what ends by
    /// itself is measured by one that never is.
    #[must_use]
    pub fn is_due(&self, now_millis: u64) -> bool {
        let lapses = self.held.iter().any(|held| has_lease(&held.claim));
        lapses && now_millis.abs_diff(self.renewed_at_millis) >= LEASE_MILLIS / 3
    }

    /// Renews what ends by itself.
    pub fn renew(&mut self, now_millis: u64) {
        let held = self.held.iter().filter(|held| has_lease(&held.claim)).cloned().collect();
        let lease = self.lease;
        self.renewed_at_millis = now_millis;
        self.limiter.change(held, |bytes, held| desk::renew(bytes, held, lease, now_millis));
    }

    /// The request did cost this.
    pub fn settle(mut self, actual: &Amounts, now_millis: u64) {
        // What was right needs no word.
        let is_right = |held: &Reservation| self.amount(&held.claim) == held.claim.rule.amount(actual);
        let held = self.held.iter().filter(|held| has_lease(&held.claim) || !is_right(held)).cloned().collect();
        self.held.clear();
        let lease = self.lease;
        self.limiter.change(held, |bytes, held| desk::settle(bytes, held, actual, lease, now_millis));
    }

    /// The request did not take place.
    pub fn release(self) {
        drop(self);
    }

    fn reserve(&mut self, wants: Vec<Want>, now_millis: u64) -> Result<(), Refusal> {
        let lease = self.lease;
        let drafts = self.limiter.draft(wants, lease, now_millis).map_err(Refusal::Denied)?;
        let store = Rc::clone(&self.limiter.store);
        let mut reserved = Reserved::default();
        let mut refusal = None;
        for Draft { key, wants, version, bytes, reserved: drafted } in drafts {
            let done = if store.put(&key, &bytes, version).is_ok() {
                Ok(drafted)
            } else {
                self.limiter.retry(&key, &wants, lease, now_millis)
            };
            match done {
                Ok(mut done) => {
                    reserved.held.append(&mut done.held);
                    reserved.standings.append(&mut done.standings);
                }
                Err(why) => {
                    refusal = Some(why);
                    break;
                }
            }
        }
        if let Some(refusal) = refusal {
            self.limiter.change(reserved.held, |bytes, held| desk::give_back(bytes, held, lease));
            return Err(refusal);
        }
        self.held.append(&mut reserved.held);
        self.standings.retain(|before| !reserved.standings.iter().any(|standing| standing.claim == before.claim));
        self.standings.append(&mut reserved.standings);
        Ok(())
    }
}

impl Limiter {
    /// Another worker was faster at this place: it is read again.
    fn retry(&self, key: &str, wants: &[Want], lease: u64, now_millis: u64) -> Result<Reserved, Refusal> {
        let result = update_at(&*self.store, key, |before| match desk::reserve(before, wants, lease, now_millis) {
            Ok((after, reserved)) => (after, Ok(reserved)),
            Err(refusal) => (before.into(), Err(refusal)),
        });
        match result {
            Ok(Ok(reserved)) => Ok(reserved),
            Ok(Err(refusal)) => Err(Refusal::Denied(self.deny(refusal, wants.to_vec(), now_millis))),
            Err(Conflict) => Err(Refusal::Unavailable),
        }
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        let (held, lease) = (mem::take(&mut self.held), self.lease);
        self.limiter.change(held, |bytes, held| desk::give_back(bytes, held, lease));
    }
}

// Not derived: a store has nothing to show.
impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limiter")
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("held", &self.held).finish_non_exhaustive()
    }
}

/// Whether it ends by itself.
fn has_lease(claim: &Claim) -> bool {
    claim.rule.of == Measure::Concurrency
}

/// What is done at one place is done at once.
fn by_place<T>(mut all: Vec<T>, subject: impl Fn(&T) -> Address) -> Vec<(u64, Vec<T>)> {
    let mut places: Vec<(u64, Vec<T>)> = Vec::new();
    for one in all.drain(..) {
        let place = subject(&one).place();
        match places.iter_mut().find(|(other, _)| *other == place) {
            Some((_, same)) => same.push(one),
            None => places.push((place, Vec::from([one]))),
        }
    }
    places
}
