//! On which terms a request takes an answer that was kept: HTTP's `Cache-Control`, of the request where it has one, else of its router.
//!
//! As HTTP has it (RFC 9111, 5.2.1), an answer is as old as it says, `max-age` is the age from which on it is stale, `max-stale` how much
//! later it is still taken, `min-fresh` how much earlier it is not any more; `no-store` keeps and gives nothing, `no-cache` gives nothing,
//! `only-if-cached` asks nobody. What is not known is passed over. Otherwise than in HTTP a request's `max-age` may be longer than its
//! router's: it is the client's own answer that it gets.

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
const MOST_BUCKETS: u8 = 10;

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
        let is_enabled = match headers.get(ENABLED).map(<[u8]>::trim_ascii) {
            None | Some(b"true") => true,
            Some(b"false") => false,
            Some(_) => return Err(refused(ENABLED, "is `true` or `false`")),
        };
        let buckets = match headers.text(BUCKETS) {
            None => rules.buckets,
            Some(text) => {
                let count = text.trim().parse().ok().filter(|count| (1..=MOST_BUCKETS).contains(count));
                count.ok_or_else(|| refused(BUCKETS, "is a number from 1 to 10"))?
            }
        };
        let (mut own_age, mut max_stale, mut min_fresh) = (None, None, None);
        let (mut stores, mut takes, mut asks) = (true, true, true);
        let lines = headers.all("cache-control").filter_map(|line| str::from_utf8(line).ok());
        for part in lines.flat_map(|line| line.split(',')) {
            let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)));
            // As HTTP would have it of a time that is none: nothing is fresh.
            let seconds = || value.and_then(|value| value.trim().trim_matches('"').parse::<u32>().ok());
            let is = |known: &str| name.trim().eq_ignore_ascii_case(known);
            if is("no-store") {
                stores = false;
            } else if is("no-cache") {
                takes = false;
            } else if is("only-if-cached") {
                asks = false;
            } else if is("max-age") {
                own_age = Some(seconds().unwrap_or(0));
            } else if is("max-stale") {
                max_stale = Some(if value.is_none() { u32::MAX } else { seconds().unwrap_or(0) });
            } else if is("min-fresh") {
                min_fresh = Some(seconds().unwrap_or(u32::MAX));
            }
        }
        let of_router = Some(rules.directive).filter(|directive| !directive.no_store);
        let Some(max_age) = own_age.or_else(|| of_router?.max_age) else { return Ok(None) };
        if !is_enabled || !stores {
            return Ok(None);
        }
        // Who says how old it may be, or how fresh it must be, wants none that is stale, unless he says that, too.
        let is_strict = own_age.is_some() || min_fresh.is_some();
        let max_stale = max_stale.or_else(|| of_router.filter(|_| !is_strict)?.max_stale).unwrap_or(0);
        Ok(Some(Self {
            max_age_millis: millis(max_age),
            max_stale_millis: millis(max_stale),
            min_fresh_millis: millis(min_fresh.unwrap_or(0)),
            takes,
            asks,
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

fn millis(seconds: u32) -> u64 {
    u64::from(seconds).saturating_mul(1_000)
}

fn refused(header: &str, what: &str) -> Error {
    Error::new(Kind::InvalidRequest, alloc::format!("The header `{header}` {what}."))
}
