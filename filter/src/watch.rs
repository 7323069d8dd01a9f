//! Finds out whether Envoy was told `allow_on_headers_stop_iteration: true`.
//!
//! Without it, a filter that pauses at the headers never sees the body, and every request hangs. The setting cannot be read,
//! so requests are watched until the first body comes; then watching is over and costs nothing. One that Envoy has received
//! whole, but does not hand over for [`PATIENCE`], is answered with the name of the setting. Whether it is whole is known from its
//! length; where that is not told (`ext_proc` takes it off), only that nothing has come for [`LONG_PATIENCE`].
//!
//! It is answered for itself alone. A filter that stands before this one may let heads pass and hold bodies (`ext_proc` in
//! its buffered mode), which looks the same: whatever was concluded from one request would be wrong for those after it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use dragoman_core::error::{Error, Kind, Shape};

use crate::host::{self, Stream};

/// As often as the other ticks of a root context, which has but one.
const TICK: Duration = Duration::from_millis(20);

/// Longer than a filter holds a body to look into it, shorter than a caller waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longer than a client pauses in the middle of a body.
const LONG_PATIENCE: Duration = Duration::from_secs(30);

/// The watch of one root context.
#[derive(Debug)]
pub(crate) struct Watch {
    root: u32,
    /// A body was seen: the setting is there.
    is_over: Cell<bool>,
    /// The log has the setting's name.
    is_told: Cell<bool>,
    waiting: RefCell<Vec<Waiting>>,
}

/// A stream that has paused at its headers.
#[derive(Debug)]
struct Waiting {
    stream: Rc<Stream>,
    /// What Envoy had received of it when that was last seen to change, and when that was.
    received: i64,
    since: Duration,
    /// How long nothing may have come before the headers are looked at.
    patience: Duration,
}

impl Watch {
    pub(crate) fn new(root: u32) -> Self {
        Self { root, is_over: Cell::default(), is_told: Cell::default(), waiting: RefCell::default() }
    }

    /// A stream pauses at its headers.
    pub(crate) fn begin(&self, stream: &Rc<Stream>) {
        if self.is_over.get() {
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            host::set_tick(self.root, stream.id(), TICK);
        }
        waiting.push(Waiting {
            stream: Rc::clone(stream),
            received: received(),
            since: host::now(),
            patience: PATIENCE,
        });
    }

    /// More of a stream has come than its headers.
    pub(crate) fn see_body(&self) {
        if !self.is_over.replace(true) {
            self.waiting.borrow_mut().clear();
        }
    }

    /// A stream is over.
    pub(crate) fn forget(&self, stream: &Stream) {
        if !self.is_over.get() {
            self.waiting.borrow_mut().retain(|waiting| waiting.stream.id() != stream.id());
        }
    }

    /// Time has passed; whether another tick is needed.
    pub(crate) fn tick(&self) -> bool {
        if self.waiting.borrow().is_empty() {
            return false;
        }
        let now = host::now();
        let mut hanging = Vec::new();
        self.waiting.borrow_mut().retain_mut(|waiting| {
            let id = waiting.stream.id();
            let hangs = host::as_context(id, self.root, || waiting.hangs(now));
            if hangs == Some(true) {
                hanging.push(Rc::clone(&waiting.stream));
            }
            hangs == Some(false)
        });
        for stream in hanging {
            let explanation = explanation();
            if !self.is_told.replace(true) {
                log::error!("{}", explanation.message);
            }
            host::as_context(stream.id(), self.root, || stream.reply(&explanation.reply(Shape::OpenAi)));
        }
        !self.waiting.borrow().is_empty()
    }
}

impl Waiting {
    /// Whether all of it has been there for a while.
    fn hangs(&mut self, now: Duration) -> bool {
        let received = received();
        if received != self.received {
            (self.received, self.since) = (received, now);
        }
        if now.saturating_sub(self.since) < self.patience {
            return false;
        }
        let map = self.stream.request_headers();
        let head = map.headers().iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
        let announced = map.headers().text("content-length").and_then(|length| length.parse::<usize>().ok());
        if announced.is_none() && self.patience < LONG_PATIENCE {
            self.patience = LONG_PATIENCE;
            return false;
        }
        // The sender may be the one who is late: whether he is costs a look at the headers, which comes as seldom as this.
        self.since = now;
        usize::try_from(received).unwrap_or_default().saturating_sub(head) >= announced.unwrap_or(1)
    }
}

/// Bytes received of the client's request, and those of the headers of the effective stream. `request.size` would be what
/// its content-length announces.
fn received() -> i64 {
    host::number(&["request", "total_size"]).unwrap_or_default()
}

/// What to tell whoever runs into it.
fn explanation() -> Error {
    let message = format!(
        "The gateway's filter was shown no body for at least {} s: `allow_on_headers_stop_iteration: true` is missing in the \
         PluginConfig of the wasm filter, or a filter before it holds the body.",
        PATIENCE.as_secs()
    );
    Error::new(Kind::Misconfigured, message)
}
