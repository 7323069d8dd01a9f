//! From the candidates that are left to the targets of a plan, in their order.

use alloc::vec::Vec;

use super::{
    Cooling, MAX_TARGETS, What,
    candidate::Candidate,
    lists::Lists,
    refusal,
    strategy::ordered,
    survey::{Survey, spellings},
};
use crate::{error::Error, plan::Target};

impl<'a> Survey<'a> {
    /// Who is asked where those considered so far cannot do it. Of their own candidates nobody wants to know why not.
    pub(super) fn stand_ins(&mut self, lists: &'a Lists) -> Vec<Target> {
        if lists.is_empty() || self.met.is_empty() {
            return Vec::new();
        }
        let dropped = core::mem::take(&mut self.dropped);
        let cooling = core::mem::take(&mut self.cooling);
        let met = core::mem::take(&mut self.met);
        let spellings = spellings("", &met);
        let found = self.models(lists.of(self.query.model.unwrap_or_default(), &spellings));
        let found = self.able(found);
        let targets = self.in_order(found);
        (self.dropped, self.cooling, self.met) = (dropped, cooling, met);
        targets
    }

    /// The targets of these candidates; at least one. A lone one says by itself what it cannot do, and where in the request
    /// that stands; but not one that gets the request as it is.
    pub(super) fn targets(&mut self, mut found: Vec<Candidate<'a>>) -> Result<Vec<Target>, Error> {
        let is_native = |Candidate { target, .. }: &Candidate<'_>| match self.query.what {
            What::Chat(_, own) => target.account.speaks(target.provider.spec, own, &target.model),
            What::Task(_) => false,
        };
        if found.len() > 1 || found.iter().any(is_native) {
            found = self.able(found);
        }
        if found.is_empty() { Err(refusal::refuse(&self.dropped)) } else { Ok(self.in_order(found)) }
    }

    /// Each once; those that cool down behind the others, in the order in which they will be ready.
    fn in_order(&mut self, mut candidates: Vec<Candidate<'_>>) -> Vec<Target> {
        if candidates.len() > 1 {
            let all = candidates;
            candidates = Vec::with_capacity(all.len());
            for candidate in all {
                if !candidates.iter().any(|other| other.is_same(&candidate)) {
                    candidates.push(candidate);
                }
            }
            let observed = self.conditions.observed;
            let cooling = |candidate: &Candidate<'_>| candidate.cooling_until(observed);
            let rank = |candidate| cooling(candidate).map_or(0, |end| u128::from(end).saturating_add(1));
            let ranks: Vec<_> = candidates.iter().map(rank).collect();
            // Where all cool, none stands behind another for it.
            if ranks.contains(&0) {
                let told = |candidate: &Candidate<'_>| {
                    let target = || candidate.target.clone();
                    cooling(candidate).map(|until_millis| Cooling { target: target(), until_millis })
                };
                self.cooling.extend(candidates.iter().filter_map(told));
            }
            candidates = ordered(candidates, &ranks);
        }
        candidates.into_iter().take(MAX_TARGETS).map(|candidate| candidate.target).collect()
    }
}
