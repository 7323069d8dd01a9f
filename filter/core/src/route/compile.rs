//! From the sections of the file to what is walked: names looked up, patterns and credentials ready.

use alloc::{
    boxed::Box,
    format,
    rc::Rc,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::{
    chance::{hash, mix},
    node::{Branch, Choosing, Leaf, Node, Strategy},
    strategy::rules::Rules,
};
use crate::{
    account::Account,
    catalogue::{Catalogue, own_id},
    config::{self, Config, Credential, Decimal, Destination, StrategyKind},
    gateway::Provider,
    map::NameMap,
};

/// What the sections of one level of the file refer to.
pub(super) struct Compiler<'c, E> {
    config: &'c Config,
    /// The enabled providers by name, with their sections.
    providers: NameMap<'c, (&'c Rc<Provider>, &'c config::Provider)>,
    catalogue: &'c Catalogue,
    environment: &'c E,
    /// Routing configurations by name.
    places: NameMap<'c, usize>,
}

impl<'c, E: Fn(&str) -> Option<String>> Compiler<'c, E> {
    pub(super) fn new(
        config: &'c Config,
        providers: &'c [Rc<Provider>],
        catalogue: &'c Catalogue,
        environment: &'c E,
    ) -> Self {
        let places = config.routing.iter().enumerate().map(|(place, (name, _))| (name.as_str(), place)).collect();
        let sections: NameMap<'_, _> =
            config.providers.iter().map(|section| (section.name.as_str(), section)).collect();
        let with_section = |provider: &'c Rc<Provider>| {
            let name = provider.name.as_str();
            sections.get(name).map(|section| (name, (provider, *section)))
        };
        let providers = providers.iter().filter_map(with_section).collect();
        Self { config, providers, catalogue, environment, places }
    }

    /// The routing configuration of this name.
    pub(super) fn named(&self, name: &str) -> Option<Node> {
        self.places.get(name).map(|place| Node::Named(*place))
    }

    /// A strategy; `at` is where it stands in the file.
    pub(super) fn strategy(&mut self, section: &config::Strategy, at: &str) -> Strategy {
        let choice = match section.kind {
            StrategyKind::Fallback => Choosing::Fallback,
            StrategyKind::Split => Choosing::Split(section.sticky.clone()),
            StrategyKind::Latency => Choosing::Latency,
            StrategyKind::Cheapest => Choosing::Cheapest,
            StrategyKind::LeastBusy => Choosing::LeastBusy,
            StrategyKind::Rules => Choosing::Rules(Rules::compile(self, section, at)),
            StrategyKind::Auto => Choosing::Auto,
        };
        let mut branches = self.branches(&section.targets, &format!("{at}/targets"));
        for provider in &section.providers {
            let leaf = Leaf { provider: Some(self.provider(provider)), account: None, model: None, own: None };
            branches.push(Branch {
                node: Node::Leaf(leaf),
                weight: Decimal::of(1),
                priority: u32::try_from(branches.len()).unwrap_or(u32::MAX),
                identity: identity([Some(provider), None, None]),
            });
        }
        Strategy { choice, branches, is_active: section.active }
    }

    /// The same, as a node.
    pub(super) fn node(&mut self, section: &config::Strategy, at: &str) -> Node {
        Node::Strategy(Box::new(self.strategy(section, at)))
    }

    /// Targets that are tried in order.
    pub(super) fn list(&mut self, targets: &[config::Target], at: &str) -> Node {
        let mut branches = self.branches(targets, at);
        match branches.pop() {
            Some(branch) if branches.is_empty() => branch.node,
            last => {
                branches.extend(last);
                Node::Strategy(Box::new(Strategy { choice: Choosing::Fallback, branches, is_active: true }))
            }
        }
    }

    fn branches(&mut self, targets: &[config::Target], at: &str) -> Vec<Branch> {
        let mut branches = Vec::with_capacity(targets.len());
        for (position, target) in targets.iter().enumerate() {
            let at = format!("{at}/{position}");
            let priority = target.priority.unwrap_or_else(|| u32::try_from(position).unwrap_or(u32::MAX));
            let (node, identity) = match &target.destination {
                Destination::Model { provider, account, model, credential } => {
                    let identity = identity([provider.as_ref(), account.as_ref(), model.as_ref()]);
                    let leaf = self.leaf(provider.as_deref(), model.as_deref(), credential.as_ref(), &at);
                    (Node::Leaf(Leaf { account: account.clone(), ..leaf }), identity)
                }
                Destination::Routing(name) => {
                    // The check of the file has refused a name that is not there.
                    let Some(node) = self.named(name) else { continue };
                    (node, hash(name.as_bytes()))
                }
                Destination::Strategy(section) => (self.node(section, &at), hash(format!("#{position}").as_bytes())),
            };
            // Two that are the same have a share each.
            let mut own = identity;
            while branches.iter().any(|other: &Branch| other.identity == own) {
                own = mix(own.wrapping_add(1));
            }
            branches.push(Branch { node, weight: target.weight, priority, identity: own });
        }
        branches
    }

    fn leaf(&self, provider: Option<&str>, model: Option<&str>, credential: Option<&Credential>, at: &str) -> Leaf {
        let owner = provider.map(|name| self.provider(name));
        let own = credential.map(|credential| {
            let mut users = Vec::new();
            match (&owner, model) {
                (Some(owner), _) => users.extend(owner.clone()),
                (None, Some(model)) => users = self.owners(model),
                (None, None) => {}
            }
            let account = |user: Rc<Provider>| self.account(&user, credential, at).map(|account| (user, account));
            users.into_iter().filter_map(account).collect()
        });
        let model = model.map(|model| provider.map_or(model, |provider| own_id(provider, model)).to_string());
        Leaf { provider: owner, account: None, model, own }
    }

    fn provider(&self, name: &str) -> Result<Rc<Provider>, String> {
        self.providers.get(name).map(|(provider, _)| Rc::clone(provider)).ok_or_else(|| name.to_string())
    }

    /// The providers that a model may be sent to.
    fn owners(&self, model: &str) -> Vec<Rc<Provider>> {
        let mut owners: Vec<Rc<Provider>> = vec![];
        for choice in self.catalogue.names(model).flat_map(|name| self.catalogue.meanings(name)) {
            if !owners.iter().any(|owner| Rc::ptr_eq(owner, choice.provider)) {
                owners.push(Rc::clone(choice.provider));
            }
        }
        owners
    }

    fn account(&self, provider: &Provider, credential: &Credential, at: &str) -> Option<Rc<Account>> {
        let (_, section) = self.providers.get(provider.name.as_str())?;
        let named = (at.to_string(), credential.clone());
        Some(Rc::new(Account::of_target(section, named, &self.config.retry, self.environment)))
    }
}

/// What tells one target from another, wherever it stands.
fn identity(parts: [Option<&String>; 3]) -> u64 {
    hash(parts.map(|part| part.map(String::as_str).unwrap_or_default()).join("\0").as_bytes())
}
