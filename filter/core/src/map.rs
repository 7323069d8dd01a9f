//! Maps of this crate: `hashbrown`'s, with hashing that is compiled once.
//!
//! The usual hasher is inlined wherever a map is read, and twice where it grows: there is a copy of it, of multiplications that
//! take many instructions on 32 bits, for each pair of key and value in the module. Here those copies are calls; and since a
//! table's own code is copied as well, what is known by a name stands beside the one table of names, [`NameMap`].

use alloc::{borrow::Cow, vec::Vec};
use core::hash::{BuildHasher, Hasher};

use hashbrown::DefaultHashBuilder;

/// A map; `default()` makes an empty one.
pub(crate) type HashMap<K, V> = hashbrown::HashMap<K, V, Seed>;

/// Makes the hashers of one map.
#[derive(Debug, Clone)]
pub(crate) struct Seed(DefaultHashBuilder);

impl Default for Seed {
    #[inline(never)]
    fn default() -> Self {
        Self(DefaultHashBuilder::default())
    }
}

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

/// Values by name. The table is of places, so that it is the same whatever the values are.
#[derive(Debug)]
pub(crate) struct NameMap<'n, V> {
    places: HashMap<Cow<'n, str>, usize>,
    values: Vec<V>,
}

impl<V> Default for NameMap<'_, V> {
    fn default() -> Self {
        Self { places: HashMap::default(), values: Vec::new() }
    }
}

impl<'n, V> NameMap<'n, V> {
    pub(crate) const fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        self.values.get(place(&self.places, name)?)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.values.get_mut(place(&self.places, name)?)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        place(&self.places, name).is_some()
    }

    /// All of them with their names, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.places.iter().filter_map(|(name, place)| Some((&**name, self.values.get(*place)?)))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.values.iter()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut()
    }

    /// The value of this name, which is made where there is none yet.
    pub(crate) fn entry(&mut self, name: impl Into<Cow<'n, str>>, make: impl FnOnce() -> V) -> Option<&mut V> {
        let place = take_place(&mut self.places, name.into());
        if place == self.values.len() {
            self.values.push(make());
        }
        self.values.get_mut(place)
    }

    /// Sets a value; whether the name is new.
    pub(crate) fn insert(&mut self, name: impl Into<Cow<'n, str>>, value: V) -> bool {
        let place = take_place(&mut self.places, name.into());
        let old = self.values.get_mut(place);
        let is_new = old.is_none();
        match old {
            Some(old) => *old = value,
            None => self.values.push(value),
        }
        is_new
    }
}

impl<'n, N: Into<Cow<'n, str>>, V> FromIterator<(N, V)> for NameMap<'n, V> {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut all = Self::default();
        for (name, value) in pairs {
            all.insert(name, value);
        }
        all
    }
}

/// Names, each once.
#[derive(Debug, Default)]
pub(crate) struct NameSet<'n>(HashMap<Cow<'n, str>, usize>);

impl<'n> NameSet<'n> {
    pub(crate) fn contains(&self, name: &str) -> bool {
        place(&self.0, name).is_some()
    }

    /// Whether the name is new.
    pub(crate) fn insert(&mut self, name: impl Into<Cow<'n, str>>) -> bool {
        let before = self.0.len();
        take_place(&mut self.0, name.into());
        self.0.len() > before
    }
}

impl<'n, N: Into<Cow<'n, str>>> FromIterator<N> for NameSet<'n> {
    fn from_iter<I: IntoIterator<Item = N>>(names: I) -> Self {
        let mut all = Self::default();
        for name in names {
            all.insert(name);
        }
        all
    }
}

#[inline(never)]
fn place(places: &HashMap<Cow<'_, str>, usize>, name: &str) -> Option<usize> {
    places.get(name).copied()
}

/// The place of a name; the next one where it has none yet.
#[inline(never)]
fn take_place<'n>(places: &mut HashMap<Cow<'n, str>, usize>, name: Cow<'n, str>) -> usize {
    let next = places.len();
    *places.entry(name).or_insert(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn the_last_value_of_a_name_counts_and_the_first_place_stays() {
        let mut values: NameMap<'_, u8> = [("a", 1), ("b", 2), ("a", 3)].into_iter().collect();
        assert_eq!((values.len(), values.get("a"), values.get("b"), values.get("c")), (2, Some(&3), Some(&2), None));
        assert!(values.insert(String::from("c"), 4) && !values.insert("b", 5));
        assert_eq!(values.entry("d", || 6).copied(), Some(6));
        assert_eq!(values.entry("b", || 7).copied(), Some(5));
        if let Some(value) = values.get_mut("c") {
            *value = 8;
        }
        assert_eq!((values.get("c"), values.contains("d"), values.is_empty()), (Some(&8), true, false));
    }

    #[test]
    fn a_name_is_new_once() {
        let mut names: NameSet<'_> = ["a", "b", "a"].into_iter().collect();
        assert!(names.contains("a") && !names.contains("c"));
        assert!(names.insert("c") && !names.insert("b"));
    }
}
