//! Headers as Envoy hands them over: lower-case names, values of any bytes, repeated names possible.
//!
//! They are read where they lie. A request has a dozen headers and another dozen in its answer, of which a few are looked at:
//! taking each apart into strings of its own was a fifth of what a small chat cost the module. Nothing is believed of the bytes:
//! where lengths say more than is there, the map ends.

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, str};

/// Headers of a request that never reach a provider: the client's credentials and state, where it comes from, and what would
/// make the answer unreadable. The ingress takes them off.
///
/// Not `x-forwarded-proto`: without it Envoy finds no route, so that only the route itself can take it off.
pub const PRIVATE_HEADERS: Names = Names::new(&[
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
    // By these Google's servers leave something out of an answer, its tokens say, or take a request for one of another method.
    "x-goog-fieldmask",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
]);

/// Names that are looked for among all that a head has. Hardly any is one of them, and most are told by their length and first letter.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    all: &'static [&'static str],
    /// A bit for each of them.
    marks: u64,
}

impl Names {
    /// These names.
    #[must_use]
    pub const fn new(all: &'static [&'static str]) -> Self {
        let (mut marks, mut rest) = (0, all);
        while let [name, others @ ..] = rest {
            marks |= Self::mark(name.as_bytes());
            rest = others;
        }
        Self { all, marks }
    }

    /// All of them.
    #[must_use]
    pub const fn all(self) -> &'static [&'static str] {
        self.all
    }

    /// The name, if it is one of them.
    #[must_use]
    pub fn find(self, name: &[u8]) -> Option<&'static str> {
        if self.marks & Self::mark(name) == 0 {
            return None;
        }
        self.all.iter().find(|known| known.as_bytes() == name).copied()
    }

    const fn mark(name: &[u8]) -> u64 {
        let first = match name {
            [first, ..] => *first as usize,
            [] => 0,
        };
        1 << ((name.len() ^ first.wrapping_mul(5)) % 64)
    }
}

/// What Envoy sets on every answer that a provider has given to a call, and on none that it gives itself.
pub const SERVICE_TIME: &str = "x-envoy-upstream-service-time";

/// A header map in the form of the ABI: how many pairs there are, the lengths of each name and value, then each name and each
/// value with a zero byte behind it. Numbers have 32 bits, the least significant byte first.
#[derive(Clone, Default)]
pub struct HeaderMap(Box<[u8]>);

/// A borrowed header map. A value may be a credential and is not printed.
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    /// Two for each pair.
    lengths: &'a [u8],
    text: &'a [u8],
}

/// Lengths of a name and of a value.
const PAIR_OF_LENGTHS: usize = 8;

impl HeaderMap {
    /// What the host has written.
    #[must_use]
    pub const fn new(bytes: Box<[u8]>) -> Self {
        Self(bytes)
    }

    /// To be read.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        let split = self.0.split_first_chunk::<4>().and_then(|(count, rest)| {
            let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
            rest.split_at_checked(count.checked_mul(PAIR_OF_LENGTHS)?)
        });
        let (lengths, text) = split.unwrap_or_default();
        Headers { lengths, text }
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for HeaderMap {
    /// Names and values that are too long for the form are left out; none is.
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        let (mut count, mut lengths, mut text) = (0_u32, Vec::new(), Vec::new());
        for (name, value) in pairs {
            let (name, value) = (name.as_ref().as_bytes(), value.as_ref());
            let (Ok(name_length), Ok(value_length)) = (u32::try_from(name.len()), u32::try_from(value.len())) else {
                continue;
            };
            count = count.saturating_add(1);
            lengths.extend(name_length.to_le_bytes());
            lengths.extend(value_length.to_le_bytes());
            for part in [name, value] {
                text.extend_from_slice(part);
                text.push(0);
            }
        }
        Self([&count.to_le_bytes(), lengths.as_slice(), &text].concat().into())
    }
}

impl fmt::Debug for HeaderMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headers().fmt(f)
    }
}

