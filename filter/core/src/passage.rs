//! The passage of a streamed answer from its provider to the client, whatever is done to it on the way.
//!
//! Until the first content everything is kept back, so that an error, or nothing at all, is still a failure and not half an
//! answer. Afterwards a failure can only be said in the stream: the error is its last event. What a frame becomes is a
//! [`Conduit`]'s business: the same bytes ([`crate::passthrough`]) or another format's ([`crate::translation`]).

use alloc::{boxed::Box, format, rc::Rc, vec::Vec};
use core::{fmt, mem};

use crate::{
    account::Account,
    chat::Reason,
    error::{Error, Kind},
    gateway::Provider,
    plan::Target,
    sse::{Decoder, Frame, Framing},
    step::Chunk,
    usage::{Flowed, Usage},
};

/// Most bytes kept back before the first content; then the stream is let go as it is.
const MAX_KEPT_BACK: usize = 512 * 1024;

/// What is done to the frames of a stream.
pub(crate) trait Conduit {
    /// Appends to `out` what the client gets for a frame: nothing where the frame is a failure.
    fn pass(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Seen;

    /// The stream has ended. Appends what it lacks, and says whether the answer was complete.
    fn finish(&mut self, out: &mut Vec<u8>) -> bool;

    /// How an error of the gateway is told.
    fn failure(&mut self, error: &Error) -> Failure;

    /// The stream has ended: what passes next is what is left of it, and may be half a frame.
    fn note_rest(&mut self) {}

    /// Whether whatever is appended for a frame is the frame's own bytes, unless it is of another length.
    fn is_verbatim(&self) -> bool;

    /// The tokens of the answer, once the stream has said them.
    fn usage(&self) -> Option<Usage>;
}

// Not `Debug` above: see the traits of dialects.
impl fmt::Debug for dyn Conduit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conduit")
    }
}

/// What a frame was.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Nothing that a client could show.
    Preamble,
    /// Something of the answer, or its end.
    Content,
    /// The provider gives up.
    Failure(Failure),
    /// It gives up in words that pass as they are; the status that they stand for.
    Fault(u16),
    /// It is not of the provider's format.
    Malformed,
}

/// A failure, told in both ways: in the answer's place, and in the answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The status to answer with.
    pub(crate) status: u16,
    /// The body to answer with.
    pub(crate) body: Vec<u8>,
    /// The event that says the same at the end of a stream.
    pub(crate) event: Vec<u8>,
    /// Whether the provider has put it into words.
    pub(crate) is_stated: bool,
    /// What these are about, where they were said in another format than `body`.
    pub(crate) reason: Option<Reason>,
}

/// A stream on its way.
#[derive(Debug)]
pub(crate) struct Passage {
    decoder: Decoder,
    lane: Lane,
}

/// What the frames are led through.
#[derive(Debug)]
struct Lane {
    conduit: Box<dyn Conduit>,
    stage: Stage,
    /// What to send with the next release.
    out: Vec<u8>,
    /// Whether `out` differs from what the provider sent.
    changed: bool,
    /// Who is to blame.
    provider: Rc<Provider>,
    account: Rc<Account>,
    /// Whether nothing has failed.
    is_sound: bool,
    /// What an error that has passed stands for.
    fault: Option<u16>,
    flowed: Flowed,
}

#[derive(Debug)]
enum Stage {
    /// No content yet.
    KeptBack,
    /// The answer is on its way.
    Going,
    /// It failed before its first content.
    Failed(Failure),
    /// Everything has been said; the rest is dropped.
    Over,
}

/// What to do after a piece.
#[derive(Debug)]
pub(crate) enum Fed {
    /// Keep everything back.
    Nothing,
    /// Let this go, in the place of everything kept back and the piece.
    Go(Chunk),
    /// The stream cannot be used.
    Failed(Failure),
}

impl Passage {
    /// A stream of this target, led through `conduit`.
    pub(crate) fn new(target: &Target, framing: Framing, conduit: Box<dyn Conduit>) -> Self {
        let lane = Lane {
            conduit,
            stage: Stage::KeptBack,
            out: Vec::new(),
            changed: false,
            provider: Rc::clone(&target.provider),
            account: Rc::clone(&target.account),
            is_sound: true,
            fault: None,
            flowed: Flowed::default(),
        };
        Self { decoder: Decoder::new(framing), lane }
    }

    /// The next piece; `end` says that it is the last one.
    pub(crate) fn feed(&mut self, piece: &[u8], end: bool) -> Fed {
        let Self { decoder, lane } = self;
        if matches!(lane.stage, Stage::Over) {
            return Fed::Go(Chunk::Replace(Vec::new()));
        }
        if matches!(lane.stage, Stage::Going) {
            // What was carried over has been taken out of an earlier piece; of a translation nothing is the provider's.
            lane.changed = decoder.carried() > 0 || !lane.conduit.is_verbatim();
        }
        if decoder.feed(piece, |frame| lane.pass(frame)).is_err() {
            lane.fail("sent an event that is too long");
        }
        if end {
            lane.end(&decoder.finish());
        } else if decoder.carried() > 0 {
            lane.changed = true;
        }
        match mem::replace(&mut lane.stage, Stage::Over) {
            Stage::Failed(failure) => Fed::Failed(failure),
            Stage::KeptBack if lane.out.len() <= MAX_KEPT_BACK => {
                lane.stage = Stage::KeptBack;
                Fed::Nothing
            }
            Stage::KeptBack | Stage::Going => {
                lane.stage = Stage::Going;
                Fed::Go(lane.release())
            }
            Stage::Over => Fed::Go(lane.release()),
        }
    }

