//! One stream through one filter, as Envoy's filter chain moves it, and what comes out on either side.
//!
//! Tests say what arrives and look at what leaves; how the filter got there is its own affair. A half that the filter holds
//! has not left. Seen in stock Envoy 1.40.0 and kept here: a body always ends with an empty callback of its own; a reply that
//! the filter sends before the upstream has answered passes the filter's own response callbacks, one sent while it holds an
//! answer's head does not, and one sent after the head has left resets the stream; `on_log` comes before `on_done`, and an
//! upstream filter gets no `on_log`.

use super::half::{Half, Head};
use super::host::{Deferred, Direction, FilterState, HOST, Host, StreamState, next_id};
use super::{Headers, Outcome, Root, Vm, symbols};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::mem;
use std::rc::Rc;

/// Where in Envoy a filter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// In the listener's chain.
    Downstream,
    /// In a cluster's chain: one per try.
    Upstream,
}

/// A stream in one filter. Ended by [`Stream::finish`], or when its VM is dropped.
#[derive(Clone, Copy)]
pub struct Stream<'vm> {
    id: u32,
    is_kept_from_body: bool,
    vm: PhantomData<&'vm Vm>,
}

impl<'vm> Stream<'vm> {
    pub(super) fn open(root: Root<'vm>, role: Role, filter_state: Rc<RefCell<FilterState>>) -> Self {
        let id = next_id();
        let state = StreamState {
            root: root.id,
            role,
            request: Half::default(),
            response: Half::default(),
            properties: BTreeMap::new(),
            filter_state,
            reset: false,
            logging: false,
        };
        with_host(|host| host.streams.insert(id, state));
        call(id, || symbols::proxy_on_context_create(id, root.id));
        Self { id, is_kept_from_body: false, vm: PhantomData }
    }

    /// The filter is loaded without `allow_on_headers_stop_iteration`: while it holds a head, Envoy shows it no body.
    #[must_use]
    pub fn without_headers_stop_iteration(mut self) -> Self {
        self.is_kept_from_body = true;
        self
    }

    /// A filter stands before this one that lets the head pass and holds the body, until [`Stream::let_body_pass`]. Of one
    /// that has let its head go, nothing is held.
    #[must_use]
    pub fn behind_a_filter_that_holds_bodies(self) -> Self {
        self.without_headers_stop_iteration()
    }

    /// The filter before this one has seen enough.
    pub fn let_body_pass(self) {
        deliver_waiting(self.id, Direction::Request, self.look(|stream| stream.request.waiting.take()));
    }

