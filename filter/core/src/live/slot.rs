//! A worker's own place for each target: so that a request finds what belongs to its target without a record and without
//! making texts.
//!
//! As bounded as the records are: whoever invents names gets the places that are free, and then shares one.

use alloc::{rc::Rc, vec::Vec};
use core::cell::Cell;

use crate::health::{Name, NameRef};

use super::{
    Roster,
    average::Average,
    flights::Counts,
    record::{IDLE_MILLIS, MOST_UNLISTED},
};

/// The places of one worker.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// In order of the names.
    places: Vec<Rc<Slot>>,
    other: Option<Rc<Slot>>,
    callers: Option<Rc<Slot>>,
}

/// The place of one target.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: Rc<Name>,
    kind: Cell<Kind>,
    /// How many of this worker's requests are under way.
    pub(super) under_way: Cell<u32>,
    used_at_millis: Cell<u64>,
    /// How many of this worker's tries in a row have not shown how quick the target is.
    blanks: Cell<u32>,
    /// How many tokens this worker's answers have of late.
    pub(super) output_tokens: Cell<Average>,
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
    /// All that are asked with a credential of a caller's own: what one caller's meets is no news of anybody else's, and nobody is
    /// told of it.
    Callers,
}

impl Slots {
    /// The place of a target.
    pub(super) fn find(&mut self, name: NameRef<'_>, roster: &dyn Roster, now_millis: u64) -> Rc<Slot> {
        if let Some(slot) = self.place(name).ok().and_then(|place| self.places.get(place)) {
            slot.used_at_millis.set(now_millis);
            return Rc::clone(slot);
        }
        let kind = Kind::of(name, roster);
        if !name.fits() || (kind == Kind::Unlisted && !self.has_room(now_millis)) {
            let other = || Rc::new(Slot::new(NameRef::OTHER, Kind::Other, now_millis));
            return Rc::clone(self.other.get_or_insert_with(other));
        }
        let slot = Rc::new(Slot::new(name, kind, now_millis));
        let (Ok(place) | Err(place)) = self.place(name);
        self.places.insert(place, Rc::clone(&slot));
        slot
    }

    /// The place of all targets with a credential of a caller's own.
    pub(super) fn of_callers(&mut self, now_millis: u64) -> Rc<Slot> {
        let make = || Rc::new(Slot::new(NameRef::OTHER, Kind::Callers, now_millis));
        Rc::clone(self.callers.get_or_insert_with(make))
    }

    /// What is listed has changed.
    pub(super) fn configure(&mut self, roster: &dyn Roster) {
        // Requests under way are counted where they began.
        self.places.retain(|slot| slot.is_in_use());
        for slot in &self.places {
            slot.kind.set(Kind::of(slot.name.borrowed(), roster));
        }
    }

    /// The requests of this worker that are under way.
    pub(super) fn counts(&self) -> Counts {
        let used = self.places.iter().chain(&self.other).filter(|slot| slot.is_in_use());
        used.map(|slot| (Rc::clone(&slot.name), slot.under_way.get())).collect()
    }

    fn has_room(&mut self, now_millis: u64) -> bool {
        let unlisted = |slots: &Self| slots.places.iter().filter(|slot| slot.kind.get() == Kind::Unlisted).count();
        if unlisted(self) >= MOST_UNLISTED {
            self.places.retain(|slot| slot.is_listed() || slot.is_in_use() || !slot.is_idle(now_millis));
        }
        unlisted(self) < MOST_UNLISTED
    }

    fn place(&self, name: NameRef<'_>) -> Result<usize, usize> {
        self.places.binary_search_by(|slot| slot.name.borrowed().cmp(&name))
    }
}

impl Kind {
    fn of(name: NameRef<'_>, roster: &dyn Roster) -> Self {
        if roster.lists(name) { Self::Listed } else { Self::Unlisted }
    }
}

impl Slot {
    fn new(name: NameRef<'_>, kind: Kind, now_millis: u64) -> Self {
        let (name, kind) = (Rc::new(name.to_owned()), Cell::new(kind));
        Self {
            name,
            kind,
            under_way: Cell::new(0),
            used_at_millis: Cell::new(now_millis),
            blanks: Cell::new(0),
            output_tokens: Cell::default(),
        }
    }

    pub(super) fn is_listed(&self) -> bool {
        self.kind.get() == Kind::Listed
    }

    /// Whether what one request meets is held against the next: not where they may be of different targets.
    pub(super) fn has_health(&self) -> bool {
        !matches!(self.kind.get(), Kind::Other | Kind::Callers)
    }

    /// Whether anything of it is counted.
    pub(super) fn is_counted(&self) -> bool {
        self.kind.get() != Kind::Callers
    }

    /// A try has shown how quick the target is.
    pub(super) fn measured(&self) {
        self.blanks.set(0);
    }

    /// An answer had so many tokens.
    pub(super) fn answered(&self, tokens: u64) {
        let mut average = self.output_tokens.get();
        average.add(tokens);
        self.output_tokens.set(average);
    }

    /// A try is over and has not.
    pub(super) fn not_measured(&self) {
        self.blanks.set(self.blanks.get().saturating_add(1));
    }

    pub(super) fn blanks(&self) -> u32 {
        if self.has_health() { self.blanks.get() } else { 0 }
    }

    fn is_in_use(&self) -> bool {
        self.under_way.get() > 0
    }

    fn is_idle(&self, now_millis: u64) -> bool {
        now_millis.saturating_sub(self.used_at_millis.get()) >= IDLE_MILLIS
    }
}
