//! One client request: the ingress state machine.
//!
//! head → who asks, what for, may they → body, scanned as it arrives → plan → forward. It never holds the body: the host
//! does. Each state holds exactly what that state has; a call that does not fit the state ends the exchange in an answer
//! that says so, it cannot panic.

mod admission;
mod arrival;
mod brief;
mod brought;
mod content;
mod environment;
mod keeper;
mod limiting;
mod listing;
mod pick;
mod planning;
mod reuse;
mod steer;

use alloc::{boxed::Box, rc::Rc, string::String, vec::Vec};
use core::mem;

pub use self::{
    admission::too_large,
    arrival::{Arrival, Head},
};
use self::{
    admission::{Reading, admit},
    arrival::arrival,
    brief::Brief,
    environment::settle,
    limiting::{telling, told},
    planning::plan,
};
use crate::{
    audit::{self, Decision},
    auth::Caller,
    content::Content,
    error::{Error, Kind, Shape},
    gateway::Gateway,
    headers::Headers,
    host::{Clock, Surroundings},
    live::Roster,
    plan::Plan,
    record::Record,
    step::{Reply, Step},
    surface::Route,
};

/// One client request.
#[derive(Debug)]
pub struct Exchange {
    gateway: Rc<Gateway>,
    brief: Brief,
    /// What was said, as far as that is kept.
    content: Option<Box<Content>>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing is known yet.
    Fresh,
    /// The head is accepted, the body is being read.
    Reading(Box<Reading>),
    /// The attempts own it.
    Forwarded(Rc<Plan>),
    /// The same while its body, which nobody reads, is passing: so much of it has.
    Passing(Rc<Plan>, u64),
    /// The gateway answered by itself, or everything is over.
    Settled,
}

impl Exchange {
    /// An exchange of which nothing is known yet.
    #[must_use]
    pub fn new(gateway: Rc<Gateway>) -> Self {
        let content = gateway.keeping.as_ref().map(|terms| Box::new(Content::new(Rc::clone(terms))));
        Self { gateway, brief: Brief::default(), content, state: State::Fresh }
    }

    /// The request's head has come; `end` says that there is no body.
    pub fn request_head(&mut self, headers: Headers<'_>, end: bool, around: &Surroundings<'_>) -> Step {
        if !matches!(self.state, State::Fresh) {
            return self.request_end(headers, around);
        }
        let target = headers.text(":path").unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut route = Route::of(path, |name| self.gateway.provider(name).is_some());
        self.brief = Brief::new(headers, path, matches!(route, Route::Health | Route::Ready));
        let mut caller = Ok(Caller::Anonymous);
        if !matches!(route, Route::Health | Route::Ready) {
            (self.gateway, caller) = settle(&self.gateway, headers, query, around);
            if self.gateway.environment.is_some() {
                route = Route::of(path, |name| self.gateway.provider(name).is_some());
            }
        }
        if let Ok(caller) = &caller {
            self.brief.admit(caller, route.router());
        }
        let asker = caller.as_ref().ok().filter(|_| !self.gateway.limits.is_empty()).cloned();
        match admit(&self.gateway, caller, headers, route, (path, query), end, around) {
            Ok(reading) => {
                let is_unread = !end && reading.scanner.is_none();
                self.state = State::Reading(Box::new(reading));
                if !end && !is_unread {
                    return Step::Wait;
                }
                let step = self.request_end(headers, around);
                if let State::Forwarded(plan) = &self.state
                    && is_unread
                {
                    self.state = State::Passing(Rc::clone(plan), 0);
                }
                step
            }
            Err(reply) => {
                self.state = State::Settled;
                self.brief.answered(&reply);
                Step::Reply(match asker {
                    // Lists of models, and whether the gateway is ready, are nothing that is limited.
                    Some(caller) if reply.status >= 400 && !matches!(route, Route::Ready | Route::Health) => {
                        telling(reply, told(&self.gateway, (&caller, route.router()), around))
                    }
                    Some(_) | None => reply,
                })
            }
        }
    }

    /// A piece of the request's body has come.
    pub fn request_chunk(&mut self, piece: Vec<u8>) -> Option<Reply> {
        let State::Reading(reading) = &mut self.state else { return None };
        reading.length = reading.length.saturating_add(piece.len());
        if let Some(content) = &mut self.content {
            content.request(&piece);
        }
        if u64::try_from(reading.length).unwrap_or(u64::MAX) > self.gateway.max_body {
            let reply = too_large(self.gateway.max_body).reply(reading.shape);
            self.state = State::Settled;
            self.brief.answered(&reply);
            return Some(reply);
        }
        if let Some(Ok(scanner)) = &mut reading.scanner
            && let Err(failure) = scanner.feed(&piece)
        {
            reading.scanner = Some(Err(failure));
            reading.visit = None;
        }
        if let Some(visit) = &mut reading.visit {
            visit.see(&piece);
        }
        reading.body.push(piece);
        None
    }

