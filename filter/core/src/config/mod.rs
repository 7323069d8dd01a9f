//! The configuration file: read with all its problems at once, checked, and typed.

mod raw;

use alloc::string::String;
use core::fmt;

pub use raw::{
    Account, Auth, AuthMode, BaseUrl, Config, Credential, EnvoyAdmin, Key, Kind, Listen, Provider, Retry, Timeouts, Tls,
};

/// One thing wrong with the file: where, as a JSON pointer, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer, e.g. `/providers/openai/base_url`; empty for the document itself.
    pub pointer: String,
    /// What is wrong and, where known, what was probably meant.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "{pointer}: {}", self.message)
    }
}
