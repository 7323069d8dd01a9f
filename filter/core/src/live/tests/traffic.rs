//! What is under way and how long it took, and what it costs to know.

use super::*;

#[test]
fn requests_under_way_are_known_at_once_to_their_worker_and_a_moment_later_to_all() {
    let process = Process::new(2);
    let trips = [process.begin(0, "b"), process.begin(1, "b"), process.begin(1, "b"), process.begin(1, "invented")];
    let seen = |worker| {
        let view = process.view(worker);
        ["a", "b", "invented"].map(|model| view.in_flight(&target(model)))
    };
    assert_eq!([seen(0), seen(1)], [[0, 1, 0], [0, 2, 1]]);
    process.wait(100);
    assert!(process.workers.iter().all(|worker| worker.tick(process.now())));
    process.wait(100);
    assert_eq!([seen(0), seen(1)], [[0, 3, 1]; 2]);
    // A new configuration changes nothing for those that are under way.
    process.workers[1].configure(&process.roster);
    assert_eq!(seen(1), [0, 3, 1]);
    let [first, second, third, fourth] = trips;
    first.succeeded(process.now(), None);
    second.failed(process.now(), DOWN, COOLDOWN);
    drop((third, fourth));
    process.wait(100);
    // Then there is nothing more to be told.
    assert!(!process.workers.iter().any(|worker| worker.tick(process.now())));
    process.wait(100);
    assert_eq!([seen(0), seen(1)], [[0; 3]; 2]);
}

#[test]
fn what_a_worker_had_under_way_when_it_died_is_forgotten_and_what_another_has_is_not() {
    let mut process = Process::new(2);
    let alive = process.begin(0, "b");
    let _dead = [process.begin(1, "b"), process.begin(1, "b")];
    process.wait(100);
    process.workers.iter().for_each(|worker| _ = worker.tick(process.now()));
    process.workers.truncate(1);
    process.start_worker();
    let other = process.begin(1, "b");
    for _ in 0..60 {
        process.wait(100);
        process.workers.iter().for_each(|worker| _ = worker.tick(process.now()));
    }
    assert_eq!([0, 1].map(|worker| process.view(worker).in_flight(&target("b"))), [2; 2]);
    // The stream of the first goes on for an hour without a word.
    drop(other);
    for _ in 0..36_000 {
        process.wait(100);
        process.workers.iter().for_each(|worker| _ = worker.tick(process.now()));
    }
    assert_eq!([0, 1].map(|worker| process.view(worker).in_flight(&target("b"))), [1; 2]);
    drop(alive);
}

#[test]
fn a_latency_is_known_to_all_a_moment_later() {
    let process = Process::new(2);
    assert_eq!(process.view(1).latency_millis(&target("a"), false), None);
    process.succeeds(0, "a", 250);
    process.wait(100);
    let seen = process.view(1).latency_millis(&target("a"), false).unwrap();
    assert!((240..=250).contains(&seen), "{seen}");
    assert_eq!(process.view(1).latency_millis(&target("a"), true), None);
    // A stream is as fast as its first content.
    let mut trip = process.begin(0, "a");
    process.wait(40);
    trip.first_content(process.now());
    process.wait(4_000);
    let seen = process.view(1).latency_millis(&target("a"), true).unwrap();
    assert!((30..=33).contains(&seen), "{seen}");
    // And that is known although its client leaves.
    drop(trip);
    assert_eq!(process.samples("a"), 1);
    assert_eq!(process.view(1).latency_millis(&target("a"), true), Some(seen));
}

