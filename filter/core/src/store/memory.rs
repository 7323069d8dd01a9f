//! A store and a meter in memory, for tests: with the host's rules, the unhelpful ones too.
//!
//! As in Envoy, an insert of a missing key looks at no version. Conflicts can be injected, and another worker's doings put
//! between what one reads and what it writes.

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    fmt,
    num::NonZeroU32,
};

use crate::host::{Conflict, Gauge, Meter, Store, Version};

/// Values under keys.
#[derive(Default)]
pub struct Memory {
    values: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    version: Cell<u32>,
    conflicts: Cell<u32>,
    interruption: RefCell<Option<Box<dyn FnOnce()>>>,
    calls: Cell<usize>,
}

/// Numbers by name.
#[derive(Debug, Default)]
pub struct Numbers {
    values: RefCell<Vec<(String, i64)>>,
    is_excluded: bool,
}

impl Memory {
    /// The next so many puts lose, as if another worker had been faster.
    pub fn inject_conflicts(&self, count: u32) {
        self.conflicts.set(count);
    }

    /// Another worker does this after the next put was decided on, and before it is made.
    pub fn before_next_put(&self, act: impl FnOnce() + 'static) {
        self.interruption.replace(Some(Box::new(act)));
    }

    /// How often it was asked for anything.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.get()
    }

    fn count(&self) {
        self.calls.set(self.calls.get().saturating_add(1));
    }
}

impl Store for Memory {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        self.count();
        let values = self.values.borrow();
        let (value, version) = values.get(key)?;
        NonZeroU32::new(*version).map(|version| (value.clone(), Version(version)))
    }

    fn put(&self, key: &str, value: &[u8], version: Version) -> Result<(), Conflict> {
        self.count();
        let interruption = self.interruption.take();
        if let Some(act) = interruption {
            act();
        }
        if let Some(left) = self.conflicts.get().checked_sub(1) {
            self.conflicts.set(left);
            return Err(Conflict);
        }
        let mut values = self.values.borrow_mut();
        if values.get(key).is_some_and(|(_, current)| *current != version.0.get()) {
            return Err(Conflict);
        }
        self.version.set(self.version.get().saturating_add(1));
        values.insert(key.into(), (value.to_vec(), self.version.get()));
        Ok(())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("values", &self.values).finish_non_exhaustive()
    }
}

impl Numbers {
    /// Those of a host that keeps none.
    #[must_use]
    pub fn excluded() -> Self {
        Self { is_excluded: true, ..Self::default() }
    }

    /// The number of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<i64> {
        self.values.borrow().iter().find(|(other, _)| other == name).map(|(_, value)| *value)
    }
}

impl Meter for Numbers {
    fn gauge(&self, name: &str) -> Option<Gauge> {
        let mut values = self.values.borrow_mut();
        let place = values.iter().position(|(other, _)| other == name).unwrap_or(values.len());
        if self.is_excluded {
            return None;
        }
        if place == values.len() {
            values.push((name.into(), 0));
        }
        u32::try_from(place).ok().map(Gauge)
    }

    fn add(&self, Gauge(place): Gauge, by: i64) {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if let Some((_, value)) = self.values.borrow_mut().get_mut(place) {
            *value = value.saturating_add(by);
        }
    }

    fn read(&self, Gauge(place): Gauge) -> u64 {
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        self.values.borrow().get(place).and_then(|(_, value)| u64::try_from(*value).ok()).unwrap_or_default()
    }
}
