//! Forms of many values: lists, and mappings from free names.
//!
//! A refused value leaves its stand-in, so that positions stay those of the file while the rest is read and checked.

use alloc::{boxed::Box, format, string::String, vec, vec::Vec};

use serde_json::value::RawValue;

use super::{
    fields::{Nested, Section},
    form::{Form, Parsed, Writer, write_text},
    node::{Node, is_list},
    reader::{Reader, step},
    reference::{Reference, Shape},
};
use crate::map::NameSet;

/// A list of one form.
pub(super) struct List<F>(pub(super) F);

impl<F: Form> Form for List<F> {
    type Value = Vec<F::Value>;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Self::Value> {
        read_list(&self.0, raw, reader)
    }

    fn write(&self, value: &Self::Value, out: &mut Writer) {
        out.push('[');
        for (index, element) in value.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            self.0.write(element, out);
        }
        out.push(']');
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        Shape::List(Box::new(self.0.shape(reference)))
    }

    fn stand_in(&self) -> Self::Value {
        Vec::new()
    }
}

/// One value, or a list of such; written as a list.
pub(super) struct OneOrMany<F>(pub(super) F);

impl<F: Form> OneOrMany<F> {
    fn list(&self) -> List<&F> {
        List(&self.0)
    }
}

impl<F: Form> Form for OneOrMany<F> {
    type Value = Vec<F::Value>;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Self::Value> {
        if is_list(raw) { read_list(&self.0, raw, reader) } else { self.0.read(raw, reader).map(|value| vec![value]) }
    }

    fn write(&self, value: &Self::Value, out: &mut Writer) {
        self.list().write(value, out);
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        Shape::Either([self.0.shape(reference), self.list().shape(reference)].into())
    }

    fn stand_in(&self) -> Self::Value {
        Vec::new()
    }
}

/// A section that stands in a mapping, under its name.
pub(super) trait Named: Section {
    fn name(&self) -> &str;
}

/// A mapping of sections by name, in the order written.
pub(super) struct ByName<S> {
    pub(super) name: Parsed<String>,
    pub(super) section: Nested<S>,
}

impl<S: Named> Form for ByName<S> {
    type Value = Vec<S>;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Vec<S>> {
        let mut sections = Vec::new();
        read_members(raw, &self.name, reader, &mut |left, name, value, reader| {
            sections.reserve_exact(left);
            sections.push(Nested::<S>::read_named(&name, value, reader));
        })?;
        Some(sections)
    }

    fn write(&self, value: &Vec<S>, out: &mut Writer) {
        write_members(value.iter().map(|section| (section.name(), section)), &self.section, out);
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        Shape::Map { name: self.name.what, value: Box::new(self.section.shape(reference)) }
    }

    fn stand_in(&self) -> Vec<S> {
        Vec::new()
    }
}

/// A mapping of values by name, in the order written.
pub(super) struct Pairs<F> {
    pub(super) name: Parsed<String>,
    pub(super) value: F,
}

impl<F: Form> Form for Pairs<F> {
    type Value = Vec<(String, F::Value)>;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Self::Value> {
        let mut pairs = Vec::new();
        read_members(raw, &self.name, reader, &mut |left, name, value, reader| {
            pairs.reserve_exact(left);
            pairs.push((name, self.value.read_or_stand_in(value, reader)));
        })?;
        Some(pairs)
    }

    fn write(&self, value: &Self::Value, out: &mut Writer) {
        write_members(value.iter().map(|(name, value)| (name.as_str(), value)), &self.value, out);
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        Shape::Map { name: self.name.what, value: Box::new(self.value.shape(reference)) }
    }

    fn stand_in(&self) -> Self::Value {
        Vec::new()
    }
}

fn read_list<F: Form>(form: &F, raw: &RawValue, reader: &mut Reader) -> Option<Vec<F::Value>> {
    let mut values = Vec::new();
    read_elements(raw, reader, &mut |left, element, reader| {
        values.reserve_exact(left);
        values.push(form.read_or_stand_in(element, reader));
    })?;
    Some(values)
}

// What follows is compiled once, and calls for each element what is compiled for its form: with how many there are from this one
// on, so that the first can make room for all.

/// Reads a list; `None` where it is none, which is reported.
#[inline(never)]
fn read_elements(
    raw: &RawValue,
    reader: &mut Reader,
    each: &mut dyn FnMut(usize, &RawValue, &mut Reader),
) -> Option<()> {
    let node = reader.open(raw)?;
    let Node::List(elements) = node else {
        reader.expected("a list", &node);
        return None;
    };
    let count = elements.len();
    for (index, element) in elements.into_iter().enumerate() {
        reader.within(&format!("{index}"), |reader| each(count.saturating_sub(index), element, reader));
    }
    Some(())
}

/// What is called for each member of a mapping.
type EachMember<'e> = dyn FnMut(usize, String, &RawValue, &mut Reader) + 'e;

/// Reads a mapping with free names: each name parsed, each once. A refused name keeps its value's place.
#[inline(never)]
fn read_members(raw: &RawValue, rule: &Parsed<String>, reader: &mut Reader, each: &mut EachMember<'_>) -> Option<()> {
    let node = reader.open(raw)?;
    let Node::Object(members) = node else {
        reader.expected("a mapping", &node);
        return None;
    };
    let mut read: Vec<(String, &RawValue)> = Vec::with_capacity(members.len());
    let mut names = NameSet::default();
    for (written, value) in members {
        let name = (rule.parse)(&written).unwrap_or_else(|wrong| {
            reader.report_under(&step(&written), format!("the name {wrong}; expected {}", rule.what));
            written.0.into_owned()
        });
        if names.insert(name.clone()) {
            read.push((name, value));
        } else {
            reader.report_under(&step(&name), "is written twice");
        }
    }
    let count = read.len();
    for (index, (name, value)) in read.into_iter().enumerate() {
        let here = reader.here();
        reader.enter(&name);
        each(count.saturating_sub(index), name, value, reader);
        reader.leave(here);
    }
    Some(())
}

fn write_members<'v, F: Form<Value: 'v>>(
    members: impl Iterator<Item = (&'v str, &'v F::Value)>,
    form: &F,
    out: &mut Writer,
) {
    out.push('{');
    for (index, (name, value)) in members.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(name, out);
        out.push(':');
        form.write(value, out);
    }
    out.push('}');
}
