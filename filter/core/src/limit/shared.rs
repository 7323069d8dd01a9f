//! Limits that a service counts for several gateways.
//!
//! Envoy's own rate limit filters ask it, one for each limit, so that each fails as its limit says and a refusal names it. The module
//! says in properties for whom a request counts, when it is planned, and when it is over what it has used; what has no property asks
//! nobody. So the names here are read by two: by who renders the filters, and by the module.
//!
//! What such a service cannot do stays here: it takes nothing back (concurrency), knows nothing of a plan's targets, and refuses
//! whatever it is asked (shadow).

use alloc::{string::String, vec::Vec};

use crate::config::{Config, Limit, LimitTarget, LimitsBackend, Measure, OnError, Period, RatelimitService, Scope};

use super::rule::Amounts;

/// The header in which Envoy's refusal names the limit. No client sees it.
pub const LIMIT_HEADER: &str = "x-dragoman-limit";

/// The most that one charge may say: of more, Envoy would send nothing.
const MOST: u64 = 1_000_000_000;

/// Services count in 32 bits: of money, millionths of a USD.
const NANO_USD_PER_HIT: u64 = 1_000;

/// A limit that a service counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// By which the service knows it: `name`, or `name@environment` where it is an environment's own.
    pub name: String,
    /// What is counted.
    pub of: Measure,
    /// In which time.
    pub per: Period,
    /// How much of it, as the service counts it.
    pub max: u64,
    /// Who shares one count.
    pub scope: Scope,
    /// What happens when the service cannot be asked.
    pub on_error: OnError,
}

impl Shared {
    /// The limit, where the service counts it.
    #[must_use]
    pub fn of(limit: &Limit, environment: Option<&str>, service: &RatelimitService) -> Option<Self> {
        let per = limit.per.filter(|_| limit.enabled && !limit.shadow && limit.target == LimitTarget::default())?;
        let max = match limit.of {
            Measure::Concurrency => return None,
            Measure::Spend => limit.max.billionths / NANO_USD_PER_HIT,
            Measure::Tokens | Measure::InputTokens | Measure::OutputTokens | Measure::Requests => limit.max.whole()?,
        };
        let name = environment.map_or_else(|| limit.name.clone(), |of| [&limit.name, "@", of].concat());
        let on_error = limit.on_error.unwrap_or(service.on_error);
        Some(Self { name, of: limit.of, per, max, scope: limit.scope.clone(), on_error })
    }

    /// All of a file.
    #[must_use]
    pub fn all(config: &Config) -> Vec<Self> {
        let LimitsBackend::RatelimitService(service) = &config.limits_backend else { return Vec::new() };
        let top = config.limits.iter().filter_map(|limit| Self::of(limit, None, service));
        let others = config.environments.iter().flat_map(|environment| {
            environment.limits.iter().filter_map(|limit| Self::of(limit, Some(&environment.name), service))
        });
        top.chain(others).collect()
    }

    /// The property that says for whom a request counts.
    #[must_use]
    pub fn property(&self) -> String {
        ["dragoman.limit.", &self.name].concat()
    }

    /// The property that says what a request has used of what is counted; what is counted by the request has none.
    #[must_use]
    pub const fn used(&self) -> Option<&'static str> {
        match self.of {
            Measure::Tokens => Some("dragoman.used.tokens"),
            Measure::InputTokens => Some("dragoman.used.input_tokens"),
            Measure::OutputTokens => Some("dragoman.used.output_tokens"),
            Measure::Spend => Some("dragoman.used.spend"),
            Measure::Requests | Measure::Concurrency => None,
        }
    }

    /// What of that a request has used. A part of a hit is a whole one.
    pub(crate) fn hits(&self, used: &Amounts) -> u64 {
        let hits = match self.of {
            Measure::Tokens => used.input_tokens.saturating_add(used.output_tokens),
            Measure::InputTokens => used.input_tokens,
            Measure::OutputTokens => used.output_tokens,
            Measure::Spend => used.nano_usd.div_ceil(NANO_USD_PER_HIT),
            Measure::Requests | Measure::Concurrency => 0,
        };
        hits.min(MOST)
    }

    /// When its count begins anew, in seconds from this time on: such services count in steps of the clock, and a month is thirty days.
    pub(crate) fn wait_seconds(&self, epoch_seconds: u64) -> u64 {
        let step: u64 = match self.per {
            Period::Second => 1,
            Period::Minute => 60,
            Period::Hour => 3_600,
            Period::Day => 86_400,
            Period::Month => 2_592_000,
        };
        step.saturating_sub(epoch_seconds.checked_rem(step).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(of: Measure, per: Period) -> Shared {
        let (scope, on_error) = (Scope::Global, OnError::Allow);
        Shared { name: "a".into(), of, per, max: 1, scope, on_error }
    }

    #[test]
    fn what_was_used_is_told_in_whole_hits_and_never_more_than_envoy_sends() {
        let used = Amounts { input_tokens: 7, output_tokens: 5, nano_usd: 2_001 };
        for (of, property, hits) in [
            (Measure::Tokens, Some("dragoman.used.tokens"), 12),
            (Measure::InputTokens, Some("dragoman.used.input_tokens"), 7),
            (Measure::OutputTokens, Some("dragoman.used.output_tokens"), 5),
            (Measure::Spend, Some("dragoman.used.spend"), 3),
            (Measure::Requests, None, 0),
        ] {
            let limit = shared(of, Period::Day);
            assert_eq!((limit.used(), limit.hits(&used)), (property, hits), "{of:?}");
        }
        let used = Amounts { input_tokens: u64::MAX, output_tokens: 1, nano_usd: u64::MAX };
        for of in [Measure::Tokens, Measure::InputTokens, Measure::Spend] {
            assert_eq!(shared(of, Period::Day).hits(&used), 1_000_000_000, "{of:?}");
        }
    }

    #[test]
    fn a_count_begins_anew_when_the_clock_has_gone_another_step() {
        for (per, at, wait) in [
            (Period::Second, 7, 1),
            (Period::Minute, 60, 60),
            (Period::Minute, 119, 1),
            (Period::Hour, 3_601, 3_599),
            (Period::Day, 86_399, 1),
            (Period::Month, 2_592_001, 2_591_999),
        ] {
            assert_eq!(shared(Measure::Requests, per).wait_seconds(at), wait, "{per:?} {at}");
        }
    }
}
