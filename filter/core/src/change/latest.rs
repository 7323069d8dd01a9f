//! A worker's copy of the changes, as new as the last one of them.
//!
//! Each request asks which ones they are, which are eight bytes; what they say is read only where that is another answer than before.

use alloc::{rc::Rc, vec::Vec};
use core::{cell::RefCell, fmt};

use super::{Changes, GENERATION_KEY, Hash};
use crate::{
    host::{Conflict, Store},
    store::update_at,
};

/// See the module's documentation.
pub struct Latest {
    store: Rc<dyn Store>,
    changes: RefCell<Rc<Changes>>,
}

/// How a request's key stands while the request is under way.
#[derive(Debug, Clone)]
pub struct Standing {
    hash: Hash,
    latest: Rc<Latest>,
}

impl Latest {
    /// A copy of nothing yet.
    #[must_use]
    pub fn new(store: Rc<dyn Store>) -> Rc<Self> {
        Rc::new(Self { store, changes: RefCell::default() })
    }

    /// The changes as they are now.
    #[must_use]
    pub fn changes(&self) -> Rc<Changes> {
        let generation = self.store.get(GENERATION_KEY).map_or(0, |(bytes, _)| number(&bytes));
        // What was written is there before it is told of: what is read may be newer, never older.
        if generation > self.changes.borrow().generation {
            self.changes.replace(Rc::new(Changes::load(&*self.store).0));
        }
        Rc::clone(&self.changes.borrow())
    }

    /// What all workers share.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }
}

impl Standing {
    /// The standing of the key with this hash.
    #[must_use]
    pub fn new(hash: Hash, latest: &Rc<Latest>) -> Self {
        Self { hash, latest: Rc::clone(latest) }
    }

    /// Whether the key is over by now.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.latest.changes().has_revoked(&self.hash)
    }
}

impl fmt::Debug for Latest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latest").field("changes", &self.changes).finish_non_exhaustive()
    }
}

/// Tells all workers that there are such changes, unless they know of later ones.
pub(super) fn announce(store: &dyn Store, generation: u64) -> Result<(), Conflict> {
    update_at(store, GENERATION_KEY, |bytes| {
        let latest = number(bytes).max(generation);
        (Vec::from(latest.to_le_bytes()), ())
    })
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}
