//! Records that all workers of the process share, and the one way to change them.
//!
//! A worker reads a record, changes its copy and puts it back; where another one was faster, it does the same again with what
//! that one wrote. A change is thus a pure function that may run several times, and none is ever lost.
//!
//! The keys are fixed: no value ever goes away. A key says which layout its bytes have, because two versions of the module run
//! side by side while one is replaced, and neither may take the other's bytes for its own or write over them.

mod memory;
mod wire;

pub use self::memory::Memory;
pub(crate) use self::wire::{Reader, Writer};

use alloc::vec::Vec;

use crate::host::{Conflict, Store, Version};

/// What stands under one key.
pub trait Record: Default {
    /// Where it stands. It ends in the number of its layout.
    const KEY: &'static str;

    /// What the bytes say; bytes that no worker has written say nothing.
    fn read(bytes: &[u8]) -> Self;

    /// The bytes; none for a record that says nothing.
    fn write(&self) -> Vec<u8>;
}

/// Whoever loses loses to one that has won, so that even many workers are through after a few tries. A host that refuses
/// everything must not keep a worker for ever.
const MOST_TRIES: usize = 1_000;

/// Changes a record, and tells what it is then.
///
/// # Errors
/// The host refuses: nothing was changed.
pub fn update<R: Record, T>(store: &dyn Store, change: impl Fn(&mut R) -> T) -> Result<(R, T), Conflict> {
    update_at(store, R::KEY, |before| {
        let mut record = R::read(before);
        let result = change(&mut record);
        (record.write(), (record, result))
    })
}

/// Changes the bytes under a key: for records of one kind under several keys.
///
/// # Errors
/// The host refuses: nothing was changed.
pub(crate) fn update_at<T>(
    store: &dyn Store,
    key: &str,
    change: impl Fn(&[u8]) -> (Vec<u8>, T),
) -> Result<T, Conflict> {
    for _ in 0..MOST_TRIES {
        let (before, version) = store.get(key).unwrap_or((Vec::new(), Version::ABSENT));
        let (after, result) = change(&before);
        if after == before || store.put(key, &after, version).is_ok() {
            return Ok(result);
        }
    }
    Err(Conflict)
}

#[cfg(test)]
mod tests {
    use alloc::rc::Rc;

    use super::*;

    /// Whoever has signed.
    #[derive(Default)]
    struct Guests(Vec<u8>);

    impl Record for Guests {
        const KEY: &'static str = "guests.1";

        fn read(bytes: &[u8]) -> Self {
            Self(bytes.to_vec())
        }

        fn write(&self) -> Vec<u8> {
            self.0.clone()
        }
    }

    fn sign(store: &dyn Store, name: u8) {
        assert!(update(store, |guests: &mut Guests| guests.0.push(name)).is_ok());
    }

    #[test]
    fn two_workers_that_insert_first_lose_nothing() {
        let store = Rc::new(Memory::default());
        let other = Rc::clone(&store);
        store.before_next_put(move || sign(&*other, b'b'));
        sign(&*store, b'a');
        assert_eq!(Guests::read(&store.get(Guests::KEY).unwrap().0).0, b"ba");
    }

    #[test]
    fn a_change_that_changes_nothing_writes_nothing() {
        let store = Memory::default();
        assert!(update(&store, |_: &mut Guests| ()).is_ok());
        assert!(store.get(Guests::KEY).is_none());
        sign(&store, b'a');
        let (_, version) = store.get(Guests::KEY).unwrap();
        assert!(update(&store, |guests: &mut Guests| guests.0.truncate(1)).is_ok());
        assert_eq!(store.get(Guests::KEY).unwrap().1, version);
    }

    #[test]
    fn a_host_that_refuses_everything_keeps_nobody() {
        let store = Memory::default();
        sign(&store, b'a');
        store.inject_conflicts(u32::MAX);
        assert_eq!(update(&store, |guests: &mut Guests| guests.0.push(b'b')).err(), Some(Conflict));
    }
}
