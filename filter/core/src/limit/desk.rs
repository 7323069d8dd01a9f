//! What is done at one place: some claims are checked, reserved, settled or given back together, by one read and one write.
//!
//! Pure: bytes in, bytes out. What it costs to do this against other workers is the business of [`super::grant`].

use alloc::vec::Vec;

use super::{
    measure::{Full, Moment},
    report::Standing,
    rule::{Amounts, Claim},
    sheet::Sheet,
    subject::Address,
};

/// Something that was reserved.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) claim: Claim,
    pub(super) amount: u64,
    at: Moment,
}

/// What was reserved at one place, and what is left.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    pub(super) held: Vec<Held>,
    pub(super) standings: Vec<Standing>,
}

/// Of several refusals, the one that is over last: who waits for it is not refused by another.
pub(super) fn worst(refusals: impl Iterator<Item = (Claim, Full)>) -> Option<(Claim, Full)> {
    refusals.max_by_key(|(_, full)| full.retry_after_millis.map_or(u64::MAX, |millis| millis.min(u64::MAX >> 1)))
}

/// Reserves what a request may cost, under all of these claims or none; the bytes, if so.
pub(super) fn reserve(
    bytes: &[u8],
    claims: &[Claim],
    amounts: &Amounts,
    lease: u64,
    wall_millis: u64,
) -> Result<(Vec<u8>, Reserved), (Claim, Full)> {
    let mut sheet = Sheet::read(bytes);
    let now = sheet.advance(wall_millis);
    let mut reserved = Reserved::default();
    let refusals = claims.iter().filter_map(|claim| {
        let full = check(&sheet, claim, amounts, now).err()?;
        (!claim.rule.is_shadow).then(|| (claim.clone(), full))
    });
    if let Some(refusal) = worst(refusals) {
        return Err(refusal);
    }
    for claim in claims {
        let (rule, amount) = (&claim.rule, claim.rule.amount(amounts));
        let is_exceeded = rule.is_shadow && check(&sheet, claim, amounts, now).is_err();
        let Some(counter) = sheet.counter_mut(claim.subject, rule.id, rule.bound, now) else { continue };
        counter.add(amount, rule.bound.max, lease, now);
        let (used, reset_millis) = (counter.used(now), counter.reset_millis(now));
        reserved.held.push(Held { claim: claim.clone(), amount, at: now });
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

/// Forgets a subject.
pub(super) fn forget(bytes: &[u8], subject: Address) -> Vec<u8> {
    let mut sheet = Sheet::read(bytes);
    sheet.forget(subject);
    sheet.write()
}

/// Takes back what was reserved. As of the last moment that was seen: who drops a grant has no clock.
pub(super) fn give_back(bytes: &[u8], held: &[Held], lease: u64) -> Vec<u8> {
    let mut sheet = Sheet::read(bytes);
    let now = sheet.latest();
    for Held { claim, amount, at } in held {
        for counter in sheet.counters(claim.subject, claim.rule.id) {
            counter.take_back(*amount, lease, *at, now);
        }
    }
    sheet.write()
}

/// Puts what a request did cost in the place of what was reserved. What was used beyond it is counted now: it was not used
/// before.
pub(super) fn settle(bytes: &[u8], held: &[Held], actual: &Amounts, lease: u64, wall_millis: u64) -> Vec<u8> {
    let mut sheet = Sheet::read(bytes);
    let now = sheet.advance(wall_millis);
    for Held { claim, amount, at } in held {
        let rule = &claim.rule;
        let actual = rule.amount(actual);
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
pub(super) fn renew(bytes: &[u8], held: &[Held], lease: u64, wall_millis: u64) -> Vec<u8> {
    let mut sheet = Sheet::read(bytes);
    let now = sheet.advance(wall_millis);
    for Held { claim, amount, .. } in held {
        let rule = &claim.rule;
        if let Some(counter) = sheet.counter_mut(claim.subject, rule.id, rule.bound, now) {
            counter.add(*amount, rule.bound.max, lease, now);
        }
    }
    sheet.write()
}

fn check(sheet: &Sheet, claim: &Claim, amounts: &Amounts, now: Moment) -> Result<(), Full> {
    let (rule, amount) = (&claim.rule, claim.rule.amount(amounts));
    match sheet.counter(claim.subject, rule.id) {
        Some(counter) => counter.check(amount, rule.bound.max, now),
        None if amount > rule.bound.max => Err(Full { retry_after_millis: None }),
        None => Ok(()),
    }
}
