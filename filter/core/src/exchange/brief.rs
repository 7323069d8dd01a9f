//! What is known of a request from its head on, whoever answers it, and the record that it becomes in the end.

use alloc::{
    boxed::Box,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use super::{Head, arrival::VIA_UPSTREAM};
use crate::{
    audit::Decision,
    auth::{Caller, Key},
    dialect::head::ChatRequest,
    error::Kind,
    gateway::Gateway,
    headers::Headers,
    host::Clock,
    plan::{Cached, End, Plan, Summary, Target, breaks_off},
    record::{Outcome, Record},
    step::Reply,
};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Brief {
    id: String,
    method: String,
    path: String,
    is_probe: bool,
    is_admitted: bool,
    key: Option<Rc<Key>>,
    router: Option<String>,
    /// What it asks for, as far as it was read.
    model: Option<String>,
    is_stream: bool,
    /// The error in which the gateway has answered without a plan.
    error: Option<Kind>,
    /// The limit for which it has.
    limit: Option<String>,
    /// How it was decided whom it is for, where that is written down.
    pub(super) decision: Option<Box<Decision>>,
}

impl Brief {
    pub(super) fn new(headers: Headers<'_>, path: &str, is_probe: bool) -> Self {
        let text = |name| String::from(headers.text(name).unwrap_or_default());
        Self {
            id: text("x-request-id"),
            method: text(":method"),
            path: without_key(path).into(),
            is_probe,
            ..Self::default()
        }
    }

    /// It was let in.
    pub(super) fn admit(&mut self, caller: &Caller, router: Option<&str>) {
        self.is_admitted = true;
        self.key = if let Caller::Known(key) = caller { Some(Rc::clone(key)) } else { None };
        self.router = router.map(Into::into);
    }

    /// What it asks for is read.
    pub(super) fn read(&mut self, request: &ChatRequest) {
        self.model.clone_from(&request.model);
        self.is_stream = request.stream;
    }

    /// The gateway answers by itself.
    pub(super) fn answered(&mut self, reply: &Reply) {
        self.error = reply.error;
    }

    /// This limit has no room.
    pub(super) fn limited(&mut self, limit: Option<String>) {
        self.limit = limit;
    }

    /// The record of what was answered without a plan.
    pub(super) fn alone<'a>(&'a self, gateway: &'a Gateway, head: &mut dyn Head, clock: &dyn Clock) -> Record<'a> {
        let status = head.status();
        // Envoy's own answer, or nobody's.
        let details = if self.error.is_none() && status != 200 { reason(head) } else { String::new() };
        let outcome = judged(status).unwrap_or(Outcome::Answered);
        let now = clock.now();
        let limit = self.limit.clone();
        Record { status, outcome, limit, error: named(self.error, status), details, ..self.opened(gateway, now) }
    }

    /// The record of what was sent on.
    pub(super) fn planned<'a>(
        &'a self,
        gateway: &'a Gateway,
        plan: &Plan,
        head: &mut dyn Head,
        clock: &dyn Clock,
    ) -> Record<'a> {
        let Summary { tries, attempts, passed_over, limit, error, spent, content_at, cached, end } = plan.summary();
        // Of most requests it is known without a call to the host.
        let status = match (end, tries.last()) {
            (Some((End::Whole, _)), Some((_, status @ 200..300))) if error.is_none() => *status,
            _ => head.status(),
        };
        let began = plan.made_at();
        let (end, now) = end.map_or_else(|| (None, clock.now()), |(end, at)| (Some(end), at));
        let details = if end == Some(End::Whole) { String::new() } else { reason(head) };
        // A connection that breaks behind the head of an answer is told to no filter.
        let is_cut = end.is_none() && judged(status).is_none() && breaks_off(&details);
        let end = if is_cut { Some(End::Broken) } else { end };
        let outcome = judged(status).unwrap_or(match end {
            Some(End::Whole) => Outcome::Answered,
            Some(End::Broken | End::Fault(_)) => Outcome::Broken,
            None => Outcome::Abandoned,
        });
        let (error, fault) = match end {
            Some(End::Fault(status)) => (error, status),
            Some(End::Broken) => (error.or(Some(Kind::BadUpstream)), status),
            Some(End::Whole) | None => (error, status),
        };
        let cost = || {
            if let Some(Cached::Hit(_)) = &cached {
                return Some(0);
            }
            let (Target { provider, model, .. }, _) = tries.last()?;
            gateway.catalogue.price(provider, model).cost(&spent?.usage)
        };
        Record {
            status,
            outcome,
            error: named(error, fault),
            details,
            nano_usd: cost(),
            cached,
            spent,
            attempts,
            passed_over,
            first_content: content_at.map(|at| at.saturating_sub(began)),
            duration: now.saturating_sub(began),
            tries,
            limit,
            ..self.opened(gateway, began)
        }
    }

    fn opened<'a>(&'a self, gateway: &'a Gateway, began: Duration) -> Record<'a> {
        Record {
            id: &self.id,
            method: &self.method,
            path: &self.path,
            is_probe: self.is_probe,
            key: self.key.as_ref(),
            is_admitted: self.is_admitted,
            environment: gateway.environment.as_deref(),
            router: self.router.as_deref(),
            requested: self.model.as_deref(),
            is_stream: self.is_stream,
            tries: Vec::new(),
            attempts: String::new(),
            passed_over: String::new(),
            status: 0,
            outcome: Outcome::Abandoned,
            limit: None,
            error: None,
            details: String::new(),
            spent: None,
            nano_usd: None,
            cached: None,
            began,
            first_content: None,
            duration: Duration::ZERO,
        }
    }
}

/// Envoy's reason, where it has one of its own.
fn reason(head: &mut dyn Head) -> String {
    let details = head.details();
    if details == VIA_UPSTREAM { String::new() } else { details }
}

/// A path as far as no key stands in it: who puts one behind a wrong mark of a query has shown it to the gateway, and to nobody else.
fn without_key(path: &str) -> &str {
    path.split("key=").next().unwrap_or_default()
}

/// What a status alone says.
const fn judged(status: u16) -> Option<Outcome> {
    match status {
        0 => Some(Outcome::Abandoned),
        1..400 => None,
        400..500 => Some(Outcome::Refused),
        _ => Some(Outcome::Failed),
    }
}

/// What an error is called.
fn named(own: Option<Kind>, status: u16) -> Option<String> {
    own.map(|kind| kind.name().into()).or_else(|| (status >= 400).then(|| status.to_string()))
}
