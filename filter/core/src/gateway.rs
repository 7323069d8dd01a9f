//! The configuration, ready to run: immutable, built once a load, shared by all exchanges of a worker.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::time::Duration;

use crate::{
    account::Account,
    auth::KeyTable,
    catalogue::Catalogue,
    config::{Config, Provider as Section, RetryMode},
    plan::{Mode, Signpost},
    provider::{Spec, Vendor},
    route::Routing,
};

/// Everything a request is decided by.
#[derive(Debug)]
pub struct Gateway {
    /// Who may ask.
    pub keys: KeyTable,
    /// The enabled providers.
    pub providers: Vec<Rc<Provider>>,
    /// Their models.
    pub catalogue: Catalogue,
    /// Largest request body, in bytes.
    pub max_body: u64,
    /// Who is asked for what.
    pub routing: Routing,
    /// The per-try time-out that Envoy's route already has: only others are asked for.
    pub default_first_byte: Duration,
}

/// A provider, ready to be spoken to.
#[derive(Debug)]
pub struct Provider {
    /// Its name in the file.
    pub name: String,
    /// What it is.
    pub spec: &'static Spec,
    /// Who it is, by its own address.
    pub vendor: &'static Vendor,
    /// Its credentials, and where each is used.
    pub accounts: Vec<Rc<Account>>,
    /// Where attempts at it run.
    pub mode: Mode,
    /// How the route finds its clusters.
    pub signpost: Signpost,
    /// To the first content of the answer; what the time for all tries leaves of it, the plan knows.
    pub first_byte: Duration,
    /// Replaces `first_byte` for the flex tier.
    pub flex: Duration,
    /// Of the whole exchange.
    pub total: Duration,
    /// What it lacks, where none of its accounts is configured.
    pub missing: Option<String>,
}

impl Provider {
    /// How long the first content of an answer may take, whatever else bounds it.
    #[must_use]
    pub fn patience(&self, is_flex: bool) -> Duration {
        if is_flex { self.flex } else { self.first_byte }
    }
}

impl Gateway {
    /// Builds the gateway; `environment` resolves credentials.
    #[must_use]
    pub fn new(config: &Config, environment: impl Fn(&str) -> Option<String>) -> Self {
        let providers = config.providers.iter().filter(|provider| provider.enabled);
        let providers: Vec<_> =
            providers.map(|provider| Rc::new(Provider::new(config, provider, &environment))).collect();
        let catalogue = Catalogue::new(config, &providers);
        Self {
            keys: KeyTable::new(&config.auth, &config.keys),
            routing: Routing::new(config, &providers, &catalogue, &environment),
            catalogue,
            providers,
            max_body: config.max_body,
            default_first_byte: config.longest_first_byte(),
        }
    }

    /// Whether a request could be served: some provider is configured.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.providers.iter().any(|provider| provider.missing.is_none())
    }

    /// The provider with this name.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Rc<Provider>> {
        self.providers.iter().find(|provider| provider.name == name)
    }
}

impl Provider {
    fn new(config: &Config, section: &Section, environment: &impl Fn(&str) -> Option<String>) -> Self {
        Self {
            name: section.name.clone(),
            spec: section.kind.0,
            vendor: Vendor::of(&section.base_url),
            accounts: Account::all(section, &config.retry, environment),
            mode: section.mode(&config.retry),
            signpost: match (config.retry.mode, &section.cluster) {
                (RetryMode::Dispatch, _) => Signpost::Header,
                (RetryMode::Auto | RetryMode::Native, Some(_)) => Signpost::Either,
                (RetryMode::Auto | RetryMode::Native, None) => Signpost::Property,
            },
            first_byte: section.timeouts.first_byte,
            flex: section.timeouts.flex,
            total: section.timeouts.total,
            missing: section.missing(environment),
        }
    }
}
