//! What is left of limits, as answers tell it.
//!
//! A caller is told of its own limits, of several the tightest, in the headers and formats of OpenAI's API, and of every budget
//! that it draws on: a team's, too, because all its keys stop when that is used up.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::config::{Decimal, Measure};

use super::rule::{Claim, Kind, Rule};

/// How a limit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose.
    pub claim: Claim,
    /// How much is used, what is under way included.
    pub used: u64,
    /// After which time nothing is used any more, if nobody asks.
    pub reset_millis: u64,
    /// Whether the request is beyond it: then nobody heeds it.
    pub is_exceeded: bool,
}

impl Standing {
    /// How much is left.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.claim.rule.bound.max.saturating_sub(self.used)
    }

    /// Whether so much of it is used.
    fn is_beyond(&self, part: Decimal) -> bool {
        const WHOLE: u128 = 1_000_000_000;
        let max = u128::from(self.claim.rule.bound.max);
        u128::from(self.used).saturating_mul(WHOLE) >= max.saturating_mul(part.billionths.into())
    }

    /// How many hundredths of it are used. All of one that allows nothing.
    fn percent(&self) -> u64 {
        let used = u128::from(self.used).saturating_mul(100);
        let percent = used.checked_div(self.claim.rule.bound.max.into()).unwrap_or(100);
        u64::try_from(percent).unwrap_or(u64::MAX)
    }

    /// The smaller the tighter; of two the one that lasts.
    fn tightness(&self) -> (u64, u64) {
        (self.remaining(), u64::MAX.saturating_sub(self.reset_millis))
    }
}

/// The headers that tell how limits stand; `soft` is the part of a budget from which answers warn. Who is refused is told of the
/// limit that has refused, whosoever it is, because by these headers clients wait.
#[must_use]
pub fn headers(standings: &[Standing], soft: Decimal, refused_by: Option<&Rule>) -> Vec<(&'static str, String)> {
    let heeded = || standings.iter().filter(|standing| !standing.claim.rule.is_shadow);
    let tightest = |measures: &[Measure]| {
        let has_refused = |standing: &Standing| refused_by.is_some_and(|rule| rule.id == standing.claim.rule.id);
        let fitting = heeded().filter(|standing| measures.contains(&standing.claim.rule.of));
        let told = fitting.filter(|standing| standing.claim.is_own || has_refused(standing));
        told.min_by_key(|standing| (!has_refused(standing), standing.tightness()))
    };
    let mut headers = Vec::new();
    if let Some(standing) = tightest(&[Measure::Requests]) {
        headers.push(("x-ratelimit-limit-requests", standing.claim.rule.bound.max.to_string()));
        headers.push(("x-ratelimit-remaining-requests", standing.remaining().to_string()));
        headers.push(("x-ratelimit-reset-requests", duration(standing.reset_millis)));
    }
    if let Some(standing) = tightest(&[Measure::Tokens, Measure::InputTokens, Measure::OutputTokens]) {
        headers.push(("x-ratelimit-limit-tokens", standing.claim.rule.bound.max.to_string()));
        headers.push(("x-ratelimit-remaining-tokens", standing.remaining().to_string()));
        headers.push(("x-ratelimit-reset-tokens", duration(standing.reset_millis)));
    }
    let budgets = heeded().filter(|standing| standing.claim.rule.kind == Kind::Budget);
    if let Some(standing) = budgets.max_by_key(|standing| standing.percent()).filter(|budget| budget.is_beyond(soft)) {
        headers.push(("x-dragoman-budget-warning", standing.claim.rule.name.clone()));
        headers.push(("x-dragoman-budget-used", format!("{}%", standing.percent())));
        headers.push(("x-dragoman-budget-reset", duration(standing.reset_millis)));
    }
    headers
}

/// A duration as OpenAI's API writes it, which is how Go does: `20ms`, `1.5s`, `6m0s`, `1h0m5s`.
fn duration(millis: u64) -> String {
    let (seconds, rest) = (millis / 1_000, millis % 1_000);
    if seconds == 0 && rest > 0 {
        return format!("{rest}ms");
    }
    let mut text = String::with_capacity(16);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    if hours > 0 {
        text.push_str(&hours.to_string());
        text.push('h');
    }
    if hours > 0 || minutes > 0 {
        text.push_str(&minutes.to_string());
        text.push('m');
    }
    text.push_str(&(seconds % 60).to_string());
    if rest > 0 {
        text.push_str(format!(".{rest:03}").trim_end_matches('0'));
    }
    text.push('s');
    text
}

