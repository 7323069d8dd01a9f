//! What a worker writes down, and what becomes of it.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    rc::Rc,
    string::String,
    vec,
    vec::Vec,
};
use core::{cell::RefCell, time::Duration};

use super::{
    archive,
    book::{MOST_LABEL, ROUND_MILLIS, label},
    turnover::By,
    *,
};
use crate::{health::NameRef, host::Meter, live::Roster, store::Memory, usage::Usage};

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

fn take(book: &Book, record: &Record<'_>, listed: &'static str) {
    book.take(record, record.line(), &Listed(listed), 10);
}

fn book() -> Book {
    Book::new(Rc::new(Memory::default()))
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

/// Of a request that has ended now.
pub(crate) fn record(tries: Vec<(Target, u16)>) -> Record<'static> {
    let status = tries.last().map_or(404, |(_, status)| *status);
    Record {
        id: "",
        method: "POST",
        path: "/v1/chat/completions",
        is_probe: false,
        key: None,
        is_admitted: true,
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
        cached: None,
        began: Duration::from_millis(NOW - 30),
        first_content: None,
        duration: Duration::from_millis(30),
    }
}

#[test]
fn a_second_s_requests_are_told_at_once_and_once() {
    let (book, told) = (book(), Told::default());
    let usage = Usage { input: 100, cached_input: 40, output: 7, ..Usage::default() };
    for first_content in [None, Some(Duration::from_millis(12))] {
        let spent = Some(Spent { usage, is_told: true });
        let record = Record { spent, nano_usd: Some(5), first_content, ..record(vec![(target("m"), 200)]) };
        take(&book, &record, "m");
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
    let (book, told) = (book(), Told::default());
    let spent = Some(Spent { usage: Usage::default(), is_told: true });
    take(&book, &Record { spent, ..record(vec![(target("m"), 200)]) }, "m");
    let refused = Record { limit: Some("a;b".into()), error: Some("rate_limit_exceeded".into()), ..record(vec![]) };
    take(&book, &refused, "m");
    take(&book, &Record { is_probe: true, ..record(vec![]) }, "m");
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
    let (book, told) = (book(), Told::default());
    let usage =
        Usage { input: 9, cached_input: 2, cache_write: 1, output: 8, reasoning: 3, images: 1, ..Usage::default() };
    let all = Record {
        spent: Some(Spent { usage, is_told: true }),
        nano_usd: Some(5),
        limit: Some("l".into()),
        cached: Some(Cached::Miss),
        error: Some("e".into()),
        first_content: Some(Duration::from_millis(1)),
        ..record(vec![(target("a"), 503), (target("b"), 200)])
    };
    take(&book, &all, "m");
    take(&book, &Record { nano_usd: None, ..all }, "m");
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
fn a_fallback_is_counted_where_it_ended_and_each_try_where_it_was() {
    let (book, told) = (book(), Told::default());
    let first = target("a");
    let last = target("b");
    take(&book, &record(vec![(first.clone(), 503), (first, 503), (last, 200)]), "a");
    book.tick(&told, NOW + ROUND_MILLIS);
    assert_eq!(told.of("llm_attempts_total;provider=p;model=a;status=503;"), [2]);
    assert_eq!(told.of("llm_fallbacks_total;provider=p;model=b;"), [1]);
    assert!(told.of("llm_requests_total;provider=p;model=a;status=503;").is_empty());
}

#[test]
fn whoever_invents_models_gets_no_more_metrics_than_there_are_places() {
    let (book, told) = (book(), Told::default());
    let invented = (0..3_000).map(|number| format!("invented-{number}"));
    for model in invented.chain(["m".into(), "x".repeat(MOST_LABEL + 1)]) {
        take(&book, &record(vec![(target(&model), 200)]), "m");
    }
    book.tick(&told, NOW + ROUND_MILLIS);
    let requests: Vec<_> =
        told.0.borrow().iter().filter(|(name, _)| name.starts_with("llm_requests")).map(|(_, n)| n[0]).collect();
    assert_eq!((requests.len(), requests.iter().sum::<u64>()), (MOST_UNLISTED + 2, 3_002));
    assert_eq!(told.of("llm_requests_total;provider=p;model=other;status=200;"), [3_002 - 257]);
    assert_eq!(told.of("llm_requests_total;provider=p;model=m;status=200;"), [1]);
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
fn each_token_of_one_holder_is_booked_on_what_it_says_and_once() {
    let (store, told) = (Rc::new(Memory::default()), Told::default());
    let book = Book::new(Rc::<Memory>::clone(&store));
    let key = |tags: &[&str]| {
        let mut key = Key::default();
        key.id = "holder".into();
        key.cost_tags = tags.iter().map(|tag| String::from(*tag)).collect();
        Rc::new(key)
    };
    for tags in [&["a", "a"][..], &["b"], &["a"], &["b"]] {
        let key = key(tags);
        take(&book, &Record { key: Some(&key), ..record(vec![(target("m"), 200)]) }, "m");
    }
    book.tell(&told, NOW);
    let table = archive::of_hour(&*store, archive::hour(NOW));
    let sum = |by, name: &str| table.rows().iter().find(|row| row.0 == (by, name.into())).map(|row| row.1.values()[0]);
    assert_eq!([By::CostTag, By::CostTag].map(|by| sum(by, "a")), [Some(2), Some(2)]);
    assert_eq!((sum(By::CostTag, "b"), sum(By::Key, "holder"), sum(By::All, "")), (Some(2), Some(4), Some(4)));
}

#[test]
fn what_a_client_writes_makes_no_record_long() {
    let long = "\u{1}é".repeat(100_000);
    let mut key = Key::default();
    key.id = long.clone();
    key.labels = (0..1_000).map(|number| (format!("{number}"), long.clone())).collect();
    key.cost_tags = vec![long.clone(); 1_000];
    let key = Rc::new(key);
    let record = Record {
        id: &long,
        path: &long,
        requested: Some(&long),
        attempts: long.clone(),
        key: Some(&key),
        ..record(vec![(target(&long), 200)])
    };
    let json = format!("{{\"request_id\":\"{}\"}}", record.line());
    assert!(json.len() < 512 * 1024, "{}", json.len());
    assert_eq!(json, format!("{{\"request_id\":\"{}\"}}", record.line()));
}
