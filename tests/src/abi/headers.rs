//! A header map as Envoy keeps it: ordered, names in lower case, values any bytes, a name as often as it was sent.
//!
//! Not `http::HeaderMap`: that type refuses values which Envoy lets through, and those are what a filter must survive.

use std::fmt;

/// Headers of a request or an answer, pseudo-headers included.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// The value, the first of several.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    /// The value as text; `None` too where it is not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// `:status`; zero where there is none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.text(":status").and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// How many pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// One more, beside others of that name.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    /// In the place of all of that name.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        let name = name.to_ascii_lowercase();
        if let Some(first) = self.0.iter().position(|(n, _)| *n == name) {
            let mut at = 0;
            self.0.retain(|(n, _)| {
                let keep = *n != name || at == first;
                at += 1;
                keep
            });
            if let Some((_, old)) = self.0.get_mut(first) {
                *old = value.to_vec();
            }
        } else {
            self.0.push((name, value.to_vec()));
        }
    }

    /// Away with all of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// As the ABI carries pairs: count, then the lengths of each name and value, then each followed by a zero byte.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = length(self.0.len()).to_vec();
        for (name, value) in &self.0 {
            out.extend(length(name.len()));
            out.extend(length(value.len()));
        }
        for (name, value) in &self.0 {
            out.extend(name.as_bytes());
            out.push(0);
            out.extend(value);
            out.push(0);
        }
        out
    }

    /// The inverse of [`Headers::encode`]; `None` where the lengths do not fit, or a name is not text.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let mut lengths = bytes;
        let count = take_length(&mut lengths)?;
        let mut pairs = lengths.get(count.checked_mul(8)?..)?;
        let mut headers = Self::default();
        for _ in 0..count {
            let (name, value) = (take_length(&mut lengths)?, take_length(&mut lengths)?);
            let name = take_text(&mut pairs, name)?;
            let value = take_text(&mut pairs, value)?;
            headers.add(str::from_utf8(name).ok()?, value);
        }
        pairs.is_empty().then_some(headers)
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>, const COUNT: usize> From<[(N, V); COUNT]> for Headers {
    fn from(pairs: [(N, V); COUNT]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.add(name.as_ref(), value.as_ref());
        }
        headers
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name, value.escape_ascii().to_string()))).finish()
    }
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    usize::try_from(u32::from_le_bytes(*head)).ok()
}

fn take_text<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest.strip_prefix(&[0])?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_replaces_every_value_of_a_name_in_the_place_of_the_first() {
        let mut headers = Headers::from([("a", "1"), ("B", "2"), ("b", "3"), ("c", "4")]);
        headers.set("b", b"5");
        assert_eq!(headers, Headers::from([("a", "1"), ("b", "5"), ("c", "4")]));
    }

    #[test]
    fn pairs_survive_the_wire_with_duplicates_and_bytes_that_are_not_text() {
        let headers: Headers = [("x", b"\xff\0".as_slice()), ("x", b""), (":path", b"/v1")].into_iter().collect();
        assert_eq!(Headers::decode(&headers.encode()), Some(headers));
    }

    #[test]
    fn pairs_whose_lengths_lie_are_refused() {
        let mut wire = Headers::from([("x", "1")]).encode();
        wire[4] = 200;
        assert_eq!(Headers::decode(&wire), None);
        assert_eq!(Headers::decode(&[255, 255, 255, 255]), None);
    }
}
