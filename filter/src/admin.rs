//! The admin role: one request to the admin API.
//!
//! It has no configuration of its own. The ingress of the same worker leaves the one that it was given last, so that a reload is one of
//! both, and the two never disagree.

use std::{cell::RefCell, rc::Rc};

use dragoman_core::{
    admin::{self, Answer, Inquiry, MAX_BODY, PATIENCE},
    change::Current,
    headers::HeaderMap,
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};

use crate::{
    host::{self, HostClock, Stream},
    observer,
};

/// So much of what a provider answers to a test is looked at: no error is longer.
const MAX_ERROR: usize = 16 << 10;

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
    /// What a provider is being asked; until it has answered, the request is held.
    inquiry: Option<Box<Inquiry>>,
}

impl AdminStream {
    pub(crate) fn new(id: u32) -> Self {
        Self { stream: Stream::new(id), head: HeaderMap::default(), inquiry: None }
    }

    fn answer(&mut self, body: &[u8]) -> Action {
        observer::tell();
        let current = CURRENT.with_borrow(Clone::clone);
        let head = self.head.headers();
        let answer = observer::with_surroundings(|around| admin::answer(current.as_deref(), head, body, around));
        match answer {
            Answer::Reply(reply) => self.stream.reply(&reply),
            Answer::Inquiry(inquiry) => match host::call(inquiry.cluster(), inquiry.headers(), &[], PATIENCE) {
                Some(_) => {
                    self.inquiry = Some(inquiry);
                    Action::Pause
                }
                None => self.stream.reply(&inquiry.unmade()),
            },
        }
    }
}

impl Context for AdminStream {
    fn on_http_call_response(&mut self, _: u32, headers: usize, length: usize, _: usize) {
        let Some(inquiry) = self.inquiry.take() else { return };
        // Of a connection that broke in the middle there is nothing to be read.
        let head = (headers > 0).then(host::call_headers);
        let body = if head.is_some() { host::call_body(length.min(MAX_ERROR)) } else { Vec::new() };
        self.stream.reply(&inquiry.answered(head.as_ref().map(HeaderMap::headers), &body, &HostClock));
    }
}

impl HttpContext for AdminStream {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        self.head = self.stream.request_headers();
        if end { self.answer(&[]) } else { Action::Pause }
    }

    fn on_http_request_body(&mut self, length: usize, end: bool) -> Action {
        if self.stream.has_ended() || self.inquiry.is_some() {
            return Action::Pause;
        }
        if length > MAX_BODY {
            return self.stream.reply(&admin::too_large());
        }
        if end { self.answer(&self.stream.request_body(0, length)) } else { Action::Pause }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if self.stream.has_ended() || self.inquiry.is_some() {
            Action::Pause
        } else {
            self.answer(&self.stream.request_body(0, MAX_BODY))
        }
    }
}
