//! Environments: what is otherwise for requests that name one.

use alloc::{string::String, vec::Vec};
use core::mem;

use super::{
    collection::{ByName, List, Named},
    fields::{Fields, Nested, Section},
    form::Flag,
    key::Team,
    limit::Limit,
    provider::OWN_ACCOUNT,
    raw::{Account, AuthMode, BaseUrl, Config, Credential, Key, Provider},
    router::Router,
    routing::{ROUTING, Routing, Strategy},
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
    /// The file as it is in its environments, in their order.
    pub fn environments(&self) -> impl Iterator<Item = Self> {
        (0..self.environments.len()).map(|place| {
            let mut config = self.clone();
            let _ = config.enter(place);
            config
        })
    }

    /// Makes the file what it is in an environment. Nothing is copied, because what copies a whole file is a large part of the
    /// module; so it is done in place, and undone by [`leave`](Self::leave). What the environment had of its own is gone after that.
    pub(crate) fn enter(&mut self, place: usize) -> Outside {
        let Some(environment) = self.environments.get_mut(place) else { return Outside::default() };
        let Environment { teams, routers, routing, limits, providers, .. } = environment;
        let mut outside = Outside {
            teams: replace(&mut self.teams, mem::take(teams), |team| &team.name),
            routers: replace(&mut self.routers, mem::take(routers), |router| &router.name),
            routing: replace(&mut self.routing, mem::take(routing), |(name, _)| name),
            limits: replace(&mut self.limits, mem::take(limits), |limit| &limit.name),
            providers: Vec::new(),
        };
        for other in mem::take(providers) {
            if let Some(index) = self.providers.iter().position(|provider| provider.name == other.name)
                && let Some(provider) = self.providers.get_mut(index)
            {
                outside.providers.push((index, other.swap(provider, Some(place))));
            }
        }
        outside
    }

    pub(crate) fn leave(&mut self, outside: Outside) {
        outside.teams.restore(&mut self.teams);
        outside.routers.restore(&mut self.routers);
        outside.routing.restore(&mut self.routing);
        outside.limits.restore(&mut self.limits);
        for (index, was) in outside.providers {
            if let Some(provider) = self.providers.get_mut(index) {
                let _ = was.swap(provider, None);
            }
        }
    }

    /// All keys, each with the environment that it is bound to: a key is known wherever it is presented, or it would be a
    /// stranger's in another environment.
    pub fn all_keys(&self) -> impl Iterator<Item = (&Key, Option<&String>)> {
        let top = self.keys.iter().map(|key| (key, key.environment.as_ref()));
        top.chain(
            self.environments
                .iter()
                .flat_map(|environment| environment.keys.iter().map(move |key| (key, Some(&environment.name)))),
        )
    }

    /// The keys that may be used in an environment, by its place, or at the top level.
    pub(crate) fn keys_within(&self, place: Option<usize>) -> impl Iterator<Item = (&Key, Option<&String>)> {
        let here = place.and_then(|place| self.environments.get(place)).map(|environment| &environment.name);
        self.all_keys().filter(move |(_, bound)| bound.is_none() || *bound == here)
    }
}

/// What the top level has in the place of what an environment has.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    teams: Replaced<Team>,
    routers: Replaced<Router>,
    routing: Replaced<(String, Strategy)>,
    limits: Replaced<Limit>,
    providers: Vec<(usize, ProviderOverride)>,
}

/// Elements that others stand in for, by their places, and how many there were.
#[derive(Debug)]
struct Replaced<T> {
    elements: Vec<(usize, T)>,
    length: usize,
}

impl<T> Default for Replaced<T> {
    fn default() -> Self {
        Self { elements: Vec::new(), length: usize::MAX }
    }
}

impl<T> Replaced<T> {
    fn restore(self, elements: &mut Vec<T>) {
        elements.truncate(self.length);
        for (index, was) in self.elements {
            if let Some(element) = elements.get_mut(index) {
                *element = was;
            }
        }
    }
}

/// Puts elements in the place of those of the same name, and the others behind all.
fn replace<T>(elements: &mut Vec<T>, others: Vec<T>, name: impl Fn(&T) -> &String) -> Replaced<T> {
    let mut replaced = Replaced { elements: Vec::new(), length: elements.len() };
    for other in others {
        let index = elements.iter().position(|element| name(element) == name(&other));
        match index.and_then(|index| Some((index, elements.get_mut(index)?))) {
            Some((index, element)) => replaced.elements.push((index, mem::replace(element, other))),
            None => elements.push(other),
        }
    }
    replaced
}

impl ProviderOverride {
    /// Makes a provider what it is in an environment, at this place; and says what it was, which the same undoes.
    fn swap(self, provider: &mut Provider, place: Option<usize>) -> Self {
        let credential =
            self.credential.map(|credential| [Account::new(OWN_ACCOUNT, Some(credential), AuthMode::ApiKey)]);
        let accounts = self.accounts.or_else(|| credential.map(Vec::from));
        // With the same URLs as elsewhere the clusters are the same, too.
        let is_elsewhere =
            self.base_url.is_some() || accounts.iter().flatten().any(|account| account.base_url.is_some());
        provider.is_elsewhere = place.is_some() && is_elsewhere;
        provider.environment = place.filter(|_| is_elsewhere || accounts.is_some());
        Self {
            name: self.name,
            base_url: self.base_url.map(|base_url| mem::replace(&mut provider.base_url, base_url)),
            credential: None,
            accounts: accounts.map(|accounts| mem::replace(&mut provider.accounts, accounts)),
            enabled: self.enabled.map(|enabled| mem::replace(&mut provider.enabled, enabled)),
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
