//! What a target goes through, and what the record of all makes of it.

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::time::Duration;

use proptest::prelude::*;

use super::*;

const COOLDOWN: Cooldown = Cooldown { default: Duration::from_secs(30), max: Duration::from_mins(10) };
const NEVER: Cooldown = Cooldown { default: Duration::ZERO, ..COOLDOWN };
const OFF: Cooldown = Cooldown { default: Duration::ZERO, max: Duration::ZERO };
const DOWN: Symptom = Symptom { trouble: Trouble::ServerError, retry_after: None };
const START: u64 = 1_767_225_600_000;

fn name(model: &str) -> Rc<Name> {
    Rc::new(NameRef { environment: "", provider: "p", account: "a", model }.to_owned())
}

/// Under way for a millisecond, `seconds` after the start.
fn at(seconds: u64) -> Period {
    let ended_millis = START + seconds * 1_000;
    Period { began_millis: ended_millis - 1, ended_millis }
}

/// A ledger with one target.
struct One(Ledger, Rc<Name>);

impl One {
    fn new() -> Self {
        Self(Ledger::default(), name("m"))
    }

    fn fails(&mut self, seconds: u64) -> &mut Self {
        self.fails_as(DOWN, COOLDOWN, seconds)
    }

    fn fails_as(&mut self, symptom: Symptom, cooldown: Cooldown, seconds: u64) -> &mut Self {
        self.0.fail(&self.1, true, symptom, cooldown, at(seconds));
        self
    }

    fn errs(&mut self, cooldown: Cooldown, seconds: u64) -> &mut Self {
        self.0.err(&self.1, true, Trouble::BadAnswer, cooldown, at(seconds));
        self
    }

    fn succeeds(&mut self, seconds: u64) -> &mut Self {
        self.0.succeed(self.1.borrowed(), at(seconds), at(seconds).ended_millis);
        self
    }

    fn state(&self, seconds: u64) -> State {
        self.0.state(self.1.borrowed(), START + seconds * 1_000)
    }

    /// For how many seconds it is passed over.
    fn cools(&self, seconds: u64) -> u64 {
        match self.state(seconds) {
            State::Cooling(until) => (until - START) / 1_000 - seconds,
            State::Healthy | State::HalfOpen(_) => 0,
        }
    }

    fn claims(&mut self, seconds: u64) -> bool {
        self.claims_as(Claim(seconds), seconds)
    }

    fn claims_as(&mut self, claim: Claim, seconds: u64) -> bool {
        self.0.claim(self.1.borrowed(), claim, START + seconds * 1_000) != Access::Closed
    }
}

#[test]
fn a_success_from_before_the_failure_ends_no_pause_however_late_it_is_told() {
    let mut one = One::new();
    one.fails(10);
    let before = Period { began_millis: START + 8_000, ended_millis: START + 9_000 };
    one.0.succeed(one.1.borrowed(), before, START + 10_100);
    assert!(one.cools(11) > 20);
    // Nor does it count, and what failed beside it does not either.
    let written = one.0.write();
    let beside = Period { began_millis: START + 8_000, ended_millis: START + 11_000 };
    for _ in 0..50 {
        one.0.succeed(one.1.borrowed(), beside, START + 11_000);
        one.0.fail(&one.1, true, DOWN, COOLDOWN, beside);
    }
    assert_eq!(one.0.write(), written);
}

#[test]
fn a_target_cools_twice_as_long_after_each_failure_in_a_row_up_to_the_bound() {
    let mut one = One::new();
    let mut now = 0;
    let cooled: Vec<u64> = (0..7)
        .map(|_| {
            let span = one.fails(now).cools(now);
            now += span + 1;
            span
        })
        .collect();
    assert_eq!(cooled, [30, 60, 120, 240, 480, 600, 600]);
}

#[test]
fn a_provider_that_says_when_is_asked_then_but_not_later_than_the_bound() {
    let after = |seconds| Symptom { trouble: Trouble::RateLimited, retry_after: Some(Duration::from_secs(seconds)) };
    for (asked, cooled) in [(1, 1), (7, 7), (100_000, 600)] {
        assert_eq!(One::new().fails_as(after(asked), COOLDOWN, 0).cools(0), cooled);
        assert_eq!(One::new().fails_as(after(asked), NEVER, 0).cools(0), cooled);
    }
    assert_eq!(One::new().fails_as(after(0), COOLDOWN, 0).state(0), State::Healthy);
}

#[test]
fn where_all_is_switched_off_nothing_cools_and_the_cause_is_known() {
    let refused = Symptom { trouble: Trouble::CredentialRefused, ..DOWN };
    let mut one = One::new();
    for second in 0..100 {
        one.fails_as(refused, OFF, second);
        assert_eq!(one.state(second), State::Healthy);
    }
    assert_eq!(one.0.trouble(one.1.borrowed(), START + 99_000), Some(Trouble::CredentialRefused));
    // Failures of one second are one write.
    let before = one.0.write();
    assert_eq!(one.fails_as(refused, OFF, 99).0.write(), before);
}

