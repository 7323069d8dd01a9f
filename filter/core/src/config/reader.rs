//! Where reading stands in the document and what went wrong so far.
//!
//! Reading never stops at a problem: it is noted with its pointer, a stand-in takes the value's place, and the rest is read.
//! A document with any problem is never used, so that a stand-in never reaches a running gateway.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt;

use serde_json::value::RawValue;

use super::{Problem, node::Node};
use crate::map::NameSet;

/// Deeper than any sensible file: strategies may nest, and each level is a recursion here.
const MAX_DEPTH: usize = 64;

/// The position in the document, and the problems found before it.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pointer: String,
    depth: usize,
    problems: Vec<Problem>,
    /// The pointers of the problems and of all above them.
    unsound: NameSet<'static>,
    /// Whether what is read is to be run.
    runs: bool,
    /// Whether it has been changed since it was written as a whole.
    is_changed: bool,
}

/// A position in the document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pointer: usize,
    depth: usize,
}

/// What is said of a field that is written, relied on, and not acted on.
pub const NOT_ACTED_ON: &str = "is not acted on yet, and what it is there for would silently be missing";

impl Reader {
    /// Reads a whole document; what is not JSON is one problem, with its line and column.
    pub(super) fn document<T>(
        json: &str,
        read: impl FnOnce(&RawValue, &mut Self) -> Option<T>,
    ) -> Result<T, Vec<Problem>> {
        Self::default().finish(Self::raw(json)?, read)
    }

    /// The same of a document that is to be run: what somebody relies on and nothing acts on yet is a problem, because a gateway
    /// that ignored it would be another one than is described. `is_changed`: it has been, since it was written as a whole.
    pub(super) fn document_to_run<T>(
        json: &str,
        is_changed: bool,
        read: impl FnOnce(&RawValue, &mut Self) -> Option<T>,
    ) -> Result<T, Vec<Problem>> {
        Self { runs: true, is_changed, ..Self::default() }.finish(Self::raw(json)?, read)
    }

    /// Whether something that is named may have been switched off since: it is passed over.
    pub(super) const fn is_changed(&self) -> bool {
        self.is_changed
    }

    fn raw(json: &str) -> Result<&RawValue, Vec<Problem>> {
        serde_json::from_str(json)
            .map_err(|error| vec![Problem { pointer: String::new(), message: format!("not valid JSON: {error}") }])
    }

    /// A member is relied on that nothing acts on.
    #[inline(never)]
    pub(super) fn rely_on(&mut self, name: &str) {
        if self.runs {
            self.report_under(&["/", name].concat(), NOT_ACTED_ON);
        }
    }

    fn finish<T>(
        self,
        raw: &RawValue,
        read: impl FnOnce(&RawValue, &mut Self) -> Option<T>,
    ) -> Result<T, Vec<Problem>> {
        let mut reader = self;
        match read(raw, &mut reader) {
            Some(value) if reader.problems.is_empty() => Ok(value),
            _ => Err(reader.problems),
        }
    }

    /// Reads one level down, at the member or element `segment`.
    #[inline]
    pub(super) fn within(&mut self, segment: &str, read: impl FnOnce(&mut Self)) {
        let here = self.here();
        self.enter(segment);
        read(self);
        self.leave(here);
    }

    /// Where reading stands, to which [`leave`](Self::leave) goes back.
    pub(super) const fn here(&self) -> Place {
        Place { pointer: self.pointer.len(), depth: self.depth }
    }

    #[inline(never)]
    pub(super) fn enter(&mut self, segment: &str) {
        self.pointer.push_str(&step(segment));
        self.depth = self.depth.saturating_add(1);
    }

    pub(super) fn leave(&mut self, here: Place) {
        self.depth = here.depth;
        self.pointer.truncate(here.pointer);
    }

