//! The rest of an answer that was let go.

use alloc::{boxed::Box, rc::Rc, vec::Vec};
use core::time::Duration;

use crate::{
    auth::Refusal,
    dialect::Whole,
    direct,
    error::{Error, Kind},
    json::Scanner,
    passage::{Fed, Passage},
    plan::{End, Plan},
    seal::Sealing,
    step::Chunk,
    usage::{Flowed, Matter},
};

/// The rest of an answer that was let go.
#[derive(Debug)]
pub struct Flow {
    pub(super) plan: Rc<Plan>,
    /// When the answer was let go.
    pub(super) begun: Duration,
    pub(super) body: FlowBody,
    /// What is done to the pieces of a whole answer beside.
    pub(super) sealing: Option<Box<Sealing>>,
}

#[derive(Debug)]
pub(super) enum FlowBody {
    /// A stream after its first content.
    Stream(Passage),
    /// A whole answer too large to be held: its usage is still looked for.
    Whole(Scanner),
    /// What cannot be read is looked at for how long it is.
    Unread(Matter, End),
    /// Nothing is looked for any more; it passes.
    Plain,
    /// It has passed, and was an error that calls itself a success; what it stands for.
    Fault(u16),
    /// What passes is no answer.
    Broken,
    /// Everything has been said; whatever else comes is dropped.
    Over,
    /// Its caller's key is over: the same of a stream, and of all else that it was cut.
    Withdrawn { is_cut: bool },
}

impl FlowBody {
    /// An answer of this media type that is not read.
    pub(super) fn unread(content_type: &[u8]) -> Self {
        let is_data = [&b"audio/"[..], b"image/", b"video/"].iter().any(|kind| content_type.starts_with(kind));
        Self::Unread(if is_data { Matter::Data } else { Matter::Text }, End::Whole)
    }
}

impl Flow {
    /// Whether it looks at the pieces; where not, they need not leave the host.
    #[must_use]
    pub fn looks(&self) -> bool {
        match self.body {
            _ if self.sealing.is_some() => true,
            FlowBody::Stream(_) | FlowBody::Whole(..) => true,
            FlowBody::Unread(..) => self.plan.is_limited(),
            FlowBody::Plain | FlowBody::Fault(_) | FlowBody::Broken | FlowBody::Over | FlowBody::Withdrawn { .. } => {
                false
            }
        }
    }

    /// The next piece of the answer has come; `end` says that it is the last one.
    pub fn chunk(&mut self, piece: &[u8], end: bool) -> Chunk {
        if self.is_open() && self.plan.is_revoked() {
            return self.withdraw();
        }
        match (self.look(piece, end), &mut self.sealing) {
            (Chunk::Keep, Some(sealing)) => sealing.chunk(piece),
            (chunk, _) => chunk,
        }
    }

    /// Whether it is to be ended in the only manner that is left.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        matches!(self.body, FlowBody::Withdrawn { is_cut: true })
    }

    /// Whether something of it may still come to the client.
    fn is_open(&self) -> bool {
        !matches!(self.body, FlowBody::Over | FlowBody::Withdrawn { .. })
    }

    fn withdraw(&mut self) -> Chunk {
        self.plan.withdraw(Kind::Revoked);
        let error = Error::new(Kind::Revoked, Refusal::Revoked.message());
        let last = if let FlowBody::Stream(passage) = &mut self.body { Some(passage.cut(&error)) } else { None };
        self.body = FlowBody::Withdrawn { is_cut: last.is_none() };
        Chunk::Replace(last.unwrap_or_default())
    }

    fn look(&mut self, piece: &[u8], end: bool) -> Chunk {
        match &mut self.body {
            FlowBody::Plain | FlowBody::Fault(_) | FlowBody::Broken => Chunk::Keep,
            FlowBody::Over | FlowBody::Withdrawn { .. } => Chunk::Replace(Vec::new()),
            FlowBody::Unread(matter, _) => {
                self.plan.note_part(piece, *matter);
                Chunk::Keep
            }
            FlowBody::Whole(scanner) => {
                // Until it tells its tokens: who leaves before that pays for what has come.
                self.plan.note_part(piece, Matter::Text);
                // Too late to refuse it: an answer that turns out to be invalid passes as it is.
                if scanner.feed(piece).is_err() {
                    self.body = self.invalid();
                } else if end {
                    self.count_whole();
                }
                Chunk::Keep
            }
            FlowBody::Stream(passage) => {
                let fed = passage.feed(piece, end);
                self.plan.note_usage(passage.usage());
                self.plan.note_flowed(passage.flowed());
                match fed {
                    Fed::Go(chunk) => chunk,
                    Fed::Nothing | Fed::Failed(_) => Chunk::Replace(Vec::new()),
                }
            }
        }
    }

    /// The answer ends without a further piece, so that nothing can be added to it any more; false where it is incomplete.
    #[must_use]
    pub fn end_without_body(&mut self) -> bool {
        self.chunk(&[], true);
        match &self.body {
            FlowBody::Stream(passage) => passage.is_sound(),
            FlowBody::Plain
            | FlowBody::Unread(..)
            | FlowBody::Fault(_)
            | FlowBody::Broken
            | FlowBody::Whole(..)
            | FlowBody::Over => true,
            FlowBody::Withdrawn { is_cut } => !is_cut,
        }
    }

    /// The answer has come to its end with what was let go first.
    pub fn finish_at_once(&self) {
        self.finish(self.begun);
    }

    /// The answer has come to its end.
    pub fn finish(&self, now: Duration) {
        let end = match &self.body {
            FlowBody::Stream(passage) if !passage.is_sound() => End::Broken,
            FlowBody::Stream(passage) => passage.fault().map_or(End::Whole, End::Fault),
            FlowBody::Unread(_, end) => *end,
            FlowBody::Fault(status) => End::Fault(*status),
            FlowBody::Broken | FlowBody::Withdrawn { .. } => End::Broken,
            FlowBody::Plain | FlowBody::Whole(..) | FlowBody::Over => End::Whole,
        };
        self.plan.finish(end, now);
    }

    /// A whole answer has come to its end: what remains is its usage.
    fn count_whole(&mut self) {
        let FlowBody::Whole(scanner) = core::mem::replace(&mut self.body, FlowBody::Plain) else { return };
        let Ok(found) = scanner.finish() else {
            self.body = self.invalid();
            return;
        };
        let inquiry = &self.plan.inquiry;
        let whole = match (inquiry.own(), inquiry.native()) {
            (Some(own), _) => {
                // Of what has failed in the middle, too.
                self.plan.note_usage(own.usage(&found));
                own.whole(&found)
            }
            (None, Some(native)) => native.whole(&found),
            (None, None) => Whole::Other,
        };
        match whole {
            Whole::Answer(usage) => self.plan.note_usage(usage),
            Whole::Error(status) => self.fail(status),
            Whole::Other => self.body = FlowBody::Broken,
        }
    }

    /// Whether it is known what an answer looks like.
    fn is_known(&self) -> bool {
        self.plan.inquiry.own().is_none_or(direct::Request::is_known)
    }

    /// What it becomes when it cannot be read.
    fn invalid(&self) -> FlowBody {
        FlowBody::Unread(Matter::Text, if self.is_known() { End::Broken } else { End::Whole })
    }

    /// What has passed was an error: nothing of an answer has come.
    fn fail(&mut self, status: u16) {
        self.plan.note_flowed(Flowed::default());
        self.body = FlowBody::Fault(status);
    }
}
