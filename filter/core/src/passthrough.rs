//! A stream whose format is the client's own: its frames pass as they came, but for the usage chunk that the client did not
//! ask for.

use alloc::{boxed::Box, vec::Vec};

use crate::{
    dialect::{Event, Tap},
    error::{Error, Shape},
    passage::{Conduit, Failure, Seen},
    sse::Frame,
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Passthrough {
    tap: Box<dyn Tap>,
    shape: Shape,
    hides_usage: bool,
    /// Whether what was sent last still lacks its blank line.
    is_open: bool,
}

impl Passthrough {
    /// `hides_usage` says that the client did not ask for usage.
    pub(crate) fn new(tap: Box<dyn Tap>, shape: Shape, hides_usage: bool) -> Self {
        Self { tap, shape, hides_usage, is_open: false }
    }
}

impl Conduit for Passthrough {
    fn pass(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Seen {
        let is_over = self.tap.is_done();
        // A client would take what follows, which is the error, for its rest.
        if frame.is_torn() && !is_over {
            return Seen::Preamble;
        }
        let seen = match self.tap.read(frame) {
            Event::Usage if self.hides_usage => return Seen::Preamble,
            // What follows the end may tell the tokens still.
            _ if is_over => Seen::Preamble,
            Event::Content => Seen::Content,
            Event::Preamble | Event::Usage => Seen::Preamble,
            Event::Malformed => return Seen::Malformed,
            Event::Error(status) => {
                let body = self.tap.error_body(frame);
                return Seen::Failure(Failure {
                    status,
                    body,
                    event: frame.raw.to_vec(),
                    is_stated: true,
                    reason: None,
                });
            }
        };
        out.extend_from_slice(frame.raw);
        self.is_open = !frame.is_closed();
        seen
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        if self.tap.is_done() {
            return true;
        }
        if self.is_open {
            out.extend_from_slice(b"\n\n");
        }
        if self.tap.is_finished() {
            out.extend_from_slice(self.tap.last_event());
        }
        self.tap.is_finished()
    }

    fn failure(&mut self, error: &Error) -> Failure {
        let body = error.body(self.shape);
        Failure {
            status: error.kind.status(),
            event: self.tap.error_event(&body),
            body,
            is_stated: false,
            reason: None,
        }
    }

    fn is_verbatim(&self) -> bool {
        true
    }

    fn usage(&self) -> Option<Usage> {
        self.tap.usage()
    }
}
