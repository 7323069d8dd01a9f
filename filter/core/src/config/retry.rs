//! How failures are survived: for the whole file, and what a router does otherwise.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use super::{
    collection::List,
    fields::{Fields, Nested, Section},
    form::{Choice, Whole},
    raw::Retry,
    time::{PAUSE, TIMEOUT},
};

/// Where attempts are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryMode {
    /// As the clusters of the file can.
    #[default]
    Auto,
    /// In the providers' clusters.
    Native,
    /// In the listener.
    Dispatch,
}

/// How long to wait before the same target is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Before the first time; doubled for each that follows, with jitter.
    pub base: Duration,
    /// At most; a provider that asks for more is not asked again.
    pub max: Duration,
}

/// How long a target that failed is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// Where the provider does not say; zero leaves what it asks for, and outliers.
    pub default: Duration,
    /// At most; zero switches all of it off.
    pub max: Duration,
}

/// What a router does otherwise. What is absent is as in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryOverride {
    /// Statuses that make a target fail.
    pub statuses: Option<Vec<u16>>,
    /// More tries at the same target.
    pub attempts: Option<u32>,
    /// How long to wait between them.
    pub backoff: Option<Backoff>,
    /// Bound of the time to the first content.
    pub deadline: Option<Duration>,
    /// How long a target that failed is passed over.
    pub cooldown: Option<Cooldown>,
}

const MODE: Choice<RetryMode> = Choice {
    first: ("auto", RetryMode::Auto),
    rest: &[("native", RetryMode::Native), ("dispatch", RetryMode::Dispatch)],
};

const STATUSES: List<Whole<u16>> = List(Whole { min: 400, max: 599 });
const ATTEMPTS: Whole<u32> = Whole { min: 0, max: 10 };

impl Default for Retry {
    fn default() -> Self {
        Self {
            mode: RetryMode::Auto,
            statuses: vec![408, 429, 500, 502, 503, 504, 529],
            attempts: 1,
            backoff: Backoff { base: Duration::from_millis(100), max: Duration::from_secs(2) },
            deadline: Duration::from_mins(1),
            cooldown: Cooldown { default: Duration::from_secs(30), max: Duration::from_mins(10) },
        }
    }
}

impl Section for Retry {
    const NAME: &'static str = "retry";
    const DOC: &'static str = "How failures are survived.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let usual = Self::default();
        Self {
            mode: fields.defaulted(
                "mode",
                &MODE,
                usual.mode,
                |retry| &retry.mode,
                "Where attempts are made: in the providers' clusters (native), in the listener (dispatch), or as can be.",
            ),
            statuses: fields.defaulted(
                "statuses",
                &STATUSES,
                usual.statuses,
                |retry| &retry.statuses,
                "Statuses that make a target fail.",
            ),
            attempts: fields.defaulted(
                "attempts",
                &ATTEMPTS,
                usual.attempts,
                |retry| &retry.attempts,
                "More tries at the same target. Where there may be one, Envoy keeps a copy of the request's body.",
            ),
            backoff: fields.section("backoff", |retry| &retry.backoff, "How long to wait between them."),
            deadline: fields.defaulted(
                "deadline",
                &TIMEOUT,
                usual.deadline,
                |retry| &retry.deadline,
                "Bound of the time to the first content, over all tries.",
            ),
            cooldown: fields.section("cooldown", |retry| &retry.cooldown, "How long a target that failed is passed over."),
        }
    }
}

impl Section for RetryOverride {
    const NAME: &'static str = "router_retry";
    const DOC: &'static str = "What a router does otherwise. What is not written is as in the file's `retry`.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            statuses: fields.optional(
                "statuses",
                &STATUSES,
                |retry| retry.statuses.as_ref(),
                "Statuses that make a target fail.",
            ),
            attempts: fields.optional(
                "attempts",
                &ATTEMPTS,
                |retry| retry.attempts.as_ref(),
                "More tries at the same target.",
            ),
            backoff: fields.optional(
                "backoff",
                &Nested::new(),
                |retry| retry.backoff.as_ref(),
                "How long to wait between them.",
            ),
            deadline: fields.optional(
                "deadline",
                &TIMEOUT,
                |retry| retry.deadline.as_ref(),
                "Bound of the time to the first content, over all tries.",
            ),
            cooldown: fields.optional(
                "cooldown",
                &Nested::new(),
                |retry| retry.cooldown.as_ref(),
                "How long a target that failed is passed over.",
            ),
        }
    }
}

impl Section for Backoff {
    const NAME: &'static str = "backoff";
    const DOC: &'static str = "How long to wait before the same target is asked again.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let usual = Retry::default().backoff;
        let backoff = Self {
            base: fields.defaulted(
                "base",
                &PAUSE,
                usual.base,
                |backoff| &backoff.base,
                "Before the first time; doubled for each that follows, with jitter.",
            ),
            max: fields.defaulted(
                "max",
                &PAUSE,
                usual.max,
                |backoff| &backoff.max,
                "At most. A provider that asks for more is not asked again.",
            ),
        };
        if backoff.base > backoff.max && fields.is_sound("") {
            fields.report("/max", "is less than `base`");
        }
        backoff
    }
}

impl Section for Cooldown {
    const NAME: &'static str = "cooldown";
    const DOC: &'static str = "How long a target that failed is passed over.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let usual = Retry::default().cooldown;
        let cooldown = Self {
            default: fields.defaulted(
                "default",
                &PAUSE,
                usual.default,
                |cooldown| &cooldown.default,
                "Where the provider does not say. `0s`: only what `Retry-After` asks for, and outliers.",
            ),
            max: fields.defaulted("max", &PAUSE, usual.max, |cooldown| &cooldown.max, "At most. `0s`: nothing cools."),
        };
        if cooldown.default > cooldown.max && fields.is_sound("") {
            fields.report("/max", "is less than `default`");
        }
        cooldown
    }
}
