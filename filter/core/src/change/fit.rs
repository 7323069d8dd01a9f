//! The file and the changes, read together: all of them, or as many as fit it.
//!
//! A file that is loaded later may no longer have what a change refers to. A bad change never takes traffic down: those that the
//! reader blames are left out, and told.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::{Change, Changes, Place};
use crate::config::{self, Config, Problem};

/// A configuration, and what of the changes is not in it.
#[derive(Debug)]
pub struct Fitted {
    /// The file with the changes that fit.
    pub config: Config,
    /// The others.
    pub misfits: Vec<Misfit>,
}

/// A change that does not fit the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Which one, by its place among all.
    pub(crate) entry: usize,
    /// What is wrong.
    pub(crate) problem: Problem,
}

/// Reads a file with the changes in it.
///
/// # Errors
/// The file itself cannot be read: its problems.
pub fn fit(file: &str, changes: &Changes) -> Result<Fitted, Vec<Problem>> {
    let mut misfits: Vec<Misfit> = Vec::new();
    loop {
        let is_left_out = |entry| misfits.iter().any(|misfit| misfit.entry == entry);
        let applied = changes.applied(file, &is_left_out);
        let problems = match config::parse_changed(&applied.text) {
            Ok(config) => return Ok(Fitted { config, misfits }),
            Err(problems) => problems,
        };
        let blamed: Vec<_> = applied.places.iter().filter_map(|place| blame(place, &problems)).collect();
        // What a change has taken away, and something else in the file needs, stands nowhere.
        let blamed = if blamed.is_empty() { rest(changes, &problems, is_left_out) } else { blamed };
        if blamed.is_empty() {
            return Err(problems);
        }
        misfits.extend(blamed);
    }
}

/// A change whose entry has a problem.
pub(crate) fn blame(Place { pointer, entry }: &Place, problems: &[Problem]) -> Option<Misfit> {
    let is_in = |problem: &&Problem| {
        problem.pointer.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    problems.iter().find(is_in).map(|problem| Misfit { entry: *entry, problem: problem.clone() })
}

/// The changes that take something away, or else all that are left: with the first problem that there is.
fn rest(changes: &Changes, problems: &[Problem], is_left_out: impl Fn(usize) -> bool) -> Vec<Misfit> {
    let Some(problem) = problems.first() else { return Vec::new() };
    let left: Vec<_> = changes.entries.iter().enumerate().filter(|(entry, _)| !is_left_out(*entry)).collect();
    let removed: Vec<_> = left.iter().filter(|(_, entry)| entry.change == Change::Removed).collect();
    let blamed = if removed.is_empty() { left.iter().collect() } else { removed };
    blamed.into_iter().map(|(entry, _)| Misfit { entry: *entry, problem: problem.clone() }).collect()
}

impl Misfit {
    /// What is wrong, in a sentence.
    pub(crate) fn sentence(&self) -> String {
        self.problem.to_string()
    }
}
