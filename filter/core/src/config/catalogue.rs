//! The sections of models: what the file adds to the built-in catalogue or says otherwise.

use alloc::{string::String, vec::Vec};

use super::{
    collection::{List, Named},
    fields::{Fields, Section},
    form::{Flag, Whole},
    number::{Decimal, USD},
    text::{LABEL, MODEL},
    time::DATE,
};

/// How the catalogue is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Catalogue {
    /// Whether a model that is not in it is refused.
    pub strict: bool,
    /// Whether a provider is sent the model that the catalogue calls its equivalent.
    pub equivalents: bool,
}

/// A model of one provider. What is absent is as the built-in catalogue says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Model {
    /// `provider/model`.
    pub name: String,
    /// What the provider calls it; where absent, what follows the first `/` of its name.
    pub id: Option<String>,
    /// What people call it.
    pub title: Option<String>,
    /// When it came out, seconds since the epoch.
    pub released: Option<u64>,
    /// Tokens of input and output together.
    pub context_window: Option<u64>,
    /// Tokens of output.
    pub max_output_tokens: Option<u64>,
    /// What it costs.
    pub price: Price,
    /// What it can do, such as `vision` or `tools`.
    pub capabilities: Option<Vec<String>>,
    /// The model that it is a dated version of.
    pub snapshot_of: Option<String>,
    /// Whether it may be asked.
    pub enabled: bool,
    /// Whatever else is written: names, and values as JSON.
    pub metadata: Vec<(String, String)>,
}

/// What a model costs: USD per million tokens, but for images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// Input.
    pub input: Option<Decimal>,
    /// Input that the provider had cached.
    pub cached_input: Option<Decimal>,
    /// Input that the provider caches.
    pub cache_write: Option<Decimal>,
    /// Output.
    pub output: Option<Decimal>,
    /// Reasoning; where absent, as output.
    pub reasoning: Option<Decimal>,
    /// One image.
    pub image: Option<Decimal>,
}

impl Section for Catalogue {
    const NAME: &'static str = "catalogue";
    const DOC: &'static str = "How the built-in catalogue of models is used.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            strict: fields.defaulted(
                "strict",
                &Flag,
                false,
                |catalogue| &catalogue.strict,
                "Whether a model that it does not know is refused, instead of passed on.",
            ),
            equivalents: fields.defaulted(
                "equivalents",
                &Flag,
                true,
                |catalogue| &catalogue.equivalents,
                "Whether a provider may be sent its equivalent of the model asked for.",
            ),
        }
    }
}

impl Named for Model {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Section for Model {
    const NAME: &'static str = "model";
    const DOC: &'static str =
        "A model of one provider. What is not written is as the catalogue says; other fields are kept as metadata.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let tokens = Whole { min: 1, max: u64::MAX };
        Self {
            name: fields.name(),
            id: fields.optional(
                "id",
                &MODEL,
                |model| model.id.as_ref(),
                "What the provider calls it. Default: what follows the first `/` of its name.",
            ),
            title: fields.optional("name", &LABEL, |model| model.title.as_ref(), "What people call it."),
            released: fields.optional("released", &DATE, |model| model.released.as_ref(), "When it came out."),
            context_window: fields.optional(
                "context_window",
                &tokens,
                |model| model.context_window.as_ref(),
                "Tokens of input and output together.",
            ),
            max_output_tokens: fields.optional(
                "max_output_tokens",
                &tokens,
                |model| model.max_output_tokens.as_ref(),
                "Tokens of output.",
            ),
            price: fields.section("price", |model| &model.price, "What it costs."),
            capabilities: fields.optional(
                "capabilities",
                &List(LABEL),
                |model| model.capabilities.as_ref(),
                "What it can do, such as vision or tools.",
            ),
            snapshot_of: fields.optional(
                "snapshot_of",
                &MODEL,
                |model| model.snapshot_of.as_ref(),
                "The model that it is a dated version of.",
            ),
            enabled: fields.defaulted("enabled", &Flag, true, |model| &model.enabled, "Whether it may be asked."),
            metadata: fields.rest(|model| &model.metadata),
        }
    }
}

impl Section for Price {
    const NAME: &'static str = "price";
    const DOC: &'static str = "What a model costs: USD per million tokens, but for images.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            input: fields.optional("input", &USD, |price| price.input.as_ref(), "Input."),
            cached_input: fields.optional(
                "cached_input",
                &USD,
                |price| price.cached_input.as_ref(),
                "Input that the provider had cached.",
            ),
            cache_write: fields.optional(
                "cache_write",
                &USD,
                |price| price.cache_write.as_ref(),
                "Input that the provider caches.",
            ),
            output: fields.optional("output", &USD, |price| price.output.as_ref(), "Output."),
            reasoning: fields.optional(
                "reasoning",
                &USD,
                |price| price.reasoning.as_ref(),
                "Reasoning. Default: as output.",
            ),
            image: fields.optional("image", &USD, |price| price.image.as_ref(), "One image."),
        }
    }
}
