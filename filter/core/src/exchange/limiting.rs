//! Whether a planned request is let in: what it is expected to cost, and what the caller is told where a limit has no room.

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::time::Duration;

use crate::{
    auth::Caller,
    config::Measure,
    error::{Error, Kind, Shape},
    gateway::Gateway,
    host::Surroundings,
    limit::{self, Asker, Claim, Denied, Refusal, headers},
    plan::{Allowance, Plan},
    step::Reply,
};

/// A request that is not planned, and what its answer tells beside.
#[derive(Debug)]
pub(super) struct Refused {
    error: Error,
    headers: Told,
    /// The limit that has no room, where it is one.
    limit: Option<String>,
}

/// Headers that say how limits stand.
pub(super) type Told = Vec<(&'static str, String)>;

impl Refused {
    /// The limit that has no room, where it is one.
    pub(super) fn limit(&self) -> Option<String> {
        self.limit.clone()
    }

    /// The answer. One that says nothing of limits yet says what `told` does.
    pub(super) fn reply(self, shape: Shape, told: impl FnOnce() -> Told) -> Reply {
        let headers = if self.headers.is_empty() { told() } else { self.headers };
        telling(self.error.reply(shape), headers)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, headers: Vec::new(), limit: None }
    }
}

/// How the limits stand of who asked for something that nobody can be asked for.
pub(super) fn told(gateway: &Gateway, (caller, router): (&Caller, Option<&str>), around: &Surroundings<'_>) -> Told {
    let Ok(seed) = around.observer.seed(around.entropy) else { return Told::new() };
    let asker = Asker { caller, environment: gateway.environment.as_deref(), router };
    let mut claims = gateway.limits.claims(seed, asker, "", "");
    claims.retain(Claim::is_told);
    let standings = around.observer.limiter().standings(claims, around.clock.epoch_millis());
    headers(&standings, gateway.limits.soft, None)
}

/// An answer that says these, too.
pub(super) fn telling(reply: Reply, told: Told) -> Reply {
    told.into_iter().fold(reply, |reply, (name, value)| reply.with(name, value))
}

/// Lets a plan's request in, if its caller's limits and those of one of its targets have room.
///
/// # Errors
/// No target has. Of several limits the one that has room first is told.
pub(super) fn limit(
    plan: &mut Plan,
    gateway: &Rc<Gateway>,
    (caller, router): (Caller, Option<String>),
    now: Duration,
    around: &Surroundings<'_>,
) -> Result<(), Refused> {
    if gateway.limits.is_empty() {
        return Ok(());
    }
    let seed = around.observer.seed(around.entropy).map_err(|_| unavailable())?;
    let allowance = Allowance::new((gateway, around.observer), seed, (caller, router), plan.inquiry.estimate());
    plan.admit(allowance, around.entropy, now).map_err(|refusal| match refusal {
        Refusal::Denied(denied) => deny(&denied, gateway),
        Refusal::Unavailable => unavailable().into(),
    })
}

/// What Envoy's own answer says where one of its rate limit filters gave it; `None` where none did. The filters stand behind the module,
/// so nobody was asked.
pub(super) fn denied(
    plan: &Plan,
    details: &str,
    limit: impl FnOnce() -> Option<String>,
    now: Duration,
) -> Option<Reply> {
    match details {
        "request_rate_limited" => {}
        "rate_limiter_error" => {
            let message = "The service that counts limits for this gateway cannot be asked; try again.";
            return Some(plan.refuse(&Error::new(Kind::UpstreamUnavailable, message)));
        }
        _ => return None,
    }
    let Some(limit) = limit().and_then(|name| plan.shared(&name)) else {
        let message = "A limit that is counted outside of this gateway is reached; try again later.";
        return Some(plan.refuse(&Error::new(Kind::RateLimited, message)));
    };
    plan.note_limit(&limit.name);
    let kind = if limit.of == Measure::Spend { limit::Kind::Budget } else { limit::Kind::Rate };
    let seconds = limit.wait_seconds(now.as_secs());
    Some(plan.refuse(&reached(&limit.name, kind, Some(seconds))).with("retry-after", format!("{seconds}")))
}

/// Says which limit has no room, and when it has.
fn deny(denied: &Denied, gateway: &Gateway) -> Refused {
    let Denied { rule, retry_after_millis, standings } = denied;
    let seconds = retry_after_millis.map(|millis| millis.div_ceil(1_000).max(1));
    let mut headers = headers(standings, gateway.limits.soft, Some(rule));
    if let Some(seconds) = seconds {
        headers.push(("retry-after", format!("{seconds}")));
    }
    Refused { error: reached(&rule.name, rule.kind, seconds), headers, limit: Some(rule.name.clone()) }
}

fn reached(name: &str, kind: limit::Kind, seconds: Option<u64>) -> Error {
    let (code, what) = match kind {
        limit::Kind::Rate => (Kind::RateLimited, "limit"),
        limit::Kind::Budget => (Kind::InsufficientQuota, "budget"),
    };
    let message = match (seconds, kind) {
        (None, _) => format!("This request may use more than the {what} `{name}` allows at all."),
        (Some(seconds), limit::Kind::Rate) => {
            format!("The limit `{name}` is reached; try again in {seconds} s.")
        }
        (Some(seconds), limit::Kind::Budget) => {
            format!(
                "The budget `{name}` is used up, or has too little left for this request; there is more in {seconds} s."
            )
        }
    };
    Error::new(code, message)
}

/// Nobody is let in who cannot be counted.
fn unavailable() -> Error {
    Error::new(Kind::UpstreamUnavailable, "The gateway cannot count what its limits are for; try again.")
}
