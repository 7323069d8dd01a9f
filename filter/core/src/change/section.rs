//! The sections of the file whose entries can be changed while the gateway runs.

/// A section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// What it is called in the file, and in a path.
    pub(crate) name: &'static str,
    /// What one of its entries is called.
    pub(crate) noun: &'static str,
    pub(crate) form: Form,
    /// Whether an entry that the file does not write is one all the same, with nothing to be said of it.
    pub(crate) is_open: bool,
}

/// How its entries stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A list, each with its name in this member.
    List(&'static str),
    /// A mapping by name.
    Mapping,
    /// A mapping by name, to something that is no mapping.
    Values,
}

const fn section(name: &'static str, noun: &'static str, form: Form) -> Section {
    Section { name, noun, form, is_open: false }
}

pub(crate) const SECTIONS: &[Section] = &[
    section("keys", "key", Form::List("id")),
    section("teams", "team", Form::Mapping),
    section("limits", "limit", Form::List("name")),
    section("fallbacks", "fallback", Form::Values),
    section("context_fallbacks", "context_fallback", Form::Values),
    section("content_fallbacks", "content_fallback", Form::Values),
    section("routing", "routing", Form::Mapping),
    section("routers", "router", Form::Mapping),
    section("providers", "provider", Form::Mapping),
    Section { is_open: true, ..section("models", "model", Form::Mapping) },
];

impl Section {
    /// The one of this name.
    pub(crate) fn of(name: &str) -> Option<&'static Self> {
        SECTIONS.iter().find(|section| section.name == name)
    }
}
