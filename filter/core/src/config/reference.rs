//! What can be written in the file: every section and field with its form, default and meaning.
//!
//! Recorded by running the same declarations that read the file, so that schema and documentation cannot drift from it.

use alloc::{boxed::Box, string::String, vec::Vec};

/// All sections, the document first, each before the sections it uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    /// The sections.
    pub sections: Vec<SectionReference>,
}

/// A section: a mapping with fixed fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionReference {
    /// Its name; [`Shape::Section`] refers to it.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its fields, in the order they are written.
    pub fields: Vec<Field>,
    /// Whether it keeps fields that it does not know.
    pub open: bool,
}

/// A field of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, in snake case.
    pub name: &'static str,
    /// What may be written.
    pub shape: Shape,
    /// What holds where it is not written, as JSON.
    pub default: Option<String>,
    /// Whether it must be written.
    pub required: bool,
    /// What it means, one line.
    pub doc: &'static str,
    /// Whether it is read and checked only, and what then becomes of a file that has it.
    pub pending: Option<Silence>,
}

/// What it means that a field is not acted on yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Something is missing that was asked for: worth a warning.
    Harmless,
    /// Somebody relies on it for money or access: a gateway that ignores it must not start.
    Unsafe,
}

/// What may be written as a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// `true` or `false`.
    Flag,
    /// A whole number in a range, also as text.
    Whole {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A number, also as text.
    Number {
        /// What is expected, as a noun phrase.
        what: &'static str,
    },
    /// Text of a certain kind.
    Text {
        /// What is expected, as a noun phrase: "a duration such as 30s".
        what: &'static str,
        /// Whether a bare number is taken as well.
        number: bool,
    },
    /// One of these words.
    Choice(Vec<&'static str>),
    /// A list.
    List(Box<Self>),
    /// A mapping from free names.
    Map {
        /// What a name is.
        name: &'static str,
        /// What stands under it.
        value: Box<Self>,
    },
    /// One of several.
    Either(Vec<Self>),
    /// The section of this name.
    Section(&'static str),
}

impl Reference {
    /// Makes room for a section, unless it is there already: sections may be used twice and may contain themselves.
    pub(super) fn enter(&mut self, name: &'static str, doc: &'static str) -> Option<usize> {
        if self.sections.iter().any(|section| section.name == name) {
            return None;
        }
        self.sections.push(SectionReference { name, doc, fields: Vec::new(), open: false });
        Some(self.sections.len().saturating_sub(1))
    }

    pub(super) fn fill(&mut self, place: usize, fields: Vec<Field>, open: bool) {
        if let Some(section) = self.sections.get_mut(place) {
            section.fields = fields;
            section.open = open;
        }
    }
}
