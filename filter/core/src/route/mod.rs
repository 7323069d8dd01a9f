//! Which targets a request has, in which order, and why other candidates are none: pure, made once before the first byte is
//! sent.
//!
//! ```text
//! Routing::new(&config, None, &providers, &catalogue, &environment)  once a load
//! routing.plan(&catalogue, way, &query, &conditions) → Planned        once a request
//! ```
//!
//! What decides, the first of these that is there and says something:
//! 1. the key's active routing configuration (on [`Way::Ai`] nothing of this list but the model);
//! 2. the strategy of the named router for this kind of endpoint;
//! 3. the model asked for, what an alias stands for in order, then its `fallbacks` and the `fallback_models`.
//!
//! Where a strategy decides, the model asked for is a hint: neither the catalogue nor the key's scope is looked at for it, only
//! its targets are checked. Where it does not, a model that is unknown or out of scope is refused, whatever might stand in for
//! it: an error of the caller is not a failure of a provider.
//!
//! Invariants: no target is out of the key's scope, on any way; a target (provider, account, model) stands once in a plan;
//! there are at most [`MAX_TARGETS`]; a target that cools down stands behind all that do not; no strategy takes a
//! candidate away. Without lists of fallbacks, a plan for one model with one account allocates the target and the two
//! vectors around it, draws no entropy and asks nothing about health.

mod accounts;
mod candidate;
mod chance;
mod compile;
pub mod estimate;
mod lists;
mod node;
mod order;
mod planned;
mod reach;
mod refusal;
mod router;
mod strategy;
mod survey;

use alloc::{format, rc::Rc, string::String, vec::Vec};

pub use self::planned::{Cooling, Dropped, Planned};
use self::{
    candidate::Candidate,
    compile::Compiler,
    lists::Lists,
    node::{Node, Strategy},
    router::Router,
    survey::{Survey, spellings, unnamed},
};
use crate::{
    audit::{By, Decision},
    auth::Caller,
    cache,
    catalogue::Catalogue,
    config::{self, Config, KeyRouting},
    dialect::{Downstream, Wishes, openai_responses},
    error::{Error, Kind},
    gateway::Provider,
    headers::Headers,
    host::{Clock, Entropy, Observed},
    map::NameMap,
    retry::Policy,
    surface::Endpoint,
    task::Task,
};

pub(crate) use self::survey::{MAX_DEPTH, MAX_VISITS};

/// Most targets of a plan.
pub const MAX_TARGETS: usize = 32;

/// What the file says about where requests go, ready to run.
#[derive(Debug)]
pub struct Routing {
    named: Vec<Strategy>,
    /// The places of those by their names, for tokens, which name one.
    by_name: NameMap<'static, Node>,
    /// By key id.
    by_key: NameMap<'static, Node>,
    routers: NameMap<'static, Router>,
    fallbacks: Lists,
    context_fallbacks: Lists,
    content_fallbacks: Lists,
    fallback_models: Vec<String>,
    policy: Rc<Policy>,
    /// Of [`Way::Ai`], and of a provider's own paths: one try.
    policy_of_one: Rc<Policy>,
}

/// The way on which a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way<'a> {
    /// The default router.
    Default,
    /// The router of this name.
    Router(&'a str),
    /// `/ai`: the model's own provider, once.
    Ai,
}

/// What is known of a request.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What for.
    pub endpoint: Endpoint,
    /// Its path without the query.
    pub path: &'a str,
    /// Its headers.
    pub headers: Headers<'a>,
    /// The model asked for.
    pub model: Option<&'a str>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether it offers tools.
    pub has_tools: bool,
    /// Whether it holds images.
    pub has_images: bool,
    /// What not every target can do of it.
    pub(crate) what: What<'a>,
    /// The member `user`.
    pub user: Option<&'a str>,
    /// Its length in tokens, as [`estimate::tokens`] has it.
    pub input_tokens: u64,
    /// The most tokens that it lets the answer have.
    pub max_output_tokens: Option<u64>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    /// A chat: what of it not every format can express, and the format that it is in, which can.
    Chat(Wishes, &'static dyn Downstream),
    /// No chat.
    Task(&'a Task),
}

impl What<'_> {
    /// Whether it is about answers that a provider may keep.
    pub(crate) fn is_about_answers(&self) -> bool {
        match self {
            Self::Chat(_, format) => Downstream::name(*format) == openai_responses::NAME,
            Self::Task(task) => task.is_about_answers(),
        }
    }
}

