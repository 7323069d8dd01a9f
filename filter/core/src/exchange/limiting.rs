//! Whether a planned request is let in: what it is expected to cost, and what the caller is told where a limit has no room.

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::time::Duration;

use crate::{
    auth::Caller,
    direct,
    error::{Error, Kind, Shape},
    gateway::Gateway,
    host::Surroundings,
    limit::{self, Asker, Claim, Denied, Refusal, headers},
    plan::{Allowance, Estimate, Plan},
    route::estimate,
    step::Reply,
};

/// A request that is not planned, and what its answer tells beside.
#[derive(Debug)]
pub(super) struct Refused {
    error: Error,
    headers: Vec<(&'static str, String)>,
}

impl Refused {
    pub(super) fn reply(self, shape: Shape) -> Reply {
        self.headers.into_iter().fold(self.error.reply(shape), |reply, (name, value)| reply.with(name, value))
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, headers: Vec::new() }
    }
}

/// Tells the limits of who asked for something that nobody can be asked for.
pub(super) fn tell(
    refused: Refused,
    gateway: &Gateway,
    (caller, router): (Caller, Option<String>),
    around: &Surroundings<'_>,
) -> Refused {
    let seed = around.observer.seed(around.entropy).ok().filter(|_| refused.headers.is_empty());
    let Some(seed) = seed else { return refused };
    let asker = Asker { caller: &caller, environment: gateway.environment.as_deref(), router: router.as_deref() };
    let mut claims = gateway.limits.claims(seed, asker, "", "");
    claims.retain(Claim::is_told);
    let standings = around.observer.limiter().standings(claims, around.clock.epoch_millis());
    Refused { headers: headers(&standings, gateway.limits.soft), ..refused }
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
    let allowance = Allowance::new((gateway, around.observer), seed, (caller, router), expected(plan));
    plan.admit(allowance, around.entropy, now).map_err(|refusal| match refusal {
        Refusal::Denied(denied) => deny(&denied, gateway),
        Refusal::Unavailable => unavailable().into(),
    })
}

/// What a request is expected to use up.
fn expected(plan: &Plan) -> Estimate {
    let request = &plan.inquiry.request;
    let input_tokens = estimate::tokens(request.contents.text_length, request.contents.images);
    let all = Estimate { input_tokens, max_output_tokens: request.max_output_tokens };
    match plan.inquiry.direct.as_ref().map(direct::Request::costs) {
        None | Some((true, true)) => all,
        Some((true, false)) => Estimate { max_output_tokens: Some(0), ..all },
        Some((false, _)) => Estimate { input_tokens: 0, max_output_tokens: Some(0) },
    }
}

/// Says which limit has no room, and when it has.
fn deny(denied: &Denied, gateway: &Gateway) -> Refused {
    let Denied { rule, retry_after_millis, standings } = denied;
    let name = &rule.name;
    let seconds = retry_after_millis.map(|millis| millis.div_ceil(1_000).max(1));
    let (kind, what) = match rule.kind {
        limit::Kind::Rate => (Kind::RateLimited, "limit"),
        limit::Kind::Budget => (Kind::InsufficientQuota, "budget"),
    };
    let message = match (seconds, rule.kind) {
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
    let mut headers = headers(standings, gateway.limits.soft);
    if let Some(seconds) = seconds {
        headers.push(("retry-after", format!("{seconds}")));
    }
    Refused { error: Error::new(kind, message), headers }
}

/// Nobody is let in who cannot be counted.
fn unavailable() -> Error {
    Error::new(Kind::UpstreamUnavailable, "The gateway cannot count what its limits are for; try again.")
}
