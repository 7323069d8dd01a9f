//! Who passes whom over, and who finds out whether that is still right.

use super::*;

#[test]
fn a_target_that_failed_is_passed_over_by_every_worker_until_its_time() {
    let process = Process::new(3);
    process.fails(0, "a");
    for _ in 0..29 {
        assert!((0..3).all(|worker| process.cools(worker, "a") && !process.cools(worker, "b")));
        assert!((0..3).all(|worker| process.first(worker, &["a", "b"]) == "b"));
        process.wait(1_000);
    }
    process.wait(1_000);
    assert!((0..3).all(|worker| !process.cools(worker, "a")));
}

#[test]
fn a_probe_is_claimed_by_one_request_of_all_workers() {
    let process = Process::new(2);
    process.fails(0, "a");
    process.wait(30_001);
    // Both have seen that it is half open before either claims it.
    let views = [process.view(0), process.view(1)];
    let mut plans = [vec![target("a"), target("b")], vec![target("a"), target("b")]];
    for (view, plan) in views.iter().zip(&plans) {
        assert_eq!(view.cooling_until(&plan[0]), None);
    }
    let probes: Vec<_> = views.iter().zip(&mut plans).map(|(view, plan)| view.claim(plan, &process)).collect();
    process.probes.borrow_mut().extend(probes.into_iter().flatten().map(|probe| (0, probe)));
    assert_eq!(plans.each_ref().map(|plan| &*plan[0].model), ["a", "b"]);
    assert_eq!(process.first(0, &["a", "b"]), "b");
    assert_eq!(process.first(1, &["a", "b", "c"]), "b");
    // It succeeds with its first content, and the others need not wait for the rest.
    let mut probe = process.begin(0, "a");
    process.wait(50);
    probe.first_content(process.now());
    assert_eq!(process.first(1, &["a", "b"]), "a");
    assert_eq!(process.first(1, &["a", "b"]), "a");
}

#[test]
fn a_probe_whose_client_went_away_is_free_again() {
    let process = Process::new(2);
    process.fails(0, "a");
    process.wait(30_001);
    assert_eq!(process.first(0, &["a", "b"]), "a");
    let probe = process.begin(0, "a");
    assert_eq!(process.first(1, &["a", "b"]), "b");
    drop(probe);
    assert_eq!(process.first(1, &["a", "b"]), "a");
    // Also one that leaves before anything is sent.
    process.probes.borrow_mut().clear();
    assert_eq!(process.first(0, &["a", "b"]), "a");
}

#[test]
fn an_error_that_is_passed_on_counts_as_a_failure_and_makes_nothing_cool() {
    let process = Process::new(1);
    process.begin(0, "a").erred(process.now(), COOLDOWN);
    assert!(!process.cools(0, "a"));
    let metrics = process.report(0);
    assert_eq!((&metrics["data"][0]["samples"], &metrics["data"][0]["failure_ratio"]), (&1.into(), &1.0.into()));
    // Nor does it show that a target is well: one request at a time finds that out.
    process.fails(0, "a");
    process.wait(30_001);
    for _ in 0..3 {
        assert_eq!(process.first(0, &["a", "b"]), "a");
        assert_eq!(process.first(0, &["a", "b"]), "b");
        process.begin(0, "a").erred(process.now(), COOLDOWN);
    }
}

#[test]
fn where_all_cool_the_one_that_ends_first_is_asked() {
    let process = Process::new(1);
    process.fails(0, "a");
    process.wait(31_000);
    process.fails(0, "a");
    process.wait(1_000);
    process.fails(0, "b");
    assert_eq!(process.first(0, &["a", "b"]), "b");
    // Their probes are claimed one after the other; then whoever comes goes to the one whose probe ends first.
    process.wait(100_000);
    assert_eq!(process.first(0, &["a", "b"]), "a");
    assert_eq!(process.first(0, &["a", "b"]), "b");
    assert_eq!(process.first(0, &["b", "a"]), "b");
}

#[test]
fn successes_of_a_target_that_failed_are_told_to_all() {
    let process = Process::new(2);
    process.fails(0, "a");
    process.wait(30_001);
    process.succeeds(1, "a", 5);
    assert!(!process.cools(0, "a"));
    assert_eq!(process.first(0, &["a", "b"]), "a");
    // In the end nothing is remembered.
    for _ in 0..30 {
        process.wait(200);
        process.succeeds(1, "a", 5);
    }
    assert_eq!(process.store.get(Ledger::KEY).unwrap().0, b"");
}

#[test]
fn a_request_that_the_provider_refuses_shows_that_it_is_well_and_nothing_more() {
    let process = Process::new(1);
    process.fails(0, "a");
    process.wait(30_001);
    assert_eq!(process.first(0, &["a", "b"]), "a");
    process.begin(0, "a").refused(process.now());
    assert_eq!(process.first(0, &["a", "b"]), "a");
    assert_eq!(process.first(0, &["a", "b"]), "a");
    assert_eq!(process.report(0)["data"][0]["samples"], 1);
}

#[test]
fn a_client_that_went_away_counts_neither_way() {
    let process = Process::new(1);
    drop(process.begin(0, "b"));
    assert_eq!(process.report(0)["data"], serde_json::json!([]));
    assert_eq!(process.view(0).in_flight(&target("b")), 0);
}
