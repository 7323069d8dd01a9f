//! What the configurations of one VM know of targets: a gateway's catalogue lists models.
//!
//! There may be several at a time: two listeners with files of their own, or the old and the new one while streams of the old one
//! go on. What one of them lists is listed; one that nobody keeps any more lists nothing.

use alloc::{
    rc::{Rc, Weak},
    vec::Vec,
};

use crate::{
    gateway::{Gateway, Provider},
    health::NameRef,
};

use super::Roster;

/// Those that are in use.
#[derive(Debug, Default)]
pub(super) struct Rosters(Vec<Weak<dyn Roster>>);

impl Rosters {
    pub(super) fn add(&mut self, roster: &Rc<dyn Roster>) {
        self.0.retain(|other| other.strong_count() > 0);
        self.0.push(Rc::downgrade(roster));
    }
}

impl Roster for Rosters {
    fn lists(&self, name: NameRef<'_>) -> bool {
        self.0.iter().filter_map(Weak::upgrade).any(|roster| roster.lists(name))
    }
}

impl Roster for Gateway {
    /// Also what is only in an environment.
    fn lists(&self, name: NameRef<'_>) -> bool {
        let is_it =
            |provider: &Rc<Provider>| provider.name == name.provider && provider.environment() == name.environment;
        let is_here = self.providers.iter().any(is_it) && self.catalogue.lists(name.provider, name.model);
        is_here || self.environments.values().any(|inside| inside.lists(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_catalogue_and_the_file_have_is_listed() {
        let file = r#"{"providers":{"openai":{"kind":"openai","credential":{"value":"k"}},
                "own":{"kind":"ollama","base_url":"http://127.0.0.1:1"},
                "anthropic":{"kind":"anthropic","credential":{"value":"k"}}},
                "models":{"own/llama3.2":{"id":"llama3.2:latest"}},
                "aliases":{"smart":"openai/gpt-4o","own/alias":"openai/gpt-4o"}}"#;
        let gateway = Gateway::new(&crate::config::parse(file).unwrap(), |_| None);
        let lists = |name: &str| {
            let (provider, model) = name.split_once('/').unwrap();
            gateway.lists(NameRef { environment: "", provider, account: "default", model })
        };
        for name in ["openai/gpt-4o", "own/llama3.2", "own/llama3.2:latest"] {
            assert!(lists(name), "{name}");
        }
        for name in ["anthropic/gpt-4o", "openai/invented", "invented/gpt-4o", "own/smart"] {
            assert!(!lists(name), "{name}");
        }
    }

    #[test]
    fn what_is_only_in_an_environment_is_listed_too() {
        let file = r#"{"providers":{"openai":{"kind":"openai","credential":{"value":"k"}},
                "groq":{"kind":"openai","base_url":"https://api.groq.com/openai/v1","enabled":false}},
                "models":{"groq/own":{}},
                "environments":{"staging":{"providers":{"groq":{"enabled":true},"openai":{"credential":{"value":"l"}}}}}}"#;
        let gateway = Gateway::new(&crate::config::parse(file).unwrap(), |_| None);
        let lists =
            |environment, provider, model| gateway.lists(NameRef { environment, provider, account: "default", model });
        // As it is at the top level, but for being there at all.
        assert!(lists("", "groq", "own") && !lists("staging", "groq", "own"));
        assert!(lists("", "openai", "gpt-4o") && lists("staging", "openai", "gpt-4o"));
        assert!(!lists("prod", "openai", "gpt-4o") && !lists("staging", "openai", "invented"));
    }
}
