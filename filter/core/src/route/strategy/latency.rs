//! `latency`: the quicker of two that are drawn, then the others from the quickest on.
//!
//! Of two, and not of all: workers that all know the quickest target send it everything at once and make it the slowest. What
//! nobody has measured yet goes first, or it never would be; but not for ever. A target that refuses whatever it is asked, or whose
//! clients never wait for it, is not measured by that, and one that was measured once seems quicker with time. So after some tries in
//! a row that have shown nothing it goes last. One request in a few finds out whether that is still right: one, however many there
//! are of that kind, because what refuses it is asked in earnest.

use alloc::vec::Vec;

use super::Prospect;
use crate::{host::Observed, route::chance::Chance};

/// So many tries in a row may show nothing. Few enough to be no outage, more than the bad requests of one client in a row mostly are.
const MOST_BLANKS: u32 = 8;

/// One request in so many tries one of the targets that have shown nothing for long.
const SCOUTS: usize = 32;

/// Slower than any.
const LAST: u64 = u64::MAX - 1;

pub(in crate::route) fn rank(
    prospects: &[Prospect<'_>],
    is_stream: bool,
    observed: &dyn Observed,
    chance: &Chance<'_>,
) -> Vec<u128> {
    let measure = |prospect: &Prospect<'_>| {
        let (first, is_ready) = prospect.first(observed)?;
        let known = observed.latency_millis(&first.target, is_stream).map(|millis| millis.saturating_add(1));
        // Of a new one, those that are still waited for have shown nothing either.
        let waiting = if known.is_none() { observed.in_flight(&first.target) } else { 0 };
        let latency = if observed.blanks(&first.target).saturating_add(waiting) < MOST_BLANKS {
            known.unwrap_or_default()
        } else {
            LAST
        };
        Some((latency, is_ready))
    };
    let measured: Vec<(u64, bool)> =
        prospects.iter().map(|prospect| measure(prospect).unwrap_or((u64::MAX, false))).collect();
    let ready = (0..).zip(&measured).filter(|(_, (_, is_ready))| *is_ready);
    let (blank, shown): (Vec<_>, Vec<_>) = ready.partition(|(_, (latency, _))| *latency == LAST);
    let is_scout = shown.is_empty() || (!blank.is_empty() && chance.below(SCOUTS) == 0);
    let winner = winner(if is_scout { &blank } else { &shown }, chance);
    let rank = |(place, (latency, _)): (usize, &(u64, bool))| {
        if winner == Some(place) { 0 } else { u128::from(*latency).saturating_add(1) }
    };
    (0..).zip(&measured).map(rank).collect()
}

/// The place of the quicker of two of these.
fn winner(runners: &[(usize, &(u64, bool))], chance: &Chance<'_>) -> Option<usize> {
    let one = chance.below(runners.len());
    // Another one, each as likely as the others.
    let step = chance.below(runners.len().saturating_sub(1)).saturating_add(1);
    let other = one.saturating_add(step).checked_rem(runners.len())?;
    let ((one, (one_latency, _)), (other, (other_latency, _))) = (runners.get(one)?, runners.get(other)?);
    // The first drawn wins a tie: it is any.
    Some(if other_latency < one_latency { *other } else { *one })
}
