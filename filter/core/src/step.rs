//! Effects, as data: what the adapter is asked to do. Nothing here does anything.

use alloc::{borrow::Cow, rc::Rc, string::String, vec, vec::Vec};
use core::fmt;

use crate::{error::Kind, plan::Plan};

/// A header's name: most are known when this is compiled.
pub type Name = Cow<'static, str>;

/// What to do with the client's request.
#[derive(Debug)]
pub enum Step {
    /// Hold it; more must be known.
    Wait,
    /// Send it on: the plan's attempts prepare it for their targets.
    Forward(Rc<Plan>, HeaderEdits),
    /// Answer it.
    Reply(Reply),
}

/// A whole answer of the gateway's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers besides the status.
    pub headers: Vec<(Name, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What error it is, where it is one of the gateway's own.
    pub error: Option<Kind>,
}

impl Reply {
    /// An answer with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        let headers = vec![(Cow::Borrowed("content-type"), "application/json".into())];
        Self { status, headers, body, error: None }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((Cow::Borrowed(name), value.into()));
        self
    }
}

/// Changes to a header map: removals first, then the others replaced or added. A value may be a credential and is not printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct HeaderEdits {
    /// Names to remove.
    pub remove: Vec<Name>,
    /// Names to set.
    pub set: Vec<(Name, String)>,
}

impl HeaderEdits {
    /// These and then the later ones, as one: each call to the host costs, so what is set again is not removed or set before.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        let Self { mut remove, mut set } = later;
        let is_set = |name: &Name| set.iter().any(|(other, _)| other == name);
        let earlier: Vec<_> =
            self.set.into_iter().filter(|(name, _)| !is_set(name) && !remove.contains(name)).collect();
        remove.extend(self.remove.into_iter().filter(|name| !is_set(name)));
        set.extend(earlier);
        Self { remove, set }
    }
}

impl fmt::Debug for HeaderEdits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: Vec<_> = self.set.iter().map(|(name, _)| name).collect();
        f.debug_struct("HeaderEdits").field("remove", &self.remove).field("set", &set).finish()
    }
}

/// What to do with a piece of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// Let it pass as it came.
    Keep,
    /// Send this in its place.
    Replace(Vec<u8>),
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    /// A header map, as the host changes it.
    fn apply(map: &mut Vec<(String, String)>, edits: &HeaderEdits) {
        map.retain(|(name, _)| !edits.remove.iter().any(|gone| gone == name));
        for (name, value) in &edits.set {
            map.retain(|(other, _)| other != name);
            map.push((name.clone().into_owned(), value.clone()));
        }
    }

    fn some_edits() -> impl Strategy<Value = HeaderEdits> {
        let name = || prop::sample::select(vec!["a", "b", "c"]).prop_map(Cow::Borrowed);
        let set = prop::collection::vec((name(), "[xyz]"), 0..3);
        (prop::collection::vec(name(), 0..3), set).prop_map(|(remove, set)| HeaderEdits { remove, set })
    }

    proptest! {
        #[test]
        fn changes_at_once_are_the_changes_one_after_the_other(first in some_edits(), later in some_edits()) {
            let map = vec![("a".into(), "1".into()), ("b".into(), "2".into()), ("a".into(), "3".into())];
            let (mut by_turns, mut at_once) = (map.clone(), map);
            apply(&mut by_turns, &first);
            apply(&mut by_turns, &later);
            apply(&mut at_once, &first.then(later));
            by_turns.sort();
            at_once.sort();
            prop_assert_eq!(by_turns, at_once);
        }
    }

    #[test]
    fn of_changes_to_a_head_the_names_are_printed_and_no_value() {
        let set = vec![(Cow::Borrowed("authorization"), "Bearer sk-secret".into())];
        let printed = format!("{:?}", HeaderEdits { remove: vec![Cow::Borrowed("x-api-key")], set });
        assert_eq!(printed, r#"HeaderEdits { remove: ["x-api-key"], set: ["authorization"] }"#);
    }
}
