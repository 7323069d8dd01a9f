//! One attempt on one stream of the host, whichever role the stream has: the request is made the provider's own, its answer
//! is held until it can be used, let go, and looked after.
//!
//! In the attempt role the stream is the attempt's own; where a provider's cluster carries no upstream filter it is the
//! client's, and the ingress runs the same code. What differs between the two stays with them: how they find the plan, and
//! what happens when there is no answer.

use std::{mem, rc::Rc, time::Duration};

use dragoman_core::{
    attempt::{Attempt, Flow, Held, Outgoing, Progress, Release},
    headers::Headers,
    plan::Plan,
    step::Chunk,
};
use proxy_wasm::types::Action;

use crate::{
    deadline::{Deadlines, Hold},
    host::{self, HostClock, Stream},
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Courier {
    role: Role,
    plan: Rc<Plan>,
    state: State,
}

/// Whose stream it is.
#[derive(Debug)]
enum Role {
    /// The client's, until this time at most without content.
    Ingress { deadlines: Rc<Deadlines>, until: Duration, hold: Option<Rc<Hold>> },
    /// The attempt's own, behind the client's. Envoy's router watches the time.
    Upstream,
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
    pub(crate) fn upstream(stream: &Stream, attempt: Attempt) -> (Self, Action) {
        Self::send(stream, attempt, Role::Upstream)
    }

    /// Asks the provider on the client's stream.
    pub(crate) fn ingress(stream: &Stream, attempt: Attempt, deadlines: &Rc<Deadlines>) -> (Self, Action) {
        let until = host::now().saturating_add(attempt.plan().patience(0));
        Self::send(stream, attempt, Role::Ingress { deadlines: Rc::clone(deadlines), until, hold: None })
    }

    /// Makes the held request the one for the attempt's target and lets it go. Where the target cannot
    /// do what is asked for, that is answered instead.
    fn send(stream: &Stream, mut attempt: Attempt, role: Role) -> (Self, Action) {
        let plan = Rc::clone(attempt.plan());
        let Outgoing { headers, body } = match attempt.outgoing(|length| stream.request_body(0, length)) {
            Ok(outgoing) => outgoing,
            Err(error) => return (Self { role, plan, state: State::Settled }, stream.reply(&attempt.refusal(&error))),
        };
        stream.edit_request_headers(&headers);
        stream.replace_request_body(&body);
        (Self { role, plan, state: State::Asking(attempt) }, stream.forward())
    }

    /// The answer's head has come.
    pub(crate) fn answer(&mut self, stream: &Stream, headers: Headers<'_>, end: bool) -> Action {
        let State::Asking(attempt) = mem::replace(&mut self.state, State::Settled) else {
            return stream.release();
        };
        let progress = attempt.answer(host::read_status(headers), headers, end, &HostClock);
        self.judge(stream, progress, 0)
    }

    /// A piece of the answer has come: `length` bytes are in the host's buffer.
    pub(crate) fn read(&mut self, stream: &Stream, length: usize, end: bool) -> Action {
        if self.is_late() {
            return Action::Pause;
        }
        match mem::replace(&mut self.state, State::Settled) {
            State::Holding(held, seen) => {
                let piece = stream.response_body(seen, length.saturating_sub(seen));
                self.judge(stream, held.chunk(&piece, end), length)
            }
            State::Flowing(mut flow) => {
                let piece = if flow.looks() { stream.response_body(0, length) } else { Vec::new() };
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
        if self.is_late() {
            return Action::Pause;
        }
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

    /// Whether the client was told that the provider did not answer in time.
    fn is_late(&self) -> bool {
        matches!(&self.role, Role::Ingress { hold: Some(hold), .. } if hold.has_passed())
    }

    /// Nothing is held any more.
    fn let_go(&mut self) {
        if let Role::Ingress { hold, .. } = &mut self.role {
            *hold = None;
        }
    }

    /// What was held, `length` bytes, is let go, or held on.
    fn judge(&mut self, stream: &Stream, progress: Progress, length: usize) -> Action {
        match progress {
            Progress::Held(held) => {
                if let Role::Ingress { deadlines, until, hold: hold @ None } = &mut self.role {
                    *hold = Some(deadlines.watch(stream, &self.plan, *until));
                }
                self.state = State::Holding(held, length);
                Action::Pause
            }
            Progress::Released(Release { status, headers, body }, flow) => {
                self.let_go();
                if let Some(status) = status {
                    stream.set_status(status);
                }
                stream.edit_response_headers(&headers);
                pass(stream, body, length);
                self.state = State::Flowing(flow);
                stream.release()
            }
            Progress::Instead(reply) => {
                self.let_go();
                match &self.role {
                    Role::Ingress { .. } => stream.reply(&reply),
                    // Only the ingress can answer at this point; it sees the head of this answer next.
                    Role::Upstream => {
                        stream.set_status(reply.status);
                        self.plan.defer(reply);
                        stream.release()
                    }
                }
            }
        }
    }
}

fn pass(stream: &Stream, chunk: Chunk, length: usize) {
    match chunk {
        Chunk::Keep => {}
        Chunk::Replace(body) => stream.replace_response_body(length, &body),
    }
}
