//! One level of a JSON value: what a section reader looks at before it decides to go deeper.
//!
//! Not `serde_json::Value`, which merges duplicate keys, reorders members, rounds numbers and recurses into everything. A
//! [`Node`] is opened one level at a time: members keep their order and duplicates, numbers their spelling, and what no
//! section asks for is never opened, so that depth is bounded by the configuration's own shape.

use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// A member of an object: its name, and its value still unopened.
pub(super) type Member<'a> = (Cow<'a, str>, &'a RawValue);

/// A JSON value, opened one level.
#[derive(Debug)]
pub(super) enum Node<'a> {
    Null,
    Flag(bool),
    /// As spelled: `5.00` stays `5.00`.
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<&'a RawValue>),
    Object(Vec<Member<'a>>),
}

impl<'a> Node<'a> {
    /// Opens a value whose syntax was checked when it was cut out; what can still fail is a string escape that names no
    /// character, because skipping over a string does not decode it.
    pub(super) fn open(raw: &'a RawValue) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'{') => serde_json::from_str(text).map(|Members(members)| Self::Object(members)),
            Some(b'[') => serde_json::from_str(text).map(Self::List),
            Some(b'"') => serde_json::from_str(text).map(|Text(text)| Self::Text(text)),
            Some(b't') => Ok(Self::Flag(true)),
            Some(b'f') => Ok(Self::Flag(false)),
            Some(b'n') => Ok(Self::Null),
            _ => Ok(Self::Number(text)),
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

/// An object's members as written. A serde map would keep one of two equal keys.
struct Members<'a>(Vec<Member<'a>>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// A string, borrowed unless it has escapes; serde's own `Cow` always copies.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;

        impl<'de> Visitor<'de> for Take {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.into())))
            }
        }

        deserializer.deserialize_str(Take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(json: &str) -> Node<'_> {
        Node::open(serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn members_keep_their_order_and_their_duplicates() {
        let Node::Object(members) = open(r#"{"b":1,"a":2,"b":3}"#) else { panic!() };
        let seen: Vec<_> = members.iter().map(|(name, value)| (name.as_ref(), value.get())).collect();
        assert_eq!(seen, [("b", "1"), ("a", "2"), ("b", "3")]);
    }

    #[test]
    fn numbers_keep_their_spelling() {
        for spelling in ["5.00", "1e400", "-0", "123456789012345678901234567890"] {
            assert!(matches!(open(spelling), Node::Number(text) if text == spelling));
        }
    }

    #[test]
    fn strings_are_borrowed_unless_escaped() {
        assert!(matches!(open(r#""plain""#), Node::Text(Cow::Borrowed("plain"))));
        assert!(matches!(open(r#""a\nb""#), Node::Text(Cow::Owned(text)) if text == "a\nb"));
    }

    #[test]
    fn an_escape_that_is_no_character_is_refused() {
        assert!(Node::open(serde_json::from_str(r#""\ud800""#).unwrap()).is_err());
    }
}
