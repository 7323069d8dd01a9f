//! A target that may be asked, with what is known of it.

use core::cell::OnceCell;

use crate::{catalogue::Choice, host::Observed, plan::Target};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) target: Target,
    pub(super) choice: Choice<'a>,
    /// Looked for once, and only where it matters: most plans have one target, which is asked whatever it was like before.
    cooling: OnceCell<Option<u64>>,
}

impl<'a> Candidate<'a> {
    pub(super) const fn new(target: Target, choice: Choice<'a>) -> Self {
        Self { target, choice, cooling: OnceCell::new() }
    }

    /// Until when it is passed over while there is another.
    pub(super) fn cooling_until(&self, observed: &dyn Observed) -> Option<u64> {
        *self.cooling.get_or_init(|| observed.cooling_until(&self.target))
    }

    /// Whether to ask the one is to ask the other.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let (Self { target: one, .. }, Self { target: other, .. }) = (self, other);
        one.model == other.model && one.provider.name == other.provider.name && one.account.name == other.account.name
    }
}
