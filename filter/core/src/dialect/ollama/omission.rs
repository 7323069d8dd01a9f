//! What a request loses on its way: each field once, however often it stood in the request.

use alloc::{string::String, vec::Vec};

/// Names of fields that were left out.
#[derive(Debug, Default)]
pub(super) struct Omissions(pub(super) Vec<String>);

impl Omissions {
    /// Notes a field.
    pub(super) fn note(&mut self, field: &str) {
        if !self.0.iter().any(|noted| noted == field) {
            self.0.push(field.into());
        }
    }

    /// Notes a field if it says something.
    pub(super) fn note_if(&mut self, says: bool, field: &str) {
        if says {
            self.note(field);
        }
    }
}
