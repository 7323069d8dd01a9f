//! Headers as Envoy hands them over: lower-case names, values of any bytes, repeated names possible.

use alloc::{string::String, vec::Vec};
use core::fmt;

/// Headers of a request that never reach a provider: the client's credentials and state, where it comes from, and what would
/// make the answer unreadable. The ingress takes them off.
///
/// Not `x-forwarded-proto`: without it Envoy finds no route, so that only the route itself can take it off.
pub const PRIVATE_HEADERS: &[&str] = &[
    "accept-encoding",
    "api-key",
    "authorization",
    "cookie",
    "forwarded",
    "openai-organization",
    "openai-project",
    "proxy-authorization",
    "via",
    "x-api-key",
    "x-chalk-env-id",
    "x-envoy-external-address",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-goog-api-key",
    "x-real-ip",
];

/// A borrowed header map. A value may be a credential and is not printed.
#[derive(Clone, Copy)]
pub struct Headers<'a>(pub &'a [(String, Vec<u8>)]);

impl<'a> Headers<'a> {
    /// The first value of a name.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The first value of a name, if it is UTF-8.
    #[must_use]
    pub fn text(self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(|value| core::str::from_utf8(value).ok())
    }

    /// All values of a name.
    pub fn all(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_slice())
    }

    /// The names.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn of_a_head_the_names_are_printed_and_no_value() {
        let map = [("authorization".into(), b"Bearer sk-secret".to_vec())];
        assert_eq!(format!("{:?}", Headers(&map)), r#"{"authorization"}"#);
    }
}
