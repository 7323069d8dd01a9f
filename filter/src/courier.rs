//! One attempt on one stream of the host, whichever role the stream has: the request is made the provider's own, its answer
//! is held until it can be used, let go, and looked after.
//!
//! In the attempt role the stream is the attempt's own; on the client's stream the ingress runs the same code. What differs
//! between the two stays with them: how they find the plan, and what follows a failure.

use std::mem;

use dragoman_core::{
    attempt::{Attempt, Flow, Held, Outgoing, Progress, Release},
    headers::Headers,
    plan::Next,
    step::{Chunk, HeaderEdits, Reply},
};

use crate::host::{self, HostClock, Stream};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Courier(State);

#[derive(Debug)]
#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::large_enum_variant, reason = "there is one a try; a box would be an allocation for each answer")
)]
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

/// What has become of an answer.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It is held.
    Held,
    /// It is on its way.
    Going,
    /// It is of no use; another try follows.
    Again,
    /// This is to be answered instead.
    Instead(Reply),
}

impl Courier {
    /// Makes the held request the one for the attempt's target; it can be let go. `first` is changed in its head besides.
    ///
    /// # Errors
    /// What follows where the target cannot do what is asked for.
    pub(crate) fn prepare(stream: &Stream, mut attempt: Attempt, first: HeaderEdits) -> Result<Self, Next> {
        let read = |length| stream.request_body(0, length);
        let Outgoing { headers, body } = attempt.outgoing(read).map_err(|error| attempt.refuse(&error, host::now()))?;
        stream.edit_request_headers(&first.then(headers));
        stream.replace_request_body(&body.front(read));
        Ok(Self(State::Asking(attempt)))
    }

    /// The answer's head has come.
    pub(crate) fn answer(&mut self, stream: &Stream, headers: Headers<'_>, end: bool) -> Turn {
        match mem::replace(&mut self.0, State::Settled) {
            State::Asking(attempt) => {
                let progress = attempt.answer(host::read_status(headers), headers, end, &HostClock);
                self.judge(stream, progress, 0, end)
            }
            State::Holding(..) | State::Flowing(_) | State::Settled => Turn::Going,
        }
    }

    /// A piece of the answer has come: `length` bytes are in the host's buffer.
    pub(crate) fn read(&mut self, stream: &Stream, length: usize, end: bool) -> Turn {
        match mem::replace(&mut self.0, State::Settled) {
            State::Holding(held, seen) => {
                let piece = stream.response_body(seen, length.saturating_sub(seen));
                self.judge(stream, held.chunk(&piece, end, &HostClock), length, end)
            }
            State::Flowing(mut flow) => {
                let piece = if flow.looks() { stream.response_body(0, length) } else { Vec::new() };
                let chunk = flow.chunk(&piece, end);
                pass(stream, chunk, length);
                if flow.is_cut() {
                    stream.reset();
                }
                if end {
                    flow.finish(host::now());
                } else {
                    self.0 = State::Flowing(flow);
                }
                Turn::Going
            }
            other @ (State::Asking(_) | State::Settled) => {
                self.0 = other;
                Turn::Going
            }
        }
    }

    /// The body before trailers ends without saying so. To what has been let go nothing can be added any more: a stream that
    /// lacks its end is reset, so that the client does not take it for a complete one.
    pub(crate) fn end(&mut self, stream: &Stream) -> Turn {
        match mem::replace(&mut self.0, State::Settled) {
            State::Holding(held, seen) => {
                let progress =
                    if seen == 0 { held.end_without_body(&HostClock) } else { held.chunk(&[], true, &HostClock) };
                self.judge(stream, progress, seen, true)
            }
            State::Flowing(mut flow) => {
                if !flow.end_without_body() {
                    stream.reset();
                }
                flow.finish(host::now());
                Turn::Going
            }
            State::Asking(_) | State::Settled => Turn::Going,
        }
    }

    /// What was held, `length` bytes, is let go, held on, or given up; `end` says that nothing more comes.
    fn judge(&mut self, stream: &Stream, progress: Progress, length: usize, end: bool) -> Turn {
        match progress {
            Progress::Held(held) => {
                self.0 = State::Holding(held, length);
                Turn::Held
            }
            Progress::Released(Release { status, headers, body }, flow) => {
                if let Some(status) = status {
                    stream.set_status(status);
                }
                stream.edit_response_headers(&headers);
                pass(stream, body, length);
                if end {
                    flow.finish_at_once();
                } else {
                    self.0 = State::Flowing(flow);
                }
                Turn::Going
            }
            Progress::Again(remove) => {
                stream.edit_response_headers(&HeaderEdits { remove, set: Vec::new() });
                Turn::Again
            }
            Progress::Instead(reply) => Turn::Instead(reply),
        }
    }
}

fn pass(stream: &Stream, chunk: Chunk, length: usize) {
    match chunk {
        Chunk::Keep => {}
        Chunk::Replace(body) => stream.replace_response_body(length, &body),
    }
}
