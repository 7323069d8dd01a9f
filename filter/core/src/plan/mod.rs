//! The targets of one request in the order in which they are tried, what an attempt must know of it, and what became of each.
//!
//! The ingress makes a plan before the first byte is sent; attempts on the same worker read it and write how they ended. It
//! is shared by reference, not found again in a configuration, because while a new one is loaded the two roles may for a
//! moment hold different ones.
//!
//! An attempt asks for its target when its turn has come ([`Plan::begin`]), and not for one with a number: whether a target is
//! tried again, passed over or replaced is known only when the one before it has failed. A try of which nothing more was heard
//! (no connection, a reset, a time-out) is closed by whoever comes next, as was decided when it began. Where the module retries
//! or Envoy does, the plan alone decides for how long.

mod allowance;
mod failure;
mod inquiry;
mod limits;
mod outcome;
mod pace;
mod progress;
mod reuse;
mod rupture;
mod signpost;
mod spending;
mod summary;
mod trail;

use alloc::{boxed::Box, rc::Rc, string::String, vec::Vec};
use core::{
    cell::{Ref, RefCell},
    fmt::Write as _,
    mem,
    time::Duration,
};

pub use self::{
    allowance::{Allowance, Estimate},
    failure::{Cause, End, Failure},
    inquiry::Inquiry,
    reuse::Cached,
    signpost::{CALLS_MARK, CLUSTER_HEADER, FLEX_MARK, NEXT_PROPERTY, Signpost, TRIES_MARK},
    spending::Spent,
    summary::Summary,
    trail::Try,
};
pub(crate) use self::{inquiry::Asked, rupture::breaks_off};
use self::{progress::Progress, reuse::Reuse};
use crate::{
    account::Account,
    change::Standing,
    chat::Reason,
    gateway::Provider,
    live::{Observer, Probe},
    retry::Policy,
    step::{Name, Reply},
    usage::Usage,
};

/// The header of an answer by which an attempt asks Envoy for the next try.
pub const RETRY_HEADER: &str = "x-dragoman-retry";

/// Where the attempts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Behind Envoy's router: each target's cluster carries the module in its attempt role.
    Native,
    /// On the client's own stream: the clusters carry nothing. Only the first target is asked through the router.
    Dispatch,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Plan {
    /// Where the attempts run.
    pub mode: Mode,
    /// What the client asked.
    pub inquiry: Inquiry,
    /// What happens after a failure.
    pub policy: Rc<Policy>,
    /// See [`Self::passed_over`].
    passed_over: RefCell<String>,
    /// See [`Self::full`].
    full: RefCell<Vec<(String, String)>>,
    /// Whether the tries are looked at more closely.
    is_audited: bool,
    /// The headers that one target or another is sent; `None` where there is but one: what the one was sent is still there when
    /// the next one's turn has come.
    foreign: Option<Vec<Name>>,
    made_at: Duration,
    /// How long the first content of any target's answer may take: Envoy's bound of each try.
    longest_patience: Duration,
    /// What it may use up; `None` where nothing is limited.
    allowance: Option<Allowance>,
    /// How its caller's key stands; `None` where none can be revoked.
    standing: Option<Standing>,
    observer: Rc<Observer>,
    progress: RefCell<Progress>,
    /// What became of it where a kept answer would do.
    reuse: Option<Box<Reuse>>,
}

/// Whom to ask.
#[derive(Debug, Default)]
pub struct Course {
    /// In this order.
    pub targets: Vec<Target>,
    /// Before the others that are left, where the conversation is longer than a model can read.
    pub on_context: Vec<Target>,
    /// The same, where a provider's policy forbids the content.
    pub on_content: Vec<Target>,
    /// Who is not asked, or only after others, and why; empty where that is nobody.
    pub passed_over: String,
    /// The right to find out whether the first of the targets is well again.
    pub probe: Option<Probe>,
}

