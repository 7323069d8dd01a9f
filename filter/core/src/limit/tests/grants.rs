//! What a grant does, one worker alone.

use super::*;

fn of_key(name: &str, of: Measure, window: Window, max: u64) -> Claim {
    claim(name, of, window, max, Subject::Key(Some("k")))
}

fn of_team(name: &str, of: Measure, window: Window, max: u64) -> Claim {
    claim(name, of, window, max, Subject::Team("t", None))
}

#[test]
fn three_limits_of_a_key_cost_one_read_and_one_write_each_way() {
    let office = Office::new();
    let claims = [
        of_key("a", Measure::Tokens, HOUR, 1_000),
        of_key("b", Measure::Requests, Window::Pace(60_000), 10),
        of_key("c", Measure::Concurrency, Window::Concurrent, 4),
    ];
    let grant = office.admit(&claims, tokens(10), NOW).unwrap();
    assert_eq!(office.store.calls(), 2);
    grant.settle(&tokens(7), NOW);
    assert_eq!(office.store.calls(), 4);
    let used: Vec<_> = claims.iter().map(|claim| office.used(claim, NOW)).collect();
    assert_eq!(used, [7, 1, 0]);
}

#[test]
fn what_was_right_and_what_nobody_limits_cost_nothing() {
    let office = Office::new();
    office.admit(&[], tokens(10), NOW).unwrap().settle(&tokens(1), NOW);
    assert_eq!(office.store.calls(), 0);
    let grant = office.admit(&[of_key("b", Measure::Requests, Window::Pace(60_000), 10)], tokens(10), NOW).unwrap();
    grant.settle(&tokens(1), NOW);
    assert_eq!(office.store.calls(), 2);
}

#[test]
fn all_limits_must_have_room_and_the_one_that_is_over_last_is_named() {
    let office = Office::new();
    let hourly = of_key("hourly", Measure::Tokens, HOUR, 10);
    let daily = of_team("daily", Measure::Tokens, Window::Calendar(Unit::Day), 10);
    let wide = claim("wide", Measure::Requests, HOUR, 10, Subject::Global);
    let claims = [wide.clone(), hourly, daily];
    office.admit(&claims, tokens(10), NOW).unwrap().settle(&tokens(10), NOW);
    let calls = office.store.calls();
    assert_eq!(office.refuses(&claims, tokens(1), NOW), ("daily".into(), Some(86_400_000)));
    // Three places are read, and the standing of the caller's own limit; nothing is written.
    assert_eq!(office.store.calls() - calls, 4);
    assert_eq!(office.refuses(&claims[..2], tokens(1), NOW), ("hourly".into(), Some(3_660_000)));
    assert_eq!(office.refuses(&claims, tokens(11), NOW).1, None);
    assert_eq!(office.used(&wide, NOW), 1);
}

#[test]
fn a_refusal_tells_what_is_left() {
    let office = Office::new();
    let claims = [of_key("a", Measure::Tokens, HOUR, 10)];
    let grant = office.admit(&claims, tokens(8), NOW).unwrap();
    let Err(Refusal::Denied(denied)) = office.admit(&claims, tokens(3), NOW) else { panic!("it was let in") };
    assert_eq!(denied.standings[0].remaining(), 2);
    assert_eq!(grant.standings()[0].remaining(), 2);
    assert_eq!(office.limiter.check(claims.to_vec(), &tokens(3), NOW), Err(denied));
    assert_eq!(office.limiter.check(claims.to_vec(), &tokens(2), NOW), Ok(()));
    assert_eq!(office.used(&claims[0], NOW), 8);
}

#[test]
fn what_was_used_beyond_the_estimate_is_counted() {
    let office = Office::new();
    let claims = [of_key("a", Measure::Tokens, HOUR, 10)];
    office.admit(&claims, tokens(4), NOW).unwrap().settle(&tokens(15), NOW + 60_000);
    assert_eq!(office.used(&claims[0], NOW + 60_000), 15);
    // The estimate when it was made, the rest when it was known.
    assert_eq!(office.used(&claims[0], NOW + 3_660_000), 11);
    assert_eq!(office.used(&claims[0], NOW + 3_720_000), 0);
}

