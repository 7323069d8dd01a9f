//! What is otherwise than in the file, since somebody said so while the gateway ran.
//!
//! A change is a piece of the document that the file is: an entry of a section written anew, some members of one, or one less. So what
//! can be changed is read, checked and refused by the same words as the file, and the file with all changes in it is a file again.
//! All of them are one record that the workers share: whoever writes it writes it whole, on top of the one that he has read, and a
//! second writer is refused. Which one it is stands under a key of its own, because each request asks for that.
//!
//! A revoked key is no change: it is final. Its hash stays, whatever the file or a later change says.

mod current;
mod document;
mod fit;
mod latest;
mod merge;
mod section;

use alloc::{string::String, vec::Vec};

pub use self::{
    current::Current,
    fit::{Fitted, Misfit, fit},
    latest::{Latest, Standing},
};
pub(crate) use self::{
    document::Place,
    fit::blame,
    merge::{CREDENTIALS, HOLDERS, compose},
    section::{Form, SECTIONS, Section},
};
use crate::{
    host::{Conflict, Store, Version},
    store::{Reader, Writer},
};

/// Where the changes stand. It ends in the number of their layout.
const KEY: &str = "dragoman.changes.1";

/// Where it stands which ones they are.
const GENERATION_KEY: &str = "dragoman.changes.generation.1";

/// The SHA-256 of a key.
pub type Hash = [u8; 32];

/// All that is otherwise.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// One more with each change; 0 where there has been none.
    pub generation: u64,
    pub(crate) entries: Vec<Entry>,
    /// In the order of their hashes.
    revoked: Vec<Tombstone>,
}

/// What is otherwise of one entry of a section.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) section: &'static Section,
    pub(crate) name: String,
    pub(crate) change: Change,
}

/// What has become of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is this, whatever the file says.
    Written(String),
    /// These members are otherwise (RFC 7396): what the file says of the others counts.
    Merged(String),
    /// There is none.
    Removed,
}

/// What is left of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tombstone {
    hash: Hash,
    id: String,
}

impl Changes {
    /// What stands in the store, and which version of it that is.
    pub(crate) fn load(store: &dyn Store) -> (Self, Version) {
        let (bytes, version) = store.get(KEY).unwrap_or((Vec::new(), Version::ABSENT));
        (Self::read(&bytes).unwrap_or_default(), version)
    }

    /// Puts them in the place of those that were loaded.
    ///
    /// # Errors
    /// Somebody else has changed something since.
    pub(crate) fn save(&self, store: &dyn Store, version: Version) -> Result<(), Conflict> {
        store.put(KEY, &self.write(), version)?;
        latest::announce(store, self.generation)
    }

    /// What has become of an entry.
    pub(crate) fn get(&self, section: &Section, name: &str) -> Option<&Change> {
        let is_it = |entry: &&Entry| entry.section.name == section.name && entry.name == name;
        self.entries.iter().find(is_it).map(|entry| &entry.change)
    }

    /// What the change at this place among all is about.
    pub(crate) fn entry(&self, place: usize) -> Option<(&'static Section, &str)> {
        self.entries.get(place).map(|entry| (entry.section, entry.name.as_str()))
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// An entry becomes something; `None` where it is as in the file.
    pub(crate) fn set(&mut self, section: &'static Section, name: &str, change: Option<Change>) {
        let is_it = |entry: &Entry| entry.section.name == section.name && entry.name == name;
        let at = self.entries.iter().position(is_it);
        match (at.and_then(|at| self.entries.get_mut(at)), change) {
            (Some(entry), Some(change)) => entry.change = change,
            (None, Some(change)) => self.entries.push(Entry { section, name: name.into(), change }),
            (Some(_), None) => self.entries.retain(|entry| !is_it(entry)),
            (None, None) => {}
        }
    }

    /// A key is over, for good.
    pub(crate) fn revoke(&mut self, hash: Hash, id: &str) {
        if let Err(at) = self.revoked.binary_search_by_key(&hash, |tombstone| tombstone.hash) {
            self.revoked.insert(at, Tombstone { hash, id: id.into() });
        }
    }

    /// Whether a key is over.
    #[must_use]
    pub fn has_revoked(&self, hash: &Hash) -> bool {
        self.revoked.binary_search_by_key(hash, |tombstone| tombstone.hash).is_ok()
    }

    /// The keys that are over, in the order of their hashes, each with what it was called.
    pub(crate) fn revoked(&self) -> impl ExactSizeIterator<Item = (&Hash, &str)> {
        self.revoked.iter().map(|Tombstone { hash, id }| (hash, id.as_str()))
    }

    /// `None` where no version of the module has written it.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let mut changes = Self { generation: reader.u64()?, ..Self::default() };
        for _ in 0..reader.short()? {
            let section = reader.long_text()?;
            let section = SECTIONS.iter().find(|known| known.name == section)?;
            let name = reader.long_text()?.into();
            let kind = reader.u8()?;
            let mut text = || String::from(reader.long_text().unwrap_or_default());
            let change = match kind {
                0 => Change::Removed,
                1 => Change::Merged(text()),
                _ => Change::Written(text()),
            };
            changes.entries.push(Entry { section, name, change });
        }
        while !reader.is_at_end() {
            let mut hash = Hash::default();
            for byte in &mut hash {
                *byte = reader.u8()?;
            }
            changes.revoked.push(Tombstone { hash, id: reader.long_text()?.into() });
        }
        Some(changes)
    }

    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u64(self.generation);
        writer.short(u64::try_from(self.entries.len()).unwrap_or_default());
        for Entry { section, name, change } in &self.entries {
            writer.long_text(section.name);
            writer.long_text(name);
            match change {
                Change::Removed => writer.u8(0),
                Change::Merged(text) => {
                    writer.u8(1);
                    writer.long_text(text);
                }
                Change::Written(text) => {
                    writer.u8(2);
                    writer.long_text(text);
                }
            }
        }
        for Tombstone { hash, id } in &self.revoked {
            writer.0.extend_from_slice(hash);
            writer.long_text(id);
        }
        writer.0
    }
}

#[cfg(test)]
mod tests;
