//! Which limits are for a request: those of the file, the budgets of its key and its team, the rate limit of its router.
//!
//! Compiled once a load. What is disabled is not here: it counts nothing, and its value stays in the file.

use alloc::{format, rc::Rc, vec::Vec};

use crate::{
    auth::{Caller, Glob},
    config::{
        Budgets, Ceiling, Config, Decimal, Environment, Limit, LimitsBackend, Measure, Period, RatelimitService,
        Router, Scope, Team,
    },
    map::NameMap,
};

use super::{
    measure::{Bound, Grain, Unit, Window},
    rule::{Claim, Kind, Origin, Rule},
    shared::Shared,
    subject::{Seed, Subject},
};

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Policy {
    top: Level,
    environments: NameMap<'static, Level>,
    /// By the key's identifier, which is unique over all environments.
    keys: NameMap<'static, Rules>,
    /// The part of a budget from which answers warn.
    pub soft: Decimal,
    /// Nothing is limited where absent.
    traits: Option<Traits>,
}

/// What the limits have among them: asked for each request, found out once.
#[derive(Debug, Clone, Copy)]
struct Traits {
    tells_targets_apart: bool,
    /// Whether a service counts money.
    shares_spend: bool,
    has_leases: bool,
}

/// Who asks, and where.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// In which environment; at the top level where absent.
    pub environment: Option<&'a str>,
    /// By which router, where it is one.
    pub router: Option<&'a str>,
}

/// What the file says at its top level, or an environment.
#[derive(Debug, Default)]
struct Level {
    limits: Vec<(Scope, Rc<Rule>)>,
    /// Those that a service counts.
    shared: Vec<Shared>,
    teams: NameMap<'static, Rules>,
    routers: NameMap<'static, Rules>,
}

type Rules = Vec<Rc<Rule>>;

