//! The configuration as written: one struct a section, each value parsed and typed, nothing yet compared with anything else.
//!
//! The sections that the gateway runs on have their types here; the others stand beside their declaration.
//!
//! Reading reports every problem with its JSON pointer and goes on (`fields.rs`); what needs two sections at once is checked
//! in `check.rs`; what the gateway needs to run (hash tables, resolved credentials) is built in `gateway.rs`. The native
//! tool renders Envoy's configuration from the same types, so that module and renderer cannot read one file differently.

use alloc::{string::String, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use super::{
    auth::{Admin, Console},
    auto::Auto,
    budget::Budgets,
    catalogue::{Catalogue, Model},
    environment::Environment,
    jwt::Jwt,
    key::{Byok, KeyRouting, Team},
    limit::{Limit, LimitsBackend},
    listen::Cors,
    number::Decimal,
    observe::{Cache, Log, Policy},
    retry::{Backoff, Cooldown, RetryMode},
    router::{ModelMapping, Router},
    routing::Routing,
};
use crate::{plan::Mode, provider::Kind, secret::Secret};

/// By the name or pattern of a model, the models that stand in for it.
pub type ModelLists = Vec<(String, Vec<String>)>;

/// The whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the gateway listens.
    pub listen: Listen,
    /// How upstream TLS is verified.
    pub tls: Tls,
    /// Who can be asked, in the order written.
    pub providers: Vec<Provider>,
    /// How the catalogue is used.
    pub catalogue: Catalogue,
    /// What the file says of models.
    pub models: Vec<Model>,
    /// Names for models; of several, the first that can be asked.
    pub aliases: ModelLists,
    /// What providers call models.
    pub model_mapping: ModelMapping,
    /// Who may ask.
    pub auth: Auth,
    /// Who may use the admin API.
    pub admin: Admin,
    /// Who may use the console.
    pub console: Console,
    /// The teams of the file.
    pub teams: Vec<Team>,
    /// The keys of the file.
    pub keys: Vec<Key>,
    /// The limits of the file.
    pub limits: Vec<Limit>,
    /// The part of a limit or budget from which answers warn.
    pub soft_threshold: Decimal,
    /// Where limits are counted.
    pub limits_backend: LimitsBackend,
    /// How failures are survived.
    pub retry: Retry,
    /// What is tried after a model.
    pub fallbacks: ModelLists,
    /// What is tried where the context window was too small.
    pub context_fallbacks: ModelLists,
    /// What is tried where the content was refused.
    pub content_fallbacks: ModelLists,
    /// What is tried after everything else.
    pub fallback_models: Vec<String>,
    /// The routing configurations of the file.
    pub routing: Routing,
    /// The routers.
    pub routers: Vec<Router>,
    /// What `model: auto` means.
    pub auto: Auto,
    /// The environments.
    pub environments: Vec<Environment>,
    /// What is learnt of targets.
    pub policy: Policy,
    /// The memory for answers.
    pub cache: Cache,
    /// What is recorded.
    pub log: Log,
    /// Largest request body, in bytes.
    pub max_body: u64,
    /// The same of what is not held.
    pub max_upload: u64,
}

/// Addresses and threads.
#[derive(Debug, Clone, PartialEq)]
pub struct Listen {
    /// Ingress; default `127.0.0.1:8080`.
    pub address: SocketAddr,
    /// Admin API and console; default `127.0.0.1:9902`.
    pub admin: SocketAddr,
    /// Envoy worker threads; default 2.
    pub concurrency: u32,
    /// Envoy's own admin interface.
    pub envoy_admin: EnvoyAdmin,
    /// Which pages of other origins may ask; none where absent.
    pub cors: Option<Cors>,
}

/// Where Envoy's own admin interface listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvoyAdmin {
    /// Not written: a free loopback port, chosen by `up`.
    FreePort,
    /// `off`.
    Off,
    /// An address.
    At(SocketAddr),
}

/// Upstream TLS.
#[derive(Debug, Clone, PartialEq)]
pub struct Tls {
    /// PEM bundle of the trusted authorities; the system's where absent.
    pub ca_file: Option<String>,
}

/// A provider: who is spoken to.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Its name in the file: `^[a-z0-9][a-z0-9_-]{0,31}$` and not reserved.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Where it is; the kind's own public address where not written.
    pub base_url: BaseUrl,
    /// Credentials, at least one. A provider's own `credential` is the account `default`. The first that is configured is
    /// used; those after it are spares for when it is not.
    pub accounts: Vec<Account>,
    /// A cluster that exists already, instead of a rendered one.
    pub cluster: Option<String>,
    /// Whether that cluster carries the module.
    pub upstream_filter: Option<bool>,
    /// What is spoken, where that is not the kind's own API.
    pub dialect: Option<SpokenDialect>,
    /// Whether streams are asked for their usage; where absent, as its vendor takes it.
    pub stream_usage: Option<StreamUsage>,
    /// Whether it speaks Responses, and keeps answers; where absent, as its vendor does.
    pub responses: Option<SpokenResponses>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Headers added to each request, lower-case names.
    pub headers: Vec<(String, Credential)>,
    /// Whether it takes part.
    pub enabled: bool,
    /// Where it is another one than at the top level, in its places or its credentials: which environment makes it so, by its place.
    pub environment: Option<usize>,
    /// Whether it is so in its places, and has clusters of its own, named by the environment's.
    pub is_elsewhere: bool,
}

/// What is spoken with a provider, other than its kind's own API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpokenDialect {
    /// The OpenAI-compatible API that it has as well.
    Openai,
}

