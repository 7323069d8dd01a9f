//! Where requests may be sent: models, providers and routing configurations that exist, and no way that leads back to itself.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use super::{
    super::{
        aliases::{MAX_NAMES, ends},
        raw::{Config, ModelLists},
        reader::{Reader, Step},
        router::ModelMapping,
        routing::{Destination, Routing, Strategy, Target},
    },
    cycle::on_cycles,
    extent::references,
    names::Names,
    refuse,
};
use crate::map::{NameMap, NameSet};

/// Checks the ways that requests take, among these names.
pub(super) struct Routes<'c> {
    pub(super) names: &'c Names<'c>,
}

impl Routes<'_> {
    /// Routing configurations, at `/routing` below `at`.
    pub(super) fn check_routing(&self, routing: &Routing, at: fmt::Arguments<'_>, reader: &mut Reader) {
        for (name, strategy) in routing {
            self.check_strategy(strategy, format_args!("{at}/routing{}", Step(name)), reader);
        }
        if routing.is_empty() {
            return;
        }
        let ways = self.names.strategies().map(|(name, strategy)| (name.as_str(), references(strategy)));
        let own: NameSet<'_> = routing.iter().map(|(name, _)| name.as_str()).collect();
        for name in leading_back(&ways.collect::<Vec<_>>()) {
            if own.contains(name) {
                refuse(reader, format_args!("{at}/routing{}", Step(name)), Err("leads back to itself".into()));
            }
        }
    }

    /// A strategy and all that is nested in it; how deep, the reader has bounded.
    pub(super) fn check_strategy(&self, strategy: &Strategy, at: fmt::Arguments<'_>, reader: &mut Reader) {
        for (index, provider) in strategy.providers.iter().enumerate() {
            refuse(reader, format_args!("{at}/providers/{index}"), self.names.provider(provider));
        }
        for (index, target) in strategy.targets.iter().enumerate() {
            self.check_target(target, format_args!("{at}/targets/{index}"), reader);
        }
        for (index, rule) in strategy.rules.iter().enumerate() {
            let at = format_args!("{at}/rules/{index}");
            if let Some(team) = &rule.when.team {
                refuse(reader, format_args!("{at}/when/team"), self.names.team(team));
            }
            for pattern in &rule.when.model {
                refuse(reader, format_args!("{at}/when/model"), self.names.pattern(pattern));
            }
            self.check_targets(&rule.then, format_args!("{at}/then"), reader);
        }
        self.check_targets(&strategy.otherwise, format_args!("{at}/else"), reader);
    }

    /// Targets that are written as a list, or one without.
    fn check_targets(&self, targets: &[Target], at: fmt::Arguments<'_>, reader: &mut Reader) {
        match targets {
            [target] => self.check_target(target, at, reader),
            targets => {
                for (index, target) in targets.iter().enumerate() {
                    self.check_target(target, format_args!("{at}/{index}"), reader);
                }
            }
        }
    }

    fn check_target(&self, target: &Target, at: fmt::Arguments<'_>, reader: &mut Reader) {
        match &target.destination {
            Destination::Model { provider, account: _, model, credential: _ } => {
                if let Some(provider) = provider {
                    refuse(reader, format_args!("{at}/provider"), self.names.provider(provider));
                }
                // Short or long, which is not known any more.
                if let Some(model) = model {
                    refuse(reader, at, self.names.model(model));
                }
            }
            Destination::Routing(name) => refuse(reader, format_args!("{at}/routing"), self.names.routing(name)),
            Destination::Strategy(strategy) => self.check_strategy(strategy, at, reader),
        }
    }
}

