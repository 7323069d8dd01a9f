//! What became of a plan so far, and who is next.

use alloc::{collections::VecDeque, rc::Rc, string::String, vec::Vec};
use core::{mem, time::Duration};

use super::{
    Cause, Course, End, Failure, Next, Target, Try,
    failure::{REFUSED, symptom},
    spending::{Spending, Spent},
};
use crate::{
    chat::Reason,
    config::Cooldown,
    error::Kind,
    health,
    host::millis,
    json::push_whole,
    limit::Rule,
    live::{Observer, Probe, Trip},
    step::Reply,
    usage::{Flowed, Usage},
};

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Progress {
    /// Whom to ask, the first one next; during a try it is still there.
    ahead: VecDeque<Queued>,
    on_context: Vec<Target>,
    on_content: Vec<Target>,
    /// More tries at the first one, and at each that follows.
    again: u32,
    again_each: u32,
    /// Whether a target that refuses thoughts in the conversation is asked once more, without them.
    has_thoughts: bool,
    /// Whether the first one has refused them. They may be another one's own.
    forgets: bool,
    /// How long to wait before the next try.
    wait: Duration,
    /// The same where nothing more is heard of the try under way, and its target is then asked again.
    silence: Option<Duration>,
    /// The next ones have no room if it is their turn then, one for each of these limits.
    skipped: Vec<Rc<Rule>>,
    /// From when on such silence is a time-out.
    late_at: Duration,
    pub(super) tries: Vec<Try>,
    /// The right of the first try to find out whether its target is well again.
    probe: Option<Probe>,
    /// Who tells others how the try under way goes.
    trip: Option<Trip>,
    /// Of the failures so far the one that tells most, and whose it is.
    best: Option<(Target, Failure)>,
    is_settled: bool,
    pub(super) usage: Option<Usage>,
    /// What has come of the answer since the provider told its tokens last.
    pub(super) flowed: Flowed,
    pub(super) spending: Spending,
    pub(super) deferred: Option<Reply>,
    /// The limit that had no room, where that is why nobody was asked.
    pub(super) limit: Option<String>,
    /// The error of the gateway's own in which it has ended.
    pub(super) error: Option<Kind>,
    /// When the first content of a stream came.
    pub(super) content_at: Option<Duration>,
    /// How the answer that is passed on has ended, and when.
    pub(super) end: Option<(End, Duration)>,
}

#[derive(Debug)]
struct Queued {
    target: Target,
    /// The failure for which it was put before others, if it was.
    detour: Option<Reason>,
}

impl Progress {
    pub(super) fn new(course: Course, again: u32, has_thoughts: bool) -> Self {
        Self {
            ahead: course.targets.into_iter().map(|target| Queued { target, detour: None }).collect(),
            on_context: course.on_context,
            on_content: course.on_content,
            again,
            again_each: again,
            has_thoughts,
            forgets: false,
            wait: Duration::ZERO,
            silence: None,
            skipped: Vec::new(),
            late_at: Duration::ZERO,
            tries: Vec::new(),
            probe: course.probe,
            trip: None,
            best: None,
            is_settled: false,
            usage: None,
            flowed: Flowed::default(),
            spending: Spending::Open,
            deferred: None,
            limit: None,
            error: None,
            content_at: None,
            end: None,
        }
    }

    pub(super) fn front(&self) -> Option<&Target> {
        self.ahead.front().map(|queued| &queued.target)
    }

    /// Whose turn it is if nothing more is heard of the try under way.
    pub(super) fn after_silence(&self) -> Option<&Target> {
        let place = if self.silence.is_some() { 0 } else { self.skipped.len().saturating_add(1) };
        self.ahead.get(place).map(|queued| &queued.target)
    }

    /// Whom to ask, as far as that is known.
    pub(super) fn queued(&self) -> impl Iterator<Item = &Target> {
        self.ahead.iter().map(|queued| &queued.target)
    }

    /// Whom to ask instead where the conversation is too long, or its content forbidden.
    pub(super) fn stand_ins(&self) -> (Vec<Target>, Vec<Target>) {
        (self.on_context.clone(), self.on_content.clone())
    }

    pub(super) fn ahead(&self) -> impl Iterator<Item = &Target> {
        let queued = self.queued();
        let is_queued = |target: &&Target| self.ahead.iter().any(|queued| queued.target.is(target));
        queued.chain(self.on_context.iter().chain(&self.on_content).filter(move |target| !is_queued(target)))
    }

    pub(super) fn most_tries(&self) -> u32 {
        let targets = u32::try_from(self.ahead().count()).unwrap_or(u32::MAX);
        let again = self.again_each.saturating_sub(self.again);
        let each = self.again_each.saturating_add(1).saturating_add(self.has_thoughts.into());
        targets.saturating_mul(each).saturating_sub(again).saturating_sub(self.forgets.into())
    }

    pub(super) fn forgets(&self) -> bool {
        self.forgets
    }

