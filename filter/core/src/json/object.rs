//! The members of a small object as written: order, duplicates and number spellings kept.
//!
//! `flatten` with `&RawValue` fails at run time and `Value` reorders, merges and rounds; a visitor does neither.

use alloc::vec::Vec;
use core::{fmt, marker::PhantomData};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde_json::value::RawValue;

use super::Str;

struct Members<'a>(Vec<(Str<'a>, &'a RawValue)>);

/// The members of an object; `None` where the text is not one.
#[must_use]
pub fn members(text: &str) -> Option<Vec<(Str<'_>, &RawValue)>> {
    serde_json::from_str::<Members<'_>>(text).ok().map(|members| members.0)
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// What is written as an object. A derived struct can also be read from an array, which no API means.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Only<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Only(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn order_duplicates_and_spelling_are_kept() {
        let members = members(r#"{"b":1.50,"a":{"x": 1},"b":1e400}"#).unwrap();
        let found: Vec<_> = members.iter().map(|(name, value)| (&**name, value.get())).collect();
        assert_eq!(found, vec![("b", "1.50"), ("a", r#"{"x": 1}"#), ("b", "1e400")]);
        assert!(super::members("[]").is_none());
    }

    #[test]
    fn a_list_is_no_object() {
        #[derive(serde::Deserialize)]
        struct Pair<'a> {
            #[serde(borrow)]
            a: &'a RawValue,
            b: u8,
        }
        let pair: Object<Pair<'_>> = serde_json::from_str(r#"{"a": [1.50], "b": 2, "c": 3}"#).unwrap();
        assert_eq!((pair.0.a.get(), pair.0.b), ("[1.50]", 2));
        assert!(serde_json::from_str::<Pair<'_>>("[1, 2]").is_ok());
        assert!(serde_json::from_str::<Object<Pair<'_>>>("[1, 2]").is_err());
    }
}
