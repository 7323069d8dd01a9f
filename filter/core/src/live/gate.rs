//! What a worker lets requests in by: the counters that all workers share, and how long answers usually are.
//!
//! Beside what it knows of targets, because it is as old: it outlives each configuration.

use alloc::rc::Rc;
use core::cell::Cell;

use crate::{
    health::NameRef,
    host::{Conflict, Entropy, Store},
    limit::{Limiter, Seed},
    plan::Target,
};

use super::Observer;

/// See the module's documentation.
pub(super) struct Gate {
    limiter: Limiter,
    /// Once it is known.
    seed: Cell<Option<Seed>>,
}

impl Gate {
    pub(super) fn new(store: &Rc<dyn Store>) -> Self {
        Self { limiter: Limiter::new(Rc::clone(store)), seed: Cell::new(None) }
    }
}

impl Observer {
    /// What lets requests in.
    pub(crate) fn limiter(&self) -> &Limiter {
        &self.gate.limiter
    }

    /// The seed of all workers, loaded once.
    ///
    /// # Errors
    /// The host refuses to keep it.
    pub(crate) fn seed(&self, entropy: &dyn Entropy) -> Result<Seed, Conflict> {
        if let Some(seed) = self.gate.seed.get() {
            return Ok(seed);
        }
        let seed = Seed::load(&*self.store, entropy)?;
        self.gate.seed.set(Some(seed));
        Ok(seed)
    }

    /// How many tokens the answers of a target have of late, as this worker has seen them.
    pub(crate) fn usual_output(&self, target: &Target, now_millis: u64) -> Option<u64> {
        // What is seen with a caller's credential is not kept by its name.
        if target.account.is_callers {
            return None;
        }
        let slot = self.slot(NameRef::of(target), now_millis);
        slot.has_health().then(|| slot.output_tokens.get().value()).flatten()
    }
}