/// What the surroundings know.
#[derive(Clone, Copy)]
pub struct Conditions<'a> {
    /// Of the targets.
    pub observed: &'a dyn Observed,
    /// Of chance; drawn from at most once a plan.
    pub entropy: &'a dyn Entropy,
    /// Of the time.
    pub clock: &'a dyn Clock,
}

impl Routing {
    /// What a configuration says in an environment, by its place, or at the top level, for these providers and models;
    /// `environment` resolves credentials.
    #[must_use]
    pub fn new<E: Fn(&str) -> Option<String>>(
        config: &Config,
        place: Option<usize>,
        providers: &[Rc<Provider>],
        catalogue: &Catalogue,
        environment: &E,
    ) -> Self {
        let mut compiler = Compiler::new(config, providers, catalogue, environment);
        let policy = Policy::of(&config.retry);
        let mut by_key = NameMap::default();
        for (key, _) in config.keys_within(place) {
            let node = match &key.routing {
                None => None,
                Some(KeyRouting::Named(name)) => compiler.named(name),
                Some(KeyRouting::Inline(section)) => Some(compiler.node(section, &format!("keys/{}/routing", key.id))),
            };
            if let Some(node) = node {
                by_key.insert(key.id.clone(), node);
            }
        }
        let named = config.routing.iter().map(|(name, section)| compiler.strategy(section, &format!("routing/{name}")));
        let named = named.collect();
        let by_name = config.routing.iter().filter_map(|(name, _)| Some((name.clone(), compiler.named(name)?)));
        let by_name = by_name.collect();
        let mut router = |section: &config::Router| Router::new(section, &policy, config.cache, &mut compiler);
        let routers = config.routers.iter().map(|section| (section.name.clone(), router(section))).collect();
        Self {
            named,
            by_name,
            by_key,
            routers,
            fallbacks: Lists::new(&config.fallbacks),
            context_fallbacks: Lists::new(&config.context_fallbacks),
            content_fallbacks: Lists::new(&config.content_fallbacks),
            fallback_models: config.fallback_models.clone(),
            policy_of_one: Rc::new(Policy { attempts: 0, ..Policy::clone(&policy) }),
            policy,
        }
    }

    /// Whether there is a router of this name.
    #[must_use]
    pub fn has_router(&self, name: &str) -> bool {
        self.routers.contains(name)
    }

    /// How the router of this name keeps answers, if it does.
    pub(crate) fn cache(&self, name: &str) -> Option<&Rc<cache::Rules>> {
        self.routers.get(name)?.cache.as_ref()
    }

    /// Whether there is a routing configuration of this name.
    #[must_use]
    pub fn has_named(&self, name: &str) -> bool {
        self.by_name.contains(name)
    }

    /// What is done about failures where nobody else is asked: nothing.
    #[must_use]
    pub(crate) fn policy_of_one(&self) -> &Rc<Policy> {
        &self.policy_of_one
    }

    /// Plans a request.
    ///
    /// # Errors
    /// No target is left: of one candidate its own reason, of several all of theirs under the one that helps most. And
    /// [`Kind::NotFound`] where there is no such router.
    pub fn plan(
        &self,
        catalogue: &Catalogue,
        way: Way<'_>,
        query: &Query<'_>,
        conditions: &Conditions<'_>,
    ) -> Result<Planned, Error> {
        self.plan_noting(catalogue, way, query, conditions, None)
    }

    /// The same; notes how it was decided, where somebody wants to know: who has decided, and where that is an error, who was dropped.
    ///
    /// # Errors
    /// As those of [`Self::plan`].
    pub(crate) fn plan_noting(
        &self,
        catalogue: &Catalogue,
        way: Way<'_>,
        query: &Query<'_>,
        conditions: &Conditions<'_>,
        decision: Option<&mut Decision>,
    ) -> Result<Planned, Error> {
        let mut survey = Survey::new(self, catalogue, query, conditions);
        let found = self.find(way, &mut survey);
        if let Some(decision) = decision {
            self.note(&survey, decision);
            if found.is_err() {
                decision.dropped = survey.dropped;
                return found;
            }
        }
        found.map(|planned| Planned { dropped: survey.dropped, cooling: survey.cooling, ..planned })
    }

    /// How it was decided.
    fn note(&self, survey: &Survey<'_>, decision: &mut Decision) {
        decision.by = By::Model;
        let Some((by, node)) = survey.decided else { return };
        decision.by = by;
        let strategy = match node {
            Node::Leaf(_) => None,
            Node::Strategy(strategy) => Some(&**strategy),
            Node::Named(place) => {
                let is_it = |(_, other): &(&str, &Node)| matches!(other, Node::Named(other) if other == place);
                decision.configuration =
                    self.by_name.iter().find(is_it).map(|(name, _)| name.into()).unwrap_or_default();
                self.named.get(*place)
            }
        };
        decision.strategy = strategy.map_or("", |strategy| strategy.choice.name());
    }

