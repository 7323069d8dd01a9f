//! Environments: what is otherwise for requests that name one.

use alloc::{string::String, vec::Vec};

use super::{
    collection::{ByName, List, Named},
    fields::{Fields, Nested, Section},
    form::Flag,
    key::Team,
    limit::Limit,
    raw::{Account, BaseUrl, Credential, Key},
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
