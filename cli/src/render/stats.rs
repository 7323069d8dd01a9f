//! How Envoy reads the module's metrics: which part of a name is a label, and how finely times are told apart.

use dragoman_core::record::metric::{LABELS, METRICS};
use serde_json::{Value, json};

/// Where Envoy puts the metrics of modules. Its Prometheus endpoint takes that off again.
const NAMESPACE: &str = "wasmcustom.";

/// Upper bounds in milliseconds, from a cache's answer to the longest that providers work on one.
const BUCKETS_MS: &[u32] =
    &[5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000];

/// What stands in `stats_config`. The first group of a tag's expression is what is taken out of the name, and the second is its
/// value; what is taken out for two labels may overlap.
pub(super) fn config() -> Value {
    let tag = |label: &&str| json!({ "tag_name": label, "regex": format!("(;{label}=(.*?);)") });
    json!({
        "stats_tags": LABELS.iter().map(tag).collect::<Vec<_>>(),
        "histogram_bucket_settings": [{
            "match": { "prefix": format!("{NAMESPACE}{METRICS}") },
            "buckets": BUCKETS_MS,
        }],
    })
}
