//! Limits: how much of what, in which time, counted for whom.

use alloc::{borrow::ToOwned, string::String};
use core::time::Duration;

use serde_json::value::RawValue;

use super::{
    fields::{Fields, Nested, Section},
    form::{Bare, Choice, Flag, Form, Parsed, Writer, write_text},
    node::is_mapping,
    number::{AMOUNT, Decimal},
    raw::BaseUrl,
    reader::Reader,
    reference::{Reference, Shape},
    text::{LABEL, MODEL_GLOB},
    time::TIMEOUT,
    url::BASE_URL,
};

/// One limit. All that match a request are checked, each on its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// What a refusal calls it; unique.
    pub name: String,
    /// What is counted.
    pub of: Measure,
    /// In which time; absent for what is counted at once.
    pub per: Option<Period>,
    /// How much of it: whole unless it is money.
    pub max: Decimal,
    /// Who shares one count.
    pub scope: Scope,
    /// Which targets count.
    pub target: LimitTarget,
    /// Whether it holds.
    pub enabled: bool,
    /// Counted and reported, never enforced.
    pub shadow: bool,
    /// What happens when the backend cannot be asked; where absent, as the backend says.
    pub on_error: Option<OnError>,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Input and output tokens.
    Tokens,
    /// Input tokens.
    InputTokens,
    /// Output tokens.
    OutputTokens,
    /// Requests.
    Requests,
    /// Requests in flight.
    Concurrency,
    /// USD.
    Spend,
}

/// In which time a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
}

/// Who shares one count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Each key has its own.
    Key,
    /// Each team has its own; keys without a team are not limited.
    Team,
    /// Each environment has its own.
    Environment,
    /// All share one.
    Global,
    /// Keys with the same value of this label share one.
    Label(String),
}

/// Which targets a limit counts; all where nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitTarget {
    /// A pattern of the provider's name.
    pub provider: Option<String>,
    /// A pattern of the model.
    pub model: Option<String>,
}

/// Where limits are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitsBackend {
    /// In this Envoy.
    Local,
    /// By a service that several Envoys share.
    RatelimitService(RatelimitService),
}

/// A service that speaks Envoy's rate limit protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatelimitService {
    /// The Envoy cluster that it is.
    pub cluster: String,
    /// Where it is, where the cluster is rendered.
    pub url: Option<BaseUrl>,
    /// The domain that it knows the limits by.
    pub domain: String,
    /// How long it is waited for.
    pub timeout: Duration,
    /// What happens when it cannot be asked.
    pub on_error: OnError,
}

/// What happens to a request whose limit cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It goes on.
    Allow,
    /// It is refused.
    Deny,
}

const MEASURE: Choice<Measure> = Choice {
    first: ("tokens", Measure::Tokens),
    rest: &[
        ("input_tokens", Measure::InputTokens),
        ("output_tokens", Measure::OutputTokens),
        ("requests", Measure::Requests),
        ("concurrency", Measure::Concurrency),
        ("spend", Measure::Spend),
    ],
};

const PERIOD: Choice<Period> = Choice {
    first: ("second", Period::Second),
    rest: &[("minute", Period::Minute), ("hour", Period::Hour), ("day", Period::Day), ("month", Period::Month)],
};

/// The greatest limit of what is under way at one time: each of those is remembered.
pub(crate) const MOST_AT_ONCE: u64 = 4_096;

/// What is wrong with a part of a token.
pub(super) const NOT_WHOLE: &str = "is not whole, and only money can be parted";

const ON_ERROR: Choice<OnError> = Choice { first: ("allow", OnError::Allow), rest: &[("deny", OnError::Deny)] };

const SCOPE: Parsed<Scope> = Parsed {
    what: "key, team, environment, global or label:NAME",
    bare: Bare::Nothing,
    secret: false,
    parse: |text| match (text, text.strip_prefix("label:")) {
        ("key", _) => Ok(Scope::Key),
        ("team", _) => Ok(Scope::Team),
        ("environment", _) => Ok(Scope::Environment),
        ("global", _) => Ok(Scope::Global),
        (_, Some(label)) => (LABEL.parse)(label).map(Scope::Label),
        _ => Err("is none of them"),
    },
    print: |scope| match scope {
        Scope::Key => "key".to_owned(),
        Scope::Team => "team".to_owned(),
        Scope::Environment => "environment".to_owned(),
        Scope::Global => "global".to_owned(),
        Scope::Label(label) => ["label:", label].concat(),
    },
    stand_in: || Scope::Key,
};

