//! What the core asks of its surroundings, so that tests can be the surroundings.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::{num::NonZeroU32, time::Duration};

use crate::{change::Latest, live::Observer, plan::Target};

/// Where variables of the environment are read.
pub type Environment = fn(&str) -> Option<String>;

/// The time.
pub trait Clock {
    /// Time since the epoch.
    fn now(&self) -> Duration;

    /// Milliseconds since the epoch.
    fn epoch_millis(&self) -> u64 {
        millis(self.now())
    }

    /// Seconds since the epoch.
    fn epoch_seconds(&self) -> u64 {
        self.now().as_secs()
    }
}

/// A time in milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000).saturating_add(time.subsec_millis().into())
}

/// All of it that a request needs.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The time.
    pub clock: &'a dyn Clock,
    /// Chance.
    pub entropy: &'a dyn Entropy,
    /// What live traffic tells.
    pub observer: &'a Rc<Observer>,
    /// What is otherwise than in the file.
    pub latest: &'a Rc<Latest>,
    /// What others have written about the request.
    pub metadata: &'a dyn Metadata,
}

/// What filters before this one have written about a request: its dynamic metadata, where nothing gets that a client sends.
pub trait Metadata {
    /// What stands there, as the host serializes it: text as it is, see [`token`](crate::auth::token) for the rest.
    fn read(&self, path: &[&str]) -> Option<Vec<u8>>;
}

/// None.
impl Metadata for () {
    fn read(&self, _: &[&str]) -> Option<Vec<u8>> {
        None
    }
}

/// Chance.
pub trait Entropy {
    /// Any number, each as likely as the others.
    fn draw(&self) -> u64;

    /// What nobody can guess, for a secret; `None` where that is not to be had.
    fn secret(&self) -> Option<[u8; 32]> {
        None
    }
}

/// Metrics, which all workers of the process share. A name is a metric; none ever goes away.
pub trait Meter {
    /// So much more of what is counted under this name.
    fn add(&self, name: &str, more: u64);

    /// Each of these was measured under this name.
    fn observe(&self, name: &str, values: &[u64]);
}

/// What all workers of the process share: values under keys. No value ever goes away, so that the keys must be few.
pub trait Store {
    /// The value, and which one it is.
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)>;

    /// Puts a value in the place of the one that was read; its version, or [`Version::ABSENT`] where there was none.
    ///
    /// # Errors
    /// Another worker was faster.
    fn put(&self, key: &str, value: &[u8], version: Version) -> Result<(), Conflict>;
}

/// Which of the values that were under a key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version(pub NonZeroU32);

/// Another worker was faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict;

impl Version {
    /// That of no value. The host ignores the version where it has no value, and counts its versions up from one: the
    /// greatest is "only where there is none", and there is no way here to say "whatever is there", which is how two workers
    /// that insert first lose what one of them wrote.
    pub const ABSENT: Self = Self(NonZeroU32::MAX);
}

/// What live traffic tells of targets.
pub trait Observed {
    /// How long the answers of a target take of late, in milliseconds: to the first content of a stream, to the end of others.
    /// `None` where nothing is known.
    fn latency_millis(&self, target: &Target, is_stream: bool) -> Option<u64>;

    /// How many requests are under way at it.
    fn in_flight(&self, target: &Target) -> u32;

    /// How many tries at it in a row, of this worker's and as far as they are over, have not shown how quick it is.
    fn blanks(&self, target: &Target) -> u32;

    /// Until when it is passed over while there is another, in milliseconds since the epoch.
    fn cooling_until(&self, target: &Target) -> Option<u64>;
}
