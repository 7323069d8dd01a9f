//! Who is tried, how often, and what is told in the end.

use alloc::{string::ToString, vec};

use super::*;
use crate::{
    body::Kept,
    config::{Backoff, Retry},
    dialect::openai_chat::{OpenAiChat, SCHEME},
    error::Shape,
    store::Memory,
};

mod limits;
mod pace;

pub(super) const START: Duration = Duration::from_secs(1_000);

pub(super) fn targets(names: &[&str]) -> Vec<Target> {
    let patient: Vec<_> = names.iter().map(|name| (*name, 10_000)).collect();
    patient_targets(&patient)
}

/// Each with so many milliseconds to its first content.
fn patient_targets(names: &[(&str, u64)]) -> Vec<Target> {
    let provider = |(name, millis): &(&str, u64)| {
        alloc::format!(
            r#""{name}":{{"kind":"openai","base_url":"http://127.0.0.1:1","auth":"none","timeouts":{{"first_byte":"{millis}ms"}}}}"#
        )
    };
    let providers: Vec<_> = names.iter().map(provider).collect();
    let config = crate::config::parse(&alloc::format!(r#"{{"providers":{{{}}}}}"#, providers.join(","))).unwrap();
    let gateway = crate::gateway::Gateway::new(&config, |_| None);
    let target = |(name, _): &(&str, u64)| {
        let provider = Rc::clone(gateway.provider(name).unwrap());
        let account = Rc::clone(&provider.accounts[0]);
        Target { provider, account, model: "m".into(), max_output_tokens: None }
    };
    names.iter().map(target).collect()
}

pub(super) fn plan_of(course: Course, attempts: u32) -> Plan {
    plan_within(Duration::from_mins(1), course, attempts)
}

fn plan_within(deadline: Duration, course: Course, attempts: u32) -> Plan {
    let backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(2) };
    plan_by(Policy::of(&Retry { attempts, backoff, deadline, ..Retry::default() }), course)
}

fn plan_by(policy: Rc<Policy>, course: Course) -> Plan {
    let body = br#"{"stream":true}"#;
    let mut scan = SCHEME.scanner();
    scan.feed(body).unwrap();
    let request = SCHEME.read(scan.finish(), body.len()).unwrap();
    let mut kept = Kept::default();
    kept.push(body.to_vec());
    let inquiry = Inquiry {
        owner: None,
        request,
        body: RefCell::new(kept),
        asked: Asked::Chat { format: &OpenAiChat, headers: Vec::new() },
        exchange: "id".into(),
        shape: Shape::OpenAi,
        query: String::new(),
    };
    let observer = Observer::new(Rc::new(Memory::default()));
    Plan::new(inquiry, course, policy, &observer, START)
}

fn plan(names: &[&str], attempts: u32) -> Plan {
    plan_of(Course { targets: targets(names), ..Course::default() }, attempts)
}

fn stated(status: u16, retry_after: Option<u64>) -> Failure {
    let reply = Reply::json(status, status.to_string().into_bytes());
    Failure { status, reply, retry_after: retry_after.map(Duration::from_secs), cause: Cause::Stated }
}

pub(super) fn begin(plan: &Plan) -> Option<(String, Duration)> {
    plan.begin(START).map(|(target, wait)| (target.provider.name.clone(), wait))
}

#[test]
fn targets_are_tried_in_their_order_without_waiting() {
    let plan = plan(&["a", "b"], 0);
    assert_eq!(plan.signpost(7).as_deref(), Some("dragoman_a#7#tries"));
    assert_eq!(begin(&plan), Some(("a".into(), Duration::ZERO)));
    assert_eq!(plan.signpost_after_silence(7).as_deref(), Some("dragoman_b#7#tries"));
    assert_eq!(plan.fail(stated(503, None), START), Next::Try);
    assert_eq!(plan.signpost(7).as_deref(), Some("dragoman_b#7#tries"));
    assert_eq!(begin(&plan), Some(("b".into(), Duration::ZERO)));
    assert_eq!(plan.signpost_after_silence(7), None);
    plan.settle(200, START);
    assert_eq!(plan.attempts(), "a/m=503,b/m=200");
    assert_eq!(begin(&plan), None, "what is answered is not tried again");
}

#[test]
fn a_target_is_asked_again_after_a_while_before_the_next_one_is() {
    let plan = plan(&["a", "b"], 2);
    assert_eq!(plan.most_tries(), 6);
    begin(&plan);
    plan.fail(stated(503, None), START);
    let (name, wait) = begin(&plan).unwrap();
    assert_eq!(name, "a");
    assert!((50..=100).contains(&wait.as_millis()), "{wait:?}");
    plan.fail(stated(429, Some(1)), START);
    assert_eq!(begin(&plan), Some(("a".into(), Duration::from_secs(1))));
    plan.fail(stated(429, Some(1)), START);
    assert_eq!(begin(&plan), Some(("b".into(), Duration::ZERO)));
    assert_eq!(plan.most_tries(), 3);
}

#[test]
fn a_provider_that_wants_more_patience_than_there_is_is_left_alone() {
    let plan = plan(&["a", "b"], 2);
    begin(&plan);
    plan.fail(stated(429, Some(3)), START);
    assert_eq!(begin(&plan), Some(("b".into(), Duration::ZERO)));
    assert_eq!(plan.fail(stated(429, Some(3600)), START), Next::Nobody);
    assert_eq!(plan.verdict().status, 429);
}

#[test]
fn a_refused_credential_is_not_presented_again() {
    let plan = plan(&["a", "b"], 2);
    begin(&plan);
    plan.fail(Failure { cause: Cause::Credential, ..stated(401, None) }, START);
    assert_eq!(begin(&plan), Some(("b".into(), Duration::ZERO)));
}

#[test]
fn a_try_of_which_nothing_more_is_heard_is_closed_by_the_next_one() {
    let plan = plan(&["a", "b", "c"], 0);
    begin(&plan);
    assert_eq!(begin(&plan).unwrap().0, "b");
    let late = START + Duration::from_secs(31);
    assert_eq!(plan.begin(late).unwrap().0.provider.name, "c");
    plan.settle(200, START);
    assert_eq!(plan.attempts(), "a/m=503,b/m=504,c/m=200");
}

#[test]
fn of_several_failures_the_one_that_tells_most_is_told() {
    let unusable = |status| Failure { cause: Cause::Unusable, ..stated(status, None) };
    let refused = || Failure { cause: Cause::Credential, ..stated(502, None) };
    for (failures, told) in [
        (vec![stated(503, None), stated(429, Some(9)), unusable(504)], 429),
        (vec![unusable(502), stated(500, None), refused()], 500),
        (vec![stated(500, None), stated(503, None)], 500),
        (vec![refused(), unusable(503)], 503),
        (vec![unusable(502), unusable(504)], 504),
    ] {
        let plan = plan(&["a", "b", "c"], 0);
        for failure in failures {
            begin(&plan);
            plan.fail(failure, START);
        }
        let verdict = plan.verdict();
        assert_eq!((verdict.status, verdict.body), (told, told.to_string().into_bytes()));
    }
}

#[test]
fn larger_models_are_asked_where_the_conversation_is_too_long_and_only_once() {
    let mut all = targets(&["a", "b", "big"]);
    let on_context = vec![all.pop().unwrap()];
    let plan = plan_of(Course { targets: all, on_context, ..Course::default() }, 1);
    begin(&plan);
    assert!(!plan.detour(Reason::ContentPolicy));
    assert!(plan.detour(Reason::ContextLength));
    assert_eq!(plan.fail(stated(400, None), START), Next::Try);
    assert_eq!(begin(&plan), Some(("big".into(), Duration::ZERO)));
    assert!(!plan.detour(Reason::ContextLength));
    plan.settle(400, START);
    assert_eq!(plan.attempts(), "a/m=400,big/m=400");
}

#[test]
fn where_a_larger_model_is_too_small_as_well_the_next_larger_one_is_asked() {
    let mut all = targets(&["a", "b", "big", "bigger"]);
    let on_context = all.split_off(2);
    let plan = plan_of(Course { targets: all, on_context, ..Course::default() }, 1);
    assert_eq!(plan.most_tries(), 8);
    for name in ["a", "big"] {
        assert_eq!(begin(&plan).unwrap().0, name);
        assert!(plan.detour(Reason::ContextLength), "{name}");
        assert_eq!(plan.fail(stated(400, None), START), Next::Try);
    }
    assert_eq!(begin(&plan).unwrap().0, "bigger");
    assert!(!plan.detour(Reason::ContextLength));
}

#[test]
fn what_stands_in_for_itself_is_counted_once() {
    let all = targets(&["a", "b"]);
    let plan = plan_of(Course { on_context: all.clone(), targets: all, ..Course::default() }, 0);
    assert_eq!(plan.most_tries(), 2);
}

#[test]
fn a_failure_that_is_passed_on_settles_the_plan() {
    let plan = plan(&["a"], 0);
    begin(&plan);
    plan.settle_failed(stated(529, None), START);
    assert!(plan.is_settled());
    assert_eq!(plan.attempts(), "a/m=529");
}

#[test]
fn one_target_that_is_asked_once_is_asked_on_the_clients_own_stream() {
    assert_eq!(plan(&["a"], 0).mode, Mode::Dispatch);
    assert_eq!(plan(&["a"], 0).signpost(1).as_deref(), Some("dragoman_a.plain#1"));
    assert_eq!(plan(&["a"], 1).mode, Mode::Native);
    assert_eq!(plan(&["a", "b"], 0).mode, Mode::Native);
}

#[test]
fn a_signpost_is_read_back_whatever_marks_follow_it() {
    for marks in ["", "#tries", "#flex", "#tries#flex"] {
        assert_eq!(Plan::read_signpost(["a.b#42", marks].concat().as_bytes()), Some(("a.b", 42)), "{marks}");
    }
    assert_eq!(Plan::read_signpost(b"a.b"), None);
}

#[test]
fn a_larger_model_that_was_asked_already_is_not_asked_again() {
    let all = targets(&["a", "b"]);
    let on_context = vec![all[0].clone(), all[1].clone()];
    let plan = plan_of(Course { targets: all, on_context, ..Course::default() }, 0);
    begin(&plan);
    assert!(plan.detour(Reason::ContextLength));
    plan.fail(stated(400, None), START);
    assert_eq!(begin(&plan).unwrap().0, "b");
    assert_eq!(plan.fail(stated(400, None), START), Next::Nobody);
    assert_eq!(plan.attempts(), "a/m=400,b/m=400");
}

#[test]
fn what_envoy_does_between_two_tries_is_nobodys_failure() {
    let plan = plan(&["a", "b"], 0);
    begin(&plan);
    plan.fail(stated(503, None), START);
    assert_eq!(plan.lost(503, "overflow", START), Next::Try);
    assert_eq!(plan.late(START), Next::Try);
    assert_eq!((plan.attempts().as_str(), plan.verdict().status), ("a/m=503", 503));
}

#[test]
fn a_cluster_of_the_operators_that_carries_the_module_is_never_called_from_it() {
    let file = r#"{"providers": {"p": {"kind": "openai", "base_url": "http://127.0.0.1:1", "auth": "none", "cluster": "own",
        "upstream_filter": true}, "q": {"kind": "openai", "base_url": "http://127.0.0.1:1", "auth": "none", "cluster": "bare"}}}"#;
    let gateway = crate::gateway::Gateway::new(&crate::config::parse(file).unwrap(), |_| None);
    let target = |name: &str| {
        let provider = Rc::clone(gateway.provider(name).unwrap());
        let account = Rc::clone(&provider.accounts[0]);
        Target { provider, account, model: "m".into(), max_output_tokens: None }
    };
    let alone = plan_of(Course { targets: vec![target("p")], ..Course::default() }, 0);
    assert_eq!((alone.mode, alone.signpost(1).as_deref()), (Mode::Native, Some("own#1#tries")));
    let both = plan_of(Course { targets: vec![target("p"), target("q")], ..Course::default() }, 0);
    assert_eq!((both.mode, both.signpost(1).as_deref()), (Mode::Dispatch, Some("bare#1")));
}

