//! Tool call ids that carry a thought signature.
//!
//! Gemini refuses the second turn of a tool loop without the signature of the first. Clients keep a call's id even where
//! they drop every field they do not know, so the signature rides in it, behind a separator that LiteLLM uses for the same
//! purpose: histories of either gateway can be read by the other.

use alloc::{borrow::Cow, format, string::String, vec::Vec};

use crate::chat::Text;

pub(super) const SEPARATOR: &str = "__thought__";

/// The id of a call that its provider has given none, since clients keep the calls of a whole conversation apart by their ids.
/// `OpenAI` takes no id of more than 40 characters.
pub(super) fn unnamed(completion: &str, choice: u32, call: u32) -> String {
    const KEPT: usize = 24;
    let letters: Vec<char> = completion.chars().filter(char::is_ascii_alphanumeric).collect();
    let last: String = letters.iter().skip(letters.len().saturating_sub(KEPT)).collect();
    format!("call_{last}_{choice}_{call}")
}

/// The id that the client sees.
pub(super) fn join<'a>(id: &'a str, signature: Option<&str>) -> Text<'a> {
    match signature {
        None => Cow::Borrowed(id),
        Some(signature) => Cow::Owned([id, SEPARATOR, signature].concat()),
    }
}

/// The id proper and the signature.
pub(super) fn split(id: Text<'_>) -> (Text<'_>, Option<Text<'_>>) {
    match id {
        Cow::Borrowed(id) => match id.split_once(SEPARATOR) {
            Some((id, signature)) => (Cow::Borrowed(id), Some(Cow::Borrowed(signature))),
            None => (Cow::Borrowed(id), None),
        },
        Cow::Owned(id) => match id.split_once(SEPARATOR) {
            Some((id, signature)) => (Cow::Owned(id.into()), Some(Cow::Owned(signature.into()))),
            None => (Cow::Owned(id), None),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_not_given_is_made_and_fits() {
        assert_eq!(unnamed("msg_01A", 0, 2), "call_msg01A_0_2");
        assert!(unnamed("chatcmpl-0123456789abcdef0123456789abcdef", 127, 999).len() <= 40);
    }

    #[test]
    fn an_id_keeps_what_it_carries() {
        let joined = join("call_1", Some("a+/="));
        assert_eq!(split(joined), (Cow::Borrowed("call_1"), Some(Cow::Borrowed("a+/="))));
        assert_eq!(split(join("call_1", None)), (Cow::Borrowed("call_1"), None));
    }
}
