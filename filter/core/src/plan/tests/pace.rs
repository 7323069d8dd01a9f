//! How long is waited, for how long there is a plan, and that Envoy is never led to one target while the plan asks another.

use alloc::format;

use proptest::{collection::vec, option, prelude::*, sample::subsequence};

use super::*;

/// With waits between these milliseconds, and so many more tries at each target.
fn plan_for(deadline: Duration, (base, max): (u64, u64), names: &[(&str, u64)], attempts: u32) -> Plan {
    let backoff = Backoff { base: Duration::from_millis(base), max: Duration::from_millis(max) };
    let course = Course { targets: patient_targets(names), ..Course::default() };
    plan_by(Policy::of(&Retry { attempts, backoff, deadline, ..Retry::default() }), course)
}

fn begin_at(plan: &Plan, millis: u64) -> Option<(String, Duration)> {
    let begun = plan.begin(START.saturating_add(Duration::from_millis(millis)));
    begun.map(|(target, wait)| (target.provider.name.clone(), wait))
}

#[test]
fn after_the_deadline_nobody_is_asked_any_more() {
    let plan = plan(&["a", "b"], 0);
    begin(&plan);
    plan.fail(stated(503, None), START);
    assert!(plan.begin(START + Duration::from_mins(1)).is_none());
    assert_eq!(plan.verdict().status, 503);
}

#[test]
fn a_try_that_has_had_all_the_time_there_is_was_late() {
    let deadline = Duration::from_secs(10);
    let plan = plan_within(deadline, Course { targets: targets(&["a", "b"]), ..Course::default() }, 0);
    begin(&plan);
    assert!(plan.begin(START + deadline).is_none());
    assert_eq!(plan.attempts(), "a/m=504");
}

#[test]
fn a_wait_that_leaves_a_try_no_time_is_not_waited() {
    let waiting = |targets: &[(&str, u64)], patient: u64| {
        let plan = plan_for(Duration::from_mins(5), (1, 90_000), targets, 1);
        begin(&plan);
        plan.fail(stated(429, Some(patient)), START);
        begin(&plan).unwrap()
    };
    let both = [("a", 10_000), ("b", 10_000)];
    assert_eq!(waiting(&both, 5), ("a".into(), Duration::from_secs(5)));
    // Envoy's time-out of ten seconds runs meanwhile.
    assert_eq!(waiting(&both, 6), ("b".into(), Duration::ZERO));
    // It is one for all tries: the longest.
    let uneven = [("a", 10_000), ("b", 60_000)];
    assert_eq!(waiting(&uneven, 30), ("a".into(), Duration::from_secs(30)));
    assert_eq!(waiting(&uneven, 31), ("b".into(), Duration::ZERO));
}

#[test]
fn a_time_out_that_rings_a_little_early_leaves_nobody_any_time() {
    let course = Course { targets: targets(&["a", "b"]), ..Course::default() };
    let plan = plan_within(Duration::from_secs(5), course, 0);
    begin(&plan);
    assert_eq!(plan.lost(504, "timeout", START + Duration::from_millis(4_990)), Next::Try);
    assert!(plan.begin(START + Duration::from_millis(4_990)).is_none());
    assert_eq!(plan.verdict().status, 504);
}

#[test]
fn behind_the_router_a_try_is_late_by_the_time_of_its_wait_too() {
    let plan = plan(&["a"], 1);
    begin(&plan);
    plan.fail(stated(429, Some(1)), START);
    begin(&plan);
    let next = plan.begin(START + Duration::from_secs(10));
    assert!(next.is_none());
    assert_eq!(plan.attempts(), "a/m=429,a/m=504");
}

#[test]
fn behind_the_router_a_try_that_breaks_soon_after_its_wait_is_not_late() {
    let plan = plan_for(Duration::from_mins(5), (1, 90_000), &[("a", 10_000), ("b", 60_000)], 1);
    begin(&plan);
    plan.fail(stated(429, Some(20)), START);
    assert_eq!(begin(&plan), Some(("a".into(), Duration::from_secs(20))));
    assert_eq!(begin_at(&plan, 20_100).unwrap().0, "b");
    assert_eq!(plan.attempts(), "a/m=429,a/m=503,b/m=0");
}

#[test]
fn who_is_asked_after_silence_is_decided_before_it() {
    // From one to two seconds of the two that Envoy gives a try.
    let long = plan_for(Duration::from_mins(1), (2_000, 2_000), &[("a", 2_000), ("b", 2_000)], 1);
    begin(&long);
    assert_eq!(long.signpost_after_silence(7).as_deref(), Some("dragoman_b#7#tries"));
    assert_eq!(begin(&long), Some(("b".into(), Duration::ZERO)));

    let short = plan_for(Duration::from_secs(3), (1_000, 1_000), &[("a", 2_000), ("b", 2_000)], 1);
    begin(&short);
    assert_eq!(short.signpost_after_silence(7).as_deref(), Some("dragoman_a#7#tries"));
    // Half a second is left, which is no time for the second that was to be waited.
    let (name, wait) = begin_at(&short, 2_450).unwrap();
    assert_eq!((name.as_str(), wait), ("a", Duration::from_millis(250)));
    assert_eq!(short.signpost_after_silence(7).as_deref(), Some("dragoman_b#7#tries"));
}

