//! How often each of a few things was seen, until that is told.

use alloc::{format, string::String, vec::Vec};

use crate::host::Meter;

/// How often each was seen. There are few.
#[derive(Debug)]
pub(super) struct Counts<T>(Vec<(T, u64)>);

impl<T> Default for Counts<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> Counts<T> {
    pub(super) fn add<Q: ?Sized + PartialEq<T>>(&mut self, seen: &Q, own: impl FnOnce() -> T) {
        match self.0.iter_mut().find(|(other, _)| seen == other) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.0.push((own(), 1)),
        }
    }
}

impl<T> Counts<T> {
    pub(super) fn tell(&mut self, meter: &dyn Meter, name: &str, label: impl Fn(&T) -> String) {
        for (seen, count) in self.0.drain(..) {
            meter.add(&format!("{name}{};", label(&seen)), count);
        }
    }
}
