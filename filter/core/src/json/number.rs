//! Numbers as providers write them: some as strings, counts with a fraction of zeros too.
//!
//! Why not a number: what stands beside an answer must not fail it. What cannot be read is none.

use core::str::FromStr;

use super::document::{Read, Slot, Spelled};

/// A number that may be missing or no number at all.
#[derive(Debug, Clone, Copy)]
pub struct Number<T>(pub Option<T>);

impl<T> Default for Number<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: FromStr> Number<T> {
    /// The number that a value is.
    #[must_use]
    pub fn of(json: &str) -> Self {
        let written = json.trim_matches('"');
        let whole = || {
            let (whole, fraction) = written.split_once('.')?;
            fraction.bytes().all(|digit| digit == b'0').then(|| whole.parse().ok())?
        };
        Self(written.parse().ok().or_else(whole))
    }
}

impl<'a, T: FromStr> Read<'a> for Number<T> {
    const IS_NEEDED: bool = false;

    fn empty() -> Self {
        Self(None)
    }

    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Spelled(self)
    }
}

impl<T: FromStr> Spelled<'_> for Number<T> {
    fn spell(&mut self, json: &str) {
        *self = Self::of(json);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::document::read as parse, *};

    #[test]
    fn a_number_is_read_however_it_is_written() {
        let read = |json| parse::<Number<u64>>(json).map(|number| number.0).ok().flatten();
        for (json, expected) in [
            ("7", Some(7)),
            (r#""7""#, Some(7)),
            ("7.0", Some(7)),
            (r#""7.00""#, Some(7)),
            ("7.5", None),
            ("-7", None),
            ("7e99", None),
            ("null", None),
            (r#""many""#, None),
            ("[7]", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(read(json), expected, "{json}");
        }
        assert_eq!(parse::<Number<f64>>("-0.5").unwrap().0, Some(-0.5));
    }
}