impl<'a> Headers<'a> {
    /// The first value of a name.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The first value of a name, if it is UTF-8.
    #[must_use]
    pub fn text(self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// All values of a name.
    pub fn all(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let Self { mut lengths, mut text } = self;
        core::iter::from_fn(move || {
            loop {
                let (pair, others) = lengths.split_first_chunk::<PAIR_OF_LENGTHS>()?;
                let pair = u64::from_le_bytes(*pair);
                let [name_length, length] = [pair & u64::from(u32::MAX), pair >> 32].map(usize::try_from);
                let (name_length, length) = (name_length.ok()?, length.ok()?);
                let here = text;
                // A zero byte is behind each of the two.
                text = here.get(name_length.checked_add(length)?.checked_add(2)?..)?;
                lengths = others;
                // Of most pairs no more is looked at.
                if name_length == name.len() && here.starts_with(name.as_bytes()) {
                    let start = name_length.saturating_add(1);
                    return here.get(start..start.saturating_add(length));
                }
            }
        })
    }

    /// The names, but for those that are not UTF-8: no header that means anything here is called so.
    pub fn names(self) -> impl Iterator<Item = &'a str> {
        self.names_if(|_| true)
    }

    /// Those of them that are wanted. Most never are, and whether a name is text is looked at only then.
    pub fn names_if(self, is_wanted: impl Fn(&[u8]) -> bool) -> impl Iterator<Item = &'a str> {
        let wanted = self.pairs().map(|(name, _)| name).filter(move |name| is_wanted(name));
        wanted.filter_map(|name| str::from_utf8(name).ok())
    }

    /// Names and values, with the same exception.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.pairs().filter_map(|(name, value)| Some((str::from_utf8(name).ok()?, value)))
    }

    fn pairs(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let Self { mut lengths, mut text } = self;
        core::iter::from_fn(move || Some((take(&mut lengths, &mut text)?, take(&mut lengths, &mut text)?)))
    }
}

/// The next name or value.
fn take<'a>(lengths: &mut &'a [u8], text: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, other_lengths) = lengths.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (part, rest) = text.split_at_checked(length)?;
    (*lengths, *text) = (other_lengths, rest.get(1..)?);
    Some(part)
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String, vec};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_head_the_names_are_printed_and_no_value() {
        let map = HeaderMap::from_iter([("authorization", "Bearer sk-secret")]);
        assert_eq!(format!("{map:?} {:?}", map.headers()), r#"{"authorization"} {"authorization"}"#);
    }

    #[test]
    fn the_first_value_counts_and_the_others_are_there() {
        let map = HeaderMap::from_iter([("a", "1"), ("b", ""), ("a", "2")]);
        let headers = map.headers();
        assert_eq!((headers.get("a"), headers.get("b"), headers.get("c")), (Some(&b"1"[..]), Some(&b""[..]), None));
        assert_eq!(headers.all("a").collect::<Vec<_>>(), [b"1", b"2"]);
    }

    #[test]
    fn no_header_map_is_one_without_headers() {
        assert_eq!(HeaderMap::default().headers().names().count(), 0);
    }

    #[test]
    fn a_name_that_is_no_text_is_passed_over() {
        let map =
            HeaderMap::new(b"\x02\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\xff\x001\0a\x002\0".as_slice().into());
        assert_eq!(map.headers().iter().collect::<Vec<_>>(), [("a", &b"2"[..])]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs in prop::collection::vec(("[a-z:-]{0,9}", prop::collection::vec(any::<u8>(), 0..9)), 0..9)) {
            let map: HeaderMap = pairs.iter().map(|(name, value)| (name, value)).collect();
            let read: Vec<(String, Vec<u8>)> = map.headers().iter().map(|(name, value)| (name.into(), value.into())).collect();
            prop_assert_eq!(read, pairs);
        }

        #[test]
        fn any_bytes_are_some_headers(bytes in prop::collection::vec(any::<u8>(), 0..99), count in 0_u32..9) {
            for bytes in [bytes.clone(), [vec![u8::try_from(count).unwrap(), 0, 0, 0], bytes].concat()] {
                let length = bytes.len();
                let map = HeaderMap::new(bytes.into());
                prop_assert!(map.headers().iter().all(|(name, value)| name.len().max(value.len()) < length));
            }
        }
    }
}
