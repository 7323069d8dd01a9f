//! Finds out whether Envoy was told `allow_on_headers_stop_iteration: true`.
//!
//! Without it, a filter that pauses at the headers never sees the body, and every request hangs. The setting cannot be read,
//! so the first requests are watched: one whose body Envoy has received, but has not handed over within a tick, proves that
//! it is missing. Once a body was seen, watching is over and costs nothing.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use dragoman_core::error::{Error, Kind, Shape};

use crate::host::{self, Stream};

/// How long a request may wait before it is looked at.
const TICK: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    Unknown,
    Present,
    Missing,
}

/// The watch of one root context.
#[derive(Debug)]
pub(crate) struct Watch {
    root: u32,
    setting: Cell<Setting>,
    /// Streams, and what had been received of each when it paused.
    waiting: RefCell<Vec<(u32, i64)>>,
}

impl Watch {
    pub(crate) fn new(root: u32) -> Self {
        Self { root, setting: Cell::new(Setting::Unknown), waiting: RefCell::default() }
    }

    /// A stream pauses at its headers; false when that is known to hang.
    pub(crate) fn begin(&self, stream: &Stream) -> bool {
        if self.setting.get() == Setting::Unknown {
            let mut waiting = self.waiting.borrow_mut();
            if waiting.is_empty() {
                host::set_tick(self.root, stream.id(), TICK);
            }
            waiting.push((stream.id(), received()));
        }
        !self.has_failed()
    }

    /// Whether the setting is known to be missing: then every answer is the explanation, and none needs a look.
    pub(crate) fn has_failed(&self) -> bool {
        self.setting.get() == Setting::Missing
    }

    /// A stream's body has come.
    pub(crate) fn see_body(&self) {
        if self.setting.get() == Setting::Unknown {
            self.setting.set(Setting::Present);
            self.waiting.borrow_mut().clear();
        }
    }

    /// A stream is over.
    pub(crate) fn forget(&self, stream: &Stream) {
        if self.setting.get() == Setting::Unknown {
            self.waiting.borrow_mut().retain(|(id, _)| *id != stream.id());
        }
    }

    /// Time has passed; whether another tick is needed.
    pub(crate) fn tick(&self) -> bool {
        let waiting = self.waiting.borrow().clone();
        if waiting.is_empty() || self.setting.get() != Setting::Unknown {
            return false;
        }
        let hangs =
            |(id, before): &(u32, i64)| host::as_context(*id, self.root, received).is_some_and(|now| now > *before);
        if !waiting.iter().any(hangs) {
            return true;
        }
        log::error!("{}", explanation().message);
        self.setting.set(Setting::Missing);
        self.waiting.borrow_mut().clear();
        for (id, _) in waiting {
            host::as_context(id, self.root, || Stream::new(id).reply(&explanation().reply(Shape::OpenAi)));
        }
        false
    }
}

/// Bytes received of the effective stream, its headers included. `request.size` would be what its content-length announces.
fn received() -> i64 {
    host::number(&["request", "total_size"]).unwrap_or_default()
}

/// What to tell whoever runs into it.
pub(crate) fn explanation() -> Error {
    let message = "The gateway's filter was loaded without `allow_on_headers_stop_iteration: true`; set it in the \
                   PluginConfig of the wasm filter.";
    Error::new(Kind::Misconfigured, message)
}
