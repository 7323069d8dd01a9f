//! What stands at one place: room that is shared, clocks that go back, bytes that nobody wrote.

use proptest::prelude::*;

use super::*;
use crate::limit::{
    desk,
    sheet::{MOST_TALLIES, Sheet},
};

/// Claims of subjects that all have the same place.
fn neighbours(count: usize, max: u64) -> Vec<Claim> {
    let of = |number: u64| claim("a", Measure::Tokens, HOUR, max, Subject::Key(Some(&format!("key-{number}"))));
    let place = of(0).subject.place();
    (0..).map(of).filter(|claim| claim.subject.place() == place).take(count).collect()
}

#[test]
fn more_subjects_than_there_is_room_for_share_a_tally_and_are_never_let_in_beyond_their_limits() {
    let office = Office::new();
    let claims = neighbours(MOST_TALLIES + 3, 10);
    let (with_room, without) = claims.split_at(MOST_TALLIES);
    let first = office.admit(&with_room[..1], tokens(4), NOW).unwrap();
    for claim in &with_room[1..] {
        office.admit(core::slice::from_ref(claim), tokens(4), NOW).unwrap().settle(&tokens(4), NOW);
    }
    let mut grants: Vec<_> =
        without[..2].iter().map(|claim| office.admit(core::slice::from_ref(claim), tokens(4), NOW).unwrap()).collect();
    assert!(with_room.iter().all(|claim| office.used(claim, NOW) == 4));
    assert!(without.iter().all(|claim| office.used(claim, NOW) == 8));
    assert_eq!(office.refuses(&without[2..], tokens(3), NOW).0, "a");
    // What one of them gives back, it gives to all.
    grants.pop().unwrap().settle(&tokens(1), NOW);
    assert!(without.iter().all(|claim| office.used(claim, NOW) == 5));
    // When there is room, a tally of its own begins with what is known, and is its own from then on.
    first.release();
    office.admit(&without[2..], tokens(2), NOW).unwrap().settle(&tokens(2), NOW);
    assert_eq!([1, 2].map(|number| office.used(&without[number], NOW)), [5, 7]);
    let later = NOW + 3_660_000;
    office.admit(&without[2..], tokens(2), later).unwrap().settle(&tokens(2), later);
    assert_eq!([1, 2].map(|number| office.used(&without[number], later)), [0, 2]);
}

#[test]
fn a_slot_that_was_shared_is_free_when_its_request_ends() {
    let office = Office::new();
    let held = |claim: &Claim| {
        let bound = Bound { window: Window::Concurrent, max: 2 };
        let rule = Rule::new(Origin::Limit(None), "c".into(), Measure::Concurrency, bound, Kind::Rate);
        Claim { rule: Rc::new(rule), ..claim.clone() }
    };
    let claims = neighbours(MOST_TALLIES + 1, 10);
    let last = held(&claims[MOST_TALLIES]);
    let others: Vec<_> = claims[..MOST_TALLIES]
        .iter()
        .map(|claim| office.admit(core::slice::from_ref(claim), tokens(4), NOW).unwrap())
        .collect();
    let shared = office.admit(core::slice::from_ref(&last), tokens(0), NOW).unwrap();
    drop(others);
    let own = office.admit(core::slice::from_ref(&last), tokens(0), NOW).unwrap();
    assert_eq!(office.used(&last, NOW), 2);
    drop((shared, own));
    assert_eq!(office.used(&last, NOW), 0);
    assert_eq!(office.used(&held(&claims[0]), NOW), 0);
}

#[test]
fn invented_subjects_take_bounded_room() {
    let office = Office::new();
    let mut longest = 0;
    for claim in neighbours(4 * MOST_TALLIES, 1_000) {
        office.admit(core::slice::from_ref(&claim), tokens(1), NOW).unwrap().settle(&tokens(1), NOW);
        let (bytes, _) = crate::host::Store::get(&*office.store, &subject::key(claim.subject.place())).unwrap();
        longest = longest.max(bytes.len());
    }
    // A head, and for each: an address, a count, and an identifier, a tag and ten bytes and nine of the counter.
    assert_eq!(longest, 24 + (MOST_TALLIES + 1) * (8 + 2 + 8 + 1 + 10 + 9));
}

#[test]
fn a_clock_that_is_set_back_a_little_is_waited_for_and_else_goes_on_from_where_it_was() {
    let mut sheet = Sheet::default();
    assert_eq!(sheet.advance(NOW).steady_millis, NOW);
    assert_eq!(sheet.advance(NOW - 3_000).steady_millis, NOW);
    assert_eq!(sheet.advance(NOW + 1).steady_millis, NOW + 1);
    assert_eq!(sheet.advance(NOW - 86_400_000).steady_millis, NOW + 1);
    assert_eq!(sheet.advance(NOW - 86_400_000 + 1_000).steady_millis, NOW + 1_001);
    assert_eq!(sheet.advance(NOW - 86_400_000 + 1_000).wall_millis, NOW - 86_400_000 + 1_000);
}

