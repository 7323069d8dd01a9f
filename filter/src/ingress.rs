//! The ingress role: one client request.

use std::{
    cell::{OnceCell, RefCell},
    mem,
    rc::Rc,
};

use dragoman_core::{
    audit,
    exchange::{Arrival, Exchange, Head},
    gateway::Gateway,
    headers::{HeaderMap, Headers},
    plan::{Mode, NEXT_PROPERTY, Plan},
    record,
    secret::Secret,
    step::{HeaderEdits, Step},
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};

use crate::{
    alarm::{Alarm, Task},
    host::{self, HostClock, Stream},
    observer,
    plans::{self, Place},
    relay::{ClientHead, Relay},
    root::Ticking,
};

/// Largest piece of a body that is read at once: the module's memory never shrinks again.
const PIECE: usize = 256 * 1024;

/// The token of a plan that no other stream looks for.
const NO_PLAN: u32 = 0;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct IngressStream {
    stream: Rc<Stream>,
    ticking: Rc<Ticking>,
    exchange: Exchange,
    /// The head of the request, the client's key included, until it is sent on.
    head: Secret<HeaderMap>,
    body: Body,
    attempts: Attempts,
}

/// What is done with the request's body.
#[derive(Debug)]
enum Body {
    /// The exchange reads it; so much it has seen.
    Read(usize),
    /// It passes as it comes.
    Passes,
}

/// Who makes the attempts.
#[derive(Debug)]
enum Attempts {
    /// Nobody: there is no plan.
    Open,
    /// Streams of their own, which find the plan there, until the alarm rings at the latest.
    Handed { _plan: Place, alarm: Option<Rc<Alarm>> },
    /// This stream.
    Carried(Rc<RefCell<Relay>>),
}

/// A response head, read once whoever asks.
struct ResponseHead<'a> {
    stream: &'a Stream,
    headers: OnceCell<HeaderMap>,
}

impl ResponseHead<'_> {
    fn headers(&self) -> Headers<'_> {
        self.headers.get_or_init(|| self.stream.response_headers()).headers()
    }
}

/// What is left of a response head when the stream is over.
struct Ended;

impl Head for Ended {
    fn status(&mut self) -> u16 {
        host::number(&["response", "code"]).and_then(|status| status.try_into().ok()).unwrap_or_default()
    }

    fn details(&mut self) -> String {
        details()
    }

    fn header(&mut self, _: &str) -> Option<String> {
        None
    }
}

/// Envoy's response code details.
fn details() -> String {
    let details = host::property(&["response", "code_details"]);
    details.and_then(|details| String::from_utf8(details).ok()).unwrap_or_default()
}

impl Head for ResponseHead<'_> {
    fn status(&mut self) -> u16 {
        host::read_status(self.headers())
    }

    fn details(&mut self) -> String {
        details()
    }

    fn header(&mut self, name: &str) -> Option<String> {
        self.headers().text(name).map(Into::into)
    }
}

impl IngressStream {
    pub(crate) fn new(id: u32, gateway: Rc<Gateway>, ticking: Rc<Ticking>) -> Self {
        let exchange = Exchange::new(gateway);
        let stream = Rc::new(Stream::new(id).keeping_reply(exchange.wants_response()));
        Self { stream, ticking, exchange, head: Secret::default(), body: Body::Read(0), attempts: Attempts::Open }
    }

    fn act(&mut self, step: Step) -> Action {
        match step {
            Step::Wait => {
                self.ticking.watch.begin(&self.stream);
                Action::Pause
            }
            Step::Forward(plan, edits) => {
                if let Some(exceeded) = plan.exceeded() {
                    log::debug!("request {}: beyond the limits in shadow {exceeded}", plan.inquiry.exchange);
                }
                for (property, subject) in plan.shares() {
                    host::set_property(&property, &subject);
                }
                self.ticking.renewals.watch(&self.stream, &plan);
                let action = match plan.mode {
                    Mode::Native => self.hand_over(plan, &edits),
                    Mode::Dispatch => self.carry(&plan, edits),
                };
                self.ticking.tail.watch(&self.stream);
                action
            }
            Step::Reply(reply) => self.stream.reply(&reply),
        }
    }

