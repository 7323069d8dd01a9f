//! That what is kept is never more than there is memory for.

use alloc::collections::BTreeMap;
use std::{
    sync::{Mutex, MutexGuard},
    thread,
};

use super::*;
use crate::{
    host::{Conflict, Version},
    splitmix,
};

/// A store that weighs what it holds, as several threads see it, by the host's rules.
#[derive(Default)]
struct Scales(Mutex<Pans>);

#[derive(Default)]
struct Pans {
    values: BTreeMap<String, (Vec<u8>, u32)>,
    version: u32,
    bytes: u64,
    most: u64,
}

/// What a value takes, and what an allocator adds.
fn weight(value: &[u8]) -> u64 {
    let length = u64::try_from(value.len()).unwrap();
    length + length / 8
}

impl Scales {
    fn pans(&self) -> MutexGuard<'_, Pans> {
        self.0.lock().unwrap()
    }
}

impl Store for Scales {
    fn get(&self, key: &str) -> Option<(Vec<u8>, Version)> {
        let pans = self.pans();
        let (value, version) = pans.values.get(key)?;
        Some((value.clone(), Version((*version).try_into().unwrap())))
    }

    fn put(&self, key: &str, value: &[u8], version: Version) -> Result<(), Conflict> {
        let mut pans = self.pans();
        if pans.values.get(key).is_some_and(|(_, current)| *current != version.0.get()) {
            return Err(Conflict);
        }
        pans.version += 1;
        let kept = (value.to_vec(), pans.version);
        let gone = pans.values.insert(key.into(), kept).map_or(0, |(gone, _)| KEY_BYTES + weight(&gone));
        pans.bytes = pans.bytes + KEY_BYTES + weight(value) - gone;
        pans.most = pans.most.max(pans.bytes);
        Ok(())
    }
}

/// A text as long as answers are: most are short, and few very long.
fn text(number: u64) -> String {
    let (_, chance) = splitmix::next(number);
    let length = 20 << (chance % 9);
    "x".repeat(usize::try_from(length + chance / 11 % length).unwrap())
}

/// So many answers, each to another question.
fn keep(count: u64) {
    const BYTES: u64 = 64 << 10;
    let scales = Scales::default();
    let worker = Worker::new(&scales, BYTES, 1);
    let is_kept = |number: &u64| {
        let asked = (&question(*number), &worker.terms);
        worker.shelf.keep(&scales, asked, &entry(text(*number), NOW)).is_ok()
    };
    assert_eq!(u64::try_from((0..count).filter(is_kept).count()), Ok(count));
    let pans = scales.pans();
    assert!(pans.most <= BYTES, "{} of {BYTES}", pans.most);
}

#[test]
fn answers_without_end_are_never_more_than_there_is_memory_for() {
    keep(50_000);
}

#[test]
#[ignore = "a minute where nothing is optimized"]
fn a_million_answers_are_never_more_than_there_is_memory_for() {
    keep(1_000_000);
}

#[test]
fn it_is_used_well_at_any_size_and_never_more() {
    for shift in [10, 14, 16, 18, 20, 23, 25] {
        let bytes = 1_u64 << shift;
        let scales = Scales::default();
        let worker = Worker { shelf: Shelf::new(bytes, bytes.min(1 << 20)), ..Worker::new(&scales, bytes, 1) };
        let text = "x".repeat(9_000);
        for number in 0..bytes / 4_000 {
            worker.keep(number, &text, NOW);
        }
        let pans = scales.pans();
        assert!(pans.most <= bytes, "{} of {bytes}", pans.most);
        assert!(shift < 18 || pans.bytes > bytes / 10 * 7, "{} of {bytes}", pans.bytes);
    }
}

#[test]
fn an_answer_that_is_too_long_is_not_kept() {
    let scales = Scales::default();
    let (shelf, terms) = (Shelf::new(64 << 20, 1 << 20), terms(&[], 1));
    let keep = |length: usize| shelf.keep(&scales, (&question(1), &terms), &entry("x".repeat(length), NOW)).is_ok();
    assert!(keep(900_000) && !keep(1_050_000));
    assert!(!Shelf::new(1_000, 1_000).takes(100));
}

/// Workers keep, look and load other files, all at the same time.
#[test]
fn no_order_of_workers_makes_it_more() {
    const BYTES: u64 = 128 << 10;
    let scales = Scales::default();
    thread::scope(|scope| {
        for worker in 0..4_u64 {
            let scales = &scales;
            scope.spawn(move || {
                let workers = [Worker::new(scales, BYTES, 1), Worker::new(scales, BYTES / 2, 2)];
                let mut state = worker;
                for round in 0..4_000_u64 {
                    let (next, chance) = splitmix::next(state);
                    state = next;
                    // One file for most of the time.
                    let own = &workers[usize::from(round % 1_000 > 900)];
                    let number = chance % 60;
                    let wanted = format!("{number}:{}", text(number));
                    match own.look(number, NOW + round) {
                        Some(given) => assert_eq!(given, wanted),
                        None => {
                            own.keep(number, &wanted, NOW + round);
                        }
                    }
                }
            });
        }
    });
    let pans = scales.pans();
    assert!(pans.most <= BYTES, "{} of {BYTES}", pans.most);
}

#[test]
fn where_a_file_is_loaded_that_has_less_memory_the_rest_is_given_back() {
    let scales = Scales::default();
    let large = Worker::new(&scales, 64 << 20, 1);
    let large = Worker { shelf: Shelf::new(64 << 20, 1 << 20), ..large };
    for number in 0..4_000 {
        assert!(large.keep(number, &"x".repeat(5_000), NOW));
        let _ = large.look(number, NOW + 1_000_000);
    }
    assert!(scales.pans().bytes > 20_000_000);
    let small = Worker { shelf: Shelf::new(1 << 20, 1 << 20), ..Worker::new(&scales, 1 << 20, 1) };
    for number in 0..20 {
        assert_eq!(small.look(number, NOW), None);
        small.keep(number, "small", NOW);
    }
    let pans = scales.pans();
    let values: u64 = pans.values.values().map(|(value, _)| weight(value)).sum();
    assert!(values < 100_000, "{values}");
    drop(pans);
    assert_eq!(small.look(19, NOW).as_deref(), Some("small"));
}
