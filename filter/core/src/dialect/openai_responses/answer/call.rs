//! A call as it grows: a function's arguments are told as they come, a custom tool gets the one text in them.

use alloc::string::String;

use super::{
    super::{input::custom_input, tools::INPUT, wire::Event},
    events::{Place, Teller},
};
use crate::{
    dialect::arguments::Arguments,
    json::{self, Str},
};

#[derive(Debug)]
pub(super) struct Call {
    pub(super) number: u32,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
    pub(super) progress: Arguments,
    /// What a custom tool gets.
    pub(super) input: Option<Input>,
}

/// The text in the arguments of a custom tool, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) text: String,
    /// How far the arguments are read; 0 until the text begins.
    read: usize,
}

impl Call {
    pub(super) fn add(&mut self, json: &str, place: &Place, tell: &mut Teller<'_>) {
        self.arguments.push_str(json);
        self.progress.add(json);
        if let Some(input) = &mut self.input {
            let from = input.text.len();
            input.read(&self.arguments);
            input.tell(from, place, tell);
        } else {
            tell.tell(Event { delta: Some(json), ..place.event("response.function_call_arguments.delta") });
        }
    }

    pub(super) fn end(&mut self, place: &Place, tell: &mut Teller<'_>) {
        if let Some(input) = &mut self.input {
            if input.read == 0 {
                input.text = custom_input(&self.arguments).into_owned();
                input.tell(0, place, tell);
            }
            let event = place.event("response.custom_tool_call_input.done");
            tell.tell(Event { input: Some(&input.text), ..event });
            return;
        }
        if self.arguments.is_empty() {
            // No arguments are none, and clients parse them.
            self.add("{}", place, tell);
        }
        let event = place.event("response.function_call_arguments.done");
        tell.tell(Event { name: Some(&self.name), arguments: Some(&self.arguments), ..event });
    }
}

impl Input {
    /// Reads on in the arguments, which have grown.
    fn read(&mut self, arguments: &str) {
        if self.read == 0 {
            self.read = begin(arguments).unwrap_or(0);
        }
        let rest = arguments.get(self.read..).filter(|_| self.read > 0).unwrap_or_default();
        let piece = rest.get(..whole(rest.as_bytes())).unwrap_or_default();
        let quoted = ["\"", piece, "\""].concat();
        // What is no text, a model has written: it is told as it is.
        self.text.push_str(json::read::<Str<'_>>(&quoted).as_deref().unwrap_or(piece));
        self.read = self.read.saturating_add(piece.len());
    }

    fn tell(&self, from: usize, place: &Place, tell: &mut Teller<'_>) {
        let delta = self.text.get(from..).filter(|delta| !delta.is_empty());
        if delta.is_some() {
            tell.tell(Event { delta, ..place.event("response.custom_tool_call_input.delta") });
        }
    }
}

/// Where the text begins.
fn begin(arguments: &str) -> Option<usize> {
    let rest = arguments.trim_start().strip_prefix('{')?.trim_start().strip_prefix('"')?.strip_prefix(INPUT)?;
    let rest = rest.strip_prefix('"')?.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    arguments.len().checked_sub(rest.len())
}

/// How much of a text's beginning is whole characters of it: its end, or where an escape is cut.
fn whole(text: &[u8]) -> usize {
    let mut at: usize = 0;
    while let Some(byte) = text.get(at).filter(|byte| **byte != b'"') {
        let length = match (byte, text.get(at.saturating_add(1)), text.get(at.saturating_add(2)..at.saturating_add(4)))
        {
            (b'\\', Some(b'u'), Some([b'd' | b'D', b'8'..=b'9' | b'a'..=b'b' | b'A'..=b'B'])) => 12,
            (b'\\', Some(b'u'), _) => 6,
            (b'\\', _, _) => 2,
            _ => 1,
        };
        let next = at.saturating_add(length);
        if next > text.len() {
            break;
        }
        at = next;
    }
    at
}
