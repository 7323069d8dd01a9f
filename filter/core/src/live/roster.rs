//! What a configuration knows of targets: which are listed, and of which it asks how busy they are.

use alloc::{rc::Rc, string::String, vec::Vec};

use crate::{
    config::{Config, Destination, KeyRouting, Router, Strategy, StrategyKind},
    gateway::Gateway,
    health::NameRef,
};

use super::Roster;

/// See the module's documentation.
#[derive(Debug)]
pub struct Known {
    gateway: Rc<Gateway>,
    busy: Busy,
}

/// The providers of whose targets a `least_busy` strategy chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Busy {
    /// All: it names something that may be anywhere.
    Any,
    /// These.
    Of(Vec<String>),
}

impl Known {
    /// What this configuration and the gateway made from it know.
    #[must_use]
    pub fn new(config: &Config, gateway: Rc<Gateway>) -> Rc<Self> {
        Rc::new(Self { gateway, busy: Busy::of(config) })
    }
}

impl Roster for Known {
    fn lists(&self, NameRef { provider, model, .. }: NameRef<'_>) -> bool {
        self.gateway.catalogue.lists(provider, model)
    }

    fn counts(&self, name: NameRef<'_>) -> bool {
        match &self.busy {
            Busy::Any => true,
            Busy::Of(providers) => providers.iter().any(|provider| provider == name.provider),
        }
    }
}

impl Busy {
    fn of(config: &Config) -> Self {
        let mut busy = Self::Of(Vec::new());
        let named = |routing: &[(String, Strategy)], busy: &mut Self| {
            for (_, strategy) in routing {
                busy.add(config, strategy, false);
            }
        };
        let routed = |routers: &[Router], busy: &mut Self| {
            for router in routers {
                let kinds = [&router.load_balance.chat, &router.load_balance.embeddings, &router.load_balance.images];
                for strategy in kinds.into_iter().flatten() {
                    busy.add(config, strategy, false);
                }
            }
        };
        named(&config.routing, &mut busy);
        routed(&config.routers, &mut busy);
        for environment in &config.environments {
            named(&environment.routing, &mut busy);
            routed(&environment.routers, &mut busy);
        }
        let keys = config.environments.iter().flat_map(|environment| &environment.keys).chain(&config.keys);
        for key in keys {
            if let Some(KeyRouting::Inline(strategy)) = &key.routing {
                busy.add(config, strategy, false);
            }
        }
        busy
    }

    /// What a strategy asks for, or one in it; `is_asked` by one around it.
    fn add(&mut self, config: &Config, strategy: &Strategy, is_asked: bool) {
        let is_asked = is_asked || strategy.kind == StrategyKind::LeastBusy;
        if is_asked {
            for provider in &strategy.providers {
                self.insert(provider);
            }
        }
        let ruled = strategy.rules.iter().flat_map(|rule| &rule.then);
        for target in strategy.targets.iter().chain(&strategy.otherwise).chain(ruled) {
            match &target.destination {
                Destination::Strategy(strategy) => self.add(config, strategy, is_asked),
                Destination::Routing(_) if is_asked => *self = Self::Any,
                Destination::Model { provider, model, .. } if is_asked => {
                    match provider.as_deref().or_else(|| owner(config, model.as_deref()?)) {
                        Some(provider) => self.insert(provider),
                        None => *self = Self::Any,
                    }
                }
                Destination::Routing(_) | Destination::Model { .. } => {}
            }
        }
    }

    fn insert(&mut self, provider: &str) {
        if let Self::Of(providers) = self
            && !providers.iter().any(|other| other == provider)
        {
            providers.push(provider.into());
        }
    }
}

/// The provider that a model's name says.
fn owner<'a>(config: &Config, model: &'a str) -> Option<&'a str> {
    let is_alias = config.aliases.iter().any(|(alias, _)| alias == model);
    let (owner, _) = model.split_once('/').filter(|_| !is_alias)?;
    config.providers.iter().any(|provider| provider.name == owner).then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn known(rest: &str) -> Rc<Known> {
        let file = format!(
            r#"{{"providers":{{"openai":{{"kind":"openai","credential":{{"value":"k"}}}},
                "own":{{"kind":"ollama","base_url":"http://127.0.0.1:1"}},
                "anthropic":{{"kind":"anthropic","credential":{{"value":"k"}}}}}},
                "models":{{"own/llama3.2":{{"id":"llama3.2:latest"}}}},
                "aliases":{{"smart":"openai/gpt-4o","own/alias":"openai/gpt-4o"}}{rest}}}"#
        );
        let config = crate::config::parse(&file).unwrap();
        Known::new(&config, Rc::new(Gateway::new(&config, |_| None)))
    }

    #[test]
    fn what_the_catalogue_and_the_file_have_is_listed() {
        let known = known("");
        let lists = |name: &str| {
            let (provider, model) = name.split_once('/').unwrap();
            known.lists(NameRef { provider, account: "default", model })
        };
        for name in ["openai/gpt-4o", "own/llama3.2", "own/llama3.2:latest"] {
            assert!(lists(name), "{name}");
        }
        for name in ["anthropic/gpt-4o", "openai/invented", "invented/gpt-4o", "own/smart"] {
            assert!(!lists(name), "{name}");
        }
    }

    #[test]
    fn who_is_named_by_a_least_busy_strategy_is_counted_and_nobody_else() {
        let counted = |rest: &str| {
            let known = known(rest);
            ["openai", "own", "anthropic"].map(|provider| known.counts(NameRef { provider, account: "", model: "" }))
        };
        let balanced =
            |strategy: &str| counted(&format!(r#","routers":{{"r":{{"load_balance":{{"chat":{strategy}}}}}}}"#));
        assert_eq!(counted(""), [false; 3]);
        assert_eq!(balanced(r#"{"strategy":"latency","targets":["openai/gpt-4o"]}"#), [false; 3]);
        assert_eq!(
            balanced(r#"{"strategy":"least_busy","targets":["openai/gpt-4o",{"provider":"own"}]}"#),
            [true, true, false]
        );
        assert_eq!(balanced(r#"{"strategy":"least_busy","providers":["anthropic"]}"#), [false, false, true]);
        let nested = r#"{"strategy":"fallback","targets":["anthropic/claude-sonnet-4-5",
            {"strategy":"least_busy","targets":[{"strategy":"split","targets":["own/llama3.2"]}]}]}"#;
        assert_eq!(balanced(nested), [false, true, false]);
        for anywhere in ["smart", "gpt-4o", "own/alias"] {
            assert_eq!(balanced(&format!(r#"{{"strategy":"least_busy","targets":["{anywhere}"]}}"#)), [true; 3]);
        }
        let key = r#","keys":[{"id":"k","sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","routing":{"strategy":"least_busy","providers":["own"]}}]"#;
        assert_eq!(counted(key), [false, true, false]);
    }
}