    /// Plans a request; who is dropped and who cools down is left in the survey.
    fn find<'a>(&'a self, way: Way<'_>, survey: &mut Survey<'a>) -> Result<Planned, Error> {
        let router = match way {
            Way::Router(name) => Some(self.routers.get(name).ok_or_else(|| no_router(name))?),
            Way::Default | Way::Ai => None,
        };
        let query = survey.query;
        if way == Way::Ai {
            let found = self.ask(survey, false)?;
            let mut targets = survey.targets(found)?;
            // Which of them has seen what is relied on, is known later.
            if !query.what.is_about_answers() {
                targets.truncate(1);
            }
            survey.cooling.clear();
            return Ok(Planned {
                targets,
                dropped: Vec::new(),
                cooling: Vec::new(),
                policy: Rc::clone(&self.policy_of_one),
                on_context: Vec::new(),
                on_content: Vec::new(),
            });
        }
        let found = match self.decide(router, survey) {
            Some(found) => found,
            None => self.ask(survey, true)?,
        };
        let mut larger = survey.stand_ins(&self.context_fallbacks);
        let mut laxer = survey.stand_ins(&self.content_fallbacks);
        // What is known beforehand need not be found out by asking.
        let is_too_long = |dropped: &Dropped| dropped.error.kind == Kind::ContextLengthExceeded;
        let targets = if found.is_empty() && !larger.is_empty() && survey.dropped.iter().any(is_too_long) {
            let targets = larger.clone();
            // Of those the rest still comes first where one of them says the same.
            larger.remove(0);
            targets
        } else {
            survey.targets(found)?
        };
        if let [only] = targets.as_slice() {
            larger.retain(|target| !target.is(only));
            laxer.retain(|target| !target.is(only));
        }
        let policy = Rc::clone(router.map_or(&self.policy, |router| &router.policy));
        let (dropped, cooling) = (Vec::new(), Vec::new());
        Ok(Planned { targets, dropped, cooling, policy, on_context: larger, on_content: laxer })
    }

    /// What a strategy decides, of the key or of the router; `None` where there is none, or none that says anything.
    fn decide<'a>(&'a self, router: Option<&'a Router>, survey: &mut Survey<'a>) -> Option<Vec<Candidate<'a>>> {
        survey.mapping = router.map(|router| &router.mapping);
        let of_key = self.of_key(survey.query.caller);
        let of_router = router.and_then(|router| router.strategy(survey.query.endpoint));
        [(By::Key, of_key), (By::Router, of_router)].into_iter().find_map(|(by, node)| {
            let found = survey.walk(node?, 0)?;
            survey.decided = Some((by, node?));
            Some(found)
        })
    }

    /// What a caller's key decides.
    fn of_key(&self, caller: &Caller) -> Option<&Node> {
        caller.key().and_then(|key| match &key.routing {
            Some(name) => self.by_name.get(name),
            None if self.by_key.is_empty() => None,
            None => self.by_key.get(&key.id),
        })
    }

    /// The model asked for, and on most ways what stands in for it.
    fn ask<'a>(&'a self, survey: &mut Survey<'a>, has_fallbacks: bool) -> Result<Vec<Candidate<'a>>, Error> {
        let asked = survey.catalogue.asked(survey.query.model).ok_or_else(unnamed)?;
        let mut found = survey.models([asked]);
        let is_callers = |dropped: &Dropped| matches!(dropped.error.kind, Kind::PermissionDenied | Kind::ModelNotFound);
        if found.is_empty() && survey.dropped.iter().all(is_callers) {
            return Err(refusal::refuse(&survey.dropped));
        }
        if has_fallbacks && !self.fallbacks.is_empty() {
            let own = self.fallbacks.of(asked, &spellings(asked, &survey.met));
            found.extend(survey.models(own));
        }
        if has_fallbacks && !self.fallback_models.is_empty() {
            found.extend(survey.models(self.fallback_models.iter().map(String::as_str)));
        }
        Ok(found)
    }

    /// Whether the models that are considered must be remembered.
    fn has_lists(&self) -> bool {
        [&self.fallbacks, &self.context_fallbacks, &self.content_fallbacks].iter().any(|lists| !lists.is_empty())
    }
}

fn no_router(name: &str) -> Error {
    Error::new(Kind::NotFound, format!("There is no router `{name}` here."))
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::disallowed_types,
    reason = "tests count, and write configurations as documents"
)]
mod tests;
