//! What Envoy's reason for ending a request early tells of the provider that was answering.
//!
//! Once the head of an answer has passed the router, a connection that breaks is told to no filter: Envoy cuts what has begun, or
//! answers the client by itself where the head was held, and only its response code details remain. Without them a provider that
//! breaks off all its streams would look like one whose clients all leave.
//!
//! What is counted is what only the provider, or the way to it, can have done. Whatever else ends a request (the client, a drain,
//! a limit of Envoy's own) says nothing of it. One case cannot be told apart and counts: the silence that `stream_idle_timeout`
//! ends may be a client's that has stopped to read, but not before all buffers between the two are full.

use alloc::string::String;

use super::{Mode, Plan};
use crate::{
    health::{Symptom, Trouble},
    host::Clock,
};

/// How the details begin where the provider has ended it, and what that is.
const BY_PROVIDER: &[(&str, Trouble)] = &[
    ("upstream_reset_after_response_started", Trouble::Connection),
    ("upstream_per_try_idle_timeout", Trouble::Timeout),
    ("upstream_max_stream_duration_reached", Trouble::Timeout),
    ("upstream_response_timeout", Trouble::Timeout),
    ("response_timeout", Trouble::Timeout),
    ("stream_idle_timeout", Trouble::Timeout),
];

impl Plan {
    /// The request is over, whoever has ended it. Where it is not known yet how the last try went, Envoy's response code details
    /// tell.
    pub fn end(&self, details: impl FnOnce() -> String, clock: &dyn Clock) {
        let is_open = self.progress.borrow().is_open();
        // On the client's own stream they are about the first try, and those that follow are calls.
        let is_told = self.mode == Mode::Native || self.progress.borrow().tries() == 1;
        if is_open
            && is_told
            && let Some(trouble) = by_provider(&details())
        {
            let symptom = Symptom { trouble, retry_after: None };
            self.progress.borrow_mut().break_off(symptom, self.policy.cooldown, clock.now());
        }
    }
}

fn by_provider(details: &str) -> Option<Trouble> {
    BY_PROVIDER.iter().find(|(begin, _)| details.starts_with(begin)).map(|(_, trouble)| *trouble)
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

    #[test]
    fn an_answer_that_the_provider_broke_off_is_its_failure_and_one_that_another_ended_is_not() {
        for (details, is_failure) in [
            ("upstream_reset_after_response_started{connection_termination}", true),
            ("upstream_reset_after_response_started{remote_reset}", true),
            ("upstream_max_stream_duration_reached", true),
            ("stream_idle_timeout", true),
            ("downstream_remote_disconnect", false),
            ("http2.remote_reset", false),
            ("downstream_local_disconnect(reason)", false),
            ("response_payload_too_large", false),
            ("via_upstream", false),
            ("", false),
        ] {
            for is_settled in [false, true] {
                let (plan, targets) = plan(Mode::Native);
                begin(&plan);
                if is_settled {
                    plan.settle(200, START);
                }
                plan.end(|| details.to_owned(), &Late);
                assert_eq!(cools(&plan, &targets[0]), is_failure, "{details}");
                assert!(!cools(&plan, &targets[1]));
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
