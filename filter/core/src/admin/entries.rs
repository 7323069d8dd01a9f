//! The sections whose entries can be listed, read, made, changed and taken away: `/admin/v1/{section}` and `/admin/v1/{section}/{name}`.
//!
//! An entry is told as it stands in the file, by the file's names, with who has written it. What is left out is as by default.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{Ask, Deed, keys, models, providers, secrets::without_secrets};
use crate::{
    change::{Change, Changes, Form, Section, compose},
    error::{Error, Kind},
    json::{self, Composed, members, quoted},
    step::Reply,
};

/// What an entry of a section that is no mapping is told in.
const VALUES: &str = "models";

/// An entry as it is now.
pub(super) struct Entry {
    pub(super) name: String,
    /// As it stands in the file.
    pub(super) text: String,
}

pub(super) fn answer(section: &'static Section, ask: Ask<'_>) -> Result<Reply, Error> {
    let is_of_models = section.name == models::NAME;
    if is_of_models && ask.deed == Deed::Look && ask.rest.is_empty() {
        return models::list(section, ask);
    }
    ask.refuse_parameters()?;
    let document = ask.current.document();
    if is_of_models && ask.deed != Deed::Look && !ask.rest.is_empty() {
        models::refuse_stranger(ask.rest, &document)?;
    }
    match (ask.deed, ask.rest) {
        (Deed::Look, "") => {
            let mut all = Vec::new();
            for (name, text) in section.entries(&document) {
                all.push(told(section, &Entry { name, text }, ask));
            }
            let mut list = Composed::default();
            list.text("object", "list");
            list.list("data", all);
            Ok(ask.tagged(Reply::json(200, list.end().into_bytes())))
        }
        (Deed::Look, name) => {
            let is_built_in = is_of_models && models::is_known(name, ask);
            let entry = found(section, name, &document, is_built_in)?;
            Ok(ask.tagged(Reply::json(200, told(section, &entry, ask).into_bytes())))
        }
        (Deed::Make, "") => make(section, ask, &document),
        (Deed::Replace, name) if !name.is_empty() => replace(section, ask, name, &document),
        (Deed::Change, name) if !name.is_empty() => change(section, ask, name, &document),
        (Deed::Remove, name) if !name.is_empty() => remove(section, ask, name, &document),
        (_, "") => Err(ask.refuse_deed("GET or POST")),
        (_, _) => Err(ask.refuse_deed("GET, PUT, PATCH or DELETE")),
    }
}

/// The entry of this name, or an empty one where it `is_one` all the same.
#[inline(never)]
pub(super) fn found(section: &Section, name: &str, document: &str, is_one: bool) -> Result<Entry, Error> {
    let entry = section.entries(document).into_iter().find(|(other, _)| other == name);
    let entry = entry.or_else(|| is_one.then(|| (name.into(), "{}".into())));
    entry.map(|(name, text)| Entry { name, text }).ok_or_else(|| missing(section, name))
}

fn missing(section: &Section, name: &str) -> Error {
    Error::new(Kind::NotFound, format!("There is no {} `{name}` here.", section.noun))
}

/// An entry that is not there yet.
fn make(section: &'static Section, ask: Ask<'_>, document: &str) -> Result<Reply, Error> {
    let by = section.name_member();
    let given = ask.object()?;
    let (given, secret) = if section.name == keys::NAME { keys::issue(&given, ask)? } else { (given, None) };
    let name = json::text_of(&members(&given).unwrap_or_default(), by).filter(|name| !name.is_empty());
    let name =
        name.ok_or_else(|| Error::refusing(format!("`{by}` must be the name of the new {}.", section.noun), by))?;
    if section.name == models::NAME {
        models::refuse_stranger(&name, document)?;
    }
    if section.entries(document).iter().any(|(other, _)| *other == name) {
        return Err(Error::new(Kind::Conflict, format!("There is a {} `{name}` already.", section.noun)));
    }
    let text = stored(section, &name, &given)?;
    ask.change((section, &name), &mut |changes| {
        keys::refuse_revoked(section, &text, changes)?;
        changes.set(section, &name, Some(Change::Written(text.clone())));
        Ok(())
    })?;
    let mut reply = told(section, &Entry { name, text }, ask);
    if let Some(secret) = secret {
        let mut whole = Composed::default();
        whole.text("key", &secret);
        reply = whole.end_with(&reply);
    }
    Ok(Reply::json(201, reply.into_bytes()))
}

/// An entry is this from now on.
fn replace(section: &'static Section, ask: Ask<'_>, name: &str, document: &str) -> Result<Reply, Error> {
    let given = ask.object()?;
    let before = found(section, name, document, false);
    let text = stored(section, name, &given)?;
    let text = match &before {
        Ok(before) if section.name == keys::NAME => keys::with_hash(&text, &before.text)?,
        Err(_) if section.name == keys::NAME => return Err(missing(section, name)),
        Ok(_) | Err(_) => text,
    };
    ask.change((section, name), &mut |changes| {
        keys::refuse_revoked(section, &text, changes)?;
        changes.set(section, name, Some(Change::Written(text.clone())));
        Ok(())
    })?;
    let status = if before.is_ok() { 200 } else { 201 };
    Ok(Reply::json(status, told(section, &Entry { name: name.into(), text }, ask).into_bytes()))
}

