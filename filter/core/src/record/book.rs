//! What a worker has written down and not told yet, and what it tells Envoy's metrics of it.
//!
//! A request must not pay for its bookkeeping: it adds to sums in the worker's memory, and once a second those are told, each by one call
//! to the host however many requests it is of. What a worker has not told is lost with its VM: a second's requests.
//!
//! A metric's labels stand in its name, each between semicolons, because names of models have dots in them; Envoy is configured to take
//! them out (`stats_tags`). No metric ever goes away, so that their number is bounded: models that are listed have their own, of others
//! the first [`MOST_UNLISTED`]; the rest is `other`.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{cell::RefCell, iter, mem};

use super::{
    Record,
    metric::{ATTEMPTS, COST, DURATION, ERRORS, FALLBACKS, FIRST_CONTENT, IMAGES, LIMITS, REQUESTS, TOKENS, UNPRICED},
    millis,
};
use crate::{
    health::NameRef,
    host::Meter,
    live::Roster,
    plan::{Spent, Target},
    usage::Usage,
};

/// For how long sums are gathered.
const ROUND_MILLIS: u64 = 1_000;

/// With so many measurements that are not told a round ends early: the memory of a module never shrinks again.
const MOST_MEASURED: usize = 4_096;

/// How many models have metrics of their own that nobody lists.
pub const MOST_UNLISTED: usize = 256;

/// Longest label. A client's body may be the name of a model.
const MOST_LABEL: usize = 128;

/// What stands for a model or provider that has no label of its own, and what for none.
const OTHER: &str = "other";
const NONE: &str = "none";

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Book(RefCell<Pages>);

#[derive(Debug, Default)]
struct Pages {
    /// By provider and model, in order.
    tallies: Vec<Tally>,
    /// Errors by their name.
    errors: Counts<String>,
    /// Refusals by the limit that had no room.
    limits: Counts<String>,
    /// How many durations are not told.
    measured: usize,
    is_open: bool,
    opened_at_millis: u64,
}

/// What requests to one model came to.
#[derive(Debug)]
struct Tally {
    provider: String,
    model: String,
    is_listed: bool,
    sums: Sums,
}

#[derive(Debug, Default)]
struct Sums {
    /// Requests by their status.
    requests: Counts<u16>,
    /// Tries by theirs.
    attempts: Counts<u16>,
    fallbacks: u64,
    usage: Usage,
    nano_usd: u64,
    unpriced: u64,
    durations_millis: Vec<u64>,
    first_contents_millis: Vec<u64>,
}

/// How often each was seen. There are few.
#[derive(Debug)]
struct Counts<T>(Vec<(T, u64)>);

impl<T> Default for Counts<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> Counts<T> {
    fn add<Q: ?Sized + PartialEq<T>>(&mut self, seen: &Q, own: impl FnOnce() -> T) {
        match self.0.iter_mut().find(|(other, _)| seen == other) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.0.push((own(), 1)),
        }
    }
}

impl Book {
    /// A request is over.
    pub fn take(&self, record: &Record<'_>, roster: &dyn Roster) {
        if record.is_probe {
            return;
        }
        let mut pages = self.0.borrow_mut();
        if !mem::replace(&mut pages.is_open, true) {
            pages.opened_at_millis = record.ended_millis();
        }
        if let Some(error) = &record.error {
            pages.errors.add(error.as_str(), || error.clone());
        }
        if let Some(limit) = &record.limit {
            pages.limits.add(limit.as_str(), || limit.clone());
        }
        for (target, status) in &record.tries {
            if let Some(sums) = pages.sums(Some(target), roster) {
                sums.attempts.add(status, || *status);
            }
        }
        if let Some(sums) = pages.sums(record.target(), roster) {
            sums.add(record);
            pages.measured = pages.measured.saturating_add(1);
        }
    }

    /// Whether something is to be told.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.0.borrow().is_open
    }

    /// Time has passed: what was gathered for long enough is told.
    pub fn tick(&self, meter: &dyn Meter, now_millis: u64) {
        let mut pages = self.0.borrow_mut();
        let is_over = now_millis.abs_diff(pages.opened_at_millis) >= ROUND_MILLIS || pages.measured >= MOST_MEASURED;
        if pages.is_open && is_over {
            pages.tell(meter);
        }
    }
}

