//! What each kind of counter promises, on its own: exact waits, windows that roll, clocks that go back.

use alloc::{collections::VecDeque, vec::Vec};

use proptest::prelude::*;

use super::*;

const DAY: u64 = 86_400_000;

fn at(millis: u64) -> Moment {
    Moment { steady_millis: millis, wall_millis: millis }
}

/// A counter and its bound.
#[derive(Clone)]
struct Gate(Counter, u64);

impl Gate {
    fn new(window: Window, max: u64) -> Self {
        Self(Counter::new(window), max)
    }

    fn enters(&mut self, amount: u64, now: u64) -> bool {
        let has_room = self.0.check(amount, self.1, at(now)).is_ok();
        if has_room {
            self.0.add(amount, self.1, now, at(now));
        }
        let mut writer = Writer::default();
        self.0.write(&mut writer);
        assert_eq!(Counter::read(&mut Reader(&writer.0)).as_ref(), Some(&self.0));
        has_room
    }

    fn retry_after(&self, amount: u64, now: u64) -> Option<u64> {
        self.0.check(amount, self.1, at(now)).unwrap_err().retry_after_millis
    }
}

#[test]
fn a_pace_lets_all_in_at_once_and_then_one_by_one() {
    let mut gate = Gate::new(Window::Pace(60_000), 7);
    for _ in 0..7 {
        assert!(gate.enters(1, 1_000));
    }
    // A seventh of a minute is 8571.43 ms.
    assert_eq!(gate.retry_after(1, 1_000), Some(8_572));
    assert!(!gate.clone().enters(1, 9_571));
    assert!(gate.enters(1, 9_572));
    // What was waited too long is not lost: seven more in seven sevenths.
    assert!(!gate.clone().enters(1, 18_142));
    assert!(gate.enters(1, 18_143));
    assert_eq!(gate.0.used(at(18_143)), 7);
    assert_eq!(gate.0.used(at(78_143)), 0);
}

#[test]
fn a_pace_takes_several_at_once_and_never_more_than_all() {
    let mut gate = Gate::new(Window::Pace(1_000), 10);
    assert!(gate.enters(4, 0) && gate.enters(6, 0));
    assert_eq!(gate.retry_after(5, 0), Some(500));
    assert_eq!(gate.retry_after(11, 0), None);
    assert_eq!(gate.0.reset_millis(at(400)), 600);
    assert_eq!(Gate::new(Window::Pace(1_000), 0).retry_after(1, 0), None);
}

#[test]
fn a_pace_gives_back_only_what_time_has_not() {
    let mut gate = Gate::new(Window::Pace(10_000), 10);
    assert!(gate.enters(10, 0));
    gate.0.take_back(10, 0, at(0), at(4_000));
    assert_eq!(gate.0.used(at(4_000)), 0);
    // Two are let in while the first are under way; they stay counted.
    let mut gate = Gate::new(Window::Pace(10_000), 10);
    assert!(gate.enters(5, 0) && gate.enters(5, 0) && gate.enters(4, 4_000));
    gate.0.take_back(5, 0, at(0), at(5_000));
    gate.0.take_back(5, 0, at(0), at(5_000));
    assert!(gate.0.used(at(5_000)) >= 3);
}

#[test]
fn a_part_leaves_an_hour_only_when_it_is_wholly_outside() {
    let mut gate = Gate::new(Window::Rolling(Grain::Hour), 10);
    assert!(gate.enters(6, 0) && gate.enters(4, 59_999));
    assert!(!gate.clone().enters(1, 3_659_999));
    assert_eq!(gate.retry_after(1, 59_999), Some(3_600_001));
    assert!(gate.clone().enters(10, 3_660_000));
    assert_eq!(gate.0.used(at(3_660_000)), 0);
    assert_eq!(gate.0.reset_millis(at(60_000)), 3_600_000);
}

