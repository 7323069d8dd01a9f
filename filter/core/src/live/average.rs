//! Averages that forget, in whole numbers of small units: the module carries no code for floating point, and every worker
//! comes to the same figure.

use crate::store::{Reader, Writer};

/// In which time half of a peak is forgotten.
const HALF_LIFE_MILLIS: u64 = 10_000;

/// A sample's share: one part in so many. α = 0.2.
const PARTS: u64 = 5;

/// An exponentially weighted moving average. The first sample is where it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Average(Option<u64>);

/// A latency that follows bad news at once and forgets it slowly (peak-EWMA, as in Finagle): one slow answer makes a target
/// worse than another before a hundred requests have found out, and with time it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Peak {
    millis: Average,
    at_millis: u64,
}

impl Average {
    pub(super) fn add(&mut self, sample: u64) {
        let before = self.0.unwrap_or(sample);
        let sum = before.saturating_mul(PARTS.saturating_sub(1)).saturating_add(sample);
        self.0 = Some(sum.saturating_add(PARTS / 2) / PARTS);
    }

    pub(super) fn value(self) -> Option<u64> {
        self.0
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        // Zero is nothing, others are one more than they say.
        reader.u64().map(|code| Self(code.checked_sub(1)))
    }

    pub(super) fn write(self, writer: &mut Writer) {
        writer.u64(self.0.map_or(0, |value| value.saturating_add(1)));
    }
}

impl Peak {
    pub(super) fn add(&mut self, sample: u64, now_millis: u64) {
        let value = match self.value(now_millis) {
            Some(before) if before > sample => {
                // Less news after less time: what is above the sample is forgotten by its half-life.
                let before = self.millis.value().unwrap_or_default();
                sample.saturating_add(faded(before.saturating_sub(sample), now_millis.saturating_sub(self.at_millis)))
            }
            Some(_) | None => sample,
        };
        *self = Self { millis: Average(Some(value)), at_millis: now_millis };
    }

    /// What is left of it now.
    pub(super) fn value(self, now_millis: u64) -> Option<u64> {
        self.millis.value().map(|millis| faded(millis, now_millis.saturating_sub(self.at_millis)))
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { millis: Average::read(reader)?, at_millis: reader.u64()? })
    }

    pub(super) fn write(self, writer: &mut Writer) {
        self.millis.write(writer);
        writer.u64(self.at_millis);
    }
}

/// What is left of a value after a time: halved with each half-life, and in a straight line between.
fn faded(value: u64, millis: u64) -> u64 {
    let halvings = u32::try_from(millis / HALF_LIFE_MILLIS).unwrap_or(u32::MAX);
    let left = value.checked_shr(halvings).unwrap_or_default();
    left.saturating_sub((left / 2).saturating_mul(millis % HALF_LIFE_MILLIS) / HALF_LIFE_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn average(samples: &[u64]) -> Option<u64> {
        let mut average = Average::default();
        for sample in samples {
            average.add(*sample);
        }
        average.value()
    }

    #[test]
    fn an_average_starts_at_its_first_sample_and_moves_a_fifth() {
        assert_eq!(average(&[]), None);
        assert_eq!(average(&[100]), Some(100));
        assert_eq!(average(&[100, 200]), Some(120));
        assert_eq!(average(&[100, 200, 200]), Some(136));
    }

    #[test]
    fn a_peak_is_followed_at_once_and_forgotten_by_half_lives() {
        let mut peak = Peak::default();
        peak.add(100, 0);
        peak.add(900, 0);
        assert_eq!(peak.value(0), Some(900));
        assert_eq!(peak.value(10_000), Some(450));
        assert_eq!(peak.value(20_000), Some(225));
        assert_eq!(peak.value(u64::MAX), Some(0));
        // Good news at once is hardly news; after a half-life half of the peak is forgotten.
        peak.add(100, 0);
        assert_eq!(peak.value(0), Some(900));
        peak.add(100, 10_000);
        assert_eq!(peak.value(10_000), Some(500));
    }

    proptest! {
        #[test]
        fn an_average_stays_among_its_samples(samples in proptest::collection::vec(0..1_000_000_u64, 1..40)) {
            let value = average(&samples).unwrap();
            prop_assert!(samples.iter().min().unwrap() <= &value && &value <= samples.iter().max().unwrap());
        }

        #[test]
        fn a_value_never_grows_with_time(value: u64, millis in 0..100_000_u64, more in 0..100_000_u64) {
            prop_assert!(faded(value, millis.saturating_add(more)) <= faded(value, millis).saturating_add(1));
        }
    }
}
