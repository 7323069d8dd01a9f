//! Whose a response head is that reaches the client's stream.

use alloc::string::String;

use crate::{
    host::Clock,
    limit::LIMIT_HEADER,
    plan::{Mode, Next, Plan},
    step::Reply,
};

use super::limiting::denied;

/// A response head on the client's stream, as far as it must be read to know whose it is.
pub trait Head {
    /// The status.
    fn status(&mut self) -> u16;
    /// Envoy's response code details.
    fn details(&mut self) -> String;
    /// A header.
    fn header(&mut self, name: &str) -> Option<String>;
}

/// What a response head on the client's stream is.
#[derive(Debug)]
pub enum Arrival {
    /// An attempt, or the gateway itself, has seen to it.
    Judged,
    /// The provider's own, and nobody has: the attempt runs on this stream.
    Provider,
    /// Envoy's: the try has failed, and another follows.
    Again,
    /// Envoy's, which makes no more tries although there are others to be asked: this is to be answered instead.
    Abandoned(Reply),
    /// Envoy's, or one that could not be said where it was judged: this is to be answered instead.
    Instead(Reply),
}

/// Envoy's response code details of an answer that a provider gave.
pub(super) const VIA_UPSTREAM: &str = "via_upstream";

/// Whose the answer to a request is that was sent on.
pub(super) fn arrival(plan: &Plan, head: &mut dyn Head, clock: &dyn Clock) -> Arrival {
    if let Some(reply) = plan.take_deferred() {
        return Arrival::Instead(reply);
    }
    if plan.is_settled() {
        return Arrival::Judged;
    }
    let status = head.status();
    let is_dispatch = plan.mode == Mode::Dispatch;
    // Envoy's own answers are all errors, and have their reasons.
    if is_dispatch && matches!(status, 1..400) {
        return Arrival::Provider;
    }
    let details = head.details();
    if is_dispatch && details == VIA_UPSTREAM {
        return Arrival::Provider;
    }
    // Without a reason it is the attempt's own, made where it could not find the plan.
    if details.is_empty() {
        return Arrival::Judged;
    }
    if let Some(reply) = denied(plan, &details, || head.header(LIMIT_HEADER), clock.now()) {
        return Arrival::Instead(reply);
    }
    // Behind its router Envoy has made all the tries that it will make.
    match plan.lost(status, &details, clock.now()) {
        Next::Try if is_dispatch => Arrival::Again,
        Next::Try => Arrival::Abandoned(plan.verdict()),
        Next::Nobody => Arrival::Instead(plan.verdict()),
    }
}
