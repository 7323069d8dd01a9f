//! Who shares a count, and where it stands.
//!
//! No value in the shared store ever goes away, and subjects come and go: so there is a fixed number of places, and each subject
//! has the one that its hash says. The hash has a key that is drawn once, so that names which meet in one place here do not meet
//! elsewhere. Who finds it out gains no more than a count that is shared, and lets in fewer.

use alloc::{format, string::String, vec::Vec};

use crate::{
    host::{Conflict, Entropy, Store},
    store::{Reader, Writer, update_at},
};

use super::sip;

/// How many places there are: 32 subjects fit in each.
const PLACES: u64 = 4_096;

/// Ends in the number of its layout.
const SEED_KEY: &str = "dragoman.limit.seed.1";

/// Who shares a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A key, by its identifier. Without one, all that ask without a key.
    Key(Option<&'a str>),
    /// A team, and the environment that defines it where that is not the top level.
    Team(&'a str, Option<&'a str>),
    /// An environment; without one, the top level.
    Environment(Option<&'a str>),
    /// Everybody.
    Global,
    /// Keys with this value of this label.
    Label(&'a str, &'a str),
}

/// The key of the hash: the same for all workers of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(u64, u64);

/// A subject, as the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(u64);

impl Subject<'_> {
    /// As a service knows it. Of one limit no two have the same.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Subject::Key(None) => "key".into(),
            Subject::Key(Some(id)) => ["key/", id].concat(),
            Subject::Team(name, None) => ["team/", name].concat(),
            // By the length it is known where one name ends.
            Subject::Team(name, Some(environment)) => format!("environment/{}/{environment}/{name}", environment.len()),
            Subject::Environment(None) => "environment".into(),
            Subject::Environment(Some(name)) => ["environment/", name].concat(),
            Subject::Global => "global".into(),
            Subject::Label(_, value) => ["label/", value].concat(),
        }
    }
}

impl Seed {
    /// The seed that the workers share; whoever is first draws it.
    ///
    /// # Errors
    /// The host refuses to keep it.
    pub fn load(store: &dyn Store, entropy: &dyn Entropy) -> Result<Self, Conflict> {
        let drawn = Self(entropy.draw(), entropy.draw());
        update_at(store, SEED_KEY, |before| match Self::read(before) {
            Some(seed) => (before.into(), seed),
            None => (drawn.write(), drawn),
        })
    }

    /// Where a subject stands.
    #[must_use]
    pub fn address(self, subject: Subject<'_>) -> Address {
        let mut bytes = Writer::default();
        let (tag, names) = match subject {
            Subject::Key(id) => (1, [id, None]),
            Subject::Team(name, environment) => (2, [Some(name), environment]),
            Subject::Environment(name) => (3, [name, None]),
            Subject::Global => (4, [None, None]),
            Subject::Label(name, value) => (5, [Some(name), Some(value)]),
        };
        bytes.u8(tag);
        for name in names {
            // Whole, and behind its length: no two subjects have the same bytes.
            bytes.u64(name.map_or(u64::MAX, |name| u64::try_from(name.len()).unwrap_or(u64::MAX)));
            bytes.0.extend_from_slice(name.unwrap_or_default().as_bytes());
        }
        Address(sip::hash((self.0, self.1), &bytes.0))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let seed = Self(reader.u64()?, reader.u64()?);
        reader.is_at_end().then_some(seed)
    }

    fn write(self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.0);
        writer.u64(self.1);
        writer.0
    }
}

impl Address {
    /// All that have no room of their own at their place.
    pub(super) const OTHERS: Self = Self(0);

    pub(super) fn place(self) -> u64 {
        self.0 % PLACES
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.u64().map(Self)
    }

    pub(super) fn write(self, writer: &mut Writer) {
        writer.u64(self.0);
    }
}

/// The key of a place; it ends in the number of the layout.
pub(super) fn key(place: u64) -> String {
    format!("dragoman.limit.{place}.2")
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, rc::Rc};

    use super::*;
    use crate::{host::Version, store::Memory};

    struct Always(u64);
    impl Entropy for Always {
        fn draw(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn all_workers_have_the_seed_of_the_first() {
        let store = Rc::new(Memory::default());
        let other = Rc::clone(&store);
        store.before_next_put(move || _ = Seed::load(&*other, &Always(1)).unwrap());
        assert_eq!(Seed::load(&*store, &Always(2)), Ok(Seed(1, 1)));
        assert_eq!(Seed::load(&*store, &Always(3)), Ok(Seed(1, 1)));
    }

    #[test]
    fn bytes_that_nobody_wrote_are_no_seed() {
        let store = Memory::default();
        store.put(SEED_KEY, b"short", Version::ABSENT).unwrap();
        assert_eq!(Seed::load(&store, &Always(2)), Ok(Seed(2, 2)));
    }

    #[test]
    fn no_two_subjects_have_one_address() {
        let subjects = [
            Subject::Key(None),
            Subject::Key(Some("")),
            Subject::Key(Some("ab")),
            Subject::Team("ab", None),
            Subject::Team("a", Some("b")),
            Subject::Team("ab", Some("")),
            Subject::Environment(None),
            Subject::Environment(Some("ab")),
            Subject::Global,
            Subject::Label("a", "b"),
            Subject::Label("ab", ""),
            Subject::Label("", "ab"),
        ];
        let addresses: BTreeSet<_> = subjects.iter().map(|subject| Seed(1, 2).address(*subject)).collect();
        assert_eq!(addresses.len(), subjects.len());
        assert!(addresses.iter().all(|address| address.place() < PLACES));
    }
}
