//! The admin role: one request to the admin API.
//!
//! It has no configuration of its own. The ingress of the same worker leaves the one that it was given last, so that a reload is one of
//! both, and the two never disagree.

use std::{cell::RefCell, rc::Rc};

use dragoman_core::{admin, gateway::Gateway};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};

use crate::{host::Stream, observer};

thread_local! {
    static GATEWAY: RefCell<Option<Rc<Gateway>>> = const { RefCell::new(None) };
}

/// A configuration was loaded.
pub(crate) fn configure(gateway: &Rc<Gateway>) {
    GATEWAY.set(Some(Rc::clone(gateway)));
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct AdminStream(Stream);

impl AdminStream {
    pub(crate) fn new(id: u32) -> Self {
        Self(Stream::new(id))
    }
}

impl Context for AdminStream {}

impl HttpContext for AdminStream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let head = self.0.request_headers();
        observer::tell();
        let gateway = GATEWAY.with_borrow(Clone::clone);
        let reply = observer::with_surroundings(|around| admin::answer(gateway.as_deref(), head.headers(), around));
        self.0.reply(&reply)
    }
}
