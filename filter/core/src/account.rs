//! An account of a provider, ready to be used: a credential, and the place where it is presented.

use alloc::{rc::Rc, string::String, vec::Vec};

use crate::{
    auth::Glob,
    config::{self, AuthMode, BaseUrl, Decimal, Endpoint, Retry, SpokenResponses, StreamUsage},
    dialect::{Downstream, openai_responses},
    gateway::Provider,
    provider::{FIRST, Responses, Spec, Vendor, authorization},
    seal::{Owner, Seal},
    secret::Secret,
    step::Name,
};

/// See the module's documentation.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its name, unique within the provider.
    pub name: String,
    /// The Envoy cluster; it carries the module where attempts run behind the router.
    pub cluster: String,
    /// The cluster of the same place that does not, where there is one.
    pub plain: Option<String>,
    /// The habits of the vendor there.
    pub vendor: &'static Vendor,
    /// The `:authority` that is expected there.
    pub authority: String,
    /// Where it is.
    pub base_url: BaseUrl,
    /// Whether streams may be asked for their usage.
    pub takes_stream_options: bool,
    /// Whether Responses are spoken there.
    responses: Responses,
    /// Whether answers are kept there, on whatever path they are asked for.
    is_keeper: bool,
    /// Headers of every request, whichever account it is.
    shared: Rc<[(Name, Secret)]>,
    /// The header that presents the credential, where there is one.
    credential: Option<(Name, Secret)>,
    /// Its share of the provider's requests.
    pub weight: Decimal,
    /// The models that it is for; all where absent.
    models: Option<Vec<Glob>>,
    /// What it lacks, where it is not configured.
    pub missing: Option<String>,
    /// Whether the credential is the caller's own, whose business it is when the provider refuses it.
    pub is_callers: bool,
}

