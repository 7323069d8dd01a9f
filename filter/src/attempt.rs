//! The attempt role: one try at one provider.

use std::{mem, rc::Rc};

use dragoman_core::{
    attempt::{Attempt, Flow, Held, Outgoing, OutgoingBody, Progress, Release},
    error::{Error, Kind, Shape},
    headers::Headers,
    plan::{NEXT_PROPERTY, Plan},
    step::Chunk,
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};

use crate::{
    host::{self, HostClock, Stream},
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
enum State {
    /// The request has not come whole: so many bytes of its body have.
    Preparing(usize),
    /// The provider is asked.
    Asking(Attempt),
    /// Its answer is held; so many bytes of it were seen.
    Holding(Held, usize),
    /// Its answer is on its way.
    Flowing(Flow),
    /// Nothing can be done any more.
    Settled,
}

impl AttemptStream {
    pub(crate) fn new(id: u32, watch: Rc<Watch>) -> Self {
        Self { stream: Stream::new(id), watch, state: State::Preparing(0) }
    }

    /// The request is whole, `length` bytes long: makes it the provider's own.
    fn send(&mut self, length: usize) -> Action {
        let plan = host::property(&[NEXT_PROPERTY]).and_then(|next| Plan::token(&next)).and_then(plans::find);
        let Some(mut attempt) = plan.and_then(|plan| Attempt::new(&plan, 0)) else {
            self.state = State::Settled;
            let error = Error::new(
                Kind::UpstreamUnavailable,
                "The gateway was reloaded while it routed this request; try again.",
            );
            return self.stream.reply(&error.reply(Shape::OpenAi));
        };
        let Outgoing { headers, body } = match attempt.outgoing(|| self.stream.request_body(0, length)) {
            Ok(outgoing) => outgoing,
            Err(error) => {
                self.state = State::Settled;
                return self.stream.reply(&attempt.refusal(&error));
            }
        };
        self.stream.edit_request_headers(&headers);
        match body {
            OutgoingBody::Edited(edits) => self.stream.edit_request_body(&edits),
            OutgoingBody::Whole(body) => self.stream.replace_request_body(length, &body),
        }
        self.state = State::Asking(attempt);
        self.stream.forward()
    }

    /// What was held, `length` bytes, is let go, or held on.
    fn judge(&mut self, progress: Progress, length: usize) -> Action {
        match progress {
            Progress::Held(held) => {
                self.state = State::Holding(held, length);
                Action::Pause
            }
            Progress::Released(Release { status, headers, body }, flow) => {
                if let Some(status) = status {
                    self.stream.set_status(status);
                }
                self.stream.edit_response_headers(&headers);
                self.pass(body, length);
                self.state = State::Flowing(flow);
                self.stream.release()
            }
        }
    }

    fn pass(&self, chunk: Chunk, length: usize) {
        match chunk {
            Chunk::Keep => {}
            Chunk::Replace(body) => self.stream.replace_response_body(length, &body),
        }
    }

    fn read(&mut self, length: usize, end: bool) -> Action {
        match mem::replace(&mut self.state, State::Settled) {
            State::Holding(held, seen) => {
                let piece = self.stream.response_body(seen, length.saturating_sub(seen));
                self.judge(held.chunk(&piece, end), length)
            }
            State::Flowing(mut flow) => {
                let piece = self.stream.response_body(0, length);
                let chunk = flow.chunk(&piece, end);
                self.pass(chunk, length);
                self.state = State::Flowing(flow);
                Action::Continue
            }
            other @ (State::Preparing(_) | State::Asking(_) | State::Settled) => {
                self.state = other;
                Action::Continue
            }
        }
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
            return self.send(0);
        }
        if self.watch.begin(&self.stream) {
            Action::Pause
        } else {
            self.stream.reply(&watch::explanation().reply(Shape::OpenAi))
        }
    }

    fn on_http_request_body(&mut self, length: usize, end: bool) -> Action {
        self.watch.see_body(&self.stream);
        if self.stream.has_ended() {
            return Action::Pause;
        }
        if end {
            return self.send(length);
        }
        self.state = State::Preparing(length);
        Action::Pause
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        // The body before trailers ends without saying so.
        if let State::Preparing(length) = self.state { self.send(length) } else { Action::Pause }
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        if self.stream.has_ended() || self.watch.has_failed() {
            return Action::Continue;
        }
        self.stream.answered();
        let State::Asking(attempt) = mem::replace(&mut self.state, State::Settled) else {
            return self.stream.release();
        };
        let headers = self.stream.response_headers();
        let status = Headers(&headers).get(":status").map(host::read_status).unwrap_or_default();
        let progress = attempt.answer(status, Headers(&headers), end, &HostClock);
        self.judge(progress, 0)
    }

    fn on_http_response_body(&mut self, length: usize, end: bool) -> Action {
        self.read(length, end)
    }

    /// The body before trailers ends without saying so. To what has been let go nothing can be added any more: a stream that
    /// lacks its end is reset, so that the client does not take it for a complete one.
    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        match mem::replace(&mut self.state, State::Settled) {
            State::Holding(held, 0) => self.judge(held.end_without_body(), 0),
            State::Holding(held, seen) => self.judge(held.chunk(&[], true), seen),
            State::Flowing(mut flow) => {
                if !flow.end_without_body() {
                    self.stream.reset();
                }
                Action::Continue
            }
            State::Preparing(_) | State::Asking(_) | State::Settled => Action::Continue,
        }
    }
}
