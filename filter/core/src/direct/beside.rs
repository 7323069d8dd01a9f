//! A stream that passes as it came, and is read beside: for its tokens, and to tell an end from a cut.
//!
//! What the reader does not understand passes like the rest, and nothing is read from there on: a format grows, and this is not
//! the one to refuse what is new in it.

use alloc::{boxed::Box, rc::Rc, vec::Vec};

use super::format::Format;
use crate::{
    account::Account,
    chat::{Delta, Progress},
    dialect::{Broken, Reader, Upstream},
    error::Error,
    passage::{Conduit, Failure, Seen},
    sse::{Frame, Framing},
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Beside {
    format: &'static Format,
    /// Until it understands something no longer.
    reader: Option<Box<dyn Reader>>,
    framing: Framing,
    account: Rc<Account>,
    usage: Option<Usage>,
    progress: Progress,
    /// Whether something of an answer was read.
    has_begun: bool,
    is_over: bool,
    /// What would end the event that came last.
    lacking: &'static [u8],
}

impl Beside {
    pub(super) fn new(format: &'static Format, upstream: &dyn Upstream, account: &Rc<Account>) -> Self {
        Self {
            format,
            reader: Some(upstream.reader()),
            framing: upstream.framing().0,
            account: Rc::clone(account),
            usage: None,
            progress: Progress::default(),
            has_begun: false,
            is_over: false,
            lacking: b"",
        }
    }

    fn note(&mut self, delta: &Delta<'_>) {
        self.has_begun |= delta.is_content();
        if let Some(choice) = delta.choice() {
            self.progress.note(choice);
        }
        if let Delta::Finish { choice, .. } = delta {
            self.progress.end(*choice);
        }
        if let Delta::Usage(usage) = delta {
            self.usage = Some(*usage);
        }
        self.is_over |= matches!(delta, Delta::End);
    }
}

impl Conduit for Beside {
    fn pass(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Seen {
        if let Some(mut reader) = self.reader.take() {
            match reader.read(frame, &mut |delta| self.note(&delta)) {
                Ok(()) => self.reader = Some(reader),
                // It is told as it is said, unless it says what is nobody's business.
                Err(Broken::Fault(fault)) if self.account.names_secret(frame.raw) => {
                    return Seen::Failure(Failure {
                        status: fault.status,
                        body: Vec::new(),
                        event: frame.raw.to_vec(),
                    });
                }
                Err(Broken::Malformed | Broken::Fault(_)) => {}
            }
        }
        out.extend_from_slice(frame.raw);
        self.lacking = match self.framing {
            Framing::Events if !frame.is_closed() => b"\n\n",
            Framing::Lines if !frame.raw.ends_with(b"\n") => b"\n",
            Framing::Events | Framing::Lines => b"",
        };
        Seen::Content
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        let is_cut = self.reader.is_some() && self.has_begun && !self.is_over && !self.progress.is_complete();
        if is_cut {
            out.extend_from_slice(self.lacking);
        }
        !is_cut
    }

    fn failure(&mut self, error: &Error) -> Failure {
        let body = error.body(self.format.shape);
        Failure { status: error.kind.status(), event: self.format.error_event(&body), body }
    }

    fn is_verbatim(&self) -> bool {
        true
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }
}
