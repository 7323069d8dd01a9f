//! The sections of the file: every field declared once, with its form, default and meaning.

use alloc::{borrow::ToOwned, format, string::String, vec, vec::Vec};
use core::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    check::repeats,
    fields::{Fields, Nested, Section},
    form::{ByName, Choice, Flag, List, Named, Pairs, Whole},
    raw::{
        Account, Auth, AuthMode, BaseUrl, Config, Credential, EnvoyAdmin, Key, Kind, Listen, Provider, Retry, Timeouts,
        Tls,
    },
    text::{
        ADDRESS, ENVOY_ADMIN, FILE, HEADER_NAME, HEADER_VALUE, LABEL, MODEL_GLOB, PROVIDER_NAME, SECRET, SHA256, SIZE,
        TEXT, VARIABLE,
    },
    time::{TIME, TIMEOUT},
    url::BASE_URL,
};

/// The name of the account that a provider's own `credential` makes.
const OWN_ACCOUNT: &str = "default";

const KIND: Choice<Kind> = Choice { first: ("openai", Kind::OpenAi), rest: &[] };
const AUTH_MODE: Choice<AuthMode> = Choice { first: ("api_key", AuthMode::ApiKey), rest: &[("none", AuthMode::None)] };

impl Section for Config {
    const NAME: &'static str = "document";
    const DOC: &'static str = "The whole file. Only `providers` is required.";

    fn declare(fields: &mut Fields<'_, Self>) -> Self {
        let _: Option<u64> =
            fields.optional("version", &Whole { min: 1, max: 1 }, |_| Some(&1), "The version of this format.");
        Self {
            listen: fields.section("listen", |config| &config.listen, "Where the gateway listens."),
            tls: fields.section("tls", |config| &config.tls, "How the providers' certificates are verified."),
            providers: fields.required(
                "providers",
                &ByName { name: PROVIDER_NAME, section: Nested::new() },
                |config| &config.providers,
                "Who can be asked, by name.",
            ),
            auth: fields.section("auth", |config| &config.auth, "Who may ask."),
            keys: fields.defaulted(
                "keys",
                &List(Nested::new()),
                Vec::new(),
                |config| &config.keys,
                "The keys that clients present.",
            ),
            retry: fields.section("retry", |config| &config.retry, "How failures are survived."),
            max_body: fields.defaulted(
                "max_body",
                &SIZE,
                32 << 20,
                |config| &config.max_body,
                "Largest request body; a larger one is answered with 413.",
            ),
        }
    }
}

impl Section for Listen {
    const NAME: &'static str = "listen";
    const DOC: &'static str = "Addresses and threads.";

    fn declare(fields: &mut Fields<'_, Self>) -> Self {
        let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            address: fields.defaulted("address", &ADDRESS, loopback(8080), |listen| &listen.address, "The ingress."),
            admin: fields.defaulted(
                "admin",
                &ADDRESS,
                loopback(9902),
                |listen| &listen.admin,
                "Admin API and console.",
            ),
            concurrency: fields.defaulted(
                "concurrency",
                &Whole { min: 1, max: 1024 },
                2,
                |listen| &listen.concurrency,
                "Envoy worker threads.",
            ),
            envoy_admin: fields
                .optional(
                    "envoy_admin",
                    &ENVOY_ADMIN,
                    |listen| Some(&listen.envoy_admin).filter(|admin| **admin != EnvoyAdmin::FreePort),
                    "Envoy's own admin interface, or off. Default: a free loopback port.",
                )
                .unwrap_or(EnvoyAdmin::FreePort),
        }
    }
}

impl Section for Tls {
    const NAME: &'static str = "tls";
    const DOC: &'static str = "Upstream TLS.";

    fn declare(fields: &mut Fields<'_, Self>) -> Self {
        Self {
            ca_file: fields.optional(
                "ca_file",
                &FILE,
                |tls| tls.ca_file.as_ref(),
                "PEM bundle of the trusted authorities. Default: the system's.",
            ),
        }
    }
}

impl Named for Provider {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Section for Provider {
    const NAME: &'static str = "provider";
    const DOC: &'static str = "One provider: who is spoken to, and with which credentials.";

