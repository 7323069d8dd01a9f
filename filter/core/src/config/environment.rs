//! Environments: what is otherwise for requests that name one.

use alloc::{string::String, vec::Vec};

use super::{
    collection::{ByName, List, Named},
    fields::{Fields, Nested, Section},
    form::Flag,
    key::Team,
    limit::Limit,
    provider::OWN_ACCOUNT,
    raw::{Account, AuthMode, BaseUrl, Config, Credential, Key, Provider},
    reference::Silence,
    router::Router,
    routing::{ROUTING, Routing},
    text::{LABEL, PROVIDER_NAME, ROUTER_NAME},
    url::BASE_URL,
};

/// What is otherwise in an environment. What it does not have is as at the top level.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Keys that exist only in it.
    pub keys: Vec<Key>,
    /// Teams.
    pub teams: Vec<Team>,
    /// Providers of the file that are otherwise in it.
    pub providers: Vec<ProviderOverride>,
    /// Routers.
    pub routers: Vec<Router>,
    /// Routing configurations.
    pub routing: Routing,
    /// Limits; one of a name that the file has replaces it.
    pub limits: Vec<Limit>,
}

/// What a provider is otherwise.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProviderOverride {
    /// The provider of the file.
    pub name: String,
    /// Where it is.
    pub base_url: Option<BaseUrl>,
    /// Its credential.
    pub credential: Option<Credential>,
    /// Its credentials.
    pub accounts: Option<Vec<Account>>,
    /// Whether it takes part.
    pub enabled: Option<bool>,
}

impl Config {
    /// The file as it is in its environments, in their order. None has environments itself.
    pub fn environments(&self) -> impl Iterator<Item = Self> {
        self.environments.iter().enumerate().map(|(place, environment)| self.within(place, environment))
    }

    /// All keys, those of a level first, each bound to the environment that it is in: a key is known wherever it is presented, or
    /// it would be a stranger's in another environment.
    #[must_use]
    pub fn all_keys(&self, level: Option<&str>) -> Vec<Key> {
        let bound = |environment: &Environment| {
            let name = environment.name.clone();
            let own = environment.keys.iter().cloned();
            own.map(move |key| Key { environment: Some(name.clone()), ..key }).collect::<Vec<_>>()
        };
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            self.environments.iter().partition(|environment| Some(environment.name.as_str()) == level);
        let here = here.into_iter().flat_map(bound);
        here.chain(self.keys.iter().cloned()).chain(elsewhere.into_iter().flat_map(bound)).collect()
    }

    fn within(&self, place: usize, environment: &Environment) -> Self {
        let mut config = Self { environments: Vec::new(), ..self.clone() };
        config.keys = self.all_keys(Some(&environment.name));
        replace(&mut config.teams, &environment.teams, |team| &team.name);
        replace(&mut config.routers, &environment.routers, |router| &router.name);
        replace(&mut config.routing, &environment.routing, |(name, _)| name);
        replace(&mut config.limits, &environment.limits, |limit| &limit.name);
        for other in &environment.providers {
            let provider = config.providers.iter_mut().find(|provider| provider.name == other.name);
            if let Some(provider) = provider {
                other.apply(provider, place);
            }
        }
        config
    }
}

/// Puts elements in the place of those of the same name, and the others behind all.
fn replace<T: Clone>(elements: &mut Vec<T>, others: &[T], name: impl Fn(&T) -> &String) {
    for other in others {
        match elements.iter_mut().find(|element| name(element) == name(other)) {
            Some(element) => element.clone_from(other),
            None => elements.push(other.clone()),
        }
    }
}

impl ProviderOverride {
    fn apply(&self, provider: &mut Provider, place: usize) {
        if let Some(base_url) = &self.base_url {
            provider.base_url = base_url.clone();
        }
        if let Some(credential) = &self.credential {
            provider.accounts = [Account::new(OWN_ACCOUNT, Some(credential.clone()), AuthMode::ApiKey)].into();
        }
        if let Some(accounts) = &self.accounts {
            provider.accounts.clone_from(accounts);
        }
        provider.enabled = self.enabled.unwrap_or(provider.enabled);
        // With the same URLs as elsewhere the clusters are the same, too.
        if self.base_url.is_some() || self.accounts.iter().flatten().any(|account| account.base_url.is_some()) {
            provider.environment = Some(place);
        }
    }
}

impl Named for Environment {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Section for Environment {
    const NAME: &'static str = "environment";
    const PENDING: &'static [(&'static str, Silence)] = &[("limits", Silence::Unsafe)];
    const DOC: &'static str =
        "What is otherwise for requests that name it in `x-dragoman-env`; all else is as at the top level.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            name: fields.name(),
            keys: fields.many("keys", &List(Nested::new()), |other| &other.keys, "Keys that exist only in it."),
            teams: fields.many(
                "teams",
                &ByName { name: LABEL, section: Nested::new() },
                |other| &other.teams,
                "Teams, instead of those of the same name.",
            ),
            providers: fields.many(
                "providers",
                &ByName { name: PROVIDER_NAME, section: Nested::new() },
                |other| &other.providers,
                "Providers that are otherwise in it.",
            ),
            routers: fields.many(
                "routers",
                &ByName { name: ROUTER_NAME, section: Nested::new() },
                |other| &other.routers,
                "Routers, instead of those of the same name.",
            ),
            routing: fields.many(
                "routing",
                &ROUTING,
                |other| &other.routing,
                "Routing configurations, instead of those of the same name.",
            ),
            limits: fields.many(
                "limits",
                &List(Nested::new()),
                |other| &other.limits,
                "Limits; one with the name of another at the top level replaces it.",
            ),
        }
    }
}

impl Named for ProviderOverride {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Section for ProviderOverride {
    const NAME: &'static str = "provider_override";
    const DOC: &'static str = "What a provider of the file is otherwise in an environment.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            name: fields.name(),
            base_url: fields.optional("base_url", &BASE_URL, |other| other.base_url.as_ref(), "Where it is."),
            credential: fields.optional(
                "credential",
                &Nested::new(),
                |other| other.credential.as_ref(),
                "Its credential, in place of all that it has.",
            ),
            accounts: fields.optional(
                "accounts",
                &List(Nested::new()),
                |other| other.accounts.as_ref(),
                "Its credentials, in place of all that it has.",
            ),
            enabled: fields.optional("enabled", &Flag, |other| other.enabled.as_ref(), "Whether it takes part."),
        }
    }
}
