//! The members of a small object as written: order, duplicates and number spellings kept.
//!
//! `flatten` with `&RawValue` fails at run time and `Value` reorders, merges and rounds; a visitor does neither.

use alloc::vec::Vec;
use core::fmt;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Str, read};

struct Members<'a>(Vec<(Str<'a>, &'a RawValue)>);

/// The members of an object; `None` where the text is not one.
#[must_use]
pub fn members(text: &str) -> Option<Vec<(Str<'_>, &RawValue)>> {
    read::<Members<'_>>(text).ok().map(|members| members.0)
}

/// The first of these members that has this name.
#[must_use]
pub fn member<'a>(members: &[(Str<'_>, &'a RawValue)], name: &str) -> Option<&'a RawValue> {
    members.iter().find(|(other, _)| &**other == name).map(|(_, value)| *value)
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
}