    fn declare(fields: &mut Fields<'_, Self>) -> Self {
        let kind = fields.required("kind", &KIND, |provider| &provider.kind, "What it is.");
        let base_url = fields.optional(
            "base_url",
            &BASE_URL,
            |provider| Some(&provider.base_url),
            "Where it is, with the path before `/chat/completions`. Default: the kind's public address.",
        );
        let credential = fields.optional(
            "credential",
            &Nested::new(),
            |_| None,
            "Its credential, where it has only one: the account `default`.",
        );
        let auth = fields.optional(
            "auth",
            &AUTH_MODE,
            |_| None,
            "How its own credential is presented. Default: none where `base_url` is written without a credential, else api_key.",
        );
        let accounts = fields.defaulted(
            "accounts",
            &List(Nested::new()),
            Vec::new(),
            |provider| &provider.accounts,
            "Several credentials.",
        );
        let timeouts = fields.section("timeouts", |provider| &provider.timeouts, "How long to wait.");
        let headers = fields.defaulted(
            "headers",
            &Pairs { name: HEADER_NAME, value: HEADER_VALUE },
            Vec::new(),
            |provider| &provider.headers,
            "Headers added to each request.",
        );
        let enabled = fields.defaulted("enabled", &Flag, true, |provider| &provider.enabled, "Whether it takes part.");

        let local = base_url.is_some();
        Self {
            name: fields.name().to_owned(),
            kind,
            base_url: base_url.unwrap_or_else(|| public_address(kind)),
            accounts: gather_accounts(fields, credential, auth, accounts, local),
            timeouts,
            headers,
            enabled,
        }
    }
}

/// A provider's accounts, its own first.
fn gather_accounts(
    fields: &mut Fields<'_, Provider>,
    credential: Option<Credential>,
    auth: Option<AuthMode>,
    listed: Vec<Account>,
    local: bool,
) -> Vec<Account> {
    check_auth(fields, credential.as_ref(), auth);
    report_repeated_names(fields, &listed);
    if credential.is_none() && !listed.is_empty() {
        if auth.is_some() && fields.is_sound("/credential") {
            fields.report("/auth", "with `accounts`, `auth` is written in each account");
        }
        return listed;
    }
    if let Some(index) = listed.iter().position(|account| account.name == OWN_ACCOUNT) {
        fields.report(&format!("/accounts/{index}/name"), "is also that of the provider's own `credential`");
    }
    // A server at an address of one's own, such as vLLM, usually asks for nothing; the public one always does.
    let usual = if local && credential.is_none() { AuthMode::None } else { AuthMode::ApiKey };
    let mut accounts = vec![Account { name: OWN_ACCOUNT.to_owned(), credential, auth: auth.unwrap_or(usual) }];
    accounts.extend(listed);
    accounts
}

fn report_repeated_names(fields: &mut Fields<'_, Provider>, accounts: &[Account]) {
    for (index, first) in repeats(accounts, |account| &account.name) {
        let [pointer, other] = [index, first].map(|index| format!("/accounts/{index}/name"));
        if fields.is_sound(&pointer) && fields.is_sound(&other) {
            fields.report(&pointer, &format!("is also that of account {first}"));
        }
    }
}

fn check_auth<S: Section>(fields: &mut Fields<'_, S>, credential: Option<&Credential>, auth: Option<AuthMode>) {
    if credential.is_some() && auth == Some(AuthMode::None) {
        fields.report("/auth", "`auth: none` sends no credential, but there is one");
    }
}

fn public_address(kind: Kind) -> BaseUrl {
    let (host, path) = match kind {
        Kind::OpenAi => ("api.openai.com", "/v1"),
    };
    BaseUrl { tls: true, host: host.to_owned(), port: 443, path: path.to_owned() }
}

impl Section for Account {
    const NAME: &'static str = "account";
    const DOC: &'static str = "One credential of a provider.";

    fn declare(fields: &mut Fields<'_, Self>) -> Self {
        let account = Self {
            name: fields.required("name", &LABEL, |account| &account.name, "Its name, unique within the provider."),
            credential: fields.optional(
                "credential",
                &Nested::new(),
                |account| account.credential.as_ref(),
                "The secret. An account without one is not configured and takes no part.",
            ),
            auth: fields.defaulted(
                "auth",
                &AUTH_MODE,
                AuthMode::ApiKey,
                |account| &account.auth,
                "How the credential is presented; `none` where the server asks for nothing.",
            ),
        };
        check_auth(fields, account.credential.as_ref(), Some(account.auth));
        account
    }
}

impl Section for Credential {
    const NAME: &'static str = "credential";
    const DOC: &'static str = "Where a secret is found: exactly one of its fields.";