#[test]
fn without_a_cool_down_only_who_fails_half_of_the_time_is_passed_over() {
    let mut one = One::new();
    for second in 0..7 {
        assert_eq!(one.fails_as(DOWN, NEVER, second).state(second), State::Healthy);
    }
    assert_eq!(one.fails_as(DOWN, NEVER, 7).cools(7), 30);
    assert!(one.claims(37) && !one.claims(37));
    assert_eq!(one.fails_as(DOWN, NEVER, 38).cools(38), 60);
    // One in three is no half.
    let mut one = One::new();
    for second in 0..60 {
        if second % 3 == 0 {
            one.fails_as(DOWN, NEVER, second)
        } else {
            one.succeeds(second)
        };
        assert_eq!(one.state(second), State::Healthy);
    }
}

#[test]
fn an_error_that_is_passed_on_makes_who_errs_half_of_the_time_cool() {
    for (cooldown, span) in [(COOLDOWN, 30), (NEVER, 30), (OFF, 0)] {
        let mut one = One::new();
        for second in 0..7 {
            assert_eq!(one.errs(cooldown, second).state(second), State::Healthy);
        }
        assert_eq!(one.errs(cooldown, 7).cools(7), span);
        assert_eq!(one.0.trouble(one.1.borrowed(), START + 7_000), Some(Trouble::BadAnswer));
        // It was under way: nothing new.
        one.0.err(
            &one.1,
            true,
            Trouble::BadAnswer,
            cooldown,
            Period { began_millis: START, ended_millis: START + 9_000 },
        );
        assert_eq!(one.cools(8), u64::saturating_sub(span, 1));
    }
    let mut one = One::new();
    for second in 0..60 {
        if second % 3 == 0 {
            one.errs(COOLDOWN, second)
        } else {
            one.succeeds(second)
        };
        assert_eq!(one.state(second), State::Healthy);
    }
}

#[test]
fn requests_that_were_under_way_when_a_target_failed_change_nothing() {
    let mut one = One::new();
    let before = one.fails(0).0.write();
    for _ in 0..50 {
        one.fails(1);
    }
    assert_eq!(one.0.write(), before);
    // Unless one brings a time that is later.
    let after = Symptom { trouble: Trouble::RateLimited, retry_after: Some(Duration::from_mins(2)) };
    assert_eq!(one.fails_as(after, COOLDOWN, 1).cools(1), 120);
}

#[test]
fn one_request_is_the_probe_and_the_others_pass_the_target_over() {
    let mut one = One::new();
    one.fails(0);
    assert!(!one.claims(29));
    assert_eq!(one.state(30), State::HalfOpen(None));
    assert_eq!(one.state(30).closed_until_millis(), None);
    assert!(one.claims(30));
    assert!(!one.claims(31));
    assert_eq!(one.state(31).closed_until_millis(), Some(START + 40_000));
    // A probe that takes too long does not keep the target closed.
    assert!(one.claims(40));
    one.0.release(one.1.borrowed(), Claim(40));
    assert!(one.claims(41));
}

#[test]
fn a_probe_that_took_too_long_does_not_end_that_of_another() {
    let mut one = One::new();
    one.fails(0);
    assert!(one.claims_as(Claim(7), 30));
    assert!(one.claims_as(Claim(8), 40));
    one.0.release(one.1.borrowed(), Claim(7));
    assert!(!one.claims_as(Claim(9), 41));
    one.0.release(one.1.borrowed(), Claim(8));
    assert!(one.claims_as(Claim(9), 41));
}

#[test]
fn a_failure_that_makes_nothing_cool_counts_among_the_outcomes() {
    let mut one = One::new();
    one.fails(0);
    one.succeeds(31);
    for _ in 0..5 {
        assert_eq!(one.errs(COOLDOWN, 32).state(32), State::Healthy);
    }
    // Seven of eight have failed: the success is none.
    one.fails(32).succeeds(100);
    assert_eq!(one.fails(101).cools(101), 60);
}

#[test]
fn a_success_of_the_probe_forgets_the_failures() {
    let mut one = One::new();
    one.fails(0).fails(31);
    assert!(one.claims(100));
    assert_eq!(one.succeeds(101).state(101), State::Healthy);
    assert!(one.claims(101) && one.claims(101));
    assert_eq!(one.fails(102).cools(102), 30);
}

#[test]
fn a_failure_of_the_probe_cools_on() {
    let mut one = One::new();
    one.fails(0);
    assert!(one.claims(30));
    assert_eq!(one.fails(31).cools(31), 60);
    assert!(!one.claims(32));
}

#[test]
fn a_target_that_fails_half_of_the_time_cools_as_if_it_had_not_succeeded() {
    let mut one = One::new();
    let mut now = 0;
    let mut cooled = Vec::new();
    for _ in 0..8 {
        let span = one.fails(now).cools(now);
        cooled.push(span);
        now += span + 1;
        one.succeeds(now);
        assert_eq!(one.state(now), State::Healthy);
        now += 1;
    }
    // Eight outcomes are known after the fourth success.
    assert_eq!(cooled, [30, 30, 30, 30, 60, 120, 240, 480]);
    // As soon as most succeed it is like any other.
    for _ in 0..9 {
        one.succeeds(now);
    }
    assert_eq!(one.fails(now).cools(now), 30);
}

