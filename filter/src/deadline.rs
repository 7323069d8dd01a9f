//! Ends what is held too long on a client's own stream.
//!
//! Behind Envoy's router the per-try time-out runs until an attempt lets the answer's head go. On the client's stream it ends
//! when that head comes, but the answer is held on until its first content; from there this clock runs instead.
//!
//! One list a root context, looked at in its tick. A stream keeps its [`Hold`] and the list only watches it, so that whatever
//! ends the hold, content or a client that went away, ends it here. The tick is not stopped with the last hold but by the
//! first tick that finds none: starting and stopping it costs more than a whole look.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use dragoman_core::plan::Plan;

use crate::host::{self, Stream};

/// How exact a deadline is. Nobody waits for less than some hundred milliseconds.
const TICK: Duration = Duration::from_millis(50);

/// The deadlines of one root context.
#[derive(Debug)]
pub(crate) struct Deadlines {
    root: u32,
    holds: RefCell<Vec<Weak<Hold>>>,
    is_ticking: Cell<bool>,
}

/// An answer that is held on the client's stream.
#[derive(Debug)]
pub(crate) struct Hold {
    stream: u32,
    plan: Rc<Plan>,
    until: Duration,
    has_passed: Cell<bool>,
}

impl Deadlines {
    pub(crate) fn new(root: u32) -> Self {
        Self { root, holds: RefCell::default(), is_ticking: Cell::new(false) }
    }

    /// An answer is held on a stream, until this time of [`host::now`] at most.
    pub(crate) fn watch(&self, stream: &Stream, plan: &Rc<Plan>, until: Duration) -> Rc<Hold> {
        let hold = Rc::new(Hold { stream: stream.id(), plan: Rc::clone(plan), until, has_passed: Cell::new(false) });
        self.holds.borrow_mut().push(Rc::downgrade(&hold));
        if !self.is_ticking.replace(true) {
            host::set_tick(self.root, stream.id(), TICK);
        }
        hold
    }

    /// Time has passed; whether another tick is needed.
    pub(crate) fn tick(&self) -> bool {
        if !self.is_ticking.get() {
            return false;
        }
        let now = host::now();
        let mut late = Vec::new();
        let mut holds = self.holds.borrow_mut();
        holds.retain(|hold| match hold.upgrade() {
            Some(hold) if hold.until <= now => {
                late.push(hold);
                false
            }
            other => other.is_some(),
        });
        self.is_ticking.set(!holds.is_empty());
        // Whatever an answer sets in motion may hold another stream.
        drop(holds);
        for hold in late {
            hold.has_passed.set(true);
            let reply = hold.plan.late();
            host::as_context(hold.stream, self.root, || Stream::new(hold.stream).reply(&reply));
        }
        self.is_ticking.get()
    }
}

impl Hold {
    /// Whether the client has had an answer because the provider's did not come in time.
    pub(crate) fn has_passed(&self) -> bool {
        self.has_passed.get()
    }
}
