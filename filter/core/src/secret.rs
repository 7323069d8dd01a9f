//! What is not to be seen where the rest of a structure is printed: a credential, or a head that has one.
//!
//! Not a rule that such structures are never printed: one `{:?}` in a log line or in a failed test is enough, and a derived
//! `Debug` reaches through everything that holds them.

use alloc::string::String;
use core::fmt;

/// Something secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// From now on it is one.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret itself, for where it belongs.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
