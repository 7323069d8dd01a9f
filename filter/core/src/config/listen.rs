//! The sections of what is listened on, and of the TLS towards providers.

use alloc::{string::String, vec::Vec};
use core::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{
    collection::List,
    fields::{Fields, Nested, Section},
    form::{Flag, Whole},
    raw::{EnvoyAdmin, Listen, Tls},
    reference::Silence,
    text::{ADDRESS, ENVOY_ADMIN, FILE, HEADER_NAME, ORIGIN},
    time::PAUSE,
};

/// Which pages of other origins may ask from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Their origins; `*` for any.
    pub origins: Vec<String>,
    /// Headers they may send.
    pub headers: Vec<String>,
    /// Headers of the answer that they may read.
    pub expose: Vec<String>,
    /// Whether the browser sends what it knows of the user.
    pub credentials: bool,
    /// For how long the browser need not ask again.
    pub max_age: Duration,
}

impl Section for Listen {
    const NAME: &'static str = "listen";
    const DOC: &'static str = "Addresses and threads.";
    const PENDING: &'static [(&'static str, Silence)] = &[("cors", Silence::Harmless)];

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
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
            cors: fields.optional(
                "cors",
                &Nested::new(),
                |listen| listen.cors.as_ref(),
                "Which pages of other origins may ask from a browser. Default: none.",
            ),
        }
    }
}

impl Section for Tls {
    const NAME: &'static str = "tls";
    const DOC: &'static str = "Upstream TLS.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
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

impl Section for Cors {
    const NAME: &'static str = "cors";
    const DOC: &'static str = "Which pages of other origins may ask from a browser.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let headers = || ["authorization", "content-type", "x-api-key"].map(Into::into).into();
        let cors = Self {
            origins: fields.required("origins", &List(ORIGIN), |cors| &cors.origins, "Their origins; `*` for any."),
            headers: fields.defaulted(
                "headers",
                &List(HEADER_NAME),
                headers(),
                |cors| &cors.headers,
                "Headers they may send.",
            ),
            expose: fields.many(
                "expose",
                &List(HEADER_NAME),
                |cors| &cors.expose,
                "Headers of the answer that they may read.",
            ),
            credentials: fields.defaulted(
                "credentials",
                &Flag,
                false,
                |cors| &cors.credentials,
                "Whether the browser sends cookies and the like.",
            ),
            max_age: fields.defaulted(
                "max_age",
                &PAUSE,
                Duration::from_hours(1),
                |cors| &cors.max_age,
                "For how long the browser need not ask again.",
            ),
        };
        if cors.credentials && cors.origins.iter().any(|origin| origin == "*") {
            fields.report("/credentials", "browsers refuse them for the origin `*`: name the origins");
        }
        cors
    }
}
