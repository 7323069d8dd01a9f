//! What stands in the slots of one shard, and which of it goes first.

use alloc::vec::Vec;

use super::question::Question;
use crate::store::{Reader, Writer};

/// Bytes of the index's head, and of a row.
pub(super) const HEAD: usize = 20;
pub(super) const ROW: usize = 32;

/// How the memory of a shard is divided: what was written under another division is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Division {
    pub(super) shards: u32,
    /// Answers of each.
    pub(super) slots: u32,
    /// Bytes of them.
    pub(super) bytes: u64,
}

/// One shard's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) division: Division,
    /// Counts what is kept and what is used again: the time by which one is used later than another.
    pub(super) turn: u32,
    pub(super) rows: Vec<Row>,
}

/// What stands in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) slot: u32,
    /// A part of the question's hash: the whole is in the slot.
    pub(super) tag: u64,
    /// Which of the answers to that question it is.
    pub(super) bucket: u8,
    pub(super) born_millis: u64,
    /// After so many seconds it is of no use.
    pub(super) lives_seconds: u32,
    /// Bytes in the slot.
    pub(super) length: u32,
    /// The turn in which it was used last.
    pub(super) used: u32,
}

impl Row {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let place = reader.u32()?;
        Some(Self {
            slot: place >> 8,
            bucket: u8::try_from(place & 0xff).ok()?,
            tag: reader.u64()?,
            born_millis: reader.u64()?,
            lives_seconds: reader.u32()?,
            length: reader.u32()?,
            used: reader.u32()?,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.u32(self.slot << 8 | u32::from(self.bucket));
        writer.u64(self.tag);
        writer.u64(self.born_millis);
        writer.u32(self.lives_seconds);
        writer.u32(self.length);
        writer.u32(self.used);
    }

    pub(super) const fn age_millis(&self, now_millis: u64) -> u64 {
        now_millis.saturating_sub(self.born_millis)
    }

    fn is_dead(&self, now_millis: u64) -> bool {
        self.age_millis(now_millis) >= u64::from(self.lives_seconds).saturating_mul(1_000)
    }

    /// What it takes of the memory: an allocator gives more than it is asked for, by up to an eighth.
    fn cost(&self) -> u64 {
        cost(self.length)
    }
}

/// See [`Row::cost`].
pub(super) fn cost(length: u32) -> u64 {
    u64::from(length).saturating_add(u64::from(length) / 8)
}

/// What an answer is put in the place of.
#[derive(Debug)]
pub(super) struct Room {
    /// Slots that are to be empty before that.
    pub(super) cleared: Vec<u32>,
    /// The one that it gets.
    pub(super) slot: u32,
}

impl Index {
    pub(super) fn new(division: Division) -> Self {
        Self { division, turn: 0, rows: Vec::new() }
    }

    /// What the bytes say; `None` of bytes that no worker has written.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let division = Division { shards: reader.u32()?, slots: reader.u32()?, bytes: reader.u64()? };
        let turn = reader.u32()?;
        Some(Self { division, turn, rows: reader.0.chunks_exact(ROW).filter_map(Row::read).collect() })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(HEAD.saturating_add(self.rows.len().saturating_mul(ROW))));
        writer.u32(self.division.shards);
        writer.u32(self.division.slots);
        writer.u64(self.division.bytes);
        writer.u32(self.turn);
        for row in &self.rows {
            row.write(&mut writer);
        }
        writer.0
    }

    /// The answers to a question.
    pub(super) fn of(&self, question: &Question) -> impl Iterator<Item = &Row> {
        let tag = question.tag();
        self.rows.iter().filter(move |row| row.tag == tag)
    }

    /// An answer was used again. False where that is no news: it was put in, or used, a short while ago.
    pub(super) fn touch(&mut self, slot: u32) -> bool {
        let turn = self.turn.wrapping_add(1);
        let lately = self.division.slots / 8;
        let row = self.rows.iter_mut().find(|row| row.slot == slot);
        let Some(row) = row.filter(|row| turn.wrapping_sub(row.used) > lately) else { return false };
        (row.used, self.turn) = (turn, turn);
        true
    }

    /// Puts a row in for an answer to a question of which so many answers are kept: in the place of one of no use, else where none is yet,
    /// else of the oldest. What has to go for it is what is of no use, then what was used least lately.
    pub(super) fn put(
        &mut self,
        question: &Question,
        buckets: u8,
        (length, lives_millis): (u32, u64),
        now_millis: u64,
    ) -> Room {
        let lives_seconds = u32::try_from(lives_millis.div_ceil(1_000)).unwrap_or(u32::MAX);
        let own: Vec<Row> = self.of(question).filter(|row| row.bucket < buckets).copied().collect();
        let dead = own.iter().find(|row| row.is_dead(now_millis));
        let free = (0..buckets).find(|bucket| own.iter().all(|row| row.bucket != *bucket));
        let oldest = || own.iter().min_by_key(|row| row.born_millis);
        let replaced = dead.or_else(|| if free.is_some() { None } else { oldest() });
        let bucket = replaced.map(|row| row.bucket).or(free).unwrap_or(0);
        let mut cleared = Vec::new();
        if let Some(Row { slot, .. }) = replaced {
            self.rows.retain(|row| row.slot != *slot);
            cleared.push(*slot);
        }
        let (division, turn) = (self.division, self.turn);
        let most = usize::try_from(division.slots).unwrap_or(usize::MAX);
        let mut taken: u64 = self.rows.iter().map(Row::cost).fold(cost(length), u64::saturating_add);
        while taken > division.bytes || self.rows.len() >= most {
            let rank = |(_, row): &(usize, &Row)| (row.is_dead(now_millis), turn.wrapping_sub(row.used));
            let Some((first, _)) = self.rows.iter().enumerate().max_by_key(rank) else { break };
            let gone = self.rows.swap_remove(first);
            taken = taken.saturating_sub(gone.cost());
            cleared.push(gone.slot);
        }
        let is_taken = |slot: &u32| self.rows.iter().any(|row| row.slot == *slot);
        let slot = cleared.first().copied().or_else(|| (0..division.slots).find(|slot| !is_taken(slot))).unwrap_or(0);
        self.turn = turn.wrapping_add(1);
        self.rows.push(Row {
            slot,
            tag: question.tag(),
            bucket,
            born_millis: now_millis,
            lives_seconds,
            length,
            used: self.turn,
        });
        Room { cleared, slot }
    }
}