#[test]
fn a_grant_that_is_dropped_leaves_nothing() {
    let office = Office::new();
    let claims = [
        of_key("a", Measure::Tokens, HOUR, 10),
        of_key("b", Measure::Requests, Window::Pace(60_000), 10),
        of_team("c", Measure::Concurrency, Window::Concurrent, 4),
        of_team("d", Measure::Spend, Window::Calendar(Unit::Month), 4),
    ];
    drop(office.admit(&claims, Amounts { nano_usd: 3, ..tokens(10) }, NOW).unwrap());
    assert!(claims.iter().all(|claim| office.used(claim, NOW) == 0));
    office.admit(&claims, tokens(10), NOW).unwrap().release();
    assert!(claims.iter().all(|claim| office.used(claim, NOW) == 0));
}

#[test]
fn nobody_heeds_a_shadow_but_it_counts() {
    let office = Office::new();
    let heeded = of_key("a", Measure::Tokens, HOUR, 10);
    let shadow = shadow(&of_key("s", Measure::Tokens, HOUR, 5));
    let claims = [heeded, shadow.clone()];
    let grant = office.admit(&claims, tokens(8), NOW).unwrap();
    let exceeded: Vec<_> = grant.standings().iter().filter(|standing| standing.is_exceeded).collect();
    assert_eq!(exceeded.len(), 1);
    assert_eq!(exceeded[0].claim, shadow);
    grant.settle(&tokens(8), NOW);
    assert_eq!(office.used(&shadow, NOW), 8);
}

#[test]
fn who_is_beyond_a_pace_in_shadow_gives_nothing_back() {
    let office = Office::new();
    let shadow = shadow(&of_key("s", Measure::Requests, Window::Pace(60_000), 2));
    let claims = [shadow.clone()];
    let _within = [(); 2].map(|()| office.admit(&claims, tokens(0), NOW).unwrap());
    let beyond = office.admit(&claims, tokens(0), NOW).unwrap();
    assert!(beyond.standings()[0].is_exceeded);
    beyond.release();
    assert_eq!(office.used(&shadow, NOW), 2);
}

#[test]
fn a_grant_moves_to_another_target() {
    let office = Office::new();
    let both = of_key("both", Measure::Tokens, HOUR, 100);
    let first = of_key("first", Measure::Concurrency, Window::Concurrent, 1);
    let second = of_team("second", Measure::Concurrency, Window::Concurrent, 1);
    let mut grant = office.admit(&[both.clone(), first.clone()], tokens(9), NOW).unwrap();
    grant.move_to(&[both.clone(), second.clone()], &tokens(9), NOW).unwrap();
    let used = || [&both, &first, &second].map(|claim| office.used(claim, NOW));
    assert_eq!(used(), [9, 0, 1]);
    assert_eq!(grant.standings().len(), 2);
    // The second is taken: the other stays where it is.
    let mut other = office.admit(&[both.clone(), first.clone()], tokens(9), NOW).unwrap();
    assert!(other.move_to(&[both.clone(), second.clone()], &tokens(9), NOW).is_err());
    assert_eq!(used(), [18, 1, 1]);
    grant.settle(&tokens(5), NOW);
    drop(other);
    assert_eq!(used(), [5, 0, 0]);
}