/// The models that the file names outside of strategies.
pub(super) fn check_models(names: &Names<'_>, config: &Config, reader: &mut Reader) {
    for model in &config.models {
        refuse(reader, format_args!("/models{}", Step(&model.name)), names.pattern(&model.name));
    }
    for (alias, models) in &config.aliases {
        let at = format_args!("/aliases{}", Step(alias));
        if models.is_empty() {
            refuse(reader, at, Err("leads to no model".into()));
        }
        for model in models {
            refuse(reader, at, names.model(model));
        }
    }
    check_ways(&config.aliases, reader);
    check_mapping(names, &config.model_mapping, format_args!("/model_mapping"), reader);
    check_lists(names, &config.fallbacks, format_args!("/fallbacks"), reader);
    check_lists(names, &config.context_fallbacks, format_args!("/context_fallbacks"), reader);
    check_lists(names, &config.content_fallbacks, format_args!("/content_fallbacks"), reader);
    check_list(names, &config.fallback_models, format_args!("/fallback_models"), reader);
    if let Some(model) = &config.auto.default_model {
        refuse(reader, format_args!("/auto/default_model"), names.model(model));
    }
    for (task, level, models) in config.auto.lists() {
        check_list(names, models, format_args!("/auto/task_routes/{task}/{level}"), reader);
    }
}

/// Aliases come to an end, and soon.
fn check_ways(aliases: &ModelLists, reader: &mut Reader) {
    let ways: Vec<_> = aliases.iter().map(|(name, models)| (name.as_str(), strs(models))).collect();
    for alias in leading_back(&ways) {
        refuse(reader, format_args!("/aliases{}", Step(alias)), Err("leads back to itself".into()));
    }
    let lists: NameMap<'_, &[String]> =
        aliases.iter().map(|(name, models)| (name.as_str(), models.as_slice())).collect();
    let find = |name: &str| lists.get(name).copied();
    let is_long = |models| {
        let mut walk = ends(models, find);
        walk.by_ref().for_each(drop);
        walk.is_cut()
    };
    let long: NameSet<'_> =
        aliases.iter().filter(|(_, models)| is_long(models)).map(|(name, _)| name.as_str()).collect();
    // Whatever leads to one that is too long is too long as well: the cause is named alone.
    let causes = aliases.iter().filter(|(name, models)| {
        long.contains(name.as_str()) && !models.iter().any(|model| long.contains(model.as_str()))
    });
    for (alias, _) in causes {
        let wrong = format!("leads to more than {MAX_NAMES} names, other aliases on the way included");
        refuse(reader, format_args!("/aliases{}", Step(alias)), Err(wrong.into()));
    }
}

/// What providers call models.
pub(super) fn check_mapping(names: &Names<'_>, mapping: &ModelMapping, at: fmt::Arguments<'_>, reader: &mut Reader) {
    for (model, providers) in mapping {
        for (provider, _) in providers {
            refuse(reader, format_args!("{at}{}{}", Step(model), Step(provider)), names.provider(provider));
        }
    }
}

fn check_lists(names: &Names<'_>, lists: &ModelLists, at: fmt::Arguments<'_>, reader: &mut Reader) {
    for (model, list) in lists {
        let at = format_args!("{at}{}", Step(model));
        refuse(reader, at, names.pattern(model));
        check_list(names, list, at, reader);
        if let Some(index) = list.iter().position(|other| other == model) {
            refuse(reader, format_args!("{at}/{index}"), Err("stands in for itself".into()));
        }
    }
}

fn check_list(names: &Names<'_>, models: &[String], at: fmt::Arguments<'_>, reader: &mut Reader) {
    for (index, model) in models.iter().enumerate() {
        refuse(reader, format_args!("{at}/{index}"), names.model(model));
    }
}

/// The names from which a way leads back to them.
fn leading_back<'c>(ways: &[(&'c str, Vec<&'c str>)]) -> Vec<&'c str> {
    let places: NameMap<'_, usize> = ways.iter().enumerate().map(|(place, (name, _))| (*name, place)).collect();
    let place = |name: &&str| places.get(name).copied();
    let edges: Vec<Vec<usize>> = ways.iter().map(|(_, to)| to.iter().filter_map(place).collect()).collect();
    on_cycles(&edges).into_iter().filter_map(|index| ways.get(index).map(|(name, _)| *name)).collect()
}

fn strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