impl Pages {
    /// The sums of a target's model, or of requests without a target.
    fn sums(&mut self, target: Option<&Target>, roster: &dyn Roster) -> Option<&mut Sums> {
        let (provider, model) = target.map_or((NONE, NONE), |target| (&target.provider.name, &target.model));
        let place = match self.place(provider, model) {
            Ok(found) => found,
            Err(free) => {
                let is_listed = target.is_none_or(|target| roster.lists(NameRef::of(target)));
                let unlisted = self.tallies.iter().filter(|tally| !tally.is_listed).count();
                if model.len() <= MOST_LABEL && (is_listed || unlisted < MOST_UNLISTED) {
                    self.tallies.insert(free, Tally::new(provider, model, is_listed));
                    free
                } else {
                    self.place(provider, OTHER).unwrap_or_else(|free| {
                        self.tallies.insert(free, Tally::new(provider, OTHER, true));
                        free
                    })
                }
            }
        };
        self.tallies.get_mut(place).map(|tally| &mut tally.sums)
    }

    fn place(&self, provider: &str, model: &str) -> Result<usize, usize> {
        self.tallies.binary_search_by(|tally| (&*tally.provider, &*tally.model).cmp(&(provider, model)))
    }

    fn tell(&mut self, meter: &dyn Meter) {
        self.is_open = false;
        self.measured = 0;
        for Tally { provider, model, sums, .. } in &mut self.tallies {
            sums.tell(meter, &format!("provider={};model={};", label(provider), label(model)));
        }
        self.errors.tell(meter, &format!("{};type=", ERRORS.name), |error| label(error));
        self.limits.tell(meter, &format!("{};limit=", LIMITS.name), |limit| label(limit));
    }
}

impl Tally {
    fn new(provider: &str, model: &str, is_listed: bool) -> Self {
        Self { provider: provider.into(), model: model.into(), is_listed, sums: Sums::default() }
    }
}

impl Sums {
    fn add(&mut self, record: &Record<'_>) {
        self.requests.add(&record.status, || record.status);
        let is_fallback = record.tries.iter().any(|(target, _)| record.target().is_some_and(|last| !last.is(target)));
        self.fallbacks = self.fallbacks.saturating_add(is_fallback.into());
        if let Some(Spent { usage, .. }) = record.spent {
            self.usage.add(usage);
            match record.nano_usd {
                Some(cost) => self.nano_usd = self.nano_usd.saturating_add(cost),
                None => self.unpriced = self.unpriced.saturating_add(1),
            }
        }
        // How long the gateway takes to refuse what it refuses is no news.
        self.durations_millis.extend(record.target().map(|_| millis(record.duration)));
        self.first_contents_millis.extend(record.first_content.map(millis));
    }

    /// Tells all of it, under metrics with these labels.
    fn tell(&mut self, meter: &dyn Meter, labels: &str) {
        for (metric, counts) in [(REQUESTS, &mut self.requests), (ATTEMPTS, &mut self.attempts)] {
            counts.tell(meter, &format!("{};{labels}status=", metric.name), ToString::to_string);
        }
        let Usage { input, cached_input, cache_write, output, reasoning, images, .. } = mem::take(&mut self.usage);
        let counts = [
            (TOKENS, "type=input;", input),
            (TOKENS, "type=cached_input;", cached_input),
            (TOKENS, "type=cache_write;", cache_write),
            (TOKENS, "type=output;", output),
            (TOKENS, "type=reasoning;", reasoning),
            (IMAGES, "", images),
            (COST, "", mem::take(&mut self.nano_usd)),
            (UNPRICED, "", mem::take(&mut self.unpriced)),
            (FALLBACKS, "", mem::take(&mut self.fallbacks)),
        ];
        for (metric, kind, count) in counts.into_iter().filter(|(.., count)| *count > 0) {
            meter.add(&format!("{};{labels}{kind}", metric.name), count);
        }
        let measured = [(DURATION, &mut self.durations_millis), (FIRST_CONTENT, &mut self.first_contents_millis)];
        for (metric, values) in measured.into_iter().filter(|(_, values)| !values.is_empty()) {
            meter.observe(&format!("{};{labels}", metric.name), values);
            values.clear();
        }
    }
}

impl<T> Counts<T> {
    fn tell(&mut self, meter: &dyn Meter, name: &str, label: impl Fn(&T) -> String) {
        for (seen, count) in self.0.drain(..) {
            meter.add(&format!("{name}{};", label(&seen)), count);
        }
    }
}

