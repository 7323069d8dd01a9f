//! Cuts in a document: of members out of an object and of elements out of a list, each with a comma.

use alloc::vec::Vec;
use core::ops::Range;

use crate::json::Edit;

/// Takes items out of what is inside of brackets, which begins at `inside`. Of each item, in order, where it ends and whether it
/// goes.
pub(super) fn cuts(document: &str, inside: usize, items: &[(usize, bool)]) -> Vec<Edit> {
    let mut cuts = Vec::new();
    let (mut end, mut has_kept) = (inside, false);
    let last = items.len().saturating_sub(1);
    for (index, (item, is_cut)) in items.iter().enumerate() {
        if *is_cut {
            // With the comma before it, or, where nothing stays before it, the one behind it.
            let behind = if has_kept || index == last { *item } else { behind_comma(document, *item) };
            cuts.push(Edit { span: end..behind, text: Vec::new() });
            end = behind;
        } else {
            has_kept = true;
            end = *item;
        }
    }
    cuts
}

/// The place behind the next comma.
fn behind_comma(document: &str, from: usize) -> usize {
    let comma = document.get(from..).and_then(|rest| rest.find(','));
    comma.map_or(from, |comma| from.saturating_add(comma).saturating_add(1))
}

/// Where a part of a document stands in it: it is borrowed, so its address says so.
pub(crate) fn span(document: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(document.as_ptr() as usize);
    start..start.saturating_add(part.len())
}
