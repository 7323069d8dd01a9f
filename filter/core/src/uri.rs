//! Percent-encoding in paths and queries.

use alloc::{string::String, vec::Vec};

/// The text that was encoded; `None` where it is not UTF-8 or an escape is cut off.
#[must_use]
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let hexadecimal = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        out.push(match byte {
            b'%' => hexadecimal(bytes.next())? << 4 | hexadecimal(bytes.next())?,
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn what_was_encoded_is_read_once() {
        for (encoded, text) in [
            ("openai%2Fgpt-4o", "openai/gpt-4o"),
            ("openai%2fgpt-4o", "openai/gpt-4o"),
            ("a%252Fb", "a%2Fb"),
            ("llama3.2%3Alatest", "llama3.2:latest"),
            ("%C3%A9+", "é+"),
            ("", ""),
        ] {
            assert_eq!(decode(encoded), Some(text.to_owned()), "{encoded}");
        }
        for encoded in ["%", "%2", "%2g", "%-1", "%ff", "a%c3"] {
            assert_eq!(decode(encoded), None, "{encoded}");
        }
    }
}
