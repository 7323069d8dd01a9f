//! What of a request its target does not get: the client's own names, each once.
//!
//! A field is left out where its absence makes the answer no other one, and refused where it would: which of the two holds for
//! members that only some dialect knows is one table here, for all targets alike.

use alloc::{format, string::String, vec::Vec};
use serde_json::value::RawValue;

use crate::error::Error;

/// Members that decide what the answer is. A target whose dialect has nothing like them cannot give the answer asked for.
const DECISIVE: &[&str] =
    &["audio", "grammar", "guided_choice", "guided_grammar", "guided_json", "guided_regex", "structured_outputs"];

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

    /// Leaves out a member of the request that the target's dialect does not know.
    ///
    /// # Errors
    /// [`crate::error::Kind::InvalidRequest`] where the answer would be another one without it.
    pub fn leave_out(&mut self, name: &str, value: &RawValue) -> Result<(), Error> {
        if DECISIVE.contains(&name) && value.get() != "false" {
            return Err(Error::refusing(format!("`{name}` cannot be expressed for this model."), String::from(name)));
        }
        self.note(name);
        Ok(())
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

    #[test]
    fn a_field_is_listed_once_and_a_decisive_one_is_refused() {
        let mut dropped = Dropped::default();
        let value: &RawValue = serde_json::from_str("1").unwrap();
        assert_eq!(dropped.leave_out("metadata", value), Ok(()));
        assert_eq!(dropped.leave_out("metadata", value), Ok(()));
        assert_eq!(dropped.names(), ["metadata"]);
        let refused = dropped.leave_out("guided_json", value).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some("guided_json"));
    }

    #[test]
    fn the_list_does_not_grow_with_the_request() {
        let mut dropped = Dropped::default();
        (0..1000).for_each(|number| dropped.note(&format!("field_{number}")));
        assert_eq!(dropped.names().len(), Dropped::MAX_NAMES);
    }
}
