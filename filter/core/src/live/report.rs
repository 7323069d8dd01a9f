//! What `GET /v1/router/live-metrics` answers: each target that had traffic or failed of late.
//!
//! Written as text: it is one object, told in one place.

use alloc::{
    format,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    config::print_time,
    health::{Ledger, Name, NameRef, State},
};

use super::{Observer, record::Entry};

/// The last second of the year 9999: later ones have no text.
const LAST_SECOND: u64 = 253_402_300_799;

impl Observer {
    /// What is known of targets now, as JSON; of those that may be shown.
    #[must_use]
    pub fn report(&self, now_millis: u64, is_shown: impl Fn(NameRef<'_>) -> bool) -> Vec<u8> {
        self.end_round(now_millis);
        self.read_traffic(now_millis);
        let mut names: Vec<Rc<Name>> =
            self.with_traffic(now_millis, |traffic| traffic.entries.iter().map(|(name, _)| Rc::clone(name)).collect());
        self.with_ledger(|ledger| {
            for name in ledger.names(now_millis) {
                if let Err(place) = names.binary_search(name) {
                    names.insert(place, Rc::clone(name));
                }
            }
        });
        let mut out = String::from(r#"{"object":"list","data":["#);
        let mut comma = "";
        for name in names.iter().map(|name| name.borrowed()).filter(|name| is_shown(*name)) {
            out.push_str(comma);
            comma = ",";
            self.write_target(name, now_millis, &mut out);
        }
        out.push_str("]}");
        out.into_bytes()
    }

    fn write_target(&self, name: NameRef<'_>, now_millis: u64, out: &mut String) {
        let text = |text: &str| serde_json::to_string(text).unwrap_or_default();
        let mut member = |name: &str, value: &str| {
            let comma = if out.ends_with(['[', ',']) || out.is_empty() { "{" } else { "," };
            out.extend([comma, "\"", name, "\":", value]);
        };
        member("provider", &text(name.provider));
        member("account", &text(name.account));
        member("model", &text(name.model));
        let entry = self.with_traffic(now_millis, |traffic| traffic.entry(name).copied()).unwrap_or_default();
        let Entry {
            samples,
            ttft_micros,
            latency_micros,
            millitokens_per_second,
            failures,
            ttft_peak,
            latency_peak,
            ..
        } = entry;
        member("samples", &samples.to_string());
        member("ttft_ms", &thousandths(ttft_micros.value()));
        member("latency_ms", &thousandths(latency_micros.value()));
        member("tokens_per_second", &thousandths(millitokens_per_second.value()));
        member(
            "failure_ratio",
            &thousandths(failures.value().map(|millionths| millionths.saturating_add(500) / 1_000)),
        );
        member("peak_ttft_ms", &whole(ttft_peak.value(now_millis)));
        member("peak_latency_ms", &whole(latency_peak.value(now_millis)));
        let in_flight = self.slot(name, now_millis).in_flight(&*self.meter);
        member("in_flight", &whole(in_flight.map(u64::from)));
        let (state, cause) =
            self.with_ledger(|ledger: &Ledger| (ledger.state(name, now_millis), ledger.cause(name, now_millis)));
        let (state, until) = match state {
            State::Healthy => ("healthy", None),
            State::Cooling(until) => ("cooling_down", Some(until)),
            State::HalfOpen(_) => ("half_open", None),
        };
        member("state", &text(state));
        // Rounded up: at that time it is over.
        let time = |millis: u64| print_time(millis.div_ceil(1_000).min(LAST_SECOND));
        member("cooling_until", &until.map_or_else(null, |millis| text(&time(millis))));
        member("last_failure", &cause.map_or_else(null, |cause| text(cause.text())));
        out.push('}');
    }
}

fn null() -> String {
    "null".into()
}

fn whole(number: Option<u64>) -> String {
    number.map_or_else(null, |number| number.to_string())
}

fn thousandths(number: Option<u64>) -> String {
    number.map_or_else(null, |number| format!("{}.{:03}", number / 1_000, number % 1_000))
}
