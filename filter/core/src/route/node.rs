//! Routing configurations, ready to be walked.

use alloc::{boxed::Box, rc::Rc, string::String, vec::Vec};

use super::strategy::rules::Rules;
use crate::{
    account::Account,
    config::{Decimal, Sticky},
    gateway::Provider,
};

/// Where a way leads.
#[derive(Debug)]
pub(super) enum Node {
    Leaf(Leaf),
    /// To the routing configuration with this place in [`super::Routing::named`].
    Named(usize),
    Strategy(Box<Strategy>),
}

/// A provider, a model, or both.
#[derive(Debug)]
pub(super) struct Leaf {
    /// The provider; its name where it is disabled.
    pub(super) provider: Option<Result<Rc<Provider>, String>>,
    /// The one account that is meant.
    pub(super) account: Option<String>,
    /// Without the provider's own name before it, where there is one.
    pub(super) model: Option<String>,
    /// Used instead of the accounts of a provider, where the target brings a credential.
    pub(super) own: Option<Vec<(Rc<Provider>, Rc<Account>)>>,
}

/// How one of several is chosen.
#[derive(Debug)]
pub(super) struct Strategy {
    pub(super) choice: Choosing,
    pub(super) branches: Vec<Branch>,
    pub(super) is_active: bool,
}

/// One of several.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) node: Node,
    pub(super) weight: Decimal,
    pub(super) priority: u32,
    /// What tells it from the others, however they are ordered: a hash.
    pub(super) identity: u64,
}

/// The ways of choosing.
#[derive(Debug)]
pub(super) enum Choosing {
    Fallback,
    Split(Option<Sticky>),
    Latency,
    Cheapest,
    LeastBusy,
    Rules(Rules),
    Auto,
}

impl Choosing {
    /// What it is called in the file.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Fallback => "fallback",
            Self::Split(_) => "split",
            Self::Latency => "latency",
            Self::Cheapest => "cheapest",
            Self::LeastBusy => "least_busy",
            Self::Rules(_) => "rules",
            Self::Auto => "auto",
        }
    }
}