impl Course {
    /// Takes away who can be asked behind Envoy's router only.
    fn keep_plain(&mut self) {
        let Self { targets, on_context, on_content, passed_over, .. } = self;
        targets.retain(|Target { provider, account, model, .. }| {
            let is_kept = account.plain.is_some();
            if !is_kept {
                let space = if passed_over.is_empty() { "" } else { " " };
                // Writing to a String cannot fail.
                let _ = write!(
                    passed_over,
                    "{space}`{}/{model}`: Its cluster carries the module, and another target's does not.",
                    provider.name
                );
            }
            is_kept
        });
        for others in [on_context, on_content] {
            others.retain(|target| target.account.plain.is_some());
        }
    }

    fn all(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().chain(&self.on_context).chain(&self.on_content)
    }
}

/// A model of a provider.
#[derive(Debug, Clone)]
pub struct Target {
    /// Who.
    pub provider: Rc<Provider>,
    /// With which of its credentials.
    pub account: Rc<Account>,
    /// The model's id there.
    pub model: Rc<str>,
    /// Most tokens that it can answer, where known.
    pub max_output_tokens: Option<u64>,
}

impl Target {
    /// Whether another is the same model, asked with the same credential.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.account, &other.account) && self.model == other.model
    }
}

/// What follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another try.
    Try,
    /// Nothing is left; the answer is [`Plan::verdict`].
    Nobody,
}

impl Plan {
    /// A plan that nobody has worked on, made at this time.
    #[must_use]
    pub fn new(
        inquiry: Inquiry,
        mut course: Course,
        policy: Rc<Policy>,
        observer: &Rc<Observer>,
        now: Duration,
    ) -> Self {
        let is_native = course.all().all(|target| target.provider.mode == Mode::Native);
        let is_single = course.all().nth(1).is_none();
        // Asked once, a target costs least on the client's own stream. One that may be asked again is left to the router: where a
        // connection breaks after an answer's head, nothing else can make another try.
        let has_thoughts = inquiry.has_thoughts();
        let is_light = is_single
            && policy.attempts == 0
            && !has_thoughts
            && course.all().all(|target| target.account.plain.is_some());
        let mode = if is_native && !is_light { Mode::Native } else { Mode::Dispatch };
        if mode == Mode::Dispatch {
            // Called from the module, a cluster that carries it would enter its VM a second time.
            course.keep_plain();
        }
        let foreign = (!is_single).then(|| {
            let mut names: Vec<Name> = Vec::new();
            for (name, _) in course.all().flat_map(|target| target.account.headers()) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            names
        });
        let is_flex = inquiry.request.flex;
        let patiences = course.all().map(|target| pace::patience(target, is_flex, policy.deadline));
        Self {
            mode,
            inquiry,
            foreign,
            made_at: now,
            longest_patience: patiences.max().unwrap_or_default(),
            passed_over: RefCell::new(mem::take(&mut course.passed_over)),
            full: RefCell::default(),
            is_audited: false,
            allowance: None,
            standing: None,
            observer: Rc::clone(observer),
            progress: RefCell::new(Progress::new(course, policy.attempts, has_thoughts)),
            policy,
            reuse: None,
        }
    }

    /// The same for the holder of a key that may be revoked meanwhile.
    #[must_use]
    pub fn of(self, standing: Option<Standing>) -> Self {
        Self { standing, ..self }
    }