#[test]
fn who_asks_for_more_time_than_is_left_is_passed_over() {
    for mode in [Mode::Native, Mode::Dispatch] {
        let plan = plan_for(Duration::from_secs(3), (1, 1_500), &[("a", 10_000), ("b", 10_000)], 1);
        let plan = Plan { mode, ..plan };
        begin(&plan);
        let patient = Failure { retry_after: Some(Duration::from_millis(1_500)), ..stated(429, None) };
        assert_eq!(plan.fail(patient, START + Duration::from_millis(1_600)), Next::Try);
        assert_eq!(begin_at(&plan, 1_600), Some(("b".into(), Duration::ZERO)), "{mode:?}");
    }
}

#[test]
fn on_the_clients_own_stream_a_wait_takes_nothing_from_the_try() {
    let plan = plan_for(Duration::from_mins(1), (1, 9_000), &[("a", 10_000), ("b", 10_000)], 1);
    let plan = Plan { mode: Mode::Dispatch, ..plan };
    begin(&plan);
    plan.fail(stated(429, Some(9)), START);
    assert_eq!(begin(&plan), Some(("a".into(), Duration::from_secs(9))));
}

/// What becomes of a try.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// Nothing more is heard of it.
    Silence,
    /// It fails, and says for how long it wants to be left alone.
    Failure(Cause, Option<u64>),
    /// Its answer says that another target is to be asked.
    Detour(Reason),
    /// It is answered.
    Answer,
}

fn fate() -> impl Strategy<Value = Fate> {
    let cause = prop_oneof![Just(Cause::Stated), Just(Cause::Unusable), Just(Cause::Credential)];
    let reason = prop_oneof![Just(Reason::ContextLength), Just(Reason::ContentPolicy), Just(Reason::Quota)];
    prop_oneof![
        6 => Just(Fate::Silence),
        6 => (cause, option::of(0..3_000_u64)).prop_map(|(cause, wait)| Fate::Failure(cause, wait)),
        2 => reason.prop_map(Fate::Detour),
        1 => Just(Fate::Answer),
    ]
}

fn course() -> impl Strategy<Value = Course> {
    let all = || patient_targets(&[("a", 1_000), ("b", 2_000), ("c", 10_000), ("d", 60_000)]);
    (subsequence(all(), 1..=4).prop_shuffle(), subsequence(all(), 0..=2), subsequence(all(), 0..=2))
        .prop_map(|(targets, on_context, on_content)| Course { targets, on_context, on_content, ..Course::default() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn the_cluster_that_envoy_was_told_is_the_targets(
        course in course(),
        is_native in any::<bool>(),
        attempts in 0..4_u32,
        deadline in 500..20_000_u64,
        base in 1..3_000_u64,
        seed in any::<u16>(),
        fates in vec((fate(), 0..4_000_u64), 0..24),
    ) {
        let backoff = Backoff { base: Duration::from_millis(base), max: Duration::from_millis(base.max(2_000)) };
        let deadline = Duration::from_millis(deadline);
        let mut plan = plan_by(Policy::of(&Retry { attempts, backoff, deadline, ..Retry::default() }), course);
        plan.mode = if is_native { Mode::Native } else { Mode::Dispatch };
        plan.inquiry.exchange = format!("{seed}");
        let mut told = plan.signpost(1);
        let mut now = START;
        for (fate, millis) in fates {
            let Some((target, wait)) = plan.begin(now) else {
                let nobody = plan.signpost(1).is_none();
                prop_assert!(nobody || plan.is_settled() || plan.is_over(now), "somebody could be asked: {}", plan.attempts());
                break;
            };
            prop_assert_eq!(Plan::read_signpost(told.as_ref().unwrap().as_bytes()).unwrap().0, plan.cluster(&target));
            // Where nobody follows what was told before stays.
            told = plan.signpost_after_silence(1).or(told);
            now = now.saturating_add(wait).saturating_add(Duration::from_millis(millis));
            match fate {
                Fate::Silence if is_native => continue,
                Fate::Silence => {
                    plan.lost(503, "", now);
                }
                Fate::Failure(cause, wait) => {
                    let retry_after = wait.map(Duration::from_millis);
                    plan.fail(Failure { retry_after, cause, ..stated(503, None) }, now);
                }
                Fate::Detour(reason) => {
                    let _ = plan.detour(reason);
                    plan.fail(stated(400, None), now);
                }
                Fate::Answer => plan.settle(200, now),
            }
            told = plan.signpost(1).or(told);
        }
    }
}
