//! The last requests, each as its record says it, for who looks at the console: so many, and no more.
//!
//! A ring of leaves: each has so many records, and the newest takes the place of the oldest. A record has a number, which says its leaf,
//! and a leaf says which ones it has, so that it does not matter how large the ring was when it was written.
//!
//! What was said in a request stands apart from its record, under a key of its own with the record's number: a leaf is read and written
//! as a whole, and what was said may be long.

use alloc::{collections::VecDeque, format, string::String, vec::Vec};

use crate::{
    host::Store,
    store::{Reader, Writer, update_at},
};

/// How many records a leaf has.
const LEAF: u64 = 50;

/// Where the number of the next record stands.
const HEAD: &str = "dragoman.ring.1";

/// How the key begins under which stands what was said in a request.
const CONTENT: &str = "dragoman.content.1";

/// Records that stand together, each with its number.
#[derive(Debug, Default, PartialEq, Eq)]
struct Leaf {
    /// Its own number.
    number: u64,
    records: Vec<(u64, String)>,
}

impl Leaf {
    fn read(bytes: &[u8]) -> Self {
        let mut reader = Reader(bytes);
        let Some(number) = reader.u64() else { return Self::default() };
        let mut records = Vec::new();
        while let (Some(place), Some(text)) = (reader.u64(), reader.long_text()) {
            records.push((place, text.into()));
        }
        Self { number, records }
    }

    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.number);
        for (place, text) in &self.records {
            writer.u64(*place);
            writer.long_text(text);
        }
        writer.0
    }
}

