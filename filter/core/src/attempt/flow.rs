//! The rest of an answer that was let go.

use alloc::{rc::Rc, vec::Vec};
use core::time::Duration;

use crate::{
    dialect::{Downstream, Whole},
    direct::Format,
    json::Scanner,
    passage::{Fed, Passage},
    plan::{End, Plan},
    step::Chunk,
    usage::Flowed,
};

/// The rest of an answer that was let go.
#[derive(Debug)]
pub struct Flow {
    pub(super) plan: Rc<Plan>,
    /// When the answer was let go.
    pub(super) begun: Duration,
    pub(super) body: FlowBody,
}

#[derive(Debug)]
pub(super) enum FlowBody {
    /// A stream after its first content.
    Stream(Passage),
    /// A whole answer too large to be held: its usage is still looked for.
    Whole(Scanner, Counting, Length),
    /// Nothing is looked for any more; it passes.
    Plain,
    /// It has passed, and was an error that calls itself a success; what it stands for.
    Fault(u16),
    /// What passes is no answer.
    Broken,
    /// Everything has been said; whatever else comes is dropped.
    Over,
}

/// How much has come of an answer that has no pieces of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Length(pub(super) usize);

/// How the tokens of a whole answer are told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counting {
    /// As those of a chat in this format.
    Chat(&'static dyn Downstream),
    /// As this format has it.
    Own(&'static Format),
}

impl Flow {
    /// Whether it looks at the pieces; where not, they need not leave the host.
    #[must_use]
    pub fn looks(&self) -> bool {
        matches!(self.body, FlowBody::Stream(_) | FlowBody::Whole(..))
    }

    /// The next piece of the answer has come; `end` says that it is the last one.
    pub fn chunk(&mut self, piece: &[u8], end: bool) -> Chunk {
        match &mut self.body {
            FlowBody::Plain | FlowBody::Fault(_) | FlowBody::Broken => Chunk::Keep,
            FlowBody::Over => Chunk::Replace(Vec::new()),
            FlowBody::Whole(scanner, _, length) => {
                // Until it tells its tokens: who leaves before that pays for what has come.
                length.0 = length.0.saturating_add(piece.len());
                self.plan.note_document(length.0);
                // Too late to refuse it: an answer that turns out to be invalid passes as it is, without a count.
                if scanner.feed(piece).is_err() {
                    self.body = FlowBody::Broken;
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
            FlowBody::Plain | FlowBody::Fault(_) | FlowBody::Broken | FlowBody::Whole(..) | FlowBody::Over => true,
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
            FlowBody::Fault(status) => End::Fault(*status),
            FlowBody::Broken => End::Broken,
            FlowBody::Plain | FlowBody::Whole(..) | FlowBody::Over => End::Whole,
        };
        self.plan.finish(end, now);
    }

    /// A whole answer has come to its end: what remains is its usage.
    fn count_whole(&mut self) {
        let FlowBody::Whole(scanner, counting, _) = core::mem::replace(&mut self.body, FlowBody::Plain) else { return };
        let Ok(found) = scanner.finish() else {
            self.body = FlowBody::Broken;
            return;
        };
        match counting {
            Counting::Own(format) => {
                self.plan.note_usage(format.usage(&found));
                if let Some(status) = format.fault(&found) {
                    self.fail(status);
                }
            }
            Counting::Chat(format) => match format.whole(&found) {
                Whole::Answer(usage) => self.plan.note_usage(usage),
                Whole::Error(status) => self.fail(status),
                Whole::Other => self.body = FlowBody::Broken,
            },
        }
    }

    /// What has passed was an error: nothing of an answer has come.
    fn fail(&mut self, status: u16) {
        self.plan.note_flowed(Flowed::default());
        self.body = FlowBody::Fault(status);
    }
}
