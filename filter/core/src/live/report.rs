//! What `GET /v1/router/live-metrics` answers: each target that had traffic or failed of late, or has requests under way.
//!
//! Written as text: it is one object, told in one place.

use alloc::{
    format,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    config::print_millis,
    health::{Name, NameRef, State, Trouble},
    json::Composed,
};

use super::Observer;

/// A target that is passed over while there is another.
#[derive(Debug)]
pub(crate) struct Cooling {
    pub(crate) name: Rc<Name>,
    pub(crate) until_millis: u64,
    pub(crate) trouble: Trouble,
}

impl Observer {
    /// The targets that are passed over now.
    pub(crate) fn cooling(&self, now_millis: u64) -> Vec<Cooling> {
        self.read_ledger(now_millis);
        self.with_ledger(|ledger| {
            let cooling = ledger.names(now_millis).filter_map(|name| {
                let State::Cooling(until_millis) = ledger.state(name.borrowed(), now_millis) else { return None };
                let trouble = ledger.trouble(name.borrowed(), now_millis)?;
                Some(Cooling { name: Rc::clone(name), until_millis, trouble })
            });
            cooling.collect()
        })
    }

    /// What is known of targets now, as JSON; of those that may be shown.
    #[must_use]
    pub fn report(&self, now_millis: u64, is_shown: impl Fn(NameRef<'_>) -> bool) -> Vec<u8> {
        self.end_round(now_millis);
        self.read_traffic(now_millis);
        self.read_flights(now_millis);
        let mut names: Vec<Rc<Name>> =
            self.with_traffic(now_millis, |traffic| traffic.entries.iter().map(|(name, _)| Rc::clone(name)).collect());
        let mut add = |name: &Rc<Name>| {
            if let Err(place) = names.binary_search(name) {
                names.insert(place, Rc::clone(name));
            }
        };
        self.with_ledger(|ledger| ledger.names(now_millis).for_each(&mut add));
        self.with_flights(now_millis, |flights| flights.names(now_millis).for_each(&mut add));
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
        let entry = self.with_traffic(now_millis, |traffic| traffic.entry(name).copied()).unwrap_or_default();
        let (state, trouble) =
            self.with_ledger(|ledger| (ledger.state(name, now_millis), ledger.trouble(name, now_millis)));
        let (state, until) = match state {
            State::Healthy => ("healthy", None),
            State::Cooling(until) => ("cooling_down", Some(until)),
            State::HalfOpen(_) => ("half_open", None),
        };
        let thousandths_of_failures = entry.failures.value().map(|millionths| millionths.saturating_add(500) / 1_000);
        let members = [
            ("provider", text(Some(name.provider))),
            ("account", text(Some(name.account))),
            ("model", text(Some(name.model))),
            ("samples", whole(Some(entry.samples))),
            ("ttft_ms", thousandths(entry.ttft_micros.value())),
            ("latency_ms", thousandths(entry.latency_micros.value())),
            ("tokens_per_second", thousandths(entry.millitokens_per_second.value())),
            ("failure_ratio", thousandths(thousandths_of_failures)),
            ("peak_ttft_ms", whole(entry.ttft_peak.value(now_millis))),
            ("peak_latency_ms", whole(entry.latency_peak.value(now_millis))),
            ("in_flight", whole(Some(self.in_flight(name, now_millis).into()))),
            ("state", text(Some(state))),
            ("cooling_until", text(until.map(print_millis).as_deref())),
            ("last_failure", text(trouble.map(Trouble::text))),
        ];
        let mut target = Composed::new();
        for (name, value) in &members {
            target.json(name, value);
        }
        out.push_str(&target.end());
    }
}

fn text(text: Option<&str>) -> String {
    text.and_then(|text| serde_json::to_string(text).ok()).unwrap_or_else(null)
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