impl Policy {
    /// The limits of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let service = match &config.limits_backend {
            LimitsBackend::Local => None,
            LimitsBackend::RatelimitService(service) => Some(service),
        };
        let environment = |environment: &Environment| {
            let replaced = |limit: &&Limit| !environment.limits.iter().any(|other| other.name == limit.name);
            let inherited = config.limits.iter().filter(replaced).map(|limit| (limit, None));
            let own = environment.limits.iter().map(|limit| (limit, Some(environment.name.as_str())));
            let routers = (&*environment.routers, Some(environment.name.as_str()));
            (environment.name.clone(), Level::new(inherited.chain(own), service, &environment.teams, routers))
        };
        let keys = config.keys.iter().chain(config.environments.iter().flat_map(|environment| &environment.keys));
        let of_keys = keys.map(|key| (key.id.clone(), budgets(&key.budgets, Origin::Key)));
        let top = config.limits.iter().map(|limit| (limit, None));
        let mut policy = Self {
            top: Level::new(top, service, &config.teams, (&config.routers, None)),
            environments: config.environments.iter().map(environment).collect(),
            keys: of_keys.filter(|(_, rules)| !rules.is_empty()).collect(),
            soft: config.soft_threshold,
            traits: None,
        };
        let is_limited = policy.rules().next().is_some() || policy.levels().any(|level| !level.shared.is_empty());
        policy.traits = is_limited.then(|| Traits {
            tells_targets_apart: policy.rules().any(|rule| rule.tells_targets_apart()),
            shares_spend: policy.levels().any(|level| level.shared.iter().any(|limit| limit.of == Measure::Spend)),
            has_leases: policy.rules().any(|rule| rule.of == Measure::Concurrency),
        });
        policy
    }

    /// Whether nothing is limited, for anybody.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.traits.is_none()
    }

    /// Whether one target may have room where another has none: a limit is for one of them, or they cost differently.
    #[must_use]
    pub const fn tells_targets_apart(&self) -> bool {
        matches!(self.traits, Some(Traits { tells_targets_apart: true, .. }))
    }

    /// Whether a service counts money.
    #[must_use]
    pub const fn shares_spend(&self) -> bool {
        matches!(self.traits, Some(Traits { shares_spend: true, .. }))
    }

    /// Whether something that is reserved may end by itself.
    #[must_use]
    pub const fn has_leases(&self) -> bool {
        matches!(self.traits, Some(Traits { has_leases: true, .. }))
    }

    /// Whether requests may be a team's of this name: the file, or the environment, has it or has no teams.
    #[must_use]
    pub fn has_team(&self, name: &str, environment: Option<&str>) -> bool {
        let inside = environment.and_then(|name| self.environments.get(name));
        let mut levels = [Some(&self.top), inside].into_iter().flatten();
        levels.clone().all(|level| level.teams.is_empty()) || levels.any(|level| level.teams.get(name).is_some())
    }

    fn levels(&self) -> impl Iterator<Item = &Level> {
        core::iter::once(&self.top).chain(self.environments.values())
    }

    fn rules(&self) -> impl Iterator<Item = &Rc<Rule>> {
        let of_levels = self.levels().flat_map(|level| {
            let of_names = level.teams.values().chain(level.routers.values()).flatten();
            level.limits.iter().map(|(_, rule)| rule).chain(of_names)
        });
        self.keys.values().flatten().chain(of_levels)
    }

    /// The limits that are for a request to this target, and who they count it for.
    #[must_use]
    pub fn claims<'a>(&'a self, seed: Seed, asker: Asker<'a>, provider: &str, model: &str) -> Vec<Claim> {
        let level = self.level(asker);
        let id = asker.caller.key().map(|key| key.id.as_str());
        let team = self.team(asker);
        let router = asker.router.and_then(|name| level.routers.get(name).or_else(|| self.top.routers.get(name)));

        let mut claims = Vec::new();
        let mut known = None;
        let mut claim = |rule: &Rc<Rule>, subject: Subject<'a>| {
            if rule.is_for(provider, model) {
                // Mostly it is the one before.
                let (_, address) =
                    known.filter(|(other, _)| *other == subject).unwrap_or_else(|| (subject, seed.address(subject)));
                known = Some((subject, address));
                let is_own = matches!(subject, Subject::Key(_));
                claims.push(Claim { rule: Rc::clone(rule), subject: address, is_own });
            }
        };
        for (scope, rule) in &level.limits {
            if let Some(subject) = self.subject(asker, scope) {
                claim(rule, subject);
            }
        }
        for rule in id.and_then(|id| self.keys.get(id)).into_iter().chain(router).flatten() {
            claim(rule, Subject::Key(id));
        }
        if let Some((subject, Some(rules))) = team {
            for rule in rules {
                claim(rule, subject);
            }
        }
        claims
    }

    /// The limits that a service counts and that are for a request, and who it counts it for.
    pub fn shared<'a>(&'a self, asker: Asker<'a>) -> impl Iterator<Item = (&'a Shared, Subject<'a>)> {
        let shared = self.level(asker).shared.iter();
        shared.filter_map(move |limit| Some((limit, self.subject(asker, &limit.scope)?)))
    }

    fn level(&self, asker: Asker<'_>) -> &Level {
        asker.environment.and_then(|name| self.environments.get(name)).unwrap_or(&self.top)
    }

    /// The team of who asks, and its budgets.
    fn team<'a>(&'a self, asker: Asker<'a>) -> Option<(Subject<'a>, Option<&'a Rules>)> {
        let name = asker.caller.key()?.team.as_deref()?;
        let level = asker.environment.and_then(|name| self.environments.get(name));
        Some(match level.and_then(|level| level.teams.get(name)).zip(asker.environment) {
            Some((rules, environment)) => (Subject::Team(name, Some(environment)), Some(rules)),
            None => (Subject::Team(name, None), self.top.teams.get(name)),
        })
    }

    /// For whom a limit of this scope counts; `None` where it is not for who asks.
    fn subject<'a>(&'a self, asker: Asker<'a>, scope: &'a Scope) -> Option<Subject<'a>> {
        let key = asker.caller.key();
        match scope {
            Scope::Key => Some(Subject::Key(key.map(|key| key.id.as_str()))),
            Scope::Team => self.team(asker).map(|(subject, _)| subject),
            Scope::Environment => Some(Subject::Environment(asker.environment)),
            Scope::Global => Some(Subject::Global),
            Scope::Label(name) => {
                let (_, value) = key?.labels.iter().find(|(other, _)| other == name)?;
                Some(Subject::Label(name, value))
            }
        }
    }
}