    /// Opens a value; `None` where that was a problem.
    #[inline(never)]
    pub(super) fn open<'a>(&mut self, raw: &'a RawValue) -> Option<Node<'a>> {
        if self.depth > MAX_DEPTH {
            self.report(format!("nested deeper than {MAX_DEPTH} levels"));
            return None;
        }
        let node = Node::open(raw);
        if node.is_none() {
            self.report("a string in it has an escape that is no character");
        }
        node
    }

    /// Notes a problem here.
    pub(super) fn report(&mut self, message: impl Into<String>) {
        self.report_under("", message);
    }

    /// Notes that another kind of value was expected here.
    #[inline(never)]
    pub(super) fn expected(&mut self, what: &str, found: &Node<'_>) {
        self.report(format!("expected {what}, found {}", found.noun()));
    }

    /// Notes a problem at `pointer`, relative to here: `/keys/0/id`.
    pub(super) fn report_under(&mut self, pointer: &str, message: impl Into<String>) {
        self.push(pointer, message.into());
    }

    #[inline(never)]
    fn push(&mut self, pointer: &str, message: String) {
        let pointer = [&self.pointer, pointer].concat();
        let above = pointer.match_indices('/').filter_map(|(at, _)| pointer.get(..at));
        for unsound in above.chain([pointer.as_str()]) {
            if !self.unsound.contains(unsound) {
                self.unsound.insert(String::from(unsound));
            }
        }
        self.problems.push(Problem { pointer, message });
    }

    /// Whether nothing was wrong at `pointer`, relative to here, or below it.
    #[inline(never)]
    pub(super) fn is_sound(&self, pointer: &str) -> bool {
        !self.unsound.contains(&format!("{}{pointer}", self.pointer))
    }
}

/// One step of a JSON pointer (RFC 6901), with its slash.
#[must_use]
pub fn step(segment: &str) -> String {
    Step(segment).to_string()
}

/// The same, as a part of a longer pointer.
pub(super) struct Step<'s>(pub(super) &'s str);

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0.replace('~', "~0").replace('/', "~1"))
    }
}

/// The name that was probably meant: the nearest, if it is near.
pub(super) fn suggest<'n>(written: &str, names: &[&'n str]) -> Option<&'n str> {
    nearest(written, names, (written.len() / 4).saturating_add(1).min(3))
}

/// Among more names than this, none is compared with what is written: each wrong reference would take as long as the file.
const MAX_COMPARED: usize = 256;

/// The nearest name, if it is at most so many edits away.
pub(super) fn nearest<'n>(written: &str, names: &[&'n str], tolerance: usize) -> Option<&'n str> {
    let names = if names.len() > MAX_COMPARED { &[] } else { names };
    // It takes as many edits as one is longer than the other: what is much longer costs nothing.
    let length = written.chars().count();
    let near = names.iter().filter(|name| name.chars().count().abs_diff(length) <= tolerance);
    let near = near.map(|name| (edits(written, name), *name)).filter(|(edits, _)| *edits <= tolerance);
    near.min_by_key(|(edits, _)| *edits).map(|(_, name)| name)
}

/// Levenshtein's distance, one row at a time.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (line, a) in from.chars().enumerate() {
        let (mut diagonal, mut left) = (line, line.saturating_add(1));
        let Some((first, rest)) = row.split_first_mut() else { return 0 };
        *first = left;
        for (b, above) in to.chars().zip(rest) {
            let replaced = diagonal.saturating_add(usize::from(a != b));
            diagonal = *above;
            left = replaced.min(above.saturating_add(1)).min(left.saturating_add(1));
            *above = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (from, to, distance) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("url", "curl", 1)]
        {
            assert_eq!(edits(from, to), distance, "{from} → {to}");
        }
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        let names = ["base_url", "kind", "credential"];
        assert_eq!(suggest("credentail", &names), Some("credential"));
        assert_eq!(suggest("baseurl", &names), Some("base_url"));
        assert_eq!(suggest("weight", &names), None);
    }

    #[test]
    fn a_pointer_escapes_what_the_segment_holds() {
        assert_eq!(step("a/b~c"), "/a~1b~0c");
    }

    #[test]
    fn soundness_is_of_the_whole_name() {
        let mut reader = Reader::default();
        reader.report_under("/keys/10/id", "wrong");
        assert!(reader.is_sound("/keys/1"));
        assert!(!reader.is_sound("/keys/10"));
        assert!(!reader.is_sound("/keys"));
    }

    #[test]
    fn a_document_that_is_not_json_says_where() {
        let problems = Reader::document("{\n  \"a\": ]\n}", |_, _| Some(())).unwrap_err();
        assert!(problems[0].message.contains("line 2 column 8"), "{problems:?}");
    }
}
