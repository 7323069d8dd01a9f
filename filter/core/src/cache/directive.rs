//! On which terms a request takes an answer that was kept: HTTP's `Cache-Control`, of the request where it has one, else of its router.
//!
//! As HTTP has it (RFC 9111, 5.2.1), an answer is as old as it says, `max-age` is the age from which on it is stale, `max-stale` how much
//! later it is still taken, `min-fresh` how much earlier it is not any more; `no-store` keeps and gives nothing, `no-cache` gives nothing,
//! `only-if-cached` asks nobody. What is not known is passed over. Otherwise than in HTTP a request's `max-age` may be longer than its
//! router's: it is the client's own answer that it gets.

use alloc::vec::Vec;
use core::str;

use super::Rules;
use crate::{
    error::{Error, Kind},
    headers::Headers,
};

/// Whether there is something to be looked for at all.
const ENABLED: &str = "x-dragoman-cache-enabled";

/// How many answers to one request are kept.
const BUCKETS: &str = "x-dragoman-cache-bucket-max-size";

/// The most that a request can ask for.
const MOST_BUCKETS: u32 = 10;

/// What is understood.
const KNOWN: [&str; 6] = ["no-store", "no-cache", "only-if-cached", "max-age", MAX_STALE, "min-fresh"];

/// The one that needs no number: without, any age will do.
const MAX_STALE: &str = "max-stale";

/// See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    max_age_millis: u64,
    max_stale_millis: u64,
    min_fresh_millis: u64,
    /// Whether an answer that was kept is taken.
    pub(crate) takes: bool,
    /// Whether another is.
    pub(crate) asks: bool,
    pub(super) buckets: u8,
}

impl Terms {
    /// The terms of a request; `None` where it is answered as if nothing was ever kept.
    ///
    /// # Errors
    /// A header says what it cannot.
    pub(super) fn of(rules: &Rules, headers: Headers<'_>) -> Result<Option<Self>, Error> {
        let is_enabled = match lines(headers, ENABLED).first().copied() {
            None | Some(b"true") => true,
            Some(b"false") => false,
            Some(_) => return Err(refused(ENABLED, "is `true` or `false`")),
        };
        let buckets = match lines(headers, BUCKETS).first().map(|line| seconds(line)) {
            None => rules.buckets,
            Some(Some(count @ 1..=MOST_BUCKETS)) => u8::try_from(count).unwrap_or(u8::MAX),
            Some(_) => return Err(refused(BUCKETS, "is a number from 1 to 10")),
        };
        // What is said of each, and for how many seconds, where that is a number.
        let mut said: [Option<Option<u32>>; KNOWN.len()] = [None; KNOWN.len()];
        for line in lines(headers, "cache-control") {
            for part in line.split(|byte| *byte == b',') {
                let equals = part.iter().position(|byte| *byte == b'=');
                let (name, value) = part.split_at_checked(equals.unwrap_or(part.len())).unwrap_or_default();
                let name = name.trim_ascii();
                let known = KNOWN.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name));
                let Some(place) = known.and_then(|known| said.get_mut(known)) else { continue };
                *place = Some(match equals {
                    Some(_) => seconds(value),
                    None => name.eq_ignore_ascii_case(MAX_STALE.as_bytes()).then_some(u32::MAX),
                });
            }
        }
        let [no_store, no_cache, only_if_cached, own_age, max_stale, min_fresh] = said;
        // As HTTP would have it of a time that is none: nothing is fresh.
        let own_age = own_age.map(|seconds| seconds.unwrap_or(0));
        let max_stale = max_stale.map(|seconds| seconds.unwrap_or(0));
        let min_fresh = min_fresh.map(|seconds| seconds.unwrap_or(u32::MAX));
        let of_router = Some(rules.directive).filter(|directive| !directive.no_store);
        let Some(max_age) = own_age.or_else(|| of_router?.max_age) else { return Ok(None) };
        if !is_enabled || no_store.is_some() {
            return Ok(None);
        }
        // Who says how old it may be, or how fresh it must be, wants none that is stale, unless he says that, too.
        let is_strict = own_age.is_some() || min_fresh.is_some();
        let max_stale = max_stale.or_else(|| of_router.filter(|_| !is_strict)?.max_stale).unwrap_or(0);
        Ok(Some(Self {
            max_age_millis: millis(max_age),
            max_stale_millis: millis(max_stale),
            min_fresh_millis: millis(min_fresh.unwrap_or(0)),
            takes: no_cache.is_none(),
            asks: only_if_cached.is_none(),
            buckets,
        }))
    }

    /// Whether an answer of this age is taken.
    pub(super) fn accepts(&self, age_millis: u64) -> bool {
        if self.min_fresh_millis > 0 {
            return age_millis.saturating_add(self.min_fresh_millis) < self.max_age_millis;
        }
        age_millis < self.lifetime_millis()
    }

    /// For how long an answer to such a request is of use.
    pub(super) fn lifetime_millis(&self) -> u64 {
        self.max_age_millis.saturating_add(self.max_stale_millis)
    }
}

/// The number that this is, or that stands behind an equals sign, perhaps in quotes.
#[inline(never)]
fn seconds(value: &[u8]) -> Option<u32> {
    let value = value.strip_prefix(b"=").unwrap_or(value).trim_ascii();
    let value = if let [b'"', within @ .., b'"'] = value { within } else { value };
    str::from_utf8(value).ok()?.parse().ok()
}

/// The lines of a header.
#[inline(never)]
pub(super) fn lines<'h>(headers: Headers<'h>, name: &str) -> Vec<&'h [u8]> {
    headers.all(name).collect()
}

fn millis(seconds: u32) -> u64 {
    u64::from(seconds).saturating_mul(1_000)
}

fn refused(header: &str, what: &str) -> Error {
    Error::new(Kind::InvalidRequest, alloc::format!("The header `{header}` {what}."))
}
