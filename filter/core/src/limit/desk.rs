//! What is done at one place: some claims are checked, reserved, settled or given back together, by one read and one write.
//!
//! Pure: bytes in, bytes out. What it costs to do this against other workers is the business of [`super::grant`].

use alloc::vec::Vec;

use super::{
    measure::{Full, Moment, Window},
    report::Standing,
    rule::{Amounts, Claim},
    sheet::Sheet,
};

/// Something that is to be reserved.
#[derive(Debug, Clone)]
pub(super) struct Want {
    pub(super) claim: Claim,
    pub(super) amount: u64,
}

/// Something that was reserved. Where a request goes on to a target that may cost more, a claim has several.
#[derive(Debug, Clone)]
pub(super) struct Reservation {
    pub(super) claim: Claim,
    pub(super) amount: u64,
    pub(super) at: Moment,
}

/// What was reserved at one place, and what is left.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    pub(super) held: Vec<Reservation>,
    pub(super) standings: Vec<Standing>,
}

/// Of several refusals, the one that is over last: who waits for it is not refused by another.
pub(super) fn worst(refusals: impl Iterator<Item = (Claim, Full)>) -> Option<(Claim, Full)> {
    refusals.max_by_key(|(_, full)| full.retry_after_millis.map_or(u64::MAX, |millis| millis.min(u64::MAX >> 1)))
}

/// What a request that may cost so much is to reserve.
pub(super) fn wants(claims: Vec<Claim>, amounts: &Amounts) -> Vec<Want> {
    let want = |claim: Claim| Want { amount: claim.rule.amount(amounts), claim };
    claims.into_iter().map(want).collect()
}

/// Reserves what a request may cost, all of it or nothing; the bytes, if so.
pub(super) fn reserve(
    bytes: &[u8],
    wants: &[Want],
    lease: u64,
    wall_millis: u64,
) -> Result<(Vec<u8>, Reserved), (Claim, Full)> {
    let mut sheet = Sheet::read(bytes);
    let now = sheet.advance(wall_millis);
    let mut reserved = Reserved::default();
    let refusals = wants.iter().filter_map(|want| {
        let full = check(&sheet, want, now).err()?;
        (!want.claim.rule.is_shadow).then(|| (want.claim.clone(), full))
    });
    if let Some(refusal) = worst(refusals) {
        return Err(refusal);
    }
    for want in wants {
        let Want { claim, amount } = want;
        let (rule, amount) = (&claim.rule, *amount);
        let is_exceeded = rule.is_shadow && check(&sheet, want, now).is_err();
        let Some(counter) = sheet.counter_mut(claim.subject, rule.id, rule.bound, now) else { continue };
        // A pace that nobody heeds says what one that is heeded would, which takes no more when it is full.
        if !(is_exceeded && matches!(rule.bound.window, Window::Pace(_))) {
            counter.add(amount, rule.bound.max, lease, now);
            reserved.held.push(Reservation { claim: claim.clone(), amount, at: now });
        }
        let (used, reset_millis) = (counter.used(now), counter.reset_millis(now));
        reserved.standings.push(Standing { claim: claim.clone(), used, reset_millis, is_exceeded });
    }
    Ok((sheet.write(), reserved))
}

/// What is left under these claims.
pub(super) fn look(bytes: &[u8], claims: &[Claim], wall_millis: u64) -> Vec<Standing> {
    let mut sheet = Sheet::read(bytes);
    let now = sheet.advance(wall_millis);
    let standing = |claim: &Claim| {
        let counter = sheet.counter(claim.subject, claim.rule.id);
        let (used, reset_millis) = counter.map_or((0, 0), |counter| (counter.used(now), counter.reset_millis(now)));
        Standing { claim: claim.clone(), used, reset_millis, is_exceeded: used > claim.rule.bound.max }
    };
    claims.iter().map(standing).collect()
}

/// Takes back what was reserved. As of the last moment that was seen: who drops a grant has no clock.
pub(super) fn give_back(bytes: &[u8], held: &[Reservation], lease: u64) -> Vec<u8> {
    let mut sheet = Sheet::read(bytes);
    let now = sheet.latest();
    for Reservation { claim, amount, at } in held {
        for counter in sheet.counters(claim.subject, claim.rule.id) {
            counter.take_back(*amount, lease, *at, now);
        }
    }
    sheet.write()
}

/// Puts what a request did cost in the place of what was reserved. What was used beyond it is counted now: it was not used
/// before.
pub(super) fn settle(bytes: &[u8], held: &[Reservation], actual: &Amounts, lease: u64, wall_millis: u64) -> Vec<u8> {
    let mut sheet = Sheet::read(bytes);
    let now = sheet.advance(wall_millis);
    for (place, Reservation { claim, amount, at }) in held.iter().enumerate() {
        let rule = &claim.rule;
        let (before, others) = held.split_at(place);
        let before = before.iter().filter(|held| held.claim == *claim);
        let before = before.fold(0, |sum: u64, held| sum.saturating_add(held.amount));
        // What was reserved first is used first.
        let mut actual = rule.amount(actual).saturating_sub(before);
        if others.iter().skip(1).any(|held| held.claim == *claim) {
            actual = actual.min(*amount);
        }
        let unused = amount.saturating_sub(actual);
        for counter in sheet.counters(claim.subject, rule.id) {
            counter.take_back(unused, lease, *at, now);
        }
        if let Some(beyond) = actual.checked_sub(*amount).filter(|beyond| *beyond > 0)
            && let Some(counter) = sheet.counter_mut(claim.subject, rule.id, rule.bound, now)
        {
            counter.add(beyond, rule.bound.max, lease, now);
        }
    }
    sheet.write()
}

/// Renews the lease of what is under way.
pub(super) fn renew(bytes: &[u8], held: &[Reservation], lease: u64, wall_millis: u64) -> Vec<u8> {
    let mut sheet = Sheet::read(bytes);
    let now = sheet.advance(wall_millis);
    for Reservation { claim, amount, .. } in held {
        let rule = &claim.rule;
        if let Some(counter) = sheet.counter_mut(claim.subject, rule.id, rule.bound, now) {
            counter.add(*amount, rule.bound.max, lease, now);
        }
    }
    sheet.write()
}

fn check(sheet: &Sheet, Want { claim, amount }: &Want, now: Moment) -> Result<(), Full> {
    let (rule, amount) = (&claim.rule, *amount);
    match sheet.counter(claim.subject, rule.id) {
        Some(counter) => counter.check(amount, rule.bound.max, now),
        None if amount > rule.bound.max => Err(Full { retry_after_millis: None }),
        None => Ok(()),
    }
}