    /// Whether the request is on its way before its body has come.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self.state, State::Passing(..))
    }

    /// So many bytes more of a body are on their way.
    pub fn request_passed(&mut self, length: usize) -> Option<Reply> {
        let State::Passing(plan, passed) = &mut self.state else { return None };
        *passed = passed.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if *passed <= self.gateway.max_upload {
            return None;
        }
        let error = too_large(self.gateway.max_upload);
        // Where the answer has begun already, and costs what it costs, Envoy resets the stream in the place of a second one.
        let reply = if plan.is_settled() { error.reply(plan.inquiry.shape) } else { plan.refuse(&error) };
        self.state = State::Forwarded(Rc::clone(plan));
        Some(reply)
    }

    /// The request has come whole; `headers` are those of its head.
    pub fn request_end(&mut self, headers: Headers<'_>, around: &Surroundings<'_>) -> Step {
        match mem::replace(&mut self.state, State::Settled) {
            State::Reading(reading) => {
                let shape = reading.shape;
                let asker = (!self.gateway.limits.is_empty()).then(|| reading.asker());
                match plan(&self.gateway, reading, &mut self.brief, headers, around) {
                    Ok((plan, edits)) => {
                        self.state = State::Forwarded(Rc::clone(&plan));
                        plan.take_deferred().map_or_else(|| Step::Forward(plan, edits), Step::Reply)
                    }
                    Err(refused) => {
                        let told = || match &asker {
                            Some((caller, router)) => told(&self.gateway, (caller, router.as_deref()), around),
                            None => Vec::new(),
                        };
                        self.brief.limited(refused.limit());
                        let reply = refused.reply(shape, told);
                        self.brief.answered(&reply);
                        Step::Reply(reply)
                    }
                }
            }
            State::Fresh | State::Forwarded(_) | State::Passing(..) | State::Settled => {
                let error =
                    Error::new(Kind::Misconfigured, "The request came in an order that the gateway does not know.");
                Step::Reply(error.reply(Shape::OpenAi))
            }
        }
    }

    /// A response head reaches the client's stream. Where no attempt made it, Envoy did, and the answer says the same in the
    /// caller's dialect.
    pub fn response_head(&mut self, head: &mut dyn Head, clock: &dyn Clock) -> Arrival {
        match mem::replace(&mut self.state, State::Settled) {
            State::Forwarded(plan) | State::Passing(plan, _) => {
                let arrival = arrival(&plan, head, clock);
                self.state = State::Forwarded(plan);
                arrival
            }
            State::Reading(reading) => {
                let reply = match head.details().as_str() {
                    // Envoy's own buffer is smaller than `max_body`.
                    "request_payload_too_large" => too_large(self.gateway.max_body).reply(reading.shape),
                    "max_duration_timeout" | "request_overall_timeout" | "stream_idle_timeout" => {
                        let error = Error::new(Kind::InvalidRequest, "The request was ended before it was complete.");
                        Reply { status: head.status(), ..error.reply(reading.shape) }
                    }
                    // Another filter's, which had its reasons and says them.
                    _ => return Arrival::Judged,
                };
                self.brief.answered(&reply);
                Arrival::Instead(reply)
            }
            State::Fresh | State::Settled => Arrival::Judged,
        }
    }

    /// The plan of it, where what goes to the client is recorded.
    #[must_use]
    pub fn recorded(&self) -> Option<&Rc<Plan>> {
        self.plan().filter(|plan| plan.is_recorded())
    }

    /// What is written down of it, once it is over.
    pub fn record<'a>(&'a self, head: &mut dyn Head, clock: &dyn Clock) -> Record<'a> {
        match self.plan() {
            Some(plan) => self.brief.planned(&self.gateway, plan, head, clock),
            None => self.brief.alone(&self.gateway, head, clock),
        }
    }

    /// The lines of the audit log, where somebody wants them; `line` is the record's.
    #[must_use]
    pub fn audit(&self, record: &Record<'_>, line: &str) -> Option<String> {
        if !self.gateway.is_audited || record.is_probe {
            return None;
        }
        let nothing = Decision::default();
        let decision = self.brief.decision.as_deref().unwrap_or(&nothing);
        Some(audit::lines(record, line, decision, self.plan().map(Rc::as_ref)))
    }

    /// Who knows which models are listed where it was asked.
    #[must_use]
    pub fn roster(&self) -> &dyn Roster {
        &*self.gateway
    }

    /// How many of the last records are kept where it was asked.
    #[must_use]
    pub fn ring(&self) -> u32 {
        self.gateway.ring
    }

    /// What limits that a service counts are to be told, by property; known when the stream is over.
    pub fn charges(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.plan().into_iter().flat_map(|plan| plan.charges())
    }

    /// The stream is over, whoever has ended it.
    pub fn end(&self, head: &mut dyn Head, clock: &dyn Clock) {
        if let Some(plan) = self.plan() {
            plan.end(|| head.details(), clock);
        }
    }

    fn plan(&self) -> Option<&Rc<Plan>> {
        match &self.state {
            State::Forwarded(plan) | State::Passing(plan, _) => Some(plan),
            State::Fresh | State::Reading(_) | State::Settled => None,
        }
    }
}
