//! The configuration, ready to run: immutable, built once a load, shared by all exchanges of a worker.

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::time::Duration;

use crate::{
    auth::KeyTable,
    config::{Account, AuthMode, BaseUrl, Config, Credential, Provider as Section, StreamUsage},
    error::{Error, Kind},
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
    /// The environment variable that would configure it, where it is not.
    pub missing: Option<String>,
}

impl Gateway {
    /// Builds the gateway; `environment` resolves credentials.
    #[must_use]
    pub fn new(config: &Config, environment: impl Fn(&str) -> Option<String>) -> Self {
        let providers = config.providers.iter().filter(|provider| provider.enabled);
        Self {
            keys: KeyTable::new(&config.auth, &config.keys),
            providers: providers.map(|provider| Rc::new(Provider::new(provider, &environment))).collect(),
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

    /// The provider and the model's own id that a name means: `provider/id`, or a bare id where there is one provider only.
    ///
    /// # Errors
    /// [`Kind::ModelNotFound`].
    pub fn resolve<'a>(&self, model: &'a str) -> Result<(&Rc<Provider>, &'a str), Error> {
        if let Some((name, id)) = model.split_once('/')
            && !id.is_empty()
            && let Some(provider) = self.provider(name)
        {
            return Ok((provider, id));
        }
        if let [provider] = self.providers.as_slice() {
            return Ok((provider, model));
        }
        let names: Vec<_> = self.providers.iter().map(|provider| provider.name.as_str()).collect();
        Err(Error::new(
            Kind::ModelNotFound,
            format!(
                "The model `{model}` is not known. Write it as `provider/model`; the providers are {}.",
                names.join(", ")
            ),
        )
        .blaming("model"))
    }
}

impl Provider {
    fn new(section: &Section, environment: &impl Fn(&str) -> Option<String>) -> Self {
        let (spec, vendor) = (section.kind.0, Vendor::of(&section.base_url));
        let mut headers: Vec<_> =
            section.headers.iter().map(|(name, value)| (Name::Owned(name.clone()), value.clone())).collect();
        let mut secrets = section.accounts.iter().map(|account| secret(account, environment));
        // The first account that is configured; where none is, what the first one lacks.
        let chosen = secrets.next().map(|first| secrets.fold(first, Result::or));
        let missing = match chosen {
            Some(Ok(secret)) => {
                let place = vendor.credential.unwrap_or(spec.credential);
                headers.extend(secret.map(|secret| authorization(place, &secret)));
                None
            }
            Some(Err(missing)) => Some(missing),
            None => Some("it has no account".into()),
        };
        Self {
            name: section.name.clone(),
            spec,
            vendor,
            cluster: section.cluster(),
            authority: section.base_url.authority(),
            base_url: section.base_url.clone(),
            takes_stream_options: match section.stream_usage {
                Some(StreamUsage::Ask) => true,
                Some(StreamUsage::Never) => false,
                None => vendor.takes_stream_options,
            },
            headers,
            first_byte: section.timeouts.first_byte,
            flex: section.timeouts.flex,
            missing,
        }
    }
}

/// The secret of an account, none where none is sent, or what is missing.
fn secret(account: &Account, environment: &impl Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
    match (account.auth, &account.credential) {
        (AuthMode::None, _) => Ok(None),
        (AuthMode::ApiKey, Some(Credential::Value(value))) => Ok(Some(value.clone())),
        (AuthMode::ApiKey, Some(Credential::Env(name))) => match environment(name).filter(|value| !value.is_empty()) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("the environment variable {name} is not set")),
        },
        (AuthMode::ApiKey, None) => Err("it has no credential".into()),
    }
}

impl Config {
    /// The longest `first_byte` of the enabled providers: the per-try time-out of the rendered route.
    #[must_use]
    pub fn longest_first_byte(&self) -> Duration {
        let enabled = self.providers.iter().filter(|provider| provider.enabled);
        enabled.map(|provider| provider.timeouts.first_byte).max().unwrap_or_default()
    }
}