#[test]
fn a_grant_that_moves_to_a_dearer_target_reserves_the_rest_there() {
    let office = Office::new();
    let [hour, day] =
        [of_key("hour", Measure::Tokens, HOUR, 100), of_team("day", Measure::Tokens, Window::Calendar(Unit::Day), 60)];
    let claims = [hour.clone(), day.clone()];
    let used = || [&hour, &day].map(|claim| office.used(claim, NOW));
    let mut grant = office.admit(&claims, tokens(10), NOW).unwrap();
    assert!(grant.check_move(&claims, &tokens(60), NOW).is_ok());
    // One beside it, and there is too little left of the day.
    let other = office.admit(&claims, tokens(1), NOW).unwrap();
    assert!(grant.check_move(&claims, &tokens(60), NOW).is_err());
    assert!(grant.move_to(&claims, &tokens(60), NOW).is_err());
    assert_eq!(used(), [11, 11]);
    drop(other);
    grant.move_to(&claims, &tokens(60), NOW + 120_000).unwrap();
    assert_eq!(used(), [60, 60]);
    assert_eq!(office.refuses(&claims, tokens(1), NOW).0, "day");
    assert_eq!(grant.standings().iter().map(Standing::remaining).collect::<Vec<_>>(), [40, 0]);
    // And a cheaper one needs less.
    grant.move_to(&claims, &tokens(4), NOW + 120_000).unwrap();
    assert_eq!(used(), [4, 4]);
    assert_eq!(grant.standings().iter().map(Standing::remaining).collect::<Vec<_>>(), [96, 56]);
    grant.move_to(&claims, &tokens(30), NOW + 180_000).unwrap();
    grant.settle(&tokens(45), NOW + 180_000);
    assert_eq!(used(), [45, 45]);
    let mut grant = office.admit(&claims, tokens(5), NOW).unwrap();
    grant.move_to(&claims, &tokens(10), NOW + 180_000).unwrap();
    grant.settle(&tokens(7), NOW + 180_000);
    assert_eq!(used(), [52, 52]);
    let mut grant = office.admit(&claims, tokens(5), NOW).unwrap();
    grant.move_to(&claims, &tokens(8), NOW + 180_000).unwrap();
    drop(grant);
    assert_eq!(used(), [52, 52]);
}

#[test]
fn what_is_under_way_is_renewed_and_else_ends() {
    let office = Office::new();
    let claims = [of_key("c", Measure::Concurrency, Window::Concurrent, 1)];
    let mut grant = office.admit(&claims, tokens(0), NOW).unwrap();
    let renew_at = NOW + LEASE_MILLIS / 3;
    assert!(!grant.is_due(renew_at - 1) && grant.is_due(renew_at));
    // The clock was set back: the lease goes on to end.
    assert!(grant.is_due(NOW - LEASE_MILLIS / 3));
    grant.renew(renew_at);
    assert!(!grant.is_due(renew_at));
    assert_eq!(office.used(&claims[0], NOW + LEASE_MILLIS), 1);
    assert_eq!(office.used(&claims[0], renew_at + LEASE_MILLIS), 0);
    // A worker died with it: another one's request is let in.
    assert!(office.admit(&claims, tokens(0), renew_at + LEASE_MILLIS).is_ok());
    let grant = office.admit(&[of_key("a", Measure::Tokens, HOUR, 10)], tokens(1), NOW).unwrap();
    assert!(!grant.is_due(u64::MAX));
}

#[test]
fn a_store_that_keeps_nothing_lets_nobody_in() {
    let office = Office::new();
    let claims = [of_key("a", Measure::Tokens, HOUR, 10)];
    office.store.inject_conflicts(u32::MAX);
    assert!(matches!(office.admit(&claims, tokens(1), NOW), Err(Refusal::Unavailable)));
}

#[test]
fn counts_outlive_another_configuration_by_the_limits_name() {
    let office = Office::new();
    office.admit(&[of_key("a", Measure::Tokens, HOUR, 10)], tokens(8), NOW).unwrap().settle(&tokens(8), NOW);
    let raised = of_key("a", Measure::Tokens, HOUR, 20);
    assert_eq!(office.used(&raised, NOW), 8);
    office.admit(&[raised], tokens(12), NOW).unwrap().settle(&tokens(12), NOW);
    assert_eq!(office.used(&of_key("a", Measure::Tokens, Window::Calendar(Unit::Day), 10), NOW), 0);
    assert_eq!(office.used(&of_key("b", Measure::Tokens, HOUR, 10), NOW), 0);
}
