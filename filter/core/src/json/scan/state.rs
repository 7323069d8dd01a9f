//! Where in a document a scan stands.

use alloc::vec::Vec;
use core::ops::Range;

use super::{number::Number, text::Inside};

/// Whether the value of a marked member is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    No,
    /// Its name was read.
    Named,
    /// So many bytes of the text were seen just now.
    Inside(usize),
    /// The name of a kind was read, or its value is being.
    Kind,
    /// A name was read that may name other models.
    Other,
    /// The same of a source.
    Source,
    /// The same of a proof.
    Proof,
    /// The same of a tool's kind.
    Tool,
}

/// A piece of the document, and where in it the piece begins.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) base: usize,
}

/// The wanted value being read: its index, where it starts, and its text as far as the pieces before this one had it.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) index: usize,
    pub(super) start: usize,
    /// Its first byte, and that of its first element.
    pub(super) opens: [u8; 2],
    pub(super) text: Option<Vec<u8>>,
    /// How many texts and arrays stand in one.
    pub(super) parts: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Before the document's first byte that counts.
    Start,
    /// A value must follow.
    Value,
    /// A value or `]` must follow.
    FirstElement,
    /// A name or `}` must follow.
    FirstName,
    /// A name must follow.
    Name,
    /// `:` must follow.
    Colon,
    /// `,` or the container's end must follow.
    AfterValue,
    /// Inside a string.
    Text(Text),
    /// Inside a number.
    Number(Number),
    /// Inside `true`, `false` or `null`: what is left of it.
    Literal(&'static [u8]),
    /// After the document: only white space.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) is_name: bool,
    pub(super) inside: Inside,
}

impl<'a> Piece<'a> {
    pub(super) fn end(self) -> usize {
        self.base.saturating_add(self.bytes.len())
    }

    /// What of this part of the document stands in the piece.
    pub(super) fn part(self, range: Range<usize>) -> &'a [u8] {
        let within = |at: usize| at.saturating_sub(self.base);
        self.bytes.get(within(range.start)..within(range.end)).unwrap_or_default()
    }
}
