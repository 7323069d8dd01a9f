//! One level of a JSON value: what a section reader looks at before it decides to go deeper.
//!
//! Not `serde_json::Value`, which merges duplicate keys, reorders members, rounds numbers and recurses into everything. A
//! [`Node`] is opened one level at a time: members keep their order and duplicates, numbers their spelling, and what no
//! section asks for is never opened, so that depth is bounded by the configuration's own shape.

use alloc::vec::Vec;

use serde_json::value::RawValue;

use crate::json::{self, Str, members};

/// A member of an object: its name, and its value still unopened.
pub(super) type Member<'a> = (Str<'a>, &'a RawValue);

/// A JSON value, opened one level.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Null,
    Flag(bool),
    /// As spelled: `5.00` stays `5.00`.
    Number(&'a str),
    Text(Str<'a>),
    List(Vec<&'a RawValue>),
    Object(Vec<Member<'a>>),
}

impl<'a> Node<'a> {
    /// Opens a value whose syntax was checked when it was cut out; what can still fail is a string escape that names no
    /// character, because skipping over a string does not decode it.
    pub(super) fn open(raw: &'a RawValue) -> Option<Self> {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => members(text).map(Self::Object),
            Some(b'[') => json::read(text).ok().map(Self::List),
            Some(b'"') => json::read(text).ok().map(Self::Text),
            Some(b't') => Some(Self::Flag(true)),
            Some(b'f') => Some(Self::Flag(false)),
            Some(b'n') => Some(Self::Null),
            _ => Some(Self::Number(text)),
        }
    }

    /// What it is, for a sentence: "found …". Never the value, which may be a secret.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Flag(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "a mapping",
        }
    }
}

/// Whether a mapping is written; whether it can be read is another matter.
pub(super) fn is_mapping(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

/// The same of a list.
pub(super) fn is_list(raw: &RawValue) -> bool {
    raw.get().starts_with('[')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(json: &str) -> Node<'_> {
        Node::open(serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn numbers_keep_their_spelling() {
        for spelling in ["5.00", "1e400", "-0", "123456789012345678901234567890"] {
            assert!(matches!(open(spelling), Node::Number(text) if text == spelling));
        }
    }
}
