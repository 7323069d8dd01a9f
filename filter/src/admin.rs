//! The admin role: one request to the admin API.
//!
//! It has no configuration of its own. The ingress of the same worker leaves the one that it was given last, so that a reload is one of
//! both, and the two never disagree.

use std::{cell::RefCell, rc::Rc};

use dragoman_core::{
    admin::{self, MAX_BODY},
    change::Current,
    headers::HeaderMap,
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};

use crate::{host::Stream, observer};

thread_local! {
    static CURRENT: RefCell<Option<Rc<Current>>> = const { RefCell::new(None) };
}

/// A configuration was loaded.
pub(crate) fn configure(current: &Rc<Current>) {
    CURRENT.set(Some(Rc::clone(current)));
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct AdminStream {
    stream: Stream,
    /// The head of the request, while its body is coming.
    head: HeaderMap,
}

impl AdminStream {
    pub(crate) fn new(id: u32) -> Self {
        Self { stream: Stream::new(id), head: HeaderMap::default() }
    }

    fn answer(&self, body: &[u8]) -> Action {
        observer::tell();
        let current = CURRENT.with_borrow(Clone::clone);
        let head = self.head.headers();
        let reply = observer::with_surroundings(|around| admin::answer(current.as_deref(), head, body, around));
        self.stream.reply(&reply)
    }
}

impl Context for AdminStream {}

impl HttpContext for AdminStream {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        self.head = self.stream.request_headers();
        if end { self.answer(&[]) } else { Action::Pause }
    }

    fn on_http_request_body(&mut self, length: usize, end: bool) -> Action {
        if self.stream.has_ended() {
            return Action::Pause;
        }
        if length > MAX_BODY {
            return self.stream.reply(&admin::too_large());
        }
        if end { self.answer(&self.stream.request_body(0, length)) } else { Action::Pause }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if self.stream.has_ended() { Action::Pause } else { self.answer(&self.stream.request_body(0, MAX_BODY)) }
    }
}
