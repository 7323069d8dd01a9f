//! One attempt on one stream of the host, whichever role the stream has: the request is made the provider's own, its answer
//! is held until it can be used, let go, and looked after.
//!
//! In the attempt role the stream is the attempt's own; where a provider's cluster carries no upstream filter it is the
//! client's, and the ingress runs the same code. What differs between the two stays with them: how they find the plan, and
//! what happens when there is no answer.

use std::{mem, rc::Rc};

use dragoman_core::{
    attempt::{Attempt, Flow, Held, Outgoing, OutgoingBody, Progress, Release},
    headers::Headers,
    plan::Plan,
    step::Chunk,
};
use proxy_wasm::types::Action;

use crate::host::{self, HostClock, Stream};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Courier {
    role: Role,
    state: State,
}

/// Whose stream it is.
#[derive(Debug)]
enum Role {
    /// The client's.
    Ingress,
    /// The attempt's own, behind the client's.
    Upstream(Rc<Plan>),
}

#[derive(Debug)]
enum State {
    /// The provider is asked.
    Asking(Attempt),
    /// Its answer is held; so many bytes of it were seen.
    Holding(Held, usize),
    /// Its answer is on its way.
    Flowing(Flow),
    /// Nothing can be done any more.
    Settled,
}

impl Courier {
    /// Asks the provider on the attempt's own stream.
    pub(crate) fn upstream(stream: &Stream, attempt: Attempt, length: usize) -> (Self, Action) {
        let plan = Rc::clone(attempt.plan());
        Self::send(stream, attempt, length, Role::Upstream(plan))
    }

    /// Asks the provider on the client's stream.
    pub(crate) fn ingress(stream: &Stream, attempt: Attempt, length: usize) -> (Self, Action) {
        Self::send(stream, attempt, length, Role::Ingress)
    }

    /// Makes the held request, `length` bytes of body, the one for the attempt's target and lets it go. Where the target cannot
    /// do what is asked for, that is answered instead.
    fn send(stream: &Stream, mut attempt: Attempt, length: usize, role: Role) -> (Self, Action) {
        let Outgoing { headers, body } = match attempt.outgoing(|| stream.request_body(0, length)) {
            Ok(outgoing) => outgoing,
            Err(error) => return (Self { role, state: State::Settled }, stream.reply(&attempt.refusal(&error))),
        };
        stream.edit_request_headers(&headers);
        match body {
            OutgoingBody::Edited(edits) => stream.edit_request_body(&edits),
            OutgoingBody::Whole(body) => stream.replace_request_body(length, &body),
        }
        (Self { role, state: State::Asking(attempt) }, stream.forward())
    }

    /// The answer's head has come.
    pub(crate) fn answer(&mut self, stream: &Stream, end: bool) -> Action {
        let State::Asking(attempt) = mem::replace(&mut self.state, State::Settled) else {
            return stream.release();
        };
        let headers = stream.response_headers();
        let status = Headers(&headers).get(":status").map(host::read_status).unwrap_or_default();
        let progress = attempt.answer(status, Headers(&headers), end, &HostClock);
        self.judge(stream, progress, 0)
    }

    /// A piece of the answer has come: `length` bytes are in the host's buffer.
    pub(crate) fn read(&mut self, stream: &Stream, length: usize, end: bool) -> Action {
        match mem::replace(&mut self.state, State::Settled) {
            State::Holding(held, seen) => {
                let piece = stream.response_body(seen, length.saturating_sub(seen));
                self.judge(stream, held.chunk(&piece, end), length)
            }
            State::Flowing(mut flow) => {
                let piece = stream.response_body(0, length);
                let chunk = flow.chunk(&piece, end);
                pass(stream, chunk, length);
                self.state = State::Flowing(flow);
                Action::Continue
            }
            other @ (State::Asking(_) | State::Settled) => {
                self.state = other;
                Action::Continue
            }
        }
    }

    /// The body before trailers ends without saying so. To what has been let go nothing can be added any more: a stream that
    /// lacks its end is reset, so that the client does not take it for a complete one.
    pub(crate) fn end(&mut self, stream: &Stream) -> Action {
        match mem::replace(&mut self.state, State::Settled) {
            State::Holding(held, 0) => self.judge(stream, held.end_without_body(), 0),
            State::Holding(held, seen) => self.judge(stream, held.chunk(&[], true), seen),
            State::Flowing(mut flow) => {
                if !flow.end_without_body() {
                    stream.reset();
                }
                Action::Continue
            }
            State::Asking(_) | State::Settled => Action::Continue,
        }
    }

    /// What was held, `length` bytes, is let go, or held on.
    fn judge(&mut self, stream: &Stream, progress: Progress, length: usize) -> Action {
        match progress {
            Progress::Held(held) => {
                self.state = State::Holding(held, length);
                Action::Pause
            }
            Progress::Released(Release { status, headers, body }, flow) => {
                if let Some(status) = status {
                    stream.set_status(status);
                }
                stream.edit_response_headers(&headers);
                pass(stream, body, length);
                self.state = State::Flowing(flow);
                stream.release()
            }
            Progress::Instead(reply) => match &self.role {
                Role::Ingress => stream.reply(&reply),
                // Only the ingress can answer at this point; it sees the head of this answer next.
                Role::Upstream(plan) => {
                    stream.set_status(reply.status);
                    plan.defer(reply);
                    stream.release()
                }
            },
        }
    }
}

fn pass(stream: &Stream, chunk: Chunk, length: usize) {
    match chunk {
        Chunk::Keep => {}
        Chunk::Replace(body) => stream.replace_response_body(length, &body),
    }
}