    /// This request's next filter: an upstream filter's context for one try. The two share filter state.
    #[must_use]
    pub fn attempt(self, root: Root<'vm>) -> Stream<'vm> {
        let shared = self.look(|stream| Rc::clone(&stream.filter_state));
        Stream::open(root, Role::Upstream, shared)
    }

    /// A property that Envoy would know, e.g. `["source", "address"]`.
    pub fn set_property(self, path: &[&str], value: &[u8]) {
        self.look(|stream| stream.properties.insert(path.join("\0").into_bytes(), value.to_vec()));
    }

    /// Filter state that a filter of this request has set.
    #[must_use]
    pub fn filter_state(self, name: &str) -> Option<Vec<u8>> {
        self.look(|stream| stream.filter_state.borrow().values.get(name.as_bytes()).cloned())
    }

    /// The same as the router saw it when it last chose the route: a property set after that is not in it.
    #[must_use]
    pub fn routed_by(self, name: &str) -> Option<Vec<u8>> {
        self.look(|stream| stream.filter_state.borrow().routed.get(name.as_bytes()).cloned())
    }

    /// A request arrives, whole but in these pieces; none, and it ends with its head.
    #[track_caller]
    pub fn request<B: AsRef<[u8]>>(self, headers: impl Into<Headers>, chunks: &[B]) -> Outcome {
        self.run(Direction::Request, headers.into(), chunks)
    }

    /// The head of a request arrives.
    #[track_caller]
    pub fn request_head(self, headers: impl Into<Headers>, end: bool) -> Outcome {
        self.head(Direction::Request, headers.into(), end)
    }

    /// A piece of its body.
    #[track_caller]
    pub fn request_chunk(self, chunk: impl AsRef<[u8]>, end: bool) -> Outcome {
        self.data(Direction::Request, chunk.as_ref(), end)
    }

    /// An answer arrives, whole but in these pieces.
    #[track_caller]
    pub fn response<B: AsRef<[u8]>>(self, headers: impl Into<Headers>, chunks: &[B]) -> Outcome {
        self.run(Direction::Response, headers.into(), chunks)
    }

    /// The head of an answer arrives.
    #[track_caller]
    pub fn response_head(self, headers: impl Into<Headers>, end: bool) -> Outcome {
        self.head(Direction::Response, headers.into(), end)
    }

    /// A piece of its body.
    #[track_caller]
    pub fn response_chunk(self, chunk: impl AsRef<[u8]>, end: bool) -> Outcome {
        self.data(Direction::Response, chunk.as_ref(), end)
    }

    /// What has become of the request so far.
    #[must_use]
    #[track_caller]
    pub fn request_outcome(self) -> Outcome {
        self.look(|stream| {
            stream.request.assert_framed();
            match (&stream.request.sent, &stream.response.sent) {
                _ if stream.reset => Outcome::Reset,
                (Some(sent), _) => Outcome::Forwarded(sent.clone()),
                (None, Some(reply)) => Outcome::Replied(reply.clone()),
                (None, None) => Outcome::Held,
            }
        })
    }

    /// What has become of the answer so far. A reply of the filter's own in its place counts as forwarded: the client cannot
    /// tell them apart.
    #[must_use]
    #[track_caller]
    pub fn response_outcome(self) -> Outcome {
        self.look(|stream| {
            stream.response.assert_framed();
            match &stream.response.sent {
                _ if stream.reset => Outcome::Reset,
                Some(sent) => Outcome::Forwarded(sent.clone()),
                None => Outcome::Held,
            }
        })
    }

    /// The stream is over, whether it came to an end or was cut off.
    pub fn finish(self) {
        finish(self.id);
    }

    #[track_caller]
    fn run<B: AsRef<[u8]>>(self, direction: Direction, headers: Headers, chunks: &[B]) -> Outcome {
        let mut outcome = self.head(direction, headers, chunks.is_empty());
        for chunk in chunks {
            outcome = self.data(direction, chunk.as_ref(), false);
        }
        if chunks.is_empty() { outcome } else { self.data(direction, b"", true) }
    }

    #[track_caller]
    fn head(self, direction: Direction, headers: Headers, end: bool) -> Outcome {
        deliver_head(self.id, direction, headers, end);
        if self.is_kept_from_body {
            self.look(|stream| {
                let half = half(stream, direction);
                half.waiting = half.is_held().then(Vec::new);
            });
        }
        self.outcome(direction)
    }

    #[track_caller]
    fn data(self, direction: Direction, chunk: &[u8], end: bool) -> Outcome {
        deliver_data(self.id, direction, chunk, end);
        self.outcome(direction)
    }

    #[track_caller]
    fn outcome(self, direction: Direction) -> Outcome {
        match direction {
            Direction::Request => self.request_outcome(),
            Direction::Response => self.response_outcome(),
        }
    }

    #[track_caller]
    fn look<T>(self, look: impl FnOnce(&mut StreamState) -> T) -> T {
        with_host(|host| look(host.streams.get_mut(&self.id).expect("the stream is not finished")))
    }
}

fn half(stream: &mut StreamState, direction: Direction) -> &mut Half {
    match direction {
        Direction::Request => &mut stream.request,
        Direction::Response => &mut stream.response,
    }
}

/// The stream, unless it is over: a filter that was destroyed while something was on its way to it hears nothing of it.
fn with_stream<T>(id: u32, look: impl FnOnce(&mut StreamState) -> T) -> Option<T> {
    with_host(|host| host.streams.get_mut(&id).filter(|stream| !stream.reset).map(look))
}

fn deliver_head(id: u32, direction: Direction, headers: Headers, end: bool) {
    let count = headers.len();
    let arrived = with_stream(id, |stream| {
        // The filter has answered: the rest of the request goes nowhere.
        if direction == Direction::Request && stream.response.has_head() {
            return false;
        }
        *half(stream, direction) = Half::arrived(headers, end);
        true
    });
    if arrived == Some(true) {
        let pause = call(id, || match direction {
            Direction::Request => symbols::proxy_on_request_headers(id, count, end),
            Direction::Response => symbols::proxy_on_response_headers(id, count, end),
        });
        after(id, direction, pause);
    }
}

fn deliver_data(id: u32, direction: Direction, chunk: &[u8], end: bool) {
    let size = with_stream(id, |stream| {
        if direction == Direction::Request && stream.response.has_head() {
            return None;
        }
        let half = half(stream, direction);
        // Replaced by the filter's own reply: the rest of what was there goes nowhere.
        if half.sent.as_ref().is_some_and(|sent| sent.complete) {
            return None;
        }
        half.received += chunk.len();
        if let Some(waiting) = &mut half.waiting {
            waiting.push((chunk.to_vec(), end));
            return None;
        }
        half.ended = end;
        let buffer = half.buffer.get_or_insert_default();
        buffer.extend(chunk);
        Some(buffer.len())
    });
    if let Some(size) = size.flatten() {
        let pause = call(id, || match direction {
            Direction::Request => symbols::proxy_on_request_body(id, size, end),
            Direction::Response => symbols::proxy_on_response_body(id, size, end),
        });
        after(id, direction, pause);
    }
}

/// Hands over what has arrived already.
fn deliver_waiting(id: u32, direction: Direction, waiting: Option<Vec<(Vec<u8>, bool)>>) {
    for (chunk, end) in waiting.unwrap_or_default() {
        with_stream(id, |stream| half(stream, direction).received -= chunk.len());
        deliver_data(id, direction, &chunk, end);
    }
}

/// The callback has returned: first its verdict, then what it asked for.
fn after(id: u32, direction: Direction, pause: u32) {
    let deferred = with_host(|host| mem::take(&mut host.deferred));
    let replied = deferred.iter().any(|deferred| matches!(deferred, Deferred::Reply(of, ..) if *of == id));
    if pause == 0 && !replied {
        with_stream(id, |stream| half(stream, direction).release());
    }
    deferred.into_iter().for_each(perform);
}

/// Runs what the callbacks that are no stream's (tick, callout) have asked for.
pub(super) fn perform_deferred() {
    with_host(|host| mem::take(&mut host.deferred)).into_iter().for_each(perform);
}

fn perform(deferred: Deferred) {
    match deferred {
        Deferred::Continue(id, direction) => {
            let waiting = with_stream(id, |stream| {
                let half = half(stream, direction);
                half.release();
                half.waiting.take()
            });
            deliver_waiting(id, direction, waiting.flatten());
        }
        Deferred::Reset(id) => _ = with_stream(id, |stream| stream.reset = true),
        Deferred::Reply(id, headers, body) => reply(id, headers, body),
    }
}

fn reply(id: u32, headers: Headers, body: Vec<u8>) {
    let again = with_stream(id, |stream| match (stream.response.head, stream.role) {
        (Head::Absent, Role::Downstream) => Some((headers, body)),
        (Head::Absent | Head::Held, _) => {
            stream.response.settle(headers, body);
            None
        }
        (Head::Left, _) => {
            stream.reset = true;
            None
        }
    });
    if let Some((headers, body)) = again.flatten() {
        deliver_head(id, Direction::Response, headers, body.is_empty());
        if !body.is_empty() {
            deliver_data(id, Direction::Response, &body, true);
        }
    }
}

pub(super) fn finish(id: u32) {
    let Some(role) = with_host(|host| {
        let stream = host.streams.get_mut(&id)?;
        stream.logging = true;
        stream.request.buffer = None;
        stream.response.buffer = None;
        Some(stream.role)
    }) else {
        return;
    };
    if role == Role::Downstream {
        call(id, || symbols::proxy_on_log(id));
    }
    call(id, || symbols::proxy_on_done(id));
    call(id, || symbols::proxy_on_delete(id));
    with_host(|host| {
        host.deferred.clear();
        host.streams.remove(&id);
    });
}

/// A callback into the VM. The host is not borrowed while it runs: the filter calls back.
pub(super) fn call<T>(context: u32, callback: impl FnOnce() -> T) -> T {
    with_host(|host| host.enter(context));
    callback()
}

#[track_caller]
pub(super) fn with_host<T>(look: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(|host| look(host.as_mut().expect("a VM lives on this thread")))
}