/// Whether Responses are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpokenResponses {
    /// They are: answers are kept, unless the vendor is known to keep none.
    Spoken,
    /// They are not.
    None,
    /// They are, and no answers are kept.
    Stateless,
    /// They are, and answers are kept.
    Stateful,
}

/// One credential of a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Its name; `default` for the provider's own credential.
    pub name: String,
    /// The secret; `None` with [`AuthMode::None`].
    pub credential: Option<Credential>,
    /// How it is presented.
    pub auth: AuthMode,
    /// Where it is used; where absent, where the provider is.
    pub base_url: Option<BaseUrl>,
    /// A cluster of the operator's own for that place; where absent, the provider's.
    pub cluster: Option<String>,
    /// Its share of the requests.
    pub weight: Decimal,
    /// The models it is for, patterns; all where absent.
    pub models: Option<Vec<String>>,
    /// Whether it is used.
    pub enabled: bool,
}

/// How an account authenticates itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// The provider's usual header.
    ApiKey,
    /// Nothing is sent.
    None,
    /// A token that is got by signing in, and renewed.
    Oauth,
}

/// Whether a provider's streams are asked for their usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamUsage {
    /// By `stream_options`.
    Ask,
    /// It refuses `stream_options`.
    Never,
}

/// Where a secret is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// In this environment variable.
    Env(String),
    /// Written in the file.
    Value(Secret),
}

/// An `http` or `https` URL without fragment, split once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    /// Whether the scheme is `https`.
    pub tls: bool,
    /// Host name or address literal (IPv6 without brackets), lower case.
    pub host: String,
    /// Port, the scheme's own where not written.
    pub port: u16,
    /// Path without a trailing slash: empty, or `/v1`.
    pub path: String,
    /// The value of `?api-version=`, which Azure's dated API wants on each request.
    pub api_version: Option<String>,
}

/// Time-outs of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To the first content of the answer; default 30 s.
    pub first_byte: Duration,
    /// Between two pieces of a stream; default 60 s.
    pub idle: Duration,
    /// Of the whole exchange; default 10 min. For `service_tier: flex` it begins after `flex`.
    pub total: Duration,
    /// Replaces `first_byte` for `service_tier: flex`, whatever `retry.deadline` says; default 15 min.
    pub flex: Duration,
}

/// Who may ask.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Auth {
    /// As written; where absent, required exactly when there are keys.
    pub required: Option<bool>,
    /// Tokens that Envoy verifies.
    pub jwt: Option<Jwt>,
}

/// A client key of the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Key {
    /// Its identifier, unique.
    pub id: String,
    /// What logs show; the id where not written.
    pub name: String,
    /// SHA-256 of the whole key.
    pub sha256: [u8; 32],
    /// Free text.
    pub description: String,
    /// The team whose budget and limits it shares.
    pub team: Option<String>,
    /// The environment that it is bound to.
    pub environment: Option<String>,
    /// Providers it may use; all where absent.
    pub providers: Option<Vec<String>>,
    /// Models it may use, globs over `provider/id` and `id`; all where absent.
    pub models: Option<Vec<String>>,
    /// What it may spend.
    pub budgets: Budgets,
    /// Labels, for rules, limits and logs.
    pub labels: Vec<(String, String)>,
    /// What its cost is booked on.
    pub cost_tags: Vec<String>,
    /// Its routing configuration, which decides over every router.
    pub routing: Option<KeyRouting>,
    /// Not accepted before, seconds since the epoch.
    pub not_before: Option<u64>,
    /// Not accepted from then on, seconds since the epoch.
    pub expires: Option<u64>,
    /// Reversible switch.
    pub enabled: bool,
    /// Credentials that its holder brings.
    pub byok: Byok,
}

/// How failures are survived.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Where attempts are made.
    pub mode: RetryMode,
    /// Statuses that make a target fail; default 408, 429, 500, 502, 503, 504, 529.
    pub statuses: Vec<u16>,
    /// More tries at the same target.
    pub attempts: u32,
    /// How long to wait between them.
    pub backoff: Backoff,
    /// Bound of the time to the first byte over all tries; default 60 s.
    pub deadline: Duration,
    /// How long a target that failed is passed over.
    pub cooldown: Cooldown,
}

impl Provider {
    /// Where attempts at it run. A cluster that somebody else wrote carries the module only if the file says so.
    #[must_use]
    pub fn mode(&self, retry: &Retry) -> Mode {
        let carries_module = self.cluster.is_none() || self.upstream_filter == Some(true);
        match retry.mode {
            RetryMode::Native => Mode::Native,
            RetryMode::Auto if carries_module => Mode::Native,
            RetryMode::Auto | RetryMode::Dispatch => Mode::Dispatch,
        }
    }
}

impl Config {
    /// Whether a caller must have a key or a token.
    #[must_use]
    pub fn requires_keys(&self) -> bool {
        self.auth.required.unwrap_or_else(|| self.auth.jwt.is_some() || self.all_keys().next().is_some())
    }

    /// The longest time to the first content, over all tries, that the file or a router in it allows.
    #[must_use]
    pub fn longest_deadline(&self) -> Duration {
        let of_routers = self.routers.iter().filter_map(|router| router.retry.deadline);
        of_routers.fold(self.retry.deadline, Duration::max)
    }

    /// The longest that one try at any provider may take to the first content: the per-try time-out of the rendered route. Of
    /// the disabled ones, too: a reload may enable them, and the route stays.
    #[must_use]
    pub fn longest_first_byte(&self) -> Duration {
        let longest = self.providers.iter().map(|provider| provider.timeouts.first_byte).max().unwrap_or_default();
        longest.min(self.longest_deadline())
    }
}
