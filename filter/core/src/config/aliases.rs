//! What aliases lead to: a walk along them, as far as it goes.
//!
//! They are not expanded when the file is read: of `{a1: [m1, a2], a2: [m2, a3], …}` the expansions together are as long as the
//! square of the file. Whoever asks for an alias walks, and no walk is longer than [`MAX_NAMES`], whatever the file says; a file
//! with a longer way is refused (`check/routes.rs`), so that a walk that is cut short never reaches a running gateway.

use crate::map::NameSet;
use alloc::{string::String, vec, vec::Vec};
use core::slice;

/// Most names that an alias may lead to, those of other aliases on the way included.
pub(crate) const MAX_NAMES: usize = 256;

/// The models at the end of an alias's ways, each once. What is an alias itself gives way to what it stands for.
pub(crate) struct Ends<'a, F> {
    find: F,
    /// What is still to be walked, one list in another; not by recursion, whose depth a file would decide.
    open: Vec<slice::Iter<'a, String>>,
    seen: NameSet<'a>,
    steps_left: usize,
    is_cut: bool,
}

/// Walks from an alias that stands for these names; `find` says what another stands for.
pub(crate) fn ends<'a, F>(names: &'a [String], find: F) -> Ends<'a, F>
where
    F: Fn(&str) -> Option<&'a [String]>,
{
    Ends { find, open: vec![names.iter()], seen: NameSet::default(), steps_left: MAX_NAMES, is_cut: false }
}

impl<F> Ends<'_, F> {
    /// Whether the walk ended before the ways did.
    pub(crate) const fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl<'a, F: Fn(&str) -> Option<&'a [String]>> Iterator for Ends<'a, F> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let Some(name) = self.open.last_mut()?.next() else {
                self.open.pop();
                continue;
            };
            let Some(left) = self.steps_left.checked_sub(1) else {
                self.is_cut = true;
                self.open.clear();
                return None;
            };
            self.steps_left = left;
            if !self.seen.insert(name) {
                continue;
            }
            match (self.find)(name) {
                Some(names) => self.open.push(names.iter()),
                None => return Some(name),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString};

    use crate::map::HashMap;

    use super::*;

    type Aliases = HashMap<String, Vec<String>>;

    fn aliases(rows: &[(&str, &[&str])]) -> Aliases {
        rows.iter().map(|(name, names)| ((*name).into(), names.iter().map(ToString::to_string).collect())).collect()
    }

    fn walk<'a>(aliases: &'a Aliases, name: &str) -> (Vec<&'a str>, bool) {
        let mut walk = ends(&aliases[name], |name: &str| aliases.get(name).map(Vec::as_slice));
        (walk.by_ref().collect(), walk.is_cut())
    }

    #[test]
    fn a_way_is_walked_to_its_end_before_the_next_and_each_end_is_named_once() {
        let aliases = aliases(&[("a", &["m", "b", "n", "m"]), ("b", &["o", "c", "n"]), ("c", &["p", "m"])]);
        assert_eq!(walk(&aliases, "a"), (["m", "o", "p", "n"].to_vec(), false));
        assert_eq!(walk(&aliases, "c"), (["p", "m"].to_vec(), false));
    }

    #[test]
    fn a_circle_ends() {
        let aliases = aliases(&[("a", &["b"]), ("b", &["a", "m"])]);
        assert_eq!(walk(&aliases, "a"), (["m"].to_vec(), false));
    }

    #[test]
    fn a_way_that_is_too_long_is_cut() {
        let chain = |length: usize| -> Aliases {
            let row = |index: usize| (format!("a{index}"), [format!("a{}", index + 1)].to_vec());
            (1..=length).map(row).collect()
        };
        assert_eq!(walk(&chain(MAX_NAMES), "a1"), ([format!("a{}", MAX_NAMES + 1).as_str()].to_vec(), false));
        assert_eq!(walk(&chain(MAX_NAMES + 1), "a1"), ([].to_vec(), true));
        let wide: Vec<String> = (0..=MAX_NAMES).map(|index| format!("m{index}")).collect();
        let wide = Aliases::from_iter([("a".into(), wide)]);
        let (models, is_cut) = walk(&wide, "a");
        assert_eq!((models.len(), is_cut), (MAX_NAMES, true));
    }
}
