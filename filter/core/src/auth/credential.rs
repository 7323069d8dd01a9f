//! Where a caller's key stands in a request: the first of `Authorization: Bearer`, `x-api-key`, `x-goog-api-key`, `?key=`.

use alloc::string::String;

use crate::headers::Headers;

/// A key as presented.
#[derive(Clone, Copy)]
pub struct Credential<'a>(pub &'a [u8]);

impl<'a> Credential<'a> {
    /// The key of a request, from its headers and its query.
    #[must_use]
    pub fn of(headers: Headers<'a>, query: &'a str) -> Option<Self> {
        let in_headers = headers.all("authorization").filter_map(bearer);
        let in_headers = in_headers.chain(headers.all("x-api-key")).chain(headers.all("x-goog-api-key"));
        let in_query = query.split('&').filter_map(|pair| pair.strip_prefix("key=")).map(str::as_bytes);
        in_headers.chain(in_query).find(|key| !key.is_empty()).map(Self)
    }

    /// The query without `key`, which must reach neither the provider nor a log.
    #[must_use]
    pub fn strip(query: &str) -> String {
        let mut kept = String::with_capacity(query.len());
        for pair in query.split('&').filter(|pair| !pair.starts_with("key=") && *pair != "key") {
            if !kept.is_empty() {
                kept.push('&');
            }
            kept.push_str(pair);
        }
        kept
    }
}

/// The token of a `Bearer` header; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::HeaderMap;
    use alloc::{vec, vec::Vec};

    fn key(headers: &[(&str, &str)], query: &str) -> Option<Vec<u8>> {
        let headers = headers.iter().copied().collect::<HeaderMap>();
        Credential::of(headers.headers(), query).map(|credential| credential.0.to_vec())
    }

    #[test]
    fn the_first_place_counts() {
        assert_eq!(key(&[("x-api-key", "b"), ("authorization", "bEARER  a ")], "key=c"), Some(vec![b'a']));
        assert_eq!(key(&[("authorization", "Basic a"), ("x-api-key", "b")], ""), Some(vec![b'b']));
        assert_eq!(key(&[("x-goog-api-key", "g")], "key=c"), Some(vec![b'g']));
        assert_eq!(key(&[], "a=1&key=c"), Some(vec![b'c']));
        assert_eq!(key(&[("authorization", "Bearer "), ("x-api-key", "b")], ""), Some(vec![b'b']));
        assert_eq!(key(&[("authorization", "Bearer ")], "key="), None);
    }

    #[test]
    fn the_key_is_taken_out_of_the_query() {
        assert_eq!(Credential::strip("a=1&key=c&b=2&key=d"), "a=1&b=2");
        assert_eq!(Credential::strip("key=c"), "");
        assert_eq!(Credential::strip("keys=c"), "keys=c");
    }
}
