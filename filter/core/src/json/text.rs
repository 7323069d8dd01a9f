//! Strings that borrow from the document where they can.

use alloc::{borrow::Cow, string::String};
use core::{fmt, ops::Deref};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A string that borrows from the document unless it has escapes. `Option<Cow<str>>` never borrows under serde's derive;
/// this does. Half a surrogate pair, which is no character, becomes U+FFFD: providers cut texts between the halves, and
/// `serde_json` would refuse the whole document where a string is asked for, but not where bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Str<'a>(pub Cow<'a, str>);

impl Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A text as JSON.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    push_plain(&mut quoted, text);
    quoted.push('"');
    quoted
}

/// Writes what stands between the quotes of a text.
pub(crate) fn push_plain(out: &mut String, text: &str) {
    // Most texts stand in JSON as they are.
    if text.bytes().any(|byte| matches!(byte, ..b' ' | b'"' | b'\\')) {
        // A text can always be written.
        let quoted = serde_json::to_string(text).unwrap_or_default();
        out.push_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
    } else {
        out.push_str(text);
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

            fn visit_borrowed_bytes<E: Error>(self, text: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Str(self::text(text)))
            }

            fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<Self::Value, E> {
                Ok(Str(Cow::Owned(mend(text))))
            }
        }
        deserializer.deserialize_bytes(Borrow)
    }
}

/// The text of a document, whose bytes may be no text here and there.
#[must_use]
pub fn text(document: &[u8]) -> Cow<'_, str> {
    match core::str::from_utf8(document) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(mend(document)),
    }
}

/// Puts one U+FFFD in the place of bytes that are no text.
fn mend(text: &[u8]) -> String {
    let mut mended = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        mended.push_str(chunk.valid());
        // Each byte of half a pair is a chunk of its own.
        let is_mended = chunk.valid().is_empty() && mended.ends_with(char::REPLACEMENT_CHARACTER);
        if !chunk.invalid().is_empty() && !is_mended {
            mended.push(char::REPLACEMENT_CHARACTER);
        }
    }
    mended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_without_escapes_is_borrowed() {
        assert!(matches!(serde_json::from_str::<Str<'_>>(r#""plain""#).unwrap(), Str(Cow::Borrowed("plain"))));
        assert!(matches!(serde_json::from_str::<Str<'_>>(r#""a\nb""#).unwrap(), Str(Cow::Owned(_))));
    }

    #[test]
    fn half_a_surrogate_pair_does_not_cost_the_rest() {
        for (json, text) in [(r#""a\ud83d""#, "a\u{fffd}"), (r#""\ude00b""#, "\u{fffd}b"), (r#""\ud83d\ude00""#, "😀")]
        {
            assert_eq!(&*serde_json::from_str::<Str<'_>>(json).unwrap(), text, "{json}");
        }
        assert!(serde_json::from_str::<Str<'_>>("[97]").is_err());
        assert!(serde_json::from_slice::<Str<'_>>(b"\"\xff\"").is_ok());
    }
}
