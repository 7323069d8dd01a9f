//! A gateway as it is now: made of its file and of what has been changed since, and made anew when something is.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::cell::{Ref, RefCell};

use super::{Changes, Fitted, Latest, Misfit, fit};
use crate::{config::Config, gateway::Gateway, host::Environment};

/// See the module's documentation.
#[derive(Debug)]
pub struct Current {
    /// The file; `None` where nobody may change anything.
    file: Option<String>,
    environment: Environment,
    latest: Rc<Latest>,
    /// What is to be done with a new gateway.
    renewed: fn(&Rc<Gateway>),
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    gateway: Rc<Gateway>,
    /// The changes that are in it.
    changes: Rc<Changes>,
    misfits: Vec<Misfit>,
}

impl Current {
    /// A gateway of this file, which says this.
    #[must_use]
    pub fn new(
        file: &str,
        config: Config,
        environment: Environment,
        (latest, renewed): (&Rc<Latest>, fn(&Rc<Gateway>)),
    ) -> Self {
        let is_changeable = !config.admin.keys.is_empty();
        let gateway = Rc::new(Gateway::load(config, environment, &Changes::default()));
        renewed(&gateway);
        let state = State { gateway, changes: Rc::default(), misfits: Vec::new() };
        let file = is_changeable.then(|| file.into());
        Self { file, environment, latest: Rc::clone(latest), renewed, state: RefCell::new(state) }
    }

    /// The gateway.
    #[must_use]
    pub fn gateway(&self) -> Rc<Gateway> {
        if let Some(file) = &self.file {
            let changes = self.latest.changes();
            if changes.generation != self.state.borrow().changes.generation {
                self.renew(file, changes);
            }
        }
        Rc::clone(&self.state.borrow().gateway)
    }

    fn renew(&self, file: &str, changes: Rc<Changes>) {
        match fit(file, &changes) {
            Ok(Fitted { config, misfits }) => {
                let gateway = Rc::new(Gateway::load(config, self.environment, &changes));
                (self.renewed)(&gateway);
                self.state.replace(State { gateway, changes, misfits });
            }
            // The file alone was well, so that something always fits. What does not is not read again for each request.
            Err(_) => self.state.borrow_mut().changes = changes,
        }
    }

    /// The file, where something may be changed.
    pub(crate) fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The changes that are in the gateway.
    pub(crate) fn changes(&self) -> Rc<Changes> {
        Rc::clone(&self.state.borrow().changes)
    }

    /// Those of them that are not.
    pub(crate) fn misfits(&self) -> Ref<'_, [Misfit]> {
        Ref::map(self.state.borrow(), |state| state.misfits.as_slice())
    }

    /// The file with those that are.
    pub(crate) fn document(&self) -> String {
        let misfits = self.misfits();
        let is_left_out = |entry| misfits.iter().any(|misfit| misfit.entry == entry);
        self.changes().applied(self.file().unwrap_or_default(), &is_left_out).text
    }
}
