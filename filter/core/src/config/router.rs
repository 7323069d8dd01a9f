//! Routers: what `/router/{name}/` does with a request.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::time::Duration;

use super::{
    collection::{Named, Pairs},
    fields::{Fields, Nested, Section},
    form::{Bare, Parsed, Whole, whole},
    retry::RetryOverride,
    routing::Strategy,
    text::{LABEL, MODEL, PROVIDER_NAME},
    time::TIMEOUT,
};

/// A name in the path, and what it does.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Router {
    /// Its name.
    pub name: String,
    /// Who is asked, by what is asked for.
    pub load_balance: LoadBalance,
    /// What providers call the models asked for.
    pub model_mapping: ModelMapping,
    /// Whether and how answers are kept.
    pub cache: Option<RouterCache>,
    /// How often it may be asked.
    pub rate_limit: RateLimit,
    /// What it does otherwise than `retry` of the file.
    pub retry: RetryOverride,
}

/// By the model asked for: by provider, what it is called there.
pub type ModelMapping = Vec<(String, Vec<(String, String)>)>;

/// Who is asked, by what is asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadBalance {
    /// Chat, completions, responses and messages.
    pub chat: Option<Strategy>,
    /// Embeddings.
    pub embeddings: Option<Strategy>,
    /// Images.
    pub images: Option<Strategy>,
}

/// How a router keeps answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterCache {
    /// How long.
    pub directive: CacheDirective,
    /// How many different answers to one request are kept, of which one is drawn.
    pub buckets: u32,
    /// Changing it forgets all answers.
    pub seed: String,
}

/// What of HTTP's `Cache-Control` is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheDirective {
    /// Seconds for which an answer is fresh.
    pub max_age: Option<u32>,
    /// Seconds after that for which it may still be given.
    pub max_stale: Option<u32>,
    /// Nothing is kept.
    pub no_store: bool,
}

/// How often a router may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RateLimit {
    /// By each key.
    pub per_api_key: Option<Refill>,
}

/// So many at once, all of them again after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refill {
    /// How many.
    pub capacity: u64,
    /// After which time all of them are there again.
    pub refill_frequency: Duration,
}

/// A mapping from models to what providers call them.
pub(super) const MODEL_MAPPING: Pairs<Pairs<Parsed<String>>> =
    Pairs { name: MODEL, value: Pairs { name: PROVIDER_NAME, value: MODEL } };

const DIRECTIVE: Parsed<CacheDirective> = Parsed {
    what: "a Cache-Control such as `max-age=3600, max-stale=1800`, or no-store",
    bare: Bare::Nothing,
    secret: false,
    parse: parse_directive,
    print: |directive| {
        let seconds = |name: &str, seconds: Option<u32>| seconds.map(|seconds| alloc::format!("{name}={seconds}"));
        let no_store = directive.no_store.then(|| "no-store".to_owned());
        let parts = [no_store, seconds("max-age", directive.max_age), seconds("max-stale", directive.max_stale)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    },
    stand_in: CacheDirective::default,
};

fn parse_directive(text: &str) -> Result<CacheDirective, &'static str> {
    let mut directive = CacheDirective::default();
    for part in text.split(',').map(str::trim) {
        let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, whole(value)));
        let seconds = value.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
        let place = match name {
            "max-age" => &mut directive.max_age,
            "max-stale" => &mut directive.max_stale,
            "no-store" if part == name => {
                directive.no_store = true;
                continue;
            }
            _ => return Err("has something other than max-age, max-stale and no-store"),
        };
        let Some(seconds) = seconds else { return Err("has no number of seconds") };
        if place.replace(seconds).is_some() {
            return Err("says something twice");
        }
    }
    if !directive.no_store && directive.max_age.is_none() {
        return Err("does not say for how long");
    }
    Ok(directive)
}

impl Named for Router {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Section for Router {
    const NAME: &'static str = "router";
    const DOC: &'static str = "What `/router/{name}/` does with a request.";
    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            name: fields.name(),
            load_balance: fields.section(
                "load_balance",
                |router| &router.load_balance,
                "Who is asked, by what is asked for.",
            ),
            model_mapping: fields.many(
                "model_mapping",
                &MODEL_MAPPING,
                |router| &router.model_mapping,
                "By the model asked for, what providers call it; before the file's own `model_mapping`.",
            ),
            cache: fields.optional(
                "cache",
                &Nested::new(),
                |router| router.cache.as_ref(),
                "How answers are kept. Default: not at all.",
            ),
            rate_limit: fields.section("rate_limit", |router| &router.rate_limit, "How often it may be asked."),
            retry: fields.section("retry", |router| &router.retry, "What it does otherwise than the file's `retry`."),
        }
    }
}

impl Section for LoadBalance {
    const NAME: &'static str = "load_balance";
    const DOC: &'static str = "Who is asked, by what is asked for. Default: as without a router.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        let strategy = Nested::new();
        Self {
            chat: fields.optional(
                "chat",
                &strategy,
                |balance| balance.chat.as_ref(),
                "Chat, completions, responses and messages.",
            ),
            embeddings: fields.optional("embeddings", &strategy, |balance| balance.embeddings.as_ref(), "Embeddings."),
            images: fields.optional("images", &strategy, |balance| balance.images.as_ref(), "Images."),
        }
    }
}

impl Section for RouterCache {
    const NAME: &'static str = "router_cache";
    const DOC: &'static str = "How a router keeps answers.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            directive: fields.required("directive", &DIRECTIVE, |cache| &cache.directive, "How long."),
            buckets: fields.defaulted(
                "buckets",
                &Whole { min: 1, max: 64 },
                1,
                |cache| &cache.buckets,
                "How many different answers to one request are kept, of which one is drawn.",
            ),
            seed: fields.defaulted(
                "seed",
                &LABEL,
                "v1".to_owned(),
                |cache| &cache.seed,
                "Changing it forgets all answers.",
            ),
        }
    }
}

impl Section for RateLimit {
    const NAME: &'static str = "rate_limit";
    const DOC: &'static str = "How often a router may be asked.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            per_api_key: fields.optional(
                "per_api_key",
                &Nested::new(),
                |limit| limit.per_api_key.as_ref(),
                "By each key.",
            ),
        }
    }
}

impl Section for Refill {
    const NAME: &'static str = "refill";
    const DOC: &'static str = "So many requests at once, and all of them again after a while.";

    fn declare<F: Fields<Self>>(fields: &mut F) -> Self {
        Self {
            capacity: fields.required(
                "capacity",
                &Whole { min: 1, max: u64::MAX },
                |refill| &refill.capacity,
                "How many.",
            ),
            refill_frequency: fields.required(
                "refill_frequency",
                &TIMEOUT,
                |refill| &refill.refill_frequency,
                "After which time all of them are there again.",
            ),
        }
    }
}
