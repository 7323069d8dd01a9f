//! An incremental, validating scan of one JSON object that reports the top-level members named beforehand.
//!
//! It accepts exactly what RFC 8259 allows (a property holds it against `serde_json`), refuses a wanted name that stands
//! twice (two parsers would disagree on which one counts; escapes in names are decoded first), and refuses nesting deeper
//! than [`MAX_DEPTH`], because whoever reads the body next may recurse. Memory is bounded: what is kept is one name and the
//! text of wanted values up to 16 KiB each. Cutting the input anywhere changes nothing.
//!
//! Nearly all bytes of a large body stand inside strings, so strings have a fast path: blocks of 32 bytes are tested as a
//! whole, in a form that compilers turn into vector instructions, and the common escapes and letters pass with them. Names
//! and wanted values are not gathered byte by byte but cut out of the piece when they end, or it does.

mod found;
mod notice;
mod number;
mod state;
mod text;

use alloc::vec::Vec;
use core::ops::Range;

use number::Number;
use state::{Carrier, Current, Piece, State, Text};
use text::{Inside, skip_common};

pub use found::{Failure, Fault, Found, GROUPS, Marks, Member, Others, Proofs, Tools};
pub(crate) use notice::is_base64;

/// Objects and arrays open at one time; a bit each in [`Scanner::kinds`].
pub const MAX_DEPTH: u32 = 128;

/// Longest text kept of one wanted value.
const MAX_CAPTURE: usize = 16 * 1024;

/// Longest text kept of one that is an array: enough to know that there is something in it, and for a list of words.
const MAX_ARRAY_CAPTURE: usize = 512;

/// The scan; see the module's documentation.
#[derive(Debug)]
pub struct Scanner {
    wanted: &'static [&'static str],
    state: State,
    depth: u32,
    /// The open containers, the innermost last: a bit that is set is an object's.
    kinds: u128,
    offset: usize,
    /// The last name or text, of those that matter, as far as the pieces before this one had it.
    text: Vec<u8>,
    /// Where it begins.
    text_start: usize,
    /// Of the last top-level name: where it stands, and the comma before it.
    name_span: Range<usize>,
    comma: Option<usize>,
    current: Option<Current>,
    marks: Option<&'static Marks>,
    carrier: Carrier,
    /// Whether the top-level member is the one within which kinds are noticed.
    is_in_place: bool,
    /// How deep the name of a foreign document stands: it ends before the next name that is no deeper.
    foreign: u32,
    found: Found,
}

