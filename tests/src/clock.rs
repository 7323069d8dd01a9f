//! Time in tests on a machine that has other things to do.
//!
//! That something takes at least so long can be asserted as it is. That it takes no longer cannot: any request may meet a
//! stall. But a stall is chance, and what the gateway waits for on purpose it waits for every time.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longer than anything that must happen by itself.
const PATIENCE: Duration = Duration::from_secs(30);
const ROUNDS: usize = 3;

/// Asserts that one of three rounds, which say how long they lasted, was quicker than `limit`.
///
/// # Panics
/// When none was.
#[track_caller]
pub fn assert_quicker(limit: Duration, mut round: impl FnMut(usize) -> Duration) {
    let mut lasted = Vec::new();
    for number in 0..ROUNDS {
        lasted.push(round(number));
        if lasted.iter().any(|lasted| *lasted < limit) {
            return;
        }
    }
    panic!("none of {lasted:?} is less than {limit:?}");
}

/// Asserts that one of three rounds, which say whether they were in time to show anything, was.
///
/// # Panics
/// When none was.
#[track_caller]
pub fn assert_in_time(round: impl FnMut(usize) -> bool) {
    assert!((0..ROUNDS).any(round), "no round was in time");
}

/// How late a thread wakes that does nothing but sleep: what the machine adds to every wait, whoever waits. A gateway that takes
/// its time has no influence on it.
#[derive(Debug, Default)]
pub struct Control(Mutex<Vec<(Instant, Duration)>>);

impl Control {
    /// Sleeps and wakes until told to stop.
    pub fn run(&self, is_over: &AtomicBool) {
        while !is_over.load(Ordering::Relaxed) {
            let due = Instant::now() + Duration::from_millis(5);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.wakes().push((due, due.elapsed()));
        }
    }

    /// How late it was, all in all, when it should have woken in this time.
    #[must_use]
    pub fn late(&self, within: Range<Instant>) -> Duration {
        self.wakes().iter().filter(|(due, _)| within.contains(due)).map(|(_, late)| *late).sum()
    }

    fn wakes(&self) -> MutexGuard<'_, Vec<(Instant, Duration)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until it is so.
///
/// # Panics
/// When it never is.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for the next day of UTC where this one is about to end: what is counted by the day is then counted in one.
///
/// # Panics
/// When the clock says that it is before 1970.
pub fn clear_midnight() {
    const DAY_SECONDS: u64 = 86_400;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let left = Duration::from_secs(DAY_SECONDS.saturating_sub(now.as_secs() % DAY_SECONDS));
    if left < PATIENCE {
        std::thread::sleep(left);
    }
}

/// Waits until so long after a moment.
pub fn wait_since(moment: Instant, span: Duration) {
    std::thread::sleep(span.saturating_sub(moment.elapsed()));
}
