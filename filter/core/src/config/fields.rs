//! One description of a section, used three ways: to read it, to write it, and to list its fields for schema and reference.
//!
//! A derive would split a field's facts over attributes, a parser and a document; here one call states the name, form,
//! default, accessor and meaning, and whichever task runs takes what it needs. A section declares all its fields, always in
//! the same order, before it looks at their values: what is declared only sometimes would be "unknown" at other times.

use alloc::{format, string::String, vec::Vec};
use core::marker::PhantomData;

use serde_json::value::RawValue;

use super::{
    form::{Form, write_text},
    node::{Member, Node},
    reader::{Reader, step, suggest},
    reference::{Field, Reference, Shape},
};

/// A mapping with a fixed set of fields.
pub(super) trait Section: Sized {
    /// Its name in the reference; unique.
    const NAME: &'static str;
    /// What it is for, one line.
    const DOC: &'static str;

    /// Declares every field and makes the section of their values.
    fn declare(fields: &mut Fields<'_, Self>) -> Self;
}

/// The fields of one section, under one task.
pub(super) struct Fields<'f, S> {
    task: Task<'f, S>,
}

enum Task<'f, S> {
    Read {
        name: &'f str,
        members: Vec<Member<'f>>,
        known: Vec<&'static str>,
        reader: &'f mut Reader,
    },
    Write {
        section: &'f S,
        out: &'f mut String,
    },
    Describe {
        fields: Vec<Field>,
        reference: &'f mut Reference,
    },
    /// Takes every default and stands in for what has none.
    Imagine,
}

impl<S: Section> Fields<'_, S> {
    /// A field that must be written.
    pub(super) fn required<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        get: impl FnOnce(&S) -> &F::Value,
        doc: &'static str,
    ) -> F::Value {
        if let Task::Read { members, reader, .. } = &mut self.task
            && !members.iter().any(|(member, value)| same_name(member, name) && !is_null(value))
        {
            reader.report_under(&step(name), "is required");
        }
        let value = self.field(name, form, |section| Some(get(section)), || Presence::Required, doc);
        value.unwrap_or_else(|| form.stand_in())
    }

    /// A field with a default.
    pub(super) fn defaulted<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        default: F::Value,
        get: impl FnOnce(&S) -> &F::Value,
        doc: &'static str,
    ) -> F::Value {
        let presence = || Presence::Default(written(form, &default));
        self.field(name, form, |section| Some(get(section)), presence, doc).unwrap_or(default)
    }

    /// A field that may be absent.
    pub(super) fn optional<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        get: impl FnOnce(&S) -> Option<&F::Value>,
        doc: &'static str,
    ) -> Option<F::Value> {
        self.field(name, form, get, || Presence::Optional, doc)
    }

    /// A section within; where absent, all its defaults.
    pub(super) fn section<T: Section>(
        &mut self,
        name: &'static str,
        get: impl FnOnce(&S) -> &T,
        doc: &'static str,
    ) -> T {
        let form = Nested::<T>::new();
        self.optional(name, &form, |section| Some(get(section)), doc).unwrap_or_else(|| form.stand_in())
    }

    /// The key under which the section stands in a mapping by name; empty where it does not.
    pub(super) fn name(&self) -> &str {
        match &self.task {
            Task::Read { name, .. } => name,
            Task::Write { .. } | Task::Describe { .. } | Task::Imagine => "",
        }
    }

    /// Notes what is wrong between fields, at `pointer` relative to the section; empty for the section as a whole.
    pub(super) fn report(&mut self, pointer: &str, message: &str) {
        if let Task::Read { reader, .. } = &mut self.task {
            reader.report_under(pointer, message);
        }
    }

    /// Whether what was read at `pointer`, relative to the section, was well.
    pub(super) fn is_sound(&self, pointer: &str) -> bool {
        match &self.task {
            Task::Read { reader, .. } => reader.is_sound(pointer),
            Task::Write { .. } | Task::Describe { .. } | Task::Imagine => true,
        }
    }

    fn field<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        get: impl FnOnce(&S) -> Option<&F::Value>,
        presence: impl FnOnce() -> Presence,
        doc: &'static str,
    ) -> Option<F::Value> {
        match &mut self.task {
            Task::Read { members, known, reader, .. } => {
                known.push(name);
                let at = members.iter().position(|(member, _)| same_name(member, name))?;
                let (_, value) = members.remove(at);
                if is_null(value) { None } else { reader.within(name, |reader| form.read(value, reader)) }
            }
            Task::Write { section, out } => {
                if let Some(value) = get(section) {
                    write_member(name, form, value, out);
                }
                None
            }
            Task::Describe { fields, reference } => {
                let shape = form.shape(reference);
                let (default, required) = match presence() {
                    Presence::Required => (None, true),
                    Presence::Default(json) => (Some(json), false),
                    Presence::Optional => (None, false),
                };
                fields.push(Field { name, shape, default, required, doc });
                None
            }
            Task::Imagine => None,
        }
    }
}

