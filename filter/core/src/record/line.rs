//! A record as JSON: a line of the access log, with the names of OpenTelemetry's conventions for generative AI where it has any
//! (2026-11: <https://github.com/open-telemetry/semantic-conventions-genai>).
//!
//! Envoy's formats can put one text of the module's into a line, and not make an object of it; a text for each member would be twenty
//! calls to the host and as many look-ups in Envoy. So the text is that of several members: it begins within the first one's quotes and
//! ends within the last one's. A format that has `"request_id":"%FILTER_STATE(…:PLAIN)%"` is a line of JSON with it, and without it.

use alloc::{
    format,
    string::{String, ToString},
};
use core::time::Duration;

use super::Record;
use crate::{
    config::print_exact,
    json::{Composed, quoted},
    plan::{Target, millis},
};

/// The filter state property that carries [`Record::line`] to the access log, which reads it as `wasm.` and this name.
pub const PROPERTY: &str = "dragoman.record";

/// How much of a text is written down. A client's path is as long as a head can be, and the name of a model as a body.
const MOST_TEXT: usize = 1_024;

/// How many of a key's labels and tags are. Those of the file are few; a token has what its issuer likes.
const MOST_LABELS: usize = 32;

/// What stands before and behind the line, in the object that it is of.
const AROUND: (&str, &str) = ("{\"request_id\":\"", "\"}");

/// A record that was written, with what the log has from Envoy.
#[derive(Debug)]
pub(super) struct Written {
    began_millis: u64,
    status: u16,
    duration_millis: u64,
    line: String,
    /// What was said, as an object, where that is kept.
    pub(super) content: Option<String>,
}

impl Written {
    pub(super) fn new(record: &Record<'_>, line: String) -> Self {
        Self {
            began_millis: millis(record.began),
            status: record.status,
            duration_millis: millis(record.duration),
            line,
            content: None,
        }
    }

    /// An object of its own.
    pub(super) fn to_json(&self) -> String {
        let mut out = Composed::new();
        out.text("time", &print_exact(self.began_millis));
        out.whole("status", self.status.into());
        out.whole("duration_ms", self.duration_millis);
        end_with(out, &self.line)
    }
}

/// An object with the members of a line behind its own.
pub(crate) fn end_with(out: Composed, line: &str) -> String {
    let (before, behind) = AROUND;
    out.end_with(&[before, line, behind].concat())
}

impl Record<'_> {
    /// The members of [`Self::to_json`] without the beginning of the first one and the end of the last: see the module's documentation.
    #[must_use]
    pub fn line(&self) -> String {
        let (before, behind) = AROUND;
        let mut line = self.to_json();
        line.truncate(line.len().saturating_sub(behind.len()));
        line.drain(..before.len().min(line.len()));
        line
    }

    /// The whole record, as an object. `request_id` is the first member and `outcome` the last.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = Composed::new();
        out.text("request_id", short(self.id));
        tell(&mut out, "method", self.method);
        tell(&mut out, "path", self.path);
        self.write_asker(&mut out);
        if let Some(operation) = self.operation() {
            out.text("gen_ai.operation.name", operation);
        }
        tell(&mut out, "gen_ai.request.model", self.requested.unwrap_or_default());
        if self.is_stream {
            out.flag("gen_ai.request.stream", true);
        }
        if let Some(target) = self.target() {
            write_target(target, &mut out);
        }
        tell(&mut out, "attempts", &self.attempts);
        tell(&mut out, "passed_over", &self.passed_over);
        self.write_spent(&mut out);
        if let Some(time) = self.first_content {
            out.json("gen_ai.response.time_to_first_chunk", &seconds(time));
        }
        tell(&mut out, "limit", self.limit.as_deref().unwrap_or_default());
        tell(&mut out, "details", &self.details);
        tell(&mut out, "error.type", self.error.as_deref().unwrap_or_default());
        out.text("outcome", self.outcome.name());
        out.end()
    }

    fn write_asker(&self, out: &mut Composed) {
        tell(out, "key", self.key_id().unwrap_or_default());
        if let Some(key) = self.key {
            tell(out, "key_name", &key.name);
            tell(out, "team", key.team.as_deref().unwrap_or_default());
        }
        tell(out, "environment", self.environment.unwrap_or_default());
        tell(out, "router", self.router.unwrap_or_default());
        let Some(key) = self.key else { return };
        if !key.labels.is_empty() {
            let mut labels = Composed::default();
            for (name, value) in key.labels.iter().take(MOST_LABELS) {
                labels.text(short(name), short(value));
            }
            out.json("labels", &labels.end());
        }
        if !key.cost_tags.is_empty() {
            out.list("cost_tags", key.cost_tags.iter().take(MOST_LABELS).map(|tag| quoted(short(tag))));
        }
    }

    fn write_spent(&self, out: &mut Composed) {
        let Some(spent) = self.spent else { return };
        let usage = spent.usage;
        out.whole("gen_ai.usage.input_tokens", usage.input);
        out.whole("gen_ai.usage.output_tokens", usage.output);
        let parts = [
            ("gen_ai.usage.cache_read.input_tokens", usage.cached_input),
            ("gen_ai.usage.cache_creation.input_tokens", usage.cache_write),
            ("gen_ai.usage.reasoning.output_tokens", usage.reasoning),
            ("images", usage.images),
        ];
        for (name, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
            out.whole(name, count);
        }
        if !spent.is_told {
            out.flag("estimated", true);
        }
        out.json("cost_nano_usd", &self.nano_usd.map_or_else(|| "null".into(), |cost| cost.to_string()));
    }
}

fn write_target(target: &Target, out: &mut Composed) {
    let Target { provider, account, model, .. } = target;
    tell(out, "provider", &provider.name);
    tell(out, "account", &account.name);
    out.text("gen_ai.provider.name", provider.known_as);
    tell(out, "model", model);
    tell(out, "gen_ai.response.model", model);
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

/// Writes a text, where there is one.
fn tell(out: &mut Composed, name: &str, text: &str) {
    out.some_text(name, short(text));
}

/// As much of a text as is written down.
pub(crate) fn short(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MOST_TEXT)).unwrap_or_default()
}
