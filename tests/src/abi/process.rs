//! What all workers of one Envoy process share: shared data with compare-and-swap, and metrics.
//!
//! As in Envoy, an insert of a missing key ignores the expected version, and a version of zero means "whatever is there".

use super::Status;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One Envoy process; clones are the same one. Give it to several [`super::Vm`]s, one a thread, for several workers.
#[derive(Clone, Default)]
pub struct Process(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    data: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    version: u32,
    conflicts: u32,
    metrics: HashMap<String, u64>,
    observations: HashMap<String, Vec<u64>>,
}

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

impl MetricKind {
    pub(super) fn from_abi(kind: u32) -> Option<Self> {
        match kind {
            0 => Some(Self::Counter),
            1 => Some(Self::Gauge),
            2 => Some(Self::Histogram),
            _ => None,
        }
    }
}

impl Process {
    /// The value under a key of shared data.
    #[must_use]
    pub fn shared_data(&self, key: &str) -> Option<Vec<u8>> {
        self.state().data.get(key.as_bytes()).map(|(value, _)| value.clone())
    }

    /// A counter's or gauge's value; zero before its first use.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        self.state().metrics.get(name).copied().unwrap_or_default()
    }

    /// What was recorded in a histogram.
    #[must_use]
    pub fn observations(&self, name: &str) -> Vec<u64> {
        self.state().observations.get(name).cloned().unwrap_or_default()
    }

    /// The next so many compare-and-swaps lose, as if another worker had been faster.
    pub fn inject_conflicts(&self, count: u32) {
        self.state().conflicts = count;
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        self.state().data.get(key).cloned().ok_or(Status::NotFound)
    }

    pub(super) fn put(&self, key: &[u8], value: &[u8], expected: u32) -> Result<(), Status> {
        let mut state = self.state();
        if let Some((_, version)) = state.data.get(key) {
            let lost = expected != 0 && *version != expected;
            if expected != 0 && state.conflicts > 0 {
                state.conflicts -= 1;
                return Err(Status::CasMismatch);
            }
            if lost {
                return Err(Status::CasMismatch);
            }
        }
        state.version += 1;
        let version = state.version;
        state.data.insert(key.to_vec(), (value.to_vec(), version));
        Ok(())
    }

    pub(super) fn read_metric(&self, kind: MetricKind, name: &str) -> Result<u64, Status> {
        match kind {
            MetricKind::Counter | MetricKind::Gauge => Ok(self.metric(name)),
            MetricKind::Histogram => Err(Status::BadArgument),
        }
    }

    pub(super) fn add_metric(&self, kind: MetricKind, name: &str, offset: i64) -> Result<(), Status> {
        if kind == MetricKind::Histogram || (kind == MetricKind::Counter && offset <= 0) {
            return Err(Status::BadArgument);
        }
        let mut state = self.state();
        let value = state.metrics.entry(name.to_owned()).or_default();
        *value = value.wrapping_add_signed(offset);
        Ok(())
    }

    pub(super) fn record_metric(&self, kind: MetricKind, name: &str, value: u64) {
        let mut state = self.state();
        match kind {
            MetricKind::Counter => *state.metrics.entry(name.to_owned()).or_default() += value,
            MetricKind::Gauge => _ = state.metrics.insert(name.to_owned(), value),
            MetricKind::Histogram => state.observations.entry(name.to_owned()).or_default().push(value),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_version_loses_and_the_first_insert_does_not_look_at_it() {
        let process = Process::default();
        assert_eq!(process.put(b"k", b"1", 77), Ok(()));
        let (_, version) = process.get(b"k").unwrap();
        assert_eq!(process.put(b"k", b"2", version), Ok(()));
        assert_eq!(process.put(b"k", b"3", version), Err(Status::CasMismatch));
        assert_eq!(process.put(b"k", b"4", 0), Ok(()));
        assert_eq!(process.shared_data("k"), Some(b"4".to_vec()));
    }

    #[test]
    fn an_injected_conflict_is_lost_once() {
        let process = Process::default();
        process.put(b"k", b"1", 0).unwrap();
        let (_, version) = process.get(b"k").unwrap();
        process.inject_conflicts(1);
        assert_eq!(process.put(b"k", b"2", version), Err(Status::CasMismatch));
        assert_eq!(process.put(b"k", b"2", version), Ok(()));
    }

    #[test]
    fn metrics_behave_by_their_kind() {
        let process = Process::default();
        assert_eq!(process.add_metric(MetricKind::Counter, "c", 0), Err(Status::BadArgument));
        process.add_metric(MetricKind::Gauge, "g", 3).unwrap();
        process.add_metric(MetricKind::Gauge, "g", -1).unwrap();
        process.record_metric(MetricKind::Histogram, "h", 9);
        assert_eq!((process.metric("g"), process.observations("h")), (2, vec![9]));
        assert_eq!(process.read_metric(MetricKind::Histogram, "h"), Err(Status::BadArgument));
    }
}
