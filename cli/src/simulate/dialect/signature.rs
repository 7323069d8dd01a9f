//! Signatures of what a model thought, which a client must bring back unchanged.
//!
//! Real ones hold the reasoning, encrypted. These hold a number and a digest of it with what is signed, so that the
//! simulator recognises its own without remembering any: every simulated provider of a kind accepts those of the
//! others, as every server of a real one does, and none accepts what was cut, mixed up or made up on the way.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sha2::{Digest as _, Sha256};

use super::Stamp;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const NUMBER_BYTES: usize = 8;

/// A signature of `text`, valid for `purpose` only.
pub(super) fn issue(purpose: &str, text: &str, stamp: &mut Stamp) -> String {
    let number = stamp.random.next().to_le_bytes();
    let mut signature = number.to_vec();
    for part in 0..3 {
        signature.extend(digest(purpose, text, &number, part));
    }
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new()).encode(signature)
}

/// Whether `signature` is one that was issued for `text`. Either alphabet of base64 will do.
pub(super) fn is_issued(signature: &str, purpose: &str, text: &str) -> bool {
    let Some(bytes) = decode(signature) else { return false };
    let Some((number, rest)) = bytes.split_at_checked(NUMBER_BYTES) else { return false };
    rest == (0..3).flat_map(|part| digest(purpose, text, number, part)).collect::<Vec<u8>>()
}

/// Base64 in either alphabet.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    [STANDARD, URL_SAFE].iter().find_map(|alphabet| GeneralPurpose::new(alphabet, LENIENT).decode(text).ok())
}

/// Three of these make a signature long enough to be mistaken for a real one, also by limits on the length of ids.
fn digest(purpose: &str, text: &str, number: &[u8], part: u8) -> [u8; 32] {
    let mut digest = Sha256::new();
    for field in [purpose.as_bytes(), number, &[part], text.as_bytes()] {
        digest.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_le_bytes());
        digest.update(field);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::script::Random;

    #[test]
    fn only_what_was_issued_for_the_same_text_and_purpose_is_recognised() {
        let mut stamp = Stamp { created: 0, random: Random::new(7) };
        let signature = issue("a", "text", &mut stamp);
        assert!(is_issued(&signature, "a", "text"));
        assert!(is_issued(&signature.replace('+', "-").replace('/', "_").replace('=', ""), "a", "text"));
        assert!(!is_issued(&signature, "b", "text") && !is_issued(&signature, "a", "text "));
        assert!(
            !is_issued(signature.trim_start_matches(char::is_alphanumeric), "a", "text")
                && !is_issued("", "a", "text")
                && !is_issued("é", "a", "")
        );
        assert_ne!(issue("a", "text", &mut stamp), signature);
    }
}
