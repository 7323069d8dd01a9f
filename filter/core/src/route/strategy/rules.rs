//! `rules`: the first that matches what the request is like decides where it goes.

use alloc::{format, string::String, vec::Vec};

use crate::{
    auth::{Glob, Key},
    config::{self, Bounds, TimeSpan},
    route::{Query, compile::Compiler, node::Node},
};

const SECONDS_OF_DAY: u64 = 86_400;

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::route) struct Rules {
    rules: Vec<(When, Node)>,
    otherwise: Option<Node>,
}

/// What a request must be like: all that is there.
#[derive(Debug)]
struct When {
    model: Vec<Glob>,
    headers: Vec<(String, Glob)>,
    labels: Vec<(String, String)>,
    team: Option<String>,
    estimated_tokens: Option<Bounds>,
    has_tools: Option<bool>,
    has_images: Option<bool>,
    stream: Option<bool>,
    path: Option<Glob>,
    time: Option<TimeSpan>,
}

/// What a rule is held against.
pub(in crate::route) struct Occasion<'a> {
    pub(in crate::route) query: &'a Query<'a>,
    /// Every spelling of the model asked for, aliases resolved.
    pub(in crate::route) spellings: &'a dyn Fn(&Glob) -> bool,
    pub(in crate::route) epoch_seconds: u64,
}

impl Rules {
    pub(in crate::route) fn compile<E: Fn(&str) -> Option<String>>(
        compiler: &mut Compiler<'_, E>,
        section: &config::Strategy,
        at: &str,
    ) -> Self {
        let mut rules = Vec::with_capacity(section.rules.len());
        for (index, rule) in section.rules.iter().enumerate() {
            rules.push((When::compile(&rule.when), compiler.list(&rule.then, &format!("{at}/rules/{index}/then"))));
        }
        let otherwise = &section.otherwise;
        let otherwise = (!otherwise.is_empty()).then(|| compiler.list(otherwise, &format!("{at}/else")));
        Self { rules, otherwise }
    }

    /// Every way that a request can go; `None` where one may go nowhere in particular.
    pub(in crate::route) fn ways(&self) -> Option<impl Iterator<Item = &Node>> {
        let otherwise = self.otherwise.as_ref()?;
        Some(self.rules.iter().map(|(_, then)| then).chain([otherwise]))
    }

    /// Where the request goes; nowhere in particular where no rule matches.
    pub(in crate::route) fn decide(&self, occasion: &Occasion<'_>) -> Option<&Node> {
        let matching = self.rules.iter().find(|(when, _)| when.matches(occasion));
        matching.map(|(_, then)| then).or(self.otherwise.as_ref())
    }
}

impl When {
    fn compile(when: &config::When) -> Self {
        Self {
            model: when.model.iter().map(|pattern| Glob::new(pattern)).collect(),
            headers: when.headers.iter().map(|(name, pattern)| (name.clone(), Glob::new(pattern))).collect(),
            labels: when.labels.clone(),
            team: when.team.clone(),
            estimated_tokens: when.estimated_tokens,
            has_tools: when.has_tools,
            has_images: when.has_images,
            stream: when.stream,
            path: when.path.as_deref().map(Glob::new),
            time: when.time,
        }
    }

    fn matches(&self, occasion: &Occasion<'_>) -> bool {
        let query = occasion.query;
        let is = |wanted: Option<bool>, found: bool| wanted.is_none_or(|wanted| wanted == found);
        is(self.stream, query.stream)
            && is(self.has_tools, query.has_tools)
            && is(self.has_images, query.has_images)
            && self.estimated_tokens.is_none_or(|bounds| is_within(bounds, query.input_tokens))
            && self.time.is_none_or(|span| is_in(span, occasion.epoch_seconds))
            && self.is_of(query.caller.key())
            && self.path.as_ref().is_none_or(|pattern| pattern.matches(query.path))
            && self.headers.iter().all(|(name, pattern)| has_header(query, name, pattern))
            && (self.model.is_empty() || self.model.iter().any(occasion.spellings))
    }

    fn is_of(&self, key: Option<&Key>) -> bool {
        let Some(key) = key else { return self.team.is_none() && self.labels.is_empty() };
        (self.team.is_none() || self.team == key.team) && self.labels.iter().all(|label| key.labels.contains(label))
    }
}

fn is_within(Bounds { gt, gte, lt, lte }: Bounds, number: u64) -> bool {
    gt.is_none_or(|bound| number > bound)
        && gte.is_none_or(|bound| number >= bound)
        && lt.is_none_or(|bound| number < bound)
        && lte.is_none_or(|bound| number <= bound)
}

/// Whether the minute is within the span, which goes past midnight where it ends before it begins.
fn is_in(TimeSpan { from, to }: TimeSpan, epoch_seconds: u64) -> bool {
    let minute = u16::try_from(epoch_seconds % SECONDS_OF_DAY / 60).unwrap_or_default();
    if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to }
}

fn has_header(query: &Query<'_>, name: &str, pattern: &Glob) -> bool {
    let texts = query.headers.all(name).filter_map(|value| core::str::from_utf8(value).ok());
    texts.into_iter().any(|value| pattern.matches(value))
}
