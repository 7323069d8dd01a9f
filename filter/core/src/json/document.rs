//! Reads what a document says into the types that say what they want of it.
//!
//! Why not serde's derive: what it makes of a struct is compiled for each, with a way out at each member that drops all the others,
//! and half of it is for arrays, which no API means by an object. Here a struct is a table of names and of [`Slot`]s, and one reader
//! reads them all: a quarter of the code.
//!
//! As with a derived one, members that are not known are passed over, one that stands twice is an error, and so is one that is
//! missing and needed.

use alloc::{borrow::Cow, string::String, vec::Vec};
use core::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Error, value::RawValue};

use super::Str;

/// Reads a whole document.
///
/// # Errors
/// Where it is not JSON, or not of this type.
pub fn read<'a, T: Read<'a>>(text: &'a str) -> Result<T, Error> {
    let mut value = T::empty();
    fill(text, value.slot())?;
    Ok(value)
}

/// Reads a whole document into a slot.
pub(crate) fn fill<'a>(text: &'a str, slot: Slot<'_, 'a>) -> Result<(), Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    slot.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// What can be read.
pub trait Read<'a>: Sized {
    /// Whether an object that has it as a member must say it.
    const IS_NEEDED: bool = true;

    /// It before anything is read.
    fn empty() -> Self;

    /// Where it is read into.
    fn slot(&mut self) -> Slot<'_, 'a>;

    /// Where it is read into if it is something.
    fn maybe(value: &mut Option<Self>) -> Slot<'_, 'a> {
        Slot::Maybe(value)
    }
}

/// Where a value is read into, by what it must be.
#[expect(missing_debug_implementations, reason = "it lives as long as the reading")]
pub enum Slot<'s, 'a> {
    /// A string.
    Text(&'s mut Cow<'a, str>),
    /// The same, with nothing in it that is no character.
    String(&'s mut String),
    /// Anything, as it is written.
    Raw(&'s mut &'a RawValue),
    /// A boolean.
    Flag(&'s mut bool),
    /// A number.
    Number(&'s mut f64),
    /// A whole number.
    Signed(&'s mut i64),
    /// A whole number that is not negative.
    Whole(&'s mut dyn Whole),
    /// Anything, of which the slot makes what it can.
    Spelled(&'s mut dyn Spelled<'a>),
    /// Nothing, or a string.
    MaybeText(&'s mut Option<Str<'a>>),
    /// Nothing, or anything, as it is written.
    MaybeRaw(&'s mut Option<&'a RawValue>),
    /// Nothing, or what there is room for.
    Maybe(&'s mut dyn Room<'a>),
    /// A list of what there is room for.
    List(&'s mut dyn Room<'a>),
    /// An object.
    Object(Object<'s, 'a>),
}

/// Where an object is read into.
#[expect(missing_debug_implementations, reason = "it lives as long as the reading")]
pub enum Object<'s, 'a> {
    /// Of known members.
    Record(&'s mut dyn Record<'a>),
    /// Of any.
    Members(&'s mut dyn Members<'a>),
}

/// A whole number of some size.
pub trait Whole {
    /// Whether the number fits, which it is from now on.
    fn set(&mut self, number: u64) -> bool;
}

/// What no value is wrong for.
pub trait Spelled<'a> {
    /// Takes the value as it is written.
    fn spell(&mut self, json: &'a str);
}

/// What holds others.
pub trait Room<'a> {
    /// Where the next one is read into.
    fn room(&mut self) -> Slot<'_, 'a>;
}

/// An object of known members, at most 32: see [`super::record!`].
pub trait Record<'a> {
    /// Their names.
    fn names(&self) -> &'static [&'static str];

    /// Those of them that it must have, a bit each.
    fn needed(&self) -> u32;

    /// Where the one at this place among them is read into.
    fn member(&mut self, place: usize) -> Option<Slot<'_, 'a>>;
}

/// An object of any members.
pub trait Members<'a> {
    /// Takes the next one.
    fn member(&mut self, name: Str<'a>, value: &'a RawValue);
}

macro_rules! plain {
    ($($type:ty, $empty:expr, $slot:ident, $maybe:ident, $is_needed:expr;)*) => {
        $(impl<'a> Read<'a> for $type {
            const IS_NEEDED: bool = $is_needed;

            fn empty() -> Self {
                $empty
            }

            fn slot(&mut self) -> Slot<'_, 'a> {
                Slot::$slot(self)
            }

            fn maybe(value: &mut Option<Self>) -> Slot<'_, 'a> {
                Slot::$maybe(value)
            }
        })*
    };
}

// Where a member counts or places something, nothing is zero.
plain! {
    Cow<'a, str>, Cow::Borrowed(""), Text, Maybe, true;
    String, String::new(), String, Maybe, true;
    &'a RawValue, RawValue::NULL, Raw, MaybeRaw, true;
    bool, false, Flag, Maybe, true;
    f64, 0.0, Number, Maybe, true;
    i64, 0, Signed, Maybe, true;
    u64, 0, Whole, Maybe, false;
    u32, 0, Whole, Maybe, false;
    u16, 0, Whole, Maybe, false;
    usize, 0, Whole, Maybe, false;
}

impl<'a> Read<'a> for Str<'a> {
    fn empty() -> Self {
        Self::default()
    }

    fn slot(&mut self) -> Slot<'_, 'a> {
        self.0.slot()
    }

    fn maybe(value: &mut Option<Self>) -> Slot<'_, 'a> {
        Slot::MaybeText(value)
    }
}

