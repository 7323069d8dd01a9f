//! A stream that passes as it came, and is read beside: for its tokens, and to tell an end from a cut and an answer from an error.
//!
//! What the reader does not understand passes like the rest, and nothing is read from there on: a format grows, and this is not
//! the one to refuse what is new in it. An error of the provider's passes too, but it is not taken for an answer.

use alloc::{boxed::Box, rc::Rc, vec::Vec};

use super::format::Format;
use crate::{
    account::Account,
    chat::{Delta, Progress},
    dialect::{Broken, Reader},
    error::Error,
    passage::{Conduit, Failure, Seen},
    sse::{Frame, Framing},
    usage::Usage,
};

/// What reads a stream of a format.
pub(crate) trait Witness {
    /// Notes what the next frame says.
    ///
    /// # Errors
    /// [`Broken`] where nothing can be read any more.
    fn read(&mut self, frame: Frame<'_>, so_far: &mut SoFar) -> Result<(), Broken>;
}

/// What a stream has told so far.
#[derive(Debug, Default)]
pub(crate) struct SoFar {
    pub(crate) usage: Option<Usage>,
    /// Whether it is such a stream: something was said, if only that an answer begins.
    pub(crate) is_answer: bool,
    /// Whether something of an answer was said.
    pub(crate) has_begun: bool,
    pub(crate) is_over: bool,
}

/// See the module's documentation.
pub(super) struct Beside {
    format: &'static Format,
    framing: Framing,
    /// Until it understands something no longer.
    witness: Option<Box<dyn Witness>>,
    account: Rc<Account>,
    so_far: SoFar,
    /// Whether a frame has come.
    is_open: bool,
    /// Whether what comes is the rest of the stream.
    is_rest: bool,
    /// Whether that was left out.
    is_torn: bool,
    /// What would end the frame that came last.
    lacking: &'static [u8],
}

impl Beside {
    pub(super) fn new(
        format: &'static Format,
        framing: Framing,
        witness: Option<Box<dyn Witness>>,
        account: &Rc<Account>,
    ) -> Self {
        Self {
            format,
            framing,
            witness,
            account: Rc::clone(account),
            so_far: SoFar::default(),
            is_open: false,
            is_rest: false,
            is_torn: false,
            lacking: b"",
        }
    }

    /// What is left of a frame that was cut: no client could read it, half an element would take the whole list with it, and the
    /// error that follows would be taken for its rest.
    fn leave_out(&mut self, witness: Box<dyn Witness>) -> Seen {
        self.witness = Some(witness);
        self.is_torn = true;
        Seen::Preamble
    }
}

impl Conduit for Beside {
    fn pass(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Seen {
        let mut seen = Seen::Content;
        if let Some(mut witness) = self.witness.take() {
            match witness.read(frame, &mut self.so_far) {
                Ok(()) if self.framing == Framing::Events && !self.so_far.is_over && frame.is_torn() => {
                    return self.leave_out(witness);
                }
                Ok(()) => self.witness = Some(witness),
                // It is told as it is said, unless it says what is nobody's business.
                Err(Broken::Fault(fault)) if self.account.names_secret(frame.raw) => {
                    let event = frame.raw.to_vec();
                    return Seen::Failure(Failure {
                        status: fault.status,
                        body: Vec::new(),
                        event,
                        is_stated: true,
                        reason: None,
                    });
                }
                Err(Broken::Fault(fault)) => seen = Seen::Fault(fault.status),
                Err(Broken::Malformed) if !self.so_far.is_over && self.is_rest => {
                    return self.leave_out(witness);
                }
                Err(Broken::Malformed) => {}
            }
        }
        out.extend_from_slice(frame.raw);
        self.is_open = true;
        self.lacking = match self.framing {
            Framing::Events if !frame.is_closed() => b"\n\n",
            Framing::Lines if !frame.raw.ends_with(b"\n") => b"\n",
            Framing::Elements if is_within_list(frame) => b"]",
            Framing::Events | Framing::Lines | Framing::Elements => b"",
        };
        seen
    }

    fn note_rest(&mut self) {
        self.is_rest = true;
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        let SoFar { is_answer, is_over, .. } = self.so_far;
        let is_cut = self.witness.is_some() && (is_answer || self.is_torn) && !is_over;
        // What is over may lack its last bracket, and an error that follows brings it along.
        let is_lacking = match self.framing {
            Framing::Events | Framing::Lines => is_cut,
            Framing::Elements => is_over && !is_cut && self.witness.is_some(),
        };
        if is_lacking {
            out.extend_from_slice(self.lacking);
        }
        !is_cut
    }

    fn failure(&mut self, error: &Error) -> Failure {
        let body = error.body(self.format.shape);
        let event = match self.framing {
            Framing::Events | Framing::Lines => self.format.error_event(&body),
            Framing::Elements => [if self.is_open { b"," } else { &b"["[..] }, &body, b"]"].concat(),
        };
        Failure { status: error.kind.status(), event, body, is_stated: false, reason: None }
    }

    fn is_verbatim(&self) -> bool {
        true
    }

    fn usage(&self) -> Option<Usage> {
        self.so_far.usage
    }
}

/// What a frame holds, and whether it stands in a list.
fn element(frame: Frame<'_>) -> (&[u8], bool) {
    let raw = frame.raw.trim_ascii();
    let listed = raw.strip_prefix(b"[").or_else(|| raw.strip_prefix(b","));
    (listed.unwrap_or(raw), listed.is_some())
}

/// Whether the list goes on behind a frame.
fn is_within_list(frame: Frame<'_>) -> bool {
    let (element, is_listed) = element(frame);
    is_listed && element.trim_ascii() != b"]"
}

/// A dialect's own reader, of which only the outlines are needed.
pub(super) struct Outline {
    reader: Box<dyn Reader>,
    progress: Progress,
    has_ended: bool,
}

impl Outline {
    pub(super) fn new(reader: Box<dyn Reader>) -> Self {
        Self { reader, progress: Progress::default(), has_ended: false }
    }
}

impl Witness for Outline {
    fn read(&mut self, frame: Frame<'_>, so_far: &mut SoFar) -> Result<(), Broken> {
        let Self { reader, progress, has_ended } = self;
        reader.read(frame, &mut |delta| {
            so_far.is_answer = true;
            so_far.has_begun |= delta.is_content();
            if let Some(choice) = delta.choice() {
                progress.note(choice);
            }
            if let Delta::Finish { choice, .. } = delta {
                progress.end(choice);
            }
            if let Delta::Usage(usage) = delta {
                so_far.usage.get_or_insert_default().update(usage);
            }
            *has_ended |= matches!(delta, Delta::End);
        })?;
        so_far.is_over = *has_ended || progress.is_complete();
        Ok(())
    }
}
