//! The right to find out whether a target is well again: until it is given up, others pass the target over.
//!
//! It belongs to the request that got it, from the moment when it is planned: one that is never sent, or whose client leaves, gives
//! it back by being dropped. It is not the worker's, which may have claimed another one of the same target since.

use alloc::rc::Rc;

use crate::health::{Claim, Name, NameRef};

use super::Observer;

/// See the module's documentation.
#[derive(Debug)]
pub struct Probe {
    observer: Rc<Observer>,
    name: Rc<Name>,
    claim: Claim,
    claimed_at_millis: u64,
    is_open: bool,
}

impl Probe {
    pub(super) fn new(observer: &Rc<Observer>, name: &Rc<Name>, claim: Claim, claimed_at_millis: u64) -> Self {
        Self { observer: Rc::clone(observer), name: Rc::clone(name), claim, claimed_at_millis, is_open: true }
    }

    pub(super) fn is_of(&self, name: NameRef<'_>) -> bool {
        self.name.borrowed() == name
    }

    /// How the target does is told in other words.
    pub(super) fn settle(mut self) {
        self.is_open = false;
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if self.is_open {
            let name = self.name.borrowed();
            self.observer.change_ledger(self.claimed_at_millis, |ledger| ledger.release(name, self.claim));
        }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test that cannot count fails")]
mod tests {
    use alloc::vec::Vec;
    use core::{
        cell::{Cell, RefCell},
        time::Duration,
    };

    use proptest::prelude::*;

    use super::*;
    use crate::{
        config::Cooldown,
        health::{Symptom, Trouble},
        host::{Clock, Entropy},
        live::Trip,
        plan::Target,
        store::Memory,
    };

    const COOLDOWN: Cooldown = Cooldown { default: Duration::from_secs(1), max: Duration::from_secs(4) };
    const PROBE_MILLIS: u64 = 10_000;
    const WORKERS: usize = 3;

    /// Workers of one process, and what they did in the order in which it took effect.
    struct Process {
        store: Rc<Memory>,
        workers: Vec<Rc<Observer>>,
        millis: Cell<u64>,
        requests: Cell<u64>,
        /// Those that are under way: which, since when.
        probes: RefCell<Vec<(u64, u64, Trip)>>,
        events: RefCell<Vec<(u64, Event)>>,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Event {
        /// A request became the probe.
        Granted(u64),
        /// It left without a word.
        Left(u64),
        /// It told that the target is well, or is not; when it had begun.
        Succeeded(u64),
        Failed(u64),
    }

    #[derive(Debug, Clone, Copy)]
    enum Act {
        Plans(usize),
        Leaves(usize),
        Succeeds(usize),
        Fails(usize),
        Waits(u64),
    }

    impl Clock for Process {
        fn now(&self) -> Duration {
            Duration::from_millis(self.millis.get())
        }
    }

    impl Entropy for Process {
        fn draw(&self) -> u64 {
            self.requests.set(self.requests.get() + 1);
            self.requests.get()
        }
    }

    impl Process {
        fn new() -> Rc<Self> {
            let store = Rc::new(Memory::default());
            let worker = |_| Observer::new(Rc::<Memory>::clone(&store));
            let workers: Vec<_> = (0..WORKERS).map(worker).collect();
            let millis = Cell::new(1_767_225_600_000);
            let process = Self {
                store,
                workers,
                millis,
                requests: Cell::default(),
                probes: RefCell::default(),
                events: RefCell::default(),
            };
            let trip = process.workers[0].begin(&target("a"), None, process.millis.get());
            process.millis.set(process.millis.get() + 1);
            trip.failed(process.millis.get(), DOWN, COOLDOWN);
            Rc::new(process)
        }

        fn note(&self, event: Event) {
            self.events.borrow_mut().push((self.millis.get(), event));
        }

        /// A request with a plan of two targets, the first of which may need a probe.
        fn plan(&self, worker: usize) {
            let mut targets = [target("a"), target("b")];
            let (view, now) = (self.workers[worker].view(self), self.millis.get());
            if let Some(probe) = view.claim(&mut targets, self) {
                let id = self.draw();
                self.note(Event::Granted(id));
                let trip = self.workers[worker].begin(&targets[0], Some(probe), now);
                self.probes.borrow_mut().push((id, now, trip));
            }
        }

        fn take(&self, which: usize) -> Option<(u64, u64, Trip)> {
            let mut probes = self.probes.borrow_mut();
            let count = probes.len();
            (count > 0).then(|| probes.remove(which % count))
        }

        fn act(&self, act: Act) {
            let now = self.millis.get();
            match act {
                Act::Plans(worker) => self.plan(worker),
                Act::Waits(millis) => self.millis.set(now + millis),
                Act::Leaves(which) => {
                    if let Some((id, _, trip)) = self.take(which) {
                        drop(trip);
                        self.note(Event::Left(id));
                    }
                }
                Act::Succeeds(which) => {
                    if let Some((_, began, trip)) = self.take(which) {
                        trip.succeeded(now, None);
                        self.note(Event::Succeeded(began));
                    }
                }
                Act::Fails(which) => {
                    if let Some((_, began, trip)) = self.take(which) {
                        trip.failed(now, DOWN, COOLDOWN);
                        self.note(Event::Failed(began));
                    }
                }
            }
        }
    }

    const DOWN: Symptom = Symptom { trouble: Trouble::ServerError, retry_after: None };

    fn target(model: &str) -> Target {
        Target { model: model.into(), ..Target::any() }
    }

    /// Whether at any time two requests were probes within their time.
    fn has_two_at_once(events: &[(u64, Event)]) -> bool {
        let mut holder: Option<(u64, u64)> = None;
        // The failure that the target cools after, or may be probed after.
        let mut failed_at = 0;
        for (now, event) in events {
            match event {
                Event::Granted(id) => {
                    if holder.replace((*id, now + PROBE_MILLIS)).is_some_and(|(_, until)| *now < until) {
                        return true;
                    }
                }
                Event::Left(id) => holder = holder.filter(|(other, _)| other != id),
                // One that had begun before the failure tells nothing new.
                Event::Succeeded(began) if *began > failed_at => (holder, failed_at) = (None, 0),
                Event::Failed(began) if *began > failed_at => (holder, failed_at) = (None, *now),
                Event::Succeeded(_) | Event::Failed(_) => {}
            }
        }
        false
    }

    /// What takes no time.
    fn deed() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => (0..WORKERS).prop_map(Act::Plans),
            2 => (0..10_usize).prop_map(Act::Leaves),
            1 => (0..10_usize).prop_map(Act::Succeeds),
            1 => (0..10_usize).prop_map(Act::Fails),
        ]
    }

    fn act() -> impl Strategy<Value = Act> {
        let wait = prop_oneof![0..50_u64, 900..1_100_u64, 3_000..11_000_u64].prop_map(Act::Waits);
        prop_oneof![4 => deed(), 1 => wait]
    }

    #[test]
    fn a_probe_that_was_given_up_too_late_lets_no_third_request_through() {
        let process = Process::new();
        let acts = [Act::Waits(1_001), Act::Plans(0), Act::Waits(10_001), Act::Plans(1), Act::Leaves(0), Act::Plans(2)];
        for act in acts {
            process.act(act);
        }
        let granted = |(_, event): &&(u64, Event)| matches!(event, Event::Granted(_));
        assert_eq!(process.events.borrow().iter().filter(granted).count(), 2);
        assert!(!has_two_at_once(&process.events.borrow()));
    }

    proptest! {
        #[test]
        fn in_whatever_order_workers_plan_and_end_there_is_one_probe_at_a_time(
            acts in proptest::collection::vec((act(), proptest::option::of(deed())), 0..80),
        ) {
            let process = Process::new();
            for (act, between) in acts {
                // Another worker does this between what the first one reads and what it writes.
                if let Some(between) = between {
                    let other = Rc::clone(&process);
                    process.store.before_next_put(move || other.act(between));
                }
                process.act(act);
            }
            prop_assert!(!has_two_at_once(&process.events.borrow()), "{:?}", process.events.borrow());
        }
    }
}
