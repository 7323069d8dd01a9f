//! Budgets of keys and teams.
//!
//! A limit's value and its switch are separate, so that one that is switched off keeps its value; the short spelling is the
//! value alone.

use serde_json::value::RawValue;

use super::{
    fields::{Fields, Nested, Section},
    form::{Flag, Form, Whole, Writer},
    node::Node,
    number::{Decimal, USD},
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
    pub daily_usd: Option<Decimal>,
    /// Money in a month.
    pub monthly_usd: Option<Decimal>,
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
    /// The value.
    pub max: u64,
    /// Whether it holds.
    pub enabled: bool,
}

const TOKENS: Whole<u64> = Whole { min: 0, max: u64::MAX };

impl Section for Budgets {
    const NAME: &'static str = "budgets";
    const DOC: &'static str = "What may be spent. Days and months are those of UTC's calendar, hours roll.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            daily_tokens: fields.optional(
                "daily_tokens",
                &CeilingForm,
                |budgets| budgets.daily_tokens.as_ref(),
                "Tokens in a day.",
            ),
            hourly: fields.optional(
                "hourly",
                &Nested::new(),
                |budgets| budgets.hourly.as_ref(),
                "Tokens in any hour; the request that asks counts.",
            ),
            daily_usd: fields.optional("daily_usd", &USD, |budgets| budgets.daily_usd.as_ref(), "Money in a day."),
            monthly_usd: fields.optional(
                "monthly_usd",
                &USD,
                |budgets| budgets.monthly_usd.as_ref(),
                "Money in a month.",
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
            total: fields.optional("total", &CeilingForm, |hourly| hourly.total.as_ref(), "Input and output together."),
            input: fields.optional("input", &CeilingForm, |hourly| hourly.input.as_ref(), "Input."),
            output: fields.optional("output", &CeilingForm, |hourly| hourly.output.as_ref(), "Output."),
        }
    }
}

impl Section for Ceiling {
    const NAME: &'static str = "ceiling";
    const DOC: &'static str = "A greatest value with a switch of its own; the value alone is short for it.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            max: fields.required("max", &TOKENS, |ceiling| &ceiling.max, "The greatest value."),
            enabled: fields.defaulted("enabled", &Flag, true, |ceiling| &ceiling.enabled, "Whether it holds."),
        }
    }
}

struct CeilingForm;

impl Form for CeilingForm {
    type Value = Ceiling;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Ceiling> {
        match Node::open(raw) {
            Some(Node::Object(_)) => Nested::new().read(raw, reader),
            _ => TOKENS.read(raw, reader).map(|max| Ceiling { max, enabled: true }),
        }
    }

    fn write(&self, value: &Ceiling, out: &mut Writer) {
        Nested::new().write(value, out);
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        let section = Nested::<Ceiling>::new().shape(reference);
        Shape::Either([TOKENS.shape(reference), section].into())
    }

    fn stand_in(&self) -> Ceiling {
        Ceiling { max: 0, enabled: true }
    }
}
