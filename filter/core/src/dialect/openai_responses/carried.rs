//! What proves a thought, in `encrypted_content`: whose it is stands before it.
//!
//! Clients send the items of an answer back as they came, and look into none of them: so what Anthropic and Gemini want to see again
//! rides where OpenAI's own proof does. Each item that was written here has such a mark, so that OpenAI, which never saw it, does not
//! get it. What has no mark is the own proof of whoever speaks this format, and is nobody else's.

use alloc::{borrow::Cow, string::String};

use crate::{chat::Text, dialect::call_id::SEPARATOR};

/// What an item carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Carried<'a> {
    /// Nothing: whoever thought it does not sign.
    Nothing,
    /// Anthropic's signature of the thought that the item tells.
    Signature(Text<'a>),
    /// A thought of Anthropic's, encrypted.
    Redacted(Text<'a>),
    /// Gemini's signature of the text before it.
    OfText(Text<'a>),
}

/// How OpenAI's own proofs begin: <https://github.com/fernet/spec>.
pub(super) const OF_OPENAI: &str = "gAAAA";

const NOTHING: &str = "unsigned";
const SIGNATURE: &str = "anthropic";
const REDACTED: &str = "anthropic_redacted";
const OF_TEXT: &str = "gemini_text";

impl<'a> Carried<'a> {
    /// Reads one; `None` where it is not the gateway's.
    pub(super) fn read(encrypted: Text<'a>) -> Option<Self> {
        let (mark, _) = encrypted.split_once(SEPARATOR)?;
        let make = match mark {
            NOTHING => return Some(Self::Nothing),
            SIGNATURE => Self::Signature,
            REDACTED => Self::Redacted,
            OF_TEXT => Self::OfText,
            _ => return None,
        };
        let start = mark.len().saturating_add(SEPARATOR.len());
        Some(make(match encrypted {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(start..).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(start..).unwrap_or_default().into()),
        }))
    }

    /// Whether a proof is the gateway's.
    pub(super) fn is_marked(encrypted: &str) -> bool {
        Carried::read(Cow::Borrowed(encrypted)).is_some()
    }

    pub(super) fn write(&self) -> String {
        let (mark, proof) = match self {
            Self::Nothing => (NOTHING, ""),
            Self::Signature(proof) => (SIGNATURE, proof.as_ref()),
            Self::Redacted(proof) => (REDACTED, proof.as_ref()),
            Self::OfText(proof) => (OF_TEXT, proof.as_ref()),
        };
        [mark, SEPARATOR, proof].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_comes_back_and_nothing_else_is_taken_for_it() {
        for carried in [
            Carried::Nothing,
            Carried::Signature("s__thought__=".into()),
            Carried::Redacted("d".into()),
            Carried::OfText("t".into()),
        ] {
            assert_eq!(Carried::read(carried.write().into()), Some(carried));
        }
        for foreign in ["", "gAAAAABo", "anthropic", "other__thought__x"] {
            assert_eq!(Carried::read(foreign.into()), None, "{foreign}");
        }
    }
}
