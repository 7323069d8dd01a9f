//! Numbers with a decimal point: money, weights, ratios.
//!
//! Not floating point: a price is multiplied by millions of tokens and compared with a budget, and what an operator writes as
//! `0.1` has to be it. A number that does not fit into billionths is a problem, not rounded.

use alloc::{format, string::ToString};
use core::fmt;

use serde_json::value::RawValue;

use super::{
    form::{Form, Writer, number_text, quoted, whole},
    reader::Reader,
    reference::{Reference, Shape},
};

const ONE: u64 = 1_000_000_000;
const DECIMALS: i32 = 9;

/// A number of at least nothing, in billionths: exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal {
    /// How many billionths it is.
    pub billionths: u64,
}

/// A number in a range, bare or as text.
pub(super) struct Ranged {
    pub(super) what: &'static str,
    pub(super) min: Decimal,
    pub(super) max: Decimal,
}

/// What something costs.
pub(super) const USD: Ranged =
    Ranged { what: "an amount in USD such as 2.50", min: Decimal::ZERO, max: Decimal::GREATEST };

/// How much of it there may be, whatever is counted.
pub(super) const AMOUNT: Ranged =
    Ranged { what: "a number such as 100000 or 5.00", min: Decimal::ZERO, max: Decimal::GREATEST };

/// A share among others.
pub(super) const WEIGHT: Ranged =
    Ranged { what: "a weight such as 70 or 0.7", min: Decimal::ZERO, max: Decimal::of(1_000_000) };

/// A part of a whole.
pub(super) const RATIO: Ranged = Ranged { what: "a number from 0 to 1", min: Decimal::ZERO, max: Decimal::of(1) };

impl Decimal {
    pub(super) const ZERO: Self = Self::of(0);
    const GREATEST: Self = Self { billionths: u64::MAX };

    /// A whole number.
    pub(crate) const fn of(number: u32) -> Self {
        Self { billionths: (number as u64).saturating_mul(ONE) }
    }

    /// A number of thousandths.
    pub(super) const fn thousandths(number: u32) -> Self {
        Self { billionths: (number as u64).saturating_mul(ONE / 1_000) }
    }

    /// The number without a fraction, if it has none.
    #[must_use]
    pub const fn whole(self) -> Option<u64> {
        if self.billionths.is_multiple_of(ONE) { Some(self.billionths / ONE) } else { None }
    }

    /// Reads JSON's spellings of a number, without a sign.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().ok().filter(|exponent| (-30..=30).contains(exponent))?;
        let (units, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        if units.is_empty() || fraction.is_empty() {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let digits = whole(&[units, fraction].concat())?;
        let places = i32::try_from(fraction.len()).ok()?;
        let shift = exponent.checked_add(DECIMALS)?.checked_sub(places)?;
        let factor = 10_u64.checked_pow(shift.unsigned_abs());
        let billionths = match (digits, shift) {
            (0, _) => Some(0),
            (_, 0..) => factor.and_then(|factor| digits.checked_mul(factor)),
            _ => factor.filter(|factor| digits.is_multiple_of(*factor)).and_then(|factor| digits.checked_div(factor)),
        };
        billionths.map(|billionths| Self { billionths })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:09}", self.billionths % ONE);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{}", self.billionths / ONE),
            fraction => write!(f, "{}.{fraction}", self.billionths / ONE),
        }
    }
}

impl Form for Ranged {
    type Value = Decimal;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Decimal> {
        let node = reader.open(raw)?;
        let text = number_text(&node, self.what, reader)?;
        let number = Decimal::parse(text).filter(|number| (self.min..=self.max).contains(number));
        if number.is_none() {
            reader.report(format!("expected {}, found {}", self.what, quoted(text)));
        }
        number
    }

    fn write(&self, value: &Decimal, out: &mut Writer) {
        out.push_str(&value.to_string());
    }

    fn shape(&self, _: &mut Reference) -> Shape {
        Shape::Number { what: self.what }
    }

    fn stand_in(&self) -> Decimal {
        self.min
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_number_is_exact() {
        for (text, billionths) in [
            ("0", 0),
            ("0.0", 0),
            ("0e30", 0),
            ("5.00", 5_000_000_000),
            ("0.7", 700_000_000),
            ("2.5e2", 250_000_000_000),
            ("1e-7", 100),
            ("10e-10", 1),
            ("0.000000001", 1),
            ("18446744073.709551615", u64::MAX),
        ] {
            assert_eq!(Decimal::parse(text), Some(Decimal { billionths }), "{text}");
        }
    }

    #[test]
    fn what_would_need_rounding_or_is_no_number_is_refused() {
        for text in [
            "",
            ".",
            ".5",
            "5.",
            "-1",
            "+1",
            "1e400",
            "1e",
            "0.0000000001",
            "18446744073.709551616",
            "1 ",
            "0x1",
            "NaN",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_printed_as_it_is_read(billionths: u64) {
            let number = Decimal { billionths };
            prop_assert_eq!(Decimal::parse(&number.to_string()), Some(number));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9.eE+-]{0,24}") {
            let _ = Decimal::parse(&text);
        }
    }
}