#[test]
fn a_verdict_can_be_asked_for_whenever_and_as_often_as_one_likes() {
    let plan = plan(&["a"], 0);
    assert_eq!(plan.verdict().status, 503);
    assert_eq!(plan.verdict().status, 503);
    assert_eq!(begin(&plan), None);
}

#[test]
fn who_refuses_thoughts_is_asked_once_more_without_them_and_the_next_one_gets_them() {
    let mut plan = plan(&["a", "b"], 1);
    plan.progress = RefCell::new(Progress::new(Course { targets: targets(&["a", "b"]), ..Course::default() }, 1, true));
    assert_eq!(plan.most_tries(), 6);
    begin(&plan);
    let refused = || Failure { cause: Cause::Thought, ..stated(400, None) };
    assert!(!plan.forgets() && plan.may_forget());
    assert_eq!(plan.fail(refused(), START), Next::Try);
    assert!(plan.forgets() && !plan.may_forget());
    assert_eq!((begin(&plan), plan.most_tries()), (Some(("a".into(), Duration::ZERO)), 5));
    assert_eq!(plan.fail(refused(), START), Next::Try);
    assert_eq!((begin(&plan), plan.most_tries()), (Some(("b".into(), Duration::ZERO)), 3));
    assert!(!plan.forgets(), "they may be its own");
    assert_eq!(plan.fail(refused(), START), Next::Try);
    assert!(plan.forgets());
    for _ in 0..2 {
        begin(&plan);
        plan.fail(Failure { cause: Cause::Unusable, ..stated(503, None) }, START);
    }
    assert_eq!(plan.verdict().status, 503, "what the gateway has told a client is not its fault");
}
