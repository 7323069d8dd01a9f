//! A request that what was kept may answer: which one that is, and how it is answered.
//!
//! It is let in as any other, and planned. A kept answer is given only where its target could have been asked now. It counts as a request,
//! and uses nothing up.

use alloc::boxed::Box;
use core::time::Duration;

use crate::{
    auth::Caller,
    cache::{Place, Visit},
    error::{Error, Kind},
    gateway::Gateway,
    headers::Headers,
    host::Surroundings,
    plan::Plan,
    route::Way,
    surface::{Endpoint, Route},
};

/// A request whose head has come, where its router keeps answers of this kind.
///
/// # Errors
/// It says in a header what it cannot.
pub(super) fn visit(
    gateway: &Gateway,
    (caller, route): (&Caller, Route<'_>),
    (path, query): (&str, &str),
    headers: Headers<'_>,
) -> Result<Option<Box<Visit>>, Error> {
    let Route::Api(Way::Router(router), endpoint) = route else { return Ok(None) };
    let Some(rules) = gateway.routing.cache(router) else { return Ok(None) };
    match endpoint {
        Endpoint::ChatCompletions
        | Endpoint::Responses
        | Endpoint::Completions
        | Endpoint::Messages
        | Endpoint::Embeddings => {}
        // Pictures are large, and often an address that is soon gone; the others are no questions.
        Endpoint::Images
        | Endpoint::Kept
        | Endpoint::TokenCount
        | Endpoint::LiveMetrics
        | Endpoint::Policy
        | Endpoint::Other => return Ok(None),
    }
    let place = Place { environment: gateway.environment.as_deref(), router, path: route.behind(path), query };
    Visit::begin(rules, caller, place, headers)
}

/// Answers a plan's request with what was kept, or sees to it that its answer is.
pub(super) fn reuse(plan: &mut Plan, visit: Visit, now: Duration, around: &Surroundings<'_>) {
    let request = &plan.inquiry.request;
    // What these say depends on more than they say.
    if request.previous.is_some() || request.is_background || request.wishes.relies_on_kept() {
        return;
    }
    let Some(wanted) = visit.end() else { return };
    if let Some(found) = plan.look(&wanted, around.entropy, now) {
        plan.replay(found, now);
    } else if wanted.terms.asks {
        plan.record(wanted);
    } else {
        let message = "Nothing is kept for this request, and its `only-if-cached` lets nobody be asked.";
        plan.miss(&Error::new(Kind::UpstreamTimeout, message));
    }
}
