//! Budgets of keys and teams.
//!
//! A limit's value and its switch are separate, so that one that is switched off keeps its value; the short spelling is the
//! value alone.

use serde_json::value::RawValue;

use super::{
    fields::{Fields, Nested, Section},
    form::{Flag, Form, Writer},
    limit::NOT_WHOLE,
    node::is_mapping,
    number::{AMOUNT, Decimal, USD},
    reader::Reader,
    reference::{Reference, Shape},
};

/// What may be spent: in tokens and in money. Days and months are those of UTC's calendar, hours roll.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Budgets {
    /// Tokens in a day.
    pub daily_tokens: Option<Ceiling>,
    /// Tokens in any hour.
    pub hourly: Option<HourlyBudgets>,
    /// Money in a day.
    pub daily_usd: Option<Ceiling>,
    /// Money in a month.
    pub monthly_usd: Option<Ceiling>,
}

/// Tokens in any hour, each kind on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourlyBudgets {
    /// The switch of all of them.
    pub enabled: bool,
    /// Input and output together.
    pub total: Option<Ceiling>,
    /// Input.
    pub input: Option<Ceiling>,
    /// Output.
    pub output: Option<Ceiling>,
}

/// A greatest value with a switch of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceiling {
    /// The value: whole unless it is money.
    pub max: Decimal,
    /// Whether it holds.
    pub enabled: bool,
}

const TOKENS: CeilingForm = CeilingForm { is_money: false };

const MONEY: CeilingForm = CeilingForm { is_money: true };

impl Section for Budgets {
    const NAME: &'static str = "budgets";
    const DOC: &'static str = "What may be spent. Days and months are those of UTC's calendar, hours roll.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            daily_tokens: fields.optional(
                "daily_tokens",
                &TOKENS,
                |budgets| budgets.daily_tokens.as_ref(),
                "Tokens in a day.",
            ),
            hourly: fields.optional(
                "hourly",
                &Nested::new(),
                |budgets| budgets.hourly.as_ref(),
                "Tokens in any hour; the request that asks counts.",
            ),
            daily_usd: fields.optional("daily_usd", &MONEY, |budgets| budgets.daily_usd.as_ref(), "USD in a day."),
            monthly_usd: fields.optional(
                "monthly_usd",
                &MONEY,
                |budgets| budgets.monthly_usd.as_ref(),
                "USD in a month.",
            ),
        }
    }
}

impl Section for HourlyBudgets {
    const NAME: &'static str = "hourly_budgets";
    const DOC: &'static str = "Tokens in any hour, each kind on its own.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            enabled: fields.defaulted("enabled", &Flag, true, |hourly| &hourly.enabled, "The switch of all of them."),
            total: fields.optional("total", &TOKENS, |hourly| hourly.total.as_ref(), "Input and output together."),
            input: fields.optional("input", &TOKENS, |hourly| hourly.input.as_ref(), "Input."),
            output: fields.optional("output", &TOKENS, |hourly| hourly.output.as_ref(), "Output."),
        }
    }
}

impl Section for Ceiling {
    const NAME: &'static str = "ceiling";
    const DOC: &'static str = "A greatest value with a switch of its own; the value alone is short for it.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            max: fields.required("max", &AMOUNT, |ceiling| &ceiling.max, "The greatest value; tokens are whole."),
            enabled: fields.defaulted("enabled", &Flag, true, |ceiling| &ceiling.enabled, "Whether it holds."),
        }
    }
}

/// As many as a [`Decimal`] can be.
const MOST_TOKENS: u64 = u64::MAX / 1_000_000_000;

/// One form for both, because what reads a section is large.
struct CeilingForm {
    is_money: bool,
}

impl Form for CeilingForm {
    type Value = Ceiling;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Ceiling> {
        let (ceiling, pointer) = if is_mapping(raw) {
            (Nested::new().read(raw, reader)?, "/max")
        } else {
            (AMOUNT.read(raw, reader).map(|max| Ceiling { max, enabled: true })?, "")
        };
        if !self.is_money && ceiling.max.whole().is_none() {
            reader.report_under(pointer, NOT_WHOLE);
        }
        Some(ceiling)
    }

    fn write(&self, value: &Ceiling, out: &mut Writer) {
        Nested::new().write(value, out);
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        let section = Nested::<Ceiling>::new().shape(reference);
        let bare = if self.is_money { USD.shape(reference) } else { Shape::Whole { min: 0, max: MOST_TOKENS } };
        Shape::Either([bare, section].into())
    }

    fn stand_in(&self) -> Ceiling {
        Ceiling { max: AMOUNT.stand_in(), enabled: true }
    }
}
