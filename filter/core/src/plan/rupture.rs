//! What Envoy's reason for ending a request early tells of the provider that was answering.
//!
//! Once the head of an answer has passed the router, a connection that breaks is told to no filter: Envoy cuts what has begun, or
//! answers the client by itself where the head was held, and only its response code details remain. Without them a provider that
//! breaks off all its streams would look like one whose clients all leave.
//!
//! What is counted is what the provider, or the way to it, can have done. Whatever else ends a request (the client, a drain, a
//! limit of Envoy's own) says nothing of it. A time-out after content has begun to flow cannot be told apart: the provider is
//! slow or silent, or the client does not read, and Envoy has stopped reading for its sake. So live metrics have it, and nobody is
//! passed over for it: whoever holds a key could otherwise move the traffic of all others, by a few streams that he does not read.

use alloc::string::String;

use super::{Mode, Plan};
use crate::{health::Trouble, host::Clock};

/// How the details begin where the stream to the provider was reset; in braces follows why, perhaps with the transport's words.
const RESET: &str = "upstream_reset_after_response_started{";

/// The reasons that are not Envoy's own, as `local_reset`, `overflow` and `overload_manager_reset` are.
const BREAKS: [&str; 5] = [
    "connection_termination",
    "protocol_error",
    "remote_connection_failure",
    "remote_refused_stream_reset",
    "remote_reset",
];

/// The details where Envoy waits no longer.
const TIMEOUTS: [&str; 4] = [
    "response_timeout",
    "stream_idle_timeout",
    "upstream_max_stream_duration_reached",
    "upstream_per_try_idle_timeout",
];

impl Plan {
    /// The request is over, whoever has ended it. Where it is not known yet how the last try went, Envoy's response code details
    /// tell.
    pub fn end(&self, details: impl FnOnce() -> String, clock: &dyn Clock) {
        let is_open = self.progress.borrow().is_open();
        // On the client's own stream they are about the first try, and those that follow are calls.
        let is_told = self.mode == Mode::Native || self.progress.borrow().tries().len() == 1;
        if is_open
            && is_told
            && let Some(trouble) = by_provider(&details())
        {
            self.progress.borrow_mut().break_off(trouble, self.policy.cooldown, clock.now());
        }
        self.spend(None, || clock.now());
    }
}

/// Whether an answer that had begun was broken off by these details' reason, and not because its client has left.
pub(crate) fn breaks_off(details: &str) -> bool {
    details.starts_with(RESET) || TIMEOUTS.contains(&details)
}

fn by_provider(details: &str) -> Option<Trouble> {
    match details.strip_prefix(RESET) {
        Some(why) => why.split(['|', '}']).next().filter(|why| BREAKS.contains(why)).map(|_| Trouble::Connection),
        None => TIMEOUTS.contains(&details).then_some(Trouble::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use alloc::{borrow::ToOwned, vec::Vec};
    use core::time::Duration;

    use super::*;
    use crate::{
        host::Observed,
        plan::{
            Course, End, Target,
            tests::{START, begin, plan_of, targets},
        },
    };

    struct Late;

    impl Clock for Late {
        fn now(&self) -> Duration {
            START.saturating_add(Duration::from_secs(1))
        }
    }

    fn plan(mode: Mode) -> (Plan, Vec<Target>) {
        let targets = targets(&["a", "b"]);
        let plan = plan_of(Course { targets: targets.clone(), ..Course::default() }, 0);
        (Plan { mode, ..plan }, targets)
    }

    fn cools(plan: &Plan, target: &Target) -> bool {
        plan.observer.view(&Late).cooling_until(target).is_some()
    }

    /// A plan whose first try Envoy has ended with these details, before or after content has begun to flow.
    fn ended(details: &str, is_settled: bool) -> (Plan, Vec<Target>) {
        let (plan, targets) = plan(Mode::Native);
        begin(&plan);
        if is_settled {
            plan.settle(200, START);
        }
        plan.end(|| details.to_owned(), &Late);
        (plan, targets)
    }

    #[test]
    fn an_answer_that_the_provider_broke_off_is_its_failure_and_one_that_another_ended_is_not() {
        for (details, is_failure) in [
            ("upstream_reset_after_response_started{connection_termination}", true),
            ("upstream_reset_after_response_started{connection_termination|tls:_closed}", true),
            ("upstream_reset_after_response_started{remote_reset}", true),
            ("upstream_reset_after_response_started{local_reset}", false),
            ("upstream_reset_after_response_started{local_refused_stream_reset}", false),
            ("upstream_reset_after_response_started{overflow}", false),
            ("upstream_reset_after_response_started{overload_manager_reset}", false),
            ("downstream_remote_disconnect", false),
            ("http2.remote_reset", false),
            ("downstream_local_disconnect(reason)", false),
            ("response_payload_too_large", false),
            ("via_upstream", false),
            ("", false),
        ] {
            for is_settled in [false, true] {
                let (plan, targets) = ended(details, is_settled);
                assert_eq!(cools(&plan, &targets[0]), is_failure, "{details}");
                assert!(!cools(&plan, &targets[1]));
            }
        }
    }

    #[test]
    fn a_time_out_makes_its_target_cool_only_before_content_has_begun_to_flow() {
        for details in TIMEOUTS {
            for is_settled in [false, true] {
                let (plan, targets) = ended(details, is_settled);
                assert_eq!(cools(&plan, &targets[0]), !is_settled, "{details}");
                let report = plan.observer.report(u64::try_from(Late.now().as_millis()).unwrap(), |_| true);
                let report = String::from_utf8(report).unwrap();
                for member in [r#""samples":1,"#, r#""failure_ratio":1"#] {
                    assert!(report.contains(member), "{details}: {report}");
                }
                assert_eq!(report.contains(r#""last_failure":"timed_out""#), !is_settled, "{details}: {report}");
            }
        }
    }

    #[test]
    fn who_is_asked_by_a_call_has_not_broken_the_clients_own_stream() {
        for mode in [Mode::Native, Mode::Dispatch] {
            let (plan, targets) = plan(mode);
            begin(&plan);
            plan.late(START);
            begin(&plan);
            plan.end(|| "upstream_reset_after_response_started{protocol_error}".to_owned(), &Late);
            assert_eq!(cools(&plan, &targets[1]), mode == Mode::Native);
        }
    }

    #[test]
    fn of_an_answer_that_is_complete_nothing_is_asked() {
        let (plan, targets) = plan(Mode::Native);
        begin(&plan);
        plan.settle(200, START);
        plan.finish(End::Whole, START);
        plan.end(|| panic!("nothing is open"), &Late);
        assert!(!cools(&plan, &targets[0]));
    }
}
