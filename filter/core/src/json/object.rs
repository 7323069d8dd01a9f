//! The members of a small object as written: order, duplicates and number spellings kept.
//!
//! `flatten` with `&RawValue` fails at run time and `Value` reorders, merges and rounds; a visitor does neither.

use alloc::{string::String, vec::Vec};
use serde_json::value::RawValue;

use super::{
    Str,
    document::{Members, Object, Slot, fill},
};

/// The members of an object; `None` where the text is not one.
#[must_use]
#[inline(never)]
pub fn members(text: &str) -> Option<Vec<(Str<'_>, &RawValue)>> {
    let mut members = Vec::new();
    fill(text, Slot::Object(Object::Members(&mut members))).ok()?;
    Some(members)
}

/// The first of these members that has this name.
#[must_use]
#[inline(never)]
pub fn member<'a>(members: &[(Str<'_>, &'a RawValue)], name: &str) -> Option<&'a RawValue> {
    members.iter().find(|(other, _)| &**other == name).map(|(_, value)| *value)
}

/// The text that this member is, where it is one.
#[must_use]
#[inline(never)]
pub fn text_of(members: &[(Str<'_>, &RawValue)], name: &str) -> Option<String> {
    serde_json::from_str(member(members, name)?.get()).ok()
}

impl<'a> Members<'a> for Vec<(Str<'a>, &'a RawValue)> {
    fn member(&mut self, name: Str<'a>, value: &'a RawValue) {
        self.push((name, value));
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