/// Puts records in, the newest last, each with what was said, where that is kept; of more than the ring has room for, the last ones.
pub(super) fn add(store: &dyn Store, mut records: VecDeque<(String, Option<String>)>, size: u32) {
    let slots = size;
    let size = u64::from(size);
    let leaves = leaves(size);
    while u64::try_from(records.len()).unwrap_or(u64::MAX) > size {
        records.pop_front();
    }
    let count = u64::try_from(records.len()).unwrap_or(u64::MAX);
    let taken = update_at(store, HEAD, |bytes| {
        let next = head(bytes);
        let mut writer = Writer::default();
        writer.u64(next.saturating_add(count));
        (writer.0, next)
    });
    // Where the host refuses, these records are lost, and no request.
    let Ok(mut next) = taken else { return };
    while !records.is_empty() {
        let number = next / LEAF;
        let room = LEAF.saturating_sub(next % LEAF);
        let now = records.drain(..records.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
        let (now, said): (Vec<_>, Vec<_>) = now.unzip();
        let places = next..;
        for (place, said) in places.clone().zip(said) {
            if let Some(said) = said {
                let _ = update_at(store, &content_key(place, slots), |_| {
                    let mut writer = Writer::default();
                    writer.u64(place);
                    writer.long_text(&said);
                    (writer.0, ())
                });
            }
        }
        next = next.saturating_add(u64::try_from(now.len()).unwrap_or(u64::MAX));
        let _ = update_at(store, &leaf_key(number, leaves), |bytes| {
            let mut leaf = Leaf::read(bytes);
            if leaf.number < number {
                leaf = Leaf { number, ..Leaf::default() };
            }
            // Of a leaf that is written anew already, this one was overtaken.
            if leaf.number == number {
                leaf.records.extend(places.clone().zip(now.iter().cloned()));
            }
            (leaf.write(), ())
        });
    }
}

/// The last records of a ring of this size with their numbers, the newest first. A leaf is read when its turn has come.
pub fn last(store: &dyn Store, size: u32) -> impl Iterator<Item = (u64, String)> {
    let (size, next) = (u64::from(size), store.get(HEAD).map_or(0, |(bytes, _)| head(&bytes)));
    let (oldest, leaves) = (next.saturating_sub(size), leaves(size));
    (oldest / LEAF..next.div_ceil(LEAF)).rev().flat_map(move |number| {
        let leaf = store.get(&leaf_key(number, leaves)).map(|(bytes, _)| Leaf::read(&bytes)).unwrap_or_default();
        let mut records = if leaf.number == number { leaf.records } else { Vec::new() };
        records.retain(|(place, _)| *place >= oldest);
        records.sort_by_key(|(place, _)| core::cmp::Reverse(*place));
        records
    })
}

/// What was said in the request whose record has this number, where that was kept.
pub fn content(store: &dyn Store, place: u64, size: u32) -> Option<String> {
    let (bytes, _) = store.get(&content_key(place, size))?;
    let mut reader = Reader(&bytes);
    reader.u64().filter(|found| *found == place)?;
    reader.long_text().map(Into::into)
}

fn head(bytes: &[u8]) -> u64 {
    Reader(bytes).u64().unwrap_or_default()
}

/// One more than are full: the newest is not.
const fn leaves(size: u64) -> u64 {
    size.div_ceil(LEAF).saturating_add(1)
}

fn leaf_key(number: u64, leaves: u64) -> String {
    format!("{HEAD}.{}", number.checked_rem(leaves).unwrap_or_default())
}

fn content_key(place: u64, size: u32) -> String {
    format!("{CONTENT}.{}", place.checked_rem(size.into()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use alloc::rc::Rc;

    use super::*;
    use crate::store::Memory;

    fn put(store: &dyn Store, from: u32, to: u32, size: u32) {
        add(store, (from..to).map(|number| (format!("{number}"), None)).collect(), size);
    }

    fn numbers(store: &dyn Store, size: u32) -> Vec<u32> {
        last(store, size).map(|(_, text)| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_last_records_are_there_newest_first_and_no_more_than_there_is_room_for() {
        let store = Memory::default();
        assert!(numbers(&store, 120).is_empty());
        put(&store, 0, 3, 120);
        assert_eq!(numbers(&store, 120), [2, 1, 0]);
        for from in (3..500).step_by(7) {
            put(&store, from, from + 7, 120);
        }
        let all = numbers(&store, 120);
        assert!(all.is_sorted_by(|newer, older| newer == &(older + 1)), "{all:?}");
        assert_eq!((all.len(), all[0]), (120, 499));
        put(&store, 500, 2_000, 120);
        let all = numbers(&store, 120);
        assert_eq!((all.len(), all[0], all[119]), (120, 1_999, 1_880));
        put(&store, 2_000, 2_001, 0);
        assert_eq!(numbers(&store, 1), [1_999], "a ring of nothing takes nothing");
    }

    #[test]
    fn what_was_said_is_found_by_the_number_of_its_record_and_goes_with_it() {
        let store = Memory::default();
        let said = |from: u32, to: u32| {
            let record =
                |number: u32| (format!("{number}"), number.is_multiple_of(2).then(|| format!("said {number}")));
            add(&store, (from..to).map(record).collect(), 7);
        };
        let told = || last(&store, 7).map(|(place, text)| (text, content(&store, place, 7))).collect::<Vec<_>>();
        let expected = |newest: u32| {
            let numbers = (0..=newest).rev().take(7);
            let pairs = numbers.map(|n| (format!("{n}"), n.is_multiple_of(2).then(|| format!("said {n}"))));
            pairs.collect::<Vec<_>>()
        };
        said(0, 5);
        assert_eq!(told(), expected(4));
        said(5, 40);
        assert_eq!(told(), expected(39));
        said(40, 41);
        assert_eq!(told(), expected(40));
        assert_eq!(content(&store, 1_000, 7), None);
        assert_eq!(content(&store, 40, 0), None);
    }

    #[test]
    fn workers_that_write_at_once_lose_nothing() {
        let store = Rc::new(Memory::default());
        let other = Rc::clone(&store);
        store.before_next_put(move || put(&*other, 10, 20, 100));
        put(&*store, 0, 10, 100);
        let mut all = numbers(&*store, 100);
        all.sort_unstable();
        assert_eq!(all, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_ring_of_another_size_shows_what_is_still_there() {
        let store = Memory::default();
        put(&store, 0, 200, 200);
        for size in [10, 60, 1_000] {
            let all = numbers(&store, size);
            assert!(all.len() <= size as usize && all.is_sorted_by(|newer, older| newer > older), "{size}: {all:?}");
        }
    }
}