impl Level {
    /// Of each limit it is told whose own it is, where it is an environment's.
    fn new<'c>(
        limits: impl Iterator<Item = (&'c Limit, Option<&'c str>)>,
        service: Option<&RatelimitService>,
        teams: &[Team],
        (routers, within): (&[Router], Option<&str>),
    ) -> Self {
        let (mut own, mut shared) = (Vec::new(), Vec::new());
        for (limit, environment) in limits.filter(|(limit, _)| limit.enabled) {
            match service.and_then(|service| Shared::of(limit, environment, service)) {
                Some(limit) => shared.push(limit),
                None => own.push((limit.scope.clone(), Rc::new(compile(limit, environment)))),
            }
        }
        let router = |router: &Router| (router.name.clone(), pace(router, within).into_iter().collect());
        let team = |team: &Team| (team.name.clone(), budgets(&team.budgets, Origin::Team));
        Self {
            limits: own,
            shared,
            teams: teams.iter().map(team).collect(),
            routers: routers.iter().map(router).collect(),
        }
    }
}

/// A limit of the file, or of an environment.
fn compile(limit: &Limit, environment: Option<&str>) -> Rule {
    let kind = if limit.of == Measure::Spend { Kind::Budget } else { Kind::Rate };
    let bound = Bound { window: window(limit.of, limit.per), max: amount(limit.of, limit.max) };
    Rule {
        is_shadow: limit.shadow,
        provider: limit.target.provider.as_deref().map(Glob::new),
        model: limit.target.model.as_deref().map(Glob::new),
        ..Rule::new(Origin::Limit(environment), limit.name.clone(), limit.of, bound, kind)
    }
}

/// How much of it, as it is counted.
fn amount(of: Measure, max: Decimal) -> u64 {
    if of == Measure::Spend { max.billionths } else { max.whole().unwrap_or_default() }
}

fn window(of: Measure, per: Option<Period>) -> Window {
    match (of, per) {
        (Measure::Concurrency, _) | (_, None) => Window::Concurrent,
        (Measure::Requests, Some(Period::Second)) => Window::Pace(1_000),
        (Measure::Requests, Some(Period::Minute)) => Window::Pace(60_000),
        (_, Some(Period::Second)) => Window::Rolling(Grain::Second),
        (_, Some(Period::Minute)) => Window::Rolling(Grain::Minute),
        (_, Some(Period::Hour)) => Window::Rolling(Grain::Hour),
        (_, Some(Period::Day)) => Window::Calendar(Unit::Day),
        (_, Some(Period::Month)) => Window::Calendar(Unit::Month),
    }
}

/// The budgets of a key or a team.
fn budgets(budgets: &Budgets, origin: Origin<'_>) -> Rules {
    let what = if origin == Origin::Team { "team budget " } else { "budget " };
    let rule = |name, of, window, ceiling: Option<Ceiling>| {
        let Ceiling { max, .. } = ceiling.filter(|ceiling| ceiling.enabled)?;
        let bound = Bound { window, max: amount(of, max) };
        Some(Rc::new(Rule::new(origin, [what, name].concat(), of, bound, Kind::Budget)))
    };
    let hourly = budgets.hourly.filter(|hourly| hourly.enabled);
    let (hour, day) = (Window::Rolling(Grain::Hour), Window::Calendar(Unit::Day));
    let rules = [
        rule("daily_tokens", Measure::Tokens, day, budgets.daily_tokens),
        rule("hourly.total", Measure::Tokens, hour, hourly.and_then(|hourly| hourly.total)),
        rule("hourly.input", Measure::InputTokens, hour, hourly.and_then(|hourly| hourly.input)),
        rule("hourly.output", Measure::OutputTokens, hour, hourly.and_then(|hourly| hourly.output)),
        rule("daily_usd", Measure::Spend, day, budgets.daily_usd),
        rule("monthly_usd", Measure::Spend, Window::Calendar(Unit::Month), budgets.monthly_usd),
    ];
    rules.into_iter().flatten().collect()
}

/// The rate limit of a router, or of an environment's.
fn pace(router: &Router, environment: Option<&str>) -> Option<Rc<Rule>> {
    let refill = router.rate_limit.per_api_key.as_ref()?;
    let millis = u64::try_from(refill.refill_frequency.as_millis()).unwrap_or(u64::MAX);
    let bound = Bound { window: Window::Pace(millis), max: refill.capacity };
    let name = format!("router {} rate_limit", router.name);
    Some(Rc::new(Rule::new(Origin::Router(environment), name, Measure::Requests, bound, Kind::Rate)))
}
