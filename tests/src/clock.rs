//! Time in tests on a machine that has other things to do.
//!
//! That something takes at least so long can be asserted as it is. That it takes no longer cannot: any request may meet a
//! stall. But a stall is chance, and what the gateway waits for on purpose it waits for every time.

use std::time::{Duration, Instant};

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

/// Waits until so long after a moment.
pub fn wait_since(moment: Instant, span: Duration) {
    std::thread::sleep(span.saturating_sub(moment.elapsed()));
}
