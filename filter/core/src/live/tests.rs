//! Workers that share a store, and what each of them sees.

mod health;
mod traffic;
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
    roster: Rc<dyn Roster>,
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
            roster: Rc::new(Letters),
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
        observer.configure(&self.roster);
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
        (*targets[0].model).into()
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
    NameRef { environment: "", provider: "p", account: "default", model }
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
        let mut trips: Vec<(Trip, usize, usize)> = Vec::new();
        let mut ended = [0_u64; 3];
        let models = ["a", "b", "c"];
        for (worker, act) in acts {
            let mut end = |which: usize| (!trips.is_empty()).then(|| trips.swap_remove(which % trips.len()));
            match act {
                Act::Begins(model) => trips.push((process.begin(worker, models[model]), model, worker)),
                Act::Content(which) => {
                    let place = which % trips.len().max(1);
                    if let Some((trip, ..)) = trips.get_mut(place) {
                        trip.first_content(process.now());
                    }
                }
                Act::Succeeds(which) => if let Some((trip, model, owner)) = end(which) {
                    if is_interrupted {
                        // The other worker ends a round between what this one reads and what it writes.
                        let (other, now) = (Rc::clone(&process.workers[1 - owner]), process.now());
                        process.store.before_next_put(move || _ = other.report(now, |_| true));
                    }
                    trip.succeeded(process.now(), None);
                    // Where nothing was written, it does not.
                    process.store.before_next_put(|| ());
                    ended[model] += 1;
                },
                Act::Fails(which) => if let Some((trip, model, _)) = end(which) {
                    trip.failed(process.now(), DOWN, COOLDOWN);
                    ended[model] += 1;
                },
                Act::Leaves(which) => drop(end(which)),
                Act::Waits(millis) => process.wait(millis),
                Act::Ticks => _ = process.workers[worker].tick(process.now()),
                Act::Configures => process.workers[worker].configure(&process.roster),
                Act::Conflicts(count) => process.store.inject_conflicts(count),
            }
        }
        let mut under_way = [0_u32; 3];
        for (_, model, _) in &trips {
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