    /// How much of the body the exchange has seen.
    const fn seen(&self) -> usize {
        match self.body {
            Body::Read(seen) => seen,
            Body::Passes => 0,
        }
    }

    /// More of a body is on its way that nobody reads.
    fn pass(&mut self, length: usize) -> Action {
        if self.stream.has_ended() {
            return Action::Pause;
        }
        match self.exchange.request_passed(length) {
            Some(reply) => self.stream.reply(&reply),
            None => Action::Continue,
        }
    }

    /// What passes to the client is in the host's buffer, as the client gets it: shows as much of it as somebody wants to see.
    fn show(&mut self) {
        let mut seen = 0;
        while self.exchange.wants_more() {
            let piece = self.stream.response_body(seen, PIECE);
            if piece.is_empty() {
                return;
            }
            seen = seen.saturating_add(piece.len());
            self.exchange.response_passed(&piece);
        }
    }

    /// A piece of the answer goes to the client, as it stands in the host's buffer now.
    fn record(&self, end: bool) {
        if let Some(plan) = self.exchange.recorded() {
            plan.record_part(&|room| self.stream.response_body(0, room));
            if end {
                plan.record_end(host::now());
            }
        }
    }

    /// The attempts run on this stream.
    fn carry(&mut self, plan: &Rc<Plan>, edits: HeaderEdits) -> Action {
        if let Some(next) = plan.signpost(NO_PLAN) {
            host::set_property(NEXT_PROPERTY, &next);
        }
        if plan.may_try_again() && !plan.has_body() {
            plan.keep_body(self.stream.request_body(0, self.seen()));
        }
        let head = ClientHead { all: mem::take(&mut self.head), private: edits.remove.clone() };
        match Relay::start(&self.stream, &self.ticking, plan, (head, self.exchange.is_passing()), edits) {
            Ok((relay, action)) => {
                self.attempts = Attempts::Carried(relay);
                action
            }
            Err(reply) => self.stream.reply(&reply),
        }
    }

    /// The attempts run behind the router.
    fn hand_over(&mut self, plan: Rc<Plan>, edits: &HeaderEdits) -> Action {
        self.head = Secret::default();
        let place = plans::publish(Rc::clone(&plan));
        if let Some(next) = plan.signpost(place.token()) {
            host::set_property(NEXT_PROPERTY, &next);
        }
        // Envoy bounds each try, but not all of them together.
        let alarm =
            plan.may_try_again().then(|| self.ticking.alarms.set(&self.stream, plan.until(), Task::Answer(plan)));
        self.attempts = Attempts::Handed { _plan: place, alarm };
        // Only after the property: Envoy chooses the route anew when a header changes, and each plan changes one.
        self.stream.edit_request_headers(edits);
        self.stream.forward()
    }
}

impl Context for IngressStream {
    fn on_http_call_response(&mut self, _: u32, headers: usize, length: usize, _: usize) {
        if let Attempts::Carried(relay) = &self.attempts {
            relay.borrow_mut().called(headers, length);
        }
    }
}