/// A label's value, without what ends it. Envoy takes dots off its end, where it would then be that of another series.
fn label(text: &str) -> String {
    let kept = text.trim_end_matches('.');
    let dots = iter::repeat_n('_', text.len().saturating_sub(kept.len()));
    let safe = |character: char| if character == ';' || character.is_control() { '_' } else { character };
    kept.chars().map(safe).chain(dots).collect()
}

#[cfg(test)]
mod tests {
    use alloc::{
        collections::{BTreeMap, BTreeSet},
        vec,
    };
    use core::time::Duration;

    use super::*;
    use crate::record::{Outcome, metric};

    const NOW: u64 = 1_767_225_600_000;

    /// What was told, by name.
    #[derive(Default)]
    struct Told(RefCell<BTreeMap<String, Vec<u64>>>);

    impl Meter for Told {
        fn add(&self, name: &str, more: u64) {
            self.observe(name, &[more]);
        }

        fn observe(&self, name: &str, values: &[u64]) {
            self.0.borrow_mut().entry(name.into()).or_default().extend(values);
        }
    }

    impl Told {
        fn of(&self, name: &str) -> Vec<u64> {
            self.0.borrow().get(name).cloned().unwrap_or_default()
        }
    }

    struct Listed(&'static str);

    impl Roster for Listed {
        fn lists(&self, name: NameRef<'_>) -> bool {
            name.model == self.0
        }
    }

    fn target(model: &str) -> Target {
        Target { model: model.into(), ..Target::any() }
    }

    fn record(tries: Vec<(Target, u16)>) -> Record<'static> {
        let status = tries.last().map_or(404, |(_, status)| *status);
        Record {
            id: "",
            method: "POST",
            path: "/v1/chat/completions",
            is_probe: false,
            key: None,
            environment: None,
            router: None,
            requested: None,
            is_stream: false,
            tries,
            attempts: String::new(),
            passed_over: String::new(),
            status,
            outcome: Outcome::Answered,
            limit: None,
            error: None,
            details: String::new(),
            spent: None,
            nano_usd: None,
            began: Duration::from_millis(NOW - 30),
            first_content: None,
            duration: Duration::from_millis(30),
        }
    }

    #[test]
    fn a_second_s_requests_are_told_at_once_and_once() {
        let (book, told) = (Book::default(), Told::default());
        let usage = Usage { input: 100, cached_input: 40, output: 7, ..Usage::default() };
        for first_content in [None, Some(Duration::from_millis(12))] {
            let spent = Some(Spent { usage, is_told: true });
            let record = Record { spent, nano_usd: Some(5), first_content, ..record(vec![(target("m"), 200)]) };
            book.take(&record, &Listed("m"));
        }
        book.tick(&told, NOW + ROUND_MILLIS - 1);
        assert!(told.0.borrow().is_empty() && book.is_waiting());
        book.tick(&told, NOW + ROUND_MILLIS);
        assert!(!book.is_waiting());
        for (name, values) in [
            ("llm_requests_total;provider=p;model=m;status=200;", vec![2]),
            ("llm_attempts_total;provider=p;model=m;status=200;", vec![2]),
            ("llm_tokens_total;provider=p;model=m;type=input;", vec![200]),
            ("llm_tokens_total;provider=p;model=m;type=cached_input;", vec![80]),
            ("llm_tokens_total;provider=p;model=m;type=output;", vec![14]),
            ("llm_tokens_total;provider=p;model=m;type=reasoning;", vec![]),
            ("llm_cost_nano_usd_total;provider=p;model=m;", vec![10]),
            ("llm_request_duration_ms;provider=p;model=m;", vec![30, 30]),
            ("llm_time_to_first_token_ms;provider=p;model=m;", vec![12]),
        ] {
            assert_eq!(told.of(name), values, "{name}");
        }
        let before = told.0.borrow().clone();
        book.tick(&told, NOW + 10 * ROUND_MILLIS);
        assert_eq!(*told.0.borrow(), before);
    }

