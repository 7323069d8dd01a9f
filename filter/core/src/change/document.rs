//! The file with the changes in it.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Change, Changes, Entry, SECTIONS, Section,
    merge::{is_same, merge},
    section::Form,
};
use crate::{
    config::{OWN_ACCOUNT, step},
    json::{Composed, listed, member, members, read, text_of},
};
use serde_json::value::RawValue;

/// The file with changes in it.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) text: String,
    /// Where what each change has made stands.
    pub(crate) places: Vec<Place>,
}

/// Where an entry stands.
#[derive(Debug)]
pub(crate) struct Place {
    /// A JSON pointer.
    pub(crate) pointer: String,
    /// Which of the changes has made it.
    pub(crate) entry: usize,
}

/// What is said of a provider's own account where it is written without it, and of all of them.
const OWN: [&str; 2] = ["credential", "auth"];
const ACCOUNTS: &str = "accounts";

/// An entry of a section: its name, its text, and which change has made it.
type Member = (String, String, Option<usize>);

impl Changes {
    /// The file with these changes in it, but for those of which `is_left_out` says so.
    pub(crate) fn applied(&self, file: &str, is_left_out: &dyn Fn(usize) -> bool) -> Applied {
        let of = |section: &Section| -> Vec<(usize, &Entry)> {
            let entries = self.entries.iter().enumerate();
            entries.filter(|(at, entry)| entry.section.name == section.name && !is_left_out(*at)).collect()
        };
        let (mut document, mut places, mut seen) = (Composed::default(), Vec::new(), Vec::new());
        let mut write = |document: &mut Composed, name: &str, section: &Section, value: &str| {
            let changed = section.changed(value, &of(section));
            for (at, (entry, _, made)) in changed.iter().enumerate() {
                let step = if matches!(section.form, Form::List(_)) { step(&at.to_string()) } else { step(entry) };
                places.extend(made.map(|entry| Place { pointer: [&self::step(name), step.as_str()].concat(), entry }));
            }
            document.json(name, &section.written(&changed));
        };
        for (name, value) in members(file).unwrap_or_default() {
            let section = SECTIONS.iter().find(|section| is_same(section.name, &name));
            match section.filter(|section| !of(section).is_empty()) {
                Some(section) => {
                    seen.push(section.name);
                    write(&mut document, &name, section, value.get());
                }
                None => document.any(&name, value.get()),
            }
        }
        for section in SECTIONS.iter().filter(|section| !seen.contains(&section.name) && !of(section).is_empty()) {
            write(&mut document, section.name, section, "null");
        }
        Applied { text: document.end(), places }
    }
}

impl Section {
    /// The entries of this section in a document, each with its name.
    pub(crate) fn entries(&self, document: &str) -> Vec<(String, String)> {
        let sections = members(document).unwrap_or_default();
        let value = sections.iter().find(|(name, _)| is_same(self.name, name)).map_or("null", |(_, value)| value.get());
        self.changed(value, &[]).into_iter().map(|(name, text, _)| (name, text)).collect()
    }

    /// The entries of this section after these changes.
    fn changed(&self, value: &str, changes: &[(usize, &Entry)]) -> Vec<Member> {
        let mut entries: Vec<Member> = match self.form {
            Form::List(by) => {
                let elements: Vec<&RawValue> = read(value).unwrap_or_default();
                elements.iter().map(|element| (named(element.get(), by), element.get().to_owned(), None)).collect()
            }
            Form::Mapping | Form::Values => {
                let members = members(value).unwrap_or_default();
                members.iter().map(|(name, value)| (name.to_string(), value.get().to_owned(), None)).collect()
            }
        };
        for (number, Entry { name, change, .. }) in changes {
            let at = entries.iter().position(|(other, ..)| other == name);
            let entry = at.and_then(|at| entries.get_mut(at));
            match (change, entry) {
                (Change::Removed, _) => entries.retain(|(other, ..)| other != name),
                (Change::Written(text), Some(entry)) => *entry = (name.clone(), text.clone(), Some(*number)),
                (Change::Merged(patch), Some(entry)) => {
                    *entry = (name.clone(), self.merged(&entry.1, patch), Some(*number));
                }
                (Change::Written(text), None) => entries.push((name.clone(), text.clone(), Some(*number))),
                // Of what the file no longer writes nothing can be otherwise.
                (Change::Merged(patch), None) if self.is_open => {
                    entries.push((name.clone(), self.merged("{}", patch), Some(*number)));
                }
                (Change::Merged(_), None) => {}
            }
        }
        entries
    }

    /// An entry with a patch in it.
    pub(crate) fn merged(&self, entry: &str, patch: &str) -> String {
        let is_of_own = members(patch).is_some_and(|patch| OWN.iter().any(|name| member(&patch, name).is_some()));
        let lifted = if self.name == "providers" && is_of_own { with_own_credential(entry) } else { None };
        merge(lifted.as_deref().unwrap_or(entry), patch)
    }

    fn written(&self, entries: &[Member]) -> String {
        if matches!(self.form, Form::List(_)) {
            return listed(entries.iter().map(|(_, text, _)| text));
        }
        let mut section = Composed::default();
        for (name, text, _) in entries {
            section.any(name, text);
        }
        section.end()
    }
}

/// A provider's own credential, where it is written with it and where as an account, as the renderer does: what is said of the one is
/// said of the other. `None` where there is no such account, or more is said of it.
fn with_own_credential(provider: &str) -> Option<String> {
    let provider = members(provider)?;
    let accounts: Vec<&RawValue> = read(member(&provider, ACCOUNTS)?.get()).ok()?;
    let own = accounts.iter().find(|account| named(account.get(), "name") == OWN_ACCOUNT)?.get();
    let own_members = members(own)?;
    if member(&provider, OWN[0]).is_some()
        || own_members.iter().any(|(name, _)| **name != *"name" && !OWN.contains(&&**name))
    {
        return None;
    }
    let mut lifted = Composed::default();
    for (name, value) in provider.iter().filter(|(name, _)| **name != *ACCOUNTS) {
        lifted.any(name, value.get());
    }
    // Where a credential is given, one is sent.
    for (name, value) in own_members.iter().filter(|(name, value)| OWN.contains(&&**name) && value.get() != "\"none\"")
    {
        lifted.json(name, value.get());
    }
    if accounts.len() > 1 {
        lifted.list(ACCOUNTS, accounts.iter().map(|account| account.get()).filter(|account| *account != own));
    }
    Some(lifted.end())
}

/// What an element of a list is called, by this member.
fn named(element: &str, by: &str) -> String {
    let members = members(element).unwrap_or_default();
    text_of(&members, by).unwrap_or_default()
}
