//! The passage of a stream whose dialect is the client's: frames go through as they came, but for the usage chunk that the
//! client did not ask for, and nothing malformed.
//!
//! Until the first content the frames are kept back, so that an error, or nothing at all, is still a failure and not half an
//! answer. Afterwards a failure can only be said in the stream: the error is its last event.

use alloc::vec::Vec;
use core::mem;

use crate::{
    dialect::{Event, StreamTap, error_event, error_status},
    error::{Error, Kind},
    sse::{Decoder, Frame},
    step::Chunk,
    usage::Usage,
};

/// Most bytes kept back before the first content; then the stream is let go as it is.
const MAX_KEPT_BACK: usize = 512 * 1024;

/// A stream on its way.
#[derive(Debug)]
pub(crate) struct Passage {
    decoder: Decoder,
    lane: Lane,
}

/// What the frames are led through.
#[derive(Debug)]
struct Lane {
    tap: StreamTap,
    hides_usage: bool,
    stage: Stage,
    /// Frames to send with the next release.
    out: Vec<u8>,
    /// Whether `out` differs from what the provider sent.
    changed: bool,
    /// How errors of the provider are told.
    provider: alloc::string::String,
}

#[derive(Debug)]
enum Stage {
    /// No content yet.
    KeptBack,
    /// The answer is on its way.
    Going,
    /// It failed before its first content.
    Failed(Failed),
    /// Everything has been said; the rest is dropped.
    Over,
}

/// Why a stream cannot be used, before anything of it was sent.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The status to answer with.
    pub(crate) status: u16,
    /// The body to answer with.
    pub(crate) body: Vec<u8>,
}

/// What to do after a piece.
#[derive(Debug)]
pub(crate) enum Fed {
    /// Keep everything back.
    Nothing,
    /// Let this go, in the place of everything kept back and the piece.
    Go(Chunk),
    /// The stream cannot be used.
    Failed(Failed),
}

impl Passage {
    /// A stream of this provider; `hides_usage` says that the client did not ask for usage.
    pub(crate) fn new(provider: &str, hides_usage: bool) -> Self {
        let lane = Lane {
            tap: StreamTap::default(),
            hides_usage,
            stage: Stage::KeptBack,
            out: Vec::new(),
            changed: false,
            provider: provider.into(),
        };
        Self { decoder: Decoder::default(), lane }
    }

    /// The next piece; `end` says that it is the last one.
    pub(crate) fn feed(&mut self, piece: &[u8], end: bool) -> Fed {
        let Self { decoder, lane } = self;
        if matches!(lane.stage, Stage::Over) {
            return Fed::Go(Chunk::Replace(Vec::new()));
        }
        if matches!(lane.stage, Stage::Going) {
            // What was carried over has been taken out of an earlier piece.
            lane.changed = decoder.carried() > 0;
        }
        if decoder.feed(piece, |frame| lane.pass(frame)).is_err() {
            lane.fail("sent an event that is too long");
        }
        if end {
            lane.end(&decoder.finish());
        } else if decoder.carried() > 0 {
            lane.changed = true;
        }
        match &mut lane.stage {
            Stage::KeptBack if lane.out.len() <= MAX_KEPT_BACK => Fed::Nothing,
            Stage::KeptBack => {
                lane.stage = Stage::Going;
                Fed::Go(lane.release())
            }
            Stage::Going | Stage::Over => Fed::Go(lane.release()),
            Stage::Failed(failed) => {
                let failed = Failed { status: failed.status, body: mem::take(&mut failed.body) };
                lane.stage = Stage::Over;
                Fed::Failed(failed)
            }
        }
    }

    /// The tokens of the answer, once the stream has said them.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.lane.tap.usage()
    }
}

impl Lane {
    fn pass(&mut self, frame: Frame<'_>) {
        if matches!(self.stage, Stage::Over | Stage::Failed(_)) {
            self.changed = true;
            return;
        }
        if self.tap.is_done() {
            self.out.extend_from_slice(frame.raw);
            return;
        }
        match self.tap.read(frame) {
            Event::Content => self.stage = Stage::Going,
            Event::Usage if self.hides_usage => {
                self.changed = true;
                return;
            }
            Event::Preamble | Event::Usage => {}
            Event::Error if matches!(self.stage, Stage::KeptBack) => {
                let body = frame.data().unwrap_or_default().into_owned();
                self.stage = Stage::Failed(Failed { status: error_status(&body), body });
                return;
            }
            Event::Error => self.stage = Stage::Over,
            Event::Malformed => return self.fail("sent a malformed event"),
        }
        self.out.extend_from_slice(frame.raw);
    }

    /// The stream has ended, with this much of a frame left over.
    fn end(&mut self, left: &[u8]) {
        if matches!(self.stage, Stage::Over | Stage::Failed(_)) {
            return;
        }
        let sound = left.trim_ascii().is_empty() || self.tap.read(Frame { raw: left }) != Event::Malformed;
        if sound {
            self.out.extend_from_slice(left);
        }
        let cut = Error::new(
            Kind::BadUpstream,
            alloc::format!("The provider `{}` ended the stream before the answer was complete.", self.provider),
        );
        let ending = self.tap.ending(&cut);
        if ending.is_empty() {
            self.stage = Stage::Over;
            return;
        }
        if matches!(self.stage, Stage::KeptBack) && !self.tap.is_finished() {
            self.stage = Stage::Failed(Failed::of(&cut));
            return;
        }
        if sound && !left.is_empty() {
            self.out.extend_from_slice(b"\n\n");
        }
        self.out.extend_from_slice(&ending);
        self.changed = true;
        self.stage = Stage::Over;
    }

    fn fail(&mut self, what: &str) {
        let error = Error::new(Kind::BadUpstream, alloc::format!("The provider `{}` {what}.", self.provider));
        if matches!(self.stage, Stage::KeptBack) {
            self.stage = Stage::Failed(Failed::of(&error));
        } else {
            self.out.extend_from_slice(&error_event(&error));
            self.changed = true;
            self.stage = Stage::Over;
        }
    }

    fn release(&mut self) -> Chunk {
        let out = mem::take(&mut self.out);
        if mem::take(&mut self.changed) { Chunk::Replace(out) } else { Chunk::Keep }
    }
}

impl Failed {
    pub(crate) fn of(error: &Error) -> Self {
        Self { status: error.kind.status(), body: error.body(crate::error::Shape::OpenAi) }
    }
}