impl HttpContext for IngressStream {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        self.head = Secret::new(self.stream.request_headers());
        #[cfg(feature = "trap")]
        if let Some(writes) = self.head.expose().headers().text("x-trap").and_then(|writes| writes.parse().ok()) {
            crate::trap::set(writes);
        }
        let step =
            observer::with_surroundings(|around| self.exchange.request_head(self.head.expose().headers(), end, around));
        if self.exchange.is_passing() {
            self.body = Body::Passes;
        }
        self.act(step)
    }

    fn on_http_request_body(&mut self, length: usize, end: bool) -> Action {
        self.ticking.watch.see_body();
        if matches!(self.body, Body::Passes) {
            return self.pass(length);
        }
        while self.seen() < length && !self.stream.has_ended() {
            let seen = self.seen();
            let piece = self.stream.request_body(seen, PIECE.min(length.saturating_sub(seen)));
            if piece.is_empty() {
                break;
            }
            self.body = Body::Read(seen.saturating_add(piece.len()));
            if let Some(reply) = self.exchange.request_chunk(piece) {
                return self.stream.reply(&reply);
            }
        }
        if self.stream.has_ended() || !end {
            return Action::Pause;
        }
        let step =
            observer::with_surroundings(|around| self.exchange.request_end(self.head.expose().headers(), around));
        self.act(step)
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.ticking.watch.see_body();
        if matches!(self.body, Body::Passes) {
            return self.pass(0);
        }
        if self.stream.has_ended() {
            return Action::Pause;
        }
        let step =
            observer::with_surroundings(|around| self.exchange.request_end(self.head.expose().headers(), around));
        self.act(step)
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        // A reply of our own to a request passes here too.
        if self.stream.has_ended() {
            return Action::Continue;
        }
        self.stream.answered();
        let mut head = ResponseHead { stream: &self.stream, headers: OnceCell::new() };
        if self.exchange.wants_response() {
            self.exchange.expect_response(&head.header("content-type").unwrap_or_default());
        }
        match (self.exchange.response_head(&mut head, &HostClock), &mut self.attempts) {
            (Arrival::Abandoned(reply), _) => {
                host::count(plans::ABANDONED);
                self.stream.reply(&reply)
            }
            (Arrival::Instead(reply), _) => self.stream.reply(&reply),
            (Arrival::Provider, Attempts::Carried(relay)) => relay.borrow_mut().answer(head.headers(), end),
            (Arrival::Again, Attempts::Carried(relay)) => {
                relay.borrow_mut().next();
                Action::Pause
            }
            (_, Attempts::Handed { alarm, .. }) => {
                *alarm = None;
                if let Some(plan) = self.exchange.recorded() {
                    plan.record_head(&|| self.stream.response_headers());
                }
                self.stream.release()
            }
            (Arrival::Provider | Arrival::Judged | Arrival::Again, _) => self.stream.release(),
        }
    }

    fn on_http_response_body(&mut self, length: usize, end: bool) -> Action {
        let action = match &self.attempts {
            Attempts::Carried(relay) if !self.stream.has_ended() => relay.borrow_mut().read(length, end),
            Attempts::Carried(_) | Attempts::Handed { .. } | Attempts::Open => Action::Continue,
        };
        if action == Action::Continue {
            self.show();
            self.record(end);
        }
        action
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        let action = match &self.attempts {
            Attempts::Carried(relay) if !self.stream.has_ended() => relay.borrow_mut().end(),
            Attempts::Carried(_) | Attempts::Handed { .. } | Attempts::Open => Action::Continue,
        };
        if action == Action::Continue {
            self.record(true);
        }
        action
    }

    fn on_log(&mut self) {
        self.ticking.watch.forget(&self.stream);
        self.exchange.end(&mut Ended, &HostClock);
        if let Some(body) = self.stream.take_reply() {
            self.exchange.replied(&body);
        }
        // Envoy writes its access log after this.
        let record = self.exchange.record(&mut Ended, &HostClock);
        if !record.passed_over.is_empty() {
            log::debug!("request {}: {}", record.id, record.passed_over);
        }
        let line = record.line();
        host::set_property(record::PROPERTY, &line);
        if let Some(lines) = self.exchange.audit(&record, &line) {
            host::set_property(audit::PROPERTY, &lines);
        }
        observer::write_down(&record, line, &self.exchange, self.exchange.content());
        // The rate limit filters are told when the stream is destroyed, which is after this.
        for (property, used) in self.exchange.charges() {
            host::set_property(property, &used.to_string());
        }
        self.ticking.tail.watch(&self.stream);
    }
}
