//! The configuration file: read with all its problems at once, checked, and typed.

mod aliases;
mod auth;
mod auto;
mod budget;
mod catalogue;
mod check;
mod collection;
mod credential;
mod document;
mod endpoint;
mod environment;
mod fields;
mod form;
mod jwt;
mod key;
mod limit;
mod listen;
mod node;
mod number;
mod observe;
mod plugin;
mod provider;
mod raw;
mod reader;
mod reading;
mod reference;
mod rendered;
mod retry;
mod router;
mod routing;
mod rule;
mod secrets;
mod text;
mod time;
mod url;

use alloc::{string::String, vec::Vec};
use core::fmt;

use serde_json::value::RawValue;

use self::{
    fields::{Nested, written},
    form::{Form, Writer},
    reader::Reader,
};

pub(crate) use self::limit::MOST_AT_ONCE;
pub(crate) use self::{
    aliases::ends,
    provider::OWN_ACCOUNT,
    rendered::Rendered,
    time::{parse_date, print_exact, print_millis},
};
pub use self::{
    auth::{Admin, AdminKey, Console, ConsoleUser, Role},
    auto::{Auto, Levels, TaskRoutes},
    budget::{Budgets, Ceiling, HourlyBudgets},
    catalogue::{Catalogue, Model, Price},
    endpoint::Endpoint,
    environment::{Environment, ProviderOverride},
    jwt::{Algorithm, Jwt, JwtClaims, JwtKeys, JwtScopes},
    key::{ANONYMOUS, Byok, KeyRouting, Team},
    limit::{Limit, LimitTarget, LimitsBackend, Measure, OnError, Period, RatelimitService, Scope},
    listen::Cors,
    number::Decimal,
    observe::{Adjust, Audit, Cache, Content, Log, Policy},
    plugin::Plugin,
    raw::{
        Account, Auth, AuthMode, BaseUrl, Config, Credential, EnvoyAdmin, Key, Listen, ModelLists, Provider, Retry,
        SpokenDialect, SpokenResponses, StreamUsage, Timeouts, Tls,
    },
    reader::{NOT_ACTED_ON, step},
    reference::{Field, Reference, SectionReference, Shape, Silence},
    retry::{Backoff, Cooldown, RetryMode, RetryOverride},
    router::{CacheDirective, LoadBalance, ModelMapping, RateLimit, Refill, Router, RouterCache},
    routing::{Destination, Routing, Sticky, Strategy, StrategyKind, Target},
    rule::{Bounds, Rule, TimeSpan, When},
    time::parse_duration,
};

/// One thing wrong with the file: where, as a JSON pointer, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer, e.g. `/providers/openai/base_url`; empty for the document itself.
    pub pointer: String,
    /// What is wrong and, where known, what was probably meant.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "{pointer}: {}", self.message)
    }
}

/// Reads and checks the user's document.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn parse(json: &str) -> Result<Config, Vec<Problem>> {
    Reader::document(json, |raw, reader| Document.read(raw, reader))
}

/// The same of a document that is to be run: what somebody relies on and nothing acts on yet is a problem.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub(crate) fn parse_to_run(json: &str) -> Result<Config, Vec<Problem>> {
    run(json, false)
}

/// The same of a document that has been changed since it was written: what names a model may do so although that is switched off, and
/// is left without it.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub(crate) fn parse_changed(json: &str) -> Result<Config, Vec<Problem>> {
    run(json, true)
}

#[inline(never)]
fn run(json: &str, is_changed: bool) -> Result<Config, Vec<Problem>> {
    Reader::document_to_run(json, is_changed, |raw, reader| Document.read(raw, reader))
}

/// The canonical document: everything written out, in one spelling, on one line. [`parse`] takes it back unchanged.
///
/// Secrets that stand in the file stand in it, too.
#[must_use]
pub fn to_json(config: &Config) -> String {
    written(&Document, config, false)
}

/// The same without what is as by default.
#[must_use]
pub fn to_brief_json(config: &Config) -> String {
    written(&Document, config, true)
}

/// What can be written in the file.
#[must_use]
pub fn reference() -> Reference {
    let mut reference = Reference::default();
    Document.shape(&mut reference);
    reference
}

/// The whole file: its sections, then what is checked between them.
struct Document;

impl Form for Document {
    type Value = Config;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Config> {
        let config = Nested::new().read(raw, reader)?;
        check::check(&config, reader);
        Some(config)
    }

    fn write(&self, config: &Config, out: &mut Writer) {
        Nested::new().write(config, out);
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        Nested::<Config>::new().shape(reference)
    }

    fn stand_in(&self) -> Config {
        Nested::new().stand_in()
    }
}

#[cfg(test)]
mod tests;
