//! Workers that share a store, and what each of them sees.

use alloc::{format, string::String, vec, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::{
    config::Cooldown,
    health::{Ledger, NameRef, Symptom, Trouble},
    host::{Clock, Entropy, Observed, Store},
    plan::Target,
    store::{Memory, Record},
};
use alloc::rc::Rc;
use record::{MOST_UNLISTED, Traffic};

const START: u64 = 1_767_225_600_000;
const COOLDOWN: Cooldown = Cooldown { default: Duration::from_secs(30), max: Duration::from_mins(10) };
const DOWN: Symptom = Symptom { trouble: Trouble::ServerError, retry_after: None };

/// Lists what has a name of one letter.
#[derive(Debug)]
struct Letters;

impl Roster for Letters {
    fn lists(&self, name: NameRef<'_>) -> bool {
        name.model.len() == 1
    }
}

/// A clock that counts who looks at it.
#[derive(Default)]
struct Watch {
    millis: Cell<u64>,
    looks: Cell<usize>,
}

impl Clock for Watch {
    fn now(&self) -> Duration {
        self.looks.set(self.looks.get() + 1);
        Duration::from_millis(START + self.millis.get())
    }
}

/// Workers of one process.
struct Process {
    store: Rc<Memory>,
    workers: Vec<Rc<Observer>>,
    clock: Watch,
    draws: Cell<u64>,
    /// Of requests that are planned and not sent yet, with their workers.
    probes: RefCell<Vec<(usize, Probe)>>,
}

impl Process {
    fn new(workers: usize) -> Self {
        let store = Rc::new(Memory::default());
        let mut process = Self {
            store,
            workers: Vec::new(),
            clock: Watch::default(),
            draws: Cell::new(0),
            probes: RefCell::default(),
        };
        (0..workers).for_each(|_| process.start_worker());
        process
    }

    fn start_worker(&mut self) {
        let store: Rc<dyn Store> = Rc::<Memory>::clone(&self.store);
        let observer = Observer::new(store);
        observer.configure(Rc::new(Letters));
        self.workers.push(observer);
    }

    fn now(&self) -> u64 {
        START + self.clock.millis.get()
    }

    fn wait(&self, millis: u64) {
        self.clock.millis.set(self.clock.millis.get() + millis);
    }

    fn begin(&self, worker: usize, model: &str) -> Trip {
        let mut probes = self.probes.borrow_mut();
        let own = probes.iter().position(|(owner, probe)| *owner == worker && probe.is_of(name(model)));
        let probe = own.map(|place| probes.swap_remove(place).1);
        self.workers[worker].begin(&target(model), probe, self.now())
    }

    /// A try that takes this long.
    fn succeeds(&self, worker: usize, model: &str, millis: u64) {
        let trip = self.begin(worker, model);
        self.wait(millis);
        trip.succeeded(self.now(), Some(100));
    }

    fn fails(&self, worker: usize, model: &str) {
        let trip = self.begin(worker, model);
        self.wait(1);
        trip.failed(self.now(), DOWN, COOLDOWN);
    }

    fn view(&self, worker: usize) -> View<'_> {
        self.workers[worker].view(&self.clock)
    }

    fn cools(&self, worker: usize, model: &str) -> bool {
        self.view(worker).cooling_until(&target(model)).is_some()
    }

    /// Whom a request with this plan asks first.
    fn first(&self, worker: usize, models: &[&str]) -> String {
        let mut targets: Vec<Target> = models.iter().map(|model| target(model)).collect();
        let view = self.view(worker);
        targets.sort_by_key(|target| view.cooling_until(target));
        self.probes.borrow_mut().extend(view.claim(&mut targets, self).map(|probe| (worker, probe)));
        assert_eq!(targets.len(), models.len());
        targets[0].model.clone()
    }

    fn traffic(&self) -> Traffic {
        self.store.get(Traffic::KEY).map(|(bytes, _)| Traffic::read(&bytes)).unwrap_or_default()
    }

    fn samples(&self, model: &str) -> u64 {
        self.traffic().entry(name(model)).map_or(0, |entry| entry.samples)
    }

    fn report(&self, worker: usize) -> serde_json::Value {
        serde_json::from_slice(&self.workers[worker].report(self.now(), |_| true)).unwrap()
    }
}

impl Entropy for Process {
    fn draw(&self) -> u64 {
        self.draws.set(self.draws.get() + 1);
        self.draws.get()
    }
}

fn target(model: &str) -> Target {
    Target { model: model.into(), ..Target::any() }
}

