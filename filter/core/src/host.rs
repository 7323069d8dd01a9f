//! What the core asks of its surroundings, so that tests can be the surroundings.

/// The time.
pub trait Clock {
    /// Seconds since the epoch.
    fn epoch_seconds(&self) -> u64;
}
