//! What can be referred to, at the top level or in an environment, which adds to it.
//!
//! A model needs no entry anywhere: new ones appear daily, and an unknown `provider/model` is passed on. So a model's name is
//! wrong only where it is plainly a slip (one letter off a provider's name) or leads to a model that is switched off.

use alloc::{format, string::String, vec::Vec};

use super::super::{
    environment::Environment,
    raw::Config,
    reader::{nearest, suggest},
    routing::Strategy,
};

/// All names of one level of the file.
pub(super) struct Names<'c> {
    config: &'c Config,
    environment: Option<&'c Environment>,
}

impl<'c> Names<'c> {
    pub(super) const fn new(config: &'c Config, environment: Option<&'c Environment>) -> Self {
        Self { config, environment }
    }

    pub(super) fn provider(&self, name: &str) -> Result<(), String> {
        known("provider", name, &self.providers())
    }

    pub(super) fn team(&self, name: &str) -> Result<(), String> {
        let added = self.environment.map(|environment| environment.teams.as_slice()).unwrap_or_default();
        let teams = self.config.teams.iter().chain(added);
        known("team", name, &teams.map(|team| team.name.as_str()).collect::<Vec<_>>())
    }

    pub(super) fn environment(&self, name: &str) -> Result<(), String> {
        let environments = self.config.environments.iter();
        known("environment", name, &environments.map(|other| other.name.as_str()).collect::<Vec<_>>())
    }

    pub(super) fn routing(&self, name: &str) -> Result<(), String> {
        known("routing configuration", name, &self.strategies().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
    }

    /// The routing configurations by name, those of the environment first.
    pub(super) fn strategies(&self) -> impl Iterator<Item = &'c (String, Strategy)> {
        let added = self.environment.map(|environment| environment.routing.as_slice()).unwrap_or_default();
        added.iter().chain(&self.config.routing)
    }

    /// A model that requests are sent to.
    pub(super) fn model(&self, name: &str) -> Result<(), String> {
        if self.config.aliases.iter().any(|(alias, _)| alias == name) {
            return Ok(());
        }
        let mut entries =
            self.config.models.iter().filter(|model| model.name == name || bare_name(&model.name) == name).peekable();
        if entries.peek().is_some() && entries.all(|model| !model.enabled) {
            return Err(format!("`{name}` is disabled in `models`"));
        }
        self.pattern(name)
    }

    /// A model or a pattern of such.
    pub(super) fn pattern(&self, pattern: &str) -> Result<(), String> {
        let Some((provider, _)) = pattern.split_once('/') else { return Ok(()) };
        match nearest(provider, &self.providers(), 1) {
            Some(meant) if meant != provider => {
                Err(format!("there is no provider `{provider}`; did you mean `{meant}`?"))
            }
            _ => Ok(()),
        }
    }

    fn providers(&self) -> Vec<&str> {
        self.config.providers.iter().map(|provider| provider.name.as_str()).collect()
    }
}

/// What follows the provider.
fn bare_name(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, model)| model)
}

fn known(noun: &str, name: &str, names: &[&str]) -> Result<(), String> {
    if names.contains(&name) {
        return Ok(());
    }
    Err(match suggest(name, names) {
        Some(meant) => format!("there is no such {noun}; did you mean `{meant}`?"),
        None if names.is_empty() => format!("there is no such {noun}; the file has none"),
        None => format!("there is no such {noun}; there are: {}", names.join(", ")),
    })
}
