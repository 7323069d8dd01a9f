//! The task of reading a section.
//!
//! There are some fifty sections of some two hundred fields, and the module has room for little code, which runs once. So what
//! opens, takes and reports is compiled once, for no type; what is compiled for each form is the way into its [`Slot`], and for
//! each section the list of its fields.

use alloc::{
    borrow::ToOwned,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::mem;

use serde_json::value::RawValue;

use super::{
    form::Form,
    node::{Member, Node},
    reader::{Place as Here, Reader, step, suggest},
    reference::Silence,
};

/// What is known of a section before its fields.
pub(super) struct Facts {
    pub(super) name: &'static str,
    pub(super) pending: &'static [(&'static str, Silence)],
}

/// What a field is read into.
pub(super) trait Slot {
    fn read(&mut self, raw: &RawValue, reader: &mut Reader);
}

/// A place for the value of a form, or for that value or none; as it was where the value is refused.
pub(super) struct Place<'s, F, V> {
    pub(super) form: &'s F,
    pub(super) value: &'s mut V,
}

impl<F: Form, V: From<F::Value>> Slot for Place<'_, F, V> {
    fn read(&mut self, raw: &RawValue, reader: &mut Reader) {
        if let Some(value) = self.form.read(raw, reader) {
            *self.value = V::from(value);
        }
    }
}

/// A section that is being read.
pub(super) struct Reading<'f> {
    name: &'f str,
    members: Vec<Member<'f>>,
    known: Vec<&'static str>,
    facts: &'static Facts,
    reader: &'f mut Reader,
    /// Where the reader was before, and is again after it.
    here: Here,
    /// The reader itself, where the section is only imagined: what is said of that is forgotten.
    outer: Option<Reader>,
}

impl<'f> Reading<'f> {
    /// Opens a section; `None` where that was a problem.
    #[inline(never)]
    pub(super) fn open(raw: &'f RawValue, facts: &'static Facts, reader: &'f mut Reader) -> Option<Self> {
        let here = reader.here();
        let members = open_section(raw, facts.name, reader)?;
        Some(Self::over("", Some(members), here, facts, reader))
    }

    /// Opens the section that stands under `name` in a mapping by name; where that was a problem, one with nothing but that name.
    #[inline(never)]
    pub(super) fn open_or_imagine(
        name: &'f str,
        raw: &'f RawValue,
        facts: &'static Facts,
        reader: &'f mut Reader,
    ) -> Self {
        let here = reader.here();
        let members = open_section(raw, facts.name, reader);
        Self::over(name, members, here, facts, reader)
    }

    /// A section with nothing in it.
    pub(super) fn imagine(facts: &'static Facts, reader: &'f mut Reader) -> Self {
        let here = reader.here();
        Self::over("", None, here, facts, reader)
    }

    /// Opens the section that is a field of this one; where it is not written, or that was a problem, one with nothing in it.
    #[inline(never)]
    pub(super) fn open_field(&mut self, name: &'static str, facts: &'static Facts) -> Reading<'_> {
        let here = self.reader.here();
        let members = self.take(name, false).and_then(|value| {
            self.reader.enter(name);
            open_section(value, facts.name, self.reader)
        });
        Reading::over("", members, here, facts, self.reader)
    }

    #[inline(never)]
    fn over(
        name: &'f str,
        members: Option<Vec<Member<'f>>>,
        here: Here,
        facts: &'static Facts,
        reader: &'f mut Reader,
    ) -> Self {
        let outer = members.is_none().then(|| {
            reader.leave(here);
            mem::take(reader)
        });
        Self { name, members: members.unwrap_or_default(), known: Vec::new(), facts, reader, here, outer }
    }

    /// Reads a field into its place.
    #[inline(never)]
    pub(super) fn read(&mut self, name: &'static str, required: bool, slot: &mut dyn Slot) {
        if let Some(value) = self.take(name, required) {
            self.reader.within(name, |reader| slot.read(value, reader));
        }
    }

    /// The value of a member, `null` counting as not written.
    fn take(&mut self, name: &'static str, required: bool) -> Option<&'f RawValue> {
        self.known.push(name);
        let at = self.members.iter().position(|(member, _)| same_name(member, name));
        let value = at.map(|at| self.members.remove(at).1).filter(|value| !is_null(value));
        match value {
            Some(value) if self.facts.pending.contains(&(name, Silence::Unsafe)) && !is_hollow(value) => {
                self.reader.rely_on(name);
            }
            None if required => self.reader.report_under(&step(name), "is required"),
            Some(_) | None => {}
        }
        value
    }

    /// The members that no field has taken.
    #[inline(never)]
    pub(super) fn take_rest(&mut self) -> Vec<(String, String)> {
        let members = mem::take(&mut self.members);
        members.into_iter().map(|(name, value)| (name.to_string(), value.get().to_owned())).collect()
    }

    /// The key under which the section stands in a mapping by name.
    #[inline(never)]
    pub(super) fn key(&self) -> String {
        self.name.to_owned()
    }

    pub(super) fn reader(&mut self) -> &mut Reader {
        self.reader
    }

    pub(super) fn was_sound(&self, pointer: &str) -> bool {
        self.reader.is_sound(pointer)
    }

    /// Reports what no field has taken, and goes back to where the section began.
    #[inline(never)]
    pub(super) fn finish(self) {
        for (name, _) in self.members {
            self.reader.report_under(&step(&name), unknown_field(&name, &self.known));
        }
        match self.outer {
            Some(outer) => *self.reader = outer,
            None => self.reader.leave(self.here),
        }
    }
}

/// Whether nothing can be relied on by what is written.
fn is_hollow(value: &RawValue) -> bool {
    matches!(value.get().trim_matches('"'), "null" | "{}" | "[]" | "false" | "local")
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

#[inline(never)]
fn open_section<'a>(raw: &'a RawValue, name: &str, reader: &mut Reader) -> Option<Vec<Member<'a>>> {
    match reader.open(raw)? {
        Node::Object(members) => Some(without_duplicates(members, reader)),
        Node::Null => Some(Vec::new()),
        other @ (Node::Flag(_) | Node::Number(_) | Node::Text(_) | Node::List(_)) => {
            reader.expected(&format!("a mapping ({name})"), &other);
            None
        }
    }
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