    /// Ends the stream in this error; what is left of it is dropped.
    pub(crate) fn cut(&mut self, error: &Error) -> Vec<u8> {
        let failure = self.lane.conduit.failure(error);
        self.lane.is_sound = false;
        self.lane.stage = Stage::Over;
        failure.event
    }

    /// Whether nothing has failed so far.
    pub(crate) fn is_sound(&self) -> bool {
        self.lane.is_sound
    }

    /// The status of an error that has passed as it came.
    pub(crate) fn fault(&self) -> Option<u16> {
        self.lane.fault
    }

    /// How much content has come.
    pub(crate) fn flowed(&self) -> Flowed {
        self.lane.flowed
    }

    /// The tokens of the answer, once the stream has said them.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.lane.conduit.usage()
    }
}

impl Lane {
    fn pass(&mut self, frame: Frame<'_>) {
        if matches!(self.stage, Stage::Over | Stage::Failed(_)) {
            self.changed = true;
            return;
        }
        let before = self.out.len();
        let seen = self.conduit.pass(frame, &mut self.out);
        let appended = self.out.len().saturating_sub(before);
        self.changed |= !self.conduit.is_verbatim() || appended != frame.raw.len();
        match seen {
            Seen::Preamble => {}
            Seen::Content => {
                self.stage = Stage::Going;
                self.flowed.add(frame.raw);
            }
            Seen::Fault(status) => self.pass_fault(status),
            Seen::Failure(failure) => self.fail_as_told(failure),
            Seen::Malformed => self.fail("sent a malformed event"),
        }
        self.note_told();
    }

    /// The stream has ended, with this much of a frame left over.
    fn end(&mut self, left: &[u8]) {
        // Some providers leave the blank line behind the last event out. What is no whole event is the rest of a cut.
        if !left.trim_ascii().is_empty() && matches!(self.stage, Stage::KeptBack | Stage::Going) {
            let before = self.out.len();
            self.conduit.note_rest();
            let seen = self.conduit.pass(Frame { raw: left }, &mut self.out);
            self.changed |= self.out.len().saturating_sub(before) != left.len();
            match seen {
                Seen::Content => {
                    self.stage = Stage::Going;
                    self.flowed.add(left);
                }
                Seen::Fault(status) => self.pass_fault(status),
                Seen::Failure(failure) => self.fail_as_told(failure),
                Seen::Preamble | Seen::Malformed => self.changed = true,
            }
            self.note_told();
        } else if matches!(self.stage, Stage::KeptBack | Stage::Going) && self.conduit.is_verbatim() {
            self.out.extend_from_slice(left);
        }
        if matches!(self.stage, Stage::Over | Stage::Failed(_)) {
            return;
        }
        let before = self.out.len();
        let is_complete = self.conduit.finish(&mut self.out);
        self.changed |= self.out.len() != before;
        // A stream that said nothing is no answer, even if it says that it is over.
        if is_complete && matches!(self.stage, Stage::Going) {
            self.stage = Stage::Over;
        } else {
            self.fail("ended the stream before the answer was complete");
        }
    }

    /// What has come may have been counted.
    fn note_told(&mut self) {
        self.flowed.tell(self.conduit.usage().unwrap_or_default().output);
    }

    fn pass_fault(&mut self, status: u16) {
        self.fault = Some(status);
        self.stage = Stage::Going;
    }

    /// A provider that repeats the gateway's credential is not repeated.
    fn fail_as_told(&mut self, failure: Failure) {
        if self.account.names_secret(&failure.event) {
            self.fail("reported an error");
        } else {
            self.fail_with(failure);
        }
    }

    fn fail(&mut self, what: &str) {
        let error = Error::new(Kind::BadUpstream, format!("The provider `{}` {what}.", self.provider.name));
        let failure = self.conduit.failure(&error);
        self.fail_with(failure);
    }

    fn fail_with(&mut self, failure: Failure) {
        self.is_sound = false;
        self.changed = true;
        if matches!(self.stage, Stage::KeptBack) {
            self.stage = Stage::Failed(failure);
        } else {
            self.out.extend_from_slice(&failure.event);
            self.stage = Stage::Over;
        }
    }

    fn release(&mut self) -> Chunk {
        let out = mem::take(&mut self.out);
        if mem::take(&mut self.changed) { Chunk::Replace(out) } else { Chunk::Keep }
    }
}