    pub(super) fn may_forget(&self) -> bool {
        self.has_thoughts && !self.forgets
    }

    pub(super) fn wait(&self) -> Duration {
        self.wait
    }

    /// How long to wait after silence before the same target is asked again; `None` where it is the next one's turn.
    pub(super) fn silence(&self) -> Option<Duration> {
        self.silence
    }

    /// How often the target whose turn it is was asked again; `None` where it is not asked once more.
    pub(super) fn repeats(&self) -> Option<u32> {
        (self.again > 0).then(|| self.again_each.saturating_sub(self.again))
    }

    pub(super) fn has_begun(&self) -> bool {
        !self.tries.is_empty()
    }

    /// The next try is sent at this time. If nothing more is heard of it, that is a time-out from `late_at` on, and `silence` is how
    /// long to wait before the same target is asked again, where it is.
    pub(super) fn begin(
        &mut self,
        sent: Duration,
        late_at: Duration,
        silence: Option<Duration>,
        observer: &Rc<Observer>,
    ) -> Option<Target> {
        let target = self.front()?.clone();
        self.trip = Some(observer.begin(&target, self.probe.take(), millis(sent)));
        self.tries.push(Try::new(target.clone(), sent));
        self.wait = Duration::ZERO;
        (self.silence, self.skipped, self.late_at) = (silence, Vec::new(), late_at);
        Some(target)
    }

    /// Who was asked last.
    pub(super) fn last(&self) -> Option<&Target> {
        self.tries.last().map(|last| &last.target)
    }

    pub(super) fn is_under_way(&self) -> bool {
        !self.is_settled && self.tries.last().is_some_and(|last| last.status.is_none())
    }

    pub(super) fn late_at(&self) -> Duration {
        self.late_at
    }

    /// Who is being asked; where nobody is, who would be, or was.
    pub(super) fn current(&self) -> Option<&Target> {
        let last = self.tries.last();
        let under_way = last.filter(|last| last.status.is_none()).map(|last| &last.target);
        under_way.or_else(|| self.front()).or_else(|| last.map(|last| &last.target))
    }

    /// The try under way has failed. Its target is asked again after `wait`; where that is `None`, it is the next one's turn.
    pub(super) fn fail(&mut self, failure: Failure, wait: Option<Duration>, cooldown: Cooldown, now: Duration) -> Next {
        let Some(current) = self.current().cloned() else { return Next::Nobody };
        self.conclude(&current, failure.status, Some(failure.name()), now);
        match (self.trip.take(), failure.symptom()) {
            (Some(trip), Some(symptom)) => trip.failed(millis(now), symptom, cooldown),
            (Some(trip), None) if matches!(failure.cause, Cause::Stated | Cause::Thought) => trip.refused(millis(now)),
            (Some(_) | None, _) => {}
        }
        match wait {
            _ if failure.cause == Cause::Thought && self.may_forget() => {
                self.forgets = true;
                self.wait = Duration::ZERO;
            }
            Some(wait) => {
                self.again = self.again.saturating_sub(1);
                self.wait = wait;
            }
            None => self.pass_over(),
        }
        if self.best.as_ref().is_none_or(|(_, best)| failure.weight() > best.weight()) {
            self.best = Some((current, failure));
        }
        if self.ahead.is_empty() { Next::Nobody } else { Next::Try }
    }

    /// How the try under way ends is nobody's business.
    pub(super) fn forget(&mut self) {
        self.trip = None;
    }

    /// The try under way is not sent after all, and none follows.
    pub(super) fn strand(&mut self) {
        self.forget();
        self.tries.pop();
        self.is_settled = true;
    }

    /// Who would follow after silence has no room under this limit: the one behind does.
    pub(super) fn skip_after_silence(&mut self, limit: Rc<Rule>) {
        self.skipped.push(limit);
    }

    /// Takes out who was skipped, and tells under which limits.
    pub(super) fn skip(&mut self) -> Vec<(Target, Rc<Rule>)> {
        let skipped = mem::take(&mut self.skipped).into_iter();
        skipped.filter_map(|limit| Some((self.ahead.pop_front()?.target, limit))).collect()
    }

    /// Nobody is asked any more.
    pub(super) fn give_up(&mut self) {
        self.ahead.clear();
    }

    /// Whether the last try is under way, or has an answer that is no error.
    pub(super) fn may_cost(&self) -> bool {
        self.tries.last().is_some_and(|last| last.status.is_none_or(|status| status < 400))
    }

    pub(super) fn pass_over(&mut self) {
        self.ahead.pop_front();
        (self.again, self.forgets) = (self.again_each, false);
        self.wait = Duration::ZERO;
    }

