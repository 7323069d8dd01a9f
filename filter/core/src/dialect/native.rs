//! What passes as it is, because its provider speaks what the client speaks: the places that change in the request, and what is
//! looked for in the answer.
//!
//! Every other byte stays, so that what a provider adds to its API works on the day it does.

use alloc::{boxed::Box, rc::Rc, vec::Vec};
use core::fmt;

use super::{Aim, Dropped, head::ChatRequest};
use crate::{
    json::{Edit, Edits, Found},
    sse::Frame,
    usage::Usage,
};

/// A format between a client and a provider that both speak it.
pub trait Native {
    /// The path of its requests, behind the base URL and the version.
    fn path(&self) -> &str;

    /// Headers of its own that pass from the client, and what one says that the client leaves out; empty where it is not sent then.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The changes of a request for its target. `body` reads it, where more of it must be known than its head.
    fn splice(&self, request: &ChatRequest, aim: &Aim<'_>, body: &mut dyn FnMut() -> Rc<Vec<u8>>) -> Spliced;

    /// The members of a whole answer that are read.
    fn wanted(&self) -> &'static [&'static str];

    /// What a document of status 200 is, from what a scan for [`Self::wanted`] found.
    fn whole(&self, found: &Found) -> Whole;

    /// The body to send for a provider's error: `None` where its own has the format's shape.
    fn error_body(&self, provider: &str, status: u16, body: &[u8]) -> Option<Vec<u8>>;

    /// What looks at a stream.
    fn tap(&self) -> Box<dyn Tap>;
}

/// A request's changes.
#[derive(Debug, Default)]
pub struct Spliced {
    /// Of the body.
    pub edits: Edits,
    /// What of it the target does not get.
    pub dropped: Dropped,
}

impl Spliced {
    /// These changes, which take nothing out.
    #[must_use]
    pub fn of(edits: Edits) -> Self {
        Self { edits, dropped: Dropped::default() }
    }

    /// Adds what takes something out of a body.
    pub fn prune(&mut self, body: &[u8], prune: impl FnOnce(&str) -> (Vec<Edit>, Dropped)) {
        let (edits, dropped) = prune(core::str::from_utf8(body).unwrap_or_default());
        self.edits.extend(edits);
        self.dropped = dropped;
    }
}

/// What a whole document of status 200 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// An answer, with its tokens where it says them.
    Answer(Option<Usage>),
    /// An error that calls itself a success, and the status that it stands for.
    Error(u16),
    /// Something else.
    Other,
}

/// Looks at a stream, event by event, without changing it.
pub trait Tap {
    /// Judges the next event.
    fn read(&mut self, frame: Frame<'_>) -> Event;

    /// The tokens of the answer, once the stream has said them.
    fn usage(&self) -> Option<Usage>;

    /// Whether the answer itself is complete, whatever the stream still lacks.
    fn is_finished(&self) -> bool;

    /// Whether nothing may follow any more.
    fn is_done(&self) -> bool;

    /// The event that ends a stream.
    fn last_event(&self) -> &'static [u8];

    /// What to answer instead of a stream, for an event that tells an error.
    fn error_body(&self, frame: Frame<'_>) -> Vec<u8> {
        frame.data().unwrap_or_default().into_owned()
    }

    /// An error as the last event of a stream, given its body.
    fn error_event(&self, body: &[u8]) -> Vec<u8>;
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A comment, a ping, a chunk with only a role: nothing a client could show.
    Preamble,
    /// Something of the answer, or its end.
    Content,
    /// What carries nothing but the usage, and comes only if it was asked for.
    Usage,
    /// The provider's own error, and the status that it stands for.
    Error(u16),
    /// Not of this format.
    Malformed,
}

// Not `Debug` above: see the module that this is a part of.
impl fmt::Debug for dyn Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}
