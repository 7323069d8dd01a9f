//! Where requests may be sent: models, providers and routing configurations that exist, and no way that leads back to itself.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    super::{
        aliases::{MAX_NAMES, ends},
        raw::{Config, ModelLists},
        reader::{Reader, step},
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
    pub(super) fn check_routing(&self, routing: &Routing, at: &str, reader: &mut Reader) {
        let pointer = |name: &str| format!("{at}/routing{}", step(name));
        for (name, strategy) in routing {
            self.check_strategy(strategy, &pointer(name), reader);
        }
        if routing.is_empty() {
            return;
        }
        let ways = self.names.strategies().map(|(name, strategy)| (name.as_str(), references(strategy)));
        let own: NameSet<'_> = routing.iter().map(|(name, _)| name.as_str()).collect();
        for name in leading_back(&ways.collect::<Vec<_>>()) {
            if own.contains(name) {
                refuse(reader, &pointer(name), Err("leads back to itself".to_string()));
            }
        }
    }

    /// A strategy and all that is nested in it; how deep, the reader has bounded.
    pub(super) fn check_strategy(&self, strategy: &Strategy, at: &str, reader: &mut Reader) {
        for (index, provider) in strategy.providers.iter().enumerate() {
            refuse(reader, &format!("{at}/providers/{index}"), self.names.provider(provider));
        }
        for (index, target) in strategy.targets.iter().enumerate() {
            self.check_target(target, &format!("{at}/targets/{index}"), reader);
        }
        for (index, rule) in strategy.rules.iter().enumerate() {
            let at = format!("{at}/rules/{index}");
            if let Some(team) = &rule.when.team {
                refuse(reader, &format!("{at}/when/team"), self.names.team(team));
            }
            for pattern in &rule.when.model {
                refuse(reader, &format!("{at}/when/model"), self.names.pattern(pattern));
            }
            self.check_targets(&rule.then, &format!("{at}/then"), reader);
        }
        self.check_targets(&strategy.otherwise, &format!("{at}/else"), reader);
    }

    /// Targets that are written as a list, or one without.
    fn check_targets(&self, targets: &[Target], at: &str, reader: &mut Reader) {
        match targets {
            [target] => self.check_target(target, at, reader),
            targets => {
                for (index, target) in targets.iter().enumerate() {
                    self.check_target(target, &format!("{at}/{index}"), reader);
                }
            }
        }
    }

    fn check_target(&self, target: &Target, at: &str, reader: &mut Reader) {
        match &target.destination {
            Destination::Model { provider, account: _, model, credential: _ } => {
                if let Some(provider) = provider {
                    refuse(reader, &format!("{at}/provider"), self.names.provider(provider));
                }
                // Short or long, which is not known any more.
                if let Some(model) = model {
                    refuse(reader, at, self.names.model(model));
                }
            }
            Destination::Routing(name) => refuse(reader, &format!("{at}/routing"), self.names.routing(name)),
            Destination::Strategy(strategy) => self.check_strategy(strategy, at, reader),
        }
    }
}

/// The models that the file names outside of strategies.
pub(super) fn check_models(names: &Names<'_>, config: &Config, reader: &mut Reader) {
    for model in &config.models {
        refuse(reader, &format!("/models{}", step(&model.name)), names.pattern(&model.name));
    }
    for (alias, models) in &config.aliases {
        let at = format!("/aliases{}", step(alias));
        if models.is_empty() {
            refuse(reader, &at, Err("leads to no model".to_string()));
        }
        for model in models {
            refuse(reader, &at, names.model(model));
        }
    }
    check_ways(&config.aliases, reader);
    check_mapping(names, &config.model_mapping, "/model_mapping", reader);
    check_lists(names, &config.fallbacks, "/fallbacks", reader);
    check_lists(names, &config.context_fallbacks, "/context_fallbacks", reader);
    check_lists(names, &config.content_fallbacks, "/content_fallbacks", reader);
    check_list(names, &config.fallback_models, "/fallback_models", reader);
    if let Some(model) = &config.auto.default_model {
        refuse(reader, "/auto/default_model", names.model(model));
    }
    for (task, level, models) in config.auto.lists() {
        check_list(names, models, &format!("/auto/task_routes/{task}/{level}"), reader);
    }
}

/// Aliases come to an end, and soon.
fn check_ways(aliases: &ModelLists, reader: &mut Reader) {
    let ways: Vec<_> = aliases.iter().map(|(name, models)| (name.as_str(), strs(models))).collect();
    for alias in leading_back(&ways) {
        refuse(reader, &format!("/aliases{}", step(alias)), Err("leads back to itself".to_string()));
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
        refuse(reader, &format!("/aliases{}", step(alias)), Err(wrong));
    }
}

/// What providers call models.
pub(super) fn check_mapping(names: &Names<'_>, mapping: &ModelMapping, at: &str, reader: &mut Reader) {
    for (model, providers) in mapping {
        for (provider, _) in providers {
            refuse(reader, &format!("{at}{}{}", step(model), step(provider)), names.provider(provider));
        }
    }
}

fn check_lists(names: &Names<'_>, lists: &ModelLists, at: &str, reader: &mut Reader) {
    for (model, list) in lists {
        let at = format!("{at}{}", step(model));
        refuse(reader, &at, names.pattern(model));
        check_list(names, list, &at, reader);
        if let Some(index) = list.iter().position(|other| other == model) {
            refuse(reader, &format!("{at}/{index}"), Err("stands in for itself".to_string()));
        }
    }
}

fn check_list(names: &Names<'_>, models: &[String], at: &str, reader: &mut Reader) {
    for (index, model) in models.iter().enumerate() {
        refuse(reader, &format!("{at}/{index}"), names.model(model));
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
