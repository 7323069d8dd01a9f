//! Keys of callers.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// A key's hash, as `sha256sum` has it.
pub(crate) fn hash(key: &str) -> String {
    Sha256::digest(key).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes more");
        text
    })
}
