//! What this worker knows of targets and chance: one for both roles and all configurations, because they are one VM on one
//! thread, and what the attempts learn is what the ingress plans by.
//!
//! What no later request takes along is told by a tick of the root context, and as long as requests are under way, that the
//! worker lives. The tick is not stopped with the last of them but by the first tick that finds none: starting and stopping it
//! costs more than a whole look.

use std::{cell::Cell, rc::Rc, time::Duration};

use dragoman_core::{
    change::Latest,
    exchange::Exchange,
    gateway::Gateway,
    host::{Clock as _, Surroundings},
    live::{Observer, Roster},
    record::{Book, Record},
};

use crate::{
    entropy::HostEntropy,
    host::{self, HostClock, HostMetadata, HostMeter, HostStore, Stream},
};

/// As often as the other ticks of a root context, which has but one.
const TICK: Duration = Duration::from_millis(20);

thread_local! {
    static OBSERVER: Rc<Observer> = Observer::new(Rc::new(HostStore));
    static ENTROPY: Rc<HostEntropy> = Rc::default();
    static LATEST: Rc<Latest> = Latest::new(Rc::new(HostStore));
    static BOOK: Book = Book::new(Rc::new(HostStore));
}

/// The worker's observer.
fn observer() -> Rc<Observer> {
    OBSERVER.with(Rc::clone)
}

/// The worker's chance.
fn entropy() -> Rc<HostEntropy> {
    ENTROPY.with(Rc::clone)
}

/// The worker's copy of what is otherwise than in the file.
pub(crate) fn latest() -> Rc<Latest> {
    LATEST.with(Rc::clone)
}

/// Does something that needs to know all of it, and the time.
pub(crate) fn with_surroundings<T>(act: impl FnOnce(&Surroundings<'_>) -> T) -> T {
    let (observer, entropy, latest) = (observer(), entropy(), latest());
    act(&Surroundings {
        clock: &HostClock,
        entropy: &*entropy,
        observer: &observer,
        latest: &latest,
        metadata: &HostMetadata,
    })
}

/// A request is over; in it was said what `content` has, where that is kept.
pub(crate) fn write_down(record: &Record<'_>, line: String, exchange: &Exchange, content: Option<String>) {
    let is_full = BOOK.with(|book| {
        book.take(record, line, exchange.roster(), exchange.ring());
        content.filter(|_| !record.is_probe).is_some_and(|content| book.keep(content))
    });
    if is_full {
        tell();
    }
}

/// Tells what is written down and not told yet: somebody is about to read it.
pub(crate) fn tell() {
    BOOK.with(|book| book.tell(&HostMeter, HostClock.epoch_millis()));
}

/// A gateway was made, of a configuration or of what has been changed in one.
pub(crate) fn configure(gateway: &Rc<Gateway>) {
    let roster: Rc<dyn Roster> = Rc::<Gateway>::clone(gateway);
    OBSERVER.with(|observer| observer.configure(&roster));
}

/// What is still to be told of a root context's streams.
#[derive(Debug)]
pub(crate) struct Tail {
    root: u32,
    is_ticking: Cell<bool>,
}

impl Tail {
    pub(crate) fn new(root: u32) -> Self {
        Self { root, is_ticking: Cell::new(false) }
    }

    /// A try on a stream has begun or is over: sees to it that it is told.
    pub(crate) fn watch(&self, stream: &Stream) {
        if !self.is_ticking.get() && is_waiting() {
            self.is_ticking.set(true);
            host::set_tick(self.root, stream.id(), TICK);
        }
    }

    /// Time has passed; whether another tick is needed.
    pub(crate) fn tick(&self) -> bool {
        // Also where it ticks for something else, in which another try may have begun.
        let now = HostClock.epoch_millis();
        OBSERVER.with(|observer| observer.tick(now));
        BOOK.with(|book| book.tick(&HostMeter, now));
        self.is_ticking.set(is_waiting());
        self.is_ticking.get()
    }
}

/// Whether something is still to be told.
fn is_waiting() -> bool {
    OBSERVER.with(|observer| observer.is_waiting()) || BOOK.with(Book::is_waiting)
}
