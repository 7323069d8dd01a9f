//! What tokens cost, in billionths of a USD: whole numbers, because they are summed up against budgets.

use crate::{
    config::{Decimal, Price},
    usage::Usage,
};

/// Prices are for so many tokens.
const PER_TOKENS: u64 = 1_000_000;

impl Price {
    /// What tokens cost at most of which only the kind is known: whether input is cached, or output is reasoning, is not.
    #[must_use]
    pub fn dearest(self) -> Self {
        let Self { input, cached_input, cache_write, output, reasoning, image } = self;
        Self {
            input: input.max(cached_input).max(cache_write),
            output: output.max(reasoning),
            image,
            ..Self::default()
        }
    }

    /// What these tokens and pictures cost; nothing where what is used of them has no price that is known.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Option<u64> {
        let is_priced = |count: u64, price: Option<Decimal>| count == 0 || price.is_some();
        // A picture has a price of its own, whatever was said to have it drawn, or that of the tokens it is told in.
        let is_drawn = usage.images > 0;
        let is_known = (is_drawn && self.image.is_some())
            || (is_priced(usage.input, self.input)
                && is_priced(usage.output, self.output)
                && (!is_drawn || usage.output > 0));
        is_known.then(|| self.nano_usd(usage))
    }

    /// What these tokens and pictures cost. What has no price of its own has that of its kind, and what has none at all costs nothing. Rounded
    /// up.
    #[must_use]
    pub fn nano_usd(&self, usage: &Usage) -> u64 {
        let (cached, written) = (usage.cached_input, usage.cache_write);
        let parts = [
            (usage.input.saturating_sub(cached).saturating_sub(written), self.input),
            (cached, self.cached_input.or(self.input)),
            (written, self.cache_write.or(self.input)),
            (usage.output.saturating_sub(usage.reasoning), self.output),
            (usage.reasoning, self.reasoning.or(self.output)),
            // A picture's is for one.
            (usage.images.saturating_mul(PER_TOKENS), self.image),
        ];
        let cost = |(tokens, price): (u64, Option<Decimal>)| {
            u128::from(tokens).saturating_mul(price.map_or(0, |price| price.billionths).into())
        };
        let sum = parts.into_iter().map(cost).fold(0, u128::saturating_add);
        u64::try_from(sum.div_ceil(PER_TOKENS.into())).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Option<Decimal> {
        Decimal::parse(text)
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let price = Price {
            input: usd("2.5"),
            cached_input: usd("1.25"),
            cache_write: None,
            output: usd("10"),
            reasoning: None,
            image: usd("1"),
        };
        let usage =
            Usage { input: 100, cached_input: 40, cache_write: 20, output: 10, reasoning: 4, ..Usage::default() };
        assert_eq!(price.nano_usd(&usage), 60 * 2_500 + 40 * 1_250 + 10 * 10_000);
        assert_eq!(price.nano_usd(&Usage { images: 2, output: 1, ..Usage::default() }), 2_000_000_000 + 10_000);
        let price = Price { cache_write: usd("3"), reasoning: usd("0.0000001"), ..price };
        assert_eq!(price.nano_usd(&usage), 40 * 2_500 + 40 * 1_250 + 20 * 3_000 + 6 * 10_000 + 1);
        assert_eq!((Price::default().nano_usd(&usage), Price::default().cost(&usage)), (0, None));
        let dearest = Price { reasoning: usd("12"), ..price }.dearest();
        assert_eq!(dearest.nano_usd(&Usage { input: 100, output: 10, ..Usage::default() }), 100 * 3_000 + 10 * 12_000);
        assert_eq!(price.cost(&usage), Some(price.nano_usd(&usage)));
        let usage = Usage { input: u64::MAX, ..Usage::default() };
        assert_eq!(Price { input: usd("9"), ..Price::default() }.nano_usd(&usage), u64::MAX);
    }

    #[test]
    fn a_cost_is_known_where_all_that_was_used_has_a_price() {
        let tokens = Price { input: usd("2"), output: usd("8"), ..Price::default() };
        let pictures = Price { image: usd("0.04"), ..Price::default() };
        let used = |input, output, images| Usage { input, output, images, ..Usage::default() };
        for (price, usage, cost) in [
            (tokens, used(1, 1, 0), Some(10_000)),
            (tokens, used(0, 0, 0), Some(0)),
            (Price { output: None, ..tokens }, used(1, 0, 0), Some(2_000)),
            (Price { output: None, ..tokens }, used(1, 1, 0), None),
            (Price { input: None, ..tokens }, used(1, 1, 0), None),
            (pictures, used(9, 0, 2), Some(80_000_000)),
            (tokens, used(0, 10, 2), Some(80_000)),
            (tokens, used(9, 0, 2), None),
            (pictures, used(9, 1, 1), Some(40_000_000)),
        ] {
            assert_eq!(price.cost(&usage), cost, "{price:?} {usage:?}");
        }
    }
}
