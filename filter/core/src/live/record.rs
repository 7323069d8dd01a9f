//! What live traffic told of each target: the record that workers share.
//!
//! Bounded, although clients may invent models: targets that are listed in a catalogue or the file have a place each, of
//! others a fixed number; the rest is counted as one. A place whose target was not heard of for long is free again.
//!
//! In order of the names, and looked up by halves: a map of its own type would cost the module more than it saves.

use alloc::{rc::Rc, vec::Vec};

use crate::{
    health::{Name, NameRef, Period},
    store::{Reader, Record, Writer},
};

use super::average::{Average, Peak};

/// How many targets have a place that nobody lists.
pub(super) const MOST_UNLISTED: usize = 256;

/// After so long without traffic, a place can be had by another target.
pub(super) const IDLE_MILLIS: u64 = 60 * 60 * 1_000;

/// After so long, nothing of it is live any more.
const STALE_MILLIS: u64 = 24 * IDLE_MILLIS;

/// A ratio is counted in millionths.
pub(super) const WHOLE: u64 = 1_000_000;

/// All targets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Traffic {
    pub(super) entries: Vec<(Rc<Name>, Entry)>,
}

/// One target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Entry {
    pub(super) is_listed: bool,
    /// How many tries it is made from.
    pub(super) samples: u64,
    /// When the last of them ended.
    pub(super) at_millis: u64,
    /// To the first content of streams.
    pub(super) ttft_micros: Average,
    /// To the end.
    pub(super) latency_micros: Average,
    /// Tokens of the answer by the time to its end.
    pub(super) millitokens_per_second: Average,
    /// Failures by tries, in millionths.
    pub(super) failures: Average,
    /// To the first content of streams, for choosing.
    pub(super) ttft_peak: Peak,
    /// To the end of others, for choosing.
    pub(super) latency_peak: Peak,
}

/// How one try went.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) name: Rc<Name>,
    pub(super) is_listed: bool,
    pub(super) period: Period,
    pub(super) went: Went,
}

/// See [`Sample`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// It is not over, but the first content of the stream has come. Told by itself: a stream may take minutes, and its client
    /// may leave.
    Begun,
    /// It gave no answer that could be used.
    Wrong,
    /// It gave one.
    Well {
        /// Whether that was a stream.
        is_stream: bool,
        /// Tokens of the answer, where the provider tells.
        output_tokens: Option<u64>,
        /// Whether its health is told already.
        is_told: bool,
    },
}

impl Traffic {
    pub(super) fn entry(&self, name: NameRef<'_>) -> Option<&Entry> {
        let place = self.place(name).ok()?;
        self.entries.get(place).map(|(_, entry)| entry)
    }

    /// Takes samples in.
    pub(super) fn add(&mut self, samples: &[Sample], now_millis: u64) {
        self.entries.retain(|(_, entry)| now_millis.saturating_sub(entry.at_millis) < STALE_MILLIS);
        for sample in samples {
            let place = self.place(sample.name.borrowed()).unwrap_or_else(|place| self.settle(place, sample));
            if let Some((_, entry)) = self.entries.get_mut(place) {
                entry.is_listed = sample.is_listed;
                entry.add(sample);
            }
        }
    }

    /// Makes a place for a target that has none, where there is one to be had, and finds it.
    fn settle(&mut self, place: usize, sample: &Sample) -> usize {
        let now = sample.period.ended_millis;
        let unlisted = |traffic: &Self| traffic.entries.iter().filter(|(_, entry)| !entry.is_listed).count();
        let (mut place, mut name) = (place, Rc::clone(&sample.name));
        if !sample.is_listed && unlisted(self) >= MOST_UNLISTED {
            self.entries.retain(|(_, entry)| entry.is_listed || now.saturating_sub(entry.at_millis) < IDLE_MILLIS);
            if unlisted(self) >= MOST_UNLISTED {
                name = Rc::new(NameRef::OTHER.to_owned());
            }
            match self.place(name.borrowed()) {
                Ok(found) => return found,
                Err(free) => place = free,
            }
        }
        self.entries.insert(place, (name, Entry { is_listed: sample.is_listed, ..Entry::default() }));
        place
    }

    /// Where a target stands, or would.
    fn place(&self, name: NameRef<'_>) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| other.borrowed().cmp(&name))
    }
}

impl Entry {
    fn add(&mut self, Sample { period, went, .. }: &Sample) {
        let millis = period.ended_millis.saturating_sub(period.began_millis);
        let micros = millis.saturating_mul(1_000);
        self.at_millis = self.at_millis.max(period.ended_millis);
        if *went != Went::Begun {
            self.samples = self.samples.saturating_add(1);
        }
        match *went {
            Went::Begun => {
                self.ttft_micros.add(micros);
                self.ttft_peak.add(millis, period.ended_millis);
            }
            Went::Wrong => self.failures.add(WHOLE),
            Went::Well { is_stream, output_tokens, .. } => {
                self.failures.add(0);
                self.latency_micros.add(micros);
                if !is_stream {
                    self.latency_peak.add(millis, period.ended_millis);
                }
                let tokens = output_tokens.filter(|tokens| *tokens > 0).map(|tokens| tokens.saturating_mul(1_000_000));
                if let Some(speed) = tokens.and_then(|millitokens| millitokens.checked_div(millis)) {
                    self.millitokens_per_second.add(speed);
                }
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            is_listed: reader.u8()? != 0,
            samples: reader.u64()?,
            at_millis: reader.u64()?,
            ttft_micros: Average::read(reader)?,
            latency_micros: Average::read(reader)?,
            millitokens_per_second: Average::read(reader)?,
            failures: Average::read(reader)?,
            ttft_peak: Peak::read(reader)?,
            latency_peak: Peak::read(reader)?,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.u8(self.is_listed.into());
        writer.u64(self.samples);
        writer.u64(self.at_millis);
        self.ttft_micros.write(writer);
        self.latency_micros.write(writer);
        self.millitokens_per_second.write(writer);
        self.failures.write(writer);
        self.ttft_peak.write(writer);
        self.latency_peak.write(writer);
    }
}

impl Record for Traffic {
    const KEY: &'static str = "dragoman.live.2";

    fn read(bytes: &[u8]) -> Self {
        let mut reader = Reader(bytes);
        let mut entries: Vec<(Rc<Name>, Entry)> = Vec::new();
        while !reader.is_at_end() {
            match (Name::read(&mut reader), Entry::read(&mut reader)) {
                // Out of order, it is none of ours.
                (Some(name), Some(entry)) if entries.last().is_none_or(|(last, _)| **last < name) => {
                    entries.push((Rc::new(name), entry));
                }
                _ => return Self::default(),
            }
        }
        Self { entries }
    }

    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for (name, entry) in &self.entries {
            name.write(&mut writer);
            entry.write(&mut writer);
        }
        writer.0
    }
}
