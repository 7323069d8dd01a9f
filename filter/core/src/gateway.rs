//! The configuration, ready to run: immutable, built once a load, shared by all exchanges of a worker.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::time::Duration;

use crate::{
    auth::KeyTable,
    catalogue::Catalogue,
    config::{BaseUrl, Config, Provider as Section, RetryMode, StreamUsage},
    plan::{Mode, Signpost},
    provider::{Spec, Vendor, authorization},
    step::Name,
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
    /// The habits of its vendor.
    pub vendor: &'static Vendor,
    /// Its Envoy cluster.
    pub cluster: String,
    /// Where attempts at it run.
    pub mode: Mode,
    /// How the route finds its cluster.
    pub signpost: Signpost,
    /// The `:authority` it expects.
    pub authority: String,
    /// Where it is.
    pub base_url: BaseUrl,
    /// Whether its streams may be asked for their usage.
    pub takes_stream_options: bool,
    /// Headers of every request, the credential's among them.
    pub headers: Vec<(Name, String)>,
    /// To the first content of the answer.
    pub first_byte: Duration,
    /// Replaces `first_byte` for the flex tier.
    pub flex: Duration,
    /// Of the whole exchange.
    pub total: Duration,
    /// What it lacks, where it is not configured.
    pub missing: Option<String>,
}

impl Provider {
    /// How long the first content of an answer may take.
    #[must_use]
    pub fn patience(&self, is_flex: bool) -> Duration {
        if is_flex { self.flex } else { self.first_byte }
    }

    /// Whether a text holds one of the values that it is sent in headers, such as its credential.
    #[must_use]
    pub fn names_secret(&self, text: &[u8]) -> bool {
        // Shorter values are switches and versions.
        const MIN_SECRET: usize = 8;
        self.headers.iter().any(|(_, value)| {
            let secret = value.strip_prefix("Bearer ").unwrap_or(value).as_bytes();
            secret.len() >= MIN_SECRET && text.windows(secret.len()).any(|part| part == secret)
        })
    }
}

impl Gateway {
    /// Builds the gateway; `environment` resolves credentials.
    #[must_use]
    pub fn new(config: &Config, environment: impl Fn(&str) -> Option<String>) -> Self {
        let providers = config.providers.iter().filter(|provider| provider.enabled);
        let providers: Vec<_> =
            providers.map(|provider| Rc::new(Provider::new(config, provider, &environment))).collect();
        Self {
            keys: KeyTable::new(&config.auth, &config.keys),
            catalogue: Catalogue::new(config, &providers),
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
        let (spec, vendor) = (section.kind.0, Vendor::of(&section.base_url));
        let mut headers: Vec<(Name, String)> = Vec::new();
        let missing = match section.secrets(environment) {
            Ok(secrets) => {
                headers.extend(secrets.headers.into_iter().map(|(name, value)| (Name::Owned(name), value)));
                let place = vendor.credential.unwrap_or(spec.credential);
                headers.extend(secrets.credential.map(|secret| authorization(place, &secret)));
                None
            }
            Err(missing) => Some(missing),
        };
        Self {
            name: section.name.clone(),
            spec,
            vendor,
            cluster: section.cluster(),
            mode: section.mode(&config.retry),
            signpost: match (config.retry.mode, &section.cluster) {
                (RetryMode::Dispatch, _) => Signpost::Header,
                (RetryMode::Auto | RetryMode::Native, Some(_)) => Signpost::Either,
                (RetryMode::Auto | RetryMode::Native, None) => Signpost::Property,
            },
            authority: section.base_url.authority(),
            base_url: section.base_url.clone(),
            takes_stream_options: match section.stream_usage {
                Some(StreamUsage::Ask) => true,
                Some(StreamUsage::Never) => false,
                None => vendor.takes_stream_options,
            },
            headers,
            first_byte: config.first_byte(section),
            flex: section.timeouts.flex,
            total: section.timeouts.total,
            missing,
        }
    }
}

#[cfg(test)]
impl Provider {
    /// A provider for tests that need one, whichever it is.
    pub(crate) fn any() -> Rc<Self> {
        let file = r#"{"providers":{"p":{"kind":"ollama","base_url":"http://127.0.0.1:1"}}}"#;
        let config = crate::config::parse(file).unwrap();
        Rc::clone(Gateway::new(&config, |_| None).provider("p").unwrap())
    }
}
