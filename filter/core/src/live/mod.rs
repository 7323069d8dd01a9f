//! What live traffic tells of targets: how fast they are, how often they fail, how busy they are, and, with `health`, who is
//! passed over.
//!
//! One [`Observer`] a worker. Each try is a [`Trip`], which tells it how it went; a plan looks through a [`View`].
//!
//! A request must not pay for what it teaches others. So a trip leaves a sample in the worker's own memory, and the samples go
//! into the shared record together, by the first request that ends a tenth of a second after the last that did so: one change
//! of the record for all of them, however many there were. What others have seen is likewise read from a copy of that age.
//! Only a failure is told at once. How many requests a worker has under way is told in the same rounds.

mod average;
mod flights;
mod gate;
mod observer;
mod probe;
mod record;
mod report;
mod roster;
mod slot;
mod trip;
mod view;

pub(crate) use self::report::Cooling;
pub use self::{observer::Observer, probe::Probe, trip::Trip, view::View};

use core::fmt;

use crate::health::NameRef;

/// What the configuration knows of targets.
pub trait Roster {
    /// Whether the catalogue or the file lists a model. Of others, only so many have a place of their own.
    fn lists(&self, name: NameRef<'_>) -> bool;
}

// Not `Debug` above: see the traits of dialects.
impl fmt::Debug for dyn Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Roster")
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_types,
    reason = "a test that cannot count fails, and compares documents by meaning"
)]
mod tests;
