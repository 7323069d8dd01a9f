//! A stream on its way to a client that speaks the same format: the dialect's own reader, of which only the outlines are needed.

use alloc::vec::Vec;

use super::super::stream::StreamReader;
use crate::{
    chat::{Delta, Progress},
    dialect::{Broken, Event, Reader, Tap},
    sse::{Frame, write_event},
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct StreamTap {
    reader: StreamReader,
    progress: Progress,
    usage: Option<Usage>,
    is_done: bool,
}

impl Tap for StreamTap {
    fn read(&mut self, frame: Frame<'_>) -> Event {
        let Self { reader, progress, usage, is_done } = self;
        let mut has_content = false;
        let read = reader.read(frame, &mut |delta| {
            has_content |= delta.is_content();
            if let Delta::Finish { choice, .. } = delta {
                progress.end(choice);
            }
            if let Delta::Usage(counted) = delta {
                usage.get_or_insert_default().update(counted);
            }
            *is_done |= matches!(delta, Delta::End);
        });
        match read {
            Ok(()) if has_content => Event::Content,
            Ok(()) => Event::Preamble,
            Err(Broken::Fault(fault)) => Event::Error(fault.status),
            Err(Broken::Malformed) => Event::Malformed,
        }
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn is_finished(&self) -> bool {
        self.progress.is_complete() || self.is_done
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn last_event(&self) -> &'static [u8] {
        b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    }

    fn error_event(&self, body: &[u8]) -> Vec<u8> {
        let mut event = Vec::new();
        write_event(&mut event, Some("error"), body);
        event
    }
}
