//! The audit log: why a request went where it went. Three kinds of lines of a request, all written when it is over: `route_decision`, a
//! `proxy_attempt` a try, and `proxy_response`, which is the access log's record once more, so that nobody needs both files.
//!
//! Like the record it leaves the module as one text, of whole lines with their ends; Envoy prints it as it is. It has nothing of what was
//! said, and no key but by its name. Where the file does not ask for it nothing of it is noted, and the host is not called.

mod decision;

use alloc::{format, string::String, vec::Vec};
use core::time::Duration;

pub use self::decision::{By, Decision};
use crate::{
    config::{print_exact, print_millis},
    host::millis,
    json::Composed,
    plan::{Plan, Target, Try},
    record::{Outcome, Record, end_with, short},
    route::{Cooling, Dropped},
};

/// The filter state property that carries the lines to the log, which reads it as `wasm.` and this name.
pub const PROPERTY: &str = "dragoman.audit";

/// So many candidates are named that were dropped: a file may have hundreds.
const MOST_DROPPED: usize = 32;

/// The lines of a request, whose access log line is `line`.
pub(crate) fn lines(record: &Record<'_>, line: &str, decision: &Decision, plan: Option<&Plan>) -> String {
    let mut text = String::new();
    let mut add = |line: String| text.extend([&line, "\n"]);
    add(decide(record, decision, plan));
    let tries = plan.map(Plan::trail);
    let tries = tries.as_deref().map_or(&[][..], Vec::as_slice);
    for (place, one) in tries.iter().enumerate() {
        add(attempt(record, place.saturating_add(1), one, place.saturating_add(1) == tries.len()));
    }
    let mut out = begin("proxy_response", record.began.saturating_add(record.duration));
    out.whole("status", record.status.into());
    out.whole("duration_ms", millis(record.duration));
    add(end_with(out, line));
    text
}

fn begin(event: &'static str, time: Duration) -> Composed {
    let mut out = Composed::new();
    out.text("event", event);
    out.text("time", &print_exact(millis(time)));
    out
}

/// The same, of a request that is not named otherwise.
fn begin_of(record: &Record<'_>, event: &'static str, time: Duration) -> Composed {
    let mut out = begin(event, time);
    out.text("request_id", short(record.id));
    out.some_text("key", short(record.key_id().unwrap_or_default()));
    out
}

fn decide(record: &Record<'_>, decision: &Decision, plan: Option<&Plan>) -> String {
    let mut out = begin_of(record, "route_decision", record.began);
    out.some_text("team", short(record.key.and_then(|key| key.team.as_deref()).unwrap_or_default()));
    out.some_text("environment", short(record.environment.unwrap_or_default()));
    out.some_text("path", short(record.path));
    out.some_text("router", short(record.router.unwrap_or_default()));
    out.some_text("gen_ai.request.model", short(record.requested.unwrap_or_default()));
    out.text("decided_by", decision.by.name());
    out.some_text("configuration", &decision.configuration);
    out.some_text("strategy", decision.strategy);
    if let Some(Target { provider, model, .. }) = decision.candidates.first() {
        out.text("resolved_model", short(&format!("{}/{model}", provider.name)));
    }
    for (name, targets, is_told) in [
        ("candidates", &decision.candidates, true),
        ("on_context", &decision.on_context, false),
        ("on_content", &decision.on_content, false),
    ] {
        let all = targets.iter().map(|target| begin_at(target).end()).collect();
        list(&mut out, name, all, is_told);
    }
    let mut all: Vec<String> = decision.dropped.iter().map(dropped).collect();
    let full = plan.map(Plan::full);
    for (name, limit) in full.as_deref().unwrap_or(&decision.full) {
        let mut out = Composed::default();
        out.text("candidate", short(name));
        out.text("reason", "limit");
        out.text("limit", limit);
        all.push(out.end());
    }
    let more = all.len().saturating_sub(MOST_DROPPED);
    all.truncate(MOST_DROPPED);
    list(&mut out, "dropped", all, false);
    if more > 0 {
        tell(&mut out, "dropped_more", more);
    }
    let all = decision.cooling.iter().map(|Cooling { target, until_millis }| {
        let mut out = begin_at(target);
        out.text("until", &print_millis(*until_millis));
        out.end()
    });
    list(&mut out, "cooling", all.collect(), false);
    // Who has nobody asked, and is not answered, is refused, or has left.
    if record.tries.is_empty() && record.outcome != Outcome::Answered {
        out.text("refused", record.error.as_deref().unwrap_or_else(|| record.outcome.name()));
        out.some_text("limit", record.limit.as_deref().unwrap_or_default());
    }
    out.end()
}

fn attempt(record: &Record<'_>, number: usize, one: &Try, is_last: bool) -> String {
    let mut out = begin_of(record, "proxy_attempt", one.sent);
    tell(&mut out, "number", number);
    write_target(&one.target, &mut out);
    if let Some(status) = one.status {
        out.whole("status", status.into());
    }
    let is_open = one.status.is_none_or(|status| status < 400);
    let unfinished = (is_last && is_open && record.outcome != Outcome::Answered).then(|| record.outcome.name());
    out.some_text("failure", one.failure.or(unfinished).unwrap_or_default());
    let since = |time: Duration| millis(time.saturating_sub(one.sent));
    if let Some(head) = one.head_at {
        out.whole("first_byte_ms", since(head));
    }
    // What is passed on is over with the request.
    let over = one.ended.filter(|_| !is_open).unwrap_or_else(|| record.began.saturating_add(record.duration));
    out.whole("duration_ms", since(over));
    out.end()
}

/// What is said of a target.
fn begin_at(target: &Target) -> Composed {
    let mut out = Composed::default();
    write_target(target, &mut out);
    out
}

fn write_target(Target { provider, account, model, .. }: &Target, out: &mut Composed) {
    out.text("provider", &provider.name);
    out.text("account", &account.name);
    out.some_text("model", short(model));
}

/// Writes a list of objects; one of none only where that tells something.
fn list(out: &mut Composed, name: &str, all: Vec<String>, is_told: bool) {
    if is_told || !all.is_empty() {
        out.list(name, all);
    }
}

fn tell(out: &mut Composed, name: &str, count: usize) {
    out.whole(name, u64::try_from(count).unwrap_or(u64::MAX));
}

fn dropped(Dropped { candidate, error }: &Dropped) -> String {
    let mut out = Composed::default();
    out.some_text("candidate", short(candidate));
    out.text("reason", error.kind.name());
    out.text("message", short(&error.message));
    out.end()
}