#[test]
fn what_rolls_takes_back_where_it_was_counted() {
    let mut gate = Gate::new(Window::Rolling(Grain::Minute), 100);
    assert!(gate.enters(60, 0) && gate.enters(40, 30_000));
    gate.0.take_back(50, 0, at(0), at(31_000));
    assert_eq!(gate.0.used(at(31_000)), 50);
    assert_eq!(gate.0.used(at(61_000)), 40);
    // What has left is not taken from what has not.
    gate.0.take_back(10, 0, at(0), at(62_000));
    gate.0.add(1, 100, 0, at(62_000));
    gate.0.take_back(10, 0, at(0), at(62_000));
    assert_eq!(gate.0.used(at(62_000)), 41);
}

#[test]
fn days_and_months_are_those_of_the_calendar() {
    let day = |text: &str| crate::config::parse_date(text).unwrap() * 1_000;
    let mut gate = Gate::new(Window::Calendar(Unit::Month), 10);
    assert!(gate.enters(10, day("2028-02-29T23:59:59Z")));
    assert_eq!(gate.retry_after(1, day("2028-02-29T23:59:59Z")), Some(1_000));
    assert!(gate.enters(10, day("2028-03-01")));
    assert_eq!(gate.retry_after(1, day("2028-03-01")), Some(31 * DAY));
    let mut gate = Gate::new(Window::Calendar(Unit::Day), 10);
    assert!(gate.enters(10, day("2026-12-31")));
    assert!(!gate.clone().enters(1, day("2026-12-31T23:59:59Z")));
    assert!(gate.enters(1, day("2027-01-01")));
}

#[test]
fn every_month_begins_when_the_calendar_says() {
    let mut gate = Gate::new(Window::Calendar(Unit::Month), 1);
    for year in 1970..2500 {
        for month in 1..=12 {
            let first = crate::config::parse_date(&alloc::format!("{year}-{month:02}-01")).unwrap() * 1_000;
            if let Some(before) = first.checked_sub(1) {
                assert_eq!(gate.retry_after(1, before), Some(1), "{year}-{month}");
            }
            assert!(gate.enters(1, first), "{year}-{month}");
        }
    }
}

#[test]
fn a_clock_that_is_set_back_over_midnight_finds_what_was_counted() {
    let mut gate = Gate::new(Window::Calendar(Unit::Day), 10);
    assert!(gate.enters(10, DAY - 1) && gate.enters(10, DAY));
    assert!(!gate.enters(1, DAY - 1) && !gate.enters(1, DAY + 1));
    // One that was a year ahead takes nothing from the day that it is, and does not close the gate for a year.
    assert!(gate.enters(10, 365 * DAY));
    assert_eq!(gate.retry_after(1, DAY), Some(DAY));
    assert!(gate.enters(10, 2 * DAY));
    assert!(!gate.enters(1, DAY) && !gate.enters(1, 365 * DAY));
}

#[test]
fn a_request_of_yesterday_is_settled_as_yesterdays() {
    let mut gate = Gate::new(Window::Calendar(Unit::Day), 10);
    assert!(gate.enters(8, DAY - 1) && gate.enters(8, DAY));
    gate.0.take_back(5, 0, at(DAY - 1), at(DAY));
    assert_eq!((gate.0.used(at(DAY - 1)), gate.0.used(at(DAY))), (3, 8));
}

#[test]
fn a_lease_that_nobody_renews_ends() {
    let mut gate = Gate::new(Window::Concurrent, 2);
    assert!(gate.enters(1, 0) && gate.enters(1, 1) && !gate.enters(1, 2));
    gate.0.add(1, 2, 1, at(LEASE_MILLIS - 1));
    assert!(gate.enters(1, LEASE_MILLIS));
    gate.0.take_back(1, 1, at(1), at(LEASE_MILLIS));
    assert_eq!(gate.0.used(at(LEASE_MILLIS)), 1);
    // One that was late is still under way.
    gate.0.add(1, 2, 0, at(2 * LEASE_MILLIS));
    assert_eq!(gate.0.used(at(2 * LEASE_MILLIS)), 1);
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        (1..100_000_u64).prop_map(Window::Pace),
        prop::sample::select(&[Grain::Second, Grain::Minute, Grain::Hour]).prop_map(Window::Rolling),
        prop::sample::select(&[Unit::Day, Unit::Month]).prop_map(Window::Calendar),
        Just(Window::Concurrent),
    ]
}

