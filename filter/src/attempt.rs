//! The attempt role: one try at one provider, on a stream of its own behind Envoy's router.
//!
//! Where the try fails, Envoy is asked for the next one, by a header of the answer; the property then says whose turn it is. A
//! try of which nothing more is heard Envoy repeats by itself, so what it is to do then is said beforehand.
//!
//! The request carries the target's credential, so nothing of it is written before it is seen that Envoy has chosen the target's
//! cluster. The plan keeps the two together by itself; a route that somebody else wrote may not.

use std::rc::Rc;

use dragoman_core::{
    attempt::Attempt,
    error::{Error, Kind, Shape},
    plan::{NEXT_PROPERTY, Next, Plan, RETRY_HEADER},
    step::HeaderEdits,
};
use proxy_wasm::{
    traits::{Context, HttpContext},
    types::Action,
};

use crate::{
    alarm::{Alarm, Task},
    courier::{Courier, Turn},
    host::{self, Stream},
    plans,
    root::Ticking,
};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct AttemptStream {
    stream: Rc<Stream>,
    ticking: Rc<Ticking>,
    state: State,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is not moved, and each stream is a box of its own")]
enum State {
    /// The request has not come whole.
    Preparing,
    /// It is on its way, or will be when the alarm rings.
    Sent { courier: Courier, plan: Rc<Plan>, token: u32, _alarm: Option<Rc<Alarm>> },
    /// It was not sent.
    Settled,
}

impl AttemptStream {
    pub(crate) fn new(id: u32, ticking: Rc<Ticking>) -> Self {
        Self { stream: Rc::new(Stream::new(id)), ticking, state: State::Preparing }
    }

    /// The request is whole.
    fn send(&mut self) -> Action {
        self.state = State::Settled;
        let next = host::property(&[NEXT_PROPERTY]).unwrap_or_default();
        let known = Plan::read_signpost(&next).and_then(|(told, token)| Some((plans::find(token)?, told, token)));
        let Some((plan, told, token)) = known else {
            let error = Error::new(
                Kind::UpstreamUnavailable,
                "The gateway was reloaded while it routed this request; try again.",
            );
            return self.stream.reply(&error.reply(Shape::OpenAi));
        };
        let is_first = !plan.has_begun();
        // Envoy's router asks at once: the first try begins when its plan is made.
        let now = if is_first { plan.made_at() } else { host::now() };
        let Some((attempt, wait)) = Attempt::next(&plan, now) else {
            return self.stream.reply(&plan.verdict());
        };
        let cluster = plan.cluster(attempt.target());
        if told != cluster || !(is_first || may_be_at(cluster)) {
            host::count(plans::ABANDONED);
            return self.stream.reply(&plan.strand());
        }
        // Behind the router no other target can be asked from here but by an answer, and there is none.
        let courier = match Courier::prepare(&self.stream, attempt, HeaderEdits::default()) {
            Ok(courier) => courier,
            Err(next) => {
                if next == Next::Try {
                    host::count(plans::ABANDONED);
                }
                return self.stream.reply(&plan.verdict());
            }
        };
        if plan.turns_after_silence()
            && let Some(after) = plan.signpost_after_silence(token)
        {
            host::set_property(NEXT_PROPERTY, &after);
        }
        let alarm =
            (!wait.is_zero()).then(|| self.ticking.alarms.set(&self.stream, now.saturating_add(wait), Task::Resume));
        let action = if alarm.is_some() { Action::Pause } else { self.stream.forward() };
        self.ticking.tail.watch(&self.stream);
        self.state = State::Sent { courier, plan, token, _alarm: alarm };
        action
    }

    fn turn(&mut self, with: impl FnOnce(&mut Courier, &Stream) -> Turn) -> Action {
        let State::Sent { courier, plan, token, .. } = &mut self.state else { return self.stream.release() };
        match with(courier, &self.stream) {
            Turn::Held => Action::Pause,
            Turn::Going => self.stream.release(),
            Turn::Again => {
                if let Some(next) = plan.signpost(*token) {
                    host::set_property(NEXT_PROPERTY, &next);
                }
                self.stream.set_status(Kind::UpstreamUnavailable.status());
                self.stream.set_response_header(RETRY_HEADER, "1");
                self.stream.release()
            }
            // Only the ingress can answer at this point; it sees the head of this answer next.
            Turn::Instead(reply) => {
                self.stream.set_status(reply.status);
                self.stream.remove_response_header(RETRY_HEADER);
                plan.defer(reply);
                self.stream.release()
            }
        }
    }
}

/// Whether Envoy has chosen this cluster, as far as it says. A route that knows the cluster by a header chooses once, for all tries.
fn may_be_at(cluster: &str) -> bool {
    host::property(&["xds", "cluster_name"]).is_none_or(|chosen| chosen == cluster.as_bytes())
}

impl Context for AttemptStream {
    /// The only callback at the end of an attempt: `on_log` is never called for upstream filters.
    fn on_done(&mut self) -> bool {
        self.ticking.watch.forget(&self.stream);
        self.ticking.tail.watch(&self.stream);
        true
    }
}

impl HttpContext for AttemptStream {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        if end {
            return self.send();
        }
        self.ticking.watch.begin(&self.stream);
        Action::Pause
    }

    fn on_http_request_body(&mut self, _: usize, end: bool) -> Action {
        self.ticking.watch.see_body();
        if self.stream.has_ended() {
            return Action::Pause;
        }
        if end { self.send() } else { Action::Pause }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.ticking.watch.see_body();
        // The body before trailers ends without saying so.
        if matches!(self.state, State::Preparing) { self.send() } else { Action::Pause }
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        if self.stream.has_ended() {
            return Action::Continue;
        }
        self.stream.answered();
        let headers = self.stream.response_headers();
        self.turn(|courier, stream| courier.answer(stream, headers.headers(), end))
    }

    fn on_http_response_body(&mut self, length: usize, end: bool) -> Action {
        self.turn(|courier, stream| courier.read(stream, length, end))
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.turn(Courier::end)
    }
}
