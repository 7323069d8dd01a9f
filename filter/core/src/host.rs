//! What the core asks of its surroundings, so that tests can be the surroundings.

use core::time::Duration;

use crate::plan::Target;

/// The time.
pub trait Clock {
    /// Time since the epoch.
    fn now(&self) -> Duration;

    /// Seconds since the epoch.
    fn epoch_seconds(&self) -> u64 {
        self.now().as_secs()
    }
}

/// Chance.
pub trait Entropy {
    /// Any number, each as likely as the others.
    fn draw(&self) -> u64;
}

/// What live traffic tells of targets.
pub trait Observed {
    /// How long the answers of a target take of late, in milliseconds: to the first content of a stream, to the end of others.
    /// `None` where nothing is known.
    fn latency_millis(&self, target: &Target, is_stream: bool) -> Option<u64>;

    /// How many requests are under way at it.
    fn in_flight(&self, target: &Target) -> u32;

    /// Until when it is passed over while there is another, in milliseconds since the epoch.
    fn cooling_until(&self, target: &Target) -> Option<u64>;
}
