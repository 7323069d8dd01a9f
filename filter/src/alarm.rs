//! What is done in the name of streams when a time has come: a root context's tick looks at all of them.
//!
//! A stream keeps its [`Alarm`] and the list only watches it, so that whatever makes it needless, an answer or a client that
//! went away, ends it. The tick is not stopped with the last alarm but by the first tick that finds none: starting and
//! stopping it costs more than a whole look.
//!
//! A call that is made in a tick is the root context's for the SDK, whichever stream it is made for, and so is its answer:
//! [`Alarms::claim`] finds the stream.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::Duration,
};

use dragoman_core::plan::Plan;
use hashbrown::HashMap;

use crate::{
    host::{self, Stream},
    relay::Relay,
};

/// How exact an alarm is: a wait before a second try is some ten milliseconds at least.
const TICK: Duration = Duration::from_millis(20);

/// The alarms of one root context.
#[derive(Debug)]
pub(crate) struct Alarms {
    root: u32,
    list: RefCell<Vec<Weak<Alarm>>>,
    is_ticking: Cell<bool>,
    calls: RefCell<HashMap<u32, Weak<RefCell<Relay>>>>,
}

/// What is to be done for a stream, and when.
#[derive(Debug)]
pub(crate) struct Alarm {
    stream: Rc<Stream>,
    at: Duration,
    task: Task,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Task {
    /// Let the request go.
    Resume,
    /// Nobody has answered in time.
    Answer(Rc<Plan>),
    /// The next thing.
    Advance(Weak<RefCell<Relay>>),
}

impl Alarms {
    pub(crate) fn new(root: u32) -> Self {
        Self { root, list: RefCell::default(), is_ticking: Cell::new(false), calls: RefCell::default() }
    }

    /// Sets an alarm for this time of [`host::now`], in a callback of the stream's or in a tick.
    pub(crate) fn set(&self, stream: &Rc<Stream>, at: Duration, task: Task) -> Rc<Alarm> {
        let alarm = Rc::new(Alarm { stream: Rc::clone(stream), at, task });
        self.list.borrow_mut().push(Rc::downgrade(&alarm));
        if !self.is_ticking.replace(true) {
            host::set_tick(self.root, stream.id(), TICK);
        }
        alarm
    }

    /// Time has passed; whether another tick is needed.
    pub(crate) fn tick(&self) -> bool {
        if !self.is_ticking.get() {
            return false;
        }
        // Of a client that went away no answer comes.
        self.calls.borrow_mut().retain(|_, waiting| waiting.strong_count() > 0);
        let now = host::now();
        let mut due = Vec::new();
        self.list.borrow_mut().retain(|alarm| match alarm.upgrade() {
            Some(alarm) if alarm.at <= now => {
                due.push(alarm);
                false
            }
            other => other.is_some(),
        });
        for alarm in due {
            host::as_context(alarm.stream.id(), self.root, || self.ring(&alarm));
        }
        // What was done may have set others.
        self.is_ticking.set(!self.list.borrow().is_empty());
        self.is_ticking.get()
    }

    fn ring(&self, alarm: &Alarm) {
        match &alarm.task {
            Task::Resume => alarm.stream.resume(),
            Task::Answer(plan) => {
                plan.late(host::now());
                alarm.stream.reply(&plan.verdict());
            }
            Task::Advance(relay) => {
                let Some(relay) = relay.upgrade() else { return };
                let call = relay.borrow_mut().advance();
                self.expect(call, &relay);
            }
        }
    }

    /// The answer to a call has come that was made in a tick, if it is still waited for.
    pub(crate) fn claim(&self, call: u32, headers: usize, length: usize) {
        let relay = self.calls.borrow_mut().remove(&call).and_then(|relay| relay.upgrade());
        let Some(relay) = relay else { return };
        let stream = relay.borrow().stream_id();
        // The next call is the root context's, too.
        let call = host::as_context(stream, self.root, || relay.borrow_mut().called(headers, length));
        self.expect(call.flatten(), &relay);
    }

    fn expect(&self, call: Option<u32>, relay: &Rc<RefCell<Relay>>) {
        let Some(call) = call else { return };
        self.calls.borrow_mut().insert(call, Rc::downgrade(relay));
    }
}
