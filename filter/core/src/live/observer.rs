//! What one worker has seen, and its copies of what all have seen.

use alloc::{rc::Rc, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    fmt, mem,
};

use crate::{
    health::{Ledger, NameRef},
    host::{Clock, Store, Version},
    plan::Target,
    store::{Record, update},
};

use super::{
    Probe, Roster, Trip, View,
    flights::{BEAT_MILLIS, Counts, Flights},
    gate::Gate,
    record::{Sample, Traffic, Went},
    roster::Rosters,
    slot::{Slot, Slots},
};

/// How old a copy of a shared record may be, and for how long samples are gathered. Much shorter than what is decided by them
/// takes to matter, much longer than a change of the record takes.
pub(super) const ROUND_MILLIS: u64 = 100;

/// With so many samples a round ends early: the memory of a module never shrinks again.
const MOST_SAMPLES: usize = 256;

/// See the module's documentation.
pub struct Observer {
    pub(super) store: Rc<dyn Store>,
    rosters: RefCell<Rosters>,
    slots: RefCell<Slots>,
    samples: RefCell<Vec<Sample>>,
    ledger: RefCell<Copy<Ledger>>,
    traffic: RefCell<Copy<Traffic>>,
    flights: RefCell<Copy<Flights>>,
    /// How many requests are under way.
    under_way: Cell<u32>,
    told: RefCell<Told>,
    /// When the last round of samples ended.
    ended_at_millis: Cell<u64>,
    pub(super) gate: Gate,
    /// How many bytes of answers the worker is recording.
    pub(crate) recorded: Cell<usize>,
}

/// What others know of the requests that this worker has under way.
#[derive(Debug, Default)]
struct Told {
    /// The worker's own number, once it has one.
    number: Option<u32>,
    counts: Counts,
    at_millis: u64,
}

/// A copy of a shared record.
#[derive(Debug, Default)]
struct Copy<R> {
    record: R,
    /// Which one, where that is known.
    version: Option<Version>,
    read_at_millis: u64,
}

impl Observer {
    /// An observer that has seen nothing and knows no configuration.
    #[must_use]
    pub fn new(store: Rc<dyn Store>) -> Rc<Self> {
        Rc::new(Self {
            gate: Gate::new(&store),
            store,
            rosters: RefCell::default(),
            slots: RefCell::default(),
            samples: RefCell::default(),
            ledger: RefCell::default(),
            traffic: RefCell::default(),
            flights: RefCell::default(),
            under_way: Cell::new(0),
            told: RefCell::default(),
            ended_at_millis: Cell::new(0),
            recorded: Cell::new(0),
        })
    }

    /// A configuration was loaded, and holds for as long as somebody keeps it. What was seen stays.
    pub fn configure(&self, roster: &Rc<dyn Roster>) {
        let mut rosters = self.rosters.borrow_mut();
        rosters.add(roster);
        self.slots.borrow_mut().configure(&*rosters);
    }

    /// What all workers share.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// A request is sent to a target, perhaps as its probe.
    #[must_use]
    pub fn begin(self: &Rc<Self>, target: &Target, probe: Option<Probe>, now_millis: u64) -> Trip {
        let slot = if target.account.is_callers {
            self.slots.borrow_mut().of_callers(now_millis)
        } else {
            self.slot(NameRef::of(target), now_millis)
        };
        Trip::new(self, slot, probe, now_millis)
    }

    /// What is known of targets at one moment, for one plan. The clock is read when it is first needed.
    #[must_use]
    pub fn view<'a>(self: &'a Rc<Self>, clock: &'a dyn Clock) -> View<'a> {
        View::new(self, clock)
    }

