//! For how long an answer is taken.

use alloc::vec;

use super::*;

const CACHE_CONTROL: &str = "cache-control";

/// The ages in seconds at which an answer is taken of these; nothing where nothing is kept.
fn taken(directive: &str, cache_control: &str) -> Option<Vec<u64>> {
    let lines = head(&[(CACHE_CONTROL, cache_control)]);
    let terms = Terms::of(&rules(directive, 1), lines.headers()).unwrap()?;
    let is_taken = |age: &u64| terms.takes && terms.accepts(age * 1_000);
    Some([0, 5, 30, 60, 90, 1_000].into_iter().filter(is_taken).collect())
}

#[test]
fn a_request_takes_answers_by_its_own_cache_control_or_its_routers() {
    let (short, long) = ("max-age=60", "max-age=60, max-stale=40");
    for (directive, cache_control, expected) in [
        (short, "", Some(vec![0, 5, 30])),
        (short, "private, community=\"UCI\"", Some(vec![0, 5, 30])),
        (long, "", Some(vec![0, 5, 30, 60, 90])),
        (short, "no-store", None),
        (short, "max-age=60, No-Store", None),
        (short, "no-cache", Some(vec![])),
        (short, "max-age=10", Some(vec![0, 5])),
        (short, "Max-Age=\"10\"", Some(vec![0, 5])),
        (short, "max-age=0", Some(vec![])),
        (short, "max-age=soon", Some(vec![])),
        (short, "max-age=100", Some(vec![0, 5, 30, 60, 90])),
        (short, "max-stale=40", Some(vec![0, 5, 30, 60, 90])),
        (short, "max-stale", Some(vec![0, 5, 30, 60, 90, 1_000])),
        (short, "max-stale=soon", Some(vec![0, 5, 30])),
        (short, "max-age=0, max-stale=10", Some(vec![0, 5])),
        (short, "min-fresh=40", Some(vec![0, 5])),
        (short, "min-fresh=never", Some(vec![])),
        (long, "max-age=10", Some(vec![0, 5])),
        (long, "min-fresh=20", Some(vec![0, 5, 30])),
        ("no-store", "", None),
        ("no-store", "max-age=10", Some(vec![0, 5])),
        ("no-store", "max-stale=10", None),
        ("no-store, max-age=5, max-stale=500", "max-age=10", Some(vec![0, 5])),
    ] {
        assert_eq!(taken(directive, cache_control), expected, "{directive}; {cache_control}");
    }
}

#[test]
fn several_lines_are_one() {
    let lines = head(&[(CACHE_CONTROL, "max-age=10"), (CACHE_CONTROL, "only-if-cached")]);
    let terms = Terms::of(&rules("max-age=60", 1), lines.headers()).unwrap().unwrap();
    assert!(!terms.asks && !terms.accepts(10_000) && terms.accepts(9_999));
}

#[test]
fn a_request_switches_it_off_and_says_how_many_answers_there_are() {
    let of = |name, value| Terms::of(&rules("max-age=60", 20), head(&[(name, value)]).headers());
    let (enabled, buckets) = ("x-dragoman-cache-enabled", "x-dragoman-cache-bucket-max-size");
    assert_eq!(of(enabled, "false"), Ok(None));
    assert_eq!(of(enabled, "true").unwrap().map(|terms| terms.buckets), Some(20));
    assert_eq!(of(buckets, "3").unwrap().map(|terms| terms.buckets), Some(3));
    for (name, value) in [(enabled, "yes"), (buckets, "0"), (buckets, "11"), (buckets, "many"), (buckets, "")] {
        let error = of(name, value).unwrap_err();
        assert!(error.kind.status() == 400 && error.message.contains(name), "{error:?}");
    }
}