enum Presence {
    Required,
    Default(String),
    Optional,
}

/// A section as the form of a field, an element or an entry.
pub(super) struct Nested<S>(PhantomData<S>);

impl<S: Section> Nested<S> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }

    /// Reads the section that stands under `name` in a mapping by name.
    pub(super) fn read_named(name: &str, raw: &RawValue, reader: &mut Reader) -> Option<S> {
        let members = match reader.open(raw)? {
            Node::Object(members) => members,
            Node::Null => Vec::new(),
            other @ (Node::Flag(_) | Node::Number(_) | Node::Text(_) | Node::List(_)) => {
                reader.report(format!("expected a mapping ({}), found {}", S::NAME, other.noun()));
                return None;
            }
        };
        let members = without_duplicates(members, reader);
        let mut fields = Fields { task: Task::Read { name, members, known: Vec::new(), reader } };
        let section = S::declare(&mut fields);
        if let Task::Read { members, known, reader, .. } = fields.task {
            for (name, _) in members {
                reader.report_under(&step(&name), unknown_field(&name, &known));
            }
        }
        Some(section)
    }
}

impl<S: Section> Form for Nested<S> {
    type Value = S;

    fn read(&self, raw: &RawValue, reader: &mut Reader) -> Option<S> {
        Self::read_named("", raw, reader)
    }

    fn write(&self, section: &S, out: &mut String) {
        out.push('{');
        S::declare(&mut Fields { task: Task::Write { section, out } });
        out.push('}');
    }

    fn shape(&self, reference: &mut Reference) -> Shape {
        if let Some(place) = reference.enter(S::NAME, S::DOC) {
            let mut fields = Fields::<S> { task: Task::Describe { fields: Vec::new(), reference } };
            S::declare(&mut fields);
            if let Task::Describe { fields, reference } = fields.task {
                reference.fill(place, fields);
            }
        }
        Shape::Section(S::NAME)
    }

    fn stand_in(&self) -> S {
        S::declare(&mut Fields { task: Task::Imagine })
    }
}

/// A field's name may be written `base_url` or `base-url`.
fn same_name(written: &str, name: &str) -> bool {
    let snake = |byte| if byte == b'-' { b'_' } else { byte };
    written.bytes().map(snake).eq(name.bytes().map(snake))
}

/// An empty value, as YAML makes it of `keys:` with all its entries commented out, counts as not written.
fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

fn without_duplicates<'a>(members: Vec<Member<'a>>, reader: &mut Reader) -> Vec<Member<'a>> {
    let mut kept: Vec<Member<'a>> = Vec::with_capacity(members.len());
    for (name, value) in members {
        if kept.iter().any(|(other, _)| same_name(other, &name)) {
            reader.report_under(&step(&name), "is written twice");
        } else {
            kept.push((name, value));
        }
    }
    kept
}

fn unknown_field(name: &str, known: &[&str]) -> String {
    match suggest(&name.replace('-', "_"), known) {
        Some(meant) => format!("unknown field; did you mean `{meant}`?"),
        None => format!("unknown field; known here: {}", known.join(", ")),
    }
}

fn write_member<F: Form>(name: &str, form: &F, value: &F::Value, out: &mut String) {
    // No value ends with an opening brace.
    if !out.ends_with('{') {
        out.push(',');
    }
    write_text(name, out);
    out.push(':');
    form.write(value, out);
}

/// A value as JSON.
pub(super) fn written<F: Form>(form: &F, value: &F::Value) -> String {
    let mut out = String::new();
    form.write(value, &mut out);
    out
}
