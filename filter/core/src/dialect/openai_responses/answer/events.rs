//! Telling: an event is written as something happens. What of an answer is whole happens alike and is told nobody.

use alloc::{format, string::String, vec::Vec};

use super::super::wire::Event;
use crate::sse::write_event;

/// What tells events.
pub(in super::super) struct Teller<'o> {
    /// How many were told.
    pub(in super::super) sequence: &'o mut u64,
    /// Where they are written to; nowhere where the answer is whole.
    pub(in super::super) out: Option<&'o mut Vec<u8>>,
}

impl Teller<'_> {
    pub(super) const fn is_heard(&self) -> bool {
        self.out.is_some()
    }

    pub(in super::super) fn tell(&mut self, event: Event<'_>) {
        if let Some(out) = &mut self.out {
            let event = Event { sequence_number: *self.sequence, ..event };
            *self.sequence = self.sequence.saturating_add(1);
            // Strings, numbers and JSON that was read before: nothing here can fail to be written.
            write_event(out, Some(event.kind), &serde_json::to_vec(&event).unwrap_or_default());
        }
    }

    /// Tells the answer as it is now.
    pub(in super::super) fn repeat(&mut self, kind: &'static str, answer: &[u8]) {
        if let Some(out) = &mut self.out {
            let head = format!(r#"{{"type":"{kind}","sequence_number":{},"response":"#, self.sequence);
            *self.sequence = self.sequence.saturating_add(1);
            write_event(out, Some(kind), &[head.as_bytes(), answer, b"}"].concat());
        }
    }
}

/// Of which item an event is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) index: usize,
}

impl Place {
    pub(super) fn event(&self, kind: &'static str) -> Event<'_> {
        Event { item_id: Some(&self.id), output_index: Some(self.index), ..of(kind) }
    }

    pub(super) fn of_part(&self, kind: &'static str, content: usize) -> Event<'_> {
        Event { content_index: Some(content), ..self.event(kind) }
    }

    /// What is told of a thought is one part.
    pub(super) fn of_summary(&self, kind: &'static str) -> Event<'_> {
        Event { summary_index: Some(0), ..self.event(kind) }
    }
}

pub(in super::super) fn of(kind: &'static str) -> Event<'static> {
    Event { kind, ..Event::default() }
}
