//! What one target has been through since it failed.

use core::time::Duration;

use crate::{
    config::Cooldown,
    store::{Reader, Writer},
};

use super::FORGOTTEN_AFTER_MILLIS;

/// How long a probe has to tell whether its target is well. Longer than most answers take to begin; a provider that hangs is
/// then tried by six requests a minute.
const PROBE_MILLIS: u64 = 10_000;

/// A target is an outlier that failed at so many of its last requests: half. Where fewer fail, more requests are served by it
/// than sent on by it. Not of less than eight: three failures in a row would be most of five for a long time after.
const OUTLIER: (u32, u32) = (1, 2);
const OUTLIER_OUTCOMES: u32 = 8;

/// For so long an outlier is passed over whose failures make nothing cool by themselves, the first time. The usual cool-down.
const EJECTION: Duration = Duration::from_secs(30);

/// How many outcomes are remembered.
const MOST_OUTCOMES: u32 = 24;

/// Why a target failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It could not be reached, or it hung up.
    Connection,
    /// It did not answer in time.
    Timeout,
    /// It has had too many requests.
    RateLimited,
    /// It does not accept the gateway's credential.
    CredentialRefused,
    /// It says that it cannot answer.
    ServerError,
    /// What it answers is no answer.
    BadAnswer,
}

/// What a failure tells of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symptom {
    /// Why.
    pub trouble: Trouble,
    /// After which time it wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// When a try at a target was under way, in milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// When it was sent.
    pub began_millis: u64,
    /// When it was known how it went.
    pub ended_millis: u64,
}

/// How a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is asked like any other.
    Healthy,
    /// It is passed over until then, in milliseconds since the epoch.
    Cooling(u64),
    /// One request may be its probe; where there is one, the others pass it over until then.
    HalfOpen(Option<u64>),
}

/// Who has claimed a probe: a number that no other claim has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim(pub u64);

/// Whether a request may go to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// As any other.
    Open,
    /// As its probe: the claim holds.
    Probe,
    /// Not before others.
    Closed,
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct History {
    /// Failures in a row.
    failures: u8,
    outcomes: Outcomes,
    trouble: Trouble,
    /// It cools until then; nothing where it does not.
    until_millis: u64,
    /// So long in all. A clock that was set back must not make it longer.
    span_millis: u64,
    /// The probe has until then; nothing where there is none.
    probe_millis: u64,
    /// Whose it is, or was.
    probe: Claim,
    /// The last failure that changed anything, to the second: where failures make nothing cool, each must not be a write once all
    /// outcomes that are remembered are failures.
    failed_at_seconds: u32,
}

/// The last outcomes, the newest last, a failure a one; before them a one that ends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcomes(u32);

impl Trouble {
    /// As an operator reads it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Connection => "connection_failed",
            Self::Timeout => "timed_out",
            Self::RateLimited => "rate_limited",
            Self::CredentialRefused => "credential_refused",
            Self::ServerError => "server_error",
            Self::BadAnswer => "bad_answer",
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Connection => 0,
            Self::Timeout => 1,
            Self::RateLimited => 2,
            Self::CredentialRefused => 3,
            Self::ServerError => 4,
            Self::BadAnswer => 5,
        }
    }

    fn decode(code: u8) -> Option<Self> {
        use Trouble::{BadAnswer, Connection, CredentialRefused, RateLimited, ServerError, Timeout};
        let troubles = [Connection, Timeout, RateLimited, CredentialRefused, ServerError, BadAnswer];
        troubles.into_iter().find(|trouble| trouble.code() == code)
    }
}

impl State {
    /// Until when a target is passed over while there is another.
    #[must_use]
    pub fn closed_until_millis(self) -> Option<u64> {
        match self {
            Self::Healthy | Self::HalfOpen(None) => None,
            Self::Cooling(until) | Self::HalfOpen(Some(until)) => Some(until),
        }
    }
}

impl History {
    /// The history of a target before its first failure, and what that is.
    pub(super) fn new(trouble: Trouble) -> Self {
        Self {
            failures: 0,
            outcomes: Outcomes::NONE,
            trouble,
            until_millis: 0,
            span_millis: 0,
            probe_millis: 0,
            probe: Claim(0),
            failed_at_seconds: 0,
        }
    }

    pub(super) fn trouble(&self) -> Trouble {
        self.trouble
    }

    pub(super) fn until_millis(&self) -> u64 {
        self.until_millis
    }

    pub(super) fn state(&self, now_millis: u64) -> State {
        let left =
            |until: u64, span: u64| Some(until).filter(|_| (1..=span).contains(&until.saturating_sub(now_millis)));
        if self.until_millis == 0 {
            State::Healthy
        } else if let Some(until) = left(self.until_millis, self.span_millis) {
            State::Cooling(until)
        } else {
            State::HalfOpen(left(self.probe_millis, PROBE_MILLIS))
        }
    }

    /// Whether nothing of it matters any more.
    pub(super) fn is_forgotten(&self, now_millis: u64) -> bool {
        let failed_at = u64::from(self.failed_at_seconds).saturating_mul(1_000);
        let last = failed_at.max(self.until_millis.min(failed_at.saturating_add(self.span_millis)));
        now_millis.saturating_sub(last) > FORGOTTEN_AFTER_MILLIS
    }

