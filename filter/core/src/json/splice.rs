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

/// More changes than these are made in a copy: in the document's own memory each moves all that stands behind it.
const MANY: usize = 4;

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

    /// Adds changes, any number of them; one that overlaps another is dropped.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Edit>) {
        self.0.extend(more);
        self.tidy();
    }

    /// Apart from what differs by where the changes come from: a sort is kilobytes of the module.
    fn tidy(&mut self) {
        self.0.sort_by_key(|edit| edit.span.start);
        let mut end = 0;
        self.0.retain(|edit| {
            let fits = edit.span.start >= end;
            end = if fits { edit.span.end } else { end };
            fits
        });
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

    /// Where the last change ends in the original document: the shortest prefix that has all of them.
    #[must_use]
    pub fn end(&self) -> usize {
        self.0.last().map_or(0, |edit| edit.span.end)
    }

    /// A copy of the document with the changes, or of a prefix of it of at least [`Edits::end`] bytes. A shorter one is copied
    /// as it is.
    #[must_use]
    pub fn apply(&self, document: &[u8]) -> Vec<u8> {
        if document.len() < self.end() {
            return document.to_vec();
        }
        let mut changed = Vec::with_capacity(self.length_after(document.len()));
        let mut copied = 0;
        for Edit { span, text } in &self.0 {
            changed.extend_from_slice(document.get(copied..span.start).unwrap_or_default());
            changed.extend_from_slice(text);
            copied = span.end;
        }
        changed.extend_from_slice(document.get(copied..).unwrap_or_default());
        changed
    }

    /// Changes the document, or a prefix of it of at least [`Edits::end`] bytes. A shorter one is left alone.
    pub fn apply_in_place(&self, document: &mut Vec<u8>) {
        if document.len() < self.end() {
            return;
        }
        if self.0.len() > MANY {
            *document = self.apply(document);
            return;
        }
        document.reserve_exact(self.length_after(document.len()).saturating_sub(document.len()));
        // From the last to the first: the places of those still to come stay right.
        for edit in self.0.iter().rev() {
            document.splice(edit.span.clone(), edit.text.iter().copied());
        }
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
                edits.push(start..start.saturating_add(length).min(document.len()), text);
            }
            // The law in the plainest words: copy what stands between the edits.
            let (mut expected, mut copied) = (Vec::new(), 0);
            for Edit { span, text } in &edits.0 {
                expected.extend_from_slice(&document[copied..span.start]);
                expected.extend_from_slice(text);
                copied = span.end;
            }
            expected.extend_from_slice(&document[copied..]);
            let (mut whole, mut prefix) = (document.clone(), document[..edits.end()].to_vec());
            edits.apply_in_place(&mut whole);
            edits.apply_in_place(&mut prefix);
            prop_assert_eq!(whole.len(), edits.length_after(document.len()));
            prop_assert_eq!(&whole, &expected);
            prefix.extend_from_slice(&document[edits.end()..]);
            prop_assert_eq!(prefix, expected);
        }
    }
}