/// Lists what begins so.
#[derive(Debug)]
struct Beginning(&'static str);

impl Roster for Beginning {
    fn lists(&self, name: NameRef<'_>) -> bool {
        name.model.starts_with(self.0)
    }
}

#[test]
fn what_any_configuration_lists_that_is_in_use_is_listed() {
    let process = Process::new(1);
    let worker = &process.workers[0];
    let is_listed = |model: &str| worker.slot(name(model), process.now()).is_listed();
    let rosters: [Rc<dyn Roster>; 2] = [Rc::new(Beginning("one")), Rc::new(Beginning("two"))];
    for roster in &rosters {
        worker.configure(roster);
    }
    let models = ["a", "one-x", "two-x", "three-x"];
    assert_eq!(models.map(is_listed), [true, true, true, false]);
    let [gone, kept] = rosters;
    drop(gone);
    worker.configure(&kept);
    assert_eq!(models.map(is_listed), [true, false, true, false]);
}

#[test]
fn a_worker_counts_the_tries_in_a_row_that_have_shown_no_time() {
    let process = Process::new(2);
    let blanks = |worker| process.view(worker).blanks(&target("a"));
    process.begin(0, "a").refused(process.now());
    process.begin(0, "a").failed(process.now(), DOWN, Cooldown { default: Duration::ZERO, ..COOLDOWN });
    drop(process.begin(0, "a"));
    let mut stream = process.begin(0, "a");
    assert_eq!([blanks(0), blanks(1)], [3, 0]);
    stream.first_content(process.now());
    process.begin(0, "a").refused(process.now());
    stream.failed(process.now(), DOWN, COOLDOWN);
    assert_eq!(blanks(0), 1);
    process.succeeds(0, "a", 5);
    assert_eq!(blanks(0), 0);
    // What is counted for all that have no place of their own is nobody's.
    for number in 0..=MOST_UNLISTED {
        process.begin(0, &format!("invented-{number}")).refused(process.now());
    }
    assert_eq!(process.view(0).blanks(&target("invented-0")), 1);
    assert_eq!(process.view(0).blanks(&target(&format!("invented-{MOST_UNLISTED}"))), 0);
}

#[test]
fn a_plan_of_one_target_asks_nothing_and_its_success_costs_nothing_within_a_round() {
    let process = Process::new(1);
    process.succeeds(0, "a", 1);
    let (calls, looks) = (process.store.calls(), process.clock.looks.get());
    for _ in 0..99 {
        let view = process.view(0);
        assert!(view.claim(&mut [target("a")], &process).is_none());
        process.succeeds(0, "a", 1);
    }
    assert_eq!((process.store.calls(), process.clock.looks.get()), (calls, looks));
    // The hundredth takes them all along: the traffic is read and written, the ledger is read.
    process.succeeds(0, "a", 1);
    assert_eq!(process.store.calls() - calls, 3);
    assert_eq!(process.samples("a"), 101);
}

#[test]
fn a_plan_of_several_targets_reads_the_health_of_all_once() {
    let process = Process::new(1);
    process.fails(0, "a");
    let (calls, looks) = (process.store.calls(), process.clock.looks.get());
    assert_eq!(process.first(0, &["a", "b", "c"]), "b");
    assert_eq!((process.store.calls() - calls, process.clock.looks.get() - looks), (1, 1));
}

#[test]
fn the_failures_of_a_burst_are_one_write() {
    let process = Process::new(1);
    let trips: Vec<_> = (0..50).map(|_| process.begin(0, "a")).collect();
    process.wait(5);
    let version = |process: &Process| process.store.get(Ledger::KEY).map(|(_, version)| version);
    let mut versions = Vec::new();
    for trip in trips {
        trip.failed(process.now(), DOWN, COOLDOWN);
        versions.push(version(&process));
    }
    versions.dedup();
    assert_eq!(versions.len(), 1);
}

#[test]
fn samples_that_no_request_takes_along_are_told_by_the_tick() {
    let process = Process::new(1);
    process.succeeds(0, "a", 1);
    process.succeeds(0, "a", 1);
    assert_eq!(process.samples("a"), 1);
    assert!(process.workers[0].tick(process.now()));
    process.wait(100);
    assert!(!process.workers[0].tick(process.now()));
    assert_eq!(process.samples("a"), 2);
    let calls = process.store.calls();
    process.wait(100);
    assert!(!process.workers[0].tick(process.now()));
    assert_eq!(process.store.calls(), calls);
}

#[test]
fn invented_names_get_the_places_there_are_and_then_share_one() {
    let process = Process::new(2);
    for number in 0..1_000 {
        process.succeeds(number % 2, &format!("invented-{number}"), 1);
    }
    process.succeeds(0, &"x".repeat(100_000), 1);
    process.succeeds(0, "a", 200);
    process.succeeds(1, "a", 200);
    let traffic = process.traffic();
    let other = traffic.entry(NameRef::OTHER).unwrap();
    assert_eq!(traffic.entries.len(), MOST_UNLISTED + 2);
    assert_eq!(other.samples, 1_001 - u64::try_from(MOST_UNLISTED).unwrap());
    assert_eq!(process.samples("a"), 2);
    // What fails under the shared name makes nothing cool.
    let mut cooling = 0;
    for number in 0..300 {
        let model = format!("failing-{number}");
        process.fails(0, &model);
        cooling += usize::from(process.cools(0, &model));
    }
    assert_eq!(cooling, 0);
    // After an hour the places are free.
    process.wait(2 * 60 * 60 * 1_000);
    process.succeeds(0, "new-comer", 1);
    assert_eq!(process.samples("new-comer"), 1);
}

#[test]
fn the_report_says_how_each_target_does() {
    let process = Process::new(2);
    let mut trip = process.begin(0, "b");
    process.wait(100);
    trip.first_content(process.now());
    process.wait(400);
    trip.succeeded(process.now(), Some(50));
    process.fails(0, "b");
    let _under_way = [process.begin(1, "b"), process.begin(0, "z")];
    process.succeeds(1, "a", 10);
    process.wait(100);
    process.workers[0].tick(process.now());
    let report = process.report(1);
    assert_eq!(report["object"], "list");
    assert_eq!(report["data"][0]["model"], "a");
    assert_eq!(report["data"][0]["in_flight"], 0);
    // Nothing is known of it yet but that it is busy.
    assert_eq!((&report["data"][2]["model"], &report["data"][2]["in_flight"]), (&"z".into(), &1.into()));
    assert_eq!(
        report["data"][1],
        serde_json::json!({
            "provider": "p", "account": "default", "model": "b", "samples": 2,
            "ttft_ms": 100.0, "latency_ms": 500.0, "tokens_per_second": 100.0, "failure_ratio": 0.2,
            "peak_ttft_ms": 98, "peak_latency_ms": null, "in_flight": 1,
            "state": "cooling_down", "cooling_until": "2026-01-01T00:00:31Z", "last_failure": "server_error",
        })
    );
    process.wait(31_000);
    assert_eq!(process.report(0)["data"][1]["state"], "half_open");
    let hidden = process.workers[0].report(process.now(), |name| name.model != "b");
    assert!(!String::from_utf8(hidden).unwrap().contains("\"b\""));
}

#[test]
fn a_host_that_refuses_everything_costs_samples_and_no_request() {
    let process = Process::new(1);
    process.succeeds(0, "a", 1);
    process.store.inject_conflicts(u32::MAX);
    process.wait(1_000);
    process.fails(0, "a");
    process.succeeds(0, "a", 1);
    assert_eq!(process.first(0, &["a", "b"]), "a");
    process.store.inject_conflicts(0);
    process.wait(1_000);
    process.succeeds(0, "a", 1);
    assert!(process.samples("a") > 1);
}
