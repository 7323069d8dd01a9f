//! Answers that a router keeps, and gives again to who asks the same.
//!
//! ```text
//! head     Visit::begin   who asks, where, and on which terms; `None` where nothing is kept        [directive]
//! body     Visit::see     hashed as it comes, whatever its order and white space                   [canon]
//! planned  Visit::end     the question                                                             [question]
//!          Wanted::look   an answer that was kept, or                                              [shelf]
//! answer   Recording      what goes to the client, as it goes                                      [recording]
//!                         put in the place of what is used least
//! ```
//!
//! Invariants, whatever workers do at the same time: what is kept is never more than `cache.max_bytes`; nobody gets what another asked
//! for; what is given is whole, and of the question whose hash it carries.

mod canon;
mod directive;
mod entry;
mod hash;
mod index;
mod question;
mod recording;
mod shelf;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_types,
    reason = "tests count, and write requests as documents"
)]
mod tests;

use alloc::string::String;

use self::{directive::Terms, shelf::Shelf};
pub(crate) use self::{
    entry::Entry,
    question::{Place, Visit, Wanted},
    recording::Recording,
    shelf::Found,
};
use crate::config;

/// The header that says whether an answer was kept, and the one that says which of several it is.
pub(crate) const CACHE_HEADER: &str = "x-dragoman-cache";
pub(crate) const BUCKET_HEADER: &str = "x-dragoman-cache-bucket";

/// How a router keeps answers, ready to be used.
#[derive(Debug)]
pub(crate) struct Rules {
    directive: config::CacheDirective,
    buckets: u8,
    seed: String,
    shelf: Shelf,
}

impl Rules {
    /// What a router says, and what memory there is.
    pub(crate) fn new(router: &config::RouterCache, memory: config::Cache) -> Self {
        Self {
            directive: router.directive,
            buckets: u8::try_from(router.buckets).unwrap_or(u8::MAX),
            seed: router.seed.clone(),
            shelf: Shelf::new(memory.max_bytes, memory.max_entry),
        }
    }
}