impl Section for Limit {
    const NAME: &'static str = "limit";
    const DOC: &'static str = "How much of what, in which time, counted for whom. All that match are checked.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let limit = Self {
            name: fields.required("name", &LABEL, |limit| &limit.name, "What a refusal calls it; unique."),
            of: fields.required("of", &MEASURE, |limit| &limit.of, "What is counted."),
            per: fields.optional(
                "per",
                &PERIOD,
                |limit| limit.per.as_ref(),
                "In which time. Required but for concurrency, which has none.",
            ),
            max: fields.required("max", &AMOUNT, |limit| &limit.max, "How much of it; for spend, in USD."),
            scope: fields.defaulted("scope", &SCOPE, Scope::Key, |limit| &limit.scope, "Who shares one count."),
            target: fields.section("target", |limit| &limit.target, "Which targets count. Default: all."),
            enabled: fields.defaulted("enabled", &Flag, true, |limit| &limit.enabled, "Whether it holds."),
            shadow: fields.defaulted(
                "shadow",
                &Flag,
                false,
                |limit| &limit.shadow,
                "Counted and reported, never enforced.",
            ),
            on_error: fields.optional(
                "on_error",
                &ON_ERROR,
                |limit| limit.on_error.as_ref(),
                "What happens when the backend cannot be asked. Default: as the backend says.",
            ),
        };
        let is_known = fields.is_sound("/of") && fields.is_sound("/per");
        let is_countable = limit.max.whole().is_none_or(|max| max <= MOST_AT_ONCE);
        if limit.of == Measure::Concurrency && !is_countable && is_known && fields.is_sound("/max") {
            fields.report("/max", "is more than 4096, which is as many as are counted at once");
        }
        match (limit.of, limit.per) {
            (Measure::Concurrency, Some(_)) if is_known => {
                fields.report("/per", "does not go with concurrency, which is counted at once");
            }
            (Measure::Concurrency, None) | (_, Some(_)) => {}
            (_, None) if is_known => fields.report("/per", "is required"),
            (_, None) => {}
        }
        if limit.of != Measure::Spend && limit.max.whole().is_none() && is_known && fields.is_sound("/max") {
            fields.report("/max", NOT_WHOLE);
        }
        limit
    }
}

impl Section for LimitTarget {
    const NAME: &'static str = "limit_target";
    const DOC: &'static str = "Which targets a limit counts.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            provider: fields.optional(
                "provider",
                &MODEL_GLOB,
                |target| target.provider.as_ref(),
                "A pattern of the provider's name.",
            ),
            model: fields.optional("model", &MODEL_GLOB, |target| target.model.as_ref(), "A pattern of the model."),
        }
    }
}

/// The section that holds the service.
struct Service(RatelimitService);

impl Section for Service {
    const NAME: &'static str = "limits_backend";
    const DOC: &'static str = "Where limits are counted, if not in this Envoy.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self(fields.required(
            "ratelimit_service",
            &Nested::new(),
            |service| &service.0,
            "A service that several Envoys share.",
        ))
    }
}

impl Section for RatelimitService {
    const NAME: &'static str = "ratelimit_service";
    const DOC: &'static str = "A service that speaks Envoy's rate limit protocol.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            cluster: fields.required("cluster", &LABEL, |service| &service.cluster, "The Envoy cluster that it is."),
            url: fields.optional(
                "url",
                &BASE_URL,
                |service| service.url.as_ref(),
                "Where it is, for a rendered Envoy, which gets that cluster: gRPC, so HTTP/2. Default: `http://CLUSTER:8081`.",
            ),
            domain: fields.defaulted(
                "domain",
                &LABEL,
                "dragoman".to_owned(),
                |service| &service.domain,
                "The domain that it knows the limits by.",
            ),
            timeout: fields.defaulted(
                "timeout",
                &TIMEOUT,
                Duration::from_millis(50),
                |service| &service.timeout,
                "How long it is waited for.",
            ),
            on_error: fields.defaulted(
                "on_error",
                &ON_ERROR,
                OnError::Allow,
                |service| &service.on_error,
                "What happens when it cannot be asked.",
            ),
        }
    }
}

/// `local`, or a service.
pub(super) struct Backend;

const LOCAL: Choice<()> = Choice { first: ("local", ()), rest: &[] };

impl Form for Backend {
    type Value = LimitsBackend;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<LimitsBackend> {
        if is_mapping(raw) {
            return Nested::new().read(raw, reader).map(|Service(service)| LimitsBackend::RatelimitService(service));
        }
        LOCAL.read(raw, reader).map(|()| LimitsBackend::Local)
    }

    fn write(&self, value: &LimitsBackend, out: &mut Writer) {
        match value {
            LimitsBackend::Local => write_text(LOCAL.first.0, out),
            LimitsBackend::RatelimitService(service) => Nested::new().write(&Service(service.clone()), out),
        }
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        let section = Nested::<Service>::new().shape(reference);
        Shape::Either([LOCAL.shape(reference), section].into())
    }

    fn stand_in(&self) -> LimitsBackend {
        LimitsBackend::Local
    }
}