#[cfg(test)]
mod tests {
    use alloc::rc::Rc;

    use super::*;
    use crate::limit::{Bound, Grain, Origin, Seed, Subject, Window};

    fn standing(of: Measure, kind: Kind, max: u64, used: u64, reset_millis: u64) -> Standing {
        let rule = Rule::new(
            Origin::Limit(None),
            "daily".into(),
            of,
            Bound { window: Window::Rolling(Grain::Hour), max },
            kind,
        );
        let subject = Seed::load(&crate::store::Memory::default(), &One).unwrap().address(Subject::Global);
        let claim = Claim { rule: Rc::new(rule), subject, is_own: true };
        Standing { claim, used, reset_millis, is_exceeded: false }
    }

    struct One;
    impl crate::host::Entropy for One {
        fn draw(&self) -> u64 {
            1
        }
    }

    fn soft() -> Decimal {
        Decimal::parse("0.8").unwrap()
    }

    #[test]
    fn durations_are_written_as_openai_writes_them() {
        for (millis, expected) in [
            (0, "0s"),
            (20, "20ms"),
            (1_000, "1s"),
            (1_500, "1.5s"),
            (7_066, "7.066s"),
            (360_000, "6m0s"),
            (3_605_010, "1h0m5.01s"),
            (86_400_000, "24h0m0s"),
        ] {
            assert_eq!(duration(millis), expected);
        }
    }

    #[test]
    fn the_tightest_of_the_callers_own_limits_is_told() {
        let others = Standing {
            claim: Claim { is_own: false, ..standing(Measure::Requests, Kind::Rate, 1, 1, 0).claim },
            ..standing(Measure::Requests, Kind::Rate, 1, 1, 0)
        };
        let standings = [
            standing(Measure::Requests, Kind::Rate, 100, 50, 1),
            standing(Measure::Requests, Kind::Rate, 60, 55, 60_000),
            standing(Measure::Concurrency, Kind::Rate, 1, 1, 0),
            standing(Measure::InputTokens, Kind::Rate, 1_000, 100, 20),
            others,
        ];
        let told = headers(&standings, soft(), None);
        let expected = [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", "5"),
            ("x-ratelimit-reset-requests", "1m0s"),
            ("x-ratelimit-limit-tokens", "1000"),
            ("x-ratelimit-remaining-tokens", "900"),
            ("x-ratelimit-reset-tokens", "20ms"),
        ];
        assert_eq!(told, expected.map(|(name, value)| (name, String::from(value))));
    }

    #[test]
    fn who_is_refused_is_told_of_the_limit_that_has_refused() {
        let own = standing(Measure::Requests, Kind::Rate, 30, 29, 2_000);
        let mut team = standing(Measure::Requests, Kind::Rate, 10, 2, 3_600_000);
        let bound = team.claim.rule.bound;
        team.claim.rule = Rc::new(Rule::new(Origin::Team, "team".into(), Measure::Requests, bound, Kind::Rate));
        team.claim.is_own = false;
        let told = |refused_by: Option<&Standing>| {
            let rule = refused_by.map(|standing| &*standing.claim.rule);
            headers(&[own.clone(), team.clone()], soft(), rule).remove(0).1
        };
        assert_eq!((told(None), told(Some(&own)), told(Some(&team))), ("30".into(), "30".into(), "10".into()));
    }

    #[test]
    fn answers_warn_from_the_soft_threshold_on() {
        let told = |used| headers(&[standing(Measure::Spend, Kind::Budget, 1_000, used, 3_600_000)], soft(), None);
        assert!(told(799).is_empty());
        let expected = [
            ("x-dragoman-budget-warning", "daily"),
            ("x-dragoman-budget-used", "80%"),
            ("x-dragoman-budget-reset", "1h0m0s"),
        ];
        assert_eq!(told(800), expected.map(|(name, value)| (name, String::from(value))));
    }
}
