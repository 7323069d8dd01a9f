//! The walk of one request: from names and strategies to candidates in order, and why others are none.
//!
//! It is bounded: by the nodes that it visits, because routing configurations that refer to others can be written so that their
//! ways are more than anybody could walk, and by the depth of its recursion. The check of the file refuses what these bounds
//! would cut.

use alloc::{format, string::String, vec::Vec};
use core::cell::OnceCell;

use super::{
    Conditions, Cooling, Dropped, Query, Routing, What, accounts,
    candidate::Candidate,
    chance::{Chance, hash},
    estimate,
    node::{Choosing, Leaf, Node, Strategy},
    strategy::{
        Prospect, cheapest, cheapest::Expected, fallback, latency, least_busy, ordered, rules::Occasion, split,
    },
};
use crate::{
    audit::By,
    auth::Glob,
    catalogue::{Catalogue, Choice},
    config::{ModelMapping, Sticky},
    dialect::Ability,
    error::{Error, Kind},
    surface::Endpoint,
};

/// So many nodes are visited, names looked up included.
pub(crate) const MAX_VISITS: usize = 1024;

/// So many strategies stand in each other.
pub(crate) const MAX_DEPTH: usize = 32;

/// See the module's documentation.
pub(super) struct Survey<'a> {
    pub(super) routing: &'a Routing,
    pub(super) catalogue: &'a Catalogue,
    pub(super) query: &'a Query<'a>,
    pub(super) conditions: &'a Conditions<'a>,
    /// What the router calls models at its providers.
    pub(super) mapping: Option<&'a ModelMapping>,
    chance: Chance<'a>,
    pub(super) dropped: Vec<Dropped>,
    pub(super) cooling: Vec<Cooling>,
    /// The models that were considered, where lists of fallbacks are held against them.
    pub(super) met: Vec<Choice<'a>>,
    /// What has decided, where that was not the model asked for.
    pub(super) decided: Option<(By, &'a Node)>,
    spellings: OnceCell<Vec<String>>,
    visits_left: usize,
}

impl<'a> Survey<'a> {
    pub(super) fn new(
        routing: &'a Routing,
        catalogue: &'a Catalogue,
        query: &'a Query<'a>,
        conditions: &'a Conditions<'a>,
    ) -> Self {
        Self {
            routing,
            catalogue,
            query,
            conditions,
            mapping: None,
            chance: Chance::new(conditions.entropy),
            dropped: Vec::new(),
            cooling: Vec::new(),
            met: Vec::new(),
            decided: None,
            spellings: OnceCell::new(),
            visits_left: MAX_VISITS,
        }
    }

