//! Whom a router can ask: the providers to which its strategies lead, for what it lists.
//!
//! It is everybody where there is no strategy, or where one may leave it to the model that is asked for.

use alloc::{rc::Rc, vec::Vec};

use super::{
    Routing, Way,
    node::{Choosing, Node, Strategy},
    survey::MAX_VISITS,
};
use crate::{auth::Caller, catalogue::Catalogue, gateway::Provider};

/// A walk along every way.
struct Walk<'a> {
    routing: &'a Routing,
    catalogue: &'a Catalogue,
    providers: Vec<Rc<Provider>>,
    visits_left: usize,
}

impl Routing {
    /// The providers that a caller's requests can lead to on a way; `None` where that is everybody.
    #[must_use]
    pub fn reach_of(&self, caller: &Caller, way: Way<'_>, catalogue: &Catalogue) -> Option<Vec<Rc<Provider>>> {
        let of_key = self.of_key(caller).filter(|_| way != Way::Ai);
        let walked = of_key.and_then(|node| {
            let mut walk = Walk { routing: self, catalogue, providers: Vec::new(), visits_left: MAX_VISITS };
            walk.node(node).map(|()| walk.providers)
        });
        match way {
            Way::Router(name) => walked.or_else(|| self.reach(name, catalogue)),
            Way::Default | Way::Ai => walked,
        }
    }

    /// The providers that the router of this name can ask; `None` where that is everybody.
    #[must_use]
    pub fn reach(&self, router: &str, catalogue: &Catalogue) -> Option<Vec<Rc<Provider>>> {
        let router = self.routers.get(router)?;
        let strategies = || [&router.chat, &router.embeddings, &router.images].into_iter().flatten();
        strategies().next()?;
        let mut walk = Walk { routing: self, catalogue, providers: Vec::new(), visits_left: MAX_VISITS };
        strategies().try_for_each(|node| walk.node(node))?;
        Some(walk.providers)
    }
}

impl Walk<'_> {
    /// `None` where it leads anywhere.
    fn node(&mut self, node: &Node) -> Option<()> {
        // The check of the file refuses what leads in a circle, and each node costs one of these.
        self.visits_left = self.visits_left.checked_sub(1)?;
        let routing = self.routing;
        match node {
            Node::Leaf(leaf) => {
                match (&leaf.provider, &leaf.model) {
                    (Some(Ok(provider)), _) => self.add(provider),
                    (Some(Err(_)), _) => {}
                    (None, Some(model)) => {
                        let catalogue = self.catalogue;
                        for choice in catalogue.names(model).flat_map(|name| catalogue.meanings(name)) {
                            self.add(choice.provider);
                        }
                    }
                    (None, None) => return None,
                }
                Some(())
            }
            Node::Named(place) => self.strategy(routing.named.get(*place)?),
            Node::Strategy(strategy) => self.strategy(strategy),
        }
    }

    fn strategy(&mut self, strategy: &Strategy) -> Option<()> {
        if !strategy.is_active {
            return None;
        }
        match &strategy.choice {
            Choosing::Auto => None,
            Choosing::Rules(rules) => rules.ways()?.try_for_each(|node| self.node(node)),
            Choosing::Fallback | Choosing::Split(_) | Choosing::Latency | Choosing::Cheapest | Choosing::LeastBusy => {
                strategy.branches.iter().try_for_each(|branch| self.node(&branch.node))
            }
        }
    }

    fn add(&mut self, provider: &Rc<Provider>) {
        if !self.providers.iter().any(|other| Rc::ptr_eq(other, provider)) {
            self.providers.push(Rc::clone(provider));
        }
    }
}
