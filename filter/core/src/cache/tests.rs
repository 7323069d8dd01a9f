//! What is kept, for whom, for how long, and that it is never more than there is memory for.

extern crate std;

mod bounds;
mod canonical;
mod terms;

use alloc::{format, rc::Rc, string::String, vec::Vec};
use core::cell::Cell;

use super::{
    Entry, Found, Place, Rules, Terms, Visit,
    question::Question,
    shelf::{KEY_BYTES, Shelf},
};
use crate::{
    auth::{Caller, Key},
    config,
    headers::HeaderMap,
    host::{Entropy, Store},
    store::Memory,
};

const NOW: u64 = 1_700_000_000_000;

fn rules(directive: &str, buckets: u32) -> Rc<Rules> {
    let file = format!(
        r#"{{"providers":{{"p":{{"kind":"ollama","base_url":"http://127.0.0.1:1"}}}},
            "routers":{{"r":{{"cache":{{"directive":"{directive}","buckets":{buckets}}}}}}}}}"#
    );
    let config = config::parse(&file).unwrap();
    Rc::new(Rules::new(config.routers[0].cache.as_ref().unwrap(), config.cache))
}

fn head(headers: &[(&str, &str)]) -> HeaderMap {
    headers.iter().copied().collect()
}

/// What a caller asks on the router `r` with these headers and this body.
fn asked(caller: &Caller, headers: &[(&str, &str)], body: &str) -> Option<Question> {
    let place = Place { environment: None, router: "r", path: "chat/completions", query: "" };
    asked_at(caller, place, headers, body)
}

fn asked_at(caller: &Caller, place: Place<'_>, headers: &[(&str, &str)], body: &str) -> Option<Question> {
    let rules = rules("max-age=60", 1);
    let mut visit = Visit::begin(&rules, caller, place, head(headers).headers()).unwrap().unwrap();
    visit.see(body.as_bytes());
    visit.end().map(|wanted| wanted.question)
}

fn key(id: &str) -> Caller {
    let key = config::Key { id: id.into(), ..config::Key::default() };
    Caller::Known(Rc::new(Key::new(&key, None, Vec::new())))
}

fn terms(headers: &[(&str, &str)], buckets: u32) -> Terms {
    Terms::of(&rules("max-age=60, max-stale=30", buckets), head(headers).headers()).unwrap().unwrap()
}

fn question(number: u64) -> Question {
    use sha2::{Digest, Sha256};
    Question(Sha256::digest(number.to_le_bytes()).into())
}

fn entry(text: impl Into<Vec<u8>>, born_millis: u64) -> Entry {
    Entry { born_millis, provider: "p".into(), model: "m".into(), body: text.into(), ..Entry::default() }
}

/// One worker's view of a shelf.
struct Worker<'s> {
    shelf: Shelf,
    store: &'s dyn Store,
    terms: Terms,
    drawn: Cell<u64>,
}

impl Entropy for Worker<'_> {
    fn draw(&self) -> u64 {
        self.drawn.replace(self.drawn.get().wrapping_add(1))
    }
}

impl<'s> Worker<'s> {
    fn new(store: &'s dyn Store, max_bytes: u64, buckets: u32) -> Self {
        let shelf = Shelf::new(max_bytes, max_bytes);
        Self { shelf, store, terms: terms(&[], buckets), drawn: Cell::new(0) }
    }

    fn keep(&self, number: u64, text: &str, now: u64) -> bool {
        self.shelf.keep(self.store, (&question(number), &self.terms), &entry(text, now)).is_ok()
    }

    fn find(&self, number: u64, now: u64) -> Option<Found> {
        self.shelf.look(self.store, (&question(number), &self.terms), &|_| true, self, now)
    }

    fn look(&self, number: u64, now: u64) -> Option<String> {
        self.find(number, now).map(|found| String::from_utf8(found.entry.body).unwrap())
    }
}

#[test]
fn an_answer_is_given_again_as_long_as_it_is_fresh() {
    let store = Memory::default();
    let worker = Worker::new(&store, 1 << 20, 1);
    assert_eq!(worker.look(1, NOW), None);
    assert!(worker.keep(1, "one", NOW));
    assert_eq!(worker.look(2, NOW), None);
    let found = worker.find(1, NOW + 89_999).unwrap();
    assert_eq!((found.age_millis, found.bucket, &*found.entry.body), (89_999, 0, &b"one"[..]));
    assert_eq!(worker.look(1, NOW + 90_000), None);
    assert!(worker.keep(1, "two", NOW + 90_000));
    assert_eq!(worker.look(1, NOW + 90_000).as_deref(), Some("two"));
}

#[test]
fn an_answer_of_whom_nobody_wants_is_none() {
    let store = Memory::default();
    let worker = Worker::new(&store, 1 << 20, 1);
    assert!(worker.keep(1, "one", NOW));
    let asked = (&question(1), &worker.terms);
    assert!(worker.shelf.look(&store, asked, &|entry| entry.model != "m", &worker, NOW).is_none());
}