    pub(super) fn detour(&mut self, reason: Reason) -> bool {
        let others = match reason {
            Reason::ContextLength => mem::take(&mut self.on_context),
            Reason::ContentPolicy => mem::take(&mut self.on_content),
            Reason::Quota | Reason::ModelNotFound | Reason::Thought => Vec::new(),
        };
        let others: Vec<Target> =
            others.into_iter().filter(|other| !self.tries.iter().any(|tried| tried.target.is(other))).collect();
        self.ahead.retain(|queued| !others.iter().any(|other| queued.target.is(other)));
        // The one that is being tried is passed over with its failure.
        for target in others.into_iter().rev() {
            self.ahead.insert(1.min(self.ahead.len()), Queued { target, detour: Some(reason) });
        }
        let is_detour = self.ahead.iter().skip(1).any(|queued| queued.detour == Some(reason));
        if is_detour {
            self.again = 0;
        }
        is_detour
    }

    pub(super) fn settle(&mut self, status: u16, cooldown: Cooldown, now: Duration) {
        if let Some(current) = self.current().cloned() {
            let stated = || symptom(Cause::Stated, status, None).map_or(REFUSED, |symptom| symptom.trouble.text());
            self.conclude(&current, status, (status >= 400).then(stated), now);
        }
        self.is_settled = true;
        match self.trip.take() {
            Some(trip) if status < 400 => self.trip = Some(trip),
            // A refusal is no answer whose time would tell anything.
            Some(trip) if status < 500 => trip.refused(millis(now)),
            // One that the operator has taken out of `retry.statuses`: the provider's failure all the same.
            Some(trip) => trip.erred(millis(now), cooldown),
            None => {}
        }
    }

    pub(super) fn note_content(&mut self, now: Duration) {
        self.content_at = self.content_at.or(Some(now));
        if let Some(trip) = &mut self.trip {
            trip.first_content(millis(now));
        }
    }

    /// An answer is passed on of which nothing more is to be told.
    pub(super) fn end(&mut self) {
        self.is_settled = true;
    }

    /// An answer of another time is given, which has used this then: nobody is asked.
    pub(super) fn replay(&mut self, usage: Usage, now: Duration) {
        self.is_settled = true;
        self.probe = None;
        self.spending = Spending::Some(Spent { usage, is_told: true });
        self.end = Some((End::Whole, now));
    }

    /// The answer that is passed on has come to its end, or to an end.
    pub(super) fn finish(&mut self, end: End, cooldown: Cooldown, now: Duration) {
        self.end = self.end.or(Some((end, now)));
        let Some(trip) = self.trip.take().filter(|_| self.is_settled) else { return };
        let broken = match end {
            End::Whole => return trip.succeeded(millis(now), self.usage.map(|usage| usage.output)),
            End::Broken => Some(health::Symptom { trouble: health::Trouble::BadAnswer, retry_after: None }),
            End::Fault(status) => symptom(Cause::Stated, status, None),
        };
        match broken {
            Some(broken) => trip.failed(millis(now), broken, cooldown),
            None => trip.refused(millis(now)),
        }
    }

    /// Nothing more comes of the last try or its answer, and that is the provider's doing, or may be.
    pub(super) fn break_off(&mut self, trouble: health::Trouble, cooldown: Cooldown, now: Duration) {
        match self.trip.take() {
            // A client that stops to read looks the same: it must not move the traffic of others.
            Some(trip) if self.is_settled && trouble == health::Trouble::Timeout => trip.stalled(millis(now)),
            Some(trip) => trip.failed(millis(now), health::Symptom { trouble, retry_after: None }, cooldown),
            None => {}
        }
    }

    /// Whether nobody has told how the last try went.
    pub(super) fn is_open(&self) -> bool {
        self.trip.is_some()
    }

    pub(super) fn tries(&self) -> impl ExactSizeIterator<Item = (&Target, u16)> {
        self.tries.iter().map(|Try { target, status, .. }| (target, status.unwrap_or(0)))
    }

    pub(super) fn is_settled(&self) -> bool {
        self.is_settled
    }

    pub(super) fn take_best(&mut self) -> Option<(Target, Failure)> {
        self.is_settled = true;
        self.best.take()
    }

    /// The try under way has ended so; where there is none, the one that was about to begin has.
    fn conclude(&mut self, target: &Target, status: u16, failure: Option<&'static str>, now: Duration) {
        if self.tries.last().is_none_or(|last| last.status.is_some()) {
            self.tries.push(Try::new(target.clone(), now));
        }
        if let Some(last) = self.tries.last_mut() {
            (last.status, last.failure, last.ended) = (Some(status), failure, Some(now));
            // Envoy may find that there is no connection before the pause is over.
            last.sent = last.sent.min(now);
        }
    }

    pub(super) fn attempts(&self) -> String {
        let mut line = String::with_capacity(64);
        for (target, status) in self.tries() {
            let comma = if line.is_empty() { "" } else { "," };
            let slash = if target.model.is_empty() { "" } else { "/" };
            for part in [comma, &target.provider.name, slash, &target.model, "="] {
                line.push_str(part);
            }
            push_whole(&mut line, status.into());
        }
        line
    }
}