    fn declare(fields: &mut Fields<'_, Self>) -> Self {
        let env = fields.optional(
            "env",
            &VARIABLE,
            |credential| match credential {
                Self::Env(name) => Some(name),
                Self::Value(_) => None,
            },
            "In this environment variable.",
        );
        let value = fields.optional(
            "value",
            &SECRET,
            |credential| match credential {
                Self::Value(value) => Some(value),
                Self::Env(_) => None,
            },
            "The secret itself.",
        );
        match (env, value) {
            (Some(env), None) => Self::Env(env),
            (None, Some(value)) => Self::Value(value),
            (Some(env), Some(_)) => {
                fields.report("", "has both `env` and `value`");
                Self::Env(env)
            }
            (None, None) => {
                if fields.is_sound("/env") && fields.is_sound("/value") {
                    fields.report("", "has neither `env` nor `value`");
                }
                Self::Env(String::new())
            }
        }
    }
}

impl Section for Timeouts {
    const NAME: &'static str = "timeouts";
    const DOC: &'static str = "How long to wait for a provider.";

    fn declare(fields: &mut Fields<'_, Self>) -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes.saturating_mul(60));
        Self {
            first_byte: fields.defaulted(
                "first_byte",
                &TIMEOUT,
                Duration::from_secs(30),
                |timeouts| &timeouts.first_byte,
                "To the first content of the answer.",
            ),
            idle: fields.defaulted(
                "idle",
                &TIMEOUT,
                minutes(1),
                |timeouts| &timeouts.idle,
                "Between two pieces of a stream.",
            ),
            total: fields.defaulted(
                "total",
                &TIMEOUT,
                minutes(10),
                |timeouts| &timeouts.total,
                "Of the whole exchange.",
            ),
            flex: fields.defaulted(
                "flex",
                &TIMEOUT,
                minutes(15),
                |timeouts| &timeouts.flex,
                "Replaces `first_byte` for `service_tier: flex`.",
            ),
        }
    }
}

impl Section for Auth {
    const NAME: &'static str = "auth";
    const DOC: &'static str = "Who may ask.";

    fn declare(fields: &mut Fields<'_, Self>) -> Self {
        Self {
            required: fields.optional(
                "required",
                &Flag,
                |auth| auth.required.as_ref(),
                "Whether a key is needed. Default: where there are keys.",
            ),
        }
    }
}

impl Section for Key {
    const NAME: &'static str = "key";
    const DOC: &'static str = "A client's key: who it is and what it may use.";

    fn declare(fields: &mut Fields<'_, Self>) -> Self {
        let id = fields.required("id", &LABEL, |key| &key.id, "Its identifier, unique.");
        let name = fields.optional("name", &LABEL, |key| Some(&key.name), "What logs show. Default: the id.");
        let key = Self {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            sha256: fields.required("sha256", &SHA256, |key| &key.sha256, "SHA-256 of the whole key."),
            description: fields.defaulted("description", &TEXT, String::new(), |key| &key.description, "Free text."),
            providers: fields.optional(
                "providers",
                &List(TEXT),
                |key| key.providers.as_ref(),
                "Providers it may use. Default: all.",
            ),
            models: fields.optional(
                "models",
                &List(MODEL_GLOB),
                |key| key.models.as_ref(),
                "Models it may use, patterns over `provider/id` and `id`. Default: all.",
            ),
            not_before: fields.optional(
                "not_before",
                &TIME,
                |key| key.not_before.as_ref(),
                "Not accepted before this time.",
            ),
            expires: fields.optional("expires", &TIME, |key| key.expires.as_ref(), "Not accepted from this time on."),
            enabled: fields.defaulted("enabled", &Flag, true, |key| &key.enabled, "A switch that can be turned back."),
        };
        if let (Some(not_before), Some(expires)) = (key.not_before, key.expires)
            && not_before >= expires
        {
            fields.report("/expires", "is not after `not_before`: the key would never be accepted");
        }
        key
    }
}

impl Section for Retry {
    const NAME: &'static str = "retry";
    const DOC: &'static str = "How failures are survived.";

    fn declare(fields: &mut Fields<'_, Self>) -> Self {
        Self {
            statuses: fields.defaulted(
                "statuses",
                &List(Whole { min: 400, max: 599 }),
                vec![408, 429, 500, 502, 503, 504, 529],
                |retry| &retry.statuses,
                "Statuses that make a target fail.",
            ),
            deadline: fields.defaulted(
                "deadline",
                &TIMEOUT,
                Duration::from_mins(1),
                |retry| &retry.deadline,
                "Bound of the time to the first byte, over all tries.",
            ),
        }
    }
}
