//! The tries of one request on the client's own stream: the first one is Envoy's router's, and its answer streams; the others
//! are calls of the module's, whose answers come whole.
//!
//! It lives as long as the stream, and is shared with the alarms that call it back. What the first provider answers while
//! another is being asked is dropped, so that it fills no buffer.

use std::{
    cell::RefCell,
    mem,
    rc::{Rc, Weak},
    time::Duration,
};

use dragoman_core::{
    attempt::{Attempt, Outgoing, Progress, Release},
    headers::{HeaderMap, Headers, SERVICE_TIME},
    plan::{Next, Plan},
    secret::Secret,
    step::{Chunk, HeaderEdits, Name, Reply},
};
use proxy_wasm::types::Action;

use crate::{
    alarm::{Alarm, Task},
    courier::{Courier, Turn},
    host::{self, HostClock, Stream},
    root::Ticking,
};

/// Headers of the client's request that are about its own connection: where Envoy's router would see to them, they are left out
/// of the module's calls.
const OF_CLIENT: &[&str] =
    &["connection", "expect", "keep-alive", "te", "transfer-encoding", "upgrade", "x-forwarded-proto"];

/// Headers of a whole answer that are about its transport.
const OF_TRANSPORT: &[&str] =
    &[":status", "connection", "content-length", "keep-alive", "transfer-encoding", SERVICE_TIME];

