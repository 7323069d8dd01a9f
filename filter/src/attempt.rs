//! The attempt role: one try at one provider, on a stream of its own behind Envoy's router.

use std::rc::Rc;

use dragoman_core::{
    attempt::Attempt,
    error::{Error, Kind, Shape},
    headers::Headers,
    plan::{NEXT_PROPERTY, Plan},
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};

use crate::{
    courier::Courier,
    host::{self, Stream},
    plans,
    watch::{self, Watch},
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct AttemptStream {
    stream: Stream,
    watch: Rc<Watch>,
    state: State,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is not moved, and each stream is a box of its own")]
enum State {
    /// The request has not come whole.
    Preparing,
    /// It is on its way.
    Sent(Courier),
    /// It was not sent.
    Settled,
}

impl AttemptStream {
    pub(crate) fn new(id: u32, watch: Rc<Watch>) -> Self {
        Self { stream: Stream::new(id), watch, state: State::Preparing }
    }

    /// The request is whole.
    fn send(&mut self) -> Action {
        let plan = host::property(&[NEXT_PROPERTY]).and_then(|next| Plan::token(&next)).and_then(plans::find);
        let Some(attempt) = plan.and_then(|plan| Attempt::new(&plan, 0)) else {
            self.state = State::Settled;
            let error = Error::new(
                Kind::UpstreamUnavailable,
                "The gateway was reloaded while it routed this request; try again.",
            );
            return self.stream.reply(&error.reply(Shape::OpenAi));
        };
        let (courier, action) = Courier::upstream(&self.stream, attempt);
        self.state = State::Sent(courier);
        action
    }
}

impl Context for AttemptStream {
    /// The only callback at the end of an attempt: `on_log` is never called for upstream filters.
    fn on_done(&mut self) -> bool {
        self.watch.forget(&self.stream);
        true
    }
}

impl HttpContext for AttemptStream {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        if end {
            return self.send();
        }
        if self.watch.begin(&self.stream) {
            Action::Pause
        } else {
            self.stream.reply(&watch::explanation().reply(Shape::OpenAi))
        }
    }

    fn on_http_request_body(&mut self, _: usize, end: bool) -> Action {
        self.watch.see_body();
        if self.stream.has_ended() {
            return Action::Pause;
        }
        if end { self.send() } else { Action::Pause }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        // The body before trailers ends without saying so.
        if matches!(self.state, State::Preparing) { self.send() } else { Action::Pause }
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        if self.stream.has_ended() || self.watch.has_failed() {
            return Action::Continue;
        }
        self.stream.answered();
        match &mut self.state {
            State::Sent(courier) => {
                let headers = self.stream.response_headers();
                courier.answer(&self.stream, Headers(&headers), end)
            }
            State::Preparing | State::Settled => self.stream.release(),
        }
    }

    fn on_http_response_body(&mut self, length: usize, end: bool) -> Action {
        match &mut self.state {
            State::Sent(courier) => courier.read(&self.stream, length, end),
            State::Preparing | State::Settled => Action::Continue,
        }
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        match &mut self.state {
            State::Sent(courier) => courier.end(&self.stream),
            State::Preparing | State::Settled => Action::Continue,
        }
    }
}