    /// Whether it has not failed at any of the outcomes that are remembered, and does not cool.
    pub(super) fn is_sound(&self) -> bool {
        self.until_millis == 0 && self.outcomes.failures() == 0
    }

    pub(super) fn fail(&mut self, symptom: Symptom, cooldown: Cooldown, period: Period) {
        let now_millis = period.ended_millis;
        let asked = symptom.retry_after.map(|after| millis(after.min(cooldown.max)));
        if self.is_old(period) {
            let until = now_millis.saturating_add(asked.unwrap_or_default());
            if until > self.until_millis {
                (self.until_millis, self.span_millis) = (until, asked.unwrap_or_default());
                self.trouble = symptom.trouble;
            }
            return;
        }
        self.note_failure(symptom.trouble, now_millis);
        self.probe_millis = 0;
        self.until_millis = 0;
        self.cool(asked.unwrap_or_else(|| self.span(cooldown)), now_millis);
    }

    /// A failure that nobody is to be spared: it makes nothing cool by itself, only one that is most of what there was.
    pub(super) fn err(&mut self, trouble: Trouble, cooldown: Cooldown, period: Period) {
        if self.is_old(period) {
            return;
        }
        self.note_failure(trouble, period.ended_millis);
        if self.outcomes.are_of_an_outlier() {
            self.probe_millis = 0;
            self.cool(self.span(cooldown), period.ended_millis);
        }
    }

    fn note_failure(&mut self, trouble: Trouble, now_millis: u64) {
        self.outcomes.push(true);
        self.trouble = trouble;
        self.failed_at_seconds = u32::try_from(now_millis / 1_000).unwrap_or(u32::MAX);
    }

    fn cool(&mut self, span_millis: u64, now_millis: u64) {
        if span_millis > 0 {
            self.failures = self.failures.saturating_add(1);
            (self.until_millis, self.span_millis) = (now_millis.saturating_add(span_millis), span_millis);
        }
    }

    /// How long it cools that does not say so itself.
    fn span(&self, cooldown: Cooldown) -> u64 {
        let is_ejected = cooldown.default.is_zero() && self.outcomes.are_of_an_outlier();
        let base = if is_ejected { EJECTION } else { cooldown.default };
        let doublings = 1_u32.checked_shl(self.failures.into()).unwrap_or(u32::MAX);
        millis(base.saturating_mul(doublings).min(cooldown.max))
    }

    /// Whether a try was under way when the target failed, or was sent in spite of that: it tells nothing new.
    fn is_old(&self, period: Period) -> bool {
        period.began_millis < self.until_millis && self.is_plausible(period.ended_millis)
    }

    pub(super) fn succeed(&mut self, period: Period, now_millis: u64) {
        // One that began before the failure tells nothing of the time after it; what failed beside it does not count either.
        let failed_at = self.until_millis.saturating_sub(self.span_millis);
        if period.began_millis <= failed_at && self.is_plausible(now_millis) {
            return;
        }
        self.outcomes.push(false);
        self.until_millis = 0;
        self.probe_millis = 0;
        if !self.outcomes.are_of_an_outlier() {
            self.failures = 0;
        }
    }

    /// Whether the clock was not set back since it began to cool.
    fn is_plausible(&self, now_millis: u64) -> bool {
        self.until_millis.saturating_sub(now_millis) <= self.span_millis
    }

    pub(super) fn claim(&mut self, claim: Claim, now_millis: u64) -> Access {
        match self.state(now_millis) {
            State::Healthy => Access::Open,
            State::Cooling(_) | State::HalfOpen(Some(_)) => Access::Closed,
            State::HalfOpen(None) => {
                (self.probe, self.probe_millis) = (claim, now_millis.saturating_add(PROBE_MILLIS));
                Access::Probe
            }
        }
    }

    pub(super) fn release(&mut self, claim: Claim) {
        // A probe that took too long may end when another one is under way.
        if self.probe == claim {
            self.probe_millis = 0;
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            failures: reader.u8()?,
            outcomes: Outcomes(reader.u32()?),
            trouble: Trouble::decode(reader.u8()?)?,
            until_millis: reader.u64()?,
            span_millis: reader.u64()?,
            probe_millis: reader.u64()?,
            probe: Claim(reader.u64()?),
            failed_at_seconds: reader.u32()?,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.u8(self.failures);
        writer.u32(self.outcomes.0);
        writer.u8(self.trouble.code());
        writer.u64(self.until_millis);
        writer.u64(self.span_millis);
        writer.u64(self.probe_millis);
        writer.u64(self.probe.0);
        writer.u32(self.failed_at_seconds);
    }
}

impl Outcomes {
    const NONE: Self = Self(1);
    const MARK: u32 = 1 << MOST_OUTCOMES;

    fn push(&mut self, is_failure: bool) {
        let outcomes = (self.0 << 1) | u32::from(is_failure);
        // The oldest makes room.
        self.0 = if outcomes > Self::MARK { (outcomes % Self::MARK) | Self::MARK } else { outcomes };
    }

    fn count(self) -> u32 {
        self.0.checked_ilog2().unwrap_or_default()
    }

    fn failures(self) -> u32 {
        self.0.count_ones().saturating_sub(1)
    }

    fn are_of_an_outlier(self) -> bool {
        let (part, whole) = OUTLIER;
        self.count() >= OUTLIER_OUTCOMES && self.failures().saturating_mul(whole) >= self.count().saturating_mul(part)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
