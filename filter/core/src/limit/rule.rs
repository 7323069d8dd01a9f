//! One limit, ready to be counted.

use alloc::{rc::Rc, string::String};

use crate::{auth::Glob, config::Measure};

use super::{measure::Bound, subject::Address};

/// So much of what, in which time, for which targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which counter it has: see [`Rule::new`].
    pub(super) id: u64,
    /// What a refusal calls it.
    pub name: String,
    /// What is counted; money in billionths of a USD.
    pub of: Measure,
    /// How much of it, in which time.
    pub bound: Bound,
    /// What its refusal tells the caller.
    pub kind: Kind,
    /// Counted and reported, never enforced.
    pub is_shadow: bool,
    pub(super) provider: Option<Glob>,
    pub(super) model: Option<Glob>,
}

/// Which part of the file a rule is of. What is written in an environment is another one than its namesakes elsewhere; budgets
/// need no environment, because their subject says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A limit, of this environment where it is not the top level's.
    Limit(Option<&'a str>),
    /// The rate limit of a router, likewise.
    Router(Option<&'a str>),
    /// The budget of a key.
    Key,
    /// The budget of a team.
    Team,
}

/// What a refusal tells the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Too fast: `rate_limit_exceeded`.
    Rate,
    /// Used up: `insufficient_quota`.
    Budget,
}

/// A rule that is for a request, and who it counts the request for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The rule.
    pub rule: Rc<Rule>,
    /// Who shares the count.
    pub subject: Address,
    /// Whether that is the caller alone: what is left of it is told.
    pub is_own: bool,
}

/// What a request costs, or may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amounts {
    /// Tokens of the request.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
    /// Money, in billionths of a USD.
    pub nano_usd: u64,
}

impl Claim {
    /// Whether the caller is told how it stands: its own limits, and all budgets.
    pub(crate) fn is_told(&self) -> bool {
        self.is_own || self.rule.kind == Kind::Budget
    }
}

impl Rule {
    /// A rule for all targets. Its counter is known by whose it is, its name and what is counted in which time: another
    /// greatest value is the same limit, and tokens in an hour say nothing of money in a day.
    #[must_use]
    pub fn new(origin: Origin<'_>, name: String, of: Measure, bound: Bound, kind: Kind) -> Self {
        let (section, environment) = match origin {
            Origin::Limit(environment) => (b'l', environment),
            Origin::Router(environment) => (b'r', environment),
            Origin::Key => (b'k', None),
            Origin::Team => (b't', None),
        };
        let measure = match of {
            Measure::Tokens => b't',
            Measure::InputTokens => b'i',
            Measure::OutputTokens => b'o',
            Measure::Requests => b'r',
            Measure::Concurrency => b'c',
            Measure::Spend => b's',
        };
        // The operator writes these names: a hash without a key will do. None of them has a zero byte.
        let names = name.bytes().chain([0]).chain(environment.unwrap_or_default().bytes());
        let id = crate::fnv::hash(names.chain([0, section, measure]).chain(bound.window.code().to_le_bytes()));
        Self { id, name, of, bound, kind, is_shadow: false, provider: None, model: None }
    }

    /// Whether it is for a target.
    #[must_use]
    pub fn is_for(&self, provider: &str, model: &str) -> bool {
        self.provider.as_ref().is_none_or(|glob| glob.matches(provider))
            && self.model.as_ref().is_none_or(|glob| glob.matches_model(provider, model))
    }

    /// Whether it may have room for one target and none for another: it is for one of them, or counts what differs between
    /// them, which is what answers may cost, and what providers put before a question.
    pub(super) fn tells_targets_apart(&self) -> bool {
        let differs = match self.of {
            Measure::Tokens | Measure::InputTokens | Measure::OutputTokens | Measure::Spend => true,
            Measure::Requests | Measure::Concurrency => false,
        };
        differs || self.provider.is_some() || self.model.is_some()
    }

    /// What of a request's cost it counts.
    pub(super) fn amount(&self, amounts: &Amounts) -> u64 {
        match self.of {
            Measure::Tokens => amounts.input_tokens.saturating_add(amounts.output_tokens),
            Measure::InputTokens => amounts.input_tokens,
            Measure::OutputTokens => amounts.output_tokens,
            Measure::Requests | Measure::Concurrency => 1,
            Measure::Spend => amounts.nano_usd,
        }
    }
}