impl Account {
    /// All accounts of a provider.
    pub(crate) fn all(
        provider: &config::Provider,
        retry: &Retry,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Vec<Rc<Self>> {
        let (endpoints, places) = provider.places();
        let shared = provider.shared_headers(&environment);
        let account = |(section, place): (&config::Account, &usize)| {
            let endpoint = endpoints.get(*place)?;
            let secret = shared.as_ref().map_err(Clone::clone).and_then(|_| section.secret(&environment));
            let shared = shared.as_ref().map(Rc::clone).unwrap_or_default();
            Some(Rc::new(Self::new(provider, section, endpoint, retry, shared, secret)))
        };
        provider.accounts.iter().zip(&places).filter_map(account).collect()
    }

    fn new(
        provider: &config::Provider,
        section: &config::Account,
        endpoint: &Endpoint<'_>,
        retry: &Retry,
        shared: Rc<[(Name, Secret)]>,
        secret: Result<Option<Secret>, String>,
    ) -> Self {
        let vendor = Vendor::of(endpoint.base_url);
        let place = vendor.credential.unwrap_or(provider.kind.0.credential);
        let is_kind = provider.kind == FIRST.1;
        let is_keeper = is_kind
            && match provider.responses {
                Some(SpokenResponses::Stateful) => true,
                Some(SpokenResponses::Stateless) => false,
                Some(SpokenResponses::Spoken) => !vendor.keeps_nothing(),
                // What is not spoken on routers may be so on its own paths.
                None | Some(SpokenResponses::None) => vendor.responses == Responses::Stateful,
            };
        let (secret, missing) = match secret {
            Ok(secret) => (secret, None),
            Err(missing) => (None, Some(missing)),
        };
        Self {
            name: section.name.clone(),
            cluster: endpoint.cluster.clone(),
            plain: provider.plain_cluster(endpoint, retry),
            vendor,
            authority: endpoint.base_url.authority(),
            base_url: endpoint.base_url.clone(),
            takes_stream_options: match provider.stream_usage {
                Some(StreamUsage::Ask) => true,
                Some(StreamUsage::Never) => false,
                None => vendor.takes_stream_options,
            },
            responses: match provider.responses {
                _ if !is_kind => Responses::Unknown,
                None if vendor.responses(endpoint.base_url) == Responses::Unknown => Responses::Unknown,
                Some(SpokenResponses::None) => Responses::Unknown,
                Some(_) | None if is_keeper => Responses::Stateful,
                Some(_) | None => Responses::Stateless,
            },
            is_keeper,
            shared,
            credential: secret.map(|secret| authorization(place, &secret)),
            weight: section.weight,
            models: section.models.as_ref().map(|models| models.iter().map(|model| Glob::new(model)).collect()),
            missing,
            is_callers: false,
        }
    }

    /// A credential of a caller's own, used in place of the provider's accounts and where the provider itself is.
    pub(crate) fn of_caller(
        provider: &config::Provider,
        credential: (String, config::Credential),
        retry: &Retry,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        Self { is_callers: true, ..Self::of_target(provider, credential, retry, environment) }
    }

    /// The same with another credential.
    pub(crate) fn with(&self, provider: &Provider, secret: &Secret) -> Self {
        let place = self.vendor.credential.unwrap_or(provider.spec.credential);
        Self { credential: Some(authorization(place, secret)), ..self.clone() }
    }

    /// A credential of a target's own, used in place of the provider's accounts and where the provider itself is.
    pub(crate) fn of_target(
        provider: &config::Provider,
        (name, credential): (String, config::Credential),
        retry: &Retry,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let section = config::Account {
            name,
            credential: Some(credential),
            auth: AuthMode::ApiKey,
            base_url: None,
            cluster: None,
            weight: Decimal::of(1),
            models: None,
            enabled: true,
        };
        let shared = provider.shared_headers(&environment);
        let secret = shared.as_ref().map_err(Clone::clone).and_then(|_| section.secret(&environment));
        Self::new(provider, &section, &provider.endpoint(), retry, shared.unwrap_or_default(), secret)
    }

    /// Whether a client's format is spoken there about a model.
    #[must_use]
    pub fn speaks(&self, spec: &Spec, format: &dyn Downstream, model: &str) -> bool {
        if Downstream::name(format) == openai_responses::NAME {
            return self.responses != Responses::Unknown && !self.vendor.never_responds(model);
        }
        format.is_spoken_by(spec.dialect.name(), self.vendor, model)
    }

    /// Whether what a client's format says of earlier answers can be asked there.
    #[must_use]
    pub fn keeps_answers(&self) -> bool {
        self.responses == Responses::Stateful && self.credential.is_some()
    }

    /// What seals the ids of an owner's answers that are kept there. Without a credential there is nothing to make one of.
    pub(crate) fn seal(&self, owner: &Owner) -> Option<Seal> {
        let (_, credential) = self.credential.as_ref().filter(|_| self.is_keeper)?;
        let own = [credential.expose(), self.authority.as_str(), self.base_url.path.as_str()];
        // One of them may name a project in which the answers are.
        let shared = self.shared.iter().flat_map(|(name, value)| [&**name, value.expose()]);
        Some(Seal::new(owner, own.into_iter().chain(shared)))
    }

    /// Headers of every request, the credential's last.
    pub fn headers(&self) -> impl Iterator<Item = &(Name, Secret)> {
        self.shared.iter().chain(&self.credential)
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
        self.headers().any(|(name, value)| {
            let secret = token(name, value.expose()).as_bytes();
            secret.len() >= MIN_SECRET && text.windows(secret.len()).any(|part| part == secret)
        })
    }
}

/// What of a header's value is the secret: `Bearer`, `Basic` or `Token` is not. Elsewhere than in headers that authorize, what
/// stands behind a space may well be a word of an operator's own text, which many errors have in them.
fn token<'a>(name: &str, value: &'a str) -> &'a str {
    let authorizes = name.contains("auth") || value.starts_with("Bearer ");
    value.rsplit(' ').next().filter(|_| authorizes).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use crate::gateway::Gateway;

    fn gateway() -> Gateway {
        let file = r#"{"providers": {"p": {"kind": "openai", "credential": {"env": "KEY"}, "headers": {
            "x-plain": "sk-header-0001", "x-title": "A friendly assistant", "Proxy-Authorization": "Basic c2stYmFzaWM6eA==",
            "x-vendor-auth": "Token sk-token-0002", "x-gateway": "Bearer sk-bearer-0003", "x-version": "2024"}}}}"#;
        Gateway::new(&crate::config::parse(file).unwrap(), |_| Some("sk-credential-0004".into()))
    }

    #[test]
    fn a_secret_is_recognised_without_what_it_is_presented_by() {
        let gateway = gateway();
        let account = &gateway.providers[0].accounts[0];
        for secret in ["sk-header-0001", "c2stYmFzaWM6eA==", "sk-token-0002", "sk-bearer-0003", "sk-credential-0004"] {
            assert!(account.names_secret(format!("no such key: {secret}.").as_bytes()), "{secret}");
        }
        for text in ["Basic", "Token", "Bearer", "no key for the year 2024", "the role of an assistant"] {
            assert!(!account.names_secret(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn no_secret_is_in_what_is_printed_of_a_gateway() {
        let printed = format!("{:?}", gateway());
        assert!(printed.contains("x-plain") && printed.contains("api.openai.com"), "{printed}");
        for secret in ["sk-header", "assistant", "c2st", "sk-token", "sk-bearer", "sk-credential"] {
            assert!(!printed.contains(secret), "{secret}");
        }
    }
}
