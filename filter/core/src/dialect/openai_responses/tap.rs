//! A stream on its way to a client that speaks the same format. What it is complete with it says itself, in its last event: nothing
//! that it may lack could be made up here.

use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::{stream::error_event, wire};
use crate::{
    dialect::{Broken, Event, Tap, object::Object},
    direct::{SoFar, Typed, Witness},
    json,
    sse::{Frame, write_event},
    usage::Usage,
};

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct StreamTap {
    so_far: SoFar,
    /// How many events there were: the number of the next one.
    events: u64,
}

impl Tap for StreamTap {
    fn read(&mut self, frame: Frame<'_>) -> Event {
        let Self { so_far, events } = self;
        let had_begun = so_far.has_begun;
        match Typed.read(frame, so_far) {
            Err(Broken::Fault(fault)) => return Event::Error(fault.status),
            Err(Broken::Malformed) => return Event::Malformed,
            Ok(()) => *events = events.saturating_add(frame.data().is_some().into()),
        }
        if so_far.is_over {
            return Event::Content;
        }
        if so_far.has_begun && !had_begun {
            so_far.has_begun = is_content(frame);
        }
        if so_far.has_begun { Event::Content } else { Event::Preamble }
    }

    fn usage(&self) -> Option<Usage> {
        self.so_far.usage
    }

    fn is_finished(&self) -> bool {
        self.so_far.is_over
    }

    fn is_done(&self) -> bool {
        self.so_far.is_over
    }

    fn last_event(&self) -> &'static [u8] {
        b""
    }

    fn error_event(&self, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        error_event(body, |event| {
            let event = wire::Event { sequence_number: self.events, ..event };
            write_event(&mut out, Some(event.kind), &serde_json::to_vec(&event).unwrap_or_default());
        });
        out
    }

    fn error_body(&self, frame: Frame<'_>) -> Vec<u8> {
        error_body(frame).unwrap_or_default()
    }
}

/// Whether something of an answer stands in an event: a message or a thought that begins is hollow, and so are their parts.
fn is_content(frame: Frame<'_>) -> bool {
    let data = frame.data().unwrap_or_default();
    let text = json::text(&data);
    let event = Object::of(&text);
    let is_hollow = |item: &RawValue| matches!(&*Object::of(item.get()).text("type"), "message" | "reasoning");
    match &*event.text("type") {
        "response.output_item.added" => !event.get("item").is_some_and(is_hollow),
        "response.content_part.added" | "response.reasoning_summary_part.added" => false,
        _ => true,
    }
}

/// What an event that tells an error says, as a body: `error` has it flat or in a member, `response.failed` in the answer.
fn error_body(frame: Frame<'_>) -> Option<Vec<u8>> {
    let data = frame.data()?;
    let text = json::text(&data);
    let event = Object::of(&text);
    let of_answer = || Object::of(event.get("response")?.get()).get("error");
    let error = event.get("error").or_else(of_answer).map_or(&*text, RawValue::get);
    Some([br#"{"error":"#, error.as_bytes(), b"}"].concat())
}
