//! What of a document the environment has added, or written over the file's, and whose mistake a problem of it is.

use std::collections::BTreeSet;

use dragoman_core::config::{Problem, step};

use super::{BACKEND, KEYS, Setting};
use crate::{
    document::{Node, same_name},
    mistake::Mistake,
};

/// What of a document the environment has added, or written over the file's.
#[derive(Debug, Clone, Default)]
pub struct Additions {
    parts: Vec<Part>,
}

/// A value of the document, and the variable that it is from.
#[derive(Debug, Clone)]
struct Part {
    variable: &'static str,
    pointer: String,
    /// The outermost place that is there only because of it.
    root: String,
    /// Which of the words of the variable it is, from one.
    entry: Option<usize>,
}

/// Lays them over a document, and says where. What is not a mapping where one is needed stays, for the reader to refuse.
pub(crate) fn lay_over(document: &mut Node, settings: Vec<Setting>, keys: Vec<(usize, Node)>) -> Additions {
    let mut additions = Additions::default();
    for Setting { variable, path, value, is_implied } in settings {
        let Some((place, known)) = place(document, &path) else { continue };
        if is_implied && !matches!(place, Node::Null) {
            continue;
        }
        let part = Part { variable, pointer: pointer(&path), root: root(&path, known), entry: None };
        if let Node::List(values) = &value {
            additions.parts.extend((1..=values.len()).map(|entry| part.entry(entry.saturating_sub(1), entry)));
        }
        additions.parts.push(part);
        *place = value;
    }
    if keys.is_empty() {
        return additions;
    }
    let path = ["keys".to_owned()];
    let Some((place, known)) = place(document, &path) else { return additions };
    let list = Part { variable: KEYS, pointer: pointer(&path), root: root(&path, known), entry: None };
    if matches!(place, Node::Null) {
        *place = Node::List(Vec::new());
        additions.parts.push(list.clone());
    }
    if let Node::List(elements) = place {
        for (number, key) in keys {
            additions.parts.push(list.entry(elements.len(), number));
            elements.push(key);
        }
    }
    additions
}

/// The place of a value, made if need be, and how many segments of its path were there.
fn place<'n>(node: &'n mut Node, path: &[String]) -> Option<(&'n mut Node, usize)> {
    let Some((segment, rest)) = path.split_first() else { return Some((node, 0)) };
    if matches!(node, Node::Null) {
        *node = Node::Map(Vec::new());
    }
    let Node::Map(members) = node else { return None };
    let known = members.iter().position(|(name, _)| same_name(name, segment));
    if known.is_none() {
        members.push((segment.clone(), Node::Null));
    }
    let member = known.unwrap_or_else(|| members.len().saturating_sub(1));
    let (place, further) = place(&mut members.get_mut(member)?.1, rest)?;
    Some((place, if known.is_some() { further.saturating_add(1) } else { 0 }))
}

fn pointer(path: &[String]) -> String {
    path.iter().map(|segment| step(segment)).collect()
}

/// The outermost place on the way that was not there.
fn root(path: &[String], known: usize) -> String {
    path.iter().take(known.saturating_add(1)).map(|segment| step(segment)).collect()
}

impl Part {
    /// One element of its list.
    fn entry(&self, index: usize, number: usize) -> Self {
        let pointer = format!("{}/{index}", self.pointer);
        Self { variable: self.variable, root: pointer.clone(), pointer, entry: Some(number) }
    }

    /// Names a problem at or below its place.
    fn explain(&self, Problem { pointer, message }: &Problem) -> Mistake {
        let entry = self.entry.map(|number| format!("entry {number}"));
        let below = pointer.strip_prefix(&self.pointer).and_then(|rest| rest.strip_prefix('/'));
        let place: Vec<_> = entry.into_iter().chain(below.map(|field| format!("`{field}`"))).collect();
        let message = if place.is_empty() { message.clone() } else { format!("{}: {message}", place.join(", ")) };
        Mistake::Variables(vec![self.variable], message)
    }
}

impl Additions {
    /// Names a problem by who wrote what it is about.
    #[must_use]
    pub fn explain(&self, problem: Problem) -> Mistake {
        let at = |part: &&Part| is_within(&problem.pointer, &part.pointer);
        if let Some(part) = self.parts.iter().filter(at).max_by_key(|part| part.pointer.len()) {
            return part.explain(&problem);
        }
        // A section that stands there only because of variables: those that wrote in it, else those that made it.
        let is_ours = self.parts.iter().any(|part| is_within(&problem.pointer, &part.root));
        if !is_ours {
            return Mistake::File(problem);
        }
        let mut variables = self.variables(|part| is_within(&part.pointer, &problem.pointer));
        if variables.is_empty() {
            variables = self.variables(|part| is_within(&problem.pointer, &part.root));
        }
        Mistake::Variables(variables, problem.to_string())
    }

    pub(crate) fn explain_all(&self, problems: Vec<Problem>) -> Vec<Mistake> {
        problems.into_iter().map(|problem| self.explain(problem)).collect()
    }

    /// The variables that add a provider to those of the file; none where they only change one.
    pub(crate) fn provider(&self) -> Vec<&'static str> {
        let is_added = self.parts.iter().any(|part| is_within(BACKEND, &part.root));
        if is_added { self.variables(|part| is_within(&part.pointer, BACKEND)) } else { Vec::new() }
    }

    /// Each once, in order.
    fn variables(&self, wanted: impl Fn(&Part) -> bool) -> Vec<&'static str> {
        let wanted: BTreeSet<_> = self.parts.iter().filter(|part| wanted(part)).map(|part| part.variable).collect();
        wanted.into_iter().collect()
    }
}

/// Whether a pointer leads to a place or below it.
fn is_within(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
