//! What Envoy answers by itself, said as the API's clients read it.
//!
//! Most of Envoy's own answers pass the module, which says them anew in the caller's dialect. Two kinds do not: refusals from
//! before there is a filter, and the end of a stream whose answer a filter of the client's chain holds. Their text would be
//! plain; here it becomes OpenAI's shape, which also tells what happened in Envoy's words.
//!
//! The condition is the whole trick: the module's own answers are local replies too, and would be written over. They have no
//! response code details, Envoy's always do.

use dragoman_core::{
    config::Config,
    error::{Error, Kind, Shape},
    exchange::too_large,
};
use serde_json::{Value, json};

/// What Envoy says of it.
const DETAILS: &str = "%RESPONSE_CODE_DETAILS%";

/// The `local_reply_config` of a connection manager.
pub(super) fn config(config: &Config) -> Value {
    let ended = Error::new(Kind::UpstreamUnavailable, format!("Envoy ended the request: {DETAILS}."));
    let refused = Error::new(Kind::InvalidRequest, format!("Envoy refused the request: {DETAILS}."));
    json!({ "mappers": [
        // Where a single read of the socket is larger than what the buffer is larger than `max_body`.
        mapper(&all_of(&[envoys_own(), status("EQ", 413)]), &too_large(config.max_body)),
        mapper(&all_of(&[envoys_own(), status("GE", 500)]), &ended),
        mapper(&envoys_own(), &refused),
    ]})
}

fn mapper(filter: &Value, error: &Error) -> Value {
    // What the core has written is JSON.
    let body: Value = serde_json::from_slice(&error.body(Shape::OpenAi)).unwrap_or_default();
    json!({ "filter": filter, "body_format_override": { "json_format": body } })
}

fn envoys_own() -> Value {
    json!({ "extension_filter": {
        "name": "envoy.access_loggers.extension_filters.cel",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            "expression": "response.code_details != ''",
        },
    }})
}

fn status(operator: &str, status: u16) -> Value {
    // Envoy requires the key; nothing sets it.
    let value = json!({ "default_value": status, "runtime_key": "dragoman.local_reply" });
    json!({ "status_code_filter": { "comparison": { "op": operator, "value": value } } })
}

fn all_of(filters: &[Value]) -> Value {
    json!({ "and_filter": { "filters": filters } })
}