    /// Whether there is something to be told by a request that ends, or by [`Observer::tick`]: samples, or that this worker lives
    /// as long as it has requests under way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.under_way.get() > 0 || !self.samples.borrow().is_empty() || !self.told.borrow().counts.is_empty()
    }

    /// Time has passed: what no request took along is told. Whether there will be more.
    pub fn tick(&self, now_millis: u64) -> bool {
        if self.is_waiting() && is_over(self.ended_at_millis.get(), now_millis) {
            self.end_round(now_millis);
        }
        self.is_waiting()
    }

    pub(super) fn slot(&self, name: NameRef<'_>, now_millis: u64) -> Rc<Slot> {
        self.slots.borrow_mut().find(name, &*self.rosters.borrow(), now_millis)
    }

    /// A request is on its way.
    pub(super) fn enter(&self, slot: &Slot) {
        for count in [&slot.under_way, &self.under_way] {
            count.set(count.get().saturating_add(1));
        }
    }

    /// It is over.
    pub(super) fn leave(&self, slot: &Slot) {
        for count in [&slot.under_way, &self.under_way] {
            count.set(count.get().saturating_sub(1));
        }
    }

    /// How many requests of all workers are under way at a target.
    pub(super) fn in_flight(&self, name: NameRef<'_>, now_millis: u64) -> u32 {
        let slot = self.slot(name, now_millis);
        let own = self.told.borrow().number;
        let of_others = |flights: &Flights| flights.of_others(slot.name.borrowed(), own, now_millis);
        self.with_flights(now_millis, of_others).saturating_add(slot.under_way.get())
    }

    /// A try is over.
    pub(super) fn take(&self, sample: Sample) {
        let now_millis = sample.period.ended_millis;
        let count = {
            let mut samples = self.samples.borrow_mut();
            samples.push(sample);
            samples.len()
        };
        if count >= MOST_SAMPLES || is_over(self.ended_at_millis.get(), now_millis) {
            self.end_round(now_millis);
        }
    }

    /// Tells all workers what this one has seen.
    pub(super) fn end_round(&self, now_millis: u64) {
        self.ended_at_millis.set(now_millis);
        let samples = mem::take(&mut *self.samples.borrow_mut());
        if !samples.is_empty() {
            // Where the host refuses, these samples are lost, and no request.
            if let Ok((record, ())) = update(&*self.store, |traffic: &mut Traffic| traffic.add(&samples, now_millis)) {
                self.traffic.replace(Copy::written(record, now_millis));
            }
        }
        self.tell_counts(now_millis);
        self.read_ledger(now_millis);
        let untold: Vec<&Sample> = self.with_ledger(|ledger| {
            let is_untold = |sample: &&Sample| {
                matches!(sample.went, Went::Well { is_told: false, .. }) && ledger.remembers(sample.name.borrowed())
            };
            samples.iter().filter(is_untold).collect()
        });
        if !untold.is_empty() {
            self.change_ledger(now_millis, |ledger| {
                for sample in &untold {
                    ledger.succeed(sample.name.borrowed(), sample.period, now_millis);
                }
            });
        }
        // Its memory is used again.
        let mut place = self.samples.borrow_mut();
        if place.is_empty() {
            *place = samples;
            place.clear();
        }
    }

    /// Tells how many requests are under way, where that has changed or is about to be forgotten.
    fn tell_counts(&self, now_millis: u64) {
        let counts = self.slots.borrow().counts();
        let (number, is_due) = {
            let told = self.told.borrow();
            let is_late = now_millis.abs_diff(told.at_millis) >= BEAT_MILLIS;
            (told.number, told.counts != counts || (is_late && !counts.is_empty()))
        };
        if is_due {
            let change = |flights: &mut Flights| flights.tell(number, &counts, now_millis);
            if let Ok((record, number)) = update(&*self.store, change) {
                self.flights.replace(Copy::written(record, now_millis));
                self.told.replace(Told { number: Some(number), counts, at_millis: now_millis });
            }
        }
    }

    /// Changes the health of targets, for all workers and at once.
    pub(super) fn change_ledger<T>(&self, now_millis: u64, change: impl Fn(&mut Ledger) -> T) -> Option<T> {
        let (record, result) = update(&*self.store, change).ok()?;
        self.ledger.replace(Copy::written(record, now_millis));
        Some(result)
    }

    /// Reads the health of targets anew.
    pub(super) fn read_ledger(&self, now_millis: u64) {
        self.ledger.borrow_mut().refresh(&*self.store, now_millis);
    }

    pub(super) fn with_ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger.borrow().record)
    }

    /// Reads the traffic of all workers anew.
    pub(super) fn read_traffic(&self, now_millis: u64) {
        self.traffic.borrow_mut().refresh(&*self.store, now_millis);
    }

    /// Reads the requests under way of all workers anew.
    pub(super) fn read_flights(&self, now_millis: u64) {
        self.flights.borrow_mut().refresh(&*self.store, now_millis);
    }

    /// Looks at the traffic of all workers, as it was a moment ago.
    pub(super) fn with_traffic<T>(&self, now_millis: u64, look: impl FnOnce(&Traffic) -> T) -> T {
        look(self.traffic.borrow_mut().recent(&*self.store, now_millis))
    }

    /// Looks at the requests under way of all workers, as they were a moment ago.
    pub(super) fn with_flights<T>(&self, now_millis: u64, look: impl FnOnce(&Flights) -> T) -> T {
        look(self.flights.borrow_mut().recent(&*self.store, now_millis))
    }
}

impl<R: Record> Copy<R> {
    fn written(record: R, now_millis: u64) -> Self {
        Self { record, version: None, read_at_millis: now_millis }
    }

    fn recent(&mut self, store: &dyn Store, now_millis: u64) -> &R {
        if is_over(self.read_at_millis, now_millis) {
            self.refresh(store, now_millis);
        }
        &self.record
    }

    fn refresh(&mut self, store: &dyn Store, now_millis: u64) {
        self.read_at_millis = now_millis;
        match store.get(R::KEY) {
            Some((_, version)) if self.version == Some(version) => {}
            Some((bytes, version)) => *self = Self { record: R::read(&bytes), version: Some(version), ..*self },
            None => self.record = R::default(),
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("samples", &self.samples).field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

/// Whether a round that began then is over. One that began in the future is: the clock was set back.
fn is_over(began_millis: u64, now_millis: u64) -> bool {
    now_millis < began_millis || now_millis.saturating_sub(began_millis) >= ROUND_MILLIS
}