#[test]
fn a_target_that_fails_seldom_is_no_outlier() {
    let mut one = One::new();
    for round in 0..20 {
        let now = round * 100;
        assert_eq!(one.fails(now).cools(now), 30);
        one.succeeds(now + 40).succeeds(now + 41);
    }
}

#[test]
fn what_has_only_succeeded_of_late_is_not_remembered() {
    let mut one = One::new();
    one.fails(0);
    for second in 31..55 {
        assert!(one.0.remembers(one.1.borrowed()));
        one.succeeds(second);
    }
    assert!(one.0.write().is_empty());
}

#[test]
fn a_clock_that_was_set_back_makes_no_target_cool_longer() {
    let mut one = One::new();
    one.fails(7_200);
    assert_eq!(one.state(0), State::HalfOpen(None));
    assert_eq!(one.fails(1).cools(1), 60);
    assert!(one.claims(62));
    let mut one = One::new();
    one.fails(7_200);
    assert_eq!(one.succeeds(1).state(1), State::Healthy);
}

#[test]
fn old_failures_are_forgotten() {
    let mut one = One::new();
    one.fails(0);
    assert_eq!(one.state(30), State::HalfOpen(None));
    assert_eq!(one.state(1_000), State::Healthy);
    assert_eq!(one.0.names(START + 1_000_000).count(), 0);
    let other = name("other");
    one.0.fail(&other, true, DOWN, COOLDOWN, at(1_000));
    assert!(!one.0.remembers(one.1.borrowed()));
    assert!(one.0.remembers(other.borrowed()));
}

#[test]
fn invented_targets_push_no_listed_one_out() {
    let names: Vec<_> = (0..MOST_ENTRIES).map(|number| name(&format!("listed-{number}"))).collect();
    let mut ledger = Ledger::default();
    for listed in &names {
        ledger.fail(listed, true, DOWN, COOLDOWN, at(0));
    }
    for number in 0..1_000 {
        ledger.fail(&name(&format!("invented-{number}")), false, DOWN, COOLDOWN, at(1));
    }
    assert_eq!(ledger.entries.len(), MOST_ENTRIES);
    assert!(names.iter().all(|listed| ledger.remembers(listed.borrowed())));
    // A listed one takes the place of an invented one.
    let mut ledger = Ledger::default();
    for number in 0..1_000 {
        ledger.fail(&name(&format!("invented-{number}")), false, DOWN, COOLDOWN, at(1));
    }
    ledger.fail(&name("listed"), true, DOWN, COOLDOWN, at(0));
    assert_eq!(ledger.entries.len(), MOST_ENTRIES);
    assert!(ledger.remembers(name("listed").borrowed()));
}

/// What may happen to a target.
#[derive(Debug, Clone, Copy)]
enum Event {
    Fails(Option<u64>),
    Succeeds,
    Claims,
    Releases,
    Time(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        proptest::option::of(0..2_000_u64).prop_map(Event::Fails),
        Just(Event::Succeeds),
        Just(Event::Claims),
        Just(Event::Releases),
        (0..700_u64).prop_map(Event::Time),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_a_target_cools_no_longer_than_the_bound_and_reads_as_it_was_written(
        events in proptest::collection::vec((event(), 0..3_u8), 0..60),
    ) {
        let mut ledger = Ledger::default();
        let mut now = 0;
        for (event, target) in events {
            let name = name(&format!("{target}"));
            match event {
                Event::Fails(after) => {
                    let retry_after = after.map(Duration::from_secs);
                    ledger.fail(&name, target == 0, Symptom { retry_after, ..DOWN }, COOLDOWN, at(now));
                }
                Event::Succeeds => ledger.succeed(name.borrowed(), at(now), at(now).ended_millis),
                Event::Claims => _ = ledger.claim(name.borrowed(), Claim(target.into()), at(now).ended_millis),
                Event::Releases => ledger.release(name.borrowed(), Claim(target.into())),
                Event::Time(seconds) => now += seconds,
            }
            prop_assert_eq!(&Ledger::read(&ledger.write()), &ledger);
            let until = ledger.state(name.borrowed(), at(now).ended_millis).closed_until_millis();
            prop_assert!(until.is_none_or(|until| until <= at(now + 600).ended_millis));
        }
    }

    #[test]
    fn bytes_that_nobody_wrote_are_a_bounded_ledger_that_can_be_used(bytes: Vec<u8>, now: u64, model: String) {
        let mut ledger = Ledger::read(&bytes);
        prop_assert!(ledger.entries.len() <= MOST_ENTRIES);
        ledger.fail(&name(&model), true, DOWN, COOLDOWN, Period { began_millis: now, ended_millis: now });
        ledger.succeed(name(&model).borrowed(), Period { began_millis: now, ended_millis: now }, now);
        let _ = ledger.claim(name(&model).borrowed(), Claim(1), now);
    }
}
