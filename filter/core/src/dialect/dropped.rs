//! What of a request its target does not get: the client's own names, each once.
//!
//! A field is left out where its absence makes the answer no other one, and refused where it would: `abilities` has the table.

use alloc::{string::String, vec::Vec};

/// The names of what was left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Dropped(Vec<String>);

impl Dropped {
    /// More names than a header lists need not be told apart: a client may send any number of them.
    const MAX_NAMES: usize = 64;

    /// Notes a field.
    pub fn note(&mut self, field: &str) {
        if self.0.len() < Self::MAX_NAMES && !self.0.iter().any(|noted| noted == field) {
            self.0.push(field.into());
        }
    }

    /// Notes a field if the request says something by it.
    pub fn note_if(&mut self, says: bool, field: &str) {
        if says {
            self.note(field);
        }
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_field_is_listed_once() {
        let mut dropped = Dropped::default();
        dropped.note("metadata");
        dropped.note("metadata");
        dropped.note_if(false, "seed");
        assert_eq!(dropped.names(), ["metadata"]);
    }

    #[test]
    fn the_list_does_not_grow_with_the_request() {
        let mut dropped = Dropped::default();
        (0..1000).for_each(|number| dropped.note(&format!("field_{number}")));
        assert_eq!(dropped.names().len(), Dropped::MAX_NAMES);
    }
}
