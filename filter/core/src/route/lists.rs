//! Models that stand in for others, by patterns of those.

use alloc::{string::String, vec::Vec};

use crate::{auth::Glob, config::ModelLists};

/// By a pattern of models, others.
#[derive(Debug)]
pub(super) struct Lists(Vec<(Glob, String, Vec<String>)>);

impl Lists {
    pub(super) fn new(lists: &ModelLists) -> Self {
        Self(lists.iter().map(|(pattern, list)| (Glob::new(pattern), pattern.clone(), list.clone())).collect())
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is listed for the model of these spellings, or for the very name that was asked for: an alias may have a list.
    pub(super) fn of<'a>(&'a self, asked: &str, spellings: &[String]) -> Vec<&'a str> {
        let is_meant =
            |glob: &Glob, pattern: &str| pattern == asked || spellings.iter().any(|spelling| glob.matches(spelling));
        let meant = self.0.iter().filter(move |(glob, pattern, _)| is_meant(glob, pattern));
        meant.flat_map(|(.., list)| list.iter().map(String::as_str)).collect()
    }
}
