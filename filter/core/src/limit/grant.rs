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
    desk::{self, Held, Reserved},
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
    held: Vec<Held>,
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
    /// What is left of the caller's own limits.
    pub standings: Vec<Standing>,
}

/// What is written at one place.
struct Draft {
    key: String,
    claims: Vec<Claim>,
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
        grant.reserve(claims, amounts, now_millis)?;
        Ok(grant)
    }

    /// Whether a request would be let in now. Nothing is reserved.
    ///
    /// # Errors
    /// The limit that has no room.
    pub fn check(&self, claims: Vec<Claim>, amounts: &Amounts, now_millis: u64) -> Result<(), Denied> {
        self.draft(claims, amounts, 0, now_millis).map(|_| ())
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

    /// Forgets all that a subject has used.
    ///
    /// # Errors
    /// The host refuses: nothing was changed.
    pub fn forget(&self, subject: Address) -> Result<(), Conflict> {
        update_at(&*self.store, &key(subject.place()), |bytes| (desk::forget(bytes, subject), ()))
    }

    fn draft(&self, claims: Vec<Claim>, amounts: &Amounts, lease: u64, now_millis: u64) -> Result<Vec<Draft>, Denied> {
        let (mut drafts, mut refusals, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (place, mut claims) in by_place(claims, |claim| claim.subject) {
            let key = key(place);
            let (before, version) = self.store.get(&key).unwrap_or((Vec::new(), Version::ABSENT));
            match desk::reserve(&before, &claims, amounts, lease, now_millis) {
                Ok((bytes, reserved)) => drafts.push(Draft { key, claims, version, bytes, reserved }),
                Err(refusal) => {
                    refusals.push(refusal);
                    refused.append(&mut claims);
                }
            }
        }
        let Some(refusal) = desk::worst(refusals.into_iter()) else { return Ok(drafts) };
        refused.extend(drafts.into_iter().flat_map(|draft| draft.claims));
        Err(self.deny(refusal, refused, now_millis))
    }

    fn deny(&self, (claim, full): (Claim, Full), claims: Vec<Claim>, now_millis: u64) -> Denied {
        let own = claims.into_iter().filter(|claim| claim.is_own).collect();
        Denied {
            rule: claim.rule,
            retry_after_millis: full.retry_after_millis,
            standings: self.standings(own, now_millis),
        }
    }

    /// Changes what is held, place by place.
    fn change(&self, held: Vec<Held>, change: impl Fn(&[u8], &[Held]) -> Vec<u8>) {
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

    /// Takes it to another target: what is no longer for it is given back, what is now is reserved.
    ///
    /// # Errors
    /// The target's [`Refusal`]. The grant is as it was.
    pub fn move_to(&mut self, claims: Vec<Claim>, amounts: &Amounts, now_millis: u64) -> Result<(), Refusal> {
        let before = mem::take(&mut self.held);
        let is_new = |claim: &Claim| !before.iter().any(|held| held.claim == *claim);
        let (new, kept): (Vec<_>, Vec<_>) = claims.into_iter().partition(is_new);
        let result = self.reserve(new, amounts, now_millis);
        let is_kept = |held: &Held| result.is_err() || kept.contains(&held.claim);
        let (kept, left): (Vec<_>, Vec<_>) = before.into_iter().partition(is_kept);
        self.held.extend(kept);
        self.standings.retain(|standing| !left.iter().any(|held| held.claim == standing.claim));
        let lease = self.lease;
        self.limiter.change(left, |bytes, held| desk::give_back(bytes, held, lease));
        result
    }

    /// From when on it is to be renewed; never where nothing of it ends by itself.
    #[must_use]
    pub fn renew_at_millis(&self) -> Option<u64> {
        let is_held = self.held.iter().any(|held| is_held(&held.claim));
        is_held.then(|| self.renewed_at_millis.saturating_add(LEASE_MILLIS / 3))
    }

    /// Renews what ends by itself.
    pub fn renew(&mut self, now_millis: u64) {
        let held = self.held.iter().filter(|held| is_held(&held.claim)).cloned().collect();
        let lease = self.lease;
        self.renewed_at_millis = now_millis;
        self.limiter.change(held, |bytes, held| desk::renew(bytes, held, lease, now_millis));
    }

    /// The request did cost this.
    pub fn settle(mut self, actual: &Amounts, now_millis: u64) {
        let mut held = mem::take(&mut self.held);
        // What was right needs no word.
        held.retain(|held| is_held(&held.claim) || held.claim.rule.amount(actual) != held.amount);
        let lease = self.lease;
        self.limiter.change(held, |bytes, held| desk::settle(bytes, held, actual, lease, now_millis));
    }

    /// The request did not take place.
    pub fn release(self) {
        drop(self);
    }

    fn reserve(&mut self, claims: Vec<Claim>, amounts: &Amounts, now_millis: u64) -> Result<(), Refusal> {
        let lease = self.lease;
        let drafts = self.limiter.draft(claims, amounts, lease, now_millis).map_err(Refusal::Denied)?;
        let store = Rc::clone(&self.limiter.store);
        let mut reserved = Reserved::default();
        let mut refusal = None;
        for Draft { key, claims, version, bytes, reserved: drafted } in drafts {
            let done = if store.put(&key, &bytes, version).is_ok() {
                Ok(drafted)
            } else {
                self.limiter.retry(&key, &claims, amounts, lease, now_millis)
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
        self.standings.append(&mut reserved.standings);
        Ok(())
    }
}

impl Limiter {
    /// Another worker was faster at this place: it is read again.
    fn retry(
        &self,
        key: &str,
        claims: &[Claim],
        amounts: &Amounts,
        lease: u64,
        now_millis: u64,
    ) -> Result<Reserved, Refusal> {
        let result =
            update_at(&*self.store, key, |before| match desk::reserve(before, claims, amounts, lease, now_millis) {
                Ok((after, reserved)) => (after, Ok(reserved)),
                Err(refusal) => (before.into(), Err(refusal)),
            });
        match result {
            Ok(Ok(reserved)) => Ok(reserved),
            Ok(Err(refusal)) => Err(Refusal::Denied(self.deny(refusal, claims.to_vec(), now_millis))),
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
fn is_held(claim: &Claim) -> bool {
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
