//! The sections of those who ask: keys and teams.

use alloc::{string::String, vec::Vec};

use serde_json::value::RawValue;

use super::{
    budget::Budgets,
    collection::{List, Named, Pairs},
    fields::{Fields, Nested, Section},
    form::{Flag, Form, Writer},
    node::is_mapping,
    raw::{Credential, Key},
    reader::Reader,
    reference::{Reference, Shape},
    routing::Strategy,
    text::{LABEL, MODEL_GLOB, SHA256, TEXT},
    time::TIME,
};

/// Who asks without a key, as logs and metrics call them: nobody else may be called so.
pub const ANONYMOUS: &str = "anonymous";

/// Several keys that share a budget and limits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// What all its keys may spend together.
    pub budgets: Budgets,
}

/// The routing configuration of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyRouting {
    /// One of `routing`, by its name.
    Named(String),
    /// One of its own.
    Inline(Strategy),
}

/// Credentials that the holder of a key brings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Byok {
    /// Whether a request may bring one.
    pub allowed: bool,
    /// Kept here, by provider.
    pub credentials: Vec<(String, Credential)>,
}

impl Section for Key {
    const NAME: &'static str = "key";
    const DOC: &'static str = "A client's key: who it is and what it may use.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let id = fields.required("id", &LABEL, |key| &key.id, "Its identifier, unique.");
        let name = fields.optional("name", &LABEL, |key| Some(&key.name), "What logs show. Default: the id.");
        let key = Self {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            sha256: fields.required("sha256", &SHA256, |key| &key.sha256, "SHA-256 of the whole key."),
            description: fields.defaulted("description", &TEXT, String::new(), |key| &key.description, "Free text."),
            team: fields.optional(
                "team",
                &LABEL,
                |key| key.team.as_ref(),
                "The team whose budget and limits it shares.",
            ),
            environment: fields.optional(
                "environment",
                &LABEL,
                |key| key.environment.as_ref(),
                "The environment that it is bound to. Default: the top level of the file.",
            ),
            providers: fields.optional(
                "providers",
                &List(TEXT),
                |key| key.providers.as_ref(),
                "Providers it may use. Default: all.",
            ),
            models: fields.optional(
                "models",
                &List(MODEL_GLOB),
                |key| key.models.as_ref(),
                "Models it may use, patterns over `provider/id` and `id`. Default: all.",
            ),
            budgets: fields.section("budgets", |key| &key.budgets, "What it may spend."),
            labels: fields.many(
                "labels",
                &Pairs { name: LABEL, value: LABEL },
                |key| &key.labels,
                "Labels, for rules, limits and logs.",
            ),
            cost_tags: fields.many("cost_tags", &List(LABEL), |key| &key.cost_tags, "What its cost is booked on."),
            routing: fields.optional(
                "routing",
                &KeyRoutingForm,
                |key| key.routing.as_ref(),
                "Its routing configuration, by name or written here. While active it decides over every router.",
            ),
            not_before: fields.optional(
                "not_before",
                &TIME,
                |key| key.not_before.as_ref(),
                "Not accepted before this time.",
            ),
            expires: fields.optional("expires", &TIME, |key| key.expires.as_ref(), "Not accepted from this time on."),
            enabled: fields.defaulted("enabled", &Flag, true, |key| &key.enabled, "A switch that can be turned back."),
            byok: fields.section("byok", |key| &key.byok, "Credentials that its holder brings."),
        };
        if let (Some(not_before), Some(expires)) = (key.not_before, key.expires)
            && not_before >= expires
        {
            fields.report("/expires", "is not after `not_before`: the key would never be accepted");
        }
        key
    }
}

impl Named for Team {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Section for Team {
    const NAME: &'static str = "team";
    const DOC: &'static str = "Several keys that share a budget and limits.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            name: fields.name(),
            description: fields.defaulted("description", &TEXT, String::new(), |team| &team.description, "Free text."),
            budgets: fields.section("budgets", |team| &team.budgets, "What all its keys may spend together."),
        }
    }
}

impl Section for Byok {
    const NAME: &'static str = "byok";
    const DOC: &'static str = "Credentials that the holder of a key brings: bring your own key.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            allowed: fields.defaulted(
                "allowed",
                &Flag,
                false,
                |byok| &byok.allowed,
                "Whether a request may bring one, in `x-dragoman-provider-key`.",
            ),
            credentials: fields.many(
                "credentials",
                &Pairs { name: TEXT, value: Nested::new() },
                |byok| &byok.credentials,
                "Kept here, by provider.",
            ),
        }
    }
}

/// A name, or a strategy.
struct KeyRoutingForm;

impl Form for KeyRoutingForm {
    type Value = KeyRouting;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<KeyRouting> {
        if is_mapping(raw) {
            return Nested::new().read(raw, reader).map(KeyRouting::Inline);
        }
        LABEL.read(raw, reader).map(KeyRouting::Named)
    }

    fn write(&self, value: &KeyRouting, out: &mut Writer) {
        match value {
            KeyRouting::Named(name) => LABEL.write(name, out),
            KeyRouting::Inline(strategy) => Nested::new().write(strategy, out),
        }
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        let section = Nested::<Strategy>::new().shape(reference);
        Shape::Either([LABEL.shape(reference), section].into())
    }

    fn stand_in(&self) -> KeyRouting {
        KeyRouting::Named(String::new())
    }
}