    #[test]
    fn what_has_no_price_is_counted_as_such_and_a_refusal_by_its_limit() {
        let (book, told) = (Book::default(), Told::default());
        let spent = Some(Spent { usage: Usage::default(), is_told: true });
        book.take(&Record { spent, ..record(vec![(target("m"), 200)]) }, &Listed("m"));
        let refused = Record { limit: Some("a;b".into()), error: Some("rate_limit_exceeded".into()), ..record(vec![]) };
        book.take(&refused, &Listed("m"));
        book.take(&Record { is_probe: true, ..record(vec![]) }, &Listed("m"));
        book.tick(&told, NOW + ROUND_MILLIS);
        for name in [
            "llm_unpriced_requests_total;provider=p;model=m;",
            "llm_requests_total;provider=none;model=none;status=404;",
            "llm_limits_hit_total;limit=a_b;",
            "llm_errors_total;type=rate_limit_exceeded;",
        ] {
            assert_eq!(told.of(name), [1], "{name}");
        }
        assert!(told.of("llm_request_duration_ms;provider=none;model=none;").is_empty());
    }

    #[test]
    fn every_metric_of_the_table_is_told_with_its_labels_and_no_other() {
        let (book, told) = (Book::default(), Told::default());
        let usage =
            Usage { input: 9, cached_input: 2, cache_write: 1, output: 8, reasoning: 3, images: 1, ..Usage::default() };
        let all = Record {
            spent: Some(Spent { usage, is_told: true }),
            nano_usd: Some(5),
            limit: Some("l".into()),
            error: Some("e".into()),
            first_content: Some(Duration::from_millis(1)),
            ..record(vec![(target("a"), 503), (target("b"), 200)])
        };
        book.take(&all, &Listed("m"));
        book.take(&Record { nano_usd: None, ..all }, &Listed("m"));
        book.tick(&told, NOW + ROUND_MILLIS);
        let mut seen = BTreeSet::new();
        for name in told.0.borrow().keys() {
            let (name, labels) = name.strip_suffix(';').and_then(|name| name.split_once(';')).unwrap();
            let metric = metric::ALL.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}"));
            let labels: Vec<_> = labels.split(';').map(|label| label.split_once('=').unwrap().0).collect();
            assert_eq!(labels, metric.labels, "{name}");
            assert!(name.starts_with(metric::METRICS) && labels.iter().all(|label| metric::LABELS.contains(label)));
            seen.insert(metric.name);
        }
        assert_eq!(seen.len(), metric::ALL.len(), "{seen:?}");
    }

    #[test]
    fn no_name_of_a_model_is_that_of_another_series() {
        for (name, expected) in
            [("gpt-4.5", "gpt-4.5"), ("gpt-4.", "gpt-4_"), ("..", "__"), ("", ""), ("a;b=c\n;.", "a_b=c___")]
        {
            assert_eq!(label(name), expected);
        }
    }

    #[test]
    fn a_fallback_is_counted_where_it_ended_and_each_try_where_it_was() {
        let (book, told) = (Book::default(), Told::default());
        let first = target("a");
        let last = target("b");
        book.take(&record(vec![(first.clone(), 503), (first, 503), (last, 200)]), &Listed("a"));
        book.tick(&told, NOW + ROUND_MILLIS);
        assert_eq!(told.of("llm_attempts_total;provider=p;model=a;status=503;"), [2]);
        assert_eq!(told.of("llm_fallbacks_total;provider=p;model=b;"), [1]);
        assert!(told.of("llm_requests_total;provider=p;model=a;status=503;").is_empty());
    }

    #[test]
    fn whoever_invents_models_gets_no_more_metrics_than_there_are_places() {
        let (book, told) = (Book::default(), Told::default());
        let invented = (0..3_000).map(|number| format!("invented-{number}"));
        for model in invented.chain(["m".into(), "x".repeat(MOST_LABEL + 1)]) {
            book.take(&record(vec![(target(&model), 200)]), &Listed("m"));
        }
        book.tick(&told, NOW + ROUND_MILLIS);
        let requests: Vec<_> =
            told.0.borrow().iter().filter(|(name, _)| name.starts_with("llm_requests")).map(|(_, n)| n[0]).collect();
        assert_eq!((requests.len(), requests.iter().sum::<u64>()), (MOST_UNLISTED + 2, 3_002));
        assert_eq!(told.of("llm_requests_total;provider=p;model=other;status=200;"), [3_002 - 257]);
        assert_eq!(told.of("llm_requests_total;provider=p;model=m;status=200;"), [1]);
    }
}
