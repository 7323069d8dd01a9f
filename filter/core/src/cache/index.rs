//! What stands in the slots of one shard, and which of it goes first.

use alloc::{vec, vec::Vec};

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
        // Of those to the same question, which there are, and the first one to go.
        let (mut buckets_taken, mut oldest) = (0_u64, None);
        for (place, row) in self.rows.iter().enumerate() {
            if row.tag == question.tag() && row.bucket < buckets {
                buckets_taken |= 1_u64.checked_shl(row.bucket.into()).unwrap_or(0);
                oldest = oldest.max(Some((row.is_dead(now_millis), row.age_millis(now_millis), row.bucket, place)));
            }
        }
        let free = u8::try_from(buckets_taken.trailing_ones()).unwrap_or(u8::MAX);
        let mut cleared = Vec::new();
        let bucket = match oldest {
            Some((is_dead, _, bucket, place)) if is_dead || free >= buckets => {
                cleared.push(self.rows.swap_remove(place).slot);
                bucket
            }
            Some(_) | None => free,
        };
        let (division, turn) = (self.division, self.turn);
        let most = usize::try_from(division.slots).unwrap_or(usize::MAX);
        let mut cost_of_all = cost(length);
        for row in &self.rows {
            cost_of_all = cost_of_all.saturating_add(row.cost());
        }
        while cost_of_all > division.bytes || self.rows.len() >= most {
            let mut first = (false, 0, 0);
            for (place, row) in self.rows.iter().enumerate() {
                first = first.max((row.is_dead(now_millis), turn.wrapping_sub(row.used), place));
            }
            if self.rows.is_empty() {
                break;
            }
            let gone = self.rows.swap_remove(first.2);
            cost_of_all = cost_of_all.saturating_sub(gone.cost());
            cleared.push(gone.slot);
        }
        let slot = cleared.first().copied().unwrap_or_else(|| self.free_slot(most));
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

    /// A slot without a row. There is one.
    fn free_slot(&self, most: usize) -> u32 {
        let mut is_taken = vec![false; most];
        for row in &self.rows {
            if let Some(is_taken) = usize::try_from(row.slot).ok().and_then(|slot| is_taken.get_mut(slot)) {
                *is_taken = true;
            }
        }
        let free = is_taken.iter().position(|is_taken| !is_taken).unwrap_or(0);
        u32::try_from(free).unwrap_or(0)
    }
}