fn name(model: &str) -> NameRef<'_> {
    NameRef { provider: "p", account: "default", model }
}

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
    assert_eq!(plans.each_ref().map(|plan| plan[0].model.as_str()), ["a", "b"]);
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
    process.begin(0, "a").erred(process.now());
    assert!(!process.cools(0, "a"));
    let metrics = process.report(0);
    assert_eq!((&metrics["data"][0]["samples"], &metrics["data"][0]["failure_ratio"]), (&1.into(), &1.0.into()));
    // Nor does it show that a target is well: one request at a time finds that out.
    process.fails(0, "a");
    process.wait(30_001);
    for _ in 0..3 {
        assert_eq!(process.first(0, &["a", "b"]), "a");
        assert_eq!(process.first(0, &["a", "b"]), "b");
        process.begin(0, "a").erred(process.now());
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
    process.workers[1].configure(Rc::new(Letters));
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

#[derive(Debug, Clone, Copy)]
enum Act {
    Begins(usize),
    Content(usize),
    Succeeds(usize),
    Fails(usize),
    Leaves(usize),
    Waits(u64),
    Ticks,
    Configures,
    Conflicts(u32),
}

fn act() -> impl Strategy<Value = (usize, Act)> {
    let any = 0..100_usize;
    let act = prop_oneof![
        6 => (0..3_usize).prop_map(Act::Begins),
        1 => any.clone().prop_map(Act::Content),
        3 => any.clone().prop_map(Act::Succeeds),
        2 => any.clone().prop_map(Act::Fails),
        1 => any.prop_map(Act::Leaves),
        3 => (0..20_000_u64).prop_map(Act::Waits),
        2 => (0..100_u64).prop_map(Act::Waits),
        1 => Just(Act::Ticks),
        1 => Just(Act::Configures),
        1 => (0..3_u32).prop_map(Act::Conflicts),
    ];
    (0..2_usize, act)
}

proptest! {
    #[test]
    fn whatever_two_workers_do_no_try_is_lost_and_nothing_stays_under_way(
        acts in proptest::collection::vec(act(), 0..80),
        is_interrupted: bool,
    ) {
        let process = Process::new(2);
        let mut trips: Vec<(Trip, usize)> = Vec::new();
        let mut ended = [0_u64; 3];
        let models = ["a", "b", "c"];
        for (worker, act) in acts {
            let mut end = |which: usize| (!trips.is_empty()).then(|| trips.swap_remove(which % trips.len()));
            match act {
                Act::Begins(model) => trips.push((process.begin(worker, models[model]), model)),
                Act::Content(which) => {
                    let place = which % trips.len().max(1);
                    if let Some((trip, _)) = trips.get_mut(place) {
                        trip.first_content(process.now());
                    }
                }
                Act::Succeeds(which) => if let Some((trip, model)) = end(which) {
                    if is_interrupted {
                        // The other worker ends a round between what this one reads and what it writes.
                        let (other, now) = (Rc::clone(&process.workers[1 - worker]), process.now());
                        process.store.before_next_put(move || _ = other.report(now, |_| true));
                    }
                    trip.succeeded(process.now(), None);
                    ended[model] += 1;
                },
                Act::Fails(which) => if let Some((trip, model)) = end(which) {
                    trip.failed(process.now(), DOWN, COOLDOWN);
                    ended[model] += 1;
                },
                Act::Leaves(which) => drop(end(which)),
                Act::Waits(millis) => process.wait(millis),
                Act::Ticks => _ = process.workers[worker].tick(process.now()),
                Act::Configures => process.workers[worker].configure(Rc::new(Letters)),
                Act::Conflicts(count) => process.store.inject_conflicts(count),
            }
        }
        let mut under_way = [0_u32; 3];
        for (_, model) in &trips {
            under_way[*model] += 1;
        }
        let settle = || {
            process.store.inject_conflicts(0);
            process.wait(100);
            process.workers.iter().for_each(|worker| _ = worker.tick(process.now()));
            process.wait(100);
        };
        settle();
        for worker in 0..2 {
            prop_assert_eq!(models.map(|model| process.view(worker).in_flight(&target(model))), under_way);
        }
        drop(trips);
        settle();
        for worker in 0..2 {
            prop_assert_eq!(models.map(|model| process.view(worker).in_flight(&target(model))), [0; 3]);
        }
        prop_assert_eq!(models.map(|model| process.samples(model)), ended);
        prop_assert_eq!(Traffic::read(&process.traffic().write()), process.traffic());
    }

    #[test]
    fn bytes_that_nobody_wrote_are_traffic_that_can_be_told(bytes: Vec<u8>) {
        let process = Process::new(1);
        let _ = process.store.put(Traffic::KEY, &bytes, crate::host::Version::ABSENT);
        process.succeeds(0, "a", 3);
        prop_assert!(process.samples("a") >= 1);
        prop_assert!(process.report(0)["data"].is_array());
    }
}
