//! The metrics of requests, in one table: whoever tells them, documents them or draws them has their names from here.

/// How the names of all of them begin.
pub const METRICS: &str = "llm_";

/// What can stand in them between semicolons.
pub const LABELS: &[&str] = &["provider", "model", "status", "type", "limit", "result"];

/// What requests to one model of a provider are told by.
const TARGET: &[&str] = &["provider", "model"];

/// See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it is to Prometheus.
    pub shape: Shape,
    /// What it tells.
    pub tells: &'static str,
}

/// What a metric is to Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One series for each combination of labels.
    Counter,
    /// Several: `_bucket`, `_sum` and `_count`.
    Histogram,
}

const fn counter(name: &'static str, labels: &'static [&'static str], tells: &'static str) -> Metric {
    Metric { name, labels, shape: Shape::Counter, tells }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], tells: &'static str) -> Metric {
    Metric { name, labels, shape: Shape::Histogram, tells }
}

pub(super) const REQUESTS: Metric = counter(
    "llm_requests_total",
    &["provider", "model", "status"],
    "requests, at the model that was asked last; `none` where none was",
);
pub(super) const ATTEMPTS: Metric = counter(
    "llm_attempts_total",
    &["provider", "model", "status"],
    "tries, each at the model that was asked, by how it ended",
);
pub(super) const FALLBACKS: Metric =
    counter("llm_fallbacks_total", TARGET, "requests that ended here after another model was asked");
pub(super) const ERRORS: Metric = counter("llm_errors_total", &["type"], "requests with this `error.type`");
pub(super) const LIMITS: Metric =
    counter("llm_limits_hit_total", &["limit"], "requests that were refused because this limit had no room");
pub(super) const CACHE: Metric = counter(
    "llm_cache_total",
    &["result"],
    "requests that a kept answer would do for: `hit` where there was one, else `miss`",
);
pub(super) const TOKENS: Metric =
    counter("llm_tokens_total", &["provider", "model", "type"], "tokens, as in the access log");
pub(super) const IMAGES: Metric = counter("llm_images_total", TARGET, "pictures that were drawn");
pub(super) const COST: Metric =
    counter("llm_cost_nano_usd_total", TARGET, "what that costs, in billionths of a USD, where the price is known");
pub(super) const UNPRICED: Metric =
    counter("llm_unpriced_requests_total", TARGET, "requests that were answered and whose price is not known");
pub(super) const DURATION: Metric =
    histogram("llm_request_duration_ms", TARGET, "milliseconds to the end of the answer, where somebody was asked");
pub(super) const FIRST_CONTENT: Metric =
    histogram("llm_time_to_first_token_ms", TARGET, "milliseconds to the first content of a stream");

/// All of them.
pub const ALL: &[Metric] =
    &[REQUESTS, ATTEMPTS, FALLBACKS, ERRORS, LIMITS, CACHE, TOKENS, IMAGES, COST, UNPRICED, DURATION, FIRST_CONTENT];