    /// The candidates behind a node, in order. `None` where it decides nothing: it is inactive, or no rule matches.
    pub(super) fn walk(&mut self, node: &'a Node, depth: usize) -> Option<Vec<Candidate<'a>>> {
        self.visits_left = self.visits_left.checked_sub(1)?;
        let depth = depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
        match node {
            Node::Leaf(leaf) => {
                let mut found = Vec::new();
                self.visit(leaf, &mut found);
                Some(found)
            }
            Node::Named(place) => self.weigh(self.routing.named.get(*place)?, depth),
            Node::Strategy(strategy) => self.weigh(strategy, depth),
        }
    }

    /// The candidates of a strategy.
    pub(super) fn weigh(&mut self, strategy: &'a Strategy, depth: usize) -> Option<Vec<Candidate<'a>>> {
        if !strategy.is_active {
            return None;
        }
        match &strategy.choice {
            Choosing::Rules(rules) => {
                let node = rules.decide(&Occasion {
                    query: self.query,
                    spellings: &|pattern| self.is_spelled(pattern),
                    epoch_seconds: self.conditions.clock.epoch_seconds(),
                })?;
                return self.walk(node, depth);
            }
            // Until requests are classified, every one is of the kind that has no list of its own.
            Choosing::Auto => return Some(self.models(self.catalogue.asked(None))),
            Choosing::Fallback | Choosing::Split(_) | Choosing::Latency | Choosing::Cheapest | Choosing::LeastBusy => {}
        }
        let mut prospects = Vec::with_capacity(strategy.branches.len());
        for branch in &strategy.branches {
            let candidates = self.walk(&branch.node, depth).unwrap_or_default();
            if !candidates.is_empty() {
                let (weight, priority, identity) = (branch.weight, branch.priority, branch.identity);
                prospects.push(Prospect { candidates, weight, priority, identity });
            }
        }
        if prospects.len() > 1 {
            let ranks = self.rank(&strategy.choice, &prospects);
            prospects = ordered(prospects, &ranks);
        }
        Some(prospects.into_iter().flat_map(|prospect| prospect.candidates).collect())
    }

    fn rank(&self, choice: &Choosing, prospects: &[Prospect<'_>]) -> Vec<u128> {
        let (query, observed, chance) = (self.query, self.conditions.observed, &self.chance);
        match choice {
            Choosing::Split(sticky) => {
                split::rank(prospects, sticky.as_ref().and_then(|sticky| kept_by(sticky, query)), chance)
            }
            Choosing::Latency => latency::rank(prospects, query.stream, observed, chance),
            Choosing::Cheapest => {
                let expected = match query.endpoint {
                    Endpoint::Images => Expected::Image,
                    Endpoint::Embeddings => Expected::Tokens { input: query.input_tokens, output: 0 },
                    Endpoint::ChatCompletions
                    | Endpoint::Responses
                    | Endpoint::Kept
                    | Endpoint::Completions
                    | Endpoint::Messages
                    | Endpoint::TokenCount
                    | Endpoint::LiveMetrics
                    | Endpoint::Policy
                    | Endpoint::Other => Expected::answered(query.input_tokens, query.max_output_tokens),
                };
                cheapest::rank(prospects, expected, observed)
            }
            Choosing::LeastBusy => least_busy::rank(prospects, observed, chance),
            Choosing::Fallback | Choosing::Rules(_) | Choosing::Auto => fallback::rank(prospects, chance),
        }
    }

    /// The candidates of models by name, one after the other.
    pub(super) fn models(&mut self, names: impl IntoIterator<Item = &'a str>) -> Vec<Candidate<'a>> {
        let mut found = Vec::new();
        for name in names {
            for name in self.catalogue.names(name) {
                self.find(name, None, &mut found);
            }
        }
        found
    }

    /// The accounts of the model that a name means, which is no alias.
    pub(super) fn find(&mut self, name: &'a str, leaf: Option<&'a Leaf>, found: &mut Vec<Candidate<'a>>) {
        let Some(left) = self.visits_left.checked_sub(1) else { return };
        self.visits_left = left;
        let caller = self.query.caller;
        let brings_credential = leaf.is_some_and(|leaf| leaf.own.is_some());
        let check = |choice: &Choice<'_>| {
            choice.check_scope(caller)?;
            if brings_credential { Ok(()) } else { choice.check_configured(caller) }
        };
        match self.catalogue.find_checked(name, &check) {
            Ok(choice) => self.admit(choice, leaf, found),
            Err(error) => {
                if error.kind == Kind::UpstreamUnavailable && self.routing.has_lists() {
                    self.met.extend(self.catalogue.meanings(name));
                }
                self.drop_candidate(name, error);
            }
        }
    }

    fn visit(&mut self, leaf: &'a Leaf, found: &mut Vec<Candidate<'a>>) {
        let provider = match &leaf.provider {
            Some(Ok(provider)) => provider,
            Some(Err(name)) => {
                let model = leaf.model.as_deref().map_or_else(String::new, |model| format!("/{model}"));
                let error = Error::new(Kind::ModelNotFound, format!("The provider `{name}` is disabled."));
                return self.drop_candidate(&format!("{name}{model}"), error);
            }
            None => {
                for name in leaf.model.iter().flat_map(|model| self.catalogue.names(model)) {
                    self.find(name, Some(leaf), found);
                }
                return;
            }
        };
        let choice = match &leaf.model {
            Some(model) if self.catalogue.is_alias(model) => self.catalogue.offered(provider, model, None),
            Some(model) => self.catalogue.at(provider, model),
            None => match self.catalogue.asked(self.query.model) {
                Some(asked) => self.catalogue.offered(provider, asked, self.mapping),
                None => Err(unnamed()),
            },
        };
        let checked = choice.and_then(|choice| {
            choice.check_scope(self.query.caller)?;
            if leaf.own.is_none() {
                choice.check_configured(self.query.caller)?;
            }
            Ok(choice)
        });
        match checked {
            Ok(choice) => self.admit(choice, Some(leaf), found),
            Err(error) => {
                let name = leaf.model.as_ref().map_or_else(String::new, |model| format!("/{model}"));
                self.drop_candidate(&format!("{}{name}", provider.name), error);
            }
        }
    }

    /// Adds the accounts of a model that the caller may have, if it can do what is asked.
    fn admit(&mut self, choice: Choice<'a>, leaf: Option<&'a Leaf>, found: &mut Vec<Candidate<'a>>) {
        if self.routing.has_lists() {
            self.met.push(choice);
        }
        if let Err(error) = self
            .check_ability(&choice)
            .and_then(|()| accounts::add(choice, leaf, self.query.caller, &self.chance, found))
        {
            self.drop_candidate(&full_name(&choice), error);
        }
    }

    fn check_ability(&self, choice: &Choice<'_>) -> Result<(), Error> {
        let query = self.query;
        let name = || full_name(choice);
        if query.has_images && choice.lacks("vision") {
            return Err(Error::refusing(format!("The model `{}` does not take images.", name()), "messages"));
        }
        if query.has_tools && choice.lacks("tools") {
            return Err(Error::refusing(format!("The model `{}` does not take tools.", name()), "tools"));
        }
        if let What::Chat(..) = query.what
            && !query.what.is_about_answers()
            && choice.provider.vendor.only_responds(choice.id)
        {
            let message = format!("The model `{}` is asked at `/responses` only.", name());
            return Err(Error::refusing(message, "model"));
        }
        if let What::Task(task) = query.what {
            // Of many texts each may be as long as the window.
            return task.check(choice.provider.spec.dialect, choice.id, &name());
        }
        let (input, output) = (query.input_tokens, query.max_output_tokens.unwrap_or_default());
        match choice.context_window() {
            // How long it is, is what is asked.
            Some(window) if query.endpoint != Endpoint::TokenCount && !estimate::fits(input, output, window) => {
                let message = format!(
                    "The model `{}` has a context of {window} tokens; the request is estimated at {input} tokens of input, \
                     and asks for up to {output} of output.",
                    name()
                );
                Err(Error::new(Kind::ContextLengthExceeded, message).blaming("messages"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Those whose formats can say what is asked for.
    pub(super) fn able(&mut self, mut candidates: Vec<Candidate<'a>>) -> Vec<Candidate<'a>> {
        if let What::Chat(wishes, own) = self.query.what
            && !wishes.is_empty()
        {
            candidates.retain(|Candidate { choice, target, .. }| {
                let spec = choice.provider.spec;
                let able = match (target.account.speaks(spec, own, choice.id), target.account.keeps_answers()) {
                    (true, true) => Ok(()),
                    (true, false) => wishes.forbid(Ability::State),
                    (false, _) => wishes.require(spec.dialect.abilities(choice.id)),
                };
                able.map_err(|error| self.drop_candidate(&full_name(choice), error)).is_ok()
            });
        }
        candidates
    }

    pub(super) fn drop_candidate(&mut self, candidate: &str, error: Error) {
        if !self.dropped.iter().any(|dropped| dropped.candidate == candidate && dropped.error == error) {
            self.dropped.push(Dropped { candidate: candidate.into(), error });
        }
    }

    /// Whether the model asked for is meant by a pattern.
    fn is_spelled(&self, pattern: &Glob) -> bool {
        let spellings = self.spellings.get_or_init(|| {
            let names = self.catalogue.asked(self.query.model).into_iter().flat_map(|name| self.catalogue.names(name));
            names.flat_map(|name| spellings(name, &self.catalogue.meanings(name))).collect()
        });
        spellings.iter().any(|spelling| pattern.matches(spelling))
    }
}

fn full_name(choice: &Choice<'_>) -> String {
    format!("{}/{}", choice.provider.name, choice.name())
}

/// What a name and the models that it means are called.
pub(super) fn spellings(name: &str, choices: &[Choice<'_>]) -> Vec<String> {
    let mut spellings = Vec::new();
    if choices.is_empty() {
        spellings.push(name.into());
    }
    for choice in choices {
        let (provider, name) = (choice.provider, choice.name());
        spellings.push(name.into());
        spellings.push(format!("{}/{name}", provider.name));
        if choice.id != name {
            spellings.push(choice.id.into());
            spellings.push(format!("{}/{}", provider.name, choice.id));
        }
    }
    spellings
}

/// What keeps its target, where the request has it.
fn kept_by(sticky: &Sticky, query: &Query<'_>) -> Option<u64> {
    let text = match sticky {
        Sticky::User => query.user?.as_bytes(),
        Sticky::Key => query.caller.key()?.id.as_bytes(),
        Sticky::Header(name) => query.headers.get(name)?,
    };
    Some(hash(text))
}

pub(super) fn unnamed() -> Error {
    Error::refusing("You must say which `model` to use.", "model")
}
