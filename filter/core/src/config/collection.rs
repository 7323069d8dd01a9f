//! Forms of many values: lists, and mappings from free names.
//!
//! A refused value leaves its stand-in, so that positions stay those of the file while the rest is read and checked.

use alloc::{boxed::Box, format, string::String, vec, vec::Vec};

use serde_json::value::RawValue;

use super::{
    fields::{Nested, Section},
    form::{Form, Parsed, Writer, write_text},
    node::Node,
    reader::{Reader, step},
    reference::{Reference, Shape},
};
use crate::map::NameSet;

/// A list of one form.
pub(super) struct List<F>(pub(super) F);

impl<F: Form> Form for List<F> {
    type Value = Vec<F::Value>;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<Self::Value> {
        let elements = read_elements(raw, reader)?;
        let mut values = Vec::with_capacity(elements.len());
        for (index, element) in elements {
            let value = reader.within(&index, |reader| self.0.read(element, reader));
            values.push(value.unwrap_or_else(|| self.0.stand_in()));
        }
        Some(values)
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
        match Node::open(raw) {
            Some(Node::List(_)) => self.list().read(raw, reader),
            _ => self.0.read(raw, reader).map(|value| vec![value]),
        }
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
        let members = read_members(raw, reader, &self.name)?;
        let mut sections = Vec::with_capacity(members.len());
        for (name, value) in members {
            let section = reader.within(&name, |reader| Nested::<S>::read_named(&name, value, reader));
            sections.push(section.unwrap_or_else(|| Nested::<S>::imagine(&name)));
        }
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
        let members = read_members(raw, reader, &self.name)?;
        let mut pairs = Vec::with_capacity(members.len());
        for (name, value) in members {
            let value = reader.within(&name, |reader| self.value.read(value, reader));
            pairs.push((name, value.unwrap_or_else(|| self.value.stand_in())));
        }
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

/// The elements of a list, each with its place as a pointer says it.
#[inline(never)]
fn read_elements<'a>(raw: &'a RawValue, reader: &mut Reader) -> Option<Vec<(String, &'a RawValue)>> {
    match reader.open(raw)? {
        Node::List(elements) => {
            Some(elements.into_iter().enumerate().map(|(index, element)| (format!("{index}"), element)).collect())
        }
        node @ (Node::Null | Node::Flag(_) | Node::Number(_) | Node::Text(_) | Node::Object(_)) => {
            reader.expected("a list", &node);
            None
        }
    }
}

/// The members of a mapping with free names: each name parsed, each once. A refused name keeps its value's place.
#[inline(never)]
fn read_members<'a>(
    raw: &'a RawValue,
    reader: &mut Reader,
    rule: &Parsed<String>,
) -> Option<Vec<(String, &'a RawValue)>> {
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
    Some(read)
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
