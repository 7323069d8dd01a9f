//! How far the arguments of a call have come.
//!
//! Providers end a call in many ways, or not at all; that its arguments are a whole object ends it in each of them.

use crate::sse::Elements;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    elements: Elements,
    pub(super) are_whole: bool,
}

impl Arguments {
    pub(super) fn add(&mut self, json: &str) {
        self.are_whole |= self.elements.end(json.as_bytes()).is_some();
    }
}
