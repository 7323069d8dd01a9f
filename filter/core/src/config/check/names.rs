//! What can be referred to, at the top level or in an environment, which adds to it.
//!
//! A model needs no entry anywhere: new ones appear daily, and an unknown `provider/model` is passed on. So a model's name is
//! wrong only where it is plainly a slip (one letter off a provider's name) or leads to a model that is switched off.

use alloc::{format, string::String, vec::Vec};

use super::{
    super::{
        environment::Environment,
        raw::Config,
        reader::{nearest, suggest},
        routing::Strategy,
    },
    Verdict,
};
use crate::map::{NameMap, NameSet};

/// So many names are listed where one is wrong; the message of each wrong reference would be as long as the file.
const MAX_LISTED: usize = 20;

/// The names of the top level, looked for once for each reference in the file.
pub(super) struct Index<'c> {
    config: &'c Config,
    providers: NameSet<'c>,
    environments: NameSet<'c>,
    teams: NameSet<'c>,
    routing: NameSet<'c>,
    aliases: NameSet<'c>,
    /// By full and by bare name, whether one of that name is enabled; none where that does not matter.
    models: NameMap<'c, bool>,
}

/// All names of one level of the file.
pub(super) struct Names<'c> {
    index: &'c Index<'c>,
    environment: Option<&'c Environment>,
    /// What the environment adds.
    teams: NameSet<'c>,
    routing: NameSet<'c>,
}

impl<'c> Index<'c> {
    pub(super) fn new(config: &'c Config, is_changed: bool) -> Self {
        let mut models = NameMap::default();
        for model in config.models.iter().filter(|_| !is_changed) {
            for name in [model.name.as_str(), bare_name(&model.name)] {
                if let Some(is_enabled) = models.entry(name, || false) {
                    *is_enabled |= model.enabled;
                }
            }
        }
        Self {
            config,
            providers: config.providers.iter().map(|provider| provider.name.as_str()).collect(),
            environments: config.environments.iter().map(|environment| environment.name.as_str()).collect(),
            teams: config.teams.iter().map(|team| team.name.as_str()).collect(),
            routing: config.routing.iter().map(|(name, _)| name.as_str()).collect(),
            aliases: config.aliases.iter().map(|(alias, _)| alias.as_str()).collect(),
            models,
        }
    }
}

impl<'c> Names<'c> {
    pub(super) fn new(index: &'c Index<'c>, environment: Option<&'c Environment>) -> Self {
        let added = environment.into_iter();
        let teams = added.clone().flat_map(|environment| &environment.teams).map(|team| team.name.as_str());
        let routing = added.flat_map(|environment| &environment.routing).map(|(name, _)| name.as_str());
        Self { index, environment, teams: teams.collect(), routing: routing.collect() }
    }

    pub(super) fn provider(&self, name: &str) -> Verdict {
        if self.index.providers.contains(name) {
            return Ok(());
        }
        unknown("provider", name, &self.providers())
    }

    pub(super) fn team(&self, name: &str) -> Verdict {
        if self.teams.contains(name) || self.index.teams.contains(name) {
            return Ok(());
        }
        let added = self.environment.map(|environment| environment.teams.as_slice()).unwrap_or_default();
        let teams = self.index.config.teams.iter().chain(added);
        unknown("team", name, &teams.map(|team| team.name.as_str()).collect::<Vec<_>>())
    }

    pub(super) fn environment(&self, name: &str) -> Verdict {
        if self.index.environments.contains(name) {
            return Ok(());
        }
        let environments = self.index.config.environments.iter();
        unknown("environment", name, &environments.map(|other| other.name.as_str()).collect::<Vec<_>>())
    }

    pub(super) fn routing(&self, name: &str) -> Verdict {
        if self.routing.contains(name) || self.index.routing.contains(name) {
            return Ok(());
        }
        let strategies = self.strategies();
        unknown("routing configuration", name, &strategies.map(|(name, _)| name.as_str()).collect::<Vec<_>>())
    }

    /// The routing configurations by name, those of the environment first: they take the place of the file's.
    pub(super) fn strategies(&self) -> impl Iterator<Item = &'c (String, Strategy)> {
        let added = self.environment.map(|environment| environment.routing.as_slice()).unwrap_or_default();
        let others = self.index.config.routing.iter().filter(|(name, _)| !self.routing.contains(name.as_str()));
        added.iter().chain(others)
    }

    /// A model that requests are sent to.
    pub(super) fn model(&self, name: &str) -> Verdict {
        if self.index.aliases.contains(name) {
            return Ok(());
        }
        if self.index.models.get(name) == Some(&false) {
            return Err(format!("`{name}` is disabled in `models`").into());
        }
        self.pattern(name)
    }

    /// A model or a pattern of such.
    pub(super) fn pattern(&self, pattern: &str) -> Verdict {
        let Some((provider, _)) = pattern.split_once('/') else { return Ok(()) };
        if self.index.providers.contains(provider) {
            return Ok(());
        }
        match nearest(provider, &self.providers(), 1) {
            Some(meant) => Err(format!("there is no provider `{provider}`; did you mean `{meant}`?").into()),
            None => Ok(()),
        }
    }

    fn providers(&self) -> Vec<&str> {
        self.index.config.providers.iter().map(|provider| provider.name.as_str()).collect()
    }
}

/// What follows the provider.
fn bare_name(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, model)| model)
}

fn unknown(noun: &str, name: &str, names: &[&str]) -> Verdict {
    let (listed, others) = names.split_at(names.len().min(MAX_LISTED));
    let wrong = match suggest(name, names) {
        Some(meant) => format!("there is no such {noun}; did you mean `{meant}`?"),
        None if names.is_empty() => format!("there is no such {noun}; the file has none"),
        None if others.is_empty() => format!("there is no such {noun}; there are: {}", listed.join(", ")),
        None => format!("there is no such {noun}; there are: {} and {} others", listed.join(", "), others.len()),
    };
    Err(wrong.into())
}
