//! The sections of the file but the providers': every field declared once, with its form, default and meaning.

use alloc::{string::String, vec, vec::Vec};
use core::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    collection::{ByName, List},
    fields::{Fields, Nested, Section},
    form::{Flag, Whole},
    raw::{Auth, Config, EnvoyAdmin, Key, Listen, Retry, Tls},
    text::{ADDRESS, ENVOY_ADMIN, FILE, LABEL, MODEL_GLOB, PROVIDER_NAME, SHA256, SIZE, TEXT},
    time::{TIME, TIMEOUT},
};

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
                "Bound of the time to the first content, over all tries.",
            ),
        }
    }
}
