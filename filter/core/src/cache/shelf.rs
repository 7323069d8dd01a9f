//! The memory for kept answers, which all workers share: values under keys, of which the number is fixed and none ever goes away, but
//! each can be made empty.
//!
//! It is divided into shards, each with an index and so many slots, of an answer each. A question's hash says which shard is its own.
//!
//! How it stays within its bounds, whatever workers do at the same time:
//! 1. What an index has rows for fits into its shard, and an index is changed only as it was read.
//! 2. An answer is written into a slot only after the row for it, and only over the very emptiness that was there before that row.
//! 3. A slot is made empty before its row is taken out. So one that is written meanwhile, by who has had the row before, is not written.
//!
//! Thus whatever stands in a slot has a row. A row may well have an empty slot: its answer is being written, or never will be; it takes
//! its place in the index until it goes like any other. And a slot may have been given to another question after its row was read: the
//! answer itself says of which question it is.

use alloc::{format, string::String, vec::Vec};

use super::{
    Entry, Terms,
    index::{Division, HEAD, Index, ROW, Row, cost},
    question::Question,
};
use crate::host::{Conflict, Entropy, Store, Version};

/// What a key takes of the memory beside its value: its own text, its place in the host's map, and what an allocator adds to each.
pub(super) const KEY_BYTES: u64 = 256;

/// How large a shard is, where there is that much; the fewer there are, the larger an answer can be.
const SHARD_BYTES: u64 = 4 << 20;

/// So much of a shard has a slot, and so many slots it has at most: each use of an answer reads the whole index.
const SLOT_BYTES: u64 = 8 << 10;
const MOST_SLOTS: u64 = 2_048;

/// The part of a shard that one answer can take.
const LARGEST: u64 = 4;

/// How many shards of an older division one request clears.
const MOST_CLEARED: u32 = 16;

/// Whoever loses loses to one that has won; what then is not kept is asked for once more.
const MOST_TRIES: usize = 8;

/// How many shards have ever been used, and are not cleared since.
const EXTENT: &str = "cache.1";

/// See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shelf {
    division: Division,
    max_entry: u64,
}

/// An answer that was kept.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) entry: Entry,
    pub(crate) bucket: u8,
    pub(crate) age_millis: u64,
}

impl Shelf {
    pub(super) fn new(max_bytes: u64, max_entry: u64) -> Self {
        let all = max_bytes.saturating_sub(KEY_BYTES.saturating_add(8));
        let wanted = SHARD_BYTES.max(max_entry.saturating_mul(LARGEST));
        let shards = u32::try_from(all.checked_div(wanted).unwrap_or(0).max(1)).unwrap_or(u32::MAX);
        let each = all.checked_div(shards.into()).unwrap_or(0);
        let slots = (each / SLOT_BYTES).clamp(1, MOST_SLOTS);
        let index = slots.saturating_mul(length_of(ROW)).saturating_add(length_of(HEAD));
        let index = index.saturating_add(index / 8);
        let keys = slots.saturating_add(1).saturating_mul(KEY_BYTES);
        let bytes = each.saturating_sub(index.saturating_add(keys));
        let division = Division { shards, slots: u32::try_from(slots).unwrap_or(1), bytes };
        Self { division, max_entry: max_entry.min(bytes / LARGEST) }
    }

    /// How long an answer can be, if there is nothing else to be kept with it.
    pub(super) fn most(&self) -> usize {
        usize::try_from(self.max_entry).unwrap_or(usize::MAX)
    }

    /// Whether an answer of this length can be kept.
    pub(super) fn takes(&self, length: usize) -> bool {
        u32::try_from(length).is_ok_and(|length| cost(length) <= self.max_entry)
    }

    /// An answer to the question on these terms, of those that are wanted. Where fewer than there are to be are kept, none: the next one is
    /// to be another, unless nobody may be asked for it.
    pub(crate) fn look(
        &self,
        store: &dyn Store,
        (question, terms): (&Question, &Terms),
        is_wanted: &dyn Fn(&Entry) -> bool,
        entropy: &dyn Entropy,
        now_millis: u64,
    ) -> Option<Found> {
        let find = || {
            let shard = self.shard(question);
            let (bytes, version) = store.get(&index_key(shard))?;
            let mut index = Index::read(&bytes)?;
            if index.division != self.division {
                // A file was loaded that says otherwise.
                let _ = self.clear(store, shard);
                return None;
            }
            let mut rows: Vec<Row> = Vec::new();
            for row in &index.rows {
                let age_millis = row.age_millis(now_millis);
                if row.tag == question.tag() && row.bucket < terms.buckets && terms.accepts(age_millis) {
                    rows.push(*row);
                }
            }
            if rows.is_empty() || (rows.len() < terms.buckets.into() && terms.asks) {
                return None;
            }
            let draw = if rows.len() > 1 { entropy.draw() } else { 0 };
            let mut at = usize::try_from(draw.checked_rem(length_of(rows.len())).unwrap_or(0)).unwrap_or(0);
            for _ in 0..rows.len() {
                let row = rows.get(at).or_else(|| rows.first())?;
                at = at.saturating_add(1).checked_rem(rows.len()).unwrap_or(0);
                let bytes = store.get(&slot_key(shard, row.slot)).map(|(bytes, _)| bytes).unwrap_or_default();
                let Some(entry) = Entry::read(&bytes, question) else { continue };
                // As its row says, or it has come into its place since that was read.
                if entry.born_millis != row.born_millis || !is_wanted(&entry) {
                    continue;
                }
                if index.touch(row.slot) {
                    // Of two that use it at the same time one is enough.
                    let _ = store.put(&index_key(shard), &index.write(), version);
                }
                return Some(Found { entry, bucket: row.bucket, age_millis: row.age_millis(now_millis) });
            }
            None
        };
        find().or_else(|| {
            self.settle(store);
            None
        })
    }

