//! An account of a provider, ready to be used: a credential, and the place where it is presented.

use alloc::{string::String, vec::Vec};

use crate::{
    auth::Glob,
    config::{self, BaseUrl, Decimal, StreamUsage},
    provider::{Spec, Vendor, authorization},
    step::Name,
};

/// See the module's documentation.
#[derive(Debug)]
pub struct Account {
    /// Its name, unique within the provider.
    pub name: String,
    /// The Envoy cluster; it carries the module where attempts run behind the router.
    pub cluster: String,
    /// The cluster of the same place that does not.
    pub twin: String,
    /// The habits of the vendor there.
    pub vendor: &'static Vendor,
    /// The `:authority` that is expected there.
    pub authority: String,
    /// Where it is.
    pub base_url: BaseUrl,
    /// Whether streams may be asked for their usage.
    pub takes_stream_options: bool,
    /// Headers of every request, the credential's among them.
    pub headers: Vec<(Name, String)>,
    /// Its share of the provider's requests.
    pub weight: Decimal,
    /// The models that it is for; all where absent.
    models: Option<Vec<Glob>>,
    /// What it lacks, where it is not configured.
    pub missing: Option<String>,
}

impl Account {
    pub(crate) fn new(
        provider: &config::Provider,
        section: &config::Account,
        spec: &Spec,
        has_twins: bool,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Self {
        let endpoint = provider.endpoint_of(section);
        let vendor = Vendor::of(endpoint.base_url);
        let secrets = provider.secrets(section, environment);
        let mut headers: Vec<(Name, String)> = Vec::new();
        let missing = match secrets {
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
            twin: if has_twins { endpoint.twin() } else { endpoint.cluster.clone() },
            vendor,
            authority: endpoint.base_url.authority(),
            base_url: endpoint.base_url.clone(),
            cluster: endpoint.cluster,
            takes_stream_options: match provider.stream_usage {
                Some(StreamUsage::Ask) => true,
                Some(StreamUsage::Never) => false,
                None => vendor.takes_stream_options,
            },
            headers,
            weight: section.weight,
            models: section.models.as_ref().map(|models| models.iter().map(|model| Glob::new(model)).collect()),
            missing,
        }
    }

    /// Whether it is for a model of its provider.
    #[must_use]
    pub fn is_for(&self, provider: &str, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|glob| glob.matches_model(provider, model)))
    }

    /// Whether a text holds one of the values that are sent in headers, such as the credential.
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
