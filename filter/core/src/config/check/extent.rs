//! How far routing configurations lead. A request walks one from its root, and the walk has its bounds: of a few configurations
//! that each name the next one twice, the ways are more than anybody could walk.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use super::{
    super::{
        reader::Reader,
        routing::{Destination, Strategy, StrategyKind, Target},
    },
    refuse,
};
use crate::map::NameMap;
use crate::route::{MAX_DEPTH, MAX_VISITS};

/// How far the strategies of one level of the file lead, by name; those that lead back to themselves are not here.
pub(super) struct Extents<'c>(NameMap<'c, Extent>);

#[derive(Clone, Copy)]
struct Extent {
    places: usize,
    depth: usize,
}

impl<'c> Extents<'c> {
    pub(super) fn of(strategies: impl Iterator<Item = &'c (String, Strategy)>) -> Self {
        let strategies: Vec<_> = strategies.collect();
        let mut known = NameMap::default();
        // By rounds and not by recursion, whose depth the file would decide. Whatever is just too deep is known after these.
        for _ in 0..=MAX_DEPTH {
            let before = known.len();
            for (name, strategy) in &strategies {
                if let Some(extent) = Extent::of(strategy, &known) {
                    known.insert(name.as_str(), extent);
                }
            }
            if known.len() == before {
                break;
            }
        }
        Self(known)
    }

    /// Reports a strategy that leads too far while nothing that it refers to does.
    pub(super) fn check(&self, strategy: &Strategy, at: fmt::Arguments<'_>, reader: &mut Reader) {
        let excess = |extent: Extent| match extent {
            Extent { depth, .. } if depth > MAX_DEPTH => Some(format!("nests more than {MAX_DEPTH} strategies")),
            Extent { places, .. } if places > MAX_VISITS => Some(format!("leads to more than {MAX_VISITS} places")),
            Extent { .. } => None,
        };
        let is_other = |name: &&str| self.0.get(name).is_none_or(|extent| excess(*extent).is_some());
        let wrong = Extent::of(strategy, &self.0).and_then(excess);
        if let Some(wrong) = wrong.filter(|_| !references(strategy).iter().any(is_other)) {
            let others = "other routing configurations on the way included";
            refuse(reader, at, Err([wrong.as_str(), ", ", others].concat().into()));
        }
    }
}

impl Extent {
    /// `None` where it is not known how far one leads that is referred to.
    fn of(strategy: &Strategy, known: &NameMap<'_, Self>) -> Option<Self> {
        let mut all = Self::list(&strategy.targets, known)?;
        all.places = all.places.saturating_add(strategy.providers.len());
        if strategy.kind == StrategyKind::Rules {
            // One of them is walked.
            for list in strategy.rules.iter().map(|rule| &rule.then).chain([&strategy.otherwise]) {
                let Self { places, depth } = Self::list(list, known)?;
                all = Self { places: all.places.max(places), depth: all.depth.max(depth.saturating_add(1)) };
            }
        }
        Some(Self { places: all.places.saturating_add(1), depth: all.depth.saturating_add(1) })
    }

    fn list(targets: &[Target], known: &NameMap<'_, Self>) -> Option<Self> {
        let mut all = Self { places: 0, depth: 1 };
        for target in targets {
            let Self { places, depth } = match &target.destination {
                // The place, and what it means.
                Destination::Model { .. } => Self { places: 2, depth: 1 },
                Destination::Routing(name) => *known.get(name.as_str())?,
                Destination::Strategy(strategy) => Self::of(strategy, known)?,
            };
            all = Self { places: all.places.saturating_add(places), depth: all.depth.max(depth) };
        }
        Some(all)
    }
}

/// The routing configurations that a strategy refers to.
pub(super) fn references(strategy: &Strategy) -> Vec<&str> {
    let mut names = Vec::new();
    collect(strategy, &mut names);
    names
}

fn collect<'c>(strategy: &'c Strategy, names: &mut Vec<&'c str>) {
    let then = strategy.rules.iter().flat_map(|rule| &rule.then);
    for target in strategy.targets.iter().chain(then).chain(&strategy.otherwise) {
        match &target.destination {
            Destination::Model { .. } => {}
            Destination::Routing(name) => names.push(name),
            Destination::Strategy(strategy) => collect(strategy, names),
        }
    }
}
