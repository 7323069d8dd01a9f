//! Maps and sets of this crate: `hashbrown`'s, with hashing that is compiled once.
//!
//! The usual hasher is inlined wherever a map is read, and twice where it grows: there is a copy of it, of multiplications that
//! take many instructions on 32 bits, for each pair of key and value in the module. Here those copies are calls.

use core::hash::{BuildHasher, Hasher};

use hashbrown::DefaultHashBuilder;

/// A map; `default()` makes an empty one.
pub(crate) type HashMap<K, V> = hashbrown::HashMap<K, V, Seed>;

/// A set; `default()` makes an empty one.
pub(crate) type HashSet<T> = hashbrown::HashSet<T, Seed>;

/// Makes the hashers of one map.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seed(DefaultHashBuilder);

/// The usual hasher, called.
pub(crate) struct Called(<DefaultHashBuilder as BuildHasher>::Hasher);

impl BuildHasher for Seed {
    type Hasher = Called;

    #[inline]
    fn build_hasher(&self) -> Called {
        Called(self.0.build_hasher())
    }
}

impl Hasher for Called {
    #[inline(never)]
    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    #[inline(never)]
    fn write_u8(&mut self, number: u8) {
        self.0.write_u8(number);
    }

    #[inline(never)]
    fn finish(&self) -> u64 {
        self.0.finish()
    }
}