proptest! {
    #[test]
    fn whoever_waits_as_long_as_told_is_let_in_and_nobody_earlier(
        window in window(),
        max in 1..50_u64,
        steps in proptest::collection::vec((1..20_u64, 0..5_000_u64), 1..60),
    ) {
        let mut gate = Gate::new(window, max);
        let mut now = 1_000_000_000_000;
        for (amount, pause) in steps {
            now += pause;
            let Err(full) = gate.0.check(amount, max, at(now)) else {
                prop_assert!(gate.enters(amount, now));
                continue;
            };
            prop_assert_eq!(full.retry_after_millis.is_none(), amount > max);
            if let Some(millis) = full.retry_after_millis.filter(|_| window != Window::Concurrent) {
                prop_assert!(gate.0.check(amount, max, at(now + millis - 1)).is_err());
                prop_assert!(gate.0.check(amount, max, at(now + millis)).is_ok());
            }
        }
    }

    #[test]
    fn no_time_of_the_length_has_more_than_the_bound_whatever_is_taken_back(
        grain in prop::sample::select(&[Grain::Second, Grain::Minute, Grain::Hour]),
        steps in proptest::collection::vec((1..20_u64, 0..20_u64, 0..30_u64), 1..80),
    ) {
        let length = grain.millis() * grain.parts();
        let mut gate = Gate::new(Window::Rolling(grain), 30);
        let mut used: VecDeque<(u64, u64)> = VecDeque::new();
        let mut now = 7;
        for (reserved, actual, pause) in steps {
            now += pause * length / 60;
            if gate.enters(reserved, now) {
                let actual = actual.min(reserved);
                gate.0.take_back(reserved - actual, 0, at(now), at(now));
                used.push_back((now, actual));
            }
            let within: u64 = used.iter().filter(|(then, _)| *then + length > now).map(|(_, amount)| amount).sum();
            prop_assert!(within <= 30 && within <= gate.0.used(at(now)));
        }
    }

    #[test]
    fn a_pace_never_lets_in_more_than_all_at_once_and_what_time_gives(
        max in 1..20_u64,
        steps in proptest::collection::vec((1..8_u64, 0..3_000_u64, any::<bool>(), 0..4_000_u64), 1..60),
    ) {
        let period = 10_000;
        let mut gate = Gate::new(Window::Pace(period), max);
        let mut now = 5;
        let mut kept: Vec<(u64, u64)> = Vec::new();
        let mut open: Vec<(u64, u64, u64)> = Vec::new();
        for (amount, pause, is_kept, later) in steps {
            now += pause;
            open.retain(|(then, until, amount)| {
                if *until <= now {
                    gate.0.take_back(*amount, 0, at(*then), at(now));
                }
                *until > now
            });
            if gate.enters(amount, now) {
                if is_kept { kept.push((now, amount)) } else { open.push((now, now + later, amount)) }
            }
            for (from, _) in &kept {
                let since: u64 = kept.iter().filter(|(then, _)| then >= from).map(|(_, amount)| amount).sum();
                prop_assert!(since * period <= max * period + max * (now - from));
            }
        }
    }

    #[test]
    fn bytes_that_nobody_wrote_are_no_counter_or_one_that_can_be_used(bytes: Vec<u8>, now: u64, amount: u64, max: u64) {
        if let Some(mut counter) = Counter::read(&mut Reader(&bytes)) {
            let _ = counter.check(amount, max, at(now));
            counter.add(amount, max, 1, at(now));
            counter.take_back(amount, 1, at(now), at(now));
            let _ = (counter.used(at(now)), counter.reset_millis(at(now)), counter.is_idle(at(now)));
        }
    }
}