impl<T: TryFrom<u64>> Whole for T {
    fn set(&mut self, number: u64) -> bool {
        let number = T::try_from(number).ok();
        number.map(|number| *self = number).is_some()
    }
}

impl<'a, T: Read<'a>> Read<'a> for Option<T> {
    const IS_NEEDED: bool = false;

    fn empty() -> Self {
        None
    }

    fn slot(&mut self) -> Slot<'_, 'a> {
        T::maybe(self)
    }
}

impl<'a, T: Read<'a>> Room<'a> for Option<T> {
    fn room(&mut self) -> Slot<'_, 'a> {
        self.insert(T::empty()).slot()
    }
}

impl<'a, T: Read<'a>> Read<'a> for Vec<T> {
    fn empty() -> Self {
        Self::new()
    }

    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::List(self)
    }
}

impl<'a, T: Read<'a>> Room<'a> for Vec<T> {
    fn room(&mut self) -> Slot<'_, 'a> {
        self.push_mut(T::empty()).slot()
    }
}

impl<'de> DeserializeSeed<'de> for Slot<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self {
            Self::Text(text) => *text = Str::deserialize(deserializer)?.0,
            Self::String(text) => *text = String::deserialize(deserializer)?,
            Self::Raw(raw) => *raw = Deserialize::deserialize(deserializer)?,
            Self::Flag(flag) => *flag = bool::deserialize(deserializer)?,
            Self::Number(number) => *number = f64::deserialize(deserializer)?,
            Self::Signed(number) => *number = i64::deserialize(deserializer)?,
            Self::Whole(whole) => {
                if !whole.set(u64::deserialize(deserializer)?) {
                    return Err(D::Error::custom("too large a number"));
                }
            }
            Self::Spelled(spelled) => spelled.spell(<&RawValue>::deserialize(deserializer)?.get()),
            Self::MaybeText(text) => *text = Option::deserialize(deserializer)?,
            Self::MaybeRaw(raw) => *raw = Option::deserialize(deserializer)?,
            Self::Maybe(room) => deserializer.deserialize_option(Holder(room))?,
            Self::List(room) => deserializer.deserialize_seq(Holder(room))?,
            Self::Object(object) => deserializer.deserialize_map(object)?,
        }
        Ok(())
    }
}

/// Reads what there is room for.
struct Holder<'s, 'a>(&'s mut dyn Room<'a>);

impl<'de> DeserializeSeed<'de> for Holder<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.room().deserialize(deserializer)
    }
}

impl<'de> Visitor<'de> for Holder<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or nothing")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(Holder(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let record = match self {
            Self::Record(record) => record,
            Self::Members(all) => {
                while let Some((name, value)) = members.next_entry()? {
                    all.member(name, value);
                }
                return Ok(());
            }
        };
        let (names, mut seen) = (record.names(), 0_u32);
        while let Some(place) = members.next_key_seed(Name(names))? {
            let Some(slot) = record.member(place) else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            let bit = 1_u32.wrapping_shl(u32::try_from(place).unwrap_or_default());
            if seen & bit != 0 {
                return Err(A::Error::custom("a member stands twice"));
            }
            seen |= bit;
            members.next_value_seed(slot)?;
        }
        if record.needed() & !seen != 0 {
            return Err(A::Error::custom("a member is missing"));
        }
        Ok(())
    }
}

/// The place of a name among those that are known; behind them where it is not.
struct Name(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<usize, E> {
        Ok(self.0.iter().position(|known| *known == name).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::record;
    use alloc::vec;

    record! {
        #[derive(Debug, PartialEq)]
        struct Pair {
            a: f64,
            b: Option<Vec<Pair>>,
            count: u32 = "number",
        }
    }

    #[test]
    fn a_struct_is_an_object_at_any_depth() {
        let inner = Pair { a: 2.0, b: None, count: 0 };
        assert_eq!(
            read::<Pair>(r#" {"a": 1, "c": [], "b": [{"a": 2, "b": null}], "number": 7} "#).unwrap(),
            Pair { a: 1.0, b: Some(vec![inner]), count: 7 }
        );
        for json in ["[1]", "[1, null]", r#"{"a": 1, "b": [[2]]}"#, r#"{"a": 1, "b": [{"a": 2, "b": [[3]]}]}"#] {
            assert!(read::<Pair>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn what_is_missing_doubled_or_of_another_type_is_an_error() {
        for json in [
            "{}",
            r#"{"b": null}"#,
            r#"{"a": null}"#,
            r#"{"a": 1, "a": 1}"#,
            r#"{"a": 1, "b": {}}"#,
            r#"{"a": 1, "b": [null]}"#,
            r#"{"a": 1, "number": null}"#,
            r#"{"a": 1, "number": 4294967296}"#,
            r#"{"a": 1, "number": -1}"#,
            r#"{"a": 1, "number": 1.0}"#,
            r#"{"a": 1, "count": [}"#,
        ] {
            assert!(read::<Pair>(json).is_err(), "{json}");
        }
        assert_eq!(
            read::<Pair>(r#"{"a": 1, "count": null, "count": []}"#).unwrap(),
            Pair { a: 1.0, b: None, count: 0 }
        );
    }

    #[test]
    fn nothing_may_follow_a_document() {
        assert!(read::<Pair>(r#"{"a": 1} {}"#).is_err());
    }

    #[test]
    fn a_raw_value_is_as_written() {
        let raw: Vec<Option<&RawValue>> = read(r#"[{"x": 1.50}, null]"#).unwrap();
        assert_eq!(raw.iter().flatten().map(|raw| raw.get()).collect::<Vec<_>>(), [r#"{"x": 1.50}"#]);
    }
}
