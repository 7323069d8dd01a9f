//! The configuration, ready to run: immutable, built once a load, shared by all exchanges of a worker.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::time::Duration;

use crate::{
    account::Account,
    auth::{Caller, Key, KeyTable},
    catalogue::{self, Catalogue},
    change::Changes,
    config::{self, Config, Provider as Section, RetryMode},
    content::Terms,
    limit,
    map::NameMap,
    plan::{Mode, Signpost},
    provider::{Spec, Vendor},
    record,
    route::Routing,
    secret::Secret,
};

/// Everything a request is decided by.
#[derive(Debug)]
pub struct Gateway {
    /// Who may ask: the same in all environments.
    pub keys: Rc<KeyTable>,
    /// By their ids, the keys that may be used here and keep credentials, with those.
    wallets: NameMap<'static, Rc<Key>>,
    /// The enabled providers.
    pub providers: Vec<Rc<Provider>>,
    /// Their models.
    pub catalogue: Catalogue,
    /// Largest request body, in bytes.
    pub max_body: u64,
    /// The same of what passes without being held.
    pub max_upload: u64,
    /// How many of the last requests' records are kept.
    pub ring: u32,
    /// What of the content of requests is kept beside, where any is.
    pub(crate) keeping: Option<Rc<Terms>>,
    /// Whether what was decided of requests is written down.
    pub(crate) is_audited: bool,
    /// Who may use the admin API.
    pub admins: Vec<config::AdminKey>,
    /// Who is asked for what.
    pub routing: Routing,
    /// What may be used up, by whom: one for all environments.
    pub limits: Rc<limit::Policy>,
    /// The environment that it is for; `None` at the top level.
    pub environment: Option<String>,
    /// What it is otherwise, by environment.
    pub(crate) environments: NameMap<'static, Rc<Self>>,
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
    /// What OpenTelemetry calls that: `gen_ai.provider.name`.
    pub known_as: &'static str,
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
    /// The environment that has made it another one than at the top level.
    environment: Option<String>,
    /// Where the provider itself is, for the credential of a caller's own.
    callers: Account,
}

impl Provider {
    /// How long the first content of an answer may take, whatever else bounds it.
    #[must_use]
    pub fn patience(&self, is_flex: bool) -> Duration {
        if is_flex { self.flex } else { self.first_byte }
    }

    /// A credential of a caller's own, ready to be used at this provider.
    #[must_use]
    pub fn account_of_caller(&self, secret: &Secret) -> Account {
        self.callers.with(self, secret)
    }

    /// The accounts by which a caller can ask it: its own, or in their place what the caller brings.
    pub(crate) fn usable_by<'a>(&'a self, caller: &'a Caller) -> impl Iterator<Item = &'a Rc<Account>> {
        let brought = caller.brought(&self.name);
        let kept = brought.is_none().then_some(&self.accounts).into_iter().flatten();
        brought.into_iter().chain(kept).filter(|account| account.missing.is_none())
    }

    /// The environment that has made it another one than at the top level; empty where none has.
    #[must_use]
    pub fn environment(&self) -> &str {
        self.environment.as_deref().unwrap_or_default()
    }
}

impl Gateway {
    /// Builds the gateway; `environment` resolves credentials.
    #[must_use]
    pub fn new(config: &Config, environment: impl Fn(&str) -> Option<String>) -> Self {
        Self::load(config.clone(), environment, &Changes::default())
    }

    /// The same, of a configuration that nobody else needs, without the keys that are over.
    #[must_use]
    pub fn load(mut config: Config, environment: impl Fn(&str) -> Option<String>, changes: &Changes) -> Self {
        let keys = Rc::new(KeyTable::new(&config.auth, config.all_keys(), changes));
        let shared = (keys, Rc::new(limit::Policy::new(&config)));
        let mut gateway = Self::within(&config, None, &shared, &environment);
        for place in 0..config.environments.len() {
            let outside = config.enter(place);
            let inside = Self::within(&config, Some(place), &shared, &environment);
            if let Some(name) = &inside.environment {
                gateway.environments.insert(name.clone(), Rc::new(inside));
            }
            config.leave(outside);
        }
        gateway
    }

    /// One level of the file: an environment, by its place, or the top.
    fn within(
        config: &Config,
        place: Option<usize>,
        (keys, limits): &(Rc<KeyTable>, Rc<limit::Policy>),
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let environment = &environment;
        let providers = config.providers.iter().filter(|provider| provider.enabled);
        let providers: Vec<_> =
            providers.map(|provider| Rc::new(Provider::new(config, provider, environment))).collect();
        let catalogue = Catalogue::new(config, &providers);
        let keeping = config.keys_within(place).filter(|(key, _)| !key.byok.credentials.is_empty());
        let wallet = |(key, bound): (&config::Key, Option<&String>)| {
            (key.id.clone(), Rc::new(Key::new(key, bound, wallet(config, key, environment))))
        };
        Self {
            keys: Rc::clone(keys),
            wallets: keeping.map(wallet).collect(),
            routing: Routing::new(config, place, &providers, &catalogue, environment),
            catalogue,
            providers,
            max_body: config.max_body,
            max_upload: config.max_upload,
            ring: config.log.ring,
            keeping: Terms::of(&config.log),
            is_audited: config.log.audit.enabled,
            admins: config.admin.keys.clone(),
            limits: Rc::clone(limits),
            environment: place.and_then(|place| config.environments.get(place)).map(|level| level.name.clone()),
            environments: NameMap::default(),
            default_first_byte: config.longest_first_byte(),
        }
    }

    /// Whether a request could be served: some provider is configured.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.providers.iter().any(|provider| provider.missing.is_none())
    }

    /// A caller, with the credentials that its key keeps.
    #[must_use]
    pub fn with_wallet(&self, caller: Caller) -> Caller {
        let kept = caller.key().and_then(|key| self.wallets.get(&key.id));
        kept.map_or(caller, |key| Caller::Known(Rc::clone(key)))
    }

    /// The provider with this name.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Rc<Provider>> {
        self.providers.iter().find(|provider| provider.name == name)
    }
}

/// The credentials that a key brings. One that is not configured stays, so that nobody else's is used in its place.
fn wallet(
    config: &Config,
    key: &config::Key,
    environment: &impl Fn(&str) -> Option<String>,
) -> Vec<(String, Rc<Account>)> {
    let account = |section: &Section, credential: &config::Credential| {
        let named = (["brought by ", &key.id].concat(), credential.clone());
        (section.name.clone(), Rc::new(Account::of_caller(section, named, &config.retry, environment)))
    };
    let mut wallet = Vec::new();
    for section in &config.providers {
        let own = key.byok.credentials.iter().filter(|(name, _)| *name == section.name);
        wallet.extend(own.map(|(_, credential)| account(section, credential)));
    }
    wallet
}

impl Provider {
    fn new(config: &Config, section: &Section, environment: &impl Fn(&str) -> Option<String>) -> Self {
        let none = config::Credential::Value(Secret::default());
        let level = section.environment.and_then(|place| config.environments.get(place));
        let provider = Self {
            name: section.name.clone(),
            spec: section.kind.0,
            vendor: Vendor::of(&section.base_url),
            known_as: "",
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
            environment: level.map(|level| level.name.clone()),
            callers: Account::of_caller(section, ("brought".into(), none), &config.retry, environment),
        };
        Self { known_as: record::known_as(catalogue::vendor(&provider).unwrap_or(provider.spec.name)), ..provider }
    }
}
