//! The ingress listener: everything about a request that Envoy can bound or refuse before the module sees it.

use std::{iter, time::Duration};

use dragoman_core::{
    attempt::MAX_TRANSLATED,
    audit,
    config::{Config, Provider, RetryMode},
    record,
    sse::MAX_FRAME,
};
use serde_json::{Value, json};

use super::{listener, listener::INGRESS_LISTENER, local_reply, route, scheme::seconds, shared, token};

/// Added to what the module holds at most: it answers 413 itself, in the caller's dialect, so Envoy's limit must be the
/// later one; and what one read of the socket brings is in Envoy's buffer before the module has seen it.
const BUFFER_MARGIN_BYTES: u64 = 4 << 20;
/// What a connection may buffer without a request's own limit: a client that reads slowly holds so much of a stream, and one
/// read brings no more.
const CONNECTION_BUFFER_BYTES: u32 = 1 << 20;
/// Added to the longest wait that the file allows, so that the module's own time-out always comes first.
const IDLE_MARGIN: Duration = Duration::from_secs(30);

pub(super) fn listener(config: &Config, filter: &Value) -> Value {
    let buffer_bytes = buffer_bytes(config);
    let tokens = config.auth.jwt.iter().map(|jwt| token::filter(jwt, token::CLUSTER));
    let limits = shared::filters(config);
    let filters: Vec<_> = tokens.chain([filter.clone()]).chain(limits).chain([listener::router()]).collect();
    let manager = json!({
        "codec_type": "AUTO",
        // The client's own address counts, and none of its forwarding headers.
        "use_remote_address": true,
        "skip_xff_append": true,
        // A range without clients. With none, private addresses are internal and their x-envoy-* headers are obeyed.
        "internal_address_config": { "cidr_ranges": [{ "address_prefix": "255.255.255.255", "prefix_len": 32 }] },
        // The client's scheme would otherwise go on to a provider over HTTP/2, which may refuse `http` within TLS.
        "scheme_header_transformation": { "match_upstream": true },
        "normalize_path": true,
        "merge_slashes": true,
        // The SDKs send the slash in a model's name as `%2F`. Everywhere else the module knows no path with one.
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "always_set_request_id_in_response": true,
        "request_headers_timeout": "10s",
        "request_timeout": "300s",
        "stream_idle_timeout": seconds(stream_idle(config)),
        "max_request_headers_kb": 60,
        "common_http_protocol_options": {
            "max_headers_count": 100,
            "idle_timeout": "300s",
            // Many servers read `x_a` as `x-a`, so that a name in one spelling could pass where the other is stripped.
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 128,
            "initial_stream_window_size": 1 << 20,
            "initial_connection_window_size": 16 << 20,
        },
        "access_log": access_logs(config),
        "local_reply_config": local_reply::config(config),
        "route_config": route::table(config, buffer_bytes),
        "http_filters": filters,
    });
    listener::http(INGRESS_LISTENER, config.listen.address, connection_buffer_bytes(config), manager)
}

/// What Envoy may buffer of one request, and of its answer: the limit is one for both, and over it a held answer is Envoy's
/// own 500.
pub(super) fn buffer_bytes(config: &Config) -> u64 {
    let held = [MAX_TRANSLATED, MAX_FRAME].map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX));
    held.into_iter().fold(config.max_body, u64::max).saturating_add(BUFFER_MARGIN_BYTES)
}

/// Envoy 1.36 does not know a request's own limit, and the dispatch mode is for it, too.
fn connection_buffer_bytes(config: &Config) -> u32 {
    match config.retry.mode {
        RetryMode::Auto | RetryMode::Native => CONNECTION_BUFFER_BYTES,
        RetryMode::Dispatch => u32::try_from(buffer_bytes(config)).unwrap_or(u32::MAX),
    }
}

/// How long a stream may be silent before Envoy ends it.
pub(super) fn stream_idle(config: &Config) -> Duration {
    longest_wait(config).saturating_add(IDLE_MARGIN)
}

fn longest_wait(config: &Config) -> Duration {
    let of = |provider: &Provider| {
        let timeouts = provider.timeouts;
        timeouts.first_byte.max(timeouts.idle).max(timeouts.flex)
    };
    config.providers.iter().map(of).fold(config.longest_deadline(), Duration::max)
}

const STDOUT_LOGGER: &str = "envoy.access_loggers.stdout";
const STDOUT_LOG: &str = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";

/// The path of a log that is no file's.
pub(crate) const STDOUT: &str = "/dev/stdout";

/// One JSON object a request on stdout: what only Envoy knows, and the module's record. All that a client can have a say in is in
/// the record, where it is written as JSON: a text's format writes it as it is.
const ACCESS_LOG: &str = concat!(
    r#"{"time":"%START_TIME%","client":"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%","protocol":"%PROTOCOL%","#,
    r#""status":%RESPONSE_CODE%,"flags":"%RESPONSE_FLAGS%","duration_ms":%DURATION%,"#,
    r#""bytes_received":%BYTES_RECEIVED%,"bytes_sent":%BYTES_SENT%,"cluster":"%UPSTREAM_CLUSTER%","#,
    r#""request_id":"%FILTER_STATE(wasm.{record}:PLAIN)%"}"#,
    "\n",
);

fn access_logs(config: &Config) -> Vec<Value> {
    iter::once(access_log()).chain(audit_log(config, &config.log.audit.path)).collect()
}

/// Where the file asks for it, the audit log: the module's lines as they are, and of a request that the module has none of, nothing.
pub(super) fn audit_log(config: &Config, path: &str) -> Option<Value> {
    config.log.audit.enabled.then(|| {
        let lines = format!("%FILTER_STATE(wasm.{}:PLAIN)%", audit::PROPERTY);
        let format = json!({ "text_format_source": { "inline_string": lines }, "omit_empty_values": true });
        if path == STDOUT {
            return json!({ "name": STDOUT_LOGGER, "typed_config": { "@type": STDOUT_LOG, "log_format": format } });
        }
        json!({
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": path,
                "log_format": format,
            },
        })
    })
}

fn access_log() -> Value {
    json!({
        "name": STDOUT_LOGGER,
        // Liveness probes would be most of the log.
        "filter": { "header_filter": {
            "header": {
                "name": ":path",
                "string_match": { "safe_regex": { "regex": "/health/?(\\?.*)?" } },
                "invert_match": true,
                // What is refused before it has a path is a request, too.
                "treat_missing_header_as_empty": true,
            },
        }},
        "typed_config": {
            "@type": STDOUT_LOG,
            "log_format": { "text_format_source": { "inline_string": ACCESS_LOG.replace("{record}", record::PROPERTY) } },
        },
    })
}
