//! An answer whose format is not the client's: read into the canonical chat, written in the client's format.
//!
//! A stream is translated step by step: nothing waits for a later event, and memory does not grow with the answer.

use alloc::{boxed::Box, string::String, vec::Vec};

use crate::{
    chat::{Delta, Progress},
    dialect::{Broken, Downstream, Identity, Reader, Upstream, Writer},
    error::Error,
    passage::{Conduit, Failure, Seen},
    sse::Frame,
    usage::Usage,
};

/// A stream being translated.
#[derive(Debug)]
pub(crate) struct Translation {
    reader: Box<dyn Reader>,
    writer: Box<dyn Writer>,
    downstream: &'static dyn Downstream,
    provider: String,
    usage: Option<Usage>,
    /// What has ended, for an end that the provider does not say itself.
    progress: Progress,
    is_over: bool,
}

impl Translation {
    pub(crate) fn new(
        upstream: &dyn Upstream,
        downstream: &'static dyn Downstream,
        provider: &str,
        identity: Identity,
        wants_usage: bool,
    ) -> Self {
        Self {
            reader: upstream.reader(),
            writer: downstream.writer(identity, wants_usage),
            downstream,
            provider: provider.into(),
            usage: None,
            progress: Progress::default(),
            is_over: false,
        }
    }
}

impl Conduit for Translation {
    fn pass(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Seen {
        let was_over = self.is_over;
        let Self { reader, writer, usage, progress, is_over, .. } = self;
        let mut content = false;
        let read = reader.read(frame, &mut |mut delta| {
            if let Delta::Usage(told) = &mut delta {
                let so_far = usage.get_or_insert_default();
                so_far.update(*told);
                *told = *so_far;
            }
            // What follows the end may tell the tokens still.
            if *is_over {
                return;
            }
            content |= delta.is_content();
            if let Some(choice) = delta.choice() {
                progress.note(choice);
            }
            if let Delta::Finish { choice, .. } = delta {
                progress.end(choice);
            }
            if matches!(delta, Delta::End) {
                // Without a reason it is a cut that looks like an end.
                if !progress.is_complete() {
                    return;
                }
                *is_over = true;
            }
            writer.write(delta, out);
        });
        match read {
            _ if was_over => Seen::Preamble,
            Err(Broken::Malformed) => Seen::Malformed,
            Err(Broken::Fault(fault)) => {
                let (status, body) = self.downstream.fault(&self.provider, &fault);
                Seen::Failure(Failure { is_stated: true, reason: fault.reason, ..self.tell(status, body) })
            }
            Ok(()) if content => Seen::Content,
            Ok(()) => Seen::Preamble,
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.is_over && self.progress.is_complete() {
            self.writer.write(Delta::End, out);
            self.is_over = true;
        }
        self.is_over
    }

    fn failure(&mut self, error: &Error) -> Failure {
        self.tell(error.kind.status(), error.body(self.downstream.shape()))
    }

    fn is_verbatim(&self) -> bool {
        false
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }
}

impl Translation {
    fn tell(&mut self, status: u16, body: Vec<u8>) -> Failure {
        let mut event = Vec::new();
        self.writer.error(&body, &mut event);
        Failure { status, body, event, is_stated: false, reason: None }
    }
}
