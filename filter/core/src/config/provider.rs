//! The sections of a provider: who is spoken to, with which credentials and how much patience.
//!
//! A provider with one credential is written without `accounts`; both spellings are read into one list here, so that nobody
//! after this knows the difference.

use alloc::{borrow::ToOwned, format, vec, vec::Vec};
use core::time::Duration;

use serde_json::value::RawValue;

use super::{
    check::repeats,
    collection::{List, Named, Pairs},
    credential::HeaderSource,
    fields::{Fields, Nested, Section},
    form::{Choice, Flag, Form, Writer},
    number::{Decimal, WEIGHT},
    raw::{Account, AuthMode, BaseUrl, Credential, Provider, SpokenDialect, SpokenResponses, StreamUsage, Timeouts},
    reader::Reader,
    reference::{Reference, Shape, Silence},
    text::{HEADER_NAME, LABEL, MODEL_GLOB},
    time::TIMEOUT,
    url::BASE_URL,
};
use crate::provider::{self, Kind};

/// The name of the account that a provider's own `credential` makes.
pub(crate) const OWN_ACCOUNT: &str = "default";

const KIND: Choice<Kind> = Choice { first: provider::FIRST, rest: provider::OTHERS };
const STREAM_USAGE: Choice<StreamUsage> =
    Choice { first: ("ask", StreamUsage::Ask), rest: &[("never", StreamUsage::Never)] };
const AUTH_MODE: Choice<AuthMode> =
    Choice { first: ("api_key", AuthMode::ApiKey), rest: &[("none", AuthMode::None), ("oauth", AuthMode::Oauth)] };
const DIALECT: Choice<SpokenDialect> = Choice { first: ("openai", SpokenDialect::Openai), rest: &[] };

const RESPONSES: Choice<SpokenResponses> = Choice {
    first: ("none", SpokenResponses::None),
    rest: &[("stateless", SpokenResponses::Stateless), ("stateful", SpokenResponses::Stateful)],
};

/// One of [`RESPONSES`], or a flag.
struct Responses;

impl Form for Responses {
    type Value = SpokenResponses;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<SpokenResponses> {
        match raw.get() {
            "true" => Some(SpokenResponses::Spoken),
            "false" => Some(SpokenResponses::None),
            _ => RESPONSES.read(raw, reader),
        }
    }

    fn write(&self, value: &SpokenResponses, out: &mut Writer) {
        match value {
            SpokenResponses::Spoken => out.push_str("true"),
            SpokenResponses::None | SpokenResponses::Stateless | SpokenResponses::Stateful => {
                RESPONSES.write(value, out);
            }
        }
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        Shape::Either([Flag.shape(reference), RESPONSES.shape(reference)].into())
    }

    fn stand_in(&self) -> SpokenResponses {
        SpokenResponses::None
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
    const PENDING: &'static [(&'static str, Silence)] = &[("dialect", Silence::Harmless)];

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
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
            "Several credentials. The first that is configured is used; the others are its spares.",
        );
        let cluster = fields.optional(
            "cluster",
            &LABEL,
            |provider| provider.cluster.as_ref(),
            "A cluster that exists in the user's Envoy or mesh already, instead of a rendered one.",
        );
        let upstream_filter = fields.optional(
            "upstream_filter",
            &Flag,
            |provider| provider.upstream_filter.as_ref(),
            "With `cluster`: whether that cluster carries the module, in the role attempt. Default: false.",
        );
        let dialect = fields.optional(
            "dialect",
            &DIALECT,
            |provider| provider.dialect.as_ref(),
            "Speaks the OpenAI-compatible API that it has as well. Default: the kind's own.",
        );
        let stream_usage = fields.optional(
            "stream_usage",
            &STREAM_USAGE,
            |provider| provider.stream_usage.as_ref(),
            "Whether streams are asked for their usage. Default: as the vendor at `base_url` takes it.",
        );
        let responses = fields.optional(
            "responses",
            &Responses,
            |provider| provider.responses.as_ref(),
            "Whether it speaks OpenAI's Responses, of kind openai, and keeps answers, for which it needs a credential. Default: as the vendor at `base_url`; who is not known is stateless. `false` is none, `true` stateful but at a vendor that keeps nothing.",
        );
        let timeouts = fields.section("timeouts", |provider| &provider.timeouts, "How long to wait.");
        let headers = fields.defaulted(
            "headers",
            &Pairs { name: HEADER_NAME, value: HeaderSource },
            Vec::new(),
            |provider| &provider.headers,
            "Headers added to each request: text, or where a secret is found.",
        );
        let enabled = fields.defaulted("enabled", &Flag, true, |provider| &provider.enabled, "Whether it takes part.");

        if upstream_filter.is_some() && cluster.is_none() && fields.is_sound("/cluster") {
            fields.report("/upstream_filter", "is of a `cluster` that is named; a rendered one has it");
        }
        if cluster.is_none() && fields.is_sound("/cluster") {
            report_clusters(fields, &accounts);
        }
        let accounts = gather_accounts(fields, credential, auth, accounts, base_url.is_some());
        let has_none = accounts.iter().all(|account| account.auth == AuthMode::None);
        if responses == Some(SpokenResponses::Stateful) && has_none && fields.is_sound("/credential") {
            fields.report("/responses", "`stateful` needs a credential, with which the ids of answers are sealed");
        }
        Self {
            name: fields.name(),
            kind,
            base_url: base_url.unwrap_or_else(|| public_address(kind)),
            accounts,
            cluster,
            upstream_filter,
            dialect,
            stream_usage,
            responses,
            timeouts,
            headers,
            enabled,
            environment: None,
            is_elsewhere: false,
        }
    }
}

