//! The configuration as written: one struct a section, each value parsed and typed, nothing yet compared with anything else.
//!
//! Reading reports every problem with its JSON pointer and goes on (`fields.rs`); what needs two sections at once is checked
//! in `check.rs`; what the gateway needs to run (hash tables, resolved credentials) is built in `gateway.rs`. The native
//! tool renders Envoy's configuration from the same types, so that module and renderer cannot read one file differently.

use alloc::{string::String, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use crate::provider::Kind;

/// The whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the gateway listens.
    pub listen: Listen,
    /// How upstream TLS is verified.
    pub tls: Tls,
    /// Who can be asked, in the order written.
    pub providers: Vec<Provider>,
    /// Who may ask.
    pub auth: Auth,
    /// The keys of the file.
    pub keys: Vec<Key>,
    /// How failures are survived.
    pub retry: Retry,
    /// Largest request body, in bytes.
    pub max_body: u64,
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
    /// Whether streams are asked for their usage; where absent, as its vendor takes it.
    pub stream_usage: Option<StreamUsage>,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// Headers added to each request, lower-case names.
    pub headers: Vec<(String, Credential)>,
    /// Whether it takes part.
    pub enabled: bool,
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
}

/// How an account authenticates itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// The provider's usual header.
    ApiKey,
    /// Nothing is sent.
    None,
}

/// Whether a provider's streams are asked for their usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamUsage {
    /// By `stream_options`.
    Ask,
    /// It refuses `stream_options`.
    Never,
}

/// Where a secret is found. Its value is never printed.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// In this environment variable.
    Env(String),
    /// Written in the file.
    Value(String),
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
#[derive(Debug, Clone, PartialEq)]
pub struct Auth {
    /// As written; where absent, required exactly when there are keys.
    pub required: Option<bool>,
}

/// A client key of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its identifier, unique.
    pub id: String,
    /// What logs show; the id where not written.
    pub name: String,
    /// SHA-256 of the whole key.
    pub sha256: [u8; 32],
    /// Free text.
    pub description: String,
    /// Providers it may use; all where absent.
    pub providers: Option<Vec<String>>,
    /// Models it may use, globs over `provider/id` and `id`; all where absent.
    pub models: Option<Vec<String>>,
    /// Not accepted before, seconds since the epoch.
    pub not_before: Option<u64>,
    /// Not accepted from then on, seconds since the epoch.
    pub expires: Option<u64>,
    /// Reversible switch.
    pub enabled: bool,
}

/// How failures are survived.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Statuses that make a target fail; default 408, 429, 500, 502, 503, 504, 529.
    pub statuses: Vec<u16>,
    /// Bound of the time to the first byte over all tries; default 60 s.
    pub deadline: Duration,
}

impl Provider {
    /// The name of the Envoy cluster of this provider: renderer and module derive it alike.
    #[must_use]
    pub fn cluster(&self) -> String {
        alloc::format!("dragoman_{}", self.name)
    }
}

impl Config {
    /// How long a target may take to the first content: a plan has one target, so that `retry.deadline` bounds it, too.
    #[must_use]
    pub fn first_byte(&self, provider: &Provider) -> Duration {
        provider.timeouts.first_byte.min(self.retry.deadline)
    }

    /// The longest of the enabled providers' [`Config::first_byte`]: the per-try time-out of the rendered route.
    #[must_use]
    pub fn longest_first_byte(&self) -> Duration {
        let enabled = self.providers.iter().filter(|provider| provider.enabled);
        enabled.map(|provider| self.first_byte(provider)).max().unwrap_or_default()
    }
}