#[test]
fn a_request_that_was_held_up_moves_no_clock() {
    let mut sheet = Sheet::default();
    for second in 1..4 {
        assert_eq!(sheet.advance(NOW + second * 1_000).steady_millis, NOW + second * 1_000);
        // It has read the time before.
        assert_eq!(sheet.advance(NOW - 10_000).steady_millis, NOW + second * 1_000);
        sheet = Sheet::read(&sheet.write());
    }
}

proptest! {
    #[test]
    fn clocks_that_go_backwards_admit_nothing_twice(
        steps in proptest::collection::vec((-200_000_i64..150_000, 1..6_u64), 1..80),
    ) {
        let office = Office::new();
        let rolling = [claim("a", Measure::Tokens, Window::Rolling(Grain::Minute), 20, Subject::Global)];
        let pace = [claim("b", Measure::Requests, Window::Pace(60_000), 3, Subject::Global)];
        let (mut now, mut forward) = (NOW, 0);
        let mut used: Vec<(u64, u64)> = Vec::new();
        let mut asked: Vec<u64> = Vec::new();
        for (step, amount) in steps {
            now = now.saturating_add_signed(step);
            // Time is what went forward.
            forward += step.max(0).unsigned_abs();
            if let Ok(grant) = office.admit(&rolling, tokens(amount), now) {
                grant.settle(&tokens(amount), now);
                used.push((forward, amount));
            }
            if let Ok(grant) = office.admit(&pace, tokens(0), now) {
                grant.settle(&tokens(0), now);
                asked.push(forward);
            }
            let within: u64 = used.iter().filter(|(then, _)| then + 60_000 > forward).map(|(_, amount)| amount).sum();
            prop_assert!(within <= 20);
            for from in &asked {
                let since = asked.iter().filter(|then| *then >= from).count() as u64;
                prop_assert!(since * 60_000 <= 3 * (60_000 + forward - from));
            }
        }
    }

    #[test]
    fn clocks_that_go_back_over_midnight_admit_nothing_twice(
        steps in proptest::collection::vec((any::<bool>(), 0..8_u64, 0..8_u64), 1..60),
        days_between in 0..400_u64,
    ) {
        let office = Office::new();
        let claims = [claim("a", Measure::Tokens, Window::Calendar(Unit::Day), 20, Subject::Global)];
        let (mut days, before) = ([0, 0], days_between * 86_400_000 + 1);
        for (is_before, amount, actual) in steps {
            let now = NOW - u64::from(is_before) * before;
            if let Ok(grant) = office.admit(&claims, tokens(amount), now) {
                grant.settle(&tokens(actual.min(amount)), NOW);
                days[usize::from(is_before)] += actual.min(amount);
            }
            prop_assert!(days[0] <= 20 && days[1] <= 20);
            prop_assert_eq!([office.used(&claims[0], NOW), office.used(&claims[0], NOW - before)], days);
        }
    }

    #[test]
    fn bytes_that_nobody_wrote_are_a_sheet_that_can_be_used(bytes: Vec<u8>, now: u64, amount: u64) {
        let claims = [claim("a", Measure::Tokens, HOUR, u64::MAX, Subject::Global)];
        let written = desk::reserve(&bytes, &desk::wants(claims.to_vec(), &tokens(amount)), 1, now).map(|(written, _)| written);
        if let Ok(written) = written {
            prop_assert_eq!(Sheet::read(&written).write(), written);
        }
        let _ = desk::settle(&bytes, &[], &tokens(amount), 1, now);
    }

    #[test]
    fn bytes_that_were_changed_do_no_harm(at in 0..200_usize, byte: u8, now in NOW..NOW + 10_000_000) {
        let claims = [
            claim("a", Measure::Tokens, HOUR, 100, Subject::Global),
            claim("b", Measure::Requests, Window::Pace(1_000), 100, Subject::Global),
            claim("c", Measure::Concurrency, Window::Concurrent, 100, Subject::Global),
            claim("d", Measure::Tokens, Window::Calendar(Unit::Day), 100, Subject::Global),
        ];
        let (mut bytes, reserved) = desk::reserve(&[], &desk::wants(claims.to_vec(), &tokens(3)), 1, NOW).unwrap();
        if let Some(changed) = bytes.get_mut(at) {
            *changed = byte;
        }
        let _ = desk::reserve(&bytes, &desk::wants(claims.to_vec(), &tokens(3)), 2, now);
        let settled = desk::settle(&bytes, &reserved.held, &tokens(9), 1, now);
        let _ = desk::give_back(&settled, &reserved.held, 1);
        let _ = desk::renew(&settled, &reserved.held, 1, now);
        let _ = desk::look(&settled, &claims, now);
    }
}

#[test]
fn a_host_that_cannot_tell_the_time_stops_no_clock() {
    let mut sheet = Sheet::default();
    let before = sheet.advance(NOW);
    assert_eq!(sheet.advance(u64::MAX), before);
    assert_eq!(sheet.advance(NOW + 1).steady_millis, NOW + 1);
}
