//! Effects, as data: what the adapter is asked to do. Nothing here does anything.

use alloc::{borrow::Cow, rc::Rc, string::String, vec, vec::Vec};
use core::fmt;

use crate::plan::Plan;

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
}

impl Reply {
    /// An answer with a JSON body.
    #[must_use]
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: vec![(Cow::Borrowed("content-type"), "application/json".into())], body }
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

    use super::*;

    #[test]
    fn of_changes_to_a_head_the_names_are_printed_and_no_value() {
        let set = vec![(Cow::Borrowed("authorization"), "Bearer sk-secret".into())];
        let printed = format!("{:?}", HeaderEdits { remove: vec![Cow::Borrowed("x-api-key")], set });
        assert_eq!(printed, r#"HeaderEdits { remove: ["x-api-key"], set: ["authorization"] }"#);
    }
}