#[test]
fn several_answers_are_asked_for_before_any_is_given_and_then_all_are() {
    let store = Memory::default();
    let worker = Worker::new(&store, 1 << 20, 3);
    for (number, text) in ["a", "b", "c"].into_iter().enumerate() {
        assert_eq!(worker.look(1, NOW), None, "{number} are kept");
        assert!(worker.keep(1, text, NOW + u64::try_from(number).unwrap()));
    }
    let mut given: Vec<_> = (0..6).filter_map(|_| worker.look(1, NOW + 10)).collect();
    given.sort();
    assert_eq!(given, ["a", "a", "b", "b", "c", "c"]);
    // Nobody may be asked for another: what there is will do.
    let terms = terms(&[("cache-control", "only-if-cached")], 3);
    let few = Worker { terms, ..Worker::new(&store, 1 << 20, 3) };
    assert!(worker.keep(2, "d", NOW));
    assert_eq!((worker.look(2, NOW), few.look(2, NOW)), (None, Some("d".into())));
    // The oldest one goes for a fourth.
    assert!(worker.keep(1, "e", NOW + 20));
    let given: Vec<_> = (0..3).filter_map(|_| worker.look(1, NOW + 20)).collect();
    assert!(!given.contains(&"a".into()) && given.contains(&"e".into()), "{given:?}");
}

#[test]
fn what_is_used_stays_and_what_is_too_old_goes_first() {
    let store = Memory::default();
    let worker = Worker::new(&store, 64 << 10, 1);
    let mut next = 1_000;
    assert!(worker.keep(1, "often", NOW));
    for _ in 0..100 {
        next += 1;
        assert!(worker.keep(next, "once", NOW));
        assert_eq!(worker.look(1, NOW).as_deref(), Some("often"));
    }
    assert_eq!(worker.look(1_001, NOW), None);
    // Used last, and of no use any more.
    assert!(worker.keep(2, "old", NOW - 100_000));
    let kept: Vec<u64> = (1_001..=next).filter(|number| worker.look(*number, NOW).is_some()).collect();
    assert!(worker.keep(3, "new", NOW));
    assert!(kept.iter().all(|number| worker.look(*number, NOW).is_some()), "{kept:?}");
}

/// Another worker does something after this one has decided what to write, at each of its writes in turn.
#[test]
fn what_another_has_put_in_the_same_place_meanwhile_is_not_taken_for_this() {
    for write in 0..12 {
        let store = Rc::new(Memory::default());
        let worker = Worker::new(&*store, 64 << 10, 1);
        let (shelf, terms) = (worker.shelf, worker.terms);
        for number in 0..8 {
            assert!(worker.keep(number, "before", NOW));
        }
        let passed = Rc::new(Cell::new(0));
        interrupt(&store, write, &passed, shelf, terms);
        worker.keep(100, "hundred", NOW + 1);
        for number in [100, 200, 201, 202, 203, 204, 205, 206, 207] {
            let wanted = if number == 100 { "hundred" } else { "other" };
            assert!(worker.look(number, NOW + 2).is_none_or(|text| text == wanted), "{write}: {number}");
        }
        let kept = (0..300).filter(|number| worker.look(*number, NOW + 2).is_some()).count();
        assert!(kept > 0, "{write}");
    }
}

/// Before the write of this number, another worker keeps more than there is room for.
fn interrupt(store: &Rc<Memory>, write: u32, passed: &Rc<Cell<u32>>, shelf: Shelf, terms: Terms) {
    let (other, counted) = (Rc::clone(store), Rc::clone(passed));
    store.before_next_put(move || {
        if counted.replace(counted.get() + 1) < write {
            return interrupt(&other, write, &counted, shelf, terms);
        }
        for number in 200..208 {
            assert!(shelf.keep(&*other, (&question(number), &terms), &entry("other", NOW + 1)).is_ok());
        }
    });
}

#[test]
fn bytes_that_no_worker_has_written_are_no_answer() {
    let store = Memory::default();
    let worker = Worker::new(&store, 64 << 10, 1);
    assert!(worker.keep(1, "one", NOW));
    let bytes = entry("one", NOW).write(&question(1));
    assert_eq!(Entry::read(&bytes, &question(1)), Some(entry("one", NOW)));
    assert_eq!(Entry::read(&bytes, &question(2)), None);
    for cut in 0..bytes.len() - 3 {
        assert_eq!(Entry::read(&bytes[..cut], &question(1)), None, "{cut}");
    }
    for key in ["cache.1.0", "cache.1.0.0", "cache.1"] {
        let store = Memory::default();
        let worker = Worker::new(&store, 64 << 10, 1);
        assert!(worker.keep(1, "one", NOW));
        let version = store.get(key).map_or(crate::host::Version::ABSENT, |(_, version)| version);
        store.put(key, b"nonsense", version).unwrap();
        assert!(worker.look(1, NOW).is_none_or(|text| text == "one"));
        worker.keep(2, "two", NOW);
        assert!(worker.look(2, NOW).is_none_or(|text| text == "two"));
    }
}
