//! Client keys: made here, kept by the operator as a hash only.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// A fresh key: `sk-` and 32 random bytes in base64url, 46 characters.
///
/// # Errors
/// When the system has no randomness to give.
pub fn generate() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("sk-{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// SHA-256 of the whole key in lower-case hexadecimal, as the file wants it.
#[must_use]
pub fn hash(key: &str) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(key) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// What `key new` prints: the key alone on the first line, for scripts, then what to paste into the file.
#[must_use]
pub fn announce(key: &str, id: &str) -> String {
    let sha256 = hash(key);
    format!("{key}\n\n# Shown once. The file holds its hash only:\nkeys:\n  - id: {id}\n    sha256: {sha256}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_sha_256_of_the_whole_key() {
        assert_eq!(hash("test"), "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
    }

    #[test]
    fn new_keys_differ_and_carry_32_bytes() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        for key in [one, other] {
            let encoded = key.strip_prefix("sk-").unwrap();
            assert_eq!(encoded.len(), 43);
            assert_eq!(URL_SAFE_NO_PAD.decode(encoded).unwrap().len(), 32);
        }
    }

    #[test]
    fn the_stanza_has_the_hash_and_never_the_key() {
        let text = announce("sk-secret", "checkout");
        let (first, rest) = text.split_once('\n').unwrap();
        assert_eq!(first, "sk-secret");
        assert!(!rest.contains("sk-secret"));
        assert!(rest.contains(&hash("sk-secret")));
    }
}
