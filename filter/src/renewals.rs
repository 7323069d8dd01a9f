//! Renews what plans hold that would end by itself: the room of a request that takes longer than a lease.
//!
//! A plan is only watched. Whatever ends it takes it off the list, and a worker that crashes renews nothing, which is what leases
//! are for.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use dragoman_core::{host::Clock as _, plan::Plan};

use crate::host::{self, HostClock, Stream};

/// As often as the other ticks of a root context, which has but one.
const TICK: Duration = Duration::from_millis(20);

/// How often the list is looked through: a lease is much longer.
const LOOK_MILLIS: u64 = 1_000;

/// The plans of one root context whose leases are to be renewed.
#[derive(Debug)]
pub(crate) struct Renewals {
    root: u32,
    plans: RefCell<Vec<Weak<Plan>>>,
    looked_at_millis: Cell<u64>,
}

impl Renewals {
    pub(crate) fn new(root: u32) -> Self {
        Self { root, plans: RefCell::default(), looked_at_millis: Cell::new(0) }
    }

    /// A plan begins.
    pub(crate) fn watch(&self, stream: &Stream, plan: &Rc<Plan>) {
        if !plan.may_lapse() {
            return;
        }
        let mut plans = self.plans.borrow_mut();
        if plans.is_empty() {
            host::set_tick(self.root, stream.id(), TICK);
        }
        plans.push(Rc::downgrade(plan));
    }

    /// Time has passed; whether another tick is needed.
    pub(crate) fn tick(&self) -> bool {
        let mut plans = self.plans.borrow_mut();
        if plans.is_empty() {
            return false;
        }
        let now = HostClock.epoch_millis();
        // Also where the clock was set back.
        if now.abs_diff(self.looked_at_millis.get()) < LOOK_MILLIS {
            return true;
        }
        self.looked_at_millis.set(now);
        plans.retain(|plan| {
            let Some(plan) = plan.upgrade() else { return false };
            plan.renew(now);
            // Also where nothing of it would end now: a fallback may have what does.
            plan.may_lapse()
        });
        !plans.is_empty()
    }
}
