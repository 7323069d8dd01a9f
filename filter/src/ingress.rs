//! The ingress role: one client request.

use std::{cell::OnceCell, rc::Rc};

use dragoman_core::{
    attempt::Attempt,
    error::{Error, Kind},
    exchange::{Arrival, Exchange, Head},
    gateway::Gateway,
    headers::Headers,
    plan::{Mode, NEXT_PROPERTY},
    step::Step,
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};

use crate::{
    courier::Courier,
    deadline::Deadlines,
    host::{self, HostClock, Stream},
    plans::{self, Place},
    watch::{self, Watch},
};

/// Largest piece of a body that is read at once: the module's memory never shrinks again.
const PIECE: usize = 256 * 1024;

/// The token of a plan that no other stream looks for.
const NO_PLAN: u32 = 0;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct IngressStream {
    stream: Stream,
    watch: Rc<Watch>,
    deadlines: Rc<Deadlines>,
    exchange: Exchange,
    /// How much of the body the exchange has seen.
    seen: usize,
    course: Course,
}

/// Who makes the attempts.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is not moved, and each stream is a box of its own")]
enum Course {
    /// Nobody: there is no plan.
    Open,
    /// Streams of their own, which find the plan there.
    Handed { _plan: Place },
    /// This stream.
    Carried(Courier),
}

/// A response head, read once whoever asks.
struct ResponseHead<'a> {
    stream: &'a Stream,
    headers: OnceCell<Vec<(String, Vec<u8>)>>,
}

impl ResponseHead<'_> {
    fn headers(&self) -> Headers<'_> {
        Headers(self.headers.get_or_init(|| self.stream.response_headers()))
    }
}

impl Head for ResponseHead<'_> {
    fn status(&mut self) -> u16 {
        host::read_status(self.headers())
    }

    fn details(&mut self) -> String {
        let details = host::property(&["response", "code_details"]);
        details.and_then(|details| String::from_utf8(details).ok()).unwrap_or_default()
    }
}

impl IngressStream {
    pub(crate) fn new(id: u32, gateway: Rc<Gateway>, watch: Rc<Watch>, deadlines: Rc<Deadlines>) -> Self {
        let (stream, exchange) = (Stream::new(id), Exchange::new(gateway));
        Self { stream, watch, deadlines, exchange, seen: 0, course: Course::Open }
    }

    fn act(&mut self, step: Step) -> Action {
        match step {
            Step::Wait => {
                if self.watch.begin(&self.stream) {
                    Action::Pause
                } else {
                    self.stream.reply(&watch::explanation().reply(dragoman_core::error::Shape::OpenAi))
                }
            }
            Step::Forward(plan, edits) if plan.mode == Mode::Dispatch => {
                if let Some(next) = plan.next(0, NO_PLAN) {
                    host::set_property(NEXT_PROPERTY, &next);
                }
                self.stream.edit_request_headers(&edits);
                let Some(attempt) = Attempt::new(&plan, 0) else {
                    let error = Error::new(Kind::Misconfigured, "The request has nowhere to go.");
                    return self.stream.reply(&error.reply(plan.inquiry.shape));
                };
                let (courier, action) = Courier::ingress(&self.stream, attempt, &self.deadlines);
                self.course = Course::Carried(courier);
                action
            }
            Step::Forward(plan, edits) => {
                let place = plans::publish(Rc::clone(&plan));
                if let Some(next) = plan.next(0, place.token()) {
                    host::set_property(NEXT_PROPERTY, &next);
                }
                self.course = Course::Handed { _plan: place };
                // Only after the property: Envoy chooses the route anew when a header changes, and each plan changes one.
                self.stream.edit_request_headers(&edits);
                self.stream.forward()
            }
            Step::Reply(reply) => self.stream.reply(&reply),
        }
    }
}

impl Context for IngressStream {}

impl HttpContext for IngressStream {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        let headers = self.stream.request_headers();
        let step = self.exchange.request_head(Headers(&headers), end, &HostClock);
        self.act(step)
    }

    fn on_http_request_body(&mut self, length: usize, end: bool) -> Action {
        self.watch.see_body();
        while self.seen < length && !self.stream.has_ended() {
            let piece = self.stream.request_body(self.seen, PIECE.min(length.saturating_sub(self.seen)));
            if piece.is_empty() {
                break;
            }
            self.seen = self.seen.saturating_add(piece.len());
            if let Some(reply) = self.exchange.request_chunk(piece) {
                return self.stream.reply(&reply);
            }
        }
        if self.stream.has_ended() || !end {
            return Action::Pause;
        }
        let step = self.exchange.request_end();
        self.act(step)
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if self.stream.has_ended() {
            return Action::Pause;
        }
        let step = self.exchange.request_end();
        self.act(step)
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        // A reply of our own to a request passes here too.
        if self.stream.has_ended() || self.watch.has_failed() {
            return Action::Continue;
        }
        self.stream.answered();
        let mut head = ResponseHead { stream: &self.stream, headers: OnceCell::new() };
        match (self.exchange.response_head(&mut head), &mut self.course) {
            (Arrival::Instead(reply), _) => self.stream.reply(&reply),
            (Arrival::Provider, Course::Carried(courier)) => courier.answer(&self.stream, head.headers(), end),
            (Arrival::Provider | Arrival::Judged, _) => self.stream.release(),
        }
    }

    fn on_http_response_body(&mut self, length: usize, end: bool) -> Action {
        match &mut self.course {
            Course::Carried(courier) if !self.stream.has_ended() => courier.read(&self.stream, length, end),
            Course::Carried(_) | Course::Handed { .. } | Course::Open => Action::Continue,
        }
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        match &mut self.course {
            Course::Carried(courier) if !self.stream.has_ended() => courier.end(&self.stream),
            Course::Carried(_) | Course::Handed { .. } | Course::Open => Action::Continue,
        }
    }

    fn on_log(&mut self) {
        self.watch.forget(&self.stream);
    }
}
