//! The plans of the requests under way on this worker: the ingress puts one in, the attempts find it by its token.
//!
//! Filter state can carry text between the two roles, but writing and reading a whole plan there costs several microseconds
//! a request; both roles run in the same VM on the same thread.

use std::{cell::RefCell, rc::Rc};

use dragoman_core::plan::Plan;
use hashbrown::HashMap;

/// The metric of plans that have ended although others were left to be asked.
pub(crate) const ABANDONED: &str = "dragoman.plans_abandoned";

thread_local! {
    static PLANS: RefCell<(u32, HashMap<u32, Rc<Plan>>)> = RefCell::default();
}

/// The place of a plan; giving it up takes the plan out.
#[derive(Debug)]
pub(crate) struct Place(u32);

/// Puts a plan in.
pub(crate) fn publish(plan: Rc<Plan>) -> Place {
    PLANS.with_borrow_mut(|(last, plans)| {
        *last = last.wrapping_add(1);
        plans.insert(*last, plan);
        Place(*last)
    })
}

/// The plan with this token.
pub(crate) fn find(token: u32) -> Option<Rc<Plan>> {
    PLANS.with_borrow(|(_, plans)| plans.get(&token).cloned())
}

impl Place {
    pub(crate) fn token(&self) -> u32 {
        self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The plan is dropped after the borrow has ended.
        let _plan = PLANS.with_borrow_mut(|(_, plans)| plans.remove(&self.0));
    }
}