/// A provider's accounts, its own first.
fn gather_accounts(
    fields: &mut impl Fields<Provider>,
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
    let mut accounts = vec![Account::new(OWN_ACCOUNT, credential, auth.unwrap_or(usual))];
    accounts.extend(listed);
    accounts
}

fn report_repeated_names(fields: &mut impl Fields<Provider>, accounts: &[Account]) {
    let names: Vec<_> = accounts.iter().map(|account| account.name.as_bytes()).collect();
    for (index, first) in repeats(&names) {
        let [pointer, other] = [index, first].map(|index| format!("/accounts/{index}/name"));
        if fields.is_sound(&pointer) && fields.is_sound(&other) {
            fields.report(&pointer, &format!("is also that of account {first}"));
        }
    }
}

/// Where the clusters are rendered, all of them are.
fn report_clusters(fields: &mut impl Fields<Provider>, accounts: &[Account]) {
    for (index, _) in accounts.iter().enumerate().filter(|(_, account)| account.cluster.is_some()) {
        fields.report(&format!("/accounts/{index}/cluster"), "needs that the provider's own `cluster` is named, too");
    }
}

fn check_auth<S>(fields: &mut impl Fields<S>, credential: Option<&Credential>, auth: Option<AuthMode>) {
    if credential.is_some() && auth == Some(AuthMode::None) {
        fields.report("/auth", "`auth: none` sends no credential, but there is one");
    }
}

fn public_address(kind: Kind) -> BaseUrl {
    let (host, path) = kind.0.home;
    BaseUrl { tls: true, host: host.to_owned(), port: 443, path: path.to_owned(), api_version: None }
}

impl Account {
    /// An account of which nothing else is written.
    pub(super) fn new(name: &str, credential: Option<Credential>, auth: AuthMode) -> Self {
        let (base_url, cluster, models) = (None, None, None);
        let weight = Decimal::of(1);
        Self { name: name.to_owned(), credential, auth, base_url, cluster, weight, models, enabled: true }
    }
}

impl Section for Account {
    const NAME: &'static str = "account";
    const DOC: &'static str = "One credential of a provider.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
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
            base_url: fields.optional(
                "base_url",
                &BASE_URL,
                |account| account.base_url.as_ref(),
                "Where it is used. Default: where the provider is.",
            ),
            cluster: fields.optional(
                "cluster",
                &LABEL,
                |account| account.cluster.as_ref(),
                "With the provider's `cluster`: the one that leads to the account's `base_url`. Default: the provider's.",
            ),
            weight: fields.defaulted(
                "weight",
                &WEIGHT,
                Decimal::of(1),
                |account| &account.weight,
                "Its share of the requests.",
            ),
            models: fields.optional(
                "models",
                &List(MODEL_GLOB),
                |account| account.models.as_ref(),
                "The models it is for, patterns. Default: all.",
            ),
            enabled: fields.defaulted("enabled", &Flag, true, |account| &account.enabled, "Whether it is used."),
        };
        check_auth(fields, account.credential.as_ref(), Some(account.auth));
        account
    }
}

impl Section for Timeouts {
    const NAME: &'static str = "timeouts";
    const DOC: &'static str = "How long to wait for a provider.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
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
                "Of the whole exchange; for `service_tier: flex`, after `flex`.",
            ),
            flex: fields.defaulted(
                "flex",
                &TIMEOUT,
                minutes(15),
                |timeouts| &timeouts.flex,
                "Replaces `first_byte` for `service_tier: flex`, whatever `retry.deadline` says.",
            ),
        }
    }
}
