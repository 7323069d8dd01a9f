//! A store in memory, for tests: with the host's rules, the unhelpful ones too.
//!
//! As in Envoy, an insert of a missing key looks at no version. Conflicts can be injected, and another worker's doings put
//! between what one reads and what it writes.

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    fmt,
    num::NonZeroU32,
};

use crate::host::{Conflict, Store, Version};

/// Values under keys.
#[derive(Default)]
pub struct Memory {
    values: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    version: Cell<u32>,
    conflicts: Cell<u32>,
    interruption: RefCell<Option<Box<dyn FnOnce()>>>,
    calls: Cell<usize>,
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