    /// Keeps an answer.
    ///
    /// # Errors
    /// It is too large, or others have been faster too often: it is not kept.
    pub(super) fn keep(
        &self,
        store: &dyn Store,
        (question, terms): (&Question, &Terms),
        entry: &Entry,
    ) -> Result<(), Conflict> {
        let bytes = entry.write(question);
        if !self.takes(bytes.len()) {
            return Err(Conflict);
        }
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let shard = self.shard(question);
        let key = index_key(shard);
        for _ in 0..MOST_TRIES {
            let (before, version) = seeded(store, &key)?;
            let mut index = Index::read(&before).unwrap_or_else(|| Index::new(self.division));
            if index.division != self.division {
                // The request is older than the file that is loaded.
                return Err(Conflict);
            }
            let lives = (length, terms.lifetime_millis());
            let room = index.put(question, terms.buckets, lives, entry.born_millis);
            for slot in room.cleared.iter().filter(|slot| **slot != room.slot) {
                let _ = empty(store, &slot_key(shard, *slot))?;
            }
            let slot = slot_key(shard, room.slot);
            let emptied = empty(store, &slot)?;
            if store.put(&key, &index.write(), version).is_ok() {
                return store.put(&slot, &bytes, emptied);
            }
        }
        Err(Conflict)
    }

    /// Takes note of how many shards there are, and clears some of those that there were more of.
    fn settle(&self, store: &dyn Store) {
        let own = self.division.shards;
        for _ in 0..MOST_CLEARED {
            let Ok((bytes, version)) = seeded(store, EXTENT) else { return };
            let extent = bytes.try_into().map_or(0, u32::from_le_bytes);
            let next = match extent.checked_sub(1) {
                Some(last) if extent > own => {
                    if self.clear(store, last).is_err() {
                        return;
                    }
                    last
                }
                _ if extent < own => own,
                _ => return,
            };
            if store.put(EXTENT, &next.to_le_bytes(), version).is_err() {
                return;
            }
        }
    }

    /// Takes everything out of a shard of another division.
    fn clear(&self, store: &dyn Store, shard: u32) -> Result<(), Conflict> {
        let key = index_key(shard);
        let (bytes, version) = seeded(store, &key)?;
        for row in Index::read(&bytes).map(|index| index.rows).unwrap_or_default() {
            let _ = empty(store, &slot_key(shard, row.slot))?;
        }
        store.put(&key, &Index::new(self.division).write(), version)
    }

    fn shard(&self, question: &Question) -> u32 {
        question.number().checked_rem(self.division.shards).unwrap_or(0)
    }
}

impl Question {
    /// What chooses the shard.
    fn number(&self) -> u32 {
        self.0.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// By what it is found there.
    pub(super) fn tag(&self) -> u64 {
        self.0.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

/// What stands under a key, where there may be none yet: the host looks at no version where it has no value.
fn seeded(store: &dyn Store, key: &str) -> Result<(Vec<u8>, Version), Conflict> {
    store.get(key).map_or_else(
        || {
            // Whoever was faster has done the same.
            let _ = store.put(key, &[], Version::ABSENT);
            store.get(key).ok_or(Conflict)
        },
        Ok,
    )
}

/// Makes a value empty, so that nothing that was read before can be put there any more; which emptiness it is.
fn empty(store: &dyn Store, key: &str) -> Result<Version, Conflict> {
    let (_, version) = seeded(store, key)?;
    store.put(key, &[], version)?;
    store.get(key).filter(|(bytes, _)| bytes.is_empty()).map(|(_, version)| version).ok_or(Conflict)
}

fn index_key(shard: u32) -> String {
    format!("{EXTENT}.{shard}")
}

fn slot_key(shard: u32, slot: u32) -> String {
    format!("{EXTENT}.{shard}.{slot}")
}

fn length_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