/// Some members of an entry are otherwise from now on.
fn change(section: &'static Section, ask: Ask<'_>, name: &str, document: &str) -> Result<Reply, Error> {
    let given = ask.object()?;
    let before = found(section, name, document, section.is_open)?;
    if section.form == Form::Values {
        return replace(section, ask, name, document);
    }
    if section.name == keys::NAME {
        keys::refuse_hash(&given)?;
    }
    let patch = unnamed(section, name, &given)?;
    let text = section.merged(&before.text, &patch);
    ask.change((section, name), &mut |changes| {
        keys::refuse_revoked(section, &text, changes)?;
        patch_entry(section, &before, &patch, changes);
        Ok(())
    })?;
    Ok(Reply::json(200, told(section, &Entry { name: name.into(), text }, ask).into_bytes()))
}

/// There is no such entry any more; what was said of one at run time is forgotten.
fn remove(section: &'static Section, ask: Ask<'_>, name: &str, document: &str) -> Result<Reply, Error> {
    let entry = found(section, name, document, false)?;
    let is_in_file = section.entries(ask.current.file().unwrap_or_default()).iter().any(|(other, _)| other == name);
    ask.change((section, name), &mut |changes| {
        if section.name == keys::NAME {
            return keys::revoke(&entry, is_in_file, changes);
        }
        changes.set(section, name, is_in_file.then_some(Change::Removed));
        if section.name == "teams" {
            leave_team(name, document, changes);
        }
        Ok(())
    })?;
    let mut gone = Composed::default();
    gone.text("object", section.noun);
    gone.text(section.name_member(), name);
    gone.flag("deleted", true);
    Ok(Reply::json(200, gone.end().into_bytes()))
}

/// A team's keys go on without one, for good: a new team of the same name is another one.
fn leave_team(team: &str, document: &str, changes: &mut Changes) {
    let Some(section) = Section::of(keys::NAME) else { return };
    for (name, text) in section.entries(document) {
        let own = json::text_of(&members(&text).unwrap_or_default(), "team");
        if own.as_deref() != Some(team) {
            continue;
        }
        patch_entry(section, &Entry { name, text }, r#"{"team":null}"#, changes);
    }
}

/// What the file says of the other members goes on to count, where it can be said so.
fn patch_entry(section: &'static Section, Entry { name, text }: &Entry, patch: &str, changes: &mut Changes) {
    let composed = match changes.get(section, name) {
        None => Some(patch.into()),
        Some(Change::Merged(first)) => compose(first, patch),
        Some(Change::Written(_) | Change::Removed) => None,
    };
    let change = composed.map_or_else(|| Change::Written(section.merged(text, patch)), Change::Merged);
    changes.set(section, name, Some(change));
}

impl Section {
    /// The member in which a name is told.
    const fn name_member(&self) -> &'static str {
        match self.form {
            Form::List(by) => by,
            Form::Mapping if self.is_open => "id",
            Form::Mapping | Form::Values => "name",
        }
    }
}

/// What was given, as it stands in the file.
#[inline(never)]
fn stored(section: &Section, name: &str, given: &str) -> Result<String, Error> {
    let bare = unnamed(section, name, given)?;
    match section.form {
        Form::List(by) => {
            let mut entry = Composed::default();
            entry.text(by, name);
            Ok(entry.end_with(&bare))
        }
        Form::Mapping => Ok(bare),
        Form::Values => {
            let members = members(&bare).unwrap_or_default();
            let value = json::member(&members, VALUES).filter(|_| members.len() == 1);
            value.map(|value| value.get().into()).ok_or_else(|| {
                Error::refusing(format!("`{VALUES}` must be a list of models, and nothing else."), VALUES)
            })
        }
    }
}

/// What was given without what it is called, which is said already. Nothing can be called otherwise.
fn unnamed(section: &Section, name: &str, given: &str) -> Result<String, Error> {
    let by = section.name_member();
    let mut bare = Composed::default();
    for (member, value) in members(given).unwrap_or_default() {
        if &*member == by && value.get() != quoted(name) {
            return Err(Error::refusing(format!("What is called `{name}` cannot be called otherwise."), by));
        }
        if &*member != by && section.name == models::NAME {
            models::name_as_in_file(&mut bare, &member, value.get());
        } else if &*member != by {
            bare.any(&member, value.get());
        }
    }
    Ok(bare.end())
}

/// An entry as it is told.
#[inline(never)]
fn told(section: &'static Section, entry: &Entry, ask: Ask<'_>) -> String {
    if section.name == models::NAME {
        return models::told(section, entry, ask);
    }
    let source = match ask.current.changes().get(section, &entry.name) {
        None => "file",
        Some(Change::Merged(_)) => "changed",
        Some(Change::Written(_) | Change::Removed) => "runtime",
    };
    let mut told = Composed::default();
    told.text("object", section.noun);
    told.text("source", source);
    if section.name == keys::NAME {
        return keys::told(told, entry, ask);
    }
    if !matches!(section.form, Form::List(_)) {
        told.text("name", &entry.name);
    }
    if section.name == providers::NAME {
        providers::tell_health(&mut told, &entry.name, ask);
    }
    if section.form == Form::Values {
        told.json(VALUES, &entry.text);
        return told.end();
    }
    let mut path = Vec::from([section.name.to_string(), entry.name.clone()]);
    told.end_with(&without_secrets(&entry.text, &mut path))
}
