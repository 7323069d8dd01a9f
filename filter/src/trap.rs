//! Ends this worker's VM when a request asks for it: only in a module of the tests' own.
//!
//! Between two writes, too: what one request changes stands under several keys of the store that workers share, and nobody finishes what a
//! worker began that is gone.

use std::{cell::Cell, process};

thread_local! {
    /// After how many writes it ends.
    static WRITES: Cell<Option<u32>> = const { Cell::new(None) };
}

/// It ends after so many writes from now on; at once after none.
pub(crate) fn set(writes: u32) {
    if writes == 0 {
        process::abort();
    }
    WRITES.set(Some(writes));
}

/// Something was written.
pub(crate) fn spring() {
    if let Some(writes) = WRITES.get() {
        set(writes.saturating_sub(1));
    }
}