/// The head of the client's request. Few requests need it again, so it is read only then.
#[derive(Debug)]
pub(crate) struct ClientHead {
    pub(crate) all: Secret<HeaderMap>,
    /// What of it no provider must see.
    pub(crate) private: Vec<Name>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Relay {
    this: Weak<RefCell<Self>>,
    stream: Rc<Stream>,
    ticking: Rc<Ticking>,
    alarm: Option<Rc<Alarm>>,
    plan: Rc<Plan>,
    head: ClientHead,
    /// Until when the first provider's answer may be without content; `None` where nobody knows when it was asked, because the
    /// request's body passes by itself.
    until: Option<Duration>,
    state: State,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each relay is a box of its own, and it is moved once or twice")]
enum State {
    /// The first try is under way.
    Carrying(Courier),
    /// Another one will be, after a while.
    Waiting(Attempt),
    /// Another one is.
    Calling(Attempt),
    /// Everything is said.
    Settled,
}

impl Relay {
    /// Prepares the first try on the held stream, whose head is changed so for every try.
    pub(crate) fn start(
        stream: &Rc<Stream>,
        ticking: &Rc<Ticking>,
        plan: &Rc<Plan>,
        (head, is_passing): (ClientHead, bool),
        edits: HeaderEdits,
    ) -> Result<(Rc<RefCell<Self>>, Action), Reply> {
        let now = plan.made_at();
        let Some((attempt, _)) = Attempt::next(plan, now) else { return Err(plan.verdict()) };
        let until = (!is_passing).then(|| now.saturating_add(plan.patience(attempt.target(), now)));
        let state = match Courier::prepare(stream, attempt, edits) {
            Ok(courier) => State::Carrying(courier),
            // The stream leads to this target and no other: the next ones are asked by calls, and it stays held.
            Err(Next::Try) => State::Settled,
            Err(Next::Nobody) => return Err(plan.verdict()),
        };
        let is_carried = matches!(state, State::Carrying(_));
        let relay = Rc::new_cyclic(|this| {
            let (stream, ticking, plan) = (Rc::clone(stream), Rc::clone(ticking), Rc::clone(plan));
            let this = Weak::clone(this);
            RefCell::new(Self { this, stream, ticking, alarm: None, plan, head, until, state })
        });
        if is_carried {
            return Ok((relay, stream.forward()));
        }
        relay.borrow_mut().next();
        Ok((relay, Action::Pause))
    }

    pub(crate) fn stream_id(&self) -> u32 {
        self.stream.id()
    }

    /// The head of the first provider's answer has come.
    pub(crate) fn answer(&mut self, headers: Headers<'_>, end: bool) -> Action {
        let turn = match &mut self.state {
            State::Carrying(courier) => courier.answer(&self.stream, headers, end),
            State::Waiting(_) | State::Calling(_) | State::Settled => return Action::Pause,
        };
        self.turn(turn)
    }

    /// A piece of it has come: `length` bytes are in the host's buffer.
    pub(crate) fn read(&mut self, length: usize, end: bool) -> Action {
        let turn = match &mut self.state {
            State::Carrying(courier) => courier.read(&self.stream, length, end),
            State::Waiting(_) | State::Calling(_) | State::Settled => {
                self.stream.replace_response_body(length, &[]);
                return Action::Pause;
            }
        };
        if matches!(turn, Turn::Again) {
            self.stream.replace_response_body(length, &[]);
        }
        self.turn(turn)
    }

    /// It has ended with trailers.
    pub(crate) fn end(&mut self) -> Action {
        let turn = match &mut self.state {
            State::Carrying(courier) => courier.end(&self.stream),
            State::Waiting(_) | State::Calling(_) | State::Settled => return Action::Pause,
        };
        self.turn(turn)
    }

    fn turn(&mut self, turn: Turn) -> Action {
        match turn {
            Turn::Held => {
                if let Some(until) = self.until.filter(|_| self.alarm.is_none()) {
                    self.set_alarm(until);
                }
                Action::Pause
            }
            Turn::Going => {
                self.alarm = None;
                self.plan.record_head(&|| self.stream.response_headers());
                self.stream.release()
            }
            Turn::Again => {
                self.next();
                Action::Pause
            }
            Turn::Instead(reply) => self.reply(&reply),
        }
    }

    /// The try under way has failed: the next one begins, or the client is told. The call that was made, if one was.
    pub(crate) fn next(&mut self) -> Option<u32> {
        self.alarm = None;
        while let Some((attempt, wait)) = Attempt::next(&self.plan, host::now()) {
            if !wait.is_zero() {
                self.state = State::Waiting(attempt);
                self.set_alarm(host::now().saturating_add(wait));
                return None;
            }
            if let Some(call) = self.call(attempt) {
                return Some(call);
            }
        }
        self.reply(&self.plan.verdict());
        None
    }

    /// The time has come: to ask again, or to give up waiting. The call that was made, if one was.
    pub(crate) fn advance(&mut self) -> Option<u32> {
        match mem::replace(&mut self.state, State::Settled) {
            State::Waiting(attempt) => self.call(attempt).or_else(|| self.next()),
            State::Carrying(_) => {
                self.plan.late(host::now());
                self.next()
            }
            // Envoy watches the time of calls.
            other @ (State::Calling(_) | State::Settled) => {
                self.state = other;
                None
            }
        }
    }

    /// Asks a target; `None` where it could not be asked, which is noted.
    fn call(&mut self, mut attempt: Attempt) -> Option<u32> {
        let plan = Rc::clone(&self.plan);
        let now = host::now();
        // An alarm may ring late: what would be cut at once is not asked, for it may have to be paid.
        if plan.is_over(now) {
            plan.late(now);
            return None;
        }
        // Where there may be another try the body is kept.
        let Outgoing { headers: edits, body } = match attempt.outgoing(|_| Vec::new()) {
            Ok(outgoing) => outgoing,
            Err(error) => {
                let _ = attempt.refuse(&error, now);
                return None;
            }
        };
        let body = body.whole().unwrap_or_default();
        let headers = edited(self.head.of_call(), &edits).collect();
        let patience = plan.patience(attempt.target(), now);
        let call = host::call(plan.cluster(attempt.target()), headers, &body, patience);
        match call {
            Some(_) => self.state = State::Calling(attempt),
            None => {
                plan.lost(503, "", now);
            }
        }
        call
    }

    /// The answer to a call has come. The next call, if one was made.
    pub(crate) fn called(&mut self, headers: usize, length: usize) -> Option<u32> {
        let State::Calling(attempt) = mem::replace(&mut self.state, State::Settled) else { return None };
        // Of a connection that broke in the middle there is nothing to be read.
        if headers == 0 {
            self.plan.broke(host::now());
            return self.next();
        }
        let head = host::call_headers();
        let status = host::read_status(head.headers());
        if head.headers().get(SERVICE_TIME).is_none() {
            let details = if status == 504 { "timeout" } else { "" };
            self.plan.lost(status, details, host::now());
            return self.next();
        }
        let body = host::call_body(length);
        let progress = attempt.answer(status, head.headers(), body.is_empty(), &HostClock);
        let progress = if let Progress::Held(held) = progress { held.chunk(&body, true, &HostClock) } else { progress };
        match progress {
            Progress::Released(Release { status: told, headers: edits, body: chunk }, flow) => {
                flow.finish_at_once();
                let body = match chunk {
                    Chunk::Keep => body,
                    Chunk::Replace(other) => other,
                };
                let head = edited(head.headers().iter(), &edits).filter(|(name, _)| !OF_TRANSPORT.contains(name));
                let headers = head.map(|(name, value)| (Name::Owned(name.into()), value.into())).collect();
                let reply = Reply { status: told.unwrap_or(status), headers, body, error: None };
                if self.plan.is_recorded() {
                    self.plan.record_whole(&reply, host::now());
                }
                self.reply(&reply);
                None
            }
            Progress::Instead(reply) => {
                self.reply(&reply);
                None
            }
            Progress::Again(_) | Progress::Held(_) => self.next(),
        }
    }

    fn reply(&mut self, reply: &Reply) -> Action {
        self.alarm = None;
        self.state = State::Settled;
        self.stream.reply(reply)
    }

    fn set_alarm(&mut self, at: Duration) {
        self.alarm = Some(self.ticking.alarms.set(&self.stream, at, Task::Advance(Weak::clone(&self.this))));
    }
}

impl ClientHead {
    /// What of it a call can have.
    fn of_call(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let is_private = |name: &str| self.private.iter().any(|private| private == name);
        self.all.expose().headers().iter().filter(move |(name, _)| !is_private(name) && !OF_CLIENT.contains(name))
    }
}

/// Headers after these changes. Values that are no text are left out.
fn edited<'a>(
    headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    edits: &'a HeaderEdits,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let is_changed =
        |name: &str| edits.remove.iter().any(|removed| removed == name) || edits.set.iter().any(|(set, _)| set == name);
    let kept = headers.filter(move |(name, _)| !is_changed(name));
    let kept = kept.filter_map(|(name, value)| Some((name, str::from_utf8(value).ok()?)));
    kept.chain(edits.set.iter().map(|(name, value)| (&**name, value.as_str())))
}
