//! What is kept of requests for all workers: their sums by hour for thirty days, and those of each key since the gateway has begun.
//!
//! An hour is a value of its own, under the number that it has among thirty days' hours: whoever writes there first in a new hour throws
//! away what was written thirty days ago. So the oldest goes without anybody to take it away, and one change of a value is one hour's.
//!
//! Envoy's memory is where it is kept: a restart of the process loses it.

use alloc::{format, string::String, vec::Vec};

use super::turnover::{By, MOST_ROWS, Row, Table};
use crate::{
    fnv,
    host::Store,
    store::{Reader, Writer, update_at},
};

/// How many hours are kept.
pub const HOURS: u64 = 30 * 24;

/// Over so many values the keys are spread.
const SHARDS: u64 = 64;

/// An hour.
pub const HOUR_MILLIS: u64 = 60 * 60 * 1_000;

/// Sums of one time.
#[derive(Debug, Default)]
struct Page {
    /// Which one, counted from the epoch.
    time: u64,
    table: Table,
}

impl Page {
    fn read(bytes: &[u8]) -> Self {
        let mut reader = Reader(bytes);
        match reader.u64() {
            Some(time) => Self { time, table: Table::read(&mut reader) },
            None => Self::default(),
        }
    }

    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.time);
        self.table.write(&mut writer);
        writer.0
    }
}

/// Adds rows to the sums of this hour, and those of keys to what they came to at all.
pub(super) fn add(store: &dyn Store, rows: &Table, now_millis: u64) {
    let hour = hour(now_millis);
    // Where the host refuses, these sums are lost, and no request.
    let _ = update_at(store, &hour_key(hour), |bytes| {
        let mut page = Page::read(bytes);
        // What else stands there is of another month.
        if page.time != hour {
            page = Page { time: hour, ..Page::default() };
        }
        for ((by, name), sums) in rows.rows() {
            page.table.add(*by, name, sums, MOST_ROWS);
        }
        (page.write(), ())
    });
    for shard in 0..SHARDS {
        let is_here = |row: &&Row| row.0.0 == By::Key && shard_of(&row.0.1) == shard;
        if !rows.rows().iter().any(|row| is_here(&row)) {
            continue;
        }
        let _ = update_at(store, &shard_key(shard), |bytes| {
            let mut page = Page::read(bytes);
            for ((by, name), sums) in rows.rows().iter().filter(is_here) {
                page.table.add(*by, name, sums, MOST_ROWS);
            }
            (page.write(), ())
        });
    }
}

/// The sums of an hour, counted from the epoch.
#[must_use]
pub fn of_hour(store: &dyn Store, hour: u64) -> Table {
    let page = store.get(&hour_key(hour)).map(|(bytes, _)| Page::read(&bytes)).unwrap_or_default();
    if page.time == hour { page.table } else { Table::default() }
}

/// What each key came to at all.
#[must_use]
pub fn of_keys(store: &dyn Store) -> Table {
    let mut all = Table::default();
    for shard in 0..SHARDS {
        let Some((bytes, _)) = store.get(&shard_key(shard)) else { continue };
        for ((by, name), sums) in Page::read(&bytes).table.rows() {
            all.add(*by, name, sums, usize::MAX);
        }
    }
    all
}

/// The hour of a time.
#[must_use]
pub const fn hour(millis: u64) -> u64 {
    millis / HOUR_MILLIS
}

fn hour_key(hour: u64) -> String {
    format!("dragoman.hour.1.{}", hour % HOURS)
}

fn shard_key(shard: u64) -> String {
    format!("dragoman.keys.1.{shard}")
}

fn shard_of(id: &str) -> u64 {
    fnv::hash(id.bytes()) % SHARDS
}

#[cfg(test)]
mod tests {
    use alloc::rc::Rc;

    use super::*;
    use crate::{record::turnover::Turnover, store::Memory};

    const NOW: u64 = 1_767_225_600_000;

    fn one(key: &str) -> Table {
        let mut table = Table::default();
        let sums = Turnover::of(&crate::record::tests::record(Vec::new()));
        for (by, name) in [(By::All, ""), (By::Key, key)] {
            table.add(by, name, &sums, MOST_ROWS);
        }
        table
    }

    fn of_key(store: &dyn Store, key: &str) -> u64 {
        of_keys(store).rows().iter().find(|row| row.0.1 == key).map_or(0, |row| row.1.values()[0])
    }

    fn requests(table: &Table) -> u64 {
        table.rows().first().map_or(0, |row| row.1.values()[0])
    }

    #[test]
    fn an_hour_is_kept_for_thirty_days_and_a_key_for_ever() {
        let store = Memory::default();
        add(&store, &one("a"), NOW);
        add(&store, &one("b"), NOW + HOUR_MILLIS - 1);
        add(&store, &one("a"), NOW + HOUR_MILLIS);
        let first = hour(NOW);
        assert_eq!([first - 1, first, first + 1, first + 2].map(|hour| requests(&of_hour(&store, hour))), [0, 2, 1, 0]);
        add(&store, &one("a"), NOW + HOURS * HOUR_MILLIS);
        assert_eq!([first, first + HOURS].map(|hour| requests(&of_hour(&store, hour))), [0, 1]);
        assert_eq!(["a", "b", "c"].map(|key| of_key(&store, key)), [3, 1, 0]);
        assert_eq!(of_keys(&store).rows().len(), 2);
    }

    #[test]
    fn workers_that_add_at_once_lose_nothing() {
        let store = Rc::new(Memory::default());
        for _ in 0..3 {
            let other = Rc::clone(&store);
            store.before_next_put(move || add(&*other, &one("b"), NOW));
            add(&*store, &one("a"), NOW);
        }
        assert_eq!(requests(&of_hour(&*store, hour(NOW))), 6);
        assert_eq!(["a", "b"].map(|key| of_key(&*store, key)), [3, 3]);
    }
}
