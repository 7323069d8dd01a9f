//! Changes to a document at known places; every other byte stays as it is.
//!
//! The edits are data, because the same body is sent to several targets, each with its own edits, and because the host
//! applies them to its own buffer: the module need not hold the body.

use alloc::vec::Vec;
use core::ops::Range;

/// One change: the bytes at `span` become `text`. An empty span inserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where, in the original document.
    pub span: Range<usize>,
    /// What stands there afterwards.
    pub text: Vec<u8>,
}

/// Changes that do not overlap, ordered by place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edits(Vec<Edit>);

impl Edits {
    /// Adds a change; one that overlaps an earlier one is dropped, so that the result is always well-formed.
    pub fn push(&mut self, span: Range<usize>, text: Vec<u8>) {
        let at = self.0.partition_point(|edit| edit.span.start <= span.start);
        let before = at.checked_sub(1).and_then(|i| self.0.get(i));
        let after = self.0.get(at);
        if before.is_none_or(|edit| edit.span.end <= span.start) && after.is_none_or(|edit| span.end <= edit.span.start)
        {
            self.0.insert(at, Edit { span, text });
        }
    }

    /// The changes from the last to the first: applied in this order, the places of those still to come stay right.
    pub fn last_to_first(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter().rev()
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The document's length afterwards, given the one before.
    #[must_use]
    pub fn length_after(&self, length: usize) -> usize {
        self.0
            .iter()
            .fold(length, |length, edit| length.saturating_sub(edit.span.len()).saturating_add(edit.text.len()))
    }

    /// The changed document.
    #[must_use]
    pub fn apply(&self, document: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length_after(document.len()));
        let mut copied = 0;
        for edit in &self.0 {
            out.extend_from_slice(document.get(copied..edit.span.start).unwrap_or_default());
            out.extend_from_slice(&edit.text);
            copied = edit.span.end;
        }
        out.extend_from_slice(document.get(copied..).unwrap_or_default());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_outside_the_edits_stay(
            document in prop::collection::vec(any::<u8>(), 0..64),
            places in prop::collection::vec((0_usize..64, 0_usize..8, prop::collection::vec(any::<u8>(), 0..4)), 0..6),
        ) {
            let mut edits = Edits::default();
            for (start, length, text) in places {
                let start = start.min(document.len());
                edits.push(start..(start + length).min(document.len()), text);
            }
            let whole = edits.apply(&document);
            prop_assert_eq!(whole.len(), edits.length_after(document.len()));
            let mut buffer = document.clone();
            for edit in edits.last_to_first() {
                buffer.splice(edit.span.clone(), edit.text.iter().copied());
            }
            prop_assert_eq!(buffer, whole);
        }
    }
}
