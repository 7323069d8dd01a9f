//! What is particular about models: the built-in ones are there although the file does not write them, and what is told of each is what
//! the catalogue knows.
//!
//! Here `id` is `provider/model`, as clients are told it, and `model` what the provider calls it, which the file calls `id`.

use alloc::{format, string::String, vec::Vec};

use super::{Ask, entries::Entry, misunderstood, parameters, providers, unheeded};
use crate::{
    catalogue::Item,
    change::{Change, Section},
    config::print_millis,
    error::{Error, Kind},
    json::{Composed, members},
    step::Reply,
};

/// The section's name.
pub(super) const NAME: &str = "models";

/// Members that are told and cannot be said: the file would keep them as what else is known of a model.
const TOLD_ONLY: &[&str] = &["created", "equivalents", "object", "owned_by", "provider", "source", "status"];

/// `GET /admin/v1/models`: the catalogue of the configured providers.
#[inline(never)]
pub(super) fn list(section: &Section, ask: Ask<'_>) -> Result<Reply, Error> {
    let mut is_enabled = None;
    for parameter in parameters(ask.query) {
        match parameter? {
            ("provider" | "q", _) => {}
            ("enabled", value) => {
                is_enabled = Some(value.parse::<bool>().map_err(|_| misunderstood("enabled", "`true` or `false`"))?);
            }
            (name, _) => return Err(unheeded(name, "provider, q, enabled")),
        }
    }
    let is_wanted = |_: &str, is: bool| is_enabled.is_none_or(|wanted| wanted == is);
    let items = ask.gateway.catalogue.inventory(ask.query, &is_wanted);
    let filed = section.entries(ask.current.file().unwrap_or_default());
    let mut told = Vec::with_capacity(items.len());
    for item in &items {
        told.push(tell(item, source(section, item, &filed, ask)));
    }
    let mut list = Composed::new();
    list.text("object", "list");
    list.list("data", told);
    Ok(ask.tagged(Reply::json(200, list.end().into_bytes())))
}

/// A model that there is: in the catalogue, or in the file for a provider that is switched off.
#[inline(never)]
pub(super) fn told(section: &Section, entry: &Entry, ask: Ask<'_>) -> String {
    let filed = section.entries(ask.current.file().unwrap_or_default());
    if let Some(item) = item(&entry.name, ask) {
        return tell(&item, source(section, &item, &filed, ask));
    }
    let mut told = Composed::default();
    told.text("id", &entry.name);
    told.text("object", section.noun);
    for (name, value) in members(&entry.text).unwrap_or_default() {
        told.any(if &*name == "id" { "model" } else { &name }, value.get());
    }
    told.end()
}

/// Whether the catalogue has it, whatever the file says.
pub(super) fn is_known(name: &str, ask: Ask<'_>) -> bool {
    item(name, ask).is_some()
}

/// As it is now, after what was changed just before.
fn item(name: &str, ask: Ask<'_>) -> Option<Item> {
    ask.current.gateway().catalogue.inventory("", &|other, _| other == name).pop()
}

fn tell(item: &Item, source: &str) -> String {
    let mut told = Composed::default();
    told.text("source", source);
    told.flag("enabled", item.is_enabled);
    told.text("model", &item.wire);
    if let Some(released) = item.released {
        let at = print_millis(released.saturating_mul(1_000));
        told.text("released", at.strip_suffix("T00:00:00Z").unwrap_or(&at));
    }
    told.end_with(&item.card)
}

fn source(section: &Section, item: &Item, filed: &[(String, String)], ask: Ask<'_>) -> &'static str {
    let is_filed = filed.iter().any(|(name, _)| *name == item.name);
    match ask.current.changes().get(section, &item.name) {
        None | Some(Change::Removed) if !is_filed => "built-in",
        None => "file",
        Some(Change::Merged(_)) if !is_filed && !item.is_built_in => "runtime",
        Some(Change::Merged(_) | Change::Removed) => "changed",
        Some(Change::Written(_)) => "runtime",
    }
}

/// A member that was given of a model, by the file's name for it.
pub(super) fn name_as_in_file(model: &mut Composed, member: &str, value: &str) {
    match member {
        "metadata" => {
            for (name, value) in members(value).unwrap_or_default() {
                model.any(&name, value.get());
            }
        }
        told if TOLD_ONLY.contains(&told) => {}
        member => model.any(if member == "model" { "id" } else { member }, value),
    }
}

/// A model of nobody is no model.
pub(super) fn refuse_stranger(name: &str, document: &str) -> Result<(), Error> {
    let owner = name.split_once('/').filter(|(_, model)| !model.is_empty()).map(|(owner, _)| owner);
    let known = Section::of(providers::NAME).map(|section| section.entries(document)).unwrap_or_default();
    if owner.is_some_and(|owner| known.iter().any(|(name, _)| name == owner)) {
        return Ok(());
    }
    let message = format!("`{name}` is not `provider/model` of a provider that there is.");
    Err(Error::new(Kind::NotFound, message))
}
