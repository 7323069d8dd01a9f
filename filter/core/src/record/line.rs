//! A record as JSON: a line of the access log, with the names of OpenTelemetry's conventions for generative AI where it has any
//! (2026-11: <https://github.com/open-telemetry/semantic-conventions-genai>).
//!
//! Envoy's formats can put one text of the module's into a line, and not make an object of it; a text for each member would be twenty
//! calls to the host and as many look-ups in Envoy. So the text is that of several members: it begins within the first one's quotes and
//! ends within the last one's. A format that has `"request_id":"%FILTER_STATE(…:PLAIN)%"` is a line of JSON with it, and without it.

use alloc::string::String;
use core::time::Duration;

use super::Record;
use crate::{
    config::print_exact,
    host::millis,
    json::{Composed, push_plain, push_whole},
    plan::{Cached, Target},
};

/// The filter state property that carries [`Record::line`] to the access log, which reads it as `wasm.` and this name.
pub const PROPERTY: &str = "dragoman.record";

/// How much of a text is written down. A client's path is as long as a head can be, and the name of a model as a body.
const MOST_TEXT: usize = 1_024;

/// How many of a key's labels and tags are. Those of the file are few; a token has what its issuer likes.
const MOST_LABELS: usize = 32;

/// Room for a usual line.
const USUAL: usize = 640;

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

/// How a member begins behind another one. A constant: a line is a dozen and a half of them, and each piece of it a copy.
macro_rules! name {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// The same of a text.
macro_rules! text {
    ($name:literal) => {
        concat!(",\"", $name, "\":\"")
    };
}

impl Record<'_> {
    /// The members of the record, `request_id` first and `outcome` last, without the beginning of the first one and the end of the
    /// last: see the module's documentation.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = Line(String::with_capacity(USUAL));
        line.push(self.id);
        line.0.push('"');
        line.text(text!("method"), self.method);
        line.text(text!("path"), self.path);
        self.write_asker(&mut line);
        line.text(text!("gen_ai.operation.name"), self.operation().unwrap_or_default());
        line.text(text!("gen_ai.request.model"), self.requested.unwrap_or_default());
        if self.is_stream {
            line.0.push_str(concat!(name!("gen_ai.request.stream"), "true"));
        }
        if let Some(target) = self.target() {
            write_target(target, &mut line);
        }
        line.text(text!("attempts"), &self.attempts);
        line.text(text!("passed_over"), &self.passed_over);
        if let Some(cached) = &self.cached {
            if let Cached::Hit(target) = cached {
                write_target(target, &mut line);
            }
            line.text(text!("cache"), cached.name());
        }
        self.write_spent(&mut line);
        if let Some(time) = self.first_content {
            line.seconds(name!("gen_ai.response.time_to_first_chunk"), time);
        }
        line.text(text!("limit"), self.limit.as_deref().unwrap_or_default());
        line.text(text!("details"), &self.details);
        line.text(text!("error.type"), self.error.as_deref().unwrap_or_default());
        line.0.push_str(text!("outcome"));
        line.0.push_str(self.outcome.name());
        line.0
    }

    fn write_asker(&self, line: &mut Line) {
        line.text(text!("key"), self.key_id().unwrap_or_default());
        if let Some(key) = self.key {
            line.text(text!("key_name"), &key.name);
            line.text(text!("team"), key.team.as_deref().unwrap_or_default());
        }
        line.text(text!("environment"), self.environment.unwrap_or_default());
        line.text(text!("router"), self.router.unwrap_or_default());
        let Some(key) = self.key else { return };
        let mut before = concat!(name!("labels"), "{\"");
        for (name, value) in key.labels.iter().take(MOST_LABELS) {
            line.0.push_str(before);
            line.push(name);
            line.0.push_str("\":\"");
            line.push(value);
            line.0.push('"');
            before = ",\"";
        }
        if !key.labels.is_empty() {
            line.0.push('}');
        }
        let mut before = concat!(name!("cost_tags"), "[\"");
        for tag in key.cost_tags.iter().take(MOST_LABELS) {
            line.0.push_str(before);
            line.push(tag);
            line.0.push('"');
            before = ",\"";
        }
        if !key.cost_tags.is_empty() {
            line.0.push(']');
        }
    }

    fn write_spent(&self, line: &mut Line) {
        let Some(spent) = self.spent else { return };
        let usage = spent.usage;
        line.whole(name!("gen_ai.usage.input_tokens"), usage.input);
        line.whole(name!("gen_ai.usage.output_tokens"), usage.output);
        let parts = [
            (name!("gen_ai.usage.cache_read.input_tokens"), usage.cached_input),
            (name!("gen_ai.usage.cache_creation.input_tokens"), usage.cache_write),
            (name!("gen_ai.usage.reasoning.output_tokens"), usage.reasoning),
            (name!("images"), usage.images),
        ];
        for (name, count) in parts.into_iter().filter(|(_, count)| *count > 0) {
            line.whole(name, count);
        }
        if !spent.is_told {
            line.0.push_str(concat!(name!("estimated"), "true"));
        }
        match self.nano_usd {
            Some(cost) => line.whole(name!("cost_nano_usd"), cost),
            None => line.0.push_str(concat!(name!("cost_nano_usd"), "null")),
        }
    }
}

fn write_target(target: &Target, line: &mut Line) {
    let Target { provider, account, model, .. } = target;
    line.text(text!("provider"), &provider.name);
    line.text(text!("account"), &account.name);
    line.text(text!("gen_ai.provider.name"), provider.known_as);
    line.text(text!("model"), model);
    line.text(text!("gen_ai.response.model"), model);
}

/// A line that is being written.
struct Line(String);

impl Line {
    /// A text, where there is one; `before` is everything up to it.
    fn text(&mut self, before: &str, text: &str) {
        if !text.is_empty() {
            self.0.push_str(before);
            self.push(text);
            self.0.push('"');
        }
    }

    fn push(&mut self, text: &str) {
        push_plain(&mut self.0, short(text));
    }

    fn whole(&mut self, before: &str, number: u64) {
        self.0.push_str(before);
        push_whole(&mut self.0, number);
    }

    fn seconds(&mut self, before: &str, time: Duration) {
        self.whole(before, time.as_secs());
        self.0.push('.');
        let rest = time.subsec_millis();
        for digit in [rest / 100, rest / 10 % 10, rest % 10] {
            push_whole(&mut self.0, digit.into());
        }
    }
}

/// As much of a text as is written down.
pub(crate) fn short(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MOST_TEXT)).unwrap_or_default()
}