impl Scanner {
    /// A scan that looks for `wanted` members of the top-level object.
    #[must_use]
    pub fn new(wanted: &'static [&'static str]) -> Self {
        Self {
            wanted,
            state: State::Start,
            depth: 0,
            kinds: 0,
            offset: 0,
            text: Vec::new(),
            text_start: 0,
            name_span: 0..0,
            comma: None,
            current: None,
            marks: None,
            carrier: Carrier::No,
            is_in_place: false,
            foreign: u32::MAX,
            found: Found::default(),
        }
    }

    /// Also notices these marks.
    #[must_use]
    pub fn noticing(self, marks: &'static Marks) -> Self {
        Self { marks: Some(marks), ..self }
    }

    /// Reads the next piece of the document.
    ///
    /// # Errors
    /// The first fault. The scan must not be fed again after one.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let piece = Piece { bytes: piece, base: self.offset };
        let mut rest = piece.bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if matches!(self.state, State::Text(Text { inside: Inside::Plain, .. }))
                && !matches!(self.carrier, Carrier::Inside(_))
            {
                let left = skip_common(rest);
                if left.len() < rest.len() {
                    rest = left;
                    continue;
                }
            }
            self.step(piece, byte, piece.end().saturating_sub(rest.len()))?;
            rest = after;
        }
        self.offset = piece.end();
        if matches!(self.state, State::Text(_)) {
            self.keep_text(piece, self.offset);
        }
        self.keep_value(piece, self.offset);
        Ok(())
    }

    /// How much has been read, and the members that were found in it.
    pub(crate) fn so_far(&self) -> (usize, &[Member]) {
        (self.offset, &self.found.members)
    }

    /// Ends the document and returns what was found.
    ///
    /// # Errors
    /// [`Fault::Empty`] or [`Fault::Truncated`].
    pub fn finish(self) -> Result<Found, Failure> {
        if self.state == State::End {
            return Ok(self.found);
        }
        let fault = if self.state == State::Start { Fault::Empty } else { Fault::Truncated };
        Err(Failure { fault, offset: self.offset })
    }

    fn step(&mut self, piece: Piece<'_>, byte: u8, at: usize) -> Result<(), Failure> {
        let fail = |fault| Err(Failure { fault, offset: at });
        match self.state {
            State::Text(text) => return self.step_text(piece, text, byte, at),
            State::Number(number) => match number.next(byte) {
                Some(next) => {
                    self.state = State::Number(next);
                    return Ok(());
                }
                // The byte after a number belongs to what follows.
                None if number.is_complete() => self.end_value(piece, at),
                None => return fail(Fault::Syntax),
            },
            State::Literal(left) => {
                return match left.split_first() {
                    Some((&expected, left)) if expected == byte => {
                        self.state = State::Literal(left);
                        if left.is_empty() {
                            self.end_value(piece, at.saturating_add(1));
                        }
                        Ok(())
                    }
                    Some(_) | None => fail(Fault::Syntax),
                };
            }
            State::Start
            | State::Value
            | State::FirstElement
            | State::FirstName
            | State::Name
            | State::Colon
            | State::AfterValue
            | State::End => {}
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            self.found.blank = self.found.blank.saturating_add(1);
            return Ok(());
        }
        match (self.state, byte) {
            (State::Start, b'{') => {
                self.found.open = at;
                self.open(true, at)
            }
            (State::Start, b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => fail(Fault::NotAnObject),
            (State::FirstElement, b']') | (State::FirstName, b'}') | (State::AfterValue, b'}' | b']') => {
                self.found.is_empty |= self.depth == 1 && self.state == State::FirstName;
                self.close(piece, byte, at)
            }
            (State::Value | State::FirstElement, _) => self.begin_value(byte, at),
            (State::FirstName | State::Name, b'"') => {
                self.begin_text(at);
                if self.depth == 1 {
                    self.name_span.start = at;
                }
                self.state = State::Text(Text { is_name: true, inside: Inside::Plain });
                Ok(())
            }
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(())
            }
            (State::AfterValue, b',') => {
                if self.depth == 1 {
                    self.see_comma(at);
                }
                self.state = if self.in_object() { State::Name } else { State::Value };
                Ok(())
            }
            _ => fail(Fault::Syntax),
        }
    }

    fn step_text(&mut self, piece: Piece<'_>, text: Text, byte: u8, at: usize) -> Result<(), Failure> {
        let inside = match text.inside.next(byte) {
            Ok(Some(inside)) => inside,
            Ok(None) => {
                if text.is_name {
                    if self.depth == 1 {
                        self.name_span.end = at.saturating_add(1);
                    }
                    self.keep_text(piece, at);
                    self.see_name();
                    self.state = State::Colon;
                } else {
                    self.see_text(piece, at);
                    self.end_value(piece, at.saturating_add(1));
                }
                return Ok(());
            }
            Err(fault) => return Err(Failure { fault, offset: at }),
        };
        if let Carrier::Inside(seen) = self.carrier {
            self.see_carried(seen, byte);
        }
        self.found.escapes = self.found.escapes.saturating_add((inside == Inside::Unicode(4)).into());
        self.state = State::Text(Text { inside, ..text });
        Ok(())
    }

    fn begin_value(&mut self, byte: u8, at: usize) -> Result<(), Failure> {
        if self.depth == 1
            && let Some((index, is_exact)) = self.wanted_name()
        {
            // Some parsers do not look at the case of names: for them another spelling is the same name.
            if !is_exact || self.found.members.iter().any(|member| member.index == index) {
                return Err(Failure { fault: Fault::Duplicate(index), offset: at });
            }
            self.current = Some(Current { index, start: at, opens: [byte, 0], text: Some(Vec::new()), parts: 0 });
        }
        if let Some(Current { opens: [b'[', first], parts, .. }) = self.current.as_mut().filter(|_| self.depth == 2) {
            *parts = parts.saturating_add(matches!(byte, b'"' | b'[').into());
            if *first == 0 {
                *first = byte;
            }
        }
        let is_other =
            self.carrier == Carrier::Other && (matches!(byte, b'"' | b'[') || (self.depth == 1 && byte == b'{'));
        self.found.noticed_others = self.found.noticed_others.saturating_add(is_other.into());
        self.carrier = match self.carrier {
            Carrier::Named if byte == b'"' => Carrier::Inside(0),
            kept @ (Carrier::Kind | Carrier::Source | Carrier::Proof | Carrier::Tool) if byte == b'"' => kept,
            Carrier::Named
            | Carrier::Kind
            | Carrier::Source
            | Carrier::Proof
            | Carrier::Tool
            | Carrier::Other
            | Carrier::No
            | Carrier::Inside(_) => Carrier::No,
        };
        self.state = match byte {
            b'{' => return self.open(true, at),
            b'[' => return self.open(false, at),
            b'"' => {
                self.begin_text(at);
                State::Text(Text { is_name: false, inside: Inside::Plain })
            }
            b'-' => State::Number(Number::Minus),
            b'0' => State::Number(Number::Zero),
            b'1'..=b'9' => State::Number(Number::Integer),
            b't' => State::Literal(b"rue"),
            b'f' => State::Literal(b"alse"),
            b'n' => State::Literal(b"ull"),
            _ => return Err(Failure { fault: Fault::Syntax, offset: at }),
        };
        Ok(())
    }

    fn open(&mut self, is_object: bool, at: usize) -> Result<(), Failure> {
        if self.depth >= MAX_DEPTH {
            return Err(Failure { fault: Fault::TooDeep, offset: at });
        }
        self.kinds = self.kinds << 1 | u128::from(is_object);
        self.depth = self.depth.saturating_add(1);
        self.state = if is_object { State::FirstName } else { State::FirstElement };
        Ok(())
    }

    fn close(&mut self, piece: Piece<'_>, byte: u8, at: usize) -> Result<(), Failure> {
        if self.in_object() != (byte == b'}') {
            return Err(Failure { fault: Fault::Syntax, offset: at });
        }
        (self.depth, self.kinds) = (self.depth.saturating_sub(1), self.kinds >> 1);
        self.end_value(piece, at.saturating_add(1));
        Ok(())
    }

    /// A value ends just before `end`.
    fn end_value(&mut self, piece: Piece<'_>, end: usize) {
        self.state = if self.depth == 0 { State::End } else { State::AfterValue };
        if self.depth != 1 {
            return;
        }
        self.keep_value(piece, end);
        if let Some(Current { index, start, opens, text, parts }) = self.current.take() {
            let name = self.name_span.clone();
            let whole = self.comma.unwrap_or(name.start)..end;
            self.found.members.push(Member { index, name, span: start..end, whole, text, opens, parts });
        }
    }

    /// A comma between two top-level members. The first member goes with the comma behind it, the others with the one
    /// before them.
    fn see_comma(&mut self, at: usize) {
        if self.comma.is_none()
            && let Some(first) = self.found.members.first_mut()
        {
            first.whole.end = at.saturating_add(1);
        }
        self.comma = Some(at);
    }

    fn in_object(&self) -> bool {
        self.kinds & 1 != 0
    }

    /// Keeps what this piece has of the wanted value, which ends at `end` or goes on behind the piece.
    fn keep_value(&mut self, piece: Piece<'_>, end: usize) {
        let Some(Current { start, opens, text, .. }) = &mut self.current else { return };
        let part = piece.part(*start..end);
        let most = if opens[0] == b'[' { MAX_ARRAY_CAPTURE } else { MAX_CAPTURE };
        *text = text.take().filter(|kept| kept.len().saturating_add(part.len()) <= most).map(|mut kept| {
            // Most values stand in one piece.
            if kept.is_empty() {
                return part.to_vec();
            }
            kept.extend_from_slice(part);
            kept
        });
    }
}

#[cfg(test)]
mod tests;
