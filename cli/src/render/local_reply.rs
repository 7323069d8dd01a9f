//! What Envoy answers by itself, said as the API's clients read it.
//!
//! Most of Envoy's own answers pass the module, which says them anew in the caller's dialect. Two kinds do not: refusals from
//! before there is a filter, and the end of a stream whose answer a filter of the client's chain holds. Their text would be
//! plain; here it becomes OpenAI's shape, which also tells what happened in Envoy's words.
//!
//! The condition is the whole trick: the module's own answers are local replies too, and would be written over. They have no
//! response code details, Envoy's always do.

use serde_json::{Value, json};

/// The `local_reply_config` of a connection manager.
pub(super) fn config() -> Value {
    json!({ "mappers": [
        mapper(&all_of(&[envoys_own(), at_least(500)]), "Envoy ended the request", "upstream_error", "upstream_error".into()),
        mapper(&envoys_own(), "Envoy refused the request", "invalid_request_error", Value::Null),
    ]})
}

fn mapper(filter: &Value, what: &str, kind: &str, code: Value) -> Value {
    let error = json!({
        "message": format!("{what}: %RESPONSE_CODE_DETAILS%."),
        "type": kind,
        "param": null,
        "code": code,
    });
    json!({ "filter": filter, "body_format_override": { "json_format": { "error": error } } })
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

fn at_least(status: u16) -> Value {
    // Envoy requires the key; nothing sets it.
    let value = json!({ "default_value": status, "runtime_key": "dragoman.local_reply" });
    json!({ "status_code_filter": { "comparison": { "op": "GE", "value": value } } })
}

fn all_of(filters: &[Value]) -> Value {
    json!({ "and_filter": { "filters": filters } })
}
