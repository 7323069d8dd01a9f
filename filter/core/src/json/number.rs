//! Numbers as providers write them: some as strings, counts with a fraction of zeros too.
//!
//! Why not a number: what stands beside an answer must not fail it. What cannot be read is none.

use core::str::FromStr;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

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

impl<'de, T: FromStr> Deserialize<'de> for Number<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self::of(raw.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_however_it_is_written() {
        let read = |json| serde_json::from_str::<Number<u64>>(json).map(|number| number.0).ok().flatten();
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
        assert_eq!(serde_json::from_str::<Number<f64>>("-0.5").unwrap().0, Some(-0.5));
    }
}
