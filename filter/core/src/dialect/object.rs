//! A small object, looked into by its members' names.
//!
//! Not a struct for each: what is derived for one is two kilobytes of the module, and there would be a dozen.

use alloc::{format, vec::Vec};
use serde_json::value::RawValue;

use crate::{
    chat::Text,
    dialect::field::{members_of, typed},
    error::Error,
    json::{self, Read, Str, members},
};

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Object<'a>(Vec<(Str<'a>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// What is no object has no members.
    pub(crate) fn of(text: &'a str) -> Self {
        Self::parse(text).unwrap_or_default()
    }

    /// The same, if it is one.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        members(text).map(Self)
    }

    /// The same of a part of a request, or blames it.
    pub(crate) fn read(path: &str, raw: &'a RawValue) -> Result<Self, Error> {
        members_of(path, raw).map(Self)
    }

    /// A member that says something.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().find(|(member, _)| &**member == name);
        found.map(|(_, value)| *value).filter(|value| value.get() != "null")
    }

    /// A member of an answer, where it can be read.
    pub(crate) fn find<T: Read<'a>>(&self, name: &str) -> Option<T> {
        json::read(self.get(name)?.get()).ok()
    }

    /// The text of a member of an answer; empty where it is none.
    pub(crate) fn text(&self, name: &str) -> Text<'a> {
        self.find::<Str<'_>>(name).unwrap_or_default().0
    }

    /// A text in a request, or blames it.
    pub(crate) fn said(&self, path: &str, name: &str) -> Result<Option<Text<'a>>, Error> {
        let text = |raw| typed::<Str<'_>>(&format!("{path}.{name}"), raw).map(|text| text.0);
        self.get(name).map(text).transpose()
    }

    /// The same of one that must be there.
    pub(crate) fn must_say(&self, path: &str, name: &str) -> Result<Text<'a>, Error> {
        let missing = || Error::refusing(format!("`{path}.{name}` is missing."), format!("{path}.{name}"));
        self.said(path, name)?.ok_or_else(missing)
    }
}
