//! A worker's own place for each target: so that a request finds what belongs to its target without a record and without
//! making texts.
//!
//! As bounded as the records are: whoever invents names gets the places that are free, and then shares one.

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::cell::Cell;

use crate::{
    health::{Name, NameRef},
    host::{Gauge, Meter},
};

use super::{
    Roster,
    record::{IDLE_MILLIS, MOST_UNLISTED},
};

/// The places of one worker.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// In order of the names.
    places: Vec<Rc<Slot>>,
    other: Option<Rc<Slot>>,
}

/// The place of one target.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: Rc<Name>,
    pub(super) kind: Kind,
    flight: Flight,
    used_at_millis: Cell<u64>,
    /// Whether this worker has claimed the target's probe for the request that it sends next.
    pub(super) is_claimed: Cell<bool>,
}

/// Whose place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A target that the catalogue or the file lists.
    Listed,
    /// One that it does not.
    Unlisted,
    /// All for which there was no place: what one of them did is not held against the others.
    Other,
}

/// How many requests are under way at a target.
#[derive(Debug)]
enum Flight {
    /// Nobody asks.
    Uncounted,
    /// Of all workers.
    Shared(Gauge),
    /// Of this worker: the host keeps no gauge. As each worker gets its share of the requests, it still tells the busy from
    /// the idle.
    Own(Cell<u32>),
}

impl Slots {
    /// The place of a target.
    pub(super) fn find(
        &mut self,
        name: NameRef<'_>,
        (roster, meter): (&dyn Roster, &dyn Meter),
        now_millis: u64,
    ) -> Rc<Slot> {
        if let Some(slot) = self.place(name).ok().and_then(|place| self.places.get(place)) {
            slot.used_at_millis.set(now_millis);
            return Rc::clone(slot);
        }
        let is_listed = roster.lists(name);
        if !name.fits() || (!is_listed && !self.has_room(now_millis)) {
            let other = || Rc::new(Slot::new(NameRef::OTHER, Kind::Other, Flight::Uncounted, now_millis));
            return Rc::clone(self.other.get_or_insert_with(other));
        }
        let kind = if is_listed { Kind::Listed } else { Kind::Unlisted };
        let slot = Rc::new(Slot::new(name, kind, Flight::of(name, is_listed, roster, meter), now_millis));
        let (Ok(place) | Err(place)) = self.place(name);
        self.places.insert(place, Rc::clone(&slot));
        slot
    }

    /// What is listed or counted has changed. Requests under way keep their places until they end.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn has_room(&mut self, now_millis: u64) -> bool {
        let unlisted = |slots: &Self| slots.places.iter().filter(|slot| slot.kind == Kind::Unlisted).count();
        if unlisted(self) >= MOST_UNLISTED {
            self.places.retain(|slot| slot.kind == Kind::Listed || !slot.is_idle(now_millis));
        }
        unlisted(self) < MOST_UNLISTED
    }

    fn place(&self, name: NameRef<'_>) -> Result<usize, usize> {
        self.places.binary_search_by(|slot| slot.name.borrowed().cmp(&name))
    }
}

impl Slot {
    fn new(name: NameRef<'_>, kind: Kind, flight: Flight, now_millis: u64) -> Self {
        let name = Rc::new(name.to_owned());
        Self { name, kind, flight, used_at_millis: Cell::new(now_millis), is_claimed: Cell::new(false) }
    }

    pub(super) fn is_listed(&self) -> bool {
        self.kind == Kind::Listed
    }

    /// A request is on its way.
    pub(super) fn enter(&self, meter: &dyn Meter) {
        match &self.flight {
            Flight::Uncounted => {}
            Flight::Shared(gauge) => meter.add(*gauge, 1),
            Flight::Own(count) => count.set(count.get().saturating_add(1)),
        }
    }

    /// It is over.
    pub(super) fn leave(&self, meter: &dyn Meter) {
        match &self.flight {
            Flight::Uncounted => {}
            Flight::Shared(gauge) => meter.add(*gauge, -1),
            Flight::Own(count) => count.set(count.get().saturating_sub(1)),
        }
    }

    /// How many requests are under way, where that is counted.
    pub(super) fn in_flight(&self, meter: &dyn Meter) -> Option<u32> {
        match &self.flight {
            Flight::Uncounted => None,
            Flight::Shared(gauge) => Some(u32::try_from(meter.read(*gauge)).unwrap_or(u32::MAX)),
            Flight::Own(count) => Some(count.get()),
        }
    }

    fn is_idle(&self, now_millis: u64) -> bool {
        now_millis.saturating_sub(self.used_at_millis.get()) >= IDLE_MILLIS
    }
}

impl Flight {
    fn of(name: NameRef<'_>, is_listed: bool, roster: &dyn Roster, meter: &dyn Meter) -> Self {
        if !roster.counts(name) {
            return Self::Uncounted;
        }
        // A gauge is for ever: not for invented names, of which each worker may have others.
        let gauge = is_listed.then(|| meter.gauge(&gauge_name(name))).flatten();
        gauge.map_or_else(|| Self::Own(Cell::new(0)), Self::Shared)
    }
}

/// With the labels between semicolons, as names of models have dots.
fn gauge_name(NameRef { provider, account, model }: NameRef<'_>) -> String {
    let label = |text: &str| text.replace(|c: char| c.is_control() || matches!(c, ';' | '='), "_");
    format!("llm_requests_in_flight;provider={};account={};model={};", label(provider), label(account), label(model))
}
