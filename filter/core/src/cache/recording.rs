//! An answer while it goes to its client, to be kept if it comes to a good end.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::{cell::RefCell, mem};

use super::{Entry, Wanted, entry::HEADERS, shelf::Found};
use crate::{host::Entropy, live::Observer, plan::Target, usage::Usage};

/// What a worker records at a time, in bytes: its memory never shrinks again.
const MOST_RECORDED: usize = 32 << 20;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Recording {
    wanted: Wanted,
    observer: Rc<Observer>,
    tape: RefCell<Tape>,
}

#[derive(Debug)]
enum Tape {
    /// Nothing has come.
    Blank,
    /// So much has.
    Running(Vec<(&'static str, String)>, Vec<u8>),
    /// It is kept, or is not to be.
    Over,
}

impl Wanted {
    /// An answer that was kept, of those that are wanted.
    pub(crate) fn look(
        &self,
        observer: &Observer,
        is_wanted: &dyn Fn(&Entry) -> bool,
        entropy: &dyn Entropy,
        now_millis: u64,
    ) -> Option<Found> {
        if !self.terms.takes {
            return None;
        }
        let asked = (&self.question, &self.terms);
        self.rules.shelf.look(observer.store(), asked, is_wanted, entropy, now_millis)
    }
}

impl Recording {
    pub(crate) fn new(wanted: Wanted, observer: &Rc<Observer>) -> Self {
        Self { wanted, observer: Rc::clone(observer), tape: RefCell::new(Tape::Blank) }
    }

    /// Whether the answer's head has not come.
    pub(crate) fn is_blank(&self) -> bool {
        matches!(*self.tape.borrow(), Tape::Blank)
    }

    /// The answer's head has come, with these headers.
    pub(crate) fn begin(&self, status: &str, header: &dyn Fn(&str) -> Option<String>) {
        let is_plain = status == "200" && header("content-encoding").is_none();
        let mut kept = Vec::new();
        for name in HEADERS {
            if let Some(value) = header(name) {
                kept.push((*name, value));
            }
        }
        self.tape.replace(if is_plain { Tape::Running(kept, Vec::new()) } else { Tape::Over });
    }

    /// How much more of it can be recorded, if anything is.
    pub(crate) fn room(&self) -> Option<usize> {
        let Tape::Running(_, body) = &*self.tape.borrow() else { return None };
        Some(self.wanted.rules.shelf.most().saturating_sub(body.len()))
    }

    /// A part of it has come.
    pub(crate) fn see(&self, part: &[u8]) {
        let mut tape = self.tape.borrow_mut();
        let Tape::Running(_, body) = &mut *tape else { return };
        let recorded = self.observer.recorded.get().saturating_add(part.len());
        if body.len().saturating_add(part.len()) > self.wanted.rules.shelf.most() || recorded > MOST_RECORDED {
            let gone = mem::replace(&mut *tape, Tape::Over);
            self.give_back(&gone);
        } else {
            self.observer.recorded.set(recorded);
            body.extend_from_slice(part);
        }
    }

    /// It has come to its end: a good one, if it says who has answered.
    pub(crate) fn end(&self, answered: Option<(&Target, Usage)>, now_millis: u64) {
        let tape = self.tape.replace(Tape::Over);
        self.give_back(&tape);
        let (Tape::Running(headers, body), Some((target, usage))) = (tape, answered) else { return };
        if body.is_empty() {
            return;
        }
        let (provider, model) = (target.provider.name.clone(), (*target.model).into());
        let entry = Entry { born_millis: now_millis, provider, model, usage, headers, body };
        let Wanted { rules, terms, question } = &self.wanted;
        // What is not kept is asked for again.
        let _ = rules.shelf.keep(self.observer.store(), (question, terms), &entry);
    }

    fn give_back(&self, tape: &Tape) {
        if let Tape::Running(_, body) = tape {
            let recorded = &self.observer.recorded;
            recorded.set(recorded.get().saturating_sub(body.len()));
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.give_back(&self.tape.borrow());
    }
}
