//! The ingress role: one client request.

use std::rc::Rc;

use dragoman_core::{
    exchange::{Exchange, LocalReply},
    gateway::Gateway,
    headers::Headers,
    plan::NEXT_PROPERTY,
    step::Step,
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};

use crate::{
    host::{self, HostClock, Stream},
    plans::{self, Place},
    watch::{self, Watch},
};

/// Largest piece of a body that is read at once: the module's memory never shrinks again.
const PIECE: usize = 256 * 1024;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct IngressStream {
    stream: Stream,
    watch: Rc<Watch>,
    exchange: Exchange,
    /// How much of the body the exchange has seen.
    seen: usize,
    place: Option<Place>,
}

impl IngressStream {
    pub(crate) fn new(id: u32, gateway: Rc<Gateway>, watch: Rc<Watch>) -> Self {
        Self { stream: Stream::new(id), watch, exchange: Exchange::new(gateway), seen: 0, place: None }
    }

    fn act(&mut self, step: Step) -> Action {
        match step {
            Step::Wait(edits) => {
                self.stream.edit_request_headers(&edits);
                if self.watch.begin(&self.stream) {
                    Action::Pause
                } else {
                    self.stream.reply(&watch::explanation().reply(dragoman_core::error::Shape::OpenAi))
                }
            }
            Step::Forward(plan, edits) => {
                self.stream.edit_request_headers(&edits);
                let place = plans::publish(Rc::clone(&plan));
                if let Some(next) = plan.next(0, place.token()) {
                    host::set_property(NEXT_PROPERTY, &next);
                }
                self.place = Some(place);
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
        self.watch.see_body(&self.stream);
        while self.seen < length && !self.stream.has_ended() {
            let piece = self.stream.request_body(self.seen, PIECE.min(length.saturating_sub(self.seen)));
            if piece.is_empty() {
                break;
            }
            self.seen = self.seen.saturating_add(piece.len());
            if let Some(reply) = self.exchange.request_chunk(&piece) {
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

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        // A reply of our own to a request passes here too.
        if self.stream.has_ended() || self.watch.has_failed() {
            return Action::Continue;
        }
        self.stream.answered();
        let stream = &self.stream;
        let local = || LocalReply {
            status: stream.status(),
            details: host::property(&["response", "code_details"])
                .and_then(|details| String::from_utf8(details).ok())
                .unwrap_or_default(),
        };
        match self.exchange.response_head(local) {
            Some(reply) => self.stream.reply(&reply),
            None => self.stream.release(),
        }
    }

    fn on_log(&mut self) {
        self.watch.forget(&self.stream);
    }
}