    /// Whether its caller's key has been revoked since.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.standing.as_ref().is_some_and(Standing::is_revoked)
    }

    /// The cluster of a target, in this plan.
    #[must_use]
    pub fn cluster<'a>(&self, target: &'a Target) -> &'a str {
        match self.mode {
            Mode::Native => &target.account.cluster,
            Mode::Dispatch => target.account.plain.as_deref().unwrap_or_default(),
        }
    }

    /// Who was not asked so far, or only after others, and why: the operator's business. Empty where that is nobody.
    #[must_use]
    pub fn passed_over(&self) -> Ref<'_, String> {
        self.passed_over.borrow()
    }

    /// The target whose turn it is.
    #[must_use]
    pub fn first(&self) -> Option<Ref<'_, Target>> {
        Ref::filter_map(self.progress.borrow(), Progress::front).ok()
    }

    /// How many tries there can be at most.
    #[must_use]
    pub fn most_tries(&self) -> u32 {
        self.progress.borrow().most_tries()
    }

    /// Whether another try can follow the one that is under way, or about to be.
    #[must_use]
    pub fn may_try_again(&self) -> bool {
        self.most_tries() > 1
    }

    /// Headers that a target must not get from the one before it; `None` where there is none.
    #[must_use]
    pub fn foreign_headers(&self) -> Option<&[Name]> {
        self.foreign.as_deref()
    }

    /// Whether the target whose turn it is gets the conversation without its thoughts: it has refused them.
    #[must_use]
    pub fn forgets(&self) -> bool {
        self.progress.borrow().forgets()
    }

    /// Whether it can be asked once more, without them.
    pub(crate) fn may_forget(&self) -> bool {
        self.progress.borrow().may_forget()
    }

    /// Keeps the client's body however large it is.
    pub fn keep_body(&self, body: Vec<u8>) {
        self.inquiry.body.borrow_mut().keep(body);
    }

    /// Whether the client's body is kept.
    #[must_use]
    pub fn has_body(&self) -> bool {
        self.inquiry.body.borrow().is_kept()
    }

    /// The client's body, where it is kept. What may be sent again stays.
    #[must_use]
    pub fn body(&self) -> Option<Rc<Vec<u8>>> {
        let mut body = self.inquiry.body.borrow_mut();
        if self.may_try_again() { body.get() } else { body.take() }
    }

    /// A request was refused for this reason: whether others are to be asked before those that are left. If so the try under way has
    /// failed, and [`Self::fail`] comes next.
    #[must_use]
    pub fn detour(&self, reason: Reason) -> bool {
        self.progress.borrow_mut().detour(reason)
    }

    /// An answer is passed on, whatever it says; its status.
    pub fn settle(&self, status: u16, now: Duration) {
        self.progress.borrow_mut().settle(status, self.policy.cooldown, now);
    }

    /// What is passed on has begun to say something.
    pub(crate) fn note_content(&self, now: Duration) {
        self.progress.borrow_mut().note_content(now);
    }

    /// The try under way has failed, and what it got is passed on all the same.
    pub(crate) fn settle_failed(&self, failure: Failure, now: Duration) {
        self.fail(failure, now);
        self.progress.borrow_mut().end();
    }

    /// The answer that is passed on has ended.
    pub fn finish(&self, end: End, now: Duration) {
        self.progress.borrow_mut().finish(end, self.policy.cooldown, now);
        self.spend(Some(end), || now);
    }

    /// Whether an answer is passed on.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.progress.borrow().is_settled()
    }

    /// Notes the tokens of the answer, where they are known and can be.
    pub fn note_usage(&self, usage: Option<Usage>) {
        let usage = usage.filter(Usage::is_credible);
        if usage.is_some() {
            self.progress.borrow_mut().usage = usage;
        }
    }

    /// The tokens of the answer, once known.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.progress.borrow().usage
    }

    /// Leaves the answer to the ingress: an attempt cannot give a body to an answer that has only a head.
    pub fn defer(&self, reply: Reply) {
        self.progress.borrow_mut().deferred = Some(reply);
    }

    /// The answer that an attempt left to the ingress.
    #[must_use]
    pub fn take_deferred(&self) -> Option<Reply> {
        self.progress.borrow_mut().deferred.take()
    }

    /// `provider/model=status`, comma separated: the tries so far.
    #[must_use]
    pub fn attempts(&self) -> String {
        self.progress.borrow().attempts()
    }
}

#[cfg(test)]
impl Target {
    /// A target for tests that need one, whichever it is.
    pub(crate) fn any() -> Self {
        let file = r#"{"providers":{"p":{"kind":"ollama","base_url":"http://127.0.0.1:1"}}}"#;
        let config = crate::config::parse(file).unwrap();
        let gateway = crate::gateway::Gateway::new(&config, |_| None);
        let provider = Rc::clone(gateway.provider("p").unwrap());
        let account = Rc::clone(&provider.accounts[0]);
        Self { provider, account, model: "m".into(), max_output_tokens: None }
    }
}

#[cfg(test)]
mod tests;
