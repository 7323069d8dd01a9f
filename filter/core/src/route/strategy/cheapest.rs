//! `cheapest`: the least price for the tokens that are expected; what has no price comes last.

use alloc::vec::Vec;

use super::Prospect;
use crate::{
    config::{Decimal, Price},
    host::Observed,
    route::estimate::USUAL_OUTPUT,
};

/// What a request is expected to consume.
#[derive(Debug, Clone, Copy)]
pub(in crate::route) enum Expected {
    /// Tokens.
    Tokens { input: u64, output: u64 },
    /// A picture.
    Image,
}

impl Expected {
    pub(in crate::route) fn answered(input: u64, max_output: Option<u64>) -> Self {
        Self::Tokens { input, output: max_output.map_or(USUAL_OUTPUT, |max| max.min(USUAL_OUTPUT)) }
    }

    fn cost(self, price: &Price) -> Option<u128> {
        let times = |price: Decimal, count: u64| u128::from(price.billionths).saturating_mul(count.into());
        match self {
            Self::Tokens { input, output: 0 } => price.input.map(|price| times(price, input)),
            Self::Tokens { input, output } => {
                Some(times(price.input?, input).saturating_add(times(price.output?, output)))
            }
            Self::Image => price.image.map(|price| times(price, 1)),
        }
    }
}

pub(in crate::route) fn rank(prospects: &[Prospect<'_>], expected: Expected, observed: &dyn Observed) -> Vec<u128> {
    let cost = |prospect: &Prospect<'_>| expected.cost(&prospect.first(observed)?.0.choice.price());
    prospects.iter().map(|prospect| cost(prospect).unwrap_or(u128::MAX)).collect()
}
