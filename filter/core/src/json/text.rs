//! Strings that borrow from the document where they can.

use alloc::{borrow::Cow, string::String};
use core::{fmt, ops::Deref};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A string that borrows from the document unless it has escapes. `Option<Cow<str>>` never borrows under serde's derive;
/// this does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Str<'a>(pub Cow<'a, str>);

impl Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Str<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Owned(String::from(text))))
            }
        }
        deserializer.deserialize_str(Borrow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_without_escapes_is_borrowed() {
        assert!(matches!(serde_json::from_str::<Str<'_>>(r#""plain""#).unwrap(), Str(Cow::Borrowed("plain"))));
        assert!(matches!(serde_json::from_str::<Str<'_>>(r#""a\nb""#).unwrap(), Str(Cow::Owned(_))));
    }
}
